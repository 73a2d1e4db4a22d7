"""One phone at a time, as `phonenumbers` judges it: what the columns' plain road leaves over."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from interakt_loader.codes import ProblemCode
from interakt_loader.identity.countries import NO_COUNTRY, NON_GEOGRAPHIC, Country, country_of
from interakt_loader.plain import shortened
from interakt_loader.wire import Problem

CHECKS = ("strict", "possible", "as-is")
"""How a phone is judged: by the numbering plans, by its length alone, or not at all."""

_SEEN = 65_536
"""Phones whose answer is kept: repeats of a customer within a file are free."""

_LONGEST = 15
"""Digits of a number with its country code, by E.164."""

_EXPONENT = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+", re.ASCII)
"""What a spreadsheet makes of a long number."""

_BETWEEN_PHONES = re.compile(r"[,;/|\r\n]+|\s+(?:or|and|&)\s+", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[\s()\[\]./\-\u2010-\u2015\u2212]+")

_NORTH_AMERICA = 1
_NORTH_AMERICAN_PREFIXES = ("", "1", "0111")

_IMPOSSIBLE = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too short without its area code",
    ValidationResult.INVALID_LENGTH: "of a length that no number there has",
}


class OnePhone(NamedTuple):
    """A phone's two parts, or the problem."""

    country_code: str | None
    """Such as `+91`."""
    number: str | None
    """The national number's digits."""
    problem: Problem | None
    note: Problem | None = None
    """Which one of several was taken."""


@functools.lru_cache(maxsize=_SEEN)
def one_phone(written: str, country: str, check: str) -> OnePhone:
    """Read a phone, or the first good one of several in one cell. Never raises."""
    whole = _read(written, country, check)
    if whole.problem is None or whole.problem.code != "phone_invalid":
        return whole
    parts = [part for part in _BETWEEN_PHONES.split(written) if part.strip()]
    if len(parts) == 1:
        return whole
    for position, part in enumerate(parts, start=1):
        found = _read(part, country, check)
        if found.problem is None:
            return found._replace(note=chosen(position, len(parts)))
    return whole


def chosen(position: int, count: int) -> Problem:
    """Return the note of a cell with several phones."""
    return Problem("phone_chosen", f"of the {count} phones in the cell, number {position} is used")


def _read(written: str, country: str, check: str) -> OnePhone:
    known = country_of(country)
    number = _cleaned(written)
    own_code = number.startswith("+")
    if known is None and not own_code:
        return _bad("country_code_invalid", f"{shortened(country)} {NO_COUNTRY}")
    if _EXPONENT.fullmatch(number):
        return _bad("phone_invalid", f"{shortened(written)} lost digits in a spreadsheet: read the column as text")
    if check == "as-is" and known is not None and not own_code:
        return _as_it_is(number, known, written)
    where = "" if known is None or own_code else f" for +{known.dialling_code}"
    problem = f"{shortened(written)} is not a valid phone number{where}"
    try:
        found = _parsed(number, known)
    except NumberParseException:
        return _bad("phone_invalid", problem)
    if found.extension is not None:
        return _bad("phone_invalid", f"{shortened(written)} has an extension; expected the number alone")
    national = phonenumbers.national_significant_number(found)
    if check == "as-is":
        return OnePhone(f"+{found.country_code}", national, None)
    if found.country_code == _NORTH_AMERICA and not _is_north_american(number, national):
        return _bad("phone_invalid", problem)
    good = phonenumbers.is_valid_number if check == "strict" else phonenumbers.is_possible_number
    if not good(found):
        reason = _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(found))
        return _bad("phone_invalid", problem + (f": it is {reason}" if reason else ""))
    return OnePhone(f"+{found.country_code}", national, None)


def _as_it_is(number: str, country: Country, written: str) -> OnePhone:
    """Take the digits for the national number, whatever they are."""
    digits = _PUNCTUATION.sub("", number)
    code = str(country.dialling_code)
    if not re.fullmatch(r"[0-9]+", digits) or len(code + digits) > _LONGEST:
        said = f"{shortened(written)} is no phone: expected digits, at most {_LONGEST} with +{code}"
        return _bad("phone_invalid", said)
    return OnePhone(f"+{code}", digits, None)


def _parsed(number: str, country: Country | None) -> PhoneNumber:
    if country is None or number.startswith("+"):
        return phonenumbers.parse(number)
    if country.region == NON_GEOGRAPHIC:
        return phonenumbers.parse(f"+{country.dialling_code}{number}")
    return phonenumbers.parse(number, country.region)


def _is_north_american(number: str, national: str) -> bool:
    """Tell whether nothing but a prefix stands before the national number.

    `phonenumbers` takes two ones off: for it `1 (11) 500 555-0132` is the personal number 500-555-0132.
    """
    digits = phonenumbers.normalize_digits_only(number)
    before = digits.removesuffix(national)
    return before == digits or before in _NORTH_AMERICAN_PREFIXES


def _cleaned(written: str) -> str:
    """Take off what is no part of a number: invisible characters, `tel:`; `00` becomes `+`."""
    number = "".join(one for one in written if unicodedata.category(one) != "Cf").strip().removeprefix("'").strip()
    if number[:4].lower() == "tel:":
        number = number[4:].strip()
    if number.startswith("＋"):
        number = "+" + number[1:]
    return f"+{number[2:]}" if number.startswith("00") else number


def _bad(code: ProblemCode, message: str) -> OnePhone:
    return OnePhone(None, None, Problem(code, message))
