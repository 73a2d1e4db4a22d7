"""The last call of each account, and the limits that running loads declare: a file that the loads of a machine share.

Each claim is one short transaction, so a process that is killed holds nothing. The time is the wall clock's, which is
the same in all processes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection
from contextlib import suppress
from functools import reduce
from pathlib import Path

from interakt_loader.safety.private_files import OWNER_ONLY
from interakt_loader.settings.values import Rate
from interakt_loader.share.clock import ShareAway
from interakt_loader.share.spacing import Claim, LastCall, claimed, lower

NAME = "limits.sqlite"
"""In the user's state folder."""

BUSY = 0.2
"""Seconds to wait for others who have the file: each has it for less than a millisecond."""

DECLARED_FOR = 10.0
"""Seconds after its last call for which a declared limit counts: so long one that was killed slows the others."""

FORGET = 7 * 24 * 3600.0
"""Seconds after which an account's last call is forgotten."""

_VERSION = 1

_SCHEMA = f"""
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
PRAGMA user_version = {_VERSION};
COMMIT;
"""

_LAST_CALL = "SELECT CAST(slot AS REAL), CAST(at AS REAL) FROM last_calls WHERE account = ?"

_OTHERS = """
SELECT CAST(calls AS REAL), CAST(seconds AS REAL) FROM declared
WHERE account = ? AND process != ? AND until BETWEEN ? AND ? AND calls > 0 AND seconds > 0 AND seconds / calls < 1e9
"""
"""What no load writes is left out: a damaged number must not hold anybody up."""


class MachineFile:
    """The file, for one account. To open it, or to claim a call, raises `ShareAway` if it cannot be used."""

    def __init__(self, folder: Path, account: bytes) -> None:
        self._path = folder / NAME
        self._account = account
        self._process = os.urandom(8)
        self._declared: tuple[Rate, float] | None  # what stands in the file, and until when
        try:
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
                self._replace()
        except (sqlite3.Error, OSError) as error:
            raise ShareAway(str(error)) from None

    def _open(self) -> None:
        self._declared = None
        with suppress(FileExistsError):  # never open one that is there: closing it would end the locks on it
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        self._db = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            # what a crash can take away is out of date anyway, and a damaged file is replaced
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute("PRAGMA journal_mode = MEMORY")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                self._db.executescript(_SCHEMA)
            self._inode = self._path.stat().st_ino
            now = time.time()
            self._db.execute("DELETE FROM last_calls WHERE at < ?", (now - FORGET,))
            self._db.execute("DELETE FROM declared WHERE until < ?", (now,))
        except BaseException:
            self._db.close()
            raise

    def _replace(self) -> None:
        self._path.unlink(missing_ok=True)
        self._open()

    def _is_in_place(self) -> bool:
        """Return False if the file was deleted or replaced: then others use another one."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def claim(self, rates: Collection[Rate]) -> Claim:
        """Have the account's next call, if it may go now, by the limits of this process and of all others.

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
            raise ShareAway(str(error)) from None

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
        """Have the others know this process' limit."""
        before, until = self._declared or (None, 0.0)
        if before == rate and DECLARED_FOR / 2 < until - now <= DECLARED_FOR:
            return
        until = now + DECLARED_FOR
        self._db.execute(
            "INSERT OR REPLACE INTO declared VALUES (?, ?, ?, ?, ?)", (self._account, self._process, *rate, until)
        )
        self._declared = rate, until

    def abandon(self) -> None:
        """Let go of the file, as a forked child has to: what is declared in there is its parent's."""
        self._db.close()

    def close(self) -> None:
        """Take back what this process declared."""
        with suppress(sqlite3.Error):
            self._db.execute("DELETE FROM declared WHERE account = ? AND process = ?", (self._account, self._process))
        self._db.close()


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    """Return True if the file's content is at fault: not a disk, a right or another process."""
    return type(error) is sqlite3.DatabaseError or "no such" in str(error) or "has no column" in str(error)
