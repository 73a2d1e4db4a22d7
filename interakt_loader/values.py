"""What text can be an id, a phone or the name of an event: words for a missing value, lost digits, a failed formula.

As the id of a customer a word such as `N/A` would make one customer of many. In a trait it may be a value: that is for
`mapping.null_words`. The patterns are for Python's `re` and for Arrow's RE2 alike.

What a Python value means to the API: one contract for `track` and for tables that hold Python objects.

`meaning` reduces a value to one of a few plain types: an enum's member, a NumPy scalar or a UUID to what it holds, a
missing value to None, and what the API has no type for to a `Problem`. `sendable` goes on to JSON values, for one call
at a time; tables do that a column at a time (`coerce`). Both give the same JSON. Nothing here loads NumPy, pandas or
Arrow, and no value takes long: what cannot fit into a call is refused before its content is read.
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

_WORDS = (
    "null|none|nan|nat|nil|undefined|void|[+-]?inf|[+-]?infinity|unknown|unavailable|unassigned|unspecified|missing"
    r"|blank|empty|object object|\\n|#?n[ ./\\_-]?a[.]?"
    "|no[ _-]?(?:data|value)"
    "|not[ _-]?(?:available|applicable|provided|given|known|set|specified|assigned|found|recorded)"
    "|[-–—_.?~]+"
)
_AROUND = r"[\s'\"`(){}<>\[\]]*"

NULL_WORD = rf"^(?i:{_AROUND}(?:{_WORDS}){_AROUND})$"
"""A word that stands for nothing, in any case, with brackets or quotes around it."""

ERROR_CELL = r"^(?i:#[¡¿]?[a-z_]+(?:/[0a-z])?[!?]|#getting_data|#[nb]v|#n/d|#+|err:[0-9]{3})$"
"""What a spreadsheet shows where a formula failed. `#N/A` is none: there the formula says that there is nothing."""
FORMULA_FAILED = "is what a spreadsheet shows where a formula failed"

EXPONENT = r"^[+-]?(?:[0-9]+[.,][0-9]*[eE][+-]?|[0-9]+[eE]\+)[0-9]{1,3}$"
"""How a spreadsheet, or a program, writes a number whose digits it has no room for; `12E45` may well be an id."""
LOST_DIGITS = "lost digits in a spreadsheet: read the column as text"

_REFUSED = ((re.compile(EXPONENT), LOST_DIGITS), (re.compile(ERROR_CELL), FORMULA_FAILED))
_NULL_WORD = re.compile(NULL_WORD)


def id_text(text: str) -> str | None:
    """Return an id or a name without white space or what is invisible at its ends; None if it stands for nothing."""
    text = stripped(text)
    return None if not text or _NULL_WORD.match(text) else text


def refusal(text: str) -> str | None:
    """Say, to be read behind it, why a text can be no id; None if it can."""
    if hidden_in(text) is not None:
        return describe_hidden(text)
    return next((said for pattern, said in _REFUSED if pattern.match(text)), None)


LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""

LONGEST_LIST = LARGEST_BODY // 2
"""Items of a list at most: each takes two bytes or more of the call's body."""

LONGEST_TEXT = 1 << 20
"""Bytes of a text from which on it is refused without a look at its content. Shorter ones may still be too large."""

WHITE_SPACE_REFUSED = re.compile(r" {0,2}[\t\r\n][ \t\r\n]*| {3,}[ \t\r\n]*")
"""Runs that the API refuses in text: with a line break or a tab, or of three spaces and more."""

_BITS_AT_MOST = 1024
_DIGITS_AT_MOST = 400
"""Digits before and after the decimal point that a number may have."""
_HUGE = "is beyond the numbers that JSON readers know (about 1.8e308)"
_PLAIN_DIGITS_BELOW = 1e16
"""Up to here a whole number is written without an exponent or a fraction: 24 for 24.0."""


class Narrow(float):
    """A float of 32 bits or fewer, by its own shortest digits: 0.1, not 0.10000000149011612."""

    EXACT_BELOW = 2.0**24
    """From here on it no longer tells whole numbers apart."""


