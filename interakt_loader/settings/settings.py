"""The options of a load, with default, meaning and parser; and the default names of a load and of its files. Pure.

To add an option, add a field to `Settings` and a name to `Options`, which is for type checkers. The flag of the command
line is made from the field. Tests compare both classes, and the tables of the documentation.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from inspect import Parameter, signature
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ForwardRef, Literal, TypedDict, TypeVar, cast
from urllib.parse import unquote, urlsplit

from interakt_loader.errors import SettingsError, by_surface, option
from interakt_loader.privacy.files import is_writable
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.environment import REFUSED, check_variables, variable_of
from interakt_loader.settings.values import (
    BASE_URL,
    BadValue,
    Failures,
    Number,
    OneOf,
    Rate,
    RowRange,
    Text,
    did_you_mean,
    hide_secrets,
    is_address,
    is_this_machine,
    optional,
    parse_base_url,
    parse_failures,
    parse_failures_path,
    parse_function,
    parse_key,
    parse_name,
    parse_path,
    parse_query,
    parse_rate,
    parse_rows,
    parse_share,
    parse_truth,
    parse_words,
    parsed,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.model import Kind


LOADED = "What to load"
MAPPED = "Which column is which, and what values mean"
SENT = "How it is sent"
KEPT = "What is kept"
OUTPUT = "Output"
GROUPS = (LOADED, MAPPED, SENT, KEPT, OUTPUT)
"""The groups of options, by what a person wants."""


def _option(
    meaning: str,
    group: str,
    parse: Callable[[Any], Any] | None = None,
    *,
    default: Any,
    flag: str | None = None,
    metavar: str | None = None,
    secret: bool = False,
) -> Any:
    """Describe one option.

    `parse` is its one parser, None where every value is good. `flag` is its name on the command line, None where it has
    no place there.
    """
    choices = parse.choices if isinstance(parse, OneOf) else ()
    facts = {"meaning": meaning, "group": group, "parse": parse, "choices": choices}
    return field(default=default, repr=not secret, metadata=facts | {"flag": flag, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a load is done. Its fields hold parsed values that make sense together."""

    api_key: Secret | None = _option(
        "The account's key: the Secret Key as the dashboard shows it, or decoded and without the colon. In Python also "
        'where it is: `{"env": NAME}` or `{"file": PATH}`.',
        SENT,
        optional(parse_key),
        default=None,
        secret=True,
    )
    base_url: str = _option(
        "The address of the API. `https://`, or `http://` for a server on this machine.",
        SENT,
        parse_base_url,
        default=BASE_URL,
        flag="--base-url",
        metavar="URL",
    )
    timeout: float = _option(
        "Seconds to wait for a connection, and seconds to wait for an answer.",
        SENT,
        Number(0, 86_400, above=True),
        default=10,
        flag="--timeout",
        metavar="SECONDS",
    )
    max_retries: int = _option(
        "How many times a row is tried again: 3 means at most 4 calls.",
        SENT,
        Number(0, whole=True),
        default=3,
        flag="--max-retries",
        metavar="N",
    )
    max_queue_size: int = _option(
        "Rows held at once: queued, in flight, waiting for a retry, or not yet in the report.",
        SENT,
        Number(1, whole=True),
        default=10_000,
        flag="--max-queue-size",
        metavar="N",
    )
    workers: int = _option(
        "Calls in flight at once.", SENT, Number(1, 1024, whole=True), default=16, flag="--workers", metavar="N"
    )
    rate_limit: Rate | Literal["auto"] | None = _option(
        "The account's limit: `300/min`, `10/s`, `growth` (300/min), `advanced` (600/min) or `none`. `auto` "
        "detects it from the API's 429 answers.",
        SENT,
        parse_rate,
        default="auto",
        flag="--rate-limit",
        metavar="RATE",
    )
    share: Secret | None = _option(
        "Where loads of the account share the limit `rate_limit`. `sqlite:///PATH` is for the loads of one "
        "machine, `redis://HOST:PORT/NUMBER` for those of several.",
        SENT,
        optional(parse_share),
        default=None,
        flag="--share",
        metavar="URL",
        secret=True,
    )
    max_outage: float = _option(
        "Stop with exit code 3 after so many seconds without any answer, or with nothing but 429.",
        SENT,
        Number(0),
        default=300,
        flag="--max-outage",
        metavar="SECONDS",
    )
    max_failures: Failures | None = _option(
        "Stop with exit code 3 if more than N rows, or more than P% of the rows so far, are invalid, "
        "rejected, failed or unknown. P% is checked from row 100 on.",
        SENT,
        optional(parse_failures),
        default=None,
        flag="--max-failures",
        metavar="N|P%",
    )
    name: str | None = _option(
        "The name of the load, and of its ledger, report and failures file. On the command line the default "
        "is the source's name without folder, ending, date and the mark of a copy.",
        KEPT,
        optional(parse_name),
        default=None,
        flag="--name",
        metavar="NAME",
    )
    report: str | Path | None = _option(
        "Path of the report: `.csv`, `.jsonl` or `.parquet`. On the command line the default is "
        "`NAME.report.csv` in the working folder, or `NAME.check.csv` for a dry run. `none` writes no "
        "report, and on the command line `-` prints it as CSV on standard output.",
        KEPT,
        optional(parse_path),
        default=None,
        flag="--report",
        metavar="PATH",
    )
    failures: str | Path | None = _option(
        "Path of the failures file: a `.csv` file with the rows that need a person, to fix and load. On the "
        "command line the default is `NAME.failures.csv` beside the report. `none` writes none.",
        KEPT,
        optional(parse_failures_path),
        default=None,
        flag="--failures",
        metavar="PATH",
    )
    html: str | Path | None = _option(
        "Path of an HTML page about the load, with counts, charts and the rows to fix. Phones and e-mail "
        "addresses are masked in it.",
        KEPT,
        optional(parse_path),
        default=None,
        flag="--html",
        metavar="PATH",
    )
    mask: bool = _option(
        "Mask phones and e-mail addresses in the report and in everything that is shown. Rows are then "
        "identified by their number, and by ids that are neither.",
        KEPT,
        parse_truth,
        default=False,
        flag="--mask",
    )
    ledger: str | Path | None = _option(
        "Path of the ledger, which stores the calls that were accepted. Rows already accepted are skipped. "
        "On the command line the default is `NAME.ledger` beside the report. `none` keeps no ledger.",
        KEPT,
        optional(parse_path),
        default=None,
        flag="--ledger",
        metavar="PATH",
    )
    resend: bool = _option(
        "Send every row, whatever is in the ledger, and update the ledger.",
        KEPT,
        parse_truth,
        default=False,
        flag="--resend",
    )
    same_account: bool = _option(
        "The account's key was renewed: continue with the ledger that was made with the old key. Rows "
        "already accepted are skipped.",
        KEPT,
        parse_truth,
        default=False,
        flag="--same-account",
    )
    old_api_key: Secret | None = _option(
        "The key before it was renewed, for `same_account`. It is needed only if this user's state folder "
        "has no secret of the ledger, for example on another machine.",
        KEPT,
        optional(parse_key),
        default=None,
        secret=True,
    )
    event_id: str | None = _option(
        "The column that identifies an event together with its name. It overrides the mapping's. Default: "
        "all fields together.",
        MAPPED,
        optional(Text("order_id")),
        default=None,
        flag="--event-id",
        metavar="COLUMN",
    )
    on_unknown: str = _option(
        "What to do with an event if it is unknown whether it was accepted: `resend` it, which may store it "
        "twice, or `skip` it. Users are always sent again, which does no harm.",
        SENT,
        OneOf(("resend", "skip")),
        default="resend",
        flag="--on-unknown",
    )
    coalesce: bool | None = _option(
        "Users only: make one call of all rows of a user that are to be sent. By default this is done if there is a "
        "ledger. Without one, a call is made of the rows that wait at that moment.",
        SENT,
        optional(parse_truth),
        default=None,
        flag="--coalesce/--no-coalesce",
    )
    default_country: str = _option(
        "Country of phones that have no country code: a dialling code, ISO letters or an English name.",
        MAPPED,
        Text("+91"),
        default="+91",
        flag="--default-country",
        metavar="CODE",
    )
    phones: str = _option(
        "How phones are checked: by the numbering plans (`strict`), by their length (`possible`), or not at "
        "all (`as-is`: their digits are sent).",
        MAPPED,
        OneOf(("strict", "possible", "as-is")),
        default="strict",
        flag="--phones",
    )
    timezone: str = _option(
        "Time zone of times that have none (IANA name).",
        MAPPED,
        Text("UTC"),
        default="UTC",
        flag="--timezone",
        metavar="ZONE",
    )
    bad_values: str = _option(
        "If a trait cannot be sent: `reject` the row, or `drop` the trait, send the row and note it in the report.",
        MAPPED,
        OneOf(("reject", "drop")),
        default="reject",
        flag="--bad-values",
    )
    nulls: str = _option(
        "Empty traits: `omit` them, or `clear` what Interakt has (sent as null).",
        MAPPED,
        OneOf(("omit", "clear")),
        default="omit",
        flag="--nulls",
    )
    null_values: tuple[str, ...] = _option(
        "Texts that count as an empty cell, such as `NULL,N/A`. The whole cell must be equal to the text.",
        MAPPED,
        parse_words,
        default="",
        flag="--null-values",
        metavar="TEXT,...",
    )
    dry_run: bool = _option(
        "Check every row and send nothing. Valid rows are reported as `unsent`.",
        SENT,
        parse_truth,
        default=False,
        flag="--dry-run",
    )
    encoding: str | None = _option(
        "Encoding of text files, such as `cp1252`. By default it is detected, and a warning says which.",
        LOADED,
        optional(Text("cp1252")),
        default=None,
        flag="--encoding",
        metavar="NAME",
    )
    delimiter: str | None = _option(
        "The character between the cells of a text file. By default it is detected.",
        LOADED,
        optional(Text(";")),
        default=None,
        flag="--delimiter",
        metavar="CHARACTER",
    )
    header: bool | None = _option(
        "Whether the first line of a text file or workbook has the column names. By default it is detected. "
        "Without a header the columns are column_1, column_2, …",
        LOADED,
        optional(parse_truth),
        default=None,
        flag="--header/--no-header",
    )
    sheet: str | None = _option(
        "Sheet of a workbook: its name or number. The default is the first.",
        LOADED,
        default=None,
        flag="--sheet",
        metavar="NAME",
    )
    query: str | None = _option(
        "Load the result of this SQL query, or of the query in this FILE.sql: on a database, or on files. The table of "
        "a file is called `source`; several files have their own names. Needs the extra `databases` or `sql`.",
        LOADED,
        optional(parse_query),
        default=None,
        flag="--query",
        metavar="SQL",
    )
    where: str | None = _option(
        "Load only the rows for which this SQL condition is true, such as `opted_in = 'yes'`. Needs the extra `sql`.",
        LOADED,
        optional(Text("opted_in = 'yes'")),
        default=None,
        flag="--where",
        metavar="CONDITION",
    )
    limit: int | None = _option(
        "Read only the first N rows.",
        LOADED,
        optional(Number(0, whole=True)),
        default=None,
        flag="--limit",
        metavar="N",
    )
    rows: RowRange | None = _option(
        "Read only rows A to B, without B, numbered from 0 as in the report: `1000:2000`, `1000:`, `:50`.",
        LOADED,
        optional(parse_rows),
        default=None,
        flag="--rows",
        metavar="A:B",
    )
    progress: bool | None = _option(
        "Show a progress bar. By default it is shown in a terminal or a notebook. `--quiet` turns it off.",
        OUTPUT,
        optional(parse_truth),
        default=None,
    )
    on_error: Callable[[Exception, dict[str, Any]], object] | None = _option(
        "Called as `on_error(error, queue_msg)` for each row that is refused or not accepted, once it is in "
        "the report. It is not called for rows that a stopped load did not reach.",
        OUTPUT,
        optional(parse_function),
        default=None,
    )

    given: InitVar[frozenset[str]] = frozenset()
    """Names of the options that were given, as an argument or in the environment, whatever their values."""
    from_environment: InitVar[frozenset[str]] = frozenset()
    """Names of the options whose values come from environment variables."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            given: frozenset[str] = frozenset(),
            from_environment: frozenset[str] = frozenset(),
            **options: Unpack[Options],
        ) -> None:
            """Take the options as their users write them; the fields hold what they mean."""

    def __post_init__(self, given: frozenset[str], from_environment: frozenset[str]) -> None:
        for name, value in (("given", given), ("from_environment", from_environment)):
            object.__setattr__(self, name, value)
        # before anything can fail: a traceback with locals shows `self`
        hide_secrets(vars(self))
        for one in fields(self):
            if one.metadata["parse"] is not None:
                try:
                    value = one.metadata["parse"](getattr(self, one.name))
                except BadValue as error:
                    raise SettingsError(f"{self.called(one.name)} {error}") from None
                object.__setattr__(self, one.name, value)
        _check_together(self)

    @property
    def row_range(self) -> tuple[int, int | None]:
        """Number of the first row to read, and of the first one not to read any more; None: to the end."""
        first, end = self.rows or RowRange()
        if self.limit is not None:
            end = first + self.limit if end is None else min(end, first + self.limit)
        return first, end

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine: a sandbox or a stand-in, not the API."""
        return is_this_machine(urlsplit(self.base_url).hostname or "")

    @property
    def country_given(self) -> bool:
        """Whether the user gave `default_country`, even with its default value."""
        return "default_country" in vars(self)["given"]

    @property
    def sends_nothing_outside(self) -> bool:
        """Whether this is a dry run, or a load to this machine: then a wrong mapping does no damage."""
        return self.dry_run or self.is_local

    @property
    def shared_limit(self) -> tuple[Secret, Rate] | None:
        """The address of the shared limit and the rate that is shared; None where no call uses them."""
        if self.share is None or self.dry_run:
            return None
        return self.share, cast("Rate", self.rate_limit)

    @classmethod
    def resolve(
        cls,
        options: Mapping[str, Any],
        environ: Mapping[str, str] | None = None,
        *,
        variables: Iterable[str] | None = None,
        strict: bool = True,
    ) -> Settings:
        """Settings from options as given, then the environment, then the defaults.

        A key or address given as None counts as not given. `variables` are the options that the environment may set,
        None for all that it ever may. With `strict`, variables that are near an option's are refused. Secrets among
        `options` are hidden in place, if that can be.
        """
        if isinstance(options, dict):
            hide_secrets(options)
        known = {one.name: one for one in fields(cls)}
        for name in options:
            if name not in known:
                raise SettingsError(f"there is no option {name!r}{did_you_mean(name, known)}")
        if strict:
            check_variables(_names(environ), VARIABLES)
        values = {name: value for name, value in options.items() if value is not None or name not in _NONE_IS_NOTHING}
        wanted = VARIABLES if variables is None else variables
        found = read_environment([name for name in wanted if name not in values], environ)
        values |= found
        given = frozenset(name for name, value in values.items() if value is not None)
        return cls(**cast("Options", values), given=given, from_environment=frozenset(found))

    def called(self, name: str) -> str:
        """Return an option as its user has written it, for a message: its variable, or what `option` returns."""
        return variable_of(name) if name in vars(self)["from_environment"] else option(name)

    def folds_rows(self, kind: Kind) -> bool:
        """Return whether the rows of a user become one call, if there is a ledger."""
        return kind == "user" and self.coalesce is not False

    def require_key(self) -> Secret:
        """Return the key, or raise `SettingsError` with the ways to give one."""
        if self.api_key is None:
            ways = by_surface(
                "set INTERAKT_API_KEY, or give api_key=KEY; or try without one: dry_run=True sends nothing, and "
                "interakt_loader.sandbox.Sandbox is a local look-alike of the API",
                "set INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key; or try without one: --dry-run sends "
                "nothing, --sandbox sends to a local look-alike",
            )
            raise SettingsError(f"no API key: {ways}")
        return self.api_key

    def public(self) -> dict[str, Any]:
        """What may be shown: every option but the keys and callables, JSON-able."""
        # a query may name people
        hidden = ("api_key", "old_api_key", "on_error", "progress", "query", "where")
        return {one.name: _as_json(getattr(self, one.name)) for one in fields(self) if one.name not in hidden}


