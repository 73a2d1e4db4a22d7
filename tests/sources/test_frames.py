"""pandas DataFrames as sources."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Target, coerce
from interakt_loader.errors import SourceError
from interakt_loader.sources import BATCH_ROWS, open_source
from tests.sources.reading import column, read, rows_of
from tests.sources.test_columns import values_of_any_kind


def test_a_frame_comes_in_slices_in_order_whatever_its_index() -> None:
    """Rows are positions: a shuffled, repeating index changes nothing, and no batch exceeds the bound."""
    count = 2 * BATCH_ROWS + 5
    frame = pd.DataFrame({"id": range(count)}, index=np.arange(count)[::-1] // 2)
    source = open_source(frame)
    assert (source.name, source.columns, source.rows, source.rows_exact) == ("DataFrame", ["id"], count, True)
    assert [batch.num_rows for batch in source.batches()] == [BATCH_ROWS, BATCH_ROWS, 5]
    assert [row["id"] for row in rows_of(source)] == list(range(count))


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pd.Series(["a", None]), ["a", None]),
        (pd.Series(["a", None], dtype=object), ["a", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([1.5, float("nan")]), [1.5, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())), [1, None]),
        (pd.Series([["x"], []], dtype=pd.ArrowDtype(pa.list_(pa.string()))), [["x"], []]),
        (pd.Series([pd.Timestamp("2020-01-01 05:30"), pd.NaT]), [datetime(2020, 1, 1, 5, 30), None]),
        (pd.Series(pd.period_range("2020-01", periods=2, freq="M")), ["2020-01", "2020-02"]),
        (pd.Series(pd.interval_range(0, 2)), ["(0, 1]", "(1, 2]"]),
        (pd.Series([1.5, 2.5], dtype="Sparse[float]"), [1.5, 2.5]),
        (pd.Series([np.array([1]), [2]]), [[1], [2]]),
    ],
    ids=str,
)
def test_every_dtype_has_a_column(series: pd.Series, expected: list[Any]) -> None:
    """NumPy, nullable, Arrow-backed, categorical and object columns all arrive with their values."""
    assert column(pd.DataFrame({"x": series}), "x") == expected


def test_times_with_a_zone_keep_it() -> None:
    """A zone-aware column is the same instants in the same zone."""
    frame = pd.DataFrame({"at": pd.to_datetime(["2020-01-01"]).tz_localize("Asia/Kolkata")})
    (batch,) = open_source(frame).batches()
    assert batch.schema.field("at").type.tz == "Asia/Kolkata"
    assert column(frame, "at")[0] == pd.Timestamp("2020-01-01", tz="Asia/Kolkata")


def test_objects_of_several_types_keep_them() -> None:
    """Each value has its own type, whatever stands beside it in the column or in the batch."""
    values: list[object] = [*range(BATCH_ROWS - 1), "text", "last", True, [1, "a"], 1j]
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    coerced = [coerce(batch.column(0), Target()) for batch in open_source(frame).batches()]
    assert [json for one in coerced for json in one.json.to_pylist()] == [
        *map(str, range(BATCH_ROWS - 1)),
        '"text"',
        '"last"',
        "true",
        '[1,"a"]',
        None,
    ]
    assert coerced[0].problems == {}
    assert [problem.code for problem in coerced[1].problems.values()] == ["unsupported_type"]


@pytest.mark.parametrize("dtype", [object, "category"])
def test_a_column_of_any_dtype_with_objects_in_it_is_read_value_by_value(dtype: Any) -> None:
    """Categories are values too, and half of a surrogate pair is refused where it stands."""
    values = [2, "a", True, date(2025, 1, 2), "\ud83d", None]
    (batch,) = open_source(pd.DataFrame({"x": pd.Series(values, dtype=object).astype(dtype)})).batches()
    coerced = coerce(batch.column(0), Target())
    assert coerced.json.to_pylist() == ["2", '"a"', "true", '"2025-01-02"', None, None]
    assert [(at, one.code) for at, one in coerced.problems.items()] == [(4, "not_text")]


def test_half_a_pair_in_pandas_own_text_is_refused() -> None:
    """Where pandas keeps text as Python's."""
    column = pd.Series(["a", "\ud83d", None], dtype=pd.StringDtype("python"))
    (batch,) = open_source(pd.DataFrame({"x": column})).batches()
    coerced = coerce(batch.column(0), Target())
    assert (coerced.json.to_pylist(), list(coerced.problems)) == (['"a"', None, None], [1])


def test_objects_are_columns_of_their_fields_wherever_the_first_stands() -> None:
    """Also where it is beyond the first batch, and values stand beside it."""
    values: list[object] = ["Pune", *[None] * BATCH_ROWS, {"city": "Delhi", "at": {"pin": 1}}]
    frame = pd.DataFrame({"home": pd.Series(values, dtype=object)})
    assert open_source(frame).columns == ["home", "home.city", "home.at.pin"]
    rows = [row for row in read(frame) if any(one is not None for one in row.values())]
    assert rows == [{"home": "Pune"}, {"home.city": "Delhi", "home.at.pin": 1}]


def test_labels_that_are_no_text_become_text() -> None:
    """Columns numbered by pandas can be named in a mapping."""
    assert open_source(pd.DataFrame([[1, 2]], columns=[0, ("a", "b")])).columns == ["0", "('a', 'b')"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["id", "id"]), "two columns are called 'id'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "two columns are called '1'"),
        (pd.DataFrame(index=[1, 2]), "the table has no columns"),
        (pd.DataFrame({"__problem__": [1]}), "the column name '__problem__' is reserved"),
        (pd.DataFrame([[1]], columns=pd.Index(["\ud83d"], dtype=object)), "the column name '.ud83d' is not text"),
        (pd.Series([1]), "pandas.Series is one column"),
    ],
)
def test_frames_that_cannot_be_read_say_why(frame: object, words: str) -> None:
    """Doubled, absent and reserved columns are refused before anything is read; so is a Series."""
    with pytest.raises(SourceError, match=words):
        open_source(frame)


def test_a_frame_without_rows_is_read_as_none() -> None:
    """An empty frame is a source of no rows, not an error."""
    source = open_source(pd.DataFrame({"id": []}))
    assert (source.rows, list(source.batches())) == (0, [])


def test_a_list_of_dicts_is_a_table_of_the_union_of_keys() -> None:
    """Dicts are rows; a key that a dict lacks is null there."""
    assert read([{"a": 1}, {"b": "x"}]) == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    assert open_source([{"a": 1}, {"b": "x"}]).columns == ["a", "b"]


@given(st.lists(st.tuples(values_of_any_kind, values_of_any_kind), min_size=1, max_size=6))
def test_frames_of_any_objects_have_one_row_each(pairs: list[tuple[Any, Any]]) -> None:
    """Whatever Python objects a frame holds, reading it neither raises nor loses a row."""
    frame = pd.DataFrame(
        {
            name: pd.Series([*values, None], dtype=object)[:-1]
            for name, values in zip("ab", zip(*pairs, strict=True), strict=True)
        }
    )
    assert len(read(frame)) == len(pairs)
