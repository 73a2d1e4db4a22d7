"""What a load is called, and where the files go that nobody gave a path for. Pure.

Every option, said once: its name, default and meaning.

The command line's flags, the environment variables and the table of docs/options.md are made from the fields below,
and a test holds them to it. `options.Options` repeats the names for type checkers only, and is held to it as well.

Which settings make no sense, by themselves or together. Pure; raises `SettingsError` in one line.

The keyword options of the Python functions, for type checkers: nothing imports this when it runs.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast
from urllib.parse import unquote, urlsplit

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.settings.values import (
    BASE_URL,
    Rate,
    check_base_url,
    check_key,
    check_name,
    check_number,
    check_share,
    did_you_mean,
    hidden_share,
    hide_secrets,
    is_this_machine,
    parse_failures,
    parse_rate,
    parse_rows,
    parse_words,
)

if TYPE_CHECKING:
    from pathlib import Path

    from interakt_loader.privacy.secrets import Secret

_COMPRESSION = r"gz|gzip|bz2|xz|lzma|zst|zstd|lz4|sz|snappy|br|zip|z"
_FORMAT = r"csv|tsv|tab|psv|txt|json|jsonl|ndjson|parquet|pq|feather|arrow|ipc|orc|xlsx?|xlsm|xlsb|ods"
_ENDINGS = re.compile(rf"(?:\.(?:{_FORMAT}))?(?:\.(?:{_COMPRESSION}))?\Z", re.IGNORECASE)

_COPY = re.compile(r"(?: - Copy| copy)?(?: ?\(\d{1,2}\))?\Z|(?: copy \d{1,2})\Z")
"""What file managers and browsers put behind the name of a copy: ` (1)`, ` - Copy`, ` - Copy (2)`, ` copy 2`."""

_DAY = r"(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])"
_HOUR, _SIXTY = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_CLOCK = (
    rf"(?:T{_HOUR}[-_.:]?{_SIXTY}(?:[-_.:]?{_SIXTY})?"
    rf"|[ _-]?{_HOUR}{_SIXTY}{_SIXTY}"
    rf"|[ _-]{_HOUR}([-_.:]){_SIXTY}(?:\1{_SIXTY})?)(?:[.,]\d{{1,9}})?(?:Z|[+-]\d\d:?\d\d)?"
)
_DATE = re.compile(rf"(?<![-_. ])[-_. ]*(?<!\d){_DAY}(?:(?![-_. ]*{_DAY}){_CLOCK})?(?!\d)[-_. ]*")
"""An ISO date, or a date and a time, with what separates it from the rest of a name."""

_FAILURES = ".failures"

_MAPPING = re.compile(r"(?:\.mapping)?\.(?:ya?ml|toml|json)\Z", re.IGNORECASE)

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
"""What a file's name cannot hold on one system or another."""


_LONGEST = 250
"""Characters of a name: no file system has longer ones."""


_ROOM = 200
"""Bytes of a name."""


def load_name(sources: Sequence[str], mapping: str | None = None) -> str:
    """Return what a load is called: the same for each day's file of one kind.

    It is the source's name without folder and endings, an ISO date or timestamp, the mark of a copy and `.failures`;
    any other number stays. Of a pattern, what stands before its first `*`; of a name that is nothing but a date, the
    folder's. Standard input and several files are called like their `mapping` (a file or `preset:NAME`); without one,
    like the first file, and `stdin`.
    """
    if mapping is not None and (len(sources) != 1 or sources[0] == "-"):
        given = mapping.removeprefix("preset:")
        return _short(_stem(_MAPPING.sub("", Path(given).name)) or "load")
    if sources[0] == "-":
        return "stdin"
    return _short(_name_of(sources[0]))


def _short(name: str) -> str:
    """Return a name that leaves room for endings in the 255 bytes of a file's name."""
    return name if len(name) < _ROOM // 4 else name.encode("utf-8", "replace")[:_ROOM].decode("utf-8", "ignore")


def _name_of(source: str) -> str:
    if "://" in source:
        parts = [unquote(part) for part in urlsplit(source).path.split("/") if part]
    else:
        parts = [part for part in Path(source).parts if part not in ("/", "\\", "..")]
    for part in reversed(parts):
        found = _stem(re.split(r"[*?[]", part)[0] if glob.has_magic(part) else _ENDINGS.sub("", part[-_LONGEST:]))
        if found and not found.endswith("="):  # `day=2026-01-31` is a part of the folder above
            return found
    return "load"


