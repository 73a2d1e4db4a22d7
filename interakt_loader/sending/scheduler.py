"""Which call goes next, and when. Pure: no thread, no clock, no network; every method takes `now` in monotonic seconds.

`admit` takes a message in, `take` returns a call that may go now, `settle` takes its answer. A message is in exactly
one place at a time:

- *behind* another message with the same ordering key that is not done yet. With `coalesce` there is at most one of
  these, and it is combined with later ones;
- *ready*: it may go as soon as the rate limit allows;
- *in flight*: its call is out;
- *parked*: it waits in a heap for its retry. Messages behind it wait too, but no thread does;
- *settled*: it has its outcome, which waits to be read.

One bound limits all five together.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable

from interakt_loader.model import Answer, Message, Outcome, Status, Stop
from interakt_loader.sending.pending import PendingCall, carried, folded, outcome
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import (
    LONGEST_REFUSAL_STEP,
    Duration,
    Outage,
    RetryDecision,
    backoff,
    counts,
    decide,
    final_status,
    in_doubt,
    is_retried,
    stop_reason,
    stopped_status,
)


class Schedule:
    """All messages whose outcomes were not read yet, and the order in which they go.

    Args:
        max_queue_size: The most messages that it holds.
        max_retries: Retries of one message that count.
        rate_limit: When the next call may go.
        max_outage: Seconds without any answer after which it stops.
        max_refusal: Seconds of nothing but 429 after which it stops. None: `max_outage`.
        coalesce: Combine waiting messages with the same ordering key.
        resend_doubted: Retry events that the API may have accepted.
        rng: For the jitter of the waits.
    """

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
        label: Callable[[int], str] = str,
        rng: random.Random | None = None,
    ) -> None:
        """`label` gives the number of a row as people read it: `2 (line 4)`."""
        self._label = label
        self._coalesce = coalesce
        self._resend_doubted = resend_doubted
        self._bound = max_queue_size
        self._max_retries = max_retries
        self._limit = rate_limit
        self._max_outage = max_outage
        self._max_refusal = max_outage if max_refusal is None else max_refusal
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        # keys with a message that is not done; the others with the same key wait in the deque. Most have none, and a
        # deque for each key would take most of the memory of a message
        self._behind: dict[str, deque[PendingCall] | None] = {}
        # with `coalesce`: the last message of each key, if it was not sent yet
        self._untried: dict[str, PendingCall] = {}
        self._ready: deque[PendingCall] = deque()
        self._parked: list[tuple[float, int, PendingCall]] = []
        # breaks ties in the heap
        self._parkings = 0
        self._in_flight: set[PendingCall] = set()
        self._outage = Outage(max_outage)
        # how long the API has answered nothing but 429
        self._refusal = Duration(LONGEST_REFUSAL_STEP)
        self._settled: list[Outcome] = []
        self.last_silence = ""
        """The message of the last try that brought no answer."""
        self.unfinished = 0
        """Messages admitted and not settled."""
        self.stopped: Stop | None = None

    @property
    def room(self) -> int:
        """How many more messages fit under the bound."""
        return self._bound - self.unfinished - len(self._settled)

    @property
    def held(self) -> int:
        """How many messages are under the bound now, including those settled and not read."""
        return self.unfinished + len(self._settled)

    @property
    def settled(self) -> int:
        """How many outcomes wait to be read."""
        return len(self._settled)

    @property
    def has_ready(self) -> bool:
        """Whether a call waits only for the rate limit and a free consumer."""
        return bool(self._ready)

    @property
    def waiting(self) -> int:
        """How many calls wait for the rate limit, a free consumer or their retry."""
        return len(self._ready) + len(self._parked)

    @property
    def in_flight(self) -> int:
        """How many calls are out."""
        return len(self._in_flight)

    @property
    def parked_until(self) -> float | None:
        """When the first waiting retry is due; None: no retry waits."""
        return self._parked[0][0] if self._parked else None

    @property
    def in_outage(self) -> bool:
        """Whether the API cannot be reached, and only single calls test whether it answers again."""
        return self._outage.is_on

    @property
    def is_held(self) -> bool:
        """Whether the API answers nothing but 429, and all calls wait for that to end."""
        return self._limit.holding_since is not None

    def admit(self, message: Message) -> bool:
        """Take a message in. Return False, and change nothing, if the bound is reached."""
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
        if message.ordering_key not in self._behind:
            self._behind[message.ordering_key] = None
            self._ready.append(pending)
        else:
            behind = self._behind[message.ordering_key] or deque()
            self._behind[message.ordering_key] = behind
            behind.append(pending)
        return True

    def _fold(self, waiting: PendingCall, message: Message) -> bool:
        """Combine a message with the one that waits before it. Return False if they stay two calls."""
        both = folded(waiting.message, message)
        if both is None:
            return False
        self.unfinished += 1
        carries = waiting.carries or []
        carries.append(waiting.message)
        waiting.carries = carries
        waiting.message, waiting.doubts = both, int(both.doubted)
        return True

    def take(self, now: float) -> PendingCall | float | None:
        """Return a call to send now, or the instant to ask again, or None: ask after the next `settle` or `admit`."""
        if self.stopped:
            return None
        due = self._outage.due()
        if not self._ready and self._parked and not self._outage.is_on:
            due = max(due, self._parked[0][0])
        if not self._ready and not self._parked:
            return None
        if now >= due:
            # the limit is asked last: a shared limit reserves a slot when it is asked
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
        # A due retry goes before new messages, because it has waited longer. In an outage new messages go first: a row
        # whose calls bring no answer may be the cause. If there is no other row, it goes before it is due, because
        # everything waits for the server.
        due = self._parked and self._parked[0][0] <= now and not self._outage.is_on
        if self._parked and (due or not self._ready):
            return heapq.heappop(self._parked)[2]
        return self._ready.popleft()

    def settle(self, pending: PendingCall, answer: Answer, now: float) -> None:
        """Take the answer of a call: its message is done, or waits for its next try (`retry_policy.decide`)."""
        # a call that was abandoned is settled already
        if pending not in self._in_flight:
            return
        self._in_flight.discard(pending)
        pending.last = answer
        decision = decide(answer)
        if answer.reached:
            self._answered(pending, answer, decision, now)
        else:
            self._not_answered(pending, answer, now)
        if answer.accepted:
            self._finish(pending, Status.SENT, answer.at)
            return
        pending.doubts += in_doubt(answer)
        pending.charged += counts(answer)
        if decision is RetryDecision.STOP:
            self.stop(Stop(stop_reason(answer), answer.message), answer.at)
        is_doubted_event = pending.doubts > 0 and pending.message.kind == "event"
        retried = is_retried(answer) and (self._resend_doubted or not is_doubted_event)
        if retried and self.stopped:
            self._finish(pending, stopped_status(calls=pending.calls, doubts=pending.doubts), answer.at)
        elif retried and pending.charged <= self._max_retries:
            self._wait_for_retry(pending, answer, decision, now)
        else:
            self._finish(pending, final_status(answer, doubted=pending.doubts > 0), answer.at)

    def _answered(self, pending: PendingCall, answer: Answer, decision: RetryDecision, now: float) -> None:
        self._outage.answered()
        if decision is RetryDecision.RETRY_FREE:
            refused_for = self._refusal.extend(now)
            # when the patience ends, one more call checks whether the 429s are over, whatever Retry-After asks for
            self._limit.refused(now, pending.sent_at, answer.retry_after, self._max_refusal - refused_for)
            held_since = self._limit.holding_since
            if held_since is not None and refused_for > self._max_refusal and not self.stopped:
                reason = f"the API has answered every call for {refused_for:.0f} s with 429: {answer.message}"
                self.stop(Stop("outage", reason), answer.at)
        else:
            self._refusal.reset()
            self._limit.accepted(now, pending.sent_at)

    def _not_answered(self, pending: PendingCall, answer: Answer, now: float) -> None:
        self._limit.lost(pending.sent_at)
        silence = self._outage.not_answered(pending, now)
        self.last_silence = answer.message
        if self._outage.is_on and silence >= self._max_outage and not self.stopped:
            reason = f"no answer from the API for {silence:.0f} s: {answer.message}"
            self.stop(Stop("outage", reason), answer.at)

    def _wait_for_retry(self, pending: PendingCall, answer: Answer, decision: RetryDecision, now: float) -> None:
        """Queue a call for its next try. `retry_policy.backoff` gives the seconds, if its own try failed."""
        if decision is RetryDecision.RETRY_FREE:
            # after a 429 the rate limit decides when
            self._ready.appendleft(pending)
        elif not answer.sent:
            # no connection: the outage decides when, and its next probe is another row
            self._ready.append(pending)
        else:
            due = now + backoff(pending.charged, self._rng.random(), answer.retry_after)
            self._parkings += 1
            heapq.heappush(self._parked, (due, self._parkings, pending))

    def _finish(self, pending: PendingCall, status: Status, at: float) -> None:
        """Settle a message, and let the next one with its ordering key come forward."""
        self._settle_as(pending, status, at)
        behind = self._behind[pending.message.ordering_key]
        if self.stopped:
            self._settle_behind(behind, at)
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._behind[pending.message.ordering_key]

    def _settle_as(self, pending: PendingCall, status: Status, at: float) -> None:
        self.unfinished -= 1 + len(pending.carries)
        settled = outcome(pending, status, at, self.stopped)
        for message in pending.carries:
            self._settled.append(carried(message, settled, label=self._label))
        self._settled.append(settled)

    def _settle_behind(self, behind: deque[PendingCall] | None, at: float) -> None:
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
            self._finish(pending, stopped_status(calls=pending.calls, doubts=pending.doubts), at)
        for pending in self._in_flight:
            self._settle_behind(self._behind[pending.message.ordering_key], at)

    def abandon(self, at: float) -> None:
        """After `stop`: do not wait for the calls in flight either. An answer that comes later changes nothing."""
        for pending in list(self._in_flight):
            self._in_flight.discard(pending)
            pending.doubts += 1
            self._finish(pending, Status.UNKNOWN, at)

    def read(self) -> list[Outcome]:
        """Return the outcomes settled since the last read, and free their room."""
        settled, self._settled = self._settled, []
        return settled
