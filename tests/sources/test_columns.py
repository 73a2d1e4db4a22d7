"""Python values become Arrow columns without one of them being bent or refused."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import null_where
from interakt_loader.sources.memory import records_to_batch, text_type, to_arrow

INDIA = timezone(timedelta(hours=5, minutes=30))


class Colour(Enum):
    RED = "red"


def sent(values: list[Any]) -> list[str]:
    """Return the JSON of each value, or the code of its refusal."""
    coerced = coerce(to_arrow(values), Target())
    assert all(json is None or place not in coerced.problems for place, json in enumerate(coerced.json.to_pylist()))
    return [
        coerced.problems[place].code if place in coerced.problems else json
        for place, json in enumerate(coerced.json.to_pylist())
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "a"], ["1", '"a"']),
        ([1.0, "a", 2.5], ["1", '"a"', "2.5"]),
        ([919876543210.0, "+91"], ["919876543210", '"+91"']),
        ([True, 1], ["true", "1"]),
        ([1.5, True], ["1.5", "true"]),
        (["a", b"b"], ['"a"', '"b"']),
        (["a", b"\xff"], ['"a"', "not_text"]),
        (["a", None, float("nan"), pd.NaT, pd.NA], ['"a"', None, None, None, None]),
        ([1, "a", float("nan"), Decimal("NaN")], ["1", '"a"', None, None]),
        ([date(2020, 1, 1), datetime(2020, 1, 1, 5)], ['"2020-01-01"', '"2020-01-01T05:00:00.000Z"']),
        ([datetime(2020, 1, 1, 5), 5], ['"2020-01-01T05:00:00.000Z"', "5"]),
        (
            [datetime(2020, 1, 1, 5), datetime(2020, 1, 1, 5, tzinfo=INDIA)],
            ['"2020-01-01T05:00:00.000Z"', '"2019-12-31T23:30:00.000Z"'],
        ),
        ([Decimal("1.50"), 2.5], ["1.50", "2.5"]),
        ([Decimal("1.50"), Decimal("2")], ["1.50", "2"]),
        ([2**70], [str(2**70)]),
        ([2**63], [str(2**63)]),
        ([2**60 + 1, 1.5, float("nan")], [str(2**60 + 1), "1.5", None]),
        ([10**400, 1], ["out_of_range", "1"]),
        (["\ud83d\ude00", "\ud800"], ['"\U0001f600"', "not_text"]),
        (["a", ["b", 1]], ['"a"', '["b",1]']),
        ([[1, "a"], [], None, [None]], ['[1,"a"]', "[]", None, "[]"]),
        ([[[1]], [["a"]]], ["unsupported_type"] * 2),
        ([[{"a": 1}], ["a"]], ["unsupported_type", '["a"]']),
        ([np.zeros((2, 2))], ["unsupported_type"]),
        ([timedelta(1), np.timedelta64(5, "ns")], ["unsupported_type"] * 2),
        ([uuid.UUID(int=1)], ['"00000000-0000-0000-0000-000000000001"']),
        ([float("inf"), "a"], [None, '"a"']),
        ([1j, object()], ["unsupported_type"] * 2),
        ([frozenset({10, 9}), {"b", "a", "c"}], ["[10,9]", '["a","b","c"]']),
    ],
)
def test_each_value_keeps_its_own_type(values: list[Any], expected: list[str | None]) -> None:
    """A mixture is sent value by value: nothing becomes text, and nothing is shortened."""
    assert sent(values) == expected
    assert [one for value in values for one in sent([value])] == expected
    assert sent(values[::-1]) == expected[::-1]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("string", ['"1"', '"1.5"', '"true"', '"a"', f'"{2**70}"', "not_text", '"2020-01-01"', None]),
        ("number", ["1", "1.5", "1", "not_a_number", str(2**70), "not_a_number", "not_a_number", None]),
        ("boolean", ["true", "not_a_boolean", "true", *["not_a_boolean"] * 4, None]),
        ("list", ["[1]", "[1.5]", "[true]", '["a"]', f"[{2**70}]", '["x",2]', '["2020-01-01"]', None]),
        ("date", ["not_a_date"] * 6 + ['"2020-01-01"', None]),
        ("datetime", ["not_a_datetime"] * 6 + ['"2020-01-01T00:00:00.000Z"', None]),
    ],
)
def test_each_value_of_a_mixture_is_coerced_by_its_own_type(target: str, expected: list[str | None]) -> None:
    """With a type in the mapping, a value is sent or refused as in a column of its like."""
    coerced = coerce(to_arrow([1, 1.5, True, "a", 2**70, ["x", 2], date(2020, 1, 1), None]), Target(target))
    found = [
        coerced.problems[at].code if at in coerced.problems else one for at, one in enumerate(coerced.json.to_pylist())
    ]
    assert found == expected


def test_a_time_with_a_zone_is_the_date_of_its_own_zone() -> None:
    """Also where each value of a column has another one."""
    late = datetime(2020, 1, 1, 23, tzinfo=timezone(-timedelta(hours=5)))
    early = datetime(2020, 1, 1, 1, tzinfo=INDIA)
    coerced = coerce(to_arrow([late, early, "2020-01-01T23:00:00-05:00"]), Target("date"))
    assert coerced == (pa.array(['"2020-01-01"'] * 3), {})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], pa.int64()),
        ([1, float("nan")], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([True, None], pa.bool_()),
        (["a", None], pa.string()),
        ([Colour.RED, "blue"], pa.string()),
        ([np.int64(1), 2], pa.int64()),
        ([date(2020, 1, 1)], pa.date32()),
        ([datetime(2020, 1, 1), pd.NaT], pa.timestamp("us")),
        ([pd.Timestamp("2020-01-01", tz="UTC")], pa.timestamp("us", "UTC")),
        ([np.datetime64("2020-01-01T00:00:00.000000000"), datetime(2020, 1, 1)], pa.timestamp("us")),
        ([Decimal("1.5"), Decimal("NaN")], pa.decimal128(2, 1)),
        ([time(1)], pa.time64("us")),
        ([1, 2**53, 2.5], pa.float64()),
        ([pa.scalar("x"), pa.scalar(None, pa.string())], pa.string()),
        ([pa.scalar(1), 2], pa.int64()),
        ([None], pa.null()),
        ([], pa.null()),
    ],
)
def test_values_of_one_kind_keep_their_type(values: list[Any], kind: pa.DataType) -> None:
    """Arrow's own inference is used where it loses nothing."""
    array = to_arrow(values)
    assert array.type == kind
    assert len(array) == len(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 2], None, []], [[1, 2], None, []]),
        ([(1, 2)], [[1, 2]]),
        ([np.array(["x", "y"]), ["z"]], [["x", "y"], ["z"]]),
        ([[None, float("nan"), 1]], [[None, None, 1]]),
        ([np.array(["2020-01-01"], "datetime64[ns]")], [[datetime(2020, 1, 1)]]),
    ],
)
def test_lists_of_any_dress_become_arrow_lists(values: list[Any], expected: list[Any]) -> None:
    """Lists, tuples and arrays are lists."""
    array = to_arrow(values)
    assert pa.types.is_list(array.type)
    assert array.to_pylist() == expected


