"""The schedule is pure: a fake clock, made-up answers, and every order of events that hypothesis tries."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from interakt_loader.model import Answer, Message, Outcome, Status, Stop
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import OUTAGE_AFTER
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.settings.values import Rate
from interakt_loader.transport import no_answer, not_connected, read_answer
from tests.thorough import examples

OK = read_answer(202, b'{"result": true}', 0.1)
BAD = read_answer(400, b'{"result": false, "message": "phoneNumber is wrong"}', 0.1)
ERROR = read_answer(500, b"", 0.1)
LIMITED = read_answer(429, b"", 0.1)
REFUSED = read_answer(401, b'{"result": false, "message": "Invalid token provided"}', 0.1)
TIMEOUT = no_answer(TimeoutError(), 0.1, first_call=False)  # the call may have been taken
UNREACHED = not_connected(NewConnectionError(HTTPConnection("127.0.0.1"), "refused"), 0.1)
ANSWERS = [OK, OK, BAD, ERROR, LIMITED, TIMEOUT]


def message(row: int, ordering_key: str = "") -> Message:
    return Message(row, "user", ordering_key or str(row), b"{}")


def schedule(*, queue: int = 100, retries: int = 3, rate: Rate | None = None, max_outage: float = 300.0) -> Schedule:
    return Schedule(
        max_queue_size=queue,
        max_retries=retries,
        rate_limit=RateLimit(rate),
        max_outage=max_outage,
        rng=random.Random(1),
    )


def pending(given: Schedule, now: float) -> PendingCall:
    taken = given.take(now)
    assert isinstance(taken, PendingCall)
    return taken


def run(given: Schedule, answers: list[Answer], now: float = 0.0) -> tuple[list[Outcome], float]:
    """Send all that is queued, one call at a time on a clock that jumps. The last answer repeats."""
    outcomes: list[Outcome] = []
    answers = list(answers)
    while given.unfinished:
        work = given.take(now)
        if isinstance(work, PendingCall):
            now += 0.1
            given.settle(work, answers.pop(0) if len(answers) > 1 else answers[0], now)
        else:
            assert work is not None
            assert work > now
            now = work
        outcomes += given.read()
    return outcomes + given.read(), now


@pytest.mark.parametrize(
    ("answers", "status", "attempts", "maybe_duplicate"),
    [
        ([OK], Status.SENT, 1, False),
        ([ERROR, OK], Status.SENT, 2, False),
        ([TIMEOUT, OK], Status.SENT, 2, True),
        ([BAD], Status.REJECTED, 1, False),
        ([TIMEOUT, BAD], Status.REJECTED, 2, False),
        ([ERROR], Status.FAILED, 4, False),
        ([TIMEOUT, ERROR], Status.UNKNOWN, 4, False),
        ([ERROR, ERROR, ERROR, TIMEOUT], Status.UNKNOWN, 4, False),
        ([TIMEOUT, ERROR, TIMEOUT, ERROR], Status.UNKNOWN, 4, True),
        ([LIMITED] * 20 + [ERROR] * 3 + [OK], Status.SENT, 24, False),
        ([LIMITED, ERROR], Status.FAILED, 5, False),
    ],
)
def test_how_a_row_ends(answers: list[Answer], status: Status, attempts: int, maybe_duplicate: bool) -> None:
    """At most 1 + max_retries calls count for a row, and a 429 does not count. A doubt is never forgotten."""
    one = schedule()
    one.admit(message(0))
    (outcome,), _ = run(one, answers)
    assert (outcome.status, outcome.attempts, outcome.maybe_duplicate) == (status, attempts, maybe_duplicate)


def test_a_message_without_room_is_not_taken() -> None:
    """The bound includes messages that are queued, in flight, parked, and settled but not read. Reading frees room."""
    one = schedule(queue=2)
    assert [one.admit(message(row)) for row in range(3)] == [True, True, False]
    one.settle(pending(one, 0.0), OK, 0.1)
    assert not one.admit(message(3))
    assert len(one.read()) == 1
    assert one.admit(message(3))


def test_two_messages_of_a_user_are_never_out_at_once() -> None:
    """The second waits for the first and its retries, while other users continue."""
    one = schedule()
    for waiting in (message(0, "ann"), message(1, "ann"), message(2, "bob")):
        one.admit(waiting)
    first, other = pending(one, 0.0), pending(one, 0.0)
    assert (first.message.row, other.message.row) == (0, 2)
    assert one.take(0.0) is None
    one.settle(first, ERROR, 0.1)
    due = one.take(0.1)
    assert isinstance(due, float)
    one.settle(pending(one, due), OK, due)
    assert pending(one, due).message.row == 1


def test_a_parked_retry_frees_its_consumer() -> None:
    """While a row waits for its retry, `take` hands out other rows."""
    one = schedule()
    one.admit(message(0))
    one.admit(message(1))
    one.settle(pending(one, 0.0), ERROR, 0.0)
    assert pending(one, 0.0).message.row == 1


def test_a_429_holds_every_ordering_key() -> None:
    """After a 429 no row goes. The refused row goes first when the hold ends."""
    one = schedule()
    for row in range(3):
        one.admit(message(row))
    one.settle(pending(one, 0.0), LIMITED, 0.1)
    due = one.take(0.1)
    assert isinstance(due, float)
    assert due > 0.1
    assert pending(one, due).message.row == 0
    assert one.take(due) is None  # the probe is out alone


def test_a_refused_key_stops_the_load() -> None:
    """401: the row is rejected, all others are unsent, and calls in flight may still succeed."""
    one = schedule()
    for row in range(4):
        one.admit(message(row, "ann" if row > 1 else ""))
    first, second, third = pending(one, 0.0), pending(one, 0.0), pending(one, 0.0)
    one.settle(first, REFUSED, 0.1)
    one.settle(second, OK, 0.1)
    one.settle(third, ERROR, 0.1)
    assert one.stopped is not None
    assert one.stopped.reason == "key_refused"
    assert {outcome.message.row: outcome.status for outcome in one.read()} == {
        0: Status.REJECTED,
        1: Status.SENT,
        2: Status.UNSENT,
        3: Status.UNSENT,
    }
    assert one.unfinished == 0


def test_an_outage_costs_no_row_its_retries() -> None:
    """Ten minutes of silence, then the server is back: every row is sent, and few calls were made meanwhile."""
    one = schedule(retries=1, max_outage=3600.0)
    for row in range(20):
        one.admit(message(row))
    outcomes: list[Outcome] = []
    now, calls_into_silence = 0.0, 0
    while one.unfinished:
        work = one.take(now)
        if isinstance(work, PendingCall):
            silent = now < 600.0
            calls_into_silence += silent
            now += 0.1
            one.settle(work, UNREACHED if silent else OK, now)
        else:
            assert work is not None
            now = work
        outcomes += one.read()
    assert {outcome.status for outcome in outcomes} == {Status.SENT}
    assert calls_into_silence < 60


def test_an_outage_ends_the_load_after_max_outage() -> None:
    """No answer for `max_outage` seconds: the load stops, and every row has an outcome."""
    one = schedule(max_outage=60.0)
    for row in range(5):
        one.admit(message(row))
    outcomes, now = run(one, [UNREACHED])
    assert one.stopped is not None
    assert one.stopped.reason == "outage"
    assert len(outcomes) == 5
    assert 60.0 <= now <= 62.0


def test_a_single_bad_connection_is_no_outage() -> None:
    """One row's connections always break, while others succeed: only that row fails."""
    one = schedule(retries=2)
    for row in range(10):
        one.admit(message(row))
    now = 0.0
    outcomes: list[Outcome] = []
    while one.unfinished:
        work = one.take(now)
        if isinstance(work, PendingCall):
            now += 0.1
            one.settle(work, TIMEOUT if work.message.row == 3 else OK, now)
        else:
            assert work is not None
            now = work
        if one.unfinished == 1:  # keep somebody else's answers coming
            one.admit(message(100 + len(outcomes)))
        outcomes += one.read()
        if any(outcome.message.row == 3 for outcome in outcomes):
            break
    assert [outcome.status for outcome in outcomes if outcome.message.row == 3] == [Status.UNKNOWN]
    assert one.stopped is None
    assert OUTAGE_AFTER > 1


