"""String and binary views, polars' form, which many of Arrow's functions do not take yet."""

from __future__ import annotations

import pyarrow as pa


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
