"""Rows → what goes out and what is settled without a call. Here as the source is read; by a `ledger.Plan` else.

Both offer the same: `work_batches`, some rows at a time, for a load; `checked` for a dry run; and `unsent`, the report lines
of what a stopped load has not come to.
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
    """What becomes of the next rows."""

    calls: list[Message]
    """Go out."""
    settled: list[Outcome]
    """Rows for which there is no call, and which a person has to look at."""
    unchanged: pa.RecordBatch | None = None
    """The report lines of rows that were accepted before."""
    merged: int = 0
    """Rows that other rows' calls stand for: `Work.carried` says how they ended."""


WORK_BATCH = 1024
"""Rows that become messages at a time: as such, a row takes ten times the memory that it takes in Arrow."""

EXAMPLES = 3
"""Calls that a dry run shows as they would go out."""


class Prepares(Protocol):
    """Makes calls of a batch of rows: `mapping.Preparation`, or whatever has them already."""

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the calls, one row for each of the batch's, numbered from `first_row` on (schema `PREPARED`)."""
        ...

    def identities(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the same for rows that will not be sent: who they are about is enough."""
        ...


class Work(Protocol):
    """All rows of one load, gone through once."""

    examples: list[Message]
    """The first calls, once `checked` has come across them."""

    @property
    def calls(self) -> int | None:
        """How many calls there are to make; None: nobody knows yet."""
        ...

    def first_call(self) -> Message | None:
        """Return the first call as far as it can be seen without going through all rows; ask before `work_batches`."""
        ...

    def work_batches(self) -> Iterator[WorkBatch]:
        """Yield what becomes of the rows, some at a time."""
        ...

    def carried(self, outcomes: Sequence[Outcome], /) -> Iterator[list[Outcome]]:
        """Yield the outcomes of rows for which the calls of these rows stood, some at a time."""
        ...

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield report lines of all rows without sending any: those that could be sent are unsent."""
        ...

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` has not come to, and of those that they carry."""
        ...


class Streamed:
    """Rows as they come from the source; nothing is known of them before."""

    def __init__(self, prepare: Prepares, rows: Iterator[tuple[int, pa.RecordBatch]], kind: Kind) -> None:
        """Take batches, each with the number of its first row."""
        self._prepare, self._rows, self._kind = prepare, rows, kind
        self.examples: list[Message] = []
        self.calls: int | None = None
        self._left: pa.RecordBatch | None = None  # of a batch that has been read: rows that are no messages yet

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
        """Yield what becomes of the rows, some at a time."""
        for first, batch in self._rows:
            self._left = self._prepare(batch, first)
            while self._left.num_rows:
                work_batch, self._left = self._left.slice(0, WORK_BATCH), self._left.slice(WORK_BATCH)
                calls, invalid = messages(work_batch, self._kind)
                yield WorkBatch(calls, [Outcome.invalid(row) for row in invalid])

    def carried(self, _: Sequence[Outcome]) -> Iterator[list[Outcome]]:
        """Yield nothing: each row's call is its own, unless the schedule folds it into another."""
        return iter(())

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield report lines of all rows without sending any."""
        for first, batch in self._rows:
            prepared = self._prepare(batch, first)
            self.examples += first_calls(prepared, self._kind, EXAMPLES - len(self.examples))
            yield not_sent(prepared)

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` has not come to; they are not looked at closely."""
        if self._left is not None and self._left.num_rows:
            yield not_sent(self._left, stop)
        for first, batch in self._rows:
            yield not_sent(self._prepare.identities(batch, first), stop)


def first_calls(prepared: pa.RecordBatch, kind: Kind, count: int) -> list[Message]:
    """Return the first calls, `count` at most, that come of prepared rows."""
    if count <= 0:
        return []
    good = prepared.filter(pc.is_valid(prepared["body"])).slice(0, count)
    return messages(good, kind)[0]
