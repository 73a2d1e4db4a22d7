"""How far a load is, as a line for a log now and then: where nobody looks at a bar. Pure but for its clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from interakt_loader.progress.forecast import duration
from interakt_loader.report.report import Summary
from interakt_loader.wire import Status

EVERY = 60.0
"""Seconds between two lines; a load that takes less says nothing."""


class ProgressLines:
    """Makes the lines of one load."""

    def __init__(self, rows: int | None, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self.begin(rows)

    def begin(self, rows: int | None) -> None:
        """Start the clock, for so many rows (None: nobody knows)."""
        self._rows = rows
        self._began = self._last = self._clock()

    def preparing(self, rows: int) -> str | None:
        """Return the line to be said now that so many rows have been prepared, if it is time for one."""
        return f"{self._name}: {rows:,} rows prepared" if self._is_due() else None

    def sending(self, summary: Summary, waits_for: str = "") -> str | None:
        """Return the line to be said now, if it is time for one: rows, failures, the pace, the time to go."""
        if not self._is_due():
            return None
        done = summary.rows - (0 if summary.dry_run else summary.counts[Status.UNSENT])
        failed = summary.failures - (summary.rows - done)
        pace = done / (self._last - self._began)
        said = f"{self._name}: {done:,} rows"
        if self._rows is not None:
            said = f"{self._name}: {done:,} of {self._rows:,} rows"
        said += f", {failed:,} failed, {pace * 60:,.0f} a minute"
        if self._rows is not None and done:
            said += f", {duration(max(0, self._rows - done) / pace)} to go"
        return f"{said}; {waits_for}" if waits_for else said

    def _is_due(self) -> bool:
        now = self._clock()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True
