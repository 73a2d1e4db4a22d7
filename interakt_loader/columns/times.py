"""Dates and times of all kinds as `2025-03-27T13:26:52.926Z` and `1998-01-01`.

Here a time is a count of milliseconds, and a date one of days, both since 1970-01-01 and null where there is none.
Counts outside the years 1 to 9999 are kept until the end, where they become problems.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.date_forms import (
    DAY,
    EPOCHS,
    ISO_EXAMPLES,
    Times,
    days_fitting,
    days_in,
    milliseconds,
    only_dates,
    since_epoch,
    times_in,
    whole_days,
    within,
)
from interakt_loader.columns.normalize import Kind, digits, null_where, problems_at
from interakt_loader.columns.target import Target, fixed_offset
from interakt_loader.model import Problem

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31."""
FIRST, LAST = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY - 1

_NUMERIC = ("int", "float", "decimal", "digits")
_MOST_SECONDS = 10**12
"""Beyond all years, and far from where counts overflow."""

_Texts = tuple[pa.StringArray, dict[int, Problem]]
_Counts = tuple[pa.Int64Array, dict[int, Problem]]


def datetimes(values: pa.Array, kind: Kind, target: Target) -> _Texts:
    """Return `instants` as the text of times in UTC with milliseconds; finer digits are cut."""
    good, problems = instants(values, kind, target)
    text = pc.binary_replace_slice(good.cast(pa.timestamp("ms")).cast(pa.string()), 10, 11, "T")
    return pc.binary_replace_slice(text, 23, 23, "Z"), problems


def instants(values: pa.Array, kind: Kind, target: Target) -> _Counts:
    """Return normal values as times.

    Dates, and times without a zone, are read in the target's zone. A date is the first moment of its day.
    """
    written, instants = _times(values, kind, target)
    read, skipped = read_in_zone(written, target.timezone)
    counts = pc.coalesce(instants, read)
    good = between(counts, FIRST, LAST)
    problems = _problems(values, counts, good, "not_a_datetime", _complaint("date and time", kind, target))
    if skipped is not None:
        is_date = pc.and_(_only_dates(values, kind, target), same_day(written, read, target.timezone))
        skipped = pc.and_not(skipped, is_date)
        complaint = f"does not exist in {target.timezone}: the clock skips it"
        problems |= problems_at(values, skipped, "datetime_invalid", complaint)
        good = null_where(good, skipped)
    return good, problems


def dates(values: pa.Array, kind: Kind, target: Target) -> _Texts:
    """Return `days` as the text of dates."""
    good, problems = days(values, kind, target)
    return good.cast(pa.int32()).cast(pa.date32()).cast(pa.string()), problems


def days(values: pa.Array, kind: Kind, target: Target) -> _Counts:
    """Return normal values as dates.

    A time with a zone gives the date in its own zone, one without as it is written, and a count since 1970 the
    date in the target's zone.
    """
    try:
        counts = _days(values, kind, target)
    except pa.ArrowInvalid:
        complaint = f"has the time zone {values.type.tz!r}, which is not known"
        bad = problems_at(values, values.is_valid(), "unsupported_type", complaint)
        return pa.nulls(len(values), pa.int64()), bad
    good = between(counts, FIRST_DAY, LAST_DAY)
    return good, _problems(values, counts, good, "not_a_date", _complaint("date", kind, target))


def clock_times(values: pa.Array) -> _Texts:
    """Return times of day as `13:26:52`, with `.926` where there are milliseconds; finer digits are cut."""
    text = values.cast(pa.string())
    # Arrow writes a time that no day has between < and >
    outside = pc.starts_with(text, "<")
    problems = problems_at(values, outside, "out_of_range", "is not between 00:00 and 24:00")
    text = pc.utf8_slice_codeunits(null_where(text, outside), 0, 12)
    return pc.replace_substring_regex(text, r"\.0+$", ""), problems


