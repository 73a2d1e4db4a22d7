"""Python values to Arrow columns, whatever the values are.

Arrow infers a type from what it meets first, and then either refuses the rest or bends it without a word
(a datetime among dates loses its time, a naive time among aware ones becomes UTC, True among floats
becomes 1.0). So it is asked only when all values are of one kind; a mixture becomes text, value by value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pyarrow as pa

from interakt_loader.sources.base import PROBLEM_COLUMN, encodable

_NONE = type(None)
_TEXT_LISTS = pa.list_(pa.string())
# Sets of exact types whose values can go to Arrow as they are. NaN is null, also among integers.
_PLAIN_TYPES = ({str, _NONE}, {int, float, _NONE}, {bool, _NONE}, {Decimal, _NONE}, {date, _NONE})
# Kinds that may stand in one column; each pair loses nothing, or Arrow refuses it.
_ALIKE = ({"int", "float"}, {"int", "decimal"})
_KINDS: tuple[tuple[type, str], ...] = (
    (str, "str"),
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (Decimal, "decimal"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "dict"),
    (datetime, "datetime"),  # before date, of which it is a subclass
    (date, "date"),
    (timedelta, "timedelta"),
)


def to_arrow(values: Sequence[Any], of_type: pa.DataType | None = None) -> pa.Array:
    """Return the values as one Arrow array of the same length, whatever they are.

    None, NaN, NaT and pandas.NA are null. Lists, tuples, arrays and sets (sorted by their text) become
    Arrow lists, dicts become structs. Values of several kinds, or too large for Arrow's type, become text,
    or lists of text. `of_type` is what `text_type` says about a whole column of which these are a part.
    """
    if not _are_plain(values):
        values = [plain(value) for value in values]
        of_type = of_type or _text_type(values)
    array = _inferred(values) if of_type is None else None
    if array is not None:
        return array
    if of_type is None and all(value is None or isinstance(value, list) for value in values):
        of_type = _TEXT_LISTS
    if of_type == _TEXT_LISTS:
        values = [None if value is None else [text_of(item) for item in value] for value in values]
        return pa.array(values, _TEXT_LISTS)
    return pa.array([text_of(value) for value in values], pa.string())


def text_type(values: Sequence[Any]) -> pa.DataType | None:
    """Return string or list of string if the values are of several kinds, None if they are of one."""
    return None if _are_plain(values) else _text_type(plain(value) for value in values)


def records_to_batch(
    records: Sequence[Mapping[Any, Any]], problems: Mapping[int, str] | None = None, names: Iterable[str] = ()
) -> pa.RecordBatch:
    """Return one row per record; the columns are `names` and then each further key in order of appearance.

    With `problems` (position of a row to why it could not be read), the batch has a PROBLEM_COLUMN too.
    """
    keys = list(dict.fromkeys([*names, *(key for record in records for key in record)]))
    columns = {encodable(str(key)): to_arrow([record.get(key) for record in records]) for key in keys}
    if problems is not None:
        columns[PROBLEM_COLUMN] = problem_column(problems, len(records))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def problem_column(problems: Mapping[int, str], rows: int) -> pa.Array:
    """Return the PROBLEM_COLUMN of a batch of so many rows."""
    return pa.array([problems.get(row) for row in range(rows)], pa.string())


def plain(value: Any) -> Any:
    """Return the value in terms of Python's own types: NumPy's, pandas' and other dresses taken off."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else value
    if type(value).__name__ in {"NaTType", "NAType"}:  # of pandas, which is not imported for this
        return None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, pa.Scalar):
        return plain(value.as_py())
    if callable(getattr(value, "tolist", None)) and not isinstance(value, type):
        unboxed = _unboxed(value)
        return value if type(unboxed) is type(value) else plain(unboxed)  # a long double stays one
    return value


def text_of(value: Any) -> str | None:
    """Return a plain value as text: integral floats without `.0`, times as ISO-8601, lists and dicts as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # beyond 2**63 the digits would be made up
        return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 2**63 else repr(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list | dict):
        return encodable(json.dumps(_json_ready(value), ensure_ascii=False))
    return encodable(str(value))


def _are_plain(values: Sequence[Any]) -> bool:
    types = set(map(type, values))
    return any(types <= allowed for allowed in _PLAIN_TYPES)


def _text_type(plain_values: Iterable[Any]) -> pa.DataType | None:
    kinds: set[str] = set()
    item_kinds: set[str] = set()
    for value in plain_values:
        if value is not None:
            kinds.add(_kind(value))
            if isinstance(value, list):
                item_kinds.update(_kind(item) for item in value if item is not None)
    if _are_several(kinds):
        return pa.string()
    return _TEXT_LISTS if kinds == {"list"} and _are_several(item_kinds) else None


def _are_several(kinds: set[str]) -> bool:
    return len(kinds) > 1 and not any(kinds <= alike for alike in _ALIKE)


def _kind(value: Any) -> str:
    if isinstance(value, datetime):
        return "datetime" if value.tzinfo is None else "aware datetime"
    return next((kind for of, kind in _KINDS if isinstance(value, of)), "other")


def _inferred(values: Sequence[Any]) -> pa.Array | None:
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
    # Objects of a foreign class (UUID) would bring an extension type that nobody downstream knows.
    return array if isinstance(array, pa.Array) and not isinstance(array.type, pa.BaseExtensionType) else None


def _unboxed(value: Any) -> Any:
    # NumPy turns nanoseconds into bare integers; microseconds become datetimes and timedeltas.
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind == "M":
        value = value.astype("datetime64[us]")
    elif kind == "m":
        value = value.astype("timedelta64[us]")
    return value.tolist()


def _json_ready(value: Any) -> Any:
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return text_of(value)
