"""How many consumers are of use. Pure: every method takes `now`.

Python runs one thread at a time. Where answers come at once, consumers wait for one another rather than for the
server, and each that is awake beyond the few that keep the interpreter busy costs all of them time: four take 20,000
calls a second to a server next door where sixteen take 15,000. Where answers take longer, all of them are of use.

So the measure is not how fast the server is, but how much of the time consumers spend computing.
"""

from __future__ import annotations

LOOK = 0.02
"""Seconds over which is measured."""

BUSY = 0.9
"""Seconds of computing, of all consumers together, in each second, above which one more would be in the way."""

SPARE = 0.7
"""The same, below which one more would find time."""

FEWEST = 2


class Crew:
    """Of `most` consumers, the number that may be awake."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._wanted = most
        self._computed = 0.0
        self._since: float | None = None

    def computed(self, seconds: float) -> None:
        """Note that a consumer has computed for so long."""
        self._computed += seconds

    def wanted(self, now: float) -> int:
        """Return how many may be awake."""
        if self._since is None:
            self._since, self._computed = now, 0.0
        elif now - self._since >= LOOK:
            share = self._computed / (now - self._since)
            if share > BUSY:
                self._wanted = max(min(FEWEST, self._most), self._wanted * 3 // 4)
            elif share < SPARE:
                self._wanted = min(self._most, self._wanted * 2)
            self._since, self._computed = now, 0.0
        return self._wanted