def _times(values: pa.Array, kind: Kind, target: Target) -> Times:
    nothing = pa.nulls(len(values), pa.int64())
    if kind == "timestamp":
        counts = _milliseconds(values)
        return Times(counts, nothing) if values.type.tz is None else Times(nothing, counts)
    if kind == "date":
        return Times(pc.multiply(_days_of_dates(values), DAY), nothing)
    if kind == "moment":
        return times_in(values, None)
    if kind == "text":
        return times_in(values, target.format)
    if kind not in _NUMERIC or target.format is None:
        return Times(nothing, nothing)
    if target.format in EPOCHS:
        return Times(nothing, since_epoch(values.cast(pa.float64(), safe=False), target.format))
    return times_in(digits(values, kind), target.format)


def _days(values: pa.Array, kind: Kind, target: Target) -> pa.Int64Array:
    if kind == "timestamp":
        counts = _milliseconds(values)
        return whole_days(counts if values.type.tz is None else seen_in_zone(counts, values.type.tz))
    if kind == "date":
        return _days_of_dates(values)
    if kind in (*_NUMERIC, "text") and target.format in EPOCHS:
        return whole_days(seen_in_zone(_times(values, kind, target).instants, target.timezone))
    if kind == "moment":
        return days_in(values, None)
    if kind == "text":
        return days_in(values, target.format)
    if kind not in _NUMERIC or target.format is None:
        return pa.nulls(len(values), pa.int64())
    return days_in(digits(values, kind), target.format)


def _milliseconds(values: pa.TimestampArray) -> pa.Int64Array:
    if values.type.unit != "s":
        return milliseconds(values)
    return pc.multiply(within(values.cast(pa.int64()), _MOST_SECONDS), 1000)


def _days_of_dates(values: pa.Array) -> pa.Int64Array:
    if pa.types.is_date32(values.type):
        return values.cast(pa.int32()).cast(pa.int64())
    return whole_days(values.cast(pa.int64()))


def _only_dates(values: pa.Array, kind: Kind, target: Target) -> pa.BooleanArray:
    """Return which values have a date and no time of day."""
    if kind == "text" or (kind in _NUMERIC and target.format is not None):
        return only_dates(values, target.format)
    return pa.repeat(kind == "date", len(values))


def between(counts: pa.Int64Array, first: int, last: int) -> pa.Int64Array:
    """Return the counts from the first to the last, null for others."""
    return null_where(counts, pc.or_(pc.less(counts, first), pc.greater(counts, last)))


# ------------------------------------------------------------------ problems


def _problems(
    values: pa.Array,
    counts: pa.Int64Array,
    good: pa.Int64Array,
    code: ProblemCode,
    complaint: str | Callable[[str], str],
) -> dict[int, Problem]:
    if good.null_count == values.null_count:
        return {}
    unread = pc.and_(values.is_valid(), counts.is_null())
    out = pc.and_(counts.is_valid(), good.is_null())
    problems = problems_at(values, unread, code, complaint)
    return problems | problems_at(values, out, "out_of_range", "is not in the years 1 to 9999")


def _complaint(wanted: str, kind: Kind, target: Target) -> str | Callable[[str], str]:
    if target.format in EPOCHS:
        return f"is not a {wanted}: expected a number ({target.format})"
    if target.format is not None:
        return f"is not a {wanted} of the format {target.format!r}"
    if kind in _NUMERIC:
        return f"is a number, not a {wanted}: if it counts from 1970, give the format {' or '.join(EPOCHS)}"
    return partial(_complaint_of_text, wanted) if kind == "text" else f"is not a {wanted}"


def _complaint_of_text(wanted: str, text: str) -> str:
    """Say which formats would read the text, if it looks like a date."""
    fitting = days_fitting(text.strip().removeprefix("'").strip())
    if len(fitting) > 1:
        return f"is a {wanted} in more than one way: give its format, {' or '.join(map(repr, fitting))}"
    if fitting:
        return f"is not a {wanted} in ISO 8601: give its format, {fitting[0]!r}"
    return f"is not a {wanted}: expected one like {ISO_EXAMPLES[wanted]}, or give its format"


