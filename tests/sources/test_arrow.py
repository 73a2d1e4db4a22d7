"""Arrow data in memory, and what speaks its C stream."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import BATCH_ROWS, open_source
from tests.sources.reading import read, rows_of

TABLE = pa.table({"id": list(range(20_000)), "name": [f"n{i}" for i in range(20_000)]})


class Streaming:
    """Something that is nothing but an Arrow stream, and counts how often it is asked for it."""

    def __init__(self) -> None:
        self.asked = 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        self.asked += 1
        return TABLE.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (TABLE, 20_000),
        (TABLE.combine_chunks().to_batches()[0], 20_000),
        (pl.from_arrow(TABLE), 20_000),
        (Streaming(), None),
    ],
    ids=["Table", "RecordBatch", "polars", "stream"],
)
def test_tables_and_streams_can_be_read_again_and_again(data: Any, rows: int | None) -> None:
    """Each gives the same rows, in bounded batches, each time that it is read."""
    source = open_source(data)
    assert (source.name, source.columns, source.rows) == (type(data).__name__, ["id", "name"], rows)
    assert list(rows_of(source)) == TABLE.to_pylist()
    assert list(rows_of(source)) == TABLE.to_pylist()


def test_a_relation_of_duckdb_is_read_again_and_again() -> None:
    """It is a query. It runs once, and its rows are kept."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    relation = duckdb.sql("select range as id, 'n' || range as name from range(20000)")
    source = open_source(relation)
    assert (source.columns, source.rows) == (["id", "name"], None)
    assert list(rows_of(source)) == TABLE.to_pylist()
    assert list(rows_of(source)) == TABLE.to_pylist()


def test_a_stream_is_asked_for_once_per_reading() -> None:
    """Asking may run a query, so opening and the first reading share one stream."""
    data = Streaming()
    source = open_source(data)
    assert len(list(rows_of(source))) == 20_000
    assert data.asked == 1


def test_a_reader_can_be_read_again() -> None:
    """What it gave is kept."""
    source = open_source(TABLE.to_reader())
    assert source.rows is None
    assert list(rows_of(source)) == list(rows_of(source)) == TABLE.to_pylist()


def test_a_reader_whose_rows_cannot_be_kept_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for temporary files it is read once; the second reading is an error, not an empty table."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    source = open_source(TABLE.to_reader())
    assert len(list(rows_of(source))) == 20_000
    with pytest.raises(SourceError, match="RecordBatchReader: it can be read only once, and that has been done"):
        list(source.batches())


def test_a_stream_that_fails_midway_is_broken_at_a_row() -> None:
    """An error of the stream's own becomes SourceBroken, with the row reached and the cause kept."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from TABLE.slice(0, 100).to_batches()
        raise ZeroDivisionError("query died")

    source = open_source(pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    with pytest.raises(
        SourceBroken, match=r"RecordBatchReader: cannot be read after row 99: it raised a ZeroDivisionError"
    ):
        list(source.batches())


def test_a_dataset_is_read_in_order(tmp_path: Path) -> None:
    """The files of a dataset come one after another, and their rows are counted."""
    for part in range(3):
        pq.write_table(TABLE.slice(part * 5000, 5000), tmp_path / f"{part}.parquet")
    source = open_source(ds.dataset(tmp_path))
    assert (source.name, source.rows, source.rows_exact) == ("FileSystemDataset", 15_000, True)
    assert [row["id"] for row in rows_of(source)] == list(range(15_000))


def test_polars_types_arrive_in_the_usual_ones() -> None:
    """Text, categories and lists of text do not stay in the form of views."""
    frame = pl.DataFrame(
        {"t": ["x", None], "c": pl.Series(["u", None], dtype=pl.Categorical), "l": [["p"], []], "b": [b"1", b"2"]}
    )
    (batch,) = open_source(frame).batches()
    text = pa.large_string()
    assert [f.type for f in batch.schema] == [
        text,
        pa.dictionary(pa.uint32(), text),
        pa.large_list(text),
        pa.large_binary(),
    ]
    assert read(frame) == frame.to_dicts()


def test_batches_without_rows_are_left_out() -> None:
    """A stream may hold empty batches; nobody downstream meets one."""
    batches = [TABLE.slice(0, 0).combine_chunks().to_batches(), TABLE.slice(0, 3).to_batches()]
    empty = pa.RecordBatch.from_pylist([], schema=TABLE.schema)
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, [empty, *batches[1], empty])
    assert [batch.num_rows for batch in open_source(reader).batches()] == [3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pl.Series([1]), r"polars\.Series is one column and no table: give \.to_frame\(\)"),
        (pa.table([[1], [2]], names=["a", "a"]), "two columns are called 'a'"),
        (pa.table({}), "no columns"),
        (pa.table({"a": [{"b": {"c": 1}, "b.c": 2}]}), "the struct 'a' would give a second column 'a.b.c'"),
        (pa.array([1]), r"pyarrow\.Int64Array is one column and no table: give pyarrow\.table"),
        ({"a": [1]}, r"a dict is no table: of columns, give pyarrow\.table\(data\)"),
        (42, "an int is no table: expected"),
        ("", "the path of the source is empty"),
        ([], "an empty list is no table"),
        ([1, 2], "a list of int is no table"),
        ([{"a": 1}, 2], "expected dicts, but item 1 is an int"),
    ],
)
def test_what_is_no_table_is_refused_with_what_was_expected(data: object, words: str) -> None:
    """One line says what was given and what would do."""
    with pytest.raises(SourceError, match=words) as refused:
        open_source(data)
    assert "\n" not in str(refused.value)


def test_slices_of_a_table_are_views() -> None:
    """Reading a table in memory does not copy it."""
    before = pa.total_allocated_bytes()
    batches = list(open_source(TABLE).batches())
    assert len(batches) == -(-20_000 // BATCH_ROWS)
    assert pa.total_allocated_bytes() - before < TABLE.nbytes // 10
