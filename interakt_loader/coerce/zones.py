"""What the clocks of a zone show ↔ instants, both in milliseconds since 1970-01-01T00:00.

Arrow knows a zone's changes up to 2037 only; later times, which are few, are Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.target import fixed_offset
from interakt_loader.coerce.time_text import DAY, whole_days
from interakt_loader.plain import without

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
    return without(counts, pc.or_(pc.less(counts, first), pc.greater(counts, last)))


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
