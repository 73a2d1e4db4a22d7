"""Outcomes back in the input's order, as far as a short wait brings the missing ones.

The line that every row walks: batches of rows in, batches of outcomes out.

    source ─► record batches ─► preparation ─► messages ─► engine (schedule, consumers, transport) ─► outcomes
                                       │                                                                ▲
                                     plan, where there is a ledger: what is unchanged goes straight on ─┘

`deliver` is all of it. It runs on the caller's thread, which reads the source, prepares rows, offers them to the
engine, puts outcomes on record and hands them on; the engine's consumers do nothing but call the API.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import pyarrow as pa

from interakt_loader.errors import (
    LedgerBroken,
    SettingsError,
    SourceBroken,
    SourceError,
)
from interakt_loader.load.job import Control, Job
from interakt_loader.load.monitor import Monitor
from interakt_loader.model import OnError, Outcome, Status, Stop, report_error
from interakt_loader.report.outcomes import from_outcomes, masked_lines
from interakt_loader.sending.pending import recorded, unsent
from interakt_loader.sending.work import Streamed, Work
from interakt_loader.sending.workers import Engine

PATIENCE = 1.0
"""Seconds that an outcome is held back for the sake of the input's order."""

MOST_HELD = 65_536
"""Report lines of unchanged rows that are held back at most."""


