"""What a load takes as data, as a type for type checkers and editors. What is no table is refused when it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Protocol, TypeAlias, TypedDict


class _ArrowStream(Protocol):
    """A DataFrame of pandas or polars, an Arrow table, batch or reader, a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


class _Dataset(Protocol):
    """A dataset of pyarrow."""

    def to_batches(self, *args: Any, **kwargs: Any) -> Any: ...


class _ParquetFile(Protocol):
    """A ParquetFile of pyarrow."""

    def iter_batches(self, *args: Any, **kwargs: Any) -> Any: ...


class _LazyFrame(Protocol):
    """A LazyFrame of polars."""

    def collect_schema(self) -> Any: ...


class _DeltaTable(Protocol):
    """A DeltaTable of deltalake."""

    def to_pyarrow_dataset(self, *args: Any, **kwargs: Any) -> Any: ...


class _IcebergTable(Protocol):
    """A table of pyiceberg."""

    def scan(self, *args: Any, **kwargs: Any) -> Any: ...


class _IcebergScan(Protocol):
    """A scan of pyiceberg."""

    def plan_files(self) -> Any: ...


class _Cursor(Protocol):
    """The cursor of a database."""

    def fetchmany(self, *args: Any, **kwargs: Any) -> Any: ...


class _OpenFile(Protocol):
    """An open file."""

    def read(self, size: int = -1, /) -> Any: ...


class _RemoteFile(Protocol):
    """A path with a file system of its own: a UPath, an OpenFile of fsspec."""

    @property
    def fs(self) -> Any: ...


class EnvDict(TypedDict):
    """The name of an environment variable that holds the source."""

    env: str


_Path: TypeAlias = str | PathLike[str] | _RemoteFile

Data: TypeAlias = (
    _Path
    | _ArrowStream
    | Iterable[_Path | Mapping[Any, Any] | _ArrowStream]
    | _Dataset
    | _ParquetFile
    | _LazyFrame
    | _DeltaTable
    | _IcebergTable
    | _IcebergScan
    | _Cursor
    | _OpenFile
    | EnvDict
)
"""What `load_users` takes as data. With more than one kind of iterable here, mypy would not infer a list's type."""
