"""A message on its way through a `Schedule`, how it ends, and how several user calls become one. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interakt_loader.codes import Code, NoteCode
from interakt_loader.model import LARGEST_BODY, Answer, Message, Outcome, Status, Stop

IN_FLIGHT_AT_END = "the call was out, and no answer had come, when the load ended: it may have been accepted"
IN_FLIGHT_AT_EARLIER_END = "the call was out when an earlier load ended: it may have been accepted"


@dataclass(slots=True, eq=False)
class PendingCall:
    """A message on its way: what has happened to it so far."""

    message: Message
    calls: int = 0
    """HTTP calls made."""
    charged: int = 0
    """Of these, the ones that count against `max_retries`."""
    doubts: int = 0
    """Calls that the API may have accepted unseen. All calls of earlier loads count as one."""
    sent_at: float = 0.0
    last: Answer | None = None
    carries: list[Message] | tuple[()] = ()
    """Earlier rows whose calls were combined with this one. They end as it ends."""


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
        text = IN_FLIGHT_AT_END if pending.calls else IN_FLIGHT_AT_EARLIER_END
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


def unsent(message: Message, stop: Stop) -> Outcome:
    """Return the outcome of a message whose turn did not come before the stop."""
    return outcome(PendingCall(message), Status.UNSENT, time.time(), stop)


def skipped(message: Message) -> Outcome:
    """Return the outcome of a message that is not sent again, because it may have been accepted."""
    return outcome(PendingCall(message, doubts=1), Status.UNKNOWN, time.time(), None)


def recorded(message: Message) -> Outcome:
    """Return the outcome of a message that is recorded as sent, without sending it."""
    return outcome(PendingCall(message), Status.RECORDED, time.time(), None)


# ---------------------------------------------------------------------- several calls of one user become one

_MERGED_TEXTS: dict[NoteCode, str] = {
    "coalesced": "row {} carries it",
    "grouped": "row {} carries it, as both are one event",
    "event_id_repeated": "row {} has the same event id and stands for both",
}


class Fold:
    """The body of one call that does what the calls of several rows would do.

    A user call replaces each trait that it names, so the last value of each trait wins. Tags are only ever added, so
    all of them are sent. Of some rows that is not so, and they stay calls of their own (`must_stay_apart`).
    """

    def __init__(self, body: bytes) -> None:
        self._content = _decoded(body)
        # apart, because a copy for each row would take time by the square
        self._traits: dict[str, Any] = self._content.get("traits", {})
        self._tags: dict[str, None] = dict.fromkeys(self._content.get("tags", ()))
        # upper bound of the body's bytes
        self._most = len(body)

    def take(self, body: bytes) -> bool:
        """Add the next row's body. Return False, and change nothing, if it must stay a call of its own."""
        later, most = _decoded(body), self._most + len(body)
        if must_stay_apart(self._content, later):
            return False
        if most > LARGEST_BODY:
            most = len(_encoded(_folded(self._whole(), later)))
        if most > LARGEST_BODY:
            return False
        self._add(later)
        self._most = most
        return True

    def add(self, body: bytes) -> None:
        """Add the next row's body, whatever it is."""
        self._add(_decoded(body))

    def _add(self, later: dict[str, Any]) -> None:
        self._content |= later
        self._traits |= later.get("traits", {})
        self._tags |= dict.fromkeys(later.get("tags", ()))

    def member(self, name: str) -> Any:
        """Return a member of the combined body. None: it has none of this name."""
        return self._content.get(name)

    @property
    def body(self) -> bytes:
        """The combined body."""
        return _encoded(self._whole())

    def _whole(self) -> dict[str, Any]:
        tags = {"tags": [*self._tags]} if self._tags else {}
        return self._content | {"traits": self._traits} | tags


TAKES_OUT = b'"add_to_sales_cycle":false'
"""What a body contains that may be one of those of `must_stay_apart`."""


def must_stay_apart(earlier: dict[str, Any], later: dict[str, Any]) -> bool:
    """Return whether two calls of one user do something that no single call does.

    `true` puts the contact into the sales pipeline. What `false` does to a contact in it is not documented. If it does
    nothing, the contact stays there; a call with `false` alone would never put it there.
    """
    return earlier.get("add_to_sales_cycle") is True and later.get("add_to_sales_cycle") is False


def folded(earlier: Message, later: Message) -> Message | None:
    """Return the later row's message, completed by what only the earlier one contains. None: they stay two calls."""
    first, then = _decoded(earlier.body), _decoded(later.body)
    body = _encoded(_folded(first, then))
    if must_stay_apart(first, then) or len(body) > LARGEST_BODY:
        return None
    entry = later.entry
    if entry is not None and earlier.entry is not None:
        entry = earlier.entry.then(entry)
    return later._replace(
        body=body,
        country_code=later.country_code or earlier.country_code,
        phone=later.phone or earlier.phone,
        entry=entry,
        doubted=earlier.doubted or later.doubted,
    )


def carried(
    message: Message, carrier: Outcome, code: NoteCode = "coalesced", label: Callable[[int], str] = str
) -> Outcome:
    """Return the outcome of a row that another row carries: merged if that was accepted, else as the other row's.

    `label` gives the number of a row as people read it: `2 (line 4)`.
    """
    row = label(carrier.message.row)
    status, why, text = carrier.status, carrier.code, f"row {row} carries it: {carrier.text}"
    if status in (Status.SENT, Status.RECORDED):
        status, why, text = Status.MERGED, code, _MERGED_TEXTS[code].format(row)
    elif status is Status.SAME:
        why, text = code, _MERGED_TEXTS[code].format(row)
    return Outcome.without_call(message, status, code=why, text=text, finished_at=carrier.finished_at)


def _folded(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    content = {**first, **then, "traits": {**first.get("traits", {}), **then.get("traits", {})}}
    if "tags" in first and "tags" in then:
        content["tags"] = list(dict.fromkeys([*first["tags"], *then["tags"]]))
    return content


# As a float, 12345678901234567.50 would lose digits. So a number that is not whole stays the text that it is, with a
# mark before it. The mark is half of a surrogate pair, which no text of a body holds.
_MARK = "\ud800"
_decoder = json.JSONDecoder(parse_float=_MARK.__add__)
_MARKED = re.compile(f'"{_MARK}([^"]+)"')


def _decoded(body: bytes) -> dict[str, Any]:
    content: dict[str, Any] = _decoder.decode(body.decode())
    return content


def _encoded(content: dict[str, Any]) -> bytes:
    return _MARKED.sub(r"\1", json.dumps(content, ensure_ascii=False, separators=(",", ":"))).encode()
