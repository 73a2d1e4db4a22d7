"""The ledger of one load: what it takes in, what it puts on record, and what is left when it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from interakt_loader.errors import LedgerBroken, SettingsError
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.digests import Known
from interakt_loader.ledger.in_flight import InFlight, left_behind
from interakt_loader.ledger.store import Store
from interakt_loader.mapping import PREPARED
from interakt_loader.model import Answer, Entry, Message, Outcome, Status
from interakt_loader.sending.pending import PendingCall, outcome
from interakt_loader.settings import Settings
from tests.ledger.test_decide import A, B, state
from tests.ledger.test_in_flight import OK

KEY, OTHER = b"k" * 16, b"o" * 16
SETTINGS = Settings(api_key="key", max_queue_size=1)


def message(row: int = 0, key: bytes = KEY, step: bytes = A) -> Message:
    return Message(row, "user", "u", b"{}", entry=Entry(key, step))


def ended(given: Message, status: Status, *, doubts: int = 0) -> Outcome:
    return outcome(PendingCall(given, calls=1, doubts=doubts, last=OK), status, 1.0, None)


def known(path: Path, *keys: bytes) -> list[Known | None]:
    """Say what the file holds after the load."""
    store = Store(path)
    try:
        assert store.db.execute("SELECT count(*) FROM journal").fetchone() == (0,)  # all of it is sorted in
        return [store.known(key) for key in keys]
    finally:
        store.close()


class Sends:
    """A transport whose calls are all accepted."""

    def send(self, message: Message) -> Answer:
        return OK

    def close(self) -> None:
        pass


def test_accepted_and_doubted_calls_are_recorded_and_no_others(tmp_path: Path) -> None:
    """Accepted with its mark; doubted with the state that it may lead to; no rejected row, none without an entry."""
    keys = [bytes([n]) * 16 for n in range(5)]
    with Ledger(tmp_path / "l", "user", SETTINGS) as ledger:
        ledger.record([])
        ledger.record(
            [
                ended(message(0, keys[0]), Status.SENT),
                ended(message(1, keys[1])._replace(entry=None), Status.SENT),
                ended(message(2, keys[2]), Status.REJECTED),
                ended(message(3, keys[3], A + state(A, B)), Status.UNKNOWN, doubts=1),
                ended(message(4, keys[4]), Status.SENT, doubts=1),
            ]
        )
    expected = [Known(A, None, False), None, None, Known(b"", state(A, B), False), Known(A, None, True)]
    assert known(tmp_path / "l", *keys) == expected


def test_what_is_recorded_is_on_disk_at_once(tmp_path: Path) -> None:
    """Not at the load's end: a copy that is taken now has it."""
    with Ledger(tmp_path / "l", "user", SETTINGS) as ledger:
        ledger.record([ended(message(), Status.SENT)])
        for ending in ("", "-wal"):
            (tmp_path / f"copy{ending}").write_bytes((tmp_path / f"l{ending}").read_bytes())
    store = Store(tmp_path / "copy")
    store.merge()
    assert store.known(KEY) == Known(A, None, False)
    store.close()


def test_a_call_that_is_recorded_needs_no_slot_any_more(tmp_path: Path) -> None:
    """There are twice as many slots as the queue holds: two calls are out, and once they are recorded, two more."""
    with Ledger(tmp_path / "l", "user", SETTINGS) as ledger:
        transport = ledger.recording(Sends())
        for first in (0, 2):
            pair = [message(first), message(first + 1, OTHER)]
            for one in pair:
                assert transport.send(one) is OK
            assert len(left_behind(tmp_path / "l-calls", ledger._store.id).journal_entries) == 2
            ledger.record([ended(one, Status.SENT) for one in pair])
            assert left_behind(tmp_path / "l-calls", ledger._store.id) == ([], first + 2)
        assert (tmp_path / "l-calls").stat().st_size == 64 + 2 * 64
    assert [path.name for path in tmp_path.iterdir()] == ["l"]


def test_what_a_killed_load_left_behind_is_taken_in_once_and_its_file_goes(tmp_path: Path) -> None:
    """As soon as the ledger is opened: accepted calls count, those that were out are in doubt."""
    store = Store(tmp_path / "l")
    store.close()
    left = InFlight(tmp_path / "l-calls", 2, store.id)
    left.begin(message(0))
    left.end(message(0), OK)
    left.begin(message(1, OTHER))
    left.close()
    with Ledger(tmp_path / "l", "user", SETTINGS) as ledger:
        assert (tmp_path / "l-calls").read_bytes()[:48] == bytes(48)
        assert ledger._store.known(KEY) == Known(A, None, False)
    assert known(tmp_path / "l", KEY, OTHER) == [Known(A, None, False), Known(b"", A, False)]


def test_a_ledger_that_cannot_be_had_is_let_go(tmp_path: Path) -> None:
    """In one line; the next load, with the hindrance gone, can have it in the same process."""
    Store(tmp_path / "l").close()
    calls = tmp_path / "l-calls"
    calls.write_text("mine" * 100)
    with pytest.raises(SettingsError, match="l-calls: is damaged"):
        Ledger(tmp_path / "l", "user", SETTINGS)
    calls.unlink()
    Ledger(tmp_path / "l", "user", SETTINGS).close()


def test_a_folder_in_the_place_of_the_calls_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the ledger is there or not: it cannot be of use to the ledger, and must not block it."""
    for number in (1, 2):
        (tmp_path / "l-calls").mkdir()
        Ledger(tmp_path / "l", "user", SETTINGS).close()
        assert f"l-calls: is no file, and is set aside as l-calls-{number}" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l", "l-calls-1", "l-calls-2"]


def test_a_ledger_that_another_program_has_changed_is_refused(tmp_path: Path) -> None:
    """One line, and the lock is free."""
    Store(tmp_path / "l").close()
    db = sqlite3.connect(tmp_path / "l")
    db.execute("DROP TABLE journal")
    db.close()
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"l: is damaged \(its checksum is wrong\)"):
            Ledger(tmp_path / "l", "user", SETTINGS)


def test_a_ledger_that_breaks_later_says_which(tmp_path: Path) -> None:
    """While it is planned, or recorded: its file's name, and what SQLite says."""
    ledger = Ledger(tmp_path / "l", "user", SETTINGS)
    ledger._store.close()
    with pytest.raises(LedgerBroken, match="l: the load cannot be planned: "):
        ledger.plan([])
    with pytest.raises(LedgerBroken, match="l: cannot be written: "):
        ledger.record([ended(message(), Status.SENT)])
    ledger.close()


def test_the_end_of_a_ledger_is_the_end_of_its_plan_and_its_slots(tmp_path: Path) -> None:
    """Even if one of them cannot end well, the file is let go; a call of it that is out keeps its slot."""
    ledger = Ledger(tmp_path / "l", "user", SETTINGS)
    plan = ledger.plan([pa.RecordBatch.from_pylist([{"row": 0, "ordering_key": "u", "body": b"{}"}], schema=PREPARED)])
    assert plan.calls == 1
    transport = ledger.recording(Sends())
    transport.send(message())
    ledger.close()
    assert list(plan.work_batches()) == []
    assert transport.send(message(1, OTHER)).code == "abandoned"
    assert left_behind(tmp_path / "l-calls", ledger._store.id).journal_entries == [(KEY, A, None, False)]
    assert known(tmp_path / "l", KEY) == [None]
