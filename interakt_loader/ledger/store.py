"""The ledger's file: SQLite, held by one load at a time, with a checksum at its end.

While a load runs, accepted calls are only appended to a journal, which costs the same however large the ledger is. At
the end of the load, or when the next one opens the ledger, they are merged into `calls` in one sweep.

All writes go to SQLite's log (`-wal`) first. Only `Store.seal` brings the log into the file, and then writes the *seal*
at its end: a checksum over the whole file. SQLite overwrites or cuts off the seal when it writes to the file. So a
damaged file is detected before anything is done with it. The log has checksums of its own, so that even while a load
runs the file is nearly always sealed.

The seal also tells whether a load is using the file. What that load records is in the log at first, and a copy of the
file alone lacks it.

A checksum over the file takes 0.03 s for a million calls. One for each row would take thirty times as long, and would
not detect a row that is lost or whose key is damaged.

The lock is on the file itself (`privacy.files`), so that all of its names, links included, lead to the same lock.
SQLite's own lock is not enough: POSIX drops all locks that a process has on a file when the process closes it anywhere.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from interakt_loader.errors import NotJustNow, SettingsError, option
from interakt_loader.ledger.digests import Known
from interakt_loader.model import DIGEST
from interakt_loader.privacy.files import OWNER_ONLY, FileLock, LockHeld, make_private

_SEAL = struct.Struct("<16sQI4s")
_MAGIC = b"interakt sealed\n"
_USED, _AT_REST = b"used", bytes(4)
"""The last bytes of a seal: whether a load is using the file."""

_BLOCK = 512
"""Each page of SQLite has a multiple of so many bytes; the seal is shorter."""

_CHUNK = 1 << 18


def has_seal(handle: int) -> bool:
    """Tell whether the file ends in a seal, valid or not: SQLite has not written to it since it was sealed."""
    return _end(handle)[:16] == _MAGIC


def is_whole(handle: int) -> bool:
    """Tell whether the file has not changed since it was sealed."""
    end = _end(handle)
    if end[:16] != _MAGIC or end[-4:] not in (_USED, _AT_REST):
        return False
    return end[:-4] == _seal_of(handle, os.fstat(handle).st_size - _SEAL.size)[:-4]


def is_used(handle: int) -> bool:
    """Tell whether the file's seal says that a load is using it."""
    return has_seal(handle) and _end(handle)[-4:] == _USED


def say_used(handle: int, *, used: bool) -> None:
    """Write into the seal whether a load is using the file. When this returns, it is on disk."""
    if is_used(handle) != used:
        os.lseek(handle, -4, os.SEEK_END)
        os.write(handle, _USED if used else _AT_REST)
        os.fsync(handle)


def seal(handle: int, *, used: bool = False) -> None:
    """Write the seal. When this returns, it is on disk."""
    size = os.fstat(handle).st_size // _BLOCK * _BLOCK
    made = _seal_of(handle, size, used=used)
    os.lseek(handle, size, os.SEEK_SET)
    while made:
        made = made[os.write(handle, made) :]
    os.ftruncate(handle, size + _SEAL.size)
    os.fsync(handle)


def state_of(handle: int) -> int:
    """Return a number that identifies this sealed state of the file, whether a load is using it or not."""
    return zlib.crc32(_end(handle)[:-4])


def _end(handle: int) -> bytes:
    os.lseek(handle, max(0, os.fstat(handle).st_size - _SEAL.size), os.SEEK_SET)
    return os.read(handle, _SEAL.size)


def _seal_of(handle: int, size: int, *, used: bool = False) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    checksum, left = 0, size
    while left > 0 and (chunk := os.read(handle, min(left, _CHUNK))):
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    return _SEAL.pack(_MAGIC, size, checksum, _USED if used else _AT_REST)


logger = logging.getLogger("interakt_loader")

ENDINGS = ("-calls", "", "-journal", "-wal")
"""The files of a ledger, in the order in which they are copied.

So the calls file is not newer than the calls on record. What is brought from the log into the ledger meanwhile is in
the copy of the log too.
"""

APPLICATION_ID = 0x494C_4447
"""Marks a database as one of these ledgers, also for the `file` command."""

VERSION = 2
"""Of the schema below. A ledger of another version is refused."""

CACHE = 4_000
"""KiB of pages that SQLite keeps in memory."""

LONGEST_LOG = 1 << 24
"""Bytes of SQLite's log above which it is brought into the file during the load."""

