"""The rows of a source that a load is about, and how many they are."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa


class Counted:
    """An iterator over batches that counts their rows."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        batch = next(self._batches)
        self.rows += batch.num_rows
        return batch


def selected(batches: Iterator[pa.RecordBatch], first: int, end: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows from `first` up to `end`; a source is not read beyond."""
    row = 0
    while end is None or row < end:
        batch = next(batches, None)
        if batch is None:
            return
        skipped = max(0, first - row)
        if skipped < batch.num_rows:
            yield batch.slice(skipped, None if end is None else end - row - skipped)
        row += batch.num_rows


def count_selected(rows: int | None, first: int, end: int | None) -> int | None:
    """Return how many of the source's rows are between the two; None: nobody knows."""
    return None if rows is None else max(0, (rows if end is None else min(rows, end)) - first)
