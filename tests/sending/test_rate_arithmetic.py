"""The figures of the rate limit: how long a hold is, and what exactly is learned from a 429. Pure, with a fake
clock."""

from __future__ import annotations

import math

import pytest

from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import FIRST_HOLD
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import Ask, ReservedSlots, SlotReservation, pace_of


def calls(limit: RateLimit, count: int, start: float, step: float) -> None:
    """Make calls that are accepted at once."""
    for number in range(count):
        limit.spend(start + number * step)
        limit.accepted(start + number * step, sent_at=start + number * step)


def refused(limit: RateLimit, *instants: float) -> None:
    """Make calls that bring a 429 at once."""
    for now in instants:
        limit.spend(now)
        limit.refused(now, sent_at=now, retry_after=None)


def let_through(limit: RateLimit, sent_at: float, now: float) -> None:
    """Make a probe that is accepted."""
    limit.spend(sent_at)
    limit.accepted(now, sent_at=sent_at)


def learned() -> RateLimit:
    """Return a limit for which 200 calls were accepted in 10.5 s, with 429s in the last tenth of a second."""
    limit = RateLimit("auto")
    calls(limit, 200, 0.0, 0.05)
    refused(limit, 10.0, 10.1)
    let_through(limit, 10.25, 10.5)
    return limit


LOW, HIGH = 200 / 10.5, 200 / 10.1
STEP = (HIGH / LOW - 1) / 2
"""Of `learned`: calls a second that were surely allowed, that may have been, and the first step between them."""


def test_a_declared_limit_spaces_calls_evenly() -> None:
    """99 % of the declared rate. A late call is made up for by half a percent of the window at most."""
    limit = RateLimit(Rate(60, 60.0))
    assert limit.rate() == pytest.approx(0.99)
    limit.spend(100.0)
    assert limit.due(100.0) == pytest.approx(100.0 - 0.3 + 1 / 0.99)
    limit.spend(102.0)
    assert limit.due(102.0) == pytest.approx(102.0 - 0.3 + 1 / 0.99)
    limit.spend(102.0)
    assert limit.due(102.0) == pytest.approx(102.0 - 0.3 + 2 / 0.99)
    assert RateLimit(None).rate() is None
    assert RateLimit("auto").rate() is None


def test_a_hold_grows_by_half_up_to_five_seconds_while_probes_are_refused() -> None:
    """It starts with a tenth of a second. It is one hold from its first 429 until a probe is accepted."""
    limit, now, waits = RateLimit(None), 1.0, []
    assert limit.holding_since is None
    for _ in range(12):
        refused(limit, now)
        waits.append(limit.due(now) - now)
        now = limit.due(now)
        assert limit.holding_since == 1.0
    assert waits == pytest.approx([min(FIRST_HOLD * 1.5**n, 5.0) for n in range(12)])
    let_through(limit, now, now + 0.5)
    assert limit.holding_since is None
    assert limit.due(now + 0.5) == now + 0.5
    refused(limit, now + 1.0)
    assert limit.due(now + 1.0) == pytest.approx(now + 1.0 + FIRST_HOLD)


def test_an_answer_from_before_the_hold_changes_only_what_it_says() -> None:
    """An accepted call does not end the hold. A 429 counts only with its Retry-After, and does not lengthen the next
    hold."""
    limit = RateLimit(None)
    for _ in range(3):
        limit.spend(1.0)
    limit.refused(1.1, sent_at=1.0, retry_after=None)
    limit.accepted(1.12, sent_at=1.0)
    assert limit.holding_since == 1.1
    limit.refused(1.15, sent_at=1.0, retry_after=3.0)
    assert limit.due(2.0) == pytest.approx(4.15)
    refused(limit, 5.0)
    assert limit.due(5.0) == pytest.approx(5.0 + 1.5 * FIRST_HOLD)


def test_a_shorter_retry_after_shortens_nothing() -> None:
    """The hold is at least as long as without it, and as long as an earlier answer asked for."""
    limit = RateLimit(None)
    limit.spend(0.0)
    limit.spend(0.0)
    limit.refused(1.0, sent_at=0.0, retry_after=0.01)
    assert limit.due(1.0) == pytest.approx(1.0 + FIRST_HOLD)
    limit.refused(1.05, sent_at=0.0, retry_after=20.0)
    limit.refused(1.06, sent_at=0.0, retry_after=2.0)
    assert limit.due(1.1) == pytest.approx(21.05)


