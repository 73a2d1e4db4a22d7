"""The ledger's file."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.ledger.digests import Known
from interakt_loader.ledger.store import JournalEntry, Store
from tests.ledger.test_decide import A, B, C, state, taken

KEY = b"k" * 16


def after(path: Path, *groups: list[JournalEntry]) -> Known | None:
    """Append each group and merge, then say what is known of KEY."""
    store = Store(path)
    try:
        for group in groups:
            store.append(group)
            store.merge()
        return store.known(KEY)
    finally:
        store.close()


def test_steps_of_one_user_in_one_go(tmp_path: Path) -> None:
    """First A, then B on top of it: the state of the two."""
    journal_entries: list[JournalEntry] = [(KEY, A, None, False), (KEY, A + state(A, B), None, True)]
    assert after(tmp_path / "l", journal_entries) == Known(state(A, B), None, True)


def test_a_step_whose_predecessor_failed_matches_nothing(tmp_path: Path) -> None:
    """B on top of A, but A is not there: no state that any input leads to."""
    known = after(tmp_path / "l", [(KEY, A + state(A, B), None, False)])
    assert known is not None
    assert known.state not in (A, B, state(A, B))
    assert after(tmp_path / "l", [(KEY, A + state(A, B), None, False)], [(KEY, A + state(A, B), None, False)]) == Known(
        b"", None, False
    )


def test_taking_the_same_in_again_changes_nothing(tmp_path: Path) -> None:
    """What a killed load left behind may be taken in twice."""
    journal_entries: list[JournalEntry] = [(KEY, A, None, False), (KEY, A + state(A, B), None, False)]
    assert after(tmp_path / "l", journal_entries, journal_entries, journal_entries) == Known(state(A, B), None, False)


def test_a_doubt_leaves_the_state_and_an_acceptance_ends_the_doubt(tmp_path: Path) -> None:
    """In doubt about B after A; then B is accepted."""
    doubt: JournalEntry = (KEY, b"", state(A, B), False)
    assert after(tmp_path / "l", [(KEY, A, None, True)], [doubt]) == Known(A, state(A, B), True)
    assert after(tmp_path / "l", [(KEY, A + state(A, B), None, True)]) == Known(state(A, B), None, True)
    assert after(tmp_path / "new", [doubt]) == Known(b"", state(A, B), False)


@settings(deadline=None)  # it writes files: how long that takes says nothing
@given(
    steps=st.lists(st.sampled_from([A, B, C, A + state(A, B), state(A, B) + state(A, B, C)]), min_size=1, max_size=6)
)
def test_the_sql_does_what_the_model_of_the_other_test_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[bytes]
) -> None:
    """Any sequence of steps, all at once or one by one, leads to the state that `taken` leads to."""
    held: bytes | None = None
    for step in steps:
        held = taken(held, step)
    folder = tmp_path_factory.mktemp("store")
    journal_entries: list[JournalEntry] = [(KEY, step, None, False) for step in steps]
    for known in (
        after(folder / "at once", journal_entries),
        after(folder / "one by one", *[[one] for one in journal_entries]),
    ):
        assert known is not None
        matches = {A, B, C, state(A, B), state(A, B, C)}
        assert (known.state if known.state in matches else b"") == held


def test_two_loads_of_a_process_cannot_have_it_at_once(tmp_path: Path) -> None:
    """The second gets one line that says so; after the first it may."""
    store = Store(tmp_path / "l")
    with pytest.raises(NotJustNow, match="is in use by another load"):
        Store(tmp_path / "l")
    store.close()
    Store(tmp_path / "l").close()


def test_two_loads_cannot_have_it_at_once(tmp_path: Path) -> None:
    """Nor can a load of another process."""
    store = Store(tmp_path / "l")
    path = str(tmp_path / "l")
    code = f"from pathlib import Path; from interakt_loader.ledger.store import Store; Store(Path({path!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "is in use by another load" in done.stderr
    store.close()


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text file, somebody's database, a folder, a folder that is not there."""
    text = tmp_path / "text"
    text.write_text("customer_id,mobile\n" * 100)
    with pytest.raises(SettingsError, match="is no ledger, or a damaged one; choose another path"):
        Store(text)
    assert text.read_text() == "customer_id,mobile\n" * 100
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE calls (number)")
    db.close()
    with pytest.raises(SettingsError, match="some other SQLite database"):
        Store(other)
    with pytest.raises(SettingsError, match="cannot be opened"):
        Store(tmp_path)
    with pytest.raises(
        SettingsError, match=r"l: cannot be opened: No such file or directory; say where it can be: ledger=PATH$"
    ):
        Store(tmp_path / "nowhere" / "l")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The file is made with mode 0600."""
    Store(tmp_path / "l").close()
    assert stat.S_IMODE((tmp_path / "l").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_others_lose_their_rights_to_a_ledger_that_is_there(tmp_path: Path) -> None:
    """One that somebody has copied without care is made private when it is opened."""
    Store(tmp_path / "l").close()
    (tmp_path / "l").chmod(0o644)
    Store(tmp_path / "l").close()
    assert stat.S_IMODE((tmp_path / "l").stat().st_mode) == 0o600


def test_the_file_is_that_of_earlier_versions(tmp_path: Path) -> None:
    """SQLite's header says whose it is, and of which version: a ledger outlives an upgrade."""
    Store(tmp_path / "l").close()
    header = (tmp_path / "l").read_bytes()[:100]
    assert header[68:72] == b"ILDG"
    assert int.from_bytes(header[60:64], "big") == 2


