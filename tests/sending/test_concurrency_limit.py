"""How many consumers are awake: few if they wait for each other, all of them if they wait for answers."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.model import Answer, Message, Status
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import FEWEST, MEASURED, ConcurrencyLimit, Engine
from interakt_loader.transport import read_answer

OK = read_answer(202, b'{"result": true}', 0.1)


def after(concurrency: ConcurrencyLimit, shares: list[float], began: float = 0.0) -> int:
    """Return how many are wanted after periods in which consumers computed for these shares."""
    wanted = concurrency.wanted(began)
    for number, share in enumerate(shares, start=1):
        concurrency.computed(share * MEASURED * 1.01)
        wanted = concurrency.wanted(began + number * MEASURED * 1.01)
    return wanted


def test_all_are_of_use_until_they_are_in_each_others_way() -> None:
    """With a slow server all of them are awake. With a very fast one two are left, which use up the processor."""
    assert after(ConcurrencyLimit(64), [0.3] * 20) == 64
    assert after(ConcurrencyLimit(64), [1.0] * 20) == 2
    assert after(ConcurrencyLimit(64), [1.0] * 20 + [0.8] * 20) == 2  # they fill the time: one more would find none


def test_they_come_back_as_soon_as_there_is_time() -> None:
    """Answers become slow: all consumers are awake again after a few measurements."""
    concurrency = ConcurrencyLimit(64)
    assert after(concurrency, [1.0] * 20) == FEWEST
    assert after(concurrency, [0.0] * 5, began=10.0) == 64


def test_it_is_measured_over_a_look_at_a_time() -> None:
    """Nothing changes before 20 ms have passed, and what was computed before does not count twice."""
    concurrency = ConcurrencyLimit(16)
    assert concurrency.wanted(0.0) == 16
    concurrency.computed(1.0)
    assert concurrency.wanted(0.0199) == 16
    assert concurrency.wanted(0.02) == 12
    assert concurrency.wanted(0.03) == 12
    assert concurrency.wanted(0.04) == 16  # nobody has computed since: twice as many, and no more than there are


def test_what_was_computed_before_the_first_look_is_not_of_its_time() -> None:
    """The first measurement begins with the first question."""
    concurrency = ConcurrencyLimit(16)
    concurrency.computed(5.0)
    assert [concurrency.wanted(0.0), concurrency.wanted(MEASURED)] == [16, 16]


def test_a_quarter_goes_and_twice_as_many_come() -> None:
    """Above 90 % of the time a quarter must sleep, below 70 % twice as many are awake, and in between nothing
    changes."""
    concurrency, now = ConcurrencyLimit(64), 0.0
    concurrency.wanted(now)
    wanted = []
    for share in (0.91, 0.91, 0.89, 0.71, 0.91, 0.91, 0.69, 0.69):
        concurrency.computed(share * MEASURED)
        now += MEASURED + 1e-9
        wanted.append(concurrency.wanted(now))
    assert wanted == [48, 36, 36, 36, 27, 20, 40, 64]


def test_what_several_compute_adds_up() -> None:
    """Two consumers that compute half of the time leave no time for a third: a quarter of ten must sleep, in whole
    numbers."""
    concurrency = ConcurrencyLimit(10)
    concurrency.wanted(0.0)
    concurrency.computed(0.5 * MEASURED)
    concurrency.computed(0.5 * MEASURED)
    wanted = concurrency.wanted(MEASURED)
    assert wanted == 7
    assert isinstance(wanted, int)


def test_a_concurrency_of_one_is_one() -> None:
    """At least two may be awake, unless there are fewer."""
    assert after(ConcurrencyLimit(1), [1.0] * 5) == 1
    assert after(ConcurrencyLimit(2), [1.0] * 5) == 2
    assert after(ConcurrencyLimit(3), [1.0] * 5) == FEWEST


@given(st.integers(1, 512), st.lists(st.floats(0, 4), max_size=60))
def test_there_is_always_somebody(most: int, shares: list[float]) -> None:
    """At least one is always wanted, and never more than there are."""
    assert 1 <= after(ConcurrencyLimit(most), shares) <= most


class Turning:
    """Answers at once, after some computing. From call `turn` on it answers only when all `workers` have a call in
    flight. `thread_time` says what a consumer computes, because the system's clock for that is slow on a busy
    machine."""

    def __init__(self, turn: int, workers: int) -> None:
        self._lock = threading.Lock()
        self._own = threading.local()
        self._calls = 0
        self._turn = turn
        self._all_out = threading.Barrier(workers, timeout=20)
        self.threads: set[str] = set()
        """Those that made the last hundred calls before the turn."""

    def send(self, message: Message) -> Answer:
        with self._lock:
            self._calls += 1
            number = self._calls
            if self._turn - 100 < number <= self._turn:
                self.threads.add(threading.current_thread().name)
        if number > self._turn:
            self._all_out.wait()
        else:
            began = time.monotonic()
            time.sleep(0.0005)
            self._own.computed = self.thread_time() + time.monotonic() - began
        return OK

    def thread_time(self) -> float:
        """Return for how long this thread has computed, in seconds."""
        computed: float = getattr(self._own, "computed", 0.0)
        return computed

    def close(self) -> None:
        pass


def test_consumers_that_sleep_wake_up_when_calls_begin_to_hang() -> None:
    """Sixteen consumers compute, so most are put to sleep. Then each call waits until sixteen are in flight: they
    are."""
    transport = Turning(1_000, 16)
    schedule = Schedule(max_queue_size=2_000, max_retries=0, rate_limit=RateLimit(None), max_outage=300)
    with Engine(schedule, transport, 16, thread_time=transport.thread_time) as engine:
        assert engine.offer([Message(row, "user", str(row), b"{}") for row in range(1_016)]) == 1_016
        outcomes = []
        while engine.unfinished:
            outcomes += engine.read(1_016, 1)
        outcomes += engine.read()
    assert [one.status for one in outcomes] == [Status.SENT] * 1_016
    assert len(transport.threads) < 16
