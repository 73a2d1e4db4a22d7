"""What is said to the API and what comes back: the values that travel between the stages.

All of them are immutable. `Message` goes out, `Answer` is what one try brought, `Outcome` is how a row
ended. Facts about the API are from the vendor's documents unless a comment says otherwise.

`on_error(error, queue_msg)`: how the caller's own function hears of a call that did not succeed.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple, Protocol

from interakt_loader.codes import (
    AnswerCode,
    Code,
    NoteCode,
    ProblemCode,
    StopReason,
)
from interakt_loader.errors import APIError, SettingsError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.privacy.text import masked

Kind = Literal["user", "event"]

PATHS: dict[Kind, str] = {"user": "/v1/public/track/users/", "event": "/v1/public/track/events/"}
"""The two endpoints; the trailing slash is always sent."""


LARGEST_BODY = 32 * 1024
"""Bytes of a call's body that the API takes [seen in one client's code]."""


class Status(str, Enum):
    """How a row ended. Every row ends in exactly one of these."""

    SENT = "sent"  # accepted: 2xx, and the body does not say false
    UNCHANGED = "unchanged"  # this call, or this event, was accepted before; not sent
    RECORDED = "recorded"  # put on record as sent, by `baseline`; not sent
    MERGED = "merged"  # another row's call, which was accepted, stands for this one too
    INVALID = "invalid"  # refused here, before any call
    REJECTED = "rejected"  # the API answered 4xx
    FAILED = "failed"  # retries used up, and surely not accepted
    UNKNOWN = "unknown"  # the last try ended without a readable answer: it may have been accepted
    UNSENT = "unsent"  # the run stopped before its turn

    def __str__(self) -> str:
        return self.value


FAILURES = (Status.INVALID, Status.REJECTED, Status.FAILED, Status.UNKNOWN, Status.UNSENT)
"""The statuses that a person has to look at."""


class Problem(NamedTuple):
    """Why a value cannot be sent."""

    code: ProblemCode | NoteCode
    """Stable, lower_snake: `phone_invalid`, `not_a_number`."""
    message: str
    """The value and what was expected, for a person; the column is named beside it."""


DIGEST = 16
"""Bytes of a digest in the ledger."""


class Entry(NamedTuple):
    """What the ledger knows a call by (`ledger.decide` says what states and steps are)."""

    key: bytes
    """Digest of the user, or of the event."""
    step: bytes
    """The state once the call is accepted; before it the one that it follows, if it follows one."""

    @property
    def after(self) -> bytes:
        """The state once the call is accepted."""
        return self.step[-DIGEST:]

    def then(self, later: Entry) -> Entry:
        """Return the entry of one call that stands for this one and the next."""
        return Entry(later.key, self.step[:-DIGEST] + later.after)


class Message(NamedTuple):
    """One call to be made, with what its report line needs."""

    row: int
    """Position in the input, from 0; in `track`, the call's number."""
    kind: Kind
    ordering_key: str
    """The user's identity: messages of one lane go out one after another, in order."""
    body: bytes
    """The JSON body, UTF-8."""
    user_id: str | None = None
    country_code: str | None = None
    phone: str | None = None
    event: str | None = None
    source: str | None = None
    note: str | None = None
    """What was changed on the way in (a dropped value); goes to the report with the outcome."""
    note_code: NoteCode | None = None
    note_column: str | None = None
    entry: Entry | None = None
    """Set where there is a ledger."""
    doubted: bool = False
    """An earlier load ended while this very call was out: it may have been accepted then."""


class Answer(NamedTuple):
    """What one try brought."""

    accepted: bool
    http_status: int | None
    """None when no status line came back."""
    code: AnswerCode | None
    """Stable reason when not accepted: `rate_limited`, `timeout`, `server_error`, `rejected`, …"""
    message: str
    reached: bool
    """Some HTTP answer came back: the network and the server's front are up."""
    doubtful: bool
    """Not accepted as far as we know, yet the server may have taken the call."""
    seconds: float
    """From when a connection was looked for to the last byte in: of a first call, with connecting."""
    at: float
    """When it was there, in seconds since the epoch."""
    retry_after: float | None = None
    """Seconds, from the Retry-After header."""
    body: bytes = b""