def test_objects_are_laid_out_row_by_row() -> None:
    """An object is its fields, a value beside it stays one, an exact name beats a field, and two fields are refused."""
    records: list[dict[str, Any]] = [
        {"a": {"b": 1}},
        {"a": "x"},
        {"a.b": 2},
        {"a": {"b": 3}, "a.b": 4},
        {"a": {}},
        {"a": {"\ud83d": 1}},
        {"a": {1: "i", "1": "t"}},
        {"a": {"b": None, "c": {"d": True}, "c.d": False}},
        {"a.b": None, "a": {"b": 5}},
    ]
    batch = records_to_batch(records)
    assert batch.schema.names == ["a", "a.b", "a.c.d"]
    found = {name: coerce(batch.column(name), Target()) for name in batch.schema.names}
    assert found["a"].json.to_pylist() == [None, '"x"', *[None] * 7]
    assert {row: one.code for row, one in found["a"].problems.items()} == {5: "not_text", 6: "unsupported_type"}
    assert found["a.b"].json.to_pylist() == ["1", None, "2", "4", *[None] * 4, "5"]
    assert not found["a.b"].problems
    assert list(found["a.c.d"].problems) == [7]


def test_objects_that_no_call_has_room_for_are_refused_at_once() -> None:
    """One that holds itself, twice over, a deep one, one that is large by its repetitions, and a wide one."""
    itself: dict[str, Any] = {"x": 1}
    itself |= {"a": itself, "b": itself}
    repeated: dict[str, Any] = {"v": 1}
    deep: dict[str, Any] = {"v": 1}
    for _ in range(900):
        deep = {"k": deep}
    for _ in range(40):
        repeated = {"l": repeated, "r": repeated}
    wide = {f"k{at}": at for at in range(100_000)}
    for value in (itself, repeated, deep, wide):
        batch = records_to_batch([{"o": value}, {"o": 1}])
        assert batch.num_columns < 200
        found = [problem for column in batch.columns for problem in coerce(column, Target()).problems.items()]
        assert {(row, problem.code) for row, problem in found} == {(0, "unsupported_type")}


def test_values_are_given_back_as_they_were() -> None:
    """What a person has to look at stands in `failures()` as it stood in the input, also what cannot be sent."""
    values = [1, "a", 2**70, Decimal("1.5"), datetime(2020, 1, 1, tzinfo=INDIA), "\ud83d", [{"a": 1}], [[1], "x"], None]
    array = to_arrow(values)
    assert array.to_pylist() == values
    assert pa.RecordBatch.from_arrays([array], ["x"]).slice(3).to_pylist() == [{"x": one} for one in values[3:]]
    gone = null_where(array, pa.array([True] * 4 + [False] * 5))
    assert gone.to_pylist() == [None] * 4 + values[4:]


def test_the_text_of_a_workbooks_column_of_several_types() -> None:
    """There, all become text when the type says so."""
    column = [1, 2.0, "a", True, datetime(2020, 1, 1, 5)]
    assert text_type(column) == pa.string()
    assert to_arrow(column, pa.string()).to_pylist() == ["1", "2", "a", "true", "2020-01-01T05:00:00"]
    assert text_type([1, 2.5, None]) is None


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs"]))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.datetimes(timezones=st.just(INDIA))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.sampled_from(
        [pd.NaT, pd.NA, Colour.RED, np.float32(1.5), np.datetime64("NaT", "ns"), pd.Interval(0, 1), object()]
    )
)
values_of_any_kind = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.lists(values_of_any_kind, max_size=8))
def test_any_values_make_a_column_with_one_row_each(values: list[Any]) -> None:
    """No mixture of Python objects raises, and none loses or gains a row."""
    array = to_arrow(values)
    array.validate(full=True)
    assert len(array) == len(values)
