"""What surrounds the pipeline of one load: report, progress bar, signals, a question before the first call, result."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, UsageError
from interakt_loader.load.failed_rows import FailuresFile, as_in_the_input
from interakt_loader.load.job import Confirmation, Job, Observer, Ready, Settler
from interakt_loader.load.pipeline import AHEAD, Pipeline
from interakt_loader.mapping import Preparation
from interakt_loader.mapping.created import Sort, alike
from interakt_loader.model import Status, Stop, StopToken
from interakt_loader.privacy.files import make_private
from interakt_loader.privacy.process import TolerantStream, is_main_thread
from interakt_loader.progress import Progress, forecast, verify_first
from interakt_loader.report.writer import Report, Summary
from interakt_loader.result import LoadResult
from interakt_loader.result.creates import Creates, NamesCreated
from interakt_loader.sending.work import Streamed
from interakt_loader.settings import Settings
from interakt_loader.settings.values import PlanRate, Rate
from interakt_loader.sources import Source
from interakt_loader.sources.spool import TemporaryFile

if TYPE_CHECKING:
    from interakt_loader.ledger import Plan
    from interakt_loader.ledger.loads import Loads
    from interakt_loader.load.earlier import EventNames

logger = logging.getLogger("interakt_loader")


class Interrupts:
    """Requests a stop at the first SIGINT or SIGTERM. A second one raises KeyboardInterrupt where the program is.

    A context manager that restores the former handlers. Outside the main thread, where Python allows no handlers, it
    does nothing. The end of the terminal (SIGHUP) does not end a load: nobody has asked it to stop.
    """

    def __init__(self, stop_token: StopToken, why: str = "the load was interrupted") -> None:
        self._stop_token, self._why = stop_token, why
        self._former: dict[int, Any] = {}
        self._terminal = outlive_terminal()
        self.signum: int | None = None
        """The first signal that came."""
        self.at_once = False
        """Set this while no call is in flight: then the first signal leaves at once."""

    def __enter__(self) -> Interrupts:
        self._terminal.__enter__()
        if is_main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                former = signal.getsignal(signum)
                # nohup and the like ignore them on purpose
                if former is not None and former is not signal.SIG_IGN:
                    self._former[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, former in self._former.items():
            signal.signal(signum, former)
        self._terminal.__exit__(kind, error, trace)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None or self.at_once:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        self._stop_token.request(Stop("interrupted", self._why))
        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        stderr = TolerantStream(sys.stderr)
        stderr.write(f"\n{name}: finishing the calls in flight and the report; once more leaves at once\n")
        stderr.flush()


@contextmanager
def outlive_terminal() -> Iterator[None]:
    """While this runs, the end of the terminal ends neither this process nor one that it starts.

    A program that handles SIGHUP itself keeps its handler. Windows has no such signal, and ends the process.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or not is_main_thread() or signal.getsignal(hangup) is not signal.SIG_DFL:
        yield
        return
    signal.signal(hangup, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(hangup, signal.SIG_DFL)


def run(source: Source, job: Job, confirmation: Confirmation | None = None) -> LoadResult:
    """Load the rows of a source. Raises `UsageError` if they may not be sent, `LoadInterrupted` after a signal."""
    began = time.monotonic()
    settings = job.settings
    if settings.html is not None:
        # it may be the page of an earlier load
        make_private(settings.html)
    temporary = TemporaryFile(".parquet") if settings.report is None else None
    path = temporary.path if temporary else Path(settings.report or "")
    failures = None if settings.failures is None else FailuresFile(settings.failures, source)
    rows = count_selected(source.rows, *settings.row_range)
    # a local server has no rate limit; assume one only for the real API
    rate = None if settings.rate_limit == "auto" and settings.is_local else settings.rate_limit
    may_merge = job.folds_waiting_rows or job.mapping.group_by is not None
    summary = Summary(settings.dry_run)
    asked = 0.0
    with (
        Report(path) as report,
        Progress(rows, source.name, wanted=settings.progress, reported=job.observer.reported) as bar,
        Interrupts(job.stop_token) as interrupts,
    ):
        observer = Shown(bar, summary, job.observer)
        lines = _Lines(report, observer, job.stop_token)
        events = _event_names(job)
        batches = _rows(source, job)
        pipeline = Pipeline(batches, replace(job, observer=observer), events)
        if job.ledger is None and rows is not None and not settings.dry_run:
            observer.announced(forecast(rate, rows, exact=source.rows_exact, at_most=may_merge))
        work = pipeline.plan()
        if job.stop_token.stop is None:
            # a dry run says so at its end
            if not isinstance(work, Streamed) and (job.keeps_ledger or not settings.dry_run):
                observer.announced(_plan_line(work, rate, job))
            sends = not settings.dry_run and job.settler is None
            bar.begin(None if isinstance(work, Streamed) else work.rows, work.calls if sends else None)
            if not settings.dry_run:
                old = None if work.calls == 0 else _old_events(events, job)
                if confirmation is None and old is not None:
                    logger.warning("%s", old)
                elif confirmation is not None and confirmation.is_needed(old):
                    first = work.first_call()
                    ready = Ready(job.kind, work.calls, rows, source.rows_exact, first, old)
                    asked = _confirmed(confirmation, ready, bar, interrupts)
                if job.ledger is not None:
                    job.ledger.loads.begin(job.created)
                lines.begin()
        for outcomes in pipeline.lines():
            # first on record, then shown
            lines.write(outcomes)
            summary.add(outcomes)
            observer.progressed(summary)
        lines.complete()
    if job.ledger is not None:
        _note_end(job.ledger.loads, summary, job.settler)
    _check_rows(settings, pipeline, summary)
    result = LoadResult(
        name=source.name,
        kind=job.kind,
        summary=summary,
        seconds=time.monotonic() - began - asked,
        report=path,
        ledger=job.ledger.path if job.ledger is not None and job.keeps_ledger else None,
        stopped=lines.broken or pipeline.stopped,
        account=None if job.settler is None else job.settler.account,
        temporary=temporary,
        most_held=pipeline.most_held,
        examples=work.examples,
        forecast=_outlook(work, summary, rate, job) if settings.dry_run else None,
        creates=_creates(job, summary.counts[Status.UNSENT]) if settings.dry_run else None,
        rows_of=partial(as_in_the_input, source=source),
        rate_limit=settings.rate_limit,
        options=settings.public(),
        lines=source.lines,
    )
    _write_files(result, failures, settings)
    if interrupts.signum is not None:
        raise LoadInterrupted(result, interrupts.signum)
    return result


def _note_end(loads: Loads, summary: Summary, settler: Settler | None) -> None:
    """Note the names that a settler has found, or take back the load's note if nothing is on record."""
    if not summary.is_on_record:
        loads.take_back()
    elif settler is not None and settler.created is not None:
        loads.note_names(settler.created)


def _rows(source: Source, job: Job) -> Iterator[pa.RecordBatch]:
    """Return the rows to load; those that are one event are together in a batch."""
    first, end = job.settings.row_range
    if job.mapping.group_by is None:
        return selected(source.batches(), first, end)
    return Preparation(job.mapping, job.kind, job.settings).whole_groups(source.batches(), end)


def selected(batches: Iterator[pa.RecordBatch], first: int, end: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows from `first` up to `end`; nothing is read beyond."""
    row = 0
    while end is None or row < end:
        batch = next(batches, None)
        if batch is None:
            return
        skipped = max(0, first - row)
        if skipped < batch.num_rows:
            yield batch.slice(skipped, None if end is None else end - row - skipped)
        row += batch.num_rows


def count_selected(rows: int | None, first: int, end: int | None) -> int | None:
    """Return how many of the source's rows are between the two; None if that is unknown."""
    return None if rows is None else max(0, (rows if end is None else min(rows, end)) - first)


class Shown(Observer):
    """Shows a load on the progress bar, and passes on what it sees to another observer."""

    def __init__(self, bar: Progress, summary: Summary, observer: Observer) -> None:
        self._bar, self._summary, self._observer = bar, summary, observer
        self._waits_for = ""
        # while the account is read: the contacts so far, and all
        self._contacts: tuple[int, int] | None = None

    def announced(self, line: str) -> None:
        """Write it above the bar; pass it on if there is none."""
        logger.info(line)
        if not self._bar.say(line):
            self._observer.announced(line)

    def prepared(self, rows: int) -> None:
        """Show it on the bar."""
        self._bar.preparing(rows)
        self._observer.prepared(rows)

    def overwrites_report(self) -> None:
        """Pass it on."""
        self._observer.overwrites_report()

    def wrote(self, lines: pa.RecordBatch) -> None:
        """Pass it on."""
        self._observer.wrote(lines)

    def waits(self, reason: str) -> None:
        """Show it on the bar."""
        self._waits_for = reason
        if self._contacts is None:
            self._bar.update(self._summary, reason)
        else:
            self._bar.read(*self._contacts, reason)
        self._observer.waits(reason)

    def read(self, contacts: int, total: int) -> None:
        """Show it on the bar."""
        self._contacts = contacts, total
        self._bar.read(contacts, total, self._waits_for)
        self._observer.read(contacts, total)

    def progressed(self, summary: Summary) -> None:
        """Show it on the bar."""
        self._contacts = None
        self._bar.update(summary, self._waits_for)
        self._observer.progressed(summary)


class _Lines:
    """Writes the lines of the report. If that fails, it has the load stop."""

    def __init__(self, report: Report, observer: Observer, stop_token: StopToken) -> None:
        self._report, self._observer, self._stop_token = report, observer, stop_token
        self._is_begun = False
        self.broken: Stop | None = None
        """Why the report is not complete. Such a load counts as stopped, even if every row was sent."""

    def begin(self) -> None:
        """Overwrite the report of an earlier load. A second call does nothing."""
        if not self._is_begun:
            self._is_begun = True
            self._observer.overwrites_report()
            self._report.begin()

    def write(self, lines: pa.RecordBatch) -> None:
        """Add lines; after an error nothing is added any more."""
        self.begin()
        self._observer.wrote(lines)
        if self.broken is None:
            try:
                self._report.write(lines)
            except OSError as error:
                self.broken = self._stop(error)
                self._stop_token.request(self.broken)

    def complete(self) -> None:
        """Complete the report."""
        if self.broken is not None:
            self._report.give_up()
            return
        try:
            if not self._is_begun:
                self._observer.overwrites_report()
            self._report.close()
        except OSError as error:
            self.broken = self._stop(error)
            self._report.give_up()

    def _stop(self, error: OSError) -> Stop:
        return Stop("report_broken", f"report {self._report.path}: cannot be written: {error.strerror or error}")


def _event_names(job: Job) -> EventNames | None:
    """Return what collects the names of the events; None if they are not needed."""
    if job.kind != "event" or job.settings.dry_run or job.settings.is_local or job.settler is not None:
        return None
    from interakt_loader.load.earlier import EventNames

    return EventNames((lambda _: False) if job.ledger is None else job.ledger.loads.known("events"))


def _old_events(events: EventNames | None, job: Job) -> str | None:
    """Return a line about events that are long past, which a campaign may answer all the same; None without any."""
    if events is None:
        return None
    from interakt_loader.load.earlier import old_events_line, worth_asking

    asked = worth_asking(events.new_names, datetime.now(timezone.utc))
    if not asked:
        return None
    complete = job.ledger is not None or sum(one.rows for one in events.new_names) < AHEAD
    return old_events_line(asked, ledger=job.ledger is not None, complete=complete)


def _check_rows(settings: Settings, pipeline: Pipeline, summary: Summary) -> None:
    """Check that each row has an outcome. Warn if options select none: that would look like an empty export."""
    if summary.rows != pipeline.rows and pipeline.source_ended:
        raise AssertionError(f"{pipeline.rows} rows came in and {summary.rows} outcomes went out: please report this")
    selected = [settings.called(one) for one in ("where", "rows", "limit") if getattr(settings, one) is not None]
    if selected and not pipeline.rows:
        logger.warning("no row is selected by %s", " and ".join(selected))


def _confirmed(confirmation: Confirmation, ready: Ready, bar: Progress, interrupts: Interrupts) -> float:
    """Ask, if there are calls; return how many seconds that took. Meanwhile a signal leaves at once, without a bar."""
    if ready.calls == 0:
        return 0.0
    began = time.monotonic()
    bar.hide()
    interrupts.at_once = True
    refusal = confirmation.refusal(ready)
    interrupts.at_once = False
    if refusal is not None:
        raise UsageError(refusal)
    bar.begin()
    return time.monotonic() - began


def _plan_line(plan: Plan, rate: Rate | str | None, job: Job) -> str:
    if job.settler is not None:
        return job.settler.plan_line(plan)
    line = forecast(
        rate,
        plan.rows,
        unchanged=plan.unchanged if job.keeps_ledger else None,
        merged=plan.merged,
        skipped=plan.skipped,
        calls=plan.calls,
        doubted=plan.doubted,
    )
    return line + _verify_first(plan, plan.calls, job)


def _verify_first(work: Streamed | Plan, calls: int, job: Job) -> str:
    """Return that reading the account first would save calls, if it may: the ledger knows few of these users."""
    settings = job.settings
    if job.kind == "event" or settings.ledger is None or settings.is_local or settings.resend:
        return ""
    if not isinstance(work, Streamed):
        return verify_first(work.new_users, work.unchanged)
    # a dry run without the key cannot read a ledger
    return "" if Path(settings.ledger).exists() else verify_first(calls, 0)


def _outlook(work: Streamed | Plan, summary: Summary, rate: Rate | str | None, job: Job) -> str:
    """Return what a dry run says of the load itself."""
    counts = summary.counts
    line = forecast(
        rate,
        summary.rows,
        unchanged=counts[Status.UNCHANGED] if job.keeps_ledger else None,
        merged=counts[Status.MERGED],
        skipped=counts[Status.UNKNOWN],
        calls=counts[Status.UNSENT],
        at_most=job.folds_waiting_rows,
    )
    return line + _verify_first(work, counts[Status.UNSENT], job)


def _creates(job: Job, calls: int) -> Creates | None:
    """Return the names that a load would create, compared with those that the ledger knows."""
    created = job.created
    if created is None:
        return None
    loads = job.ledger.loads if job.ledger is not None and job.keeps_ledger else None
    path = job.settings.ledger
    to_a_new_ledger = path is not None and not Path(path).exists()
    limit = job.settings.rate_limit
    plan = limit.plan if isinstance(limit, PlanRate) else None
    sorts: tuple[Sort, ...] = ("traits", "events") if job.kind == "event" else ("traits", "tags")
    found = []
    for sort in sorts:
        names = tuple(created.of(sort))
        new = names if to_a_new_ledger else None
        if loads is not None:
            is_known = loads.known(sort)
            new = tuple(name for name in names if not is_known(name))
        found.append(NamesCreated(sort, names, created.is_cut(sort), new))
    traits = found[0]
    otherwise = () if loads is None else tuple(filter(loads.known_alike(), traits.new or ()))
    return Creates(job.kind, calls, tuple(found), tuple(alike(traits.names)), otherwise, plan)


def _write_files(result: LoadResult, failures: FailuresFile | None, settings: Settings) -> None:
    """Write the failures file and the page of a load that has ended. An error is a warning: the rows are on record."""
    if failures is not None:
        whole = result.stopped is None and settings.row_range == (0, None)
        result.failures_file = failures.settle(result, whole=whole)
    if settings.html is not None:
        try:
            result.write_html(settings.html)
        except (OSError, InteraktLoaderError) as error:
            logger.warning("%s", error)
