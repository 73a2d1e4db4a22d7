"""`load_users`, `load_events`, `baseline` and `check`: a table, a mapping and options in, a `LoadResult` out."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import LoadInterrupted, SettingsError, option
from interakt_loader.load.job import Confirmation, Job, Observer, Settler, check_coalesce, open_shared_clock
from interakt_loader.load.opening import (
    OtherFiles,
    check_mapping,
    check_outputs,
    choose_mapping,
    index_names,
    is_mapping_file,
    opened,
)
from interakt_loader.load.run import run
from interakt_loader.mapping import CreatedNames, Mapping, MappingDict
from interakt_loader.model import Kind, Message, Outcome, Stop, StopToken
from interakt_loader.privacy.process import usable_stderr
from interakt_loader.privacy.secrets import hidden
from interakt_loader.privacy.text import masked, number_of
from interakt_loader.result import AccountRead, LoadResult
from interakt_loader.sending.pending import recorded
from interakt_loader.settings import Options, Settings, Unpack, lists_options
from interakt_loader.settings.values import did_you_mean
from interakt_loader.sources import Data, Source, hidden_source

if TYPE_CHECKING:
    from interakt_loader.ledger import Ledger, Plan

logger = logging.getLogger("interakt_loader")

NO_OTHER_FILES = OtherFiles()


@lists_options()
def load_users(
    data: Data, mapping: Mapping | MappingDict | str | Path | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one user call for each row of a table, and return the result of each.

    `data` is a pandas DataFrame, an Arrow table, reader or dataset, or anything with `__arrow_c_stream__` (polars,
    DuckDB). It may be a list or an iterator of dicts, frames or record batches, the cursor of a database, or an open
    file. It may be a path or an address of Parquet, CSV/TSV, JSON lines, Excel or Feather, or a list of these. What
    comes once is kept in a temporary file while the result is in use. `mapping` says which column is
    which field: a `Mapping`, a dict, a path to a YAML, TOML or JSON file, or `preset:NAME`. With None it is proposed
    from the column names and the first rows, and shown.

    The options:

    - `api_key`: The account's key: the Secret Key as the dashboard shows it, or decoded and without the colon.
    - `base_url`: The address of the API.
    - `timeout`: Seconds to wait for a connection, and seconds to wait for an answer.
    - `max_retries`: How many times a row is tried again: 3 means at most 4 calls.
    - `max_queue_size`: Rows held at once: queued, in flight, waiting for a retry, or not yet in the report.
    - `workers`: Calls in flight at once.
    - `rate_limit`: The account's limit: `300/min`, `10/s`, `growth` (300/min), `advanced` (600/min) or `none`.
    - `share`: Where loads of the account share the limit `rate_limit`.
    - `max_outage`: Stop with exit code 3 after so many seconds without any answer, or with nothing but 429.
    - `max_failures`: Stop with exit code 3 if more than N rows, or more than P% of the rows so far, are invalid,
      rejected, failed or unknown.
    - `name`: The name of the load, and of its ledger, report and failures file.
    - `report`: Path of the report: `.csv`, `.jsonl` or `.parquet`.
    - `failures`: Path of the failures file: a `.csv` file with the rows that need a person, to fix and load.
    - `html`: Path of an HTML page about the load, with counts, charts and the rows to fix.
    - `mask`: Mask phones and e-mail addresses in the report and in everything that is shown.
    - `ledger`: Path of the ledger, which stores the calls that were accepted.
    - `resend`: Send every row, whatever is in the ledger, and update the ledger.
    - `same_account`: The account's key was renewed: continue with the ledger that was made with the old key.
    - `old_api_key`: The key before it was renewed, for `same_account`.
    - `event_id`: The column that identifies an event together with its name.
    - `on_unknown`: What to do with an event if it is unknown whether it was accepted: `resend` it, which may store it
      twice, or `skip` it.
    - `coalesce`: Users only: make one call of all rows of a user that are to be sent.
    - `default_country`: Country of phones that have no country code: a dialling code, ISO letters or an English name.
    - `phones`: How phones are checked: by the numbering plans (`strict`), by their length (`possible`), or not at all
      (`as-is`: their digits are sent).
    - `timezone`: Time zone of times that have none (IANA name).
    - `bad_values`: If a trait cannot be sent: `reject` the row, or `drop` the trait, send the row and note it in the
      report.
    - `nulls`: Empty traits: `omit` them, or `clear` what Interakt has (sent as null).
    - `null_values`: Texts that count as an empty cell, such as `NULL,N/A`.
    - `dry_run`: Check every row and send nothing.
    - `encoding`: Encoding of text files, such as `cp1252`.
    - `delimiter`: The character between the cells of a text file.
    - `header`: Whether the first line of a text file or workbook has the column names.
    - `sheet`: Sheet of a workbook: its name or number.
    - `query`: Load the result of this SQL query, or of the query in this FILE.sql: on a database, or on files.
    - `where`: Load only the rows for which this SQL condition is true, such as `opted_in = 'yes'`.
    - `limit`: Read only the first N rows.
    - `rows`: Read only rows A to B, without B, numbered from 0 as in the report: `1000:2000`, `1000:`, `:50`.
    - `progress`: Show a progress bar.
    - `on_error`: Called as `on_error(error, queue_msg)` for each row that is refused or not accepted, once it is in the
      report.

    Raises `UsageError` (a `ValueError`) before any call if an argument makes no sense. Raises `LoadInterrupted` (a
    `KeyboardInterrupt`) after Ctrl-C. What happens to a row never raises: see `LoadResult`.
    """
    data = hidden_source(data)
    return _load(data, mapping, "user", options)


