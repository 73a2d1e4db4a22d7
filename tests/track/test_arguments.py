"""The arguments of `track.user` and `track.event` as the sandbox gets them."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from interakt_loader import track
from interakt_loader.arguments import body_of
from interakt_loader.errors import BadArgument, BadArgumentType
from interakt_loader.sandbox import Sandbox

IST = dt.timezone(dt.timedelta(hours=5, minutes=30))
BERLIN = ZoneInfo("Europe/Berlin")


class Plan(str, enum.Enum):
    GROWTH = "growth"


def arrived(sandbox: Sandbox, value: Any) -> Any:
    """Send a value as a trait and return what the sandbox holds, with its exact type; "absent" if it holds nothing."""
    track.user("u1", traits={"value": value})
    track.flush()
    (user,) = sandbox.users()
    return user.traits.get("value", "absent")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2025, 3, 27, 13, 26, 52, 926_999), "2025-03-27T13:26:52.926Z"),
        (dt.datetime(2025, 3, 27, 13, 26, 52, tzinfo=IST), "2025-03-27T07:56:52.000Z"),
        (dt.date(1998, 1, 1), "1998-01-01"),
        (Decimal("50.25"), 50.25),
        (Decimal("50.00"), 50.0),
        (True, True),
        (24, 24),
        (0.1, 0.1),
        (Plan.GROWTH, "growth"),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({2, 1}), [1, 2]),
        (("x", 1, dt.date(2025, 1, 2)), ["x", 1, "2025-01-02"]),
        (["a", None, float("nan"), "b"], ["a", "b"]),
        (np.int64(7), 7),
        (np.float32(0.1), 0.1),
        (np.float64(2.5), 2.5),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.datetime64("2025-03-27T13:26:52.926123456"), "2025-03-27T13:26:52.926Z"),
        (np.datetime64("2025-03-27"), "2025-03-27"),
        (np.array([1, 2]), [1, 2]),
        (np.array(["2025-03-27T13:26:52"], "datetime64[ns]"), ["2025-03-27T13:26:52.000Z"]),
        (pd.Timestamp("2025-03-27 13:26:52.926123456", tz="Asia/Kolkata"), "2025-03-27T07:56:52.926Z"),
        (pd.Timestamp(dt.datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=BERLIN)), "2025-10-26T01:30:00.000Z"),
    ],
)
def test_a_trait_arrives_as_json_of_its_kind(aimed: Sandbox, value: Any, expected: Any) -> None:
    """Python's, NumPy's and pandas' values become the JSON that a person would write for them."""
    held = arrived(aimed, value)
    assert (held, type(held)) == (expected, type(expected))


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        np.float32("nan"),
        np.datetime64("NaT", "ns"),
        np.datetime64("NaT", "D"),
        pd.NaT,
        pd.NA,
    ],
    ids=repr,
)
def test_a_missing_trait_is_left_out(aimed: Sandbox, value: Any) -> None:
    """A value that means "no value" is not sent, so it deletes nothing in Interakt."""
    track.user("u1", traits={"value": "before"})
    assert arrived(aimed, value) == "before"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2025, 3, 27, 13, 26, 52, 926_000), "2025-03-27T13:26:52.926Z"),
        (dt.datetime(2025, 3, 27, 13, 26, 52, tzinfo=IST), "2025-03-27T07:56:52.000Z"),
        (dt.date(2025, 3, 27), "2025-03-27T00:00:00.000Z"),
        (pd.Timestamp("2025-03-27 13:26:52"), "2025-03-27T13:26:52.000Z"),
        (np.datetime64("2025-03-27T13:26:52"), "2025-03-27T13:26:52.000Z"),
        ("2025-03-27T13:26:52.926Z", "2025-03-27T13:26:52.926Z"),
        ("2025-03-27T13:26:52.9Z", "2025-03-27T13:26:52.900Z"),
        ("2025-03-27 13:26", "2025-03-27T13:26:00.000Z"),
        ("2025-03-27T13:26:52+0530", "2025-03-27T07:56:52.000Z"),
        ("2025-03-27t13:26:52.123456789+05:30", "2025-03-27T07:56:52.123Z"),
        ("2025-03-27", "2025-03-27T00:00:00.000Z"),
        (None, None),
        (pd.NaT, None),
        ("", None),
    ],
)
def test_created_at_arrives_in_utc(aimed: Sandbox, value: Any, expected: str | None) -> None:
    """A datetime, a date or ISO-8601 text. A time without a zone is UTC. Without a value, the server decides."""
    track.user("u1", created_at=value)
    track.event("u1", "Order Placed", created_at=value)
    track.flush()
    assert [aimed.users()[0].created_at, aimed.events()[0].created_at] == [expected, expected]


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2025-02-30", "2025-03-27T25:00:00Z", "0001-01-01T00:00:00+05:30", "2020-11-01T012:10:26.122Z"],
)
def test_a_created_at_that_is_no_time_is_named(aimed: Sandbox, value: str) -> None:
    """Text that is not a time raises `BadArgument` with the argument's name, and nothing is sent."""
    with pytest.raises(BadArgument, match="created_at"):
        track.user("u1", created_at=value)
    track.flush()
    assert aimed.stats().calls == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "either user_id or phone_number"),
        ({"user_id": " ", "phone_number": float("nan")}, "either user_id or phone_number"),
        ({"user_id": pd.NA, "phone_number": pd.NaT}, "either user_id or phone_number"),
        ({"user_id": 1.5}, "user_id is 1.5"),
        ({"user_id": 2.0**60}, r"user_id is 1\.15"),
        ({"user_id": 10**100_000}, "user_id: a whole number of 332,193 bits is beyond"),
        ({"user_id": Decimal("1E+400000")}, "user_id: 1E.400000 is beyond"),
        ({"phone_number": "9999999999", "country_code": 10**100_000}, "country_code: a whole number of 332,193 bits"),
        ({"user_id": "u", "traits": {"note": "x" * 33_000}}, "the call has 33,0.. bytes, and the API takes 32,768"),
        ({"user_id": "\ud800"}, "user_id: .* is not text: it holds half of a surrogate pair"),
        ({"phone_number": "+919999999999"}, "phone_number is"),
        ({"phone_number": "99999 99999"}, "phone_number is"),
        ({"phone_number": "9999999999", "country_code": "+999"}, "country_code is '\\+999'"),
        ({"phone_number": "9999999999", "country_code": "9" * 5000}, "country_code is"),
        ({"user_id": "u", "traits": {"name": "\ud800"}}, r"traits\['name'\]: .* is not text"),
        ({"user_id": "u", "traits": {"\ud800": 1}}, "traits: the name .* is not text"),
    ],
)
def test_a_bad_argument_is_a_value_error_that_names_it(aimed: Sandbox, arguments: dict[str, Any], says: str) -> None:
    """`BadArgument` is a ValueError, says which argument it is, and nothing is sent."""
    with pytest.raises(BadArgument, match=says) as caught:
        track.user(**arguments)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, TypeError)
    track.flush()
    assert aimed.stats().calls == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"user_id": ["u"]}, "user_id is a list"),
        ({"user_id": True}, "user_id is True"),
        ({"user_id": dt.date(2025, 1, 2)}, "user_id is 2025-01-02"),
        ({"phone_number": dt.timedelta(1)}, "phone_number: 1 day"),
        ({"phone_number": "9999999999", "country_code": None}, "country_code is None"),
        ({"user_id": "u", "traits": ["name"]}, "traits is a list"),
        ({"user_id": "u", "traits": {1: "x"}}, "traits: the name 1"),
        ({"user_id": "u", "traits": {"home": {"city": "Pune"}}}, r"traits\['home'\]: is an object here, not a value"),
        ({"user_id": "u", "traits": {"list": ["a", object()]}}, r"traits\['list'\]: an object cannot be sent"),
        ({"user_id": "u", "traits": {"took": np.timedelta64(5, "s")}}, r"traits\['took'\]: 0:00:05 cannot be sent"),
        ({"user_id": "u", "created_at": 1743082012}, "created_at is 1743082012"),
    ],
)
def test_a_bad_type_is_a_type_error_that_names_it(aimed: Sandbox, arguments: dict[str, Any], says: str) -> None:
    """`BadArgumentType` is a TypeError and a ValueError, says which argument it is, and nothing is sent."""
    with pytest.raises(BadArgumentType, match=says) as caught:
        track.user(**arguments)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    track.flush()
    assert aimed.stats().calls == 0


