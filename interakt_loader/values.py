"""What a Python value means to the API, and which text can be an id: one contract for `track` and for tables.

Nothing here loads NumPy, pandas or Arrow. No value takes long: one that fits into no call is refused unread.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import numbers
import re
import sys
from collections.abc import Callable, Mapping, Set
from decimal import Decimal
from enum import Enum
from typing import Any

from interakt_loader.codes import ProblemCode
from interakt_loader.model import LARGEST_BODY, Problem
from interakt_loader.privacy.text import describe_hidden, hidden_in, stripped

LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""

LONGEST_LIST = LARGEST_BODY // 2
"""Items of a list at most: each takes two bytes or more of the call's body."""

LONGEST_TEXT = 1 << 20
"""Bytes of a text above which it is refused unread. A shorter text may still be too large for a call."""

PLAIN_DIGITS_FROM, PLAIN_DIGITS_BELOW = 1e-7, 1e16
"""Floats of these magnitudes are written without an exponent: 0.00001 for 1e-05, and 24 for 24.0."""

WHITE_SPACE_REFUSED = r" {0,2}[\t\r\n][ \t\r\n]*| {3,}[ \t\r\n]*"
"""Runs that the API refuses in text: with a line break or a tab, or of three spaces and more."""

_MOST_BITS = 1024
_MOST_DECIMALS = 400
_HUGE = "is beyond the numbers that JSON readers know (about 1.8e308)"
_YEARS = "is not in the years 1 to 9999"

OUT_OF_RANGE = Problem("out_of_range", f"a number {_HUGE}")
TOO_LONG = Problem("too_large", f"a text of more than a megabyte; a call has {LARGEST_BODY:,} bytes at most")
OBJECT_AS_VALUE = Problem("unsupported_type", "is an object here, not a value")
LIST_IN_A_LIST = Problem("unsupported_type", "a list inside a list cannot be sent")
OBJECT_IN_A_LIST = Problem(
    "unsupported_type", "an object inside a list cannot be sent: make a column of each of its fields"
)


class Narrow(float):
    """A float of 32 bits or fewer, by its own shortest digits: 0.1, not 0.10000000149011612."""

    EXACT_BELOW = 2.0**24
    """From here on 32 bits do not hold every whole number."""


# ------------------------------------------------------------------ what a value means


def meaning(value: Any) -> Any:
    """Return None, a bool, int, float, Decimal, str, datetime, date, time, list or dict; or a `Problem`.

    None means that there is no value: None, NaN and infinities, NaT, NA, blank text. Numbers are finite, text is
    Unicode, and a datetime exists on its zone's clock. An enum's member, a NumPy scalar or a UUID means what it holds.
    The items of a list and the values of a dict are not looked at.
    """
    convert = _BY_EXACT_TYPE.get(type(value))
    if convert is not None:
        return convert(value)
    for of, convert in _BY_TYPE:
        if isinstance(value, of):
            return convert(value)
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    if library == "numpy":
        return _numpy(value)
    if library == "pandas":
        return _pandas(value, name)
    if library == "pyarrow" and callable(getattr(value, "as_py", None)):
        return _arrow(value)
    uuid = sys.modules.get("uuid")
    if uuid is not None and isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, numbers.Integral):
        return _int(int(value))
    return _unsupported(value)


def item_meaning(item: Any) -> Any:
    """Return what an item of a list means; a list or an object in a list is a `Problem`."""
    found = meaning(item)
    if isinstance(found, list):
        return LIST_IN_A_LIST
    return OBJECT_IN_A_LIST if isinstance(found, Mapping) else found


def sendable(value: Any) -> Any:
    """Return a value as JSON has it: bool, int, float, Decimal, str or a list of these; None is left out.

    A `Problem` says why the value cannot be sent. Line breaks, tabs and runs of spaces in text become one space.
    Tables do the same a column at a time (`columns.coerce`).
    """
    found = meaning(value)
    if isinstance(found, Mapping):
        return OBJECT_AS_VALUE
    if not isinstance(found, list):
        return _json_value(found)
    items = [item_meaning(item) for item in found]
    problem = next((item for item in items if isinstance(item, Problem)), None)
    return problem or [_json_value(item) for item in items if item is not None]


