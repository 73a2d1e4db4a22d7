"""A message on its way through a `Schedule`, and how its way ends. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from interakt_loader.codes import Code, StopReason
from interakt_loader.wire import Answer, Message, Outcome, Status

OUT_WHEN_LOAD_ENDED = "the call was out, and no answer had come, when the load ended: it may have been accepted"
OUT_WHEN_EARLIER_LOAD_ENDED = "the call was out when an earlier load ended: it may have been accepted"


class Stop(NamedTuple):
    """Why a load ended before its last row."""

    reason: StopReason
    message: str


@dataclass(slots=True, eq=False)
class Ticket:
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


def stopped_status(ticket: Ticket) -> Status:
    """Return how a message ends whose next try a stop has prevented."""
    return Status.UNKNOWN if ticket.doubts and ticket.calls else Status.UNSENT


def unsent(message: Message, stop: Stop) -> Outcome:
    """Return the outcome of a message whose turn a stop has prevented."""
    return outcome(Ticket(message), Status.UNSENT, time.time(), stop)


def skipped(message: Message) -> Outcome:
    """Return the outcome of a message that is not sent again, because it may have been accepted."""
    return outcome(Ticket(message, doubts=1), Status.UNKNOWN, time.time(), None)


def recorded(message: Message) -> Outcome:
    """Return the outcome of a message that is put on record as sent, and is not sent."""
    return outcome(Ticket(message), Status.RECORDED, time.time(), None)


def outcome(ticket: Ticket, status: Status, at: float, stop: Stop | None) -> Outcome:
    """Return the outcome of a message that ends with this status, `at` seconds since the epoch."""
    answer, message = ticket.last, ticket.message
    code: Code | None = message.note_code
    column, text = message.note_column, message.note
    if status is Status.UNSENT:
        code, column = stop.reason if stop else None, None
        text = f"not sent: {stop.message}" if stop else None
    elif status is Status.UNKNOWN and answer is None:
        code, column = "in_doubt", None
        text = OUT_WHEN_LOAD_ENDED if ticket.calls else OUT_WHEN_EARLIER_LOAD_ENDED
    elif status is not Status.SENT and answer is not None:
        code, column, text = answer.code, None, answer.message
    return Outcome(
        message,
        status,
        ticket.calls,
        answer.http_status if answer else None,
        code,
        column,
        text,
        maybe_duplicate=ticket.doubts > (0 if status is Status.SENT else 1),
        latency_ms=round(answer.seconds * 1000, 3) if answer else None,
        finished_at=at,
        answer=answer,
    )
