"""Text that says a time → instants and dates: ISO 8601, or a count since 1970."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.plain import bare, without

DAY = 86_400_000  # milliseconds

_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_CLOCK = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_ISO = f"^{_DATE}(?:{_CLOCK}{_ZONE}?)?$"
ISO_WITHOUT_ZONE = f"^{_DATE}(?:{_CLOCK})?$"
"""Dates and times that Arrow reads, on the calendar and on the clock."""
_NAMES_ZONE = ":.*[Z+-]"

# What else people's programs write, and how it is said in the form above.
_OTHER_FORMS = (
    (r" ?(?:UTC|GMT|[Zz])$", "Z"),
    (r":([0-9.]+) ([+-])", r":\1\2"),
    (r"(\.[0-9]{6})[0-9]+", r"\1"),
    (r"^([0-9-]{10})t", r"\1T"),
)


class Times(NamedTuple):
    """Times that text says, in milliseconds since 1970-01-01T00:00; finer digits are cut. Null where there is none."""

    written: pa.Int64Array
    """By the clock that the text shows; of the texts that name no zone."""
    instants: pa.Int64Array
    """In UTC; of the texts that name a zone."""


def iso_times(text: pa.StringArray) -> Times:
    """Read ISO 8601 dates and times; a date is its midnight."""
    text = _canonical(text)
    zoned = pc.match_substring_regex(text, _NAMES_ZONE)
    naive = without(text, zoned).cast(pa.timestamp("us"))
    aware = without(text, pc.invert(zoned)).cast(pa.timestamp("us", "UTC"))
    return Times(milliseconds(naive), milliseconds(aware))


def iso_days(text: pa.StringArray) -> pa.Int64Array:
    """Read the dates of ISO 8601 dates and times, as they are written, in days since 1970-01-01."""
    dates = pc.utf8_slice_codeunits(_canonical(text), 0, 10).cast(pa.date32())
    return dates.cast(pa.int32()).cast(pa.int64())


def epoch_text(text: pa.StringArray) -> pa.DoubleArray:
    """Read counts since 1970; null where the text is no plain number."""
    text = bare(text)
    count = pc.match_substring_regex(text, r"^-?[0-9]{1,15}(?:\.[0-9]{1,30})?$")
    return without(text, pc.invert(count)).cast(pa.float64())


def milliseconds(times: pa.TimestampArray) -> pa.Int64Array:
    """Return timestamps of a unit no coarser than milliseconds as such; finer digits are cut, before 1970 too."""
    finer = {"ms": 1, "us": 1_000, "ns": 1_000_000}[times.type.unit]
    counts = times.cast(pa.int64())
    if finer == 1:
        return counts
    whole = pc.divide(counts, finer)
    cut_up = pc.greater(pc.multiply(whole, finer), counts)  # division goes towards 1970
    return pc.subtract(whole, cut_up.cast(pa.int64()))


def whole_days(counts: pa.Int64Array) -> pa.Int64Array:
    """Return times in milliseconds as days, cut before 1970 too."""
    days = pc.divide(counts, DAY)
    cut_up = pc.greater(pc.multiply(days, DAY), counts)  # division goes towards 1970
    return pc.subtract(days, cut_up.cast(pa.int64()))


def _canonical(text: pa.StringArray) -> pa.StringArray:
    """Return the text that is ISO 8601 in the one form that Arrow reads, else null."""
    iso = pc.match_substring_regex(text, _ISO)
    if not pc.all(iso).as_py():
        other = bare(text)
        for pattern, replacement in _OTHER_FORMS:
            other = pc.replace_substring_regex(other, pattern, replacement)
        text = pc.if_else(iso, text, other)
        text = without(text, pc.invert(pc.match_substring_regex(text, _ISO)))
    return text
