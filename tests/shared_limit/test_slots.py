"""Slots on a shared clock are pure: several processes take turns on a clock that jumps."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import ReservedSlots, SlotReservation, State, pace_of, reserved
from tests.shared_limit.windows import most_in_a_window

RATES = [Rate(300, 60), Rate(600, 60), Rate(10, 1), Rate(100, 1), Rate(1000, 1), Rate(1, 1)]


class Clock:
    """A shared clock in memory."""

    def __init__(self, rate: Rate) -> None:
        self.pace = pace_of(rate)
        self.state: State | None = None

    def serve(self, slots: ReservedSlots, now: float) -> None:
        """Answer the requests."""
        while not slots.asks.empty():
            ask = slots.asks.get()
            assert ask is not None
            first, self.state = reserved(self.state, int(now * 1e6), ask.slots, int(ask.hold * 1e6), self.pace)
            if ask.slots:
                slots.grant(SlotReservation(first / 1e6, self.pace.step / 1e6, ask.slots))


def run(rate: Rate, processes: int, calls: int, lateness: list[float], workers: int = 16) -> list[float]:
    """Let processes that always have calls waiting take turns, with late wake-ups. Return when the calls went. It ends
    early if all wake up so late that every slot is over."""
    clock = Clock(rate)
    limits = []
    for _ in range(processes):
        slots = ReservedSlots(clock.pace, workers)
        limits.append((slots, RateLimit(None, slots)))
    wakes = [(1000.0 + number / 1000, number) for number in range(processes)]
    went: list[float] = []
    wake_ups = 0
    while len(went) < calls and wake_ups < 20 * calls:
        now, number = heapq.heappop(wakes)
        slots, limit = limits[number]
        due = limit.due(now, waiting=1000, in_flight=0)
        if due == math.inf:
            clock.serve(slots, now)
            due = limit.due(now, waiting=1000, in_flight=0)
        if due <= now:
            limit.spend(now)
            went.append(now)
            due = now
        wake_ups += 1
        heapq.heappush(wakes, (max(due, now) + lateness[wake_ups % len(lateness)], number))
    return went


@given(
    rate=st.sampled_from(RATES),
    processes=st.integers(1, 6),
    lateness=st.lists(st.floats(0.0001, 0.1), min_size=1, max_size=20),
)
def test_no_window_holds_more_than_declared(rate: Rate, processes: int, lateness: list[float]) -> None:
    """However many processes there are and however late they wake up, no window of the limit's length ever holds more
    calls than declared."""
    went = run(rate, processes, min(400, int(3 * rate.calls)), lateness)
    assert most_in_a_window(went, rate.seconds) <= rate.calls


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("processes", [1, 4])
def test_at_least_95_percent_are_used(rate: Rate, processes: int) -> None:
    """With wake-ups up to 5 ms late, or half a slot if that is shorter, at least 95 % of the declared calls go out."""
    rng = random.Random(7)
    latest = min(0.005, 0.5 * rate.seconds / rate.calls)
    went = run(rate, processes, int(10 * rate.calls), [rng.random() * latest for _ in range(997)])
    assert len(went) / (went[-1] - went[0]) >= 0.95 * rate.calls / rate.seconds


def test_no_more_slots_are_asked_for_than_can_be_used() -> None:
    """Three calls wait and two workers are free: two slots are requested, and no more until the answer comes."""
    slots = ReservedSlots(pace_of(Rate(1000, 1)), workers=4)
    assert slots.due(0.0, waiting=3, in_flight=2) == math.inf
    assert slots.due(0.0, waiting=3, in_flight=2) == math.inf
    ask = slots.asks.get_nowait()
    assert ask is not None
    assert ask.slots == 2
    assert slots.asks.empty()


def test_a_slot_is_lost_when_its_time_has_passed() -> None:
    """A slot that was not used in time is never used, and new ones are requested."""
    slots = ReservedSlots(pace_of(Rate(300, 60)), workers=4)
    slots.due(0.0, 1, 0)
    slots.grant(SlotReservation(1.0, 0.2, 1))
    assert slots.due(0.5, 1, 0) == 1.0
    assert slots.due(1.2, 1, 0) == 1.0
    assert slots.due(1.4, 1, 0) == math.inf


def test_a_429_pushes_the_clock_for_all() -> None:
    """One process must wait for 7 s. What another one reserves then is after that."""
    clock = Clock(Rate(300, 60))
    mine, theirs = ReservedSlots(clock.pace, 4), ReservedSlots(clock.pace, 4)
    limit = RateLimit(None, mine)
    limit.due(10.0)
    clock.serve(mine, 10.0)
    now = limit.due(10.0)
    limit.spend(now)
    limit.refused(now + 0.1, sent_at=now, retry_after=7.0)
    clock.serve(mine, now + 0.1)
    other = RateLimit(None, theirs)
    other.due(now + 0.2)
    clock.serve(theirs, now + 0.2)
    assert other.due(now + 0.2) == pytest.approx(now + 7.1, abs=0.001)
    assert limit.due(now + 0.2) == pytest.approx(now + 7.1)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it() -> None:
    """The wall clock is set back by an hour. The wait that was left is waited, and no more."""
    pace = pace_of(Rate(300, 60))
    _, state = reserved(None, 7_200_000_000, 3, 0, pace)
    first, _ = reserved(state, 3_600_000_000, 1, 0, pace)
    assert first == 3_600_000_000 + state.due - state.at


def test_a_clock_that_stood_still_makes_up_for_little() -> None:
    """After a night without calls the first slot is now, or earlier by what a late call may be made up for."""
    pace = pace_of(Rate(300, 60))
    first, _ = reserved(State(5_000_000, 5_000_000), 40_000_000_000, 1, 0, pace)
    assert first == 40_000_000_000 - pace.catch_up
