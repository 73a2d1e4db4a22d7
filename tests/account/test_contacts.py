"""A page of contacts is read, or refused by name and without its values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.account.contacts import (
    NotTheApi,
    id_request,
    page_request,
    phone_request,
    read_page,
    read_time,
    written_time,
)

PERSON = {"user_id": "C-1", "phone_number": "9876543210", "traits": {"name": "Asha"}}


def customer(**fields: Any) -> dict[str, Any]:
    return {"id": "1", "modified_at_utc": "2026-01-02T03:04:05.678Z", **fields}


def page(*customers: Any, total: Any = None, has_next: Any = False) -> bytes:
    total = len(customers) if total is None else total
    data = {"total_customers": total, "has_next_page": has_next, "customers": list(customers)}
    return json.dumps({"result": True, "message": "", "data": data}).encode()


@pytest.mark.parametrize(
    ("traits", "read"),
    [
        ({"a": 1, "b": [1, "x"]}, {"a": 1, "b": [1, "x"]}),
        ([{"name": "a", "value": 1}, {"name": "b", "value": [1, "x"], "type": "list"}], {"a": 1, "b": [1, "x"]}),
        ([{"name": "a"}], {"a": None}),
        ([], {}),
        (None, {}),
    ],
)
def test_both_forms_of_traits_are_read(traits: Any, read: dict[str, Any]) -> None:
    """An object, and a list of names and values."""
    assert read_page(page(customer(traits=traits))).contacts[0].traits == read


def test_unknown_fields_are_ignored_and_missing_ones_are_empty() -> None:
    """Only the id and the time modified must be there."""
    known = customer(user_id="", country_code="+91", phone_number=9876543210, tags=["vip", 7], created_at_utc=None)
    found = read_page(page(known | {"channel_type": "Whatsapp", "assigned_agent": {"id": None}}, customer()))
    first, second = found.contacts
    assert (first.user_id, first.country_code, first.phone, first.tags) == (None, "+91", "9876543210", ["vip", "7"])
    assert (second.user_id, second.phone, second.created_at, second.tags, second.traits) == (None, None, None, [], {})
    assert (first.modified, first.modified_at) == (1767323045678000, "2026-01-02T03:04:05.678Z")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"data":' * 100_000, "not JSON"),
        (b'{"data": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"data": NaN}', "not JSON"),
        (b"[]", "no object `data`"),
        (b"null", "no object `data`"),
        (b'{"data": []}', "no object `data`"),
        (b'{"data": {}}', "no list `customers`"),
        (page(total=-1), "`total_customers` is no number"),
        (page(total="1"), "`total_customers` is no number"),
        (page(total=True), "`total_customers` is no number"),
        (page(total=1.5), "`total_customers` is no number"),
        (page(has_next="no"), "`has_next_page` is neither true nor false"),
        (page("Asha"), "a customer is no object"),
        (page({"id": "1"}), "`modified_at_utc` of a customer is missing"),
        (page(customer(modified_at_utc="9876543210")), "`modified_at_utc` of a customer is a text, and no time"),
        (page(customer(modified_at_utc="2026-02-30T00:00:00Z")), "is a text, and no time"),
        (page(customer(modified_at_utc="2026-01-02T03:04:05+05:30")), "is a text, and no time"),
        (page(customer(id=None)), "a customer has no `id`"),
        (page(customer(user_id=["C-1"])), "`user_id` of a customer is a list, and no text"),
        (page(customer(phone_number=True)), "`phone_number` of a customer is true or false, and no text"),
        (page(customer(tags="vip")), "`tags` of a customer is a text, and no list"),
        (page(customer(traits="Asha")), "`traits` of a customer is a text, and no object"),
        (page(customer(traits=["Asha"])), "something else than names and values"),
        (page(customer(traits=[{"name": 9876543210}])), "something else than names and values"),
    ],
)
def test_what_is_no_page_is_refused_by_name(body: bytes, why: str) -> None:
    """Never a traceback of another kind, and never a person's value."""
    with pytest.raises(NotTheApi) as caught:
        read_page(body)
    assert why in str(caught.value)
    assert not any(value in str(caught.value) for value in ("9876543210", "Asha", "C-1"))


