"""When the next call is due.

Pure: every method takes `now` (monotonic seconds). There is no bucket of tokens to count down; there is one
instant at which the next call may go (GCRA), so a fake clock that jumps to it always gets on.

Three things push that instant back: the declared or learned rate, a hold after a 429, and the probe that
follows a hold (one call goes out alone; its answer says whether the window has turned).
"""

from __future__ import annotations

import math
from typing import Literal

from interakt_loader.settings import Rate

MARGIN = 0.99
"""Share of a declared limit that is used: the rest is room for late wake-ups and uneven network delays."""

CATCH_UP = 0.005
"""Share of the limit's window by which a late call may be made up for. With `MARGIN`, no window of the limit's
own length ever holds more calls than declared: 1.005 * 0.99 * N + 1 rounds down to N, whatever N."""

FIRST_HOLD = 0.25
LONGEST_HOLD = 5.0
"""Seconds that all calls are held after a 429 without Retry-After: doubling, until a probe gets through."""

LONGEST_RETRY_AFTER = 300.0
"""Seconds: a server that asks for more is asked again after this."""

BACK_OFF = 0.95
"""A learned rate starts at this share of what the account was found to allow…"""
GROWTH_SECONDS = 60.0
"""…is back at it after this long, and grows on along a cubic curve, flat around what worked, then steeper:
the shape that botocore's adaptive mode and TCP CUBIC use."""


class RateLimit:
    """The account's call limit: declared (`Rate`), learned from 429s (`"auto"`), or none."""

    def __init__(self, rate: Rate | Literal["auto"] | None) -> None:
        self._adaptive = rate == "auto"
        self._rate: float | None = None  # calls a second
        self._slack = 0.0
        if isinstance(rate, Rate):
            self._rate = rate.calls / rate.seconds * MARGIN
            self._slack = rate.seconds * CATCH_UP
        self._due = -math.inf
        self._hold_until = -math.inf
        self._hold = 0.0  # seconds; 0 while nothing is held
        self._hold_began = -math.inf
        self._probing = False
        # What the account was seen to allow: calls accepted since the instant at which the last window began.
        self._since: float | None = None
        self._accepted = 0
        self._learned_at = 0.0
        self._learned: float | None = None

    @property
    def holding_since(self) -> float | None:
        """When the API began to refuse every call with 429; None while it does not."""
        return self._hold_began if self._hold else None

    def rate(self, now: float) -> float | None:
        """Calls a second that may go now; None: as many as can."""
        if self._learned is None:
            return self._rate
        distance = (now - self._learned_at) / GROWTH_SECONDS - 1
        return self._learned * (1 + (1 - BACK_OFF) * distance**3)

    def due(self) -> float:
        """Return the instant at which the next call may go; infinity while a probe is out."""
        if self._probing:
            return math.inf
        return max(self._due, self._hold_until)

    def spend(self, now: float) -> None:
        """Note that a call goes out now."""
        if self._since is None:
            self._since = now
        self._probing = self._hold > 0
        rate = self.rate(now)
        if rate is not None:
            self._due = max(self._due, now - self._slack) + 1 / rate

    def accepted(self, now: float, sent_at: float) -> None:
        """Note that the API took a call: any answer but a 429."""
        self._accepted += 1
        if self._hold and sent_at >= self._hold_began:
            self._recover(now)

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> None:
        """Note a 429: hold all calls, longer each time that the probe is refused too."""
        if self._hold and sent_at < self._hold_began:  # was in flight when the hold began: tells nothing new
            wait = 0.0
        else:
            if not self._hold:
                self._hold_began = now
            self._hold = min(self._hold * 2 or FIRST_HOLD, LONGEST_HOLD)
            self._probing = False
            wait = self._hold
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER))
        self._hold_until = max(self._hold_until, now + wait)

    def lost(self, sent_at: float) -> None:
        """Note that a call brought no answer at all: a probe that ends so must be made again."""
        if self._probing and sent_at >= self._hold_began:
            self._probing = False

    def _recover(self, now: float) -> None:
        """End a hold. What was accepted since the last one ended is what the account allows."""
        self._hold = 0.0
        self._probing = False
        self._due = max(self._due, now)
        if self._adaptive:
            since = now if self._since is None else self._since
            seen = (self._accepted - 1) / (now - since) if now > since else 0.0
            before = self.rate(now)
            if seen <= 0 and before is not None:
                seen = before / 2
            if seen > 0:  # else refused from the very first call on: that tells of somebody else's calls, no rate
                self._learned, self._learned_at = seen, now
                self._slack = min(0.05, 1 / seen)
        self._since, self._accepted = now, 1
