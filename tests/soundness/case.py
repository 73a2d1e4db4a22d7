"""One history of an `Engine` with its threads, its callers and its API, made from a seed, and what must hold in it."""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from unittest.mock import patch

from interakt_loader.model import Answer, Kind, Message, Outcome, Status, Stop, StopToken
from interakt_loader.sending import workers as engine_module
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import MEASURED, Engine
from interakt_loader.settings.values import Rate
from tests.soundness.answers import ANSWERS
from tests.soundness.world import World

MAX_OUTAGE = 20.0
FOR_EVER = 1e6
"""Seconds that only a reader who is never woken would wait."""

LONGEST = 5000.0
"""Seconds of the world's own clock in which each history must be over."""


OTHERS = ["stop", "abandon", "wake", "flush", "glance", "end", "flag", "offer", "offer"]
"""What somebody else may do meanwhile."""


class Leave(Exception):
    """The exception that the caller's own code raises in the middle of a load."""


class Case:
    """Drawn from a seed: the load, what the API answers, and what other threads do and when."""

    def __init__(self, seed: int, kind_of_engine: type[Engine] = Engine, *, share_of_line_by_line: float = 0.1) -> None:
        self.rng = rng = random.Random(seed)
        self.computing = rng.choice([0.0, 0.0, 0.03])
        self.refuses_threads = rng.random() < 0.1
        self.world = World(
            rng,
            most_computing=self.computing,
            refuses_threads=self.refuses_threads,
            line_by_line={engine_module.__file__, inspect.getfile(kind_of_engine)}
            if rng.random() < share_of_line_by_line
            else set(),
        )
        self.workers = rng.randint(1, 4)
        self.kinds = rng.sample(sorted(ANSWERS), rng.randint(1, 3)) + ["accepted"] * rng.randint(0, 3)
        self.latencies = rng.choice([[0.0], [0.0, 0.01], [0.01, 1.0], [0.0, 30.0]])
        kind: Kind = rng.choice(["user", "event"])
        ordering_keys = rng.choice([1, 3, 20])
        self.messages = [
            Message(row, kind, f"user-{rng.randrange(ordering_keys)}", b'{"traits": {}}')
            for row in range(rng.randint(1, 14))
        ]
        self.calls_back = rng.choice([None, None, "nothing", "offer", "stop", "wake", "flush", "end"])
        self.leaves_at = rng.choice([None, None, None, rng.randint(0, 14)])
        self.patience = rng.choice([0.0, 1.0, FOR_EVER])
        self.others = [(rng.choice(OTHERS), rng.choice([0, 0, 0.01, 1, 7])) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        self.schedule = Schedule(
            max_queue_size=rng.choice([1, 2, 5, 20]),
            max_retries=rng.randint(0, 2),
            rate_limit=RateLimit(rng.choice([None, None, "auto", Rate(5, 1.0)])),
            max_outage=MAX_OUTAGE,
            coalesce=kind == "user" and rng.random() < 0.3,
            resend_doubted=rng.random() < 0.5,
            rng=rng,
        )
        self.bound = self.schedule.room
        self.stop_token = StopToken()
        self.is_ending = self.was_abandoned = self.was_stopped = False
        self.admitted: list[int] = []
        self.outcomes: list[Outcome] = []
        self.reading = 0
        self.waiting_for_idle = 0
        self.more = 100
        self.out: list[str] = []
        self.sent: dict[str, list[int]] = defaultdict(list)
        self.after_stop: Counter[str] = Counter()
        self.transport_closed = False
        # a draw of its own, so that the others stay the same
        self.has_call_sets = random.Random(f"call sets of {seed}").random() < 0.5
        self.connections = 0
        self.kind_of_engine = kind_of_engine
        self.longest_idle = rng.choice([engine_module.LONGEST_IDLE, 0.4])
        if self.refuses_threads:  # then one that has ended cannot begin anew, and `offer` says so
            self.longest_idle = FOR_EVER / 4

    def run(self) -> None:
        """Run it. Raises what is wrong, with the steps that led there."""
        world = self.world
        world.before_waiting = self._nobody_waits_for_nothing
        world.at_each_step = self._the_bound_holds
        scripts = {f"{what}-{number}": self._other(what, delay) for number, (what, delay) in enumerate(self.others)}
        logging.disable(logging.CRITICAL)
        try:
            with (
                patch.object(engine_module, "threading", world),
                patch.object(engine_module, "time", world),
                patch.object(engine_module, "LONGEST_IDLE", self.longest_idle),
            ):
                world.run(main=self._main, **scripts)
        finally:
            logging.disable(logging.NOTSET)
        try:
            self._all_is_accounted_for()
        except AssertionError as error:
            world.tell_steps(error)
            raise

    # ------------------------------------------------------------------ who does what

    def _main(self) -> None:
        self.engine = engine = self.kind_of_engine(
            self.schedule,
            ManyAtATime(self) if self.has_call_sets else self,
            self.workers,
            clock=self.world.monotonic,
            on_outcomes=self._tell if self.calls_back else None,
            stop_token=self.stop_token,
        )
        with contextlib.suppress(Leave), engine:
            offered = 0
            while offered < len(self.messages):
                offered += self._offer(self.messages[offered:])
                if self.leaves_at is not None and offered >= self.leaves_at:
                    self.was_stopped = True
                    raise Leave
                if engine.stopped or (self.is_ending and offered < len(self.messages)):
                    break
                self._read(1 if offered == len(self.messages) else max(1, self.bound // 2))
            while engine.unfinished:
                self._read(14)
            self._read(1)
        if self.leaves_at is None and not self.was_abandoned:
            assert not engine.running, "leaving the engine has not ended its threads"
            assert self.transport_closed
            assert not self.out
        while self.calls_back is None and engine.unfinished:  # it was left early
            self.outcomes += engine.read(1, 0.2)
        if self.calls_back is None:
            self.outcomes += engine.read()

    def _offer(self, messages: list[Message]) -> int:
        engine = self.engine
        was_stopped = engine.stopped is not None
        taken = engine.offer(messages)
        assert not (was_stopped and taken)
        self.admitted += [one.row for one in messages[:taken]]
        return taken

    def _read(self, wanted: int) -> None:
        engine = self.engine
        if self.stop_token.stop is not None:  # as the monitor does
            engine.stop(self.stop_token.stop)
        if self.calls_back:
            self.world.sleep(1.0)
            return
        self.reading = wanted
        self.outcomes += engine.read(wanted, self.patience)
        self.reading = 0
        if not self.patience:
            self.world.sleep(1.0)

    def _other(self, what: str, delay: float) -> Callable[[], None]:
        def script() -> None:
            self.world.sleep(delay)
            if not hasattr(self, "engine"):
                self.world.pause("waits for the engine", lambda: hasattr(self, "engine"))
            self._do(what)

        return script

    def _do(self, what: str) -> None:
        engine = self.engine
        if what in ("stop", "abandon"):
            engine.stop(Stop("interrupted", "test"))
            self.was_stopped = True
            if what == "abandon":
                self.was_abandoned = True
                engine.abandon()
        elif what == "wake":
            engine.wake()
        elif what == "flush":
            self._flush(None)
        elif what == "glance":
            self._flush(0.5)
        elif what == "end":
            self.is_ending = True
            engine.close(wait=False)
        elif what == "offer":
            self.more += 3
            self._offer([Message(self.more + number, "user", f"more-{self.more}", b"{}") for number in range(3)])
        elif what == "flag":
            self.stop_token.request(Stop("interrupted", "test"))

    def _flush(self, timeout: float | None) -> None:
        before = set(self.admitted)
        inside = self.world.current.name in self.tellers
        self.waiting_for_idle += not inside
        is_idle = self.engine.wait_until_idle(timeout)
        self.waiting_for_idle -= not inside
        assert is_idle is False or not inside
        assert is_idle or inside or timeout is not None
        if is_idle and self.calls_back:
            assert before <= {outcome.message.row for outcome in self.outcomes}, "not everything was handed over"

    tellers: tuple[str, ...] = ()

    def _tell(self, outcomes: list[Outcome]) -> None:
        """Act as `on_outcomes`: take some time, and call the engine."""
        me = self.world.current.name
        self.tellers = (*self.tellers, me)
        self.world.sleep(self.rng.choice([0.0, 0.0, 0.5]))
        self.outcomes += outcomes
        if self.calls_back == "offer" and self.more < 120:
            self._do("offer")
        elif self.calls_back == "stop" and len(self.outcomes) > 3:
            self._do("stop")
        elif self.calls_back in ("wake", "flush", "end"):
            self._do(self.calls_back)
        self.tellers = tuple(one for one in self.tellers if one != me)

    # ------------------------------------------------------------------ the API

    def send(self, message: Message) -> Answer:
        """Act as the transport."""
        self.go_out(message)
        self.world.sleep(self.rng.choice(self.latencies))
        return self.come_back(message)

    def go_out(self, message: Message) -> None:
        """Take a call, and check that it may be made."""
        assert message.ordering_key not in self.out, "two calls with one ordering key are out"
        assert len(self.out) < self.workers
        assert not self.transport_closed or self.was_abandoned or self.leaves_at is not None
        rows = self.sent[message.ordering_key]
        rows.append(message.row)
        assert rows == sorted(rows), "the calls of an ordering key go out of their order"
        if self.was_stopped:
            self.after_stop[self.world.current.name] += 1
            most = self.workers if self.has_call_sets else 1
            assert max(self.after_stop.values()) <= most, "calls go on after a stop"
        self.out.append(message.ordering_key)

    def come_back(self, message: Message) -> Answer:
        """Return the answer of a call, or raise."""
        self.out.remove(message.ordering_key)
        if self.rng.random() < 0.02:
            raise MemoryError
        return ANSWERS[self.rng.choice(self.kinds)]

    def close(self) -> None:
        """Act as the transport that is closed."""
        self.transport_closed = True

    # ------------------------------------------------------------------ what must hold

    def _the_bound_holds(self) -> None:
        assert self.schedule.held <= self.bound, "the bound is not kept"

    def _nobody_waits_for_nothing(self, until: float) -> None:
        schedule, now = self.schedule, self.world.now
        assert until - now < FOR_EVER / 2, "somebody is never woken"
        assert until < 1000 + LONGEST, "it takes too long"
        if self.reading:
            assert schedule.settled < self.reading, "the reader sleeps although there is what it waits for"
            assert schedule.unfinished, "the reader sleeps although nothing more will come"
        if hasattr(self, "engine") and self.engine._closing and not schedule.unfinished:
            assert not self.engine._idle_workers._stack, "consumers sleep although there will be nothing more to do"
        if self.waiting_for_idle and not self.tellers:
            assert schedule.unfinished or schedule.settled, "somebody waits for an end that has come"
        if self.refuses_threads or len(self.out) + len(self.tellers) >= self.workers:
            return
        if self.computing and until - now <= MEASURED * 1.01:  # the limit has no use for more
            return
        parked_until = schedule.parked_until
        if schedule.has_ready or (parked_until is not None and parked_until <= now):
            work = copy.deepcopy(schedule).take(now)
            assert not isinstance(work, PendingCall), f"a call could go, and all sleep until {until:.3f}"
            if isinstance(work, float):
                assert until <= work + 1e-6, f"a call is due at {work:.3f}, and all sleep until {until:.3f}"

    def _all_is_accounted_for(self) -> None:
        assert self.schedule.unfinished == 0
        if self.calls_back:
            assert self.schedule.settled == 0, "outcomes were not handed over"
        self.outcomes += self.schedule.read()
        rows = Counter(outcome.message.row for outcome in self.outcomes)
        assert rows == Counter(self.admitted)
        for outcome in self.outcomes:
            assert isinstance(outcome.message, Message)
            calls = self.sent[outcome.message.ordering_key].count(outcome.message.row)
            assert calls <= outcome.attempts <= calls + self.was_abandoned
            if outcome.status is Status.SENT:
                assert calls


class ManyAtATime:
    """A case as a transport of which one thread can have several calls out."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.send, self.close = case.send, case.close

    def call_set(self) -> Together:
        return Together(self._case)


class Together:
    """The calls of one thread. Each needs an idle connection; without one, a call is made alone, and opens one."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._reserved: list[str] = []
        self._alone: list[Message] = []
        self._out: list[tuple[float, Message]] = []

    def reserve(self) -> bool:
        if "alone" in self._reserved:
            return False
        if self._case.connections:
            self._case.connections -= 1
            self._reserved.append("open")
        elif self._out or self._reserved:
            return False
        else:
            self._reserved.append("alone")
        return True

    def release(self) -> None:
        self._case.connections += self._reserved.pop() == "open"

    def begin(self, message: Message) -> None:
        if self._reserved.pop() == "alone":
            assert not self._out, "a call that may take long to connect delays others"
            self._alone.append(message)
        else:
            self._case.go_out(message)
            self._out.append((self._case.world.now + self._case.rng.choice(self._case.latencies), message))

    def answers(self) -> list[tuple[Message, Answer]]:
        assert not self._reserved, "connections are kept from others"
        if self._alone:
            message = self._alone.pop()
            answer = self._case.send(message)
            self._case.connections += 1
            return [(message, answer)]
        assert self._out
        first = min(due for due, _ in self._out)
        self._case.world.sleep(max(0.0, first - self._case.world.now))
        done = [message for due, message in self._out if due <= self._case.world.now]
        self._out = [(due, message) for due, message in self._out if due > self._case.world.now]
        try:
            answers = [(message, self._case.come_back(message)) for message in done]
        except MemoryError:
            # all calls of this thread are lost
            for message in [*done, *(message for _, message in self._out)]:
                if message.ordering_key in self._case.out:
                    self._case.out.remove(message.ordering_key)
            raise
        self._case.connections += len(done)
        return answers
