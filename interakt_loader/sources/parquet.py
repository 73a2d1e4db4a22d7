"""Parquet files, streamed: memory is bounded by a few pages of each column, not by the row group."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.arrow import without_views
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names, reason

_MAGIC = b"PAR1"
_READ_BYTES = 64 << 10  # of a column chunk at a time; without this, Arrow holds whole row groups
_RELEASE_EVERY = 8  # batches; the allocator gives pages back only when asked


def is_parquet_file(data: object) -> bool:
    """Tell whether data is a pyarrow ParquetFile; False while nobody has imported that part of pyarrow."""
    module = sys.modules.get("pyarrow.parquet")
    return module is not None and isinstance(data, module.ParquetFile)


def open_parquet_file(file: Any) -> Source:
    """Return a pyarrow ParquetFile as a source; it stays open, as the caller opened it."""
    names = check_names("ParquetFile", file.schema_arrow.names)
    return Source(
        name="ParquetFile",
        columns=names,
        rows=_rows(file),
        rows_exact=True,
        read=lambda: _batches(file),
    )


def open_parquet(path: str) -> Source:
    """Return a Parquet file as a source; SourceError when it is none, or its footer cannot be read."""
    _check_magic(path)
    try:
        with _opened(path) as file:
            names, rows = file.schema_arrow.names, _rows(file)
    except Exception as error:
        raise SourceError(f"{path}: the Parquet footer cannot be read: {reason(error)}") from error

    def read() -> Batches:
        with _opened(path) as file:
            yield from _batches(file)

    return Source(
        name=Path(path).name, columns=check_names(path, names), rows=rows, rows_exact=True, read=read, path=path
    )


def _opened(path: str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        Path(path).expanduser(),
        pre_buffer=False,
        buffer_size=_READ_BYTES,
        page_checksum_verification=True,
        # Spark's INT96 times as nanoseconds would wrap around for years past 2262
        coerce_int96_timestamp_unit="us",
    )


def _rows(file: Any) -> int:
    # Some writers leave the file's own count at 0; what is read goes by the row groups.
    metadata = file.metadata
    return sum(metadata.row_group(at).num_rows for at in range(metadata.num_row_groups))


def _batches(file: Any) -> Batches:
    pool = pa.default_memory_pool()
    # One thread: others would each keep an arena of memory, and the API is far slower than either.
    for number, batch in enumerate(file.iter_batches(batch_size=BATCH_ROWS, use_threads=False), start=1):
        yield without_views(batch)
        if number % _RELEASE_EVERY == 0:
            pool.release_unused()


def _check_magic(path: str) -> None:
    with Path(path).expanduser().open("rb") as file:
        head = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    if head == b"PARE" or tail == b"PARE":
        raise SourceError(f"{path}: the Parquet file is encrypted; decrypt it first")
    if head != _MAGIC:
        raise SourceError(f"{path}: this is not a Parquet file, whatever its name says")
    if tail != _MAGIC or size < 12:
        raise SourceError(f"{path}: the Parquet file is cut short; copy or write it again")