def test_a_lost_call_that_is_no_probe_opens_nothing() -> None:
    """While the probe is in flight, a lost call from before the hold lets no second probe go."""
    limit = RateLimit(None)
    limit.spend(1.0)
    refused(limit, 2.0)
    limit.spend(3.0)
    limit.lost(sent_at=1.0)
    assert limit.due(3.0) == math.inf
    limit.lost(sent_at=3.0)
    assert limit.due(3.0) == pytest.approx(2.0 + FIRST_HOLD)


def test_what_was_let_through_is_the_rate() -> None:
    """200 calls until the probe was accepted after 10.5 s. The next call may go at once, the one after it at that
    rate."""
    limit = learned()
    assert limit.rate() == pytest.approx(LOW)
    assert limit.due(10.5) == 10.5
    limit.spend(10.5)
    assert limit.due(10.5) == pytest.approx(10.5 + 1 / LOW)
    limit.spend(11.0)  # late by more than the slack of 50 ms
    assert limit.due(11.0) == pytest.approx(11.0 - 0.05 + 1 / LOW)


def test_a_learned_rate_grows_by_steps_that_double() -> None:
    """After 200 accepted calls by one step, after 400 by three, after 600 by seven. The probe does not count."""
    limit, rates = learned(), []
    for group in range(3):
        calls(limit, 199, 11.0 + 20 * group, 0.06)
        before = limit.rate()
        calls(limit, 1, 30.9 + 20 * group, 0.06)
        rates.append((before, limit.rate()))
    of = [LOW * (1 + STEP * steps) for steps in (0, 1, 3, 7)]
    assert rates == [pytest.approx((of[0], of[1])), pytest.approx((of[1], of[2])), pytest.approx((of[2], of[3]))]


def test_a_429_takes_the_last_step_back() -> None:
    """One step brought a 429: the rate is the one before it."""
    limit = learned()
    calls(limit, 250, 11.0, 0.06)
    refused(limit, 26.0)
    let_through(limit, 26.1, 26.2)
    assert limit.rate() == pytest.approx(LOW)


def test_a_429_before_any_step_takes_three_percent() -> None:
    """There were too few calls since the last one to measure again."""
    limit = learned()
    calls(limit, 50, 11.0, 0.06)
    refused(limit, 14.0)
    let_through(limit, 14.1, 14.2)
    assert limit.rate() == pytest.approx(0.97 * LOW)


def test_no_step_back_goes_below_what_was_just_let_through() -> None:
    """150 calls were accepted in 5 s: so many are allowed, whatever was assumed before."""
    limit = learned()
    calls(limit, 150, 10.5, 0.03)
    refused(limit, 15.0)
    let_through(limit, 15.1, 15.2)
    assert limit.rate() == pytest.approx(151 / 4.7)  # the probe before was the first


def test_a_limit_that_has_become_lower_is_measured_anew() -> None:
    """150 calls, then only 429s for a fifth of the time: what was accepted is all that is allowed."""
    limit = learned()
    calls(limit, 150, 10.5, 0.1)
    refused(limit, 26.0, 27.0, 28.0, 29.0)
    let_through(limit, 30.0, 30.5)
    assert limit.rate() == pytest.approx(151 / 20.0)


def test_few_calls_over_a_long_time_say_something_too() -> None:
    """80 calls in 70 s, a fifth of the time refused: measured again. In 50 s: not yet, and three percent less."""
    long, short = learned(), learned()
    calls(long, 80, 10.5, 0.5)
    refused(long, 60.5, 65.0, 75.0)
    let_through(long, 80.0, 80.5)
    assert long.rate() == pytest.approx(81 / 70.0)
    calls(short, 80, 10.5, 0.2)
    refused(short, 50.5, 55.0, 59.0)
    let_through(short, 60.0, 60.5)
    assert short.rate() == pytest.approx(0.97 * LOW)


