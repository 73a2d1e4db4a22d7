"""Lines of the page on what is promised that are about single acts of people: each as the page says it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox

USERS: dict[str, Any] = {"user_id": "id", "traits": ["city", "plan"]}
EVENTS: dict[str, Any] = {**USERS, "event": {"value": "Paid"}, "created_at": "at"}
WITH_ID: dict[str, Any] = {**EVENTS, "event_id": "no"}
ROWS = ["A,1,2026-01-02,Pune,gold", "B,2,2026-01-03,Goa,", "C,3,2026-01-04,Agra,gold"]


@pytest.fixture(autouse=True)
def api(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox in place of the API, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    table("paid.csv", *ROWS)
    return sandbox


def table(path: str, *rows: str) -> None:
    Path(path).write_text("\n".join(["id,no,at,city,plan", *rows]) + "\n", encoding="utf-8")


def loaded(source: str, mapping: dict[str, Any], *flags: str) -> int:
    Path("mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    return run([source, "--mapping", "mapping.json", "-q", *flags])


def statuses(path: str = "paid.report.csv") -> list[str]:
    return [str(row["status"]) for row in read_report(path).to_pylist()]


CHANGES: list[Any] = [
    pytest.param(["city", "plan", "no"], ["sent", "sent", "sent"], id="gains"),
    pytest.param(["city"], ["sent", "unchanged", "sent"], id="loses"),
    pytest.param(["city", {"column": "plan", "name": "Plan"}], ["sent", "unchanged", "sent"], id="renames"),
]


@pytest.mark.parametrize(("traits", "users"), CHANGES)
def test_a_mapping_gains_loses_or_renames_a_trait(api: Sandbox, traits: list[Any], users: list[str]) -> None:
    """Users whose call is another one are sent; events stop; with an id they are `unchanged`, which is noted."""
    for mapping, name in ((USERS, "users"), (EVENTS, "events"), (WITH_ID, "ids")):
        assert loaded("paid.csv", mapping, "--name", name) == 0
    calls = api.stats().calls
    assert loaded("paid.csv", EVENTS | {"traits": traits}, "--name", "events") == 2
    assert loaded("paid.csv", WITH_ID | {"traits": traits}, "--name", "ids") == 0
    assert api.stats().calls == calls
    noted = [row["code"] for row in read_report("ids.report.csv").to_pylist()]
    assert statuses("ids.report.csv") == ["unchanged"] * 3
    assert noted == ["event_content_differs" if status == "sent" else None for status in users]
    assert loaded("paid.csv", USERS | {"traits": traits}, "--name", "users") == 0
    assert statuses("users.report.csv") == users


@pytest.mark.parametrize("change", [{"user_id": "no"}, {"event": {"value": "Bought"}}, {"event_id": "at"}])
def test_events_with_an_id_stop_for_another_person_name_or_id(
    api: Sandbox, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of these makes another event of every row."""
    assert loaded("paid.csv", WITH_ID) == 0
    assert loaded("paid.csv", WITH_ID | change) == 2
    assert next(iter(change)) in capsys.readouterr().err
    assert api.stats().events == 3


def test_a_file_that_is_renamed(api: Sandbox) -> None:
    """To another name it is another load; with the old ledger it stops, and with the old name nothing is sent again."""
    assert loaded("paid.csv", EVENTS) == 0
    Path("paid.csv").rename("sales.csv")
    assert loaded("sales.csv", EVENTS, "--ledger", "paid.ledger") == 2
    assert loaded("sales.csv", EVENTS, "--name", "paid") == 0
    assert statuses() == ["unchanged"] * 3
    assert api.stats().events == 3
    assert loaded("sales.csv", EVENTS) == 0
    assert api.stats().events == 6


def test_a_command_in_another_folder_has_another_ledger(
    api: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which the first line says; with `--ledger` it has the same."""
    assert loaded("paid.csv", EVENTS) == 0
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert loaded("../paid.csv", EVENTS, "--ledger", "../paid.ledger") == 0
    assert api.stats().events == 3
    capsys.readouterr()
    assert run(["../paid.csv", "--mapping", "mapping.json"]) == 0
    assert capsys.readouterr().err.startswith("ledger paid.ledger: new\n")
    assert api.stats().events == 6


def test_a_ledger_that_is_moved_copied_or_put_back(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Moved or copied it knows all that it knew; an old copy does not know what came later."""
    table("paid.csv", *ROWS[:1])
    assert loaded("paid.csv", EVENTS) == 0
    shutil.copy("paid.ledger", "backup")
    table("paid.csv", *ROWS)
    assert loaded("paid.csv", EVENTS) == 0
    Path("elsewhere").mkdir()
    Path("paid.ledger").rename("elsewhere/moved.ledger")
    assert loaded("paid.csv", EVENTS, "--ledger", "elsewhere/moved.ledger") == 0
    assert statuses() == ["unchanged"] * 3
    shutil.copy("backup", "paid.ledger")
    capsys.readouterr()
    assert run(["paid.csv", "--mapping", "mapping.json"]) == 0
    assert capsys.readouterr().err.startswith("ledger paid.ledger: 1 row on record\n")
    assert statuses() == ["unchanged", "sent", "sent"]
    shutil.copy("backup", "elsewhere/second.ledger")
    assert loaded("paid.csv", EVENTS, "--ledger", "elsewhere/second.ledger") == 0
    assert statuses() == ["unchanged", "sent", "sent"]


def test_a_report_that_was_deleted(api: Sandbox) -> None:
    """The next load writes it anew, and sends nothing for that."""
    assert loaded("paid.csv", EVENTS) == 0
    Path("paid.report.csv").unlink()
    shutil.rmtree("paid.runs")
    assert loaded("paid.csv", EVENTS) == 0
    assert statuses() == ["unchanged"] * 3
    assert api.stats().events == 3


def test_a_ledger_that_was_deleted(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Events go out a second time, and the first line says why; what is put on record does not."""
    assert loaded("paid.csv", EVENTS) == 0
    Path("paid.ledger").unlink()
    assert run(["baseline", "paid.csv", "--mapping", "mapping.json"]) == 0
    assert loaded("paid.csv", EVENTS) == 0
    assert statuses() == ["unchanged"] * 3
    Path("paid.ledger").unlink()
    capsys.readouterr()
    assert run(["paid.csv", "--mapping", "mapping.json"]) == 0
    assert capsys.readouterr().err.startswith("ledger paid.ledger: new\n")
    assert api.stats().events == 6


def test_a_wrong_key_settles_nothing(api: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is on record it is the API that refuses it: exit 3, and the right key sends all rows."""
    monkeypatch.setenv("INTERAKT_API_KEY", "of-nobody")
    assert loaded("paid.csv", EVENTS) == 3
    assert set(statuses()) <= {"rejected", "unsent"}
    monkeypatch.setenv("INTERAKT_API_KEY", api.api_key)
    assert loaded("paid.csv", EVENTS) == 0
    assert statuses() == ["sent"] * 3