@lists_options()
def load_events(
    data: Data, mapping: Mapping | MappingDict | str | Path | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Make one event call for each row of a table; otherwise like `load_users`. The mapping needs an `event`."""
    data = hidden_source(data)
    return _load(data, mapping, "event", options)


@lists_options()
def check(
    data: Data, mapping: Mapping | MappingDict | str | Path | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Prepare and check every row and send nothing; rows that could be sent are `unsent`.

    The mapping or the columns tell whether the rows are users or events: events have an `event`.
    """
    data = hidden_source(data)
    return _load(data, mapping, None, {**options, "dry_run": True})


@lists_options()
def baseline(
    data: Data, mapping: Mapping | MappingDict | str | Path | None = None, **options: Unpack[Options]
) -> LoadResult:
    """Put every row on record as sent, and send nothing: for later loads with this ledger they are `unchanged`.

    It is for rows that Interakt has already, and for past events that no campaign shall answer. The option `ledger` is
    required. Rows are `recorded`; rows that could not be sent are `invalid`, and those on record already `unchanged`.
    The mapping or the columns tell whether the rows are users or events. Otherwise like `load_users`.
    """
    data = hidden_source(data)
    return _load(data, mapping, None, options, Recorder())


def _load(
    data: Any, mapping: Any, kind: Kind | None, options: Dict[str, Any], settler: Settler | None = None
) -> LoadResult:
    settings = Settings.resolve(options)
    return load(opened(data, settings), mapping, kind, settings, settler=settler)


@usable_stderr()
def load(
    source: Source,
    mapping: Any,
    kind: Kind | None,
    settings: Settings,
    *,
    observer: Observer | None = None,
    stop_token: StopToken | None = None,
    confirmation: Confirmation | None = None,
    other_files: OtherFiles = NO_OTHER_FILES,
    settler: Settler | None = None,
) -> LoadResult:
    """Load an opened source: what the functions above share with the command line and the Airflow task.

    `stop_token` stops the load from another thread. `confirmation` is asked right before the first call; without one,
    a line about old events is only a warning. `other_files` are files of the load that the settings do not name.
    With a `settler` nothing is sent.
    """
    if settler is not None:
        settler.check(settings, None)
        settings = replace(settings, on_unknown="resend", coalesce=False, resend=False)
    if is_mapping_file(mapping):
        other_files = other_files._replace(reads={"mapping": mapping, **other_files.reads})
    check_outputs(source, settings, other_files)
    # a load that sends nothing may use a mapping that nobody has confirmed
    confirmed_by = settings if settler is None else replace(settings, dry_run=True)
    read, source, inferred = choose_mapping(mapping, source, kind, confirmed_by)
    if inferred is not None:
        logger.warning("%s", masked(inferred.summary()))
    kind = kind or read.kind
    check_mapping(read, kind, source)
    check_options(read, kind, source, settings)
    if settler is not None:
        settler.check(settings, kind)
    _warn_of_order(read, kind, source)
    if not settings.dry_run:
        settings.require_key()
        # a proxy that makes no sense is refused before anything is planned
        from interakt_loader.transport import check_environment

        check_environment(settings.base_url)
    job = Job(
        read,
        kind,
        settings,
        observer or Observer(),
        stop_token or StopToken(),
        settler=settler,
        lines=source.lines,
    )
    with ExitStack() as stack:
        job, source = _with_ledger(job, source, stack)
        if settings.dry_run or (job.keeps_ledger and (settler is None or settler.created is None)):
            job = replace(job, created=CreatedNames())
        share = None if settler is not None else open_shared_clock(settings)
        if share is not None:
            job = replace(job, share=stack.enter_context(closing(share)))
        if settler is not None:
            stack.enter_context(closing(settler))
        _announce_ledger(job)
        if kind == "event" and settings.ledger is None and not settings.dry_run:
            return _run_without_ledger(source, job, confirmation)
        return run(source, job, confirmation)


class Recorder:
    """Puts calls on record as sent: the `Settler` of `baseline`."""

    last_states = False
    account: AccountRead | None = None
    created: CreatedNames | None = None

    def check(self, settings: Settings, kind: Kind | None) -> None:
        """Refuse options that have no meaning here."""
        del kind
        if settings.ledger is None:
            raise SettingsError(
                f"baseline puts rows on record in a ledger: give {option('ledger', placeholder='PATH')}"
            )
        if settings.dry_run:
            raise SettingsError(
                "baseline sends nothing anyway; to check the rows and record nothing, do a dry run of the load"
            )
        if settings.resend:
            raise SettingsError(
                f"baseline puts rows on record, and {option('resend')} sends them: expected one of the two"
            )

    def plan_line(self, plan: Plan) -> str:
        """Return how many rows are on record, and how many are to be."""
        return f"{plan.unchanged:,} of {plan.rows:,} rows on record; {plan.calls:,} to record, none is sent"

    def begin(self, job: Job, plan: Plan) -> Stop | None:
        """Do nothing."""

    def settle(self, calls: Sequence[Message]) -> list[Outcome]:
        """Return that the calls are on record."""
        return [recorded(one) for one in calls]

    def close(self) -> None:
        """Do nothing."""


def check_options(mapping: Mapping, kind: Kind, source: Source, settings: Settings) -> None:
    """Refuse options that do not fit the mapping or the columns. Raises `SettingsError`."""
    check_coalesce(kind, settings)
    if mapping.group_by is not None and settings.rows is not None:
        raise SettingsError(
            f"{option('rows')} could cut an event of several rows (group_by) in two: use {option('limit')}, which ends "
            "after a whole event, or divide the input before"
        )
    if settings.event_id is not None:
        if kind == "user":
            raise SettingsError(
                f"{settings.called('event_id')} is for events: users are identified by user_id or phone"
            )
        if settings.event_id not in source.columns:
            index = index_names(source, [settings.event_id])
            hint = f"; {index}" if index else did_you_mean(settings.event_id, source.columns)
            raise SettingsError(f"{settings.called('event_id')}: no such column: {settings.event_id!r}{hint}")


def _warn_of_order(mapping: Mapping, kind: Kind, source: Source) -> None:
    """Warn if a query leaves open which row of a user is the last one."""
    identity = mapping.user_id or mapping.phone[0]
    if kind != "user" or source.repeats is None or len(identity.columns) != 1:
        return
    if source.repeats(identity.columns[0]):
        logger.warning(
            "%s: several rows have the same %s, and the query does not say in which order. The last row of a user "
            "stays: add ORDER BY, such as ORDER BY updated_at",
            option("query"),
            identity.columns[0],
        )


def _with_ledger(job: Job, source: Source, stack: ExitStack) -> tuple[Job, Source]:
    """Open the ledger and compare the load with its earlier ones. Return the source to read from then on.

    A dry run makes no ledger, and reads one only with the API key. Without a ledger, an empty one may be used, which is
    removed after the load. It compares the rows of the input with one another: their event ids, and rows of one user
    that become one call.
    """
    kind, settings = job.kind, job.settings
    path = settings.ledger
    is_read = path is not None and (not settings.dry_run or (settings.api_key is not None and Path(path).exists()))
    if is_read:
        from interakt_loader.ledger import Ledger
        from interakt_loader.load.earlier import check_earlier

        opening = Ledger.snapshot if settings.dry_run else Ledger
        ledger = stack.enter_context(opening(path or "", kind, settings))
        job = replace(job, ledger=ledger, keeps_ledger=True)
        source = check_earlier(ledger.loads, source, job)
    elif job.settler is not None or job.event_id is not None or (path is not None and settings.folds_rows(kind)):
        job = replace(job, ledger=_empty_ledger(kind, settings, stack))
    return job, source


def _empty_ledger(kind: Kind, settings: Settings, stack: ExitStack) -> Ledger:
    from interakt_loader.ledger import Ledger

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="interakt-loader-"))
    keyed = replace(settings, api_key=settings.api_key or hidden("none"))
    return stack.enter_context(Ledger(Path(folder) / "empty.ledger", kind, keyed))


