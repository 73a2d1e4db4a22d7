"""The retry policy: what is retried, how long each wait lasts, and which calls the API may have accepted.

All decisions are pure: `scheduler` asks them, and keeps the calls that wait. Every limit on tries and waits that is not
an option of the user is in this file.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from enum import Enum

from interakt_loader.codes import AnswerCode, StopReason
from interakt_loader.model import Answer, Status

# ---------------------------------------------------------------------- what is retried


class RetryDecision(Enum):
    """What follows from an answer."""

    DONE = "done"
    RETRY = "retry; counts against max_retries"
    RETRY_FREE = "retry; not the row's fault, so it does not count"
    STOP = "stop the whole load"


def decide(answer: Answer) -> RetryDecision:
    """Decide what follows from an answer. The schedule knows whether the row has a retry left.

    - Done: accepted; a redirect; a 2xx with `"result": false`; every 4xx not named below.
    - Retried: no answer, an unreadable answer, 408, 5xx. A call that was not sent does not count as a try.
    - Retried without counting: 429, which concerns the account and not the row.
    - Stops the load: 401 and 403, which concern the key and so every row. But a 403 that is not in the API's words
      comes from a firewall and concerns this call only: done. An untrusted certificate stops the load too, because
      waiting does not help.
    """
    if answer.accepted:
        return RetryDecision.DONE
    if answer.code == "certificate_untrusted":
        return RetryDecision.STOP
    status = answer.http_status
    if status == 429:
        return RetryDecision.RETRY_FREE
    if status == 401 or (status == 403 and answer.code != "forbidden"):
        return RetryDecision.STOP
    if not answer.reached or status is None or status == 408 or status >= 500 or in_doubt(answer):
        return RetryDecision.RETRY
    return RetryDecision.DONE


def is_retried(answer: Answer) -> bool:
    """Return True if a call that was not accepted is tried again, as long as its row has retries left.

    The exception is an event in doubt: with `on_unknown="skip"` the schedule does not retry it, because the API might
    record it twice.
    """
    # what stops the load without an answer is not the row's fault: the row waits for a retry and ends as unsent
    return decide(answer) in (RetryDecision.RETRY, RetryDecision.RETRY_FREE) or not answer.reached


def counts(answer: Answer) -> bool:
    """Return True if a try counts against `max_retries`. A call that was not sent says nothing about the row."""
    return answer.sent and decide(answer) is not RetryDecision.RETRY_FREE


def stop_reason(answer: Answer) -> StopReason:
    """Return why an answer stops the load."""
    return answer.code if answer.code in ("certificate_untrusted", "plan_without_api") else "key_refused"


# ---------------------------------------------------------------------- what leaves a call in doubt

IN_DOUBT_CODES: frozenset[AnswerCode] = frozenset(
    {"timeout", "connection_lost", "tls_failed", "unreadable_answer", "internal_error"}
)
"""The call was sent and no complete, readable answer came back."""

IN_DOUBT_STATUSES = frozenset({502, 504})
"""A gateway reports a failure behind it. The server behind the gateway may have accepted the call."""


def in_doubt(answer: Answer) -> bool:
    """Return True if the call was not reported as accepted, and the API may have accepted it."""
    if answer.accepted or not answer.sent:
        return False
    return answer.code in IN_DOUBT_CODES or answer.http_status in IN_DOUBT_STATUSES


def final_status(answer: Answer, *, doubted: bool) -> Status:
    """Return how a row ends with this as its last answer. `doubted`: at least one of its tries is in doubt."""
    if answer.accepted:
        return Status.SENT
    decision = decide(answer)
    if decision is RetryDecision.DONE:
        # the API would have rejected an earlier try of the same body too
        return Status.REJECTED
    if doubted:
        return Status.UNKNOWN
    return Status.REJECTED if decision is RetryDecision.STOP else Status.FAILED


def stopped_status(*, calls: int, doubts: int) -> Status:
    """Return how a row ends if the load stops before its next try: `calls` were made, and `doubts` are in doubt."""
    return Status.UNKNOWN if calls and doubts else Status.UNSENT


# ---------------------------------------------------------------------- how long a row waits for its retry

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the first retry, and at most. The wait doubles in between."""

LONGEST_HEADER = 100
"""Characters of a Retry-After header that is read. A date has 29."""


def backoff(retry: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the seconds to wait before a retry: doubling, with jitter, and at least what the server asks for.

    Args:
        retry: The number of the retry, from 1.
        jitter: A random number from 0 up to 1. The wait is between half of the full wait and all of it, so that
            rows which failed together do not come back together.
        retry_after: Seconds that the server asks for; `LONGEST_WAIT` of them count.
    """
    exponent = min(retry - 1, math.ceil(math.log2(LONGEST_WAIT / FIRST_WAIT)))
    wait = min(FIRST_WAIT * 2.0**exponent, LONGEST_WAIT) * (0.5 + jitter / 2)
    return max(wait, min(retry_after or 0.0, LONGEST_WAIT))


def parse_retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or an HTTP date; None if it is neither."""
    if value is None or len(value) > LONGEST_HEADER:
        return None
    # `float` accepts fewer kinds of space than \s matches
    if re.fullmatch(r"[ \t]*[0-9]{1,9}(\.[0-9]{1,9})?[ \t]*", value):
        return float(value)
    # most answers have none
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (until - (now or dt.datetime.now(dt.timezone.utc))).total_seconds())


