"""The stages that every row passes: batches of rows in, batches of report lines out.

    source ─► record batches ─► preparation ─► messages ─► engine (schedule, consumers, transport) ─► outcomes
                                       │                                                                ▲
                                     plan, if there is a ledger: unchanged rows go straight on ─────────┘

All of it runs on the caller's thread: it reads the source, prepares rows and offers them to the engine. It also puts
outcomes on record and hands them on. The engine's consumers only call the API.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from interakt_loader.errors import LedgerBroken, RecordBroken, SettingsError, SourceBroken, SourceError, option
from interakt_loader.load.job import Job, Sender, Settler, open_sender
from interakt_loader.model import FAILURES, OnError, Outcome, Status, Stop, report_error
from interakt_loader.report.outcomes import from_outcomes, in_order, masked_lines
from interakt_loader.sending.pending import unsent
from interakt_loader.sending.retry_policy import DRAIN
from interakt_loader.sending.work import Streamed, Work, WorkBatch
from interakt_loader.settings.values import Failures

if TYPE_CHECKING:
    from interakt_loader.ledger import Plan
    from interakt_loader.load.earlier import EventNames
    from interakt_loader.shared_limit import Turns

logger = logging.getLogger("interakt_loader")

GLANCE = 0.2
"""Longest wait of the pipeline in seconds. Then it checks for an interrupt, and hands on what has settled."""

GROUP = 2048
"""Outcomes that are handed on together, if there are so many."""

GRACE = 2.0
"""Seconds that an interrupted load may take to list the rows that it has not sent."""

AHEAD = 1001
"""Rows whose event names are looked at before the first call of a load that has no plan."""


def deliver(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """Plan and send the rows of the batches, and yield their report lines: a `Pipeline` without questions."""
    pipeline = Pipeline(batches, job)
    pipeline.plan()
    yield from pipeline.lines()


class Pipeline:
    """The pipeline of one load: first call `plan`, then iterate over `lines`.

    Every row of the input comes out exactly once, in the input's order as far as a look-ahead of about a second
    allows. A row never raises.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], job: Job, event_names: EventNames | None = None) -> None:
        """`event_names` take in prepared rows before the first call: all with a ledger, else the first `AHEAD`."""
        self._batches, self._job, self._event_names = batches, job, event_names
        self._first_row = job.settings.row_range[0]
        self._work: Streamed | Plan | None = None
        self.rows = 0
        """How many rows have been read."""
        self.stopped: Stop | None = None
        """Why the load ended before its last row."""
        self.source_ended = True
        """False if a part of the source was not read: the rows from there on have no line."""
        self.most_held = 0
        """The most rows that were under the bound at once."""

    def plan(self) -> Streamed | Plan:
        """Return the work: with a ledger a `Plan`, for which all rows are read now. Nothing is sent yet.

        Raises `SourceError` if the source breaks off, and `SettingsError` if the ledger cannot be used.
        """
        try:
            self._work = self._streamed() if self._job.ledger is None else self._planned()
        except SourceBroken as error:
            raise SourceError(str(error)) from error
        except LedgerBroken as error:
            raise SettingsError(str(error)) from error
        return self._work

    def lines(self) -> Iterator[pa.RecordBatch]:
        """Send the rows, and yield a report line for each (schema `outcomes.OUTCOMES`).

        The source's own errors raise only before the first call. After it they stop the load.
        """
        assert self._work is not None
        lines = self._lines(self._work)
        yield from map(masked_lines, lines) if self._job.settings.mask else lines

    def _lines(self, work: Streamed | Plan) -> Iterator[pa.RecordBatch]:
        job = self._job
        if job.settings.dry_run:
            yield from self._checked(work)
            return
        if job.stop_token.stop is not None:
            self.stopped = job.stop_token.stop
        elif job.settler is not None:
            yield from self._settled(work, job.settler)
        else:
            with open_sender(job) as sender:
                yield from self._send(work, sender)
            self.most_held = sender.engine.most_held
        if self.stopped is not None and self.stopped.reason != "source_broken":
            yield from self._list_unsent(work, self.stopped)

    def _numbered(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the batches that have rows, each with the number of its first row in the input."""
        for batch in self._batches:
            if batch.num_rows:
                first = self._first_row + self.rows
                self.rows += batch.num_rows
                yield first, batch

    def _streamed(self) -> Streamed:
        rows, prepare, names = self._numbered(), self._job.preparation, self._event_names
        ahead: list[tuple[int, pa.RecordBatch]] = []
        for first, batch in rows:
            ahead.append((first, batch))
            if names is None:
                break
            names.add(prepare(batch, first))
            if self.rows >= AHEAD:
                break
        return Streamed(prepare, chain(ahead, rows), self._job.kind, self._job.lines.label)

    def _planned(self) -> Plan:
        job = self._job
        assert job.ledger is not None
        event_id = None if job.event_id is None else job.event_id.label
        last_states = job.settler is not None and job.settler.last_states
        return job.ledger.plan(self._prepared(), event_id, job.lines.label, last_states=last_states)

    def _prepared(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, prepared, until the load is to stop."""
        job, prepare = self._job, self._job.preparation
        for first, batch in self._numbered():
            rows = prepare(batch, first)
            if self._event_names is not None:
                self._event_names.add(rows)
            yield rows
            job.observer.prepared(self.rows)
            if job.stop_token.stop is not None:
                self.source_ended = False
                return

    def _checked(self, work: Work) -> Iterator[pa.RecordBatch]:
        lines, token = work.checked(), self._job.stop_token
        try:
            for batch in lines:
                yield batch
                if token.stop is not None:
                    self.stopped, self.source_ended = token.stop, next(lines, None) is None
                    break
        except SourceBroken as error:
            # nothing was sent
            raise SourceError(str(error)) from error

    def _in_order(self) -> InOrder:
        settings = self._job.settings
        return InOrder(settings.on_error, self._first_row, settings.max_queue_size)

    def _send(self, work: Work, sender: Sender) -> Iterator[pa.RecordBatch]:
        """Offer row after row to the engine and hand on what settles, until the source or the load has ended."""
        order, monitor, engine = self._in_order(), Monitor(sender, self._job), sender.engine
        wanted = max(1, min(GROUP, self._job.settings.max_queue_size // 2))

        def settled(outcomes: list[Outcome], lines: pa.RecordBatch | None = None) -> Iterator[pa.RecordBatch]:
            yield from order.add(outcomes, lines)
            for more in work.carried(outcomes):
                monitor.take_carried(more)
                yield from order.add(more)

        try:
            for batch in work.work_batches():
                monitor.take_in(batch)
                yield from settled(batch.settled, batch.unchanged)
                calls = batch.calls
                offered = engine.offer(calls)
                while offered < len(calls):
                    yield from settled(monitor.read(wanted, GLANCE))
                    if engine.stopped is not None:
                        yield from settled([unsent(one, engine.stopped) for one in calls[offered:]])
                        break
                    offered += engine.offer(calls, offered)
                yield from settled(monitor.read_group(wanted))
                if engine.stopped is not None:
                    break
        except SourceBroken as error:
            # the rows that were read before are good, and are sent
            self.stopped, self.source_ended = Stop("source_broken", str(error)), False
        while engine.unfinished:
            yield from settled(monitor.read(wanted, GLANCE))
        yield from settled(monitor.read())
        yield from order.rest()
        self.stopped = engine.stopped or self.stopped

    def _settled(self, work: Streamed | Plan, settler: Settler) -> Iterator[pa.RecordBatch]:
        """Settle row after row without a call, until all are settled or the load is to stop."""
        ledger, order = self._job.ledger, self._in_order()
        assert ledger is not None
        assert not isinstance(work, Streamed)
        self.stopped = settler.begin(self._job, work)
        for batch in work.work_batches() if self.stopped is None else ():
            try:
                outcomes = [*batch.settled, *settler.settle(batch.calls)]
                ledger.record(outcomes)
            except (LedgerBroken, RecordBroken) as error:
                self.stopped = Stop("ledger_broken" if isinstance(error, LedgerBroken) else "abandoned", str(error))
                outcomes = [*batch.settled, *(unsent(one, self.stopped) for one in batch.calls)]
            yield from order.add(outcomes, batch.unchanged)
            for more in work.carried(outcomes):
                yield from order.add(more)
            self.stopped = self.stopped or self._job.stop_token.stop
            if self.stopped is not None:
                break
        yield from order.rest()

    def _list_unsent(self, work: Work, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Account for the rows that a stopped load did not reach; an interrupted one takes at most `GRACE` for it."""
        deadline = time.monotonic() + GRACE
        lines = work.unsent(stop)
        try:
            for batch in lines:
                yield batch
                if self._job.stop_token.is_interrupt and time.monotonic() > deadline:
                    self.source_ended = next(lines, None) is None
                    return
        except SourceBroken:
            self.source_ended = False


PATIENCE = 1.0
"""Seconds that an outcome is held back for the sake of the input's order."""

MOST_HELD = 65_536
"""Report lines of unchanged rows that are held back at most."""


class InOrder:
    """Brings outcomes, and report lines that are made already, back into the input's order, and yields report lines.

    `on_error` is called for a failed row once its line is written: when the batch that was yielded has been used.
    """

    def __init__(self, on_error: OnError | None = None, first_row: int = 0, most_held: int = MOST_HELD) -> None:
        self._on_error = on_error
        self._most_held = most_held
        self._outcomes: list[Outcome] = []
        # each with the time at which it came
        self._lines: list[tuple[float, pa.RecordBatch]] = []
        # the row whose line comes next
        self._next = first_row

    def add(self, outcomes: Iterable[Outcome], lines: pa.RecordBatch | None = None) -> Iterator[pa.RecordBatch]:
        """Take them in, and return an iterator over the lines that are due now."""
        self._outcomes.extend(outcomes)
        if lines is not None:
            self._lines.append((time.time(), lines))
        return self._ready(time.time() - PATIENCE)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Return an iterator over all lines that are still held."""
        return self._ready(float("inf"))

    def _ready(self, settled_by: float) -> Iterator[pa.RecordBatch]:
        too_many = len(self._outcomes) > self._most_held or sum(one.num_rows for _, one in self._lines) > MOST_HELD
        overdue = [one.message.row for one in self._outcomes if too_many or one.finished_at <= settled_by]
        overdue += [lines["row"][-1].as_py() for since, lines in self._lines if too_many or since <= settled_by]
        # an overdue row does not wait for the rows before it
        self._next = max([self._next, *(row + 1 for row in overdue)])
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
        """Return the first row from `_next` on without an outcome so far."""
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
    return in_order(pieces)


def _ascends(batch: pa.RecordBatch) -> bool:
    rows = np.asarray(batch["row"])
    return bool((rows[1:] > rows[:-1]).all())


LEAST_ROWS = 100
"""The share of failures counts from so many rows read, and from so many settled."""


@dataclass
class Tally:
    """How many rows of a running load have failed so far, and whether that is too many. Pure.

    Invalid rows are known long before the calls of their batch settle.
    """

    read: int = 0
    """Rows read."""
    refused: int = 0
    """Of these, the invalid ones, for which there is no call."""
    settled: int = 0
    """Of the others, the ones whose outcome is known."""
    failed: int = 0
    """Of the settled ones, those that were rejected, failed or are unknown."""

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Count calls that have ended. Rows that a stop left unsent do not count."""
        for one in outcomes:
            if one.status is not Status.UNSENT:
                self.settled += 1
                self.failed += one.status in FAILURES

    def are_too_many(self, allowed: Failures) -> bool:
        """Decide by the counts so far. A share of all rows is estimated from both kinds of failures."""
        if self.refused + self.failed > allowed.rows:
            return True
        invalid = self.refused / self.read if self.read >= LEAST_ROWS else 0.0
        failing = self.failed / self.settled if self.settled >= LEAST_ROWS else 0.0
        return invalid + (1 - invalid) * failing > allowed.share

    def __str__(self) -> str:
        return f"{self.refused:,} of {self.read:,} rows are invalid, {self.failed:,} of {self.settled:,} calls failed"


NO_ANSWER = "no answer: waiting"
OVER_THE_LIMIT = "over the call limit: waiting"
SHARE_AWAY = "the shared clock cannot be reached: waiting"


class Monitor:
    """Reads outcomes from the engine, and puts them on record before anybody sees them.

    It also ends a load that goes wrong: too many failures, an interrupt, calls that hang.
    """

    def __init__(self, sender: Sender, job: Job) -> None:
        self._engine, self._turns, self._shared_limit = sender.engine, sender.turns, sender.shared_limit
        self._ledger, self._observer, self._stop_token = job.ledger, job.observer, job.stop_token
        self._settings = job.settings
        self._allowed = job.settings.max_failures or Failures()
        self._tally = Tally()
        self._deadline: float | None = None
        self._waits_for = ""
        self._warned_of_file = False
        self._holds = None if self._turns is None else self._turns.rate
        self._read_at = 0.0

    def read_group(self, wanted: int) -> list[Outcome]:
        """Return what has settled, if it is `wanted` outcomes or the last read was `GLANCE` seconds ago.

        Each transaction of the ledger takes 0.2 ms more than its calls, and on a slow disk far longer.
        """
        if self._engine.settled < wanted and time.monotonic() - self._read_at < GLANCE:
            self._check_engine()
            return []
        return self.read()

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        """Return what has settled, and is on record. Wait up to `timeout` seconds for `wanted` outcomes."""
        outcomes = self._engine.read(wanted, timeout)
        self._read_at = time.monotonic()
        self._record(outcomes)
        self._tally.settle(outcomes)
        self._check_engine()
        return outcomes

    def take_in(self, work_batch: WorkBatch) -> None:
        """Count the rows of a batch that has been read."""
        unchanged = 0 if work_batch.unchanged is None else work_batch.unchanged.num_rows
        self._tally.read += len(work_batch.calls) + len(work_batch.settled) + unchanged + work_batch.merged
        self._tally.refused += len(work_batch.settled)
        self._tally.settled += unchanged

    def take_carried(self, outcomes: list[Outcome]) -> None:
        """Count rows that ended with the call of another row."""
        self._tally.settle(outcomes)
        self._check_engine()

    def _record(self, outcomes: list[Outcome]) -> None:
        if self._ledger is None:
            return
        try:
            self._ledger.record(outcomes)
        except LedgerBroken as error:
            # the slots of the calls in flight keep what cannot be written now
            self._ledger = None
            self._engine.stop(Stop("ledger_broken", str(error)))

    def _say_which_limit_holds(self, turns: Turns) -> None:
        """Log once if another load's limit holds, or if the limits of other loads cannot be read."""
        if turns.holds != self._holds:
            self._holds = turns.holds
            if turns.holds == turns.rate:
                limit = option("rate_limit")
                logger.info("%s %s holds again: the load with the lower limit has ended", limit, turns.rate)
            else:
                logger.warning(
                    "%s is %s, and another load of this account on this machine declares %s: the lower limit "
                    "holds for both until one of them ends",
                    option("rate_limit"),
                    turns.rate,
                    turns.holds,
                )
        if turns.file_error and not self._warned_of_file:
            self._warned_of_file = True
            logger.warning(
                "the limit is held by this process alone: the file for all loads of this machine cannot be used (%s)",
                turns.file_error,
            )

    def _check_engine(self) -> None:
        """Show what calls wait for, and stop or abandon the engine if there is a reason."""
        engine = self._engine
        if self._turns is not None:
            self._say_which_limit_holds(self._turns)
        if self._tally.are_too_many(self._allowed):
            limit = f"{option('max_failures')} is {self._settings.max_failures}"
            engine.stop(Stop("too_many_failures", f"{self._tally}: {limit}"))
        waits_for = self._what_calls_wait_for()
        if waits_for != self._waits_for:
            self._waits_for = waits_for
            if waits_for == NO_ANSWER:
                logger.warning("no answer from the API (%s): trying one call now and then", engine.last_silence)
            self._observer.waits(waits_for)
        if self._stop_token.stop is not None:
            engine.stop(self._stop_token.stop)
        if engine.stopped is not None:
            now = time.monotonic()
            self._deadline = self._deadline or now + self._settings.timeout + DRAIN
            if now > self._deadline:
                engine.abandon()

    def _what_calls_wait_for(self) -> str:
        if self._engine.stopped is not None:
            return ""
        if self._shared_limit is not None and self._shared_limit.is_away:
            return SHARE_AWAY
        if self._engine.in_outage:
            return NO_ANSWER
        return OVER_THE_LIMIT if self._engine.is_held else ""
