"""One column and one target: the JSON text of each value, or the problem of one that cannot be sent."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import (
    Kind,
    NormalColumn,
    digits,
    map_distinct,
    normalize_parts,
    null_where,
    problems_at,
)
from interakt_loader.columns.numbers import numbers
from interakt_loader.columns.target import Coerced, Target, json_string, json_strings, merged, quoted
from interakt_loader.columns.times import clock_times, dates, datetimes, days, instants
from interakt_loader.model import Problem
from interakt_loader.values import LIST_IN_A_LIST

_BY_KIND: dict[Kind, str] = {
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "decimal": "number",
    "digits": "number",
    "text": "string",
    "timestamp": "datetime",
    "moment": "datetime",
    "date": "date",
    "time": "string",
    "list": "list",
}
"""What `auto` makes of each kind."""


def coerce(values: pa.Array, target: Target) -> Coerced:
    """Return the JSON text of each value, and the problems of those that cannot be sent, by position.

    With `auto`, text and times of day become strings. Ints, floats and decimals become numbers. Booleans, datetimes,
    dates and lists stay what they are. In a `Mixed` column each value goes by its own kind. Binary that is text in
    UTF-8 counts as text. Missing values (null, NaN, infinities, blank text) are null without a problem.

    Problem codes: `unsupported_type`, `not_text`, `too_large`, `not_a_number`, `not_a_boolean`, `not_a_datetime`,
    `datetime_invalid`, `not_a_date`, `not_a_list`, `out_of_range`. Never raises for a value or type.
    """
    if pa.types.is_dictionary(values.type) and len(values.dictionary) <= len(values):
        return _coerce_dictionary(values, target)
    return merged([_coerce_part(part, target) for part in normalize_parts(values)])


_NEVER_REFUSED = {
    *((kind, "string") for kind in ("text", "bool", "int", "float", "decimal", "digits")),
    *((kind, "number") for kind in ("bool", "int", "float", "decimal", "digits")),
    ("bool", "boolean"),
}
"""Kinds and targets without a value that cannot be sent, besides those that `normalize` refuses."""


_TIMES = {"datetime": instants, "date": days}


def problems_of(parts: Sequence[NormalColumn], target: Target) -> dict[int, Problem]:
    """Return the problems that `coerce` has with a column, in the form that `normalize_parts` returned."""
    found: dict[int, Problem] = {}
    for part in parts:
        wanted = _BY_KIND.get(part.kind) if target.type == "auto" else target.type
        if (part.kind, wanted) in _NEVER_REFUSED:
            found |= part.problems
        elif wanted in _TIMES and part.kind not in ("null", "other"):
            # the text of a time takes longer than the time
            found |= part.problems | _TIMES[wanted](part.values, part.kind, target)[1]
        else:
            found |= _coerce_part(part, target).problems
    return found


def _coerce_dictionary(values: pa.DictionaryArray, target: Target) -> Coerced:
    """Coerce each distinct value once."""
    distinct = coerce(values.dictionary, target)
    json_texts = distinct.json.take(values.indices)
    if not distinct.problems:
        return Coerced(json_texts, {})
    found = distinct.problems
    places = enumerate(values.indices.to_pylist())
    return Coerced(json_texts, {place: found[index] for place, index in places if index in found})


def _coerce_part(part: NormalColumn, target: Target) -> Coerced:
    kind, values, problems = part
    if kind in ("null", "other"):
        return Coerced(pa.nulls(len(values), pa.string()), problems)
    coerced = _coerce_kind(values, kind, target)
    return Coerced(coerced.json, problems | coerced.problems) if problems else coerced


def _coerce_kind(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    wanted = _BY_KIND[kind] if target.type == "auto" else target.type
    if wanted == "string":
        return strings(values, kind, target)
    if wanted == "number":
        return numbers(values, kind, target)
    if wanted == "boolean":
        return booleans(values, kind)
    if wanted == "list":
        return lists(values, kind, target)
    text, problems = (datetimes if wanted == "datetime" else dates)(values, kind, target)
    return Coerced(quoted(text), problems)


# ------------------------------------------------------------------ strings

_GUARDED = "[0-9+=@-]"
"""What a spreadsheet takes for the start of a number or a formula."""


def strings(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    """Return normal values as JSON strings: text byte for byte, `24` for 24.0, times as `datetime` has them.

    A list is refused (`not_text`).
    """
    text, problems = _texts(values, kind, target)
    return Coerced(json_strings(text) if kind == "text" else quoted(text), problems)


def texts(values: pa.Array, target: Target) -> tuple[pa.StringArray, dict[int, Problem]]:
    """Return values of any type as `strings` has them, before they become JSON, and the problems."""
    parts = []
    for kind, array, problems in normalize_parts(values):
        if kind in ("null", "other"):
            parts.append((pa.nulls(len(array), pa.string()), problems))
        else:
            text, more = _texts(array, kind, target)
            parts.append((text, problems | more))
    whole = parts[0][0] if len(parts) == 1 else pc.coalesce(*(text for text, _ in parts))
    return whole, {place: problem for _, problems in parts for place, problem in problems.items()}


def _texts(values: pa.Array, kind: Kind, target: Target) -> tuple[pa.StringArray, dict[int, Problem]]:
    if kind == "text":
        return _without_guard(values, target.guard), {}
    if kind == "bool":
        return pc.if_else(values, "true", "false"), {}
    if kind in ("int", "float", "decimal", "digits"):
        return digits(values, kind), {}
    if kind == "list":
        problems = problems_at(values, values.is_valid(), "not_text", "is a list, not text: use the type list")
        return pa.nulls(len(values), pa.string()), problems
    if kind == "time":
        return clock_times(values)
    return (datetimes if kind in ("timestamp", "moment") else dates)(values, kind, target)


def _without_guard(values: pa.StringArray, guard: str | None) -> pa.StringArray:
    if guard is None or not pc.any(pc.starts_with(values, guard)).as_py():
        return values
    return pc.replace_substring_regex(values, f"^{re.escape(guard)}({_GUARDED})", r"\1")


# ------------------------------------------------------------------ booleans

_TRUE = pa.array(["yes", "true", "y", "t", "on", "1"])
_FALSE = pa.array(["no", "false", "n", "f", "off", "0"])
_NOT_A_BOOLEAN = "is not yes/no, true/false, y/n, t/f, on/off or 1/0"


def booleans(values: pa.Array, kind: Kind) -> Coerced:
    """Return normal values as JSON booleans; numbers have to be 0 or 1."""
    if kind == "bool":
        return Coerced(pc.if_else(values, "true", "false"), {})
    if kind == "text":
        word = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        true, false = pc.is_in(word, _TRUE), pc.is_in(word, _FALSE)
    elif kind in ("int", "float", "decimal", "digits"):
        number = values.cast(pa.float64(), safe=False)
        true, false = pc.equal(number, 1.0), pc.equal(number, 0.0)
    else:
        true = false = pa.repeat(value=False, size=len(values))
    known = pc.or_(true, false).fill_null(fill_value=False)
    bad = pc.and_not(values.is_valid(), known)
    read = pc.if_else(known, true, pa.scalar(None, pa.bool_()))
    return Coerced(pc.if_else(read, "true", "false"), problems_at(values, bad, "not_a_boolean", _NOT_A_BOOLEAN))


# ------------------------------------------------------------------ lists


def lists(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    """Return normal values as JSON arrays; any other value becomes a list of one.

    The items of a list are coerced by their own type, and missing ones are dropped. Text that starts with `[` is a
    JSON array. Other text is split at the separator, and its items are trimmed and always strings.
    """
    by_own_type = Target(timezone=target.timezone)
    if kind == "list":
        return _from_lists(values, by_own_type)
    if kind == "text":
        return _from_text(values, target.separator or ",")
    single = _coerce_part(NormalColumn(kind, values, {}), by_own_type)
    return Coerced(_bracketed(single.json), single.problems)


def of_texts(arrays: pa.StringArray) -> pa.StringArray:
    """Return JSON arrays with each item as a string, numbers digit for digit, as the API wants tags."""
    with_others = pc.match_substring_regex(arrays, r"[\[,][^\"\]]")
    return map_distinct(arrays, with_others, _array_of_texts)


def _array_of_texts(array: str) -> str:
    items = json.loads(array, parse_int=_Number, parse_float=_Number)
    return "[" + ",".join(json_string(item if isinstance(item, str) else _json_item(item)) for item in items) + "]"


def _from_lists(values: pa.ListArray, by_own_type: Target) -> Coerced:
    items = merged([_coerce_items(part, by_own_type) for part in normalize_parts(values.flatten())])
    ends = pc.cumulative_sum(pc.list_value_length(values).fill_null(0).cast(pa.int64()))
    json_texts = null_where(json_arrays(ends, items.json), values.is_null())
    if not items.problems:
        return Coerced(json_texts, {})
    row_ends = ends.to_pylist()
    # in reverse, so that the first problem of a row stays
    problems = {bisect_right(row_ends, place): problem for place, problem in reversed(items.problems.items())}
    bad = pc.is_in(pa.array(range(len(values)), pa.int64()), pa.array(problems, pa.int64()))
    return Coerced(null_where(json_texts, bad), problems)


def _coerce_items(items: NormalColumn, by_own_type: Target) -> Coerced:
    if items.kind != "list":
        return _coerce_part(items, by_own_type)
    places = pc.indices_nonzero(items.values.is_valid()).to_pylist()
    return Coerced(pa.nulls(len(items.values), pa.string()), dict.fromkeys(places, LIST_IN_A_LIST))


def _from_text(values: pa.StringArray, separator: str) -> Coerced:
    is_json = pc.starts_with(pc.utf8_ltrim_whitespace(values), "[")
    split = pc.split_pattern(null_where(values, is_json), separator)
    items = pc.utf8_trim_whitespace(split.flatten())
    items = null_where(items, pc.equal(items, ""))
    ends = pc.cumulative_sum(pc.list_value_length(split).fill_null(0).cast(pa.int64()))
    json_texts = null_where(json_arrays(ends, json_strings(items)), split.is_null())
    if not pc.any(is_json).as_py():
        return Coerced(json_texts, {})
    read = map_distinct(values, is_json, _json_array)
    bad = pc.and_(is_json, read.is_null())
    expected = "starts with [ and is not a JSON array of text, numbers and booleans"
    return Coerced(pc.if_else(is_json, read, json_texts), problems_at(values, bad, "not_a_list", expected))


def json_arrays(ends: pa.Int64Array, items: pa.StringArray) -> pa.StringArray:
    """Return JSON arrays of the items' JSON texts, each up to the next of the ends; null items are left out."""
    borders = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    if items.null_count:
        kept = pc.cumulative_sum(items.is_valid().cast(pa.int64()))
        borders = pa.concat_arrays([pa.array([0], pa.int64()), kept]).take(borders)
        items = items.drop_null()
    return _bracketed(pc.binary_join(pa.ListArray.from_arrays(borders.cast(pa.int32()), items), ","))


def _bracketed(items: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise("[", items, "]", "")


class _Number(str):
    """A number as the JSON text has it: not read, so that it cannot lose digits."""

    __slots__ = ()


def _json_array(text: str) -> str | None:
    """Return a JSON array of scalars without its null and blank items, or None if the text is not one."""
    try:
        # NaN and Infinity are missing
        found = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=lambda _: None)
        array = "[" + ",".join(_json_item(item) for item in found if not _is_missing(item)) + "]"
        # an escape such as \ud800 is no character
        array.encode()
    except (ValueError, RecursionError):
        return None
    return array


def _is_missing(item: Any) -> bool:
    return item is None or (isinstance(item, str) and not item.strip())


def _json_item(item: Any) -> str:
    """Return the JSON text of a scalar. Raises `ValueError` for what no list can hold."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, _Number):
        if not math.isfinite(float(item)):
            raise ValueError(f"{item} is too large")
        return str(item)
    if isinstance(item, str):
        return json_string(item)
    raise ValueError("not a scalar")
