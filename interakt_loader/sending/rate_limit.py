"""When the next call may go. Pure: every method takes `now` in monotonic seconds.

The algorithm is GCRA: it keeps one instant at which the next call may go, and no bucket of tokens. A 429 holds all
calls. Then one call probes whether the limit's window has turned, while all others wait.

With `"auto"` the limit is learned from its 429s, and nothing is slowed down before the first. When a probe is accepted,
the calls accepted so far show what the account allows in that time. From then on calls go out evenly at that rate. The
rate grows by steps, each twice as large as the one before. A step comes after so many accepted calls that one call in a
hundred meets the limit. A later 429 takes the last step back. Only if most calls were refused since the last 429 is the
rate measured again, because the account then allows less than before.

If the limit is shared with other loads, `ReservedSlots` or `Turns` say when a call may go.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from interakt_loader.sending.retry_policy import FIRST_HOLD, HOLD_GROWTH, LONGEST_HOLD, LONGEST_RETRY_AFTER
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import spacing_of

if TYPE_CHECKING:
    from interakt_loader.shared_limit import ReservedSlots, Turns

STEP_BACK = 0.97
"""Share of a learned rate that is left after a 429, if there is no step to take back."""

FIRST_STEP = 0.01
LARGEST_STEP = 0.25
"""Shares by which a learned rate grows at first: more, if the first measurement was rough."""

GOOD_CALLS = 100
LEAST_CALLS = 200
"""Accepted calls before the rate grows by a step: this many for each call refused around the last 429, and at least."""

ENOUGH_CALLS = 100
ENOUGH_SECONDS = 60.0
"""A measurement counts from so many accepted calls, or after so long. Before that, a 429 takes a step back."""

MOSTLY_HELD = 0.1
"""If calls were refused for this share of the time, the account certainly allows less than was assumed."""

LONGEST_GAP = 60.0
"""Seconds without any call or answer that count. A machine that slept, or had nothing to send, used nothing up."""


class RateLimit:
    """The account's call limit: declared (`Rate`), learned from 429s (`"auto"`), shared (`slots`), or none."""

    def __init__(self, rate: Rate | Literal["auto"] | None, slots: ReservedSlots | Turns | None = None) -> None:
        self._slots = slots
        self._adaptive = rate == "auto"
        # calls per second: declared, or learned and without the steps since
        self._rate: float | None = None
        self._slack = 0.0
        if isinstance(rate, Rate):
            step, self._slack = spacing_of([rate])
            self._rate = 1 / step
        self._due = -math.inf
        self._hold_until = -math.inf
        # seconds; 0 while nothing is held
        self._hold = 0.0
        self._hold_began = -math.inf
        self._last_refused = -math.inf
        self._probing = False
        # The measurement: since the first call, or since the last probe after which the rate was measured.
        self._since: float | None = None
        self._accepted = 0
        # seconds for which calls were certainly refused
        self._held = 0.0
        self._refused = 0
        # accepted since the last probe
        self._good = 0
        self._step = FIRST_STEP
        # accepted calls before the next step
        self._step_after = LEAST_CALLS
        # the last call or answer
        self._active_at = -math.inf

    @property
    def holding_since(self) -> float | None:
        """When the API began to refuse every call with 429; None while it does not."""
        return self._hold_began if self._hold else None

    def rate(self) -> float | None:
        """Calls per second that may go now; None: no limit."""
        if self._rate is None or not self._adaptive:
            return self._rate
        return self._after(self._good // self._step_after)

    def _after(self, steps: int) -> float:
        assert self._rate is not None
        return self._rate * (1 + self._step * (2.0 ** min(steps, 30) - 1))

    def due(self, now: float, waiting: int = 1, in_flight: int = 0) -> float:
        """Return the instant at which the next call may go; infinity while a probe is out or slots are requested.

        `waiting` and `in_flight` calls decide how many slots are requested.
        """
        if self._probing:
            return math.inf
        due = max(self._due, self._hold_until)
        if self._slots is not None and now >= due:
            return self._slots.due(now, waiting, in_flight)
        return due

    def spend(self, now: float) -> None:
        """Note that a call goes out now."""
        self._note_activity(now)
        if self._since is None:
            self._since = now
        self._probing = self._hold > 0
        if self._slots is not None:
            self._slots.spend()
        rate = self.rate()
        if rate is not None:
            self._due = max(self._due, now - self._slack) + 1 / rate

    def accepted(self, now: float, sent_at: float) -> None:
        """Note that the limit let a call through: any answer but a 429."""
        self._note_activity(now)
        self._accepted += 1
        self._good += 1
        if self._hold and sent_at > self._hold_began:
            self._recover(now)

    def refused(
        self, now: float, sent_at: float, retry_after: float | None, longest: float = LONGEST_RETRY_AFTER
    ) -> None:
        """Note a 429: hold all calls, and longer each time that the probe is refused too.

        The next probe goes after `longest` seconds at the latest, whatever `retry_after` is.
        """
        self._note_activity(now)
        if self._hold and sent_at <= self._hold_began:
            # it was in flight when the hold began, so it is no news
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
        """Note that a call brought no answer. If it was the probe, it must be repeated."""
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
        # the probe belongs to the next measurement
        before, accepted, seconds = self.rate(), self._accepted - 1, now - since
        if before is None and accepted <= 0:
            # refused from the first call on: calls from elsewhere used the limit up
            return
        # never more than the account allows
        seen = max(accepted, 1) / seconds
        is_early = accepted < ENOUGH_CALLS and seconds < ENOUGH_SECONDS
        if before is not None and (is_early or self._held < MOSTLY_HELD * seconds):
            steps = self._good // self._step_after
            low, high = max(STEP_BACK * before, self._after(steps - 1) if steps else 0.0, seen), before
        else:
            # the time in which these calls were accepted ended between the last two probes
            low, high = seen, max(accepted, 1) / max(self._last_refused - since, 1e-3)
        self._rate = low
        self._step = min(max((high / low - 1) / 2, FIRST_STEP), LARGEST_STEP)
        self._step_after = max(LEAST_CALLS, GOOD_CALLS * self._refused)
        self._slack = min(0.05, 1 / low)
        if not (before is not None and is_early):
            self._since, self._accepted, self._held, self._refused = now, 1, 0.0, 0

    def _note_activity(self, now: float) -> None:
        """Exclude from the measurement a long time without calls and answers."""
        gap = now - max(self._active_at, self._hold_until)
        if self._since is not None and gap > LONGEST_GAP:
            self._since += gap
        self._active_at = now
