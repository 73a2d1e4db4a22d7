"""For the few values of a column that Arrow's own functions cannot do: Python, once for each distinct value.

Text → JSON strings (RFC 8259): exact, non-ASCII as it is.

What a column is to become, and what became of it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import MappingError
from interakt_loader.model import Problem


def map_distinct(text: pa.StringArray, mask: pa.BooleanArray, rewrite: Callable[[str], str | None]) -> pa.StringArray:
    """Return the text with each value where the mask is true rewritten; a mask's null is false."""
    if not pc.any(mask).as_py():
        return text
    mask = mask.fill_null(False)
    distinct = text.filter(mask).dictionary_encode()
    new = pa.array([rewrite(one) for one in distinct.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(text, mask, new.take(distinct.indices))


_TO_ESCAPE = '["\\\\\x00-\x1f]'
_CONTROL = "[\x00-\x1f]"
_CONTROLS = {code: json.dumps(chr(code))[1:-1] for code in range(0x20)}


def json_string(text: str) -> str:
    """Return the text as a JSON string, with its quotes."""
    return json.dumps(text, ensure_ascii=False)


def json_strings(array: pa.StringArray) -> pa.StringArray:
    """Return each text as a JSON string, with its quotes; null stays null."""
    escaped = array
    if pc.any(pc.match_substring_regex(array, _TO_ESCAPE)).as_py():
        escaped = pc.replace_substring(pc.replace_substring(array, "\\", "\\\\"), '"', '\\"')
        control = pc.match_substring_regex(escaped, _CONTROL)
        escaped = map_distinct(escaped, control, _with_controls_escaped)
    return quoted(escaped)


def quoted(array: pa.StringArray) -> pa.StringArray:
    """Return each text between quotes; for text that has nothing to escape."""
    return pc.binary_join_element_wise('"', array, '"', "")


def _with_controls_escaped(text: str) -> str:
    return text.translate(_CONTROLS)


TYPES = ("auto", "string", "number", "boolean", "datetime", "date", "list")
"""What a column can be told to become."""

_OTHER_NAMES = {
    **dict.fromkeys(("text", "str", "varchar"), "string"),
    **dict.fromkeys(("int", "integer", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("bool", "truth"), "boolean"),
    **dict.fromkeys(("timestamp", "time"), "datetime"),
    "array": "list",
}
"""What other programs call the types."""


def no_type(name: str) -> str:
    """Return what to say about a type that there is not: the type that may be meant, and all types."""
    import difflib

    near = difflib.get_close_matches(name.lower(), [*TYPES, *_OTHER_NAMES], n=1)
    meant = f"; did you mean {_OTHER_NAMES.get(near[0], near[0])!r}?" if near else ""
    return f"there is no type {name!r}{meant} (types: {', '.join(TYPES)})"


EPOCHS = ("epoch_s", "epoch_ms")
"""Formats of times that are counted since 1970, in seconds or milliseconds."""

DECIMALS = (".", ",")
"""Signs that stand before a number's fraction."""


class Coerced(NamedTuple):
    """A column, ready to be sent."""

    json: pa.StringArray
    """The JSON text of each value; null where it is missing or cannot be sent."""
    problems: dict[int, Problem]
    """By position in the array; only of values that cannot be sent."""


def side_by_side(parts: Sequence[Coerced]) -> Coerced:
    """Return the column of which each part holds some of the values, and null for those of the others."""
    if len(parts) == 1:
        return parts[0]
    problems = {place: problem for one in parts for place, problem in one.problems.items()}
    return Coerced(pc.coalesce(*(one.json for one in parts)), dict(sorted(problems.items())))


@dataclass(frozen=True)
class Target:
    """What to make of a column.

    Raises `MappingError` for a type, format, separator, zone or decimal sign that there is not.
    """

    type: str = "auto"
    """One of `TYPES`; `auto` goes by the column's own type."""
    format: str | None = None
    """Of a datetime or date in text or numbers: a `strptime` format, `epoch_s` or `epoch_ms`. Else ISO 8601."""
    separator: str | None = None
    """Between the items of a list in text; a comma if None."""
    timezone: str = "UTC"
    """Of times that name none: an IANA name, or an offset such as `+05:30`.

    A time that a clock shows twice is the earlier one; one that the clock skips is refused, but for a date, which is
    the first moment of its day.
    """
    decimal: str = "."
    """Of numbers in text, the sign before the fraction: `.` as in 1,299.00, or `,` as in 1.299,00 and 1 299,00."""
    guard: str | None = None
    """What the export writes before text that a spreadsheet would take for a number or a formula, such as `'` before
    682001. It is taken off before a digit or one of `+ - = @`, and stays before anything else."""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise MappingError(no_type(self.type))
        if self.separator == "":
            raise MappingError("the separator is empty; expected the text between two items, such as ','")
        if self.decimal not in DECIMALS:
            raise MappingError(f"the decimal sign is {self.decimal!r}; expected '.' or ','")
        if not _is_zone(self.timezone):
            raise MappingError(f"there is no time zone {self.timezone!r}; expected a name such as Asia/Kolkata")
        if self.format is None or self.format in EPOCHS:
            return
        if "%" in self.format and not _YEAR.search(self.format):  # Python would take 1900 for it
            raise MappingError(f"{self.format!r} has no year; expected a date format such as '%d/%m/%Y'")
        if not _is_strptime_format(self.format):
            raise MappingError(
                f"{self.format!r} is no date format; expected one such as '%d/%m/%Y', or {' or '.join(EPOCHS)}"
            )


_YEAR = re.compile("%[YyGcxDF]")
"""The parts of a format that say a year."""


def fixed_offset(zone: str) -> int | None:
    """Return how far a zone such as `+05:30` is ahead of UTC, in milliseconds; None for a zone with a name."""
    match = re.fullmatch(r"([+-])([01]\d|2[0-3]):?([0-5]\d)", zone, re.ASCII)
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    return (minutes if match[1] == "+" else -minutes) * 60_000


@functools.lru_cache(maxsize=256)
def _is_zone(name: str) -> bool:
    if fixed_offset(name) is not None:
        return True
    try:
        pc.assume_timezone(pa.array([0], pa.timestamp("ms")), name)
    except pa.ArrowInvalid:
        return False
    return True


@functools.lru_cache(maxsize=256)
def _is_strptime_format(written: str) -> bool:
    if "%" not in written:
        return False
    try:
        datetime.strptime("", written)
    except ValueError as error:
        # the two things that strptime says of the text; anything else is about the format
        if not str(error).startswith(("time data", "unconverted data")):
            return False
    except (re.error, IndexError):
        return False
    return True
