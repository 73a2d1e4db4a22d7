"""Numbers in text: the forms that exports hold, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Target, coerce
from interakt_loader.columns.numbers import like_numbers
from interakt_loader.errors import MappingError
from tests.columns.test_convert import problem, texts


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("$9.28", "9.28"),
        ("₹ 1,299.00", "1299.00"),
        ("₹1,00,000", "100000"),
        ("Rs. 500", "500"),
        ("rs 500", "500"),
        ("INR 1,299.00", "1299.00"),
        ("US$12", "12"),
        ("12 USD", "12"),
        ("1,299.00 €", "1299.00"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("-₹ 1,299.50", "-1299.50"),
        ("(12.50)", "-12.50"),
        ("($1,299.00)", "-1299.00"),
        ("$(12.50)", "-12.50"),
        ("(0)", "-0"),
        ("\u22125", "-5"),
        ("'0123", "123"),
        ("'$9.28", "9.28"),
        (" ' 7", "7"),
        ("£1.5e3", "1.5e3"),
        ("1,000,000,000,000,000,000,000,000,000,000", "1" + "0" * 30),
    ],
)
def test_groups_currencies_and_brackets(written: str, number: str) -> None:
    """A currency is not sent, brackets are a minus, an apostrophe is a spreadsheet's; every digit stays."""
    assert texts(pa.array([None, written, "1"]), Target("number")) == [None, number, "1"]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1.299,00", "1299.00"),
        ("1 299,00", "1299.00"),
        ("1\u00a0299\u00a0000,5", "1299000.5"),
        ("1\u202f299,00 €", "1299.00"),
        ("€ 1.299", "1299"),
        ("1,7", "1.7"),
        ("0,299", "0.299"),
        ("200.000.000", "200000000"),
        ("(1.299,50)", "-1299.50"),
        (",5", "0.5"),
        ("1,5E2", "1.5E2"),
        ("42", "42"),
        ("nan", None),
    ],
)
def test_a_decimal_comma_where_it_is_declared(written: str, number: str | None) -> None:
    """With `decimal: ","` the comma is the decimal sign, and full stops or spaces make groups."""
    assert texts(pa.array([written]), Target("number", decimal=",")) == [number]


@pytest.mark.parametrize(
    "written",
    ["50 kg", "50¢", "$", "()", "(-5)", "-$-5", "($5", "5)", "$5 €", "5-", "1,299.000,00", "1'299", "$1e999", "1.5K"],
)
def test_what_may_be_read_in_two_ways_or_none_is_refused(written: str) -> None:
    """Units, two signs, two currencies and halves of brackets are no numbers."""
    assert problem(written, Target("number")) == ("not_a_number", f"{written!r} is not a number")


@pytest.mark.parametrize("written", ["12%", "12.5 %", "-3 % ", "1,299%"])
def test_a_percentage_is_refused_and_told_why(written: str) -> None:
    """12 % may be 12 or 0.12: the message says what to do."""
    code, message = problem(written, Target("number"))
    assert code == "not_a_number"
    assert message == f"{written!r} is a percentage, not a number: take the sign off, or send it as a string"


@pytest.mark.parametrize(
    ("written", "sign"), [("1.299,00", "."), ("1,7", "."), ("0,299", "."), ("1,299.00", ","), ("0.299", ",")]
)
def test_the_wrong_decimal_sign_is_told_with_the_right_one(written: str, sign: str) -> None:
    """A number that the other decimal sign could read is refused, never guessed, and the message names the option."""
    code, message = problem(written, Target("number", decimal=sign))
    other = "," if sign == "." else "."
    assert code == "not_a_number"
    assert message.endswith(f"is not a number with the decimal sign {sign!r}: if {other!r} is, give decimal: {other!r}")


def test_one_odd_value_changes_none_of_the_others() -> None:
    """Each value of a column is read by itself: plain, grouped, odd and bad ones side by side, in a slice too."""
    written = pa.array(["x", "24.50", "$1,299.00", "(3)", "twelve", None, "007"])
    coerced = coerce(written[1:], Target("number"))
    assert coerced.json.to_pylist() == ["24.50", "1299.00", "-3", None, None, "7"]
    assert list(coerced.problems) == [3]


def test_a_decimal_sign_that_there_is_not_is_refused() -> None:
    """Told before any row is looked at."""
    with pytest.raises(MappingError, match=r"the decimal sign is ';'; expected '\.' or ','"):
        Target("number", decimal=";")


_AROUND = ["", "'", " ", "\u00a0", "+", "-", "\u2212", "(", ")", "$", "US$", "₹ ", "Rs. ", "kr", "zł", "inr", "%", "x"]
_WRITTEN = ["", "1", "07", "1,000", "1.000,5", ".5", "1e5", "7E+2", "nan", "-inf", "Infinity"]
_BEFORE_OR_AFTER = st.lists(st.sampled_from(_AROUND), max_size=2).map("".join)


@given(_BEFORE_OR_AFTER, st.sampled_from(_WRITTEN), _BEFORE_OR_AFTER, st.sampled_from([".", ","]))
def test_every_number_looks_like_one(before: str, written: str, after: str, decimal: str) -> None:
    """The quick test lets all text through that is read as a number, or as a word for a missing one."""
    text = pc.utf8_trim_whitespace(pa.array([before + written + after]))
    read = coerce(text, Target("number", decimal=decimal))
    assert like_numbers(text).to_pylist() == [True] or read.problems or text.to_pylist() == [""]
