"""How far apart the slots of a shared clock are, and how late one may be used. Pure.

A call goes out at its slot's instant or up to `late` after it, and reaches the API after a delay that is uneven by up
to `ROOM`. So the calls that any window holds were in slots of a stretch that is longer than the window by these two;
the slots are so far apart that such a stretch holds just the declared number.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from interakt_loader.settings.values import Rate

LATE = 0.005, 0.02
"""How late a slot may be used: as a share of the limit's window, and at least these seconds."""

ROOM = 0.005, 0.015
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
    late, room = (max(share * rate.seconds, least) for share, least in (LATE, ROOM))
    step = math.ceil((rate.seconds + late + room) / rate.calls * 1e6)
    return Pace(step, late, int(late / 2 * 1e6), max(1, int(BATCH * 1e6 / step)))
