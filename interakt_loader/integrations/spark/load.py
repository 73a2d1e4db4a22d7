"""`load_users` and `load_events` of a Spark DataFrame: the part that runs on the driver.

It refuses what many processes cannot do, or what would send rows twice. The counts come from the report that Spark
wrote, aggregated on the workers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from interakt_loader.codes import StopReason, entries
from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark.task import (
    BUCKET,
    CALLS,
    LINES,
    ROW,
    Load,
    ddl,
    part_of,
    patiently,
    prepare_rows,
    send_calls,
)
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.loads import Loads, known_row
from interakt_loader.ledger.parts import PartsHeld
from interakt_loader.load.earlier import Origin, is_known_by_content, this_load
from interakt_loader.load.job import check_coalesce
from interakt_loader.load.opening import PRESET, check_mapping, choose_mapping, opened
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.model import Kind, Status, Stop
from interakt_loader.privacy.text import masked
from interakt_loader.report.writer import Reason, Summary
from interakt_loader.result import LoadResult
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import variable_of
from interakt_loader.settings.settings import VARIABLES, beside, read_environment
from interakt_loader.settings.values import Number, Rate, hide_secrets, parse_name, parsed
from interakt_loader.sources import Source

if TYPE_CHECKING:
    import pandas as pd
    from pyspark import Broadcast
    from pyspark.sql import DataFrame
    from typing_extensions import Unpack

    from interakt_loader.settings import Settings
    from interakt_loader.settings.settings import Options

logger = logging.getLogger("interakt_loader")

SAMPLE_ROWS = 1000
"""Rows that are fetched to propose a mapping."""


def load_users(
    sdf: DataFrame, mapping: Any = None, *, partitions: int | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one user call for each row of a Spark DataFrame, on Spark's workers.

    - `report` is required: the folder where Spark writes the report as Parquet files (schema `outcomes.OUTCOMES`). Its
      `row` is Spark's `monotonically_increasing_id`.
    - `ledger` is a ledger as that of every load, or its folder, which all workers can read and write. By default it is
      next to a report on a file system: `REPORT.ledger`, or `NAME.ledger` with `name`. `"none"` keeps no ledger: if
      Spark runs a task again, this sends its rows again.
    - `partitions` is the number of tasks that send at once, by default as many as can run. Each has its part of
      `rate_limit`, or all share one clock with `share`. One task sends all rows of a user, in the frame's order.
    - The other options are those of `Settings`, except `limit`, `rows`, `query`, `where`, `on_error`, `event_id`,
      `failures` and `html`.

    Exactly one action makes calls. Raises `UsageError` before it for wrong arguments, and Spark's own errors. A row
    never raises.
    """
    return _load(sdf, mapping, "user", partitions, _hidden(options))


