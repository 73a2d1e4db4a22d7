"""The calls that are out, on record before they go."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.ledger.in_flight import InFlight, RecordingTransport, left_behind
from interakt_loader.model import Answer, Entry, Message
from interakt_loader.sending.retry_policy import in_doubt
from interakt_loader.transport import no_answer, read_answer
from tests.ledger.test_decide import A, B, state

OK = read_answer(201, b'{"result": true}', 0.1)
ERROR = read_answer(500, b"", 0.1)
TIMEOUT = no_answer(TimeoutError(), 0.1, first_call=False)
KEY = b"k" * 16
STEP = A + state(A, B)
LEDGER = b"l" * 16


def message(row: int = 0, step: bytes = A, *, doubted: bool = False) -> Message:
    return Message(row, "user", "u", b"{}", entry=Entry(KEY, step), doubted=doubted)


def test_a_call_is_on_record_before_it_goes(tmp_path: Path) -> None:
    """While the transport sends, the file already says that the call is out: somebody who looks sees a doubt."""
    seen = []

    class Looking:
        def send(self, message: Message) -> Answer:
            seen.append(left_behind(tmp_path / "calls", LEDGER).journal_entries)
            return OK

        def close(self) -> None:
            pass

    in_flight = InFlight(tmp_path / "calls", 4, LEDGER)
    RecordingTransport(Looking(), in_flight).send(message(step=STEP))
    assert seen == [[(KEY, b"", state(A, B), False)]]
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == [(KEY, STEP, None, False)]


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
    in_flight = InFlight(tmp_path / "calls", 1, LEDGER)
    in_flight.begin(message())
    for answer in answers:
        if answer is None:
            in_flight.begin(message())
        else:
            in_flight.end(message(), answer)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == left


def test_the_file_is_that_of_earlier_versions(tmp_path: Path) -> None:
    """A killed load can be continued after an upgrade: a header, then slots of 64 bytes, little-endian."""
    in_flight = InFlight(tmp_path / "calls", 3, LEDGER, 7)
    for row, step, doubted in ((2**40, STEP, True), (5, A, False)):
        in_flight.begin(message(row, step, doubted=doubted))
    in_flight.end(message(5), OK)
    out = b"\x35\x0f\x20\0" + zlib.crc32(KEY + STEP, 2**8 ^ 32).to_bytes(4, "little")
    out += (2**40).to_bytes(8, "little") + KEY + STEP
    accepted = b"\x56\0\x10\0" + zlib.crc32(KEY + A, 5 ^ 16).to_bytes(4, "little")
    accepted += (5).to_bytes(8, "little") + KEY + A + bytes(16)
    header = b"interakt calls 2" + LEDGER + b"\3\0\0\0"
    header += zlib.crc32(header).to_bytes(4, "little") + b"\7" + bytes(23)
    content = (tmp_path / "calls").read_bytes()
    assert content == header + bytes(64) + accepted + out
    found = left_behind(tmp_path / "calls", LEDGER)
    assert found == ([(KEY, A, None, False), (KEY, b"", state(A, B), False)], 7)


def test_a_carried_doubt_goes_into_the_record(tmp_path: Path) -> None:
    """A call that an earlier load left in doubt: accepted, it may be there twice; refused, it stays doubted."""
    in_flight = InFlight(tmp_path / "calls", 1, LEDGER)
    in_flight.begin(message(doubted=True))
    in_flight.end(message(doubted=True), ERROR)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == [(KEY, b"", A, False)]
    in_flight.end(message(doubted=True), OK)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == [(KEY, A, None, True)]


def test_slots_are_used_again(tmp_path: Path) -> None:
    """Two slots do for a thousand calls, if these are put on record in time; then all of them are accounted for."""
    in_flight = InFlight(tmp_path / "calls", 2, LEDGER)
    for row in range(1000):
        in_flight.begin(message(row))
        in_flight.end(message(row), OK)
        in_flight.recorded([row], row + 1)
    assert left_behind(tmp_path / "calls", LEDGER) == ([], 1000)
    assert in_flight.close()


def test_an_unaccounted_call_keeps_the_file(tmp_path: Path) -> None:
    """Closed with a call that nobody has put on record: the next load finds it; a late answer changes nothing."""
    in_flight = InFlight(tmp_path / "calls", 2, LEDGER)
    in_flight.begin(message())
    assert not in_flight.close()
    in_flight.end(message(), OK)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == [(KEY, b"", A, False)]


def test_no_call_goes_out_that_is_on_no_record(tmp_path: Path) -> None:
    """Once the load has ended, a consumer that is late sends nothing."""

    class Never:
        def send(self, message: Message) -> Answer:
            raise AssertionError("it was sent")

        def close(self) -> None:
            pass

    in_flight = InFlight(tmp_path / "calls", 2, LEDGER)
    in_flight.close()
    answer = RecordingTransport(Never(), in_flight).send(message())
    assert (answer.accepted, answer.reached, in_doubt(answer), answer.seconds) == (False, False, False, 0.0)


def test_a_call_that_the_ledger_does_not_know_goes_out_on_no_record(tmp_path: Path) -> None:
    """It needs no slot; and the connections are closed as those of any transport."""

    class Counting:
        sent = closed = 0

        def send(self, message: Message) -> Answer:
            self.sent += 1
            return OK

        def close(self) -> None:
            self.closed += 1

    inner, in_flight = Counting(), InFlight(tmp_path / "calls", 1, LEDGER)
    transport = RecordingTransport(inner, in_flight)
    for row in range(3):
        assert transport.send(message(row)._replace(entry=None)) is OK
    transport.close()
    assert (inner.sent, inner.closed) == (3, 1)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == []
    in_flight.close()


class Together:
    """Calls of which a thread has several out. Each notes what is on record when it begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out: list[Message] = []
        self.records: list[int] = []

    def call_set(self) -> Together:
        return self

    def reserve(self) -> bool:
        return True

    def release(self) -> None:
        pass

    def begin(self, message: Message) -> None:
        self._out.append(message)
        self.records.append(len(left_behind(self._path, LEDGER).journal_entries))

    def answers(self) -> list[tuple[Message, Answer]]:
        return [(self._out.pop(0), OK)]

    def send(self, message: Message) -> Answer:
        raise AssertionError("one by one")

    def close(self) -> None:
        pass


