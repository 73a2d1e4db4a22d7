"""`load_users`, `load_events` and `check`: a table, a mapping and options in, a `LoadResult` out."""

from __future__ import annotations

import logging
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interakt_loader.coerce import Target
from interakt_loader.errors import LoadInterrupted, MappingError, SettingsError
from interakt_loader.identity import country_code
from interakt_loader.interrupts import Interrupts
from interakt_loader.mapping import Mapping, infer, read_mapping
from interakt_loader.pipeline import Job, deliver
from interakt_loader.progress import Progress
from interakt_loader.report import Report, Summary
from interakt_loader.result import LoadResult
from interakt_loader.settings import Settings
from interakt_loader.sources import Source, open_source
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.settings import Options

logger = logging.getLogger("interakt_loader")


def load_users(data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
    """Make one user call for each row of a table, and return what became of each.

    `data` is a pandas DataFrame, an Arrow table, reader or dataset, anything with `__arrow_c_stream__` (polars,
    DuckDB), a path or a list of paths to Parquet, CSV/TSV, JSON lines or Feather. `mapping` says which column is
    which field: a `Mapping`, a dict, a path to a YAML, TOML or JSON file, or None to infer it from the column
    names. The options are those of `Settings`.

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
    return load(data, mapping, None, replace(Settings.resolve(options), dry_run=True))


def load(data: Any, mapping: Any, kind: Kind | None, settings: Settings) -> LoadResult:
    """Load a table: what the functions above, the command line and the Airflow task share."""
    source = open_source(data)
    _keep_apart(data, settings)
    read = None if mapping is None else read_mapping(mapping)
    read = _inferred(source, kind) if read is None else read
    kind = kind or read.kind
    read.check(kind, source.columns)
    if country_code(settings.default_country) is None:
        raise SettingsError(f"default_country is {settings.default_country!r}; expected such as +91, 91 or IN")
    try:
        Target(timezone=settings.timezone)
    except MappingError as error:
        raise SettingsError(f"timezone: {error}") from None
    if not settings.dry_run:
        settings.require_key()
    return _run(source, Job(read, kind, settings))


def _keep_apart(data: Any, settings: Settings) -> None:
    """Refuse a report path that is one of the sources: opening it would empty the source."""
    paths = [one for one in (data if isinstance(data, (list, tuple)) else [data]) if isinstance(one, (str, Path))]
    if settings.report is not None and Path(settings.report).exists():
        for path in paths:
            if Path(path).exists() and Path(path).samefile(settings.report):
                raise SettingsError(f"report {settings.report}: is the source itself; choose another path")


def _inferred(source: Source, kind: Kind | None) -> Mapping:
    inferred = infer(source.columns, kind)
    said = "; ".join(f"{field}: {inferred.mapping.as_dict()[field]} ({why})" for field, why in inferred.reasons)
    logger.warning("no mapping given, inferred from the column names: %s", said)
    return inferred.mapping


def _run(source: Source, job: Job) -> LoadResult:
    """Run the line with everything around it: the report, the bar and the signals."""
    settings, control = job.settings, job.control
    summary, began = Summary(settings.dry_run), time.monotonic()
    folder = _TemporaryFolder() if settings.report is None else None
    path = folder.path / "report.parquet" if folder else Path(settings.report or "")
    read = _Counted(_first_rows(source.batches(), settings.limit))
    rows = source.rows if settings.limit is None or source.rows is None else min(source.rows, settings.limit)

    def interrupt() -> None:
        control.interrupted = True

    with (
        Report(path) as report,
        Progress(rows, source.name, wanted=settings.progress) as bar,
        Interrupts(interrupt) as interrupts,
    ):
        for outcomes in deliver(read, job):
            report.write(outcomes)  # first on record, then shown
            summary.add(outcomes)
            bar.update(summary, in_outage=control.in_outage)
    if summary.rows != read.rows and control.source_ended:
        raise AssertionError(f"{read.rows} rows came in and {summary.rows} outcomes went out: please report this")
    result = LoadResult(
        kind=job.kind,
        summary=summary,
        seconds=time.monotonic() - began,
        report=path,
        stopped=control.stopped,
        keep_alive=folder,
        most_held=control.most_held,
    )
    if interrupts.signum is not None:
        raise LoadInterrupted(result, interrupts.signum)
    return result


class _Counted:
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


def _first_rows(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    if limit is None:
        yield from batches
        return
    for batch in batches:
        if limit <= 0:
            return
        yield batch.slice(0, limit)
        limit -= batch.num_rows


class _TemporaryFolder:
    """A folder that goes when nobody holds this object any more."""

    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="interakt-loader-")
        self.path = Path(folder.name)
        weakref.finalize(self, folder.cleanup)
