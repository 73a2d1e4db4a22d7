"""Rows → the messages to send, and the rows that are settled without a call.

`Streamed` does it while the source is read. With a ledger, `ledger.Plan` does it after all rows were read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.mapping import messages
from interakt_loader.model import Kind, Message, Outcome, Status, Stop
from interakt_loader.report.outcomes import from_outcomes, in_order, not_sent
from interakt_loader.sending.pending import PendingCall, carried, outcome, unsent


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
    """Rows as they come from the source. Nothing is known about them in advance.

    The rows of a group (`mapping.groups`) are in one batch.
    """

    def __init__(
        self,
        prepare: Prepares,
        rows: Iterator[tuple[int, pa.RecordBatch]],
        kind: Kind,
        label: Callable[[int], str] = str,
    ) -> None:
        """Take batches, each with the number of its first row. `label` gives a row's number as people read it."""
        self._prepare, self._rows, self._kind, self._label = prepare, rows, kind, label
        self.examples: list[Message] = []
        self.calls: int | None = None
        # rows of the last batch that are not messages yet
        self._left: pa.RecordBatch | None = None
        # by carrier: the rows, with their sources, whose events are part of its call, until it is settled
        self._grouped: dict[int, list[tuple[int, str | None]]] = {}

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
            self._left = self._without_grouped(self._prepare(batch, first))
            merged = batch.num_rows - self._left.num_rows
            while self._left.num_rows:
                work_batch, self._left = self._left.slice(0, WORK_BATCH), self._left.slice(WORK_BATCH)
                calls, invalid = messages(work_batch, self._kind)
                yield WorkBatch(calls, [Outcome.invalid(row) for row in invalid], merged=merged)
                merged = 0

    def _without_grouped(self, prepared: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that have a call of their own, or none, and keep the others with their carriers."""
        is_own = prepared["carrier"].is_null()
        if prepared["carrier"].null_count == prepared.num_rows:
            return prepared
        others = prepared.filter(pc.invert(is_own))
        for carrier, row, source in zip(
            *(others[name].to_pylist() for name in ("carrier", "row", "source")), strict=True
        ):
            self._grouped.setdefault(carrier, []).append((row, source))
        return prepared.filter(is_own)

    def carried(self, outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
        """Yield the outcomes of the rows that are one event with these rows."""
        if self._grouped:
            for one in outcomes:
                message, rows = one.message, self._grouped.pop(one.message.row, ())
                if rows and isinstance(message, Message):
                    others = (message._replace(row=row, source=source) for row, source in rows)
                    yield [carried(other, one, "grouped", self._label) for other in others]

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of a dry run."""
        for first, batch in self._rows:
            prepared = self._without_grouped(self._prepare(batch, first))
            self.examples += first_calls(prepared, self._kind, EXAMPLES - len(self.examples))
            lines = not_sent(prepared)
            yield in_order([lines, *self._lines_of_grouped(prepared)]) if self._grouped else lines

    def _lines_of_grouped(self, prepared: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the lines that the rows of groups have if each of these calls is accepted."""
        carriers = [one for one in messages(prepared, self._kind)[0] if one.row in self._grouped]
        sent = [outcome(PendingCall(one), Status.SENT, time.time(), None) for one in carriers]
        yield from map(from_outcomes, self.carried(sent))

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` did not reach, without converting their values."""
        if self._left is not None and self._left.num_rows:
            yield not_sent(self._left, stop)
            if self._grouped:
                left = [unsent(one, stop) for one in messages(self._left, self._kind)[0]]
                yield from map(from_outcomes, self.carried(left))
        for first, batch in self._rows:
            yield not_sent(self._prepare.identities(batch, first), stop)


def first_calls(prepared: pa.RecordBatch, kind: Kind, count: int) -> list[Message]:
    """Return the first calls of prepared rows, at most `count`."""
    return messages(first_rows(prepared, count), kind)[0]


def first_rows(prepared: pa.RecordBatch, count: int) -> pa.RecordBatch:
    """Return the first rows with a call, at most `count`."""
    return prepared.filter(pc.is_valid(prepared["body"])).slice(0, count) if count > 0 else prepared.slice(0, 0)
