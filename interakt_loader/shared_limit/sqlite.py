"""The SQLite files for the processes of one machine: a shared clock, and the file of declared limits (`MachineFile`).

The time is the wall clock's. Unlike the monotonic clock, it is the same for all processes, in containers too, and
continues after a reboot. It may be set: see `clock.reserved` for setting it back. Setting it forward costs at most the
slots that were reserved at that instant.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection
from contextlib import suppress
from functools import reduce
from pathlib import Path
from urllib.parse import unquote, urlsplit

from interakt_loader.privacy.files import OWNER_ONLY
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import (
    FORGET,
    Claim,
    ClockUnavailable,
    LastCall,
    NoClock,
    Pace,
    RateDiffers,
    SlotReservation,
    State,
    claimed,
    lower,
    reserved,
)

APPLICATION_ID = 0x494C_5348
"""Distinguishes our files from other SQLite databases."""

BUSY = 5.0
"""Seconds to wait while others use the file. Each uses it for a fraction of a millisecond."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS clocks (
    account BLOB PRIMARY KEY,
    rate TEXT NOT NULL,
    due INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
COMMIT;
"""


class SqliteClock:
    """The clock of one account in the file at the address `share`. The file is created if it does not exist."""

    def __init__(self, share: str, account: bytes, rate: Rate, pace: Pace) -> None:
        self._account, self._rate, self._pace = account, rate, pace
        try:
            self._db = sqlite3.connect(path_of(share), timeout=BUSY, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise ClockUnavailable(f"cannot be opened: {error}") from None
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise ClockUnavailable(f"cannot be used: {error}") from None
        except NoClock:
            self._db.close()
            raise

    def _open(self) -> None:
        db = self._db
        is_ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if not is_ours and db.execute("SELECT count(*) FROM sqlite_master WHERE name != 'clocks'").fetchone()[0]:
            raise NoClock("is some other SQLite database; choose another path")
        # stored in the file; a process that is killed leaves nothing to repair
        db.execute("PRAGMA journal_mode = WAL")
        # what a power cut destroys is out of date anyway
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)

    def reserve(self, count: int, hold: float = 0.0) -> SlotReservation:
        """Reserve slots, as `SharedClock.reserve` describes."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            try:
                now, here = time.time_ns() // 1000, time.monotonic()
                before = self._read(now)
                first, after = reserved(before, now, count, int(hold * 1e6), self._pace)
                row = (self._account, str(self._rate), *after)
                db.execute("INSERT OR REPLACE INTO clocks VALUES (?, ?, ?, ?)", row)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise ClockUnavailable(f"cannot be used: {error}") from None
        return SlotReservation(here + (first - now) / 1e6, self._pace.step / 1e6, count)

    def _read(self, now: int) -> State | None:
        found = self._db.execute("SELECT rate, due, at FROM clocks WHERE account = ?", (self._account,)).fetchone()
        if found is None or now > max(found[1:]) + FORGET * 1e6:
            return None
        if found[0] != str(self._rate):
            raise RateDiffers(self._rate, found[0])
        return State(*found[1:])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def path_of(share: str) -> Path:
    """Return the path in `sqlite:///PATH`. A fourth slash, as in SQLAlchemy's addresses, changes nothing."""
    path = "/" + unquote(urlsplit(share).path).lstrip("/")
    # on Windows, /C:/… is C:/…
    return Path(path[1:] if path[2:3] == ":" else path)


MACHINE_FILE = "limits.sqlite"
"""In the user's state folder."""

MACHINE_FILE_BUSY = 1.0
"""Seconds to wait while others use the file.

Each uses it for less than a millisecond. But on a busy machine a process may lose its turn while it has the lock. When
32 loads started at once on two cores, 0.2 s was too short for some of them.
"""

DECLARED_FOR = 10.0
"""Seconds after its last call for which a load's declared limit counts, also if the load was killed."""

FORGET_CALL = 7 * 24 * 3600.0
"""Seconds after which an account's last call is forgotten."""

_MACHINE_VERSION = 1

