"""The calls in flight, on record before they are sent.

Before a call is sent, it is written to a slot of a small file that is mapped into memory. That takes a fraction of a
microsecond, and survives the process however it ends. The answer is noted in the same slot at once. So after a
`kill -9` only the calls that were really in flight are in doubt. Some hundred calls at a time go into the ledger
itself, which frees their slots.

The file's blocks are allocated before the first call, so that a full disk does no harm. After a power cut the loader
may forget the last few calls.

The file exists as long as a load has the ledger. Until the first call it has only zeros (`Store` creates it).
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import struct
import threading
import zlib
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from interakt_loader.errors import SettingsError
from interakt_loader.ledger.store import CALLS_HEADER, OWN_HEADER, JournalEntry, damaged_calls, set_aside
from interakt_loader.model import DIGEST, Answer, CallSet, Entry, Message, Transport
from interakt_loader.privacy.files import OWNER_ONLY, make_private
from interakt_loader.sending.retry_policy import in_doubt
from interakt_loader.sending.workers import call_set_of

logger = logging.getLogger("interakt_loader")

_MAGIC = b"interakt calls 2"
_HEADER = struct.Struct("<16s16sI")
"""The magic, the ledger's id and the number of slots; then follow their checksum and the total of `recorded`."""
_CHECKSUM = struct.Struct("<I")
_TOTAL = struct.Struct("<Q")
_TOTAL_AT = _HEADER.size + _CHECKSUM.size
_BEGIN = CALLS_HEADER
"""Where the slots begin in the file."""

_SLOT = struct.Struct(f"<BBBxIQ{DIGEST}s{2 * DIGEST}s")
"""State, whether it is in doubt, length of the step, checksum of the rest, row, key, step."""

# each differs from the others in four bits, so that a damaged one is detected
_FREE, _IN_FLIGHT, _ACCEPTED, _REFUSED = 0, 0x35, 0x56, 0x63
_DOUBTED = 0x0F


class InFlight:
    """Slots for `size` calls in the file at `path`. Thread-safe. Raises `SettingsError` if it cannot be written.

    `ledger` is the ledger's id, `total` the number of calls that it has on record.
    """

    def __init__(self, path: Path, size: int, ledger: bytes, total: int = 0) -> None:
        self._lock = threading.Lock()
        # row → where its slot begins
        self._slots: dict[int, int] = {}
        self._free = [_BEGIN + number * _SLOT.size for number in range(size)]
        header = _HEADER.pack(_MAGIC, ledger, size)
        header += _CHECKSUM.pack(zlib.crc32(header)) + _TOTAL.pack(total)
        try:
            flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(path, flags, OWNER_ONLY), "w+b") as file:
                make_private(file.fileno())
                file.seek(_BEGIN)
                file.truncate()
                file.write(bytes(size * _SLOT.size))
                file.flush()
                # the header comes last: a file with one is complete
                file.seek(0)
                file.write(header)
                file.flush()
                os.fsync(file.fileno())
                self._memory = mmap.mmap(file.fileno(), 0)
        except OSError as error:
            raise SettingsError(f"ledger file {path}: cannot be written: {error.strerror or error}") from None

    def begin(self, message: Message) -> bool:
        """Put on record that a call is sent next. False: the load has ended, and it must not be sent."""
        if message.entry is None:
            return True
        key, step = message.entry
        with self._lock:
            if self._memory.closed:
                return False
            at = self._slots.get(message.row)
            if at is None:
                at = self._slots[message.row] = self._free.pop()
                doubted, checksum = _DOUBTED if message.doubted else 0, _checksum(message.row, key, step)
                _SLOT.pack_into(self._memory, at, _FREE, doubted, len(step), checksum, message.row, key, step)
            # last, and a single byte: a slot is never half written
            self._memory[at] = _IN_FLIGHT
        return True

    def end(self, message: Message, answer: Answer) -> None:
        """Note the answer. A call in doubt counts as in flight until a later try of it is accepted."""
        if message.entry is None:
            return
        with self._lock:
            at = self._slots.get(message.row)
            # the load may have ended without waiting for this answer
            if at is None or self._memory.closed:
                return
            if not answer.accepted and in_doubt(answer):
                self._memory[at + 1] = _DOUBTED
            elif answer.accepted:
                self._memory[at] = _ACCEPTED
            else:
                self._memory[at] = _IN_FLIGHT if self._memory[at + 1] else _REFUSED

    def recorded(self, rows: list[int], total: int) -> None:
        """Free the slots of rows that are in the ledger now, in the order in which they settled.

        `total` is the number of calls on record with these. By it, lost calls are detected.
        """
        with self._lock:
            self._memory[_TOTAL_AT : _TOTAL_AT + _TOTAL.size] = _TOTAL.pack(total)
            for row in rows:
                at = self._slots.pop(row, None)
                if at is not None:
                    self._memory[at] = _FREE
                    self._free.append(at)

    def close(self) -> bool:
        """Close the file; tell whether all of its calls are in the ledger, so that the file is not needed any more."""
        with self._lock:
            self._memory.close()
            return not self._slots


