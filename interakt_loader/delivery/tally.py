"""How many rows have failed so far, and whether that is too many. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from interakt_loader.settings.values import Failures
from interakt_loader.wire import FAILURES, Outcome, Status

LEAST_ROWS = 100
"""Rows, and settled ones among them, from which on a share of failures says something."""


@dataclass
class Tally:
    """Counts of a running load. Rows that are refused here are known long before the calls of their batch settle."""

    read: int = 0
    """Rows taken in."""
    refused: int = 0
    """Of these, the ones for which there is no call: invalid."""
    settled: int = 0
    """Of the others, the ones whose outcome is known."""
    failed: int = 0
    """Of these, the ones that were rejected, failed or are unknown."""

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Count calls that have ended; rows whose turn did not come say nothing."""
        for one in outcomes:
            if one.status is not Status.UNSENT:
                self.settled += 1
                self.failed += one.status in FAILURES

    def are_too_many(self, allowed: Failures) -> bool:
        """Decide by what is known so far; what a share of all rows will be is estimated from the two kinds."""
        if self.refused + self.failed > allowed.rows:
            return True
        invalid = self.refused / self.read if self.read >= LEAST_ROWS else 0.0
        failing = self.failed / self.settled if self.settled >= LEAST_ROWS else 0.0
        return invalid + (1 - invalid) * failing > allowed.share

    def __str__(self) -> str:
        return f"{self.refused:,} of {self.read:,} rows are invalid, {self.failed:,} of {self.settled:,} calls failed"
