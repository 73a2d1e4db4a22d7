"""Whole projects, run against a sandbox."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import interakt_loader
from interakt_loader import LoadInterrupted, RowsFailed
from interakt_loader.cli import run as command
from interakt_loader.errors import KeyRefused, MappingError, ProjectError, SettingsError
from interakt_loader.project import ProjectResult
from interakt_loader.project.result import LoadEnd
from interakt_loader.project.run import why_not
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox, SandboxProcess
from tests.project.conftest import Example
from tests.result.pages import Page

HOME = str(Path(__file__).resolve().parents[2])
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def test_the_loads_run_in_order_and_lie_beside_the_file(example: Example, sandbox: Sandbox) -> None:
    """Paths are relative to the project's file, and everything is called by the key of the load."""
    result = interakt_loader.run(example.write())
    assert ([*result], result.exit_code, result.ok) == (["customers", "orders"], 0, True)
    assert {user.user_id for user in sandbox.users()} == {event.user_id for event in sandbox.events()} == {"C1", "C2"}
    times = [result[name].to_arrow()["finished_at"].to_pylist() for name in ("customers", "orders")]
    assert max(times[0]) < min(times[1])
    made = {path.name for path in example.folder.iterdir()}
    assert made >= {f"{name}.{kind}" for name in ("customers", "orders") for kind in ("report.csv", "ledger", "runs")}
    assert [*Path.cwd().iterdir()] == []
    (record,) = (example.folder / "orders.runs").glob("*.json")
    assert json.loads(record.read_text(encoding="utf-8"))["name"] == "orders"


def test_a_second_night_sends_only_what_is_new(example: Example, sandbox: Sandbox) -> None:
    """The source has another date in its name; the ledger is that of the load's key."""
    path = example.write()
    interakt_loader.run(path)
    (example.folder / "exports" / "customers-2026-11-28.csv").unlink()
    example.put("exports/customers-2026-11-29.csv", "customer_id,name\nC1,Asha\nC2,Bob\nC3,Chitra\n")
    result = interakt_loader.run(path)
    assert (result["customers"].sent, result["customers"].unchanged) == (1, 2)
    assert result["orders"].unchanged == 2
    assert len(sandbox.users()) == 3


