"""A look at the head of a source: what it shows, and that no row is lost or read twice by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import SourceError
from interakt_loader.sources import SOURCE_COLUMN, Source, open_source, peek
from interakt_loader.sources.base import BATCH_ROWS

SCHEMA = pa.schema([("n", pa.int64())])


def batches_of(sizes: list[int]) -> list[pa.RecordBatch]:
    """Return batches of these sizes that count from 0."""
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return [
        pa.RecordBatch.from_pydict({"n": pa.array(range(start, start + size), pa.int64())})
        for start, size in zip(starts, sizes, strict=True)
    ]


def numbers(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> list[int]:
    return [number for batch in batches for number in batch["n"].to_pylist()]


@given(sizes=st.lists(st.integers(0, 50), max_size=8), rows=st.integers(1, 200), once=st.booleans())
def test_the_head_is_shown_and_put_back(sizes: list[int], rows: int, once: bool) -> None:
    """Whatever the batches, also of a reader, which comes once: the first rows, and then all rows in order, twice."""
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches_of(sizes))
    head, source = peek(open_source(reader if once else reader.read_all()), rows)
    everything = list(range(sum(sizes)))
    assert numbers(head) == everything[:rows]
    assert numbers(source.batches()) == everything
    assert numbers(source.batches()) == everything


def test_a_look_that_nobody_follows_up_can_be_repeated() -> None:
    """A look at what has been looked at shows the same rows, also of a reader."""
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches_of([3, 3]))
    head, source = peek(open_source(reader), 4)
    again, source = peek(source, 2)
    assert (numbers(head), numbers(again), numbers(source.batches())) == ([0, 1, 2, 3], [0, 1], [0, 1, 2, 3, 4, 5])


def test_no_more_is_read_than_is_looked_at() -> None:
    """A stream that takes hours is not waited for."""
    read: list[int] = []

    def slowly() -> Iterator[pa.RecordBatch]:
        for at, batch in enumerate(batches_of([10, 10, 10])):
            read.append(at)
            yield batch

    _, source = peek(open_source(pa.RecordBatchReader.from_batches(SCHEMA, slowly())), 15)
    assert read == [0, 1]
    assert len(numbers(source.batches())) == 30
    assert read == [0, 1, 2]


def test_a_large_batch_is_cut_as_ever() -> None:
    """What is put back keeps the promise of all sources: batches of BATCH_ROWS at most."""
    _, source = peek(open_source(batches_of([BATCH_ROWS * 2 + 1])[0]), 10)
    assert [batch.num_rows for batch in source.batches()] == [BATCH_ROWS, BATCH_ROWS, 1]


def test_the_path_rides_along(tmp_path: Path) -> None:
    """Rows that were looked at have their file's name like all others."""
    path = tmp_path / "n.csv"
    path.write_text("n\n1\n2\n", encoding="utf-8")
    head, source = peek(open_source(path), 1)
    assert [batch[SOURCE_COLUMN].to_pylist() for batch in (*head, *source.batches())] == [[str(path)], [str(path)] * 2]


def test_a_source_that_breaks_off_that_early_is_refused() -> None:
    """Nothing has been sent by then, so the caller can fix it."""

    def broken() -> Iterator[pa.RecordBatch]:
        yield batches_of([3])[0]
        raise OSError("the disk is gone")

    source: Source = open_source(pa.RecordBatchReader.from_batches(SCHEMA, broken()))
    with pytest.raises(SourceError, match="cannot be read after row 2: it raised an OSError"):
        peek(source, 10)
