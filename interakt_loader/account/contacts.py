"""The requests of the vendor's Contacts Retrieval API, and what its pages say. Pure.

Facts come from the vendor's page, as far as it is known: filters, offset, limit, `has_next_page`, `total_customers`.
Fields that are not known are ignored. `traits` may be an object, or a list of names and values.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import Any, NamedTuple
from urllib.parse import quote

from interakt_loader.values import shortened

PATH = "/v1/public/apis/users/"
PAGE = 100
"""Contacts of a page: more are refused [doc]."""

LONGEST_PAGE = 16 << 20
"""Bytes of a page that are read. A call has 32 KB at most, but the traits of a contact may come from many calls."""

DEEPEST = 50
"""Lists and objects in one another, in a trait. More are no trait of a customer, and could not be written again."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_LAST = (dt.datetime.max.replace(tzinfo=dt.timezone.utc) - _EPOCH) // dt.timedelta(microseconds=1)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:?00)?")
"""What is called `…_utc` is in UTC, also without a sign of it."""


class NotTheApi(ValueError):
    """An answer that is JSON, but not a page of the API. Its text is one line and has no personal data."""


class Contact(NamedTuple):
    """A contact of the account."""

    id: str
    """The account's own."""
    user_id: str | None
    country_code: str | None
    phone: str | None
    created_at: str | None
    modified: int
    """Microseconds since the epoch."""
    modified_at: str
    """As the API gives it."""
    tags: list[str]
    traits: dict[str, Any]


class Page(NamedTuple):
    """A page of contacts."""

    total: int
    """Contacts that match the filters, of all pages."""
    has_next: bool
    contacts: list[Contact]


class Request(NamedTuple):
    """A call that reads."""

    method: str
    path: str
    body: bytes = b""


def page_request(since: int, until: int | None, offset: int, limit: int = PAGE) -> Request:
    """Return the request for contacts modified at `since` or later, and before `until`: microseconds since the epoch.

    It brings those of a millisecond before, too: filters leave out equal times, and shown times may be less exact.
    """
    filters = [{"trait": "modified_at_utc", "op": "gt", "val": written_time(max(0, since - 1000))}]
    if until is not None:
        filters.append({"trait": "modified_at_utc", "op": "lt", "val": written_time(until), "supr_op": "and"})
    body = json.dumps({"filters": filters}, separators=(",", ":")).encode()
    return Request("POST", f"{PATH}?offset={offset}&limit={limit}", body)


def id_request(user_id: str) -> Request:
    """Return the request for the contact with an id."""
    return _look_up("id", user_id)


def phone_request(digits: str) -> Request:
    """Return the request for the contacts with a phone: its digits without the country code."""
    return _look_up("phone_number", digits)


def _look_up(by: str, name: str) -> Request:
    # dots alone would be a step in the path
    return Request("GET", f"{PATH}{by}/{quote(name, safe='') if name.strip('.') else '%2E' * len(name)}")


def written_time(microseconds: int) -> str:
    """Return a time as the API's filters take it: in UTC, with milliseconds, rounded down."""
    at = _EPOCH + dt.timedelta(microseconds=min(microseconds, _LAST))
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read_time(text: object) -> int | None:
    """Return a time as microseconds since the epoch; None if it is none."""
    found = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        at = dt.datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        return None
    return (at - _EPOCH) // dt.timedelta(microseconds=1) + int((found[3] or "0").ljust(6, "0"))


def _number(text: str) -> float | str:
    """Return a number; one that is too large stays a text."""
    found = float(text)
    return found if math.isfinite(found) else text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_float=_number, parse_constant=_refuse).decode


def read_page(body: bytes) -> Page:
    """Return what a page says. Raises `NotTheApi` if it is no page of the API."""
    total, has_next, customers = _read_envelope(body)
    return Page(total, has_next, [_contact(one) for one in customers])


def read_total(body: bytes) -> int:
    """Return how many contacts there are by a page, whatever its contacts are. Raises `NotTheApi`."""
    return _read_envelope(body)[0]


def _read_envelope(body: bytes) -> tuple[int, bool, list[Any]]:
    try:
        content = _decode(body.decode("utf-8-sig"))
        if b"\\ud" in body.lower():
            # half a character, which no file could hold
            content = _decode(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode())
    except (ValueError, RecursionError):
        raise NotTheApi("it is not JSON") from None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        raise NotTheApi("it has no object `data`")
    customers, total, has_next = data.get("customers"), data.get("total_customers"), data.get("has_next_page")
    if not isinstance(customers, list):
        raise NotTheApi("it has no list `customers`")
    if type(total) is not int or total < 0:
        raise NotTheApi("`total_customers` is no number")
    if type(has_next) is not bool:
        raise NotTheApi("`has_next_page` is neither true nor false")
    return total, has_next, customers


def _contact(one: object) -> Contact:
    if not isinstance(one, dict):
        raise NotTheApi("a customer is no object")
    modified = read_time(one.get("modified_at_utc"))
    if modified is None:
        raise NotTheApi(f"`modified_at_utc` of a customer is {_kind(one.get('modified_at_utc'))}, and no time")
    own_id = _text(one, "id")
    if own_id is None:
        raise NotTheApi("a customer has no `id`")
    return Contact(
        id=own_id,
        user_id=_text(one, "user_id"),
        country_code=_text(one, "country_code"),
        phone=_text(one, "phone_number"),
        created_at=_text(one, "created_at_utc"),
        modified=modified,
        modified_at=str(one["modified_at_utc"]),
        tags=_tags(one.get("tags")),
        traits=_traits(one.get("traits")),
    )


def _text(one: dict[str, Any], name: str) -> str | None:
    """Return a field as text; a blank one is none."""
    value = one.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise NotTheApi(f"`{name}` of a customer is {_kind(value)}, and no text")
    return str(value)


def _tags(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotTheApi(f"`tags` of a customer is {_kind(value)}, and no list")
    if not all(map(_is_flat, value)):
        raise NotTheApi(f"a tag of a customer has more than {DEEPEST} lists or objects in one another")
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value]


def _traits(value: object) -> dict[str, Any]:
    """Return the traits, from either of the two forms [seen]."""
    found: dict[str, Any] = {}
    if isinstance(value, dict):
        found = value
    elif isinstance(value, list):
        for one in value:
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                raise NotTheApi("`traits` of a customer is a list with something else than names and values")
            found[one["name"]] = one.get("value")
    elif value is not None:
        raise NotTheApi(f"`traits` of a customer is {_kind(value)}, and no object")
    if not all(_is_flat(one) for one in found.values()):
        raise NotTheApi(f"a trait of a customer has more than {DEEPEST} lists or objects in one another")
    return found


def _is_flat(value: object, depth: int = DEEPEST) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    return depth > 0 and all(_is_flat(one, depth - 1) for one in (value.values() if isinstance(value, dict) else value))


def _kind(value: object) -> str:
    """Return what a value is, without showing it."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "missing" if value is None else names.get(type(value), shortened(type(value).__name__))
