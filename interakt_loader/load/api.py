"""The rows of a source that a load is about, and how many they are.

`load_users`, `load_events` and `check`: a table, a mapping and options in, a `LoadResult` out.
"""

from __future__ import annotations

import logging
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, SettingsError
from interakt_loader.load.earlier import EventNames, said, worth_asking
from interakt_loader.load.failed_rows import as_they_stand
from interakt_loader.load.job import Control, Job, check_coalesce
from interakt_loader.load.monitor import Interrupts
from interakt_loader.load.opening import check_mapping, choose_mapping, is_preset, opened
from interakt_loader.load.outputs import Others, check_outputs
from interakt_loader.load.pipeline import AHEAD, deliver
from interakt_loader.model import Kind, Message, Status, Stop
from interakt_loader.privacy.files import make_private
from interakt_loader.privacy.process import usable_stderr
from interakt_loader.privacy.text import masked
from interakt_loader.progress import Progress, forecast
from interakt_loader.report.writer import Report, Summary
from interakt_loader.result import LoadResult
from interakt_loader.sending.work import Work
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, did_you_mean
from interakt_loader.sources import Source
from interakt_loader.transport import read_environment

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.ledger import Ledger, Plan
    from interakt_loader.load.failed_rows import FailuresFile
    from interakt_loader.settings.settings import Options


class Counted:
    """An iterator over batches that counts their rows."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        batch = next(self._batches)
        self.rows += batch.num_rows
        return batch


def selected(batches: Iterator[pa.RecordBatch], first: int, end: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows from `first` up to `end`; a source is not read beyond."""
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
    """Return how many of the source's rows are between the two; None: nobody knows."""
    return None if rows is None else max(0, (rows if end is None else min(rows, end)) - first)


logger = logging.getLogger("interakt_loader")

_NO_OTHERS = Others()


class Ready(NamedTuple):
    """What a load is about to send."""

    kind: Kind
    calls: int | None
    """None: there is no plan, so each row may be a call."""
    rows: int | None
    """None: nobody knows."""
    exact: bool
    """Whether `rows` are counted, and not estimated."""
    first: Message | None
    """The first call; None where it is not among the first rows."""
    old: str | None = None
    """What to say of events that campaigns may answer though they are long past (see `old_events`)."""


class Talk(NamedTuple):
    """How a load talks to a person: see `load`."""

    say: Callable[[str], object] | None
    before: Callable[[Ready], object] | None
    ask: Callable[[Ready], object] | None

    def tells(self, old: str | None) -> Callable[[Ready], object] | None:
        """Return what to call before the first call; where that is nothing, give the warning about old events."""
        tell = self.before or (None if old is None else self.ask)
        if tell is None and old is not None:
            logger.warning("%s", old)
        return tell


