"""The ledger of one load, as `deliver` uses it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from interakt_loader.errors import LedgerBroken, SettingsError
from interakt_loader.ledger.in_flight import InFlight, RecordingTransport, left_behind
from interakt_loader.ledger.keys import Keys
from interakt_loader.ledger.plan import Plan
from interakt_loader.ledger.store import News, Store
from interakt_loader.settings import Settings
from interakt_loader.wire import Kind, Outcome, Status, Transport


class Ledger:
    """Which calls have been accepted. A context manager; from its making to its end no other load can have the file.

    Raises `SettingsError` when the file cannot be had; `LedgerBroken` later on.
    """

    def __init__(self, path: str | Path, kind: Kind, settings: Settings) -> None:
        """Open the ledger at `path`, made if it is not there; take in what a load that was killed left behind."""
        self.path = Path(path)
        self._kind = kind
        self._settings = settings
        self._keys = Keys(settings.base_url, settings.require_key())
        self._store = Store(self.path)
        self._calls_path = self.path.with_name(self.path.name + "-calls")
        self._in_flight: InFlight | None = None
        self._plan: Plan | None = None
        try:
            self._store.append(left_behind(self._calls_path))
            self._store.merge()
            self._calls_path.unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            self._store.close()
            raise SettingsError(f"ledger {path}: cannot be written: {error}") from error
        except BaseException:
            self._store.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_shared(self, source: str) -> bool:
        """Tell whether the ledger holds calls of another source than this; note this one, if it is really loaded."""
        kind, name = self._keys.input(self._kind, source)
        return self._store.other_inputs(kind, name, note=not self._settings.dry_run)

    def plan(self, prepared: Iterable[pa.RecordBatch]) -> Plan:
        """Read all prepared rows and decide what becomes of each."""
        self._plan = Plan(self._store, self._keys, self._kind, self._settings)
        try:
            self._plan.make(prepared)
        except (sqlite3.Error, OSError) as error:
            raise LedgerBroken(f"ledger {self.path}: the load cannot be planned: {error}") from error
        return self._plan

    def recording(self, transport: Transport) -> Transport:
        """Return the transport, with each call on record before it goes."""
        # What has been read from the schedule is not yet freed here, so there may be twice as much as that holds.
        self._in_flight = InFlight(self._calls_path, 2 * self._settings.max_queue_size)
        return RecordingTransport(transport, self._in_flight)

    def record(self, outcomes: list[Outcome]) -> None:
        """Put settled calls on record; when this returns, they are on disk."""
        if not outcomes:
            return
        try:
            self._store.append(_news(outcomes))
        except sqlite3.Error as error:
            raise LedgerBroken(f"ledger {self.path}: cannot be written: {error}") from error
        if self._in_flight is not None:
            self._in_flight.free([one.message for one in outcomes])

    def close(self) -> None:
        """Sort in what was recorded, and let the next load have the file."""
        try:
            parts = [one.close for one in (self._plan, self._in_flight) if one is not None]
            for step in (*parts, self._store.merge):
                # what a full disk forbids to sort in is sorted in next time
                with contextlib.suppress(sqlite3.Error, OSError):
                    step()
        finally:
            self._store.close()


def _news(outcomes: list[Outcome]) -> list[News]:
    news: list[News] = []
    for one in outcomes:
        entry = one.message.entry
        if entry is None:
            continue
        if one.status is Status.SENT:
            news.append((entry.key, entry.step, None, one.maybe_duplicate))
        elif one.status is Status.UNKNOWN:
            news.append((entry.key, b"", entry.after, False))
    return news
