"""Columns of ids and of event names, which cannot be changed once they are sent.

Cells become the text that was meant: `17850.0` is 17850, and `'0042` is 0042.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.normalize import NormalColumn, normalize_parts, null_where, problems_at
from interakt_loader.model import Problem
from interakt_loader.privacy.text import DAMAGED, HIDDEN_ENDS, INVISIBLE, JOINED, borders_of, describe_hidden, utf8_of
from interakt_loader.values import ERROR_CELL, EXPONENT, FORMULA_FAILED, LOST_DIGITS, NULL_WORD

_EXACT_BELOW = {"halffloat": 2.0**11, "float": 2.0**24, "double": 2.0**53}
"""From here on a float does not hold every whole number."""

_LOST_DIGITS = "lost digits when it was read as a number: read the column as text"

_USUAL = (
    # digits
    r"^(?:\+?[0-9](?:[0-9_/: -]*[0-9])?"
    # a letter, and a digit behind it
    r"|[A-Za-z][!-9;-~ ]*[0-9](?:[!-9;-~ ]*[!-~])?"
    # a digit, and a letter that is no exponent's
    r"|[0-9][!-~]*[A-DF-Za-df-z_@][!-~]*"
    # an e-mail address
    r"|[!-&(-~][!-~]*@[!-~]+)$"
)
"""Texts that need no change, which most are. None of them is a null word, a float or in exponent form."""


_TRIMMED = Problem("invisible_removed", "invisible characters before or after it are removed")


class Ids(NamedTuple):
    """Ids or names, null where missing or in `problems` (by position)."""

    values: pa.StringArray
    problems: dict[int, Problem]
    notes: dict[int, Problem]
    """Where invisible characters were removed (`invisible_removed`)."""


def user_ids(values: pa.Array, code: ProblemCode = "user_id_invalid") -> Ids:
    """Return the ids of a column: text trimmed, with its leading zeros; whole numbers as their digits.

    Null words are missing. An id that has lost digits, or holds invisible characters, has a problem (`code`): two ids
    would be the same, or look the same.
    """
    what = "a user id" if code == "user_id_invalid" else "an id"
    return _read(values, code, f"is not {what}: expected text or a whole number", EXPONENT)


def event_names(values: pa.Array) -> Ids:
    """Return the names of a column of events, as `user_ids` does; the problems are `event_invalid`."""
    return _read(values, "event_invalid", "is not a name: expected text", None)


def _read(values: pa.Array, code: ProblemCode, expected: str, exponent: str | None) -> Ids:
    text, problems, unusual, trimmed = as_written(values, code, expected)
    if unusual is None:
        return Ids(text, problems, {})
    odd = text.filter(unusual)
    odd = null_where(odd, pc.match_substring_regex(odd, NULL_WORD))
    hidden = pc.match_substring_regex(pc.replace_substring_regex(odd, JOINED, r"\1"), f"{INVISIBLE}|{DAMAGED}")
    found = problems_at(odd, hidden, code, describe_hidden)
    failed = pc.match_substring_regex(odd, ERROR_CELL)
    found |= problems_at(odd, failed, code, FORMULA_FAILED)
    if exponent is not None:
        lost = pc.match_substring_regex(odd, exponent)
        found |= problems_at(odd, lost, code, LOST_DIGITS)
    places = pc.indices_nonzero(unusual)
    problems |= {places[at].as_py(): problem for at, problem in found.items()}
    bad = pc.is_in(pa.array(range(len(odd)), pa.int64()), pa.array(found, pa.int64()))
    names = pc.replace_with_mask(text, unusual, null_where(odd, bad))
    return Ids(names, problems, {row: _TRIMMED for row in trimmed if names[row].is_valid})


# ------------------------------------------------------------------ any column as text


class Written(NamedTuple):
    """A column as text, null where a cell is missing or has a problem."""

    text: pa.StringArray
    problems: dict[int, Problem]
    unusual: pa.BooleanArray | None = None
    """Texts that need a closer check; None if there are none."""
    trimmed: tuple[int, ...] = ()
    """Positions of the cells that had invisible characters at their ends."""


def as_written(values: pa.Array, code: ProblemCode, complaint: str) -> Written:
    """Return text trimmed and whole numbers as digits; null where missing, or where there is a problem (`code`).

    In a `Mixed` column each value is read by its own kind.
    """
    exact_below = _EXACT_BELOW.get(_stored(values.type))
    parts = [_part_as_written(part, code, complaint, exact_below) for part in normalize_parts(values)]
    if len(parts) == 1:
        return parts[0]
    return Written(
        pc.coalesce(*(part.text for part in parts)),
        {row: problem for part in parts for row, problem in part.problems.items()},
        # only the part of text has any
        next((part.unusual for part in parts if part.unusual is not None), None),
        tuple(row for part in parts for row in part.trimmed),
    )


def _part_as_written(values: NormalColumn, code: ProblemCode, complaint: str, exact_below: float | None) -> Written:
    kind, array, found = values
    problems = {place: Problem(code, problem.message) for place, problem in found.items()}
    if kind == "text":
        return _texts(pc.utf8_trim_whitespace(array), problems, code)
    if kind == "int":
        return Written(array.cast(pa.string()), problems)
    if kind in ("null", "other"):
        return Written(pa.nulls(len(array), pa.string()), problems)
    if kind in ("decimal", "digits"):
        exact = [None if number is None else Decimal(number) for number in array.to_pylist()]
        whole = [None if number is None or number != int(number) else str(int(number)) for number in exact]
        text = pa.array(whole, pa.string())
        return Written(text, problems_at(array, pc.and_(array.is_valid(), text.is_null()), code, complaint))
    if kind == "float":
        lossy = pc.greater_equal(pc.abs(array), exact_below or _EXACT_BELOW[str(array.type)])
        fraction = pc.and_not(pc.not_equal(pc.floor(array), array), lossy)
        problems = problems_at(array, fraction, code, complaint) | problems_at(array, lossy, code, _LOST_DIGITS)
        return Written(null_where(array, pc.or_(fraction, lossy)).cast(pa.int64()).cast(pa.string()), problems)
    problems |= problems_at(array, array.is_valid(), code, complaint)
    return Written(pa.nulls(len(array), pa.string()), problems)


def _stored(dtype: pa.DataType) -> str:
    """Return the name of the type that a column stores, in a dictionary or not."""
    while hasattr(dtype, "value_type") or hasattr(dtype, "storage_type"):
        dtype = getattr(dtype, "value_type", None) or dtype.storage_type
    return str(dtype)


def _are_usual(text: pa.StringArray) -> bool:
    """Return whether all texts are digits, or all begin with a letter and end with a digit.

    They match `_USUAL` then. The pattern takes ten times as long.
    """
    if not len(text) or text.null_count:
        return False
    read, borders = utf8_of(text), borders_of(text)
    begins, ends = borders[:-1], borders[1:]
    is_digit = (read >= ord("0")) & (read <= ord("9"))
    if (begins == ends).any() or is_digit.all():
        return bool((begins < ends).all())
    is_letter = (read | 0x20 >= ord("a")) & (read | 0x20 <= ord("z"))
    may_be_inside = (read >= ord(" ")) & (read <= ord("~")) & (read != ord(":"))
    return bool(is_letter[begins].all() and is_digit[ends - 1].all() and may_be_inside.all())


def _texts(text: pa.StringArray, problems: dict[int, Problem], code: ProblemCode) -> Written:
    if _are_usual(text):
        return Written(text, problems)
    unusual = pc.invert(pc.match_substring_regex(text, _USUAL)).fill_null(fill_value=False)
    if not pc.any(unusual).as_py():
        return Written(text, problems)
    odd = text.filter(unusual)
    hidden = pc.match_substring_regex(odd, INVISIBLE)
    trimmed: tuple[int, ...] = ()
    if pc.any(hidden).as_py():
        shorter = pc.replace_substring_regex(odd, HIDDEN_ENDS, "")
        changed = pc.filter(pc.indices_nonzero(unusual), pc.not_equal(shorter, odd))
        trimmed, odd = tuple(changed.to_pylist()), null_where(shorter, pc.equal(shorter, ""))
    quoted = pc.match_substring_regex(odd, "^'[0-9+]")
    if pc.any(quoted).as_py():
        # spreadsheets write an apostrophe to keep a number text
        odd = pc.if_else(quoted, pc.utf8_slice_codeunits(odd, 1), odd)
    as_float = pc.match_substring_regex(odd, r"^[0-9]+\.0$")
    if pc.any(as_float).as_py():
        odd = pc.if_else(as_float, pc.utf8_slice_codeunits(odd, 0, -2), odd)
        number = null_where(odd, pc.invert(as_float)).cast(pa.float64())
        lossy = pc.greater_equal(number, _EXACT_BELOW["double"]).fill_null(fill_value=False)
        if pc.any(lossy).as_py():
            mask = pc.replace_with_mask(unusual, unusual, lossy)
            problems |= problems_at(text, mask, code, _LOST_DIGITS)
            odd = null_where(odd, lossy)
    return Written(pc.replace_with_mask(text, unusual, odd), problems, unusual, trimmed)
