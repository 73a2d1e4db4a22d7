"""Lists, and text that holds one, as JSON arrays."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.json_text import json_string, json_strings
from interakt_loader.coerce.slow_lane import rewritten
from interakt_loader.coerce.target import Coerced, Target, side_by_side
from interakt_loader.plain import Kind, Plain, plains, problems_at, without
from interakt_loader.values import NOT_IN_A_LIST

Coerce = Callable[[Plain, Target], Coerced]


def lists(values: pa.Array, kind: Kind, target: Target, coerce: Coerce) -> Coerced:
    """Return plain values as JSON arrays; what is no list becomes a list of one.

    The items of a list are coerced by their own type, and missing ones are dropped. Text that starts with `[` is a
    JSON array; other text is split at the separator, and its items are trimmed and always strings.
    """
    by_their_type = Target(timezone=target.timezone)
    if kind == "list":
        return _from_lists(values, lambda items: coerce(items, by_their_type))
    if kind == "text":
        return _from_text(values, target.separator or ",")
    single = coerce(Plain(kind, values, {}), by_their_type)
    return Coerced(_bracketed(single.json), single.problems)


def of_texts(arrays: pa.StringArray) -> pa.StringArray:
    """Return JSON arrays with each item as a string, numbers digit for digit; as the API wants tags."""
    suspects = pc.match_substring_regex(arrays, r"[\[,][^\"\]]")
    return rewritten(arrays, suspects, _array_of_texts)


def _array_of_texts(array: str) -> str:
    items = json.loads(array, parse_int=_Number, parse_float=_Number)
    return "[" + ",".join(json_string(one if isinstance(one, str) else _json_item(one)) for one in items) + "]"


def _from_lists(values: pa.ListArray, coerce_items: Callable[[Plain], Coerced]) -> Coerced:
    items = side_by_side(
        [_nested(one) if one.kind == "list" else coerce_items(one) for one in plains(values.flatten())]
    )
    ends = pc.cumulative_sum(pc.list_value_length(values).fill_null(0).cast(pa.int64()))
    json = without(_joined(ends, items.json), values.is_null())
    if not items.problems:
        return Coerced(json, {})
    row_ends = ends.to_pylist()
    problems = {bisect_right(row_ends, place): problem for place, problem in reversed(items.problems.items())}
    bad = pc.is_in(pa.array(range(len(values)), pa.int64()), pa.array(problems, pa.int64()))
    return Coerced(without(json, bad), problems)


def _nested(items: Plain) -> Coerced:
    places = pc.indices_nonzero(items.values.is_valid()).to_pylist()
    return Coerced(pa.nulls(len(items.values), pa.string()), dict.fromkeys(places, NOT_IN_A_LIST[list]))


def _from_text(values: pa.StringArray, separator: str) -> Coerced:
    is_json = pc.starts_with(pc.utf8_ltrim_whitespace(values), "[")
    split = pc.split_pattern(without(values, is_json), separator)
    items = pc.utf8_trim_whitespace(split.flatten())
    items = without(items, pc.equal(items, ""))
    ends = pc.cumulative_sum(pc.list_value_length(split).fill_null(0).cast(pa.int64()))
    json_text = without(_joined(ends, json_strings(items)), split.is_null())
    if not pc.any(is_json).as_py():
        return Coerced(json_text, {})
    read = rewritten(values, is_json, _json_array)
    bad = pc.and_(is_json, read.is_null())
    expected = "starts with [ and is not a JSON array of text, numbers and booleans"
    return Coerced(pc.if_else(is_json, read, json_text), problems_at(values, bad, "not_a_list", expected))


def _joined(ends: pa.Int64Array, items: pa.StringArray) -> pa.StringArray:
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
    """A number as the JSON text has it: what need not be read cannot lose digits."""

    __slots__ = ()


class _NotFlat(ValueError):
    """The array has something inside that no list can hold."""


def _json_array(text: str) -> str | None:
    """Return a JSON array of scalars without its null and blank items, or None if the text is no such thing."""
    try:
        found = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_missing)
        array = "[" + ",".join(_json_item(one) for one in found if not _is_missing(one)) + "]"
        array.encode()  # an escape such as \ud800 stands for no character
    except (ValueError, RecursionError):
        return None
    return array


def _is_missing(item: Any) -> bool:
    return item is None or (isinstance(item, str) and not item.strip())


def _json_item(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, _Number):
        if not math.isfinite(float(item)):
            raise _NotFlat
        return str(item)
    if isinstance(item, str):
        return json_string(item)
    raise _NotFlat


def _missing(_: str) -> None:
    """Return what NaN and Infinity stand for."""