class InOrder:
    """Takes outcomes, and report lines that are ready made, and hands them on as report lines.

    `on_error` hears of a failed row once its line is on record: when the batch that was yielded has been used.
    """

    def __init__(self, on_error: OnError | None = None, first_row: int = 0, most_held: int = MOST_HELD) -> None:
        self._on_error = on_error
        self._most_held = most_held
        self._outcomes: list[Outcome] = []
        self._lines: list[tuple[float, pa.RecordBatch]] = []  # each with the instant from which it is not held back
        self._next = first_row  # the row that is due

    def add(self, outcomes: Iterable[Outcome], lines: pa.RecordBatch | None = None) -> Iterator[pa.RecordBatch]:
        """Take them in; return an iterator over what may go out now."""
        self._outcomes.extend(outcomes)
        if lines is not None:
            self._lines.append((time.time(), lines))
        return self._ready(time.time() - PATIENCE)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Return everything that is still held, in order."""
        return self._ready(float("inf"))

    def _ready(self, not_since: float) -> Iterator[pa.RecordBatch]:
        too_many = len(self._outcomes) > self._most_held or sum(one.num_rows for _, one in self._lines) > MOST_HELD
        overdue = [one.message.row for one in self._outcomes if too_many or one.finished_at <= not_since]
        overdue += [lines["row"][-1].as_py() for since, lines in self._lines if too_many or since <= not_since]
        self._next = max([self._next, *(row + 1 for row in overdue)])  # what should come before is not waited for
        before = self._next = self._complete_before()
        out = [one for one in self._outcomes if one.message.row < before]
        pieces = [from_outcomes(out)] if out else []
        if len(out) == len(self._outcomes):
            self._outcomes = []
        elif out:
            self._outcomes = [one for one in self._outcomes if one.message.row >= before]
        pieces += self._lines_before(before)
        if pieces:
            yield _sorted(pieces)
            if self._on_error is not None:
                for one in sorted(out, key=lambda one: one.message.row):
                    if one.status is not Status.UNSENT:
                        report_error(self._on_error, one)

    def _complete_before(self) -> int:
        """Return the first row from `_next` on of which nothing is known yet."""
        known = [np.array([one.message.row for one in self._outcomes], np.int64)]
        known += [np.asarray(lines["row"]) for _, lines in self._lines]
        rows = np.sort(np.concatenate(known))
        rows = rows[rows >= self._next]
        gaps = np.flatnonzero(rows != np.arange(self._next, self._next + len(rows)))
        return self._next + int(gaps[0] if len(gaps) else len(rows))

    def _lines_before(self, before: int) -> list[pa.RecordBatch]:
        pieces, held = [], []
        for since, lines in self._lines:
            end = int(np.searchsorted(np.asarray(lines["row"]), before))
            if end:
                pieces.append(lines.slice(0, end))
            if end < lines.num_rows:
                held.append((since, lines.slice(end)))
        self._lines = held
        return pieces


def _sorted(pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(pieces) == 1 and _ascends(pieces[0]):
        return pieces[0]
    return pa.Table.from_batches(pieces).sort_by("row").combine_chunks().to_batches()[0]


def _ascends(batch: pa.RecordBatch) -> bool:
    rows = np.asarray(batch["row"])
    return bool((rows[1:] > rows[:-1]).all())


POLL_SECONDS = 0.2
"""Seconds after which the line looks up while it waits: for an interrupt, and to hand on what has settled."""

GROUP = 2048
"""Outcomes that are worth handing on at once."""

GRACE = 2.0
"""Seconds that an interrupted load may take to list the rows that it has not sent."""

AHEAD = 1001
"""Rows that are shown to `Control.on_rows` before the first call of a load that has no plan."""


def deliver(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """Send every row of the batches, and yield what became of each (schema `outcomes.OUTCOMES`).

    Every row of the input comes out exactly once, in the input's order as far as a look-ahead of about a second
    allows. A row never raises. The source's own errors raise only before the first call; after it they stop the
    load (`job.control.stopped`).
    """
    if job.settings.mask:
        yield from map(masked_lines, _delivered(batches, job))
    else:
        yield from _delivered(batches, job)


def _delivered(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    control = job.control
    try:
        work = _planned(batches, job) if job.ledger is not None else _streamed(batches, job)
    except SourceBroken as error:
        raise SourceError(str(error)) from error  # nothing was sent yet
    except LedgerBroken as error:
        raise SettingsError(str(error)) from error  # likewise
    if job.settings.dry_run:
        yield from _checked(work, control)
        return
    if control.stop_wanted is not None:
        control.stopped = control.stop_wanted
    else:
        control.on_ready(work)
        if job.record_only:
            yield from _recorded(work, job)
        else:
            with job.engine() as engine:
                yield from _send(work, engine, job)
            control.most_held = engine.most_held
    if control.stopped is not None and control.stopped.reason != "source_broken":
        yield from _list_unsent(work, control.stopped, control)


def _checked(work: Work, control: Control) -> Iterator[pa.RecordBatch]:
    lines = work.checked()
    try:
        for batch in lines:
            yield batch
            if control.stop_wanted is not None:
                control.stopped, control.source_ended = control.stop_wanted, next(lines, None) is None
                break
    except SourceBroken as error:
        raise SourceError(str(error)) from error  # nothing was sent
    control.examples = work.examples


def _numbered(batches: Iterator[pa.RecordBatch], row: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in batches:
        if batch.num_rows:
            yield row, batch
            row += batch.num_rows


def _streamed(batches: Iterator[pa.RecordBatch], job: Job) -> Work:
    rows = _numbered(batches, job.settings.row_range[0])
    on_rows, prepare = job.control.on_rows, job.preparation
    ahead: list[tuple[int, pa.RecordBatch]] = []
    count = 0
    for first, batch in rows:
        ahead.append((first, batch))
        count += batch.num_rows
        if on_rows is not None:
            on_rows(prepare(batch, first))
        if on_rows is None or count >= AHEAD:
            break
    return Streamed(prepare, chain(ahead, rows), job.kind)


def _planned(batches: Iterator[pa.RecordBatch], job: Job) -> Work:
    control, prepare = job.control, job.preparation

    def prepared() -> Iterator[pa.RecordBatch]:
        for first, batch in _numbered(batches, job.settings.row_range[0]):
            rows = prepare(batch, first)
            if control.on_rows is not None:
                control.on_rows(rows)
            yield rows
            control.on_prepared(first - job.settings.row_range[0] + batch.num_rows)
            if control.stop_wanted is not None:
                control.source_ended = False
                return

    assert job.ledger is not None
    plan = job.ledger.plan(prepared(), None if job.event_id is None else job.event_id.label)
    if control.stop_wanted is None:
        control.on_plan(plan)
    return plan


def _send(work: Work, engine: Engine, job: Job) -> Iterator[pa.RecordBatch]:
    """Offer row after row to the engine and hand on what settles, until the source or the load has ended."""
    order = InOrder(job.settings.on_error, job.settings.row_range[0], job.settings.max_queue_size)
    monitor = Monitor(engine, job)
    wanted = max(1, min(GROUP, job.settings.max_queue_size // 2))

    def settled(outcomes: list[Outcome], lines: pa.RecordBatch | None = None) -> Iterator[pa.RecordBatch]:
        yield from order.add(outcomes, lines)
        for more in work.carried(outcomes):
            yield from order.add(more)

    try:
        for piece in work.work_batches():
            monitor.take_in(piece)
            yield from settled(piece.settled, piece.unchanged)
            calls = piece.calls
            offered = engine.offer(calls)
            while offered < len(calls):
                yield from settled(monitor.read(wanted, POLL_SECONDS))
                if engine.stopped is not None:
                    yield from settled([unsent(one, engine.stopped) for one in calls[offered:]])
                    break
                offered += engine.offer(calls, offered)
            yield from settled(monitor.read())
            if engine.stopped is not None:
                break
    except SourceBroken as error:  # what was read before it broke is good, and goes out
        job.control.stopped, job.control.source_ended = Stop("source_broken", str(error)), False
    while engine.unfinished:
        yield from settled(monitor.read(wanted, POLL_SECONDS))
    yield from settled(monitor.read())
    yield from order.rest()
    job.control.stopped = engine.stopped or job.control.stopped


def _recorded(work: Work, job: Job) -> Iterator[pa.RecordBatch]:
    """Put row after row on record as sent, until all are or the load is to stop."""
    control, ledger = job.control, job.ledger
    assert ledger is not None
    order = InOrder(job.settings.on_error, job.settings.row_range[0], job.settings.max_queue_size)
    for piece in work.work_batches():
        outcomes = [*piece.settled, *map(recorded, piece.calls)]
        try:
            ledger.record(outcomes)
        except LedgerBroken as error:
            control.stopped = Stop("ledger_broken", str(error))
            outcomes = [*piece.settled, *(unsent(one, control.stopped) for one in piece.calls)]
        yield from order.add(outcomes, piece.unchanged)
        control.stopped = control.stopped or control.stop_wanted
        if control.stopped is not None:
            break
    yield from order.rest()


def _list_unsent(work: Work, stop: Stop, control: Control) -> Iterator[pa.RecordBatch]:
    """Account for the rows that a stopped load has not come to; an interrupted one takes no longer than `GRACE`."""
    deadline = time.monotonic() + GRACE
    lines = work.unsent(stop)
    try:
        for batch in lines:
            yield batch
            if control.interrupted and time.monotonic() > deadline:
                control.source_ended = next(lines, None) is None
                return
    except SourceBroken:
        control.source_ended = False