def test_a_first_measurement_that_was_rough_is_corrected_by_large_steps() -> None:
    """Ten calls in a second, then a wait of a minute: the rate is at least 10 per minute, and grows by a quarter
    first."""
    limit = RateLimit("auto")
    calls(limit, 10, 0.0, 0.1)
    limit.spend(1.0)
    limit.refused(1.0, sent_at=1.0, retry_after=60.0)
    let_through(limit, 61.0, 61.0)
    assert limit.rate() == pytest.approx(10 / 61)
    calls(limit, 200, 61.0, 6.2)
    assert limit.rate() == pytest.approx(10 / 61 * 1.25)


def test_the_more_were_refused_the_longer_a_step_takes() -> None:
    """Five calls were refused around the last 429, so a step takes 500 accepted calls. Then one in a hundred is
    refused."""
    limit = learned()
    calls(limit, 250, 11.0, 0.06)
    for _ in range(4):
        limit.spend(25.99)
    refused(limit, 26.0)
    for _ in range(4):
        limit.refused(26.01, sent_at=25.99, retry_after=None)
    let_through(limit, 26.2, 26.2)
    rate = limit.rate()
    calls(limit, 499, 26.3, 0.06)
    assert limit.rate() == rate
    calls(limit, 1, 60.0, 0.06)
    assert limit.rate() == pytest.approx(LOW * 1.01)  # by one percent at least


def test_refused_from_the_very_first_call_on_nothing_is_learned() -> None:
    """Calls from elsewhere used the limit up. All go as fast as they can until the next 429."""
    limit = RateLimit("auto")
    refused(limit, 0.0)
    let_through(limit, 1.0, 1.1)
    assert limit.rate() is None


def test_a_pause_without_any_call_is_not_counted() -> None:
    """A hundred calls in 10 s, a quarter of an hour without calls, a hundred more in 10 s: 10 per second, not fewer."""
    limit = RateLimit("auto")
    calls(limit, 100, 0.0, 0.1)
    calls(limit, 100, 1010.0, 0.1)
    refused(limit, 1020.0)
    let_through(limit, 1020.1, 1020.1)
    assert limit.rate() == pytest.approx(10.0)


def test_a_minute_s_pause_is_counted() -> None:
    """Up to 60 s, the server may be the cause of a pause. The wait that a 429 asked for is never a pause."""
    limit = RateLimit("auto")
    calls(limit, 100, 0.0, 0.1)
    calls(limit, 100, 69.8, 0.1)
    limit.spend(80.0)
    limit.refused(80.0, sent_at=80.0, retry_after=100.0)
    let_through(limit, 180.0, 180.0)
    assert limit.rate() == pytest.approx(200 / 180)


def test_a_declared_limit_learns_nothing() -> None:
    """A 429 holds it, and its rate stays as declared."""
    limit = RateLimit(Rate(10, 1.0))
    calls(limit, 5, 0.0, 0.1)
    refused(limit, 1.0)
    let_through(limit, 1.2, 1.3)
    assert limit.rate() == pytest.approx(10 / 1.015)


def test_a_shared_limit_goes_by_its_slots_and_pushes_the_clock_at_a_429() -> None:
    """Slots are requested as calls need them. A 429 pushes the clock for all. Nothing is requested while all wait."""
    slots = ReservedSlots(pace_of(Rate(10, 1.0)), 4)
    limit = RateLimit(None, slots)
    assert limit.due(1.0, waiting=3, in_flight=0) == math.inf
    assert slots.asks.get_nowait() == Ask(1, 0.0)
    slots.grant(SlotReservation(1.0, 0.1, 2))
    assert limit.due(1.0, waiting=3, in_flight=0) == 1.0
    limit.spend(1.0)
    assert limit.due(1.0, waiting=3, in_flight=1) == 1.1
    assert slots.asks.empty()
    limit.refused(1.05, sent_at=1.0, retry_after=None)
    assert slots.asks.get_nowait() == Ask(0, FIRST_HOLD)
    limit.refused(1.06, sent_at=1.0, retry_after=None)
    assert slots.asks.empty()
    limit.refused(1.06, sent_at=1.0, retry_after=7.0)
    assert slots.asks.get_nowait() == Ask(0, 7.0)
    assert limit.due(1.1, waiting=3, in_flight=0) == pytest.approx(8.06)
    assert slots.asks.empty()
    assert limit.due(8.06, waiting=3, in_flight=0) == math.inf
    assert slots.asks.get_nowait() == Ask(1, 0.0)
