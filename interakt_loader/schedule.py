"""Which call goes next, and when. Pure: no thread, no clock, no network; every method takes `now`.

`admit` takes a message in, `take` hands out a ticket for a call that may go now, `settle` takes back the answer.
A message is in exactly one place at a time:

- *behind* in its lane: an earlier message of the same user is not done yet;
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
from dataclasses import dataclass
from typing import Literal, NamedTuple

from interakt_loader.ratelimit import RateLimit
from interakt_loader.retry import Verdict, backoff, final_status, judge
from interakt_loader.wire import Answer, Message, Outcome, Status

OUTAGE_AFTER = 3
"""Tries in a row, over all lanes, that brought no answer of any kind: from then on it is an outage."""

FIRST_PROBE = 0.5
LONGEST_PROBE = 15.0
"""Seconds between the probing calls of an outage: doubling."""

StopReason = Literal["interrupted", "key_refused", "outage", "source_broken", "abandoned"]


class Stop(NamedTuple):
    """Why a load ended before its last row."""

    reason: StopReason
    message: str


@dataclass(slots=True, eq=False)
class Ticket:
    """A message on its way: what it has been through so far."""

    message: Message
    calls: int = 0
    """HTTP calls made."""
    charged: int = 0
    """Of these, the ones that count against `max_retries`."""
    doubts: int = 0
    """Calls of it that ended so that the server may have taken it."""
    sent_at: float = 0.0
    last: Answer | None = None


class Schedule:
    """All messages that are not read back yet, and the order in which they go."""

    def __init__(
        self,
        *,
        max_queue_size: int,
        max_retries: int,
        rate_limit: RateLimit,
        max_outage: float,
        dice: random.Random | None = None,
    ) -> None:
        self._room = max_queue_size
        self._max_retries = max_retries
        self._limit = rate_limit
        self._max_outage = max_outage
        self._dice = dice or random.Random()  # noqa: S311 - jitter, not a secret
        self._lanes: dict[str, deque[Ticket]] = {}  # a lane that is here is busy; the deque waits behind it
        self._ready: deque[Ticket] = deque()
        self._parked: list[tuple[float, int, Ticket]] = []
        self._parkings = 0  # breaks ties in the heap
        self._in_flight: set[Ticket] = set()
        self._settled: list[Outcome] = []
        self._unanswered: list[Ticket] = []  # tickets of the latest tries, all without any answer
        self._unanswered_since = 0.0
        self._probe_due: float | None = None  # set during an outage
        self._probe_wait = 0.0
        self._probe: Ticket | None = None
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
    def has_parked(self) -> bool:
        """Whether a retry waits for its time."""
        return bool(self._parked)

    @property
    def in_outage(self) -> bool:
        """Whether nothing can be reached, and only a probing call goes out now and then."""
        return self._probe_due is not None

    def admit(self, message: Message) -> bool:
        """Take a message in, unless the bound is reached (then nothing changes)."""
        if self.room <= 0:
            return False
        self.unfinished += 1
        ticket = Ticket(message)
        behind = self._lanes.get(message.lane)
        if behind is None:
            self._lanes[message.lane] = deque()
            self._ready.append(ticket)
        else:
            behind.append(ticket)
        return True

    def take(self, now: float) -> Ticket | float | None:
        """Return a ticket to send now, or the instant to come back at, or None: nothing before a settle or admit."""
        if self.stopped:
            return None
        due = self._limit.due()
        if self._probe_due is not None:
            due = max(due, math.inf if self._probe else self._probe_due)
        if not self._ready and self._parked:
            due = max(due, self._parked[0][0]) if self._probe_due is None else due
        if not self._ready and not self._parked:
            return None
        if now < due:
            return None if due == math.inf else due
        ticket = self._next(now)
        if self._probe_due is not None:
            self._probe = ticket
        self._limit.spend(now)
        ticket.calls += 1
        ticket.sent_at = now
        self._in_flight.add(ticket)
        return ticket

    def _next(self, now: float) -> Ticket:
        # A retry that is due goes before what has not been tried: it has waited longer. In an outage the probe may
        # take one before its time: then the server is what is waited for.
        if self._parked and (self._parked[0][0] <= now or not self._ready):
            return heapq.heappop(self._parked)[2]
        return self._ready.popleft()

    def settle(self, ticket: Ticket, answer: Answer, now: float) -> None:
        """Take back a ticket with its answer: the message is done, or waits for its next try."""
        self._in_flight.discard(ticket)
        ticket.last = answer
        ticket.charged += 1
        ticket.doubts += answer.doubtful
        verdict = judge(answer)
        if answer.reached:
            self._answered(ticket, answer, verdict, now)
        else:
            self._not_answered(ticket, answer, now)
        if verdict is Verdict.AGAIN_FREE:
            ticket.charged -= 1
        if verdict is Verdict.STOP:
            self.stop(Stop("key_refused", answer.message), answer.at)
        again = verdict in (Verdict.AGAIN, Verdict.AGAIN_FREE)
        if again and self.stopped:
            self._finish(ticket, _stopped_status(ticket), answer.at)
        elif again and ticket.charged <= self._max_retries:
            self._wait_for_retry(ticket, verdict, now)
        else:
            self._finish(ticket, final_status(answer, ticket.doubts > 0), answer.at)

    def _answered(self, ticket: Ticket, answer: Answer, verdict: Verdict, now: float) -> None:
        self._unanswered.clear()
        self._probe_due = self._probe = None
        if verdict is Verdict.AGAIN_FREE:
            self._limit.refused(now, ticket.sent_at, answer.retry_after)
            held_since = self._limit.holding_since
            if held_since is not None and now - held_since > self._max_outage and not self.stopped:
                reason = f"the API has answered every call for {now - held_since:.0f} s with 429: {answer.message}"
                self.stop(Stop("outage", reason), answer.at)
        else:
            self._limit.accepted(now, ticket.sent_at)

    def _not_answered(self, ticket: Ticket, answer: Answer, now: float) -> None:
        self._limit.lost(ticket.sent_at)
        if not self._unanswered:
            self._unanswered_since = now
        if self._probe_due is None:
            self._unanswered.append(ticket)
            if len(self._unanswered) < OUTAGE_AFTER:
                return
            for one in self._unanswered:  # it was the network, not the rows: give them their tries back
                one.charged = max(0, one.charged - 1)
            self._probe_wait = FIRST_PROBE
            self._probe_due = now + self._probe_wait
        else:
            ticket.charged -= 1
            if ticket is not self._probe:
                return
            self._probe = None
            self._probe_wait = min(self._probe_wait * 2, LONGEST_PROBE)
            last_chance = self._unanswered_since + self._max_outage
            self._probe_due = max(now, min(now + self._probe_wait, last_chance))
        silence = now - self._unanswered_since
        if silence >= self._max_outage and not self.stopped:
            reason = f"no answer from the API for {silence:.0f} s: {answer.message}"
            self.stop(Stop("outage", reason), answer.at)

    def _wait_for_retry(self, ticket: Ticket, verdict: Verdict, now: float) -> None:
        if verdict is Verdict.AGAIN_FREE or ticket.charged == 0:
            self._ready.appendleft(ticket)  # the limit, or the outage's probe, says when
            return
        due = now + backoff(ticket.charged, self._dice.random())
        if ticket.last and ticket.last.retry_after:  # 503 may carry one too
            due = max(due, now + min(ticket.last.retry_after, 60.0))
        self._parkings += 1
        heapq.heappush(self._parked, (due, self._parkings, ticket))

    def _finish(self, ticket: Ticket, status: Status, at: float) -> None:
        """Settle a message, and let the next one of its lane come forward."""
        self._settle_as(ticket, status, at)
        behind = self._lanes[ticket.message.lane]
        if self.stopped:
            self._settle_behind(behind, at)
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._lanes[ticket.message.lane]

    def _settle_as(self, ticket: Ticket, status: Status, at: float) -> None:
        self.unfinished -= 1
        self._settled.append(_outcome(ticket, status, at, self.stopped))

    def _settle_behind(self, behind: deque[Ticket], at: float) -> None:
        while behind:
            self._settle_as(behind.popleft(), Status.UNSENT, at)

    def stop(self, stop: Stop, at: float) -> None:
        """End the load: calls in flight may finish, everything else is settled now (`at`: seconds since the epoch).

        Only the first stop counts.
        """
        if self.stopped:
            return
        self.stopped = stop
        waiting = [*self._ready, *(ticket for _, _, ticket in self._parked)]
        self._ready.clear()
        self._parked.clear()
        for ticket in waiting:
            self._finish(ticket, _stopped_status(ticket), at)
        for ticket in self._in_flight:
            self._settle_behind(self._lanes[ticket.message.lane], at)

    def read(self) -> list[Outcome]:
        """Hand over the outcomes settled since the last read; this frees their room."""
        settled, self._settled = self._settled, []
        return settled


def _stopped_status(ticket: Ticket) -> Status:
    return Status.UNKNOWN if ticket.doubts else Status.UNSENT


def _outcome(ticket: Ticket, status: Status, at: float, stop: Stop | None) -> Outcome:
    answer, message = ticket.last, ticket.message
    code, column, text = message.note_code, message.note_column, message.note
    if status is Status.UNSENT:
        code = stop.reason if stop else "unsent"
        text = f"not sent: {stop.message}" if stop else None
    elif status is not Status.SENT and answer is not None:
        code, column, text = answer.code, None, answer.message
    return Outcome(
        message,
        status,
        ticket.calls,
        answer.http_status if answer else None,
        code,
        column,
        text,
        maybe_duplicate=ticket.doubts > (0 if status is Status.SENT else 1),
        latency_ms=round(answer.seconds * 1000, 3) if answer else None,
        finished_at=at,
        answer=answer,
    )
