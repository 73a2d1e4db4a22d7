"""Read a Delta table by its own log, with the package deltalake.

The log says which files count, which of their rows are deleted (deletion vectors), and what their columns are called
(column mapping). pyarrow then reads the files one after the other. deltalake's own scan gives no order, and its
`to_pyarrow_dataset` reads nulls where an old table maps its columns. Here the order is that of the changes, so the last
row of a user is the newest, also in a second reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import SourceError
from interakt_loader.settings.values import is_address
from interakt_loader.sources.base import Batches, Source, flat_names, reason
from interakt_loader.sources.columnar import rows_at_once

_KNOWN_FEATURES = {
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "variantType",
    "variantType-preview",
}
_BUFFER_BYTES = 1 << 20
_PHYSICAL_NAME = b"delta.columnMapping.physicalName"


class DeltaFolder(NamedTuple):
    """Where a Delta table is, and which version of it is meant."""

    given: str
    """The folder or address as messages and the report name it, without the version."""
    address: str
    """The folder or address as deltalake takes it."""
    version: int | None
    """None is the latest version."""


class _File(NamedTuple):
    """A data file of the table."""

    path: str
    size: int
    rows: int | None
    """The rows that the file has, with the deleted ones; None if the log does not say it."""
    partition: dict[str, Any]
    kept: pa.Array | None
    """Whether each row of the file counts; None if all do."""


def open_delta_folder(folder: DeltaFolder) -> Source:
    """Return a Delta table as a source; SourceError in one line if it cannot be read right."""
    try:
        from deltalake import DeltaTable
    except ImportError as error:
        raise SourceError(f"{folder.given}: reading a Delta table needs deltalake: pip install deltalake") from error
    _check_address(folder.address, folder.given)
    try:
        try:
            table = DeltaTable(folder.address, version=folder.version)
        except Exception:
            if folder.version is None:
                raise
            latest = DeltaTable(folder.address).version()
            known = f"the latest is {latest}" if folder.version > latest else "its log begins later, or is damaged"
            raise SourceError(f"{folder.given}: the Delta table has no version {folder.version}: {known}") from None
    except SourceError:
        raise
    except Exception as error:
        raise _unreadable(error, folder.given, folder.address) from error
    name = folder.given.rstrip("/").rpartition("/")[2] or folder.given
    return _opened(table, name, folder.given)


def is_delta_table(data: object) -> bool:
    """Return whether data is a `DeltaTable` of deltalake, without importing that."""
    return type(data).__name__ == "DeltaTable" and type(data).__module__.partition(".")[0] == "deltalake"


def open_delta_table(table: Any) -> Source:
    """Return a `DeltaTable` as a source, in the version at which it is now."""
    return _opened(table, "DeltaTable", None)


def _opened(table: Any, name: str, path: str | None) -> Source:
    where = path or name
    if not hasattr(table, "deletion_vectors"):
        raise SourceError(f"{where}: this deltalake is too old to read it: pip install 'deltalake>=1.5'")
    _check_address(str(table.table_uri), where)
    try:
        _check_features(table, where)
        version = table.version()
        schema = pa.schema(table.schema().to_arrow())
        files = _files(table, where)
        system = _file_system(table, files)
        _check_present(system, files, where, version)
    except SourceError:
        raise
    except Exception as error:
        raise _unreadable(error, where, str(table.table_uri)) from error
    is_mapped = _mapping_mode(table) == "name"
    counts = [None if one.rows is None else one.rows - _deleted(one) for one in files]
    rows = None if None in counts else sum(count for count in counts if count is not None)

    def read() -> Batches:
        for file in files:
            yield from _read_file(system, file, schema, where, is_mapped=is_mapped)

    return Source(
        name=name,
        columns=flat_names(schema, where),
        rows=rows,
        rows_exact=rows is not None,
        read=read,
        path=path,
        notes=[f"{where}: version {version} of the Delta table is read"],
    )


def _unreadable(error: Exception, where: str, address: str) -> SourceError:
    text = str(error).replace(address.rstrip("/"), where.rstrip("/"))
    return SourceError(f"{where}: the Delta table cannot be read: {reason(type(error)(text))}")


def _check_address(address: str, where: str) -> None:
    """Raise SourceError for a folder called `a%20b`: deltalake would read the log of the folder `a b`."""
    found = re.search("%25([0-9A-Fa-f]{2})", address)
    if found:
        raise SourceError(
            f"{where}: deltalake cannot read below a folder with %{found[1]} in its name; rename the folder"
        )


def _mapping_mode(table: Any) -> str:
    mode: str = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    return mode.lower() if table.protocol().min_reader_version >= 2 else "none"


def _check_features(table: Any, where: str) -> None:
    """Raise SourceError if a reader of the table has to know more than is known here."""
    unknown = sorted({*(table.protocol().reader_features or ())} - _KNOWN_FEATURES)
    mode = _mapping_mode(table)
    if mode not in ("none", "name"):
        unknown.append(f"columnMapping in mode {mode}")
    if unknown:
        raise SourceError(
            f"{where}: the Delta table has a feature that cannot be read here: {', '.join(unknown)}. Read it with "
            "Spark and load its DataFrame, or a copy of the table without the feature"
        )


def _files(table: Any, where: str) -> list[_File]:
    """Return the files that count, the oldest first."""
    kept = _kept_rows(table)
    root = str(table.table_uri).rstrip("/")
    actions = pa.table(table.get_add_actions()).to_pylist()
    files = []
    for action in sorted(actions, key=lambda one: (one["modification_time"], one["path"])):
        path: str = action["path"]
        if is_address(path) or path.startswith("/"):
            raise SourceError(
                f"{where}: the Delta table is a shallow clone: its files are in another table. Load a deep clone"
            )
        mask = kept.pop(unquote(f"{root}/{path}"), None)
        files.append(
            _File(unquote(path), action["size_bytes"], action["num_records"], action.get("partition") or {}, mask)
        )
    if kept:
        raise SourceError(
            f"{where}: the Delta table has deletion vectors (deletionVectors) of files that are not known"
        )
    return files


def _kept_rows(table: Any) -> dict[str, pa.Array]:
    """Return, by the address of a file, which of its rows count, for files with deleted rows."""
    return {
        unquote(address): kept.values
        for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors())
        for address, kept in zip(batch.column("filepath").to_pylist(), batch.column("selection_vector"), strict=True)
    }


def _deleted(file: _File) -> int:
    return 0 if file.kept is None else pc.sum(pc.invert(file.kept)).as_py() or 0


def _file_system(table: Any, files: list[_File]) -> Any:
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    sizes = {one.path: one.size for one in files}
    # the options hold the credentials of a table that the user opened
    return PyFileSystem(DeltaStorageHandler(table.table_uri, getattr(table, "_storage_options", None), sizes))


def _check_present(system: Any, files: list[_File], where: str, version: int) -> None:
    """Raise SourceError if a file is gone, before rows are sent."""
    from pyarrow.fs import FileSelector

    present: set[str] = set()
    for folder in {one.path.rpartition("/")[0] for one in files}:
        present.update(one.path for one in system.get_file_info(FileSelector(folder, allow_not_found=True)))
    missing = [one.path for one in files if one.path not in present]
    if missing:
        raise SourceError(
            f"{where}: {len(missing)} of the {len(files)} files of version {version} are gone. A vacuum removes files "
            "of older versions; choose a later version"
        )


def _read_file(system: Any, file: _File, schema: pa.Schema, where: str, *, is_mapped: bool) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that count, with the columns of the table."""
    from pyarrow.parquet import ParquetFile

    in_file = pa.schema([one for one in schema if one.name not in file.partition])
    stored = pa.schema([_physical(one, is_mapped=is_mapped) for one in in_file])
    row = 0
    # a dataset would keep whole row groups; Spark writes INT96, which in nanoseconds ends in 2262
    how: dict[str, Any] = {
        "coerce_int96_timestamp_unit": "us",
        "pre_buffer": False,
        "buffer_size": _BUFFER_BYTES,
        "page_checksum_verification": True,
    }
    with system.open_input_file(file.path) as stream, ParquetFile(stream, **how) as parquet:
        there = set(parquet.schema_arrow.names)
        _check_case(there, stored.names, where)
        wanted = [name for name in stored.names if name in there] or parquet.schema_arrow.names[:1]
        for raw in parquet.iter_batches(rows_at_once(parquet), columns=wanted, use_threads=False):
            columns = [
                raw.column(one.name).cast(one.type) if one.name in there else pa.nulls(raw.num_rows, one.type)
                for one in stored
            ]
            batch = pa.record_batch(_Named(pa.RecordBatch.from_arrays(columns, schema=stored), in_file))
            count = raw.num_rows
            if file.kept is not None:
                kept = file.kept.slice(row, count)
                # a vector may end with the last deleted row
                kept = pa.concat_arrays([kept, pa.array([True] * (count - len(kept)), pa.bool_())])
                batch, count = batch.filter(kept), pc.sum(kept).as_py() or 0
            row += raw.num_rows
            yield _with_partition(batch, count, file.partition, schema)
    if file.kept is not None and row < len(file.kept):
        raise SourceError(f"{where}: a deletion vector is longer than its file; the table is damaged")


