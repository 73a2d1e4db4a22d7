"""The threads that make the calls: an `Engine` of consumers around a `Schedule`, or `send_inline` without threads.

This is the only place where threads wait for each other. One lock guards the schedule. A consumer settles its answers
and takes its next calls while it holds the lock once. It has as many calls out as may go and as its `CallSet` allows;
all consumers together have at most `workers`. Whenever an answer is there, it comes back for more.

Idle consumers sleep: one of them, the timer, until the next call is due, all others until they are woken. A consumer
for which the `ConcurrencyLimit` has no use sleeps as the timer too, because the limit may change soon. After a while
with nothing to do consumers end, and a new message starts new ones.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from interakt_loader.model import Answer, CallSet, ManyCalls, Message, Outcome, Stop, StopToken, Transport
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.scheduler import Schedule

if TYPE_CHECKING:
    from threading import Condition

logger = logging.getLogger("interakt_loader")

MEASURED = 0.02
"""Seconds over which the computing time is measured."""

BUSY = 0.9
"""Seconds of computing, of all consumers together, in each second: above this, one more would slow down the others."""

SPARE = 0.7
"""The same: below this, one more would find time."""

FEWEST = 2
"""Consumers that may always be awake."""


class ConcurrencyLimit:
    """How many of `most` consumers may be awake. Pure: `now` is an argument.

    Python runs one thread at a time. If answers come at once, consumers wait for the interpreter and not for the
    server, and each additional one slows down all of them. Then two consumers make all calls, each of them several at a
    time. If answers take longer, all consumers are useful: not every transport can make several calls on one thread.
    So the limit depends on how much of the time is spent computing, not on how fast the server is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._wanted = most
        self._computed = 0.0
        self._since: float | None = None

    def computed(self, seconds: float) -> None:
        """Note that a consumer, or the reader, has computed for so long."""
        self._computed += seconds

    def wanted(self, now: float) -> int:
        """Return how many may be awake."""
        if self._since is None:
            self._since, self._computed = now, 0.0
        elif now - self._since >= MEASURED:
            share = self._computed / (now - self._since)
            if share > BUSY:
                self._wanted = max(min(FEWEST, self._most), self._wanted * 3 // 4)
            elif share < SPARE:
                self._wanted = min(self._most, self._wanted * 2)
            self._since, self._computed = now, 0.0
        return self._wanted


class IdleWorkers:
    """The consumers that sleep, as a stack: the last one to sleep is woken first. All calls hold the engine's lock.

    So a load that needs four consumers keeps the same four awake. At most one of them is the timer.
    """

    def __init__(self) -> None:
        self._stack: list[Condition] = []
        self._timer: Condition | None = None
        self._alarm = 0.0

    def __len__(self) -> int:
        return len(self._stack)

    def wakes_by(self, instant: float) -> bool:
        """Return True if the timer wakes up at this instant or before."""
        return self._timer is not None and self._alarm <= instant

    def sleep(
        self, condition: Condition, until: float | None, clock: Callable[[], float], longest: float | None
    ) -> bool:
        """Sleep until woken; return whether woken.

        Without waking it ends at `until`, if no other consumer is up by then, else after `longest` seconds.
        """
        self._stack.append(condition)
        if until is not None and not self.wakes_by(until):
            self._timer, self._alarm = condition, until
            condition.wait(max(0.0, until - clock()))
        else:
            condition.wait(longest)
        if self._timer is condition:
            self._timer = None
        if condition not in self._stack:
            return True
        # the time ran out
        self._stack.remove(condition)
        return False

    def wake_one(self) -> bool:
        """Wake the one that has slept shortest; return whether there is one."""
        if not self._stack:
            return False
        self._stack.pop().notify()
        return True

    def wake_all(self) -> None:
        """Wake all of them."""
        while self.wake_one():
            pass


def call_set_of(transport: Transport) -> CallSet:
    """Return the calls of one thread, none so far."""
    return transport.call_set() if isinstance(transport, ManyCalls) else OneCall(transport)


class OneCall:
    """One call after another, for a transport that can only `send`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._is_reserved = False
        self._message: Message | None = None

    def reserve(self) -> bool:
        """Allow one call."""
        was_reserved, self._is_reserved = self._is_reserved, True
        return not was_reserved

    def release(self) -> None:
        """Allow it later."""
        self._is_reserved = False

    def begin(self, message: Message) -> None:
        """Remember the call."""
        self._message = message

    def answers(self) -> list[tuple[Message, Answer]]:
        """Make the call."""
        assert self._message is not None
        self._is_reserved = False
        return [(self._message, self._transport.send(self._message))]


OFFERED_AT_ONCE = 256
"""Messages that are taken in under one hold of the lock. Consumers wait for it meanwhile."""

LONGEST_IDLE = 1.0
"""Seconds with nothing to do after which a consumer ends. A `track.Client` may never be closed."""


class Engine:
    """Sends the messages that it is offered, with up to `workers` calls at once.

    A context manager. Leaving it waits until every message has settled and the threads have ended. Leaving it by an
    exception abandons what is queued: calls in flight end later, in daemon threads.

    Outcomes are fetched by `read` (by one reader), or, with `on_outcomes`, handed to it on the thread that settled
    them. `stop_token` is read before each call.
    """

    def __init__(
        self,
        schedule: Schedule,
        transport: Transport,
        workers: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        thread_time: Callable[[], float] | None = None,
        on_outcomes: Callable[[list[Outcome]], object] | None = None,
        stop_token: StopToken | None = None,
    ) -> None:
        self._schedule = schedule
        self._transport = transport
        self._workers = workers
        self._concurrency = ConcurrencyLimit(workers)
        self._clock = clock
        self._thread_time = thread_time or time.thread_time
        # the seconds that the reader, who also prepares the messages, has computed so far
        self._reader_computed = self._thread_time()
        self._on_outcomes = on_outcomes
        self._stop_token = stop_token or StopToken()
        # threads that are calling `on_outcomes` now
        self._reporting: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._idle_workers = IdleWorkers()
        self._reader = threading.Condition(self._lock)
        # how many outcomes the reader waits for; 0: it does not wait
        self._wanted = 0
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count()
        self._closing = False
        self._abandoned = False
        self.most_held = 0
        """The most messages that were ever under the bound at once."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.stop(Stop("abandoned", "the load was abandoned"))
        self.close(wait=kind is None)

    def offer(self, messages: Sequence[Message], start: int = 0) -> int:
        """Take as many of `messages[start:]` as there is room for, in order; return how many."""
        taken = start
        while taken < len(messages):
            with self._lock:
                if self._closing or self._schedule.stopped:
                    break
                end = min(len(messages), taken + min(self._schedule.room, OFFERED_AT_ONCE))
                if end <= taken:
                    break
                for position in range(taken, end):
                    self._schedule.admit(messages[position])
                taken = end
                self.most_held = max(self.most_held, self._schedule.held)
                self._wake_or_start(self._clock())
        return taken - start

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        """Return the outcomes settled since the last read; first wait up to `timeout` seconds for `wanted` of them.

        Returns earlier when nothing is unfinished.
        """
        deadline = self._clock() + timeout
        with self._lock:
            before, self._reader_computed = self._reader_computed, self._thread_time()
            self._concurrency.computed(self._reader_computed - before)
            while self._schedule.settled < wanted and self._schedule.unfinished:
                left = deadline - self._clock()
                if left <= 0:
                    break
                self._wanted = wanted
                self._reader.wait(left)
                self._wanted = 0
            # `wait_until_idle` waits until all is read
            self._reader.notify_all()
            return self._schedule.read()

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        """Wait until every message has settled and its outcome was handed over; return whether that is so."""
        # `on_outcomes` cannot wait for its own end
        if threading.current_thread() in self._reporting:
            return False
        schedule = self._schedule
        with self._lock:
            return self._reader.wait_for(
                lambda: not schedule.unfinished and not schedule.settled and not self._reporting, timeout
            )

    @property
    def unfinished(self) -> int:
        """How many messages have not settled."""
        with self._lock:
            return self._schedule.unfinished

    @property
    def settled(self) -> int:
        """How many messages have settled whose outcomes were not read yet."""
        with self._lock:
            return self._schedule.settled

    @property
    def stopped(self) -> Stop | None:
        """Why the engine takes no more messages; None while it does."""
        return self._schedule.stopped

    @property
    def running(self) -> bool:
        """Whether one of its threads runs."""
        return any(thread.is_alive() for thread in list(self._threads))

    @property
    def in_outage(self) -> bool:
        """Whether the API cannot be reached at the moment."""
        return self._schedule.in_outage

    @property
    def last_silence(self) -> str:
        """The message of the last try that brought no answer."""
        return self._schedule.last_silence

    @property
    def is_held(self) -> bool:
        """Whether all calls wait because of a 429."""
        return self._schedule.is_held

    def stop(self, stop: Stop) -> None:
        """Let calls in flight finish, settle everything else as unsent, and take no more messages."""
        with self._lock:
            self._schedule.stop(stop, time.time())
            self._after_settling()
        self._hand_over()

    def abandon(self) -> None:
        """After `stop`: settle the calls in flight as unknown. Their threads end when their answers come."""
        with self._lock:
            self._schedule.abandon(time.time())
            self._abandoned = True
            self._after_settling()
        self._hand_over()

    def wake(self) -> None:
        """Have a consumer check again whether a call may go, because something outside the schedule has changed."""
        with self._lock:
            self._wake_or_start(self._clock())

    def close(self, *, wait: bool = True) -> None:
        """End the threads once everything has settled; with `wait`, return when they have ended."""
        with self._lock:
            self._closing = True
            self._wake_all()
        if wait:
            # the list may grow meanwhile, but not shrink: a closing engine has no idle consumers that end
            for thread in self._threads:
                if thread is not threading.current_thread() and not self._abandoned:
                    thread.join()
            self._transport.close()

    # ------------------------------------------------------------------ consumers

    def _consume(self) -> None:
        condition = threading.Condition(self._lock)
        call_set = self._call_set()
        # by row
        out: dict[int, PendingCall] = {}
        answers: list[tuple[Message, Answer]] = []
        computed = self._thread_time()
        while True:
            with self._lock:
                before, computed = computed, self._thread_time()
                self._concurrency.computed(computed - before)
                now = self._clock()
                for message, answer in answers:
                    self._schedule.settle(out.pop(message.row), answer, now)
                if answers:
                    self._after_settling()
                # `on_outcomes` may take long
                if self._on_outcomes and self._schedule.settled:
                    self._wake_another(now)
                taken = [] if self._on_outcomes else self._await_calls(condition, call_set, is_waiting=bool(out))
            if self._on_outcomes:
                self._hand_over()
                with self._lock:
                    taken = self._await_calls(condition, call_set, is_waiting=bool(out))
            for pending in taken:
                out[pending.message.row] = pending
            if not out:
                # what a stop has settled just before the end
                self._hand_over()
                return
            try:
                for pending in taken:
                    call_set.begin(pending.message)
                answers = call_set.answers()
            except Exception as error:
                # a call never raises because of a row; if it does, each row still gets an outcome and the thread lives
                logger.exception("a call could not be made")
                text = f"the call could not be made ({type(error).__name__}): please report this"
                answer = Answer.error("internal_error", text, 0.0, http_status=None)
                answers = [(pending.message, answer) for pending in out.values()]
                call_set = self._call_set()

    def _call_set(self) -> CallSet:
        # the answer of one call must not wait while `on_outcomes` runs for another
        return OneCall(self._transport) if self._on_outcomes else call_set_of(self._transport)

    def _hand_over(self) -> None:
        """Give settled outcomes to `on_outcomes`, outside the lock: it may take long, or call this engine."""
        if self._on_outcomes is None:
            return
        thread = threading.current_thread()
        with self._lock:
            outcomes = self._schedule.read()
            self._reporting.append(thread)
        try:
            if outcomes:
                self._on_outcomes(outcomes)
        finally:
            with self._lock:
                self._reporting.remove(thread)
                self._reader.notify_all()

    def _await_calls(self, condition: threading.Condition, call_set: CallSet, *, is_waiting: bool) -> list[PendingCall]:
        """Return calls that may go now. Holds the lock.

        If there are none, sleep until there are; none then means that this consumer ends. A consumer that is waiting
        for answers does not sleep.
        """
        while True:
            stop = self._stop_token.stop
            if stop is not None and not self._schedule.stopped:
                self._schedule.stop(stop, time.time())
                self._after_settling()
            now = self._clock()
            is_surplus = self._awake > self._concurrency.wanted(now) and self._schedule.unfinished
            taken, due = ([], now + MEASURED) if is_surplus else self._take(now, call_set)
            if taken or is_waiting:
                self._wake_another(now)
                return taken
            if is_surplus:
                self._idle_workers.sleep(condition, due, self._clock, None)
                continue
            if self._closing and not self._schedule.unfinished:
                self._wake_all()
                return []
            is_idle = not self._schedule.unfinished
            was_woken = self._idle_workers.sleep(condition, due, self._clock, LONGEST_IDLE if is_idle else None)
            if is_idle and not was_woken and not self._schedule.unfinished and not self._closing:
                self._threads.remove(threading.current_thread())
                # consumers that fell asleep while there was work sleep without a limit
                self._idle_workers.wake_all()
                return []

    def _take(self, now: float, call_set: CallSet) -> tuple[list[PendingCall], float | None]:
        """Return the calls that may go now, and the instant at which the next one may."""
        taken: list[PendingCall] = []
        schedule = self._schedule
        while schedule.in_flight < self._workers and schedule.waiting and call_set.reserve():
            work = schedule.take(now)
            if not isinstance(work, PendingCall):
                call_set.release()
                return taken, work
            taken.append(work)
        return taken, None

    @property
    def _awake(self) -> int:
        """How many consumers are awake."""
        return len(self._threads) - len(self._idle_workers)

    def _wake_another(self, now: float) -> None:
        """Have another consumer look after calls that may go, before this one does something that takes long."""
        if self._schedule.in_flight >= self._workers:
            return
        if self._schedule.has_ready or self._is_late_for(self._schedule.parked_until):
            self._wake_or_start(now)

    def _is_late_for(self, instant: float | None) -> bool:
        """Whether a call is due at this instant, and no consumer will be awake by then."""
        return instant is not None and not self._idle_workers.wakes_by(instant)

    def _wake_or_start(self, now: float) -> None:
        """Wake a consumer, or start one, unless enough are awake and another wakes up soon."""
        if self._awake >= self._concurrency.wanted(now) and self._idle_workers.wakes_by(now + MEASURED):
            return
        if not self._idle_workers.wake_one() and len(self._threads) < self._workers:
            name = f"interakt-consumer-{next(self._numbers)}"
            thread = threading.Thread(target=self._consume, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # the interpreter is ending; the threads that run do all the work
                if not self._threads:
                    raise
            else:
                self._threads.append(thread)

    def _wake_all(self) -> None:
        self._idle_workers.wake_all()
        self._reader.notify_all()

    def _after_settling(self) -> None:
        if self._wanted and (self._schedule.settled >= self._wanted or not self._schedule.unfinished):
            self._reader.notify_all()
        if self._closing and not self._schedule.unfinished:
            self._wake_all()


def send_inline(schedule: Schedule, transport: Transport, message: Message) -> Outcome:
    """Send one message on the caller's thread, by the same schedule, retries and limit: how `sync_mode` works.

    The schedule must be empty. Then it always has a call to make or an instant to wait for.
    """
    schedule.admit(message)
    while not schedule.settled:
        now = time.monotonic()
        work = schedule.take(now)
        if isinstance(work, PendingCall):
            answer = transport.send(work.message)
            schedule.settle(work, answer, time.monotonic())
        elif work is not None:
            time.sleep(max(0.0, work - now))
    return schedule.read()[0]
