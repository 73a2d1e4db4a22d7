"""What was read of an account, in a folder beside the output. A reading that was killed goes on from there.

The folder is its owner's alone. It has the contacts as JSON lines, and a journal with a line for each window that was
read completely: where its contacts are in the file. Only these windows count. So a line that was cut off does no harm.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from interakt_loader.account.contacts import Contact
from interakt_loader.account.windows import Reading, Window
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.model import destination
from interakt_loader.privacy.files import FileLock, LockHeld, open_private
from interakt_loader.settings import Settings

_VERSION = 1


class _Segment(NamedTuple):
    """Where the contacts of a window are in the file."""

    window: Window
    begin: int
    end: int
    is_late: bool


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
            raise NotJustNow(f"{folder}: another process reads this account to there") from None
        except OSError as error:
            raise SettingsError(f"{folder}: cannot be written: {error.strerror or error}") from None
        self._contacts, self._journal = folder / "contacts.jsonl", folder / "windows.jsonl"
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
        lines = self._journal.read_bytes().split(b"\n")[:-1]
        entries = [_read(line) for line in lines]
        head = entries[0] if entries else None
        if head is None or head.get("version") != _VERSION or head.get("since") != since:
            return False
        if head["account"] != _digest(settings, bytes.fromhex(head["salt"])):
            return False
        self.past = head["past"]
        for one in entries[1:]:
            # what comes after a damaged line is not known
            if one is None:
                break
            self._segments.append(_Segment(Window(one["since"], one["until"]), one["begin"], one["end"], is_late=False))
        return True

    @property
    def done(self) -> list[Window]:
        """The windows that need not be read again."""
        return [one.window for one in self._segments if not one.is_late]

    def add(self, reading: Reading) -> None:
        """Keep the contacts of a window."""
        begin = self._file.seek(0, os.SEEK_END)
        for contact in reading.contacts:
            self._file.write(json.dumps(contact, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._file.flush()
        end = self._file.tell()
        self._segments.append(_Segment(reading.window, begin, end, reading.is_late))
        if not reading.is_complete:
            self.incomplete.append(reading.window)
        elif not reading.is_late:
            os.fsync(self._file.fileno())
            entry = {"since": reading.window.since, "until": reading.window.until, "begin": begin, "end": end}
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
                yield Contact(*json.loads(file.readline().decode("utf-8", "surrogatepass")))

    def close(self) -> None:
        """End the reading. It can go on later."""
        self._file.close()
        self._lock.close()

    def remove(self) -> None:
        """End the reading, and delete its folder."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _digest(settings: Settings, salt: bytes) -> str:
    account = destination(settings.base_url, settings.require_key())
    return blake2b(account.encode(), key=salt, digest_size=16).hexdigest()


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
