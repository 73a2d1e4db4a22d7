"""What a load is called, and where the files go that nobody gave a path for. Pure."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

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


def without_dates(name: str) -> str:
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