def _stem(name: str) -> str:
    """Return a name without dates, marks of copies and `.failures`, whatever their order."""
    name, before = name[-_LONGEST:], None
    while before != name:
        before = name
        name = _COPY.sub("", name).removesuffix(_FAILURES)
        name = _DATE.sub(_separator, name, count=1)
        name = name.strip("-_. ")
    return _NOT_IN_NAMES.sub("_", name)


def _separator(date: re.Match[str]) -> str:
    """Return what stays where a date was: one separator between two parts, nothing at either end."""
    within = date.start() > 0 and date.end() < len(date.string)
    before = date[0][: len(date[0]) - len(date[0].lstrip("-_. "))]
    after = date[0][len(date[0].rstrip("-_. ")) :]
    return (before or after)[:1] if within else ""


def drop_dates(name: str) -> str:
    """Return a folder's name without dates: the folders of two days are one."""
    return _DATE.sub(_separator, name)


def is_failures(source: str) -> bool:
    """Tell whether a file is `NAME.failures.csv`, or a copy of it: then its rows are some of the load NAME."""
    name = _ENDINGS.sub("", Path(urlsplit(source).path if "://" in source else source).name)
    return _COPY.sub("", name).endswith(_FAILURES)


def mapping_name(name: str) -> str:
    """Return the file in which the confirmed mapping of a load lies, in the working folder."""
    return f"{name}.mapping.yaml"


def report_path(name: str, *, dry_run: bool = False) -> str:
    """Return the default report of a load, in the working folder: `NAME.report.csv`, of a dry run `NAME.check.csv`."""
    return f"{name}.{'check' if dry_run else 'report'}.csv"


def beside(report: str, file: str) -> str:
    """Return the path of another file of the load: all lie in the report's folder, the working folder by default."""
    return str(Path(report).parent / file)


def report_beside(source: str, name: str | None = None) -> str:
    """Return the report beside a source: beside its file, or beside the folder that it or its pattern names.

    It is called like the file, so that each file has a report of its own, or by the load's `name`. Two patterns of one
    folder, such as `orders-*.csv` and `customers-*.csv`, have reports of their own too.
    """
    path = Path(source)
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    stem = path.stem
    if glob.has_magic(path.name):
        stem = re.split(r"[*?[]", path.name)[0].strip("-_. ") or path.parent.name
    return str(fixed.parent / report_path(name or stem or "load"))


def ledger_beside(report: str, name: str | None = None) -> str:
    """Return the ledger beside a report: by the load's name, else `orders.ledger` beside `orders.report.csv`."""
    return beside(report, f"{name or Path(report).stem.removesuffix('.report')}.ledger")


