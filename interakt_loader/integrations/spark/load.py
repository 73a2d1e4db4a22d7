"""`load_users` and `load_events` of a Spark DataFrame: what the driver does."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from interakt_loader.delivery.job import check_coalesce
from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark.checks import (
    check_apart,
    check_session,
    choose_count,
    session_of,
    settings_of,
    settings_of_task,
)
from interakt_loader.integrations.spark.partitions import make_folder
from interakt_loader.integrations.spark.read_back import read_summary, stop_of
from interakt_loader.integrations.spark.schemas import BUCKET, CALLS, LINES, ddl
from interakt_loader.integrations.spark.task import ROW, Load, prepare_rows, send_calls
from interakt_loader.loading.opening import check_mapping, choose_mapping, opened
from interakt_loader.mapping import PRESET, Mapping, Preparation
from interakt_loader.result import LoadResult
from interakt_loader.safety.masking import masked
from interakt_loader.settings.values import hide_secrets
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    import pandas as pd
    from pyspark import Broadcast
    from pyspark.sql import DataFrame
    from typing_extensions import Unpack

    from interakt_loader.settings import Settings
    from interakt_loader.settings.options import Options

logger = logging.getLogger("interakt_loader")

SAMPLE_ROWS = 1000
"""Rows that are fetched to find out a mapping that is not given."""


def load_users(
    sdf: DataFrame, mapping: Any = None, *, partitions: int | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one user call for each row of a Spark DataFrame, on Spark's workers.

    `report`, which has to be given, is where Spark writes the report: a folder of Parquet files, schema
    `outcomes.OUTCOMES`, whose `row` is Spark's `monotonically_increasing_id`. `ledger` is a folder that all workers
    see, by default beside a report on a file system (`REPORT.ledgers`); `"none"` is without one, and then a task that
    Spark runs again sends its rows again. `partitions` is how many tasks send at once, by default as many as can run;
    each has its part of `rate_limit`, or all hold to one clock with `share`. All rows of a user go out by one task, in
    the frame's order. The other options are those of `Settings`; `limit`, `rows`, `on_error`, `event_id` and `html`
    cannot be had.

    Exactly one action makes calls. Raises `UsageError` before it when what is given makes no sense, and Spark's own
    errors; what happens to a row never raises.
    """
    return _load(sdf, mapping, "user", partitions, _hidden(options))


def load_events(
    sdf: DataFrame, mapping: Any = None, *, partitions: int | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one event call for each row; otherwise like `load_users`. The mapping needs an `event`."""
    return _load(sdf, mapping, "event", partitions, _hidden(options))


def _hidden(options: Options) -> dict[str, Any]:
    """Return the options, their secrets hidden in place: a notebook may show a traceback with locals."""
    given = cast("dict[str, Any]", options)
    hide_secrets(given)
    return given


def _load(sdf: DataFrame, mapping: Any, kind: Kind, partitions: int | None, options: dict[str, Any]) -> LoadResult:
    began = time.monotonic()
    session = session_of(sdf)
    check_session(session)
    if options.get("report") is None:
        raise SettingsError("report: say where Spark shall write the report, a folder: report=PATH")
    report = str(options["report"])
    settings = settings_of({**options, "ledger": _ledger(options.get("ledger"), report)})
    check_coalesce(kind, settings)
    check_apart(settings.ledger, report)
    read = _mapping(sdf, mapping, kind, settings)
    if not settings.dry_run:
        settings.require_key()
    count = choose_count(partitions, settings, session.sparkContext.defaultParallelism)
    task_settings = settings_of_task(settings, count)
    _check_report(session, report)
    if settings.ledger is not None and not settings.dry_run:
        make_folder(Path(settings.ledger), count)

    preparation = Preparation(read, kind, replace(settings, api_key=None, share=None))
    load = session.sparkContext.broadcast(Load(read, kind, task_settings, with_secrets=True))
    try:
        lines = _lines(sdf, preparation, load, count)
        lines.write.mode("overwrite").parquet(report)  # the one action that makes calls
    finally:
        load.destroy()
    summary = read_summary(session.read.parquet(report), dry_run=settings.dry_run)
    return LoadResult(
        name="DataFrame",
        kind=kind,
        summary=summary,
        seconds=time.monotonic() - began,
        report=Path(report),
        address=report if "://" in report else None,
        ledger=None if settings.ledger is None else Path(settings.ledger),
        stopped=stop_of(summary),
        rows_of=_alone,
        options=settings.public(),
    )


def _lines(sdf: DataFrame, preparation: Preparation, load: Broadcast[Load], count: int) -> DataFrame:
    """Return the report as a frame that makes the calls whenever it is computed."""
    from pyspark.sql import functions

    def prepare(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return prepare_rows(batches, preparation, count)

    def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None  # Spark calls this in a task
        return send_calls(batches, context.partitionId(), load.value)

    calls = sdf.withColumn(ROW, functions.monotonically_increasing_id()).mapInArrow(prepare, ddl(CALLS))
    return calls.repartitionById(count, BUCKET).sortWithinPartitions("row").mapInArrow(send, ddl(LINES))


def _ledger(given: Any, report: str) -> str | None:
    if given is None and "://" in report:
        raise SettingsError(f"ledger: expected a folder that all workers see, or 'none'; {report} is no place for one")
    if given is None:
        return f"{report.rstrip('/')}.ledgers"
    return None if str(given) == "none" else str(given)


def _mapping(sdf: DataFrame, mapping: Any, kind: Kind, settings: Settings) -> Mapping:
    """Return the mapping, proposed from some rows where none is given."""
    looks = mapping is None or (isinstance(mapping, str) and mapping.startswith(PRESET))
    source = opened(sdf.limit(SAMPLE_ROWS if looks else 0).toArrow(), settings)
    if ROW in source.columns:
        raise SettingsError(f"the column name {ROW!r} is reserved; give that column another name")
    read, source, inferred = choose_mapping(mapping, source, kind, settings)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    check_mapping(read, kind, source)
    return read


def _check_report(session: Any, report: str) -> None:
    """Refuse to write over anything but an older report."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    path = session.sparkContext._jvm.org.apache.hadoop.fs.Path(report)
    system = path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration())
    if not system.exists(path):
        return
    files = [one.getPath().getName() for one in system.listStatus(path)]
    if all(name.startswith(("_", ".")) for name in files):
        return  # what a job leaves that ended before its report was whole
    try:
        names = session.read.parquet(report).columns
    except (PySparkException, Py4JError):  # no Parquet at all
        names = []
    if names != LINES.names:
        raise SettingsError(f"report {report}: is there already and no report; choose another path")


def _alone(lines: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = lines.to_pandas()
    return frame
