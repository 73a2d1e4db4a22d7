"""`interakt-loader baseline`, and the question about events of the past, as jobs and people see them."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.cli.terminal import Ended, FarApi, run_in_terminal, run_without_terminal

MAPPED = ["--map", "user_id=id", "--map", "created_at=at", "--event", "Paid", "--rate-limit", "none"]
OLD = "2024-01-31T10:00:00Z"

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in Python")


def orders(folder: Path, rows: int = 2, at: str = OLD, name: str = "orders.csv") -> None:
    lines = [f"C-{number},{at},{number}" for number in range(rows)]
    (folder / name).write_text("\n".join(["id,at,amount", *lines, ""]), encoding="utf-8")


def now(days: float = 0) -> str:
    return (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()


def unattended(api: FarApi, folder: Path, *arguments: str) -> Ended:
    return run_without_terminal(api, folder, *arguments, *MAPPED)


# ---------------------------------------------------------------------- the question


def test_the_first_load_of_old_events_stops_where_nobody_is_asked(api: FarApi, tmp_path: Path) -> None:
    """Exit 2 and one line with both ways; the next one stops likewise, as nothing was noted."""
    orders(tmp_path)
    for _ in range(2):
        ended = unattended(api, tmp_path, "orders.csv")
        assert ended.code == 2
        said = ended.err.splitlines()[-1]
        assert "the first load from this ledger of 'Paid' (2 events, the oldest of 2024-01-31)" in said
        assert "add --yes" in said
        assert "interakt-loader baseline orders.csv" in said
        assert (ended.out, api.sandbox.stats().calls) == ("", 0)
    assert not (tmp_path / "orders.report.csv").exists()


def test_yes_sends_them_all_and_the_next_load_is_not_asked(api: FarApi, tmp_path: Path) -> None:
    """The ledger knows the name then, whatever else comes of it."""
    orders(tmp_path)
    first = unattended(api, tmp_path, "orders.csv", "--yes")
    assert first.code == 0, first
    assert "campaigns that are on may message these people now" in first.err
    orders(tmp_path, rows=3)
    second = unattended(api, tmp_path, "orders.csv")
    assert second.code == 0, second
    assert "campaigns" not in second.err
    assert api.sandbox.stats().events == 3


def test_baseline_records_them_instead(api: FarApi, tmp_path: Path) -> None:
    """Not one call; the next load sends what has come since."""
    orders(tmp_path)
    recorded = unattended(api, tmp_path, "baseline", "orders.csv")
    assert recorded.code == 0, recorded
    assert "  2 recorded\n" in recorded.out
    assert "0 of 2 rows on record; 2 to record, none is sent" in recorded.err
    assert api.sandbox.stats().calls == 0
    orders(tmp_path, rows=3)
    assert unattended(api, tmp_path, "orders.csv").code == 0
    assert api.sandbox.stats().events == 1


@pytest.mark.parametrize(
    ("rows", "days", "asked"), [(1000, 0, False), (1001, 0, True), (1, 6.9, False), (1, 7.1, True)]
)
def test_many_or_old_ones_are_asked_about(api: FarApi, tmp_path: Path, rows: int, days: float, asked: bool) -> None:
    """More than 1,000, or one of more than 7 days ago; with a ledger and without."""
    orders(tmp_path, rows, now(days))
    for ledger in ("none", "own.ledger"):
        ended = unattended(api, tmp_path, "orders.csv", "--ledger", ledger)
        assert ended.code == (2 if asked else 0), ended
        assert ("campaigns" in ended.err) is asked


def test_without_a_ledger_it_is_asked_each_time(api: FarApi, tmp_path: Path) -> None:
    """Nothing is remembered then."""
    orders(tmp_path)
    assert unattended(api, tmp_path, "orders.csv", "--ledger", "none", "--yes").code == 0
    ended = unattended(api, tmp_path, "orders.csv", "--ledger", "none")
    assert ended.code == 2
    assert "a load without a ledger of 'Paid' (2 events, the oldest of 2024-01-31)" in ended.err


@pytest.mark.parametrize("flags", [["--dry-run"], ["--sandbox"], ["--base-url", "local"]])
def test_what_sends_nothing_outside_never_asks(api: FarApi, tmp_path: Path, flags: list[str]) -> None:
    """A dry run, the sandbox, an address of this machine."""
    orders(tmp_path)
    flags = [api.sandbox.url if one == "local" else one for one in flags]
    ended = unattended(api, tmp_path, "orders.csv", *flags)
    assert ended.code == 0, ended
    assert "campaigns" not in ended.err


def test_users_are_never_asked_about(api: FarApi, tmp_path: Path) -> None:
    """However many there are, and however long they have been there."""
    orders(tmp_path, 1500)
    ended = run_without_terminal(api, tmp_path, "orders.csv", *MAPPED[:4], "--rate-limit", "none")
    assert ended.code == 0, ended


@needs_terminal
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2)])
def test_in_a_terminal_it_is_asked(api: FarApi, tmp_path: Path, answer: str, code: int) -> None:
    """With what is special about these events, the first call and their number; no is exit 2, and the way to record."""
    orders(tmp_path)
    ended = run_in_terminal(api, tmp_path, ["orders.csv", *MAPPED, "--quiet"], answer)
    assert ended.code == code, ended
    assert "campaigns that are on may message these people now" in ended.err.replace("\n", " ").replace("    ", "")
    assert '"userId": "C-0"' in ended.err
    assert f"Send 2 calls to {api.url.removeprefix('https://')}? [y/N]" in ended.err
    assert api.sandbox.stats().events == (2 if code == 0 else 0)
    if code:
        assert "interakt-loader baseline orders.csv" in ended.err


@needs_terminal
def test_one_question_for_the_mapping_and_the_events(api: FarApi, tmp_path: Path) -> None:
    """Both are shown, and one answer confirms both."""
    lines = ["customer_id,event,created_at", *(f"C-{number},Paid,{OLD}" for number in range(3)), ""]
    (tmp_path / "paid.csv").write_text("\n".join(lines), encoding="utf-8")
    ended = run_in_terminal(api, tmp_path, ["paid.csv", "--as", "events", "--rate-limit", "none"], "y\n")
    assert ended.code == 0, ended
    assert ended.err.count("[y/N]") == 1
    assert "user_id: customer_id" in ended.err
    assert "the first load from this ledger of 'Paid'" in ended.err
    assert (tmp_path / "paid.mapping.yaml").exists()
    assert api.sandbox.stats().events == 3


# ---------------------------------------------------------------------- the command


def test_baseline_takes_the_flags_of_a_load(api: FarApi, tmp_path: Path) -> None:
    """JSON, a ledger and a report of one's own, a limit; what matters for sending alone is let be."""
    orders(tmp_path, 5)
    ended = unattended(api, tmp_path, "baseline", "orders.csv", "--limit", "3", "--ledger", "own.ledger",
                       "--report", "own.jsonl", "--output", "json", "--workers", "2", "--yes", "-q")  # fmt: skip
    assert ended.code == 0, ended
    result = json.loads(ended.out)
    assert (result["status"]["recorded"], result["attempts"], result["ledger"]) == (3, 0, "own.ledger")
    assert len((tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    assert unattended(api, tmp_path, "baseline", "orders.csv", "--ledger", "own.ledger").code == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--ledger", "none"], "give --ledger PATH"),
        (["--dry-run"], "sends nothing anyway"),
        (["--resend"], "expected one of the two"),
        (["--sandbox"], "there is nothing to put on record"),
    ],
)
def test_baseline_refuses_what_has_no_meaning(api: FarApi, tmp_path: Path, flags: list[str], said: str) -> None:
    """One line, exit 2."""
    orders(tmp_path)
    ended = unattended(api, tmp_path, "baseline", "orders.csv", *flags)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert said in ended.err


