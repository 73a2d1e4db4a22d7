"""Numbers, booleans and text as JSON numbers, digit for digit.

Text may have groups of digits, a currency, or brackets for a minus. Text that is a JSON number stays as it is. Arrow
takes groups and a currency sign off a column at once; Python reads the rest, once for each distinct text.
"""

from __future__ import annotations

import functools
import math
import re

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import Kind, digits, map_distinct, null_where, problems_at
from interakt_loader.columns.target import Coerced, Target


def numbers(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    """Return normal values as JSON numbers; for text, see `numbers_in_text`."""
    if kind == "bool":
        return Coerced(pc.if_else(values, "1", "0"), {})
    if kind in ("int", "float", "decimal", "digits"):
        return Coerced(digits(values, kind), {})
    if kind == "text":
        return numbers_in_text(values, target.decimal)
    problems = problems_at(values, values.is_valid(), "not_a_number", "is not a number")
    return Coerced(pa.nulls(len(values), pa.string()), problems)


# Text that is a JSON number as it stands, short enough to be a finite one.
_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$"

_SIGNS = "[$£¥\u20a0-\u20cf]"
_WORDS = (
    r"Rs\.?|kr\.?|zł|Kč|AED|AUD|BDT|BRL|CAD|CHF|CNY|EUR|GBP|HKD|IDR|INR|JPY|KES|KWD|LKR|MXN|MYR|NGN|NPR|NZD|OMR|PHP"
    r"|PKR|QAR|SAR|SEK|SGD|THB|USD|VND|ZAR"
)
_GROUPS = {".": ",", ",": ". \u00a0\u202f"}
"""By decimal sign: what may stand between groups of digits."""


def _simple(decimal: str) -> str:
    """Return the pattern of text that Arrow can read: groups of three, at most one currency sign."""
    groups = "|".join(f"(?:[{group}][0-9]{{3}}){{1,9}}" for group in _GROUPS[decimal])
    whole = rf"(?:0|[1-9][0-9]{{0,30}}|[1-9][0-9]{{0,2}}(?:{groups}))"
    number = rf"{whole}(?:[{decimal}][0-9]{{1,30}})?"
    return rf"^-?(?:{_SIGNS} ?)?{number}$|^-?{number} ?{_SIGNS}$"


_CURRENCY = rf"(?:[A-Z]{{0,2}}{_SIGNS}|{_WORDS.upper()})"
# of upper case, which takes half the time to compile; letters of other scripts are let through for the same reason
_LIKE_NUMBER = (
    rf"^[^A-Z0-9]*(?:{_CURRENCY}[^A-Z0-9]*)?[0-9][^A-Z]*(?:E[^A-Z]*)?(?:{_CURRENCY}[^A-Z0-9]*)?$"
    r"|^[^A-Z0-9]*(?:NAN|INF|INFINITY)$"
)


def like_numbers(texts: pa.StringArray) -> pa.BooleanArray:
    """Return which texts look like numbers. This is a quick test: `numbers_in_text` reads no other, and not all."""
    return pc.match_substring_regex(pc.utf8_upper(texts), _LIKE_NUMBER)


@functools.cache
def _any(decimal: str) -> re.Pattern[str]:
    indian = r"[1-9]\d?(?:,\d{2})+,\d{3}  |" if decimal == "." else ""
    currency = rf"(?:[A-Z]{{0,2}}{_SIGNS}|{_WORDS})"
    return re.compile(
        rf"""(?P<outer>{currency}\s*(?=\())?  # $(12.50)
        (?P<open>\()?
        (?P<sign>[+-]?)
        (?:(?P<before>{currency})\s*(?P<inner>[+-]?))?
        (?P<whole> [1-9]\d{{0,2}}(?P<group>[{_GROUPS[decimal]}])\d{{3}}(?:(?P=group)\d{{3}})*  # 1,299,000
        | {indian}  # 12,99,000
        \d* )
        (?:[{decimal}](?P<part>\d*))?
        (?P<exponent>[eE][+-]?\d+)?
        (?:\s*(?P<after>{currency}))?
        (?(open)\))""",
        re.VERBOSE | re.ASCII | re.IGNORECASE,
    )


_SIMPLE = {decimal: _simple(decimal) for decimal in _GROUPS}
_MISSING = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)


def numbers_in_text(values: pa.StringArray, decimal: str) -> Coerced:
    """Return text as JSON numbers; `nan` and `inf` are missing. A percentage is refused: 12 % may be 0.12."""
    text = values
    unread = values.is_valid()
    if decimal == ".":
        unread = pc.and_not(unread, pc.match_substring_regex(values, _JSON_NUMBER))
    if not pc.any(unread).as_py():
        return Coerced(values, {})
    simple = pc.and_(unread, pc.match_substring_regex(values, _SIMPLE[decimal]))
    if pc.any(simple).as_py():
        number = pc.replace_substring_regex(text, f"[{_GROUPS[decimal]} ]|{_SIGNS}", "")
        text = pc.if_else(simple, pc.replace_substring(number, decimal, "."), text)
        unread = pc.and_not(unread, simple)
    text = map_distinct(text, unread, lambda written: _json_number(written, decimal))
    bad = pc.and_(values.is_valid(), text.is_null())
    problems = problems_at(values, bad, "not_a_number", lambda written: _complaint(written, decimal))
    return Coerced(null_where(text, pc.equal(text, "")), problems)


def _json_number(written: str, decimal: str) -> str | None:
    """Return a number as JSON writes it, "" for a word for a missing number, None for any other text."""
    written = written.strip().removeprefix("'").strip().replace("\u2212", "-")
    if _MISSING.fullmatch(written):
        return ""
    match = _any(decimal).fullmatch(written)
    if match is None:
        return None
    part = match.groupdict(default="")
    signs = [sign for sign in (part["open"], part["sign"], part["inner"]) if sign]
    currencies = [currency for currency in (part["outer"], part["before"], part["after"]) if currency]
    if len(signs) > 1 or len(currencies) > 1 or not (part["whole"] or part["part"]):
        return None
    number = "-" if signs and signs[0] != "+" else ""
    number += re.sub(r"\D", "", part["whole"]).lstrip("0") or "0"
    number += f".{part['part']}" if part["part"] else ""
    number += part["exponent"]
    return number if math.isfinite(float(number)) else None


def _complaint(written: str, decimal: str) -> str:
    """Say what is wrong with a text, and what to do where that is known."""
    if written.rstrip().endswith("%") and _json_number(written.rstrip()[:-1], decimal) is not None:
        return "is a percentage, not a number: take the sign off, or send it as a string"
    (other,) = _GROUPS.keys() - {decimal}
    if _json_number(written, other) is not None:
        return f"is not a number with the decimal sign {decimal!r}: if {other!r} is, give decimal: {other!r}"
    return "is not a number"
