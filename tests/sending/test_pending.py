"""How a message ends: its outcome says what happened to it, and no more than is known."""

from __future__ import annotations

import time

import pytest

from interakt_loader.model import Answer, Message, Status, Stop
from interakt_loader.sending.pending import PendingCall, outcome, skipped, unsent
from interakt_loader.sending.retry_policy import stopped_status
from interakt_loader.transport import no_answer, read_answer

MESSAGE = Message(
    7, "user", "ann", b"{}", note="a value was dropped", note_code="value_dropped", note_column="age"
)  # fmt: skip
OK = read_answer(202, b'{"result": true}', 0.0123456)
BAD = read_answer(400, b'{"result": false, "message": "phoneNumber is wrong"}', 0.5)
TIMEOUT = no_answer(TimeoutError(), 10.0, first_call=False)
STOP = Stop("interrupted", "the load was interrupted")


def pending(answer: Answer | None, calls: int = 1, doubts: int = 0) -> PendingCall:
    return PendingCall(MESSAGE, calls=calls, doubts=doubts, last=answer)


def test_a_pending_begins_with_nothing() -> None:
    """No call, no counted try, no doubt, no answer."""
    new = PendingCall(MESSAGE)
    assert (new.calls, new.charged, new.doubts, new.last) == (0, 0, 0, None)


def test_a_row_that_was_sent_keeps_its_note() -> None:
    """The note about what was changed stays. The latency is in milliseconds, to a microsecond."""
    one = outcome(pending(OK, calls=2), Status.SENT, 123.0, None)
    assert one.message is MESSAGE
    assert (one.status, one.attempts, one.http_status) == (Status.SENT, 2, 202)
    assert (one.code, one.column, one.text) == ("value_dropped", "age", "a value was dropped")
    assert one.maybe_duplicate is False
    assert one.latency_ms == 12.346
    assert (one.finished_at, one.answer) == (123.0, OK)


@pytest.mark.parametrize("status", [Status.REJECTED, Status.FAILED])
def test_a_row_that_was_not_sent_says_what_was_answered(status: Status) -> None:
    """It has the last answer's code and message, and not the note's column."""
    one = outcome(pending(BAD), status, 1.0, None)
    assert (one.http_status, one.code, one.column, one.text) == (400, "rejected", None, "phoneNumber is wrong")


def test_an_unsent_row_says_why_the_load_has_stopped() -> None:
    """It has the stop's reason and message, whatever was answered before. Without a stop it has none."""
    one = outcome(pending(BAD), Status.UNSENT, 1.0, STOP)
    assert (one.code, one.column, one.text) == ("interrupted", None, "not sent: the load was interrupted")
    one = outcome(pending(None, calls=0), Status.UNSENT, 1.0, None)
    assert (one.code, one.column, one.text, one.http_status, one.latency_ms) == (None, None, None, None, None)


def test_a_row_in_doubt_says_which_load_left_it_so() -> None:
    """Without an answer: the call was in flight when this load, or an earlier one, ended. With an answer: that
    answer."""
    this = outcome(pending(None, calls=1, doubts=1), Status.UNKNOWN, 1.0, STOP)
    assert (this.code, this.column) == ("in_doubt", None)
    assert this.text is not None
    assert "when the load ended" in this.text
    earlier = outcome(pending(None, calls=0, doubts=1), Status.UNKNOWN, 1.0, None)
    assert (earlier.code, earlier.column) == ("in_doubt", None)
    assert earlier.text is not None
    assert "when an earlier load ended" in earlier.text
    answered = outcome(pending(TIMEOUT, doubts=1), Status.UNKNOWN, 1.0, None)
    assert (answered.code, answered.text) == ("timeout", TIMEOUT.message)


@pytest.mark.parametrize(
    ("status", "doubts", "maybe_duplicate"),
    [
        (Status.SENT, 0, False),
        (Status.SENT, 1, True),
        (Status.UNKNOWN, 1, False),
        (Status.UNKNOWN, 2, True),
        (Status.REJECTED, 1, False),
        (Status.REJECTED, 2, True),
    ],
)
def test_a_copy_is_possible_once_two_calls_may_have_been_taken(
    status: Status, doubts: int, maybe_duplicate: bool
) -> None:
    """A row that was sent needs one call in doubt for that, and any other row two."""
    assert outcome(pending(OK, doubts=doubts), status, 1.0, None).maybe_duplicate is maybe_duplicate


@pytest.mark.parametrize(
    ("calls", "doubts", "status"),
    [
        (0, 0, Status.UNSENT),
        (1, 0, Status.UNSENT),
        (0, 1, Status.UNSENT),
        (1, 1, Status.UNKNOWN),
        (3, 2, Status.UNKNOWN),
    ],
)
def test_what_a_stop_makes_of_a_row_that_waits(calls: int, doubts: int, status: Status) -> None:
    """Unsent, unless a call of this load may have been accepted."""
    assert stopped_status(calls=calls, doubts=doubts) is status


def test_a_row_whose_turn_never_came() -> None:
    """It is unsent. A row that is not sent again is in doubt, and cannot be a duplicate."""
    before = time.time()
    one, other = unsent(MESSAGE, STOP), skipped(MESSAGE)
    after = time.time()
    assert (one.status, one.attempts, one.code) == (Status.UNSENT, 0, "interrupted")
    assert one.text == "not sent: the load was interrupted"
    assert (other.status, other.attempts, other.code) == (Status.UNKNOWN, 0, "in_doubt")
    assert other.maybe_duplicate is False
    assert other.text is not None
    assert "earlier load" in other.text
    assert one.message is other.message is MESSAGE
    assert before <= one.finished_at <= other.finished_at <= after
