"""Read what comes once: it is kept in a temporary file as it comes, and so can be read again.

A second reading may be needed: for the failures file, or for `result.failures()`. An error of what comes is shown by
its type only: its text may hold values of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.sources.base import Batches, Source, flat_names
from interakt_loader.sources.spool import Spool
from interakt_loader.values import full_type

END = object()
"""What `next_item` returns at the end."""


class Once:
    """Batches that come once, and can be read again: each one is kept in a temporary file as it comes.

    The file is its owner's alone. It is removed with this object, or by the next run after a kill. If it cannot be
    written, the batches can be read only once.
    """

    def __init__(self, name: str, batches: Iterator[pa.RecordBatch]) -> None:
        self._name = name
        self._batches = batches
        self._kept: Spool | None = None
        self._count = self._rows = 0
        self._is_complete = True
        self._ended = self._broken = False

    def read(self) -> Batches:
        """Yield all batches: those that were read before from the file, and then the next ones."""
        at = 0
        while True:
            batch = self._next() if at == self._count else self._again(at)
            if batch is None:
                return
            yield batch
            at += 1

    def _again(self, at: int) -> pa.RecordBatch:
        if self._kept is None:
            raise SourceError(f"{self._name}: it can be read only once, and that has been done")
        return self._kept.batch(at)

    def _next(self) -> pa.RecordBatch | None:
        if self._broken:
            # Python's generators end after an error, which would look like the end of the rows
            raise SourceBroken(f"{self._name}: cannot be read further: it broke off{after(self._rows)}")
        if self._ended:
            return None
        try:
            batch = next(self._batches, None)
            if batch is None:
                # its cursor may be closed by now
                self._ended = True
                return None
            self._keep(batch)
        except BaseException:
            self._broken = True
            raise
        self._count += 1
        self._rows += batch.num_rows
        return batch

    def _keep(self, batch: pa.RecordBatch) -> None:
        if not self._is_complete:
            return
        try:
            self._kept = self._kept or Spool()
            self._kept.add(batch)
        except (OSError, SourceError, pa.ArrowException):
            self._kept, self._is_complete = None, False


def open_once(name: str, columns: list[str], batches: Iterator[pa.RecordBatch], *, open_ended: bool = False) -> Source:
    """Return batches that come once as a source."""
    read = Once(name, batches).read
    return Source(name=name, columns=columns, rows=None, rows_exact=False, read=read, open_ended=open_ended)


def open_reader(reader: pa.RecordBatchReader, name: str = "RecordBatchReader") -> Source:
    """Return a RecordBatchReader as a source."""
    return open_once(name, flat_names(reader.schema, name), batches_of(name, reader))


def batches_of(name: str, reader: pa.RecordBatchReader) -> Batches:
    """Yield the batches of a reader. Raises `SourceBroken`."""
    row = 0
    while (batch := next_item(name, reader, row)) is not END:
        row += batch.num_rows
        yield batch


def next_item(name: str, items: Iterator[Any], row: int) -> Any:
    """Return the next item, or `END`; after an error `failed` says what to raise."""
    try:
        return next(items, END)
    except InteraktLoaderError:
        raise
    except Exception as error:
        raise failed(name, error, row) from error


def failed(name: str, error: Exception, rows: int) -> Exception:
    """Return the error of a source that broke after so many rows, without the text of its cause."""
    if isinstance(error, InteraktLoaderError):
        return error
    broken = SourceBroken(f"{name}: cannot be read{after(rows)}: it raised {full_type(error)}")
    broken.__cause__ = error
    return broken


def after(rows: int) -> str:
    """Return after which row something broke, for a message."""
    return f" after row {rows - 1}" if rows else ""
