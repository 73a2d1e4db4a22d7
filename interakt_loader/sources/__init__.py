"""Open any table as a `Source`: a stream of Arrow record batches, in memory that does not grow with the input.

`open_source` is the entry point. `paths` finds the files that a path means, and `local_file` knows their format and
compression. Each format has a reader: `csv`, `json`, `excel`, and `columnar` for Parquet, Arrow, Feather and ORC.
`delta` and `iceberg` read tables whose log says which files and rows count.
`memory` reads frames, Arrow data and Python objects. `base` has the `Source` that all of them return, and `text` what
CSV and JSON lines have in common. `failures` reads the failed rows of an earlier load back.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import (
    BATCH_ROWS,
    CELL_ERRORS_COLUMN,
    GROUP_COLUMN,
    OF_AN_OBJECT,
    PROBLEM_COLUMN,
    REPEATED,
    RESERVED,
    SOURCE_COLUMN,
    Batches,
    Lines,
    Part,
    ReadOptions,
    Source,
    drop_counter,
    heading,
    other_shapes,
    peek,
    reason,
)
from interakt_loader.sources.columnar import (
    is_parquet_file,
    open_ipc,
    open_orc,
    open_parquet,
    open_parquet_file,
    refuse_unreadable,
    unpacked,
)
from interakt_loader.sources.csv import open_csv
from interakt_loader.sources.delta import DeltaFolder, is_delta_table, open_delta_folder, open_delta_table
from interakt_loader.sources.excel import open_excel
from interakt_loader.sources.failures import OWN_COLUMNS, drop_report_columns, is_failures_file, options_for
from interakt_loader.sources.iceberg import is_iceberg, open_iceberg
from interakt_loader.sources.json import open_json, open_records
from interakt_loader.sources.local_file import File, Format, format_of
from interakt_loader.sources.memory import (
    is_dataset,
    is_pandas,
    open_dataset,
    open_frame,
    open_stream,
    open_table,
    to_arrow,
)
from interakt_loader.sources.paths import Partitions, find, is_file_of_a_load, is_own_name, some
from interakt_loader.values import type_shown

__all__ = [
    "BATCH_ROWS",
    "CELL_ERRORS_COLUMN",
    "GROUP_COLUMN",
    "OF_AN_OBJECT",
    "PROBLEM_COLUMN",
    "REPEATED",
    "RESERVED",
    "SOURCE_COLUMN",
    "ReadOptions",
    "Source",
    "heading",
    "is_failures_file",
    "is_own_name",
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

_HEAD_BYTES = 1 << 12
"""Bytes by which nearly all files differ."""


def open_source(data: object, options: ReadOptions | None = None) -> Source:
    """Return the data as a Source, opened far enough to know its columns.

    Args:
        data: A pandas DataFrame. An Arrow Table, RecordBatch, RecordBatchReader, Dataset or ParquetFile. Anything with
            `__arrow_c_stream__`. A list of dicts. A `DeltaTable`. A table or a scan of pyiceberg. A path, a folder, a
            pattern (`*.csv`), an address (`s3://…`, with fsspec), `-` for standard input, or a list of these, which
            are read one after the other.
        options: How files are read.

    Raises:
        SourceError: One line that names the data and the reason.
    """
    return _without_own_columns(_opened(data, options or ReadOptions()))


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
    if is_delta_table(data):
        return open_delta_table(data)
    if is_iceberg(data):
        return open_iceberg(data)
    if is_dataset(data):
        return open_dataset(data)
    if is_parquet_file(data):
        return open_parquet_file(data)
    if type(data).__name__ == "LazyFrame":
        raise SourceError("a LazyFrame has no rows yet: give lazy_frame.collect()")
    if hasattr(data, "__arrow_c_stream__"):
        return open_stream(data)
    raise SourceError(f"{type_shown(data)} is no table: {_EXPECTED}")


def _open_list(items: Any, options: ReadOptions) -> Source:
    if not items:
        raise SourceError(f"an empty list is no table: {_EXPECTED}")
    if all(isinstance(item, str | os.PathLike) for item in items):
        return open_paths([_as_path(item) for item in items], options)
    if isinstance(items[0], dict):
        return open_records(items)
    raise SourceError(f"a list of {type(items[0]).__name__} is no table: {_EXPECTED}")


def _without_own_columns(source: Source) -> Source:
    """Return a source without the columns of a failures file, and without one that only counts the rows."""
    return drop_counter(source if OWN_COLUMNS.isdisjoint(source.columns) else drop_report_columns(source))


def _as_path(data: Any) -> str:
    path = os.fspath(data)
    if not path:
        raise SourceError("the path of the source is empty; expected a file, a folder, a pattern or an address")
    return os.fsdecode(path) if isinstance(path, bytes) else path


def open_paths(paths: Sequence[str], options: ReadOptions) -> Source:
    """Return the files that the paths mean as one source. They are read one after the other.

    All are opened now, so that none fails after rows have been sent. SourceError says what is wrong with one of them.
    """
    found_files: list[File | DeltaFolder] = []
    notes: list[str] = []
    paths, left_out = _without_own(paths)
    if left_out:
        notes.append(f"left out, files of earlier loads: {some(left_out)}")
    for path in paths:
        found = find(path)
        notes += found.notes
        found_files += found.files
    found_files, repeated = _once(found_files)
    if repeated:
        notes.append(f"left out, files that are read already under another name or pattern: {some(repeated)}")
    files = [file for file in found_files if isinstance(file, File)]
    notes += _copies(files)
    formats = [_format(file) for file in files]
    files = [unpacked(form, file) for form, file in zip(formats, files, strict=True)]
    refuse_unreadable([*zip(formats, files, strict=True)])
    of_files = iter([_opened_as(form, file, options) for form, file in zip(formats, files, strict=True)])
    sources = [open_delta_folder(one) if isinstance(one, DeltaFolder) else next(of_files) for one in found_files]
    if len(sources) == 1:
        return replace(sources[0], notes=[*notes, *sources[0].notes])
    return _joined(sources, notes)


def _without_own(paths: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Return the paths without the files of earlier loads, and those files. A shell may have expanded a pattern."""
    own = [path for path in paths if is_file_of_a_load(path)]
    if not 0 < len(own) < len(paths):
        return paths, []
    return [path for path in paths if path not in own], own


