"""A copy of a ledger as it is at one moment, for a dry run: nothing of the ledger itself changes, not even a lock.

The ledger of one load, as `deliver` uses it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from interakt_loader.errors import LedgerBroken, NotJustNow, SettingsError
from interakt_loader.ledger.account import Account
from interakt_loader.ledger.digests import Keys
from interakt_loader.ledger.in_flight import (
    InFlight,
    RecordingTransport,
    forget,
    left_behind,
    warn_of_loss,
)
from interakt_loader.ledger.loads import Loads
from interakt_loader.ledger.plan import Plan
from interakt_loader.ledger.store import JournalEntry, Store
from interakt_loader.model import (
    Kind,
    Message,
    Outcome,
    Status,
    Transport,
)
from interakt_loader.settings import Settings

_TRIES = 20

_ENDINGS = ("-calls", "", "-journal", "-wal")
"""In the order in which they are copied, so that what is in the file of calls is not newer than what is on record, and
what is brought from the log into the file meanwhile is in the copy of the log too."""

_LOG_HEADER = 32


def copied(path: Path, folder: Path) -> Path:
    """Copy a ledger, and what a load has beside it, to a folder; return where it is. A load may be using it.

    SQLite's log is only written at its end, until it begins anew, which its first bytes and the ledger's own file show.
    As long as both stay the same, the copies belong together. Raises `SettingsError`.
    """
    ledger = Path(os.path.realpath(path))
    if not ledger.is_file():
        raise SettingsError(f"ledger {path}: cannot be opened: is no file")
    try:
        for _ in range(_TRIES):
            before = _state(ledger)
            for ending in _ENDINGS:
                of, to = (one / (ledger.name + ending) for one in (ledger.parent, folder))
                to.unlink(missing_ok=True)
                if of.is_file():
                    with suppress(FileNotFoundError):  # a load has ended
                        shutil.copyfile(of, to)
            if before == _state(ledger):
                return folder / ledger.name
    except OSError as error:
        raise SettingsError(f"ledger {path}: cannot be copied: {error.strerror or error}") from None
    raise NotJustNow(f"ledger {path}: is being written by a load; try again")


def _state(ledger: Path) -> tuple[object, ...]:
    found = ledger.stat()
    log = b""
    with suppress(FileNotFoundError), ledger.with_name(f"{ledger.name}-wal").open("rb") as file:
        log = file.read(_LOG_HEADER)
    return found.st_ino, found.st_size, found.st_mtime_ns, log


logger = logging.getLogger("interakt_loader")


class Ledger:
    """Which calls have been accepted. A context manager; from its making to its end no other load can have the file.

    Raises `SettingsError` when the file cannot be had; `LedgerBroken` later on.
    """

    def __init__(self, path: str | Path, kind: Kind, settings: Settings, shown: str | Path | None = None) -> None:
        """Open the ledger at `path`, made if it is not there; take in what a load that was killed left behind.

        `shown` is what messages and results call it.
        """
        self.path = Path(shown or path)
        self._kind = kind
        self._settings = settings
        self._store = Store(Path(path), self.path)
        self._in_flight: InFlight | None = None
        self._plan: Plan | None = None
        self._has_recorded = False
        try:
            # before anything is put on record: what is on record belongs to some account
            self._account = Account(self._store, settings, self.path)
            self._keys = Keys(self._account.secret)
            self.loads = Loads(self._store, self._keys, kind)
            """What the ledger remembers of the loads so far."""
            self._take_in()
        except sqlite3.Error as error:
            self._store.close()
            raise self._store.unusable(error) from error
        except OSError as error:
            self._store.close()
            raise SettingsError(f"ledger {self.path}: cannot be written: {error.strerror or error}") from error
        except BaseException:
            self._store.close()
            raise

    def _take_in(self) -> None:
        """Put on record what a load that was killed left of its calls."""
        store = self._store
        left = left_behind(store.calls_path, store.id, store.calls_shown)
        if store.was_used and not store.was_left:
            logger.warning(
                "ledger %s: was copied or moved while a load was using it, without the files beside it (%s-wal, "
                "%s-calls): what that load sent is not on record here, and goes out again",
                *(self.path, self.path.name, self.path.name),
            )
        if left.total is None:
            if store.was_left and store.has_journal_entries():
                warn_of_loss(store.calls_shown)
        elif left.total > store.total and not store.was_replaced:
            raise store.damaged("calls are missing")
        store.append(left.journal_entries)
        store.merge()
        forget(store.calls_path)
        store.mark(writing=False)

    @classmethod
    @contextlib.contextmanager
    def snapshot(cls, path: str | Path, kind: Kind, settings: Settings) -> Iterator[Ledger]:
        """Open a copy of the ledger as it is at this moment, a load of it under way or not; nothing of it changes."""
        with (
            tempfile.TemporaryDirectory(prefix="interakt-loader-") as folder,
            cls(copied(Path(path), Path(folder)), kind, settings, path) as ledger,
        ):
            yield ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def on_record(self) -> int:
        """How many users and events were accepted, as of the last load."""
        return self._store.on_record

    def renew_account(self) -> None:
        """Keep the account's secret under today's key from now on, although no call has been made with it yet."""
        try:
            self._account.renew()
        except sqlite3.Error as error:
            raise SettingsError(f"ledger {self.path}: cannot be written: {error}") from error

    def plan(self, prepared: Iterable[pa.RecordBatch], event_id: str | None = None) -> Plan:
        """Read all prepared rows and decide about each; `event_id` is the column of the events' ids, if any."""
        salt = self.loads.salt
        keys = self._keys if salt is None else self._keys.of_input(salt)
        try:
            self._plan = Plan(
                self._store, keys, self._kind, self._settings, event_id, of_failures=self.loads.is_of_failures
            )
            self._plan.make(prepared)
            if self._plan.calls == 0:
                self._account.renew()
        except (sqlite3.Error, OSError) as error:
            raise LedgerBroken(f"ledger {self.path}: the load cannot be planned: {error}") from error
        return self._plan

    def recording(self, transport: Transport) -> Transport:
        """Return the transport, with each call on record before it goes."""
        store = self._store
        if not store.is_in_place():
            raise SettingsError(f"ledger {self.path}: {_GONE}; nothing was sent")
        # What has been read from the schedule is not yet freed here, so there may be twice as much as that holds.
        with contextlib.suppress(OSError):
            store.use()
        self._in_flight = InFlight(store.calls_path, 2 * self._settings.max_queue_size, store.id, store.total)
        return RecordingTransport(transport, self._in_flight)

    def record(self, outcomes: list[Outcome]) -> None:
        """Put settled calls on record; when this returns, they are on disk."""
        if not outcomes:
            return
        journal_entries = _journal_entries(outcomes)
        try:
            self._store.append(journal_entries)
            if journal_entries and not self._has_recorded:
                self._has_recorded = True
                self._account.renew()
        except sqlite3.Error as error:
            raise LedgerBroken(f"ledger {self.path}: cannot be written: {error}") from error
        if not self._store.is_in_place():
            raise LedgerBroken(f"ledger {self.path}: {_GONE}; put it back, or events that were sent go out again")
        if self._in_flight is not None:
            self._in_flight.recorded([one.message.row for one in outcomes], self._store.total)

    def close(self) -> None:
        """Sort in what was recorded, and let the next load have the file."""
        finished = False
        try:
            if self._plan is not None:
                with contextlib.suppress(OSError):
                    self._plan.close()
            if self._in_flight is not None:
                finished = self._in_flight.close()
            with contextlib.suppress(sqlite3.Error, OSError):  # on a full disk it is sorted in at the next opening
                self._store.merge()
            if not self._has_recorded and (self._in_flight is None or finished):
                with contextlib.suppress(sqlite3.Error, OSError, SettingsError):
                    self._account.forget()
        finally:
            self._store.close(finished=finished)


_GONE = "was deleted, replaced or moved while it was in use"


def _journal_entries(outcomes: list[Outcome]) -> list[JournalEntry]:
    journal_entries: list[JournalEntry] = []
    for one in outcomes:
        entry = one.message.entry if isinstance(one.message, Message) else None
        if entry is None:
            continue
        if one.status in (Status.SENT, Status.RECORDED):
            journal_entries.append((entry.key, entry.step, None, one.maybe_duplicate))
        elif one.status is Status.UNKNOWN:
            journal_entries.append((entry.key, b"", entry.after, False))
    return journal_entries
