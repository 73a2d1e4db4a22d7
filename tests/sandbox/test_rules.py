"""What the API takes as a body, rule by rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sandbox.store import Record, Refusal, read_event, read_user

WHO = {"userId": "c1"}
PHONE = {"countryCode": "+91", "phoneNumber": "9876543210"}


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def verdict(read: Callable[[bytes], Record], data: bytes) -> tuple[str, ...] | str:
    """Return whose record it is, or why it is refused."""
    try:
        return read(data).identities
    except Refusal as refusal:
        return str(refusal)


@pytest.mark.parametrize(
    "fields",
    [
        WHO,
        PHONE,
        {**WHO, **PHONE},
        {"fullPhoneNumber": "919876543210"},
        {"userId": "c1", "fullPhoneNumber": "919876543210"},
        {**WHO, "countryCode": "+1684"},
        {**WHO, "traits": {}, "tags": []},
        {**WHO, "tags": ["vip", "pune"]},
        {**WHO, "createdAt": "1998-01-01"},
        {**WHO, "createdAt": "2025-03-27T13:26:52.926Z"},
        {**WHO, "createdAt": "2025-03-27T13:26:52+05:30"},
        {**WHO, "traits": {"a": "x  y", "Pin code": "400001", "n": 1, "f": 1.5, "b": False, "none": None}},
        {**WHO, "traits": {"list": ["a", 1, 2.5, True], "empty": []}},
    ],
)
def test_a_good_user_is_taken(fields: dict[str, Any]) -> None:
    """Every form that the documents show is taken, and its traits arrive unchanged."""
    assert read_user(body(**fields)).traits == fields.get("traits", {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 30_000, "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"c1"', "must be a JSON object"),
        (b'{"userId": "c1", "traits": {"n": NaN}}', "NaN is not JSON"),
        (b'{"userId": "c1", "traits": {"n": Infinity}}', "Infinity is not JSON"),
        (b'{"userId": "c1", "traits": {"n": -Infinity}}', "-Infinity is not JSON"),
        (b'{"userId": "c1", "traits": {"n": 1e999}}', "out of range"),
        (b'{"userId": "c1", "traits": {"n": [1e999]}}', "out of range"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, reason: str) -> None:
    """The body must be a JSON object, and its numbers numbers."""
    with pytest.raises(Refusal, match=reason):
        read_user(data)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "Either userId or phoneNumber"),
        ({"countryCode": "+91"}, "Either userId or phoneNumber"),
        ({"userId": 7}, "userId must be a non-empty string"),
        ({"userId": ""}, "userId must be a non-empty string"),
        ({"userId": None}, "userId must be a non-empty string"),
        ({"phoneNumber": "9876543210"}, "countryCode is required"),
        ({"countryCode": "+91", "phoneNumber": 9876543210}, "phoneNumber must be a non-empty string"),
        ({"countryCode": "+91", "phoneNumber": "09876543210"}, "without a leading 0"),
        ({"countryCode": "+91", "phoneNumber": "+919876543210"}, "phoneNumber must be digits"),
        ({"countryCode": "+91", "phoneNumber": "98765 43210"}, "phoneNumber must be digits"),
        ({"countryCode": "+91", "phoneNumber": "9876543210.0"}, "phoneNumber must be digits"),
        ({"countryCode": "+91", "phoneNumber": "९८७६५४३२१०"}, "phoneNumber must be digits"),
        ({"countryCode": "+91", "phoneNumber": "9876543210\n"}, "phoneNumber must be digits"),
        ({"countryCode": "91", "phoneNumber": "9876543210"}, "countryCode must be"),
        ({"countryCode": "IN", "phoneNumber": "9876543210"}, "countryCode must be"),
        ({"countryCode": "+091", "phoneNumber": "9876543210"}, "countryCode must be"),
        ({"countryCode": "+12345", "phoneNumber": "9876543210"}, "countryCode must be"),
        ({"fullPhoneNumber": "+919876543210"}, "fullPhoneNumber must be digits"),
        ({"fullPhoneNumber": "919876543210", "countryCode": "+91"}, "cannot be sent together"),
        ({"fullPhoneNumber": "919876543210", **PHONE}, "cannot be sent together"),
        ({**WHO, "traits": []}, "traits must be an object"),
        ({**WHO, "traits": None}, "traits must be an object"),
        ({**WHO, "traits": {"address": {"city": "Pune"}}}, "Trait address must be"),
        ({**WHO, "traits": {"list": [{"a": 1}]}}, "Trait list must be a list of"),
        ({**WHO, "traits": {"list": [["a"]]}}, "Trait list must be a list of"),
        ({**WHO, "traits": {"list": [None]}}, "Trait list must be a list of"),
        ({**WHO, "traits": {"note": "a\nb"}}, "Trait note cannot have newlines"),
        ({**WHO, "traits": {"note": "a\r\nb"}}, "Trait note cannot have newlines"),
        ({**WHO, "traits": {"note": "a\tb"}}, "Trait note cannot have newlines"),
        ({**WHO, "traits": {"note": "a   b"}}, "Trait note cannot have newlines"),
        ({**WHO, "traits": {"": "x"}}, "must have a name"),
        ({**WHO, "tags": "vip"}, "tags must be a list of strings"),
        ({**WHO, "tags": [1]}, "tags must be a list of strings"),
        ({**WHO, "createdAt": 1743081000}, "createdAt must be a non-empty string"),
        ({**WHO, "createdAt": "27/03/2025"}, "createdAt must be an ISO-8601"),
        ({**WHO, "createdAt": "2025-02-30"}, "createdAt must be an ISO-8601"),
        ({**WHO, "createdAt": "2025-03-27T25:00:00Z"}, "createdAt must be an ISO-8601"),
        ({**WHO, "createdAt": "2025-03-27 13:26:52"}, "createdAt must be an ISO-8601"),
        ({**WHO, "event": "Order Placed"}, "event is not a field of this call"),
        ({**WHO, "user_id": "c1"}, "user_id is not a field of this call"),
    ],
)
def test_a_bad_user_is_refused(fields: dict[str, Any], reason: str) -> None:
    """Each rule refuses what breaks it, and says so."""
    with pytest.raises(Refusal, match=reason):
        read_user(body(**fields))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "event is required"),
        ({"event": ""}, "event is required"),
        ({"event": "  "}, "event is required"),
        ({"event": 7}, "event is required"),
        ({"event": "Order Placed", "tags": ["vip"]}, "tags is not a field of this call"),
        ({"event": "Order Placed", "traits": {"items": {"a": 1}}}, "Trait items must be"),
    ],
)
def test_a_bad_event_is_refused(fields: dict[str, Any], reason: str) -> None:
    """An event needs a name, and has no tags; the rest is as for users."""
    with pytest.raises(Refusal, match=reason):
        read_event(body(**WHO, **fields))


def test_an_identity_has_one_form() -> None:
    """The same number is the same user, whether it came in one piece or in two."""
    assert read_user(body(**PHONE)).identities == read_user(body(fullPhoneNumber="919876543210")).identities
    assert read_event(body(**WHO, **PHONE, event="x")).identities == ("c1", "+919876543210")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_rules(data: bytes) -> None:
    """Whatever comes is a record or a refusal, never another error."""
    for read in (read_user, read_event):
        assert verdict(read, data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: _JSON | st.just("1")
            for name in ("userId", "phoneNumber", "countryCode", "traits", "tags", "event", "createdAt")
        },
    )
)
def test_no_json_breaks_the_rules(fields: dict[str, Any]) -> None:
    """Whatever JSON comes is a record or a refusal, never another error."""
    for read in (read_user, read_event):
        assert verdict(read, body(**fields))
