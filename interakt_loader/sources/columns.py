"""Python values to Arrow columns, whatever the values are.

Arrow infers a type from what it meets first, and then either refuses the rest or bends it without a word
(a datetime among dates loses its time, a naive time among aware ones becomes UTC, True among floats
becomes 1.0). So it is asked only when all values are of one type; in a mixture each keeps its own (`plain.Mixed`).
What a value means is said in `values`, for `track` as well.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.plain import Kind, mixed
from interakt_loader.sources.base import PROBLEM_COLUMN
from interakt_loader.sources.objects import laid_out
from interakt_loader.sources.structs import OF_AN_OBJECT
from interakt_loader.values import (
    IN_PLACE_OF_A_VALUE,
    LONGEST_LIST,
    NOT_IN_A_LIST,
    Narrow,
    meaning,
    shortened,
    unicode_text,
)
from interakt_loader.wire import Problem

_NONE = type(None)
# Sets of exact types whose values can go to Arrow as they are. NaN is null, also among integers.
_PLAIN_TYPES = ({str, _NONE}, {int, float, _NONE}, {bool, _NONE}, {dt.date, _NONE}, {bytes, _NONE})
_FLOATS_EXACT_UP_TO = 2**53
_PROBLEM = pa.struct({"code": pa.string(), "message": pa.string(), "json": pa.string()})
_KINDS: dict[type, Kind] = {
    bool: "bool",
    float: "float",
    Narrow: "narrow",
    Decimal: "digits",
    str: "text",
    dt.date: "date",
    dt.time: "time",
    list: "list",
}
_ARROW_TYPES: dict[Kind, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "narrow": pa.float32(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "time": pa.time64("us"),
}
_FOREIGN = (pa.ArrowException, ValueError, TypeError, OverflowError)


def to_arrow(
    values: Sequence[Any],
    of_type: pa.DataType | None = None,
    infinity: Problem | None = None,
    *,
    in_lists: bool = False,
) -> pa.Array:
    """Return the values as one Arrow array of the same length, whatever they are.

    None, NaN, NaT and pandas.NA are null. Lists, tuples, arrays and sets (sorted by their text) become Arrow lists.
    Values of several types keep them (`Mixed`); with `of_type`, which is string, all that can be sent become text.
    `infinity` says what is wrong with infinite numbers; without it they are null. With `in_lists` the values are the
    items of lists.
    """
    if of_type is not None:
        found = [meaning(value) for value in values]
        texts = [one if isinstance(one, Problem) else text_of(one) for one in found]
        return (
            _by_kind(values, texts, None)
            if any(isinstance(one, Problem) for one in texts)
            else pa.array(texts, of_type)
        )
    types = set(map(type, values))
    if any(types <= allowed for allowed in _PLAIN_TYPES):
        array = _inferred(values)
        if array is not None and not (infinity and _has_infinities(array)):
            return array
    if types in ({list}, {list, _NONE}) and not in_lists:
        return _lists(values, infinity)
    found = [meaning(value) for value in values]
    if in_lists:
        found = [NOT_IN_A_LIST.get(type(one), one) for one in found]
    return _by_kind(values, found, infinity)


def text_type(values: Iterable[Any]) -> pa.DataType | None:
    """Return string if the values are of several kinds, None if they are of one."""
    kinds = {_kind_of(found) for found in map(meaning, values) if found is not None}
    return pa.string() if len(kinds) > 1 and kinds != {"int", "float"} else None


def text_of(value: Any) -> str | None:
    """Return a scalar as text: integral floats without `.0`, times as ISO-8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # from 2**53 on the digits would be made up
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def records_to_batch(
    records: Sequence[Mapping[Any, Any]],
    problems: Mapping[int, str] | None = None,
    names: Iterable[str] = (),
    infinity: Problem | None = None,
) -> pa.RecordBatch:
    """Return one row per record; the columns are `names` and then each further key in order of appearance.

    With `problems` (position of a row to why it could not be read), the batch has a PROBLEM_COLUMN too.
    """
    keys = dict.fromkeys([*names, *(key for record in records for key in record)])
    columns: dict[str, Sequence[Any]] = {}
    for key in keys:
        name = unicode_text(str(key))
        if name is not None:
            columns[name] = [record.get(key) for record in records]
        elif problems is not None:
            said = f"its object has a name that is not text: {shortened(str(key))}"
            problems = {row: said for row, record in enumerate(records) if key in record} | {**problems}
    last = {} if problems is None else {PROBLEM_COLUMN: problem_column(problems, len(records))}
    return objects_to_batch(columns, last, infinity)


