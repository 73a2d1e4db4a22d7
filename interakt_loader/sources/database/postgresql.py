"""PostgreSQL by ADBC: the rows come in Arrow, and memory stays flat.

What ADBC gives for a type differs between its versions, and is wrong for some: money comes as cents. So the types are
those that PostgreSQL tells, and it makes text of what has no type in Arrow. A type that cannot be sent is refused by
its name, where it is mapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import mixed, null_where, unsendable
from interakt_loader.errors import InteraktLoaderError
from interakt_loader.sources.database.driver import CONNECT_SECONDS, PROGRAM, Driver, one_line
from interakt_loader.sources.memory import to_arrow
from interakt_loader.values import LIST_IN_A_LIST

_PLAIN = (
    "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "name", "bytea", "date",
    "timestamp", "timestamptz", "time",
)  # fmt: skip
"""Types that ADBC gives as what they mean; numeric as text."""

_TEXTS = ("uuid", "json", "jsonb", "bpchar", "citext", "char")
"""Types of which PostgreSQL makes text. Spaces at the end are no part of a bpchar, and are gone then. An empty `"char"`
is a byte of zero for ADBC."""

_ADVICE = {"money": "::numeric makes a number of it", "interval": "extract(epoch from …) makes seconds of it"}
"""What a query can do about types that cannot be sent; of others it can make text."""

_BATCH_BYTES = 1 << 20
"""Bytes of a batch; ADBC's own is 16 times as large, and several are in memory."""

_DEFAULTS = {
    "connect_timeout": str(CONNECT_SECONDS),
    "fallback_application_name": PROGRAM,
    # a connection that is lost is noticed within two minutes
    "keepalives_idle": "60",
    "keepalives_interval": "15",
    "keepalives_count": "4",
}

_SESSION = (
    "SET TRANSACTION READ ONLY",
    # if this process is killed, the server notices, and ends the query (since version 14)
    "SELECT set_config(name, '2s', true) FROM pg_settings WHERE name = 'client_connection_check_interval'",
)

_TYPES = """
WITH RECURSIVE named AS (
  SELECT oid AS asked, oid, typbasetype FROM pg_type WHERE oid IN ({oids})
  UNION ALL SELECT asked, t.oid, t.typbasetype FROM named JOIN pg_type t ON t.oid = named.typbasetype
)
SELECT asked::bigint, format_type(t.oid, NULL), COALESCE(e.typname, t.typname)::text, e.oid IS NOT NULL,
  COALESCE(e.typtype, t.typtype) = 'e'
FROM named JOIN pg_type t ON t.oid = named.oid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE named.typbasetype = 0
"""
"""Types by number: a domain as its base, an array as its items."""

_OWN_TEXT = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
"""Classes of errors whose text never has a value of a row."""

_LOST = ("08", "57P")

_NO_ACCESS = (
    (
        "no password supplied",
        "no password was given: set PGPASSWORD, write ~/.pgpass, or put the address with its "
        "password into a variable and give env:NAME",
    ),
    (
        "password authentication failed",
        "the database refuses this user and password. A password is read from PGPASSWORD, from ~/.pgpass, or from an "
        "address in a variable, given as env:NAME",
    ),
    ('" does not exist', "there is no such user, or no such database"),
    ("invalid response to SSL negotiation", "no PostgreSQL server answers there: is it the right port?"),
)
_REASONS = (
    ("Connection refused", "nothing listens there (connection refused)"),
    ("could not translate host name", "there is no host of this name"),
    ("timeout expired", f"no answer within {CONNECT_SECONDS} seconds"),
)  # fmt: skip


_BAD_OPTION = re.compile(
    r'invalid "?(\w+)"? value: |invalid (?:integer )?value (?:"[^"]*" )?for (?:connection option|parameter) "(\w+)"'
)


