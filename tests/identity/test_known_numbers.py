"""Numbers of every region of which it is known whose they are: none is taken for another."""

from __future__ import annotations

import pytest

from interakt_loader.identity.phones import one_phone
from tests.identity.known_numbers import examples_in_all_forms, mobiles_with_code, read, without_code
from tests.thorough import IS_LONG


@pytest.mark.parametrize("check", ["strict", "possible"])
def test_no_example_number_is_taken_for_another_however_it_is_written(check: str) -> None:
    """All kinds of numbers of all regions in eleven forms; what is refused has its code in front without a plus."""
    came = read(examples_in_all_forms(), check)
    assert came.tried > 12_000
    assert came.wrong == []
    assert {one.form for one in came.refused} <= {"code without plus", "the same with spaces", "0 and the code"}
    assert len(came.refused) < came.tried * 0.02


@pytest.mark.parametrize("check", ["strict", "possible"])
def test_no_mobile_with_its_code_and_no_plus_is_taken_for_another(check: str) -> None:
    """As WhatsApp writes numbers, beside their country: random mobiles of every region."""
    came = read(mobiles_with_code(400 if IS_LONG else 36, seed=1), check)
    assert came.tried > 8_000
    assert came.wrong == []
    assert len(came.refused) < came.tried * 0.001


def test_a_mobile_without_its_code_is_itself() -> None:
    """The other reading of its digits, behind a code that nobody wrote, is not taken."""
    came = read(without_code(mobiles_with_code(400 if IS_LONG else 36, seed=1)))
    assert came.wrong == []
    assert len(came.refused) < came.tried * 0.001


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("4915112345678", "DE", "15112345678"),
        ("49 1511 2345678", "+49", "15112345678"),
        ("+4915112345678", "DE", "15112345678"),
        ("015112345678", "DE", "15112345678"),
        ("38343201234", "XK", "43201234"),
        ("62812345678", "ID", "812345678"),
        ("46701234567", "SE", "701234567"),
        ("0919876543210", "IN", "9876543210"),
    ],
)
def test_digits_that_are_a_mobile_behind_the_code_are_that_mobile(written: str, country: str, number: str) -> None:
    """The number without it would be somebody's fixed line, or nobody's."""
    assert one_phone(written, country, "strict").number == number


@pytest.mark.parametrize(
    ("written", "country", "both"),
    [
        ("9118003604", "IN", "+91 9118003604 or +91 18003604"),
        ("841992000", "VN", "+84 841992000 or +84 1992000"),
        ("62218350123", "ID", "+62 62218350123 or +62 218350123"),
        ("001 65 9234 5678", "SG", "+1 6592345678 or +65 92345678"),
    ],
)
def test_digits_that_can_be_two_numbers_are_refused_with_both(written: str, country: str, both: str) -> None:
    """Nothing decides between them, so the message says how to write the number without doubt."""
    problem = one_phone(written, country, "strict").problem
    assert problem is not None
    assert problem.code == "phone_invalid"
    assert problem.message == f"{written!r} may be {both}: write it with + and the country code"
