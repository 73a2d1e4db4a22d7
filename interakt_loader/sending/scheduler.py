"""Which call goes next, and when. Pure: no thread, no clock, no network; every method takes `now`.

`admit` takes a message in, `take` hands out a ticket for a call that may go now, `settle` takes back the answer.
A message is in exactly one place at a time:

- *behind* in its lane: an earlier message of the same user is not done yet (with `coalesce`, there is at most one:
  the one that waits takes a later message in);
- *ready*: may go as soon as the rate limit allows;
- *in flight*: its ticket is out;
- *parked*: waits in a heap for its retry; its lane waits with it, no thread does;
- *settled*: it has its outcome, and waits to be read.

One bound holds all five. `now` is monotonic seconds throughout.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque

from interakt_loader.model import (
    LARGEST_BODY,
    Answer,
    Message,
    Outcome,
    Status,
    Stop,
)
from interakt_loader.sending.pending import PendingCall, carried, folded, outcome, stopped_status
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import (
    Duration,
    Outage,
    RetryDecision,
    backoff,
    decide,
    final_status,
    stop_reason,
)

LONGEST_REFUSAL_STEP = 330.0
"""Seconds that one 429 may add to the time for which the API answers nothing else."""


class Schedule:
    """All messages that are not read back yet, and the order in which they go."""

    def __init__(
        self,
        *,
        max_queue_size: int,
        max_retries: int,
        rate_limit: RateLimit,
        max_outage: float,
        max_refusal: float | None = None,
        coalesce: bool = False,
        resend_doubted: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        self._coalesce = coalesce
        self._resend_doubted = resend_doubted
        self._room = max_queue_size
        self._max_retries = max_retries
        self._limit = rate_limit
        self._max_outage = max_outage
        self._max_refusal = max_outage if max_refusal is None else max_refusal  # seconds of nothing but 429
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._ordering_keys: dict[
            str, deque[PendingCall]
        ] = {}  # a lane that is here is busy; the deque waits behind it
        self._untried: dict[str, PendingCall] = {}  # with `coalesce`: the last of each lane, if it has not been out yet
        self._ready: deque[PendingCall] = deque()
        self._parked: list[tuple[float, int, PendingCall]] = []
        self._parkings = 0  # breaks ties in the heap
        self._in_flight: set[PendingCall] = set()
        self._outage = Outage(max_outage)
        self._refusal = Duration(LONGEST_REFUSAL_STEP)  # of an API that answers nothing but 429
        self._settled: list[Outcome] = []
        self.last_silence = ""
        """What was said of the last try that brought no answer."""
        self.unfinished = 0
        """Messages admitted and not settled."""
        self.stopped: Stop | None = None

    @property
    def room(self) -> int:
        """How many more messages fit under the bound."""
        return self._room - self.unfinished - len(self._settled)

    @property
    def held(self) -> int:
        """How many messages are under the bound now, settled and unread ones included."""
        return self.unfinished + len(self._settled)

    @property
    def settled(self) -> int:
        """How many outcomes wait to be read."""
        return len(self._settled)

    @property
    def has_ready(self) -> bool:
        """Whether a call waits for nothing but the rate limit and a free consumer."""
        return bool(self._ready)

    @property
    def parked_until(self) -> float | None:
        """When the first of the retries that wait is due; None: no retry waits."""
        return self._parked[0][0] if self._parked else None

    @property
    def in_outage(self) -> bool:
        """Whether nothing can be reached, and only a probing call goes out now and then."""
        return self._outage.is_on

    @property
    def is_held(self) -> bool:
        """Whether the API answers nothing but 429, and all calls wait for that to end."""
        return self._limit.holding_since is not None

    def admit(self, message: Message) -> bool:
        """Take a message in, unless the bound is reached (then nothing changes)."""
        if self.room <= 0:
            return False
        if self._coalesce:
            waiting = self._untried.get(message.ordering_key)
            if waiting is not None and self._fold(waiting, message):
                return True
        self.unfinished += 1
        pending = PendingCall(message, doubts=int(message.doubted))
        if self._coalesce:
            self._untried[message.ordering_key] = pending
        behind = self._ordering_keys.get(message.ordering_key)
        if behind is None:
            self._ordering_keys[message.ordering_key] = deque()
            self._ready.append(pending)
        else:
            behind.append(pending)
        return True

    def _fold(self, waiting: PendingCall, message: Message) -> bool:
        """Fold a message into the one that waits before it, unless that makes a call larger than the API takes."""
        both = folded(waiting.message, message)
        if len(both.body) > LARGEST_BODY:
            return False
        self.unfinished += 1
        waiting.carries.append(waiting.message)
        waiting.message, waiting.doubts = both, int(both.doubted)
        return True

    def take(self, now: float) -> PendingCall | float | None:
        """Return a ticket to send now, or the instant to come back at, or None: nothing before a settle or admit."""
        if self.stopped:
            return None
        due = self._outage.due()
        if not self._ready and self._parked and not self._outage.is_on:
            due = max(due, self._parked[0][0])
        if not self._ready and not self._parked:
            return None
        if now >= due:  # the limit is asked last: a shared one reserves what it is asked for
            due = self._limit.due(now, len(self._ready) or 1, len(self._in_flight))
        if now < due:
            return None if due == math.inf else due
        pending = self._next(now)
        self._outage.spend(pending)
        self._limit.spend(now)
        if self._untried.get(pending.message.ordering_key) is pending:
            del self._untried[pending.message.ordering_key]
        pending.calls += 1
        pending.sent_at = now
        self._in_flight.add(pending)
        return pending

    def _next(self, now: float) -> PendingCall:
        # A retry that is due goes before what has not been tried: it has waited longer. In an outage it is the other
        # way round: a row whose calls bring no answer may be the reason, and if there is no other row, it goes before
        # its time, since the server is what is waited for.
        due = self._parked and self._parked[0][0] <= now and not self._outage.is_on
        if self._parked and (due or not self._ready):
            return heapq.heappop(self._parked)[2]
        return self._ready.popleft()

    def settle(self, pending: PendingCall, answer: Answer, now: float) -> None:
        """Take back a ticket with its answer: the message is done, or waits for its next try."""
        if pending not in self._in_flight:  # abandoned
            return
        self._in_flight.discard(pending)
        pending.last = answer
        pending.charged += 1
        pending.doubts += answer.doubtful
        verdict = decide(answer)
        if answer.reached:
            self._answered(pending, answer, verdict, now)
        else:
            pending.charged -= not answer.doubtful  # it never reached the server: that says nothing about the row
            self._not_answered(pending, answer, now)
        if verdict is RetryDecision.AGAIN_FREE:
            pending.charged -= 1
        if verdict is RetryDecision.STOP:
            self.stop(Stop(stop_reason(answer), answer.message), answer.at)
        again = verdict in (RetryDecision.AGAIN, RetryDecision.AGAIN_FREE) or not answer.reached
        if pending.doubts and pending.message.kind == "event" and not self._resend_doubted:
            again = False
        if again and self.stopped:
            self._finish(pending, stopped_status(pending), answer.at)
        elif again and pending.charged <= self._max_retries:
            self._wait_for_retry(pending, verdict, now)
        else:
            self._finish(pending, final_status(answer, pending.doubts > 0), answer.at)

    def _answered(self, pending: PendingCall, answer: Answer, verdict: RetryDecision, now: float) -> None:
        self._outage.answered()
        if verdict is RetryDecision.AGAIN_FREE:
            refused_for = self._refusal.goes_on(now)
            # when patience ends one call more finds out whether it is over, whatever Retry-After asks for
            self._limit.refused(now, pending.sent_at, answer.retry_after, self._max_refusal - refused_for)
            held_since = self._limit.holding_since
            if held_since is not None and refused_for > self._max_refusal and not self.stopped:
                reason = f"the API has answered every call for {refused_for:.0f} s with 429: {answer.message}"
                self.stop(Stop("outage", reason), answer.at)
        else:
            self._refusal.ends()
            self._limit.accepted(now, pending.sent_at)

    def _not_answered(self, pending: PendingCall, answer: Answer, now: float) -> None:
        self._limit.lost(pending.sent_at)
        silence = self._outage.not_answered(pending, now)
        self.last_silence = answer.message
        if self._outage.is_on and silence >= self._max_outage and not self.stopped:
            reason = f"no answer from the API for {silence:.0f} s: {answer.message}"
            self.stop(Stop("outage", reason), answer.at)

    def _wait_for_retry(self, pending: PendingCall, verdict: RetryDecision, now: float) -> None:
        if verdict is RetryDecision.AGAIN_FREE:
            self._ready.appendleft(pending)  # the limit says when
            return
        if pending.last is not None and not pending.last.reached and not pending.last.doubtful:
            self._ready.append(pending)  # the outage says when; its next probe is another row
            return
        due = now + backoff(pending.charged, self._rng.random())
        if pending.last and pending.last.retry_after:  # 503 may carry one too
            due = max(due, now + min(pending.last.retry_after, 60.0))
        self._parkings += 1
        heapq.heappush(self._parked, (due, self._parkings, pending))

    def _finish(self, pending: PendingCall, status: Status, at: float) -> None:
        """Settle a message, and let the next one of its lane come forward."""
        self._settle_as(pending, status, at)
        behind = self._ordering_keys[pending.message.ordering_key]
        if self.stopped:
            self._settle_behind(behind, at)
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._ordering_keys[pending.message.ordering_key]

    def _settle_as(self, pending: PendingCall, status: Status, at: float) -> None:
        self.unfinished -= 1 + len(pending.carries)
        own = outcome(pending, status, at, self.stopped)
        for one in pending.carries:
            self._settled.append(carried(one, own))
        self._settled.append(own)

    def _settle_behind(self, behind: deque[PendingCall], at: float) -> None:
        while behind:
            self._settle_as(behind.popleft(), Status.UNSENT, at)

    def stop(self, stop: Stop, at: float) -> None:
        """End the load: calls in flight may finish, everything else is settled now (`at`: seconds since the epoch).

        Only the first stop counts.
        """
        if self.stopped:
            return
        self.stopped = stop
        waiting = [*self._ready, *(pending for _, _, pending in self._parked)]
        self._ready.clear()
        self._parked.clear()
        self._untried.clear()
        for pending in waiting:
            self._finish(pending, stopped_status(pending), at)
        for pending in self._in_flight:
            self._settle_behind(self._ordering_keys[pending.message.ordering_key], at)

    def abandon(self, at: float) -> None:
        """After `stop`: wait no longer for the calls in flight either. An answer that comes later changes nothing."""
        for pending in list(self._in_flight):
            self._in_flight.discard(pending)
            pending.doubts += 1
            self._finish(pending, Status.UNKNOWN, at)

    def read(self) -> list[Outcome]:
        """Hand over the outcomes settled since the last read; this frees their room."""
        settled, self._settled = self._settled, []
        return settled
