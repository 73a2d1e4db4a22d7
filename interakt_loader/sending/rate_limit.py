"""When the next call is due.

Pure: every method takes `now` (monotonic seconds). There is no bucket of tokens to count down; there is one
instant at which the next call may go (GCRA), so a fake clock that jumps to it always gets on. A 429 holds all calls;
then one call probes whether the limit's window has turned, while all others wait.

A limit that nobody has told (`"auto"`) is learned from its 429s. Nothing is slowed down before the first. Until a probe
gets through, the account has let through what it allows in that time: from then on calls go out evenly at that rate.
The rate grows by steps, each twice as large as the one before, and each after so many good calls that running into the
limit costs one in a hundred. A later 429 takes the last step back. Only when calls were mostly refused since the last
one is the rate measured anew: then the account allows less than before.

A limit that is shared with other loads has its clock elsewhere: `slots`, or turns, then say when a call may go.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import spacing_of

if TYPE_CHECKING:
    from interakt_loader.shared_limit import ReservedSlots, Turns

FIRST_HOLD = 0.1
HOLD_GROWTH = 1.5
LONGEST_HOLD = 5.0
"""Seconds that all calls are held after a 429 without Retry-After, and how that grows until a probe gets through."""

LONGEST_RETRY_AFTER = 300.0
"""Seconds: a server that asks for more is asked again after this."""

STEP_BACK = 0.97
"""Share of a learned rate that is left after a 429, if there is no step to take back."""

FIRST_STEP = 0.01
LARGEST_STEP = 0.25
"""Shares by which a learned rate grows at first: more, where the first measurement was a rough one."""

GOOD_CALLS = 100
LEAST_CALLS = 200
"""Accepted calls, for each that was refused around the last 429 and at least, before the rate grows by a step."""

ENOUGH_CALLS = 100
ENOUGH_SECONDS = 60.0
"""What has been let through says something from so many calls, or after so long; before, a 429 is a step back."""

MOSTLY_HELD = 0.1
"""Share of that time for which calls were refused, from which on the account surely allows less than was thought."""

LONGEST_GAP = 60.0
"""Seconds without any call or answer that count: a machine that slept, or had nothing to send, used nothing up."""


class RateLimit:
    """The account's call limit: declared (`Rate`), learned from 429s (`"auto"`), shared (`slots`), or none."""

    def __init__(self, rate: Rate | Literal["auto"] | None, slots: ReservedSlots | Turns | None = None) -> None:
        self._slots = slots
        self._adaptive = rate == "auto"
        self._rate: float | None = None  # calls a second: declared, or learned and without the steps since
        self._slack = 0.0
        if isinstance(rate, Rate):
            step, self._slack = spacing_of([rate])
            self._rate = 1 / step
        self._due = -math.inf
        self._hold_until = -math.inf
        self._hold = 0.0  # seconds; 0 while nothing is held
        self._hold_began = -math.inf
        self._last_refused = -math.inf
        self._probing = False
        # Since the first call, or since the probe got through after which there was last something to learn:
        self._since: float | None = None
        self._accepted = 0
        self._held = 0.0  # seconds for which calls were surely refused
        self._refused = 0
        self._good = 0  # accepted since the last probe got through
        self._step = FIRST_STEP
        self._step_after = LEAST_CALLS  # accepted calls that earn a step
        self._heard = -math.inf  # the last call or answer

    @property
    def holding_since(self) -> float | None:
        """When the API began to refuse every call with 429; None while it does not."""
        return self._hold_began if self._hold else None

    def rate(self) -> float | None:
        """Calls a second that may go now; None: as many as can."""
        if self._rate is None or not self._adaptive:
            return self._rate
        return self._after(self._good // self._step_after)

    def _after(self, steps: int) -> float:
        assert self._rate is not None
        return self._rate * (1 + self._step * (2.0 ** min(steps, 30) - 1))

    def due(self, now: float, waiting: int = 1, out: int = 0) -> float:
        """Return the instant at which the next call may go; infinity while a probe is out, or slots are asked for.

        How many calls are `waiting` to go and how many are `out` says how many slots are worth asking for.
        """
        if self._probing:
            return math.inf
        due = max(self._due, self._hold_until)
        if self._slots is not None and now >= due:
            return self._slots.due(now, waiting, out)
        return due

    def spend(self, now: float) -> None:
        """Note that a call goes out now."""
        self._hear(now)
        if self._since is None:
            self._since = now
        self._probing = self._hold > 0
        if self._slots is not None:
            self._slots.spend()
        rate = self.rate()
        if rate is not None:
            self._due = max(self._due, now - self._slack) + 1 / rate

    def accepted(self, now: float, sent_at: float) -> None:
        """Note that the API took a call: any answer but a 429."""
        self._hear(now)
        self._accepted += 1
        self._good += 1
        if self._hold and sent_at > self._hold_began:
            self._recover(now)

    def refused(
        self, now: float, sent_at: float, retry_after: float | None, longest: float = LONGEST_RETRY_AFTER
    ) -> None:
        """Note a 429: hold all calls, longer each time that the probe is refused too.

        However long it asks for, they are asked again after `longest` seconds.
        """
        self._hear(now)
        if self._hold and sent_at <= self._hold_began:  # was in flight when the hold began: tells nothing new
            wait = 0.0
            self._refused += self._rate is not None
        else:
            if not self._hold:
                self._hold_began = now
            self._refused += 1
            self._last_refused = sent_at
            self._hold = min(self._hold * HOLD_GROWTH or FIRST_HOLD, LONGEST_HOLD)
            self._probing = False
            wait = self._hold
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER, longest))
        self._hold_until = max(self._hold_until, now + wait)
        if self._slots is not None and wait:
            self._slots.hold(wait)

    def lost(self, sent_at: float) -> None:
        """Note that a call brought no answer at all: a probe that ends so must be made again."""
        if self._probing and sent_at > self._hold_began:
            self._probing = False

    def _recover(self, now: float) -> None:
        """End a hold, and learn from it."""
        self._held += max(0.0, self._last_refused - self._hold_began)
        if self._adaptive and self._since is not None:
            self._learn(now, self._since)
        self._hold = 0.0
        self._probing = False
        self._due = max(self._due, now)
        self._good = 0

    def _learn(self, now: float, since: float) -> None:
        before, taken, seconds = self.rate(), self._accepted - 1, now - since  # the probe belongs to the time to come
        if before is None and taken <= 0:
            return  # refused from the very first call on: that tells of somebody else's calls
        seen = max(taken, 1) / seconds  # never more than the account allows
        is_early = taken < ENOUGH_CALLS and seconds < ENOUGH_SECONDS
        if before is not None and (is_early or self._held < MOSTLY_HELD * seconds):
            steps = self._good // self._step_after
            low, high = max(STEP_BACK * before, self._after(steps - 1) if steps else 0.0, seen), before
        else:  # what was let through was let through in a time that ended between the last two probes
            low, high = seen, max(taken, 1) / max(self._last_refused - since, 1e-3)
        self._rate = low
        self._step = min(max((high / low - 1) / 2, FIRST_STEP), LARGEST_STEP)
        self._step_after = max(LEAST_CALLS, GOOD_CALLS * self._refused)
        self._slack = min(0.05, 1 / low)
        if not (before is not None and is_early):
            self._since, self._accepted, self._held, self._refused = now, 1, 0.0, 0

    def _hear(self, now: float) -> None:
        """Leave out of account the time during which nothing was sent and nothing came."""
        gap = now - max(self._heard, self._hold_until)
        if self._since is not None and gap > LONGEST_GAP:
            self._since += gap
        self._heard = now
