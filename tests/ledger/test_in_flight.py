"""The calls that are out, on record before they go."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.ledger.in_flight import InFlight, RecordingTransport, left_behind
from interakt_loader.transport import no_answer, read_answer
from interakt_loader.wire import Answer, Entry, Message
from tests.ledger.test_decide import A, B, state

OK = read_answer(201, b'{"result": true}', 0.1)
ERROR = read_answer(500, b"", 0.1)
TIMEOUT = no_answer(TimeoutError(), 0.1, first_call=False)
KEY = b"k" * 16
STEP = A + state(A, B)


def message(row: int = 0, step: bytes = A, *, doubted: bool = False) -> Message:
    return Message(row, "user", "u", b"{}", entry=Entry(KEY, step), doubted=doubted)


def test_a_call_is_on_record_before_it_goes(tmp_path: Path) -> None:
    """While the transport sends, the file already says that the call is out: somebody who looks sees a doubt."""
    seen = []

    class Looking:
        def send(self, message: Message) -> Answer:
            seen.append(left_behind(tmp_path / "calls"))
            return OK

        def close(self) -> None:
            pass

    in_flight = InFlight(tmp_path / "calls", 4)
    RecordingTransport(Looking(), in_flight).send(message(step=STEP))
    assert seen == [[(KEY, b"", state(A, B), False)]]
    assert left_behind(tmp_path / "calls") == [(KEY, STEP, None, False)]


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        ([], [(KEY, b"", A, False)]),
        ([OK], [(KEY, A, None, False)]),
        ([ERROR], []),
        ([ERROR, None], [(KEY, b"", A, False)]),
        ([TIMEOUT], [(KEY, b"", A, False)]),
        ([TIMEOUT, ERROR], [(KEY, b"", A, False)]),
        ([TIMEOUT, OK], [(KEY, A, None, True)]),
    ],
)
def test_what_is_left_behind(tmp_path: Path, answers: list[Answer | None], left: list[object]) -> None:
    """After any answers (None: the next try is out), the file says accepted, in doubt, or nothing."""
    in_flight = InFlight(tmp_path / "calls", 1)
    in_flight.goes(message())
    for answer in answers:
        if answer is None:
            in_flight.goes(message())
        else:
            in_flight.came_back(message(), answer)
    assert left_behind(tmp_path / "calls") == left


def test_the_file_is_that_of_earlier_versions(tmp_path: Path) -> None:
    """A load that was killed may be gone on with after an upgrade: magic, then slots of 64 bytes, little-endian."""
    in_flight = InFlight(tmp_path / "calls", 3)
    for row, step, doubted in ((2**40, STEP, True), (5, A, False)):
        in_flight.goes(message(row, step, doubted=doubted))
    in_flight.came_back(message(5), OK)
    out = b"\x01\x01\x20" + bytes(5) + (2**40).to_bytes(8, "little") + KEY + STEP
    accepted = b"\x02\x00\x10" + bytes(5) + (5).to_bytes(8, "little") + KEY + A + bytes(16)
    content = (tmp_path / "calls").read_bytes()
    assert content == b"interakt calls 1" + bytes(64) + accepted + out
    (tmp_path / "earlier").write_bytes(content + bytes(63))  # cut off within a slot: what is whole counts
    assert left_behind(tmp_path / "earlier") == [(KEY, A, None, False), (KEY, b"", state(A, B), False)]


def test_a_carried_doubt_goes_into_the_record(tmp_path: Path) -> None:
    """A call that an earlier load left in doubt: accepted, it may be there twice; refused, it stays doubted."""
    in_flight = InFlight(tmp_path / "calls", 1)
    in_flight.goes(message(doubted=True))
    in_flight.came_back(message(doubted=True), ERROR)
    assert left_behind(tmp_path / "calls") == [(KEY, b"", A, False)]
    in_flight.came_back(message(doubted=True), OK)
    assert left_behind(tmp_path / "calls") == [(KEY, A, None, True)]


def test_slots_are_used_again_and_the_file_goes(tmp_path: Path) -> None:
    """Two slots do for a thousand calls, freed in time; a file with nothing to say is removed."""
    in_flight = InFlight(tmp_path / "calls", 2)
    for row in range(1000):
        in_flight.goes(message(row))
        in_flight.came_back(message(row), OK)
        in_flight.free([message(row)])
    assert left_behind(tmp_path / "calls") == []
    in_flight.close()
    assert not (tmp_path / "calls").exists()
    in_flight = InFlight(tmp_path / "calls", 2)
    (tmp_path / "calls").unlink()  # somebody else has cleaned up
    in_flight.close()


def test_an_unaccounted_call_keeps_the_file(tmp_path: Path) -> None:
    """Closed with a call that nobody has put on record: the next load finds it; a late answer changes nothing."""
    in_flight = InFlight(tmp_path / "calls", 2)
    in_flight.goes(message())
    in_flight.close()
    in_flight.came_back(message(), OK)
    assert left_behind(tmp_path / "calls") == [(KEY, b"", A, False)]


def test_no_call_goes_out_that_is_on_no_record(tmp_path: Path) -> None:
    """Once the load has ended, a consumer that is late sends nothing."""

    class Never:
        def send(self, message: Message) -> Answer:
            raise AssertionError("it was sent")

        def close(self) -> None:
            pass

    in_flight = InFlight(tmp_path / "calls", 2)
    in_flight.close()
    answer = RecordingTransport(Never(), in_flight).send(message())
    assert (answer.accepted, answer.reached, answer.doubtful, answer.seconds) == (False, False, False, 0.0)


def test_a_call_that_the_ledger_does_not_know_goes_out_on_no_record(tmp_path: Path) -> None:
    """It needs no slot; and the connections are closed as those of any transport."""

    class Counting:
        sent = closed = 0

        def send(self, message: Message) -> Answer:
            self.sent += 1
            return OK

        def close(self) -> None:
            self.closed += 1

    inner, in_flight = Counting(), InFlight(tmp_path / "calls", 1)
    transport = RecordingTransport(inner, in_flight)
    for row in range(3):
        assert transport.send(message(row)._replace(entry=None)) is OK
    transport.close()
    assert (inner.sent, inner.closed) == (3, 1)
    assert left_behind(tmp_path / "calls") == []
    in_flight.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_can_read_the_slots(tmp_path: Path) -> None:
    """A file that others could read is made private before a call is in it."""
    (tmp_path / "calls").touch(mode=0o644)
    InFlight(tmp_path / "calls", 1)
    assert stat.S_IMODE((tmp_path / "calls").stat().st_mode) == 0o600


def test_what_was_left_comes_in_the_order_of_the_rows(tmp_path: Path) -> None:
    """Whatever slots they had."""
    in_flight = InFlight(tmp_path / "calls", 3)
    for row, step in ((7, B), (3, STEP), (5, A)):
        in_flight.goes(message(row, step))
        in_flight.came_back(message(row, step), OK)
    assert [step for _, step, _, _ in left_behind(tmp_path / "calls")] == [STEP, A, B]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    """It is not overwritten by mistake; one that cannot be written is told in one line."""
    (tmp_path / "calls").write_text("mine")
    with pytest.raises(SettingsError, match="is something else"):
        left_behind(tmp_path / "calls")
    with pytest.raises(SettingsError, match="cannot be written"):
        InFlight(tmp_path / "nowhere" / "calls", 1)
    assert left_behind(tmp_path / "not there") == []


def test_what_cannot_be_read_is_told_and_what_is_no_entry_leaves_no_mark(tmp_path: Path) -> None:
    """A folder in the file's place is one line; a call that the ledger does not follow goes out and takes no slot."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="folder: cannot be read"):
        left_behind(tmp_path / "folder")
    in_flight = InFlight(tmp_path / "calls", 1)
    unfollowed = Message(0, "user", "u", b"{}")
    assert in_flight.goes(unfollowed)
    in_flight.came_back(unfollowed, OK)
    assert left_behind(tmp_path / "calls") == []
    in_flight.close()
    assert not (tmp_path / "calls").exists()
