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
    names = check_names(name, table.schema.names)
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])

    def read() -> Batches:
        for batch in table.to_reader(max_chunksize=BATCH_ROWS):
            yield without_views(batch)

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
    names = check_names(name, reader.schema.names)
    unread = [reader]

    def read() -> Batches:
        if not unread and once:
            raise SourceError(f"{name}: it can be read only once, and that has been done")
        current = unread.pop() if unread else pa.RecordBatchReader.from_stream(data)
        try:
            for batch in current:
                yield from _slices(batch)
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
    names = check_names(name, dataset.schema.names)
    # Other formats would have to be read whole to be counted.
    is_parquet = type(getattr(dataset, "format", None)).__name__ == "ParquetFileFormat"
    try:
        rows = dataset.count_rows() if is_parquet else None
    except Exception as error:
        raise SourceError(f"{name}: cannot be read: {reason(error)}") from error

    def read() -> Batches:
        scan = dataset.to_batches(batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1, use_threads=False)
        for batch in scan:
            yield without_views(batch)

    return Source(name=name, columns=names, rows=rows, rows_exact=rows is not None, read=read)


def without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with string and binary views (polars' form) in Arrow's usual large types."""
    for at, column in enumerate(batch.columns):
        usual = _usual(column.type)
        if usual != column.type:
            if pa.types.is_dictionary(usual):  # Arrow has no cast between dictionaries of the two
                texts = _cast(column.dictionary, usual.value_type)
                changed = pa.DictionaryArray.from_arrays(column.indices, texts)
            else:
                changed = _cast(column, usual)
            batch = batch.set_column(at, batch.schema.names[at], changed)
    return batch


def _cast(column: pa.Array, usual: pa.DataType) -> pa.Array:
    try:
        return column.cast(usual)
    except pa.ArrowNotImplementedError:  # of views, pyarrow 17
        return pa.array(column.to_pylist(), usual)


def _slices(batch: pa.RecordBatch) -> Batches:
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield without_views(batch.slice(start, BATCH_ROWS))


def _usual(kind: pa.DataType) -> pa.DataType:
    if kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _usual(kind.value_type), kind.ordered)
    if pa.types.is_large_list(kind):
        return pa.large_list(_usual(kind.value_type)) if _usual(kind.value_type) != kind.value_type else kind
    return kind
