"""One load (`Job`), its `Observer`, the question before its first call, and the engine that sends its rows.

A `Settler` takes the place of the engine where nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from interakt_loader.errors import SettingsError, option
from interakt_loader.mapping import CreatedNames, Field, Mapping, Preparation
from interakt_loader.model import Kind, Message, Outcome, Stop, StopToken, Transport
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.work import Prepares
from interakt_loader.sending.workers import Engine
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate
from interakt_loader.sources.base import Lines

if TYPE_CHECKING:
    import pyarrow as pa

    from interakt_loader.ledger import Ledger, Plan
    from interakt_loader.report.writer import Summary
    from interakt_loader.result import AccountRead
    from interakt_loader.sending.shared_limit_client import SharedLimitClient
    from interakt_loader.shared_limit import ReservedSlots, SharedClock, Turns


class Observer:
    """Watches a load. Override the methods for what you want to see.

    All are called on the thread of the load, except `reported`.
    """

    def announced(self, line: str) -> None:
        """See a line about the load, such as how many calls there are to make. The progress bar has not shown it."""

    def reported(self, line: str) -> None:
        """See a line about how far the load is: once a minute, on another thread, if there is no progress bar."""

    def prepared(self, rows: int) -> None:
        """See how many rows have been prepared, while the load is being planned."""

    def overwrites_report(self) -> None:
        """See that the report's file, perhaps that of an earlier load, is about to be overwritten."""

    def wrote(self, lines: pa.RecordBatch) -> None:
        """See lines of the report, after `overwrites_report`."""

    def waits(self, reason: str) -> None:
        """See what all calls wait for now, such as an answer; empty: nothing any more."""

    def read(self, contacts: int, total: int) -> None:
        """See how many contacts of the account have been read, and about how many it has."""

    def progressed(self, summary: Summary) -> None:
        """See the counts, after some rows have been written to the report."""


class Ready(NamedTuple):
    """What a load is about to send."""

    kind: Kind
    calls: int | None
    """None: there is no plan, so each row may be a call."""
    rows: int | None
    """None: unknown."""
    exact: bool
    """Whether `rows` are counted, not estimated."""
    first: Message | None
    """The first call; None if it is not among the first rows."""
    old_events: str | None = None
    """A line about events that are long past, which a campaign may answer all the same (see `earlier`)."""


class Confirmation(Protocol):
    """Asks a person right before the first call. A load without calls asks nothing."""

    def is_needed(self, old_events: str | None) -> bool:
        """Tell whether `refusal` is to be called; `old_events` is as in `Ready`."""
        ...

    def refusal(self, ready: Ready) -> str | None:
        """Return why nothing may be sent; None: the load may begin."""
        ...


class Settler(Protocol):
    """Settles calls without sending them: `baseline` puts them on record, `verify` compares them with the account."""

    last_states: bool
    """Whether the rows of a user are one call, with the user's last state, whatever the ledger holds."""
    account: AccountRead | None
    """What was read of the account, once it was."""
    created: CreatedNames | None
    """The names that the account certainly has, once all is settled; None: those of all rows."""

    def check(self, settings: Settings, kind: Kind | None) -> None:
        """Refuse options, and a kind of rows, that have no meaning here. `kind` is None until it is known."""
        ...

    def plan_line(self, plan: Plan) -> str:
        """Return what is about to happen, in one line."""
        ...

    def begin(self, job: Job, plan: Plan) -> Stop | None:
        """Get ready for the first call. Return why it cannot be settled, if so."""
        ...

    def settle(self, calls: Sequence[Message]) -> list[Outcome]:
        """Return the outcome of each call."""
        ...

    def close(self) -> None:
        """Remove what `begin` has made."""
        ...


@dataclass(frozen=True)
class Job:
    """One load: the mapping, the kind of call, the settings, the ledger and the shared limit if there is one."""

    mapping: Mapping
    kind: Kind
    settings: Settings
    observer: Observer = field(default_factory=Observer)
    stop_token: StopToken = field(default_factory=StopToken)
    ledger: Ledger | None = None
    share: SharedClock | None = None
    keeps_ledger: bool = False
    """Whether the ledger outlives the load. One that does not only compares the rows of the input with one another."""
    settler: Settler | None = None
    """Set if nothing is sent."""
    limit: Rate | None = None
    """The limit that it shares with other loads, if `settings` have only its part of it."""
    prepare: Prepares | None = None
    """Set where the rows are not the mapping's columns but calls that were prepared elsewhere."""
    created: CreatedNames | None = None
    """Collects the names in the calls: for a dry run, and for the ledger."""
    lines: Lines = field(default_factory=Lines)
    """On which line each row of a text file begins."""

    @property
    def folds_waiting_rows(self) -> bool:
        """Whether rows of a user that wait become one call. With a ledger, the plan has folded them already."""
        return bool(self.settings.coalesce) and self.ledger is None

    @property
    def preparation(self) -> Prepares:
        """How the rows become calls."""
        return self.prepare or Preparation(self.mapping, self.kind, self.settings, self.created)

    @property
    def event_id(self) -> Field | None:
        """Where the ids of the events come from, if they have any."""
        return self.mapping.event_id_by(self.settings.event_id)


