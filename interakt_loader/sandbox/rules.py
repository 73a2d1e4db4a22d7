"""What the API takes as a body. Pure; strict where the documents are, and *assumed* strict where they are silent."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

USER_FIELDS = frozenset({"userId", "phoneNumber", "countryCode", "fullPhoneNumber", "traits", "tags", "createdAt"})
EVENT_FIELDS = (USER_FIELDS - {"tags"}) | {"event"}

_PHONE = re.compile(r"[1-9][0-9]*")
_COUNTRY_CODE = re.compile(r"\+[1-9][0-9]{0,3}")
_ISO_8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?", re.ASCII
)


class Refusal(Exception):
    """The body is not taken; the text is the 400's message."""


class Record(NamedTuple):
    """A body that the API takes."""

    user_id: str | None
    country_code: str | None
    phone: str | None
    full_phone: str | None
    """`+` and the whole number, however it was sent."""
    event: str | None
    """None in a user call."""
    traits: dict[str, Any]
    tags: list[str]
    created_at: str | None

    @property
    def identities(self) -> tuple[str, ...]:
        """The user's names in the sandbox: userId, then `+` and the whole phone number."""
        return tuple(name for name in (self.user_id, self.full_phone) if name is not None)


def _no_number(name: str) -> NoReturn:
    raise Refusal(f"{name} is no JSON")


# One decoder for all calls: `json.loads` with any option builds a new one each time.
_decode = json.JSONDecoder(parse_constant=_no_number).decode


def read_user(body: bytes) -> Record:
    """Return the record in a user call's body. Raises `Refusal`."""
    return _record(_object(body, USER_FIELDS), event=None)


def read_event(body: bytes) -> Record:
    """Return the record in an event call's body. Raises `Refusal`."""
    fields = _object(body, EVENT_FIELDS)
    event = fields.get("event")
    if not isinstance(event, str) or not event.strip():
        raise Refusal("event is required and must be a non-empty string")
    return _record(fields, event)


def _object(body: bytes, known: frozenset[str]) -> dict[str, Any]:
    try:
        fields = _decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal("The body is not valid JSON") from None
    if not isinstance(fields, dict):
        raise Refusal("The body must be a JSON object")
    if not fields.keys() <= known:
        unknown = next(name for name in fields if name not in known)
        raise Refusal(f"{unknown} is not a field of this call")
    return fields


def _record(fields: dict[str, Any], event: str | None) -> Record:
    user_id = _text(fields, "userId")
    country_code = _text(fields, "countryCode")
    phone = _text(fields, "phoneNumber")
    full_phone = _text(fields, "fullPhoneNumber")
    if country_code is not None and not _COUNTRY_CODE.fullmatch(country_code):
        raise Refusal("countryCode must be + and one to four digits")
    if full_phone is not None:
        if phone is not None or country_code is not None:
            raise Refusal("fullPhoneNumber cannot be sent together with phoneNumber or countryCode")
        if not _PHONE.fullmatch(full_phone):
            raise Refusal("fullPhoneNumber must be digits with the country code, without +")
        full_phone = f"+{full_phone}"
    elif phone is not None:
        if not _PHONE.fullmatch(phone):
            raise Refusal("phoneNumber must be digits without the country code and without a leading 0")
        if country_code is None:
            raise Refusal("countryCode is required with phoneNumber")
        full_phone = country_code + phone
    elif user_id is None:
        raise Refusal("Either userId or phoneNumber with countryCode is required")
    created_at = _text(fields, "createdAt")
    if created_at is not None and not _is_iso_8601(created_at):
        raise Refusal("createdAt must be an ISO-8601 date or time")
    traits = fields.get("traits", {})
    if not isinstance(traits, dict):
        raise Refusal("traits must be an object")
    for name, value in traits.items():
        _check_trait(name, value)
    tags = fields.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise Refusal("tags must be a list of strings")
    return Record(user_id, country_code, phone, full_phone, event, traits, tags, created_at)


def _text(fields: dict[str, Any], name: str) -> str | None:
    """Return a field that is a non-empty string, or None where it is left out."""
    if name not in fields:
        return None
    value = fields[name]
    if not isinstance(value, str) or not value:
        raise Refusal(f"{name} must be a non-empty string")
    return value


def _check_trait(name: str, value: Any) -> None:
    if isinstance(value, str):
        if "\n" in value or "\t" in value or "   " in value:
            raise Refusal(f"Trait {name} cannot have newlines, tabs or more than two spaces in a row")
    elif isinstance(value, float):
        if not math.isfinite(value):  # 1e999 is good JSON and no number
            raise Refusal(f"Trait {name} is out of range")
    elif isinstance(value, dict):
        raise Refusal(f"Trait {name} must be a string, number, boolean or list, not an object")
    elif isinstance(value, list):
        for item in value:
            if item is None or isinstance(item, (dict, list)):
                raise Refusal(f"Trait {name} must be a list of strings, numbers and booleans")
            if isinstance(item, float) and not math.isfinite(item):
                raise Refusal(f"Trait {name} is out of range")
    if not name:
        raise Refusal("A trait must have a name")


def _is_iso_8601(text: str) -> bool:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return False
    try:
        datetime(*(int(part) for part in match.groups("0")))  # type: ignore[arg-type]
    except ValueError:
        return False
    return True
