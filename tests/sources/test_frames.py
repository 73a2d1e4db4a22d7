"""pandas DataFrames as sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (pd.Series([1j, 2j]), ["1j", "2j"]),
        (pd.Series([1.5, 2.5], dtype="Sparse[float]"), [1.5, 2.5]),
        (pd.Series([1, "a"]), ["1", "a"]),
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


def test_a_mixed_column_has_one_type_in_all_batches() -> None:
    """One text at the end makes the whole column text: a value's type does not depend on its batch."""
    values: list[object] = [*range(BATCH_ROWS), "last"]
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert [batch.schema.field("x").type for batch in open_source(frame).batches()] == [pa.string()] * 2


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
        (pd.Series([1]), "a pandas Series is one column"),
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
