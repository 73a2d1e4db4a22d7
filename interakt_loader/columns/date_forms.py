"""Text that says a time → instants and dates: ISO 8601, or a count since 1970.

Text that says a time by a `strptime` format → instants and dates.

A format of digits only (`%d/%m/%Y %H:%M`) is turned into ISO 8601 a column at a time; what that cannot read,
`datetime.strptime` reads or refuses, once for each distinct text. Both give the same.

Which format the dates of a column are in, where a look at the whole column tells for sure.

`7/4/1996` alone may be in April or in July. One value with a part above 12 tells for the column, if no other value
contradicts it. This is for the look before a load (`infer`, `check`) and for messages: `coerce` itself never guesses,
since it sees a batch at a time and must not read one otherwise than the next.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import normalize, null_where, strip_quote
from interakt_loader.columns.numbers import digits
from interakt_loader.values import shortened

DAY = 86_400_000  # milliseconds

_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_ISO_CLOCK = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_ISO_TEXT = f"^{_DATE}(?:{_ISO_CLOCK}{_ZONE}?)?$"
ISO_WITHOUT_ZONE = f"^{_DATE}(?:{_ISO_CLOCK})?$"
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
    naive = null_where(text, zoned).cast(pa.timestamp("us"))
    aware = null_where(text, pc.invert(zoned)).cast(pa.timestamp("us", "UTC"))
    return Times(milliseconds(naive), milliseconds(aware))


def iso_days(text: pa.StringArray) -> pa.Int64Array:
    """Read the dates of ISO 8601 dates and times, as they are written, in days since 1970-01-01."""
    dates = pc.utf8_slice_codeunits(_canonical(text), 0, 10).cast(pa.date32())
    return dates.cast(pa.int32()).cast(pa.int64())


def epoch_text(text: pa.StringArray) -> pa.DoubleArray:
    """Read counts since 1970; null where the text is no plain number."""
    text = strip_quote(text)
    count = pc.match_substring_regex(text, r"^-?[0-9]{1,15}(?:\.[0-9]{1,30})?$")
    return null_where(text, pc.invert(count)).cast(pa.float64())


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
    iso = pc.match_substring_regex(text, _ISO_TEXT)
    if not pc.all(iso).as_py():
        other = strip_quote(text)
        for pattern, replacement in _OTHER_FORMS:
            other = pc.replace_substring_regex(other, pattern, replacement)
        text = pc.if_else(iso, text, other)
        text = null_where(text, pc.invert(pc.match_substring_regex(text, _ISO_TEXT)))
    return text


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
    distinct = strip_quote(text).dictionary_encode()
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
    distinct = strip_quote(text).dictionary_encode()
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
    return milliseconds(null_where(written, pc.invert(good)).cast(pa.timestamp("us")))


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


_CLOCK = r"""(?: (?P<gap>,?[ ]|T) \d{1,2}:\d{2} (?P<seconds>:\d{2} (?P<part>\.\d{1,6})? )?
        (?P<half>[ ]?[AP]M)? (?P<zone>[ ]?(?:UTC|GMT|Z|[+-]\d{2}:?\d{2}))? )?"""
_FLAGS = re.ASCII | re.IGNORECASE | re.VERBOSE
_SHAPE = re.compile(rf"(\d{{1,4}}) (?P<by>[/.-]) (\d{{1,2}}) (?P=by) (\d{{1,4}}) {_CLOCK}", _FLAGS)
_MONTH = r"""(?P<month>(?P<short>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)
    |january|february|march|april|june|july|august|september|october|november|december)"""
_WEEKDAY = r"""(?: (?P<weekday>(?P<brief>mon|tue|wed|thu|fri|sat|sun)|(?:mon|tues|wednes|thurs|fri|satur|sun)day)
    (?P<then>,?[ ]) )?"""
_WITH_MONTHS = tuple(
    re.compile(rf"{_WEEKDAY} {shape} {_CLOCK}", _FLAGS)
    for shape in (
        rf"(?P<d>\d{{1,2}}) (?P<one>[-/. ]?) {_MONTH} (?P<two>[-/. ]?|,[ ]) (?P<y>\d{{4}}|\d{{2}})",
        rf"{_MONTH} (?P<one>[-/. ]) (?P<d>\d{{1,2}}) (?P<two>,?[ ]|[-/]) (?P<y>\d{{4}})",
        rf"(?P<y>\d{{4}}) (?P<one>[-/ ]) {_MONTH} (?P<two>[-/ ]) (?P<d>\d{{1,2}})",
    )
)
"""Dates with the month's English name: `15-Jan-2026`, `Thu, January 15, 2026 10:20`."""
_EIGHT_DIGITS = re.compile(r"\d{8}", re.ASCII)
_CUTS = {"Ymd": (slice(0, 4), slice(4, 6), slice(6, 8)), "dmY": (slice(0, 2), slice(2, 4), slice(4, 8))}
_CUTS["mdY"] = _CUTS["dmY"]
"""Where the parts of a date of eight digits stand, by their order."""
_LIKELY_YEARS = range(1900, 2100)
"""Eight digits may well be no date, so their year is looked at too."""
_ISO = ("ISO 8601",)