def _option(
    default: Any,
    meaning: str,
    *,
    flag: str | None = None,
    env: str | None = None,
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Describe one option; `flag` is its name on the command line, None where it has no place there."""
    facts = {"meaning": meaning, "flag": flag, "env": env, "metavar": metavar, "choices": choices}
    return field(default=default, repr=not secret, metadata=facts)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a load is done. Frozen and checked: a `Settings` that exists makes sense."""

    api_key: str | Secret | None = _option(
        None,
        "The account's key: the Secret Key as the dashboard shows it, or decoded and without the colon.",
        env="INTERAKT_API_KEY",
        secret=True,
    )
    base_url: str = _option(
        BASE_URL,
        "The address of the API. `https://`, or `http://` for a server on this machine.",
        flag="--base-url",
        env="INTERAKT_BASE_URL",
        metavar="URL",
    )
    timeout: float = _option(
        10, "Seconds to wait for a connection, and seconds to wait for an answer.", flag="--timeout", metavar="SECONDS"
    )
    max_retries: int = _option(
        3, "How many times a row is tried again: 3 means at most 4 calls.", flag="--max-retries", metavar="N"
    )
    max_queue_size: int = _option(
        10_000,
        "Rows held at once: queued, in flight, waiting for a retry, or not yet in the report.",
        flag="--max-queue-size",
        metavar="N",
    )
    workers: int = _option(16, "Calls in flight at once.", flag="--workers", metavar="N")
    rate_limit: str | None = _option(
        "auto",
        "The account's limit: `300/min`, `10/s`, `growth` (300/min), `advanced` (600/min) or `none`. `auto` "
        "detects it from the API's 429 answers.",
        flag="--rate-limit",
        metavar="RATE",
    )
    share: str | Secret | None = _option(
        None,
        "Where loads of the account share the limit `rate_limit`. `sqlite:///PATH` is for the loads of one "
        "machine, `redis://HOST:PORT/NUMBER` for those of several.",
        flag="--share",
        metavar="URL",
        secret=True,
    )
    max_outage: float = _option(
        300,
        "Stop with exit code 3 after so many seconds without any answer, or with nothing but 429.",
        flag="--max-outage",
        metavar="SECONDS",
    )
    max_failures: str | int | None = _option(
        None,
        "Stop with exit code 3 if more than N rows, or more than P% of the rows so far, are invalid, rejected, "
        "failed or unknown. P% is checked from row 100 on.",
        flag="--max-failures",
        metavar="N|P%",
    )
    name: str | None = _option(
        None,
        "The name of the load, and of its ledger, report and failures file. On the command line the default is "
        "the source's name without folder, ending, date and the mark of a copy.",
        flag="--name",
        metavar="NAME",
    )
    report: str | Path | None = _option(
        None,
        "Path of the report: `.csv`, `.jsonl` or `.parquet`. On the command line the default is `NAME.report.csv`"
        " in the working folder, or `NAME.check.csv` for a dry run. `none` writes no report.",
        flag="--report",
        metavar="PATH",
    )
    failures: str | Path | None = _option(
        None,
        "Path of the failures file: a `.csv` file with the rows that need a person, to fix and load. On the "
        "command line the default is `NAME.failures.csv` beside the report. `none` writes none.",
        flag="--failures",
        metavar="PATH",
    )
    html: str | Path | None = _option(
        None,
        "Path of an HTML page about the load, with counts, charts and the rows to fix. Phones and e-mail "
        "addresses are masked in it.",
        flag="--html",
        metavar="PATH",
    )
    mask: bool = _option(
        False,
        "Mask phones and e-mail addresses in the report and in everything that is shown. Rows are then identified"
        " by their number, and by ids that are neither.",
        flag="--mask",
    )
    ledger: str | Path | None = _option(
        None,
        "Path of the ledger, which stores the calls that were accepted. Rows already accepted are skipped. On the"
        " command line the default is `NAME.ledger` beside the report. `none` keeps no ledger.",
        flag="--ledger",
        metavar="PATH",
    )
    resend: bool = _option(False, "Send every row, whatever is in the ledger, and update the ledger.", flag="--resend")
    same_account: bool = _option(
        False,
        "The account's key was renewed: continue with the ledger that was made with the old key. Rows already "
        "accepted are skipped.",
        flag="--same-account",
    )
    old_api_key: str | Secret | None = _option(
        None,
        "The key before it was renewed, for `same_account`. It is needed only if this user's state folder has no "
        "secret of the ledger, for example on another machine.",
        secret=True,
    )
    event_id: str | None = _option(
        None,
        "The column that identifies an event together with its name. It overrides the mapping's. Default: all "
        "fields together.",
        flag="--event-id",
        metavar="COLUMN",
    )
    on_unknown: str = _option(
        "resend",
        "What to do with an event if it is unknown whether it was accepted: `resend` it, which may store it "
        "twice, or `skip` it. Users are always sent again, which does no harm.",
        flag="--on-unknown",
        choices=("resend", "skip"),
    )
    coalesce: bool = _option(
        False,
        "Users only: make one call of several rows of a user. With a ledger it is made of all rows to send, "
        "without one of the rows that wait at that moment.",
        flag="--coalesce",
    )
    default_country: str = _option(
        "+91",
        "Country of phones that have no country code: a dialling code, ISO letters or an English name.",
        flag="--default-country",
        metavar="CODE",
    )
    phones: str = _option(
        "strict",
        "How phones are checked: by the numbering plans (`strict`), by their length (`possible`), or not at all "
        "(`as-is`: their digits are sent).",
        flag="--phones",
        choices=("strict", "possible", "as-is"),
    )
    timezone: str = _option("UTC", "Time zone of times that have none (IANA name).", flag="--timezone", metavar="ZONE")
    bad_values: str = _option(
        "reject",
        "If a trait cannot be sent: `reject` the row, or `drop` the trait, send the row and note it in the report.",
        flag="--bad-values",
        choices=("reject", "drop"),
    )
    nulls: str = _option(
        "omit",
        "Empty traits: `omit` them, or `clear` what Interakt has (sent as null).",
        flag="--nulls",
        choices=("omit", "clear"),
    )
    null_values: str | Sequence[str] = _option(
        "",
        "Texts that count as an empty cell, such as `NULL,N/A`. The whole cell must be equal to the text.",
        flag="--null-values",
        metavar="TEXT,...",
    )
    dry_run: bool = _option(
        False, "Check every row and send nothing. Valid rows are reported as `unsent`.", flag="--dry-run"
    )
    encoding: str | None = _option(
        None,
        "Encoding of text files, such as `cp1252`. By default it is detected, and a warning says which.",
        flag="--encoding",
        metavar="NAME",
    )
    delimiter: str | None = _option(
        None,
        "The character between the cells of a text file. By default it is detected.",
        flag="--delimiter",
        metavar="CHARACTER",
    )
    header: bool | None = _option(
        None,
        "Whether the first line of a text file or workbook has the column names. By default it is detected. "
        "Without a header the columns are column_1, column_2, …",
        flag="--header/--no-header",
    )
    sheet: str | None = _option(
        None, "Sheet of a workbook: its name or number. The default is the first.", flag="--sheet", metavar="NAME"
    )
    limit: int | None = _option(None, "Read only the first N rows.", flag="--limit", metavar="N")
    rows: str | None = _option(
        None,
        "Read only rows A to B, without B, numbered from 0 as in the report: `1000:2000`, `1000:`, `:50`.",
        flag="--rows",
        metavar="A:B",
    )
    progress: bool | None = _option(
        None, "Show a progress bar. By default it is shown in a terminal or a notebook. `--quiet` turns it off."
    )
    on_error: Callable[[Exception, dict[str, Any]], object] | None = _option(
        None,
        "Called as `on_error(error, queue_msg)` for each row that is refused or not accepted, once it is in the "
        "report. It is not called for rows that a stopped load did not reach.",
    )

    given: InitVar[frozenset[str]] = frozenset()
    """Names of the options that were given, as an argument or in the environment, whatever their values."""

    def __post_init__(self, given: frozenset[str]) -> None:
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "api_key", hidden(self.api_key))
        object.__setattr__(self, "old_api_key", hidden(self.old_api_key))
        object.__setattr__(self, "share", hidden_share(self.share))
        check(self)

    @property
    def hidden_share(self) -> Secret | None:
        """`share`, which `str` shows without its password."""
        return cast("Secret | None", self.share)

    @property
    def rate(self) -> Rate | Literal["auto"] | None:
        """`rate_limit`, parsed."""
        return parse_rate(self.rate_limit)

    @property
    def null_words(self) -> tuple[str, ...]:
        """`null_values`, one by one."""
        return parse_words("null_values", self.null_values)

    @property
    def row_range(self) -> tuple[int, int | None]:
        """Number of the first row to read, and of the first one not to read any more; None: to the end."""
        first, end = parse_rows(self.rows)
        if self.limit is not None:
            end = first + self.limit if end is None else min(end, first + self.limit)
        return first, end

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine: a sandbox or a stand-in, not the API."""
        from urllib.parse import urlsplit

        return is_this_machine(urlsplit(self.base_url).hostname or "")

    @property
    def country_given(self) -> bool:
        """Whether somebody has said `default_country`, be it the default."""
        return "default_country" in vars(self)["given"]

    @property
    def sends_nothing_outside(self) -> bool:
        """Whether this is a dry run, or a load to this machine: then a guess can do no harm."""
        return self.dry_run or self.is_local

    @classmethod
    def resolve(cls, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from options as given, then the environment, then the defaults.

        An option given as None that has an environment variable counts as not given. Secrets among `options` are hidden
        in place, if that can be.
        """
        if isinstance(options, dict):
            hide_secrets(options)
        known = {one.name: one for one in fields(cls)}
        for name in options:
            if name not in known:
                raise SettingsError(f"there is no option {name!r}{did_you_mean(name, known)}")
        values = dict(options)
        for name, one in known.items():
            variable = one.metadata["env"]
            if variable and values.get(name) is None:
                values.pop(name, None)
                values |= _from_environment(name, variable, environ)
        return cls(**values, given=frozenset(name for name, value in values.items() if value is not None))

    def require_key(self) -> Secret:
        """Return the key, or raise `SettingsError` with the ways to give one."""
        if self.api_key is None:
            raise SettingsError(
                "no API key: set INTERAKT_API_KEY (or --api-key-file, --ask-key, api_key=…); or try without one: "
                "--dry-run sends nothing, --sandbox sends to a local look-alike"
            )
        return cast("Secret", self.api_key)

    def public(self) -> dict[str, Any]:
        """What may be shown: every option but the keys and callables, JSON-able."""
        hidden = ("api_key", "old_api_key", "on_error", "progress")
        shown = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in hidden}
        paths = {
            name: None if shown[name] is None else str(shown[name]) for name in ("report", "failures", "html", "ledger")
        }
        return shown | paths | {"share": None if self.share is None else str(self.share)}


