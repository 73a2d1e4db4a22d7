"""Values of any sort as JSON strings: text as it is, the rest as people write it."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.json_text import json_strings, quoted
from interakt_loader.coerce.numbers import digits
from interakt_loader.coerce.target import Coerced, Target
from interakt_loader.coerce.times import clock_times, dates, datetimes
from interakt_loader.plain import Kind, problems_at

_GUARDED = "[0-9+=@-]"
"""What a spreadsheet takes for the start of a number or a formula."""


def strings(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    """Return plain values as JSON strings: text byte for byte, `24` for 24.0, `true`, and times as `datetime` has them.

    A list is no text: `not_text`.
    """
    if kind == "text":
        return Coerced(json_strings(_without_guard(values, target.guard)), {})
    if kind == "bool":
        return Coerced(pc.if_else(values, '"true"', '"false"'), {})
    if kind in ("int", "float", "decimal", "digits"):
        return Coerced(quoted(digits(values, kind)), {})
    if kind == "list":
        problems = problems_at(values, values.is_valid(), "not_text", "is a list, not text: use the type list")
        return Coerced(pa.nulls(len(values), pa.string()), problems)
    if kind == "time":
        text, problems = clock_times(values)
    elif kind in ("timestamp", "moment"):
        text, problems = datetimes(values, kind, target)
    else:
        text, problems = dates(values, kind, target)
    return Coerced(quoted(text), problems)


def _without_guard(values: pa.StringArray, guard: str | None) -> pa.StringArray:
    """Return the text without what an export writes before it to keep it text."""
    if guard is None or not pc.any(pc.starts_with(values, guard)).as_py():
        return values
    return pc.replace_substring_regex(values, f"^{re.escape(guard)}({_GUARDED})", r"\1")
