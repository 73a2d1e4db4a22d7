"""What a driver of a database does, and what is common to all drivers: what a query may be, and its errors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from string import whitespace
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, NotJustNow, SettingsError, SourceError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.values import unicode_text

_WITHOUT_A_VALUE = re.compile(
    r"division by zero|invalid input syntax for type [a-z ]+|value too long for type [a-z ]+|"
    r"(?:smallint|integer|bigint|value|interval|timestamp|date) out of range|"
    r"more than one row returned by a subquery|Subquery returns more than 1 row"
)
"""Beginnings of errors that say what is wrong, without the value."""

CONNECT_SECONDS = 10
"""Seconds that a connection may take."""

PROGRAM = "interakt-loader"
"""The name of the program, for those who look at the connections of a database."""

_Result = TypeVar("_Result")


class Driver(ABC):
    """One connection, and one query on it. All methods but `interrupt` are called from one thread."""

    kind: str
    """As in `DatabaseAddress`."""
    folder: Path
    """For what a query cannot keep in memory."""

    def __init__(self, address: Secret) -> None:
        self.address = address
        self.where = str(address)

    @abstractmethod
    def connect(self) -> None:
        """Connect; the session can only read."""

    @abstractmethod
    def execute(self, text: str) -> pa.Schema:
        """Run one SELECT, and return the columns of its result."""

    @abstractmethod
    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows, or None at the end. The types of a column may change."""

    @abstractmethod
    def interrupt(self) -> None:
        """End the call that runs now. It is called from another thread."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def explained(self, error: Exception) -> InteraktLoaderError:
        """Return an error of the driver in one line that says what to do."""

    def parts(self) -> AddressParts:
        """Return the parts of the address. No variable that lives on may hold them: there is a password."""
        return AddressParts.of(self.address)

    def missing(self, package: str) -> SettingsError:
        """Return the error for a package that is not installed."""
        shown = f"'{package}'" if re.search(r"[^\w-]", package) else package
        return SettingsError(f"{self.where}: reading this database needs the extra databases: pip install {shown}")

    def unreachable(self, why: str) -> NotJustNow:
        """Return the error for a database that does not answer now."""
        return NotJustNow(f"{self.where}: {why}. Nothing was sent")

    def no_access(self, why: str) -> SettingsError:
        """Return the error for a user, a password or an address that the database does not accept."""
        return SettingsError(f"{self.where}: {one_line(why)}")

    def refused(self, why: str) -> SettingsError:
        """Return the error for a query that the database refuses."""
        return SettingsError(f"{option('query')}: {one_line(why)}")

    def of_a_value(self, code: object = "", said: str = "") -> SettingsError:
        """Return the error for a row that the database cannot compute. Its own text may quote a value of the row.

        `said` is that text. Only its beginning is shown, if it is one that has no value.
        """
        known = _WITHOUT_A_VALUE.search(said)
        what = ", ".join(filter(None, (known[0] if known else "", f"error {code}" if code else "")))
        what = f" ({what})" if what else ""
        return SettingsError(
            f"{option('query')}: the database cannot compute a row{what}. Its text is not shown, because it may hold "
            "personal data: run the query in a tool of the database to see it"
        )


class AddressParts(NamedTuple):
    """The parts of an address, decoded."""

    user: str
    password: Secret
    """Empty if there is none."""
    hosts: str
    """As they are written, with ports."""
    path: str
    """After the slash that begins it."""
    options: dict[str, str]

    @classmethod
    def of(cls, address: Secret) -> AddressParts:
        """Return the parts of an address."""
        written = DatabaseAddress.of(address.reveal())
        assert written is not None
        user, _, password = written.user.partition(":")
        options = dict(parse_qsl(written.options, keep_blank_values=True))
        return cls(unquote(user), Secret(unquote(password)), written.hosts, unquote(written.path[1:]), options)


def attempt(call: Callable[[], _Result], explained: Callable[[Exception], InteraktLoaderError]) -> _Result:
    """Return what a call returns. An error of a driver is explained, and raised without the driver's own.

    The frames of a driver hold the password. They would be shown by a traceback with locals.
    """
    try:
        return call()
    except InteraktLoaderError as error:
        failed = error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - each driver has errors of its own
        failed = explained(error)
    failed.__context__ = None
    raise failed


def one_line(text: str) -> str:
    """Return a text as one line, without a full stop at its end."""
    return " ".join(text.split()).rstrip(".")


# ------------------------------------------------------------------ what a query may be

_DASHES = r"--[^\n]*"
_BLOCK = r"/\*.*?(?:\*/|\Z)"
_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_BACKTICKS = r"`(?:[^`]|``)*`"
# a comment in a comment is found by `_replaced`
_STANDARD = (
    r"--[^\n\r]*", r"/\*", r"(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'", _QUOTED,
    r"(?<![\w$])\$((?:[^\W\d]\w*)?)\$.*?\$\1\$",
)  # fmt: skip

_OUTSIDE = {
    kind: re.compile("|".join(parts), re.DOTALL)
    for kind, parts in {
        "postgresql": _STANDARD,
        "duckdb": _STANDARD,
        "sqlite": (_DASHES, _BLOCK, _QUOTED, _BACKTICKS, r"\[[^\]]*\]"),
        # two dashes before another character are two minus signs, and what is in /*! … */ is run
        "mysql": (
            r"--(?:[\x00-\x09\x0b-\x20\x7f][^\n]*|(?=\n)|\Z)", r"#[^\n]*", r"/\*(?!M?!).*?\*/",
            r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\"""", _BACKTICKS,
        ),
    }.items()
}  # fmt: skip
"""Comments, texts and quoted names, as each kind of database reads them."""

