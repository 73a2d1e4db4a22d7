"""What a driver of a database does, and what is common to all drivers: what a query may be, and its errors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, NotJustNow, SettingsError, SourceError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.values import unicode_text

CONNECT_SECONDS = 10
"""Seconds that a connection may take."""

PROGRAM = "interakt-loader"
"""The name of the program, for those who look at the connections of a database."""

_Result = TypeVar("_Result")


class Driver(ABC):
    """One connection, and one query on it. All methods but `interrupt` are called from one thread."""

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
        return SettingsError(f"{self.where}: reading this database needs the package {package}: pip install {package}")

    def unreachable(self, why: str) -> NotJustNow:
        """Return the error for a database that does not answer now."""
        return NotJustNow(f"{self.where}: {why}. Nothing was sent")

    def no_access(self, why: str) -> SettingsError:
        """Return the error for a user, a password or an address that the database does not accept."""
        return SettingsError(f"{self.where}: {one_line(why)}")

    def refused(self, why: str) -> SettingsError:
        """Return the error for a query that the database refuses."""
        return SettingsError(f"{option('query')}: {one_line(why)}")

    def of_a_value(self, code: object = "") -> SettingsError:
        """Return the error for a row that the database cannot compute. Its own text may quote a value of the row."""
        number = f" (error {code})" if code else ""
        return SettingsError(
            f"{option('query')}: the database cannot compute a row{number}. Its text is not shown, because it may hold "
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

_OUTSIDE = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(\w*)\$.*?\$\1\$""", re.DOTALL
)
"""Comments, texts and quoted names."""

_SELECT = re.compile(r"[\s(]*(?:select|with|values|table|from)\b", re.IGNORECASE)
_WRITES = re.compile(r"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)


def one_select(query: str, named: str) -> str:
    """Return a query without what follows it: a semicolon, comments. Raises `SettingsError` if it is not one SELECT.

    The database refuses to change anything, too: this gives the clearer message.
    """
    if "\0" in query or unicode_text(query) is None:
        raise SettingsError(f"{named}: holds a character that is no text, such as NUL")
    bare = _OUTSIDE.sub(lambda found: _blank(found[0]), query)
    end = len(bare.rstrip().rstrip(";").rstrip())
    if not _SELECT.match(bare) or _WRITES.search(bare):
        first = "".join(bare.split()[:1])[:20]
        found = f", and this begins with {first}" if first else ", and this is empty"
        raise SettingsError(f"{named}: expected one SELECT{'' if _SELECT.match(bare) else found}")
    if ";" in bare[:end]:
        raise SettingsError(f"{named}: expected exactly one SELECT, and there is a semicolon in between")
    return query[:end]


def _blank(found: str) -> str:
    """Return spaces for a comment, and something of the same length for a text or a name."""
    return " " * len(found) if found.startswith(("--", "/*")) else "x" * len(found)


def is_ordered(query: str) -> bool:
    """Tell whether a query says in which order its rows come."""
    return re.search(r"\border\s+by\b", _OUTSIDE.sub(" ", query), re.IGNORECASE) is not None


def host_and_port(hosts: str, default: int) -> tuple[str, int]:
    """Return the one host and port of an address. Raises `SourceError` if there are several."""
    if "," in hosts:
        raise SourceError(f"{hosts}: expected one host")
    host, _, port = hosts.rpartition(":") if re.search(r":\d+\Z", hosts) else (hosts, "", "")
    return host.strip("[]") or "localhost", int(port or default)