def _json_value(value: Any) -> Any:
    """Return what `meaning` returned for a scalar as JSON has it."""
    if isinstance(value, str):
        return with_single_spaces(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < PLAIN_DIGITS_BELOW:
            return int(value)
        # a Decimal is written without an exponent, a float below 0.0001 with one
        return Decimal(repr(value)) if PLAIN_DIGITS_FROM <= abs(value) < 1e-4 else value
    if isinstance(value, dt.datetime):
        return instant_text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("milliseconds").removesuffix(".000")
    return value


def json_text(value: Any) -> str:
    """Return a sendable value, or a dict of such, as JSON; decimals digit for digit."""
    try:
        return _encode(value)
    except TypeError:
        # there is a Decimal in it
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, dict):
            return "{" + ",".join([f"{_encode(name)}:{json_text(member)}" for name, member in value.items()]) + "}"
        return "[" + ",".join(map(json_text, value)) + "]"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def with_single_spaces(text: str) -> str:
    """Return text with each run of white space that the API refuses as one space."""
    if text.isprintable() and "   " not in text:
        return text
    return re.sub(WHITE_SPACE_REFUSED, " ", text)


def unicode_text(text: str) -> str | None:
    """Return text that UTF-8 can hold, with surrogate pairs joined; None if half of a pair stands alone."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            return None
    return text


def instant_text(moment: dt.datetime) -> str:
    """Return a datetime from `meaning` as ISO 8601 in UTC with milliseconds and Z; without a zone it is UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


# ------------------------------------------------------------------ ids and names

_WORDS = (
    "null|none|nan|nat|nil|undefined|void|[+-]?inf|[+-]?infinity|unknown|unavailable|unassigned|unspecified|missing"
    r"|blank|empty|object object|\\n|#?n[ ./\\_-]?a[.]?"
    "|no[ _-]?(?:data|value)"
    "|not[ _-]?(?:available|applicable|provided|given|known|set|specified|assigned|found|recorded)"
    "|[-–—_.?~]+"
)
_AROUND = r"[\s'\"`(){}<>\[\]]*"

# These patterns are for Python's `re` and for Arrow's RE2 alike.
NULL_WORD = rf"^(?i:{_AROUND}(?:{_WORDS}){_AROUND})$"
"""A word for a missing value, in any case, with brackets or quotes around it.

As an id, a word such as `N/A` would make one customer of many. In a trait it may be a value: see `null_words`.
"""

ERROR_CELL = r"^(?i:#[¡¿]?[a-z_]+(?:/[0a-z])?[!?]|#getting_data|#[nb]v|#n/d|#+|err:[0-9]{3})$"
"""What a spreadsheet shows where a formula failed. `#N/A` is not one: it says that there is no value."""
FORMULA_FAILED = "is what a spreadsheet shows where a formula failed"

EXPONENT = r"^[+-]?(?:[0-9]+[.,][0-9]*[eE][+-]?|[0-9]+[eE]\+)[0-9]{1,3}$"
"""A number whose digits a spreadsheet had no room for. `12E45` is not one: it may be an id."""
LOST_DIGITS = "lost digits in a spreadsheet: read the column as text"


def id_text(text: str) -> str | None:
    """Return an id or a name without white space or invisible characters at its ends; None for a null word."""
    text = stripped(text)
    return None if not text or re.match(NULL_WORD, text) else text


def refusal(text: str) -> str | None:
    """Return why a text cannot be an id, to be read after the text; None if it can."""
    if hidden_in(text) is not None:
        return describe_hidden(text)
    if re.match(EXPONENT, text):
        return LOST_DIGITS
    return FORMULA_FAILED if re.match(ERROR_CELL, text) else None