CALLS_HEADER, OWN_HEADER = 64, 48
"""Bytes of the header of the calls file, and of its first part.

The first part is about the calls, and is zero until there are calls. The second part tells which seal of the ledger's
file SQLite's log belongs to, and whether that file is being written, so that its seal cannot be valid.
"""

_SCHEMA = f"""
BEGIN EXCLUSIVE;
CREATE TABLE meta (id BLOB NOT NULL, total INTEGER NOT NULL, rows INTEGER NOT NULL);
INSERT INTO meta VALUES (randomblob(16), 0, 0);
CREATE TABLE calls (
    key BLOB PRIMARY KEY,
    state BLOB NOT NULL,
    doubt BLOB,
    maybe_duplicate INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    step BLOB NOT NULL,
    doubt BLOB,
    maybe_duplicate INTEGER NOT NULL
);
CREATE TABLE notes (
    topic BLOB NOT NULL,
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (topic, name)
) WITHOUT ROWID;
CREATE TABLE destinations (
    address BLOB PRIMARY KEY,
    wrapped BLOB NOT NULL,
    checksum BLOB NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - only our own numbers are put in

# A step that begins with a state is longer than one digest. It counts only if the ledger holds that state. An empty
# state matches nothing, and neither does a step that was inserted whole because the ledger held no state.
_MERGE = f"""
INSERT INTO calls (key, state, doubt, maybe_duplicate)
SELECT key, step, doubt, maybe_duplicate FROM journal WHERE true ORDER BY key, number
ON CONFLICT (key) DO UPDATE SET
    state = CASE
        WHEN excluded.doubt IS NOT NULL THEN calls.state
        WHEN length(excluded.state) <= {DIGEST} THEN excluded.state
        WHEN calls.state IN (substr(excluded.state, 1, {DIGEST}), substr(excluded.state, {DIGEST} + 1))
            THEN substr(excluded.state, {DIGEST} + 1)
        ELSE x''
    END,
    maybe_duplicate = CASE
        WHEN excluded.doubt IS NULL THEN excluded.maybe_duplicate ELSE calls.maybe_duplicate
    END,
    doubt = excluded.doubt
"""  # noqa: S608 - only our own number is put in

# Before a part merges its journal, it takes over what the ledger's file holds of the same keys.
_TAKE_OVER = """
INSERT OR IGNORE INTO main.calls
SELECT key, state, doubt, maybe_duplicate FROM base.calls WHERE key IN (SELECT key FROM journal)
"""

_FORGET = """
DELETE FROM calls WHERE state = x'' AND doubt IS NULL
AND key IN (SELECT key FROM journal WHERE step = x'' AND doubt IS NULL)
"""

_JOURNAL = "INSERT INTO journal (key, step, doubt, maybe_duplicate) VALUES (?, ?, ?, ?)"

_AT_A_TIME = 64
"""Journal entries of one statement. SQLite gives up Python's lock for each statement, and gets it back late in a load,
when other threads compute."""
_JOURNAL_AT_A_TIME = _JOURNAL + ", (?, ?, ?, ?)" * (_AT_A_TIME - 1)

JournalEntry = tuple[bytes, bytes, "bytes | None", bool]
"""A call that is put on record, or in doubt, or taken off the record.

Of an accepted call it is (key, step, None, maybe_duplicate), and of a call in doubt (key, b"", its state, False).
A user that comes off the record has (key, b"", None, False).
"""


_BASE = struct.Struct("<III")
"""The number of a sealed state, three times, the second time inverted: a damaged one is detected."""


DAMAGED_HINT = "delete it and record what was sent with `baseline`: without that all events are sent again"
"""What to do about a damaged ledger of which there is no copy."""


class _Marks(NamedTuple):
    """What the header of the calls file tells."""

    writing: bool
    """A load that did not end was writing to the ledger's file."""
    calls: bool
    """That load made calls."""
    base: bytes | None
    """The sealed state that SQLite's log belongs to; None: unknown."""


