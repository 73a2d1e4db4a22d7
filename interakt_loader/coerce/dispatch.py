"""One column, one target: which of the rooms beside this one does it."""

from __future__ import annotations

import pyarrow as pa

from interakt_loader.coerce.booleans import booleans
from interakt_loader.coerce.json_text import quoted
from interakt_loader.coerce.lists import lists
from interakt_loader.coerce.numbers import numbers
from interakt_loader.coerce.target import Coerced, Target, side_by_side
from interakt_loader.coerce.texts import strings
from interakt_loader.coerce.times import dates, datetimes
from interakt_loader.plain import Kind, Plain, plains

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


def coerce(values: pa.Array, target: Target) -> Coerced:
    """Return the JSON text of each value, and the problems of those that cannot be sent, by position.

    `auto` makes a string of text and times of day, a number of ints, floats and decimals, and a boolean, datetime,
    date or list of its like; in a `Mixed` column each value goes by its own kind. Binary that is text in UTF-8 counts
    as text. Missing values (null, NaN, infinities, blank text) are null without a problem. Problem codes:
    `unsupported_type`, `not_text`, `not_a_number`, `not_a_boolean`, `not_a_datetime`, `datetime_invalid`,
    `not_a_date`, `not_a_list`, `out_of_range`. Never raises for a value or type.
    """
    if pa.types.is_dictionary(values.type) and len(values.dictionary) <= len(values):
        return _by_dictionary(values, target)
    return side_by_side([_of_one_kind(one, target) for one in plains(values)])


def _of_one_kind(values: Plain, target: Target) -> Coerced:
    kind, array, problems = values
    if kind in ("null", "other"):
        return Coerced(pa.nulls(len(array), pa.string()), problems)
    coerced = _coerced(array, kind, target)
    return Coerced(coerced.json, problems | coerced.problems) if problems else coerced


def _coerced(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    wanted = _BY_KIND[kind] if target.type == "auto" else target.type
    if wanted == "string":
        return strings(values, kind, target)
    if wanted == "number":
        return numbers(values, kind, target)
    if wanted == "boolean":
        return booleans(values, kind)
    if wanted == "list":
        return lists(values, kind, target, _of_one_kind)
    text, problems = (datetimes if wanted == "datetime" else dates)(values, kind, target)
    return Coerced(quoted(text), problems)


def _by_dictionary(values: pa.DictionaryArray, target: Target) -> Coerced:
    """Coerce each distinct value once."""
    distinct = coerce(values.dictionary, target)
    json = distinct.json.take(values.indices)
    if not distinct.problems:
        return Coerced(json, {})
    found = distinct.problems
    places = enumerate(values.indices.to_pylist())
    return Coerced(json, {place: found[index] for place, index in places if index in found})