def _as_json(value: Any) -> Any:
    if isinstance(value, (Rate, Failures, RowRange, Secret, Path)):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


VARIABLES = tuple(one.name for one in fields(Settings) if one.name not in (*REFUSED, "on_error"))
"""The options that the environment may set. A function has no text."""

NOT_FOR_VERIFY = ("dry_run", "resend", "failures", "coalesce", "on_unknown", "max_failures")
"""Options about sending."""

READING = ("default_country", "phones", "null_values", "encoding", "delimiter", "header", "sheet", "query", "where")
"""Options about how a source is read and understood."""

_NONE_IS_NOTHING = ("api_key", "base_url", "old_api_key")
"""Options of which None is no value of its own."""

_CAN_BE_NONE = ("report", "failures", "ledger")
"""Files that the word `none` leaves out."""


def read_environment(names: Iterable[str], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return those of these options that are set in the environment, parsed. Raises `SettingsError`."""
    found = _texts([name for name in names if name in VARIABLES], environ)
    parsers = {one.name: one.metadata["parse"] for one in fields(Settings)}
    for name, text in found.items():
        if name in _CAN_BE_NONE and text.lower() == "none":
            found[name] = None
        elif parsers[name] is not None:
            found[name] = parsed(variable_of(name), parsers[name], text)
    return found


def _names(environ: Mapping[str, str] | None) -> list[str]:
    """Return the names of the variables that are not blank."""
    return [name for name, text in (os.environ if environ is None else environ).items() if text.strip()]


def _texts(names: Iterable[str], environ: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the texts of variables that are not blank; no function that can fail has secrets among its locals."""
    given = os.environ if environ is None else environ
    texts = {name: given.get(variable_of(name), "") for name in names}
    # a blank may be a delimiter
    found = {name: text if name == "delimiter" else text.strip() for name, text in texts.items()}
    found = {name: text for name, text in found.items() if text}
    hide_secrets(texts)
    hide_secrets(found)
    return found


def _check_together(settings: Settings) -> None:
    """Refuse options that do not fit together. Raises `SettingsError`."""
    if settings.query is not None and settings.where is not None:
        raise SettingsError(f"{option('query')} and {option('where')} are both given: put the condition into the query")
    if settings.share is not None and not isinstance(settings.rate_limit, Rate):
        raise SettingsError(
            f"{settings.called('share')} needs a declared limit: give {option('rate_limit')} too, such as 300/min or "
            "growth"
        )
    for name in ("resend", "same_account", "event_id"):
        if getattr(settings, name) and settings.ledger is None:
            ledger = option("ledger", placeholder="PATH")
            raise SettingsError(f"{settings.called(name)} is about the ledger: give {ledger} too")
    if settings.failures is not None and settings.mask:
        raise SettingsError(
            f"{settings.called('failures')} holds the input's own rows, with the phones that "
            f"{settings.called('mask')} would hide; expected one of the two"
        )
    if settings.old_api_key is not None and not settings.same_account:
        raise SettingsError(
            f"{settings.called('old_api_key')} is given without {option('same_account')}: if the account's key was "
            f"renewed, give {option('same_account', value=True)} too"
        )


class Options(TypedDict, total=False):
    """The keyword options of a load, as their users write them. `Settings` says what each means."""

    api_key: str | Secret | dict[str, str] | None
    base_url: str | None
    timeout: float
    max_retries: int
    max_queue_size: int
    workers: int
    rate_limit: Literal["auto", "none", "growth", "advanced"] | str | Rate | None
    share: str | Secret | dict[str, str] | None
    max_outage: float
    max_failures: str | int | None
    name: str | None
    report: str | Path | None
    failures: str | Path | None
    html: str | Path | None
    mask: bool
    ledger: str | Path | None
    resend: bool
    same_account: bool
    old_api_key: str | Secret | dict[str, str] | None
    event_id: str | None
    on_unknown: Literal["resend", "skip"]
    coalesce: bool | None
    default_country: str
    phones: Literal["strict", "possible", "as-is"]
    timezone: str
    bad_values: Literal["reject", "drop"]
    nulls: Literal["omit", "clear"]
    null_values: str | Sequence[str]
    dry_run: bool
    encoding: str | None
    delimiter: str | None
    header: bool | None
    sheet: str | int | None
    query: str | Path | None
    where: str | None
    limit: int | None
    rows: str | None
    progress: bool | None
    on_error: Callable[[Exception, dict[str, Any]], object] | None


F = TypeVar("F", bound=Callable[..., Any])


def lists_options(*names: str) -> Callable[[F], F]:
    """Have `help` and editors show each option of a function, or those with these names, in place of `**options`."""
    options = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=_written_type(one.name))
        for one in fields(Settings)
        if one.name in names or not names
    ]

    def listing(function: F) -> F:
        own = signature(function)
        named = [one for one in own.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        vars(function)["__signature__"] = own.replace(parameters=[*named, *options])
        return function

    return listing


def _written_type(name: str) -> str:
    # a class of types keeps its annotations in this form
    written: ForwardRef = Options.__annotations__[name]
    return written.__forward_arg__


# ---------------------------------------------------------------------------- default names and paths

_COMPRESSION = r"gz|gzip|bz2|xz|lzma|zst|zstd|lz4|sz|snappy|br|zip|z"
_FORMAT = (
    r"csv|tsv|tab|psv|txt|json|jsonl|ndjson|parquet|pq|feather|arrow|ipc|orc|xlsx?|xlsm|xlsb|ods|db|duckdb|sqlite3?"
)
"""The endings of `sources.local_file`, which cannot be imported here, and of databases.

They are no part of a load's name.
"""
_ENDINGS = rf"(?i)(?:\.(?:{_FORMAT}))?(?:\.(?:{_COMPRESSION}))?\Z"

_COPY = r"(?: - Copy| copy)?(?: ?\(\d{1,2}\))?\Z|(?: copy \d{1,2})\Z"
"""The mark of a copy, as file managers and browsers write it: ` (1)`, ` - Copy`, ` - Copy (2)`, ` copy 2`."""

_DAY = r"(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])"
_HOUR, _SIXTY = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_CLOCK = (
    rf"(?:T{_HOUR}[-_.:]?{_SIXTY}(?:[-_.:]?{_SIXTY})?"
    rf"|[ _-]?{_HOUR}{_SIXTY}{_SIXTY}"
    rf"|[ _-]{_HOUR}([-_.:]){_SIXTY}(?:\1{_SIXTY})?)(?:[.,]\d{{1,9}})?(?:Z|[+-]\d\d:?\d\d)?"
)
_DATE = rf"(?<![-_. ])[-_. ]*(?<!\d){_DAY}(?:(?![-_. ]*{_DAY}){_CLOCK})?(?!\d)[-_. ]*"
"""An ISO date, or a date and a time, with what separates it from the rest of a name."""

_FAILURES = ".failures"

_MAPPING = r"(?i)(?:\.mapping)?\.(?:ya?ml|toml|json)\Z"

_NOT_IN_NAMES = r'[\x00-\x1f<>:"/\\|?*]+'
"""What a file's name cannot hold on some system."""

_LONGEST = 250
"""Characters of a name: no file system has longer ones."""

_ROOM = 200
"""Bytes of a name, which leaves room for endings."""


def load_name(sources: Sequence[str], mapping: str | None = None, query: str | None = None) -> str:
    """Return the default name of a load: the same for each day's file of one kind.

    It is the source's name without folder, endings, ISO date or timestamp, mark of a copy and `.failures`. Any other
    number stays. A pattern has the name before its first `*`. A name that is only a date gives way to the folder's.
    Standard input, several files and a `query` have the name of their `mapping` (a file or `preset:NAME`). Without a
    mapping it is the name of the query's file, `stdin`, or the name of the first file.
    """
    if mapping is None and query is not None and query.lower().endswith(".sql"):
        mapping = Path(query).stem
    if mapping is not None and (len(sources) != 1 or sources[0] == "-" or query is not None):
        given = mapping.removeprefix("preset:")
        return _short(_stem(re.sub(_MAPPING, "", Path(given).name)) or "load")
    if sources[0] == "-":
        return "stdin"
    return _short(_name_of(sources[0]))


def _short(name: str) -> str:
    """Return a name that leaves room for endings in the 255 bytes of a file's name."""
    return name if len(name) < _ROOM // 4 else name.encode("utf-8", "replace")[:_ROOM].decode("utf-8", "ignore")


def _name_of(source: str) -> str:
    if is_address(source):
        parts = [unquote(part) for part in urlsplit(source).path.split("/") if part]
    else:
        parts = [part for part in Path(source).parts if part not in ("/", "\\", "..")]
    for part in reversed(parts):
        found = _stem(re.split(r"[*?[]", part)[0] if glob.has_magic(part) else re.sub(_ENDINGS, "", part[-_LONGEST:]))
        # `day=2026-01-31` is a partition of the folder above it.
        if found and not found.endswith("="):
            return found
    return "load"


def _stem(name: str) -> str:
    """Return a name without dates, marks of copies and `.failures`, whatever their order."""
    name, before = name[-_LONGEST:], None
    while before != name:
        before = name
        name = re.sub(_COPY, "", name).removesuffix(_FAILURES)
        name = re.sub(_DATE, _separator, name, count=1)
        name = name.strip("-_. ")
    return re.sub(_NOT_IN_NAMES, "_", name)


def _separator(date: re.Match[str]) -> str:
    """Return what replaces a date: one separator between two parts, nothing at either end."""
    within = date.start() > 0 and date.end() < len(date.string)
    before = date[0][: len(date[0]) - len(date[0].lstrip("-_. "))]
    after = date[0][len(date[0].rstrip("-_. ")) :]
    return (before or after)[:1] if within else ""


def drop_dates(name: str) -> str:
    """Return a folder's name without dates: the folders of two days are one."""
    return re.sub(_DATE, _separator, name)


def is_failures(source: str) -> bool:
    """Tell whether a file is `NAME.failures.csv` or a copy of it: then its rows belong to the load NAME."""
    name = re.sub(_ENDINGS, "", Path(urlsplit(source).path if is_address(source) else source).name)
    return re.sub(_COPY, "", name).endswith(_FAILURES)


def mapping_name(name: str) -> str:
    """Return the file of a load's confirmed mapping, in the working folder."""
    return f"{name}.mapping.yaml"


def report_path(name: str, kind: str = "report") -> str:
    """Return the default report in the working folder: `NAME.report.csv`.

    The other kinds are `check`, for a dry run, and `verify`.
    """
    return f"{name}.{kind}.csv"


def beside(report: str, file: str) -> str:
    """Return the path of another file of the load, which is in the report's folder."""
    return str(Path(report).parent / file)


STDOUT = "-"
"""The report's path that means standard output."""


def add_default_files(
    options: dict[str, Any],
    name: str,
    folder: str = "",
    *,
    environment: Mapping[str, Any] | None = None,
    sandbox: bool,
    verifies: bool = False,
) -> None:
    """Add the default paths of a load's files to its options: in the report's folder, or in `folder`.

    A dry run, a load that is only tried out in the sandbox, and `verify` leave the failures file as it is. A dry run in
    a folder that cannot be written has no report. `environment` has options that are set there, and that are not given.
    """
    known = {**(environment or {}), **options}
    is_trial = sandbox or known.get("dry_run") or known.get("mask") or verifies
    kind = "verify" if verifies else "check" if known.get("dry_run") else "report"
    default = str(Path(folder) / report_path(name, kind))
    report = str(known.get("report", default))
    is_file = report.lower() not in ("none", STDOUT)
    if "report" not in known and kind == "check" and not is_writable(Path(report)):
        import logging

        logging.getLogger("interakt_loader").warning("%s: cannot be written: this dry run has no report", report)
        is_file = False
    if not is_file:
        options["report"] = None
    elif "report" not in known:
        options["report"] = report
    at = report if is_file else default
    if "failures" not in known:
        options["failures"] = None if is_trial else beside(at, f"{name}.failures.csv")
    if "ledger" not in known:
        options["ledger"] = None if sandbox else beside(at, f"{name}.ledger")
    for file in ("failures", "ledger"):
        if str(options.get(file)).lower() == "none" and file in options:
            options[file] = None


def report_beside(source: str, name: str | None = None) -> str:
    """Return the report in the folder of a source file, or in the folder above a folder or pattern.

    Its name is the load's `name`, else the file's, so that each file has its own report. Two patterns of one folder,
    such as `orders-*.csv` and `customers-*.csv`, have their own reports too.
    """
    path = Path(source)
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    stem = path.stem
    if glob.has_magic(path.name):
        stem = re.split(r"[*?[]", path.name)[0].strip("-_. ") or path.parent.name
    return str(fixed.parent / report_path(name or stem or "load"))


def ledger_beside(report: str, name: str | None = None) -> str:
    """Return the ledger in the folder of a report. Without a `name` it is `orders.ledger` for `orders.report.csv`."""
    return beside(report, f"{name or Path(report).stem.removesuffix('.report')}.ledger")
