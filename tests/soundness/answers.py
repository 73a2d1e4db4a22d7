"""Every kind of answer that a call may bring, for machines that draw them."""

from __future__ import annotations

from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from interakt_loader.model import Answer
from interakt_loader.sending.retry_policy import in_doubt
from interakt_loader.transport import no_answer, not_connected, read_answer

OK = read_answer(202, b'{"result": true}', 0.1)
BAD = read_answer(400, b'{"result": false, "message": "phoneNumber is wrong"}', 0.1)
ERROR = read_answer(500, b"", 0.1)
BUSY = read_answer(503, b"", 0.1, retry_after=20.0)
GATEWAY = read_answer(504, b"", 0.1)  # in doubt, though it was reached
LIMITED = read_answer(429, b"", 0.1)
LIMITED_FOR_LONG = read_answer(429, b"", 0.1, retry_after=40.0)
REFUSED = read_answer(401, b'{"result": false, "message": "Invalid token provided"}', 0.1)
TIMEOUT = no_answer(TimeoutError(), 0.1, first_call=False)  # the call may have been taken
UNREACHED = not_connected(NewConnectionError(HTTPConnection("127.0.0.1"), "refused"), 0.1)

ANSWERS = {
    "accepted": OK,
    "rejected": BAD,
    "500": ERROR,
    "503 with Retry-After": BUSY,
    "504": GATEWAY,
    "429": LIMITED,
    "429 with Retry-After": LIMITED_FOR_LONG,
    "key refused": REFUSED,
    "timeout": TIMEOUT,
    "unreached": UNREACHED,
}


def may_be_tried_again(answer: Answer) -> bool:
    """The rule in the words of the documents: no answer, an unclear one, 408, 429 and 5xx; never after success."""
    status = answer.http_status
    return not answer.accepted and (status is None or in_doubt(answer) or status in (408, 429) or status >= 500)


def costs_a_retry(answer: Answer) -> bool:
    """A 429 concerns the account, and a call that was not sent concerns no row."""
    return answer.http_status != 429 and answer.sent