def test_rows_whose_calls_the_server_drops_hold_up_nobody() -> None:
    """Three such rows look like an outage. The probe is another row, so all others are sent soon."""
    one = schedule(retries=3)
    for row in range(50):
        one.admit(message(row))
    outcomes, now = [], 0.0
    while one.unfinished:
        work = one.take(now)
        if isinstance(work, PendingCall):
            now += 0.1
            one.settle(work, TIMEOUT if 10 <= work.message.row < 13 else OK, now)
        else:
            assert work is not None
            now = work
        outcomes += one.read()
    assert {o.message.row: o.attempts for o in outcomes if o.status is Status.UNKNOWN} == {10: 4, 11: 4, 12: 4}
    assert sum(o.status is Status.SENT for o in outcomes) == 47
    assert one.stopped is None
    assert now < 60


def test_an_event_is_not_sent_time_and_again_while_answers_come_too_late() -> None:
    """Every call is accepted and none is answered in time: no row is sent more often than its retries allow."""
    one = schedule(retries=1, max_outage=600.0)
    for row in range(100):
        one.admit(message(row)._replace(kind="event"))
    outcomes, _ = run(one, [TIMEOUT])
    assert one.stopped is not None
    assert max(o.attempts for o in outcomes) <= 2
    assert {o.status for o in outcomes if o.attempts} == {Status.UNKNOWN}


