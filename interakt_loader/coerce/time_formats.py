"""Text that says a time by a `strptime` format → instants and dates.

A format of digits only (`%d/%m/%Y %H:%M`) is turned into ISO 8601 a column at a time; what that cannot read,
`datetime.strptime` reads or refuses, once for each distinct text. Both give the same.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.time_text import ISO_WITHOUT_ZONE, Times, milliseconds, whole_days
from interakt_loader.plain import bare, without

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1)

_DIGITS = {"%Y": "4", "%m": "1,2", "%d": "1,2", "%H": "1,2", "%M": "1,2", "%S": "1,2", "%f": "1,6"}
"""Directives that are digits only, and how many; as `strptime` does, the first takes as many as it can."""
_CLOCKS = ("", "%H", "%H%M", "%H%M%S", "%H%M%S%f")
"""The clock's parts that a format may have, in their order."""
_UTC_NAMES = re.compile(r"\b(?:UTC|GMT)\b")


class _Reader(NamedTuple):
    """A format of digits only, as Arrow can read it."""

    pattern: str
    """Has a named group for each part."""
    parts: str
    """The letters of the directives that there are."""


def formatted_times(text: pa.StringArray, form: str) -> Times:
    """Read times by a format, each distinct text once."""
    distinct = bare(text).dictionary_encode()
    texts = distinct.dictionary
    written, instants = _read_at_once(texts, form), pa.nulls(len(texts), pa.int64())
    rest = pc.indices_nonzero(written.is_null())
    if len(rest):
        times = [_strptime(one, form) for one in texts.take(rest).to_pylist()]
        clocks = [None if one is None else (one.replace(tzinfo=None) - _EPOCH) // _MS for one in times]
        offsets = [None if one is None else one.utcoffset() for one in times]
        naive = [clock if offset is None else None for clock, offset in zip(clocks, offsets, strict=True)]
        aware = [
            None if clock is None or offset is None else clock - offset // _MS
            for clock, offset in zip(clocks, offsets, strict=True)
        ]
        mask = written.is_null()
        written = pc.replace_with_mask(written, mask, pa.array(naive, pa.int64()))
        instants = pc.replace_with_mask(instants, mask, pa.array(aware, pa.int64()))
    return Times(written.take(distinct.indices), instants.take(distinct.indices))


def formatted_days(text: pa.StringArray, form: str) -> pa.Int64Array:
    """Read dates by a format, as they are written, in days since 1970-01-01."""
    distinct = bare(text).dictionary_encode()
    texts = distinct.dictionary
    days = whole_days(_read_at_once(texts, form))
    mask = days.is_null()
    times = [_strptime(one, form) for one in texts.filter(mask).to_pylist()]
    rest = [None if one is None else (one.replace(tzinfo=None) - _EPOCH).days for one in times]
    return pc.replace_with_mask(days, mask, pa.array(rest, pa.int64())).take(distinct.indices)


def _read_at_once(texts: pa.StringArray, form: str) -> pa.Int64Array:
    """Return the times of texts in a format of digits, in milliseconds; null for all that is not plainly one."""
    reader = _reader(form)
    if reader is None:
        return pa.nulls(len(texts), pa.int64())
    found = pc.extract_regex(texts, reader.pattern)
    part = dict(zip(reader.parts, found.flatten(), strict=True))
    for name in part.keys() - {"Y", "f"}:
        part[name] = pc.utf8_lpad(part[name], 2, "0")
    iso = [pc.binary_join_element_wise(part["Y"], part["m"], part["d"], "-")]
    if "H" in part:
        clock = pc.binary_join_element_wise(part["H"], part.get("M", "00"), *_seconds(part), ":")
        iso.append(clock if "f" not in part else pc.binary_join_element_wise(clock, part["f"], "."))
    written = pc.binary_join_element_wise(*iso, "T") if len(iso) > 1 else iso[0]
    good = pc.match_substring_regex(written, ISO_WITHOUT_ZONE)
    return milliseconds(without(written, pc.invert(good)).cast(pa.timestamp("us")))


def _seconds(part: dict[str, pa.StringArray]) -> list[pa.StringArray]:
    return [part["S"]] if "S" in part else []


@functools.lru_cache(maxsize=256)
def _reader(form: str) -> _Reader | None:
    """Return how Arrow reads a format, or None for one with names, zones, halves of days or the like."""
    tokens = re.findall("%.|[^%]", form, re.DOTALL)
    directives = [one for one in tokens if one.startswith("%")]
    date = sorted(one for one in directives if one in ("%Y", "%m", "%d"))
    clock = [one for one in directives if one not in ("%Y", "%m", "%d")]
    odd_space = any(one.isspace() and one != " " for one in tokens)
    if date != ["%Y", "%d", "%m"] or "".join(clock) not in _CLOCKS or odd_space:
        return None
    pattern = "".join(f"(?P<{one[1]}>[0-9]{{{_DIGITS[one]}}})" if one in _DIGITS else re.escape(one) for one in tokens)
    return _Reader(f"^{pattern}$", "".join(one[1] for one in directives))


def _strptime(text: str, form: str) -> datetime | None:
    if "%Z" in form:  # the name that it takes changes with the machine's own zone, and says nothing of the offset
        text, form = _UTC_NAMES.sub("+0000", text), form.replace("%Z", "%z")
    try:
        return datetime.strptime(text, form)
    except (ValueError, OverflowError, re.error):
        return None
