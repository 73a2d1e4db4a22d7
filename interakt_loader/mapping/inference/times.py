"""Dates and times: in a type of their own, in text of a form that all values share, or counted since 1970."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce import DatesSeen, Target, coerce
from interakt_loader.mapping.inference.guess import Guess, Instead
from interakt_loader.mapping.inference.names import names_a_time
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.plain import without

_EPOCH_FROM, _EPOCH_TO = 946_684_800, 4_102_444_800  # the years 2000 to 2099
_LIKE_A_TIME = "^'?(?:[0-9]{8}|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4})(?:[T ,].*)?$"
_WITH_A_MONTH = (
    "^(?:[a-z]+,? )?(?:[0-9]{1,4}[-/. ]?)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[-/., ]{0,2}"
    "[0-9]{1,4}(?:[-/, ]{1,2}[0-9]{4})?(?:[T ,].*)?$"
)
_MOSTLY = 0.9
_CLOCK = ("%H", "%I")
_MIDNIGHT = r"(?s:.*)[ T,]00:00(?::00(?:\.0+)?)?(?s:.*)"
_ZONED = r"(?s:.*):(?s:.*)(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)"


def clock_guess(look: Look) -> Guess:
    """Return what to make of a column of timestamps or dates."""
    if look.kind == "date":
        return Guess({"type": "date"}, look.type)
    if _all_midnight(look):
        return Guess({"type": "date"}, f"{look.type}, at 00:00:00 in {look.counted()}")
    zone = "" if look.values.type.tz is not None else "; no time zone, so it is read as UTC unless timezone is given"
    return Guess({"type": "datetime"}, look.type + zone)


def time_guess(look: Look, mostly: float = _MOSTLY) -> Guess | None:
    """Return what to make of a column of text, or of eight digits, that is dates or times; None if it is not.

    `mostly` is the share of the values that have to be some; those that are none are named.
    """
    if look.matching("[0-9]+") and not names_a_time(look.name):
        return None  # eight digits may be anything
    like = pc.match_substring_regex(look.texts, _LIKE_A_TIME)
    if not pc.all(like).as_py():
        like = pc.or_(like, pc.match_substring_regex(look.texts, _WITH_A_MONTH, ignore_case=True))
    unlike = pc.invert(like)
    values = without(look.texts, unlike)
    if len(values) - values.null_count < max(look.filled * mostly, 1):
        return None
    found = _of_one_form(look, values)
    refused = coerce(values, Target(**found.options)).problems if found.is_time else {}
    misfits = sorted({*pc.indices_nonzero(pc.fill_null(unlike, False)).to_pylist(), *refused})
    if not misfits:
        return found
    if len(misfits) > look.filled * (1 - mostly):
        return None
    why = f"dates but for {len(misfits):,} of {look.rows:,}, such as {look.shown(misfits[0])} in row {misfits[0]}"
    ways = (Instead(found.options, ""),) if found.is_time else found.instead
    refuses = "refuses the row of the other" if len(misfits) == 1 else "refuses the rows of the others"
    return Guess(
        {"type": "string"},
        f"{why}: kept as text",
        tuple(Instead(one.options, ", and it ".join(filter(None, [one.reason, refuses]))) for one in ways),
        undecided=why,
    )


def _of_one_form(look: Look, values: pa.StringArray) -> Guess:
    """Decide for the column by the values that look like times; what is in no one form is taken for ISO 8601."""
    decision = DatesSeen.of(values).decision
    if decision.format is None and not decision.could_be:
        return _iso(look)
    if decision.format is not None:
        name = _type(look, decision.format)
        row = look.row_of(str(decision.evidence))
        filled = len(values) - values.null_count
        reason = f"{decision.reason}, in row {row}; so {_order(decision.format)} in {filled:,} of {look.rows:,}"
        return Guess({"type": name, "format": decision.format}, reason + _zone(name, look))
    ways = tuple(
        Instead({"type": _type(look, form), "format": form}, f"if it is {_order(form)}") for form in decision.could_be
    )
    row = look.row_of(str(decision.evidence))
    said = f"{decision.evidence!r} in row {row}, as all others, may be {' or '.join(map(_order, decision.could_be))}"
    return Guess({"type": "string"}, f"{said}: kept as text", ways, undecided=said)


def epoch_guess(look: Look) -> Guess | None:
    """Return what to make of numbers that count from 1970, in a column whose name is that of a time."""
    if not names_a_time(look.name):
        return None
    if look.kind == "text" and look.matching("'?[0-9]+(?:[.][0-9]+)?") != look.filled:
        return None
    counts = pc.utf8_ltrim(look.texts, "'").cast(pa.float64())
    least, most = pc.min_max(counts).as_py().values()
    for form, unit, name in (("epoch_s", 1, "seconds"), ("epoch_ms", 1000, "milliseconds")):
        if _EPOCH_FROM * unit <= least and most < _EPOCH_TO * unit:
            first, last = (dt.datetime.fromtimestamp(one / unit, dt.timezone.utc).date() for one in (least, most))
            reason = f"{name} since 1970, going by the name and the numbers: {first} to {last}"
            return Guess({"type": "datetime", "format": form}, reason)
    return None


def _iso(look: Look) -> Guess:
    row = int(pc.index(look.values.is_valid(), pa.scalar(True)).as_py())
    if look.matching(".*:.*") == 0:
        return Guess({"type": "date"}, f"dates in ISO 8601, such as {look.texts[row].as_py()}")
    if _all_midnight(look):
        return Guess({"type": "date"}, f"dates in ISO 8601, such as {look.texts[row].as_py()}, all at 00:00:00")
    return Guess({"type": "datetime"}, f"times in ISO 8601, such as {look.texts[row].as_py()}{_zone('datetime', look)}")


def _type(look: Look, form: str) -> str:
    return "datetime" if any(part in form for part in _CLOCK) and not _all_midnight(look) else "date"


def _order(form: str) -> str:
    """Say in words which part of a date comes first."""
    first = form.lstrip("%aA, ")
    return {"d": "day first", "Y": "year first", "y": "year first"}.get(first[:1], "month first")


def _zone(name: str, look: Look) -> str:
    if name == "date" or look.matching(_ZONED):
        return ""
    return "; no time zone, so it is read as UTC unless timezone is given"


def _all_midnight(look: Look) -> bool:
    if look.kind == "timestamp":
        clocks = pc.strftime(look.values.cast(pa.timestamp("us", look.values.type.tz)), format="%H:%M:%S")
        return bool(pc.all(pc.equal(clocks, "00:00:00.000000")).as_py())
    return look.matching(_MIDNIGHT) == look.filled
