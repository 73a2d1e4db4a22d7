"""The rate limit is pure: these tests jump a clock from one due instant to the next."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import FIRST_HOLD
from interakt_loader.settings.values import Rate
from tests.shared_limit.windows import most_in_a_window


@given(
    calls=st.integers(1, 2000),
    seconds=st.sampled_from([1.0, 60.0]),
    lateness=st.lists(st.floats(0, 0.05), min_size=1, max_size=20),
)
def test_no_window_holds_more_than_declared(calls: int, seconds: float, lateness: list[float]) -> None:
    """However late each wake-up is, no window of the limit's length ever holds more calls than declared."""
    limit, now, went = RateLimit(Rate(calls, seconds)), 100.0, []
    for number in range(min(3 * calls, 3000)):
        now = max(now, limit.due(0.0)) + lateness[number % len(lateness)]
        limit.spend(now)
        went.append(now)
    assert most_in_a_window(went, seconds) <= calls


@pytest.mark.parametrize("rate", [Rate(300, 60), Rate(600, 60), Rate(10, 1), Rate(1000, 1)])
def test_a_declared_limit_is_used_to_98_percent(rate: Rate) -> None:
    """Over ten windows, with wake-ups up to a millisecond late, at least 98 % of the declared calls go out."""
    limit, now, rng = RateLimit(rate), 5.0, random.Random(7)
    windows, calls = 10, 0
    while (due := max(now, limit.due(0.0))) < 5.0 + windows * rate.seconds:
        now = due + rng.random() / 1000
        limit.spend(now)
        calls += 1
    assert calls >= 0.98 * windows * rate.calls


def test_without_a_limit_a_call_may_always_go() -> None:
    """No declared rate and no 429: nothing ever waits."""
    for limit in (RateLimit(None), RateLimit("auto")):
        for _ in range(1000):
            assert limit.due(0.0) <= 0.0
            limit.spend(0.0)


def test_a_429_holds_every_call_and_then_lets_one_probe_go() -> None:
    """After a 429 nothing goes until the hold ends. Then one call goes alone, and its success ends the hold for all."""
    limit = RateLimit(None)
    limit.spend(10.0)
    limit.refused(10.1, sent_at=10.0, retry_after=None)
    assert limit.due(0.0) == pytest.approx(10.1 + FIRST_HOLD)
    limit.spend(10.4)
    assert limit.due(0.0) == math.inf
    limit.accepted(10.5, sent_at=10.4)
    assert limit.due(0.0) <= 10.5


def test_retry_after_is_a_minimum_and_an_absurd_one_is_bounded() -> None:
    """Retry-After lengthens the hold. If it asks for a week, a call probes after five minutes."""
    limit = RateLimit(None)
    limit.refused(0.0, sent_at=0.0, retry_after=7.0)
    assert limit.due(0.0) == 7.0
    limit = RateLimit(None)
    limit.refused(0.0, sent_at=0.0, retry_after=604_800.0)
    assert limit.due(0.0) == 300.0


def test_calls_in_flight_when_the_hold_began_do_not_lengthen_it() -> None:
    """Sixteen calls in flight bring sixteen 429s, which count as one."""
    limit = RateLimit(None)
    for _ in range(16):
        limit.spend(1.0)
    for _ in range(16):
        limit.refused(1.1, sent_at=1.0, retry_after=None)
    assert limit.due(0.0) == pytest.approx(1.1 + FIRST_HOLD)


def test_a_probe_without_an_answer_does_not_close_the_gate_for_good() -> None:
    """A probe that is lost on the network is repeated."""
    limit = RateLimit(None)
    limit.refused(0.0, sent_at=0.0, retry_after=None)
    limit.spend(1.0)
    limit.lost(sent_at=1.0)
    assert limit.due(0.0) < math.inf


def test_a_call_that_went_out_at_the_instant_of_the_hold_was_in_flight() -> None:
    """Clocks have coarse steps: a call sent in the same step as the 429 neither ends the hold nor lengthens it."""
    for rate in (None, "auto"):
        limit = RateLimit(rate)
        for _ in range(3):
            limit.spend(5.0)
        limit.refused(5.0, sent_at=5.0, retry_after=None)
        limit.accepted(5.0, sent_at=5.0)
        assert limit.holding_since == 5.0
        limit.refused(5.0, sent_at=5.0, retry_after=None)
        assert limit.holding_since == 5.0
        assert limit.due(5.0) == 5.0 + FIRST_HOLD
        limit.spend(6.0)
        limit.lost(sent_at=5.0)
        assert limit.due(6.0) == math.inf  # it was another call that brought no answer: the probe is out still
