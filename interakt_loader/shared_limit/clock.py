"""How far apart the slots of a shared clock are, and how late one may be used. Pure.

A call goes out at its slot's instant or up to `late` after it, and reaches the API after a delay that is uneven by up
to `SLOT_ROOM`. So the calls of any window had slots within a time that is longer than the window by these two.
The slots are so far apart that such a time holds just the declared number.

What a shared clock does, wherever it stands, and the arithmetic of reserving. Pure.

The slots that this process holds, and when it asks for more. Pure: asks go to a queue, leases come by `grant`.

When the account's next call may go, so that calls are spread evenly (GCRA). Pure; seconds of any one clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from functools import reduce
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from interakt_loader.settings.values import Rate

LATE = 0.005, 0.02
"""How late a slot may be used: as a share of the limit's window, and at least these seconds."""

SLOT_ROOM = 0.005, 0.015
"""Left free for uneven delays between a call's slot and its arrival: likewise."""

BATCH = 0.05
"""Seconds of slots that are reserved at once at most: what a process that is killed costs the others."""


class Pace(NamedTuple):
    """Of one declared rate."""

    step: int
    """Microseconds from slot to slot."""
    late: float
    """Seconds after its instant for which a slot may be used."""
    catch_up: int
    """Microseconds by which the first slot may lie back when the clock has stood still: late calls are made up for."""
    batch: int
    """Slots that are reserved at once at most."""


def pace_of(rate: Rate) -> Pace:
    """Return the pace at which no window of the rate's own length holds more calls than declared."""
    late, room = (max(share * rate.seconds, least) for share, least in (LATE, SLOT_ROOM))
    step = math.ceil((rate.seconds + late + room) / rate.calls * 1e6)
    return Pace(step, late, int(late / 2 * 1e6), max(1, int(BATCH * 1e6 / step)))


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


class SlotReservation(NamedTuple):
    """Slots reserved for this process."""

    first: float
    """The first one's instant, in this process' monotonic seconds."""
    step: float
    """Seconds from slot to slot."""
    slots: int
    """How many."""


class SharedClock(Protocol):
    """The account's next due instant, moved forward by all processes."""

    def reserve(self, count: int, hold: float = 0.0) -> SlotReservation:
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


class Ask(NamedTuple):
    """What is asked of the shared clock."""

    slots: int
    """So many."""
    hold: float
    """Push the clock by so many seconds: a 429 came."""


class ReservedSlots:
    """Takes the place of a rate limit's own clock. All but `grant` is called under the engine's lock."""

    def __init__(self, pace: Pace, workers: int) -> None:
        self._late = pace.late
        self._batch = pace.batch
        self._workers = workers
        self._held: deque[float] = deque()
        self._reservations: deque[SlotReservation] = deque()
        self._has_asked = False
        self.asks: SimpleQueue[Ask | None] = SimpleQueue()
        """Whoever talks to the clock takes these; None: no more will come."""

    def grant(self, reservation: SlotReservation) -> None:
        """Hand over what was asked for; from any thread."""
        self._reservations.append(reservation)

    def due(self, now: float, waiting: int, out: int) -> float:
        """Return the instant of the next slot; infinity while there is none, until a lease comes.

        `waiting` calls want to go, and `out` are out. Slots are asked for in time, but no more than there are calls
        for them and workers to make them: a slot that goes unused is lost to all.
        """
        while self._reservations:
            first, step, count = self._reservations.popleft()
            self._held.extend(first + number * step for number in range(count))
            self._has_asked = False
        while self._held and self._held[0] + self._late < now:
            self._held.popleft()
        wanted = max(1, min(self._batch, waiting, self._workers - out))
        if not self._has_asked and 2 * len(self._held) <= wanted:
            self._has_asked = True
            self.asks.put(Ask(wanted - len(self._held), 0.0))
        return self._held[0] if self._held else math.inf

    def spend(self) -> None:
        """Use up the slot that was due."""
        self._held.popleft()

    def hold(self, seconds: float) -> None:
        """Have the clock pushed: nobody's next slot is earlier than in so many seconds."""
        self.asks.put(Ask(0, seconds))


CATCH_UP = 0.005
"""Share of the limit's window by which a late call may be made up for."""

ROOM = 1 / 99, 0.015
"""Share of the window, and at least these seconds, that are left free.

They are for what is made up for, late wake-ups and uneven network delays: a window of the limit's own length never
holds more calls than declared, and 99 % of a limit by the minute are used, 98.5 % of one by the second.
"""


class Spacing(NamedTuple):
    """Of one or more declared limits."""

    step: float
    """Seconds from call to call."""
    slack: float
    """Seconds by which a late call may be made up for."""


class LastCall(NamedTuple):
    """What is remembered of the account's last call."""

    slot: float
    """The instant that it counts for: when it was due, or up to the slack before it went."""
    at: float
    """When it went."""


class Claim(NamedTuple):
    """What comes of asking for a call."""

    call: LastCall | None
    """The call, which goes now and has to be remembered; None if it is too early."""
    next_at: float
    """When the one after it may go, or else this one."""
    holds: Rate
    """The lowest limit that is declared."""


def spacing_of(rates: Iterable[Rate]) -> Spacing:
    """Return the spacing that keeps to all of the rates."""
    share, least = ROOM
    found = [((one.seconds + max(share * one.seconds, least)) / one.calls, one.seconds * CATCH_UP) for one in rates]
    return Spacing(max(step for step, _ in found), min(slack for _, slack in found))


def lower(one: Rate, other: Rate) -> Rate:
    """Return the rate that allows fewer calls in the same time."""
    return min(one, other, key=lambda rate: (rate.calls / rate.seconds, rate.seconds))


def claimed(last: LastCall | None, now: float, rates: Collection[Rate]) -> Claim:
    """Return what comes of asking for a call now, by all limits that are declared.

    A clock that was set back makes nobody wait for longer than one step.
    """
    step, slack = spacing_of(rates)
    slot = now - slack
    if last is not None:
        slot = max(slot, min(last.slot - max(0.0, last.at - now), now) + step)
    holds = reduce(lower, rates)
    return Claim(None, slot, holds) if slot > now else Claim(LastCall(slot, now), slot + step, holds)
