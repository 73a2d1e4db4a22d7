"""Outcomes as Arrow: the report's columns, and the two ways in which rows become report lines.

Report lines without phones and e-mail addresses: what `mask` does, before anything is written or counted.

- `phone` keeps its last three digits;
- in `user_id`, `event`, `column` and `message` what looks like a phone or an e-mail address is masked, and the rest
  stays: an id is what a row is found by, unless it is one of these itself;
- where a phone is at fault, the value that the message quotes is masked whole, whatever it looks like.

Everything else stays as it is, `row` above all: by it the row is found in the input.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import null_where
from interakt_loader.model import Outcome, Status, Stop
from interakt_loader.privacy.text import DOT, masked, masked_phone

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


def not_sent(prepared: pa.RecordBatch, stop: Stop | None = None) -> pa.RecordBatch:
    """Return prepared rows that are not sent as report lines, a batch at a time.

    Rows without a body and with a reason are `invalid`; all others are `unsent`, because of this stop; in a dry run,
    where there is none, with what was noted when they were prepared.
    """
    is_invalid = pc.and_(pc.is_null(prepared["body"]), pc.is_valid(prepared["code"]))
    status = pc.if_else(is_invalid, Status.INVALID.value, Status.UNSENT.value)
    said_code, said_text, column = prepared["code"], prepared["message"], prepared["column"]
    if stop is not None:
        said_code = pc.if_else(is_invalid, said_code, stop.reason)
        said_text = pc.if_else(is_invalid, said_text, f"not sent: {stop.message}")
        column = null_where(column, pc.invert(is_invalid))
    nowhere = pa.repeat(False, prepared.num_rows)
    return _lines(prepared, status, said_code, column, said_text, nowhere)


def accepted_before(
    prepared: pa.RecordBatch,
    maybe_duplicate: pa.BooleanArray,
    differs: pa.BooleanArray,
    event_id: str | None,
    failed_by_content: bool = False,
) -> pa.RecordBatch:
    """Return rows that were accepted before as report lines.

    `differs`: what was accepted under the row's event id, which is in the column `event_id`, says something else.
    `failed_by_content`: the rows are events without ids that failed before, so each may be another than the equal one
    that was accepted.
    """
    nothing = pa.scalar(None, pa.string())
    same_code, same_text = nothing, nothing
    if failed_by_content:
        same_code = pa.scalar("equal_event_sent")
        same_text = pa.scalar(
            "not sent: an equal event is on record. If the source holds this one more than once, load the source again"
        )
    code = pc.if_else(differs, "event_content_differs", same_code)
    column = pc.if_else(differs, pa.scalar(event_id, pa.string()), nothing)
    text = pc.if_else(differs, "not sent: the event accepted under this id says something else, and stays", same_text)
    status = pa.repeat(Status.UNCHANGED.value, prepared.num_rows)
    return _lines(prepared, status, code, column, text, maybe_duplicate)


def _lines(
    prepared: pa.RecordBatch,
    status: pa.Array,
    code: pa.Array,
    column: pa.Array,
    text: pa.Array,
    maybe_duplicate: pa.Array,
) -> pa.RecordBatch:
    """Return the report lines of rows for which no call was made."""
    count = prepared.num_rows
    arrays = [
        *(prepared[name] for name in ("row", "source", "kind", "user_id", "country_code", "phone", "event")),
        status,
        pa.repeat(pa.scalar(0, pa.int32()), count),
        pa.nulls(count, pa.int32()),
        code,
        column,
        text,
        maybe_duplicate,
        pa.nulls(count, pa.float64()),
        pa.repeat(pa.scalar(int(time.time() * 1000), pa.timestamp("ms", "UTC")), count),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOMES)


_LEFT = 3
"""Digits of a phone that stay."""

_SUSPECT = r"@|\p{Nd}(?:\P{Nd}*\p{Nd}){6}"
"""Texts in which there may be something to mask: none are left out that `masked` would change, and most others are."""

_OPENING = re.compile(r"(?<!\w)['\"]")
_CLOSING = {quote: re.compile(rf"{quote}(?!\w)") for quote in "'\""}


def masked_lines(lines: pa.RecordBatch) -> pa.RecordBatch:
    """Return lines of the report (schema `OUTCOMES`), masked."""
    of_phone = pc.fill_null(pc.starts_with(lines["code"], "phone_"), False)
    columns = {
        **{name: lines[name] for name in OUTCOMES.names},
        **{name: _each(lines[name], masked) for name in ("user_id", "event", "column")},
        "phone": _phones(lines["phone"]),
        "message": _each(
            pc.if_else(of_phone, _each(lines["message"], _unquoted, every=True), lines["message"]), masked
        ),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=OUTCOMES)


def _phones(phones: pa.StringArray) -> pa.StringArray:
    """Mask phones: those of digits alone, which is nearly all of them, as a column."""
    length = pc.utf8_length(phones)
    dots = pc.binary_repeat(DOT, pc.fill_null(pc.max_element_wise(pc.subtract(length, _LEFT), 0), 0))
    shown = pc.binary_join_element_wise(dots, pc.utf8_slice_codeunits(phones, -_LEFT), "")
    is_plain = pc.fill_null(pc.match_substring_regex(phones, r"^[0-9]{4,}$"), True)
    if pc.all(is_plain).as_py() is not False:
        return shown
    others = null_where(phones, is_plain)
    return pc.if_else(is_plain, shown, _each(others, masked_phone, every=True))


def _each(texts: pa.StringArray, mask: Callable[[str], str], *, every: bool = False) -> pa.StringArray:
    """Mask each text that is there; unless `every`, only those in which there may be something."""
    wanted = pc.is_valid(texts) if every else pc.fill_null(pc.match_substring_regex(texts, _SUSPECT), False)
    if not pc.any(wanted).as_py():
        return texts
    new = pa.array([mask(text) for text in texts.filter(wanted).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, wanted, new)


def _unquoted(message: str) -> str:
    """Mask what stands between quotes: the value that a message is about."""
    parts = []
    unclosed = set()  # kinds of quotes that nothing closes from here on: each is searched to the end once
    at = kept = 0
    while opening := _OPENING.search(message, at):
        at, quote = opening.end(), opening[0]
        closing = None if quote in unclosed else _CLOSING[quote].search(message, at + 1)
        if closing is None:
            unclosed.add(quote)
            continue
        parts += [message[kept:at], masked_phone(message[at : closing.start()])]
        kept, at = closing.start(), closing.end()
    return "".join([*parts, message[kept:]])