def objects_to_batch(
    columns: Mapping[str, Sequence[Any] | pa.Array],
    last: Mapping[str, pa.Array] | None = None,
    infinity: Problem | None = None,
) -> pa.RecordBatch:
    """Return columns of Python objects or of Arrow as one batch, objects as a column for each of their fields."""
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for name, values in laid_out(columns).items():
        array = values if isinstance(values, pa.Array) else to_arrow(values, infinity=infinity)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=None if name in columns else OF_AN_OBJECT))
    for name, array in (last or {}).items():
        arrays.append(array)
        fields.append(pa.field(name, array.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def problem_column(problems: Mapping[int, str], rows: int) -> pa.Array:
    """Return the PROBLEM_COLUMN of a batch of so many rows."""
    return pa.array([problems.get(row) for row in range(rows)], pa.string())


def _by_kind(values: Sequence[Any], found: list[Any], infinity: Problem | None) -> pa.Array:
    """Return what values mean as an array of their kind, or a `Mixed` one of several."""
    if infinity:
        infinite = [type(value) is float and math.isinf(value) for value in values]
        found = [infinity if is_so else one for one, is_so in zip(found, infinite, strict=True)]
    kinds = [None if one is None else _kind_of(one) for one in found]
    present = set(kinds) - {None}
    if {"int", "float"} <= present and all(
        abs(one) <= _FLOATS_EXACT_UP_TO for one, kind in zip(found, kinds, strict=True) if kind == "int"
    ):
        kinds = ["float" if kind == "int" else kind for kind in kinds]
        present -= {"int"}
    if len(present) <= 1:
        array = _inferred(found) if _is_uniform(found, present) else None
        if array is not None:
            return array
    parts: dict[Kind, pa.Array] = {}
    for kind in dict.fromkeys(kinds):
        if kind is not None:
            of_kind = [one if its == kind else None for one, its in zip(found, kinds, strict=True)]
            parts[kind] = _problems(values, of_kind) if kind == "other" else _part(kind, of_kind, infinity)
    if len(parts) == 1 and parts.keys().isdisjoint({"digits", "moment", "other"}):
        return next(iter(parts.values()))
    return mixed(parts) if parts else pa.nulls(len(found))


def _kind_of(value: Any) -> Kind:
    if isinstance(value, dt.datetime):
        return "timestamp" if value.tzinfo is None else "moment"
    if type(value) is int:
        return "int" if -(2**63) <= value < 2**63 else "digits"
    return _KINDS.get(type(value), "date" if isinstance(value, dt.date) else "other")


def _is_uniform(found: Iterable[Any], kinds: set[Kind | None]) -> bool:
    """Tell whether Arrow has one type for decimals or for times with a zone that says the same of all."""
    if kinds == {"moment"}:
        return len({str(one.tzinfo) for one in found if one is not None}) == 1
    if kinds == {"digits"}:
        return len({one.as_tuple().exponent if type(one) is Decimal else "" for one in found if one is not None}) == 1
    return False


def _part(kind: Kind, values: Sequence[Any], infinity: Problem | None) -> pa.Array:
    if kind == "list":
        return _lists(values, infinity)
    if kind in ("digits", "moment"):
        texts = [None if one is None else _moment(one) if kind == "moment" else text_of(one) for one in values]
        return pa.array(texts, pa.string())
    return pa.array(values, _ARROW_TYPES[kind])


def _problems(values: Sequence[Any], found: Sequence[Any]) -> pa.Array:
    """Return the problems among what values mean, with the values themselves where JSON can say them."""
    rows: list[dict[str, str | None] | None] = []
    for value, one in zip(values, found, strict=True):
        problem = IN_PLACE_OF_A_VALUE if isinstance(one, Mapping) else one
        rows.append(problem and {"code": problem.code, "message": problem.message, "json": _json(value, problem)})
    return pa.array(rows, _PROBLEM)


def _json(value: Any, problem: Problem) -> str | None:
    if value is problem or (problem.code == "too_large" and not isinstance(value, str)):
        return None
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _moment(value: dt.datetime) -> str:
    """Return ISO 8601 with an offset of whole minutes, as Arrow reads it; before 1900 some zones had seconds."""
    offset = value.utcoffset() or dt.timedelta()
    odd = offset % dt.timedelta(minutes=1)
    if odd and value.year == dt.MINYEAR:
        odd -= dt.timedelta(minutes=1)
    return (value - odd).replace(tzinfo=dt.timezone(offset - odd)).isoformat()


def _lists(values: Sequence[list[Any] | None], infinity: Problem | None) -> pa.Array:
    """Return lists as Arrow lists, or as `Mixed` if there are some that no call has room for."""
    lengths = [0 if one is None else len(one) for one in values]
    if max(lengths) > LONGEST_LIST:
        return _by_kind(values, [None if one is None else meaning(one) for one in values], infinity)
    items = [*chain.from_iterable(one for one in values if one is not None)]
    offsets = pa.array([0, *accumulate(lengths)], pa.int32())
    missing = pa.array([one is None for one in values])
    return pa.ListArray.from_arrays(offsets, to_arrow(items, infinity=infinity, in_lists=True), mask=missing)


def _inferred(values: Sequence[Any]) -> pa.Array | None:
    try:
        array = pa.array(values, from_pandas=True)
    except _FOREIGN:
        return None
    return array if isinstance(array, pa.Array) and not isinstance(array.type, pa.BaseExtensionType) else None


def _has_infinities(array: pa.Array) -> bool:
    return bool(pa.types.is_floating(array.type) and pc.any(pc.is_inf(array)).as_py())