class PostgreSQL(Driver):
    """A connection by ADBC, with one transaction that can only read."""

    kind = "postgresql"
    _connection: Any = None
    _cursor: Any = None
    _reader: Any = None
    _text = ""
    _before = 0
    """Characters before the query in what runs."""
    _names: Sequence[str] = ()
    _types: Sequence[_Type] = ()

    def connect(self) -> None:
        """Connect, and begin a transaction that can only read."""
        try:
            from adbc_driver_postgresql import dbapi
        except ModuleNotFoundError:
            raise self.missing("adbc-driver-postgresql") from None
        self._connection = dbapi.connect(self._written())
        for command in _SESSION:
            with self._connection.cursor() as cursor:
                cursor.execute(command)

    def _written(self) -> str:
        """Return the address as libpq reads it: special characters may be written as they are."""
        user, password, hosts, path, options = self.parts()
        secret = password.reveal()
        who = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "") + ("@" if user or secret else "")
        return f"postgresql://{who}{hosts}/{quote(path)}?{urlencode({**_DEFAULTS, **options}, quote_via=quote)}"

    def execute(self, text: str) -> pa.Schema:
        """Run a SELECT. Its errors have the place in the query, because it is described first as it is written."""
        self._text = text
        with self._connection.cursor() as cursor:
            names = cursor.adbc_execute_schema(text).names
        if not names:
            raise self.refused("the result has no columns")
        columns = [f"c{at}" for at in range(len(names))]
        inner = f"(\n{text}\n) AS q({', '.join(columns)})"
        self._types = self._types_of(columns, inner)
        self._cursor = self._connection.cursor()
        self._cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        wanted = chain.from_iterable(one.wanted(column) for one, column in zip(self._types, columns, strict=True))
        self._cursor.execute(f"SELECT {', '.join(wanted)} FROM {inner}")  # noqa: S608 - the query is the user's own
        self._reader = self._cursor.fetch_record_batch()
        self._names = names
        return pa.schema([(name, pa.null()) for name in names])

    def _types_of(self, columns: Sequence[str], inner: str) -> list[_Type]:
        """Return the types of the columns of a query, which does not run: a join that never holds gives one row."""
        numbers = ", ".join(f"pg_typeof({column})::oid::bigint" for column in columns)
        with self._connection.cursor() as cursor:
            never = f"SELECT {numbers} FROM (SELECT 1) AS one LEFT JOIN {inner} ON false"  # noqa: S608 - likewise
            self._before = never.index(inner) + len("(\n")
            cursor.execute(never)
            oids = cursor.fetchone()
            cursor.execute(_TYPES.format(oids=", ".join(map(str, oids))))
            found = {number: _Type(*facts) for number, *facts in cursor.fetchall()}
        return [found[oid] for oid in oids]

    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows."""
        batch = next(self._reader, None)
        if batch is None:
            return None
        columns = iter(batch.columns)
        return pa.RecordBatch.from_arrays([one.read(columns) for one in self._types], names=self._names)

    def interrupt(self) -> None:
        """Cancel the query."""
        cursor = self._cursor
        if cursor is not None:
            cursor.adbc_cancel()

    def close(self) -> None:
        """Close the connection."""
        for one in (self._reader, self._cursor, self._connection):
            if one is not None:
                # it may be broken
                with suppress(Exception):
                    one.close()

    def explained(self, error: Exception) -> InteraktLoaderError:
        """Return an error of libpq or of the server in one line."""
        details = {_decoded(name): _decoded(value) for name, value in getattr(error, "details", None) or ()}
        code, said = getattr(error, "sqlstate", None) or "", str(error)
        what = details.get("PG_DIAG_MESSAGE_PRIMARY", "")
        if self._connection is None:
            return self._unconnected(said)
        if code.startswith(_LOST) or (not code and not self._is_alive()):
            return self.unreachable("the connection was lost while the query ran")
        if "read-only transaction" in said:
            return self.refused("the query may only read, and it changes something")
        if not code.startswith(_OWN_TEXT):
            return self.of_a_value(code, said)
        place = details.get("PG_DIAG_STATEMENT_POSITION") if self._cursor is None else None
        return self.refused(what if place is None else f"{self._place(int(place))}: {what}")

    def _is_alive(self) -> bool:
        """Tell whether the server still answers. Errors that come while rows are read have only a text."""
        try:
            if self._cursor is not None:
                self._cursor.close()
            self._connection.rollback()
        except Exception:  # noqa: BLE001 - there is no connection any more
            return False
        return True

    def _place(self, position: int) -> str:
        """Return the line and the column of a character, which is counted from 1."""
        before = self._text[: position - self._before - 1].split("\n")
        return f"line {len(before)}, column {len(before[-1]) + 1}"

    def _unconnected(self, said: str) -> InteraktLoaderError:
        for part, why in _REASONS:
            if part in said:
                return self.unreachable(why)
        for part, why in _NO_ACCESS:
            if part in said:
                return self.no_access(why)
        if "invalid URI query parameter" in said:
            return self.no_access(f"unknown option {said.rpartition(': ')[2].strip()} in the address")
        # the value may be a secret at the wrong place
        option_name = _BAD_OPTION.search(said)
        if option_name is not None:
            return self.no_access(f"the value of the option {option_name[1] or option_name[2]} is not accepted")
        if "definition of service" in said:
            return self.no_access("there is no service of this name in the file of services")
        # libpq quotes the user, and parts of the address
        text = re.sub(r'user "[^"]*"', "this user", said.partition("failed: ")[2]).replace("FATAL: ", "")
        return self.unreachable(f"no connection: {one_line(text) or 'the address cannot be used'}")


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


class _Type(NamedTuple):
    """The type of a column."""

    name: str
    item: str
    """The name of the type; of an array, that of its items."""
    is_array: bool
    is_enum: bool

    @property
    def _is_sendable(self) -> bool:
        return self.is_enum or self.item in _PLAIN or self.item in _TEXTS

    def wanted(self, column: str) -> list[str]:
        """Return the expressions that are read for a column."""
        if not self._is_sendable:
            return [f"{column} IS NOT NULL"]
        if self.is_enum or self.item in _TEXTS:
            # the null of JSON is no text
            value = f"{column}::text[]" if self.is_array else f"{column}::text"
            if self.name in ("json", "jsonb"):
                value = rf"CASE WHEN {value} !~ '^\s*null\s*$' THEN {value} END"
        else:
            value = column
        if not self.is_array:
            return [value]
        # ADBC joins an array of several dimensions to one, and reads only those that begin at 1, as a slice does
        return [f"({value})[:]", f"array_ndims({column}) > 1"]

    def read(self, columns: Iterator[pa.Array]) -> pa.Array:
        """Return a column as what its values mean, from the next columns of the result."""
        values = next(columns)
        if not self._is_sendable:
            meaning = f"{self.name} (in PostgreSQL, {_ADVICE.get(self.item, '::text makes text of it')})"
            return unsendable(values, meaning)
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if not self.is_array:
            return _numbers(values) if self.item == "numeric" else values
        is_nested = next(columns)
        if self.item != "numeric" and not pc.any(is_nested).as_py():
            return values
        lists = values.to_pylist()
        if self.item == "numeric":
            lists = [*map(_numbers_in, lists)]
        pairs = zip(lists, is_nested.to_pylist(), strict=True)
        return to_arrow([LIST_IN_A_LIST if nested else value for value, nested in pairs])


def _numbers(texts: pa.StringArray) -> pa.Array:
    """Return numbers of any size as they are written; NaN and infinities, which are no numbers, as null."""
    return mixed({"digits": null_where(texts, pc.is_in(texts, pa.array(["nan", "inf", "-inf"])))})


def _numbers_in(values: list[str | None] | None) -> list[Decimal | None] | None:
    return None if values is None else [None if one is None else Decimal(one) for one in values]
