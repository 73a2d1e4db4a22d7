"""Parquet files, streamed: memory is bounded by a few pages of each column, not by the row group."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import BATCH_ROWS, WIDE_BYTES, Batches, Source, check_names, reason
from interakt_loader.sources.file import File
from interakt_loader.sources.formats import is_marked
from interakt_loader.sources.int96 import int96_columns, without_wrapped
from interakt_loader.sources.meanings import with_meanings
from interakt_loader.sources.structs import flattened

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_READ_BYTES = 64 << 10  # of a column chunk at a time; without this, Arrow holds whole row groups
_SENDABLE = (
    *("None", "String", "Enum", "JSON", "UUID", "Null", "Int", "Decimal", "Float16", "Date", "Time", "Timestamp"),
    *("List", "Map"),
)
"""Logical types whose values are what Arrow reads them as; another one's bytes mean something else."""
_SQUEEZED = 100  # times: distinct values are not packed as tightly as that, unless one of them is very long
_RELEASE_EVERY = 8  # batches; the allocator gives pages back only when asked


def is_parquet_file(data: object) -> bool:
    """Tell whether data is a pyarrow ParquetFile; False while nobody has imported that part of pyarrow."""
    module = sys.modules.get("pyarrow.parquet")
    return module is not None and isinstance(data, module.ParquetFile)


def open_parquet_file(file: Any) -> Source:
    """Return a pyarrow ParquetFile as a source; it stays open, as the caller opened it."""
    names = check_names("ParquetFile", file.schema_arrow)
    return Source(
        name="ParquetFile",
        columns=names,
        rows=_rows("ParquetFile", file),
        rows_exact=True,
        read=lambda: _batches(file),
    )


def open_parquet(file: File) -> Source:
    """Return a Parquet file as a source; SourceError when it is none, or its footer cannot be read."""
    path = file.given
    if not is_marked(file, "parquet"):  # before it is unpacked
        raise SourceError(f"{path}: this is not a Parquet file, whatever its name says")
    file = file.uncompressed()
    _check_ends(file)
    try:
        with _opened(file) as opened:
            schema, rows = opened.schema_arrow, _rows(path, opened)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{path}: the Parquet footer cannot be read: {reason(error)}") from error

    def read() -> Batches:
        with _opened(file) as opened, ExitStack() as stack:
            instants = int96_columns(opened)
            again = stack.enter_context(_opened(file, "ms")) if instants else None
            yield from _batches(opened, again, instants)

    return Source(name=file.name, columns=check_names(path, schema), rows=rows, rows_exact=True, read=read, path=path)


def _opened(file: File, int96_unit: str = "us") -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        file.location,
        pre_buffer=False,
        buffer_size=_READ_BYTES,
        page_checksum_verification=True,
        # Spark's INT96 times as nanoseconds would wrap around for years past 2262
        coerce_int96_timestamp_unit=int96_unit,
    )


def _rows(where: str, file: Any) -> int:
    """Return how many rows the footer promises; SourceError where it contradicts itself.

    Read on, a column with fewer values than its row group has rows would end the table there, in silence.
    """
    metadata = file.metadata
    rows = 0
    repeated = [metadata.schema.column(at).max_repetition_level > 0 for at in range(metadata.num_columns)]
    for at, group in enumerate(map(metadata.row_group, range(metadata.num_row_groups))):
        for column, is_repeated in zip(_columns(file, at), repeated, strict=False):
            # a repeated column has a value for each item, and one for each row without any
            if column.num_values < group.num_rows or (column.num_values > group.num_rows and not is_repeated):
                raise SourceError(
                    f"{where}: the Parquet file is damaged: its footer promises {group.num_rows} rows, and "
                    f"{column.num_values} values in the column {column.path_in_schema!r}"
                )
        rows += group.num_rows
    # Some writers leave the file's own count at 0; what is read goes by the row groups.
    if metadata.num_rows not in (0, rows):
        raise SourceError(
            f"{where}: the Parquet file is damaged: its footer promises {metadata.num_rows} rows, and {rows} in its "
            "row groups"
        )
    return rows


def _columns(file: Any, at: int) -> list[Any]:
    """Return what the footer says of each column of a row group; nothing where reading that group fails.

    Where an entry is damaged `group.column` ends the process. Reading a row takes the same entry and raises.
    """
    try:
        next(file.iter_batches(batch_size=1, row_groups=[at], use_threads=False), None)
    except Exception:  # noqa: BLE001 - the reading of the rows raises it again, and says where
        return []
    group = file.metadata.row_group(at)
    return [group.column(number) for number in range(group.num_columns)]


def _annotations(file: Any) -> dict[str, str]:
    """Return the logical types that Arrow does not tell or gets wrong, by the column's path in the file."""
    columns = map(file.schema.column, range(len(file.schema.names)))
    types = {column.path: str(column.logical_type).partition("(")[0] for column in columns}
    return {path: kind.upper() for path, kind in types.items() if kind not in _SENDABLE or kind == "UUID"}


def _rows_at_once(file: Any) -> int:
    """Return how many rows to read at a time, so that a batch of wide ones fits into memory.

    A value in a dictionary may stand in every row: a few kilobytes can be the text of gigabytes.
    """
    widest = 1.0
    metadata = file.metadata
    for at, group in enumerate(map(metadata.row_group, range(metadata.num_row_groups))):
        for column in _columns(file, at):
            size = column.total_uncompressed_size
            is_squeezed = column.has_dictionary_page and size > _SQUEEZED * column.total_compressed_size
            widest = max(widest, size if is_squeezed else size / max(1, group.num_rows))
    return max(1, min(BATCH_ROWS, int(WIDE_BYTES / widest)))


def _batches(file: Any, in_milliseconds: Any = None, instants: Sequence[str] = ()) -> Batches:
    pool = pa.default_memory_pool()
    # One thread: others would each keep an arena of memory, and the API is far slower than either.
    how: dict[str, Any] = {"batch_size": _rows_at_once(file), "use_threads": False}
    batches = file.iter_batches(**how)
    if in_milliseconds is not None:
        # each row group by itself: across their borders, batches of other columns are cut in other places
        groups = [[at] for at in range(file.metadata.num_row_groups)]
        every = (one for group in groups for one in file.iter_batches(row_groups=group, **how))
        times = how | {"columns": list(instants)}
        same = (one for group in groups for one in in_milliseconds.iter_batches(row_groups=group, **times))
        batches = itertools.starmap(without_wrapped, zip(map(flattened, every), map(flattened, same), strict=True))
    annotations = _annotations(file)
    for number, batch in enumerate(batches, start=1):
        yield with_meanings(batch, annotations)
        if number % _RELEASE_EVERY == 0:
            pool.release_unused()


def _check_ends(file: File) -> None:
    with file.open() as stream:
        head = stream.read(4)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 4))
        tail = stream.read(4)
    if _ENCRYPTED in (head, tail):
        raise SourceError(f"{file.given}: the Parquet file is encrypted; decrypt it first")
    if tail != _MAGIC or size < 12:
        raise SourceError(f"{file.given}: the Parquet file is cut short; copy or write it again")
