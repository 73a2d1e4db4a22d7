"""The lock that keeps a ledger to one load at a time.

It is on the file itself, so each of its names, a link too, leads to the same lock. The system frees it when the process
ends, however that ends. SQLite's own lock is not enough: POSIX drops all locks that a process has on a file as soon as
anything in that process closes the file.

The seal at the end of a ledger's file: a checksum over all of it, by which damage is noticed.

The file is sealed whenever all that was written is in it. SQLite writes to its log (`-wal`) first, which has checksums
of its own, so even while a load runs the file is nearly always sealed. SQLite cuts the seal off, or writes over it,
when it brings the log into the file.

The seal also says whether a load is using the file: what that load records is in SQLite's log at first, so a copy of
the file alone lacks it.

A checksum over the file costs 0.03 s for a million calls; one for each row would cost thirty times that, and would miss
a row that is lost or whose key is damaged.

The ledger's file: SQLite, held by one load at a time.

While a load runs, what is accepted is only appended (`journal_entries`), which costs the same however large the ledger is; at
its end, or when the next load opens the ledger, it is sorted into `calls` in one sweep.

All that is written goes to SQLite's log (`-wal`) first. `Store.seal` alone brings it into the file, and puts a checksum
at its end (`seal`): so a damaged file is told from a sound one before anything is done with it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.ledger.digests import Known
from interakt_loader.model import DIGEST
from interakt_loader.privacy.files import OWNER_ONLY, FileLock, LockHeld, make_private

_SEAL = struct.Struct("<16sQI4s")
_MAGIC = b"interakt sealed\n"
_USED, _AT_REST = b"used", bytes(4)
"""The last bytes of a seal: a load is using the file, or none is."""

_BLOCK = 512
"""Bytes of which a page of SQLite has a multiple; the seal is shorter."""

_CHUNK = 1 << 18


def has_seal(handle: int) -> bool:
    """Tell whether the file ends in a seal, right or wrong: SQLite has changed nothing since it was made."""
    return _end(handle)[:16] == _MAGIC


def is_whole(handle: int) -> bool:
    """Tell whether the file ends in a seal, and is as it was when it was sealed."""
    end = _end(handle)
    if end[:16] != _MAGIC or end[-4:] not in (_USED, _AT_REST):
        return False
    return end[:-4] == _seal_of(handle, os.fstat(handle).st_size - _SEAL.size)[:-4]


def is_used(handle: int) -> bool:
    """Tell whether the file's seal says that a load is using it."""
    return has_seal(handle) and _end(handle)[-4:] == _USED


def say_used(handle: int, *, used: bool) -> None:
    """Have the seal say so. When this returns, it is on disk."""
    if is_used(handle) != used:
        os.lseek(handle, -4, os.SEEK_END)
        os.write(handle, _USED if used else _AT_REST)
        os.fsync(handle)


def seal(handle: int, *, used: bool = False) -> None:
    """Seal the file as it is. When this returns, the seal is on disk."""
    size = os.fstat(handle).st_size // _BLOCK * _BLOCK
    made = _seal_of(handle, size, used=used)
    os.lseek(handle, size, os.SEEK_SET)
    while made:
        made = made[os.write(handle, made) :]
    os.ftruncate(handle, size + _SEAL.size)
    os.fsync(handle)


def name_of(handle: int) -> int:
    """Return a number that tells this sealed state of the file from others, whether it is in use or not."""
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

APPLICATION_ID = 0x494C_4447
"""Tells SQLite's `file` magic and us that a database is one of these ledgers."""

VERSION = 2
"""Of the schema below; a ledger of another version is refused."""

CACHE = 16_000
"""KiB of pages that SQLite keeps in memory."""

LONGEST_LOG = 1 << 24
"""Bytes of SQLite's log from which on it is brought into the file in mid-load."""