# ---------------------------------------------------------------------- how long a 429 holds all calls

FIRST_HOLD = 0.1
HOLD_GROWTH = 1.5
LONGEST_HOLD = 5.0
"""Seconds that all calls wait after a 429 without Retry-After, and how the wait grows until a probe is accepted."""

LONGEST_RETRY_AFTER = 300.0
"""Seconds of a 429's Retry-After that count. Then one call probes."""

LONGEST_REFUSAL_STEP = 330.0
"""Seconds that one 429 may add to the time in which the API answers nothing but 429.

This must be longer than `LONGEST_RETRY_AFTER`. A longer gap means that the machine slept.
"""

# ---------------------------------------------------------------------- outages

OUTAGE_AFTER = 3
"""Tries in a row, of any rows, that brought no answer of any kind: then it is an outage."""

FIRST_PROBE = 0.5
LONGEST_PROBE = 15.0
"""Seconds between the probing calls of an outage. The wait doubles in between."""

LONGEST_STEP = 60.0
"""Seconds that one failed probe may add to an outage. A longer gap means that the machine slept."""


class Duration:
    """How long something has lasted. A gap between two sightings counts for `longest_step` seconds at most."""

    def __init__(self, longest_step: float) -> None:
        self._longest_step = longest_step
        self._seconds = 0.0
        self._seen: float | None = None

    def extend(self, now: float) -> float:
        """Note that it still lasts; return for how many seconds by now."""
        if self._seen is not None:
            self._seconds += min(now - self._seen, self._longest_step)
        self._seen = now
        return self._seconds

    def reset(self) -> None:
        """Note that it is over."""
        self._seconds, self._seen = 0.0, None


class Outage:
    """Detects an outage, and says when its next probing call may go.

    Each probe is the call of another row. So one row whose calls the server drops cannot cause an outage, and no
    event is sent again and again.
    """

    def __init__(self, max_outage: float) -> None:
        self._max_outage = max_outage
        self._silence = Duration(LONGEST_STEP)
        # tries in a row
        self._unanswered = 0
        self._probe_due: float | None = None
        self._probe_wait = 0.0
        self._probe: object = None

    @property
    def is_on(self) -> bool:
        """Whether the API cannot be reached, and only single calls test whether it answers again."""
        return self._probe_due is not None

    def due(self) -> float:
        """Return the instant at which a call may go; infinity while a probe is out."""
        if self._probe_due is None:
            return -math.inf
        return math.inf if self._probe else self._probe_due

    def spend(self, call: object) -> None:
        """Note that this call goes out."""
        if self._probe_due is not None:
            self._probe = call

    def answered(self) -> None:
        """Note that an answer came, of any kind: the outage is over."""
        self._unanswered = 0
        self._silence.reset()
        self._probe_due = self._probe = None

    def not_answered(self, call: object, now: float) -> float:
        """Note a try without any answer; return the seconds of silence if there is an outage, else 0."""
        silence = self._silence.extend(now)
        if self._probe_due is None:
            self._unanswered += 1
            if self._unanswered < OUTAGE_AFTER:
                return 0.0
            self._probe_wait = FIRST_PROBE
            self._probe_due = now + self._probe_wait
        elif call is self._probe:
            self._probe = None
            self._probe_wait = min(self._probe_wait * 2, LONGEST_PROBE)
            self._probe_due = now + max(0.0, min(self._probe_wait, self._max_outage - silence))
        return silence


# ---------------------------------------------------------------------- timeouts of one call

RECENTLY_USED = 0.01
"""Seconds after a call in which a quick check of its idle connection is enough.

A connection that the server has closed is replaced before the call is sent. A call that was sent is never repeated on
another connection: that would be a retry, which only this policy decides.
"""

ANSWER_TIMEOUTS = 3.0
"""An answer must be complete within this many times the option `timeout`, else the code is `timeout`.

Each single wait for bytes has a timeout of its own.
"""

TUNNEL_TIMEOUTS = 3.0
"""A proxy must have built its tunnel within this many times the option `timeout`. No call was sent then."""

DRAIN = 1.0
"""Seconds beyond `timeout` that a stopped load waits for calls in flight. Then they are in doubt."""

# ---------------------------------------------------------------------- limits of `track`, and of the shared clock

TRACK_MAX_OUTAGE = 30.0
"""Seconds without any answer after which queued calls of `track` fail: a program must not take long to end."""

TRACK_MAX_REFUSAL = 90.0
"""Seconds of nothing but 429 after which they fail: more than the minute for which the account's limit holds."""

FIRST_CLOCK_WAIT = 0.2
LONGEST_CLOCK_WAIT = 5.0
"""Seconds between two tries to reach the shared clock of several loads. The wait doubles in between."""
