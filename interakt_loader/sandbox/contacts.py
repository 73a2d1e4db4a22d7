"""The Contacts Retrieval API: the rules for a call that reads, and a contact as JSON. Pure.

The rules are strict where the API's documents are, and *assumed* strict where these say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from interakt_loader.sandbox.http import Response, as_json
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.order import Bounds
from interakt_loader.sandbox.store import Contact, Refusal

MAX_LIMIT = 100

_WHOLE = re.compile(r"[0-9]{1,15}")
_UTC = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIELDS = {"trait", "op", "val"}


class Page(NamedTuple):
    """Which contacts a call asks for."""

    offset: int
    limit: int
    bounds: Bounds


def read_page(query: str, body: bytes) -> Page:
    """Return what a call asks for. Raises `Refusal`."""
    offset, limit = 0, MAX_LIMIT
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("offset", "limit"):
            raise Refusal(f"{name} is not a parameter of this call")
        if not _WHOLE.fullmatch(value):
            raise Refusal(f"{name} must be a whole number")
        if name == "offset":
            offset = int(value)
        else:
            limit = int(value)
    if not 1 <= limit <= MAX_LIMIT:
        raise Refusal(f"limit must be between 1 and {MAX_LIMIT}")
    return Page(offset, limit, _bounds(body))


def _bounds(body: bytes) -> Bounds:
    try:
        fields = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal("The body is not valid JSON") from None
    if not isinstance(fields, dict) or fields.keys() != {"filters"}:
        raise Refusal("The body must be a JSON object with filters, and no other field")
    filters = fields["filters"]
    if not isinstance(filters, list) or not filters:
        raise Refusal("filters must be a list that is not empty")
    found: dict[str, list[float]] = {}
    for number, one in enumerate(filters):
        expected = _FIELDS if number == 0 else {*_FIELDS, "supr_op"}
        if not isinstance(one, dict) or one.keys() != expected:
            raise Refusal(f"Filter {number + 1} must have the fields {', '.join(sorted(expected))}")
        if number and one["supr_op"] != "and":
            raise Refusal("supr_op must be and")
        if one["trait"] not in ("created_at_utc", "modified_at_utc"):
            raise Refusal("trait must be created_at_utc or modified_at_utc")
        if one["op"] not in ("gt", "lt"):
            raise Refusal("op must be gt or lt")
        side = "after" if one["op"] == "gt" else "before"
        found.setdefault(f"{one['trait'].partition('_')[0]}_{side}", []).append(_seconds(one["val"]))
    return Bounds(**{name: (max if name.endswith("after") else min)(times) for name, times in found.items()})


def _seconds(val: Any) -> float:
    match = _UTC.fullmatch(val) if isinstance(val, str) else None
    if match is None:
        raise Refusal("val must be a time in UTC such as 2021-09-08T11:30:00.000Z")
    *parts, fraction = match.groups()
    try:
        time = datetime(*map(int, parts), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    except ValueError:
        raise Refusal("val is not a time that exists") from None
    return ((time - _EPOCH) // timedelta(microseconds=1) + int((fraction or "").ljust(6, "0"))) / 1e6


def found(contacts: Sequence[Contact], total: int, options: SandboxOptions, *, has_next: bool = False) -> Response:
    """Return the response with these contacts. The message is *assumed*."""
    customers = [customer(contact, options) for contact in contacts]
    data = {"total_customers": total, "has_next_page": has_next, "customers": customers}
    return as_json({"result": True, "message": "Customers fetched successfully", "data": data})


def customer(contact: Contact, options: SandboxOptions) -> dict[str, Any]:
    """Return a contact in the API's form."""
    traits = contact.traits
    if options.read_types == "text":
        traits = {name: _as_text(value) for name, value in traits.items()}
    names = {"user_id": contact.user_id, "phone_number": contact.phone, "country_code": contact.country_code}
    if options.read_missing == "absent":
        names = {name: value for name, value in names.items() if value is not None}
    shown: dict[str, Any] = {
        "id": contact.id,
        **names,
        "traits": [{"name": name, "value": value} for name, value in traits.items()]
        if options.read_traits == "list"
        else traits,
        "tags": contact.tags,
        "created_at_utc": _utc(contact.created, options),
        "modified_at_utc": _utc(contact.modified, options),
    }
    if options.read_extra:
        digits = None if contact.phone is None else f"{contact.country_code}{contact.phone}".removeprefix("+")
        shown |= {
            "full_phone_number": digits,
            "channel_type": "Whatsapp",
            "customer_created_at_source": contact.created_at,
            "assigned_agent": {"id": None, "teams": []},
        }
    return shown


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def _utc(seconds: float, options: SandboxOptions) -> str:
    time = _EPOCH + timedelta(microseconds=round(seconds * 1e6))
    text = time.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{text if options.read_times == 'us' else text[:-3]}Z"