class Transport(Protocol):
    """One message out, one answer back; never raises for a row."""

    def send(self, message: Message) -> Answer:
        """Make one HTTP call."""
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


class Outcome(NamedTuple):
    """How a row ended, and its report line but for the identity, which is the message's."""

    message: Message
    status: Status
    attempts: int
    """HTTP calls made for it."""
    http_status: int | None
    code: Code | None
    column: str | None
    text: str | None
    maybe_duplicate: bool
    """The API may hold it twice: more than one try was, or may have been, accepted."""
    latency_ms: float | None
    """Of the last try."""
    finished_at: float
    """Seconds since the epoch."""
    answer: Answer | None = None


def destination(base_url: str, api_key: Secret | str) -> str:
    """Return what tells one account at one address from others; it holds the key."""
    return f"{address(base_url)}\n{authorization(api_key)}"


def address(base_url: str) -> str:
    """Return the one form of an address, however it is written.

    Scheme and host are in lower case, the scheme's own port and a slash at the end are left out. The case of the path
    stays: to a server, two paths that differ in it are two paths. Raises `SettingsError` for a host that cannot be one.
    """
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(base_url)
    except LocationParseError:
        raise SettingsError(f"{option('base_url')} is {base_url!r}: this cannot be the name of a host") from None
    own_port = {"http": 80, "https": 443}.get(parts.scheme or "")
    port = "" if parts.port in (None, own_port) else f":{parts.port}"
    return f"{parts.scheme}://{(parts.host or '').rstrip('.')}{port}{(parts.path or '').rstrip('/')}"


def authorization(api_key: Secret | str) -> str:
    """Return the Authorization header's value for a key in any of the forms that people hold.

    The dashboard's Secret Key is already the base64 of `key:` and is sent as it is; the vendor's SDK wants
    it decoded and without the colon; and a pasted `Basic …` prefix or a Secret Key that somebody encoded a
    second time is taken for what it is.
    """
    key = (api_key if isinstance(api_key, str) else api_key.reveal()).strip()
    if key[:6].lower() == "basic ":
        key = key[6:].strip()
    while (inner := _unwrapped(key)) is not None:
        key = inner
    return "Basic " + base64.b64encode(f"{key.rstrip(':')}:".encode()).decode("ascii")


def _unwrapped(key: str) -> str | None:
    """Return what a key is the base64 of, if that is a key again: `key:`, or the base64 of one."""
    inner = _decoded(key)
    if inner is None:
        return None
    if inner.endswith(":"):
        return inner[:-1]
    return inner if _unwrapped(inner) is not None else None


def _decoded(text: str) -> str | None:
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return decoded if decoded and decoded.isprintable() else None


logger = logging.getLogger("interakt_loader")


class Stop(NamedTuple):
    """Why a load ended before its last row."""

    reason: StopReason
    message: str


OnError = Callable[[Exception, dict[str, Any]], object]


def queue_msg(message: Message) -> dict[str, Any]:
    """Return a message in the form of the vendor's SDK: the endpoint's path and the body as a dict."""
    return {"path": PATHS[message.kind], "body": json.loads(message.body) if message.body else {}}


def tell(on_error: OnError, outcome: Outcome) -> None:
    """Call `on_error` for an outcome that is an error. What it raises is logged, and harms nobody."""
    if outcome.status not in FAILURES:
        return
    error = APIError(False, outcome.http_status, outcome.text or str(outcome.status))
    call(on_error, error, queue_msg(outcome.message))


def call(on_error: OnError, error: Exception, message: dict[str, Any]) -> None:
    """Call `on_error`; an exception of its own is logged."""
    try:
        on_error(error, message)
    except Exception:  # noqa: BLE001 - it is the caller's own, and may be anything
        log_raised()


def log_raised() -> None:
    """Log what `on_error` just raised; that may well say whom the call was about, so it is masked."""
    logger.error("on_error raised\n%s", masked(traceback.format_exc().rstrip()))