def _announce_ledger(job: Job) -> None:
    """Announce which ledger is used, and how many rows it knows: the first line of a load."""
    path = job.settings.ledger
    if path is None:
        later = "rows that an earlier load has sent are sent again" if job.settler is None else "nothing is recorded"
        line = f"no ledger: {later}"
    elif job.ledger is not None and job.keeps_ledger:
        count = job.ledger.on_record
        known = f"{number_of(count, 'row')} on record" if count else "new"
        line = f"ledger {path}: {known}"
    elif Path(path).exists():
        logger.warning(
            "ledger %s: was not read, as that takes the API key: rows that were sent before count as new", path
        )
        return
    else:
        line = f"ledger {path}: new"
    logger.info("%s", line)
    job.observer.announced(line)


def _run_without_ledger(source: Source, job: Job, confirmation: Confirmation | None) -> LoadResult:
    """Load events without a ledger. Only this process remembers them, and warns when it sends them again."""
    from interakt_loader.load.earlier import SENT_BY_THIS_PROCESS as SENT

    digest, source = SENT.digest_of(source, job)
    SENT.warn(digest, source.rows)
    try:
        result = run(source, job, confirmation)
    except LoadInterrupted as error:
        if error.result is not None and error.result.attempts:
            SENT.add(digest, error.result.rows)
        raise
    if result.attempts:
        SENT.add(digest, result.rows)
    return result