def test_a_relative_path_means_the_same_from_each_folder(
    example: Example, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started beside the file, the project continues what was started from elsewhere."""
    interakt_loader.run(example.write())
    monkeypatch.chdir(example.folder)
    assert interakt_loader.run("project.yaml")["orders"].unchanged == 2


@pytest.mark.parametrize("form", ["toml", "json"])
def test_other_forms_are_read_too(example: Example, sandbox: Sandbox, form: str) -> None:
    """A project may be TOML or JSON."""
    if form == "json":
        path = example.put("project.json", json.dumps(example.written))
    else:
        text = f'[account]\nkey = {{env = "SHOP_KEY"}}\nbase_url = "{sandbox.url}"\n'
        text += '[loads.customers]\nsource = "exports/customers-*.csv"\nmapping = "customers.yaml"\n'
        path = example.put("project.toml", text)
    assert interakt_loader.run(path)["customers"].sent == 2


def test_defaults_and_the_load_override_the_account(example: Example) -> None:
    """An option of the load counts before one of the defaults, and that before one of the account."""
    example.written["account"]["timeout"] = 7
    example.written["defaults"] = {"timeout": 8, "timezone": "Asia/Kolkata"}
    example.loads["orders"]["timeout"] = 9
    result = interakt_loader.run(example.write())
    assert [one.options["timeout"] for one in result.values()] == [8, 9]
    assert [one.options["timezone"] for one in result.values()] == ["Asia/Kolkata"] * 2


def test_the_loads_keep_one_rate_limit(example: Example) -> None:
    """The second load does not begin with a burst of its own."""
    example.put("ids.csv", "id\n" + "".join(f"{number}\n" for number in range(5)))
    example.written["account"]["rate_limit"] = "10/s"
    load = {"source": "ids.csv", "mapping": {"user_id": "id"}, "ledger": "none"}
    example.written["loads"] = {"first": load, "second": load}
    results = interakt_loader.run(example.write())
    times = [time for one in results.values() for time in one.to_arrow()["finished_at"].to_pylist()]
    assert (max(times) - min(times)).total_seconds() > 0.8


def test_only_the_named_loads_run(example: Example, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """In the file's order; a load that is not run is no obstacle."""
    example.loads["again"] = example.loads["customers"] | {"report": "none"}
    path = example.write()
    assert command(["run", path, "orders", "-q"]) == 0
    assert [*interakt_loader.run(path, ["again", "customers"])] == ["customers", "again"]
    assert (len(sandbox.events()), len(sandbox.users())) == (2, 2)
    capsys.readouterr()
    assert command(["run", path, "order"]) == 2
    assert "loads: there is no load 'order'; did you mean 'orders'?" in capsys.readouterr().err


def test_the_exit_code_is_the_worst_one(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad row is 1, and loads after it start all the same."""
    example.put("exports/customers-2.csv", "customer_id,name\n,Nobody\n")
    path = example.write()
    assert command(["run", path, "-q"]) == 1
    out = capsys.readouterr().out
    assert "customers: 3 rows; 2 sent, 1 invalid; 2 calls in " in out
    assert "  1 invalid identity_missing: row 0 (line 2)\n" in out
    assert "orders: 2 rows; 2 sent; 2 calls in " in out
    result = interakt_loader.run(path)
    with pytest.raises(RowsFailed):
        result.raise_for_failures()


def test_what_is_after_a_stopped_load_does_not_start(
    example: Example, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reason is in the summary and in the JSON object; a load that is after nothing starts."""
    example.loads["items"] = example.loads["orders"] | {"after": "orders"}
    example.loads["others"] = example.loads["customers"]
    sandbox.force(["401"])
    assert command(["run", example.write(), "--output", "json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["exit"] == 3
    assert {name: one["exit"] for name, one in said["loads"].items()} == {
        "customers": 3,
        "orders": None,
        "items": None,
        "others": 0,
    }
    assert said["loads"]["orders"]["not_started"] == "it is after customers, which ended with exit code 3"
    assert said["loads"]["items"]["not_started"] == "it is after orders, which was not started"
    assert sandbox.events() == []


def test_a_load_that_cannot_begin_leaves_the_others(
    example: Example, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that another load uses is exit code 2 of its load alone."""
    example.loads["others"] = {"source": "orders.csv", "mapping": {"user_id": "customer_id"}}
    example.put("customers.ledger", "this is no ledger")
    assert command(["run", example.write(), "-q"]) == 2
    out = capsys.readouterr().out
    assert "customers: not loaded: " in out
    assert "orders: not started: it is after customers, which ended with exit code 2" in out
    assert "others: 2 rows; 2 sent" in out
    result = interakt_loader.run(example.write())
    assert ([*result.errors], [*result.not_started], result.ok) == (["customers"], ["orders"], False)
    with pytest.raises(SettingsError):
        result.raise_for_failures()


def test_a_dry_run_sends_nothing_and_needs_no_key(
    example: Example, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It leaves the files of the loads alone, and writes one check for each load."""
    monkeypatch.delenv("SHOP_KEY")
    example.loads["orders"]["report"] = "out.csv"
    assert command(["run", example.write(), "--dry-run"]) == 0
    assert sandbox.stats().calls == 0
    out = capsys.readouterr().out
    assert "customers: 2 rows; 2 would be sent; exit 0" in out
    assert "  to do: 2 rows; 2 calls" in out
    names = {path.name for path in example.folder.iterdir()}
    assert {"customers.check.csv", "orders.check.csv"} <= names
    assert not any(name.endswith((".ledger", ".runs", ".report.csv")) or name == "out.csv" for name in names)


def test_one_sandbox_for_all(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--sandbox` needs no key, and keeps no ledger."""
    monkeypatch.delenv("SHOP_KEY")
    assert command(["run", example.write(), "--sandbox", "-q"]) == 0
    assert [*example.folder.glob("*.ledger")] == []
    assert read_report(example.folder / "orders.report.csv")["status"].to_pylist() == ["sent"] * 2


def test_the_key_in_a_file(example: Example, sandbox: Sandbox) -> None:
    """Its path is relative to the project, too."""
    key = example.put("shop.key", sandbox.api_key)
    key.chmod(0o600)
    example.written["account"]["key"] = {"file": "shop.key"}
    assert interakt_loader.run(example.write()).ok


def test_a_source_and_a_query(example: Example, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address may be in an environment variable; a database's file and a query's file are beside the project."""
    import sqlite3

    with sqlite3.connect(example.folder / "shop.db") as database:
        database.execute(
            "CREATE TABLE orders AS SELECT 'C7' AS customer_id, '2026-11-28' AS ordered_at, 'B1' AS order_no"
        )
    database.close()
    example.put("orders.sql", "SELECT * FROM orders ORDER BY order_no")
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{example.folder.as_posix()}/shop.db")
    example.loads["orders"] |= {"source": {"env": "SHOP_URL"}, "query": "orders.sql"}
    example.loads["more"] = example.loads["orders"] | {"source": "sqlite:///shop.db", "query": "SELECT * FROM orders"}
    assert interakt_loader.run(example.write()).ok
    assert [event.user_id for event in sandbox.events()] == ["C7", "C7"]


def test_one_page_about_all_loads(example: Example) -> None:
    """It has a line about each load and the sections of each, and no number twice."""
    example.put("exports/customers-2.csv", "customer_id,name\n,Nobody\n")
    result = interakt_loader.run(example.write(), html="all.html")
    page = Page(Path("all.html"))
    assert "project: 2 loads" in page.text
    assert ["customers", "3 rows", "2 sent, 1 invalid"] in [row[:3] for row in page.rows]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert ids == {"found-1", "rows-1", "search-1", "reason-1-0"}
    assert [one for one in page.texts if one in ("customers: 3 rows as users", "orders: 2 rows as events")] != []
    assert "customers: 3 rows" in repr(result)
    assert "<summary>orders</summary>" in result._repr_html_()


def test_nothing_secret_is_shown(example: Example, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the key nor a phone is in what is printed, logged or on the page."""
    example.put("exports/customers-2.csv", "customer_id,name,phone\nC9,Asha,9876543210\n,Bob,9876543211\n")
    example.loads["customers"]["mapping"] = {"user_id": "customer_id", "phone": "phone"}
    (example.folder / "exports" / "customers-2026-11-28.csv").unlink()
    assert command(["run", example.write(), "--html", "all.html", "--output", "json"]) == 0
    shown = "".join(capsys.readouterr()) + Path("all.html").read_text(encoding="utf-8")
    assert not [one for one in (sandbox.api_key, "9876543210") if one in shown]


@POSIX
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_second_load_and_starts_no_third(
    example: Example, sandbox_process: SandboxProcess, signum: int, code: int
) -> None:
    """Its report is whole, and the same command continues from there."""
    rows = "".join(f"C{number},2026-11-28,A{number}\n" for number in range(300))
    example.put("orders.csv", "customer_id,ordered_at,order_no\n" + rows)
    example.written["account"]["base_url"] = sandbox_process.url
    example.loads["orders"]["rate_limit"] = "5/s"
    example.loads["items"] = {"source": "orders.csv", "mapping": {"user_id": "customer_id"}}
    environment = os.environ | {"PYTHONPATH": HOME, "SHOP_KEY": sandbox_process.api_key}
    process = subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", "run", example.write(), "--output", "json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    while not process.stderr.readline().startswith("orders: 0 of 300 rows"):
        assert process.poll() is None
    process.send_signal(signum)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    said = json.loads(out)
    assert [(name, one["exit"]) for name, one in said["loads"].items()] == [
        ("customers", 0),
        ("orders", code),
        ("items", None),
    ]
    assert said["loads"]["items"]["not_started"] == "orders was interrupted"
    assert said["loads"]["orders"]["status"]["unsent"] > 200
    assert read_report(example.folder / "orders.report.csv").num_rows == 300


class _Interrupting(logging.Handler):
    """Sends a signal to this process once a load has planned 300 rows."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("0 of 300 rows"):
            signal.raise_signal(signal.SIGTERM)


def test_python_raises_after_an_interrupt(example: Example, caplog: pytest.LogCaptureFixture) -> None:
    """`LoadInterrupted` holds the results so far."""
    rows = "".join(f"C{number},2026-11-28,A{number}\n" for number in range(300))
    example.put("orders.csv", "customer_id,ordered_at,order_no\n" + rows)
    example.loads["orders"]["rate_limit"] = "5/s"
    example.loads["items"] = {"source": "orders.csv", "mapping": {"user_id": "customer_id"}}
    logger, handler = logging.getLogger("interakt_loader"), _Interrupting()
    logger.addHandler(handler)
    try:
        with caplog.at_level("INFO", "interakt_loader"), pytest.raises(LoadInterrupted) as raised:
            interakt_loader.run(example.write())
    finally:
        logger.removeHandler(handler)
    result = raised.value.result
    assert (raised.value.exit_code, [*result], [*result.not_started]) == (143, ["customers", "orders"], ["items"])
    assert "interrupted by SIGTERM: <ProjectResult: customers: 2 rows; 2 sent; 2 calls in " in str(raised.value)


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ([], None),
        ([LoadEnd("b", exit_code=2, error=MappingError("wrong"))], None),
        ([LoadEnd("a", exit_code=2, error=MappingError("wrong"))], "it is after a, which ended with exit code 2"),
        ([LoadEnd("a", exit_code=1, error=OSError("gone"))], "it is after a, which ended with exit code 1"),
        ([LoadEnd("a", reason="…")], "it is after a, which was not started"),
        ([LoadEnd("b", exit_code=130)], "b was interrupted"),
    ],
)
def test_when_a_load_is_not_started(ends: list[LoadEnd], reason: str | None) -> None:
    assert why_not(["a"], ends) == reason


def test_the_worst_error_is_raised() -> None:
    """The exit code is that of the worst load, and so is the error."""
    ends = [LoadEnd("a", exit_code=2, error=MappingError("a")), LoadEnd("b", exit_code=3, error=KeyRefused("b"))]
    result = ProjectResult("shop", ends)
    assert result.exit_code == 3
    with pytest.raises(KeyRefused):
        result.raise_for_failures()
    assert ProjectResult("shop", [LoadEnd("a", exit_code=130)]).exit_code == 130


def test_a_file_with_mistakes_raises(example: Example, sandbox: Sandbox) -> None:
    """Nothing is sent, and the error has each mistake."""
    mistakes: dict[str, Any] = {"customers": {"source": "nothing.csv"}, "orders": {"mapping": {"user_id": "customer"}}}
    for name, wrong in mistakes.items():
        example.loads[name] |= wrong
    with pytest.raises(ProjectError) as raised:
        interakt_loader.run(example.write())
    assert [one.split(":")[0] for one in raised.value.mistakes] == ["loads.customers.source", "loads.orders.mapping"]
    assert sandbox.stats().calls == 0


def test_a_project_says_how_far_it_is_and_why_rows_failed(example: Example) -> None:
    """Without a terminal: a line every so often on standard error, and reasons in the JSON of each load."""
    example.put("exports/customers-2.csv", "customer_id,name\n,Nobody\n")
    environment = os.environ | {"INTERAKT_PROGRESS_EVERY": "0.05", "PYTHONPATH": HOME}
    example.written["account"]["rate_limit"] = "2/s"
    arguments = [sys.executable, "-m", "interakt_loader", "run", example.write(), "--output", "json"]
    ended = subprocess.run(arguments, env=environment, capture_output=True, encoding="utf-8", check=False)
    facts = json.loads(ended.stdout)
    (reason,) = facts["loads"]["customers"]["reasons"]
    assert (reason["code"], reason["rows"], facts["loads"]["orders"]["reasons"]) == ("identity_missing", 1, [])
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d .* of 2 rows, 0 failed", ended.stderr, re.MULTILINE)


def test_mistakes_are_json_too(example: Example) -> None:
    """With exit 2, a line for each on standard error, and also if the form is set in the environment."""
    example.written["loads"]["orders"]["after"] = "nobody"
    arguments = [sys.executable, "-m", "interakt_loader", "run", example.write()]
    environment = os.environ | {"PYTHONPATH": HOME, "INTERAKT_OUTPUT": "json"}
    ended = subprocess.run(arguments, env=environment, capture_output=True, encoding="utf-8", check=False)
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["exit"], "nobody" in said["error"]) == (2, 2, True)
