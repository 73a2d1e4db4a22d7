"""Every form of a date or a time in a table, as text or as a number.

- `format_problem` checks the `format` of a mapping.
- `times_in` and `days_in` read a column by a format; without one, text is ISO 8601.
- `forms_of` and `DatesSeen` say which formats a text or a column can have, for messages and for proposals (`infer`,
  `check`). A load never guesses a format: it sees one batch at a time, and must read all batches alike.

To add a form:

- A load reads every `strptime` format that a mapping names, such as `%d.%m.%Y %Hh%M`. Nothing is to be added.
- To have such a format proposed, add the date to `_SHAPE` or `_WITH_MONTHS`, and the time of day to `_CLOCK` and
  `_clock_format`. `like_dates` must match the text too.
- To have it read without any format, add it to `_ISO_VARIANTS`.

Only `created_at` of `track` is not read here, but in `arguments`.
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

from interakt_loader.columns.normalize import digits, normalize, null_where, strip_quote
from interakt_loader.privacy.text import utf8_of
from interakt_loader.values import shortened

DAY = 86_400_000
"""Milliseconds."""

EPOCHS = {"epoch_s": ("seconds", 1), "epoch_ms": ("milliseconds", 1_000)}
"""Formats of times that are counted since 1970: the unit, and how many of it a second has."""

ISO_EXAMPLES = {"date and time": "2025-03-27T13:26:52Z", "date": "1998-01-01"}

_EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)
_FAR = 10**15
"""Milliseconds: beyond all years, and far from where counts overflow."""


# ------------------------------------------------------------------ the format of a mapping

_WITH_YEAR = re.compile("%[YyGcxDF]")
_WITH_CLOCK = re.compile("%[HIcXT]")


def format_problem(form: str) -> str | None:
    """Return why text is not a format of dates, to be read after the text; None if it is one."""
    if form in EPOCHS:
        return None
    if "%" in form and not _WITH_YEAR.search(form):
        # Python would take 1900 for the year
        return "has no year; expected a date format such as '%d/%m/%Y'"
    if not _is_strptime_format(form):
        return f"is no date format; expected one such as '%d/%m/%Y', or {' or '.join(EPOCHS)}"
    return None


@functools.lru_cache(maxsize=256)
def _is_strptime_format(written: str) -> bool:
    if "%" not in written:
        return False
    try:
        datetime.strptime("", written)
    except ValueError as error:
        # the two messages of strptime about the text; any other is about the format
        return str(error).startswith(("time data", "unconverted data"))
    except (re.error, IndexError):
        return False
    return True


def has_clock(form: str) -> bool:
    """Tell whether a format has a time of day."""
    return form in EPOCHS or _WITH_CLOCK.search(form) is not None


# ------------------------------------------------------------------ reading by a format


class Times(NamedTuple):
    """The times in text, in milliseconds since 1970-01-01T00:00; finer digits are cut. Null where there is none."""

    written: pa.Int64Array
    """By the clock that the text shows; of the texts without a zone."""
    instants: pa.Int64Array
    """In UTC; of the texts with a zone."""


def times_in(text: pa.StringArray, form: str | None) -> Times:
    """Read the times in text; without a format, ISO 8601. A date is its midnight."""
    if form is None:
        return _iso_times(text)
    if form in EPOCHS:
        return Times(pa.nulls(len(text), pa.int64()), since_epoch(_counts_in(text), form))
    return _formatted_times(text, form)


def days_in(text: pa.StringArray, form: str | None) -> pa.Int64Array:
    """Read the dates in text as they are written, in days since 1970-01-01; without a format, ISO 8601."""
    return iso_days(text) if form is None else _formatted_days(text, form)


def only_dates(text: pa.StringArray, form: str | None) -> pa.BooleanArray:
    """Return which texts in a format have a date and no time of day."""
    if form is not None:
        return pa.repeat(not has_clock(form), len(text))
    return pc.less_equal(pc.utf8_length(strip_quote(text)), len(ISO_EXAMPLES["date"]))


def milliseconds(times: pa.TimestampArray) -> pa.Int64Array:
    """Return timestamps in milliseconds or a finer unit as milliseconds; finer digits are cut, before 1970 too."""
    finer = {"ms": 1, "us": 1_000, "ns": 1_000_000}[times.type.unit]
    counts = times.cast(pa.int64())
    return counts if finer == 1 else _floor_divide(counts, finer)


def whole_days(counts: pa.Int64Array) -> pa.Int64Array:
    """Return times in milliseconds as days, cut before 1970 too."""
    return _floor_divide(counts, DAY)


def _floor_divide(counts: pa.Int64Array, by: int) -> pa.Int64Array:
    whole = pc.divide(counts, by)
    # Arrow divides towards zero
    is_above = pc.greater(pc.multiply(whole, by), counts)
    return pc.subtract(whole, is_above.cast(pa.int64()))


def within(counts: pa.Array, most: int) -> pa.Array:
    """Return counts with those beyond `most`, above or below zero, cut to it."""
    highest, lowest = pa.scalar(most, counts.type), pa.scalar(-most, counts.type)
    return pc.max_element_wise(pc.min_element_wise(counts, highest, skip_nulls=False), lowest, skip_nulls=False)


# ------------------------------------------------------------------ ISO 8601

_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_ISO_CLOCK = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_ISO_TEXT = f"^{_DATE}(?:{_ISO_CLOCK}{_ZONE}?)?$"
_ISO_WITHOUT_ZONE = f"^{_DATE}(?:{_ISO_CLOCK})?$"
"""Dates and times that Arrow reads, if the calendar and the clock have them."""
_NAMES_ZONE = ":.*[Z+-]"

_ISO_VARIANTS = (
    (r" ?(?:UTC|GMT|[Zz])$", "Z"),
    (r":([0-9.]+) ([+-])", r":\1\2"),
    (r"(\.[0-9]{6})[0-9]+", r"\1"),
    (r"^([0-9-]{10})t", r"\1T"),
)
"""Other ways in which programs write ISO 8601: each pattern, and the replacement that makes it match `_ISO_TEXT`."""


def _iso_times(text: pa.StringArray) -> Times:
    text = _canonical(text)
    zoned = pc.match_substring_regex(text, _NAMES_ZONE)
    naive = null_where(text, zoned).cast(pa.timestamp("us"))
    aware = null_where(text, pc.invert(zoned)).cast(pa.timestamp("us", "UTC"))
    return Times(milliseconds(naive), milliseconds(aware))


def iso_days(text: pa.StringArray) -> pa.Int64Array:
    """Read the dates of ISO 8601 dates and times, as they are written, in days since 1970-01-01."""
    dates = pc.utf8_slice_codeunits(_canonical(text), 0, 10).cast(pa.date32())
    return dates.cast(pa.int32()).cast(pa.int64())


def _canonical(text: pa.StringArray) -> pa.StringArray:
    """Return the text that is ISO 8601 in the one form that Arrow reads, else null."""
    iso = pc.match_substring_regex(text, _ISO_TEXT)
    if not pc.all(iso).as_py():
        other = strip_quote(text)
        for pattern, replacement in _ISO_VARIANTS:
            other = pc.replace_substring_regex(other, pattern, replacement)
        text = pc.if_else(iso, text, other)
        text = null_where(text, pc.invert(pc.match_substring_regex(text, _ISO_TEXT)))
    return text


# ------------------------------------------------------------------ counts since 1970


def since_epoch(counts: pa.DoubleArray, form: str) -> pa.Int64Array:
    """Return counts since 1970 in one of `EPOCHS` as milliseconds; finer digits are cut."""
    counts = within(counts, _FAR)
    whole = pc.floor(counts)
    if form == "epoch_ms":
        return whole.cast(pa.int64())
    # a float shows .926 as .92599…: round far below milliseconds before the rest is cut
    part = pc.floor(pc.divide(pc.round(pc.multiply(pc.subtract(counts, whole), 1e6)), 1e3))
    return pc.add(pc.multiply(whole, 1e3), part).cast(pa.int64())


def _counts_in(text: pa.StringArray) -> pa.DoubleArray:
    text = strip_quote(text)
    is_count = pc.match_substring_regex(text, r"^-?[0-9]{1,15}(?:\.[0-9]{1,30})?$")
    return null_where(text, pc.invert(is_count)).cast(pa.float64())


# ------------------------------------------------------------------ strptime formats
# Arrow reads a format of digits only (`%d/%m/%Y %H:%M`) as ISO 8601, a column at a time. `datetime.strptime` reads or
# refuses the rest, each distinct text once. Both give the same.

_DIGITS = {"%Y": "4", "%m": "1,2", "%d": "1,2", "%H": "1,2", "%M": "1,2", "%S": "1,2", "%f": "1,6"}
"""Directives that are digits only, and how many; as in `strptime`, the first takes as many as it can."""
_CLOCKS = ("", "%H", "%H%M", "%H%M%S", "%H%M%S%f")
"""The clock's parts that a format may have, in their order."""
_UTC_NAMES = re.compile(r"\b(?:UTC|GMT)\b")


