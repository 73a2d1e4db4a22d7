"""Structs as columns of their own: `address: {city, pin}` becomes `address.city` and `address.pin`.

A trait is one value, so a struct can only be sent as its fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.meanings import has_fields

OF_AN_OBJECT = {b"interakt_loader": b"field of an object"}
"""Metadata of a column that is a field of the objects in Python values, where other rows may hold a value instead."""


def flattened(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with one column for each leaf of a struct column, in its place, such as `address.city`.

    A struct in a struct is flattened too, and where a struct is null so are its leaves. A struct without fields
    stays as it is, and so do structs in lists and maps. Raises `SourceError` when a leaf has another column's name.
    """
    if not any(map(has_fields, batch.schema.types)):
        return batch
    names = flat_names(batch.schema)
    columns = [leaf for column in batch.columns for leaf in _leaves(column)]
    return pa.RecordBatch.from_arrays(columns, names)


def flat_names(schema: pa.Schema) -> list[str]:
    """Return the names of the columns that `flattened` makes of a batch with this schema; raises as it does."""
    names = [(name, column.name) for column in schema for name in _leaf_names(column)]
    counts = Counter(name for name, _ in names)
    for name, column in names:
        if counts[name] > 1 and name != column:
            raise SourceError(f"the struct {column!r} would give a second column {name!r}: rename one of the two")
    return [name for name, _ in names]


def other_shapes(name: str, columns: Iterable[str]) -> list[str]:
    """Return the columns that hold what `name` holds in other rows: text instead of a struct, or a struct instead.

    In JSON lines `address` may be text in some rows and an object in others; `address.city` is then no column of
    the batch with the text, though a value was meant.
    """
    return [one for one in columns if name.startswith(f"{one}.") or one.startswith(f"{name}.")]


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    if not has_fields(column.type):
        yield column
        return
    for one in column.flatten():  # which lays the struct's nulls over its fields
        yield from _leaves(one)


def _leaf_names(field: pa.Field, path: str = "") -> Iterator[str]:
    name = path + field.name
    if not has_fields(field.type):
        yield name
        return
    for one in field.type:
        yield from _leaf_names(one, f"{name}.")
