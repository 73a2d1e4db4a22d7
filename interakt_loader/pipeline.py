"""The line that every row walks: batches of rows in, batches of outcomes out.

    source ─► record batches ─► preparation ─► messages ─► engine (schedule, consumers, transport) ─► outcomes

`deliver` is all of it. It runs on the caller's thread, which reads the source, prepares rows, offers them to the
engine and hands outcomes on; the engine's consumers do nothing but call the API.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from interakt_loader.callbacks import OnError, tell
from interakt_loader.engine import Engine
from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.mapping import Mapping, Preparation, messages
from interakt_loader.outcomes import from_outcomes, invalid, not_sent, unsent
from interakt_loader.ratelimit import RateLimit
from interakt_loader.schedule import Schedule, Stop
from interakt_loader.settings import Settings
from interakt_loader.transport import HttpTransport
from interakt_loader.wire import Kind, Outcome

logger = logging.getLogger("interakt_loader")

GLANCE = 0.2
"""Seconds after which the line looks up while it waits: for an interrupt, and to hand on what has settled."""

GROUP = 2048
"""Outcomes that are worth handing on at once."""

PATIENCE = 1.0
"""Seconds that an outcome is held back for the sake of the input's order."""

GRACE = 2.0
"""Seconds that an interrupted load may take to list the rows that it has not sent."""


@dataclass
class Control:
    """What can be told to a running load, and what it tells: shared with the signal handler and the progress bar."""

    interrupted: bool = False
    """Set this to have the load finish its calls in flight and stop."""
    stopped: Stop | None = None
    """Why the load ended before its last row."""
    source_ended: bool = True
    """False if an interrupt left part of the source unread: the rows from there on have no line."""
    in_outage: bool = False
    most_held: int = 0
    """The most rows that were under the bound at once."""


@dataclass(frozen=True)
class Job:
    """One load: the mapping, the kind of call and the settings."""

    mapping: Mapping
    kind: Kind
    settings: Settings
    control: Control = field(default_factory=Control)

    def engine(self) -> Engine:
        """Return an engine for this job, not yet running."""
        settings = self.settings
        schedule = Schedule(
            max_queue_size=settings.max_queue_size,
            max_retries=settings.max_retries,
            rate_limit=RateLimit(settings.rate),
            max_outage=settings.max_outage,
        )
        transport = HttpTransport(
            settings.base_url, settings.require_key(), timeout=settings.timeout, connections=settings.workers
        )
        return Engine(schedule, transport, settings.workers)


def deliver(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """Send every row of the batches, and yield what became of each (schema `outcomes.OUTCOMES`).

    Every row of the input comes out exactly once, in the input's order as far as a look-ahead of about a second
    allows. A row never raises. The source's own errors raise only before the first call; after it they stop the
    load (`job.control.stopped`).
    """
    prepare = Preparation(job.mapping, job.kind, job.settings)
    rows = _numbered(batches)
    if job.settings.dry_run:
        yield from (not_sent(prepare(batch, first)) for first, batch in rows)
        return
    try:
        first = next(rows, None)
    except SourceBroken as error:
        raise SourceError(str(error)) from error  # nothing was sent yet
    if first is None:
        return
    rows = chain([first], rows)
    with job.engine() as engine:
        yield from _send(rows, prepare, engine, job)
    job.control.most_held = engine.most_held
    yield from _list_unsent(rows, prepare, job.control)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    row = 0
    for batch in batches:
        if batch.num_rows:
            yield row, batch
            row += batch.num_rows


def _send(
    rows: Iterator[tuple[int, pa.RecordBatch]], prepare: Preparation, engine: Engine, job: Job
) -> Iterator[pa.RecordBatch]:
    """Offer row after row to the engine and hand on what settles, until the source or the load has ended."""
    order = InOrder(job.settings.on_error)
    wanted = max(1, min(GROUP, job.settings.max_queue_size // 2))
    try:
        for first, batch in rows:
            good, bad = messages(prepare(batch, first), job.kind)
            order.add(map(invalid, bad))
            offered = engine.offer(good)
            while offered < len(good):
                yield from order.add(engine.read(wanted, GLANCE))
                _look_up(engine, job.control)
                if engine.stopped:
                    order.add(unsent(one, *_reason(engine.stopped)) for one in good[offered:])
                    break
                offered += engine.offer(good, offered)
            yield from order.add(engine.read())
            _look_up(engine, job.control)
            if engine.stopped:
                break
    except SourceBroken as error:  # what was read before it broke is good, and goes out
        job.control.stopped = Stop("source_broken", str(error))
    while engine.unfinished:
        yield from order.add(engine.read(wanted, GLANCE))
        _look_up(engine, job.control)
    order.add(engine.read())
    yield from order.rest()
    job.control.stopped = engine.stopped or job.control.stopped


def _look_up(engine: Engine, control: Control) -> None:
    if engine.in_outage and not control.in_outage:
        logger.warning("no answer from the API: trying one call now and then until it is back")
    control.in_outage = engine.in_outage
    if control.interrupted and not engine.stopped:
        engine.stop(Stop("interrupted", "the load was interrupted"))


def _reason(stop: Stop) -> tuple[str, str]:
    return stop.reason, f"not sent: {stop.message}"


def _list_unsent(
    rows: Iterator[tuple[int, pa.RecordBatch]], prepare: Preparation, control: Control
) -> Iterator[pa.RecordBatch]:
    """Account for the rows that a stopped load has not come to; an interrupted one takes no longer than `GRACE`."""
    if control.stopped is None or control.stopped.reason == "source_broken":
        return
    deadline = time.monotonic() + GRACE
    try:
        for first, batch in rows:
            yield not_sent(prepare.identities(batch, first), *_reason(control.stopped))
            if control.interrupted and time.monotonic() > deadline:
                control.source_ended = next(rows, None) is None
                return
    except SourceBroken:
        control.source_ended = False


class InOrder:
    """Puts outcomes back into the input's order, as far as a wait of `PATIENCE` seconds brings the missing ones.

    `on_error` hears of a failed row once its line is on record: when the batch that was yielded has been used.
    """

    def __init__(self, on_error: OnError | None = None) -> None:
        self._on_error = on_error
        self._held: list[Outcome] = []
        self._next = 0  # the row that is due

    def add(self, outcomes: Iterator[Outcome] | list[Outcome]) -> Iterator[pa.RecordBatch]:
        """Take outcomes in; return an iterator over what may go out now."""
        self._held.extend(outcomes)
        return self._ready(time.time() - PATIENCE)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Return everything that is still held, in order."""
        return self._ready(float("inf"))

    def _ready(self, not_since: float) -> Iterator[pa.RecordBatch]:
        held = self._held
        held.sort(key=_row)
        end = 0
        for one in held:
            if one.message.row > self._next:
                break
            self._next = max(self._next, one.message.row + 1)
            end += 1
        overdue = [position for position, one in enumerate(held) if one.finished_at <= not_since]
        if overdue and overdue[-1] >= end:  # stop waiting for what should come before it
            end = overdue[-1] + 1
            self._next = held[end - 1].message.row + 1
        if end:
            out, self._held = held[:end], held[end:]
            yield from_outcomes(out)
            if self._on_error is not None:
                for one in out:
                    tell(self._on_error, one)


def _row(outcome: Outcome) -> int:
    return outcome.message.row