def _once(files: list[File | DeltaFolder]) -> tuple[list[File | DeltaFolder], list[str]]:
    """Return each file once, and the names of the repeated ones: links to a file, or files that two patterns mean.

    Read a second time, its rows would be sent as further events.
    """
    known: dict[object, File | DeltaFolder] = {}
    repeated = [file.given for file in files if known.setdefault(_identity(file), file) is not file]
    return [*known.values()], repeated


def _identity(file: File | DeltaFolder) -> object:
    if isinstance(file, DeltaFolder):
        return file.address.rstrip("/"), file.version
    if file.copy is not None:
        return file.given
    status = file.location.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else file.location.resolve()


def _copies(files: list[File]) -> list[str]:
    """Return a note on files with the same content as another, such as `orders (1).csv`. They are read all the same."""
    copies = []
    alike: dict[object, list[File]] = {}
    for file in files if len(files) > 1 else ():
        with file.location.open("rb") as stream:
            alike.setdefault((file.location.stat().st_size, stream.read(_HEAD_BYTES)), []).append(file)
    for some_files in alike.values():
        first: dict[bytes, File] = {}
        for file in some_files if len(some_files) > 1 else ():
            same = first.setdefault(_digest(file.location), file)
            if same is not file:
                copies.append(f"{file.given} (as {same.given})")
    return [f"read, although their content is the same as that of other files: {some(copies)}"] if copies else []


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b()
    with path.open("rb") as stream:
        while part := stream.read(1 << 20):
            digest.update(part)
    return digest.digest()


def _format(file: File) -> Format:
    try:
        return format_of(file)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{file.given}: cannot be read: {reason(error)}") from error


def _opened_as(form: Format, file: File, options: ReadOptions) -> Source:
    try:
        source = _read_as(form, file, options)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{file.given}: cannot be read: {reason(error)}") from error
    source = _without_own_columns(source)
    return _with_partitions(source, file.partitions) if file.partitions else source


def _read_as(form: Format, file: File, options: ReadOptions) -> Source:
    match form:
        case "csv":
            return open_csv(file, options_for(file, options))
        case "json":
            return open_json(file, options)
        case "excel":
            return open_excel(file, options)
        case "parquet":
            return open_parquet(file)
        case "ipc":
            return open_ipc(file)
        case "orc":
            return open_orc(file)


def _with_partitions(source: Source, partitions: Partitions) -> Source:
    """Add the columns that the names of the folders hold, as text. A column of the file itself has priority."""

    def read() -> Batches:
        for batch in source.read():
            for name, value in partitions:
                if name not in batch.schema.names:
                    repeated = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
                    batch = batch.append_column(name, repeated)  # noqa: PLW2901 - the batch with one column more
            yield batch

    added = [name for name, _ in partitions if name not in source.columns]
    return replace(source, columns=[*source.columns, *added], read=read)


def _joined(sources: list[Source], notes: list[str]) -> Source:
    counts = [source.rows for source in sources]
    lines = Lines()

    def read() -> Batches:
        row = first_row = 0
        for source in sources:
            for batch in source.batches():
                lines.follow(source.lines, first_row)
                row += batch.num_rows
                yield batch
            first_row = row

    return Source(
        name=f"{sources[0].name} and {len(sources) - 1} more",
        columns=list(dict.fromkeys(name for source in sources for name in source.columns)),
        rows=None if None in counts else sum(count for count in counts if count is not None),
        rows_exact=all(source.rows_exact for source in sources),
        read=read,
        notes=[*notes, *_gathered(sources), *_differing(sources)],
        parts=tuple(Part(str(source.path), source.columns, source.open_ended) for source in sources),
        of_failures=all(source.of_failures for source in sources),
        doubled=tuple(dict.fromkeys(name for source in sources for name in source.doubled)),
        lines=lines,
    )


def _differing(sources: list[Source]) -> list[str]:
    """Return a note on the columns that only some of the files have."""
    tables = [source for source in sources if not source.open_ended]
    every = list(dict.fromkeys(name for source in tables for name in source.columns))
    lacking = [source for source in tables if len(source.columns) < len(every)]
    if not lacking:
        return []
    missing = some([name for name in every if any(name not in source.columns for source in lacking)])
    paths = [str(source.path) for source in lacking]
    return [f"{some(paths)}: without columns that other files have: {missing}"]


def _gathered(sources: list[Source]) -> list[str]:
    """Return the notes of the sources. A note about several files comes once."""
    files_of: dict[str, list[str]] = {}
    for source in sources:
        for note in source.notes:
            files_of.setdefault(note.removeprefix(f"{source.path}: "), []).append(str(source.path))
    return [
        f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: {note}"
        for note, files in files_of.items()
    ]
