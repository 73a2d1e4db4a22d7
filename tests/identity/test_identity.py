"""User ids, phones and country codes as people write them."""

from __future__ import annotations

import csv
import datetime as dt
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from phonenumbers import PhoneMetadata

from interakt_loader.identity import country_code, phones, user_ids
from interakt_loader.identity.phones import one_phone as one_phone_of
from tests.columns import columns
from tests.thorough import examples

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def one_phone(number: Any, country: Any = None, default: str = "+91") -> tuple[str | None, str | None]:
    """Read one phone that is right or missing."""
    found = phones(pa.array([None, number]), pa.array([None, country]), default)
    assert found.problems == {}
    return found.country_codes[1].as_py(), found.numbers[1].as_py()


def phone_problem(number: Any, country: Any = None) -> tuple[str, str]:
    """Read one phone that is wrong."""
    found = phones(pa.array([None, number]), pa.array([None, country]))
    assert (found.country_codes.to_pylist(), found.numbers.to_pylist()) == ([None, None], [None, None])
    assert list(found.problems) == [1]
    code, message = found.problems[1]
    return code, message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ["C-7", " 0042 ", "'0042", "'+91", "'tis", "17850.0", "17850.5x", "1.25"],
            ["C-7", "0042", "0042", "+91", "'tis", "17850", "17850.5x", "1.25"],
        ),
        (["nan", "NaN", "None", "null", "NULL", "NaT", "<NA>", "", "  ", None], [None] * 10),
        (["NA", "nano"], [None, "nano"]),
        ([17850, -1, 2**63 - 1], ["17850", "-1", "9223372036854775807"]),
        ([17850.0, float("nan"), None, 2.0**53 - 1, -0.0], ["17850", None, None, "9007199254740991", "0"]),
        ([Decimal("17850"), Decimal("12345678901234567890.00")], ["17850", "12345678901234567890"]),
        ([b"C-7"], ["C-7"]),
        ([None], [None]),
    ],
)
def test_user_ids(values: list[Any], expected: list[str | None]) -> None:
    """Text is trimmed and keeps its zeros, whole numbers are digits, and words for null are missing."""
    found = user_ids(pa.array(values))
    assert (found.values.to_pylist(), found.problems) == (expected, {})


@pytest.mark.parametrize(
    ("value", "dtype", "said"),
    [
        (2.0**53, pa.float64(), "lost digits"),
        (-1e300, pa.float64(), "lost digits"),
        (2.0**24, pa.float32(), "lost digits"),
        (1.5, pa.float64(), "expected text or a whole number"),
        (Decimal("1.5"), pa.decimal128(3, 1), "whole number"),
        (True, pa.bool_(), "not a user id"),
        ([1], pa.list_(pa.int64()), "not a user id"),
        (dt.date(2020, 1, 1), pa.date32(), "2020-01-01"),
        ({"a": 1}, pa.struct([("a", pa.int64())]), "cannot be sent"),
        (b"\xff", pa.binary(), "UTF-8"),
    ],
)
def test_user_ids_that_are_none(value: Any, dtype: pa.DataType, said: str) -> None:
    """What lost digits, or never was an id, is a problem of its row."""
    found = user_ids(pa.array([None, value], dtype)[1:])
    assert found.values.to_pylist() == [None]
    assert found.problems[0].code == "user_id_invalid"
    assert said in found.problems[0].message


@pytest.mark.parametrize(
    "number",
    [
        9876543210,
        9876543210.0,
        Decimal("9876543210"),
        "9876543210",
        " 98765 43210 ",
        "98765-43210",
        "(98765)43210",
        "98765.43210",
        "98765\u00a043210",
        "\u202a+91 98765 43210\u202c",
        "98765\u200b43210",
        "'9876543210",
        "'+919876543210",
        "+91 98765-43210",
        "00919876543210",
        "0091 98765 43210",
        "919876543210",
        "09876543210",
        "tel:+91-98765-43210",
        "TEL:9876543210",
        "９８７６５４３２１０",
        "＋９１９８７６５４３２１０",
        "٩٨٧٦٥٤٣٢١٠",
        "9876543210.0",
        b"9876543210",
    ],
)
def test_one_indian_phone_in_many_spellings(number: Any) -> None:
    """However it is written, it is the same number."""
    expected = ("+91", "9876543210")
    assert one_phone(number) == expected


