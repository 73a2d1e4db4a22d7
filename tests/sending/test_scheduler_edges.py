"""The schedule at its thresholds: just in time and just too late, and what it asks of the limit. With a fake clock."""

from __future__ import annotations

import math

import pytest

from interakt_loader.model import Status
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import Ask, ReservedSlots, SlotReservation, pace_of
from interakt_loader.transport import read_answer
from tests.sending.test_scheduler import ERROR, LIMITED, OK, TIMEOUT, UNREACHED, message, pending, run, schedule

BUSY = read_answer(503, b"", 0.1, retry_after=20.0)


def test_of_two_retries_due_at_the_same_instant_the_one_that_failed_first_goes_first() -> None:
    """With three of them, the order of a heap alone would be wrong."""
    one = schedule()
    for row in range(3):
        one.admit(message(row))
    for call in [pending(one, 0.0) for _ in range(3)]:
        one.settle(call, BUSY, 1.0)
    assert [pending(one, 21.0).message.row for _ in range(3)] == [0, 1, 2]


def test_a_retry_goes_first_from_the_instant_on_at_which_it_is_due() -> None:
    """It goes before a row that was not tried yet, but not an instant earlier."""
    for now, first in ((20.999, 1), (21.0, 0)):
        one = schedule()
        one.admit(message(0))
        one.admit(message(1))
        one.settle(pending(one, 0.0), BUSY, 1.0)
        assert pending(one, now).message.row == first


def test_the_first_of_several_retries_is_the_one_that_counts() -> None:
    """Due after 20, 40 and 30 s: the earliest is reported, and goes before a row that was not tried yet."""
    one = schedule()
    for row in range(3):
        one.admit(message(row))
    for call, wait in zip([pending(one, 0.0) for _ in range(3)], (20.0, 40.0, 30.0), strict=True):
        one.settle(call, read_answer(503, b"", 0.1, retry_after=wait), 1.0)
    assert one.parked_until == 21.0
    assert one.take(1.0) == 21.0
    one.admit(message(3))
    assert pending(one, 21.0).message.row == 0


def test_a_call_that_reached_nobody_is_made_again_at_once() -> None:
    """It does not count for its row, and only an outage makes it wait."""
    one = schedule(retries=0)
    one.admit(message(0))
    assert one.has_ready is True
    one.settle(pending(one, 0.0), UNREACHED, 0.1)
    assert (one.has_ready, one.parked_until) == (True, None)
    one.settle(pending(one, 0.1), OK, 0.2)
    assert (one.has_ready, one.held, one.room) == (False, 1, 99)


def test_an_event_in_doubt_is_sent_again_unless_asked_otherwise() -> None:
    """This is the default of `on_unknown`."""
    one = schedule()
    one.admit(message(0)._replace(kind="event"))
    (outcome,), _ = run(one, [TIMEOUT, OK])
    assert (outcome.status, outcome.maybe_duplicate) == (Status.SENT, True)


def test_a_doubt_is_folded_in_too() -> None:
    """The later row carries the earlier one's call, so it may be a duplicate, even if it is in doubt itself."""
    one = Schedule(max_queue_size=9, max_retries=0, rate_limit=RateLimit(None), max_outage=300.0, coalesce=True)
    assert one.admit(message(0, "ann")) is True
    assert one.admit(message(1, "ann")._replace(doubted=True)) is True
    outcomes, _ = run(one, [OK])
    assert [(o.message.row, o.status, o.maybe_duplicate) for o in outcomes] == [
        (0, Status.MERGED, False),
        (1, Status.SENT, True),
    ]


def test_a_retry_that_is_due_waits_for_the_rate_limit_too() -> None:
    """The limit is asked at the instant at which its own wait ends."""
    one = schedule(rate=Rate(60, 60.0))
    one.admit(message(0))
    one.settle(pending(one, 0.0), ERROR, 0.0)
    due = one.parked_until
    assert due is not None
    assert one.take(due) == pytest.approx(1 / 0.99 - 0.3)


