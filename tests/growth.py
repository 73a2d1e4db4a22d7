"""Tell work in proportion to its input from work by the square of it, also on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable

SHORT, LONG = 1000, 8000
"""Characters. Work in proportion takes 8 times as long, by the square 64 times."""

MOST_GROWTH = 25

UNNOTICED = 0.005
"""Seconds of processor time for the long input that nobody notices, whatever the short one took."""

TRIES = 4
"""Other processes slow down one measurement, and hardly the same one each time."""


def grows_too_fast(work: Callable[[int], Callable[[], object]], short: int = SHORT, long: int = LONG) -> bool:
    """Tell whether the long input takes much longer than in proportion, each time it is tried.

    `work` gets a size and returns what is to be timed. The long size has to be 8 times the short one.
    """
    if _seconds(work(short // 4)) > 1:  # there may be no end to it
        return True
    return all(
        (took := _seconds(work(long))) > UNNOTICED and took > MOST_GROWTH * _seconds(work(short)) for _ in range(TRIES)
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