class Store:
    """One open ledger file. Raises `SettingsError` if it cannot be opened, and `sqlite3.Error` later on.

    Links are resolved first, and the files next to it are named after the resolved one. Messages call it `shown`.
    """

    def __init__(
        self,
        path: Path,
        shown: str | Path | None = None,
        *,
        creates: bool = True,
        hint: str = DAMAGED_HINT,
    ) -> None:
        """Open the file.

        Args:
            path: The file.
            shown: The name of the file in messages.
            creates: Create the file if it does not exist.
            hint: What to do about a damaged file, for messages.
        """
        self.path = Path(os.path.realpath(path))
        self.calls_path = _beside(self.path, "-calls")
        """The calls file: calls in flight. It exists from the opening on, and stays if the load does not end."""
        self.calls_shown = _beside(Path(os.path.realpath(shown or path)), "-calls")
        """The name of the calls file in messages."""
        self._log = _beside(self.path, "-wal")
        self._shown = shown or path
        self._hint = hint
        self._used = False
        self.has_base = False
        """Whether this file is a part of a ledger, which is attached as `base`."""
        try:
            with ExitStack() as undo:
                if creates and not self.path.exists():
                    self._make()
                self._lock = FileLock(self.path, creates=creates)
                undo.callback(self._lock.close)
                unfinished = self._is_unfinished()
                if not unfinished:
                    self.mark(writing=False)
                # SQLite creates the log with the permissions of the ledger
                for ending in ("", "-wal"):
                    make_private(f"{self.path}{ending}")
                # the path is absolute, so it is never taken for a URI; that of the base is one
                self.db = sqlite3.connect(
                    self.path, timeout=0.2, isolation_level=None, check_same_thread=False, uri=True
                )
                undo.callback(self._abandon)
                self._open(unfinished=unfinished)
                undo.pop_all()
        except LockHeld:
            raise self._in_use("load") from None
        except sqlite3.Error as error:
            raise self.unusable(error) from None
        except OSError as error:
            is_calls_file = str(error.filename) == str(self.calls_path) and self.calls_path.exists()
            name = f"file {self.calls_shown}" if is_calls_file else self._shown
            # another path for a ledger that exists would send its events again
            place = f"; say where it can be: {option('ledger', placeholder='PATH')}"
            hint = "" if is_calls_file or self.path.exists() else place
            raise SettingsError(f"ledger {name}: cannot be opened: {error.strerror or error}{hint}") from None

    def _make(self) -> None:
        """Create an empty file, and before it a calls file that tells so.

        Of several loads that begin at once, only one does this: a lock on the calls file keeps the others away. Files
        next to a missing ledger belong to a deleted one, and are removed. Raises `LockHeld`.
        """
        self._keep_off_calls()
        lock = FileLock(self.calls_path)
        try:
            if self.path.exists():
                return
            for ending in ("-wal", "-shm", "-journal"):
                _beside(self.path, ending).unlink(missing_ok=True)
            os.ftruncate(lock.handle, 0)
            self.mark(writing=True)
            self.path.touch(OWNER_ONLY)
        finally:
            lock.close()

    def _keep_off_calls(self) -> None:
        if self.calls_path.exists() and not self.calls_path.is_file():
            set_aside(self.calls_path, self.calls_shown, "is no file")

    def mark(self, *, writing: bool) -> None:
        """Write into the calls file, which is created if needed, whether the ledger's file is being written."""
        self._keep_off_calls()
        with os.fdopen(
            os.open(self.calls_path, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), OWNER_ONLY), "r+b"
        ) as file:
            if not file.seek(0, os.SEEK_END):
                file.write(bytes(CALLS_HEADER))
            file.seek(OWN_HEADER)
            file.write(bytes(_BASE.size) if writing else _base_of(self._lock.handle))
            file.seek(CALLS_HEADER - 1)
            file.write(bytes([writing]))
            file.flush()
            if writing:
                os.fsync(file.fileno())

    def _marks(self) -> _Marks:
        header = b""
        if self.calls_path.is_file():
            with self.calls_path.open("rb") as file:
                header = file.read(CALLS_HEADER)
        base = header[OWN_HEADER : OWN_HEADER + _BASE.size]
        return _Marks(any(header[CALLS_HEADER - 1 :]), any(header[:OWN_HEADER]), base if any(base) else None)

    def _open(self, *, unfinished: bool) -> None:
        db = self.db
        # other programs cannot use the file
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        # only `seal` writes to the file itself
        db.execute("PRAGMA wal_autocheckpoint = 0")
        # rows that the report calls sent are on disk, even if the power fails
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{CACHE}")
        if unfinished:
            self._check()
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(_SCHEMA)
        meta = db.execute("SELECT id, total + (SELECT count(*) FROM journal) FROM meta").fetchone()
        if meta is None:
            raise self.damaged("a record is missing")
        self.id: bytes = meta[0]
        """Identifies this ledger."""
        self.total: int = meta[1]
        """How many calls were put on record since it was created."""
        if unfinished:
            self.seal()

    def _abandon(self) -> None:
        """Close a file that cannot be used, without sealing it. SQLite may bring its log into it."""
        with suppress(OSError):
            if _size_of(self._log):
                self.mark(writing=True)
            elif not (self._marks().writing or self._marks().calls):
                self.calls_path.unlink(missing_ok=True)
        self.db.close()

    def _is_unfinished(self) -> bool:
        """Tell whether a load ended while it wrote to the file. Raises `SettingsError` if it is damaged, or no ledger.

        Such a load leaves its calls file, which tells its ledger from a damaged one.
        """
        handle = self._lock.handle
        os.lseek(handle, 0, os.SEEK_SET)
        header = os.read(handle, 100)
        self.was_replaced = False
        self.was_left = self.calls_path.is_file()
        """Whether the calls file existed before: a load was killed."""
        self.was_used = is_used(handle)
        """Whether the seal tells that a load was using the file, with or without its calls file."""
        whole, marks = is_whole(handle), self._marks()
        if not header:
            if marks.writing and not marks.calls:
                return True
            raise self.damaged("it is empty")
        if not header.startswith(b"SQLite format 3\0"):
            raise SettingsError(f"ledger {self._shown}: is no ledger, or a damaged one; choose another path")
        application, version = (int.from_bytes(header[at : at + 4], "big") for at in (68, 60))
        # a load has just begun to create it
        if application == 0 and marks.writing:
            return True
        if application != APPLICATION_ID:
            raise SettingsError(
                f"ledger {self._shown}: is some other SQLite database, or a damaged ledger; choose another path"
            )
        if version == 1 and not has_seal(handle):
            raise SettingsError(
                f"ledger {self._shown}: was made by an unreleased version of interakt_loader, and cannot be read; "
                "delete it, and record what was sent with `baseline`: without that all events are sent again"
            )
        if version > VERSION:
            newer = "was made by a newer interakt_loader; upgrade this one"
            raise SettingsError(f"ledger {self._shown}: {newer}" if whole else f"{self.damaged('')}, or {newer}")
        if not whole and not marks.writing:
            raise self.damaged("its checksum is wrong")
        self.was_replaced = whole and marks.base not in (None, _base_of(handle))
        """Whether a killed load had another file here: somebody has put back a copy."""
        if self.was_replaced and not _is_base(marks.base):
            raise damaged_calls(self.calls_shown)
        if self.was_replaced and _size_of(self._log):
            set_aside(self._log, self._log, "belongs to another state of the ledger")
        return not whole

    def _check(self) -> None:
        """Check a file without a valid checksum, because a load ended while it wrote to it."""
        db = self.db
        found = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        if not found:
            if self._marks().calls:
                raise self.damaged("its tables are missing")
            return
        with closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(_SCHEMA)
            if found != fresh.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall():
                raise self.damaged("its tables are not what they were")
        finding = db.execute("PRAGMA main.quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise self.damaged(" ".join(finding.split()))
        if db.execute("SELECT count(*) FROM calls").fetchone() != db.execute("SELECT rows FROM meta").fetchone():
            raise self.damaged("calls are missing")

    def damaged(self, what: str) -> SettingsError:
        """Return the error for a damaged ledger, with what to do about it."""
        return SettingsError(
            f"ledger {self._shown}: is damaged{what and f' ({what})'}, and nothing was sent; put back a copy of it, or "
            f"{self._hint}"
        )

    def _in_use(self, by: str) -> NotJustNow:
        return NotJustNow(
            f"ledger {self._shown}: is in use by another {by}; wait for it. If these are other rows, name this load: "
            f"{option('name', placeholder='NAME')}"
        )

    def unusable(self, error: sqlite3.Error) -> SettingsError:
        """Return the error to raise for one of SQLite's before the first call."""
        if "locked" in str(error):
            return self._in_use("program")
        if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
            return SettingsError(f"ledger {self._shown}: cannot be written: {error}")
        return self.damaged(str(error))

    @property
    def on_record(self) -> int:
        """How many users and events are on record, as of the last `merge`."""
        found: int = self.db.execute("SELECT rows FROM meta").fetchone()[0]
        return found

    def attach(self, base: Path) -> bytes:
        """Attach the ledger of which this file is a part, and return its id. Nobody may write to it from now on.

        It is read without locks and without its log, which belong to the load that has it. Raises `sqlite3.Error`.
        """
        self.db.execute("ATTACH ? AS base", (f"{base.as_uri()}?immutable=1",))
        self.has_base = True
        found: bytes = self.db.execute("SELECT id FROM base.meta").fetchone()[0]
        return found

    def append(self, journal_entries: Sequence[JournalEntry]) -> None:
        """Put accepted and doubted calls on record, in their order, in one transaction."""
        rest = len(journal_entries) // _AT_A_TIME * _AT_A_TIME
        with _transaction(self.db):
            for at in range(0, rest, _AT_A_TIME):
                some = journal_entries[at : at + _AT_A_TIME]
                self.db.execute(_JOURNAL_AT_A_TIME, [*chain.from_iterable(some)])
            self.db.executemany(_JOURNAL, journal_entries[rest:])
        self.total += len(journal_entries)
        if (_size_of(self._log) or 0) > LONGEST_LOG:
            # on a full disk everything is still in the log
            with suppress(sqlite3.Error, OSError):
                self.seal()

    def has_journal_entries(self) -> bool:
        """Tell whether calls are on record that are not merged yet."""
        return self.db.execute("SELECT 1 FROM journal LIMIT 1").fetchone() is not None

    def merge(self) -> None:
        """Merge the journal into `calls`."""
        if self.has_journal_entries():
            with _transaction(self.db):
                if self.has_base:
                    self.db.execute(_TAKE_OVER)
                self.db.execute(_MERGE)
                # a part takes no call off the record of its ledger
                if not self.has_base:
                    self.db.execute(_FORGET)
                self.db.execute(
                    "UPDATE meta SET total = total + (SELECT count(*) FROM journal), "
                    "rows = (SELECT count(*) FROM calls)"
                )
                self.db.execute("DELETE FROM journal")

    def absorb(self, parts: Iterable[Store], notes: Iterable[tuple[bytes, bytes, bytes]]) -> int:
        """Take in what other files hold, and write notes (topic, name, value), in one transaction.

        No key is in two of the files. Returns how many calls came in. They are merged at the next `merge`.
        """
        total = entries = 0
        with _transaction(self.db):
            for part in parts:
                calls = part.db.execute("SELECT key, state, doubt, maybe_duplicate FROM calls")
                self.db.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", calls)
                journal = part.db.execute("SELECT key, step, doubt, maybe_duplicate FROM journal ORDER BY number")
                done = self.db.executemany(_JOURNAL, journal)
                total += part.total
                entries += max(0, done.rowcount)
            self.db.execute(
                "UPDATE meta SET total = total + ?, rows = (SELECT count(*) FROM calls)", (total - entries,)
            )
            self.db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", notes)
        self.total += total
        return total

    def seal(self) -> None:
        """Bring the log into the file, and seal the file. Raises `sqlite3.Error` or `OSError`."""
        if _size_of(self._log) == 0 and has_seal(self._lock.handle):
            say_used(self._lock.handle, used=self._used)
            return
        self.mark(writing=True)
        busy = self.db.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise sqlite3.OperationalError("the file is being read")
        if has_seal(self._lock.handle):
            say_used(self._lock.handle, used=self._used)
        else:
            seal(self._lock.handle, used=self._used)
        self.mark(writing=False)

    def use(self) -> None:
        """Mark the file as used by a load, until that load has ended. Raises `OSError`."""
        self._used = True
        if has_seal(self._lock.handle):
            say_used(self._lock.handle, used=True)

    def is_in_place(self) -> bool:
        """Tell whether the ledger's files are still where they were."""
        return self._lock.is_in_place() and self._log.exists()

    def known(self, key: bytes) -> Known | None:
        """Return what is known of a key, as of the last `merge`."""
        for database in ("main", "base") if self.has_base else ("main",):
            found = self.db.execute(
                f"SELECT state, doubt, maybe_duplicate FROM {database}.calls WHERE key = ?",  # noqa: S608 - our own name
                (key,),
            ).fetchone()
            if found is not None:
                return Known(found[0], found[1], bool(found[2]))
        return None

    def notes(self, topic: bytes) -> dict[bytes, bytes]:
        """Return what was noted about a topic, by name."""
        return dict(self.db.execute("SELECT name, value FROM notes WHERE topic = ?", (topic,)))

    def note(self, topic: bytes, values: Mapping[bytes, bytes]) -> None:
        """Note values about a topic, by name; a value of the same name is replaced. Raises `SettingsError`."""
        rows = [(topic, name, value) for name, value in values.items()]
        try:
            with _transaction(self.db):
                self.db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self.unusable(error) from None

    def drop_notes(self, topic: bytes) -> None:
        """Remove all notes about a topic. Raises `sqlite3.Error`."""
        with _transaction(self.db):
            self.db.execute("DELETE FROM notes WHERE topic = ?", (topic,))

    @property
    def is_new(self) -> bool:
        """Whether no calls are on record, in its base neither, as of the last `merge`."""
        databases = ("main", "base") if self.has_base else ("main",)
        return not any(
            self.db.execute(f"SELECT 1 FROM {one}.calls LIMIT 1").fetchone()  # noqa: S608 - our own name
            for one in databases
        )

    def is_empty(self) -> bool:
        """Tell whether there are no calls and no notes, for any destination."""
        anything = (
            "SELECT 1 FROM calls UNION ALL SELECT 1 FROM journal UNION ALL SELECT 1 FROM notes WHERE value != x''"
        )
        return self.db.execute(f"{anything} LIMIT 1").fetchone() is None

    def destinations(self) -> dict[bytes, bytes]:
        """Return the wrapped secret of each address. Raises `SettingsError` if one of them is damaged or lost."""
        rows = self.db.execute("SELECT address, wrapped, checksum FROM destinations").fetchall()
        whole = all(isinstance(part, bytes) for row in rows for part in row)
        found = {address: wrapped for address, wrapped, _ in rows}
        if rows:
            whole = whole and {row[2] for row in rows} == {_checksum(found)}
        elif not self.is_empty():
            # the destination of a call is put on record before the call
            whole = False
        if not whole:
            raise self.damaged("the secret of an account is missing")
        return found

    def put_destination(self, address: bytes, wrapped: bytes | None) -> None:
        """Store the wrapped secret of an address, or remove it, and erase the former one from the disk.

        Each row has a checksum over all rows, so that a lost row is detected too.
        """
        kept = self.destinations()
        kept.pop(address, None)
        if wrapped is not None:
            kept[address] = wrapped
        checksum = _checksum(kept)
        erases = self.db.execute("PRAGMA secure_delete").fetchone()[0]
        self.db.execute("PRAGMA secure_delete = ON")
        with _transaction(self.db):
            self.db.execute("DELETE FROM destinations")
            rows = [(name, value, checksum) for name, value in kept.items()]
            self.db.executemany("INSERT INTO destinations VALUES (?, ?, ?)", rows)
        self.db.execute(f"PRAGMA secure_delete = {erases}")
        # on a full disk the next seal erases the former one
        with suppress(sqlite3.Error, OSError):
            self.seal()

    def close(self, *, finished: bool = False) -> None:
        """Seal the file, close it and release the lock. `finished`: all calls of the calls file are on record."""
        sealed = False
        with suppress(OSError):
            self._used = self._used and not finished and self._marks().calls
        # if that fails (full disk), it is done at the next opening
        with suppress(sqlite3.Error, OSError):
            if self._lock.is_in_place():
                self.seal()
                sealed = True
        self.db.close()
        with suppress(OSError):
            if sealed and (finished or not self._marks().calls):
                self.calls_path.unlink(missing_ok=True)
        self._lock.close()


def _base_of(handle: int) -> bytes:
    name = state_of(handle)
    return _BASE.pack(name, name ^ 0xFFFF_FFFF, name)


def _is_base(base: bytes | None) -> bool:
    if base is None or len(base) < _BASE.size:
        return False
    name, turned, again = _BASE.unpack(base)
    return bool(name == again == turned ^ 0xFFFF_FFFF)


def damaged_calls(path: Path) -> SettingsError:
    """Return the error for a damaged calls file, with what to do about it."""
    return SettingsError(
        f"ledger file {path}: is damaged, and it tells which calls were in flight when a load was killed; put back a "
        "copy, or delete it: then these calls, at most one for each worker, may be sent a second time"
    )


def set_aside(path: Path, shown: Path, reason: str) -> None:
    """Rename a file that does not belong to this ledger. Raises `OSError`."""
    number = 1
    while (other := _beside(path, f"-{number}")).exists():
        number += 1
    path.rename(other)
    logger.warning("ledger file %s: %s, and is set aside as %s", shown, reason, other.name)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _size_of(path: Path) -> int | None:
    """Return a file's size; None if it does not exist."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked for each group of answers, and a Path is slower
    except OSError:
        return None


def _checksum(wrapped_of: Mapping[bytes, bytes]) -> bytes:
    """Return a checksum of all destinations. It detects damage, not attacks."""
    parts = [part for item in sorted(wrapped_of.items()) for part in item]
    return blake2b(b"".join(parts), digest_size=DIGEST).digest()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # a full disk may have ended it already
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