def test_each_of_several_calls_is_on_record_before_it_goes_out(tmp_path: Path) -> None:
    """Three calls begin, and one is answered: the other two are in doubt. After the end of the load none begins."""
    path = tmp_path / "calls"
    in_flight, together = InFlight(path, 3, LEDGER), Together(path)
    calls = RecordingTransport(together, in_flight).call_set()
    for row in range(3):
        assert calls.reserve()
        calls.begin(message(row))
    assert together.records == [1, 2, 3]
    assert calls.answers() == [(message(0), OK)]
    entries = left_behind(path, LEDGER).journal_entries
    assert [(entry[1], entry[2]) for entry in entries] == [(A, None), (b"", A), (b"", A)]
    in_flight.close()
    calls.begin(message(3))
    ((refused, answer),) = calls.answers()
    assert (refused.row, answer.sent, answer.code) == (3, False, "abandoned")
    assert together.records == [1, 2, 3]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_can_read_the_slots(tmp_path: Path) -> None:
    """A file that others could read is made private before a call is in it."""
    (tmp_path / "calls").touch(mode=0o644)
    InFlight(tmp_path / "calls", 1, LEDGER)
    assert stat.S_IMODE((tmp_path / "calls").stat().st_mode) == 0o600


def test_what_was_left_comes_in_the_order_of_the_rows(tmp_path: Path) -> None:
    """Whatever slots they had."""
    in_flight = InFlight(tmp_path / "calls", 3, LEDGER)
    for row, step in ((7, B), (3, STEP), (5, A)):
        in_flight.begin(message(row, step))
        in_flight.end(message(row, step), OK)
    assert [step for _, step, _, _ in left_behind(tmp_path / "calls", LEDGER).journal_entries] == [STEP, A, B]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    """It is not overwritten by mistake; one that cannot be written is reported in one line."""
    (tmp_path / "calls").write_text("mine" * 100)
    with pytest.raises(SettingsError, match=r"calls: is damaged, .* or delete it: "):
        left_behind(tmp_path / "calls", LEDGER)
    with pytest.raises(SettingsError, match="cannot be written"):
        InFlight(tmp_path / "nowhere" / "calls", 1, LEDGER)
    assert left_behind(tmp_path / "not there", LEDGER).journal_entries == []


