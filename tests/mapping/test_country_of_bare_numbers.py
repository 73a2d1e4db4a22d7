"""Of which country numbers are that name none: asked where another country's plan fits better, or a column says so."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import phonenumbers
import pyarrow as pa
import pytest

from interakt_loader.mapping.infer.infer import infer
from interakt_loader.settings import Settings

FORMS = ("{}", "{}", "{}", "0{}", "91{}", "+91{}", "+91 {}", "91-{}")


def valid(region: str, draw: Callable[[], str]) -> str:
    """Draw until a number is valid in a region."""
    while True:
        number = draw()
        if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
            return number


def indian(drawn: random.Random) -> str:
    """Return a mobile number as Indian tables have it: one in thirty is wrong, some are of a landline."""
    number = valid("IN", lambda: f"{drawn.choice('6789')}{drawn.randrange(10**9):09}")
    written = drawn.choice(FORMS).format(number)
    kind = drawn.random()
    if kind < 0.03:
        return drawn.choice((written[:-1], "12345", "0000000000"))
    return drawn.choice(("022 23456789", "080-22289999")) if kind < 0.09 else written


def american(drawn: random.Random) -> str:
    """Return any valid number of North America, ten digits."""
    return valid(
        "US",
        lambda: f"{drawn.randrange(200, 1000)}{drawn.randrange(200, 1000)}{drawn.randrange(10_000):04}",
    )


def asked(
    phones: Sequence[str],
    beside: Mapping[str, Sequence[str | None]] | None = None,
    *,
    country_given: bool = False,
    default: str = "+91",
) -> str:
    """Return the question about the country, or nothing."""
    columns = {"customer_id": [f"c{n}" for n in range(len(phones))], "phone": phones, **(beside or {})}
    found = infer(
        list(columns),
        sample=[pa.RecordBatch.from_pydict(columns)],
        settings=Settings(default_country=default),
        country_given=country_given,
    )
    assert found.mapping.as_dict()["phone"] == "phone"
    return next((one for one in found.open_questions if one.startswith("country_code: ")), "")


@pytest.mark.parametrize("rows", [5, 10, 30, 300])
def test_it_is_not_asked_of_indian_tables(rows: int) -> None:
    """None of 60, with wrong numbers and landlines among them."""
    drawn = random.Random(rows)
    assert [one for one in (asked([indian(drawn) for _ in range(rows)]) for _ in range(60)) if one] == []


@pytest.mark.parametrize(("rows", "at_least"), [(5, 0.65), (10, 0.9), (30, 1.0)])
def test_it_is_asked_of_american_tables(rows: int, at_least: float) -> None:
    """By their numbers alone: 75 % with 5 rows, 94 % with 10, all with 30 (of 400 each)."""
    drawn = random.Random(rows)
    tables = [asked([american(drawn) for _ in range(rows)]) for _ in range(200)]
    assert sum(map(bool, tables)) >= at_least * len(tables)
    assert all("default_country='+1', " in one for one in tables if one)


@pytest.mark.parametrize("region", ["AE", "SA", "SG", "MY", "ID", "AU", "DE", "BR", "ZA", "PK", "LK", "BD"])
def test_it_is_asked_of_other_countries_whose_numbers_have_another_form(region: str) -> None:
    """Thirty mobile numbers each, as they are written there."""
    drawn = random.Random(region)
    known = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert known is not None
    example = str(known.national_number)
    phones = [
        valid(region, lambda: example[:2] + "".join(str(drawn.randrange(10)) for _ in example[2:])) for _ in range(30)
    ]
    assert f"default_country='+{phonenumbers.country_code_for_region(region)}'" in asked(phones)


BOTH = ["9725550116", "7025550122", "8185550121"]
"""Numbers of North America that are numbers of India as well."""


@pytest.mark.parametrize(
    ("beside", "code"),
    [
        ({"state": ["TX", "NV", "CA"]}, "+1"),
        ({"state": ["Texas", "Nevada", "Ohio"]}, "+1"),
        ({"currency": ["USD"] * 3}, "+1"),
        ({"Currency Code": ["AED"] * 3}, "+971"),
        ({"zip": ["94103-1234"] * 3}, "+1"),
        ({"Postcode": ["SW1A 1AA", "M1 1AE", "EC1A 1BB"]}, "+44"),
        ({"province": ["Dubai", "Sharjah", "Dubai"]}, "+971"),
        ({"zip_code": ["94103", "10001", "60601"]}, "with their country"),
    ],
)
def test_a_column_beside_the_numbers_names_another_country(beside: dict[str, list[str]], code: str) -> None:
    """A state, a currency or a postcode, in one row and in three."""
    named = f"={code!r}" if code.startswith("+") else f" {code}"
    assert f"default_country{named}, or" in asked(BOTH, beside)
    assert asked(BOTH[:1], {name: values[:1] for name, values in beside.items()})
    assert asked(BOTH, beside, country_given=True) == ""


@pytest.mark.parametrize(
    "beside",
    [
        {"state": ["MH", "KA", "TN"]},
        {"state": ["GA", "AR", "OR"]},
        {"state": ["Maharashtra", "Kerala", "Goa"]},
        {"currency": ["INR"] * 3},
        {"pincode": ["411001", "682001", "560 001"]},
        {"state": [None, None, None]},
        {"zip": ["unknown", "-", "n.a."]},
    ],
)
def test_what_may_be_of_the_default_country_asks_nothing(beside: dict[str, list[str | None]]) -> None:
    """GA, AR and OR are states of both."""
    assert asked(BOTH, beside) == ""


def test_numbers_that_name_their_country_ask_nothing() -> None:
    """A plus or two zeros before each of them."""
    assert asked(["+12125550116", "0012125550117"], {"state": ["NY", "NY"]}) == ""


def test_the_default_country_is_the_users() -> None:
    """With +1 as the default, American numbers ask nothing and Indian ones do."""
    drawn = random.Random(1)
    assert asked([american(drawn) for _ in range(30)], {"state": ["TX"] * 30}, default="+1") == ""
    mobiles = [valid("IN", lambda: f"9{drawn.randrange(10**9):09}") for _ in range(30)]
    assert "default_country='+91', " in asked(mobiles, default="+1")
