"""The thresholds of what is learned from a 429: how many calls, how long, at which share. With a fake clock."""

from __future__ import annotations

import pytest

from interakt_loader.sending.rate_limit import RateLimit
from tests.sending.test_rate_arithmetic import LOW, calls, learned, let_through, refused


@pytest.mark.parametrize(("count", "is_enough"), [(98, False), (99, True)])
def test_a_hundred_calls_say_something(count: int, is_enough: bool) -> None:
    """The last probe is the first of them. With one call less, a 429 takes a step back."""
    limit = learned()
    calls(limit, count, 10.5, 0.1)
    refused(limit, 21.0, 22.0, 24.0)
    let_through(limit, 26.0, 26.5)
    assert limit.rate() == pytest.approx(100 / 16 if is_enough else 0.97 * LOW)


@pytest.mark.parametrize(("now", "is_enough"), [(70.25, False), (70.5, True)])
def test_a_minute_says_something(now: float, is_enough: bool) -> None:
    """However few calls there were in it, but not before it is over."""
    limit = learned()
    calls(limit, 80, 10.5, 0.5)
    refused(limit, 60.5, 65.0, 69.0)
    let_through(limit, 70.0, now)
    assert limit.rate() == pytest.approx(81 / 60 if is_enough else 0.97 * LOW)


@pytest.mark.parametrize(("last", "is_less"), [(25.875, False), (26.0, True)])
def test_refused_for_a_tenth_of_the_time_the_account_allows_less(last: float, is_less: bool) -> None:
    """An earlier single 429 neither adds to that time nor takes from it, however long its call was in flight."""
    limit = learned()
    calls(limit, 50, 10.5, 0.125)
    limit.spend(16.75)
    limit.refused(17.25, sent_at=16.75, retry_after=None)
    let_through(limit, 17.5, 17.5)
    assert limit.rate() == pytest.approx(0.97 * LOW)
    calls(limit, 100, 17.5, 0.0625)
    refused(limit, 24.0, last)
    let_through(limit, 30.0, 30.5)  # 20 s after `learned`
    assert limit.rate() == pytest.approx(152 / 20 if is_less else 0.97**2 * LOW)


def test_each_measurement_begins_where_the_one_before_ended() -> None:
    """What was accepted before a measurement is not part of the next."""
    limit = learned()
    for start in (10.5, 30.5):
        calls(limit, 150, start, 0.0625)
        refused(limit, start + 10.0, start + 18.0)
        let_through(limit, start + 19.0, start + 20.0)
        assert limit.rate() == pytest.approx(151 / 20)
        limit.spend(start + 20.0)


def test_a_first_measurement_of_few_calls_is_one() -> None:
    """Ten calls in five seconds: two per second, and the next measurement begins there."""
    limit = RateLimit("auto")
    calls(limit, 10, 0.0, 0.1)
    refused(limit, 1.0)
    let_through(limit, 4.0, 5.0)
    assert limit.rate() == pytest.approx(2.0)
    calls(limit, 119, 5.0, 0.125)
    refused(limit, 25.0, 40.0)
    let_through(limit, 44.0, 45.0)
    assert limit.rate() == pytest.approx(120 / 40)


def test_one_call_that_was_accepted_is_enough_to_learn_from() -> None:
    """One in a minute. The last 429 came after 50 s, so it may be one in 50 s: the first step is half of the
    difference."""
    limit = RateLimit("auto")
    calls(limit, 1, 1000.0, 1.0)
    refused(limit, 1050.0)
    let_through(limit, 1060.0, 1060.0)
    assert limit.rate() == pytest.approx(1 / 60)
    calls(limit, 200, 1060.0, 60.0)
    assert limit.rate() == pytest.approx(1 / 60 * 1.1)


@pytest.mark.parametrize("sent_at", [0.0, 0.5])
def test_a_429_within_the_first_second_is_a_rough_measurement(sent_at: float) -> None:
    """Even for a call sent at the same instant as the first one: much more may be allowed."""
    limit = RateLimit("auto")
    limit.spend(0.0)
    limit.spend(sent_at)
    limit.accepted(0.0625, sent_at=0.0)
    limit.refused(0.5, sent_at=sent_at, retry_after=None)
    let_through(limit, 0.75, 0.75)
    assert limit.rate() == pytest.approx(1 / 0.75)
    calls(limit, 200, 0.75, 1.0)
    assert limit.rate() == pytest.approx(1 / 0.75 * 1.25)


