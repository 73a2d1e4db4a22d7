"""Read iterators of dicts, of frames and of record batches, and the cursors of databases. They come `once`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, flat_names, heading, refuse_doubled
from interakt_loader.sources.memory import is_pandas, is_table, open_in_memory, records_to_batch
from interakt_loader.sources.once import END, Once, batches_of, failed, next_item, open_once
from interakt_loader.values import full_type

_KINDS = "dicts, frames, Arrow tables or record batches"
_ARROW_METHODS = ("to_arrow_reader", "fetch_record_batch", "fetch_arrow_batches", "to_arrow_iterable")
"""What gives batches: of DuckDB, of ADBC and older DuckDB, of Snowflake, of BigQuery."""


# ------------------------------------------------------------------ iterators


def open_iterable(data: Iterable[Any]) -> Source:
    """Return an iterable of dicts, frames, tables or record batches as a source.

    It is read to its first rows, which tell the columns. Later dicts may have further ones; later frames may not.
    Raises SourceError when it yields nothing, or something else.
    """
    name = type(data).__name__
    items = iter(data)
    try:
        first = next_item(name, items, 0)
        if first is END:
            raise SourceError(
                f"{name}: it yields nothing, so its columns are not known; expected {_KINDS}. Was it read before? What "
                "comes once can be given once"
            )
        items = chain([first], items)
        if isinstance(first, Mapping):
            return _open_records(name, items)
        if is_table(first):
            source = open_in_memory(first)
            read = Once(name, _of_tables(name, items, source)).read
            return replace(source, name=name, rows=None, rows_exact=False, read=read)
    except SourceBroken as error:
        raise SourceError(str(error)) from error
    raise SourceError(f"{full_type(data)}: expected {_KINDS}, but item 0 is {full_type(first)}{_way_out(data, first)}")


def _way_out(data: object, first: object) -> str:
    if hasattr(data, "mappings"):
        # a result of SQLAlchemy
        return ": give .mappings()"
    if isinstance(first, (str, bytes)) or hasattr(first, "__fspath__"):
        return ": of paths, give a list"
    return ""


def open_tables(tables: Sequence[Any]) -> Source:
    """Return a list of frames, tables or record batches as a source; SourceError if their columns differ."""
    for at, table in enumerate(tables):
        if not is_table(table):
            raise SourceError(f"list: expected frames or batches like item 0, but item {at} is {full_type(table)}")
    sources = [*map(open_in_memory, tables)]
    names = _names(tables[0], sources[0])
    row = 0
    for table, source in zip(tables, sources, strict=True):
        problem = _other_columns(names, _names(table, source))
        if problem:
            raise SourceError(f"list: row {row}: {problem}")
        row += source.rows or 0
    counts = [source.rows for source in sources]
    return replace(
        sources[0],
        name="list",
        rows=None if None in counts else sum(filter(None, counts)),
        rows_exact=None not in counts,
        read=lambda: (batch for source in sources for batch in source.read()),
    )


def _open_records(name: str, items: Iterator[Any], keys: Iterable[Any] = ()) -> Source:
    keys = [*keys]
    batches = _of_records(name, items, keys)
    first = next(batches, None)
    if first is None:
        source = open_once(name, [*map(str, keys)], iter(()))
        return replace(
            source, notes=[f"{name}: there are no rows. Was it read before? What comes once can be given once"]
        )
    return open_once(name, flat_names(first.schema, name), chain([first], batches), open_ended=True)


def _of_records(name: str, items: Iterator[Any], keys: Sequence[Any]) -> Batches:
    """Yield the records of an iterator as batches. All have the columns of the first one."""
    row = 0
    broken: Exception | None = None
    while broken is None:
        records: list[Mapping[Any, Any]] = []
        try:
            for item in islice(items, BATCH_ROWS):
                if not isinstance(item, Mapping):
                    at = row + len(records)
                    broken = SourceBroken(f"{name}: row {at}: expected a dict like before, and got {full_type(item)}")
                    break
                # some programs fill one dict again and again
                records.append(dict(item))
        except Exception as error:  # noqa: BLE001 - anything may come from an iterator
            broken = failed(name, error, row + len(records))
        if records:
            found = [*dict.fromkeys(chain(keys, chain.from_iterable(records)))]
            try:
                refuse_doubled(name, [heading(str(key)) for key in found])
            except SourceError as error:
                raise SourceBroken(str(error)) from error
            keys = keys or found
            row += len(records)
            yield records_to_batch(records, names=keys)
        elif broken is None:
            return
    raise broken


def _of_tables(name: str, items: Iterator[Any], first: Source) -> Batches:
    """Yield the rows of the tables of an iterator, each of which has to have the same columns."""
    row = 0
    names: list[str] | None = None
    while (item := next_item(name, items, row)) is not END:
        if not is_table(item):
            raise SourceBroken(f"{name}: row {row}: expected a table like before, and got {full_type(item)}")
        try:
            source = first if names is None else open_in_memory(item)
            found = _names(item, source)
        except SourceError as error:
            raise SourceBroken(f"{name}: row {row}: {error}") from error
        problem = _other_columns(names or found, found)
        if problem:
            raise SourceBroken(f"{name}: row {row}: {problem}")
        names = names or found
        for batch in source.read():
            row += batch.num_rows
            yield batch


def _names(table: Any, source: Source) -> list[str]:
    """Return the columns in which tables have to agree. The fields of Python objects are no such columns."""
    return [heading(str(label)) for label in table.columns] if is_pandas(table, "DataFrame") else source.columns


def _other_columns(expected: Sequence[str], found: Sequence[str]) -> str | None:
    missing = [name for name in expected if name not in found]
    further = [name for name in found if name not in expected]
    if not missing and not further:
        return None
    differences = [
        f"{word} {', '.join(map(repr, names[:3]))}{' …' if len(names) > 3 else ''}"
        for word, names in (("without", missing), ("with", further))
        if names
    ]
    return f"expected a table with the columns of the first one, and got one {' and '.join(differences)}"


# ------------------------------------------------------------------ cursors


def batches_method(data: object) -> Callable[..., Any] | None:
    """Return the method of a cursor or a result that gives its rows as Arrow data; None if there is none."""
    methods = (getattr(data, name, None) for name in _ARROW_METHODS)
    return next((method for method in methods if callable(method)), None)


def is_cursor(data: object) -> bool:
    """Return whether data is a cursor as Python's databases have it (PEP 249)."""
    return callable(getattr(data, "fetchmany", None)) and hasattr(data, "description")


