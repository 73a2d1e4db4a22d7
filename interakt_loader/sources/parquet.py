"""Parquet files, streamed: memory is bounded by a few pages of each column, not by the row group."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names, reason
from interakt_loader.sources.file import File
from interakt_loader.sources.int96 import int96_columns, without_wrapped
from interakt_loader.sources.structs import flattened

_MAGIC = b"PAR1"
_READ_BYTES = 64 << 10  # of a column chunk at a time; without this, Arrow holds whole row groups
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
        rows=_rows(file),
        rows_exact=True,
        read=lambda: _batches(file),
    )


def open_parquet(file: File) -> Source:
    """Return a Parquet file as a source; SourceError when it is none, or its footer cannot be read."""
    file = file.uncompressed()
    path = file.given
    _check_magic(file)
    try:
        with _opened(file) as opened:
            schema, rows = opened.schema_arrow, _rows(opened)
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


def _rows(file: Any) -> int:
    # Some writers leave the file's own count at 0; what is read goes by the row groups.
    metadata = file.metadata
    return sum(metadata.row_group(at).num_rows for at in range(metadata.num_row_groups))


def _batches(file: Any, in_milliseconds: Any = None, instants: Sequence[str] = ()) -> Batches:
    pool = pa.default_memory_pool()
    # One thread: others would each keep an arena of memory, and the API is far slower than either.
    batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    if in_milliseconds is not None:
        same = in_milliseconds.iter_batches(batch_size=BATCH_ROWS, use_threads=False, columns=list(instants))
        batches = itertools.starmap(without_wrapped, zip(map(flattened, batches), map(flattened, same), strict=True))
    for number, batch in enumerate(batches, start=1):
        yield batch
        if number % _RELEASE_EVERY == 0:
            pool.release_unused()


def _check_magic(file: File) -> None:
    path = file.given
    with file.open() as stream:
        head = stream.read(4)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 4))
        tail = stream.read(4)
    if head == b"PARE" or tail == b"PARE":
        raise SourceError(f"{path}: the Parquet file is encrypted; decrypt it first")
    if head != _MAGIC:
        raise SourceError(f"{path}: this is not a Parquet file, whatever its name says")
    if tail != _MAGIC or size < 12:
        raise SourceError(f"{path}: the Parquet file is cut short; copy or write it again")