def meaning(value: Any) -> Any:
    """Return None, a bool, int, float, Decimal, str, datetime, date, time, list or dict; or a `Problem`.

    None stands for every way to say that there is no value: None, NaN and infinities, NaT, NA, blank text. Numbers
    are finite, text is Unicode, a datetime exists on its zone's clock. The items of a list and the values of a dict
    are not looked at.
    """
    convert = _BY_EXACT_TYPE.get(type(value))
    if convert is not None:
        return convert(value)
    for of, convert in _BY_TYPE:
        if isinstance(value, of):
            return convert(value)
    home, name = type(value).__module__.partition(".")[0], type(value).__name__
    if home == "numpy":
        return _numpy(value)
    if home == "pandas":
        return _pandas(value, name)
    if home == "pyarrow" and callable(getattr(value, "as_py", None)):
        return meaning(value.as_py())
    uuid = sys.modules.get("uuid")
    if uuid is not None and isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, numbers.Integral):
        return _int(int(value))
    return _no_type_for(value)


def sendable(value: Any) -> Any:
    """Return a value as JSON has it: bool, int, float, Decimal, str or a list of these; None is left out.

    A `Problem` says why it cannot be sent. Line breaks, tabs and runs of spaces in text become one space.
    """
    found = meaning(value)
    if not isinstance(found, list):
        return IN_PLACE_OF_A_VALUE if isinstance(found, Mapping) else _scalar(found)
    items = []
    for one in found:
        item = meaning(one)
        if isinstance(item, (list, Mapping)):
            return NOT_IN_A_LIST[list if isinstance(item, list) else dict]
        if isinstance(item, Problem):
            return item
        if item is not None:
            items.append(_scalar(item))
    return items


