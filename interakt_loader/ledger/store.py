"""The ledger's file: SQLite, held by one load at a time.

While a load runs, what is accepted is only appended (`news`), which costs the same however large the ledger is; at
its end, or when the next load opens the ledger, it is sorted into `calls` in one sweep.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.ledger.decide import Known
from interakt_loader.safety.private_files import OWNER_ONLY, make_private
from interakt_loader.wire import DIGEST

APPLICATION_ID = 0x494C_4447
"""Tells SQLite's `file` magic and us that a database is one of these ledgers."""

VERSION = 1
"""Of the schema below; a ledger of a newer version is refused."""

CACHE = 16_000
"""KiB of pages that SQLite keeps in memory."""

_SCHEMA = f"""
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS calls (
    key BLOB PRIMARY KEY,
    state BLOB NOT NULL,
    doubt BLOB,
    maybe_duplicate INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS news (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    step BLOB NOT NULL,
    doubt BLOB,
    maybe_duplicate INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS inputs (name BLOB PRIMARY KEY, kind BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""

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

News = tuple[bytes, bytes, "bytes | None", bool]
"""(key, step, None, maybe_duplicate) of an accepted call; (key, b"", the state it led to, False) of a doubted one."""


class Store:
    """One open ledger file. Raises `SettingsError` when it cannot be had; `sqlite3.Error` later on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        fresh = not path.exists()
        try:
            if fresh:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, OWNER_ONLY))
            for ending in ("", "-wal", "-shm"):  # SQLite makes these two with the rights that the first has
                make_private(f"{path}{ending}")
            self.db = sqlite3.connect(path, timeout=0.2, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(f"ledger {path}: cannot be opened: {reason}") from None
        try:
            self._open()
        except sqlite3.Error as error:
            self.db.close()
            if "locked" in str(error):
                said = "is in use by another load; wait for it, or give this one a ledger of its own"
                raise NotJustNow(f"ledger {path}: {said}") from None
            raise SettingsError(f"ledger {path}: {_said(error)}") from None
        except SettingsError:
            self.db.close()
            raise

    def _open(self) -> None:
        db = self.db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until the load ends, whichever way it ends
        is_ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if not is_ours and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise SettingsError(f"ledger {self.path}: is some other SQLite database; choose another path")
        if db.execute("PRAGMA user_version").fetchone()[0] > VERSION:
            raise SettingsError(f"ledger {self.path}: was made by a newer interakt_loader; upgrade this one")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # what a report says was sent is on disk, even if the power fails
        db.execute(f"PRAGMA cache_size = -{CACHE}")
        db.executescript(_SCHEMA)

    def append(self, news: Iterable[News]) -> None:
        """Put accepted and doubted calls on record, in their order, in one transaction."""
        with _transaction(self.db):
            self.db.executemany("INSERT INTO news (key, step, doubt, maybe_duplicate) VALUES (?, ?, ?, ?)", news)

    def merge(self) -> None:
        """Sort in what was appended."""
        if self.db.execute("SELECT 1 FROM news LIMIT 1").fetchone():
            with _transaction(self.db):
                self.db.execute(_MERGE)
                self.db.execute("DELETE FROM news")

    def known(self, key: bytes) -> Known | None:
        """Return what is known of a key, as of the last `merge`."""
        found = self.db.execute("SELECT state, doubt, maybe_duplicate FROM calls WHERE key = ?", (key,)).fetchone()
        return None if found is None else Known(found[0], found[1], bool(found[2]))

    def other_inputs(self, kind: bytes, name: bytes, *, note: bool) -> bool:
        """Tell whether inputs of another name were loaded with this ledger, and note this one if asked to."""
        with _transaction(self.db):
            others = self.db.execute("SELECT 1 FROM inputs WHERE kind = ? AND name != ? LIMIT 1", (kind, name))
            found = others.fetchone() is not None
            if note:
                self.db.execute("INSERT OR IGNORE INTO inputs VALUES (?, ?)", (name, kind))
        return found

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self.db.close()


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


def _said(error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text:
        return "is no ledger; choose another path"
    return f"cannot be used: {text}"
