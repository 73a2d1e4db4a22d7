"""What was read of an account, in a folder beside the output. A reading that was killed continues from there.

The folder is its owner's alone. It has the contacts as JSON lines, and a journal with a line for each window that was
read completely: where its contacts are in the file. Only these windows count. So a line that was cut off does no harm.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from interakt_loader.account.contacts import Contact, written_time
from interakt_loader.account.windows import SECOND, Reading, Window, joined
from interakt_loader.errors import NotJustNow, RecordBroken, SettingsError
from interakt_loader.model import destination
from interakt_loader.privacy.files import FileLock, LockHeld, open_private
from interakt_loader.settings import Settings

_VERSION = 1

LONGEST_KEPT = 86_400 * SECOND
"""Microseconds for which a reading is kept. Contacts that are deleted meanwhile are not noticed."""


class _Segment(NamedTuple):
    """Where the contacts of a window are in the file."""

    window: Window
    begin: int
    end: int
    is_late: bool
    rows: int
    """How many there are."""


class KeptReading:
    """A reading of an account in a folder. `close` ends it, and `remove` deletes the folder.

    Raises `NotJustNow` if another process has it, and `SettingsError` if it cannot be written.
    """

    def __init__(self, folder: Path, settings: Settings, since: int, past: int) -> None:
        """`since` is where the reading begins. `past` is where its windows in the past end, if it begins now."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = FileLock(folder / "lock")
        except LockHeld:
            raise NotJustNow(f"{folder}: another process reads an account to there") from None
        except OSError as error:
            raise SettingsError(f"{folder}: cannot be written: {error.strerror or error}") from None
        try:
            self._open(settings, since, past)
        except OSError as error:
            self._lock.close()
            raise SettingsError(f"{folder}: cannot be written: {error.strerror or error}") from None

    def _open(self, settings: Settings, since: int, past: int) -> None:
        self._folder.chmod(0o700)
        self._contacts, self._journal = self._folder / "contacts.jsonl", self._folder / "windows.jsonl"
        self._segments: list[_Segment] = []
        self.past = past
        self.incomplete: list[Window] = []
        """Windows of which some contacts may be missing."""
        if not self._continue(settings, since):
            self._begin(settings, since)
        self._file = self._contacts.open("ab")

    def _begin(self, settings: Settings, since: int) -> None:
        salt = os.urandom(16)
        head = {"version": _VERSION, "account": _digest(settings, salt), "salt": salt.hex(), "since": since}
        with open_private(self._contacts):
            pass
        with open_private(self._journal) as file:
            file.write(json.dumps(head | {"past": self.past}).encode() + b"\n")

    def _continue(self, settings: Settings, since: int) -> bool:
        """Take over what an earlier process has read of the same account; return whether there is anything."""
        if not self._journal.exists() or not self._contacts.exists():
            return False
        whole = self._journal.read_bytes().rpartition(b"\n")[0]
        size = self._contacts.stat().st_size
        try:
            head, *entries = (json.loads(line) for line in whole.split(b"\n"))
            if head["version"] != _VERSION or head["since"] != since:
                return False
            if head["account"] != _digest(settings, bytes.fromhex(head["salt"])):
                return False
            past = int(head["past"])
            if self.past - past > LONGEST_KEPT:
                return False
            found = [
                _Segment(
                    Window(int(one["since"]), int(one["until"])),
                    int(one["begin"]),
                    int(one["end"]),
                    is_late=False,
                    rows=int(one["rows"]),
                )
                for one in entries
            ]
        # it is damaged
        except (ValueError, KeyError, TypeError):
            return False
        self.past, self._segments = past, [one for one in found if one.end <= size]
        os.truncate(self._journal, len(whole) + 1)
        return True

    @property
    def done(self) -> list[Window]:
        """The windows that need not be read again."""
        return [one.window for one in self._segments if not one.is_late]

    @property
    def count(self) -> int:
        """How many contacts there are. Those that changed meanwhile may count twice."""
        return sum(one.rows for one in self._segments)

    def incomplete_spans(self) -> list[tuple[str, str | None]]:
        """Return where and until when contacts may be missing, as times in UTC; None: there is no end."""
        return [
            (written_time(since), None if until is None else written_time(until))
            for since, until in joined(self.incomplete)
        ]

    def add(self, reading: Reading) -> None:
        """Keep the contacts of a window. Raises `RecordBroken`."""
        try:
            self._add(reading)
        except OSError as error:
            raise RecordBroken(f"{self._folder}: cannot be written: {error.strerror or error}") from None

    def _add(self, reading: Reading) -> None:
        begin = self._file.seek(0, os.SEEK_END)
        for contact in reading.contacts:
            self._file.write(json.dumps(contact, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        end = self._file.tell()
        rows = len(reading.contacts)
        self._segments.append(_Segment(reading.window, begin, end, reading.is_late, rows))
        if not reading.is_complete:
            self.incomplete.append(reading.window)
        elif not reading.is_late:
            os.fsync(self._file.fileno())
            place = {"begin": begin, "end": end, "rows": rows}
            entry = {"since": reading.window.since, "until": reading.window.until} | place
            with self._journal.open("ab") as file:
                file.write(json.dumps(entry).encode() + b"\n")

    def contacts(self) -> Iterator[Contact]:
        """Yield each contact once, in its last state."""
        # few: those that changed while the account was read
        late: dict[str, int] = {}
        for segment in self._segments:
            if segment.is_late:
                for contact in self._read(segment):
                    late[contact.id] = max(contact.modified, late.get(contact.id, 0))
        for segment in self._segments:
            for contact in self._read(segment):
                newest = late.get(contact.id)
                if newest is None:
                    yield contact
                elif contact.modified == newest:
                    # it is given once
                    late[contact.id] = -1
                    yield contact

    def _read(self, segment: _Segment) -> Iterator[Contact]:
        with self._contacts.open("rb") as file:
            file.seek(segment.begin)
            while file.tell() < segment.end:
                yield Contact(*json.loads(file.readline()))

    def close(self) -> None:
        """End the reading. It can continue later."""
        # on a full disk, what could not be written before
        with suppress(OSError):
            self._file.close()
        self._lock.close()

    def remove(self) -> None:
        """End the reading, and delete its folder."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _digest(settings: Settings, salt: bytes) -> str:
    account = destination(settings.base_url, settings.require_key())
    return blake2b(account.encode(), key=salt, digest_size=16).hexdigest()
