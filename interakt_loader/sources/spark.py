"""The columns of a Spark DataFrame, and its rows as a source of this machine. It imports nothing of Spark.

Columns are chosen by their places, and not by their names. For Spark two columns may share a name, or differ only in
upper and lower case, and a dot in a name leads into a struct. `integrations.spark` sends rows on Spark's workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Source, kept_leaves
from interakt_loader.sources.spool import Spool
from interakt_loader.values import full_type

STREAMING = (
    "this DataFrame is a stream: load each of its batches, with "
    "stream.writeStream.foreachBatch(lambda batch, batch_id: load_users(batch, ...))"
)
"""What is said of a streaming DataFrame."""

_USABLE = {
    "boolean", "byte", "char", "date", "decimal", "double", "float", "integer", "long", "short", "string", "time",
    "timestamp", "timestamp_ntz", "varchar", "void",
    # text, if it is UTF-8
    "binary",
}  # fmt: skip
"""The types of Spark, by their names, whose values can be sent."""


class Column(NamedTuple):
    """A column as the mapping names it. The fields of a struct are columns of their own: `address.city`."""

    name: str
    sql: str
    """Where it is among the columns of `select`, in Spark's SQL."""
    type: Any
    """Its type in Spark."""

    @property
    def is_usable(self) -> bool:
        """Whether values of its type can be sent. Spark cannot even give some of the others to Python."""
        kind = self.type
        while kind.typeName() == "array":
            kind = kind.elementType
        return kind.typeName() in _USABLE


def is_spark_frame(data: object) -> bool:
    """Return whether data is a DataFrame of Spark, also of Spark Connect."""
    return hasattr(type(data), "mapInArrow")


def columns_of(frame: Any) -> list[Column]:
    """Return the columns that the rows of a Spark DataFrame have once they are `flattened`, in the same order."""
    fields = list(frame.schema)
    leaves = [leaf for at, one in enumerate(fields) for leaf in _leaves(one.name, f"c{at}", one.dataType)]
    kept = kept_leaves(pa.schema([pa.field(one.name, _shape(one.dataType)) for one in fields]), "DataFrame")
    return [leaves[at]._replace(name=name) for at, name in kept]


def _fields(kind: Any) -> list[Any]:
    return list(kind) if kind.typeName() == "struct" else []


def _leaves(name: str, sql: str, kind: Any) -> Iterator[Column]:
    if not _fields(kind):
        yield Column(name, sql, kind)
    for one in _fields(kind):
        quoted = one.name.replace("`", "``")
        yield from _leaves(f"{name}.{one.name}", f"{sql}.`{quoted}`", one.dataType)


def _shape(kind: Any) -> pa.DataType:
    """Return the structs of a type. All other types are null: they may have none in Arrow."""
    fields = _fields(kind)
    return pa.struct([pa.field(one.name, _shape(one.dataType)) for one in fields]) if fields else pa.null()


def select(frame: Any, columns: Sequence[Column], *expressions: str) -> Any:
    """Return a Spark DataFrame with these expressions first, and then these columns only, without their names.

    Spark reads no other column from the files of a table.
    """
    by_place = frame.toDF(*(f"c{at}" for at in range(len(frame.schema))))
    return by_place.selectExpr(*expressions, *(f"{one.sql} AS v{at}" for at, one in enumerate(columns)))


def open_spark_frame(frame: Any) -> Source:
    """Return a Spark DataFrame as a source. Its query runs now, once, into a temporary file, one partition at a time.

    Spark may give the rows in another order when it runs the query again. Columns of types that cannot be sent are left
    out, because Spark cannot give all of them to Python.
    """
    if frame.isStreaming:
        raise SourceError(STREAMING)
    columns = columns_of(frame)
    usable = [one for one in columns if one.is_usable]
    left_out = [f"{one.name} ({one.type.simpleString()})" for one in columns if not one.is_usable]
    notes = [f"DataFrame: left out, columns of types that cannot be sent: {', '.join(left_out)}"] if left_out else []
    names = [one.name for one in usable]
    if not names:
        raise SourceError("the Spark DataFrame has no columns that can be sent")
    spool = Spool()
    try:
        for batch in _batches(select(frame, usable)):
            spool.add(batch.rename_columns(names))
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"DataFrame: Spark's query failed ({full_type(error)}): frame.toArrow() shows why, and its result can be "
            "loaded"
        ) from error
    return Source(name="DataFrame", columns=names, rows=spool.rows, rows_exact=True, read=spool.batches, notes=notes)


def _batches(frame: Any) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Spark DataFrame, one partition at a time. `toArrow` would hold all of them in memory."""

    # Spark's workers get the code of this function, because they may lack this package
    def to_bytes(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as arrow

        for batch in batches:
            sink = arrow.BufferOutputStream()
            with arrow.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            yield arrow.RecordBatch.from_pydict({"batch": [sink.getvalue().to_pybytes()]})

    for (data,) in frame.mapInArrow(to_bytes, "batch BINARY").toLocalIterator():
        yield pa.ipc.open_stream(bytes(data)).read_next_batch()