# ------------------------------------------------------------------ values in messages


def shortened(text: str) -> str:
    """Return a text's repr, at most `LONGEST_SHOWN` characters of it."""
    shown = repr(text[: LONGEST_SHOWN + 1])
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def shown(value: Any) -> str:
    """Return any value as a message shows it: short, and made without the value's own code."""
    if type(value) is str:
        return shortened(value)
    if type(value) is int and value.bit_length() > 256:
        return f"a whole number of {value.bit_length():,} bits"
    if value is None or type(value) in (int, float, bool, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta):
        return str(value)[:LONGEST_SHOWN]
    return type_shown(value)


def type_shown(value: object) -> str:
    """Return the type of a value with its article: `an int`, `a list`."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def full_type(value: object) -> str:
    """Return the type of a value as a program imports it, such as `dask.dataframe.DataFrame`; `an int`; `None`."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return "None" if value is None else type_shown(value)
    parts = kind.__module__.split(".")
    modules = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    # libraries define their types deeper than where they show them; `vars` imports nothing
    shown_in = (one for one in modules if one in sys.modules and vars(sys.modules[one]).get(kind.__name__) is kind)
    return f"{next(shown_in, kind.__module__)}.{kind.__qualname__}"


def not_utf8(raw: bytes) -> Problem:
    """Return the problem of bytes that are not text."""
    readable = raw[: LONGEST_SHOWN + 1].decode(errors="backslashreplace")
    return Problem("not_text", f"{shortened(readable)} is not text in UTF-8")


def _refused(code: ProblemCode, value: Any, reason: str) -> Problem:
    return Problem(code, f"{shown(value)} {reason}")


def _unsupported(value: Any) -> Problem:
    expected = "cannot be sent: expected text, a number, a boolean, a datetime, a date or a list"
    return _refused("unsupported_type", value, expected)


# ------------------------------------------------------------------ Python's own types


def _as_is(value: Any) -> Any:
    return value


def _str(value: str) -> str | Problem | None:
    if type(value) is not str:
        # a subclass may have another `str()` than its own text
        value = str.__str__(value)
    if len(value) > LONGEST_TEXT // 4 and len(value.encode("utf-8", "surrogatepass")) > LONGEST_TEXT:
        return TOO_LONG
    text = unicode_text(value)
    if text is None:
        return _refused("not_text", value, "is not text: it holds half of a surrogate pair")
    return None if not text or text.isspace() else text


def _int(value: int) -> int | Problem:
    return int(value) if value.bit_length() < _MOST_BITS else _refused("out_of_range", value, _HUGE)