def load_users(data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
    """Make one user call for each row of a table, and return what became of each.

    `data` is a pandas DataFrame, an Arrow table, reader or dataset, anything with `__arrow_c_stream__` (polars,
    DuckDB), a path or a list of paths to Parquet, CSV/TSV, JSON lines or Feather. `mapping` says which column is
    which field: a `Mapping`, a dict, a path to a YAML, TOML or JSON file, `preset:NAME`, or None to find it out
    from the column names and the first rows, which is shown. The options are those of `Settings`.

    Raises `UsageError` (a `ValueError`) when what is given makes no sense, before any call; `LoadInterrupted` (a
    `KeyboardInterrupt`) after Ctrl-C. What happens to a row never raises: see `LoadResult`.
    """
    return load(data, mapping, "user", Settings.resolve(options))


def load_events(data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
    """Make one event call for each row of a table; otherwise like `load_users`. The mapping needs an `event`."""
    return load(data, mapping, "event", Settings.resolve(options))


def check(data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
    """Prepare and check every row and send nothing; rows that could be sent are `unsent`.

    Users or events by the mapping (or the columns): events have an `event`.
    """
    return load(data, mapping, None, Settings.resolve({**options, "dry_run": True}))


def baseline(data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
    """Put every row on record as sent, and send nothing: later loads with this ledger take them for `unchanged`.

    For rows that Interakt has already, and for events of the past that no campaign shall answer. The ledger has to be
    given. Rows are `recorded`; those that could not be sent are `invalid`, and those on record already `unchanged`.
    Users or events by the mapping (or the columns): events have an `event`. Otherwise like `load_users`.
    """
    return load(data, mapping, None, Settings.resolve(options), record_only=True)


@usable_stderr()
def load(
    data: Any,
    mapping: Any,
    kind: Kind | None,
    settings: Settings,
    say: Callable[[str], object] | None = None,
    source: Source | None = None,
    control: Control | None = None,
    before: Callable[[Ready], object] | None = None,
    ask: Callable[[Ready], object] | None = None,
    begins: Callable[[], object] | None = None,
    others: Others = _NO_OTHERS,
    *,
    record_only: bool = False,
) -> LoadResult:
    """Load a table: what the functions above, the command line and the Airflow task share.

    `say` is told in one line what the load will take, unless the progress bar has shown it. `source` is the data
    where it has been `opened` already: standard input can be read only once. Through `control` the load can be stopped
    from another thread. `before` is called once, right before the first call, if there is one to make; what it raises
    ends the load, and nothing was sent. `ask` is called likewise, but only where there are events that campaigns may
    answer though they are long past; without either, that is a warning. `record_only`: put the rows on record as sent,
    and send nothing.
    `begins` is called once, right before a report that is there is written over. `others` are files of the load that
    the settings do not name.
    """
    talk = Talk(say, before, ask)
    if record_only:
        settings = _of_baseline(settings)
    source = opened(data, settings) if source is None else source
    if isinstance(mapping, (str, Path)) and not is_preset(mapping):
        others = others._replace(reads={"mapping": mapping, **others.reads})
    check_outputs(data, source, settings, others)
    # what sends nothing may go by a mapping that nobody has confirmed
    confirmed_by = replace(settings, dry_run=True) if record_only else settings
    read, source, inferred = choose_mapping(mapping, source, kind, confirmed_by)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    kind = kind or read.kind
    check_mapping(read, kind, source)
    _check_options(kind, source, settings)
    if not settings.dry_run:
        settings.require_key()
        read_environment(settings.base_url)  # a proxy that makes no sense is told before anything is planned
    job = Job(read, kind, settings, control or Control(), record_only=record_only)
    with ExitStack() as stack:
        if _wants_ledger(settings):
            from interakt_loader.ledger import Ledger
            from interakt_loader.load.earlier import check_earlier

            opening = Ledger.snapshot if settings.dry_run else Ledger
            ledger = stack.enter_context(opening(settings.ledger or "", kind, settings))
            job = replace(job, ledger=ledger)
            source = check_earlier(ledger.loads, str(settings.ledger), data, source, job)
        elif job.event_id is not None or (settings.ledger is not None and settings.coalesce):
            job = replace(job, ledger=stack.enter_context(_empty_ledger(kind, settings)))
        if settings.hidden_share is not None and not settings.dry_run and not record_only:
            from interakt_loader.shared_limit import open_share

            assert isinstance(settings.rate, Rate)  # the settings see to it
            share = open_share(settings.hidden_share, settings.base_url, settings.require_key(), settings.rate)
            job = replace(job, share=stack.enter_context(closing(share)))
        _say_ledger(job, say)
        if kind == "event" and settings.ledger is None and not settings.dry_run:
            return _run_without_ledger(data, source, job, talk, begins)
        return _run(data, source, job, talk, begins)


def _of_baseline(settings: Settings) -> Settings:
    """Return the settings by which rows are put on record; refuse those that have no meaning then."""
    if settings.ledger is None:
        raise SettingsError("baseline puts rows on record in a ledger: give one (--ledger PATH, in Python ledger=PATH)")
    if settings.dry_run:
        raise SettingsError(
            "baseline sends nothing anyway; to check the rows and record nothing, do a dry run of the load"
        )
    if settings.resend:
        raise SettingsError("baseline puts rows on record and resend sends them: expected one of the two")
    return replace(settings, on_unknown="resend", coalesce=False)


def _run_without_ledger(
    data: Any,
    source: Source,
    job: Job,
    talk: Talk,
    begins: Callable[[], object] | None,
) -> LoadResult:
    """Load events of which nothing is remembered but by this process; say so if it has sent them before."""
    from interakt_loader.load.earlier import SENT_BY_THIS_PROCESS as SENT

    digest, source = SENT.digest_of(source, job)
    SENT.warn(digest, source.rows)
    try:
        result = _run(data, source, job, talk, begins)
    except LoadInterrupted as error:
        if error.result is not None and error.result.attempts:
            SENT.add(digest, error.result.rows)
        raise
    if result.attempts:
        SENT.add(digest, result.rows)
    return result


def _check_options(kind: Kind, source: Source, settings: Settings) -> None:
    check_coalesce(kind, settings)
    if settings.event_id is not None:
        if kind == "user":
            raise SettingsError("event_id is for events: users are identified by user_id or phone")
        if settings.event_id not in source.columns:
            hint = did_you_mean(settings.event_id, source.columns)
            raise SettingsError(f"event_id: no such column: {settings.event_id!r}{hint}")


def _say_ledger(job: Job, say: Callable[[str], object] | None) -> None:
    """Say which ledger is used, and how much it knows: the first line of a load."""
    path = job.settings.ledger
    if path is None:
        line = "no ledger: rows that an earlier load has sent are sent again"
    elif job.ledger is not None and _wants_ledger(job.settings):
        count = job.ledger.on_record
        known = f"{count:,} row{'s' * (count > 1)} on record" if count else "new"
        line = f"ledger {path}: {known}"
    elif Path(path).exists():
        logger.warning(
            "ledger %s: was not read, as that takes the API key: rows that were sent before count as new", path
        )
        return
    else:
        line = f"ledger {path}: new"
    logger.info("%s", line)
    if say is not None:
        say(line)


def _wants_ledger(settings: Settings) -> bool:
    """A dry run makes no ledger, and cannot read one without the key that its digests are made with."""
    if settings.ledger is None:
        return False
    return not settings.dry_run or (settings.api_key is not None and Path(settings.ledger).exists())


@contextmanager
def _empty_ledger(kind: Kind, settings: Settings) -> Iterator[Ledger]:
    """Yield a ledger that knows nothing and goes with the load, where no other is to be had.

    With it, what the rows of the input say of one another counts all the same: event ids, and rows to be folded.
    """
    from interakt_loader.ledger import Ledger

    with (
        tempfile.TemporaryDirectory(prefix="interakt-loader-") as folder,
        Ledger(Path(folder) / "empty.ledger", kind, replace(settings, api_key=settings.api_key or "none")) as ledger,
    ):
        yield ledger


def _run(
    data: Any,
    source: Source,
    job: Job,
    talk: Talk,
    begins: Callable[[], object] | None,
) -> LoadResult:
    """Run the line with everything around it: the report, the bar and the signals."""
    settings, control = job.settings, job.control
    summary, began, pauses = Summary(settings.dry_run), time.monotonic(), [0.0]
    if settings.html is not None:
        make_private(settings.html)  # it may be the page of an earlier load
    events = _event_names(job)
    folder = _TemporaryFolder() if settings.report is None else None
    path = folder.path / "report.parquet" if folder else Path(settings.report or "")
    failures = _failures_file(source, settings)
    read = Counted(selected(source.batches(), *settings.row_range))
    rows = count_selected(source.rows, *settings.row_range)

    # nobody has limits at home: an unknown one is guessed at for the API only
    rate = None if settings.rate == "auto" and settings.is_local else settings.rate

    def interrupt() -> None:
        control.stop_wanted = Stop("interrupted", "the load was interrupted")

    with (
        Report(path, begins) as report,
        Progress(rows, source.name, wanted=settings.progress) as bar,
        Interrupts(interrupt) as interrupts,
    ):

        def announce(line: str) -> None:
            logger.info(line)
            if not bar.say(line) and talk.say is not None:
                talk.say(line)

        def ready(work: Work) -> None:
            old = None if work.calls == 0 else _old_events(events, job)
            tell = talk.tells(old)
            first = None if tell is None else work.first_call()
            if tell is not None and work.calls != 0:
                with _aside(bar, interrupts, pauses):
                    tell(Ready(job.kind, work.calls, rows, source.rows_exact, first, old))
            if job.ledger is not None:
                job.ledger.loads.begin(events.names)
            report.begin()

        def announce_plan(plan: Plan) -> None:
            announce(_plan_in_short(plan, rate, job))
            bar.begin(plan.rows)

        control.on_prepared, control.on_plan, control.on_ready = bar.preparing, announce_plan, ready
        control.on_rows = events.add if events.wanted else None
        control.on_waiting = lambda: bar.update(summary, control.waits_for)
        if job.ledger is None and rows is not None and not settings.dry_run:
            announce(forecast(rate, rows, exact=source.rows_exact, at_most=settings.coalesce))
        for outcomes in deliver(read, job):
            report.begin()
            _write(report, outcomes, control)  # first on record, then shown
            summary.add(outcomes)
            bar.update(summary, control.waits_for)
        _complete(report, control)
    if job.ledger is not None and not summary.is_on_record:
        job.ledger.loads.take_back()
    if summary.rows != read.rows and control.source_ended:
        raise AssertionError(f"{read.rows} rows came in and {summary.rows} outcomes went out: please report this")
    result = LoadResult(
        name=source.name,
        kind=job.kind,
        summary=summary,
        seconds=time.monotonic() - began - sum(pauses),
        report=path,
        ledger=job.ledger.path if job.ledger is not None and _wants_ledger(settings) else None,
        stopped=control.stopped,
        keep_alive=folder,
        most_held=control.most_held,
        examples=control.examples,
        forecast=_outlook(summary, rate, job) if settings.dry_run else None,
        rows_of=partial(as_they_stand, data=data, source=source),
        options=settings.public(),
    )
    _write_files(result, failures, settings)
    if interrupts.signum is not None:
        raise LoadInterrupted(result, interrupts.signum)
    return result


def _event_names(job: Job) -> EventNames:
    """Return what to take the names of the events in with."""
    to_the_api = not (job.settings.is_local or job.record_only)
    if job.kind != "event" or job.settings.dry_run or (job.ledger is None and not to_the_api):
        return EventNames(None)
    if job.ledger is None:
        return EventNames(lambda _: False)
    return EventNames(job.ledger.loads.knows_event if to_the_api else lambda _: True)


def _old_events(events: EventNames, job: Job) -> str | None:
    """Return what to say of events that campaigns may answer though they are long past, if there are any."""
    asked = worth_asking(events.first_ones, datetime.now(timezone.utc))
    if not asked:
        return None
    complete = job.ledger is not None or sum(one.rows for one in events.first_ones) < AHEAD
    return said(asked, ledger=job.ledger is not None, complete=complete)


def _plan_in_short(plan: Plan, rate: Rate | str | None, job: Job) -> str:
    if job.record_only:
        return f"{plan.unchanged:,} of {plan.rows:,} rows on record; {plan.calls:,} to record, none is sent"
    return forecast(
        rate,
        plan.rows,
        unchanged=plan.unchanged if _wants_ledger(job.settings) else None,
        merged=plan.merged,
        skipped=plan.skipped,
        calls=plan.calls,
        doubted=plan.doubted,
    )


@contextmanager
def _aside(bar: Progress, interrupts: Interrupts, pauses: list[float]) -> Iterator[None]:
    """Let a person be asked: without the bar, and a signal leaves at once. How long it takes goes to `pauses`."""
    began = time.monotonic()
    bar.hide()
    interrupts.at_once = True
    yield
    interrupts.at_once = False
    pauses.append(time.monotonic() - began)
    bar.begin()


def _failures_file(source: Source, settings: Settings) -> FailuresFile | None:
    if settings.failures is None:
        return None
    from interakt_loader.load.failed_rows import FailuresFile

    return FailuresFile(settings.failures, source)


def _outlook(summary: Summary, rate: Rate | str | None, job: Job) -> str:
    counts = summary.counts
    return forecast(
        rate,
        summary.rows,
        unchanged=counts[Status.UNCHANGED] if _wants_ledger(job.settings) else None,
        merged=counts[Status.MERGED],
        skipped=counts[Status.UNKNOWN],
        calls=counts[Status.UNSENT],
        at_most=job.settings.coalesce and job.ledger is None,
    )


def _write(report: Report, outcomes: pa.RecordBatch, control: Control) -> None:
    """Write the lines; if that cannot be done, have the load stop as soon as the calls in flight are accounted for."""
    if control.stop_wanted is not None and control.stop_wanted.reason == "report_broken":
        return
    try:
        report.write(outcomes)
    except OSError as error:
        control.stop_wanted = _report_broken(report, error)


def _complete(report: Report, control: Control) -> None:
    """Complete the report. A report without its end is a stopped load, even if every row was sent."""
    wanted = control.stop_wanted
    if wanted is not None and wanted.reason == "report_broken":
        control.stopped = wanted
        report.give_up()
        return
    try:
        report.close()
    except OSError as error:
        control.stopped = _report_broken(report, error)
        report.give_up()


def _write_files(result: LoadResult, failures: FailuresFile | None, settings: Settings) -> None:
    """Write what is made of a load that has ended."""
    if failures is not None:
        whole = result.stopped is None and settings.row_range == (0, None)
        result.failures_file = failures.settle(result, whole=whole)
    if settings.html is not None:
        _write_page(result, settings.html)


def _write_page(result: LoadResult, path: str | Path) -> None:
    """Write the page; the rows are on record by now, so that a full disk here is worth a warning and no more."""
    try:
        result.write_html(path)
    except (OSError, InteraktLoaderError) as error:
        logger.warning("%s", error)


def _report_broken(report: Report, error: OSError) -> Stop:
    return Stop("report_broken", f"report {report.path}: cannot be written: {error.strerror or error}")


class _TemporaryFolder:
    """A folder that goes when nobody holds this object any more."""

    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="interakt-loader-")
        self.path = Path(folder.name)
        weakref.finalize(self, folder.cleanup)
