"""A shared clock in a small SQLite file, for the processes of one machine.

The time is the wall clock's. Unlike the monotonic clock, it is the same for all processes, in containers too, and
continues after a reboot. It may be set: see `clock.reserved` for setting it back. Setting it forward costs at most the
slots that were reserved at that instant.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import (
    FORGET,
    ClockUnavailable,
    NoClock,
    Pace,
    RateDiffers,
    SlotReservation,
    State,
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
