"""Booleans, and what people write for them, as JSON booleans."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.target import Coerced
from interakt_loader.plain import Kind, problems_at

_TRUE = pa.array(["yes", "true", "y", "t", "on", "1"])
_FALSE = pa.array(["no", "false", "n", "f", "off", "0"])
_COMPLAINT = "is not yes/no, true/false, y/n, t/f, on/off or 1/0"


def booleans(values: pa.Array, kind: Kind) -> Coerced:
    """Return plain values as JSON booleans; numbers have to be 0 or 1."""
    if kind == "bool":
        return Coerced(_json(values), {})
    if kind == "text":
        word = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        true, false = pc.is_in(word, _TRUE), pc.is_in(word, _FALSE)
    elif kind in ("int", "float", "decimal", "digits"):
        number = values.cast(pa.float64(), safe=False)
        true, false = pc.equal(number, 1.0), pc.equal(number, 0.0)
    else:
        true = false = pc.is_null(pa.repeat(False, len(values)))
    known = pc.or_(true, false).fill_null(False)
    bad = pc.and_not(values.is_valid(), known)
    json = _json(pc.if_else(known, true, pa.scalar(None, pa.bool_())))
    return Coerced(json, problems_at(values, bad, "not_a_boolean", _COMPLAINT))


def _json(values: pa.BooleanArray) -> pa.StringArray:
    return pc.if_else(values, "true", "false")
