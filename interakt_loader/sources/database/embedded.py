"""Databases that are files: SQLite by Python's own module, and DuckDB. They are opened for reading only.

ADBC is not used for SQLite. It takes the type of a column from its first rows, and changes later values without an
error. So 1.5 among texts becomes `1.500000e+00`, and 9007199254740993 among floats loses its last digit.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.request import pathname2url

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, SourceError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.sources.base import BATCH_ROWS
from interakt_loader.sources.database.driver import Driver, one_line
from interakt_loader.sources.memory import to_arrow
from interakt_loader.sources.sql import MEMORY, ArrowRows, duckdb_error

_SQLITE = b"SQLite format 3\0"


def _path_of(address: Secret) -> Path:
    """Return the path after `sqlite:///`: a relative one, or an absolute one with a fourth slash.

    Raises `SourceError` for another form, and if there is no such file.
    """
    parts = DatabaseAddress.of(address.reveal())
    assert parts is not None
    path = Path(parts.file).expanduser()
    if not parts.file:
        form = f"{parts.kind}:///path/from/here.db, or {parts.kind}:////absolute/path.db"
        raise SourceError(f"{address}: expected {form}")
    if parts.options:
        raise SourceError(f"{address}: options after a question mark are not supported")
    if not path.is_file():
        absolute = Path(f"/{parts.file}")
        hint = f" (did you mean {parts.kind}:///{absolute}?)" if absolute.is_file() else ""
        raise SourceError(f"{address}: there is no file {path}{hint}")
    with path.open("rb") as file:
        is_sqlite = file.read(len(_SQLITE)) == _SQLITE
    if is_sqlite and parts.kind != "sqlite":
        raise SourceError(f"{address}: this is a file of SQLite: give sqlite:///{parts.file}")
    return path


class _File(Driver):
    """A database that is a file of this machine."""

    _connection: Any = None

    def __init__(self, address: Secret) -> None:
        super().__init__(address)
        self._path = _path_of(address)

    def interrupt(self) -> None:
        """End the query."""
        if self._connection is not None:
            self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


class SQLite(_File):
    """A file of SQLite. Each value has a type of its own."""

    kind = "sqlite"
    _cursor: Any = None

    def connect(self) -> None:
        """Open the file for reading only."""
        self._connection = sqlite3.connect(f"file:{pathname2url(str(self._path.absolute()))}?mode=ro", uri=True)
        self._connection.text_factory = _text
        # a file that is no database is noticed now
        self._connection.execute("SELECT count(*) FROM sqlite_master")

    def execute(self, text: str) -> pa.Schema:
        """Run a SELECT."""
        self._cursor = self._connection.execute(text)
        return pa.schema([(one[0], pa.null()) for one in self._cursor.description])

    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows."""
        rows = self._cursor.fetchmany(BATCH_ROWS)
        if not rows:
            return None
        names = [one[0] for one in self._cursor.description]
        return pa.RecordBatch.from_arrays([to_arrow(values) for values in zip(*rows, strict=True)], names=names)

    def explained(self, error: Exception) -> InteraktLoaderError:
        """Return an error of SQLite in one line. None of them has a value of a row."""
        if "locked" in str(error):
            return self.unreachable(f"another program writes to it ({error})")
        if self._cursor is None and isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
            return SourceError(f"{self.where}: this is not a SQLite file")
        return self.refused(str(error))


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # the row is refused, and not the query
        return raw


class DuckDB(_File):
    """A file of DuckDB."""

    kind = "duckdb"
    _rows: ArrowRows | None = None
    _text = ""
    _is_bound = False

    def connect(self) -> None:
        """Open the file for reading only."""
        try:
            import duckdb
        except ModuleNotFoundError:
            raise self.missing("duckdb") from None
        config: dict[str, Any] = {
            "python_enable_replacements": "false",
            "preserve_insertion_order": "true",
            "memory_limit": MEMORY,
            "temp_directory": str(self.folder / "spill"),
        }
        self._connection = duckdb.connect(str(self._path), read_only=True, config=config)

    def execute(self, text: str) -> pa.Schema:
        """Run a SELECT. It is bound first, since those errors have a place."""
        self._text = text
        self._connection.execute(f"EXPLAIN\n{text}").fetchall()
        self._is_bound = True
        self._rows = ArrowRows(self._connection.sql(text))
        return self._rows.schema

    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows."""
        return None if self._rows is None else self._rows.next_batch()

    def explained(self, error: Exception) -> InteraktLoaderError:
        """Return an error of DuckDB in one line."""
        if self._connection is None:
            if "lock" in str(error):
                return self.unreachable("another program has it open for writing")
            return SourceError(f"{self.where}: cannot be opened: {one_line(str(error).partition(': ')[2])}")
        text = self._text if self._is_bound else f"\n{self._text}"
        more = 0 if self._is_bound else 1
        return duckdb_error(error, text, option("query"), more=more, of_rows=self._is_bound)
