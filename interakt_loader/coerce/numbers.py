"""Numbers, booleans and text as JSON numbers."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.number_text import numbers_in_text
from interakt_loader.coerce.slow_lane import rewritten
from interakt_loader.coerce.target import Coerced, Target
from interakt_loader.plain import Kind, problems_at, without

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
