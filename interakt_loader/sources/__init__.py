"""Anything tabular as a stream of Arrow record batches, in memory that does not grow with the input.

What a path means: `places` (files, folders, patterns, standard input), `remote` (addresses), `lake` (tables whose
files are refused), `file` and `compression` (bytes), `formats` (which reader), `trial` (a first reading in another
process). One reader per form: `frames` (pandas),
`arrow` (tables, streams, datasets), `parquet`, `csv_files`, `json_lines`, `ipc_files`, `orc_files`, `excel` (with
`cell_errors`). `open_source` picks one; `columns` makes Arrow of Python's values, and `objects` of dicts a column a
field. `base` says what they all promise: that `structs` come as a column a field, that `meanings` knows what a column's
type does not say, and that names and cells are as `headings` has them, without what spreadsheets put around them.
`peek` looks at the first rows of any of them; `failures` reads rows back that failed in an earlier load.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.arrow import is_dataset, open_dataset, open_stream, open_table
from interakt_loader.sources.base import BATCH_ROWS, CELL_ERRORS_COLUMN, PROBLEM_COLUMN, RESERVED, SOURCE_COLUMN, Source
from interakt_loader.sources.columns import to_arrow
from interakt_loader.sources.failures import is_failures_file, without_said
from interakt_loader.sources.files import open_paths
from interakt_loader.sources.folders import is_own_file
from interakt_loader.sources.frames import is_pandas, open_frame
from interakt_loader.sources.headings import heading
from interakt_loader.sources.json_lines import open_records
from interakt_loader.sources.options import ReadOptions
from interakt_loader.sources.parquet import is_parquet_file, open_parquet_file
from interakt_loader.sources.peek import peek, without_counter
from interakt_loader.sources.structs import OF_AN_OBJECT, other_shapes

__all__ = [
    "BATCH_ROWS",
    "CELL_ERRORS_COLUMN",
    "OF_AN_OBJECT",
    "PROBLEM_COLUMN",
    "RESERVED",
    "SOURCE_COLUMN",
    "ReadOptions",
    "Source",
    "heading",
    "is_failures_file",
    "is_own_file",
    "is_pandas",
    "open_source",
    "other_shapes",
    "peek",
    "to_arrow",
]

_EXPECTED = (
    "expected a pandas DataFrame, an Arrow table, reader or dataset, anything with __arrow_c_stream__ "
    "(polars, DuckDB), a list of dicts, a path, pattern, folder or address, or a list of these"
)


def open_source(data: object, options: ReadOptions | None = None) -> Source:
    """Return the data as a Source, opened far enough to know its columns.

    Takes a pandas DataFrame; an Arrow Table, RecordBatch, RecordBatchReader, Dataset or ParquetFile;
    anything with `__arrow_c_stream__`; a list of dicts; a path, a folder, a pattern (`*.csv`), an address
    (`s3://…`, with the extra `remote`), `-` for standard input, or a list of these read in turn. `options`
    say how files are read. Raises SourceError with one line that names the data and the reason.
    """
    return without_counter(without_said(_opened(data, options or ReadOptions())))


def _opened(data: Any, options: ReadOptions) -> Source:
    if isinstance(data, str | os.PathLike):
        return open_paths([_as_path(data)], options)
    if isinstance(data, list | tuple):
        return _open_list(data, options)
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


def _open_list(items: Any, options: ReadOptions) -> Source:
    if not items:
        raise SourceError(f"an empty list is no table: {_EXPECTED}")
    if all(isinstance(item, str | os.PathLike) for item in items):
        return open_paths([_as_path(item) for item in items], options)
    if isinstance(items[0], dict):
        return open_records(items)
    raise SourceError(f"a list of {type(items[0]).__name__} is no table: {_EXPECTED}")


def _as_path(data: Any) -> str:
    path = os.fspath(data)
    return os.fsdecode(path) if isinstance(path, bytes) else path
