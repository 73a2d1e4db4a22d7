"""Which format the dates of a column are in, where a look at the whole column tells for sure.

`7/4/1996` alone may be in April or in July. One value with a part above 12 tells for the column, if no other value
contradicts it. This is for the look before a load (`infer`, `check`) and for messages: `coerce` itself never guesses,
since it sees a batch at a time and must not read one otherwise than the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from interakt_loader.coerce.numbers import digits
from interakt_loader.coerce.time_text import iso_days
from interakt_loader.plain import bare, plain
from interakt_loader.values import shortened

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
        kind, array, _ = plain(values)
        if kind not in ("text", "int"):
            return cls()
        texts = bare(array if kind == "text" else digits(array, kind)).drop_null().unique()
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