class _Reader(NamedTuple):
    """A format of digits only, as Arrow can read it."""

    pattern: str
    """Has a named group for each part."""
    parts: str
    """The letters of its directives."""


def _formatted_times(text: pa.StringArray, form: str) -> Times:
    distinct = strip_quote(text).dictionary_encode()
    texts = distinct.dictionary
    written, instants = _read_digits(texts, form), pa.nulls(len(texts), pa.int64())
    unread = written.is_null()
    if pc.any(unread).as_py():
        times = [_strptime(value, form) for value in texts.filter(unread).to_pylist()]
        clocks = [None if time is None else (time.replace(tzinfo=None) - _EPOCH) // _MS for time in times]
        offsets = [None if time is None else time.utcoffset() for time in times]
        naive = [clock if offset is None else None for clock, offset in zip(clocks, offsets, strict=True)]
        aware = [
            None if clock is None or offset is None else clock - offset // _MS
            for clock, offset in zip(clocks, offsets, strict=True)
        ]
        written = pc.replace_with_mask(written, unread, pa.array(naive, pa.int64()))
        instants = pc.replace_with_mask(instants, unread, pa.array(aware, pa.int64()))
    return Times(written.take(distinct.indices), instants.take(distinct.indices))


def _formatted_days(text: pa.StringArray, form: str) -> pa.Int64Array:
    distinct = strip_quote(text).dictionary_encode()
    texts = distinct.dictionary
    days = whole_days(_read_digits(texts, form))
    unread = days.is_null()
    times = [_strptime(value, form) for value in texts.filter(unread).to_pylist()]
    rest = [None if time is None else (time.replace(tzinfo=None) - _EPOCH).days for time in times]
    return pc.replace_with_mask(days, unread, pa.array(rest, pa.int64())).take(distinct.indices)


def _read_digits(texts: pa.StringArray, form: str) -> pa.Int64Array:
    """Return the times of texts in a format of digits, in milliseconds; null for any other text or format."""
    reader = _reader(form)
    if reader is None:
        return pa.nulls(len(texts), pa.int64())
    found = pc.extract_regex(texts, reader.pattern)
    part = dict(zip(reader.parts, found.flatten(), strict=True))
    for name in part.keys() - {"Y", "f"}:
        part[name] = pc.utf8_lpad(part[name], 2, "0")
    iso = [pc.binary_join_element_wise(part["Y"], part["m"], part["d"], "-")]
    if "H" in part:
        seconds = [part["S"]] if "S" in part else []
        clock = pc.binary_join_element_wise(part["H"], part.get("M", "00"), *seconds, ":")
        iso.append(clock if "f" not in part else pc.binary_join_element_wise(clock, part["f"], "."))
    written = pc.binary_join_element_wise(*iso, "T") if len(iso) > 1 else iso[0]
    is_time = pc.match_substring_regex(written, _ISO_WITHOUT_ZONE)
    return milliseconds(null_where(written, pc.invert(is_time)).cast(pa.timestamp("us")))


@functools.lru_cache(maxsize=256)
def _reader(form: str) -> _Reader | None:
    """Return how Arrow reads a format, or None for one with names, zones, halves of days or the like."""
    pieces = re.findall("%.|[^%]", form, re.DOTALL)
    directives = [piece for piece in pieces if piece.startswith("%")]
    date = sorted(piece for piece in directives if piece in ("%Y", "%m", "%d"))
    clock = [piece for piece in directives if piece not in ("%Y", "%m", "%d")]
    # `strptime` takes any white space for a space in the format
    odd_space = any(piece.isspace() and piece != " " for piece in pieces)
    if date != ["%Y", "%d", "%m"] or "".join(clock) not in _CLOCKS or odd_space:
        return None
    pattern = "".join(
        f"(?P<{piece[1]}>[0-9]{{{_DIGITS[piece]}}})" if piece in _DIGITS else re.escape(piece) for piece in pieces
    )
    return _Reader(f"^{pattern}$", "".join(piece[1] for piece in directives))


def _strptime(text: str, form: str) -> datetime | None:
    if "%Z" in form:
        # the names that %Z takes change with the machine's own zone, and give no offset
        text, form = _UTC_NAMES.sub("+0000", text), form.replace("%Z", "%z")
    try:
        return datetime.strptime(text, form)
    except (ValueError, OverflowError, re.error):
        return None


# ------------------------------------------------------------------ which formats a text can have

_CLOCK = r"""(?: (?P<gap>,?[ ]|T) \d{1,2}:\d{2} (?P<seconds>:\d{2} (?P<part>\.\d{1,6})? )?
        (?P<half>[ ]?[AP]M)? (?P<zone>[ ]?(?:UTC|GMT|Z|[+-]\d{2}:?\d{2}))? )?"""
_FLAGS = re.ASCII | re.IGNORECASE | re.VERBOSE
_SHAPE = re.compile(rf"(\d{{1,4}}) (?P<by>[/.-]) (\d{{1,2}}) (?P=by) (\d{{1,4}}) {_CLOCK}", _FLAGS)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH = rf"""(?P<month>(?P<short>{_MONTHS})
    |january|february|march|april|june|july|august|september|october|november|december)"""
_WEEKDAY = r"""(?: (?P<weekday>(?P<brief>mon|tue|wed|thu|fri|sat|sun)|(?:mon|tues|wednes|thurs|fri|satur|sun)day)
    (?P<then>,?[ ]) )?"""
_WITH_MONTHS = tuple(
    rf"{_WEEKDAY} {shape} {_CLOCK}"
    for shape in (
        rf"(?P<d>\d{{1,2}}) (?P<first>[-/. ]?) {_MONTH} (?P<second>[-/. ]?|,[ ]) (?P<y>\d{{4}}|\d{{2}})",
        rf"{_MONTH} (?P<first>[-/. ]) (?P<d>\d{{1,2}}) (?P<second>,?[ ]|[-/]) (?P<y>\d{{4}})",
        rf"(?P<y>\d{{4}}) (?P<first>[-/ ]) {_MONTH} (?P<second>[-/ ]) (?P<d>\d{{1,2}})",
    )
)
"""Dates with the month's English name: `15-Jan-2026`, `Thu, January 15, 2026 10:20`.

They are compiled when they are used, because that takes 2 ms.
"""
_EIGHT_DIGITS = re.compile(r"\d{8}", re.ASCII)
_CUTS = {"Ymd": (slice(0, 4), slice(4, 6), slice(6, 8)), "dmY": (slice(0, 2), slice(2, 4), slice(4, 8))}
_CUTS["mdY"] = _CUTS["dmY"]
"""Where the parts of a date of eight digits are, by their order."""
_LIKELY_YEARS = range(1900, 2100)
"""Eight digits are often not a date, so their year is checked too."""
_ISO = ("ISO 8601",)

_LIKE_DATES = "^'?(?:[0-9]{8}|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4})(?:[T ,].*)?$"
_LIKE_DATES_WITH_MONTHS = (
    f"^(?:[a-z]+,? )?(?:[0-9]{{1,4}}[-/. ]?)?(?:{_MONTHS})[a-z]{{0,6}}[-/., ]{{0,2}}"
    "[0-9]{1,4}(?:[-/, ]{1,2}[0-9]{4})?(?:[T ,].*)?$"
)


def like_dates(texts: pa.StringArray) -> pa.BooleanArray:
    """Return which texts look like dates. This is a quick test; `DatesSeen` decides whether they are."""
    found = pc.match_substring_regex(texts, _LIKE_DATES)
    # the pattern takes long to compile, and most columns name no month
    if not pc.all(found).as_py() and _name_a_month(texts):
        found = pc.or_(found, pc.match_substring_regex(texts, _LIKE_DATES_WITH_MONTHS, ignore_case=True))
    return found


def _name_a_month(texts: pa.StringArray) -> bool:
    written = utf8_of(pc.ascii_lower(texts)).tobytes()
    return any(month.encode() in written for month in _MONTHS.split("|"))


class Forms(NamedTuple):
    """The `strptime` formats that a text may be read by."""

    of_its_shape: tuple[str, ...]
    """By its separators and the number of its digits."""
    fitting: tuple[str, ...]
    """Those of them in which it has a month up to 12 and a day up to 31."""


def forms_of(text: str) -> Forms:
    """Return the formats by which a text may be a date, with a time or without; none if it looks like no date."""
    if _EIGHT_DIGITS.fullmatch(text):
        parts = {order: [text[cut] for cut in cuts] for order, cuts in _CUTS.items()}
        fitting = tuple(_format(order) for order in _CUTS if _fits(order, parts[order], _LIKELY_YEARS))
        return Forms(tuple(map(_format, _CUTS)), fitting) if fitting else Forms((), ())
    match = _SHAPE.fullmatch(text)
    if match is None:
        return _forms_with_month(text)
    first, by, middle, last = match.group(1, 2, 3, 4)
    if len(first) == 4 and len(last) <= 2:
        orders: tuple[str, ...] = ("Ymd",)
    elif len(first) <= 2 and len(last) == 4:
        orders = ("dmY", "mdY")
    elif len(first) <= 2 and len(last) <= 2:
        orders = ("dmy", "mdy", "ymd")
    else:
        return Forms((), ())
    clock = _clock_format(match)
    formats = {order: _format(order, by) + clock for order in orders}
    fitting = tuple(form for order, form in formats.items() if _fits(order, (first, middle, last)))
    return Forms(tuple(formats.values()), fitting)


def days_fitting(text: str) -> list[str]:
    """Return the formats by which a text is a day of the calendar: 2021-02-30 has a format and is no day."""
    return [form for form in forms_of(text).fitting if _strptime(text, form) is not None]


def _forms_with_month(text: str) -> Forms:
    match = next((found for shape in _WITH_MONTHS if (found := re.fullmatch(shape, text, _FLAGS)) is not None), None)
    if match is None:
        return Forms((), ())
    part = {"d": "%d", "y": "%Y" if len(match["y"]) == 4 else "%y"}
    in_order = sorted(("d", "month", "y"), key=match.start)
    weekday = "" if match["weekday"] is None else ("%a" if match["brief"] else "%A") + match["then"]
    months = ["%b"] if match["short"] else ["%B"]
    if match["month"].lower() == "may":
        # the short name and the long one
        months = ["%b", "%B"]
    formats = []
    for month in months:
        first, middle, last = ((part | {"month": month})[name] for name in in_order)
        formats.append(f"{weekday}{first}{match['first']}{middle}{match['second']}{last}{_clock_format(match)}")
    return Forms(tuple(formats), tuple(formats) if 1 <= int(match["d"]) <= 31 else ())


def _format(order: str, by: str = "") -> str:
    """Return the format of an order such as `dmY`."""
    return by.join(f"%{letter}" for letter in order)


def _fits(order: str, parts: Sequence[str], years: range = range(10_000)) -> bool:
    """Tell whether parts in an order have a day, a month, and a year of as many digits as it needs."""
    part = dict(zip(order, parts, strict=True))
    year = int(part["Y"]) in years if "Y" in part else len(part["y"]) == 2
    return year and 1 <= int(part["d"]) <= 31 and 1 <= int(part["m"]) <= 12


def _clock_format(match: re.Match[str]) -> str:
    """Return the format of the time of day behind a date."""
    if match["gap"] is None:
        return ""
    clock = match["gap"] + ("%I:%M" if match["half"] else "%H:%M")
    clock += ":%S" if match["seconds"] else ""
    clock += ".%f" if match["part"] else ""
    for name, directive in (("half", "%p"), ("zone", "%z")):
        if match[name]:
            clock += " " * match[name].startswith(" ") + directive
    return clock.replace("%z", "%Z") if match["zone"] and match["zone"].strip().upper() in ("UTC", "GMT") else clock


_FITTING = {
    "%Y": "[0-9]{4}", "%y": "[0-9]{2}", "%m": "(?:0?[1-9]|1[0-2])", "%d": "(?:0?[1-9]|[12][0-9]|3[01])",
    "%b": "(?i:jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)", "%H": "[0-9]{1,2}", "%M": "[0-9]{2}", "%S": "[0-9]{2}",
}  # fmt: skip
"""What fits a directive. May is not there, because it has another shape: it is also a long name."""
_NO_TEXT = "^[^\\s\\S]"


def _fitting_text(form: str) -> str:
    """Return a pattern of texts whose `forms_of` has this format as fitting; it may match fewer, and none at all."""
    if form in _ISO:
        return _ISO_TEXT
    pieces = re.findall("%.|[^%]", form)
    # digits without a separator can be cut in several ways
    if any(piece not in _FITTING for piece in pieces if piece.startswith("%")) or len(pieces) < 5:
        return _NO_TEXT
    return f"^{''.join(_FITTING.get(piece, re.escape(piece)) for piece in pieces)}$"


# ------------------------------------------------------------------ which format a column has

_FIRST = 20
"""Values of a column that are looked at one by one."""


@dataclass(frozen=True)
class Decision:
    """What is known of the format of a column's dates."""

    format: str | None
    """The one `strptime` format that the column can be in. None if there is none, or more than one."""
    could_be: tuple[str, ...]
    """Every format that the column can be in."""
    evidence: str | None
    """The value that decided, or that prevents a decision."""
    reason: str
    """One line for people."""


@dataclass(frozen=True)
class DatesSeen:
    """What is known of a column's dates so far; the sum of two holds what both show.

    `7/4/1996` alone may be in April or in July. One value with a part above 12 decides for the column, if no other
    value contradicts it. Batches may be looked at one by one, in any grouping. However large the column is, this holds
    a handful of values.
    """

    shapes: tuple[tuple[tuple[str, ...], str], ...] = ()
    """The shapes of the values (as `Forms.of_its_shape`), each with a value, until they have no format in common."""
    against: tuple[tuple[str, str], ...] = ()
    """(format, a value that has its shape and does not fit it)."""

    @classmethod
    def of(cls, values: pa.Array) -> DatesSeen:
        """Look at an array of text or whole numbers; any other type shows no dates. Missing values are skipped."""
        kind, array, _ = normalize(values)
        if kind not in ("text", "int"):
            return cls()
        texts = strip_quote(array if kind == "text" else digits(array, kind)).drop_null().unique()
        seen = cls._one_by_one(texts[:_FIRST])
        rest = texts[_FIRST:]
        return seen + cls._one_by_one(rest.filter(pc.invert(seen._known(rest)))) if len(rest) else seen

    @classmethod
    def _one_by_one(cls, texts: pa.StringArray) -> DatesSeen:
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

    def _known(self, texts: pa.StringArray) -> pa.BooleanArray:
        """Return which texts certainly show nothing new: they have the one shape, and fit all formats that are left."""
        known = pa.repeat(len(self.shapes) == 1, len(texts))
        for form in self.shapes[0][0] if len(self.shapes) == 1 else ():
            if form not in dict(self.against):
                known = pc.and_(known, pc.match_substring_regex(texts, _fitting_text(form)))
        return known

    def __add__(self, other: DatesSeen) -> DatesSeen:
        """Return what both show; the values are the earlier ones where both have some."""
        shapes, against = dict(self.shapes), dict(self.against)
        for shape, text in other.shapes:
            if shapes and not _common(shapes):
                # as in `of`
                break
            shapes.setdefault(shape, text)
        if shapes and not _common(shapes):
            return DatesSeen(tuple(shapes.items()))
        for form, text in other.against:
            against.setdefault(form, text)
        return DatesSeen(tuple(shapes.items()), tuple(against.items()))

    @property
    def decision(self) -> Decision:
        """What the values decide."""
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
        if len(left) == 2 and left[0].replace("%b", "%B") == left[1]:
            # May in all rows
            left = left[:1]
        if len(left) > 1:
            return Decision(None, left, example, f"{shortened(example)}, as all others, may be {' or '.join(left)}")
        evidence = next(iter(against.values()), example)
        if left:
            return Decision(left[0], left, evidence, f"{shortened(evidence)} can only be {left[0]}")
        values = " and ".join(dict.fromkeys(shortened(text) for text in against.values()))
        return Decision(None, (), evidence, f"no one format reads {values}")


def date_format_of(batches: Iterable[pa.Array]) -> Decision:
    """Return the format of a column's dates, from its batches (a sample's one array is one batch).

    It is decided if every value has the same shape and one order of day, month and year fits all of them.
    """
    seen = DatesSeen()
    for batch in batches:
        seen += DatesSeen.of(batch)
    return seen.decision


def _common(shapes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the formats that all shapes have, in the order of the first."""
    first, *others = shapes
    return tuple(form for form in first if all(form in other for other in others))