class Sender(NamedTuple):
    """A running engine, and the limit that it shares with other loads, if there is one."""

    engine: Engine
    turns: Turns | None = None
    """The declared limit that the loads of this machine share."""
    shared_limit: SharedLimitClient | None = None
    """The clock of the option `share`."""


@contextmanager
def open_sender(job: Job, transport: Transport | None = None) -> Iterator[Sender]:
    """Run an engine for a job, and what supplies it with its part of a shared limit. Raises `SettingsError`.

    `transport` makes other calls than those of a load.
    """
    settings = job.settings
    limit, shared_limit = job.limit or settings.rate_limit, settings.shared_limit
    if job.share is not None and shared_limit is not None:
        from interakt_loader.shared_limit import slots_of

        _, rate = shared_limit
        slots = slots_of(rate, settings.workers)
        with (
            _engine(job, RateLimit(None, slots), transport) as engine,
            _client(job, job.share, slots, engine) as client,
        ):
            yield Sender(engine, shared_limit=client)
    elif isinstance(limit, Rate):
        from interakt_loader.shared_limit import open_turns

        with (
            open_turns(settings.base_url, settings.require_key(), limit) as turns,
            _engine(
                job, RateLimit(None if settings.rate_limit == limit else settings.rate_limit, turns), transport
            ) as engine,
        ):
            yield Sender(engine, turns)
    else:
        with _engine(job, RateLimit(settings.rate_limit), transport) as engine:
            yield Sender(engine)


def _client(job: Job, share: SharedClock, slots: ReservedSlots, engine: Engine) -> SharedLimitClient:
    from interakt_loader.sending.shared_limit_client import SharedLimitClient

    settings = job.settings
    return SharedLimitClient(
        share, slots, engine, job.stop_token, patience=settings.max_outage, shown=str(settings.share)
    )


def _engine(job: Job, rate_limit: RateLimit, transport: Transport | None) -> Engine:
    settings = job.settings
    _check_open_files(settings.workers)
    schedule = Schedule(
        max_queue_size=settings.max_queue_size,
        max_retries=settings.max_retries,
        rate_limit=rate_limit,
        max_outage=settings.max_outage,
        coalesce=job.folds_waiting_rows,
        resend_doubted=settings.on_unknown == "resend",
        label=job.lines.label,
    )
    if transport is None:
        # a dry run does not need it
        from interakt_loader.transport import HttpTransport

        transport = HttpTransport(
            settings.base_url, settings.require_key(), timeout=settings.timeout, connections=settings.workers
        )
    return Engine(
        schedule,
        job.ledger.recording(transport) if job.ledger else transport,
        settings.workers,
        stop_token=job.stop_token,
    )


def open_shared_clock(settings: Settings) -> SharedClock | None:
    """Return the clock of the option `share`, which the caller closes; None without the option and in a dry run."""
    if settings.shared_limit is None:
        return None
    from interakt_loader.shared_limit import open_clock

    address, rate = settings.shared_limit
    return open_clock(address, settings.base_url, settings.require_key(), rate)


def check_coalesce(kind: Kind, settings: Settings) -> None:
    """Refuse `coalesce` for events. Whoever makes a `Job` calls this first."""
    if settings.coalesce and kind == "event":
        raise SettingsError(f"{settings.called('coalesce')} is for users: each event stands for itself")


OTHER_FILES = 48
"""Files that a load needs open besides a connection for each worker."""


def _check_open_files(workers: int) -> None:
    """Refuse more workers than the system allows connections to this process: calls would fail for no other reason."""
    # Windows does not count connections as files
    try:
        import resource
    except ImportError:
        return
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most != resource.RLIM_INFINITY and workers + OTHER_FILES > most:
        raise SettingsError(
            f"{option('workers')} is {workers}, and this process may have {most} files open; expected "
            f"{max(1, most - OTHER_FILES)} at most, or allow more files (ulimit -n {workers + OTHER_FILES})"
        )
