"""How full windows were, from the instants of calls."""

from __future__ import annotations


def most_in_a_window(instants: list[float], seconds: float) -> int:
    """Return the largest number of instants in any half-open window of this length, wherever it begins."""
    most = first = 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
