"""The ledger of one load, as the pipeline uses it, and a copy of it for a dry run."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from interakt_loader.errors import LedgerBroken, NotJustNow, SettingsError
from interakt_loader.ledger.account import Account, address_id
from interakt_loader.ledger.digests import Keys
from interakt_loader.ledger.in_flight import InFlight, RecordingTransport
from interakt_loader.ledger.loads import Loads
from interakt_loader.ledger.parts import Parts, create, folder_of, merge, paths_of, recover, warn_of_copy
from interakt_loader.ledger.plan import Plan
from interakt_loader.ledger.store import ENDINGS, JournalEntry, Store
from interakt_loader.model import Kind, Message, Outcome, Status, Transport
from interakt_loader.settings import Settings

_TRIES = 20

_LOG_HEADER = 32


def copied(path: Path, folder: Path) -> Path:
    """Copy a ledger, which a load may be using, with its other files and its parts to a folder. Return the copy's path.

    SQLite only appends to its log until it starts a new one. Then the log's first bytes and the ledger's own file
    change. As long as both stay the same, the copies belong together. Raises `SettingsError`.
    """
    ledger = Path(os.path.realpath(path))
    if not ledger.is_file():
        raise SettingsError(f"ledger {path}: cannot be opened: is no file")
    try:
        for _ in range(_TRIES):
            files = [ledger, *paths_of(folder_of(ledger))]
            before = [_state(one) for one in files]
            copy = folder / ledger.name
            shutil.rmtree(folder_of(copy), ignore_errors=True)
            _copy(ledger, copy)
            for part in files[1:]:
                folder_of(copy).mkdir(exist_ok=True)
                _copy(part, folder_of(copy) / part.name)
            if files == [ledger, *paths_of(folder_of(ledger))] and before == [_state(one) for one in files]:
                return copy
    except OSError as error:
        raise SettingsError(f"ledger {path}: cannot be copied: {error.strerror or error}") from None
    raise NotJustNow(f"ledger {path}: is being written by a load; try again")


def _copy(of: Path, to: Path) -> None:
    for ending in ENDINGS:
        source, target = (one.with_name(one.name + ending) for one in (of, to))
        target.unlink(missing_ok=True)
        if source.is_file():
            # it is gone if a load has ended
            with suppress(FileNotFoundError):
                shutil.copyfile(source, target)


def _state(ledger: Path) -> tuple[object, ...]:
    log = b""
    try:
        found = ledger.stat()
    # a part that was merged just now
    except FileNotFoundError:
        return ()
    with suppress(FileNotFoundError), ledger.with_name(f"{ledger.name}-wal").open("rb") as file:
        log = file.read(_LOG_HEADER)
    return found.st_ino, found.st_size, found.st_mtime_ns, log


logger = logging.getLogger("interakt_loader")


class Ledger:
    """Which calls have been accepted. A context manager; until its end no other load can use the file.

    Raises `SettingsError` if the file cannot be opened, and `LedgerBroken` later on.
    """

    def __init__(
        self,
        path: str | Path,
        kind: Kind,
        settings: Settings,
        shown: str | Path | None = None,
        *,
        part: Store | None = None,
    ) -> None:
        """Open the ledger at `path`, or create it, and put on record what a killed load left behind.

        Messages and results call it `shown`. A `part` of a ledger is open already, and is closed with this object.
        Raises `PartsHeld` if tasks of a load that has ended still write to parts of this ledger.
        """
        self.path = Path(shown or path)
        self._kind = kind
        self._settings = settings
        self._store = Store(Path(path), self.path) if part is None else part
        self._has_parts = False
        self._keeps_parts = False
        self._in_flight: InFlight | None = None
        self._plan: Plan | None = None
        self._has_recorded = False
        try:
            # before anything is written
            if part is None:
                merge(self._store, self.path)
            # because everything on record belongs to an account
            self._account = Account(self._store, settings, self.path)
            self._keys = Keys(self._account.secret)
            self.loads = Loads(self._store, self._keys, kind)
            """What the ledger remembers of earlier loads."""
            self._recover()
        except sqlite3.Error as error:
            self._store.close()
            raise self._store.unusable(error) from error
        except OSError as error:
            self._store.close()
            raise SettingsError(f"ledger {self.path}: cannot be written: {error.strerror or error}") from error
        except BaseException:
            self._store.close()
            raise

    def _recover(self) -> None:
        """Put on record the calls that a killed load left behind."""
        warn_of_copy(self._store, self.path)
        recover(self._store)
        self._store.merge()

    @classmethod
    @contextlib.contextmanager
    def snapshot(cls, path: str | Path, kind: Kind, settings: Settings) -> Iterator[Ledger]:
        """Open a copy of the ledger as it is now. Nothing of the ledger itself changes, not even its lock."""
        with (
            tempfile.TemporaryDirectory(prefix="interakt-loader-") as folder,
            cls(copied(Path(path), Path(folder)), kind, settings, path) as ledger,
        ):
            yield ledger

    @classmethod
    def of_part(cls, parts: Parts, number: int, kind: Kind, settings: Settings) -> Ledger:
        """Open a part of a ledger, for a task. What it does not hold is compared with the ledger itself."""
        ledger = cls(parts.path(number), kind, settings, part=parts.open(number))
        ledger.loads.salt = parts.salt
        return ledger

    def divide(self, count: int) -> Parts:
        """Make so many parts, to which tasks write. Until `merge_parts` nothing else may write to the ledger.

        Raises `SettingsError`.
        """
        self._has_parts = True
        try:
            load = create(self._store, self.path, address_id(self._settings.base_url), count)
        except SettingsError:
            self.loads.take_back()
            raise
        return Parts(Path(os.path.abspath(self.path)), load, self.loads.salt)  # noqa: PTH100 - links stay

    def merge_parts(self) -> bool:
        """Merge the parts, whose tasks have ended. Return False if that has to wait for the next opening."""
        self._has_parts = False
        try:
            if merge(self._store, self.path):
                self._has_recorded = True
        # a task still holds a part, a part is damaged, or the disk is full
        except (SettingsError, sqlite3.Error, OSError) as error:
            self._keeps_parts = True
            # as text: an error that is kept would keep the file open
            reason = str(error)
            logger.warning("ledger %s: what was sent is merged into it when it is opened next (%s)", self.path, reason)
        return not self._keeps_parts

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is not None and self._has_parts and self.merge_parts() and not self._has_recorded:
            # such as the query of a load by Spark that failed: the next load may have another mapping
            with suppress(SettingsError):
                self.loads.take_back()
        self.close()

    @property
    def on_record(self) -> int:
        """How many users and events were on record after the last load."""
        return self._store.on_record

    def renew_account(self) -> None:
        """Wrap the account's secret under today's key, although no call has been made with it yet."""
        try:
            self._account.renew()
        except sqlite3.Error as error:
            raise SettingsError(f"ledger {self.path}: cannot be written: {error}") from error

    def plan(
        self,
        prepared: Iterable[pa.RecordBatch],
        event_id: str | None = None,
        label: Callable[[int], str] = str,
        *,
        last_states: bool = False,
    ) -> Plan:
        """Read all prepared rows and decide about each.

        Args:
            prepared: The rows.
            event_id: The column of the events' ids, if any.
            label: Gives the number of a row as people read it.
            last_states: One call for each user, with its last state, whatever the ledger holds.
        """
        salt = self.loads.salt
        keys = self._keys if salt is None else self._keys.of_input(salt)
        try:
            self._plan = Plan(
                self._store,
                keys,
                self._kind,
                self._settings,
                event_id,
                of_failures=self.loads.is_of_failures,
                label=label,
                last_states=last_states,
            )
            self._plan.make(prepared)
            if self._plan.calls == 0:
                self._account.renew()
        except (sqlite3.Error, OSError) as error:
            raise LedgerBroken(f"ledger {self.path}: the load cannot be planned: {error}") from error
        return self._plan

    def recording(self, transport: Transport) -> Transport:
        """Return a transport that puts each call on record before it is sent. Raises `SettingsError`."""
        store = self._store
        if not store.is_in_place():
            raise SettingsError(f"ledger {self.path}: {_GONE}; nothing was sent")
        # outcomes that were read from the schedule still have their slots, so there may be twice as many calls
        with contextlib.suppress(OSError):
            store.use()
        self._in_flight = InFlight(store.calls_path, 2 * self._settings.max_queue_size, store.id, store.total)
        return RecordingTransport(transport, self._in_flight)

    def record(self, outcomes: list[Outcome]) -> None:
        """Put settled calls on record. When this returns, they are on disk."""
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
            raise LedgerBroken(f"ledger {self.path}: {_GONE}; put it back, or events that were sent are sent again")
        if self._in_flight is not None:
            self._in_flight.recorded([one.message.row for one in outcomes], self._store.total)

    def close(self) -> None:
        """Merge what was recorded, and release the file."""
        finished = False
        if self._has_parts:
            self.merge_parts()
        if self._keeps_parts:
            # nothing more is written: a task may be reading it
            self._store.close()
            return
        try:
            if self._plan is not None:
                with contextlib.suppress(OSError):
                    self._plan.close()
            if self._in_flight is not None:
                finished = self._in_flight.close()
            # if merging fails (full disk), it is merged at the next opening
            with contextlib.suppress(sqlite3.Error, OSError):
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
        if one.status in (Status.SENT, Status.RECORDED, Status.SAME):
            journal_entries.append((entry.key, entry.step, None, one.maybe_duplicate))
        elif one.status in (Status.DIFFERENT, Status.ABSENT):
            journal_entries.append((entry.key, b"", None, False))
        elif one.status is Status.UNKNOWN:
            journal_entries.append((entry.key, b"", entry.after, False))
    return journal_entries
