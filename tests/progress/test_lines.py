"""How far a load is, a line a minute, where nobody watches."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import MappingDict, UsageError, load_users
from interakt_loader import load as loading
from interakt_loader.bars import State
from interakt_loader.cli import run
from interakt_loader.load.job import Observer
from interakt_loader.progress import EVERY, VARIABLE, seconds_between_lines
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings
from interakt_loader.sources import Source, open_source
from tests.account.reading import START, fill

FRAME = pd.DataFrame({"id": ["1", "2"]})
USERS: MappingDict = {"user_id": "id"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State(1000, done=2_000_000), "2,000,000 rows prepared"),
        (State(900, began=0, done=300, note="9 failed"), "300 of 900 rows, 9 failed, 300 a minute, about 2 min to go"),
        (State(1000, began=0, done=1000, note="0 failed"), "1,000 of 1,000 rows, 0 failed, 1,000 a minute"),
        (State(None, began=0, done=60, note="0 failed"), "60 rows, 0 failed, 60 a minute"),
        (
            State(9000, began=0, done=8300, calls=300, all_calls=900, note="9 failed"),
            "8,300 of 9,000 rows, 9 failed, 300 calls a minute, about 2 min to go",
        ),
        (
            State(9000, began=0, done=8000, all_calls=900, note="0 failed"),
            "8,000 of 9,000 rows, 0 failed, 0 calls a minute",
        ),
        (State(900, began=0, done=900, all_calls=0, note="0 failed"), "900 of 900 rows, 0 failed, 0 calls a minute"),
        (State(500, "contact", began=0, done=100), "100 of 500 contacts, 100 a minute, about 4 min to go"),
        (
            State(1000, began=0, note="0 failed", waits_for="over the call limit: waiting"),
            "0 of 1,000 rows, 0 failed, 0 a minute; over the call limit: waiting",
        ),
    ],
)  # fmt: skip
def test_a_line(state: State, expected: str) -> None:
    """What is done, the failures, the pace and the time to go, as far as they are known."""
    assert state.line("a.csv", 60.0) == f"a.csv: {expected}"


@pytest.mark.parametrize(("text", "seconds"), [("", EVERY), ("10", 10), ("0.5", 0.5)])
def test_how_often(text: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a minute, or as a variable says."""
    monkeypatch.setenv(VARIABLE, text)
    assert (EVERY, seconds_between_lines()) == (60, seconds)


@pytest.mark.parametrize("text", ["0", "-1", "often", "nan"])
def test_a_variable_that_makes_no_sense_is_bad_usage(
    text: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=VARIABLE):
        load_users(FRAME, USERS, api_key=sandbox.api_key, base_url=sandbox.url)
    assert sandbox.stats().calls == 0


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a line come many times a second."""
    monkeypatch.setenv(VARIABLE, "0.02")


class Watched(Observer):
    """Keeps the lines of a load; `seen` is set when one of them has the text that is waited for."""

    def __init__(self, text: str = "") -> None:
        self.lines: list[str] = []
        self.threads: set[str] = set()
        self.seen = threading.Event()
        self._text = text

    def reported(self, line: str) -> None:
        self.lines.append(line)
        self.threads.add(threading.current_thread().name)
        if self._text in line:
            self.seen.set()


def load(sandbox: Sandbox, watched: Watched, wait: Callable[[], object] = lambda: None, **options: Any) -> None:
    """Load two rows. Before the second one is read, `wait`."""

    def read() -> Generator[pa.RecordBatch, None, None]:
        rows = pa.RecordBatch.from_pandas(FRAME)
        yield rows.slice(0, 1)
        wait()
        yield rows.slice(1)

    settings = Settings.resolve({"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False} | options)
    loading.load(Source("a.csv", ["id"], 2, True, read), USERS, "user", settings, observer=watched)


@pytest.mark.parametrize("ledger", ["a.ledger", None])
def test_a_line_comes_while_nothing_happens(sandbox: Sandbox, often: None, tmp_path: Path, ledger: str | None) -> None:
    """While a load is planned, and while it sends: although the source has no further row. Then the thread ends."""
    watched = Watched("a.csv: 1 row prepared" if ledger else "a.csv: 0 of 2 rows, 0 a minute")
    load(sandbox, watched, lambda: watched.seen.wait(30), ledger=ledger and tmp_path / ledger)
    assert watched.seen.is_set()
    assert watched.threads == {"interakt-progress"}
    assert "interakt-progress" not in {one.name for one in threading.enumerate()}


def test_a_line_comes_while_calls_wait(often: None) -> None:
    """It says what for."""
    watched = Watched()
    with Sandbox(SandboxOptions(limit_per_minute=1, window=1.0)) as sandbox:
        load(sandbox, watched, workers=1)
    assert [line for line in watched.lines if line.endswith("; over the call limit: waiting")]


def test_rows_without_a_call_do_not_shorten_the_time_left(often: None, tmp_path: Path) -> None:
    """An export that has grown by 12 rows: 3,000 rows are on record, and 12 calls take a second and more."""
    frame = pd.DataFrame({"id": [str(number) for number in range(3012)]})
    watched = Watched()
    with Sandbox() as sandbox:
        where: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False}
        where |= {"ledger": tmp_path / "a.ledger", "report": tmp_path / "a.csv"}
        load_users(frame[:3000], USERS, **where)
        settings = Settings.resolve(where | {"rate_limit": "10/s"})
        loading.load(open_source(frame), USERS, "user", settings, observer=watched)
    sending = [line for line in watched.lines if " of 3,012 rows" in line]
    assert any(": 3,0" in line for line in sending)
    assert all(re.search(r", [\d,]+ calls a minute(, about \d+ s to go)?$", line) for line in sending), sending


def test_a_load_without_a_bar_logs_them(sandbox: Sandbox, often: None, caplog: pytest.LogCaptureFixture) -> None:
    """At level INFO, so that a script says nothing and Airflow's log does."""
    caplog.set_level(logging.INFO, "interakt_loader")
    watched = Watched()
    load(sandbox, watched, lambda: watched.seen.wait(30))
    levels = {one.levelno for one in caplog.records if one.getMessage() in watched.lines}
    assert levels == {logging.INFO}


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, often: None) -> Iterator[Sandbox]:
    """A sandbox in place of the API, whose answers take a while, with an account to read."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(SandboxOptions(latency=0.2)) as sandbox:
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
        sandbox.set_clock(START)
        fill(sandbox, 300)
        Path("a.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(10)))
        yield sandbox


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            ["a.csv", "--map", "user_id=id", "--workers", "1"],
            r"a\.csv: \d of 10 rows, 0 failed, [\d,]+ calls a minute, .*",
        ),
        (["verify", "a.csv", "--map", "user_id=id"], r"a\.csv: \d.*"),
        (["pull", "out.csv", "--workers", "1"], r"out\.csv: \d+ of 300 contacts, [\d,]+ a minute.*"),
    ],
    ids=["load", "verify", "pull"],
)
def test_the_command_line_shows_them(
    far: Sandbox, command: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with the local time, where it is no terminal; not with --quiet."""
    run(command)
    out, err = capsys.readouterr()
    assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d {expected}$", err, re.MULTILINE)
    assert "a minute" not in out
    run([*command, "--quiet"])
    assert capsys.readouterr().err == ""
