"""Phones of which it is known whose they are: each is made from its country code and its national number.

`python -m tests.identity.known_numbers` reads many of them and prints how many were taken for another number.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import phonenumbers
import pyarrow as pa
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from interakt_loader.identity import phones

if sys.version_info >= (3, 11):
    from re import _parser as regex_parser
else:
    import sre_parse as regex_parser

KINDS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


class Known(NamedTuple):
    """A phone as it is written, and the number that is meant."""

    region: str
    form: str
    written: str
    code: str
    national: str


class Read(NamedTuple):
    """The results."""

    tried: int
    wrong: list[Known]
    """Taken for another number."""
    refused: list[Known]


def forms_of(code: int, national: str) -> dict[str, str]:
    """Return a number in eleven forms."""
    number = phonenumbers.parse(f"+{code}{national}")
    international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    return {
        "e164": f"+{code}{national}",
        "international": international,
        "national": phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        "rfc3966": phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
        "code without plus": f"{code}{national}",
        "the same with spaces": international[1:],
        "00": f"00{code}{national}",
        "00 with spaces": f"00 {international[1:]}",
        "national digits": national,
        "code in brackets": f"(+{code}) {national}",
        "0 and the code": f"0{code}{national}",
    }


def example_numbers(kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[str, int, str]]:
    """Yield the example numbers of every region, with its code."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        plan = _plan(region)
        found = [getattr(plan, kind) for kind in kinds]
        for national in dict.fromkeys(one.example_number for one in found if one is not None and one.example_number):
            if phonenumbers.is_valid_number(phonenumbers.parse(f"+{_code(region)}{national}")):
                yield region, _code(region), national


@functools.cache
def examples_in_all_forms(kinds: tuple[str, ...] = KINDS) -> list[Known]:
    """Return each example number in each form."""
    return [
        Known(region, form, written, f"+{code}", national)
        for region, code, national in example_numbers(kinds)
        for form, written in forms_of(code, national).items()
    ]


def random_mobiles(of_each: int, seed: int) -> Iterator[tuple[str, int, str]]:
    """Yield random valid mobiles of every region, with its code."""
    rng = random.Random(seed)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        plan = _plan(region)
        pattern = (plan.mobile.national_number_pattern if plan.mobile is not None else None) or ""
        found = 0
        for _ in range(of_each * 100 if pattern else 0):
            national = _drawn(regex_parser.parse(pattern), rng)
            number = phonenumbers.parse(f"+{_code(region)}{national}")
            whole = phonenumbers.national_significant_number(number) == national
            if whole and phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in MOBILE:
                yield region, _code(region), national
                found += 1
            if found == of_each:
                break


@functools.cache
def mobiles_with_code(of_each: int, seed: int) -> list[Known]:
    """Return random mobiles as WhatsApp writes them: with the code and without a plus."""
    return [
        Known(region, "code without plus", f"{code}{national}", f"+{code}", national)
        for region, code, national in random_mobiles(of_each, seed)
    ]


def without_code(numbers: list[Known]) -> list[Known]:
    """Return the same numbers written as their national digits."""
    return [one._replace(form="national digits", written=one.national) for one in numbers]


def read(numbers: list[Known], check: str = "strict") -> Read:
    """Read phones, each beside its country."""
    found = phones(pa.array([one.written for one in numbers]), pa.array([one.region for one in numbers]), "+91", check)
    wrong, refused = [], []
    for known, code, national in zip(numbers, found.country_codes.to_pylist(), found.numbers.to_pylist(), strict=True):
        if national is None:
            refused.append(known)
        elif (code, national) != (known.code, known.national):
            wrong.append(known)
    return Read(len(numbers), wrong, refused)


def _plan(region: str) -> PhoneMetadata:
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    return plan


def _code(region: str) -> int:
    return int(phonenumbers.country_code_for_region(region))


def _drawn(items: Any, rng: random.Random) -> str:
    """Draw a text that matches a parsed pattern of digits."""
    text = ""
    for operation, argument in items:
        name = str(operation)
        if name == "LITERAL":
            text += chr(argument)
        elif name == "IN":
            text += rng.choice([one for inner, value in argument for one in _class(str(inner), value)])
        elif name == "MAX_REPEAT":
            least, most, inner = argument
            text += "".join(_drawn(inner, rng) for _ in range(rng.randint(int(least), int(most))))
        elif name == "SUBPATTERN":
            text += _drawn(argument[3], rng)
        elif name == "BRANCH":
            text += _drawn(rng.choice(argument[1]), rng)
        else:
            raise AssertionError(f"{name} in a pattern of digits")
    return text


def _class(name: str, value: Any) -> list[str]:
    if name == "LITERAL":
        return [chr(value)]
    if name == "RANGE":
        return [chr(one) for one in range(value[0], value[1] + 1)]
    return list("0123456789")


if __name__ == "__main__":
    for check in ("strict", "possible"):
        for title, numbers in (
            ("fixed lines and mobiles in 11 forms", examples_in_all_forms(("fixed_line", "mobile"))),
            ("examples of all kinds in 11 forms", examples_in_all_forms()),
            ("mobiles with code and no plus", mobiles_with_code(36, seed=1)),
            ("the same, many", mobiles_with_code(400, seed=2)),
            ("mobiles, national digits", without_code(mobiles_with_code(400, seed=3))),
        ):
            came = read(numbers, check)
            print(f"{check:8} {title:36} {came.tried:7,} tried {len(came.wrong):3} wrong {len(came.refused):4} refused")
