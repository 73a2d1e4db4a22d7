"""Arrow data in memory: tables, readers, datasets, and whatever speaks Arrow's C stream (polars, DuckDB)."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names, reason


def open_table(table: Any) -> Source:
    """Return a Table or RecordBatch as a source; its batches are views, nothing is copied."""
    name = type(table).__name__
    names = check_names(name, table.schema)
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])

    def read() -> Batches:
        yield from table.to_reader(max_chunksize=BATCH_ROWS)

    return Source(name=name, columns=names, rows=table.num_rows, rows_exact=True, read=read)


def open_stream(data: Any) -> Source:
    """Return an object with `__arrow_c_stream__` as a source; SourceError when its stream is no table.

    The stream is asked for once per reading, because asking may run a query. A RecordBatchReader can be
    read only once.
    """
    name = type(data).__name__
    once = isinstance(data, pa.RecordBatchReader)
    try:
        reader = data if once else pa.RecordBatchReader.from_stream(data)
    except Exception as error:
        raise SourceError(f"{name}: its data cannot be read as a table: {reason(error)}") from error
    names = check_names(name, reader.schema)
    unread = [reader]

    def read() -> Batches:
        if not unread and once:
            raise SourceError(f"{name}: it can be read only once, and that has been done")
        current = unread.pop() if unread else pa.RecordBatchReader.from_stream(data)
        try:
            yield from current
        finally:
            if not once:
                current.close()

    rows = next((n for n in (getattr(data, "num_rows", None), getattr(data, "height", None)) if type(n) is int), None)
    return Source(name=name, columns=names, rows=rows, rows_exact=rows is not None, read=read)


def is_dataset(data: object) -> bool:
    """Tell whether data is a pyarrow Dataset; False while nobody has imported that part of pyarrow."""
    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(data, module.Dataset)


def open_dataset(dataset: Any) -> Source:
    """Return a pyarrow Dataset as a source, with little read ahead; rows are known for Parquet only."""
    name = type(dataset).__name__
    names = check_names(name, dataset.schema)
    # Other formats would have to be read whole to be counted.
    is_parquet = type(getattr(dataset, "format", None)).__name__ == "ParquetFileFormat"
    try:
        rows = dataset.count_rows() if is_parquet else None
    except Exception as error:
        raise SourceError(f"{name}: cannot be read: {reason(error)}") from error

    def read() -> Batches:
        yield from dataset.to_batches(batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1, use_threads=False)

    return Source(name=name, columns=names, rows=rows, rows_exact=rows is not None, read=read)
