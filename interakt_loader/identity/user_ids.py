"""Columns of ids and of event names, which cannot be changed once they are sent."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.identity.written import as_written
from interakt_loader.plain import problems_at, without
from interakt_loader.safety.id_text import ERROR_CELL, EXPONENT, FORMULA_FAILED, LOST_DIGITS, NULL_WORD
from interakt_loader.safety.visible import DAMAGED, INVISIBLE, JOINED, hidden_said
from interakt_loader.wire import Problem

_TRIMMED = Problem("invisible_removed", "invisible characters before or behind it are taken off")


class Ids(NamedTuple):
    """Ids or names, null where missing or in `problems` (by position)."""

    values: pa.StringArray
    problems: dict[int, Problem]
    notes: dict[int, Problem]
    """Where invisible characters were taken off (`invisible_removed`)."""


def user_ids(values: pa.Array, code: ProblemCode = "user_id_invalid") -> Ids:
    """Return the ids of a column: text trimmed, with its leading zeros; whole numbers as their digits.

    Words that stand for nothing are missing. An id that has lost digits, or holds characters that cannot be seen, has a
    problem (`code`): two ids would be the same, or look the same.
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
    odd = without(odd, pc.match_substring_regex(odd, NULL_WORD))
    hidden = pc.match_substring_regex(pc.replace_substring_regex(odd, JOINED, r"\1"), f"{INVISIBLE}|{DAMAGED}")
    found = problems_at(odd, hidden, code, hidden_said)
    failed = pc.match_substring_regex(odd, ERROR_CELL)
    found |= problems_at(odd, failed, code, FORMULA_FAILED)
    if exponent is not None:
        lost = pc.match_substring_regex(odd, exponent)
        found |= problems_at(odd, lost, code, LOST_DIGITS)
    places = pc.indices_nonzero(unusual)
    problems |= {places[at].as_py(): problem for at, problem in found.items()}
    bad = pc.is_in(pa.array(range(len(odd)), pa.int64()), pa.array(found, pa.int64()))
    names = pc.replace_with_mask(text, unusual, without(odd, bad))
    return Ids(names, problems, {row: _TRIMMED for row in trimmed if names[row].is_valid})