def test_a_retry_that_comes_due_wakes_somebody() -> None:
    """The engine can ask when the first parked retry is due."""
    one = schedule()
    assert one.parked_until is None
    one.admit(message(0))
    one.settle(pending(one, 0.0), ERROR, 1.0)
    assert one.parked_until is not None
    assert 1.25 <= one.parked_until <= 1.5


def test_nothing_but_429_for_max_outage_stops_the_load() -> None:
    """A server that answers 429 forever does not keep a load forever."""
    one = schedule(max_outage=120.0)
    one.admit(message(0))
    (outcome,), now = run(one, [LIMITED])
    assert one.stopped is not None
    assert one.stopped.reason == "outage"
    assert outcome.status is Status.UNSENT
    assert now < 130.0


@pytest.mark.parametrize("asked", [7.0, 300.0, 86_400.0])
def test_patience_with_429_is_not_overruled_by_retry_after(asked: float) -> None:
    """The last call goes out when the patience ends, and not after the five minutes that the server asks for."""
    one = Schedule(max_queue_size=9, max_retries=0, rate_limit=RateLimit(None), max_outage=300.0, max_refusal=30.0)
    one.admit(message(0))
    (outcome,), now = run(one, [LIMITED._replace(retry_after=asked)])
    assert one.stopped is not None
    assert outcome.status is Status.UNSENT
    assert 30.0 < now < 40.0


def test_what_is_given_up_may_have_been_accepted() -> None:
    """After `abandon`, calls in flight end as unknown at once. Rows with an earlier call in doubt may be duplicates."""
    one = schedule()
    for row in range(3):
        one.admit(message(row, "ann" if row == 2 else ""))
    one.admit(message(3, "1"))  # behind row 1
    first, second, third = pending(one, 0.0), pending(one, 0.0), pending(one, 0.0)
    one.settle(first, TIMEOUT, 0.1)
    due = one.take(0.1)
    assert isinstance(due, float)
    again = pending(one, due)
    assert again is first
    one.settle(third, OK, due)
    one.stop(Stop("interrupted", "test"), 5.0)
    assert one.unfinished == 2
    one.abandon(77.0)
    assert (one.unfinished, one.room) == (0, 96)
    ended = {o.message.row: (o.status, o.attempts, o.maybe_duplicate, o.finished_at) for o in one.read()}
    assert ended == {
        0: (Status.UNKNOWN, 2, True, 77.0),
        1: (Status.UNKNOWN, 1, False, 77.0),
        2: (Status.SENT, 1, False, OK.at),
        3: (Status.UNSENT, 0, False, 5.0),
    }
    one.settle(again, OK, 80.0)
    one.settle(second, OK, 80.0)
    one.abandon(81.0)
    assert one.read() == []
    assert one.unfinished == 0


