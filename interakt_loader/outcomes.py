"""Outcomes as Arrow: the report's columns, and the two ways in which rows become report lines."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.wire import Message, Outcome, Status

OUTCOMES = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("user_id", pa.string()),
        ("country_code", pa.string()),
        ("phone", pa.string()),
        ("event", pa.string()),
        ("status", pa.string()),
        ("attempts", pa.int32()),
        ("http_status", pa.int32()),
        ("code", pa.string()),
        ("column", pa.string()),
        ("message", pa.string()),
        ("maybe_duplicate", pa.bool_()),
        ("latency_ms", pa.float64()),
        ("finished_at", pa.timestamp("ms", "UTC")),
    ]
)
"""The report: one row for each row of the input."""


def from_outcomes(outcomes: list[Outcome]) -> pa.RecordBatch:
    """Return rows that went through the schedule, or were refused before it, as report lines."""
    messages = [one.message for one in outcomes]
    columns = [
        [one.row for one in messages],
        [one.source for one in messages],
        [one.kind for one in messages],
        [one.user_id for one in messages],
        [one.country_code for one in messages],
        [one.phone for one in messages],
        [one.event for one in messages],
        [one.status.value for one in outcomes],
        [one.attempts for one in outcomes],
        [one.http_status for one in outcomes],
        [one.code for one in outcomes],
        [one.column for one in outcomes],
        [one.text for one in outcomes],
        [one.maybe_duplicate for one in outcomes],
        [one.latency_ms for one in outcomes],
        [int(one.finished_at * 1000) for one in outcomes],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, OUTCOMES, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOMES)


def invalid(message: Message) -> Outcome:
    """Return the outcome of a row that cannot be sent; its note says why."""
    return Outcome(
        message,
        Status.INVALID,
        0,
        None,
        message.note_code,
        message.note_column,
        message.note,
        maybe_duplicate=False,
        latency_ms=None,
        finished_at=time.time(),
    )


def unsent(message: Message, code: str, text: str) -> Outcome:
    """Return the outcome of a row whose turn did not come."""
    return invalid(message)._replace(status=Status.UNSENT, code=code, column=None, text=text)


def not_sent(prepared: pa.RecordBatch, code: str | None = None, text: str | None = None) -> pa.RecordBatch:
    """Return prepared rows that are not sent as report lines, a batch at a time.

    Rows without a body and with a reason are `invalid`; all others are `unsent`, with this code and text, or else
    with what was noted when they were prepared.
    """
    count = prepared.num_rows
    is_invalid = pc.and_(pc.is_null(prepared["body"]), pc.is_valid(prepared["code"]))
    status = pc.if_else(is_invalid, Status.INVALID.value, Status.UNSENT.value)
    said_code, said_text = prepared["code"], prepared["message"]
    if code is not None:
        said_code = pc.if_else(is_invalid, said_code, code)
        said_text = pc.if_else(is_invalid, said_text, text)
    arrays = [
        *(prepared[name] for name in ("row", "source", "kind", "user_id", "country_code", "phone", "event")),
        status,
        pa.repeat(pa.scalar(0, pa.int32()), count),
        pa.nulls(count, pa.int32()),
        said_code,
        prepared["column"],
        said_text,
        pa.repeat(False, count),
        pa.nulls(count, pa.float64()),
        pa.repeat(pa.scalar(int(time.time() * 1000), pa.timestamp("ms", "UTC")), count),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOMES)
