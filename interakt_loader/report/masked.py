"""Report lines without phones and e-mail addresses: what `mask` does, before anything is written or counted.

- `phone` keeps its last three digits;
- in `user_id`, `event`, `column` and `message` what looks like a phone or an e-mail address is masked, and the rest
  stays: an id is what a row is found by, unless it is one of these itself;
- where a phone is at fault, the value that the message quotes is masked whole, whatever it looks like.

Everything else stays as it is, `row` above all: by it the row is found in the input.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.plain import without
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.safety.masking import DOT, masked, masked_phone

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
    others = without(phones, is_plain)
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
