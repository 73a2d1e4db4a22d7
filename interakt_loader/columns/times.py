"""What the clocks of a zone show ↔ instants, both in milliseconds since 1970-01-01T00:00.

Arrow knows a zone's changes up to 2037 only; later times, which are few, are Python's.

Dates and times of all sorts → `2025-03-27T13:26:52.926Z` and `1998-01-01`.

Here a time is a count of milliseconds and a date one of days, both since 1970-01-01 and null where a value says
none. Whatever lies outside the years 1 to 9999 stays outside of them until the end, where it becomes a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.date_forms import (
    DAY,
    Times,
    epoch_text,
    formatted_days,
    formatted_times,
    forms_of,
    iso_days,
    iso_times,
    milliseconds,
    whole_days,
)
from interakt_loader.columns.normalize import (
    Kind,
    null_where,
    problems_at,
    strip_quote,
)
from interakt_loader.columns.numbers import digits
from interakt_loader.columns.target import EPOCHS, Target, fixed_offset
from interakt_loader.model import Problem

FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
FIRST, LAST = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY - 1

_LATE = 2_114_380_800_000  # 2037-01-01
_EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)


def read_in_zone(written: pa.Int64Array, zone: str) -> tuple[pa.Int64Array, pa.BooleanArray | None]:
    """Return instants, and which of the times do not exist since the clock skips them, if there are any.

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
    """Return which instants are on the day that was written, by the zone's clocks."""
    return pc.equal(whole_days(seen_in_zone(instants, zone)), whole_days(written))


def between(counts: pa.Int64Array, first: int, last: int) -> pa.Int64Array:
    """Return the counts from the first to the last, null for others."""
    return null_where(counts, pc.or_(pc.less(counts, first), pc.greater(counts, last)))


def _by_python(
    counts: pa.Int64Array,
    given: pa.Int64Array,
    mask: pa.BooleanArray,
    zone: str,
    convert: Callable[[int, ZoneInfo], int],
) -> pa.Int64Array:
    """Return the counts with those where the mask is true made anew of what is given."""
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):  # a system without Python's own table of zones
        return counts
    mask = mask.fill_null(False)
    distinct = given.filter(mask).dictionary_encode()
    converted = pa.array([convert(one, info) for one in distinct.dictionary.to_pylist()], pa.int64())
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


_FAR = 10**15  # milliseconds; beyond all years, and far from where counts overflow

_CLOCK = re.compile("%[HIcXT]")
"""The parts of a format that say a time of day."""

_NUMERIC = ("int", "float", "decimal", "digits")

_Texts = tuple[pa.StringArray, dict[int, Problem]]


def datetimes(values: pa.Array, kind: Kind, target: Target) -> _Texts:
    """Return plain values as the text of times in UTC with milliseconds; finer digits are cut.

    Dates, and times that name no zone, are read in the target's zone. A date is the first moment of its day.
    """
    written, instants = _times(values, kind, target)
    read, skipped = read_in_zone(written, target.timezone)
    counts = pc.coalesce(instants, read)
    good = between(counts, FIRST, LAST)
    problems = _problems(values, counts, good, "not_a_datetime", _complaint("date and time", kind, target))
    if skipped is not None:
        skipped = pc.and_not(
            skipped, pc.and_(_only_dates(values, kind, target), same_day(written, read, target.timezone))
        )
        complaint = f"does not exist in {target.timezone}: the clock skips it"
        problems |= problems_at(values, skipped, "datetime_invalid", complaint)
        good = null_where(good, skipped)
    text = pc.binary_replace_slice(good.cast(pa.timestamp("ms")).cast(pa.string()), 10, 11, "T")
    return pc.binary_join_element_wise(text, "Z", ""), problems


def dates(values: pa.Array, kind: Kind, target: Target) -> _Texts:
    """Return plain values as the text of dates.

    A time with a zone gives the date in its own zone, one without as it is written, and a count since 1970 the
    date in the target's zone.
    """
    try:
        counts = _days(values, kind, target)
    except pa.ArrowInvalid:
        complaint = f"has the time zone {values.type.tz!r}, which is not known"
        bad = problems_at(values, values.is_valid(), "unsupported_type", complaint)
        return pa.nulls(len(values), pa.string()), bad
    good = between(counts, FIRST_DAY, LAST_DAY)
    text = good.cast(pa.int32()).cast(pa.date32()).cast(pa.string())
    return text, _problems(values, counts, good, "not_a_date", _complaint("date", kind, target))


def clock_times(values: pa.Array) -> _Texts:
    """Return times of day as `13:26:52`, with `.926` where there are milliseconds; finer digits are cut."""
    text = values.cast(pa.string())
    wild = pc.starts_with(text, "<")  # Arrow's way to say that this is no time of a day
    problems = problems_at(values, wild, "out_of_range", "is not between 00:00 and 24:00")
    text = pc.utf8_slice_codeunits(null_where(text, wild), 0, 12)
    return pc.replace_substring_regex(text, r"\.0+$", ""), problems