@pytest.mark.parametrize(("event", "kind"), [(None, TypeError), (5, TypeError), ("", ValueError), (" ", ValueError)])
def test_an_event_needs_its_name(aimed: Sandbox, event: Any, kind: type[Exception]) -> None:
    """An event without a name raises, although the vendor's table calls it optional."""
    with pytest.raises(kind, match="event is"):
        track.event("u1", event)
    track.flush()
    assert aimed.stats().calls == 0


@pytest.mark.parametrize(
    "phone",
    ["9999999999", 9999999999, 9999999999.0, np.int64(9999999999), Decimal(9999999999), b"9999999999"],
)
@pytest.mark.parametrize("country_code", ["+91", "91", 91])
def test_a_phone_may_be_a_number(aimed: Sandbox, phone: Any, country_code: Any) -> None:
    """Whole numbers of any type are ids and phones, and a country code needs no plus."""
    track.user(phone_number=phone, country_code=country_code)
    track.flush()
    (user,) = aimed.users()
    assert (user.user_id, user.country_code, user.phone) == (None, "+91", "9999999999")


def test_the_vendors_order_of_arguments_holds(aimed: Sandbox) -> None:
    """`user(id, code, phone, traits)` and `event(id, name, traits, code, phone)`, by position, as the vendor has it."""
    track.user("u1", "+1", "4155550100", {"name": "Ann"}, "2025-03-27")
    track.event("u1", "Order Placed", {"orderNumber": "CUS001"}, "+1", "4155550100", "2025-03-28")
    track.flush()
    (user,), (event,) = aimed.users(), aimed.events()
    assert (user.user_id, user.country_code, user.phone, user.traits) == ("u1", "+1", "4155550100", {"name": "Ann"})
    assert (event.user_id, event.event, event.traits) == ("u1", "Order Placed", {"orderNumber": "CUS001"})
    assert (event.country_code, event.phone) == ("+1", "4155550100")
    assert (user.created_at, event.created_at) == ("2025-03-27T00:00:00.000Z", "2025-03-28T00:00:00.000Z")


