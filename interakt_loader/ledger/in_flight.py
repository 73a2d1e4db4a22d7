"""The calls that are out at this instant, on record before they go.

A call that goes out is first written to a slot of a small file that is mapped into memory: that costs a fraction of a
microsecond, and what is in it outlives the process, however that ends. Its answer is noted in the same slot at once,
so after a `kill -9` just the calls that were really out are in doubt. A slot is freed when what it says has gone into
the ledger itself, some hundred calls at a time.

The file's blocks are there before the first call, so that a full disk cannot hurt it. After a power cut the calls of
the last instants may not be known to have gone out.

The file is there as long as a load has the ledger, with nothing but zeros until the first call (`Store` makes it).
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
from interakt_loader.ledger.store import (
    CALLS_HEADER,
    OWN_HEADER,
    JournalEntry,
    damaged_calls,
    set_aside,
)
from interakt_loader.model import (
    DIGEST,
    Answer,
    Entry,
    Message,
    Transport,
)
from interakt_loader.privacy.files import OWNER_ONLY, make_private
from interakt_loader.sending.retry_policy import in_doubt

logger = logging.getLogger("interakt_loader")

_MAGIC = b"interakt calls 2"
_HEADER = struct.Struct("<16s16sI")
"""The magic, the ledger's id, how many slots there are. A checksum of these follows, then the count of `recorded`."""
_CHECKSUM = struct.Struct("<I")
_TOTAL = struct.Struct("<Q")
_TOTAL_AT = _HEADER.size + _CHECKSUM.size
_BEGIN = CALLS_HEADER
"""Where the slots begin."""

_SLOT = struct.Struct(f"<BBBxIQ{DIGEST}s{2 * DIGEST}s")
"""What is so, whether it is doubted, length of the step, a checksum of what follows, the row, the key, the step."""

# each differs from any other in four bits, so that one that is damaged is none of them
_FREE, _OUT, _ACCEPTED, _REFUSED = 0, 0x35, 0x56, 0x63
_DOUBTED = 0x0F


class InFlight:
    """Slots for `size` calls in the file at `path`. Thread-safe. Raises `SettingsError` when it cannot be had.

    `ledger` is the ledger's id, `total` how many calls it has on record.
    """

    def __init__(self, path: Path, size: int, ledger: bytes, total: int = 0) -> None:
        self._lock = threading.Lock()
        self._slots: dict[int, int] = {}  # row → where its slot begins
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
                file.seek(0)  # a header says that all of the file is there
                file.write(header)
                file.flush()
                os.fsync(file.fileno())
                self._memory = mmap.mmap(file.fileno(), 0)
        except OSError as error:
            raise SettingsError(f"ledger file {path}: cannot be written: {error.strerror or error}") from None

    def goes(self, message: Message) -> bool:
        """Put on record that the message's call goes out next; False: the load has ended, and it must not."""
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
            self._memory[at] = _OUT  # last, and in one go: a slot is never half true
        return True

    def came_back(self, message: Message, answer: Answer) -> None:
        """Note the answer. A doubted call stays out for as long as no later try of it is accepted."""
        if message.entry is None:
            return
        with self._lock:
            at = self._slots.get(message.row)
            if at is None or self._memory.closed:  # the load ended without waiting for this answer
                return
            if not answer.accepted and in_doubt(answer):
                self._memory[at + 1] = _DOUBTED
            elif answer.accepted:
                self._memory[at] = _ACCEPTED
            else:
                self._memory[at] = _OUT if self._memory[at + 1] else _REFUSED

    def recorded(self, rows: list[int], total: int) -> None:
        """Free the slots of rows that the ledger now knows, in the order in which they settled.

        `total` says how many calls it has on record with these: by that, lost ones are noticed.
        """
        with self._lock:
            self._memory[_TOTAL_AT : _TOTAL_AT + _TOTAL.size] = _TOTAL.pack(total)
            for row in rows:
                at = self._slots.pop(row, None)
                if at is not None:
                    self._memory[at] = _FREE
                    self._free.append(at)

    def close(self) -> bool:
        """Give the file up; tell whether all of its calls are accounted for, so that nobody needs it any more."""
        with self._lock:
            self._memory.close()
            return not self._slots


class Left(NamedTuple):
    """What a load that was killed has left in its file."""

    journal_entries: list[JournalEntry]
    """Accepted and doubted calls, in the input's order."""
    total: int | None
    """How many calls the ledger had on record at least; None: that load made no call."""


def left_behind(path: Path, ledger: bytes, shown: Path | None = None) -> Left:
    """Return what a load that was killed has left. A file that is empty or not complete is of one that made no call.

    Messages call it `shown`. Raises `SettingsError` if the file is damaged: calls that it does not tell of could go out
    again.
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
    """Return the row of a slot, and what is known of its call; None: nothing."""
    state, doubted, length, checksum, row, key, step = _SLOT.unpack_from(content, at)
    if state == _FREE:
        return None
    step = step[:length]
    known = state in (_OUT, _ACCEPTED, _REFUSED) and doubted in (0, _DOUBTED) and length == len(step)
    if not known or checksum != _checksum(row, key, step):
        raise damaged_calls(shown)
    if state == _ACCEPTED:
        return row, (key, step, None, bool(doubted))
    return (row, (key, b"", Entry(key, step).after, False)) if state == _OUT else None


def _checksum(row: int, key: bytes, step: bytes) -> int:
    return zlib.crc32(key + step, (row ^ row >> 32 ^ len(step)) & 0xFFFF_FFFF)


def warn_of_loss(path: Path) -> None:
    """Say that the file does not hold all that it held."""
    logger.warning("ledger file %s: was cut short; calls that were out may go out again, unmarked", path)


def forget(path: Path) -> None:
    """Make the file say that no call is out. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        file.truncate(_BEGIN)
        file.write(bytes(OWN_HEADER))


class RecordingTransport:
    """A transport whose calls are on record before they go."""

    def __init__(self, transport: Transport, in_flight: InFlight) -> None:
        self._transport = transport
        self._in_flight = in_flight

    def send(self, message: Message) -> Answer:
        """Make one call, on record."""
        if not self._in_flight.goes(message):
            return Answer.not_sent("abandoned", "the load had ended", 0.0)
        answer = self._transport.send(message)
        self._in_flight.came_back(message, answer)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
