"""A look at the first rows of a source that costs none of them, even where it can be read only once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources.base import Batches, Source
from interakt_loader.sources.headings import is_counter, is_unnamed

_SAMPLE_ROWS = 100


def peek(source: Source, rows: int) -> tuple[list[pa.RecordBatch], Source]:
    """Return the first rows, and the source with them put back: read that one from then on.

    What was read for the look is not read again, and the rest is read on from there; only a second reading starts
    anew. Raises SourceError where the source breaks off that early.
    """
    unread = [source.read()]
    seen: list[pa.RecordBatch] = []

    def begin() -> Batches:
        for batch in unread[0]:
            seen.append(batch)
            yield batch

    def read() -> Batches:
        if not unread:
            yield from source.read()
            return
        with closing(unread.pop()) as rest:
            while seen:
                yield seen.pop(0)
            yield from rest

    head: list[pa.RecordBatch] = []
    try:
        for batch in replace(source, read=begin).batches():
            head.append(batch.slice(0, rows))
            rows -= head[-1].num_rows
            if rows == 0:
                break
    except SourceBroken as error:
        raise SourceError(str(error)) from error
    return head, replace(source, read=read)


def without_counter(source: Source) -> Source:
    """Return the source without a first column that has no name, or pandas' `Unnamed: 0`, and that counts the rows."""
    if len(source.columns) < 2 or not is_unnamed(source.columns[0]):
        return source
    name = source.columns[0]
    head, source = peek(source, _SAMPLE_ROWS)
    if not is_counter(name, [value for batch in head for value in batch.column(name).to_pylist()]):
        return source
    note = f"{source.path or source.name}: {name!r}, which counts the rows, is left out"
    return replace(source, left_out=source.left_out | {name}, notes=[*source.notes, note])
