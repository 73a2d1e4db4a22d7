"""When an account's next call may go: by turns on one machine, or by reserved slots of a shared clock. Pure.

Turns: calls are spread evenly by GCRA (`claimed`).

Slots: a call goes out at its slot's instant or up to `late` after it. It reaches the API after a delay that varies by
up to `SLOT_ROOM`. So the calls of any window had slots in a time that is longer than the window by both. The slots are
so far apart that such a time holds no more than the declared number.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from functools import reduce
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from interakt_loader.settings.values import Rate

# ---------------------------------------------------------------------- slots of a shared clock

LATE = 0.005, 0.02
"""How late a slot may be used: a share of the limit's window, and at least so many seconds."""

SLOT_ROOM = 0.005, 0.015
"""The same for delays that vary between a call's slot and its arrival."""

BATCH = 0.05
"""Seconds of slots that are reserved at once, at most. A process that is killed costs the others so much."""


class Pace(NamedTuple):
    """The slots of one declared rate."""

    step: int
    """Microseconds from slot to slot."""
    late: float
    """Seconds after its instant in which a slot may be used."""
    catch_up: int
    """Microseconds by which the first slot after a pause may lie in the past, so that late calls are made up for."""
    batch: int
    """Slots that are reserved at once, at most."""


def pace_of(rate: Rate) -> Pace:
    """Return the pace at which no window of the rate's own length holds more calls than declared."""
    late, room = (max(share * rate.seconds, least) for share, least in (LATE, SLOT_ROOM))
    step = math.ceil((rate.seconds + late + room) / rate.calls * 1e6)
    return Pace(step, late, int(late / 2 * 1e6), max(1, int(BATCH * 1e6 / step)))


FORGET = 60
"""Seconds after which an unused clock is forgotten. Then another rate may be declared."""


class ClockUnavailable(Exception):
    """The shared clock cannot be reached at the moment. Trying again may help."""


class NoClock(Exception):
    """What exists at the address is not a clock, and cannot become one. Trying again does not help."""


class RateDiffers(Exception):
    """Another load of the same account declares another rate. Trying again does not help."""

    def __init__(self, mine: Rate, theirs: str) -> None:
        super().__init__(f"another load of this account declares {theirs}, this one {mine}; declare the same")


class SlotReservation(NamedTuple):
    """Slots reserved for this process."""

    first: float
    """The instant of the first one, in monotonic seconds of this process."""
    step: float
    """Seconds from slot to slot."""
    slots: int
    """How many slots."""


class SharedClock(Protocol):
    """The instant of the account's next call, which all processes move forward."""

    def reserve(self, count: int, hold: float = 0.0) -> SlotReservation:
        """Reserve `count` slots for this process only. Before that, push the clock to `hold` seconds from now.

        Raises `ClockUnavailable` or `RateDiffers`.
        """
        ...

    def close(self) -> None:
        """Close the connection or file."""
        ...


class State(NamedTuple):
    """What is stored of a clock, in microseconds since the epoch."""

    due: int
    """The instant of the next slot."""
    at: int
    """When that was written."""


def reserved(before: State | None, now: int, count: int, hold: int, pace: Pace) -> tuple[int, State]:
    """Return the instant of the first of `count` slots, and what is to be stored. `redis` has the same in Lua.

    If `now` is before the last writing, the wall clock was set back. The wait that was left then is waited now.
    """
    due = 0 if before is None else before.due - max(0, before.at - now)
    first = max(due, now + (hold or -pace.catch_up))
    return first, State(first + count * pace.step, now)


class Ask(NamedTuple):
    """A request to the shared clock."""

    slots: int
    """How many to reserve."""
    hold: float
    """Seconds from now to which the clock is pushed, after a 429."""


