"""`load_users`, `load_events` and `check`: a table, a mapping and options in, a `LoadResult` out."""

from __future__ import annotations

import logging
import tempfile
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from interakt_loader.delivery.job import Control, Job, check_coalesce
from interakt_loader.delivery.pipeline import deliver
from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, SettingsError
from interakt_loader.loading.failing import as_they_stand
from interakt_loader.loading.interrupts import Interrupts
from interakt_loader.loading.opening import check_mapping, choose_mapping, opened
from interakt_loader.loading.selection import Counted, count_selected, selected
from interakt_loader.progress.bar import Progress
from interakt_loader.progress.forecast import forecast
from interakt_loader.report.report import Report, Summary
from interakt_loader.result import LoadResult
from interakt_loader.safety.masking import masked
from interakt_loader.safety.private_files import make_private
from interakt_loader.sending.ticket import Stop
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, did_you_mean
from interakt_loader.sources import Source
from interakt_loader.wire import Kind, Message, Status
from interakt_loader.work import Work

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.ledger import Ledger, Plan
    from interakt_loader.settings.options import Options

logger = logging.getLogger("interakt_loader")


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


def load(
    data: Any,
    mapping: Any,
    kind: Kind | None,
    settings: Settings,
    say: Callable[[str], object] | None = None,
    source: Source | None = None,
    control: Control | None = None,
    before: Callable[[Ready], object] | None = None,
) -> LoadResult:
    """Load a table: what the functions above, the command line and the Airflow task share.

    `say` is told in one line what the load will take, unless the progress bar has shown it. `source` is the data
    where it has been `opened` already: standard input can be read only once. Through `control` the load can be stopped
    from another thread. `before` is called once, right before the first call, if there is one to make; what it raises
    ends the load, and nothing was sent.
    """
    source = opened(data, settings) if source is None else source
    _keep_apart(data, settings)
    read, source, inferred = choose_mapping(mapping, source, kind, settings)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    kind = kind or read.kind
    check_mapping(read, kind, source)
    _check_options(kind, source, settings)
    if not settings.dry_run:
        settings.require_key()
    job = Job(read, kind, settings, control or Control())
    with ExitStack() as stack:
        if _wants_ledger(settings):
            from interakt_loader.ledger import Ledger

            ledger = stack.enter_context(Ledger(settings.ledger or "", kind, settings))
            _warn_if_shared(ledger, _name(data, source), job)
            job = replace(job, ledger=ledger)
        elif settings.ledger is not None and settings.event_id is not None:
            job = replace(job, ledger=stack.enter_context(_empty_ledger(kind, settings)))
        if settings.hidden_share is not None and not settings.dry_run:
            from interakt_loader.share import open_share

            assert isinstance(settings.rate, Rate)  # the settings see to it
            share = open_share(settings.hidden_share, settings.base_url, settings.require_key(), settings.rate)
            job = replace(job, share=stack.enter_context(closing(share)))
        return _run(data, source, job, say, before)


def _check_options(kind: Kind, source: Source, settings: Settings) -> None:
    check_coalesce(kind, settings)
    if settings.event_id is not None:
        if kind == "user":
            raise SettingsError("event_id is for events: users are told apart by user_id or phone")
        if settings.event_id not in source.columns:
            hint = did_you_mean(settings.event_id, source.columns)
            raise SettingsError(f"event_id: no such column: {settings.event_id!r}{hint}")


def _keep_apart(data: Any, settings: Settings) -> None:
    """Refuse to write over one of the sources, or two things to one path."""
    sources = [Path(one) for one in _paths(data) if Path(one).exists()]
    taken: dict[Path, str] = {}
    for name in ("report", "html", "ledger"):
        path = getattr(settings, name)
        if path is None:
            continue
        if Path(path).exists() and any(one.samefile(path) for one in sources):
            raise SettingsError(f"{name} {path}: is the source itself; choose another path")
        if Path(path).absolute() in taken:
            raise SettingsError(f"{name} {path}: is the {taken[Path(path).absolute()]} too; choose another path")
        taken[Path(path).absolute()] = name
    if settings.html is not None and (Path(settings.html).is_dir() or not Path(settings.html).parent.is_dir()):
        raise SettingsError(f"html {settings.html}: expected a file in a folder that exists")


def _paths(data: Any) -> list[str | Path]:
    return [one for one in (data if isinstance(data, (list, tuple)) else [data]) if isinstance(one, (str, Path))]


def _wants_ledger(settings: Settings) -> bool:
    """A dry run makes no ledger, and cannot read one without the key that its digests are made with."""
    if settings.ledger is None:
        return False
    return not settings.dry_run or (settings.api_key is not None and Path(settings.ledger).exists())


