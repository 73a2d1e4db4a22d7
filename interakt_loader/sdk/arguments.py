"""The arguments of `track.user` and `track.event` → JSON bodies. Pure; a bad argument raises and is named.

The table loader's coercion works on Arrow columns; here there is one call at a time and no Arrow, and the rules are
the vendor's SDK's: an identity is needed, phones are digits, the country code must exist.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import numbers
import re
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any

from interakt_loader.errors import BadArgument, BadArgumentType
from interakt_loader.wire import Kind

_DROP = object()
"""Stands for a value that is left out: None, NaN, NaT, an infinity."""

_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?\s?(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)


def body_of(
    kind: Kind,
    *,
    user_id: Any,
    country_code: Any,
    phone_number: Any,
    traits: Any,
    created_at: Any,
    event: Any = None,
) -> dict[str, Any]:
    """Return the body of a call as a dict of JSON values.

    Raises `BadArgument` (a ValueError) or `BadArgumentType` (a TypeError as well), naming the argument.
    """
    user = _identity("user_id", user_id)
    phone = _identity("phone_number", phone_number)
    if user is None and phone is None:
        raise BadArgument("either user_id or phone_number (with country_code) is needed")
    body: dict[str, Any] = {}
    if user is not None:
        body["userId"] = user
    if phone is not None:
        if not (phone.isascii() and phone.isdigit()):
            raise BadArgument(f"phone_number is {phone!r}; expected digits only, without the country code")
        body["countryCode"] = _country_code(country_code)
        body["phoneNumber"] = phone
    if kind == "event":
        if not isinstance(event, str):
            raise BadArgumentType(f"event is {event!r}; expected the event's name as text")
        if not event.strip():
            raise BadArgument("event is empty; expected the event's name")
        body["event"] = _text("event", event)
    if traits is not None and not isinstance(traits, Mapping):
        raise BadArgumentType(f"traits is a {type(traits).__name__}; expected a dict")
    body["traits"] = _object("traits", traits or {})
    created = _created_at(created_at)
    if created is not None:
        body["createdAt"] = created
    return body


def encoded(body: dict[str, Any]) -> bytes:
    """Return a body as the bytes to send."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _identity(name: str, value: Any) -> str | None:
    if value is None or value is False or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return _text(name, value.strip())
    value = _scalar(value)
    if value is _DROP:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise BadArgumentType(f"{name} is a {type(value).__name__}; expected text or a whole number")
    if not isinstance(value, int) and not math.isfinite(value):
        return None
    whole = int(value)
    if whole != value or (isinstance(value, float) and abs(whole) >= 2**53):  # there floats skip whole numbers
        raise BadArgument(f"{name} is {value!r}; expected text or a whole number")
    return str(whole)


def _country_code(value: Any) -> str:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if text is None:
        raise BadArgumentType(f"country_code is {value!r}; expected text such as '+91'")
    digits = text.removeprefix("+")
    plausible = digits.isascii() and digits.isdigit() and len(digits) <= 5
    if not plausible or int(digits) not in COUNTRY_CODE_TO_REGION_CODE:
        raise BadArgument(f"country_code is {value!r}; expected a country's dialling code such as '+91'")
    return f"+{int(digits)}"


def _created_at(value: Any) -> str | None:
    value = _scalar(value)
    if value is None or value is _DROP:
        return None
    if isinstance(value, dt.datetime):
        return _iso("created_at", value)
    if isinstance(value, dt.date):
        return f"{value.isoformat()}T00:00:00.000Z"
    if isinstance(value, str):
        return _iso("created_at", _moment(value))
    raise BadArgumentType(f"created_at is {value!r}; expected a datetime, a date or ISO-8601 text")


def _moment(text: str) -> dt.datetime:
    """Read ISO-8601 text; `fromisoformat` alone reads fewer forms of it, the older Python is the fewer."""
    bad = BadArgument(f"created_at is {text!r}; expected ISO-8601 such as '2025-03-27T13:26:52.926Z'")
    match = _ISO_8601.fullmatch(text.strip())
    if match is None:
        raise bad
    day, minutes, seconds, fraction, utc, hours_off, minutes_off = match.groups(default="")
    zone = "+00:00" if utc else f"{hours_off}:{minutes_off or '00'}" if hours_off else ""
    clock = f"{minutes or '00:00'}{seconds or ':00'}.{fraction[:6]:0<6}"
    try:
        return dt.datetime.fromisoformat(f"{day}T{clock}{zone}")
    except ValueError:
        raise bad from None


def _object(path: str, traits: Mapping[Any, Any]) -> dict[str, Any]:
    out = {}
    for name, value in traits.items():
        if not isinstance(name, str):
            raise BadArgumentType(f"{path}: the name {name!r} is no text")
        converted = _value(f"{path}[{name!r}]", value)
        if converted is not _DROP:
            out[_text(path, name)] = converted
    return out


def _value(path: str, value: Any) -> Any:
    """Convert one trait: text, number, boolean, datetime, date, list; None and NaN are left out."""
    value = _scalar(value)
    if value is None or value is _DROP:
        return _DROP
    if isinstance(value, str):
        return _text(path, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            return _DROP
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else _DROP
    if isinstance(value, dt.datetime):
        return _iso(path, value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Set):
        return _list(path, sorted(value, key=str))
    if isinstance(value, (list, tuple)):
        return _list(path, value)
    if isinstance(value, Mapping):  # the vendor's SDK passes these on as they are; the API judges them
        return _object(path, value)
    raise BadArgumentType(
        f"{path} is a {type(value).__name__}; expected text, a number, a boolean, a datetime, a date or a list"
    )


def _list(path: str, values: Any) -> list[Any]:
    converted = (_value(f"{path}[{position}]", one) for position, one in enumerate(values))
    return [one for one in converted if one is not _DROP]


def _text(path: str, value: str) -> str:
    """Return text as a plain `str` (an enum's member, say, has another `str()` than its own text)."""
    value = str.__str__(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadArgument(f"{path} holds text that is no Unicode: {value!r}") from None
    return value


def _scalar(value: Any) -> Any:
    """Unwrap NumPy's scalars and arrays, pandas' timestamps and missing values, without importing either."""
    home, name = type(value).__module__.partition(".")[0], type(value).__name__
    if home == "pandas" and name in ("NAType", "NaTType"):
        return _DROP
    if home == "pandas" and name == "Timestamp":
        return value.to_pydatetime(warn=False)  # of the nanoseconds, which no JSON here keeps
    if home == "numpy":
        return _numpy(value)
    return value


def _numpy(value: Any) -> Any:
    """Return a NumPy scalar as Python's own, an array as a list of NumPy scalars."""
    if getattr(value, "ndim", 0):
        return list(value)
    kind = value.dtype.kind
    if kind in "mM":  # of finer or longer units `item` makes bare counts
        if kind == "M" and value.dtype.name == "datetime64[D]":
            moment = value.item()
        else:
            moment = value.astype(f"{value.dtype.name.partition('[')[0]}[us]").item()
        return _DROP if moment is None else value if isinstance(moment, int) else moment
    if kind == "f" and value.dtype.itemsize < 8:
        return float(str(value))  # 0.1, not 0.10000000149011612
    return value.tolist()


def _iso(path: str, moment: dt.datetime) -> str:
    """Return ISO-8601 in UTC with milliseconds and Z; a moment without a zone is taken as UTC."""
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(dt.timezone.utc).replace(tzinfo=None)
        except OverflowError:
            raise BadArgument(f"{path} is {moment}, which in UTC is outside of the years 1 to 9999") from None
    return moment.isoformat(timespec="milliseconds") + "Z"
