"""A world of threads that run one at a time, on its own clock, in a random order.

`World` has what `sending.engine` uses of the standard library's `threading` and `time`. Each thread is a real
one that waits at a gate until it is its turn. Whatever threads do to one another (ask for a lock, wait, notify, start,
join, sleep) is a point at which the next one is chosen. The clock moves when all threads wait for it; and now and
then all the same, because a machine may be slow. If all threads wait and none for the clock, that is a deadlock.

In some histories every line of the files in `line_by_line` is such a point too: that shows what lacks a lock.

The same seed leads to the same history, so a failure is reported with its seed and the last steps that led there.
"""

from __future__ import annotations

import _thread
import contextlib
import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Set
from types import FrameType
from typing import Any

MOST_STEPS = 30_000
"""Steps after which a history is taken for one that never ends."""

SLOW = 0.02
"""How often the clock moves on although somebody could run."""

SLOWEST = 1.0
"""Seconds by which it does at most."""


class Deadlock(AssertionError):
    """All threads wait, and nothing will ever wake one."""


class Aborted(BaseException):
    """Raised in the threads of a world that has failed, so that they end."""


class Actor:
    """One thread: what it waits for, if for anything."""

    def __init__(self, name: str, thread: ControlledThread) -> None:
        self.name, self.thread = name, thread
        self.gate = _thread.allocate_lock()
        self.gate.acquire()
        self.ready: Callable[[], bool] | None = None
        self.until: float | None = None
        self.done = False
        self.computed = 0.0
        self.priority = 0.0

    def may_run(self, now: float) -> bool:
        """Tell whether what it waits for is there."""
        if self.until is not None and self.until <= now:
            return True
        return self.until is None if self.ready is None else self.ready()