@contextmanager
def _empty_ledger(kind: Kind, settings: Settings) -> Iterator[Ledger]:
    """Yield a ledger that knows nothing, for a dry run without one: event ids within the input count all the same."""
    from interakt_loader.ledger import Ledger

    with (
        tempfile.TemporaryDirectory(prefix="interakt-loader-") as folder,
        Ledger(Path(folder) / "empty.ledger", kind, replace(settings, api_key="none is needed")) as ledger,
    ):
        yield ledger


def _name(data: Any, source: Source) -> str:
    """Return what tells this input from others: its paths, or else what its first rows hold."""
    paths = [str(Path(path).absolute()) for path in _paths(data)]
    if paths:
        return "\n".join(paths)
    if source.rows is None:  # a stream, perhaps: to look at its rows would be to lose them
        return uuid.uuid4().hex
    first = next(source.batches(), None)
    return f"{source.rows} {first.to_pylist() if first is not None else ''}"


def _warn_if_shared(ledger: Ledger, name: str, job: Job) -> None:
    """Say that events without a time of their own cannot be told from those of another input."""
    shared = ledger.is_shared(name)
    if shared and job.kind == "event" and job.mapping.created_at is None and job.settings.event_id is None:
        logger.warning(
            "this ledger knows events of another input, and events without created_at have no identity in time: one "
            "that says the same as an event loaded before counts as that one. Map created_at, or name a column of "
            "unique ids with event_id (--event-id)"
        )


def _run(
    data: Any,
    source: Source,
    job: Job,
    say: Callable[[str], object] | None,
    before: Callable[[Ready], object] | None,
) -> LoadResult:
    """Run the line with everything around it: the report, the bar and the signals."""
    settings, control = job.settings, job.control
    summary, began = Summary(settings.dry_run), time.monotonic()
    if settings.html is not None:
        make_private(settings.html)  # it may be the page of an earlier load
    folder = _TemporaryFolder() if settings.report is None else None
    path = folder.path / "report.parquet" if folder else Path(settings.report or "")
    read = Counted(selected(source.batches(), *settings.row_range))
    rows = count_selected(source.rows, *settings.row_range)

    # nobody has limits at home: an unknown one is guessed at for the API only
    rate = None if settings.rate == "auto" and settings.is_local else settings.rate

    def interrupt() -> None:
        control.stop_wanted = Stop("interrupted", "the load was interrupted")

    with (
        Report(path, later=before is not None) as report,
        Progress(rows, source.name, wanted=settings.progress) as bar,
        Interrupts(interrupt) as interrupts,
    ):

        def announce(line: str) -> None:
            logger.info(line)
            if not bar.say(line) and say is not None:
                say(line)

        def ready(work: Work) -> None:
            if before is None:
                return
            first = work.first_call()
            if work.calls != 0:
                asked = time.monotonic()
                bar.hide()
                interrupts.at_once = True
                before(Ready(job.kind, work.calls, rows, source.rows_exact, first))
                interrupts.at_once = False
                nonlocal began
                began += time.monotonic() - asked  # the load itself does not take that long
                bar.begin()
            report.begin()

        def announce_plan(plan: Plan) -> None:
            users = plan.users if settings.coalesce else None
            line = forecast(
                rate, plan.rows, unchanged=plan.unchanged, calls=plan.calls, users=users, doubted=plan.doubted
            )
            announce(line)
            bar.begin(plan.rows)

        control.on_prepared, control.on_plan, control.on_ready = bar.preparing, announce_plan, ready
        control.on_waiting = lambda: bar.update(summary, control.waits_for)
        if job.ledger is None and rows is not None and not settings.dry_run:
            announce(forecast(rate, rows, exact=source.rows_exact))
        for outcomes in deliver(read, job):
            _write(report, outcomes, control)  # first on record, then shown
            summary.add(outcomes)
            bar.update(summary, control.waits_for)
        _complete(report, control)
    if summary.rows != read.rows and control.source_ended:
        raise AssertionError(f"{read.rows} rows came in and {summary.rows} outcomes went out: please report this")
    result = LoadResult(
        name=source.name,
        kind=job.kind,
        summary=summary,
        seconds=time.monotonic() - began,
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
    if settings.html is not None:
        _write_page(result, settings.html)
    if interrupts.signum is not None:
        raise LoadInterrupted(result, interrupts.signum)
    return result


def _outlook(summary: Summary, rate: Rate | str | None, job: Job) -> str:
    unchanged = None if job.ledger is None else summary.counts[Status.UNCHANGED]
    return forecast(rate, summary.rows, unchanged=unchanged, calls=summary.counts[Status.UNSENT])


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
