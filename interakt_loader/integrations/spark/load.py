"""`load_users` and `load_events` of a Spark DataFrame: the part that runs on the driver.

It refuses what many processes cannot do, or what would send rows twice. The counts come from the report that Spark
wrote, aggregated on the workers.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Dict
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from interakt_loader.codes import StopReason, entries
from interakt_loader.errors import MappingError, SettingsError
from interakt_loader.integrations.spark.task import (
    BUCKET,
    CALLS,
    LINES,
    ROW,
    Load,
    ddl,
    has_password,
    part_of,
    patiently,
    prepare_rows,
    send_calls,
)
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.loads import Loads, known_row
from interakt_loader.ledger.parts import PartsHeld, folder_of
from interakt_loader.load.earlier import Origin, is_known_by_content, this_load
from interakt_loader.load.job import check_coalesce
from interakt_loader.load.opening import PRESET, check_mapping, choose_mapping, opened
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.model import Kind, Status, Stop
from interakt_loader.privacy.secret_places import SecretPlace, read_secret, secret_place
from interakt_loader.privacy.secrets import Secret
from interakt_loader.privacy.text import masked
from interakt_loader.report.writer import Reason, Summary
from interakt_loader.result import LoadResult
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import variable_of
from interakt_loader.settings.settings import VARIABLES, beside, read_environment
from interakt_loader.settings.values import (
    Number,
    Rate,
    hide_secrets,
    is_address,
    local_path,
    parse_name,
    parse_path,
    parsed,
)
from interakt_loader.sources import Source, heading
from interakt_loader.sources.spark import STREAMING, Column, columns_of, select
from interakt_loader.values import full_type

if TYPE_CHECKING:
    import pandas as pd
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
    - `api_key` and `share` may be `{"env": NAME}` or `{"file": PATH}`: each worker reads them there. Over Spark Connect
      the key must be given so.
    - Only mapped columns are read. `"*"` maps all of them.
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
    if sdf.isStreaming:
        raise SettingsError(STREAMING)
    if options.get("report") is None:
        raise SettingsError("report: name the folder where Spark writes the report: report=PATH")
    report = absolute(str(parsed("report", parse_path, options["report"])))
    check_path(report)
    given_ledger = default_ledger(options.get("ledger"), report, options.get("name"))
    settings, places = _with_places({**options, "ledger": given_ledger})
    check_coalesce(kind, settings)
    check_apart(settings.ledger, report)
    read, source, columns = _mapping(sdf, mapping, kind, settings)
    if not settings.dry_run:
        check_secrets(settings, places, is_connect=is_connect(session))
    count = choose_count(partitions, 0 if partitions is not None else _slots(session))
    task_settings = settings_of_task(settings, count, shares="share" in places)
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
        whole = None if "share" in places else whole_limit(settings)
        load = _on_workers(session, Load(read, kind, task_settings, whole, parts, places), stack)
        lines = _lines(sdf, columns, preparation, load, count)
        _check_writable(session, report)
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
        report=Path(local_path(report) or report),
        address=report if local_path(report) is None else None,
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
    """Refuse a ledger inside the folder of the report, which Spark empties first, and the same of its parts."""
    place = local_path(report)
    if ledger is None or place is None:
        return
    whole = Path(place).resolve()
    # a link is inside too
    files = [Path(os.path.abspath(ledger)), Path(ledger).resolve()]  # noqa: PTH100 - links stay
    if any(one.is_relative_to(whole) for one in files):
        raise SettingsError(f"ledger {ledger}: is inside the report, which Spark overwrites; choose another path")
    if whole.is_relative_to(folder_of(Path(ledger))):
        raise SettingsError(f"report {report}: is where the parts of the ledger are; choose another path")


def absolute(report: str) -> str:
    """Return the path of a report as an absolute one: the working folder of Spark may be another one."""
    return report if is_address(report) else os.path.abspath(report)  # noqa: PTH100 - links stay


def check_path(report: str) -> None:
    """Refuse a path that Spark writes but does not read as it is: as a pattern, or with a colon in a folder's name."""
    own = r"[*?{}[\]]" if os.sep == "\\" else r"[*?{}[\]\\]"
    place = local_path(report)
    found = re.search(own, report) or (place and re.search(":", os.path.splitdrive(place)[1]))
    if found:
        raise SettingsError(
            f"report {report}: holds {found[0]!r}, which Spark cannot read in a path; choose another path"
        )


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
    """Refuse a session that may send rows twice."""
    if session.conf.get("spark.speculation", "false").lower() == "true":
        raise SettingsError("spark.speculation is on: a task that runs twice at once sends twice; turn it off")


def is_connect(session: Any) -> bool:
    """Tell whether this is a session of Spark Connect, which has no JVM and no broadcasts."""
    return not hasattr(session, "_jsc") and not hasattr(session, "_jvm")


