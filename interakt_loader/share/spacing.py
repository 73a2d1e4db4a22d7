"""When the account's next call may go, so that calls are spread evenly (GCRA). Pure; seconds of any one clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import reduce
from typing import NamedTuple

from interakt_loader.settings.values import Rate

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