def test_what_is_recorded_survives_a_power_failure(tmp_path: Path) -> None:
    """SQLite waits for the disk: a write-ahead log, synchronous = FULL (2)."""
    store = Store(tmp_path / "l")
    told = [store.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    store.close()
    assert told == ["wal", 2]


@pytest.mark.parametrize("count", [2, 64, 65, 130])
def test_calls_are_recorded_in_their_order(tmp_path: Path, count: int) -> None:
    """However many statements they take, the last of a user's calls counts."""
    states = [number.to_bytes(16, "big") for number in range(1, count + 1)]
    store = Store(tmp_path / "l")
    store.append([(KEY, one, None, False) for one in states])
    store.merge()
    assert store.known(KEY) == Known(states[-1], None, False)
    store.close()


@pytest.mark.parametrize("count", [1, 63, 64, 65, 500])
def test_calls_are_recorded_all_or_none(tmp_path: Path, count: int) -> None:
    """If one of them cannot be, none is, and the next ones can."""
    keys = [bytes(15) + b"k", *(number.to_bytes(16, "big") for number in range(1000, 1000 + count))]
    good: list[JournalEntry] = [(key, A, None, False) for key in keys]
    bad: Any = (KEY, None, None, False)
    store = Store(tmp_path / "l")
    with pytest.raises(sqlite3.IntegrityError):
        store.append([*good, bad])
    assert (store.total, store.has_journal_entries()) == (0, False)
    store.append([*good[:-1], (keys[-1], B, None, True)])
    assert store.total == count + 1
    store.merge()
    assert store.known(KEY) is None
    assert {store.known(key) for key in keys[:-1]} == {Known(A, None, False)}
    assert store.known(keys[-1]) == Known(B, None, True)
    store.close()


def test_what_is_sorted_in_is_no_journal_entries_any_more(tmp_path: Path) -> None:
    """Or a ledger would grow with each load."""
    store = Store(tmp_path / "l")
    store.append([(KEY, A, None, False)])
    store.merge()
    assert store.db.execute("SELECT * FROM journal").fetchall() == []
    store.close()


def test_any_thread_may_use_it(tmp_path: Path) -> None:
    """One at a time: a load may run on a thread that its caller's end drains."""
    store, found = Store(tmp_path / "l"), []
    thread = threading.Thread(target=lambda: found.append(store.known(KEY)))
    thread.start()
    thread.join()
    store.close()
    assert found == [None]


def of_version(path: Path, version: int, *, sealed: bool) -> Path:
    """Make a ledger as another version of the loader would."""
    store = Store(path)
    store.db.execute(f"PRAGMA user_version = {version}")
    store.close()
    if not sealed:
        os.truncate(path, path.stat().st_size - 32)
    return path


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    """A newer one; one from before the first release, which has no seal; where it is damaged, both are named."""
    with pytest.raises(SettingsError, match=r"newer: was made by a newer interakt_loader; upgrade this one$"):
        Store(of_version(tmp_path / "newer", 3, sealed=True))
    with pytest.raises(SettingsError, match=r"other: is damaged, .*, or was made by a newer interakt_loader"):
        Store(of_version(tmp_path / "other", 3, sealed=False))
    with pytest.raises(SettingsError, match=r"older: was made by an unreleased version .* delete it, and record"):
        Store(of_version(tmp_path / "older", 1, sealed=False))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which files are open")
def test_a_file_that_is_refused_is_closed_at_once(tmp_path: Path) -> None:
    """Whatever it was refused for: another version, no ledger, or a damaged one."""
    of_version(tmp_path / "later", 3, sealed=True)
    of_version(tmp_path / "damaged", 2, sealed=False)
    (tmp_path / "text").write_text("customer_id,mobile\n" * 100)
    for name, said in (("later", "newer"), ("text", "no ledger"), ("damaged", "is damaged")):
        with pytest.raises(SettingsError, match=f"{name}: .*{said}") as caught:
            Store(tmp_path / name)
        open_now = {os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()}
        assert str(tmp_path / name) not in open_now, caught
