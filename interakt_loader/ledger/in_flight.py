"""The calls that are out at this instant, on record before they go.

A call that goes out is first written to a slot of a small file that is mapped into memory: that costs a fraction of a
microsecond, and what is in it outlives the process, however that ends. Its answer is noted in the same slot at once,
so after a `kill -9` just the calls that were really out are in doubt. A slot is freed when what it says has gone into
the ledger itself, some hundred calls at a time.

The file's blocks are there before the first call, so that a full disk cannot hurt it. Against a failing power supply
it does not help: then the calls of the last instants are not known to have gone out.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from pathlib import Path

from interakt_loader.errors import SettingsError
from interakt_loader.ledger.store import News
from interakt_loader.safety.private_files import OWNER_ONLY, make_private
from interakt_loader.wire import DIGEST, Answer, Entry, Message, Transport

_MAGIC = b"interakt calls 1"
_SLOT = struct.Struct(f"<BBB5xQ{DIGEST}s{2 * DIGEST}s")
"""What is so, whether it is doubted, length of the step, the row, the key, the step."""
_FREE, _OUT, _ACCEPTED, _REFUSED = range(4)


class InFlight:
    """Slots for `size` calls in the file at `path`. Thread-safe. Raises `SettingsError` when it cannot be had."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._slots: dict[int, int] = {}  # row → where its slot begins
        self._free = [len(_MAGIC) + number * _SLOT.size for number in range(size)]
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, OWNER_ONLY), "w+b") as file:
                make_private(file.fileno())
                file.write(_MAGIC + bytes(size * _SLOT.size))
                file.flush()
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
                slot = _SLOT.pack(_FREE, message.doubted, len(step), message.row, key, step)
                self._memory[at : at + _SLOT.size] = slot
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
            if answer.doubtful:
                self._memory[at + 1] = 1
            elif answer.accepted:
                self._memory[at] = _ACCEPTED
            else:
                self._memory[at] = _OUT if self._memory[at + 1] else _REFUSED

    def free(self, messages: list[Message]) -> None:
        """Free the slots of messages that the ledger now knows about, in the order in which they settled."""
        with self._lock:
            for message in messages:
                at = self._slots.pop(message.row, None)
                if at is not None:
                    self._memory[at] = _FREE
                    self._free.append(at)

    def close(self) -> None:
        """Give the file up; it goes too, unless a call of it is not accounted for."""
        with self._lock:
            self._memory.close()
            if not self._slots:
                self._path.unlink(missing_ok=True)


def left_behind(path: Path) -> list[News]:
    """Return what a load that was killed had in its slots: accepted and doubted calls, in the input's order."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SettingsError(f"ledger file {path}: cannot be read: {error.strerror or error}") from None
    if not content.startswith(_MAGIC):
        raise SettingsError(f"ledger file {path}: is something else; choose another ledger")
    whole = (len(content) - len(_MAGIC)) // _SLOT.size * _SLOT.size
    slots = sorted(_SLOT.iter_unpack(content[len(_MAGIC) : len(_MAGIC) + whole]), key=lambda slot: slot[3])
    news: list[News] = []
    for state, doubted, length, _row, key, step in slots:
        if state == _ACCEPTED:
            news.append((key, step[:length], None, bool(doubted)))
        elif state == _OUT:
            news.append((key, b"", Entry(key, step[:length]).after, False))
    return news


class RecordingTransport:
    """A transport whose calls are on record before they go."""

    def __init__(self, transport: Transport, in_flight: InFlight) -> None:
        self._transport = transport
        self._in_flight = in_flight

    def send(self, message: Message) -> Answer:
        """Make one call, on record."""
        if not self._in_flight.goes(message):
            return Answer(False, None, "abandoned", "the load had ended", False, False, 0.0, time.time())
        answer = self._transport.send(message)
        self._in_flight.came_back(message, answer)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