@pytest.mark.parametrize("word", ["N/A", "NULL", r"\N", "undefined", "-", "(null)", "\u200b", "nan", "[object Object]"])
def test_a_word_for_nothing_is_no_identity_and_no_event(word: str) -> None:
    """As in tables: the phone is the identity, or the argument is refused."""
    body = body_of(
        "user", user_id=word, country_code="+91", phone_number="9876543210", traits={"note": word}, created_at=None
    )
    assert "userId" not in body
    with pytest.raises(BadArgument, match="user_id or phone_number"):
        body_of("user", user_id=word, country_code="+91", phone_number=word, traits=None, created_at=None)
    with pytest.raises(BadArgument, match="event is"):
        body_of("event", user_id="1", country_code=None, phone_number=None, traits=None, created_at=None, event=word)


@pytest.mark.parametrize(
    ("user_id", "said"),
    [("1.23457E+17", "lost digits"), ("1\u200b7", r"U\+200B"), ("C\ufffd", r"U\+FFFD"), ("#REF!", "a formula failed")],
)
def test_an_id_that_a_table_could_not_send_is_refused(user_id: str, said: str) -> None:
    """One rule for both. Invisible characters are removed from the ends."""
    with pytest.raises(BadArgument, match=said):
        body_of("user", user_id=user_id, country_code=None, phone_number=None, traits=None, created_at=None)
    body = body_of("user", user_id="\ufeff17\u200b", country_code=None, phone_number=None, traits=None, created_at=None)
    assert body["userId"] == "17"
