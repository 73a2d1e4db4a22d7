"""Open any table as a `Source`: a stream of Arrow record batches, in memory that does not grow with the input.

`open_source` is the entry point. `paths` finds the files that a path means, and `local_file` knows their format and
compression. Each format has a reader: `csv`, `json`, `excel`, and `columnar` for Parquet, Arrow, Feather and ORC.
`delta` and `iceberg` read tables whose log says which files and rows count.
`memory` reads frames, Arrow data and Python objects, and `spark` DataFrames of Spark. `base` has the `Source` that all
of them return, and `text` what CSV and JSON lines have in common. `failures` reads the failed rows of an earlier load
back. `data` is the type of what a load takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sources.addresses import DatabaseAddress, from_environment
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
from interakt_loader.sources.data import Data
from interakt_loader.sources.delta import DeltaFolder, is_delta_table, open_delta_folder, open_delta_table
from interakt_loader.sources.failures import OWN_COLUMNS, drop_report_columns, is_failures_file, options_for
from interakt_loader.sources.iceberg import is_iceberg, open_iceberg
from interakt_loader.sources.json import open_json, open_records
from interakt_loader.sources.local_file import File, Format, format_of
from interakt_loader.sources.memory import (
    is_dataset,
    is_pandas,
    is_table,
    open_dataset,
    open_in_memory,
    open_lazy_frame,
    to_arrow,
)
from interakt_loader.sources.once import open_reader
from interakt_loader.sources.paths import (
    Partitions,
    RemotePath,
    as_path,
    copy_open_file,
    find,
    is_file_of_a_load,
    is_open_file,
    is_own_name,
    is_path,
    some,
    with_paths,
)
from interakt_loader.sources.refused import refuse_other, way_out
from interakt_loader.sources.spark import is_spark_frame, open_spark_frame
from interakt_loader.sources.streams import (
    batches_method,
    is_cursor,
    open_cursor,
    open_iterable,
    open_tables,
)
from interakt_loader.values import full_type

__all__ = [
    "BATCH_ROWS",
    "CELL_ERRORS_COLUMN",
    "GROUP_COLUMN",
    "OF_AN_OBJECT",
    "PROBLEM_COLUMN",
    "REPEATED",
    "RESERVED",
    "SOURCE_COLUMN",
    "Data",
    "ReadOptions",
    "Source",
    "heading",
    "hidden_source",
    "is_failures_file",
    "is_own_name",
    "is_pandas",
    "is_table",
    "open_source",
    "other_shapes",
    "peek",
    "to_arrow",
    "with_paths",
]

_EXPECTED = (
    "expected a pandas DataFrame, an Arrow table, reader or dataset, anything with __arrow_c_stream__ "
    "(polars, DuckDB), dicts, frames or batches in a list or an iterator, a cursor, an open file, "
    "a path, pattern, folder or address, or a list of these"
)

_HEAD_BYTES = 1 << 12
"""Bytes by which nearly all files differ."""


_ENVIRONMENT = "env:"
"""What a source begins with that is in an environment variable."""


def hidden_source(data: Any) -> Any:
    """Return a source with the addresses of databases as `Secret`, which shows them without user and options.

    `{"env": NAME}` and `env:NAME` are what the environment variable holds, without blanks and quotes around it.
    Anything else is returned unchanged. Raises `SourceError` if the variable is not set, or holds no source.
    """
    if isinstance(data, dict) and [*data] == ["env"] and isinstance(data["env"], str):
        data = _ENVIRONMENT + data["env"]
    if isinstance(data, (list, tuple)) and all(isinstance(one, (str, Secret)) for one in data):
        return [_hidden_text(one) for one in data]
    return _hidden_text(data)


def _hidden_text(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    if data.startswith(_ENVIRONMENT):
        data = from_environment(data.removeprefix(_ENVIRONMENT))
    # a plain path has neither
    address = DatabaseAddress.of(data) if ":" in data or "=" in data else None
    return data if address is None else Secret(data, address.shown)


def open_source(data: object, options: ReadOptions | None = None) -> Source:
    """Return the data as a Source, opened far enough to know its columns.

    Args:
        data: A pandas DataFrame. An Arrow Table, RecordBatch, RecordBatchReader, Dataset or ParquetFile. Anything with
            `__arrow_c_stream__`, a polars LazyFrame, or a Spark DataFrame. Dicts, frames or record batches, in a list
            or an iterator. A `DeltaTable`. A table or a scan of pyiceberg. The cursor of a database. An open file,
            which stays open. A path, a folder, a pattern (`*.csv`), an address (`s3://…`, with fsspec, also as a
            UPath), or `-` for standard input. A list of these, which are read one after the other.
        options: How files are read.

    Raises:
        SourceError: One line that names the data and the reason.
    """
    return _without_own_columns(_opened(data, options or ReadOptions()))


def _opened(data: Any, options: ReadOptions) -> Source:
    if is_pandas(data, "DataFrame") or isinstance(data, pa.Table | pa.RecordBatch):
        return open_in_memory(data)
    if is_spark_frame(data):
        return open_spark_frame(data)
    if is_path(data):
        return open_paths([as_path(data)], options)
    if full_type(data).startswith("narwhals."):
        return _opened(data.to_native(), options)
    if isinstance(data, list | tuple):
        return _open_list(data, options)
    if is_delta_table(data):
        return open_delta_table(data)
    if is_iceberg(data):
        return open_iceberg(data)
    refuse_other(data, _EXPECTED)
    if isinstance(data, pa.RecordBatchReader):
        return open_reader(data)
    if is_dataset(data):
        return open_dataset(data)
    if is_parquet_file(data):
        return open_parquet_file(data)
    if full_type(data) == "polars.LazyFrame":
        return open_lazy_frame(data)
    if is_table(data):
        return open_in_memory(data)
    if is_open_file(data):
        return _open_file(data, options)
    if is_cursor(data) or batches_method(data) is not None:
        return open_cursor(data)
    if isinstance(data, Iterable):
        return open_iterable(data)
    raise SourceError(f"{full_type(data)} is no table{way_out(data)}: {_EXPECTED}")


def _open_list(items: Any, options: ReadOptions) -> Source:
    if not items:
        raise SourceError(f"an empty list is no table: {_EXPECTED}")
    if all(map(is_path, items)):
        return open_paths([*map(as_path, items)], options)
    if isinstance(items[0], Mapping):
        return open_records(items)
    if is_table(items[0]):
        return open_tables(items)
    raise SourceError(f"a list of {type(items[0]).__name__} is no table: {_EXPECTED}")


def _open_file(stream: Any, options: ReadOptions) -> Source:
    """Return what is left of an open file as a source. It has a name and no path: there may be no such file."""
    file, is_text = copy_open_file(stream)
    if is_text:
        options = replace(options, encoding="utf-8")
    if is_text and _format(file) not in ("csv", "json"):
        raise SourceError(f'{file.given}: holds no text: open it as bytes, open(path, "rb")')
    (source,) = _open_files([file], options)
    return replace(source, path=None)


def _without_own_columns(source: Source) -> Source:
    """Return a source without the columns of a failures file, and without one that only counts the rows."""
    return drop_counter(source if OWN_COLUMNS.isdisjoint(source.columns) else drop_report_columns(source))


def open_paths(paths: Sequence[str | RemotePath], options: ReadOptions) -> Source:
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
    of_files = iter(_open_files(files, options))
    sources = [open_delta_folder(one) if isinstance(one, DeltaFolder) else next(of_files) for one in found_files]
    if len(sources) == 1:
        return replace(sources[0], notes=[*notes, *sources[0].notes])
    return _joined(sources, notes)


def _open_files(files: list[File], options: ReadOptions) -> list[Source]:
    formats = [_format(file) for file in files]
    files = [unpacked(form, file) for form, file in zip(formats, files, strict=True)]
    refuse_unreadable([*zip(formats, files, strict=True)])
    return [_opened_as(form, file, options) for form, file in zip(formats, files, strict=True)]


def _without_own(paths: Sequence[str | RemotePath]) -> tuple[Sequence[str | RemotePath], list[str]]:
    """Return the paths without the files of earlier loads, and those files. A shell may have expanded a pattern."""
    own = [path for path in paths if isinstance(path, str) and is_file_of_a_load(path)]
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
    import hashlib

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
            from interakt_loader.sources.excel import open_excel

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
