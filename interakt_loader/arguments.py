"""The arguments of `track.user` and `track.event` → JSON bodies. Pure. A bad argument raises an error that names it.

`values` decides what a trait's value means, for tables too. The other rules are those of the vendor's SDK: an identity
is required, phones are digits, and the country code must exist.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from interakt_loader.errors import BadArgument, BadArgumentType
from interakt_loader.model import LARGEST_BODY, Kind, Problem
from interakt_loader.values import (
    LONGEST_LIST,
    Narrow,
    id_text,
    instant_text,
    json_text,
    meaning,
    refusal,
    sendable,
    shortened,
    shown,
    type_shown,
    unicode_text,
)

_ISO_8601 = re.compile(
    r"(\d{4})(-\d\d-\d\d)(?:[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?:(:[0-5]\d)(?:\.(\d+))?)?"
    r" ?(?:([Zz]|UTC|GMT)|([+-](?:[01]\d|2[0-3]))(?::?([0-5]\d))?)?)?",
    re.ASCII,
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
            raise BadArgument(f"phone_number is {shown(phone)}; expected digits only, without the country code")
        body["countryCode"] = _country_code(country_code)
        body["phoneNumber"] = phone
    if kind == "event":
        if not isinstance(event, str):
            raise BadArgumentType(f"event is {shown(event)}; expected the event's name as text")
        name = _name("event", event)
        if name is None:
            raise BadArgument(f"event is {shown(event)}; expected the event's name")
        body["event"] = name
    if traits is not None and not isinstance(traits, Mapping):
        raise BadArgumentType(f"traits is {type_shown(traits)}; expected a dict")
    body["traits"] = _traits(traits or {})
    created = _created_at(created_at)
    if created is not None:
        body["createdAt"] = created
    return body


def encoded(body: dict[str, Any]) -> bytes:
    """Return a body as the bytes to send. Raises `BadArgument` for one that is larger than the API accepts."""
    body_bytes = json_text(body).encode()
    if len(body_bytes) > LARGEST_BODY:
        text = f"the call has {len(body_bytes):,} bytes, and the API takes {LARGEST_BODY:,} at most"
        raise _error("traits", Problem("too_large", text))
    return body_bytes


def _identity(name: str, value: Any) -> str | None:
    found = None if value is False else _meaning(name, value)
    if found is None:
        return None
    if isinstance(found, str):
        return _name(name, found)
    if isinstance(found, bool) or not isinstance(found, (int, float, Decimal)):
        raise BadArgumentType(f"{name} is {shown(value)}; expected text or a whole number")
    whole = int(found)
    # from there on, floats cannot hold every whole number
    exact_below = Narrow.EXACT_BELOW if isinstance(found, Narrow) else 2.0**53
    if whole != found or (isinstance(found, float) and abs(whole) >= exact_below):
        raise BadArgument(f"{name} is {shown(value)}; expected text or a whole number")
    return str(whole)


def _name(argument: str, value: str) -> str | None:
    """Return an id or an event's name as text; None if the value means that there is none, as in tables."""
    meant = _meaning(argument, value)
    text = None if meant is None else id_text(meant)
    reason = None if text is None else refusal(text)
    if reason is not None:
        raise BadArgument(f"{argument} {text!r} {reason}")
    return text


def _country_code(value: Any) -> str:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    found = _meaning("country_code", value)
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        raise BadArgumentType(f"country_code is {shown(value)}; expected text such as '+91'")
    digits = str(found).strip().removeprefix("+")
    plausible = digits.isascii() and digits.isdigit() and len(digits) <= 5
    if not plausible or int(digits) not in COUNTRY_CODE_TO_REGION_CODE:
        raise BadArgument(f"country_code is {shown(value)}; expected a country's dialling code such as '+91'")
    return f"+{int(digits)}"


def _created_at(value: Any) -> str | None:
    found = _meaning("created_at", value)
    if isinstance(found, str):
        found = _meaning("created_at", _moment(found))
    if isinstance(found, dt.datetime):
        return instant_text(found)
    if isinstance(found, dt.date):
        return f"{found.isoformat()}T00:00:00.000Z"
    if found is None:
        return None
    error = BadArgumentType(f"created_at is {shown(value)}; expected a datetime, a date or ISO-8601 text")
    error.code = "not_a_datetime"
    raise error


def _moment(text: str) -> dt.datetime | Problem:
    """Parse ISO-8601 text. `fromisoformat` alone accepts other forms in each version of Python."""
    bad = Problem("not_a_datetime", f"{shortened(text)} is not ISO-8601 such as '2025-03-27T13:26:52.926Z'")
    match = _ISO_8601.fullmatch(text.strip().removeprefix("'").strip())
    if match is None:
        return bad
    year, day, minutes, seconds, fraction, utc, hours_off, minutes_off = match.groups(default="")
    zone = "+00:00" if utc else f"{hours_off}:{minutes_off or '00'}" if hours_off else ""
    clock = f"{minutes or '00:00'}{seconds or ':00'}.{fraction[:6]:0<6}"
    try:
        moment = dt.datetime.fromisoformat(f"{'2000' if year == '0000' else year}{day}T{clock}{zone}")
    except ValueError:
        return bad
    return Problem("out_of_range", f"{shortened(text)} is not in the years 1 to 9999") if year == "0000" else moment


def _traits(traits: Mapping[Any, Any]) -> dict[str, Any]:
    if len(traits) > LONGEST_LIST:
        raise _error(
            "traits", Problem("too_large", f"{len(traits):,} traits; a call has {LARGEST_BODY:,} bytes at most")
        )
    out = {}
    for name, value in traits.items():
        if not isinstance(name, str):
            raise BadArgumentType(f"traits: the name {shown(name)} is no text")
        text = unicode_text(str.__str__(name))
        if text is None:
            problem = f"the name {shortened(name)} is not text: it holds half of a surrogate pair"
            raise _error("traits", Problem("not_text", problem))
        found = sendable(value)
        if isinstance(found, Problem):
            raise _error(f"traits[{shortened(text)}]", found)
        if found is not None:
            out[text] = found
    return out


def _meaning(path: str, value: Any) -> Any:
    """Return the meaning of the argument at `path`. Raises `BadArgument` if it has none."""
    found = meaning(value)
    if isinstance(found, Problem):
        raise _error(path, found)
    return found


def _error(path: str, problem: Problem) -> BadArgument:
    error = (BadArgumentType if problem.code == "unsupported_type" else BadArgument)(f"{path}: {problem.message}")
    error.code = problem.code
    return error
