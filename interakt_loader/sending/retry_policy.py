"""One answer and how often the row was tried: done, again, or given up. Pure decisions.

What to do while the API does not answer: one probing call now and then. Pure.

Each probe is another row's call, so that one row whose calls the server drops cannot make an outage, and no event is
sent time and again. A try that surely never reached the server costs its row no retry.
"""

from __future__ import annotations

import math
from enum import Enum

from interakt_loader.codes import StopReason
from interakt_loader.model import Answer, Status
from interakt_loader.sending.pending import PendingCall

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the first retry, and at most: doubling in between."""


class RetryDecision(Enum):
    """What follows from an answer."""

    DONE = "done"
    AGAIN = "again"  # costs the row one of its retries
    AGAIN_FREE = "again, and not the row's fault"
    STOP = "stop the whole load"


def decide(answer: Answer) -> RetryDecision:
    """Decide by the answer alone; whether the row has a retry left is the schedule's to know.

    Retried: no answer, an unreadable answer, 408, 429, 5xx. Not retried: every other 4xx, redirects, and a 2xx
    whose body says `"result": false`. 401 and 403 are about the key, so they are every row's; but a 403 that is not in
    the API's words comes from a firewall that does not like this one call. A certificate that cannot be trusted is
    every row's too: it does not become good by waiting, unlike any other failure to connect.
    """
    if answer.accepted:
        return RetryDecision.DONE
    if answer.code == "certificate_untrusted":
        return RetryDecision.STOP
    status = answer.http_status
    if status == 429:
        return RetryDecision.AGAIN_FREE
    if status == 401 or (status == 403 and answer.code != "forbidden"):
        return RetryDecision.STOP
    if not answer.reached or answer.doubtful or status is None or status == 408 or status >= 500:
        return RetryDecision.AGAIN
    return RetryDecision.DONE


def stop_reason(answer: Answer) -> StopReason:
    """Return why an answer stops the load."""
    return answer.code if answer.code in ("certificate_untrusted", "plan_without_api") else "key_refused"


def final_status(answer: Answer, doubted: bool) -> Status:
    """Return how a row ends with this as its last answer; `doubted`: a try of it may have been accepted."""
    if answer.accepted:
        return Status.SENT
    verdict = decide(answer)
    if verdict is RetryDecision.DONE:  # the API would have judged an earlier try of the same body alike
        return Status.REJECTED
    if doubted:
        return Status.UNKNOWN
    return Status.REJECTED if verdict is RetryDecision.STOP else Status.FAILED


def backoff(retry: int, jitter: float) -> float:
    """Return seconds to wait before retry number `retry` (from 1): doubling, with jitter.

    `jitter` is a random number from 0 up to 1; the wait lies between half of the full one and all of it, so that
    rows which failed together do not come back together.
    """
    exponent = min(retry - 1, math.ceil(math.log2(LONGEST_WAIT / FIRST_WAIT)))
    return min(FIRST_WAIT * 2.0**exponent, LONGEST_WAIT) * (0.5 + jitter / 2)


OUTAGE_AFTER = 3
"""Tries in a row, over all lanes, that brought no answer of any kind: from then on it is an outage."""

FIRST_PROBE = 0.5
LONGEST_PROBE = 15.0
"""Seconds between the probing calls of an outage: doubling."""

LONGEST_STEP = 60.0
"""Seconds that one fruitless probe may add to an outage: a laptop that was closed in between has not waited."""


class Duration:
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
        self._silence = Duration(LONGEST_STEP)
        self._unanswered = 0  # tries in a row
        self._probe_due: float | None = None
        self._probe_wait = 0.0
        self._probe: PendingCall | None = None

    @property
    def is_on(self) -> bool:
        """Whether nothing can be reached, and only a probing call goes out now and then."""
        return self._probe_due is not None

    def due(self) -> float:
        """Return the instant at which a call may go; infinity while a probe is out."""
        if self._probe_due is None:
            return -math.inf
        return math.inf if self._probe else self._probe_due

    def spend(self, pending: PendingCall) -> None:
        """Note that this call goes out."""
        if self._probe_due is not None:
            self._probe = pending

    def answered(self) -> None:
        """Note that some answer came: it is over."""
        self._unanswered = 0
        self._silence.ends()
        self._probe_due = self._probe = None

    def not_answered(self, pending: PendingCall, now: float) -> float:
        """Note a try without any answer; return the seconds of silence once it is an outage, 0 before."""
        silence = self._silence.goes_on(now)
        if self._probe_due is None:
            self._unanswered += 1
            if self._unanswered < OUTAGE_AFTER:
                return 0.0
            self._probe_wait = FIRST_PROBE
            self._probe_due = now + self._probe_wait
        elif pending is self._probe:
            self._probe = None
            self._probe_wait = min(self._probe_wait * 2, LONGEST_PROBE)
            self._probe_due = now + max(0.0, min(self._probe_wait, self._max_outage - silence))
        return silence
