"""The account's call limit. Pure: `admit` takes `now`, in seconds of any clock that only goes forward."""

from __future__ import annotations

import math
from collections import deque


class FixedWindow:
    """At most `calls` in each window; a window begins with the first call after the last one ended."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls = calls
        self._seconds = seconds
        self._ends = -math.inf
        self._used = 0

    def admit(self, now: float) -> float:
        """Return 0 if the call may pass, and count it; else the seconds until one may."""
        if now >= self._ends:
            self._ends = now + self._seconds
            self._used = 0
        if self._used >= self._calls:
            return self._ends - now
        self._used += 1
        return 0.0


class SlidingWindow:
    """At most `calls` in any stretch of `seconds`.

    With `refused_count` a refused call uses up the limit as well: a client that hammers on never gets through.
    """

    def __init__(self, calls: int, seconds: float, *, refused_count: bool) -> None:
        self._seconds = seconds
        self._refused_count = refused_count
        self._counted: deque[float] = deque(maxlen=calls)

    def admit(self, now: float) -> float:
        """Return 0 if the call may pass, and count it; else the seconds until one may."""
        counted = self._counted
        while counted and counted[0] <= now - self._seconds:
            counted.popleft()
        if len(counted) < (counted.maxlen or 0):
            counted.append(now)
            return 0.0
        if self._refused_count:
            counted.append(now)
        return counted[0] + self._seconds - now


def new_limiter(shape: str, calls: int, seconds: float, *, refused_count: bool) -> FixedWindow | SlidingWindow:
    """Return a limiter of this shape. In a fixed window that is full, a refused call has nothing left to use up."""
    if shape == "sliding":
        return SlidingWindow(calls, seconds, refused_count=refused_count)
    return FixedWindow(calls, seconds)