class Forms(NamedTuple):
    """The `strptime` formats that a text may be read by."""

    of_its_shape: tuple[str, ...]
    """Going by its separators and the number of its digits."""
    fitting: tuple[str, ...]
    """Those of them in which it has a month up to 12 and a day up to 31."""


@dataclass(frozen=True)
class Decision:
    """What is known of the format of a column's dates."""

    format: str | None
    """The one `strptime` format that the column can be in. None if there is none, or more than one."""
    could_be: tuple[str, ...]
    """Every format that the column can be in."""
    evidence: str | None
    """The value that decided, or that stands in the way of a decision."""
    reason: str
    """One line for people."""


@dataclass(frozen=True)
class DatesSeen:
    """What has been seen of a column's dates so far; the sum of two says what both show.

    So batches may be looked at one by one, in any grouping. It holds a handful of values, whatever the column's size.
    """

    shapes: tuple[tuple[tuple[str, ...], str], ...] = ()
    """The shapes that values have (as `Forms.of_its_shape`), each with a value, until they have no format in common."""
    against: tuple[tuple[str, str], ...] = ()
    """(format, a value that has its shape and does not fit it)."""

    @classmethod
    def of(cls, values: pa.Array) -> DatesSeen:
        """Look at an array of text or whole numbers; any other type shows no dates. Missing values say nothing."""
        kind, array, _ = normalize(values)
        if kind not in ("text", "int"):
            return cls()
        texts = strip_quote(array if kind == "text" else digits(array, kind)).drop_null().unique()
        shapes: dict[tuple[str, ...], str] = {}
        against: dict[str, str] = {}
        for text, iso in zip(texts.to_pylist(), iso_days(texts).is_valid().to_pylist(), strict=True):
            forms = Forms(_ISO, _ISO) if iso else forms_of(text)
            shapes.setdefault(forms.of_its_shape, text)
            if not _common(shapes):
                return cls(tuple(shapes.items()))
            for form in forms.of_its_shape:
                if form not in forms.fitting:
                    against.setdefault(form, text)
        return cls(tuple(shapes.items()), tuple(against.items()))

    def __add__(self, other: DatesSeen) -> DatesSeen:
        """Return what both show; the values are the earlier ones where both have some."""
        shapes, against = dict(self.shapes), dict(self.against)
        for shape, text in other.shapes:
            if shapes and not _common(shapes):
                break  # as in `of`
            shapes.setdefault(shape, text)
        if shapes and not _common(shapes):
            return DatesSeen(tuple(shapes.items()))
        for form, text in other.against:
            against.setdefault(form, text)
        return DatesSeen(tuple(shapes.items()), tuple(against.items()))

    @property
    def decision(self) -> Decision:
        """Say what follows from what has been seen."""
        if not self.shapes:
            return Decision(None, (), None, "there is no text or whole number to tell by")
        odd = dict(self.shapes).get(())
        if odd is not None:
            return Decision(None, (), odd, f"{shortened(odd)} has no form of a date that is known here")
        (formats, example), *others = self.shapes
        if common := _common(dict(self.shapes)):
            formats = common
        elif others:
            other = others[0][1]
            return Decision(None, (), other, f"{shortened(example)} and {shortened(other)} differ in form")
        if formats == _ISO:
            return Decision(None, (), example, f"{shortened(example)} is ISO 8601 and needs no format")
        against = dict(self.against)
        left = tuple(form for form in formats if form not in against)
        if len(left) == 2 and left[0].replace("%b", "%B") == left[1]:  # May in all rows
            left = left[:1]
        if len(left) > 1:
            return Decision(None, left, example, f"{shortened(example)}, as all others, may be {' or '.join(left)}")
        evidence = next(iter(against.values()), example)
        if left:
            return Decision(left[0], left, evidence, f"{shortened(evidence)} can only be {left[0]}")
        said = " and ".join(dict.fromkeys(shortened(text) for text in against.values()))
        return Decision(None, (), evidence, f"no one format reads {said}")