@pytest.mark.parametrize(
    "country", [91, 91.0, "91", "+91", "0091", " '+91 ", "91.0", "IN", "in", None, "", "  ", "９１"]
)
def test_one_country_in_many_spellings(country: Any) -> None:
    """A country code or ISO letters, or nothing for the default."""
    assert one_phone("9876543210", country) == ("+91", "9876543210")


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("81 123 4567", "NA", ("+264", "811234567")),
        ("406 12 345", "NO", ("+47", "40612345")),
        ("020 7946 0018", "GB", ("+44", "2079460018")),
        ("(201) 555-0123", "+1", ("+1", "2015550123")),
        ("06 12345678", "IT", ("+39", "0612345678")),
        ("1234 5678", "+800", ("+800", "12345678")),
        ("+44 20 7946 0018", "IN", ("+44", "2079460018")),
        ("0044 20 7946 0018", None, ("+44", "2079460018")),
        ("+91 98765 43210", "XX", ("+91", "9876543210")),
    ],
)
def test_phones_of_other_countries(number: str, country: str | None, expected: tuple[str, str]) -> None:
    """ISO letters that look like null are countries, zeros that belong stay, and a number's own code wins."""
    assert one_phone(number, country) == expected


def test_the_default_country_is_written_in_any_form() -> None:
    """`GB` does as well as `+44`."""
    assert one_phone("020 7946 0018", default="GB") == one_phone("020 7946 0018", default="44") == ("+44", "2079460018")


@pytest.mark.parametrize("number", [None, "", " ", "nan", "None", "N/A", "na", "NULL", float("nan"), b""])
def test_a_missing_phone_is_no_problem(number: Any) -> None:
    """No phone means no country code either, even where the country is unknown."""
    assert one_phone(number, "XX") == (None, None)


@pytest.mark.parametrize(
    ("number", "country", "code", "message"),
    [
        ("12345", None, "phone_invalid", "'12345' is not a valid phone number for +91: it is too short"),
        (
            "98765432101234567",
            None,
            "phone_invalid",
            "'98765432101234567' is not a valid phone number for +91: it is too long",
        ),
        ("abc", "NA", "phone_invalid", "'abc' holds no digits"),
        ("+999123456", None, "phone_invalid", "'+999123456' is not a valid phone number"),
        ("0000000000", None, "phone_invalid", None),
        ("9876543210 x12", None, "phone_invalid", "'9876543210 x12' has an extension; expected the number alone"),
        ("9.87654E+09", None, "phone_invalid", "'9.87654E+09' lost digits in a spreadsheet: read the column as text"),
        (1.5, None, "phone_invalid", "1.5 is not a phone number"),
        (True, None, "phone_invalid", "true is not a phone number"),
        (1e17, None, "phone_invalid", None),
        ("9876543210", "XX", "country_code_invalid", "'XX' is not a country: expected one such as +91, IN or India"),
        ("9876543210", "999", "country_code_invalid", None),
        ("9876543210", 1.5, "country_code_invalid", "1.5 is not a country: expected one such as +91, IN or India"),
        ("9876543210", True, "country_code_invalid", None),
    ],
)
def test_phones_that_are_none(number: Any, country: Any, code: str, message: str | None) -> None:
    """The problem shows the number, its country and the reason; an unknown country is named as such."""
    found_code, found_message = phone_problem(number, country)
    assert found_code == code
    assert message is None or found_message == message


def test_country_codes() -> None:
    """Every form of a country gives its dialling code; what is no country gives None."""
    forms = ["IN", "in", "ind", "India", "91", "+91", "0091", " 91.0 ", "'91", "NA", "NO", "GB", "UK", "800", "US"]
    assert [country_code(one) for one in forms] == ["+91"] * 9 + ["+264", "+47", "+44", "+44", "+800", "+1"]
    assert [country_code(one) for one in ("", "XX", "Narnia", "+", "-91", "1.5", "0", "1246", "\x00")] == [None] * 9


