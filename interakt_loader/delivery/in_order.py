"""Outcomes back in the input's order, as far as a short wait brings the missing ones."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from interakt_loader.callbacks import OnError, tell
from interakt_loader.report.outcomes import from_outcomes
from interakt_loader.wire import Outcome, Status

PATIENCE = 1.0
"""Seconds that an outcome is held back for the sake of the input's order."""

MOST_HELD = 65_536
"""Report lines of unchanged rows that are held back at most."""


class InOrder:
    """Takes outcomes, and report lines that are ready made, and hands them on as report lines.

    `on_error` hears of a failed row once its line is on record: when the batch that was yielded has been used.
    """

    def __init__(self, on_error: OnError | None = None, first_row: int = 0, most_held: int = MOST_HELD) -> None:
        self._on_error = on_error
        self._most_held = most_held
        self._outcomes: list[Outcome] = []
        self._lines: list[tuple[float, pa.RecordBatch]] = []  # each with the instant from which it is not held back
        self._next = first_row  # the row that is due

    def add(self, outcomes: Iterable[Outcome], lines: pa.RecordBatch | None = None) -> Iterator[pa.RecordBatch]:
        """Take them in; return an iterator over what may go out now."""
        self._outcomes.extend(outcomes)
        if lines is not None:
            self._lines.append((time.time(), lines))
        return self._ready(time.time() - PATIENCE)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Return everything that is still held, in order."""
        return self._ready(float("inf"))

    def _ready(self, not_since: float) -> Iterator[pa.RecordBatch]:
        too_many = len(self._outcomes) > self._most_held or sum(one.num_rows for _, one in self._lines) > MOST_HELD
        overdue = [one.message.row for one in self._outcomes if too_many or one.finished_at <= not_since]
        overdue += [lines["row"][-1].as_py() for since, lines in self._lines if too_many or since <= not_since]
        self._next = max([self._next, *(row + 1 for row in overdue)])  # what should come before is not waited for
        before = self._next = self._complete_before()
        out = [one for one in self._outcomes if one.message.row < before]
        pieces = [from_outcomes(out)] if out else []
        if len(out) == len(self._outcomes):
            self._outcomes = []
        elif out:
            self._outcomes = [one for one in self._outcomes if one.message.row >= before]
        pieces += self._lines_before(before)
        if pieces:
            yield _sorted(pieces)
            if self._on_error is not None:
                for one in sorted(out, key=lambda one: one.message.row):
                    if one.status is not Status.UNSENT:
                        tell(self._on_error, one)

    def _complete_before(self) -> int:
        """Return the first row from `_next` on of which nothing is known yet."""
        known = [np.array([one.message.row for one in self._outcomes], np.int64)]
        known += [np.asarray(lines["row"]) for _, lines in self._lines]
        rows = np.sort(np.concatenate(known))
        rows = rows[rows >= self._next]
        gaps = np.flatnonzero(rows != np.arange(self._next, self._next + len(rows)))
        return self._next + int(gaps[0] if len(gaps) else len(rows))

    def _lines_before(self, before: int) -> list[pa.RecordBatch]:
        pieces, held = [], []
        for since, lines in self._lines:
            end = int(np.searchsorted(np.asarray(lines["row"]), before))
            if end:
                pieces.append(lines.slice(0, end))
            if end < lines.num_rows:
                held.append((since, lines.slice(end)))
        self._lines = held
        return pieces


def _sorted(pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(pieces) == 1 and _ascends(pieces[0]):
        return pieces[0]
    return pa.Table.from_batches(pieces).sort_by("row").combine_chunks().to_batches()[0]


def _ascends(batch: pa.RecordBatch) -> bool:
    rows = np.asarray(batch["row"])
    return bool((rows[1:] > rows[:-1]).all())
