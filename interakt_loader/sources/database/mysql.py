"""MySQL and MariaDB by PyMySQL, in pure Python: slower than others, but each value is what the server sent.

connectorx is ten times as fast, but it changes the scale of decimals. Reading is far faster than sending anyway.

These servers do not notice that a client is gone before they send it the first row. So a small process of our own
waits for the end of the query, and cancels it if this process ends or is interrupted before.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.columns.normalize import Unsendable
from interakt_loader.errors import InteraktLoaderError, SettingsError, SourceError
from interakt_loader.model import Problem
from interakt_loader.sources.base import BATCH_ROWS
from interakt_loader.sources.database.driver import CONNECT_SECONDS, PROGRAM, Driver, host_and_port, one_line
from interakt_loader.sources.memory import to_arrow

PORT = 3306

_OPTIONS = {
    "charset": None,  # always UTF-8
    "unix_socket": str,
    "ssl_ca": str,
    "ssl_cert": str,
    "ssl_key": str,
    "ssl_verify_cert": lambda text: text.lower() in ("1", "true", "yes"),
    "ssl_verify_identity": lambda text: text.lower() in ("1", "true", "yes"),
}  # fmt: skip
"""Options of an address, and how each is read."""

_SESSION = (
    "SET SESSION TRANSACTION READ ONLY",
    # a TIMESTAMP is a moment, and comes as the local time of the session
    "SET SESSION time_zone = '+00:00'",
)

_JSON, _BIT, _TIMESTAMP, _DATE, _TIME, _DATETIME, _GEOMETRY, _VECTOR = 245, 16, 7, 10, 11, 12, 255, 242
_DAY = dt.timedelta(days=1)

_OWN_TEXT = {
    1044, 1046, 1049, 1051, 1052, 1054, 1055, 1056, 1060, 1064, 1066, 1104, 1109, 1111, 1115, 1140, 1142, 1143, 1146,
    1149, 1176, 1205, 1213, 1222, 1241, 1242, 1248, 1250, 1267, 1305, 1317, 1318, 1356, 1370, 1582, 1630, 1792, 1969,
    3024,
}  # fmt: skip
"""Numbers of errors whose text never has a value of a row."""

_LOST = (2006, 2013, 2014, 1053, 1927)

_NO_ACCESS = {
    1044: "this user may not use this database, or there is none of this name",
    1049: "there is no database of this name",
    1045: "the database refuses this user and password. A password is read from MYSQL_PWD, from ~/.my.cnf, or from an "
    "address in a variable, given as env:NAME",
}
_REASONS = {
    2013: "no MySQL server answers there: is it the right port?",
    1040: "the database has too many connections now",
    1130: "the database does not allow connections from this machine",
}

# It reads where to connect, and waits for the end of its input. A line before the end says that all is well.
_WATCH = """
import sys
sys.path[:] = sys.argv[1:]
import json
facts = json.loads(sys.stdin.readline())
if not sys.stdin.readline():
    import pymysql
    facts["to"]["password"] = facts["to"]["password"].encode("utf-8", "surrogateescape")
    with pymysql.connect(**facts["to"]) as connection:
        connection.cursor().execute("KILL QUERY %d" % facts["id"])