def test_a_slow_limit_is_taken_back_by_three_percent_too() -> None:
    """Six calls per minute: less than one per second makes no difference."""
    limit = RateLimit("auto")
    calls(limit, 6, 0.0, 0.125)
    refused(limit, 50.0)
    let_through(limit, 60.0, 60.0)
    assert limit.rate() == pytest.approx(0.1)
    calls(limit, 2, 70.0, 10.0)
    refused(limit, 90.0)
    let_through(limit, 91.0, 91.0)
    assert limit.rate() == pytest.approx(0.097)


@pytest.mark.parametrize(("refusals", "earning"), [([10.0], 200), ([10.0, 10.1, 10.25], 300)])
def test_a_step_takes_two_hundred_good_calls_or_a_hundred_for_each_refused(refusals: list[float], earning: int) -> None:
    """Counted from the first call."""
    limit = RateLimit("auto")
    calls(limit, 200, 0.0, 0.05)
    refused(limit, *refusals)
    let_through(limit, 10.5, 10.5)
    calls(limit, earning - 1, 11.0, 0.06)
    assert limit.rate() == pytest.approx(LOW)
    calls(limit, 1, 40.0, 1.0)
    assert limit.rate() > LOW * 1.005  # type: ignore[operator]


def test_a_fast_limit_makes_up_for_one_call_at_most() -> None:
    """At 40 per second that is 25 ms."""
    limit = RateLimit("auto")
    calls(limit, 400, 0.0, 0.025)
    limit.spend(10.0)
    limit.refused(10.0, sent_at=10.0, retry_after=None)
    let_through(limit, 10.0 + 1e-9, 10.0 + 1e-9)
    assert limit.rate() == pytest.approx(40.0)
    limit.spend(11.0)
    assert limit.due(11.0) == pytest.approx(11.0)


def test_a_very_slow_limit_makes_up_for_fifty_milliseconds() -> None:
    """Also at one call in a hundred seconds."""
    limit = RateLimit("auto")
    calls(limit, 1, 0.0, 1.0)
    limit.spend(1.0)
    limit.refused(1.0, sent_at=1.0, retry_after=99.0)
    let_through(limit, 100.0, 100.0)
    limit.spend(1000.0)
    assert limit.due(1000.0) == pytest.approx(1000.0 - 0.05 + 100.0)


@pytest.mark.parametrize(("pause", "counts"), [(60.0, True), (60.5, False)])
def test_a_pause_counts_up_to_a_minute(pause: float, counts: bool) -> None:
    """A longer pause does not count at all."""
    limit = RateLimit("auto")
    calls(limit, 101, 0.0, 0.125)
    calls(limit, 99, 12.5 + pause, 0.125)
    refused(limit, 25.0 + pause)
    let_through(limit, 30.0 + pause, 30.0 + pause)
    assert limit.rate() == pytest.approx(200 / (30.0 + pause) if counts else 200 / 30.0)


def test_an_answer_ends_a_pause() -> None:
    """A server that takes 50 s for an answer caused the wait: there was no pause of 100 s."""
    limit = RateLimit("auto")
    calls(limit, 99, 0.0, 0.1)
    limit.spend(10.0)
    limit.accepted(60.0, sent_at=10.0)
    refused(limit, 110.0)
    let_through(limit, 120.0, 120.0)
    assert limit.rate() == pytest.approx(100 / 120)


def test_a_machine_that_slept_with_a_call_out_has_used_nothing_up() -> None:
    """The 429 came before the sleep and is read 15 minutes later."""
    limit = RateLimit("auto")
    calls(limit, 100, 0.0, 0.1)
    limit.spend(10.0)
    limit.refused(910.0, sent_at=10.0, retry_after=None)
    let_through(limit, 920.0, 920.0)
    assert limit.rate() == pytest.approx(100 / 20)
