"""How many consumers are of use. Pure: every method takes `now`.

Python runs one thread at a time. Where answers come at once, consumers wait for one another rather than for the
server, and each that is awake beyond the few that keep the interpreter busy costs all of them time: four take 20,000
calls a second to a server next door where sixteen take 15,000. Where answers take longer, all of them are of use.

So the measure is not how fast the server is, but how much of the time consumers spend computing.

The consumers that sleep: whom to wake next, and who looks at the clock. All of it under the engine's lock.

One message on the caller's own thread, by the same schedule as everywhere.

Consumer threads around a `Schedule`: the only place where threads wait for one another.

One lock guards the schedule. A consumer settles its answer and takes its next ticket under one hold of it. Idle ones
sleep (`IdleWorkers`): the *timekeeper* until the next instant at which a call is due, all others until they are called.
One that the `ConcurrencyLimit` has no use for sleeps too, as the timekeeper: somebody has to look again soon. After a while with
nothing to do consumers end; a message starts them anew.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from interakt_loader.model import (
    Answer,
    Message,
    Outcome,
    Stop,
    Transport,
)
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.scheduler import Schedule

if TYPE_CHECKING:
    from threading import Condition

LOOK = 0.02
"""Seconds over which is measured."""

BUSY = 0.9
"""Seconds of computing, of all consumers together, in each second, above which one more would be in the way."""

SPARE = 0.7
"""The same, below which one more would find time."""

FEWEST = 2


class ConcurrencyLimit:
    """Of `most` consumers, the number that may be awake."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._wanted = most
        self._computed = 0.0
        self._since: float | None = None

    def computed(self, seconds: float) -> None:
        """Note that a consumer has computed for so long."""
        self._computed += seconds

    def wanted(self, now: float) -> int:
        """Return how many may be awake."""
        if self._since is None:
            self._since, self._computed = now, 0.0
        elif now - self._since >= LOOK:
            share = self._computed / (now - self._since)
            if share > BUSY:
                self._wanted = max(min(FEWEST, self._most), self._wanted * 3 // 4)
            elif share < SPARE:
                self._wanted = min(self._most, self._wanted * 2)
            self._since, self._computed = now, 0.0
        return self._wanted


class IdleWorkers:
    """A stack: the one that worked last is woken first, so that a load which needs four keeps four warm.

    One of them at most is the *timekeeper*.
    """

    def __init__(self) -> None:
        self._stack: list[Condition] = []
        self._timer: Condition | None = None
        self._alarm = 0.0

    def __len__(self) -> int:
        return len(self._stack)

    def somebody_looks_by(self, instant: float) -> bool:
        """Whether the timekeeper wakes up then, or before."""
        return self._timer is not None and self._alarm <= instant

    def sleep(
        self, condition: Condition, until: float | None, clock: Callable[[], float], longest: float | None
    ) -> bool:
        """Sleep until woken, `until` if nobody else looks by then, or `longest` seconds; return whether woken."""
        self._stack.append(condition)
        if until is not None and not self.somebody_looks_by(until):
            self._timer, self._alarm = condition, until
            condition.wait(max(0.0, until - clock()))
        else:
            condition.wait(longest)
        if self._timer is condition:
            self._timer = None
        if condition not in self._stack:
            return True
        self._stack.remove(condition)  # the time ran out
        return False

    def wake_one(self) -> bool:
        """Wake the one that has slept shortest; return whether there is one."""
        if not self._stack:
            return False
        self._stack.pop().notify()
        return True

    def wake_all(self) -> None:
        """Wake each."""
        while self.wake_one():
            pass


def send_inline(schedule: Schedule, transport: Transport, message: Message) -> Outcome:
    """Send one message on the caller's thread by the same schedule, retries and limit: how `sync_mode` works.

    The schedule must be empty: then it always has either the ticket or an instant to wait for.
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


logger = logging.getLogger("interakt_loader")

OFFERED_AT_ONCE = 256
"""Messages for which the lock is held at a time: consumers wait for it meanwhile."""

LONGEST_REST = 1.0
"""Seconds with nothing to do after which a consumer ends: nobody else ends those of a `track.Client` that is let go."""


class Engine:
    """Sends what it is offered with up to `workers` calls at once.

    A context manager: leaving it waits until every message has settled and the threads have ended; leaving it by
    an exception abandons what is queued (calls in flight end by themselves; the threads are daemons).

    Outcomes are fetched by `read` (by one reader), or, with `on_outcomes`, handed to it on the thread that settled
    them. `stop_wanted` is asked before each call: a signal handler, which must not wait for a lock, can stop the
    engine through it.
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
        stop_wanted: Callable[[], Stop | None] = lambda: None,
    ) -> None:
        self._schedule = schedule
        self._transport = transport
        self._workers = workers
        self._concurrency = ConcurrencyLimit(workers)
        self._clock = clock
        self._thread_time = thread_time or time.thread_time
        self._on_outcomes = on_outcomes
        self._stop_wanted = stop_wanted
        self._telling: list[threading.Thread] = []  # those that are just calling on_outcomes
        self._lock = threading.Lock()
        self._idle_workers = IdleWorkers()
        self._reader = threading.Condition(self._lock)
        self._wanted = 0  # how many outcomes the reader waits for; 0: it does not wait
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
        """Take as many of `messages[start:]`, from the first on, as there is room for; return how many."""
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
                self._call_one(self._clock())
        return taken - start

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        """Return the outcomes settled since the last read; first wait up to `timeout` seconds for `wanted` of them.

        Comes back earlier when nothing is unfinished.
        """
        deadline = self._clock() + timeout
        with self._lock:
            while self._schedule.settled < wanted and self._schedule.unfinished:
                left = deadline - self._clock()
                if left <= 0:
                    break
                self._wanted = wanted
                self._reader.wait(left)
                self._wanted = 0
            self._reader.notify_all()  # whoever waits until all is read
            return self._schedule.read()

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        """Wait until everything taken has settled and been handed over; return whether it has."""
        if threading.current_thread() in self._telling:  # on_outcomes itself asks: it cannot wait for its own end
            return False
        schedule = self._schedule
        with self._lock:
            return self._reader.wait_for(
                lambda: not schedule.unfinished and not schedule.settled and not self._telling, timeout
            )

    @property
    def unfinished(self) -> int:
        """How many messages have not settled."""
        with self._lock:
            return self._schedule.unfinished

    @property
    def stopped(self) -> Stop | None:
        """Why the engine takes nothing more; None while it does."""
        return self._schedule.stopped

    @property
    def running(self) -> bool:
        """Whether a thread of it has not ended."""
        return any(thread.is_alive() for thread in list(self._threads))

    @property
    def in_outage(self) -> bool:
        """Whether nothing can be reached at the moment."""
        return self._schedule.in_outage

    @property
    def last_silence(self) -> str:
        """What was said of the last try that brought no answer."""
        return self._schedule.last_silence

    @property
    def is_held(self) -> bool:
        """Whether all calls wait because of a 429."""
        return self._schedule.is_held

    def stop(self, stop: Stop) -> None:
        """Let calls in flight finish, settle everything else as unsent, take nothing more."""
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
        """Have a consumer look again whether a call may go: something outside of the schedule has changed."""
        with self._lock:
            self._call_one(self._clock())

    def close(self, *, wait: bool = True) -> None:
        """End the threads once everything has settled; with `wait`, come back when they have ended."""
        with self._lock:
            self._closing = True
            self._call_all()
        if wait:
            for thread in self._threads:  # which may grow meanwhile; nobody rests any more, so that it does not shrink
                if thread is not threading.current_thread() and not self._abandoned:
                    thread.join()
            self._transport.close()

    # ------------------------------------------------------------------ consumers

    def _consume(self) -> None:
        condition = threading.Condition(self._lock)
        pending: PendingCall | None = None
        answer: Answer | None = None
        computed = self._thread_time()
        while True:
            with self._lock:
                before, computed = computed, self._thread_time()
                self._concurrency.computed(computed - before)
                if pending is not None and answer is not None:
                    self._schedule.settle(pending, answer, self._clock())
                    self._after_settling()
                if self._on_outcomes and self._schedule.settled:  # it may take its time
                    self._call_for_the_rest(self._clock())
                pending = None if self._on_outcomes else self._await_pending(condition)
            if self._on_outcomes:
                self._hand_over()
                with self._lock:
                    pending = self._await_pending(condition)
            if pending is None:
                self._hand_over()  # what a stop has settled just before the end
                return
            answer = self._send(pending.message)

    def _send(self, message: Message) -> Answer:
        try:
            return self._transport.send(message)
        except Exception as error:
            # a transport never raises for a row; if one does all the same, the row gets an end and the thread goes on
            logger.exception("a call could not be made")
            text = f"the call could not be made ({type(error).__name__}): please report this"
            return Answer.error("internal_error", text, 0.0, http_status=None)

    def _hand_over(self) -> None:
        """Give settled outcomes to `on_outcomes`, outside the lock: it may take its time, or call back in here."""
        if self._on_outcomes is None:
            return
        me = threading.current_thread()
        with self._lock:
            outcomes = self._schedule.read()
            self._telling.append(me)
        try:
            if outcomes:
                self._on_outcomes(outcomes)
        finally:
            with self._lock:
                self._telling.remove(me)
                self._reader.notify_all()

    def _await_pending(self, condition: threading.Condition) -> PendingCall | None:
        """Sleep until there is a ticket (or None: the engine has closed and all is done). Holds the lock."""
        while True:
            stop = self._stop_wanted()
            if stop is not None and not self._schedule.stopped:
                self._schedule.stop(stop, time.time())
                self._after_settling()
            now = self._clock()
            if self._awake > self._concurrency.wanted(now) and self._schedule.unfinished:
                self._idle_workers.sleep(condition, now + LOOK, self._clock, None)
                continue
            work = self._schedule.take(now)
            if isinstance(work, PendingCall):
                self._call_for_the_rest(now)
                return work
            if self._closing and not self._schedule.unfinished:
                self._call_all()
                return None
            rests = not self._schedule.unfinished
            was_woken = self._idle_workers.sleep(condition, work, self._clock, LONGEST_REST if rests else None)
            if rests and not was_woken and not self._schedule.unfinished and not self._closing:
                self._threads.remove(threading.current_thread())
                self._idle_workers.wake_all()  # who fell asleep while there was something to do does not rest yet
                return None

    @property
    def _awake(self) -> int:
        """How many consumers do not sleep."""
        return len(self._threads) - len(self._idle_workers)

    def _call_for_the_rest(self, now: float) -> None:
        """Before this consumer turns to something that takes time: have another one look, if there is anything."""
        if self._schedule.has_ready or self._is_late_for(self._schedule.parked_until):
            self._call_one(now)

    def _is_late_for(self, instant: float | None) -> bool:
        """Whether nobody would wake up for what is due then."""
        return instant is not None and not self._idle_workers.somebody_looks_by(instant)

    def _call_one(self, now: float) -> None:
        """Wake a consumer, or start one, unless there are enough and another will look again soon."""
        if self._awake >= self._concurrency.wanted(now) and self._idle_workers.somebody_looks_by(now + LOOK):
            return
        if not self._idle_workers.wake_one() and len(self._threads) < self._workers:
            name = f"interakt-consumer-{next(self._numbers)}"
            thread = threading.Thread(target=self._consume, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending: those that run already do all the work
                if not self._threads:
                    raise
            else:
                self._threads.append(thread)

    def _call_all(self) -> None:
        self._idle_workers.wake_all()
        self._reader.notify_all()

    def _after_settling(self) -> None:
        if self._wanted and (self._schedule.settled >= self._wanted or not self._schedule.unfinished):
            self._reader.notify_all()
        if self._closing and not self._schedule.unfinished:
            self._call_all()
