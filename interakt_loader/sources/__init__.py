"""Anything tabular as a stream of Arrow record batches, in memory that does not grow with the input.

One reader per form: `frames` (pandas), `arrow` (tables, streams, datasets), `parquet`, `csv_files`,
`json_lines`, `ipc_files`. `open_source` picks one; `base` says what they all promise.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.arrow import is_dataset, open_dataset, open_stream, open_table
from interakt_loader.sources.base import BATCH_ROWS, PROBLEM_COLUMN, SOURCE_COLUMN, Source
from interakt_loader.sources.files import open_file, open_files
from interakt_loader.sources.frames import is_pandas, open_frame
from interakt_loader.sources.json_lines import open_records
from interakt_loader.sources.parquet import is_parquet_file, open_parquet_file

__all__ = ["BATCH_ROWS", "PROBLEM_COLUMN", "SOURCE_COLUMN", "Source", "open_source"]

_EXPECTED = (
    "expected a pandas DataFrame, an Arrow table, reader or dataset, anything with __arrow_c_stream__ "
    "(polars, DuckDB), a list of dicts, a path or a list of paths"
)


def open_source(data: object) -> Source:
    """Return the data as a Source, opened far enough to know its columns.

    Takes a pandas DataFrame; an Arrow Table, RecordBatch, RecordBatchReader, Dataset or ParquetFile;
    anything with `__arrow_c_stream__`; a list of dicts; a path, or a list of paths read in turn. Raises
    SourceError with one line that names the data and the reason.
    """
    if isinstance(data, str | os.PathLike):
        return open_file(_as_path(data))
    if isinstance(data, list | tuple):
        return _open_list(data)
    if is_pandas(data, "DataFrame"):
        return open_frame(data)
    if is_pandas(data, "Series"):
        raise SourceError(f"a pandas Series is one column and no table: {_EXPECTED}; try .to_frame()")
    if isinstance(data, pa.Table | pa.RecordBatch):
        return open_table(data)
    if is_dataset(data):
        return open_dataset(data)
    if is_parquet_file(data):
        return open_parquet_file(data)
    if type(data).__name__ == "LazyFrame":
        raise SourceError("a LazyFrame has no rows yet: give lazy_frame.collect()")
    if hasattr(data, "__arrow_c_stream__"):
        return open_stream(data)
    raise SourceError(f"a {type(data).__name__} is no table: {_EXPECTED}")


def _open_list(items: Any) -> Source:
    if not items:
        raise SourceError(f"an empty list is no table: {_EXPECTED}")
    if all(isinstance(item, str | os.PathLike) for item in items):
        return open_files([_as_path(item) for item in items])
    if isinstance(items[0], dict):
        return open_records(items)
    raise SourceError(f"a list of {type(items[0]).__name__} is no table: {_EXPECTED}")


def _as_path(data: Any) -> str:
    path = os.fspath(data)
    return os.fsdecode(path) if isinstance(path, bytes) else path
