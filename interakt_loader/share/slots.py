"""The slots that this process holds, and when it asks for more. Pure: asks go to a queue, leases come by `grant`."""

from __future__ import annotations

import math
from collections import deque
from queue import SimpleQueue
from typing import NamedTuple

from interakt_loader.share.clock import Lease
from interakt_loader.share.pace import Pace


class Ask(NamedTuple):
    """What is asked of the shared clock."""

    slots: int
    """So many."""
    hold: float
    """Push the clock by so many seconds: a 429 came."""


class Slots:
    """Takes the place of a rate limit's own clock. All but `grant` is called under the engine's lock."""

    def __init__(self, pace: Pace, workers: int) -> None:
        self._late = pace.late
        self._batch = pace.batch
        self._workers = workers
        self._held: deque[float] = deque()
        self._leases: deque[Lease] = deque()
        self._has_asked = False
        self.asks: SimpleQueue[Ask | None] = SimpleQueue()
        """Whoever talks to the clock takes these; None: no more will come."""

    def grant(self, lease: Lease) -> None:
        """Hand over what was asked for; from any thread."""
        self._leases.append(lease)

    def due(self, now: float, waiting: int, out: int) -> float:
        """Return the instant of the next slot; infinity while there is none, until a lease comes.

        `waiting` calls want to go, and `out` are out. Slots are asked for in time, but no more than there are calls
        for them and workers to make them: a slot that goes unused is lost to all.
        """
        while self._leases:
            first, step, count = self._leases.popleft()
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