def test_baseline_asks_nothing(api: FarApi, tmp_path: Path) -> None:
    """A complete proposal is taken as it is; open questions stop it."""
    (tmp_path / "people.csv").write_text("customer_id,city\nC-1,Pune\n", encoding="utf-8")
    ended = run_without_terminal(api, tmp_path, "baseline", "people.csv")
    assert ended.code == 0, ended
    assert "user_id: customer_id" in ended.err
    (tmp_path / "orders.csv").write_text("user_id,order_date\n7,2024-01-31\n7,2024-02-01\n", encoding="utf-8")
    ended = run_without_terminal(api, tmp_path, "baseline", "orders.csv")
    assert ended.code == 2
    assert "open" in ended.err
    assert list(tmp_path.glob("*.mapping.yaml")) == []


def test_a_changed_mapping_is_one_line_and_exit_2(api: FarApi, tmp_path: Path) -> None:
    """Flags before, a file after: what counts is what they say."""
    orders(tmp_path, at=now())
    assert unattended(api, tmp_path, "orders.csv").code == 0
    mapping = "user_id: id\nevent: {value: Paid}\ncreated_at: at\ntraits: [amount]\n"
    (tmp_path / "m.yaml").write_text(mapping, encoding="utf-8")
    same = run_without_terminal(api, tmp_path, "orders.csv", "--mapping", "m.yaml")
    assert (same.code, "  2 unchanged\n" in same.out) == (0, True), same
    (tmp_path / "m.yaml").write_text(mapping.replace("[amount]", "[]"), encoding="utf-8")
    other = run_without_terminal(api, tmp_path, "orders.csv", "--mapping", "m.yaml")
    assert (other.code, other.err.count("\n"), api.sandbox.stats().events) == (2, 1, 2)
    assert "(trait amount: amount → none)" in other.err


def test_a_new_source_is_one_line_and_exit_2(api: FarApi, tmp_path: Path) -> None:
    """A file of the same name in another folder would share the ledger: `--name` accepts it."""
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        orders(tmp_path / folder, at=now())
    assert unattended(api, tmp_path, "north/orders.csv").code == 0
    ended = unattended(api, tmp_path, "south/orders.csv")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "--name orders" in ended.err
    assert unattended(api, tmp_path, "south/orders.csv", "--name", "orders").code == 0
