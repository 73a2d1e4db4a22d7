"""Several user calls of one user → one call that does what all of them would have done. Pure.

A user call replaces each trait that it names, so the last value of each trait wins; tags can only be added, so all of
them go. The last of the rows *carries* the others: its call stands for theirs, and they end as it ends.

A message on its way through a `Schedule`, and how its way ends. Pure.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from interakt_loader.codes import Code, NoteCode
from interakt_loader.model import (
    LARGEST_BODY,
    Answer,
    Message,
    Outcome,
    Status,
    Stop,
)

_CARRIES: dict[NoteCode, str] = {
    "coalesced": "row {} carries it",
    "event_id_repeated": "row {} has the same event id and stands for both",
}


class Fold:
    """The body of a call that stands for those of several rows."""

    def __init__(self, body: bytes) -> None:
        self._said = json.loads(body)
        self._most = len(body)  # bytes that the body has at most

    def take(self, body: bytes) -> bool:
        """Fold the next row's body in; False, and nothing is done, if the call would be too large."""
        said, most = _folded(self._said, json.loads(body)), self._most + len(body)
        if most > LARGEST_BODY:
            most = len(_written(said))
        if most > LARGEST_BODY:
            return False
        self._said, self._most = said, most
        return True

    @property
    def body(self) -> bytes:
        """The folded body."""
        return _written(self._said)


def folded(earlier: Message, later: Message) -> Message:
    """Return the later row's message with what the earlier one says and it does not."""
    entry = later.entry
    if entry is not None and earlier.entry is not None:
        entry = earlier.entry.then(entry)
    return later._replace(
        body=_written(_folded(json.loads(earlier.body), json.loads(later.body))),
        country_code=later.country_code or earlier.country_code,
        phone=later.phone or earlier.phone,
        entry=entry,
        doubted=earlier.doubted or later.doubted,
    )


def carried(message: Message, carrier: Outcome, code: NoteCode = "coalesced") -> Outcome:
    """Return the outcome of a row whose call another row carries: merged if that was accepted, else as that ended."""
    row = carrier.message.row
    status, why, text = carrier.status, carrier.code, f"row {row} carries it: {carrier.text}"
    if status in (Status.SENT, Status.RECORDED):
        status, why, text = Status.MERGED, code, _CARRIES[code].format(row)
    return Outcome(
        message,
        status,
        0,
        None,
        why,
        None,
        text,
        maybe_duplicate=False,
        latency_ms=None,
        finished_at=carrier.finished_at,
    )


def _folded(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    said = {**first, **then, "traits": {**first.get("traits", {}), **then.get("traits", {})}}
    if "tags" in first and "tags" in then:
        said["tags"] = list(dict.fromkeys([*first["tags"], *then["tags"]]))
    return said


def _written(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


OUT_WHEN_LOAD_ENDED = "the call was out, and no answer had come, when the load ended: it may have been accepted"
OUT_WHEN_EARLIER_LOAD_ENDED = "the call was out when an earlier load ended: it may have been accepted"


@dataclass(slots=True, eq=False)
class PendingCall:
    """A message on its way: what it has been through so far."""

    message: Message
    calls: int = 0
    """HTTP calls made."""
    charged: int = 0
    """Of these, the ones that count against `max_retries`."""
    doubts: int = 0
    """Calls of it that ended so that the server may have taken it; those of earlier loads count as one."""
    sent_at: float = 0.0
    last: Answer | None = None
    carries: list[Message] = field(default_factory=list)
    """Earlier rows whose calls were folded into this one; they end as it ends."""


def stopped_status(pending: PendingCall) -> Status:
    """Return how a message ends whose next try a stop has prevented."""
    return Status.UNKNOWN if pending.doubts and pending.calls else Status.UNSENT


def unsent(message: Message, stop: Stop) -> Outcome:
    """Return the outcome of a message whose turn a stop has prevented."""
    return outcome(PendingCall(message), Status.UNSENT, time.time(), stop)


def skipped(message: Message) -> Outcome:
    """Return the outcome of a message that is not sent again, because it may have been accepted."""
    return outcome(PendingCall(message, doubts=1), Status.UNKNOWN, time.time(), None)


def recorded(message: Message) -> Outcome:
    """Return the outcome of a message that is put on record as sent, and is not sent."""
    return outcome(PendingCall(message), Status.RECORDED, time.time(), None)


def outcome(pending: PendingCall, status: Status, at: float, stop: Stop | None) -> Outcome:
    """Return the outcome of a message that ends with this status, `at` seconds since the epoch."""
    answer, message = pending.last, pending.message
    code: Code | None = message.note_code
    column, text = message.note_column, message.note
    if status is Status.UNSENT:
        code, column = stop.reason if stop else None, None
        text = f"not sent: {stop.message}" if stop else None
    elif status is Status.UNKNOWN and answer is None:
        code, column = "in_doubt", None
        text = OUT_WHEN_LOAD_ENDED if pending.calls else OUT_WHEN_EARLIER_LOAD_ENDED
    elif status is not Status.SENT and answer is not None:
        code, column, text = answer.code, None, answer.message
    return Outcome(
        message,
        status,
        pending.calls,
        answer.http_status if answer else None,
        code,
        column,
        text,
        maybe_duplicate=pending.doubts > (0 if status is Status.SENT else 1),
        latency_ms=round(answer.seconds * 1000, 3) if answer else None,
        finished_at=at,
        answer=answer,
    )
