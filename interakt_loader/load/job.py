"""One load: what is to be done, and what can be told to it while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interakt_loader.errors import SettingsError, option
from interakt_loader.mapping import Field, Mapping, Preparation
from interakt_loader.model import Kind, Message, Stop
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.work import Prepares, Work
from interakt_loader.sending.workers import Engine
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate
from interakt_loader.sources.base import Lines
from interakt_loader.transport import HttpTransport

if TYPE_CHECKING:
    import pyarrow as pa

    from interakt_loader.ledger import Ledger, Plan
    from interakt_loader.sending.shared_limit_client import SharedLimitClient
    from interakt_loader.shared_limit import ReservedSlots, SharedClock, Turns


@dataclass
class Control:
    """What can be told to a running load, and what it tells: shared with the signal handler and the progress bar."""

    stop_wanted: Stop | None = None
    """Set this to have the load finish its calls in flight and stop."""
    stopped: Stop | None = None
    """Why the load ended before its last row."""
    source_ended: bool = True
    """False if an interrupt left part of the source unread: the rows from there on have no line."""
    examples: list[Message] = field(default_factory=list)
    """After a dry run: the first calls that would go out."""
    waits_for: str = ""
    """What all calls wait for at the moment: an answer, the end of a 429, the shared clock; empty: nothing."""
    share_away: bool = False
    """Whether the clock that this load shares with others cannot be reached at the moment."""
    turns: Turns | None = None
    """The calls of a load with a declared limit, which other loads of the account hold as well."""
    most_held: int = 0
    """The most rows that were under the bound at once."""
    on_waiting: Callable[[], object] = field(default=lambda: None)
    """Called when `waits_for` has changed."""
    on_prepared: Callable[[int], object] = field(default=lambda _: None)
    """Called with the number of rows prepared so far, while the load is being planned."""
    on_rows: Callable[[pa.RecordBatch], object] | None = None
    """Called with prepared rows before the first call: all of them where there is a ledger, else the first `AHEAD`."""
    on_plan: Callable[[Plan], object] = field(default=lambda _: None)
    """Called with the plan before the first call."""
    on_ready: Callable[[Work], object] = field(default=lambda _: None)
    """Called right before the first call. What it raises ends the load, and nothing was sent."""

    @property
    def interrupted(self) -> bool:
        """Whether a person or the system wants the load to end soon."""
        return self.stop_wanted is not None and self.stop_wanted.reason == "interrupted"


@dataclass(frozen=True)
class Job:
    """One load: the mapping, the kind of call, the settings, the ledger and the shared limit if there is one."""

    mapping: Mapping
    kind: Kind
    settings: Settings
    control: Control = field(default_factory=Control)
    ledger: Ledger | None = None
    share: SharedClock | None = None
    record_only: bool = False
    """Whether the rows are put on record as sent, and nothing is sent."""
    limit: Rate | None = None
    """The limit that it holds together with other loads, where `settings` have a part of it only."""
    prepare: Prepares | None = None
    """Set where the rows are not the mapping's columns but calls that were prepared elsewhere."""
    lines: Lines = field(default_factory=Lines)
    """On which line each row of a text file begins."""

    @property
    def preparation(self) -> Prepares:
        """How the rows become calls."""
        return self.prepare or Preparation(self.mapping, self.kind, self.settings)

    @property
    def event_id(self) -> Field | None:
        """Where the ids of the events come from, if they have some."""
        return self.mapping.event_id_by(self.settings.event_id)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Run an engine for this job, and what keeps it supplied where the limit is shared."""
        if self.share is None:
            with self._alone() as engine:
                yield engine
            return
        from interakt_loader.shared_limit import slots_of

        assert isinstance(self.settings.rate, Rate)  # the settings see to it
        slots = slots_of(self.settings.rate, self.settings.workers)
        with self._engine(RateLimit(None, slots)) as engine, self._shared_limit_client(self.share, slots, engine.wake):
            yield engine

    @contextmanager
    def _alone(self) -> Iterator[Engine]:
        """Run an engine that holds a declared limit together with the account's other loads on this machine."""
        settings = self.settings
        rate, limit = settings.rate, self.limit or settings.rate
        if not isinstance(limit, Rate):
            with self._engine(RateLimit(rate)) as engine:
                yield engine
            return
        from interakt_loader.shared_limit import open_turns

        with open_turns(settings.base_url, settings.require_key(), limit) as turns:
            self.control.turns = turns
            with self._engine(RateLimit(None if rate == limit else rate, turns)) as engine:
                yield engine

    def _shared_limit_client(
        self, share: SharedClock, slots: ReservedSlots, wake: Callable[[], object]
    ) -> SharedLimitClient:
        from interakt_loader.sending.shared_limit_client import SharedLimitClient

        control = self.control

        def tell(away: bool) -> None:
            control.share_away = away

        def give_up(reason: str) -> None:
            stop = Stop("share_lost", f"share {self.settings.share}: {reason}")
            control.stop_wanted = control.stop_wanted or stop

        return SharedLimitClient(share, slots, self.settings.max_outage, wake=wake, tell=tell, give_up=give_up)

    def _engine(self, rate_limit: RateLimit) -> Engine:
        settings = self.settings
        _check_files(settings.workers)
        schedule = Schedule(
            max_queue_size=settings.max_queue_size,
            max_retries=settings.max_retries,
            rate_limit=rate_limit,
            max_outage=settings.max_outage,
            coalesce=settings.coalesce and self.ledger is None,  # the plan has folded what there was to fold
            resend_doubted=settings.on_unknown == "resend",
            label=self.lines.label,
        )
        transport = HttpTransport(
            settings.base_url, settings.require_key(), timeout=settings.timeout, connections=settings.workers
        )
        control = self.control
        return Engine(
            schedule,
            self.ledger.recording(transport) if self.ledger else transport,
            settings.workers,
            stop_wanted=lambda: control.stop_wanted,
        )


def check_coalesce(kind: Kind, settings: Settings) -> None:
    """Refuse to fold rows together that stand for themselves: whoever makes a `Job` asks this first."""
    if settings.coalesce and kind == "event":
        raise SettingsError(f"{option('coalesce')} is for users: each event stands for itself")


OTHER_FILES = 48
"""Files that a load needs open besides a connection for each worker."""


def _check_files(workers: int) -> None:
    """Refuse more workers than the system lets this process have connections: else calls would fail for no reason."""
    try:
        import resource
    except ImportError:  # Windows, where connections are not counted as files
        return
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most != resource.RLIM_INFINITY and workers + OTHER_FILES > most:
        raise SettingsError(
            f"{option('workers')} is {workers}, and this process may have {most} files open; expected "
            f"{max(1, most - OTHER_FILES)} at most, or allow more files (ulimit -n {workers + OTHER_FILES})"
        )