CALLS_HEADER, OWN_HEADER = 64, 48
"""Bytes with which the file of calls begins, and how many of these are about the calls: they are zero until there are
calls. The others say what SQLite's log belongs to: the seal of the ledger's file, and whether that is being written, so
that its seal cannot be right."""

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
CREATE TABLE news (
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
"""  # noqa: S608 - numbers of ours are put in, nothing from outside

# A step that begins with a state (it is longer than one digest) counts only where that state is held. An empty state
# matches nothing; nor does a step that was put in whole because there was no state to begin with.
_MERGE = f"""
INSERT INTO calls (key, state, doubt, maybe_duplicate)
SELECT key, step, doubt, maybe_duplicate FROM news WHERE true ORDER BY key, number
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
"""  # noqa: S608 - a number of ours is put in, nothing from outside

JournalEntry = tuple[bytes, bytes, "bytes | None", bool]
"""(key, step, None, maybe_duplicate) of an accepted call; (key, b"", the state it led to, False) of a doubted one."""


_BASE = struct.Struct("<III")
"""The name of a sealed state, three times, the second time with all bits turned round: a damaged one is no name."""


class _Marks(NamedTuple):
    """What the file of calls says."""

    writing: bool
    """A load that has not ended was writing to the ledger's file."""
    calls: bool
    """It made calls."""
    base: bytes | None
    """The seal of the file that SQLite's log belongs to; None: nobody knows."""


class Store:
    """One open ledger file. Raises `SettingsError` when it cannot be had; `sqlite3.Error` later on.

    The file is the one that the path really leads to, and all that lies beside it goes by that file's name. `shown` is
    what messages call it.
    """

    def __init__(self, path: Path, shown: str | Path | None = None) -> None:
        self.path = Path(os.path.realpath(path))
        self.calls_path = _beside(self.path, "-calls")
        """Of the calls that are out. The file is there from the opening on: a load that has not ended leaves it."""
        self.calls_shown = _beside(Path(os.path.realpath(shown or path)), "-calls")
        """What messages call it."""
        self._log = _beside(self.path, "-wal")
        self._shown = shown or path
        self._used = False
        try:
            with ExitStack() as undo:
                if not self.path.exists():
                    self._make()
                self._lock = FileLock(self.path)
                undo.callback(self._lock.close)
                unfinished = self._is_unfinished()
                if not unfinished:
                    self.mark(writing=False)
                for ending in ("", "-wal"):  # SQLite makes the second with the rights that the first has
                    make_private(f"{self.path}{ending}")
                self.db = sqlite3.connect(self.path, timeout=0.2, isolation_level=None, check_same_thread=False)
                undo.callback(self._abandon)
                self._open(unfinished)
                undo.pop_all()
        except LockHeld:
            raise self._in_use("load") from None
        except sqlite3.Error as error:
            raise self.unusable(error) from None
        except OSError as error:
            is_of_calls = str(error.filename) == str(self.calls_path) and self.calls_path.exists()
            name = f"file {self.calls_shown}" if is_of_calls else self._shown
            raise SettingsError(f"ledger {name}: cannot be opened: {error.strerror or error}") from None

    def _make(self) -> None:
        """Make an empty file, and before it a file of calls that says so.

        Of several loads that begin at once, one does: a lock on the file of calls keeps the others away. What lies
        beside a ledger that is not there belongs to one that was deleted, and goes. Raises `LockHeld`.
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
        """See to it that the file of calls is there, and says whether the ledger's file is being written."""
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

    def _open(self, unfinished: bool) -> None:
        db = self.db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps other programs out
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")  # the file itself is written by `seal` alone
        db.execute("PRAGMA synchronous = FULL")  # what a report says was sent is on disk, even if the power fails
        db.execute(f"PRAGMA cache_size = -{CACHE}")
        if unfinished:
            self._check()
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(_SCHEMA)
        meta = db.execute("SELECT id, total + (SELECT count(*) FROM news) FROM meta").fetchone()
        if meta is None:
            raise self.damaged("a record is missing")
        self.id: bytes = meta[0]
        """Tells this ledger from others."""
        self.total: int = meta[1]
        """How many calls were put on record since it was made."""
        if unfinished:
            self.seal()

    def _abandon(self) -> None:
        """Close a file that cannot be used, without a seal. SQLite may bring its log into it."""
        with suppress(OSError):
            if _size_of(self._log):
                self.mark(writing=True)
            elif not (self._marks().writing or self._marks().calls):
                self.calls_path.unlink(missing_ok=True)
        self.db.close()

    def _is_unfinished(self) -> bool:
        """Tell whether a load ended while it wrote to the file. Raises `SettingsError` if it is damaged, or no ledger.

        The file that such a load leaves for its calls tells it from a damaged one.
        """
        handle = self._lock.handle
        os.lseek(handle, 0, os.SEEK_SET)
        header = os.read(handle, 100)
        self.was_replaced = False
        self.was_left = self.calls_path.is_file()
        """Whether the file of calls was there before: a load has not come to its end."""
        self.was_used = is_used(handle)
        """Whether the file itself says so, with that file beside it or not."""
        whole, marks = is_whole(handle), self._marks()
        if not header:
            if marks.writing and not marks.calls:
                return True
            raise self.damaged("it is empty")
        if not header.startswith(b"SQLite format 3\0"):
            raise SettingsError(f"ledger {self._shown}: is no ledger, or a damaged one; choose another path")
        application, version = (int.from_bytes(header[at : at + 4], "big") for at in (68, 60))
        if application == 0 and marks.writing:  # a load has just begun to make it
            return True
        if application != APPLICATION_ID:
            said = "is some other SQLite database, or a damaged ledger; choose another path"
            raise SettingsError(f"ledger {self._shown}: {said}")
        if version == 1 and not has_seal(handle):
            raise SettingsError(
                f"ledger {self._shown}: was made by an unreleased version of interakt_loader, and cannot be read; "
                "delete it, and record what was sent with `baseline`: without that all events go out again"
            )
        if version > VERSION:
            said = "was made by a newer interakt_loader; upgrade this one"
            raise SettingsError(f"ledger {self._shown}: {said}" if whole else f"{self.damaged('')}, or {said}")
        if not whole and not marks.writing:
            raise self.damaged("its checksum is wrong")
        self.was_replaced = whole and marks.base not in (None, _base_of(handle))
        """Whether a load that has not come to its end had another file here: a copy was put back."""
        if self.was_replaced and not _is_base(marks.base):
            raise damaged_calls(self.calls_shown)
        if self.was_replaced and _size_of(self._log):
            set_aside(self._log, self._log, "belongs to another state of the ledger")
        return not whole

    def _check(self) -> None:
        """Look over a file whose checksum cannot be right, because a load ended while it wrote to it."""
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
        said = db.execute("PRAGMA main.quick_check(1)").fetchone()[0]
        if said != "ok":
            raise self.damaged(" ".join(said.split()))
        if db.execute("SELECT count(*) FROM calls").fetchone() != db.execute("SELECT rows FROM meta").fetchone():
            raise self.damaged("calls are missing")

    def damaged(self, what: str) -> SettingsError:
        """Return the error that says so, and what to do."""
        return SettingsError(
            f"ledger {self._shown}: is damaged{what and f' ({what})'}, and nothing was sent; put back a copy of it, or "
            "delete it and record what was sent with `baseline`: without that all events go out again"
        )

    def _in_use(self, by: str) -> NotJustNow:
        said = f"is in use by another {by}; wait for it, or give this one a ledger of its own"
        return NotJustNow(f"ledger {self._shown}: {said}")

    def unusable(self, error: sqlite3.Error) -> SettingsError:
        """Return what to say of an error that came before the first call."""
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

    def append(self, journal_entries: Iterable[JournalEntry]) -> None:
        """Put accepted and doubted calls on record, in their order, in one transaction."""
        with _transaction(self.db):
            done = self.db.executemany(
                "INSERT INTO news (key, step, doubt, maybe_duplicate) VALUES (?, ?, ?, ?)", journal_entries
            )
        self.total += max(0, done.rowcount)
        if (_size_of(self._log) or 0) > LONGEST_LOG:
            with suppress(sqlite3.Error, OSError):  # a full disk: the log has it all
                self.seal()

    def has_journal_entries(self) -> bool:
        """Tell whether calls are on record that are not sorted in yet."""
        return self.db.execute("SELECT 1 FROM news LIMIT 1").fetchone() is not None

    def merge(self) -> None:
        """Sort in what was appended."""
        if self.has_journal_entries():
            with _transaction(self.db):
                self.db.execute(_MERGE)
                self.db.execute(
                    "UPDATE meta SET total = total + (SELECT count(*) FROM news), rows = (SELECT count(*) FROM calls)"
                )
                self.db.execute("DELETE FROM news")

    def seal(self) -> None:
        """Bring all that was written into the file itself, and seal that. Raises `sqlite3.Error` or `OSError`."""
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
        """Have the file say that a load is using it, until that load has ended. Raises `OSError`."""
        self._used = True
        if has_seal(self._lock.handle):
            say_used(self._lock.handle, used=True)

    def is_in_place(self) -> bool:
        """Tell whether the ledger's files are still where they were."""
        return self._lock.is_in_place() and self._log.exists()

    def known(self, key: bytes) -> Known | None:
        """Return what is known of a key, as of the last `merge`."""
        found = self.db.execute("SELECT state, doubt, maybe_duplicate FROM calls WHERE key = ?", (key,)).fetchone()
        return None if found is None else Known(found[0], found[1], bool(found[2]))

    def notes(self, topic: bytes) -> dict[bytes, bytes]:
        """Return what was noted about a topic, by name."""
        return dict(self.db.execute("SELECT name, value FROM notes WHERE topic = ?", (topic,)))

    def note(self, topic: bytes, values: Mapping[bytes, bytes]) -> None:
        """Note values about a topic, by name; one of the same name is replaced. Raises `SettingsError`."""
        rows = [(topic, name, value) for name, value in values.items()]
        try:
            with _transaction(self.db):
                self.db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self.unusable(error) from None

    def is_empty(self) -> bool:
        """Return whether no call is on record and nothing is noted, of whichever destination."""
        anything = "SELECT 1 FROM calls UNION ALL SELECT 1 FROM news UNION ALL SELECT 1 FROM notes WHERE value != x''"
        return self.db.execute(f"{anything} LIMIT 1").fetchone() is None

    def destinations(self) -> dict[bytes, bytes]:
        """Return the wrapped secret of each address. Raises `SettingsError` where one of them is damaged or lost."""
        rows = self.db.execute("SELECT address, wrapped, checksum FROM destinations").fetchall()
        whole = all(isinstance(part, bytes) for row in rows for part in row)
        found = {address: wrapped for address, wrapped, _ in rows}
        if rows:
            whole = whole and {row[2] for row in rows} == {_checksum(found)}
        elif not self.is_empty():
            whole = False  # no call is put on record before the destination that it belongs to
        if not whole:
            raise self.damaged("the secret of an account is missing")
        return found

    def put_destination(self, address: bytes, wrapped: bytes | None) -> None:
        """Keep the wrapped secret of an address, or none, and leave no byte of the one before on the disk.

        The checksum, which each row has, is over all rows: a row that is lost is noticed too.
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
        with suppress(sqlite3.Error, OSError):  # a full disk: the one before goes with the next seal
            self.seal()

    def close(self, *, finished: bool = False) -> None:
        """Seal the file, close it and let go of the lock. `finished`: what is in the file of calls is on record."""
        sealed = False
        with suppress(OSError):
            self._used = self._used and not finished and self._marks().calls
        with suppress(sqlite3.Error, OSError):  # what a full disk forbids now is done at the next opening
            if self._lock.is_in_place():
                self.seal()
                sealed = True
        self.db.close()
        with suppress(OSError):
            if sealed and (finished or not self._marks().calls):
                self.calls_path.unlink(missing_ok=True)
        self._lock.close()


def _base_of(handle: int) -> bytes:
    name = name_of(handle)
    return _BASE.pack(name, name ^ 0xFFFF_FFFF, name)


def _is_base(base: bytes | None) -> bool:
    if base is None or len(base) < _BASE.size:
        return False
    name, turned, again = _BASE.unpack(base)
    return bool(name == again == turned ^ 0xFFFF_FFFF)


def damaged_calls(path: Path) -> SettingsError:
    """Return the error that says that a file of calls is damaged, and what to do."""
    return SettingsError(
        f"ledger file {path}: is damaged, and it says which calls were out when a load was killed; put back a copy, or "
        "delete it: then these calls, at most one for each worker, may go out a second time"
    )


def set_aside(path: Path, shown: Path, reason: str) -> None:
    """Rename what lies at the path of a file of calls and is none of this ledger. Raises `OSError`."""
    number = 1
    while (other := _beside(path, f"-{number}")).exists():
        number += 1
    path.rename(other)
    logger.warning("ledger file %s: %s, and is set aside as %s", shown, reason, other.name)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _size_of(path: Path) -> int | None:
    """Return a file's size; None: it is not there."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked for each group of answers, and a Path is slower
    except OSError:
        return None


def _checksum(wrapped_of: Mapping[bytes, bytes]) -> bytes:
    """Return a checksum of all destinations: against damage, not against attackers."""
    parts = [part for item in sorted(wrapped_of.items()) for part in item]
    return blake2b(b"".join(parts), digest_size=DIGEST).digest()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise
