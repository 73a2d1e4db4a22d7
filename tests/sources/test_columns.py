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

from interakt_loader.sources.columns import text_type, to_arrow

INDIA = timezone(timedelta(hours=5, minutes=30))


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "a"], ["1", "a"]),
        ([1.0, "a", 2.5], ["1", "a", "2.5"]),
        ([919876543210.0, "+91"], ["919876543210", "+91"]),
        ([True, 1], ["true", "1"]),
        ([1.5, True], ["1.5", "true"]),
        (["a", b"b"], ["a", "b"]),
        (["a", None, float("nan"), pd.NaT, pd.NA], ["a", None, None, None, None]),
        ([1, "a", float("nan"), Decimal("NaN")], ["1", "a", None, None]),
        ([date(2020, 1, 1), datetime(2020, 1, 1, 5)], ["2020-01-01", "2020-01-01T05:00:00"]),
        ([datetime(2020, 1, 1, 5), 5], ["2020-01-01T05:00:00", "5"]),
        (
            [datetime(2020, 1, 1, 5), datetime(2020, 1, 1, 5, tzinfo=INDIA)],
            ["2020-01-01T05:00:00", "2020-01-01T05:00:00+05:30"],
        ),
        ([Decimal("1.50"), 2.5], ["1.50", "2.5"]),
        ([2**70], [str(2**70)]),
        ([2**60 + 1, 1.5, float("nan")], [str(2**60 + 1), "1.5", None]),
        (["\ud83d\ude00", "\ud800"], ["\U0001f600", "\ufffd"]),
        (["a", ["b", 1]], ["a", '["b", 1]']),
        ([{"a": 1}, {"a": "x"}], None),
        ([uuid.UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        ([float("inf"), "a"], ["inf", "a"]),
    ],
)
def test_values_of_several_kinds_become_text(values: list[Any], expected: list[str | None] | None) -> None:
    """A mixture is text, value by value: digits without .0, ISO times, nothing shortened."""
    array = to_arrow(values)
    if expected is None:  # dicts that agree on no type are refused by Arrow and become JSON
        assert array.to_pylist() == ['{"a": 1}', '{"a": "x"}']
    else:
        assert array.type == pa.string()
        assert array.to_pylist() == expected


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
        ([timedelta(1), np.timedelta64(5, "ns")], pa.duration("us")),
        ([{"a": 1}, {"b": "x"}], pa.struct({"a": pa.int64(), "b": pa.string()})),
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
        ([{"b", "a", "c"}, frozenset({10, 9})], [["a", "b", "c"], ["10", "9"]]),
        ([[1, "a"], [2]], [["1", "a"], ["2"]]),
        ([[None, float("nan"), 1]], [[None, None, 1]]),
        ([[[1]], [["a"]]], [["[1]"], ['["a"]']]),
        ([np.zeros((2, 2))], [[[0.0, 0.0], [0.0, 0.0]]]),
        ([np.array(["2020-01-01"], "datetime64[ns]")], [[datetime(2020, 1, 1)]]),
    ],
)
def test_lists_of_any_dress_become_arrow_lists(values: list[Any], expected: list[Any]) -> None:
    """Lists, tuples, arrays and sets are lists; mixed items are text; sets have an order that repeats."""
    array = to_arrow(values)
    assert pa.types.is_list(array.type)
    assert array.to_pylist() == expected


def test_the_type_of_a_whole_column_holds_for_its_parts() -> None:
    """A part that has one kind alone is text too when the column it is of has several."""
    column = [1, 2, "a"]
    assert to_arrow(column[:2], text_type(column)).to_pylist() == ["1", "2"]
    assert to_arrow([[1]], text_type([[1], ["a"]])).to_pylist() == [["1"]]
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