class ReservedSlots:
    """The slots that this process has reserved, in place of a rate limit's own clock.

    All methods but `grant` are called under the engine's lock.
    """

    def __init__(self, pace: Pace, workers: int) -> None:
        self._late = pace.late
        self._batch = pace.batch
        self._workers = workers
        self._held: deque[float] = deque()
        self._reservations: deque[SlotReservation] = deque()
        self._has_asked = False
        self.asks: SimpleQueue[Ask | None] = SimpleQueue()
        """Requests for the thread that talks to the clock. None: no more will come."""

    def grant(self, reservation: SlotReservation) -> None:
        """Add reserved slots. Any thread may call it."""
        self._reservations.append(reservation)

    def due(self, now: float, waiting: int, in_flight: int) -> float:
        """Return the instant of the next slot; infinity until reserved slots come.

        `waiting` calls are ready, and `in_flight` are out. Slots are requested early, but no more than there are calls
        to use them and workers to make these: an unused slot is lost to all loads.
        """
        while self._reservations:
            first, step, count = self._reservations.popleft()
            self._held.extend(first + number * step for number in range(count))
            self._has_asked = False
        while self._held and self._held[0] + self._late < now:
            self._held.popleft()
        wanted = max(1, min(self._batch, waiting, self._workers - in_flight))
        if not self._has_asked and 2 * len(self._held) <= wanted:
            self._has_asked = True
            self.asks.put(Ask(wanted - len(self._held), 0.0))
        return self._held[0] if self._held else math.inf

    def spend(self) -> None:
        """Use up the slot that was due."""
        self._held.popleft()

    def hold(self, seconds: float) -> None:
        """Request that the clock is pushed: no process gets a slot earlier than in so many seconds."""
        self.asks.put(Ask(0, seconds))


# ---------------------------------------------------------------------- turns on one machine

CATCH_UP = 0.005
"""How late a call may be made up for, as a share of the limit's window."""

ROOM = 1 / 99, 0.015
"""How much of the window is left free: a share of it, and at least so many seconds.

It covers late calls that are made up for, late wake-ups, and network delays that vary. So a window of the limit's own
length never holds more calls than declared. Of a limit per minute 99 % are used, of a limit per second 98.5 %.
"""


class Spacing(NamedTuple):
    """How far apart calls are, under one or more declared limits."""

    step: float
    """Seconds from call to call."""
    slack: float
    """Seconds by which a call may be late and made up for."""


class LastCall(NamedTuple):
    """The account's last call."""

    slot: float
    """The instant for which it counts: when it was due, or up to the slack before it went out."""
    at: float
    """When it went out."""


class Claim(NamedTuple):
    """The answer to a request for a call."""

    call: LastCall | None
    """The call, which goes now and must be stored; None if it is too early."""
    next_at: float
    """When the next call may go: the one after this, or this one if it is too early."""
    holds: Rate
    """The lowest of the declared limits, which holds for all."""


def spacing_of(rates: Iterable[Rate]) -> Spacing:
    """Return the spacing that keeps all rates."""
    share, least = ROOM
    spacings = [
        ((rate.seconds + max(share * rate.seconds, least)) / rate.calls, rate.seconds * CATCH_UP) for rate in rates
    ]
    return Spacing(max(step for step, _ in spacings), min(slack for _, slack in spacings))


def lower(one: Rate, other: Rate) -> Rate:
    """Return the rate that allows fewer calls in the same time."""
    return min(one, other, key=lambda rate: (rate.calls / rate.seconds, rate.seconds))


def claimed(last: LastCall | None, now: float, rates: Collection[Rate]) -> Claim:
    """Return whether a call may go now, under all limits that are declared.

    If the clock was set back, no call waits longer than one step.
    """
    step, slack = spacing_of(rates)
    slot = now - slack
    if last is not None:
        slot = max(slot, min(last.slot - max(0.0, last.at - now), now) + step)
    holds = reduce(lower, rates)
    return Claim(None, slot, holds) if slot > now else Claim(LastCall(slot, now), slot + step, holds)