def open_cursor(cursor: Any) -> Source:
    """Return the result of a cursor as a source; SourceError if it has none."""
    name = full_type(cursor)
    no_result = f"{name}: there is no result to read: execute a query that returns rows first"
    if is_cursor(cursor) and cursor.description is None:
        raise SourceError(no_result)
    method = batches_method(cursor)
    if method is None:
        names = [str(column[0]) for column in cursor.description]
        refuse_doubled(name, [*map(heading, names)])
        try:
            return _open_records(name, _fetched(name, cursor, names), names)
        except SourceBroken as error:
            raise SourceError(str(error)) from error
    try:
        with warnings.catch_warnings():
            # DuckDB 2 says that a copy is made; there is no other way to read such a result in batches
            warnings.simplefilter("ignore", UserWarning)
            # DuckDB would put a million rows into a batch
            result = method(BATCH_ROWS) if "duckdb" in name else method()
    except Exception as error:
        raise SourceError(f"{no_result} ({full_type(error)})") from error
    if result is None:
        raise SourceError(no_result)
    if not isinstance(result, pa.RecordBatchReader):
        return open_iterable(result)
    return open_once(name, flat_names(result.schema, name), batches_of(name, result))


def _fetched(name: str, cursor: Any, names: Sequence[str]) -> Iterator[Mapping[Any, Any]]:
    while rows := cursor.fetchmany(BATCH_ROWS):
        if not isinstance(rows, Sequence):
            getattr(rows, "close", bool)()
            raise SourceBroken(f"{name}: an asynchronous cursor cannot be read: fetch its rows, and give them as dicts")
        for row in rows:
            yield row if isinstance(row, Mapping) else dict(zip(names, row, strict=True))
