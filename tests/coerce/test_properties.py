"""What holds for any column and any target, and the columns at once against a plain value-by-value reference."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interakt_loader.coerce import TYPES, Coerced, Target, coerce, json_string, json_strings
from tests.coerce import columns

_MISSING = object()
_BAD = object()

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "datetime": (str,),
    "date": (str,),
    "list": (list,),
    "auto": (str, int, float, bool, list),
}


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _results(coerced: Coerced) -> list[Any]:
    """Return each value as Python reads its JSON, `_MISSING` or `_BAD`."""
    found: list[Any] = []
    for place, text in enumerate(coerced.json.to_pylist()):
        if place in coerced.problems:
            assert text is None
            found.append(_BAD)
        else:
            found.append(_MISSING if text is None else json.loads(text, parse_constant=_constant))
    return found


@settings(max_examples=1500, deadline=None)
@given(
    columns.anything(),
    st.sampled_from(TYPES),
    st.sampled_from([None, "epoch_s", "epoch_ms", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S%z"]),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
)
def test_any_value_by_any_target_is_json_of_its_type_or_missing_or_a_problem(
    values: pa.Array, kind: str, form: str | None, zone: str
) -> None:
    """Nothing raises, every JSON text is valid and of the target's JSON type, and every problem is of a real value."""
    coerced = coerce(values, Target(kind, form, None, zone))
    assert coerced.json.type == pa.string()
    assert len(coerced.json) == len(values)
    coerced.json.validate(full=True)
    for found in _results(coerced):
        if found is _MISSING or found is _BAD:
            continue
        assert isinstance(found, _JSON_TYPES[kind])
        assert kind == "boolean" or not isinstance(found, bool) or kind == "auto"
    for place, problem in coerced.problems.items():
        assert values.is_valid()[place].as_py()
        assert re.fullmatch("[a-z_]+", problem.code)
        assert problem.message
        assert len(problem.message) < 250


@settings(max_examples=300, deadline=None)
@given(columns.anything(), st.sampled_from(TYPES), st.data())
def test_a_slice_is_coerced_as_its_part_of_the_whole(values: pa.Array, kind: str, data: st.DataObject) -> None:
    """A reader's batches are slices: an offset changes no value."""
    start = data.draw(st.integers(0, len(values)))
    whole, part = _results(coerce(values, Target(kind))), _results(coerce(values.slice(start), Target(kind)))
    assert part == whole[start:]


@settings(max_examples=500, deadline=None)
@given(columns.texts())
def test_text_arrives_as_it_is(values: pa.Array) -> None:
    """A JSON reader gets back the very text that the column holds, unless it is blank."""
    expected = [_MISSING if one is None or not one.strip() else one for one in values.to_pylist()]
    assert _results(coerce(values, Target("string"))) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_strings_are_those_of_the_json_module(text: str) -> None:
    """Column and single text give the standard library's answer."""
    expected = json.dumps(text, ensure_ascii=False)
    assert json_string(text) == expected
    assert json.loads(json_strings(pa.array([None, text, None]))[1].as_py()) == text


def _number(value: Any) -> Any:
    if value is None:
        return _MISSING
    if not isinstance(value, str):
        return _MISSING if isinstance(value, float) and not math.isfinite(value) else float(value)
    text = value.strip().lower()
    if not text or re.fullmatch("[+-]?(nan|inf|infinity)", text):
        return _MISSING
    if not text.isascii():
        return _BAD
    whole = re.match(r"[+-]?([0-9,]*)", text)
    if whole and "," in whole[1]:
        western = re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", whole[1])
        indian = re.fullmatch(r"[0-9]{1,2}(,[0-9]{2})+,[0-9]{3}", whole[1])
        text = text.replace(",", "", whole[1].count(",")) if western or indian else "?"
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text):
        return _BAD
    return float(text) if math.isfinite(float(text)) else _BAD


@settings(max_examples=1000, deadline=None)
@given(st.one_of(columns.texts(), columns.floats(), columns.ints(), columns.decimals()))
def test_numbers_are_those_of_a_plain_reading(values: pa.Array) -> None:
    """A column at once gives what one value at a time gives."""
    found = [float(one) if isinstance(one, int) else one for one in _results(coerce(values, Target("number")))]
    assert found == [_number(one) for one in values.to_pylist()]