_SELECT = re.compile(r"[\s(]*(?:select|with|values|table|from)\b", re.IGNORECASE)
_WRITES = re.compile(r"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)
_ORDER = re.compile(r"[()]|\border\s+by\b", re.IGNORECASE)


def one_select(query: str, named: str, kind: str) -> str:
    """Return a query without the semicolon at its end. Raises `SettingsError` if it is not one SELECT.

    Comments stay: only the database knows for certain where one ends. It refuses to change anything, too: this gives
    the clearer message. `kind` is the kind of the database.
    """
    if "\0" in query or unicode_text(query) is None:
        raise SettingsError(f"{named}: holds a character that is no text, such as NUL")
    query = query.removeprefix("\ufeff")
    bare = _replaced(query, kind, lambda found: _blank(found, kind))
    if not _SELECT.match(bare) or _WRITES.search(bare):
        first = "".join(bare.split()[:1])[:20]
        found = f", and this begins with {first}" if first else ", and this is empty"
        raise SettingsError(f"{named}: expected one SELECT{'' if _SELECT.match(bare) else found}")
    end = len(bare.rstrip(";" + whitespace))
    if ";" in bare[:end]:
        raise SettingsError(f"{named}: expected exactly one SELECT, and there is a semicolon in between")
    rest = (" " if mark == ";" else one for one, mark in zip(query[end:], bare[end:], strict=True))
    return (query[:end] + "".join(rest)).rstrip()


def _replaced(query: str, kind: str, by: Callable[[str], str]) -> str:
    """Return a query with something else for its comments, texts and quoted names."""
    made, at = [], 0
    while found := _OUTSIDE[kind].search(query, at):
        end = _end_of_comment(query, found.start()) if found[0] == "/*" else found.end()
        made += [query[at : found.start()], by(query[found.start() : end])]
        at = end
    return "".join([*made, query[at:]])


def _end_of_comment(query: str, start: int) -> int:
    """Return where a comment ends that may have others in it."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(query, start):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return len(query)


def _blank(found: str, kind: str) -> str:
    """Return spaces for a comment, and something of the same length for a text or a name."""
    is_comment = found.startswith(("--", "/*")) or (kind == "mysql" and found.startswith("#"))
    return (" " if is_comment else "x") * len(found)


def is_ordered(query: str, kind: str) -> bool:
    """Tell whether a query says in which order its rows come. An order inside, such as of a window, does not."""
    bare = _replaced(query, kind, lambda _: " ")
    # a query may be in brackets as a whole
    most = bare[: len(bare) - len(bare.lstrip("(" + whitespace))].count("(")
    depth = 0
    for found in _ORDER.finditer(bare):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if found[0] not in "()" and depth <= most:
            return True
    return False


def host_and_port(hosts: str, default: int) -> tuple[str, int]:
    """Return the one host and port of an address. Raises `SourceError` if there are several."""
    if "," in hosts:
        raise SourceError(f"{hosts}: expected one host")
    host, _, port = hosts.rpartition(":") if re.search(r":\d+\Z", hosts) else (hosts, "", "")
    return host.strip("[]") or "localhost", int(port or default)