def json_text(value: Any) -> str:
    """Return a sendable value, or a dict of such, as JSON; decimals digit for digit."""
    try:
        return _encode(value)
    except TypeError:  # a Decimal
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, dict):
            return "{" + ",".join([f"{_encode(name)}:{json_text(one)}" for name, one in value.items()]) + "}"
        return "[" + ",".join(map(json_text, value)) + "]"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def tidy(text: str) -> str:
    """Return text with the runs of white space that the API refuses made one space."""
    if text.isprintable() and "   " not in text:
        return text
    return WHITE_SPACE_REFUSED.sub(" ", text)


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
    """Return what `meaning` says is a datetime as ISO 8601 in UTC with milliseconds and Z; without a zone it is UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


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
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


# ------------------------------------------------------------------ what cannot be sent

IN_PLACE_OF_A_VALUE = Problem("unsupported_type", "is an object here, not a value")
NOT_IN_A_LIST: dict[type, Problem] = {
    list: Problem("unsupported_type", "a list inside a list cannot be sent"),
    dict: Problem("unsupported_type", "an object inside a list cannot be sent: make a column of each of its fields"),
}
OUT_OF_RANGE = Problem("out_of_range", f"a number {_HUGE}")


TOO_LONG = Problem("too_large", f"a text of more than a megabyte; a call has {LARGEST_BODY:,} bytes at most")


def _no_type_for(value: Any) -> Problem:
    said = "cannot be sent: expected text, a number, a boolean, a datetime, a date or a list"
    return Problem("unsupported_type", f"{shown(value)} {said}")


def _refused(code: ProblemCode, value: Any, said: str) -> Problem:
    return Problem(code, f"{shown(value)} {said}")


# ------------------------------------------------------------------ Python's own types


def _str(value: str) -> str | Problem | None:
    if type(value) is not str:
        value = str.__str__(value)  # a subclass may have another `str()` than its own text
    if len(value) > LONGEST_TEXT // 4 and len(value.encode("utf-8", "surrogatepass")) > LONGEST_TEXT:
        return TOO_LONG
    text = unicode_text(value)
    if text is None:
        return _refused("not_text", value, "is not text: it holds half of a surrogate pair")
    return None if not text or text.isspace() else text


def _int(value: int) -> int | Problem:
    return int(value) if value.bit_length() < _BITS_AT_MOST else _refused("out_of_range", value, _HUGE)


def _float(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _decimal(value: Decimal) -> Decimal | Problem | None:
    if not value.is_finite():
        return None
    if value.adjusted() > 307 or int(value.as_tuple().exponent) < -_DIGITS_AT_MOST:
        said = f"is beyond the numbers that can be sent: up to 1e308, with {_DIGITS_AT_MOST} decimals at most"
        return _refused("out_of_range", value, said)
    return value


def _bytes(value: Any) -> str | Problem | None:
    raw = bytes(value)
    try:
        return _str(raw.decode())
    except UnicodeDecodeError:
        return not_utf8(raw)


def not_utf8(raw: bytes) -> Problem:
    """Return the problem of bytes that are no text."""
    readable = raw[: LONGEST_SHOWN + 1].decode(errors="backslashreplace")
    return Problem("not_text", f"{shortened(readable)} is not text in UTF-8")


def _datetime(value: dt.datetime) -> dt.datetime | Problem | None:
    if type(value).__module__.startswith("pandas"):
        if type(value).__name__ == "NaTType":
            return None
        value = value.to_pydatetime(warn=False)  # type: ignore[attr-defined] # of nanoseconds, which no JSON here keeps
    if value.tzinfo is None:
        return value
    if value.utcoffset() is None:
        return value.replace(tzinfo=None)
    try:
        seen = value.astimezone(dt.timezone.utc).astimezone(value.tzinfo)
    except OverflowError:
        return _refused("out_of_range", value, "is not in the years 1 to 9999")
    if seen.replace(tzinfo=None) != value.replace(tzinfo=None):
        clock = value.replace(tzinfo=None)
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
    """Return the items in an order that repeats."""
    items = _list(value)
    if isinstance(items, Problem):
        return items
    return sorted(map(meaning, items), key=lambda one: "" if isinstance(one, (list, dict)) else str(one))


def _same(value: Any) -> Any:
    return value


_BY_TYPE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, Problem), _same),  # a Problem: what has been refused stays so
    (Enum, lambda value: meaning(value.value)),
    (str, _str),
    (int, _int),
    (float, _float),
    (dt.datetime, _datetime),
    (dt.date, _same),
    (Decimal, _decimal),
    ((list, tuple), _list),
    (Mapping, _same),
    (Set, _set),
    (dt.time, _time),
    (dt.timedelta, _timedelta),
    ((bytes, bytearray, memoryview), _bytes),
)


_BY_EXACT_TYPE = {
    one: convert
    for of, convert in _BY_TYPE
    for one in (of if isinstance(of, tuple) else (of,))
    if one not in (Enum, Mapping, Set)
} | {dict: _same, set: _set, frozenset: _set}
"""Saves the common types the search through the others."""


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
    plain = value.tolist()
    return _no_type_for(value) if kind == "V" or type(plain) is type(value) else meaning(plain)


def _numpy_time(value: Any) -> Any:
    if str(value) == "NaT":
        return None
    unit = value.dtype.name
    if unit != "datetime64[D]":  # of finer or longer units `item` makes bare counts
        value = value.astype(f"{unit.partition('[')[0]}[us]")
    plain = value.item()
    return _refused("out_of_range", plain, "is not in the years 1 to 9999") if type(plain) is int else meaning(plain)


def _pandas(value: Any, name: str) -> Any:
    if name in ("NAType", "NaTType"):
        return None
    if name in ("Period", "Interval"):
        return str(value)
    if name in ("Series", "Index") or hasattr(value, "tolist"):
        return _list(value.tolist()) if len(value) <= LONGEST_LIST else _list(value)
    return _no_type_for(value)


# ------------------------------------------------------------------ JSON


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _PLAIN_DIGITS_BELOW else value
    if isinstance(value, dt.datetime):
        return instant_text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("milliseconds").removesuffix(".000")
    return value