def places_of(options: Dict[str, Any]) -> dict[str, SecretPlace]:
    """Return the places of secrets among the options, by option. Raises `SettingsError` for one that no worker reads.

    A worker on Databricks has no `dbutils`, so it cannot read a secret of a scope.
    """
    for name in ("api_key", "share"):
        if _is_of_a_scope(options.get(name)):
            raise SettingsError(
                f"{name}: a worker cannot read a secret of a scope: set an environment variable of the cluster to "
                f'{{{{secrets/SCOPE/NAME}}}}, and give {name}={{"env": VARIABLE}}'
            )
    found = {name: secret_place(options.get(name)) for name in ("api_key", "share")}
    return {name: place for name, place in found.items() if place is not None}


def _is_of_a_scope(given: Any) -> bool:
    written = given.reveal() if isinstance(given, Secret) else given
    return isinstance(written, Dict) and "secret" in written


def _with_places(options: dict[str, Any]) -> tuple[Settings, dict[str, SecretPlace]]:
    """Return the settings of the driver, and the places of the secrets that the workers read for themselves.

    The driver uses the key only for the ledger. If the place has none here, the key is that of INTERAKT_API_KEY. It
    does not use the shared limit.
    """
    places = places_of(options)
    options = {name: one for name, one in options.items() if name not in places}
    if "api_key" in places:
        with suppress(SettingsError):
            options["api_key"] = read_secret(places["api_key"])
    settings = settings_of(options)
    return replace(settings, share=None) if "share" in places else settings, places


def check_secrets(settings: Settings, places: Dict[str, SecretPlace], *, is_connect: bool) -> None:
    """Refuse a load without a key, and one whose plan would hold a secret. Raises `SettingsError`."""
    if "api_key" not in places:
        settings.require_key()
        if is_connect:
            raise SettingsError(
                'api_key: this is Spark Connect, whose plans would hold the key: give api_key={"env": NAME} or '
                '{"file": PATH}, which each worker reads for itself'
            )
    elif settings.ledger is not None and settings.api_key is None:
        try:
            read_secret(places["api_key"])
            why = "it is blank or holds characters that no key has"
        except SettingsError as error:
            why = str(error)
        raise SettingsError(
            f"api_key: the driver needs the key too, to open the ledger, and does not find it in that place ({why}): "
            "set INTERAKT_API_KEY here; or give ledger='none'"
        )
    if is_connect and settings.share is not None and "share" not in places and has_password(settings.share):
        raise SettingsError(
            'share: this is Spark Connect, whose plans would hold the password: give share={"env": NAME} or '
            '{"file": PATH}, which each worker reads for itself'
        )


def choose_count(partitions: int | None, slots: int) -> int:
    """Return the number of partitions: the given one, or as many as tasks can run at once."""
    return slots if partitions is None else int(parsed("partitions", Number(1, whole=True), partitions))


def settings_of_task(settings: Settings, count: int, *, shares: bool = False) -> Settings:
    """Return the settings of each of `count` tasks: its part of the rate limit, unless the tasks share a clock.

    `shares`: they share one whose address the driver does not know.
    """
    # The driver has renewed the account of the ledger.
    settings = replace(settings, same_account=False, old_api_key=None)
    rate = settings.rate_limit
    # "auto" is for a local server only, which has no limit; a dry run makes no calls.
    if rate == "auto" or settings.dry_run:
        return replace(settings, rate_limit=None)
    if shares and not isinstance(rate, Rate):
        raise SettingsError("share needs a declared limit: give rate_limit too, such as 300/min or growth")
    if shares or settings.share is not None or not isinstance(rate, Rate):
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


def _slots(session: Any) -> int:
    """Return how many tasks can run at once. A client of Spark Connect counts the partitions that Spark chooses."""
    if is_connect(session):
        return int(session.range(1 << 16).selectExpr("spark_partition_id() AS at").distinct().count())
    return int(session.sparkContext.defaultParallelism)


def _on_workers(session: Any, load: Load, stack: ExitStack) -> Callable[[], Load]:
    """Return what gives a worker the load. Secrets without a place go by a broadcast, until the stack is closed."""
    secrets = {"api_key": load.settings.api_key, "share": load.settings.share}
    if is_connect(session) or all(one is None or name in load.places for name, one in secrets.items()):
        return lambda: load
    broadcast = session.sparkContext.broadcast(replace(load, with_secrets=True))
    stack.callback(broadcast.destroy)

    def get() -> Load:
        found: Load = broadcast.value
        return found

    return get


