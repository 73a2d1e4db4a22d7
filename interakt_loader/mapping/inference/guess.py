"""What is guessed of one column: the options that its field gets, why, and what else it might be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Options = dict[str, Any]
"""Of a field in the written form: `type`, `format`, `separator`, `decimal`."""


@dataclass(frozen=True)
class Instead:
    """Options that the rows do not rule out, and what would speak for them."""

    options: Options
    reason: str


@dataclass(frozen=True)
class Guess:
    """What to make of a column."""

    options: Options
    reason: str
    """The evidence, in one line."""
    instead: tuple[Instead, ...] = ()
    """What the rows leave open."""
    undecided: str | None = None
    """What the user is to decide, in one line; None where nothing is open that changes what is sent."""
    left_out: bool = False
    """There is nothing to send, or nothing that can be."""

    @property
    def is_time(self) -> bool:
        """Say whether the values are dates or times."""
        return self.options.get("type") in ("datetime", "date")
