"""The consumers that sleep: whom to wake next, and who looks at the clock. All of it under the engine's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Condition


class Sleepers:
    """A stack: the one that worked last is woken first, so that a load which needs four keeps four warm.

    One of them at most is the *timekeeper*.
    """

    def __init__(self) -> None:
        self._stack: list[Condition] = []
        self._timekeeper: Condition | None = None
        self._alarm = 0.0

    def __len__(self) -> int:
        return len(self._stack)

    def somebody_looks_by(self, instant: float) -> bool:
        """Whether the timekeeper wakes up then, or before."""
        return self._timekeeper is not None and self._alarm <= instant

    def sleep(self, bell: Condition, until: float | None, clock: Callable[[], float], longest: float | None) -> bool:
        """Sleep until woken, `until` if nobody else looks by then, or `longest` seconds; return whether woken."""
        self._stack.append(bell)
        if until is not None and not self.somebody_looks_by(until):
            self._timekeeper, self._alarm = bell, until
            bell.wait(max(0.0, until - clock()))
        else:
            bell.wait(longest)
        if self._timekeeper is bell:
            self._timekeeper = None
        if bell not in self._stack:
            return True
        self._stack.remove(bell)  # the time ran out
        return False

    def wake_one(self) -> bool:
        """Wake the one that has slept shortest; return whether there is one."""
        if not self._stack:
            return False
        self._stack.pop().notify()
        return True

    def wake_all(self) -> None:
        """Wake each."""
        while self.wake_one():
            pass