def test_a_stop_settles_all_that_is_not_out() -> None:
    """Ready, parked and behind: unsent, or unknown, at the stop's instant. The first stop's reason is reported."""
    one = schedule()
    for row, ordering_key in enumerate(["a", "b", "c", "a", "b", "c", "d"]):
        one.admit(message(row, ordering_key))
    a, b, c = pending(one, 0.0), pending(one, 0.0), pending(one, 0.0)
    one.settle(a, ERROR, 0.1)
    one.settle(b, TIMEOUT, 0.1)
    one.stop(Stop("interrupted", "first"), 5.0)
    one.stop(Stop("outage", "second"), 6.0)
    assert one.take(100.0) is None
    assert one.unfinished == 1
    assert not one.has_ready
    assert one.parked_until is None
    ended = {o.message.row: (o.status, o.text, o.finished_at) for o in one.read()}
    unsent = (Status.UNSENT, "not sent: first", 5.0)
    assert ended == {0: unsent, 1: (Status.UNKNOWN, TIMEOUT.message, 5.0)} | dict.fromkeys([3, 4, 5, 6], unsent)
    one.settle(c, ERROR, 0.2)
    assert [(o.message.row, o.status, o.text) for o in one.read()] == [(2, Status.UNSENT, "not sent: first")]


def test_a_retry_comes_after_its_backoff_and_not_before_retry_after() -> None:
    """Half to all of 0.5 s. A 503's own Retry-After counts up to a minute."""
    for answer, least, most in (
        (ERROR, 0.25, 0.5),
        (read_answer(503, b"", 0.1, retry_after=20.0), 20.0, 20.0),
        (read_answer(503, b"", 0.1, retry_after=1000.0), 60.0, 60.0),
        (read_answer(503, b"", 0.1, retry_after=0.1), 0.25, 0.5),
    ):
        one = schedule()
        one.admit(message(0))
        one.settle(pending(one, 0.0), answer, 10.0)
        due = one.take(10.0)
        assert due == one.parked_until
        assert isinstance(due, float)
        assert least <= due - 10.0 <= most
        assert one.take(due - 0.001) == due
        assert pending(one, due).calls == 2


def test_the_second_retry_waits_twice_as_long() -> None:
    """The backoff depends on the tries that counted."""
    one = schedule()
    one.admit(message(0))
    now, waits = 0.0, []
    for _ in range(3):
        one.settle(pending(one, now), ERROR, now)
        due = one.take(now)
        assert isinstance(due, float)
        waits.append(due - now)
        now = due
    for wait, full in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert full / 2 <= wait <= full


def test_a_retry_that_is_due_goes_before_what_was_not_tried() -> None:
    """It has waited longer. A retry that is not due yet does not hold up the others."""
    one = schedule()
    for row in range(3):
        one.admit(message(row))
    one.settle(pending(one, 0.0), ERROR, 0.0)
    assert pending(one, 0.0).message.row == 1
    assert pending(one, 1.0).message.row == 0
    assert pending(one, 1.0).message.row == 2


def test_of_two_retries_that_are_due_the_earlier_goes_first() -> None:
    """The instants decide, not the rows."""
    one = schedule()
    one.admit(message(0))
    one.admit(message(1))
    first, second = pending(one, 0.0), pending(one, 0.0)
    one.settle(first, ERROR, 5.0)
    one.settle(second, ERROR, 0.0)
    assert pending(one, 9.0).message.row == 1
    assert pending(one, 9.0).message.row == 0


def test_what_is_told_of_an_outage_and_of_a_429() -> None:
    """Both are visible from their first sign to the answer that ends them, and the stop says how long it was."""
    one = schedule(max_outage=60.0)
    for row in range(4):
        one.admit(message(row))
    assert (one.in_outage, one.is_held, one.held, one.settled) == (False, False, 4, 0)
    for call in [pending(one, 0.0) for _ in range(3)]:
        one.settle(call, UNREACHED, 1.0)
    assert one.in_outage
    due = one.take(1.0)
    assert due == 1.5
    one.settle(pending(one, 1.5), LIMITED, 2.0)
    assert (one.in_outage, one.is_held) == (False, True)
    one.settle(pending(one, 3.0), OK, 3.1)
    assert (one.in_outage, one.is_held, one.settled) == (False, False, 1)


