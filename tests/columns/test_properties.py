"""What holds for any column and any target."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import TYPES, Coerced, Target, coerce, json_string, json_strings, problems_of
from interakt_loader.columns.normalize import normalize_parts
from tests.columns import columns
from tests.thorough import examples

MISSING = object()
BAD = object()

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "datetime": (str,),
    "date": (str,),
    "list": (list,),
    "auto": (str, int, float, bool, list),
}


_CODES = {
    "unsupported_type",
    "not_text",
    "not_a_number",
    "not_a_boolean",
    "not_a_datetime",
    "not_a_date",
    "not_a_list",
    "out_of_range",
}

_PYTHONS = re.compile(r"nan|nat|none|null|inf|^b'|[^.]\.0$|<|>", re.IGNORECASE)
"""What Python and its libraries write where a value is missing, bytes, or a whole number that became a float."""


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def results(coerced: Coerced) -> list[Any]:
    """Return each value as Python reads its JSON, `MISSING` or `BAD`."""
    found: list[Any] = []
    for place, text in enumerate(coerced.json.to_pylist()):
        if place in coerced.problems:
            assert text is None
            found.append(BAD)
        else:
            found.append(MISSING if text is None else json.loads(text, parse_constant=_constant))
    return found


@examples(1500)
@given(
    columns.anything(),
    st.sampled_from(TYPES),
    st.sampled_from([None, "epoch_s", "epoch_ms", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S%z", "%d/%m/%Y %H:%M:%S.%f", "%Y%m%d"]),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
    st.sampled_from([".", ","]),
)
def test_any_value_by_any_target_is_json_of_its_type_or_missing_or_a_problem(
    values: pa.Array, kind: str, form: str | None, zone: str, decimal: str
) -> None:
    """Nothing raises, every JSON text is valid and of the target's JSON type, and every problem is of a real value."""
    coerced = coerce(values, Target(kind, form, None, zone, decimal))
    assert coerced.json.type == pa.string()
    assert len(coerced.json) == len(values)
    coerced.json.validate(full=True)
    for found in results(coerced):
        if found is MISSING or found is BAD:
            continue
        assert isinstance(found, _JSON_TYPES[kind])
        assert kind == "boolean" or not isinstance(found, bool) or kind == "auto"
        if not re.search("string|binary|uuid", str(values.type)):
            for text in found if isinstance(found, list) else [found]:
                assert not (isinstance(text, str) and _PYTHONS.search(text))
    for place, problem in coerced.problems.items():
        assert values.is_valid()[place].as_py()
        assert problem.code in _CODES
        assert problem.message
        assert len(problem.message) < 250


@examples(300)
@given(columns.anything(), st.sampled_from(TYPES), st.data())
def test_a_slice_is_coerced_as_its_part_of_the_whole(values: pa.Array, kind: str, data: st.DataObject) -> None:
    """A reader's batches are slices: an offset changes no value."""
    start = data.draw(st.integers(0, len(values)))
    whole, part = results(coerce(values, Target(kind))), results(coerce(values.slice(start), Target(kind)))
    assert part == whole[start:]


_SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


@examples(500)
@given(st.one_of([st.lists(st.one_of(st.none(), one)) for one in (*_SCALARS, *map(st.lists, _SCALARS))]))
def test_what_is_json_already_comes_back_equal(values: list[Any]) -> None:
    """Text, numbers, booleans and lists of them are read back as what they were; blank text is missing."""
    expected = [_without_blanks(one) for one in values]
    assert results(coerce(pa.array(values), Target())) == expected


def _without_blanks(value: Any) -> Any:
    if isinstance(value, list):
        return [one for one in value if _without_blanks(one) is not MISSING]
    return MISSING if value is None or (isinstance(value, str) and not value.strip()) else value


@examples(500)
@given(columns.texts())
def test_text_arrives_as_it_is(values: pa.Array) -> None:
    """A JSON reader gets back the very text that the column holds, unless it is blank."""
    expected = [MISSING if one is None or not one.strip() else one for one in values.to_pylist()]
    assert results(coerce(values, Target("string"))) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_strings_are_those_of_the_json_module(text: str) -> None:
    """Column and single text give the standard library's answer."""
    expected = json.dumps(text, ensure_ascii=False)
    assert json_string(text) == expected
    assert json.loads(json_strings(pa.array([None, text, None]))[1].as_py()) == text


@examples(300)
@given(columns.ints())
def test_whole_numbers_keep_every_digit(values: pa.Array) -> None:
    """Ints beyond 2**53 are written digit for digit."""
    assert coerce(values, Target()).json.to_pylist() == [
        None if one is None else str(one) for one in values.to_pylist()
    ]


@examples(500)
@given(columns.timestamps(zones=False))
def test_timestamps_are_cut_to_milliseconds_whatever_their_unit(values: pa.Array) -> None:
    """A count since 1970, before it too, is floored to milliseconds, or out of range."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    expected: list[Any] = []
    for count in values.cast(pa.int64()).to_pylist():
        if count is None:
            expected.append(MISSING)
            continue
        milliseconds = count * 1000 // per_second
        try:
            time = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=milliseconds)
        except OverflowError:
            expected.append(BAD)
            continue
        expected.append(time.isoformat(timespec="milliseconds") + "Z")
    assert results(coerce(values, Target())) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_first_and_last_instants_of_the_calendar_pass(unit: str) -> None:
    """Year 1 and year 9999 are dates; one unit beyond is out of range."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
    first, last = -62135596800 * per_second, 253402300800 * per_second - 1
    column = pa.array([first - 1, first, last, last + 1]).cast(pa.timestamp(unit))
    coerced = coerce(column, Target("date"))
    assert coerced.json.to_pylist() == [None, '"0001-01-01"', '"9999-12-31"', None]
    assert {place: one.code for place, one in coerced.problems.items()} == {0: "out_of_range", 3: "out_of_range"}


@given(columns.anything(), st.sampled_from(TYPES))
def test_the_problems_alone_are_the_same(values: pa.Array, type_: str) -> None:
    """Inference asks for the problems of a column only, which needs no JSON for most."""
    assert problems_of(normalize_parts(values), Target(type_)) == coerce(values, Target(type_)).problems