def date_format_of(batches: Iterable[pa.Array]) -> Decision:
    """Return the format of a column's dates, from its batches (a sample's one array is one batch).

    It is decided where every value has the same shape and there is one order of day, month and year that all fit.
    """
    seen = DatesSeen()
    for one in batches:
        seen += DatesSeen.of(one)
    return seen.decision


def forms_of(text: str) -> Forms:
    """Return the formats by which a text may be a date, with a time or without; none for what looks like no date."""
    if _EIGHT_DIGITS.fullmatch(text):
        parts = {order: [text[cut] for cut in cuts] for order, cuts in _CUTS.items()}
        fitting = tuple(_format(order) for order in _CUTS if _fits(order, parts[order], _LIKELY_YEARS))
        return Forms(tuple(map(_format, _CUTS)), fitting) if fitting else Forms((), ())
    match = _SHAPE.fullmatch(text)
    if match is None:
        return _with_month(text)
    first, by, middle, last = match.group(1, 2, 3, 4)
    if len(first) == 4 and len(last) <= 2:
        orders: tuple[str, ...] = ("Ymd",)
    elif len(first) <= 2 and len(last) == 4:
        orders = ("dmY", "mdY")
    elif len(first) <= 2 and len(last) <= 2:
        orders = ("dmy", "mdy", "ymd")
    else:
        return Forms((), ())
    clock = _clock(match)
    formats = {order: _format(order, by) + clock for order in orders}
    fitting = tuple(form for order, form in formats.items() if _fits(order, (first, middle, last)))
    return Forms(tuple(formats.values()), fitting)


def _with_month(text: str) -> Forms:
    """Return the formats of a date with the name of a month; May alone is short and long."""
    match = next((found for shape in _WITH_MONTHS if (found := shape.fullmatch(text)) is not None), None)
    if match is None:
        return Forms((), ())
    part = {"d": "%d", "y": "%Y" if len(match["y"]) == 4 else "%y"}
    in_order = sorted(("d", "month", "y"), key=match.start)
    weekday = "" if match["weekday"] is None else ("%a" if match["brief"] else "%A") + match["then"]
    formats = []
    for month in [one for one, there in (("%b", match["short"]), ("%B", not match["short"])) if there] + (
        ["%B"] if match["month"].lower() == "may" else []
    ):
        first, middle, last = ((part | {"month": month})[one] for one in in_order)
        formats.append(f"{weekday}{first}{match['one']}{middle}{match['two']}{last}{_clock(match)}")
    return Forms(tuple(formats), tuple(formats) if 1 <= int(match["d"]) <= 31 else ())


def _common(shapes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the formats that all shapes have, in the order of the first."""
    first, *others = shapes
    return tuple(form for form in first if all(form in other for other in others))


def _format(order: str, by: str = "") -> str:
    """Return the format of an order such as `dmY`."""
    return by.join(f"%{letter}" for letter in order)


def _fits(order: str, parts: Sequence[str], years: range = range(10_000)) -> bool:
    """Say whether parts in an order have a day, a month, and a year of as many digits as it needs."""
    part = dict(zip(order, parts, strict=True))
    year = int(part["Y"]) in years if "Y" in part else len(part["y"]) == 2
    return year and 1 <= int(part["d"]) <= 31 and 1 <= int(part["m"]) <= 12


def _clock(match: re.Match[str]) -> str:
    """Return the format of the time of day that stands behind a date."""
    if match["gap"] is None:
        return ""
    clock = match["gap"] + ("%I:%M" if match["half"] else "%H:%M")
    clock += ":%S" if match["seconds"] else ""
    clock += ".%f" if match["part"] else ""
    for name, directive in (("half", "%p"), ("zone", "%z")):
        if match[name]:
            clock += " " * match[name].startswith(" ") + directive
    return clock.replace("%z", "%Z") if match["zone"] and match["zone"].strip().upper() in ("UTC", "GMT") else clock
