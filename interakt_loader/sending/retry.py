"""One answer and how often the row was tried: done, again, or given up. Pure decisions."""

from __future__ import annotations

import math
from enum import Enum

from interakt_loader.codes import StopReason
from interakt_loader.wire import Answer, Status

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the first retry, and at most: doubling in between."""


class Verdict(Enum):
    """What follows from an answer."""

    DONE = "done"
    AGAIN = "again"  # costs the row one of its retries
    AGAIN_FREE = "again, and not the row's fault"
    STOP = "stop the whole load"


def judge(answer: Answer) -> Verdict:
    """Decide by the answer alone; whether the row has a retry left is the schedule's to know.

    Retried: no answer, an unreadable answer, 408, 429, 5xx. Not retried: every other 4xx, redirects, and a 2xx
    whose body says `"result": false`. 401 and 403 are about the key, so they are every row's; but a 403 that is not in
    the API's words comes from a firewall that does not like this one call. A certificate that cannot be trusted is
    every row's too: it does not become good by waiting, unlike any other failure to connect.
    """
    if answer.accepted:
        return Verdict.DONE
    if answer.code == "certificate_untrusted":
        return Verdict.STOP
    status = answer.http_status
    if status == 429:
        return Verdict.AGAIN_FREE
    if status == 401 or (status == 403 and answer.code != "forbidden"):
        return Verdict.STOP
    if not answer.reached or answer.doubtful or status is None or status == 408 or status >= 500:
        return Verdict.AGAIN
    return Verdict.DONE


def stop_reason(answer: Answer) -> StopReason:
    """Return why an answer stops the load."""
    return answer.code if answer.code in ("certificate_untrusted", "plan_without_api") else "key_refused"


def final_status(answer: Answer, doubted: bool) -> Status:
    """Return how a row ends with this as its last answer; `doubted`: a try of it may have been accepted."""
    if answer.accepted:
        return Status.SENT
    verdict = judge(answer)
    if verdict is Verdict.DONE:  # the API would have judged an earlier try of the same body alike
        return Status.REJECTED
    if doubted:
        return Status.UNKNOWN
    return Status.REJECTED if verdict is Verdict.STOP else Status.FAILED


def backoff(retry: int, dice: float) -> float:
    """Return seconds to wait before retry number `retry` (from 1): doubling, with jitter.

    `dice` is a random number from 0 up to 1; the wait lies between half of the full one and all of it, so that
    rows which failed together do not come back together.
    """
    exponent = min(retry - 1, math.ceil(math.log2(LONGEST_WAIT / FIRST_WAIT)))
    return min(FIRST_WAIT * 2.0**exponent, LONGEST_WAIT) * (0.5 + dice / 2)