# ------------------------------------------------------------------ a zone's clocks and instants
# Arrow knows a zone's changes up to 2037 only. Python computes later times, which are few.

_LATE = 2_114_380_800_000
"""2037-01-01."""
_EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)


def read_in_zone(written: pa.Int64Array, zone: str) -> tuple[pa.Int64Array, pa.BooleanArray | None]:
    """Return instants, and which of the times do not exist because the clock skips them, if there are any.

    A time that the clock shows twice is the earlier one; for one that it skips, the end of the gap is returned.
    """
    if zone == "UTC" or written.null_count == len(written):
        return written, None
    offset = fixed_offset(zone)
    if offset is not None:
        return pc.subtract(written, offset), None
    clock = between(written, FIRST, LAST).cast(pa.timestamp("ms"))
    skipped = None
    try:
        instants = pc.assume_timezone(clock, zone, ambiguous="earliest", nonexistent="raise")
    except pa.ArrowInvalid:
        instants = pc.assume_timezone(clock, zone, ambiguous="earliest", nonexistent="latest")
        skipped = pc.not_equal(pc.local_timestamp(instants), clock)
    counts = pc.coalesce(instants.cast(pa.int64()), written)
    late = pc.greater_equal(clock.cast(pa.int64()), _LATE)
    if pc.any(late).as_py():
        counts = _by_python(counts, written, late, zone, _instant)
        again = _by_python(written, counts, late, zone, _local)
        gap = pc.and_(late, pc.not_equal(again, written))
        skipped = gap if skipped is None else pc.if_else(late, gap, skipped)
    return counts, skipped


def seen_in_zone(instants: pa.Int64Array, zone: str) -> pa.Int64Array:
    """Return what the zone's clocks show at these instants."""
    if zone == "UTC":
        return instants
    offset = fixed_offset(zone)
    if offset is not None:
        return pc.add(instants, offset)
    there = between(instants, FIRST, LAST).cast(pa.timestamp("ms", zone))
    counts = pc.coalesce(pc.local_timestamp(there).cast(pa.int64()), instants)
    late = pc.greater_equal(there.cast(pa.int64()), _LATE)
    return _by_python(counts, instants, late, zone, _local) if pc.any(late).as_py() else counts


def same_day(written: pa.Int64Array, instants: pa.Int64Array, zone: str) -> pa.BooleanArray:
    """Return which instants are on the written day, by the zone's clocks."""
    return pc.equal(whole_days(seen_in_zone(instants, zone)), whole_days(written))


def _by_python(
    counts: pa.Int64Array,
    given: pa.Int64Array,
    mask: pa.BooleanArray,
    zone: str,
    convert: Callable[[int, ZoneInfo], int],
) -> pa.Int64Array:
    """Return the counts, with those where the mask is true converted anew from `given`."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        # a system without Python's own table of zones
        return counts
    mask = mask.fill_null(fill_value=False)
    distinct = given.filter(mask).dictionary_encode()
    converted = pa.array([convert(count, info) for count in distinct.dictionary.to_pylist()], pa.int64())
    return pc.replace_with_mask(counts, mask, converted.take(distinct.indices))


def _instant(written: int, zone: ZoneInfo) -> int:
    moment = (_EPOCH + written * _MS).replace(tzinfo=zone)
    offset = moment.utcoffset() or timedelta()
    return written - offset // _MS


def _local(instant: int, zone: ZoneInfo) -> int:
    try:
        seen = (_EPOCH + instant * _MS).replace(tzinfo=timezone.utc).astimezone(zone)
    except OverflowError:
        return instant
    return (seen.replace(tzinfo=None) - _EPOCH) // _MS
