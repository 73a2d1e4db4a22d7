"""Numbers, and text that is a number, as JSON numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.slow_lane import rewritten
from interakt_loader.coerce.target import Coerced
from interakt_loader.plain import Kind, problems_at, without

# Text that is a JSON number as it stands, short enough to be a finite one.
_PASSES = r"^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$"

_WRITTEN = re.compile(
    r"""([+-]?)
    ( \d{1,3}(?:,\d{3})+        # 1,299,000
    | \d{1,2}(?:,\d{2})+,\d{3}  # 12,99,000
    | \d* )
    (?:\.(\d*))?
    ([eE][+-]?\d+)?""",
    re.VERBOSE | re.ASCII,
)
_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)

_PLAIN_DIGITS_BELOW = 1e16
_PLAIN_DIGITS_FROM = 1e-7


def numbers(values: pa.Array, kind: Kind) -> Coerced:
    """Return plain values as JSON numbers. Text that says nan or inf is missing, as such floats are."""
    if kind == "bool":
        return Coerced(pc.if_else(values, "1", "0"), {})
    if kind in ("int", "float", "decimal"):
        return Coerced(digits(values, kind), {})
    if kind == "text":
        return _from_text(values)
    bad = values.is_valid()
    return Coerced(pa.nulls(len(values), pa.string()), problems_at(values, bad, "not_a_number", "is not a number"))


def digits(values: pa.Array, kind: Kind) -> pa.StringArray:
    """Return ints, floats or decimals as the shortest exact text, with no exponent for everyday magnitudes."""
    text = values.cast(pa.string())
    if kind == "int":
        return text
    if kind == "decimal":
        return rewritten(text, pc.match_substring(text, "E"), lambda written: format(Decimal(written), "f"))
    with_exponent = pc.match_substring(text, "e")
    if not pc.any(with_exponent).as_py():
        return text
    whole = pc.and_(
        pc.and_(with_exponent, pc.equal(pc.floor(values), values)), pc.less(pc.abs(values), _PLAIN_DIGITS_BELOW)
    )
    ints = without(values, pc.invert(whole)).cast(pa.int64(), safe=False)
    text = pc.coalesce(ints.cast(pa.string()), text)
    return rewritten(text, pc.match_substring(text, "e"), _without_exponent)


def _without_exponent(written: str) -> str:
    exact = Decimal(written)
    return format(exact, "f") if _PLAIN_DIGITS_FROM <= abs(exact) < _PLAIN_DIGITS_BELOW else written


def _from_text(values: pa.StringArray) -> Coerced:
    odd = pc.invert(pc.match_substring_regex(values, _PASSES)).fill_null(False)
    if not pc.any(odd).as_py():
        return Coerced(values, {})
    text = rewritten(values, odd, _mended)
    bad = pc.and_(values.is_valid(), text.is_null())
    return Coerced(without(text, pc.equal(text, "")), problems_at(values, bad, "not_a_number", "is not a number"))


def _mended(written: str) -> str | None:
    """Return a written number as JSON writes it, "" for one that says it is none, None for any other text."""
    written = written.strip()
    if _NO_NUMBER.fullmatch(written):
        return ""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        return None
    sign, whole, fraction, exponent = match.groups(default="")
    if not whole and not fraction:
        return None
    number = "-" if sign == "-" else ""
    number += whole.replace(",", "").lstrip("0") or "0"
    number += f".{fraction}" if fraction else ""
    number += exponent
    return number if math.isfinite(float(number)) else None