def test_the_stop_of_an_outage_says_how_long_it_was_and_what_the_last_sign_was() -> None:
    """In whole seconds, with the last error's message. The same for 429s, which have a patience of their own."""
    one = schedule(max_outage=60.0)
    one.admit(message(0))
    run(one, [UNREACHED])
    assert one.stopped == Stop("outage", f"no answer from the API for 60 s: {UNREACHED.message}")
    two = Schedule(max_queue_size=9, max_retries=0, rate_limit=RateLimit(None), max_outage=5.0, max_refusal=20.0)
    two.admit(message(0))
    _, now = run(two, [LIMITED])
    assert two.stopped is not None
    assert two.stopped.reason == "outage"
    assert two.stopped.message.startswith("the API has answered every call for 2")
    assert two.stopped.message.endswith(f" s with 429: {LIMITED.message}")
    assert 20.0 < now < 27.0


def test_an_event_in_doubt_is_left_alone_if_that_is_asked_for() -> None:
    """With `resend_doubted=False` an event ends as unknown after a call that may have been accepted. A user is
    retried."""
    for kind, calls in (("event", 1), ("user", 2)):
        one = Schedule(
            max_queue_size=9, max_retries=3, rate_limit=RateLimit(None), max_outage=300.0, resend_doubted=False
        )
        one.admit(message(0)._replace(kind=kind))  # type: ignore[arg-type]
        (outcome,), _ = run(one, [TIMEOUT, OK])
        assert outcome.attempts == calls
        assert outcome.status is (Status.UNKNOWN if kind == "event" else Status.SENT)


def test_a_doubt_from_an_earlier_load_counts() -> None:
    """If it is sent now, it may be a duplicate. If it is rejected, it exists once at most."""
    for answer, maybe_duplicate in ((OK, True), (BAD, False)):
        one = schedule()
        one.admit(message(0)._replace(doubted=True))
        (outcome,), _ = run(one, [answer])
        assert outcome.maybe_duplicate is maybe_duplicate


@examples(400)
@given(
    ordering_keys=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    queue=st.integers(1, 12),
    workers=st.integers(1, 6),
    retries=st.integers(0, 3),
    choices=st.lists(st.integers(0, 10**6), min_size=1, max_size=200),
    stop_at=st.one_of(st.none(), st.integers(0, 60)),
    rate=st.sampled_from([None, Rate(5, 1.0)]),
)
def test_any_interleaving_settles_every_row_once_in_order_within_the_bound(
    ordering_keys: list[int],
    queue: int,
    workers: int,
    retries: int,
    choices: list[int],
    stop_at: int | None,
    rate: Rate | None,
) -> None:
    """Answers of any kind come in any order, and the load may stop at any time. Still each admitted row has exactly one
    outcome, the calls of each ordering key go out in order, the bound holds, and the end is always reached."""
    one = schedule(queue=queue, retries=retries, rate=rate, max_outage=1000.0)
    waiting = [message(row, f"user-{ordering_key}") for row, ordering_key in enumerate(ordering_keys)]
    flying: list[PendingCall] = []
    outcomes: list[Outcome] = []
    first_calls: dict[str, list[int]] = defaultdict(list)
    now, step, admitted = 0.0, 0, 0
    while waiting or one.unfinished or one.settled:
        assert step < 20_000, "no end in sight"
        choice = choices[step % len(choices)]
        step += 1
        if stop_at == step:
            one.stop(Stop("interrupted", "test"), 0.0)
        if waiting and not one.stopped and (choice % 3 or not flying) and one.admit(waiting[0]):
            admitted += 1
            waiting.pop(0)
        if one.stopped:
            waiting.clear()
        assert one.held <= queue
        work = one.take(now) if len(flying) < workers else None
        if isinstance(work, PendingCall):
            if work.calls == 1:
                first_calls[work.message.ordering_key].append(work.message.row)
            assert work.message.ordering_key not in {other.message.ordering_key for other in flying}
            flying.append(work)
        elif flying:
            now += 0.01
            one.settle(flying.pop(choice % len(flying)), ANSWERS[choice % len(ANSWERS)], now)
        elif work is not None:
            now = max(now, work)
        if choice % 2 or one.room <= 0 or not flying:
            outcomes += one.read()
    assert sorted(outcome.message.row for outcome in outcomes) == list(range(admitted))
    for rows in first_calls.values():
        assert rows == sorted(rows)
    assert all(outcome.attempts >= 1 for outcome in outcomes if outcome.status is not Status.UNSENT)