def _float(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _decimal(value: Decimal) -> Decimal | Problem | None:
    if not value.is_finite():
        return None
    if value.adjusted() > 307 or int(value.as_tuple().exponent) < -_MOST_DECIMALS:
        reason = f"is beyond the numbers that can be sent: up to 1e308, with {_MOST_DECIMALS} decimals at most"
        return _refused("out_of_range", value, reason)
    # zero has no sign, as in Arrow's decimals
    return value or value.copy_abs()


def _bytes(value: Any) -> str | Problem | None:
    raw = bytes(value)
    try:
        return _str(raw.decode())
    except UnicodeDecodeError:
        return not_utf8(raw)


def _datetime(value: dt.datetime) -> dt.datetime | Problem | None:
    if type(value).__module__.startswith("pandas"):
        if type(value).__name__ == "NaTType":
            return None
        # the nanoseconds are dropped: times are sent in milliseconds
        value = value.to_pydatetime(warn=False)  # type: ignore[attr-defined]  # a pandas Timestamp
    if value.tzinfo is None:
        return value
    if value.utcoffset() is None:
        return value.replace(tzinfo=None)
    try:
        shown_there = value.astimezone(dt.timezone.utc).astimezone(value.tzinfo)
    except OverflowError:
        return _refused("out_of_range", value, _YEARS)
    clock = value.replace(tzinfo=None)
    if shown_there.replace(tzinfo=None) != clock:
        return _refused("datetime_invalid", clock, f"does not exist in {value.tzinfo}: the clock skips it")
    return value


def _time(value: dt.time) -> dt.time | Problem:
    if value.tzinfo is None:
        return value
    return _refused("unsupported_type", value, "cannot be sent: a time of day with a zone needs its date")


def _timedelta(value: dt.timedelta) -> Problem:
    return _refused("unsupported_type", value, "cannot be sent: make a number of it, in a unit that its readers know")


def _list(value: Any) -> list[Any] | Problem:
    if len(value) > LONGEST_LIST:
        return Problem("too_large", f"a list of {len(value):,} items; a call has {LARGEST_BODY:,} bytes at most")
    return list(value)


def _set(value: Set[Any]) -> list[Any] | Problem:
    """Return the items sorted by their text, so that the order repeats."""
    items = _list(value)
    if isinstance(items, Problem):
        return items
    return sorted(map(meaning, items), key=lambda item: "" if isinstance(item, (list, dict)) else str(item))


_BY_TYPE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    # a value that was refused earlier is its Problem
    ((type(None), bool, Problem), _as_is),
    (Enum, lambda value: meaning(value.value)),
    (str, _str),
    (int, _int),
    (float, _float),
    (dt.datetime, _datetime),
    (dt.date, _as_is),
    (Decimal, _decimal),
    ((list, tuple), _list),
    (Mapping, _as_is),
    (Set, _set),
    (dt.time, _time),
    (dt.timedelta, _timedelta),
    ((bytes, bytearray, memoryview), _bytes),
)


_BY_EXACT_TYPE = {
    exact: convert
    for of, convert in _BY_TYPE
    for exact in (of if isinstance(of, tuple) else (of,))
    if exact not in (Enum, Mapping, Set)
} | {dict: _as_is, set: _set, frozenset: _set}
"""The common types, so that they need no search through the others."""


# ------------------------------------------------------------------ other people's types


def _numpy(value: Any) -> Any:
    """Return what a NumPy scalar means, or an array as a list of its items."""
    if getattr(value, "ndim", 0):
        return _list(value)
    kind = value.dtype.kind
    if kind in "mM":
        return _numpy_time(value)
    if kind == "f" and value.dtype.itemsize != 8:
        if not math.isfinite(value):
            return None
        return Narrow(str(value)) if value.dtype.itemsize < 8 else meaning(Decimal(str(value)))
    python = value.tolist()
    return _unsupported(value) if kind == "V" or type(python) is type(value) else meaning(python)


def _numpy_time(value: Any) -> Any:
    if str(value) == "NaT":
        return None
    exact = value
    unit = value.dtype.name
    # `item` makes Python's types of days and microseconds only, and counts of all other units
    if unit != "datetime64[D]":
        value = value.astype(f"{unit.partition('[')[0]}[us]")
    python = value.item()
    if type(python) is int:
        return Problem("out_of_range", f"{str(exact)[:LONGEST_SHOWN].replace('T', ' ')} {_YEARS}")
    return meaning(python)


def _pandas(value: Any, name: str) -> Any:
    if name in ("NAType", "NaTType"):
        return None
    if name in ("Period", "Interval"):
        return str(value)
    if name in ("Series", "Index") or hasattr(value, "tolist"):
        return _list(value.tolist()) if len(value) <= LONGEST_LIST else _list(value)
    return _unsupported(value)


def _arrow(value: Any) -> Any:
    """Return what a scalar of Arrow means; as_py would widen one of 32 or 16 bits to other digits."""
    python = value.as_py()
    if type(python) is float and str(value.type) in ("float", "halffloat"):
        import numpy as np

        python = (np.float32 if str(value.type) == "float" else np.float16)(python)
    return meaning(python)
