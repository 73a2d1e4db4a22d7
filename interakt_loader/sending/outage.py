"""What to do while the API does not answer: one probing call now and then. Pure.

Each probe is another row's call, so that one row whose calls the server drops cannot make an outage, and no event is
sent time and again. A try that surely never reached the server costs its row no retry.
"""

from __future__ import annotations

import math

from interakt_loader.sending.ticket import Ticket

OUTAGE_AFTER = 3
"""Tries in a row, over all lanes, that brought no answer of any kind: from then on it is an outage."""

FIRST_PROBE = 0.5
LONGEST_PROBE = 15.0
"""Seconds between the probing calls of an outage: doubling."""

LONGEST_STEP = 60.0
"""Seconds that one fruitless probe may add to an outage: a laptop that was closed in between has not waited."""


class Stretch:
    """How long something has gone on, by the instants at which it was seen to."""

    def __init__(self, longest_step: float) -> None:
        self._longest_step = longest_step
        self._seconds = 0.0
        self._seen: float | None = None

    def goes_on(self, now: float) -> float:
        """Note that it still does; return for how many seconds by now."""
        if self._seen is not None:
            self._seconds += min(now - self._seen, self._longest_step)
        self._seen = now
        return self._seconds

    def ends(self) -> None:
        """Note that it is over."""
        self._seconds, self._seen = 0.0, None


class Outage:
    """Tells an outage from a row's bad luck, and when the next probing call may go."""

    def __init__(self, max_outage: float) -> None:
        self._max_outage = max_outage
        self._silence = Stretch(LONGEST_STEP)
        self._unanswered = 0  # tries in a row
        self._probe_due: float | None = None
        self._probe_wait = 0.0
        self._probe: Ticket | None = None

    @property
    def is_on(self) -> bool:
        """Whether nothing can be reached, and only a probing call goes out now and then."""
        return self._probe_due is not None

    def due(self) -> float:
        """Return the instant at which a call may go; infinity while a probe is out."""
        if self._probe_due is None:
            return -math.inf
        return math.inf if self._probe else self._probe_due

    def spend(self, ticket: Ticket) -> None:
        """Note that this call goes out."""
        if self._probe_due is not None:
            self._probe = ticket

    def answered(self) -> None:
        """Note that some answer came: it is over."""
        self._unanswered = 0
        self._silence.ends()
        self._probe_due = self._probe = None

    def not_answered(self, ticket: Ticket, now: float) -> float:
        """Note a try without any answer; return the seconds of silence once it is an outage, 0 before."""
        silence = self._silence.goes_on(now)
        if self._probe_due is None:
            self._unanswered += 1
            if self._unanswered < OUTAGE_AFTER:
                return 0.0
            self._probe_wait = FIRST_PROBE
            self._probe_due = now + self._probe_wait
        elif ticket is self._probe:
            self._probe = None
            self._probe_wait = min(self._probe_wait * 2, LONGEST_PROBE)
            self._probe_due = now + max(0.0, min(self._probe_wait, self._max_outage - silence))
        return silence
