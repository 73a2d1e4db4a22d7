"""What a shared clock does, wherever it stands, and the arithmetic of reserving. Pure."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from interakt_loader.settings.values import Rate
from interakt_loader.share.pace import Pace

FORGET = 60
"""Seconds after which a clock that nobody has moved is as if it had never been: then another rate may be declared."""


class ShareAway(Exception):
    """The clock cannot be reached at the moment; trying again may help."""


class NoClock(Exception):
    """What is there is no clock, and none can be made of it. It does not help to try again."""


class RateDiffers(Exception):
    """Another load of the same account declares another rate. It does not help to try again."""

    def __init__(self, mine: Rate, theirs: str) -> None:
        super().__init__(f"another load of this account declares {theirs}, this one {mine}; declare the same")


class Lease(NamedTuple):
    """Slots reserved for this process."""

    first: float
    """The first one's instant, in this process' monotonic seconds."""
    step: float
    """Seconds from slot to slot."""
    slots: int
    """How many."""


class SharedClock(Protocol):
    """The account's next due instant, moved forward by all processes."""

    def reserve(self, count: int, hold: float = 0.0) -> Lease:
        """Reserve `count` slots, which nobody else will get; first push the clock by `hold` seconds from now on.

        Raises `ShareAway` or `RateDiffers`.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class State(NamedTuple):
    """What is kept of a clock, in microseconds since the epoch."""

    due: int
    """When the next slot is."""
    at: int
    """When that was written."""


def reserved(before: State | None, now: int, count: int, hold: int, pace: Pace) -> tuple[int, State]:
    """Return the instant of the first of `count` slots, and what is to be kept. The Lua script is this in Lua.

    If `now` is before the last writing, the wall clock has been set back: what was left to wait then is waited now.
    """
    due = 0 if before is None else before.due - max(0, before.at - now)
    first = max(due, now + (hold or -pace.catch_up))
    return first, State(first + count * pace.step, now)