class World:
    """Stands in for the modules `threading` and `time`, and decides who runs."""

    def __init__(
        self,
        rng: random.Random,
        *,
        most_computing: float = 0.0,
        refuses_threads: bool = False,
        line_by_line: Set[str] = frozenset(),
    ) -> None:
        self.rng = rng
        self.now = 1000.0
        self.before_waiting: Callable[[float], object] = lambda until: None
        """Called before the clock moves because all wait: raises if they should not."""
        self.at_each_step: Callable[[], object] = lambda: None
        self.failure: BaseException | None = None
        self.steps = 0
        self._most_computing = most_computing
        self._refuses_threads = refuses_threads
        self._started = 0
        self._line_by_line = line_by_line
        self._style = rng.choice(["any", "steady", "by priority"])
        self._actors: list[Actor] = []
        self._real: list[threading.Thread] = []
        self.trace: deque[str] = deque(maxlen=200)
        self._current: Actor | None = None

    # ------------------------------------------------------------------ the module `time`

    def time(self) -> float:
        """Seconds since the epoch, as it were."""
        return self.now

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def thread_time(self) -> float:
        """Seconds that the running thread has computed: some more each time."""
        self.current.computed += self.rng.random() * self._most_computing
        return self.current.computed

    def sleep(self, seconds: float) -> None:
        """Wait for the clock alone."""
        self.pause(f"sleeps {seconds:g} s", None, self.now + seconds)

    # ------------------------------------------------------------------ the module `threading`

    def Lock(self) -> ControlledLock:
        """A lock of this world."""
        return ControlledLock(self)

    def Condition(self, lock: ControlledLock) -> ControlledCondition:
        """A condition of this world."""
        return ControlledCondition(self, lock)

    def Thread(self, target: Callable[[], object], name: str, daemon: bool = True) -> ControlledThread:
        """A thread of this world."""
        return ControlledThread(self, target, name)

    def current_thread(self) -> ControlledThread:
        """The one whose turn it is."""
        return self.current.thread

    # ------------------------------------------------------------------ who runs

    @property
    def current(self) -> Actor:
        """The actor whose turn it is."""
        assert self._current is not None
        return self._current

    def run(self, **scripts: Callable[[], object]) -> None:
        """Run these, and whatever they start, to their ends; raise what went wrong."""
        for name, script in scripts.items():
            self.begin(ControlledThread(self, script, name))
        self._current = self._next()
        self._current.gate.release()
        for real in self._real:  # grows meanwhile
            real.join(60)
            assert not real.is_alive(), "a thread does not even end when told to"
        if self.failure is not None:
            raise self.failure

    def allow_another(self) -> None:
        """Refuse a thread, but for the first, where the interpreter is ending."""
        if self._refuses_threads and self._started:
            raise RuntimeError("can't start new thread")
        self._started += 1

    def begin(self, thread: ControlledThread) -> Actor:
        """Add a thread, which waits for its turn."""
        actor = Actor(thread.name, thread)
        actor.priority = self.rng.random()
        thread.actor = actor
        self._actors.append(actor)
        real = threading.Thread(target=self._live, args=(actor, thread.target), name=thread.name, daemon=True)
        self._real.append(real)
        real.start()
        return actor

    def pause(self, label: str, ready: Callable[[], bool] | None = None, until: float | None = None) -> None:
        """Let others run; come back when `ready` holds, or `until` has come, or, without either, at any time."""
        if self.failure is not None:
            raise Aborted
        me = self.current
        me.ready, me.until = ready, until
        self.trace.append(f"{self.now:10.3f}  {me.name:22} {label}")
        try:
            self.steps += 1
            assert self.steps < MOST_STEPS, "no end in sight"
            self.at_each_step()
            follower = self._next()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._fail(error)
            raise Aborted from None
        if follower is not me:
            self._current = follower
            follower.gate.release()
            me.gate.acquire()
            if self.failure is not None:
                raise Aborted

    def _live(self, actor: Actor, target: Callable[[], object]) -> None:
        actor.gate.acquire()
        with contextlib.suppress(Aborted):
            try:
                if self.failure is None:
                    if self._line_by_line:
                        sys.settrace(self._look_at_lines)
                    target()
            except Exception as error:  # noqa: BLE001 - raised again by `run`
                self._fail(error)
            actor.done = True
            if self.failure is None and not all(one.done for one in self._actors):
                self.trace.append(f"{self.now:10.3f}  {actor.name:22} ends")
                try:
                    self._current = self._next()
                except BaseException as error:  # noqa: BLE001 - raised again by `run`
                    self._fail(error)
                else:
                    self._current.gate.release()

    def _look_at_lines(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in self._line_by_line:
            return None
        if event == "line":
            self.pause(f"at line {frame.f_lineno}")
        return self._look_at_lines

    def _next(self) -> Actor:
        alive = [one for one in self._actors if not one.done]
        while True:
            may_run = [one for one in alive if one.may_run(self.now)]
            instants = [one.until for one in alive if one.until is not None and one.until > self.now]
            if not may_run:
                if not instants:
                    raise Deadlock(", ".join(one.name for one in alive) + " wait for ever")
                self.before_waiting(min(instants))
                self.now = min(instants)
            elif instants and min(instants) <= self.now + SLOWEST and self.rng.random() < SLOW:
                self.now = min(instants)
            else:
                return self._choose(may_run)

    def _choose(self, may_run: list[Actor]) -> Actor:
        if self._style == "steady" and self._current in may_run and self.rng.random() < 0.85:
            return self._current
        if self._style == "by priority":
            if self._current is not None and self.rng.random() < 0.05:
                self._current.priority = self.rng.random()
            return max(may_run, key=lambda one: one.priority)
        return self.rng.choice(may_run)

    def tell_steps(self, error: BaseException) -> None:
        """Put what led there into the error."""
        error.args = (f"{error}\nThe last steps:\n" + "\n".join(self.trace),)

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            self.tell_steps(error)
            for one in self._actors:
                with contextlib.suppress(RuntimeError):  # its own gate, or that of one that has ended, may be open
                    one.gate.release()


class ControlledLock:
    """Like `threading.Lock`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.owner: Actor | None = None

    def __enter__(self) -> ControlledLock:
        self._world.pause("asks for the lock", lambda: self.owner is None)
        self.owner = self._world.current
        return self

    def __exit__(self, *_: object) -> None:
        self.owner = None
        self._world.pause("has let go of the lock")


class _Waiter:
    notified = False


class ControlledCondition:
    """Like `threading.Condition`: one that has timed out may swallow a notify, until it has the lock again."""

    def __init__(self, world: World, lock: ControlledLock) -> None:
        self._world, self._lock = world, lock
        self._waiters: list[_Waiter] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock until notified or the time is over; return which of them."""
        self._must_be_owned()
        me = _Waiter()
        self._waiters.append(me)
        self._lock.owner = None
        until = None if timeout is None else self._world.now + timeout
        self._world.pause("waits" if until is None else f"waits until {until:.3f}", lambda: me.notified, until)
        notified = me.notified
        self._world.pause("wakes up" if notified else "waited long enough", lambda: self._lock.owner is None)
        self._lock.owner = self._world.current
        if not notified and me in self._waiters:  # as in CPython: only now, with the lock
            self._waiters.remove(me)
        return notified

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until it holds; return its value."""
        deadline = None if timeout is None else self._world.now + timeout
        while not (holds := predicate()):
            left = None if deadline is None else deadline - self._world.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return holds

    def notify(self, count: int = 1) -> None:
        """Wake the first ones."""
        self._must_be_owned()
        for waiter in self._waiters[:count]:
            waiter.notified = True
        del self._waiters[:count]

    def notify_all(self) -> None:
        """Wake all."""
        self.notify(len(self._waiters))

    def _must_be_owned(self) -> None:
        if self._world.failure is not None:
            raise Aborted
        assert self._lock.owner is self._world.current, "a condition is used without its lock"


class ControlledThread:
    """Like `threading.Thread`."""

    def __init__(self, world: World, target: Callable[[], object], name: str) -> None:
        self._world = world
        self.target, self.name = target, name
        self.actor: Actor | None = None

    def start(self) -> None:
        """Have it run when its turn comes."""
        self._world.allow_another()
        self._world.begin(self)
        self._world.pause(f"has started {self.name}")

    def join(self) -> None:
        """Wait for its end."""
        actor = self.actor
        assert actor is not None
        self._world.pause(f"joins {self.name}", lambda: actor.done)

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self.actor is not None and not self.actor.done