def _times(values: pa.Array, kind: Kind, target: Target) -> Times:
    nothing = pa.nulls(len(values), pa.int64())
    if kind == "timestamp":
        counts = _counts(values)
        return Times(counts, nothing) if values.type.tz is None else Times(nothing, counts)
    if kind == "date":
        return Times(pc.multiply(_days_of_dates(values), DAY), nothing)
    if target.format in EPOCHS and kind in (*_NUMERIC, "text"):
        return Times(nothing, _since_epoch(values, kind, target.format))
    if target.format not in (None, *EPOCHS) and kind in (*_NUMERIC, "text"):
        return formatted_times(_as_text(values, kind), str(target.format))
    if kind in ("text", "moment"):
        return iso_times(values)
    return Times(nothing, nothing)


def _days(values: pa.Array, kind: Kind, target: Target) -> pa.Int64Array:
    if kind == "timestamp":
        counts = _counts(values)
        return whole_days(counts if values.type.tz is None else seen_in_zone(counts, values.type.tz))
    if kind == "date":
        return _days_of_dates(values)
    if target.format in EPOCHS and kind in (*_NUMERIC, "text"):
        return whole_days(seen_in_zone(_since_epoch(values, kind, target.format), target.timezone))
    if target.format not in (None, *EPOCHS) and kind in (*_NUMERIC, "text"):
        return formatted_days(_as_text(values, kind), str(target.format))
    if kind in ("text", "moment"):
        return iso_days(values)
    return pa.nulls(len(values), pa.int64())


def _counts(values: pa.TimestampArray) -> pa.Int64Array:
    if values.type.unit != "s":
        return milliseconds(values)
    return pc.multiply(_clamped(values.cast(pa.int64()), _FAR // 1000), 1000)


def _days_of_dates(values: pa.Array) -> pa.Int64Array:
    if pa.types.is_date32(values.type):
        return values.cast(pa.int32()).cast(pa.int64())
    return whole_days(values.cast(pa.int64()))


def _since_epoch(values: pa.Array, kind: Kind, form: str) -> pa.Int64Array:
    counts = epoch_text(values) if kind == "text" else values.cast(pa.float64(), safe=False)
    counts = _clamped(counts, _FAR)
    whole = pc.floor(counts)
    if form == "epoch_ms":
        return whole.cast(pa.int64())
    # a float shows .926 as .92599…: round far below milliseconds before the rest is cut
    part = pc.floor(pc.divide(pc.round(pc.multiply(pc.subtract(counts, whole), 1e6)), 1e3))
    return pc.add(pc.multiply(whole, 1e3), part).cast(pa.int64())


def _as_text(values: pa.Array, kind: Kind) -> pa.StringArray:
    return values if kind == "text" else digits(values, kind)


def _only_dates(values: pa.Array, kind: Kind, target: Target) -> pa.BooleanArray:
    """Return which values say a date and no time of day."""
    if target.format is not None and kind in (*_NUMERIC, "text"):
        return pa.repeat(not _CLOCK.search(target.format), len(values))
    if kind == "text":
        return pc.less_equal(pc.utf8_length(strip_quote(values)), len("1998-01-01"))
    return pa.repeat(kind == "date", len(values))


def _clamped(counts: pa.Array, most: int) -> pa.Array:
    limit = pa.scalar(most, counts.type)
    lowest = pa.scalar(-most, counts.type)
    return pc.max_element_wise(pc.min_element_wise(counts, limit, skip_nulls=False), lowest, skip_nulls=False)


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
        return f"is a number, not a {wanted}: if it counts from 1970, give the format epoch_s or epoch_ms"
    return partial(_complaint_of_text, wanted) if kind == "text" else f"is not a {wanted}"


def _reads(text: str, form: str) -> bool:
    """Tell whether there is such a day: the shape of 2021-02-30 is right."""
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _complaint_of_text(wanted: str, text: str) -> str:
    """Say which formats would do, where the text looks like a date."""
    strip_quote = text.strip().removeprefix("'").strip()
    fitting = [one for one in forms_of(strip_quote).fitting if _reads(strip_quote, one)]
    if len(fitting) > 1:
        return f"is a {wanted} in more than one way: give its format, {' or '.join(map(repr, fitting))}"
    if fitting:
        return f"is not a {wanted} in ISO 8601: give its format, {fitting[0]!r}"
    example = "2025-03-27T13:26:52Z" if wanted == "date and time" else "1998-01-01"
    return f"is not a {wanted}: expected one like {example}, or give its format"
