"""Columns that mean something else than their Arrow type says: a Parquet VARIANT, a geometry, a UUID as bytes.

Sent by their type they would be wrong values, so a row is refused where such a column is mapped.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from interakt_loader.plain import Unsendable, is_binary, uuid_texts

_EXTENSION = b"ARROW:extension:name"  # in a field's metadata, where this pyarrow does not know the type

# Extension types whose stored values can be sent as they are, or are read by `plain`.
_PLAIN = ("arrow.uuid", "arrow.json", "arrow.bool8")

# Extension types that store numbers which only their own library understands.
_OPAQUE = ("pandas.period",)


def has_fields(kind: pa.DataType) -> bool:
    """Tell whether a type is a struct whose fields are columns of their own."""
    return bool(pa.types.is_struct(kind) and kind.num_fields > 0 and not _is_variant(kind))


def with_meanings(batch: pa.RecordBatch, annotations: Mapping[str, str] | None = None) -> pa.RecordBatch:
    """Return the batch with UUIDs as text, and with columns that cannot be sent marked as `Unsendable`.

    `annotations` say what the columns of a Parquet file mean, by their paths in it.
    """
    for at, field in enumerate(batch.schema):
        values = batch.column(at)
        column = _with_meaning(values, field, field.name, annotations or {})
        if column is not values:
            batch = batch.set_column(at, field.name, column)
    return batch


def _with_meaning(values: pa.Array, field: pa.Field, path: str, annotations: Mapping[str, str]) -> pa.Array:
    kind = values.type
    if has_fields(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        old = values.flatten()  # which lays the struct's nulls over its fields
        new = [
            _with_meaning(one, inner, f"{path}.{inner.name}", annotations)
            for one, inner in zip(old, fields, strict=True)
        ]
        if all(one is other for one, other in zip(new, old, strict=True)):
            return values
        return pa.StructArray.from_arrays(new, names=[inner.name for inner in fields], mask=values.is_null())
    meaning = _annotated(kind, path, annotations) or _meaning(field)
    if meaning == "UUID":
        return uuid_texts(values)
    return values if meaning is None else pa.ExtensionArray.from_storage(Unsendable(kind, meaning), values)


def _annotated(kind: pa.DataType, path: str, annotations: Mapping[str, str]) -> str | None:
    meaning = annotations.get(path)
    if meaning is None and pa.types.is_nested(kind):  # the path of a list's or a map's items goes on
        meaning = next((one for inner, one in annotations.items() if inner.startswith(f"{path}.")), None)
        return None if meaning == "UUID" else meaning
    return meaning if meaning != "UUID" or pa.types.is_fixed_size_binary(kind) else None


def _meaning(field: pa.Field) -> str | None:
    """Return what a column means, if it cannot be sent by its type, or is a UUID as bytes."""
    kind = field.type
    if _is_variant(kind):
        return "VARIANT"
    is_known = isinstance(kind, pa.BaseExtensionType)
    if isinstance(kind, Unsendable):
        return None
    if is_known:
        name, kind = kind.extension_name, kind.storage_type
    else:
        name = (field.metadata or {}).get(_EXTENSION, b"").decode("utf-8", "replace")
    if not name or name in _PLAIN:
        return "UUID" if name == "arrow.uuid" and not is_known and pa.types.is_fixed_size_binary(kind) else None
    return name if name in _OPAQUE or is_binary(kind) or _is_variant(kind) else None


def _is_variant(kind: pa.DataType) -> bool:
    """Tell whether a type is how a Parquet VARIANT is stored, whether or not the file says so."""
    if not pa.types.is_struct(kind) or kind.num_fields not in (2, 3):
        return False
    fields = {field.name: field.type for field in (kind.field(at) for at in range(kind.num_fields))}
    return (
        set(fields) in ({"metadata", "value"}, {"metadata", "typed_value"}, {"metadata", "value", "typed_value"})
        and is_binary(fields["metadata"])
        and is_binary(fields.get("value", pa.binary()))
    )