def _check_case(there: set[str], wanted: list[str], where: str) -> None:
    """Raise SourceError if a column differs from the table's only in case: it would be null in all rows."""
    folded = {name.casefold(): name for name in there}
    for name in wanted:
        other = folded.get(name.casefold(), name)
        if name not in there and other != name:
            raise SourceError(f"{where}: a file has the column {other!r} where the Delta table has {name!r}")


def _with_partition(batch: pa.RecordBatch, count: int, partition: dict[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.repeat(pa.scalar(partition[one.name], one.type), count) if one.name in partition else batch.column(one.name)
        for one in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _physical(field: pa.Field, *, is_mapped: bool) -> pa.Field:
    """Return a column, and the fields in it, as the files have them: nullable, and with their names there."""
    name = (field.metadata or {}).get(_PHYSICAL_NAME) if is_mapped else None
    kind = field.type
    if pa.types.is_struct(kind):
        kind = pa.struct([_physical(kind.field(at), is_mapped=is_mapped) for at in range(kind.num_fields)])
    elif pa.types.is_list(kind):
        kind = pa.list_(_physical(kind.value_field, is_mapped=is_mapped))
    elif pa.types.is_map(kind):
        key, item = (_physical(one, is_mapped=is_mapped) for one in (kind.key_field, kind.item_field))
        kind = pa.map_(key.with_nullable(nullable=False), item)
    return pa.field(field.name if name is None else name.decode(), kind)


class _Named:
    """A batch with other names, also in its structs. Arrow's interface passes names and data separately."""

    def __init__(self, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        self._batch = batch
        self._schema = schema

    def __arrow_c_array__(self, _requested: object = None) -> tuple[object, object]:
        return self._schema.__arrow_c_schema__(), self._batch.__arrow_c_array__()[1]
