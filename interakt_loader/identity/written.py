"""Cells of an identity column as the text that was meant: `17850.0` is 17850, `'0042` is 0042."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.plain import plain, problems_at, without
from interakt_loader.wire import Problem

_EXACT_BELOW = {"float": 2.0**24, "double": 2.0**53}
"""From here on a float no longer tells whole numbers apart."""

_LOST_DIGITS = "lost digits when it was read as a number: read the column as text"


def as_written(values: pa.Array, code: ProblemCode, complaint: str) -> tuple[pa.StringArray, dict[int, Problem]]:
    """Return text trimmed and whole numbers as digits; null where missing, or where there is a problem (`code`)."""
    kind, array, found = plain(values)
    problems = {place: Problem(code, problem.message) for place, problem in found.items()}
    if kind == "text":
        text = pc.utf8_trim_whitespace(array)
        quoted = pc.match_substring_regex(text, "^'[0-9+]")
        if pc.any(quoted).as_py():  # spreadsheets write an apostrophe to keep a number text
            text = pc.if_else(quoted, pc.utf8_slice_codeunits(text, 1), text)
        as_float = pc.match_substring_regex(text, r"^[0-9]+\.0$")
        if pc.any(as_float).as_py():
            text = pc.if_else(as_float, pc.utf8_slice_codeunits(text, 0, -2), text)
        return text, problems
    if kind == "int":
        return array.cast(pa.string()), problems
    if kind in ("null", "other"):
        return pa.nulls(len(array), pa.string()), problems
    if kind == "decimal":
        whole = [None if one is None or one != int(one) else str(int(one)) for one in array.to_pylist()]
        text = pa.array(whole, pa.string())
        return text, problems_at(array, pc.and_(array.is_valid(), text.is_null()), code, complaint)
    if kind == "float":
        lossy = pc.greater_equal(pc.abs(array), _EXACT_BELOW[str(array.type)])
        fraction = pc.and_not(pc.not_equal(pc.floor(array), array), lossy)
        problems = problems_at(array, fraction, code, complaint) | problems_at(array, lossy, code, _LOST_DIGITS)
        return without(array, pc.or_(fraction, lossy)).cast(pa.int64()).cast(pa.string()), problems
    problems |= problems_at(array, array.is_valid(), code, complaint)
    return pa.nulls(len(array), pa.string()), problems