@settings(max_examples=300, deadline=None)
@given(columns.ints())
def test_whole_numbers_keep_every_digit(values: pa.Array) -> None:
    """Ints beyond 2**53 are written digit for digit."""
    assert coerce(values, Target()).json.to_pylist() == [
        None if one is None else str(one) for one in values.to_pylist()
    ]


def _boolean(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return _MISSING
    if isinstance(value, float) and not math.isfinite(value):
        return _MISSING
    if not isinstance(value, str):
        return bool(value) if value in (0, 1) else _BAD
    word = value.strip().lower()
    if word in ("yes", "true", "y", "t", "on", "1"):
        return True
    return False if word in ("no", "false", "n", "f", "off", "0") else _BAD


@settings(max_examples=500, deadline=None)
@given(st.one_of(columns.texts(), columns.floats(), columns.ints()))
def test_booleans_are_those_of_a_plain_reading(values: pa.Array) -> None:
    """A column at once gives what one value at a time gives."""
    assert _results(coerce(values, Target("boolean"))) == [_boolean(one) for one in values.to_pylist()]


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: ?(Z|z|UTC|([+-])(\d\d):?(\d\d)?))?)?",
    re.ASCII,
)


def _datetime(value: str | None, zone: str) -> Any:
    if value is None or not value.strip():
        return _MISSING
    match = _ISO.fullmatch(value.strip())
    if match is None:
        return _BAD
    parts = [int(one or 0) for one in match.groups()[:6]]
    try:
        time = dt.datetime(*parts, int((match[7] or "0")[:6].ljust(6, "0")))  # type: ignore[arg-type, call-arg]
        if match[9]:
            if int(match[10]) > 23 or int(match[11] or 0) > 59:
                return _BAD
            offset = dt.timedelta(hours=int(match[10]), minutes=int(match[11] or 0))
            time = time - offset if match[9] == "+" else time + offset
        elif not match[8]:
            time = time.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return _BAD
    return time.isoformat(timespec="milliseconds") + "Z"


@settings(max_examples=1500, deadline=None)
@given(columns.texts(), st.sampled_from(["UTC", "Asia/Kolkata", "+05:30"]))
def test_times_in_text_are_those_of_a_plain_reading(values: pa.Array, zone: str) -> None:
    """A column at once gives what one value at a time gives."""
    by_zoneinfo = "Asia/Kolkata" if zone == "+05:30" else zone
    found = _results(coerce(values, Target("datetime", timezone=zone)))
    expected = [_datetime(one, by_zoneinfo) for one in values.to_pylist()]
    # before 1946 India's clocks were not at +05:30
    modern = [place for place, one in enumerate(values.to_pylist()) if zone == "UTC" or (one or "9").strip() > "1946"]
    assert [found[place] for place in modern] == [expected[place] for place in modern]


@settings(max_examples=500, deadline=None)
@given(columns.timestamps(zones=False))
def test_timestamps_are_cut_to_milliseconds_whatever_their_unit(values: pa.Array) -> None:
    """A count since 1970, before it too, is floored to milliseconds, or out of range."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    expected: list[Any] = []
    for count in values.cast(pa.int64()).to_pylist():
        if count is None:
            expected.append(_MISSING)
            continue
        milliseconds = count * 1000 // per_second
        try:
            time = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=milliseconds)
        except OverflowError:
            expected.append(_BAD)
            continue
        expected.append(time.isoformat(timespec="milliseconds") + "Z")
    assert _results(coerce(values, Target())) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_first_and_last_instants_of_the_calendar_pass(unit: str) -> None:
    """Year 1 and year 9999 are dates; one unit beyond is out of range."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
    first, last = -62135596800 * per_second, 253402300800 * per_second - 1
    column = pa.array([first - 1, first, last, last + 1]).cast(pa.timestamp(unit))
    coerced = coerce(column, Target("date"))
    assert coerced.json.to_pylist() == [None, '"0001-01-01"', '"9999-12-31"', None]
    assert {place: one.code for place, one in coerced.problems.items()} == {0: "out_of_range", 3: "out_of_range"}