def _lines(
    sdf: DataFrame, columns: Sequence[Column], preparation: Preparation, load: Callable[[], Load], count: int
) -> DataFrame:
    """Return the report as a DataFrame. Each time it is computed, it makes the calls."""
    names = [ROW, *(one.name for one in columns)]

    def prepare(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return prepare_rows((batch.rename_columns(names) for batch in batches), preparation, count)

    def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        # Spark calls this in a task.
        context = TaskContext.get()
        assert context is not None
        return send_calls(batches, context.partitionId(), load())

    numbered = select(sdf, columns, f"monotonically_increasing_id() AS {ROW}")
    calls = numbered.mapInArrow(prepare, ddl(CALLS))
    return calls.repartitionById(count, BUCKET).sortWithinPartitions("row").mapInArrow(send, ddl(LINES))


def default_ledger(given: Any, report: str, name: str | None) -> str | None:
    """Return the path of the ledger: the given one, that of the given folder, or one next to the report.

    With the load's `name`, it is called so in its folder.
    """
    if name is not None:
        parsed("name", parse_name, name)
    place = local_path(report)
    if given is None and place is None:
        raise SettingsError(
            f"ledger: expected a path that all workers see, or 'none'; a ledger cannot be next to {report}"
        )
    default = f"{(place or report).rstrip('/')}.ledger"
    if given is None:
        return default if name is None else beside(default, f"{name}.ledger")
    if str(given) == "none":
        return None
    path = local_path(str(parsed("ledger", parse_path, given)))
    if path is None:
        raise SettingsError(
            f"ledger {given}: a ledger needs a file system with locks, not an address: give the path of a folder that "
            "all workers mount, or 'none'"
        )
    folder = Path(path)
    if not folder.is_dir() and not path.endswith("/"):
        return path
    found = sorted(one for one in folder.glob("*.ledger") if one.is_file())
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


def _mapping(sdf: DataFrame, mapping: Any, kind: Kind, settings: Settings) -> tuple[Mapping, Source, Sequence[Column]]:
    """Return the mapping, a source of the frame's columns, and the columns to read.

    If no mapping is given, some rows give a proposal. It has no column whose values cannot be sent.
    """
    columns = columns_of(sdf)
    if mapping is None or (isinstance(mapping, str) and mapping.startswith(PRESET)):
        columns = [one for one in columns if one.is_usable]
        table = select(sdf, columns).limit(SAMPLE_ROWS).toArrow()
    else:
        table = pa.table([pa.nulls(0)] * len(columns), names=[f"v{at}" for at in range(len(columns))])
    source = opened(table.rename_columns([one.name for one in columns]), settings)
    if ROW in source.columns:
        raise SettingsError(f"the column name {ROW!r} is reserved; give that column another name")
    read, source, inferred = choose_mapping(mapping, source, kind, settings)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    check_mapping(read, kind, source)
    check_fields(read)
    return read, source, mapped_columns(columns, read, source)


def mapped_columns(columns: Sequence[Column], mapping: Mapping, source: Source) -> list[Column]:
    """Return the columns that the mapping needs. Raises `MappingError` for one whose values cannot be sent."""
    names = set(source.columns if mapping.all_columns else mapping.columns())
    mapped = [one for one in columns if heading(one.name) in names]
    for one in mapped:
        if not one.is_usable:
            instead = "leave it out of the mapping" if heading(one.name) in mapping.columns() else "drop it"
            raise MappingError(
                f"column {one.name!r} has the type {one.type.simpleString()}, which cannot be sent: make text or "
                f"numbers of it with Spark before, or {instead}"
            )
    return mapped


def _check_report(session: Any, report: str) -> None:
    """Refuse to overwrite anything but an older report."""
    from pyspark.errors import PySparkException

    # A job that ended before its report was complete leaves only files that this does not list.
    reader = session.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        if not reader.load(report).select("path").take(1):
            return
    except PySparkException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            return
        raise _unreadable(report, error) from error
    # raised by a classic session for a scheme that Spark does not know
    except Exception as error:
        raise _unreadable(report, error) from error
    try:
        names = session.read.parquet(report).columns
    # These are not Parquet files. A classic session raises errors of py4j, which a client of Connect may lack.
    except Exception:  # noqa: BLE001
        names = []
    if names != LINES.names:
        raise SettingsError(f"report {report}: exists already and is not a report; choose another path")


def _check_writable(session: Any, report: str) -> None:
    """Write an empty report. A task may make its calls before Spark creates its file, so they would have no report."""
    try:
        session.createDataFrame([], ddl(LINES)).write.mode("overwrite").parquet(report)
    # A classic session raises errors of py4j, which a client of Connect may lack.
    except Exception as error:
        raise SettingsError(
            f"report {report}: Spark cannot write there ({full_type(error)}); nothing was sent"
        ) from error


def _unreadable(report: str, error: Exception) -> SettingsError:
    return SettingsError(f"report {report}: Spark cannot look there ({full_type(error)}); nothing was sent")


def _lines_alone(lines: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = lines.to_pandas()
    return frame