def test_a_shared_limit_is_asked_for_as_many_slots_as_calls_wait() -> None:
    """For three, then for the two that are left, and for one if only a retry is due."""
    slots = ReservedSlots(pace_of(Rate(6000, 1.0)), 4)
    one = Schedule(max_queue_size=9, max_retries=3, rate_limit=RateLimit(None, slots), max_outage=300.0)
    for row in range(3):
        one.admit(message(row))
    assert one.take(1.0) is None
    assert slots.asks.get_nowait() == Ask(3, 0.0)
    slots.grant(SlotReservation(1.0, 0.0, 1))
    call = pending(one, 1.0)
    assert slots.asks.get_nowait() == Ask(2, 0.0)
    one.settle(call, BUSY, 1.0)
    slots.grant(SlotReservation(2.0, 0.0, 2))
    assert [pending(one, 2.0).message.row for _ in range(2)] == [1, 2]
    while not slots.asks.empty():
        slots.asks.get_nowait()
    slots.grant(SlotReservation(2.5, 0.0, 0))
    assert one.take(21.0) is None
    assert slots.asks.get_nowait() == Ask(1, 0.0)


def test_a_probe_that_is_lost_is_made_again() -> None:
    """After a 429 one call goes alone. It brings no answer, and the next one goes."""
    one = schedule()
    one.admit(message(0))
    (outcome,), _ = run(one, [LIMITED, TIMEOUT, OK])
    assert (outcome.status, outcome.attempts, outcome.maybe_duplicate) == (Status.SENT, 3, True)


@pytest.mark.parametrize(("patience", "stops"), [(329.5, True), (330.0, False)])
def test_one_429_adds_five_and_a_half_minutes_at_most_and_patience_is_over_when_it_is_exceeded(
    patience: float, stops: bool
) -> None:
    """A machine that slept for an hour between two 429s was not refused for an hour."""
    one = Schedule(max_queue_size=9, max_retries=3, rate_limit=RateLimit(None), max_outage=300.0, max_refusal=patience)
    one.admit(message(0))
    for now in (0.0, 3600.0):
        one.settle(pending(one, now), LIMITED, now)
    assert bool(one.stopped) is stops


def test_a_retry_after_lasts_no_longer_than_what_is_left_of_patience() -> None:
    """Ten of thirty seconds are over: the next call goes after twenty more, or after a shorter Retry-After."""
    one = Schedule(max_queue_size=9, max_retries=3, rate_limit=RateLimit(None), max_outage=300.0, max_refusal=30.0)
    one.admit(message(0))
    for now, asked, due in ((0.0, 7.0, 7.0), (10.0, 300.0, 30.0)):
        one.settle(pending(one, now), LIMITED._replace(retry_after=asked), now)
        assert one.take(now) == due


def test_a_call_that_is_taken_ends_a_refusal() -> None:
    """A hundred seconds of 429, one accepted call, a hundred more seconds: patience for 120 s is enough."""
    one = schedule(max_outage=120.0)
    for start in (0.0, 110.0):
        one.admit(message(int(start)))
        for now in (start, start + 50.0, start + 100.0):
            one.settle(pending(one, now), LIMITED, now)
        one.settle(pending(one, start + 105.5), OK, start + 105.5)
    assert one.stopped is None
    assert [outcome.status for outcome in one.read()] == [Status.SENT, Status.SENT]


@pytest.mark.parametrize(("patience", "stops"), [(60.0, True), (60.5, False)])
def test_patience_with_an_outage_is_over_as_soon_as_it_has_lasted_so_long(patience: float, stops: bool) -> None:
    """To the instant. Calls from before the outage count too."""
    one = schedule(max_outage=patience)
    for row in range(4):
        one.admit(message(row))
    calls = [pending(one, 0.0) for _ in range(4)]
    for call in calls[:3]:
        one.settle(call, UNREACHED, 1.0)
    one.settle(calls[3], UNREACHED, 61.0)
    assert bool(one.stopped) is stops


def test_nothing_waits_where_nothing_is() -> None:
    """No call, and no instant to ask again."""
    one = schedule()
    assert one.take(0.0) is None
    assert one.take(math.inf) is None
    assert (one.room, one.held, one.settled, one.unfinished) == (100, 0, 0, 0)
