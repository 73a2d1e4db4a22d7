"""The lines of the report as Arrow: their columns, how outcomes become lines, and how `mask` masks them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

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
"""The report: one row for each row of the input.

To add a column, add it here, and at the same place in `from_outcomes` (rows with a call) and `_lines` (rows without).
`finished_at` stays the last column: `writer` relies on that. If a call gives the value, it also needs a field of
`model.Outcome`, which `pending.outcome` sets. If it can hold personal data, `masked_lines` must mask it. Also add it to
the table in `docs/report.md`.
"""


def from_outcomes(outcomes: list[Outcome]) -> pa.RecordBatch:
    """Return the report lines of rows that went through the schedule, or were refused before it."""
    messages = [one.message for one in outcomes]
    columns = [
        [one.row for one in messages],
        [one.source for one in messages],
        [one.kind for one in messages],
        [one.user_id for one in messages],
        [one.country_code for one in messages],
        [one.phone for one in messages],
        [one.event for one in messages],
        [one.status for one in outcomes],
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
    """Return the report lines of prepared rows that are not sent.

    Rows with a reason in place of a body are `invalid`. All others are `unsent`, because of this stop. In a dry run
    there is no stop: then they keep the note of their preparation.
    """
    is_invalid = pc.and_(pc.is_null(prepared["body"]), pc.is_valid(prepared["code"]))
    status = pc.if_else(is_invalid, Status.INVALID.value, Status.UNSENT.value)
    code, text, column = prepared["code"], prepared["message"], prepared["column"]
    if stop is not None:
        code = pc.if_else(is_invalid, code, stop.reason)
        text = pc.if_else(is_invalid, text, f"not sent: {stop.message}")
        column = null_where(column, pc.invert(is_invalid))
    no_duplicates = pa.repeat(value=False, size=prepared.num_rows)
    return _lines(prepared, status, code, column, text, no_duplicates)


def accepted_before(
    prepared: pa.RecordBatch,
    maybe_duplicate: pa.BooleanArray,
    differs: pa.BooleanArray,
    event_id: str | None,
    *,
    failed_by_content: bool = False,
) -> pa.RecordBatch:
    """Return the report lines of rows that were accepted before.

    - `differs`: the event that was accepted under the row's id, from the column `event_id`, has other content.
    - `failed_by_content`: the rows are events without ids that failed before. Each may be another event than the equal
      one that was accepted.
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
    text = pc.if_else(differs, "not sent: the event accepted under this id has other content, and stays", same_text)
    status = pa.repeat(Status.UNCHANGED.value, prepared.num_rows)
    return _lines(prepared, status, code, column, text, maybe_duplicate)


def in_order(lines: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return report lines as one batch, in the input's order."""
    table = pa.Table.from_batches(lines).sort_by("row").combine_chunks()
    return table.to_batches()[0] if table.num_rows else lines[0]


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
"""Every text that `masked` would change matches this, and most others do not."""

_OPENING = re.compile(r"(?<!\w)['\"]")
_CLOSING = {quote: re.compile(rf"{quote}(?!\w)") for quote in "'\""}


def masked_lines(lines: pa.RecordBatch) -> pa.RecordBatch:
    """Return lines of the report without phones and e-mail addresses.

    - In `phone` only the last three digits stay.
    - In `user_id`, `event`, `column` and `message`, what looks like a phone or an e-mail address is masked. Other ids
      stay, because a row is found by its id.
    - If a phone is at fault, the value that the message quotes is masked, whatever it looks like.

    All other columns stay as they are.
    """
    is_of_phone = pc.fill_null(pc.starts_with(lines["code"], "phone_"), fill_value=False)
    messages = pc.if_else(is_of_phone, _mask_all(lines["message"], _mask_quoted), lines["message"])
    columns = {
        **{name: lines[name] for name in OUTCOMES.names},
        **{name: _mask_suspect(lines[name]) for name in ("user_id", "event", "column")},
        "phone": _mask_phones(lines["phone"]),
        "message": _mask_suspect(messages),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=OUTCOMES)


def _mask_phones(phones: pa.StringArray) -> pa.StringArray:
    """Mask phones. Nearly all have digits only, and are masked as a column."""
    length = pc.utf8_length(phones)
    dots = pc.binary_repeat(DOT, pc.fill_null(pc.max_element_wise(pc.subtract(length, _LEFT), 0), 0))
    shown = pc.binary_join_element_wise(dots, pc.utf8_slice_codeunits(phones, -_LEFT), "")
    is_digits = pc.fill_null(pc.match_substring_regex(phones, r"^[0-9]{4,}$"), fill_value=True)
    if pc.all(is_digits).as_py() is not False:
        return shown
    return pc.if_else(is_digits, shown, _mask_all(null_where(phones, is_digits), masked_phone))


def _mask_suspect(texts: pa.StringArray) -> pa.StringArray:
    return _mask(texts, pc.fill_null(pc.match_substring_regex(texts, _SUSPECT), fill_value=False), masked)


def _mask_all(texts: pa.StringArray, mask: Callable[[str], str]) -> pa.StringArray:
    return _mask(texts, pc.is_valid(texts), mask)


def _mask(texts: pa.StringArray, where: pa.BooleanArray, mask: Callable[[str], str]) -> pa.StringArray:
    if not pc.any(where).as_py():
        return texts
    new = pa.array([mask(text) for text in texts.filter(where).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, where, new)


def _mask_quoted(message: str) -> str:
    """Mask what is between quotes: the value that a message is about."""
    parts = []
    # Quotes that are not closed from here on. Without this, each of them would be searched for to the end.
    unclosed = set()
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
