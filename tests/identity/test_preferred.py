"""Several phones for one row: in several columns, in a list, in one text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.identity import CHECKS, phones, preferred_phones
from tests.columns import columns
from tests.thorough import examples

A, B, C = "98765 43210", "+44 20 7946 0958", "98765 43212"
GOOD = {A: ("+91", "9876543210"), B: ("+44", "2079460958"), C: ("+91", "9876543212")}


def first(*cells: Any, check: str = "strict", country: str = "IN") -> tuple[Any, Any, Any]:
    """Return (phone, problem, note) of one row with these cells, a column each."""
    found = preferred_phones([pa.array([None, cell]) for cell in cells], None, country, check)
    phone = found.country_codes[1].as_py(), found.numbers[1].as_py()
    assert 0 not in found.problems
    return (None if phone == (None, None) else phone), found.problems.get(1), found.notes.get(1)


@pytest.mark.parametrize("cells", [(A, C), (A, None), (None, A), ("", A, C), (A, "12")])
def test_the_first_good_phone_of_several_columns_is_used(cells: tuple[str | None, ...]) -> None:
    """An empty column is passed over without a word, and what stands behind the one used does not matter."""
    assert first(*cells) == (GOOD[A], None, None)


def test_a_bad_phone_that_is_passed_over_is_told() -> None:
    """The row is sent with the next one, and the note says which column held what."""
    phone, problem, note = first("12", A)
    assert (phone, problem) == (GOOD[A], None)
    assert note[0] == 0
    assert note[1].code == "phone_passed_over"
    assert note[1].message.startswith("'12' is not a valid phone number for +91")


def test_only_bad_phones_are_a_problem_of_the_first() -> None:
    """The preferred column is the one to fix."""
    phone, problem, note = first(None, "12", "13")
    assert (phone, note) == (None, None)
    assert (problem[0], problem[1].code) == (1, "phone_invalid")


@pytest.mark.parametrize(
    ("cell", "used", "position", "count"),
    [
        ([A, C], A, 1, 2),
        (["12", C], C, 2, 2),
        ([None, "", B], B, 3, 3),
        (f"{A}, {C}", A, 1, 2),
        (f"{A};{C}", A, 1, 2),
        (f"12 / {B}", B, 2, 2),
        (f"{A}\n{C}\n{B}", A, 1, 3),
        (f"{A} or {C}", A, 1, 2),
    ],
)
def test_of_several_phones_in_a_cell_the_first_good_one_is_used(
    cell: Any, used: str, position: int, count: int
) -> None:
    """A list, or text that separates them; the note says which one of how many."""
    phone, problem, note = first(cell)
    assert (phone, problem) == (GOOD[used], None)
    assert note == (0, ("phone_chosen", f"of the {count} phones in the cell, number {position} is used"))


@pytest.mark.parametrize("cell", [[A], [], [None], f"{A},", A.replace(" ", "/")])
def test_one_phone_is_not_several(cell: Any) -> None:
    """A list of one needs no note, and a number that is written with a slash is one number."""
    phone, problem, note = first(cell)
    assert phone in (GOOD[A], None)
    assert problem is None
    assert note is None


def test_a_list_without_a_good_phone_is_a_problem() -> None:
    """It says what is wrong with its first."""
    phone, problem, _ = first(["12", "13"])
    assert phone is None
    assert problem[1].message.startswith("'12' is not a valid phone number")


@pytest.mark.parametrize(
    ("number", "strict", "possible", "as_is"),
    [
        ("98765 43210", "9876543210", "9876543210", "9876543210"),
        ("50000 00000", None, "5000000000", "5000000000"),
        ("(080) 2228-9999", "8022289999", "8022289999", "08022289999"),
        ("12", None, None, "12"),
        ("+44 20 7946 0958", "2079460958", "2079460958", "2079460958"),
        ("12a", None, None, None),
        ("12345678901234", None, None, None),
        ("9.87654E+09", None, None, None),
    ],
)
def test_how_strictly_a_phone_is_judged(
    number: str, strict: str | None, possible: str | None, as_is: str | None
) -> None:
    """By the numbering plans, by its length, or not at all: then its digits go out, fifteen with the code at most."""
    for check, expected in zip(CHECKS, (strict, possible, as_is), strict=True):
        phone, problem, _ = first(number, check=check)
        assert (None if phone is None else phone[1]) == expected
        assert (problem is None) == (expected is not None)


def test_two_ones_before_an_american_number_are_too_many() -> None:
    """phonenumbers takes both off; the number was of another country, or is none."""
    assert first("1 (11) 500 555-0132", country="US")[0] is None
    for good in ("500 555 0132", "1 500 555 0132", "+1 500 555 0132", "011 1 500 555 0132"):
        assert first(good, country="US")[1] is None


@examples(300)
@given(columns.anything(), columns.anything(), st.sampled_from(CHECKS))
def test_any_two_columns_give_a_phone_or_a_problem_or_neither(one: pa.Array, two: pa.Array, check: str) -> None:
    """Nothing raises, and what one column alone gives, it gives as the preferred one of two."""
    length = min(len(one), len(two))
    one, two = one[:length], two[:length]
    both, alone = preferred_phones([one, two], None, "+91", check), phones(one, None, "+91", check)
    for row, (number, of_one) in enumerate(zip(both.numbers.to_pylist(), alone.numbers.to_pylist(), strict=True)):
        assert of_one is None or number == of_one
        assert number is None or (number.isascii() and number.isdigit() and row not in both.problems)
        assert row not in alone.problems or row in both.problems or both.notes[row][1].code == "phone_passed_over"


@examples(500)
@given(st.text(), st.text(), st.sampled_from(CHECKS))
def test_any_text_by_any_country_is_digits_or_a_problem(text: str, country: str, check: str) -> None:
    """Whatever people write, nothing raises."""
    column = pa.array([text.encode("utf-8", "replace").decode()])
    found = phones(column, pa.array([country.encode("utf-8", "replace").decode()]), "+91", check)
    number = found.numbers[0].as_py()
    assert number is None or (number.isascii() and number.isdigit() and 0 not in found.problems)
