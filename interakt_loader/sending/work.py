"""Rows → the messages to send, and the rows that are settled without a call.

`Streamed` does it while the source is read. With a ledger, `ledger.Plan` does it after all rows were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.mapping import messages
from interakt_loader.model import Kind, Message, Outcome, Stop
from interakt_loader.report.outcomes import not_sent


class WorkBatch(NamedTuple):
    """Some rows, by what happens to them."""

    calls: list[Message]
    """Messages to send."""
    settled: list[Outcome]
    """Rows without a call that a person has to look at."""
    unchanged: pa.RecordBatch | None = None
    """Report lines of the rows that were accepted before."""
    merged: int = 0
    """How many rows are included in the calls of other rows. `Work.carried` says how they ended."""


WORK_BATCH = 1024
"""Rows that become messages at a time. A message takes ten times the memory of a row in Arrow."""

EXAMPLES = 3
"""Calls that a dry run shows as they would be sent."""


class Prepares(Protocol):
    """Turns a batch of rows into calls: `mapping.Preparation`, or an object that has the calls already."""

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return one call for each row, numbered from `first_row` on (schema `PREPARED`)."""
        ...

    def identities(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the same for rows that will not be sent, with nothing but their identities."""
        ...


class Work(Protocol):
    """All rows of one load. They are read once."""

    examples: list[Message]
    """The first calls, after `checked`."""

    @property
    def calls(self) -> int | None:
        """How many calls there are to make; None: not known yet."""
        ...

    def first_call(self) -> Message | None:
        """Return the first call, if it is found without reading all rows. To be called before `work_batches`."""
        ...

    def work_batches(self) -> Iterator[WorkBatch]:
        """Yield all rows, some at a time."""
        ...

    def carried(self, outcomes: Sequence[Outcome], /) -> Iterator[list[Outcome]]:
        """Yield the outcomes of the rows that these rows' calls included, some at a time."""
        ...

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of a dry run: rows that could be sent are unsent."""
        ...

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` did not reach, and of those that they carry."""
        ...


class Streamed:
    """Rows as they come from the source. Nothing is known about them in advance."""

    def __init__(self, prepare: Prepares, rows: Iterator[tuple[int, pa.RecordBatch]], kind: Kind) -> None:
        """Take batches, each with the number of its first row."""
        self._prepare, self._rows, self._kind = prepare, rows, kind
        self.examples: list[Message] = []
        self.calls: int | None = None
        # rows of the last batch that are not messages yet
        self._left: pa.RecordBatch | None = None

    def first_call(self) -> Message | None:
        """Return the first call of the first batch."""
        head = next(self._rows, None)
        if head is None:
            self.calls = 0
            return None
        self._rows = chain([head], self._rows)
        first, batch = head
        return next(iter(first_calls(self._prepare(batch, first), self._kind, 1)), None)

    def work_batches(self) -> Iterator[WorkBatch]:
        """Yield all rows, some at a time."""
        for first, batch in self._rows:
            self._left = self._prepare(batch, first)
            while self._left.num_rows:
                work_batch, self._left = self._left.slice(0, WORK_BATCH), self._left.slice(WORK_BATCH)
                calls, invalid = messages(work_batch, self._kind)
                yield WorkBatch(calls, [Outcome.invalid(row) for row in invalid])

    def carried(self, _: Sequence[Outcome]) -> Iterator[list[Outcome]]:
        """Yield nothing: each row has its own call. Only the schedule may combine them."""
        return iter(())

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of a dry run."""
        for first, batch in self._rows:
            prepared = self._prepare(batch, first)
            self.examples += first_calls(prepared, self._kind, EXAMPLES - len(self.examples))
            yield not_sent(prepared)

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` did not reach, without converting their values."""
        if self._left is not None and self._left.num_rows:
            yield not_sent(self._left, stop)
        for first, batch in self._rows:
            yield not_sent(self._prepare.identities(batch, first), stop)


def first_calls(prepared: pa.RecordBatch, kind: Kind, count: int) -> list[Message]:
    """Return the first calls of prepared rows, at most `count`."""
    if count <= 0:
        return []
    good = prepared.filter(pc.is_valid(prepared["body"])).slice(0, count)
    return messages(good, kind)[0]
