"""The result of an SQL query on a database as a source.

The query runs once, before the first call. Its rows are kept in a temporary file for their owner alone. Then the
connection is closed. A load takes hours, and an open transaction would meet time limits and hold up the database.

`driver` says what a driver does, and what is common to all. `postgresql`, `mysql` and `embedded` (SQLite and DuckDB
files) are the drivers.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SettingsError, SourceError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.privacy.text import number_of
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.sources.base import Batches, Source, flat_names
from interakt_loader.sources.database.driver import Driver, attempt, is_ordered, one_select
from interakt_loader.sources.spool import Interruptible, TemporaryFolder
from interakt_loader.sources.sql import kept_result, repeats

logger = logging.getLogger("interakt_loader")

FIRST_LINE, NEXT_LINES = 10.0, 60.0
"""Seconds after which a line says that a query still runs, and between two such lines."""


def open_query(address: Secret, query: str | None, where: str | None = None) -> Source:
    """Return the result of a query on a database as a source. It runs now, once, and can change nothing.

    Raises `SettingsError` in one line, with the place in the query where the database tells it. Raises `NotJustNow`
    if the database cannot be reached, or the connection is lost. Raises `SourceError` for an address that is wrong.
    """
    named = option("query")
    if where is not None:
        raise SettingsError(f"{option('where')} is for files and frames: for a database, write WHERE in {named}")
    if query is None:
        example = option("query", "SELECT * FROM customers WHERE opted_in")
        raise SettingsError(f"{address}: a database needs a query, such as {example}")
    driver = _driver_of(address)
    text = one_select(query, named, driver.kind)
    folder = TemporaryFolder()
    driver.folder = folder.path
    with folder.removed_on_error(), closing(_read(driver, text)) as batches:
        rows = kept_result(batches, folder, named)
    return Source(
        name=str(address),
        columns=flat_names(rows.schema, str(address)),
        rows=rows.rows,
        rows_exact=True,
        read=rows.batches,
        repeats=None if is_ordered(text, driver.kind) else partial(repeats, rows),
    )


def _driver_of(address: Secret) -> Driver:
    parts = DatabaseAddress.of(address.reveal())
    if parts is None or not parts.is_clear:
        raise SourceError(
            f"{address}: the address cannot be read: expected one such as postgresql://user@host:5432/database, with "
            "special characters of the user and the password as %XX, such as %40 for @"
        )
    match parts.kind:
        case "postgresql":
            from interakt_loader.sources.database.postgresql import PostgreSQL

            return PostgreSQL(address)
        case "mysql":
            from interakt_loader.sources.database.mysql import MySQL

            return MySQL(address)
        case "sqlite":
            from interakt_loader.sources.database.embedded import SQLite

            return SQLite(address)
        case _:
            from interakt_loader.sources.database.embedded import DuckDB

            return DuckDB(address)


def _read(driver: Driver, text: str) -> Batches:
    """Yield the rows of a query; the first batch has none. The driver's calls are made in a thread of their own."""
    rows, said = 0, _Said(driver.where)

    def run(call: Callable[[], Any]) -> Any:
        return attempt(lambda: interruptible(call, lambda: said.waiting(rows)), driver.explained)

    with Interruptible(driver.interrupt, driver.close) as interruptible:
        run(driver.connect)
        said.begin()
        schema = run(partial(driver.execute, text))
        yield pa.RecordBatch.from_arrays([pa.nulls(0, one.type) for one in schema], schema=schema)
        while (batch := run(driver.next_batch)) is not None:
            rows += batch.num_rows
            yield batch


class _Said:
    """Says from time to time that a query still runs."""

    def __init__(self, where: str) -> None:
        self._where, self._began, self._next = where, 0.0, math.inf

    def begin(self) -> None:
        """Note that the query begins now."""
        self._began, self._next = time.monotonic(), FIRST_LINE

    def waiting(self, rows: int) -> None:
        """Log a line if it is time for one."""
        seconds = time.monotonic() - self._began
        if seconds >= self._next:
            self._next = seconds + NEXT_LINES
            read = f", {number_of(rows, 'row')} so far" if rows else ""
            logger.warning("%s: the query has been running for %s%s", self._where, f"{seconds:.0f} s", read)
