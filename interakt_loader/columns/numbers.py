"""Text that is a number → JSON numbers, digit for digit: with groups, with a currency, as accountants write losses.

Three lanes: text that is a JSON number stands as it is; text with groups or a currency sign loses them, a column at
a time; whatever is odder is read by one expression, once for each distinct text.

Numbers, booleans and text as JSON numbers.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import Kind, null_where, problems_at
from interakt_loader.columns.target import Coerced, Target, map_distinct

# Text that is a JSON number as it stands, short enough to be a finite one.
_PASSES = r"^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$"

_SIGNS = "[$£¥\u20a0-\u20cf]"
_WORDS = (
    r"Rs\.?|kr\.?|zł|Kč|AED|AUD|BDT|BRL|CAD|CHF|CNY|EUR|GBP|HKD|IDR|INR|JPY|KES|KWD|LKR|MXN|MYR|NGN|NPR|NZD|OMR|PHP"
    r"|PKR|QAR|SAR|SEK|SGD|THB|USD|VND|ZAR"
)
_GROUPS = {".": ",", ",": ". \u00a0\u202f"}
"""By decimal sign: what may stand between groups of digits."""


def _easy(decimal: str) -> str:
    """Return what Arrow can read by itself: groups of three, at most one currency sign."""
    groups = "|".join(f"(?:[{one}][0-9]{{3}}){{1,9}}" for one in _GROUPS[decimal])
    whole = rf"(?:0|[1-9][0-9]{{0,30}}|[1-9][0-9]{{0,2}}(?:{groups}))"
    return (
        rf"^-?(?:{_SIGNS} ?)?{whole}(?:[{decimal}][0-9]{{1,30}})?$|^-?{whole}(?:[{decimal}][0-9]{{1,30}})? ?{_SIGNS}$"
    )


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


_EASY = {decimal: _easy(decimal) for decimal in _GROUPS}
_ANY = {decimal: _any(decimal) for decimal in _GROUPS}
_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)


def numbers_in_text(values: pa.StringArray, decimal: str) -> Coerced:
    """Return text as JSON numbers. What says nan or inf is missing; a percentage is refused, as 12 % may be 0.12."""
    text = values
    odd = values.is_valid()
    if decimal == ".":
        odd = pc.and_not(odd, pc.match_substring_regex(values, _PASSES))
    if not pc.any(odd).as_py():
        return Coerced(values, {})
    easy = pc.and_(odd, pc.match_substring_regex(values, _EASY[decimal]))
    if pc.any(easy).as_py():
        bare = pc.replace_substring_regex(text, f"[{_GROUPS[decimal]} ]|{_SIGNS}", "")
        text = pc.if_else(easy, pc.replace_substring(bare, decimal, "."), text)
        odd = pc.and_not(odd, easy)
    text = map_distinct(text, odd, lambda written: _json_number(written, decimal))
    bad = pc.and_(values.is_valid(), text.is_null())
    problems = problems_at(values, bad, "not_a_number", lambda written: _complaint(written, decimal))
    return Coerced(null_where(text, pc.equal(text, "")), problems)


def _json_number(written: str, decimal: str) -> str | None:
    """Return a written number as JSON writes it, "" for one that says it is none, None for any other text."""
    written = written.strip().removeprefix("'").strip().replace("\u2212", "-")
    if _NO_NUMBER.fullmatch(written):
        return ""
    match = _ANY[decimal].fullmatch(written)
    if match is None:
        return None
    part = match.groupdict(default="")
    signs = [one for one in (part["open"], part["sign"], part["inner"]) if one]
    currencies = [one for one in (part["outer"], part["before"], part["after"]) if one]
    if len(signs) > 1 or len(currencies) > 1 or not (part["whole"] or part["part"]):
        return None
    number = "-" if signs and signs[0] != "+" else ""
    number += re.sub(r"\D", "", part["whole"]).lstrip("0") or "0"
    number += f".{part['part']}" if part["part"] else ""
    number += part["exponent"]
    return number if math.isfinite(float(number)) else None


def _complaint(written: str, decimal: str) -> str:
    """Say what is wrong, and what would do where that is known."""
    if written.rstrip().endswith("%") and _json_number(written.rstrip()[:-1], decimal) is not None:
        return "is a percentage, not a number: take the sign off, or send it as a string"
    (other,) = _GROUPS.keys() - {decimal}
    if _json_number(written, other) is not None:
        return f"is not a number with the decimal sign {decimal!r}: if {other!r} is, give decimal: {other!r}"
    return "is not a number"


_PLAIN_DIGITS_BELOW = 1e16
_PLAIN_DIGITS_FROM = 1e-7


def numbers(values: pa.Array, kind: Kind, target: Target) -> Coerced:
    """Return plain values as JSON numbers; of text, see `numbers_in_text`."""
    if kind == "bool":
        return Coerced(pc.if_else(values, "1", "0"), {})
    if kind in ("int", "float", "decimal", "digits"):
        return Coerced(digits(values, kind), {})
    if kind == "text":
        return numbers_in_text(values, target.decimal)
    bad = values.is_valid()
    return Coerced(pa.nulls(len(values), pa.string()), problems_at(values, bad, "not_a_number", "is not a number"))


def digits(values: pa.Array, kind: Kind) -> pa.StringArray:
    """Return ints, floats, decimals or digits as the shortest exact text, with no exponent for everyday magnitudes."""
    text = values.cast(pa.string())
    if kind in ("int", "digits"):
        return text
    if kind == "decimal":
        return map_distinct(text, pc.match_substring(text, "E"), lambda written: format(Decimal(written), "f"))
    with_exponent = pc.match_substring(text, "e")
    if not pc.any(with_exponent).as_py():
        return text
    whole = pc.and_(
        pc.and_(with_exponent, pc.equal(pc.floor(values), values)), pc.less(pc.abs(values), _PLAIN_DIGITS_BELOW)
    )
    ints = null_where(values, pc.invert(whole)).cast(pa.int64(), safe=False)
    text = pc.coalesce(ints.cast(pa.string()), text)
    return map_distinct(text, pc.match_substring(text, "e"), _without_exponent)


def _without_exponent(written: str) -> str:
    exact = Decimal(written)
    return format(exact, "f") if _PLAIN_DIGITS_FROM <= abs(exact) < _PLAIN_DIGITS_BELOW else written