def load_events(
    sdf: DataFrame, mapping: Any = None, *, partitions: int | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one event call for each row; otherwise like `load_users`. The mapping needs an `event`."""
    return _load(sdf, mapping, "event", partitions, _hidden(options))


def _hidden(options: Options) -> dict[str, Any]:
    """Return the options, with their secrets hidden in place: a notebook may show a traceback with locals."""
    given = cast("dict[str, Any]", options)
    hide_secrets(given)
    return given


def _load(sdf: DataFrame, mapping: Any, kind: Kind, partitions: int | None, options: dict[str, Any]) -> LoadResult:
    began = time.monotonic()
    session = session_of(sdf)
    check_session(session)
    if options.get("report") is None:
        raise SettingsError("report: name the folder where Spark writes the report: report=PATH")
    report = str(options["report"])
    settings = settings_of({**options, "ledger": default_ledger(options.get("ledger"), report, options.get("name"))})
    check_coalesce(kind, settings)
    check_apart(settings.ledger, report)
    read, source = _mapping(sdf, mapping, kind, settings)
    if not settings.dry_run:
        settings.require_key()
    count = choose_count(partitions, session.sparkContext.defaultParallelism)
    task_settings = settings_of_task(settings, count)
    _check_report(session, report)
    path = None if settings.ledger is None or settings.dry_run else Path(settings.ledger)
    with ExitStack() as stack:
        ledger, parts = None, None
        if path is not None:
            _make_folder(path)
            ledger = stack.enter_context(patiently(lambda: Ledger(path, kind, settings), PartsHeld))
            ledger.renew_account()
            _checked(ledger.loads, sdf, read, kind, settings, source).begin()
            parts = ledger.divide(count)
        without_secrets = replace(settings, api_key=None, share=None, same_account=False, old_api_key=None)
        preparation = Preparation(read, kind, without_secrets)
        whole = whole_limit(settings)
        load = session.sparkContext.broadcast(Load(read, kind, task_settings, whole, parts, with_secrets=True))
        stack.callback(load.destroy)
        lines = _lines(sdf, preparation, load, count)
        # The one action that makes calls.
        lines.write.mode("overwrite").parquet(report)
        summary = read_summary(session.read.parquet(report), dry_run=settings.dry_run)
        if ledger is not None and ledger.merge_parts() and not summary.is_on_record:
            ledger.loads.take_back()
    return LoadResult(
        name="DataFrame",
        kind=kind,
        summary=summary,
        seconds=time.monotonic() - began,
        report=Path(report),
        address=report if "://" in report else None,
        ledger=None if settings.ledger is None else Path(settings.ledger),
        stopped=stop_of(summary),
        rows_of=_lines_alone,
        rate_limit=settings.rate_limit,
        options=settings.public(),
    )


_NOT_HERE = {
    "limit": "a DataFrame's rows have no order: filter them before",
    "rows": "a DataFrame's rows have no order: filter them before",
    "query": "prepare the rows with Spark's own SQL before",
    "where": "filter the rows with Spark before",
    "on_error": "tasks run on other machines: look at result.failing_lines() afterwards",
    "event_id": "name the columns that tell events apart in the mapping, as traits",
    "failures": "look at result.failing_lines() afterwards",
    "html": "call result.write_html(PATH) afterwards",
    "resend": "a task that Spark runs again would send all of its rows again; give another ledger",
}


def settings_of(options: Dict[str, Any]) -> Settings:
    """Return the settings of a load by Spark. Raises `SettingsError` for options that Spark loads do not have."""
    from_environment = read_environment(name for name in _NOT_HERE if name not in options)
    for name, instead in _NOT_HERE.items():
        if {**from_environment, **options}.get(name) not in (None, False):
            shown = variable_of(name) if name in from_environment else name
            raise SettingsError(f"{shown} cannot be had with Spark: {instead}")
    # its report is a folder, and all workers must see its files: the paths of other loads do not fit
    variables = [name for name in VARIABLES if name not in ("name", "report", "ledger")]
    settings = Settings.resolve(options, variables=variables)
    if settings.rate_limit == "auto" and not settings.is_local and not settings.dry_run:
        raise SettingsError("rate_limit: say what the account allows, such as 300/min: many tasks cannot find it out")
    return settings


def check_fields(mapping: Mapping) -> None:
    """Refuse what needs rows that a task does not see: it has some of the users, and rows without an order."""
    if mapping.event_id is not None:
        raise SettingsError(f"event_id cannot be had with Spark: {_NOT_HERE['event_id']}")
    if mapping.group_by is not None:
        raise SettingsError(
            "group_by cannot be had with Spark, whose rows have no order: make one row of each event before, with "
            "groupBy(…).agg(collect_list(…))"
        )


def check_apart(ledger: str | Path | None, report: str) -> None:
    """Refuse ledgers inside the folder of the report, which Spark empties first."""
    if ledger is not None and Path(ledger).resolve().is_relative_to(Path(report).resolve()):
        raise SettingsError(f"ledger {ledger}: is inside the report, which Spark overwrites; choose another path")


def session_of(sdf: Any) -> Any:
    """Return the session of a Spark DataFrame. Raises `SettingsError` for other objects."""
    session = getattr(sdf, "sparkSession", None)
    if session is None:
        raise SettingsError(
            f"this is a {type(sdf).__name__}; expected a Spark DataFrame (pip install 'pyspark>=4.1'), or, "
            "for tables and files, interakt_loader.load_users and load_events"
        )
    return session


def check_session(session: Any) -> None:
    """Refuse a session that may send rows twice, or that cannot get the key safely."""
    if not hasattr(session, "_jsc") and not hasattr(session, "_jvm"):
        raise SettingsError("this is Spark Connect; expected a classic session, in which the key can be a broadcast")
    if session.conf.get("spark.speculation", "false").lower() == "true":
        raise SettingsError("spark.speculation is on: a task that runs twice at once sends twice; turn it off")


def choose_count(partitions: int | None, slots: int) -> int:
    """Return the number of partitions: the given one, or as many as tasks can run at once."""
    return slots if partitions is None else int(parsed("partitions", Number(1, whole=True), partitions))


def settings_of_task(settings: Settings, count: int) -> Settings:
    """Return the settings of each of `count` tasks: its part of the rate limit, unless the tasks share a clock."""
    # The driver has renewed the account of the ledger.
    settings = replace(settings, same_account=False, old_api_key=None)
    rate = settings.rate_limit
    # "auto" is for a local server only, which has no limit; a dry run makes no calls.
    if rate == "auto" or settings.dry_run:
        return replace(settings, rate_limit=None)
    if settings.share is not None or not isinstance(rate, Rate):
        return settings
    return replace(settings, rate_limit=part_of(rate, count))


def whole_limit(settings: Settings) -> Rate | None:
    """Return the rate limit that the tasks divide; None if they share a clock, or no limit is declared."""
    rate = settings.rate_limit
    return rate if isinstance(rate, Rate) and settings.share is None and not settings.dry_run else None


def read_summary(lines: Any, *, dry_run: bool) -> Summary:
    """Return the summary of a report's lines. The driver gets one row for each status, code and column."""
    from pyspark.sql import functions

    summary = Summary(dry_run)
    groups = lines.groupBy("status", "code", "column").agg(
        functions.count("*").alias("rows"),
        functions.sum("attempts").alias("attempts"),
        functions.sum(functions.col("maybe_duplicate").cast("int")).alias("maybe_duplicates"),
        functions.min(functions.struct("row", "message")).alias("first"),
    )
    for one in groups.collect():
        summary.counts[one["status"]] += one["rows"]
        summary.attempts += one["attempts"]
        summary.maybe_duplicates += one["maybe_duplicates"]
        if one["code"] is not None:
            key = (one["status"], one["code"], one["column"])
            summary.reasons[key] = Reason(*key, one["rows"], [one["first"]["row"]], one["first"]["message"])
    return summary


def stop_of(summary: Summary) -> Stop | None:
    """Return why tasks ended before their last row: the reason of most rows; None if none did."""
    stops = [one for one in summary.top_reasons() if one.status == Status.UNSENT and one.code in entries(StopReason)]
    if not stops:
        return None
    message = (stops[0].example or "").removeprefix("not sent: ")
    return Stop(cast(StopReason, stops[0].code), message)


def _lines(sdf: DataFrame, preparation: Preparation, load: Broadcast[Load], count: int) -> DataFrame:
    """Return the report as a DataFrame. Each time it is computed, it makes the calls."""
    from pyspark.sql import functions

    def prepare(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return prepare_rows(batches, preparation, count)

    def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        # Spark calls this in a task.
        context = TaskContext.get()
        assert context is not None
        return send_calls(batches, context.partitionId(), load.value)

    calls = sdf.withColumn(ROW, functions.monotonically_increasing_id()).mapInArrow(prepare, ddl(CALLS))
    return calls.repartitionById(count, BUCKET).sortWithinPartitions("row").mapInArrow(send, ddl(LINES))


def default_ledger(given: Any, report: str, name: str | None) -> str | None:
    """Return the path of the ledger: the given one, that of the given folder, or one next to the report.

    With the load's `name`, it is called so in its folder.
    """
    if name is not None:
        parsed("name", parse_name, name)
    if given is None and "://" in report:
        raise SettingsError(
            f"ledger: expected a path that all workers see, or 'none'; a ledger cannot be next to {report}"
        )
    default = f"{report.rstrip('/')}.ledger"
    if given is None:
        return default if name is None else beside(default, f"{name}.ledger")
    if str(given) == "none":
        return None
    folder = Path(given)
    if not folder.is_dir() and not str(given).endswith("/"):
        return str(given)
    found = sorted(folder.glob("*.ledger"))
    if name is None and len(found) > 1:
        raise SettingsError(
            f"ledger {given}: has {len(found)} ledgers; give the path of one, or the name of its load: name='NAME'"
        )
    file = f"{name}.ledger" if name is not None else found[0].name if found else Path(default).name
    return str(folder / file)


def _make_folder(ledger: Path) -> None:
    """Create the folder of a ledger, as Spark creates that of the report."""
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"ledger {ledger}: its folder cannot be made: {error.strerror or error}") from None


def _checked(loads: Loads, sdf: DataFrame, mapping: Mapping, kind: Kind, settings: Settings, source: Source) -> Loads:
    """Refuse a load that does not match the earlier ones of its ledger; warn about a first load of events.

    Spark's rows have no order, so an input is recognised by its plan and its files, not by its first rows.
    """
    beginning, place = None, ""
    if is_known_by_content(mapping, kind, settings):
        place = "\n".join([str(sdf.semanticHash()), *sorted(sdf.inputFiles())])
        beginning = known_row(loads.digest(place), sent=True)
    origin = Origin(place=place)
    if kind == "event" and loads.is_first and not settings.is_local:
        logger.warning(
            "the first load of events from ledger %s: ongoing campaigns may message these people now, also about past "
            "events",
            settings.ledger,
        )
    this = this_load(mapping, kind, settings, source, origin, loads, beginning, renews=False)
    loads.check(this, str(settings.ledger))
    return loads


def _mapping(sdf: DataFrame, mapping: Any, kind: Kind, settings: Settings) -> tuple[Mapping, Source]:
    """Return the mapping and a source of the frame's columns. If no mapping is given, some rows give a proposal."""
    needs_rows = mapping is None or (isinstance(mapping, str) and mapping.startswith(PRESET))
    source = opened(sdf.limit(SAMPLE_ROWS if needs_rows else 0).toArrow(), settings)
    if ROW in source.columns:
        raise SettingsError(f"the column name {ROW!r} is reserved; give that column another name")
    read, source, inferred = choose_mapping(mapping, source, kind, settings)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    check_mapping(read, kind, source)
    check_fields(read)
    return read, source


def _check_report(session: Any, report: str) -> None:
    """Refuse to overwrite anything but an older report."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    path = session.sparkContext._jvm.org.apache.hadoop.fs.Path(report)
    system = path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration())
    if not system.exists(path):
        return
    files = [one.getPath().getName() for one in system.listStatus(path)]
    # A job that ended before its report was complete leaves such files.
    if all(name.startswith(("_", ".")) for name in files):
        return
    try:
        names = session.read.parquet(report).columns
    # These are not Parquet files.
    except (PySparkException, Py4JError):
        names = []
    if names != LINES.names:
        raise SettingsError(f"report {report}: exists already and is not a report; choose another path")


def _lines_alone(lines: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = lines.to_pandas()
    return frame