def _from_environment(name: str, variable: str, environ: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the option as the environment has it, if it does; no function that can fail has that among its locals."""
    text = (os.environ if environ is None else environ).get(variable, "").strip()
    found = {name: text} if text else {}
    hide_secrets(found)
    return found


def check(settings: Settings) -> None:
    """Refuse an option that is no such value, and options that do not go together."""
    check_number("timeout", settings.timeout, least=0, most=86_400, exclusive=True)
    check_number("max_outage", settings.max_outage, least=0)
    check_number("max_retries", settings.max_retries, least=0, whole=True)
    check_number("max_queue_size", settings.max_queue_size, least=1, whole=True)
    check_number("workers", settings.workers, least=1, most=1024, whole=True)
    parse_failures(settings.max_failures)
    parse_rows(settings.rows)
    parse_words("null_values", settings.null_values)
    if settings.limit is not None:
        check_number("limit", settings.limit, least=0, whole=True)
    for one in fields(settings):
        choices = one.metadata["choices"]
        if choices and getattr(settings, one.name) not in choices:
            raise SettingsError(f"{one.name} is {getattr(settings, one.name)!r}; expected {' or '.join(choices)}")
    if settings.rate_limit is not None and not isinstance(settings.rate_limit, str):
        raise SettingsError(f"rate_limit is {settings.rate_limit!r}; expected text such as '300/min', or None")
    for name, example in (("default_country", "+91"), ("timezone", "UTC")):
        if not isinstance(getattr(settings, name), str):
            raise SettingsError(f"{name} is {getattr(settings, name)!r}; expected text such as {example!r}")
    if settings.on_error is not None and not callable(settings.on_error):
        raise SettingsError(f"on_error is {settings.on_error!r}; expected a function")
    check_share(settings.hidden_share, parse_rate(settings.rate_limit))
    for name in ("resend", "same_account", "event_id"):
        if getattr(settings, name) and settings.ledger is None:
            raise SettingsError(f"{name} is about the ledger: give one too (--ledger PATH, in Python ledger=PATH)")
    if settings.name is not None:
        check_name(settings.name)
    if settings.failures is not None:
        check_failures_path(settings)
    check_base_url(settings.base_url)
    for name in ("api_key", "old_api_key"):
        if getattr(settings, name) is not None:
            check_key(name, cast("Secret", getattr(settings, name)))
    if settings.old_api_key is not None and not settings.same_account:
        raise SettingsError(
            "old_api_key is given without same_account: give same_account=True (--same-account) too if the account's "
            "key was renewed"
        )


def check_failures_path(settings: Settings) -> None:
    """Refuse a failures file of another form, and one beside `mask`."""
    if not str(settings.failures).lower().endswith(".csv"):
        raise SettingsError(f"failures {settings.failures}: expected a name ending in .csv")
    if settings.mask:
        raise SettingsError(
            "failures holds the input's own rows, with the phones that mask would hide; expected one of the two"
        )


class Options(TypedDict, total=False):
    """The keyword options of `load_users`, `load_events` and `check`; `Settings` says what each means."""

    api_key: str | Secret | None
    base_url: str | None
    timeout: float
    max_retries: int
    max_queue_size: int
    workers: int
    rate_limit: str | None
    share: str | Secret | None
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
    old_api_key: str | Secret | None
    event_id: str | None
    on_unknown: str
    coalesce: bool
    default_country: str
    phones: str
    timezone: str
    bad_values: str
    nulls: str
    null_values: str | Sequence[str]
    dry_run: bool
    encoding: str | None
    delimiter: str | None
    header: bool | None
    sheet: str | None
    limit: int | None
    rows: str | None
    progress: bool | None
    on_error: Callable[[Exception, dict[str, Any]], object] | None
