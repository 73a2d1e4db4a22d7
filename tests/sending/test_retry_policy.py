"""The retry policy decides from one answer, without a clock or a network."""

import pytest

from interakt_loader.model import Answer, Status
from interakt_loader.sending.retry_policy import RetryDecision, backoff, decide, final_status
from interakt_loader.transport import no_answer, read_answer

LOST = no_answer(ConnectionResetError(), 0.1, first_call=False)


def answer(status: int, body: bytes = b'{"result": false, "message": "no"}') -> Answer:
    return read_answer(status, body, 0.1)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(202, b'{"result": true}'), RetryDecision.DONE),
        (answer(202, b""), RetryDecision.DONE),
        (answer(200), RetryDecision.DONE),
        (answer(200, b"<html>hotel wifi</html>"), RetryDecision.RETRY),
        (answer(302, b""), RetryDecision.DONE),
        (answer(400), RetryDecision.DONE),
        (answer(404, b"<html>"), RetryDecision.DONE),
        (answer(408), RetryDecision.RETRY),
        (answer(401), RetryDecision.STOP),
        (answer(403), RetryDecision.STOP),
        (answer(403, b"<html>a firewall</html>"), RetryDecision.DONE),
        (answer(429), RetryDecision.RETRY_FREE),
        (answer(499), RetryDecision.DONE),
        (answer(500), RetryDecision.RETRY),
        (answer(503), RetryDecision.RETRY),
        (LOST, RetryDecision.RETRY),
    ],
)
def test_judge(given: Answer, verdict: RetryDecision) -> None:
    """Network errors, 408, 429 and 5xx are retried, 401 and 403 stop the load, and everything else is final."""
    assert decide(given) is verdict


@pytest.mark.parametrize(
    ("given", "doubted", "status"),
    [
        (answer(202, b'{"result": true}'), False, Status.SENT),
        (answer(202, b'{"result": true}'), True, Status.SENT),
        (answer(200), False, Status.REJECTED),
        (answer(400), True, Status.REJECTED),
        (answer(401), False, Status.REJECTED),
        (answer(401), True, Status.UNKNOWN),
        (answer(500), False, Status.FAILED),
        (answer(500), True, Status.UNKNOWN),
        (LOST, True, Status.UNKNOWN),
    ],
)
def test_final_status(given: Answer, doubted: bool, status: Status) -> None:
    """A row that may have been accepted is never called failed."""
    assert final_status(given, doubted=doubted) is status


def test_backoff_doubles_with_jitter_up_to_a_minute() -> None:
    """Half to all of 0.5, 1, 2, … seconds, and never more than 60."""
    assert [backoff(n, 0.0) for n in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert [backoff(n, 1.0) for n in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert backoff(1000, 1.0) == 60.0
