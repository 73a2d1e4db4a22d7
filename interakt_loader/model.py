"""The values that travel between the stages of a load, and what the vendor's API says of a call.

A `Message` goes out, an `Answer` comes back from one try, an `Outcome` is how a row ended. All are immutable. Facts
about the API come from the vendor's documents unless a comment says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import time
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from interakt_loader.codes import AnswerCode, Code, NoteCode, ProblemCode, StopReason
from interakt_loader.errors import APIError, SettingsError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.privacy.text import masked

logger = logging.getLogger("interakt_loader")

Kind = Literal["user", "event"]

PATHS: dict[Kind, str] = {"user": "/v1/public/track/users/", "event": "/v1/public/track/events/"}
"""The two endpoints. The trailing slash is always sent."""

LARGEST_BODY = 32 * 1024
"""Bytes of a call's body that the API accepts [seen in one client's code]."""

DIGEST = 16
"""Bytes of a digest in the ledger."""


class Status(str, Enum):
    """How a row ended. Every row ends in exactly one of these."""

    SENT = "sent"
    """Accepted: 2xx, and the body does not say false."""
    UNCHANGED = "unchanged"
    """Not sent: this call, or this event, was accepted before."""
    RECORDED = "recorded"
    """Not sent: `baseline` recorded it as sent."""
    MERGED = "merged"
    """Not sent: another row's call, which was accepted, includes this row."""
    SAME = "same"
    """Not sent: `verify` found it in the account."""
    DIFFERENT = "different"
    """Not sent: `verify` found the contact in the account, with other values."""
    ABSENT = "absent"
    """Not sent: `verify` found no such contact in the account."""
    AMBIGUOUS = "ambiguous"
    """Not sent: `verify` cannot say which contact of the account the row is about."""
    INVALID = "invalid"
    """Refused by the loader, before any call."""
    REJECTED = "rejected"
    """The API answered with 4xx, a redirect or `"result": false`."""
    FAILED = "failed"
    """No retries left, and certainly not accepted."""
    UNKNOWN = "unknown"
    """A try ended without a readable answer: the API may have accepted it."""
    UNSENT = "unsent"
    """The load stopped before this row's turn."""

    def __str__(self) -> str:
        return self.value


VERIFIED = (Status.SAME, Status.DIFFERENT, Status.ABSENT, Status.AMBIGUOUS)
"""The statuses that only `verify` gives."""

FAILURES = (
    Status.INVALID,
    Status.REJECTED,
    Status.FAILED,
    Status.UNKNOWN,
    Status.UNSENT,
    Status.DIFFERENT,
    Status.ABSENT,
    Status.AMBIGUOUS,
)
"""The statuses that a person has to look at."""


class Problem(NamedTuple):
    """Why a value cannot be sent."""

    code: ProblemCode | NoteCode
    message: str
    """The value and what was expected. The column is named separately."""


class Entry(NamedTuple):
    """How the ledger identifies a call (`ledger.digests` explains states and steps)."""

    key: bytes
    """Digest of the user, or of the event."""
    step: bytes
    """The state after the call is accepted, preceded by the state before it, if there was one."""

    @property
    def after(self) -> bytes:
        """The state after the call is accepted."""
        return self.step[-DIGEST:]

    def then(self, later: Entry) -> Entry:
        """Return the entry of one call that combines this call and the next."""
        return Entry(later.key, self.step[:-DIGEST] + later.after)


class Message(NamedTuple):
    """One call to be made, with what its report line needs."""

    row: int
    """Position in the input, from 0. In `track`, the call's number."""
    kind: Kind
    ordering_key: str
    """The user's identity. Messages with the same key go out one after another, in order."""
    body: bytes
    """The JSON body, UTF-8."""
    user_id: str | None = None
    country_code: str | None = None
    phone: str | None = None
    event: str | None = None
    source: str | None = None
    note: str | None = None
    """What was changed before sending, for example a value that was dropped. It goes into the report."""
    note_code: NoteCode | None = None
    note_column: str | None = None
    entry: Entry | None = None
    """Set if there is a ledger."""
    doubted: bool = False
    """An earlier load ended while this call was in flight: the API may have accepted it then."""


class InvalidRow(NamedTuple):
    """A row that cannot be sent, with what its report line needs."""

    row: int
    """Position in the input, from 0."""
    kind: Kind
    user_id: str | None
    country_code: str | None
    phone: str | None
    event: str | None
    source: str | None
    text: str | None
    """Why it cannot be sent."""
    code: ProblemCode | None
    column: str | None


