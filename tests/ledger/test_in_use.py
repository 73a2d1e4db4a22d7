"""A ledger while a load has it: who else may use it, and what if it is taken away."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import LoadResult, MappingDict, check, load_events
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.ledger.store import Store
from interakt_loader.privacy.files import FileLock
from interakt_loader.sandbox import Sandbox

EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "created_at": "at", "traits": ["page"]}
ROWS = 600
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody delete or rename a file that is open")


def visits(count: int = ROWS) -> pd.DataFrame:
    at = pd.date_range("2024-01-01", periods=count, freq="min", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"user": [f"u{n}" for n in range(count)], "at": at, "page": range(count)})


def to(sandbox: Sandbox, ledger: Path, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None, "ledger": ledger, **options}


def load_and_meanwhile(sandbox: Sandbox, ledger: Path, act: Callable[[], object]) -> LoadResult:
    """Load events; `act` once, after row 100 of them, while the load is under way."""
    acted: list[bool] = []

    def meanwhile(error: Exception, queue_msg: dict[str, Any]) -> None:
        act()
        acted.append(True)

    sandbox.force_for("u100", ["400"])
    result = load_events(visits(), EVENTS, **to(sandbox, ledger, max_queue_size=20, workers=2, on_error=meanwhile))
    assert acted == [True]
    return result


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return what is in a folder, with each file's time of change."""
    found = {}
    for path in folder.iterdir():
        found[path.name] = (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ------------------------------------------------------------------ the lock


OPEN = "import sys; from pathlib import Path; from interakt_loader.ledger.store import Store; Store(Path(sys.argv[1]))"


def is_refused_to_others(path: Path) -> bool:
    """Tell whether neither another process nor another thread can have the ledger."""
    done = subprocess.run([sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=False)
    said: list[str] = []

    def try_it() -> None:
        try:
            Store(path)
        except NotJustNow as error:
            said.append(str(error))

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return "is in use by another load" in done.stderr and "is in use by another load" in " ".join(said)


def test_the_lock_holds_though_the_process_opens_and_closes_the_file(tmp_path: Path, sandbox: Sandbox) -> None:
    """A backup that runs in the same process takes SQLite's own locks away, and a refused load does so too."""
    ledger = tmp_path / "own.ledger"
    refused: list[bool] = []

    def back_up() -> None:
        for one in tmp_path.iterdir():
            one.read_bytes()
        refused.extend(is_refused_to_others(ledger) for _ in range(2))

    result = load_and_meanwhile(sandbox, ledger, back_up)
    assert refused == [True, True]
    assert (result.sent, sandbox.stats().events) == (ROWS - 1, ROWS - 1)
    Store(ledger).close()


@POSIX
@pytest.mark.parametrize("link", ["symlink", "hard link", "symlink of the folder", "another spelling"])
def test_the_lock_holds_through_links(tmp_path: Path, link: str) -> None:
    """Whatever name the ledger has, it is one ledger."""
    (tmp_path / "real").mkdir()
    ledger, other = tmp_path / "real" / "own.ledger", tmp_path / "other.ledger"
    Store(ledger).close()
    if link == "symlink":
        other.symlink_to(ledger)
    elif link == "hard link":
        other.hardlink_to(ledger)
    elif link == "symlink of the folder":
        (tmp_path / "folder").symlink_to(tmp_path / "real")
        other = tmp_path / "folder" / "own.ledger"
    else:
        other = tmp_path / "real" / ".." / "real" / "own.ledger"
    store = Store(other)
    assert is_refused_to_others(ledger)
    store.close()
    store = Store(ledger)
    assert is_refused_to_others(other)
    store.close()


@POSIX
def test_all_that_lies_beside_a_ledger_follows_its_real_path(tmp_path: Path, sandbox: Sandbox) -> None:
    """A symlink, also one to a ledger that is not there yet: the files of the load are where the ledger is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.ledger").symlink_to(tmp_path / "real" / "own.ledger")
    seen: list[set[str]] = []
    load_and_meanwhile(sandbox, tmp_path / "link.ledger", lambda: seen.append(names(tmp_path / "real")))
    assert seen[0] >= {"own.ledger", "own.ledger-wal", "own.ledger-calls"}
    assert names(tmp_path) == {"link.ledger", "real"}
    assert names(tmp_path / "real") == {"own.ledger"}
    again = load_events(visits(), EVENTS, **to(sandbox, tmp_path / "real" / "own.ledger"))
    assert (again.unchanged, again.sent) == (ROWS - 1, 1)


@POSIX
def test_a_lock_of_a_killed_load_does_not_block(tmp_path: Path) -> None:
    """The system frees it with the process."""
    path = tmp_path / "own.ledger"
    code = f"{OPEN}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert (tmp_path / "own.ledger-calls").exists()
    Store(path).close()
    assert names(tmp_path) == {"own.ledger"}


# ------------------------------------------------------------------ dry runs


def test_of_loads_that_begin_at_once_one_makes_the_ledger(tmp_path: Path) -> None:
    """Nobody takes it for a damaged one, or removes what the other has made of it."""
    calls = tmp_path / "new.ledger-calls"
    making = FileLock(calls)
    calls.write_bytes(b"of the other")
    with pytest.raises(NotJustNow, match="is in use by another load"):
        Store(tmp_path / "new.ledger")
    assert calls.read_bytes() == b"of the other"
    making.close()
    for number in range(50):
        begin = threading.Barrier(4)
        ends: list[bool] = []

        def run(path: Path = tmp_path / str(number), begin: Any = begin, ends: list[bool] = ends) -> None:
            begin.wait()
            try:
                store = Store(path)
            except NotJustNow:
                return
            ends.append(store.is_in_place())
            store.close()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for action in (threading.Thread.start, threading.Thread.join):
            for thread in threads:
                action(thread)
        assert ends
        assert all(ends)
        Store(tmp_path / str(number)).close()


def test_a_dry_run_beside_a_running_load_reads_its_ledger_and_changes_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    """It counts what has been recorded so far. No file of the load changes, not even its time; that of the calls, to
    which the load itself writes meanwhile, is the same file."""
    ledger, seen = tmp_path / "own.ledger", []

    def state() -> dict[str, Any]:
        found: dict[str, Any] = {**state_of(tmp_path)}
        return found | {"own.ledger-calls": found["own.ledger-calls"][1]}

    def look() -> None:
        before = state()
        seen.append(check(visits(), EVENTS, **to(sandbox, ledger)))
        assert state() == before
        assert is_refused_to_others(ledger)

    result = load_and_meanwhile(sandbox, ledger, look)
    assert 100 <= seen[0].unchanged < 200
    assert seen[0].unchanged + seen[0].unsent == ROWS
    assert seen[0].ledger == ledger
    assert (result.sent, result.rejected) == (ROWS - 1, 1)
    assert names(tmp_path) == {"own.ledger"}


@pytest.mark.parametrize("killed", [True, False])
def test_a_dry_run_changes_no_file_of_a_ledger_at_rest(tmp_path: Path, sandbox: Sandbox, killed: bool) -> None:
    """Nor does it take in what a killed load has left; it counts that all the same."""
    ledger, folder = tmp_path / "own.ledger", tmp_path / "left"
    load_and_meanwhile(sandbox, ledger, lambda: shutil.copytree(tmp_path, folder))
    if not killed:
        folder = tmp_path
        shutil.rmtree(tmp_path / "left")
    before = state_of(folder)
    assert len(before) == (3 if killed else 1)
    results = [check(visits(), EVENTS, **to(sandbox, folder / "own.ledger")) for _ in range(2)]
    assert state_of(folder) == before
    assert results[0].unchanged == results[1].unchanged
    assert 100 <= results[0].unchanged < (200 if killed else ROWS)


def test_a_dry_run_is_refused_where_the_load_is(tmp_path: Path, sandbox: Sandbox) -> None:
    """What is no file is no ledger that knows nothing."""
    for run in (check, load_events):
        with pytest.raises(SettingsError, match="is no file"):
            run(visits(3), EVENTS, **to(sandbox, tmp_path))
    assert not names(tmp_path)


def test_a_dry_run_without_a_key_says_that_it_has_not_read_the_ledger(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, if there is a ledger; with the key, or where none is there, nothing is said. None is made."""
    ledger = tmp_path / "own.ledger"
    check(visits(), EVENTS, ledger=ledger)
    assert not ledger.exists()
    load_events(visits(3), EVENTS, **to(sandbox, ledger))
    check(visits(), EVENTS, **to(sandbox, ledger))
    assert "was not read" not in caplog.text
    assert check(visits(), EVENTS, ledger=ledger).unsent == ROWS
    assert [one.message for one in caplog.records] == [
        f"ledger {ledger}: was not read, as that takes the API key: rows that were sent before count as new"
    ]


def test_a_copy_of_a_ledger_that_is_in_use_is_a_ledger(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup of the one file, taken while a load runs, is as the ledger was when the load began, and says so once.

    With the files beside it, it is as the ledger was at that moment.
    """
    ledger, backup, whole = tmp_path / "own.ledger", tmp_path / "backup.ledger", tmp_path / "whole"
    load_events(visits(50), EVENTS, **to(sandbox, ledger))
    shutil.copyfile(ledger, tmp_path / "rest.ledger")

    def copy() -> None:
        shutil.copyfile(ledger, backup)
        whole.mkdir()
        for path in tmp_path.glob("own.ledger*"):
            shutil.copy(path, whole)

    load_and_meanwhile(sandbox, ledger, copy)
    for other in (ledger, tmp_path / "rest.ledger", whole / "own.ledger"):
        assert check(visits(), EVENTS, **to(sandbox, other)).unchanged >= 50
        load_events(visits(2), EVENTS, **to(sandbox, other))
    assert "while a load was using it" not in caplog.text
    assert check(visits(), EVENTS, **to(sandbox, backup)).unchanged == 50
    assert load_events(visits(60), EVENTS, **to(sandbox, backup)).unchanged == 50
    assert caplog.text.count(f"ledger {backup}: was copied or moved while a load was using it") == 2
    assert load_events(visits(60), EVENTS, **to(sandbox, backup)).unchanged == 60
    assert caplog.text.count("while a load was using it") == 2


# ------------------------------------------------------------------ taken away


@POSIX
@pytest.mark.parametrize("how", ["deleted", "replaced", "renamed", "folder renamed", "log deleted"])
def test_a_ledger_that_is_taken_away_stops_the_load(tmp_path: Path, sandbox: Sandbox, how: str) -> None:
    """Exit 3 and one line; what comes after is unsent, and what takes its place is left alone."""
    folder = tmp_path / "folder"
    folder.mkdir()
    ledger, other = folder / "own.ledger", tmp_path / "other.ledger"
    load_events(visits(5), EVENTS, **to(sandbox, other))
    content = other.read_bytes()

    def take_away() -> None:
        if how == "deleted":
            ledger.unlink()
        elif how == "replaced":
            other.replace(ledger)
        elif how == "renamed":
            ledger.rename(folder / "moved.ledger")
        elif how == "folder renamed":
            folder.rename(tmp_path / "moved")
        else:
            (folder / "own.ledger-wal").unlink()

    result = load_and_meanwhile(sandbox, ledger, take_away)
    assert result.exit_code == 3
    assert result.stopped is not None
    assert f"ledger {ledger}: was deleted, replaced or moved while it was in use; put it back" in result.stopped.message
    assert 100 < result.sent < 250
    assert result.sent + result.rejected + result.unsent == ROWS
    if how == "replaced":
        assert ledger.read_bytes() == content
    if how == "log deleted":  # SQLite still had it open
        assert check(visits(), EVENTS, **to(sandbox, ledger)).unchanged == result.sent


@POSIX
def test_what_a_load_left_is_not_mixed_with_another_file(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A ledger is put where one was in use: a load of it knows what it holds, and the log of the other is set aside."""
    ledger, other = tmp_path / "own.ledger", tmp_path / "other.ledger"
    load_events(visits(70), EVENTS, **to(sandbox, other))
    load_and_meanwhile(sandbox, ledger, lambda: other.replace(ledger))
    assert names(tmp_path) == {"own.ledger", "own.ledger-wal", "own.ledger-calls"}
    for _ in range(2):
        assert load_events(visits(70), EVENTS, **to(sandbox, ledger)).unchanged == 70
    assert names(tmp_path) == {"own.ledger", "own.ledger-wal-1", "own.ledger-calls-1"}
    assert "own.ledger-wal: belongs to another state of the ledger, and is set aside as own.ledger-wal-1" in caplog.text
    assert "own.ledger-calls: belongs to another ledger, and is set aside as own.ledger-calls-1" in caplog.text


def test_a_copy_of_a_ledger_can_be_put_back_after_a_kill(tmp_path: Path, sandbox: Sandbox) -> None:
    """The log of the killed load is of a later state: it is set aside, and the calls that were out still count."""
    ledger, backup, left = tmp_path / "own.ledger", tmp_path / "backup", tmp_path / "left"
    load_events(visits(50), EVENTS, **to(sandbox, ledger))
    shutil.copyfile(ledger, backup)
    load_events(visits(60), EVENTS, **to(sandbox, ledger))
    load_and_meanwhile(sandbox, ledger, lambda: shutil.copytree(tmp_path, left))
    assert check(visits(), EVENTS, **to(sandbox, left / "own.ledger")).unchanged >= 100
    shutil.copyfile(backup, left / "own.ledger")
    assert 50 <= check(visits(), EVENTS, **to(sandbox, left / "own.ledger")).unchanged < 100
    assert load_events(visits(60), EVENTS, **to(sandbox, left / "own.ledger")).unchanged >= 50
    assert names(left) == {"backup", "own.ledger", "own.ledger-wal-1"}


def test_a_long_log_is_brought_into_the_ledger_in_mid_load(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load of days does not grow it for ever; what a kill after that leaves is whole, and nothing is lost."""
    monkeypatch.setattr("interakt_loader.ledger.store.LONGEST_LOG", 5_000)
    ledger, left = tmp_path / "own.ledger", tmp_path / "left"
    load_events(visits(5), EVENTS, **to(sandbox, ledger))
    result = load_and_meanwhile(sandbox, ledger, lambda: shutil.copytree(tmp_path, left))
    with closing(sqlite3.connect(f"{(left / 'own.ledger').as_uri()}?immutable=1", uri=True)) as without_log:
        assert without_log.execute("SELECT count(*) FROM journal").fetchone()[0] > 0
    assert (left / "own.ledger-wal").stat().st_size < 60_000
    assert check(visits(), EVENTS, **to(sandbox, left / "own.ledger")).unchanged >= 100
    assert result.sent == ROWS - 6
    assert check(visits(), EVENTS, **to(sandbox, ledger)).unchanged == ROWS - 1


@POSIX
def test_a_ledger_that_is_taken_away_before_the_first_call(tmp_path: Path, sandbox: Sandbox) -> None:
    """While the source is read: exit 2, and nothing was sent."""
    ledger = tmp_path / "own.ledger"

    def rows() -> Any:
        yield from visits(10).to_dict("records")
        ledger.unlink()

    schema = pa.Table.from_pandas(visits(1), preserve_index=False).schema
    reader = pa.RecordBatchReader.from_batches(schema, (pa.RecordBatch.from_pylist([one], schema) for one in rows()))
    with pytest.raises(SettingsError, match=r"own.ledger: was deleted, .*; nothing was sent"):
        load_events(reader, EVENTS, **to(sandbox, ledger))
    assert sandbox.stats().calls == 0