class Left(NamedTuple):
    """What a killed load has left in its calls file."""

    journal_entries: list[JournalEntry]
    """Accepted calls and calls in doubt, in the input's order."""
    total: int | None
    """The least number of calls that the ledger had on record; None: that load made no call."""


def left_behind(path: Path, ledger: bytes, shown: Path | None = None) -> Left:
    """Return what a killed load has left. If the file is empty or incomplete, that load made no call.

    Messages call the file `shown`. Raises `SettingsError` if it is damaged, because calls that it has lost could be
    sent again.
    """
    shown = shown or path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Left([], None)
    except OSError as error:
        raise SettingsError(f"ledger file {shown}: cannot be read: {error.strerror or error}") from None
    if len(content) < _BEGIN or not (any(content[:OWN_HEADER]) or any(content[_BEGIN:])):
        return Left([], None)
    magic, owner, size = _HEADER.unpack_from(content)
    checksum, end = zlib.crc32(content[: _HEADER.size]), _BEGIN + size * _SLOT.size
    if checksum != _CHECKSUM.unpack_from(content, _HEADER.size)[0] or magic != _MAGIC or len(content) > end:
        raise damaged_calls(shown)
    if owner != ledger:
        set_aside(path, shown, "belongs to another ledger")
        return Left([], None)
    if len(content) < end:
        warn_of_loss(shown)
    slots = range(_BEGIN, min(end, len(content)) - _SLOT.size + 1, _SLOT.size)
    journal_entries = [_slot(shown, content, at) for at in slots]
    in_order = sorted(filter(None, journal_entries), key=itemgetter(0))
    return Left([one for _, one in in_order], _TOTAL.unpack_from(content, _TOTAL_AT)[0])


def _slot(shown: Path, content: bytes, at: int) -> tuple[int, JournalEntry] | None:
    """Return the row of a slot and the journal entry of its call; None if there is none."""
    state, doubted, length, checksum, row, key, step = _SLOT.unpack_from(content, at)
    if state == _FREE:
        return None
    step = step[:length]
    known = state in (_IN_FLIGHT, _ACCEPTED, _REFUSED) and doubted in (0, _DOUBTED) and length == len(step)
    if not known or checksum != _checksum(row, key, step):
        raise damaged_calls(shown)
    if state == _ACCEPTED:
        return row, (key, step, None, bool(doubted))
    return (row, (key, b"", Entry(key, step).after, False)) if state == _IN_FLIGHT else None


def _checksum(row: int, key: bytes, step: bytes) -> int:
    return zlib.crc32(key + step, (row ^ row >> 32 ^ len(step)) & 0xFFFF_FFFF)


def warn_of_loss(path: Path) -> None:
    """Log a warning that the file has lost calls."""
    logger.warning("ledger file %s: was cut short; calls that were in flight may be sent again, unmarked", path)


def forget(path: Path) -> None:
    """Write into the file that no call is in flight. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        file.truncate(_BEGIN)
        file.write(bytes(OWN_HEADER))


class RecordingTransport:
    """A transport whose calls are on record before they are sent."""

    def __init__(self, transport: Transport, in_flight: InFlight) -> None:
        self._transport = transport
        self._in_flight = in_flight

    def send(self, message: Message) -> Answer:
        """Make one call, on record."""
        if not self._in_flight.begin(message):
            return Answer.not_sent("abandoned", "the load had ended", 0.0)
        answer = self._transport.send(message)
        self._in_flight.end(message, answer)
        return answer

    def call_set(self) -> CallSet:
        """Return the calls of one thread, on record."""
        return _RecordedCalls(call_set_of(self._transport), self._in_flight)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class _RecordedCalls:
    """Calls of which each is on record before it is sent."""

    def __init__(self, call_set: CallSet, in_flight: InFlight) -> None:
        self._call_set, self._in_flight = call_set, in_flight
        self._refused: list[tuple[Message, Answer]] = []

    def reserve(self) -> bool:
        return self._call_set.reserve()

    def release(self) -> None:
        self._call_set.release()

    def begin(self, message: Message) -> None:
        if self._in_flight.begin(message):
            self._call_set.begin(message)
        else:
            self._call_set.release()
            self._refused.append((message, Answer.not_sent("abandoned", "the load had ended", 0.0)))

    def answers(self) -> list[tuple[Message, Answer]]:
        if self._refused:
            answers, self._refused = self._refused, []
            return answers
        answers = self._call_set.answers()
        for message, answer in answers:
            self._in_flight.end(message, answer)
        return answers