class Answer(NamedTuple):
    """What one try brought. Make one by `success`, `error`, `no_answer` or `not_sent`."""

    accepted: bool
    http_status: int | None
    """None if no status line came back."""
    code: AnswerCode | None
    """Why the call was not accepted; None if it was."""
    message: str
    reached: bool
    """An HTTP answer came back, so the network and the front of the server work."""
    sent: bool
    """The call, or a part of it, went out."""
    seconds: float
    """From the search for a connection to the last byte. Includes the time to connect if the connection is new."""
    at: float
    """When it arrived, in seconds since the epoch."""
    retry_after: float | None = None
    """Seconds, from the Retry-After header."""
    body: bytes = b""

    @classmethod
    def success(
        cls, http_status: int, message: str, seconds: float, *, retry_after: float | None = None, body: bytes = b""
    ) -> Answer:
        """Return the answer of an API that accepted the call."""
        reached = sent = accepted = True
        # by position, which takes half the time
        return cls(accepted, http_status, None, message, reached, sent, seconds, time.time(), retry_after, body)

    @classmethod
    def error(
        cls,
        code: AnswerCode,
        message: str,
        seconds: float,
        *,
        http_status: int | None,
        retry_after: float | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Return an HTTP answer that does not accept the call."""
        answer = cls.no_answer(code, message, seconds)
        return answer._replace(http_status=http_status, reached=True, retry_after=retry_after, body=body)

    @classmethod
    def no_answer(cls, code: AnswerCode, message: str, seconds: float) -> Answer:
        """Return what is known of a call that went out and brought no HTTP answer."""
        return cls(
            accepted=False,
            http_status=None,
            code=code,
            message=message,
            reached=False,
            sent=True,
            seconds=seconds,
            at=time.time(),
        )

    @classmethod
    def not_sent(cls, code: AnswerCode, message: str, seconds: float) -> Answer:
        """Return what is known of a call that did not go out."""
        return cls.no_answer(code, message, seconds)._replace(sent=False)


class Transport(Protocol):
    """Takes one message and returns one answer. Never raises because of a row."""

    def send(self, message: Message) -> Answer:
        """Make one HTTP call."""
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


class CallSet(Protocol):
    """The calls that one thread has out at the same time. Never raises because of a row. Not thread-safe."""

    def reserve(self) -> bool:
        """Reserve the way for one more call. Return False if it cannot begin before an answer has come."""
        ...

    def release(self) -> None:
        """Give back the way that was reserved last."""
        ...

    def begin(self, message: Message) -> None:
        """Begin a call for which a way is reserved. Does not wait."""
        ...

    def answers(self) -> list[tuple[Message, Answer]]:
        """Wait until a call has its answer. Return all that have."""
        ...


@runtime_checkable
class ManyCalls(Transport, Protocol):
    """A transport that can make several calls at the same time on one thread."""

    def call_set(self) -> CallSet:
        """Return the calls of one thread, none so far."""
        ...


class Outcome(NamedTuple):
    """How a row ended: its report line. The identity is in `message`."""

    message: Message | InvalidRow
    status: Status
    attempts: int
    """HTTP calls made for it."""
    http_status: int | None
    code: Code | None
    column: str | None
    text: str | None
    maybe_duplicate: bool
    """The API may hold it twice: more than one try was accepted, or may have been."""
    latency_ms: float | None
    """Of the last try."""
    finished_at: float
    """Seconds since the epoch."""
    answer: Answer | None = None

    @classmethod
    def without_call(
        cls,
        message: Message | InvalidRow,
        status: Status,
        *,
        code: Code | None,
        column: str | None = None,
        text: str | None,
        finished_at: float,
    ) -> Outcome:
        """Return the outcome of a row for which no call was made."""
        return cls(
            message,
            status,
            attempts=0,
            http_status=None,
            code=code,
            column=column,
            text=text,
            maybe_duplicate=False,
            latency_ms=None,
            finished_at=finished_at,
        )

    @classmethod
    def invalid(cls, row: InvalidRow) -> Outcome:
        """Return the outcome of a row that cannot be sent."""
        return cls.without_call(
            row, Status.INVALID, code=row.code, column=row.column, text=row.text, finished_at=time.time()
        )


class Stop(NamedTuple):
    """Why a load ended before its last row."""

    reason: StopReason
    message: str


class StopToken:
    """A request to stop a load. Any thread may make it, and so may a signal handler, because it takes no lock.

    So it cannot wake those who wait. They wait for a fraction of a second at most, and then read `stop` again.
    """

    __slots__ = ("stop",)

    def __init__(self) -> None:
        self.stop: Stop | None = None
        """Why the load is to stop; None: it is not."""

    def request(self, stop: Stop) -> None:
        """Have the load finish its calls in flight and stop. The first reason stays, but an interrupt replaces it."""
        if self.stop is None or (stop.reason == "interrupted" and not self.is_interrupt):
            self.stop = stop

    @property
    def is_interrupt(self) -> bool:
        """Whether a person or the system wants the load to end soon."""
        return self.stop is not None and self.stop.reason == "interrupted"


# ---------------------------------------------------------------------- the account that a call is for


PLAIN_ADDRESS = re.compile(
    r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(:[1-9]\d{0,3}|:[1-5]\d{4}|:6[0-4]\d{3})?((?:/[\w-]+)*)/?",
    re.ASCII,
)
"""An address in its normal form, but for the default port and a slash at the end: scheme, host, port, path."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def destination(base_url: str, api_key: Secret | str) -> str:
    """Return what distinguishes one account at one address from others. It contains the key."""
    return f"{address(base_url)}\n{authorization(api_key)}"


def address(base_url: str) -> str:
    """Return an address in its normal form.

    Scheme and host are in lower case; the scheme's default port and a slash at the end are left out. The path keeps its
    case, because servers distinguish it. Raises `SettingsError` for a host name that cannot exist.
    """
    plain = PLAIN_ADDRESS.fullmatch(base_url)
    if plain is not None:
        # urllib3 takes 30 ms to import
        scheme, host, port, path = plain.groups(default="")
        return f"{scheme}://{host}{port if port != _DEFAULT_PORTS[scheme] else ''}{path}"
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(base_url)
    except LocationParseError:
        raise SettingsError(f"{option('base_url')} is {base_url!r}: this cannot be the name of a host") from None
    port = "" if parts.port is None else f":{parts.port}"
    if port == _DEFAULT_PORTS.get(parts.scheme or ""):
        port = ""
    return f"{parts.scheme}://{(parts.host or '').rstrip('.')}{port}{(parts.path or '').rstrip('/')}"


def authorization(api_key: Secret | str) -> str:
    """Return the Authorization header's value for a key in any of the forms that people have.

    - The dashboard's Secret Key is already the base64 of `key:` and is sent as it is.
    - The vendor's SDK expects it decoded and without the colon.
    - A `Basic …` prefix, or a Secret Key that was encoded a second time, is undone.
    """
    key, _ = _innermost(api_key)
    return "Basic " + base64.b64encode(f"{key.rstrip(':')}:".encode()).decode("ascii")


LEAST_DECODED = 8
"""Characters inside a base64 text that are no chance: few texts that are not base64 of text decode to so many."""


def looks_encoded_again(api_key: Secret | str) -> bool:
    """Return True if a key looks like a Secret Key that was encoded once more, or a decoded one that was encoded."""
    key, layers = _innermost(api_key)
    return layers > 1 or len(text_in_base64(key) or "") >= LEAST_DECODED


def _innermost(api_key: Secret | str) -> tuple[str, int]:
    """Return the decoded key, and out of how many layers of base64 it came."""
    key = (api_key if isinstance(api_key, str) else api_key.reveal()).strip()
    if key[:6].lower() == "basic ":
        key = key[6:].strip()
    layers = 0
    while (inner := _unwrapped(key)) is not None:
        key, layers = inner, layers + 1
    return key, layers


def _unwrapped(key: str) -> str | None:
    """Return the key inside a base64 text, if it holds one: `key:`, or the base64 of it."""
    inner = text_in_base64(key)
    if inner is None:
        return None
    if inner.endswith(":"):
        return inner[:-1]
    return inner if _unwrapped(inner) is not None else None


def text_in_base64(text: str) -> str | None:
    """Return the text inside a base64 text; None if there is none."""
    try:
        inner = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return inner if inner and inner.isprintable() else None


# ---------------------------------------------------------------------- `on_error`, the user's own function


OnError = Callable[[Exception, dict[str, Any]], object]
"""Called as `on_error(error, queue_msg)` for each call that did not succeed."""


def queue_msg(message: Message | InvalidRow) -> dict[str, Any]:
    """Return a message in the form of the vendor's SDK: the endpoint's path, and the body as a dict."""
    body = json.loads(message.body) if isinstance(message, Message) else {}
    return {"path": PATHS[message.kind], "body": body}


def report_error(on_error: OnError, outcome: Outcome) -> None:
    """Call `on_error` if the outcome is an error."""
    if outcome.status in FAILURES:
        error = APIError(status=False, status_code=outcome.http_status, message=outcome.text or str(outcome.status))
        call_on_error(on_error, error, queue_msg(outcome.message))


def call_on_error(on_error: OnError, error: Exception, message: dict[str, Any]) -> None:
    """Call `on_error`. An exception that it raises is logged, and has no other effect."""
    try:
        on_error(error, message)
    except Exception:  # noqa: BLE001 - it is the user's function and may raise anything
        log_raised()


def log_raised() -> None:
    """Log the exception that `on_error` just raised, masked: it may name the person whom the call is about."""
    logger.error("on_error raised\n%s", masked(traceback.format_exc().rstrip()))