@pytest.mark.parametrize("field", ["traits", "tags"])
def test_a_value_nested_too_deeply_is_refused(field: str) -> None:
    """It could be read, and then not be written."""
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    value = {"a": deep} if field == "traits" else [deep]
    with pytest.raises(NotTheApi, match="more than 50 lists or objects in one another"):
        read_page(page(customer(**{field: value})))


def test_half_a_character_becomes_a_question_mark() -> None:
    """No file could hold it. A whole pair of halves is one character."""
    body = page(customer(traits={"a": "x\ud800y", "\udfff": 1, "b": "😀"}))
    assert b"\\ud800" in body
    assert read_page(body).contacts[0].traits == {"a": "x?y", "?": 1, "b": "😀"}


def test_huge_numbers_are_read() -> None:
    """One that no float can hold stays a text."""
    body = page(customer(traits={"a": 0, "b": 10**400})).replace(b'"a": 0', b'"a": 1e400')
    assert read_page(body).contacts[0].traits == {"a": "1e400", "b": 10**400}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "user_id", "country_code", "phone_number", "created_at_utc", "modified_at_utc", "tags", "traits")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4), JSON, JSON)
def test_any_json_is_read_or_refused(fields: dict[str, Any], total: Any, has_next: Any) -> None:
    """No other error than `NotTheApi`."""
    for body in (page(customer() | fields), page(total=total, has_next=has_next), json.dumps(fields).encode()):
        try:
            read_page(body)
        except NotTheApi as error:
            assert "\n" not in str(error)  # noqa: PT017 - an error is one of the two good ends


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(body: bytes) -> None:
    """They are no page."""
    with pytest.raises(NotTheApi):
        read_page(body)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 00:00:00.5", 500_000),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        ("1970-01-01T00:00:01+00:00", 1_000_000),
        ("1969-12-31T23:59:59.999Z", -1_000),
    ],
)
def test_times_are_read_to_the_microsecond(text: str, time: int) -> None:
    """With or without a sign of UTC, because the field's name says it."""
    assert read_time(text) == time


@given(st.integers(-62_135_596_800_000_000, 10**18))
def test_a_written_time_is_rounded_down(time: int) -> None:
    """A filter has milliseconds, and no time is beyond the year 9999."""
    found = read_time(written_time(time))
    assert found is not None
    assert found == min(time, 253_402_300_799_999_999) // 1000 * 1000


def test_requests_are_as_the_page_of_the_vendor_has_them() -> None:
    """The lower filter is a millisecond earlier, because `gt` leaves out equal times."""
    method, path, body = page_request(1_700_000_000_000_000, 1_700_000_001_000_999, 200)
    assert (method, path) == ("POST", "/v1/public/apis/users/?offset=200&limit=100")
    assert json.loads(body) == {
        "filters": [
            {"trait": "modified_at_utc", "op": "gt", "val": "2023-11-14T22:13:19.999Z"},
            {"trait": "modified_at_utc", "op": "lt", "val": "2023-11-14T22:13:21.000Z", "supr_op": "and"},
        ]
    }
    assert json.loads(page_request(0, None, 0).body)["filters"][0]["val"] == "1970-01-01T00:00:00.000Z"


def test_requests_have_ids_percent_encoded() -> None:
    """All but the characters that no server reads otherwise."""
    for name, written in [
        ("C-1_a.b~", "C-1_a.b~"),
        ("a/b", "a%2Fb"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("é", "%C3%A9"),
        ("50%", "50%25"),
        (" ", "%20"),
        ("+?#&@:", "%2B%3F%23%26%40%3A"),
    ]:
        assert id_request(name) == ("GET", f"/v1/public/apis/users/id/{written}", b"")
    assert phone_request("9876543210") == ("GET", "/v1/public/apis/users/phone_number/9876543210", b"")