@examples(400)
@given(columns.anything(), columns.anything())
def test_any_column_is_ids_phones_and_countries_or_problems(numbers: pa.Array, countries: pa.Array) -> None:
    """Nothing raises, whatever the types; a row has a value, a problem, or neither."""
    ids = user_ids(numbers)
    assert not set(ids.problems) & {place for place, one in enumerate(ids.values.to_pylist()) if one is not None}
    length = min(len(numbers), len(countries))
    found = phones(numbers[:length], countries[:length])
    assert found.country_codes.is_valid() == found.numbers.is_valid()
    for place, number in enumerate(found.numbers.to_pylist()):
        assert number is None or (place not in found.problems and number.isascii() and number.isdigit())
    assert len(ids.values) == len(numbers)
    assert len(found.numbers) == length


def _region_samples(region: str, code: int, rng: random.Random) -> list[str]:
    """Write numbers near a region's examples: right ones, wrong ones, and with all sorts of things before them."""
    plan = PhoneMetadata.metadata_for_region(region)
    kinds = [getattr(plan, name) for name in ("fixed_line", "mobile", "toll_free", "uan", "voip", "shared_cost")]
    samples = []
    for example in [kind.example_number for kind in kinds if kind is not None and kind.example_number]:
        for _ in range(12):
            digits = list(example)
            for _ in range(rng.randrange(4)):
                digits[rng.randrange(len(digits))] = rng.choice("0123456789")
            before = rng.choice(["", "", "0", "00", f"+{code}", f"+{code}0", str(code), f"0{code}", "8", "1", "011"])
            samples.append(before + rng.choice(["", " ", "-"]).join(["".join(digits[:4]), "".join(digits[4:])]))
    return samples


def _by_the_library(number: str, region: str) -> tuple[str | None, str | None]:
    try:
        found = phonenumbers.parse("+" + number[2:] if number.startswith("00") else number, region)
    except phonenumbers.NumberParseException:
        return None, None
    if not phonenumbers.is_valid_number(found):
        return None, None
    return f"+{found.country_code}", phonenumbers.national_significant_number(found)


def _behind(code: int, written: str) -> str:
    digits = re.sub("[^0-9]", "", written).lstrip("0")
    return phonenumbers.national_significant_number(phonenumbers.parse(f"+{digits}"))


def test_a_column_at_once_is_what_phonenumbers_says_of_each_number() -> None:
    """For every region, numbers done by pattern and one by one have the same answer. It is that of `phonenumbers`, but
    for numbers that begin with the country's own code, which are another reading of the digits, or refused."""
    rng = random.Random(7)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        code = phonenumbers.country_code_for_region(region)
        numbers = _region_samples(region, code, rng)
        numbers += numbers[:1] * (64 - len(numbers))  # as many as it takes for the fast way
        found = phones(pa.array(numbers), None, region)
        pairs = list(zip(found.country_codes.to_pylist(), found.numbers.to_pylist(), strict=True))
        singles = [one_phone_of(one, region, "strict") for one in numbers]
        assert pairs == [(one.country_code, one.number) for one in singles], region
        for written, pair in zip(numbers, pairs, strict=True):
            if re.sub("[^0-9]", "", written).lstrip("0").startswith(str(code)):
                assert pair in (_by_the_library(written, region), (f"+{code}", _behind(code, written)), (None, None))
            else:
                assert pair == _by_the_library(written, region), (region, written)


@pytest.mark.parametrize("form", ["e164", "international", "national", "rfc3966"])
def test_the_example_numbers_of_half_the_world(form: str) -> None:
    """All 380 examples, in any written form with their region, give their country code and national number."""
    path = DATA / "phone_examples" / "phone_examples.csv"
    if not path.exists():
        pytest.skip("the shared phone examples are not here")
    if phonenumbers.__version__ < "9.":
        pytest.skip("the examples are of newer numbering plans than this phonenumbers knows")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = phones(pa.array([row[form] for row in rows]), pa.array([row["region"] for row in rows]))
    assert found.problems == {}
    assert found.country_codes.to_pylist() == [row["country_code"] for row in rows]
    assert found.numbers.to_pylist() == [row["national_number"] for row in rows]


def test_many_phones_of_no_region_are_read_as_few_are() -> None:
    """+800 belongs to no country, so that there is no plan to read its numbers at once by."""
    numbers = [f"1234 {number:04}" for number in range(200)]
    found = phones(pa.array(numbers), pa.array(["+800"] * 200))
    assert found.problems == {}
    assert set(found.country_codes.to_pylist()) == {"+800"}
    assert found.numbers.to_pylist() == [one.replace(" ", "") for one in numbers]
