"""One declared limit for all loads of an account on this machine, one after another or at once.

The loads of one process share a clock in memory. If the user has a state folder, the processes of the user also share a
file in it (`MachineFile`). It holds the last call of each account, and the limits that running loads declare. Each
claim is one short transaction, so a process that is killed holds nothing. The file never stops a load: while it cannot
be used, only the clock in memory counts.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path

from interakt_loader.privacy.files import OWNER_ONLY
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import Claim, ClockUnavailable, LastCall, claimed, lower

NAME = "limits.sqlite"
"""In the user's state folder."""

BUSY = 0.2
"""Seconds to wait while others use the file. Each uses it for less than a millisecond."""

DECLARED_FOR = 10.0
"""Seconds after its last call for which a load's declared limit counts, also if the load was killed."""

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
"""Numbers that no load writes are ignored, so that a damaged one stops no load."""


class MachineFile:
    """The file, for one account. Opening it and claiming a call raise `ClockUnavailable` if it cannot be used."""

    def __init__(self, folder: Path, account: bytes) -> None:
        self._path = folder / NAME
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
        self._db = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            # what a crash destroys is out of date anyway, and a damaged file is replaced
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


TRY_AGAIN = 5.0
"""Seconds after which a file that cannot be used is tried again."""

LOOK_AGAIN = 1.0
"""Seconds after which a load asks again at the latest. Another load with a lower limit may have ended."""

REMEMBER = 60.0
"""Seconds for which the last call of an account without loads is remembered, at least."""


class Turns:
    """The turns of one load under the account's limit, in place of a rate limit's own clock."""

    def __init__(self, account: AccountLimit, rate: Rate) -> None:
        self._account = account
        self.rate = rate
        """The limit that this load declares."""
        self.holds = rate
        """The limit that holds. Another load may declare a lower one."""
        self.file_error = ""
        """Why the loads of other processes could not be included. Empty: they were, or there is no file."""

    def due(self, now: float, waiting: int, in_flight: int) -> float:
        """Return when the next call may go. If that is now, the turn is taken, and the call must go."""
        del waiting, in_flight
        return self._account.claim(self, now)

    def spend(self) -> None:
        """Do nothing: `due` has taken the turn."""

    def hold(self, seconds: float) -> None:
        """Do nothing: each load probes for itself whether a 429 is over."""


class AccountLimit:
    """The limit of one account. Thread-safe. Engines take their own lock before this one, never after."""

    def __init__(self, account: bytes) -> None:
        self._account = account
        self.lock = threading.Lock()
        self._loads: set[Turns] = set()
        self._last: LastCall | None = None
        self._remembered_until = -math.inf
        self._file: MachineFile | None = None
        self._try_file_at = -math.inf
        # no call may go before
        self._ask_at = -math.inf
        # as of the last claim
        self._holds = Rate(math.inf, 1.0)

    def start_afresh(self) -> None:
        """Forget the parent process's loads and open file. The caller holds the lock."""
        self._loads.clear()
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def is_needed(self, now: float) -> bool:
        """Return False if no load uses it and its last call was long ago, so that it can be forgotten."""
        return bool(self._loads) or now < self._remembered_until

    def enter(self, load: Turns) -> None:
        """Let a load take turns."""
        with self.lock:
            self._loads.add(load)
            self._ask_at = -math.inf

    def leave(self, load: Turns) -> None:
        """Remove the limit that a load has declared."""
        with self.lock:
            self._loads.discard(load)
            self._ask_at = -math.inf
            if not self._loads:
                self._close_file()

    def claim(self, load: Turns, now: float) -> float:
        """Return when the next call may go, in monotonic seconds like `now`. If that is now, the load has the turn."""
        with self.lock:
            granted = False
            if now >= self._ask_at:
                claim = self._claim(load, now)
                granted = claim.call is not None
                self._holds, self._ask_at = claim.holds, min(claim.next_at, now + LOOK_AGAIN)
            is_lower = self._holds.calls / self._holds.seconds < load.rate.calls / load.rate.seconds
            load.holds = self._holds if is_lower else load.rate
            return now if granted else max(self._ask_at, math.nextafter(now, math.inf))

    def _claim(self, load: Turns, now: float) -> Claim:
        rates = {turns.rate for turns in self._loads}
        claim = claimed(self._last, now, rates)
        if now >= self._try_file_at:
            try:
                claim = self._in_file(rates) or claim
            except ClockUnavailable as error:
                self._close_file()
                self._try_file_at = now + TRY_AGAIN
                load.file_error = load.file_error or str(error)
        if claim.call is not None:
            self._last = claim.call
            self._remembered_until = max(claim.next_at, now + REMEMBER)
        return claim

    def _in_file(self, rates: Collection[Rate]) -> Claim | None:
        """Claim the next call in the machine's file; None without a state folder. Raises `ClockUnavailable`."""
        if self._file is None:
            from interakt_loader.privacy.files import state_folder

            folder = state_folder()
            if folder is None:
                return None
            self._file = MachineFile(folder, self._account)
        return self._file.claim(rates)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


_registry_lock = threading.Lock()
_registry: dict[bytes, AccountLimit] = {}


@contextmanager
def turns_of(account: bytes, rate: Rate) -> Iterator[Turns]:
    """Let a load of an account take turns under the limit that it declares."""
    now = time.monotonic()
    with _registry_lock:
        for known, limit in list(_registry.items()):
            if not limit.is_needed(now):
                del _registry[known]
        limit = _registry.setdefault(account, AccountLimit(account))
        turns = Turns(limit, rate)
        limit.enter(turns)
    try:
        yield turns
    finally:
        limit.leave(turns)


def _hold_locks() -> None:
    """Hold all locks during a fork, so that no claim is half done."""
    _registry_lock.acquire()
    for limit in _registry.values():
        limit.lock.acquire()


def _release_locks() -> None:
    for limit in _registry.values():
        limit.lock.release()
    _registry_lock.release()


def _forget_parents() -> None:
    """Start a child without loads. It still knows the account's last call."""
    for limit in _registry.values():
        limit.start_afresh()
    _release_locks()


# Windows has no fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_locks, after_in_parent=_release_locks, after_in_child=_forget_parents)