"""


class MySQL(Driver):
    """A connection by PyMySQL, with a session that can only read."""

    kind = "mysql"
    _connection: Any = None
    _cursor: Any = None
    _is_running = False
    _watch: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        """Connect, and have the session watched."""
        try:
            import pymysql
        except ModuleNotFoundError:
            raise self.missing("PyMySQL[rsa]>=1.2") from None
        # something else may listen there, and wait for us to begin
        self._connection = pymysql.connect(
            **_with_bytes(self._arguments()),
            autocommit=True,
            cursorclass=pymysql.cursors.SSCursor,
            read_timeout=CONNECT_SECONDS,
        )
        for command in _SESSION:
            with self._connection.cursor() as cursor:
                cursor.execute(command)
        # a query may take longer; PyMySQL has no public way to say so later
        self._connection._read_timeout = None
        self._begin_watch()

    def _arguments(self) -> dict[str, Any]:
        user, password, hosts, path, options = self.parts()
        host, port = host_and_port(hosts, PORT)
        given = {}
        for name, text in options.items():
            if name not in _OPTIONS:
                raise SourceError(
                    f"{self.where}: unknown option {name!r} in the address; there are {', '.join(_OPTIONS)}"
                )
            read: Callable[[str], Any] | None = _OPTIONS[name]
            if read is not None:
                given[name] = read(text)
        own = Path("~/.my.cnf").expanduser()
        if own.is_file():
            given["read_default_file"] = str(own)
        return {
            "host": host,
            "port": port,
            "user": user or None,
            "password": password.reveal() or os.environ.get("MYSQL_PWD") or self._password_of(own),
            "database": path or None,
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_SECONDS,
            "program_name": PROGRAM,
            **given,
        }

    def _password_of(self, path: Path) -> str:
        """Return the password in a file of options; empty if there is none."""
        from configparser import Error

        from pymysql.optionfile import Parser

        try:
            parser = Parser()
            parser.read(path)
            return str(parser.get("client", "password") or "") if parser.has_option("client", "password") else ""
        except (Error, UnicodeDecodeError, OSError) as error:
            # its text quotes lines of the file
            raise SettingsError(
                f"{self.where}: {path} cannot be read ({type(error).__name__}): expected the section [client], with a "
                "line password=…, and each name once"
            ) from None

    def _begin_watch(self) -> None:
        """Start the process that cancels the query if this process ends before."""
        from interakt_loader.sources.columnar import own_python

        program = own_python()
        if program is None:
            return
        self._watch = subprocess.Popen(  # noqa: S603 - the Python that runs this
            # modules are those of this process, and not files of the current folder
            [program, "-c", _WATCH, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for this process
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "INTERAKT_API_KEY"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        facts = {"to": self._arguments(), "id": self._connection.thread_id()}
        assert self._watch.stdin is not None
        self._watch.stdin.write(json.dumps(facts).encode() + b"\n")
        self._watch.stdin.flush()

    def _end_watch(self, last: bytes) -> None:
        if self._watch is not None and self._watch.stdin is not None:
            with suppress(OSError):
                self._watch.stdin.write(last)
            with suppress(OSError):
                self._watch.stdin.close()
            self._watch.wait()
            self._watch = None

    def execute(self, text: str) -> pa.Schema:
        """Run a SELECT."""
        self._is_running = True
        self._cursor = self._connection.cursor()
        self._cursor.execute(text)
        if self._cursor.description is None:
            raise self.refused("the result has no columns")
        return pa.schema([(one[0], pa.null()) for one in self._cursor.description])

    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows."""
        rows = self._cursor.fetchmany(BATCH_ROWS)
        if not rows:
            self._is_running = False
            return None
        columns = self._cursor.description
        arrays = [_column(one[1], one[3], values) for one, values in zip(columns, zip(*rows, strict=True), strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=[one[0] for one in columns])

    def interrupt(self) -> None:
        """Cancel the query, by the process that watches it."""
        self._end_watch(b"")

    def close(self) -> None:
        """Close the connection."""
        self._end_watch(b"" if self._is_running else b"the query has ended\n")
        result = getattr(self._cursor, "_result", None)
        if result is not None:
            # else it would read the rest, or complain that there is no connection any more
            result.unbuffered_active = False
        for one in (self._cursor, self._connection):
            if one is not None:
                # it may be broken
                with suppress(Exception):
                    one.close()

    def explained(self, error: Exception) -> InteraktLoaderError:
        """Return an error of the server or the driver in one line."""
        number, text = (*error.args, "", "")[:2]
        needed = re.match(r"'(\w+)' package is required", str(number))
        if needed is not None:
            return self.missing(needed[1])
        if not isinstance(number, int):
            number = type(error).__name__
        if self._connection is None:
            if number in _NO_ACCESS:
                return self.no_access(_NO_ACCESS[number])
            if number in _REASONS:
                return self.unreachable(_REASONS[number])
            if number == 2003:
                return self.unreachable(
                    f"no connection: {one_line(str(text).partition('(')[2].strip(')')) or 'refused'}"
                )
            if isinstance(error, OSError) and error.strerror:
                return self.no_access(f"no connection: {error.strerror.lower()}: check the options of the address")
            return self.unreachable(f"no connection (error {number})")
        if number in _LOST or isinstance(error, OSError):
            return self.unreachable("the connection was lost while the query ran")
        return self.refused(str(text)) if number in _OWN_TEXT else self.of_a_value(number)


def _with_bytes(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with a password in UTF-8, as other programs send it: PyMySQL would encode it in Latin-1."""
    return {**arguments, "password": arguments["password"].encode("utf-8", "surrogateescape")}


def _column(kind: int, length: int, values: Sequence[Any]) -> pa.Array:
    """Return a column of a type of MySQL as what its values mean."""
    if kind == _BIT and length == 1:
        return pa.array([None if one is None else one != b"\0" for one in values], pa.bool_())
    if kind in (_BIT, _GEOMETRY, _VECTOR):
        named = {_BIT: f"BIT({length})", _GEOMETRY: "GEOMETRY", _VECTOR: "VECTOR"}[kind]
        return pa.ExtensionArray.from_storage(
            Unsendable(pa.binary(), f"{named} of MySQL"), pa.array(values, pa.binary())
        )
    change = {_TIMESTAMP: _moment, _DATETIME: _datetime, _DATE: _datetime, _TIME: _time, _JSON: _json}.get(kind)
    return to_arrow([*values] if change is None else [None if one is None else change(one) for one in values])


def _json(value: Any) -> Any:
    """Return JSON as text; its null is no value. MariaDB has JSON in columns of text, which cannot be told apart."""
    return None if value == "null" else value


def _datetime(value: Any) -> Any:
    """Return a date or a time, and a problem for one that is none, such as 0000-00-00: the driver gives its text."""
    if not isinstance(value, str):
        return value
    return Problem("not_a_datetime", f"{value!r} is no date: write NULLIF(column, '0000-00-00') in the query")


def _moment(value: Any) -> Any:
    return value.replace(tzinfo=dt.timezone.utc) if isinstance(value, dt.datetime) else _datetime(value)


def _time(value: Any) -> Any:
    """Return a time of day; one that is longer than a day, or negative, stays a duration."""
    if isinstance(value, dt.timedelta) and dt.timedelta() <= value < _DAY:
        return (dt.datetime.min + value).time()
    return value