def test_a_file_whose_making_was_interrupted_holds_no_call(tmp_path: Path) -> None:
    """Empty, cut short before its header, or with all its blocks and no header yet: no call had gone out."""
    for content in (b"", b"interakt calls", bytes(63), bytes(64), bytes(500)):
        (tmp_path / "calls").write_bytes(content)
        assert left_behind(tmp_path / "calls", LEDGER) == ([], None)


def test_a_file_that_was_cut_short_says_what_it_still_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At any byte: the slots before it count, and one line says that calls may go out again."""
    in_flight = InFlight(tmp_path / "calls", 4, LEDGER)
    for row in range(4):
        in_flight.begin(message(row))
    content = (tmp_path / "calls").read_bytes()
    for size in range(len(content)):
        caplog.clear()
        (tmp_path / "cut").write_bytes(content[:size])
        assert len(left_behind(tmp_path / "cut", LEDGER).journal_entries) == max(0, size - 64) // 64
        assert [one.message for one in caplog.records if "cut short" not in one.message] == []
        assert len(caplog.records) == (size >= 64)
    in_flight.close()


def test_a_slot_that_is_damaged_is_not_believed(tmp_path: Path) -> None:
    """Whichever byte of a slot that is in use has changed, or of the header: one line that says what it costs."""
    in_flight = InFlight(tmp_path / "calls", 1, LEDGER)
    in_flight.begin(message(step=STEP, doubted=True))
    content = (tmp_path / "calls").read_bytes()
    other = {64 + 3, *range(40, 64)}  # padding; the count of calls on record; what the store notes
    for at in set(range(len(content))) - other:
        for bit in (1, 128):
            changed = bytearray(content)
            changed[at] ^= bit
            (tmp_path / "changed").write_bytes(changed)
            with pytest.raises(SettingsError, match="may be sent a second time"):
                left_behind(tmp_path / "changed", LEDGER)
    in_flight.close()


def test_a_file_of_another_ledger_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Under another name, which one line says; what it holds is no news of this ledger."""
    for number in (1, 2):
        in_flight = InFlight(tmp_path / "calls", 1, b"o" * 16)
        in_flight.begin(message())
        in_flight.close()
        assert left_behind(tmp_path / "calls", LEDGER) == ([], None)
        assert f"belongs to another ledger, and is set aside as calls-{number}" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls-1", "calls-2"]


def test_what_cannot_be_read_is_told_and_what_is_no_entry_leaves_no_mark(tmp_path: Path) -> None:
    """A folder in the file's place is one line; a call that the ledger does not follow goes out and takes no slot."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="folder: cannot be read"):
        left_behind(tmp_path / "folder", LEDGER)
    in_flight = InFlight(tmp_path / "calls", 1, LEDGER)
    unfollowed = Message(0, "user", "u", b"{}")
    assert in_flight.begin(unfollowed)
    in_flight.end(unfollowed, OK)
    assert left_behind(tmp_path / "calls", LEDGER).journal_entries == []
    assert in_flight.close()