_MACHINE_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS last_calls (account BLOB PRIMARY KEY, slot REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS declared (
    account BLOB,
    process BLOB,
    calls REAL NOT NULL,
    seconds REAL NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (account, process)
) WITHOUT ROWID;
PRAGMA user_version = {_MACHINE_VERSION};
COMMIT;
"""

_LAST_CALL = "SELECT CAST(slot AS REAL), CAST(at AS REAL) FROM last_calls WHERE account = ?"

_OTHERS = """
SELECT CAST(calls AS REAL), CAST(seconds AS REAL) FROM declared
WHERE account = ? AND process != ? AND until BETWEEN ? AND ? AND calls > 0 AND seconds > 0 AND seconds / calls < 1e9
"""
"""Numbers that no load writes are ignored, so that a damaged one stops no load."""


class MachineFile:
    """The file, for one account. Opening it and claiming a call raise `ClockUnavailable` if it cannot be used."""

    def __init__(self, folder: Path, account: bytes) -> None:
        self._path = folder / MACHINE_FILE
        self._account = account
        self._process = os.urandom(8)
        # what the file says of this process, and until when
        self._declared: tuple[Rate, float] | None
        try:
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
                self._replace()
        except (sqlite3.Error, OSError) as error:
            raise ClockUnavailable(str(error)) from None

    def _open(self) -> None:
        self._declared = None
        # never open a file that exists: closing it would release the locks on it
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        self._db = sqlite3.connect(self._path, timeout=MACHINE_FILE_BUSY, isolation_level=None, check_same_thread=False)
        try:
            # what a crash destroys is out of date anyway, and a damaged file is replaced
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute("PRAGMA journal_mode = MEMORY")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != _MACHINE_VERSION:
                self._db.executescript(_MACHINE_SCHEMA)
            self._inode = self._path.stat().st_ino
            now = time.time()
            self._db.execute("DELETE FROM last_calls WHERE at < ?", (now - FORGET_CALL,))
            self._db.execute("DELETE FROM declared WHERE until < ?", (now,))
        except BaseException:
            self._db.close()
            raise

    def _replace(self) -> None:
        self._path.unlink(missing_ok=True)
        self._open()

    def _is_in_place(self) -> bool:
        """Return False if the file was deleted or replaced. Other processes then use another one."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def claim(self, rates: Collection[Rate]) -> Claim:
        """Claim the account's next call, under the limits of this process and of all others.

        Instants in the claim are monotonic seconds.
        """
        try:
            if not self._is_in_place():
                self._db.close()
                self._open()
            try:
                return self._claim(rates)
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
            self._db.close()
            self._replace()
            return self._claim(rates)
        except (sqlite3.Error, OSError) as error:
            raise ClockUnavailable(str(error)) from None

    def _claim(self, rates: Collection[Rate]) -> Claim:
        db, account = self._db, self._account
        db.execute("BEGIN IMMEDIATE")
        try:
            now, here = time.time(), time.monotonic()
            self._declare(reduce(lower, rates), now)
            found = db.execute(_LAST_CALL, (account,)).fetchone()
            others = db.execute(_OTHERS, (account, self._process, now, now + 2 * DECLARED_FOR))
            claim = claimed(LastCall(*found) if found else None, now, [*rates, *(Rate(*one) for one in others)])
            if claim.call is not None:
                db.execute("INSERT OR REPLACE INTO last_calls VALUES (?, ?, ?)", (account, *claim.call))
            db.execute("COMMIT")
        except BaseException:
            self._declared = None
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        to_monotonic = here - now
        call = claim.call and LastCall(claim.call.slot + to_monotonic, here)
        return Claim(call, claim.next_at + to_monotonic, claim.holds)

    def _declare(self, rate: Rate, now: float) -> None:
        """Tell the other processes the limit of this one."""
        before, until = self._declared or (None, 0.0)
        if before == rate and DECLARED_FOR / 2 < until - now <= DECLARED_FOR:
            return
        until = now + DECLARED_FOR
        self._db.execute(
            "INSERT OR REPLACE INTO declared VALUES (?, ?, ?, ?, ?)", (self._account, self._process, *rate, until)
        )
        self._declared = rate, until

    def abandon(self) -> None:
        """Close the file in a forked child. What is declared in it is its parent's."""
        self._db.close()

    def close(self) -> None:
        """Remove the limit that this process declared."""
        with suppress(sqlite3.Error):
            self._db.execute("DELETE FROM declared WHERE account = ? AND process = ?", (self._account, self._process))
        self._db.close()


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    """Return True if the file's content is the cause, and not the disk, a permission or another process."""
    return type(error) is sqlite3.DatabaseError or "no such" in str(error) or "has no column" in str(error)
