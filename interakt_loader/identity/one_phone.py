"""One phone at a time, as `phonenumbers` judges it: what the columns' plain road leaves over."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberType, ValidationResult

from interakt_loader.codes import ProblemCode
from interakt_loader.identity.countries import NO_COUNTRY, NON_GEOGRAPHIC, Country, country_of
from interakt_loader.identity.phone_text import EXTENSION, LONGEST, PhoneText, phone_text
from interakt_loader.values import shortened
from interakt_loader.wire import Problem

CHECKS = ("strict", "possible", "as-is")
"""How a phone is judged: by the numbering plans, by its length alone, or not at all."""

_SEEN = 65_536
"""Phones whose answer is kept: repeats of a customer within a file are free."""

_MOST_DIGITS = 15
"""Digits of a number with its country code, by E.164."""

_FEWEST_DIGITS = 6
"""Digits of what may be a phone among several, where nothing else tells."""

_MOST_PHONES = 100
"""Parts of a text that are looked at."""

_BETWEEN_PHONES = re.compile(r"[,;/|\r\n]+|(?<=\s)(?:or|and|&)(?=\s)", re.IGNORECASE)

_NORTH_AMERICA, _MEXICO, _ARGENTINA = 1, 52, 54
_NORTH_AMERICAN_PREFIXES = ("", "1", "0111")
_MEXICAN_PREFIXES = re.compile("(?:01|04[45])([0-9]{10})")
"""What was dialled before a number until 2019."""
_MEXICAN_MOBILE = re.compile("(?:1|01|04[45])([0-9]{10})")
"""The same behind the country's code, with the 1 of mobiles that WhatsApp's ids have still."""
_ARGENTINIAN_15 = re.compile("9(?=[0-9]{12}$)([0-9]{2,4}15[0-9]{6,8})")
"""A mobile with both of its marks, the 9 of calls from abroad and the 15 of calls at home."""

_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

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


def one_phone(written: str, country: str, check: str) -> OnePhone:
    """Read a phone, or the first good one of several in one cell. Never raises."""
    return _one_phone(written, country, check) if len(written) <= LONGEST else _first_of(written, country, check)


@functools.lru_cache(maxsize=_SEEN)
def _one_phone(written: str, country: str, check: str) -> OnePhone:
    return _first_of(written, country, check)


def _first_of(written: str, country: str, check: str) -> OnePhone:
    whole = _read(written, country, check)
    parts = [part for part in _BETWEEN_PHONES.split(written) if part.strip()]
    if (
        len(parts) == 1
        or len(parts) > _MOST_PHONES
        or (whole.problem is not None and whole.problem.code != "phone_invalid")
    ):
        return whole
    if whole.problem is None:
        if _is_long(parts[0]) and _read(parts[0], country, check).problem is None:
            return _bad("phone_invalid", f"{shortened(written)} may be one phone number or {len(parts)}")
        return whole
    if whole.problem.message.endswith(EXTENSION):
        return whole
    for position, part in enumerate(parts, start=1):
        found = _read(part, country, check)
        if found.problem is None and (check != "as-is" or _is_long(part)):
            return found._replace(note=chosen(position, len(parts)))
    return whole


def _is_long(text: str) -> bool:
    """Tell whether a part has the digits of a phone number by itself."""
    return sum(map(str.isdecimal, text)) >= _FEWEST_DIGITS


def chosen(position: int, count: int) -> Problem:
    """Return the note of a cell with several phones."""
    return Problem("phone_chosen", f"of the {count} phones in the cell, number {position} is used")


def _read(written: str, country: str, check: str) -> OnePhone:
    known = country_of(country)
    text = phone_text(written)
    has_code = text.has_code or text.digits.startswith("00")
    if known is None and not has_code:
        return _bad("country_code_invalid", f"{shortened(country)} {NO_COUNTRY}")
    if text.problem is not None:
        return _bad("phone_invalid", f"{shortened(written)} {text.problem}")
    if check == "as-is" and known is not None and not has_code:
        return _as_it_is(text.digits, known, written)
    where = "" if known is None or has_code else f" for +{known.dialling_code}"
    problem = f"{shortened(written)} is not a valid phone number{where}"
    readings = _readings(text, known)
    if not readings:
        return _bad("phone_invalid", problem)
    good = _good(readings, check)
    if not good and check == "as-is":
        good = readings[:1]
    if len(good) > 1:
        both = " or ".join(f"+{one.country_code} {_national(one)}" for one in good)
        return _bad("phone_invalid", f"{shortened(written)} may be {both}: write it with + and the country code")
    if not good:
        reason = _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(readings[0]))
        return _bad("phone_invalid", problem + (f": it is {reason}" if reason else ""))
    return OnePhone(f"+{good[0].country_code}", _national(good[0]), None)


def _as_it_is(digits: str, country: Country, written: str) -> OnePhone:
    """Take the digits for the national number, whatever they are."""
    code = str(country.dialling_code)
    if len(code + digits) > _MOST_DIGITS:
        said = f"{shortened(written)} is no phone: expected digits, at most {_MOST_DIGITS} with +{code}"
        return _bad("phone_invalid", said)
    return OnePhone(f"+{code}", digits, None)


def _good(readings: list[PhoneNumber], check: str) -> list[PhoneNumber]:
    """Return the readings that stand, the only one or all between which nothing decides.

    Digits that are a mobile number behind the country's code, and a number of another sort without it, are the mobile:
    so WhatsApp writes them. The other way round nothing tells whether the code was written.
    """
    good = [one for one in readings if phonenumbers.is_valid_number(one)]
    if not good and check != "strict":
        good = [one for one in readings if phonenumbers.is_possible_number(one)]
    if len(good) > 1:
        mobiles = [one for one in good if phonenumbers.number_type(one) in _MOBILE]
        return mobiles if len(mobiles) == 1 and mobiles != good[:1] else good
    return good


def _readings(text: PhoneText, country: Country | None) -> list[PhoneNumber]:
    """Return the different numbers that the digits can be: with and without the country's code at their head."""
    digits = text.digits
    if text.has_code and not (digits.startswith("0") and country is not None):
        return _distinct([_parsed(f"+{digits}", None)])
    if digits.startswith("00"):
        found = [_parsed(f"+{digits[2:]}", None)]
        if country is not None and not text.has_code and _dials_out(digits, country.region):
            found.append(_parsed(digits, country.region))
        return _distinct(found)
    if country is None:
        return []
    code = str(country.dialling_code)
    if country.area and country.dialling_code == _NORTH_AMERICA and len(digits) == 7:
        digits = country.area + digits
    if country.region == NON_GEOGRAPHIC:
        found = [_parsed(f"+{code}{digits}", None)]
    else:
        found = [_parsed(digits, country.region)]
        if _dials_out(digits, country.region):
            found.append(_parsed(f"+{code}{digits}", None))
    with_code = digits.removeprefix("0") if digits[1:].startswith(code) else digits
    if with_code.startswith(code) and code != str(_NORTH_AMERICA):  # there the 1 is the prefix of all calls as well
        found.append(_parsed(f"+{with_code}", None))
    return _distinct(found)


def _distinct(found: list[PhoneNumber | None]) -> list[PhoneNumber]:
    readings: list[PhoneNumber] = []
    for one in found:
        if one is not None and one not in readings:
            readings.append(one)
    return readings


def _parsed(number: str, region: str | None) -> PhoneNumber | None:
    try:
        found = phonenumbers.parse(number, region)
    except NumberParseException:
        return None
    national = _national(found)
    if found.country_code == _NORTH_AMERICA and not _is_whole(number.removeprefix("+"), national):
        return None
    prefixed = _MEXICAN_MOBILE if number.startswith("+") else _MEXICAN_PREFIXES
    if found.country_code == _MEXICO and (match := prefixed.fullmatch(national)):
        return phonenumbers.parse(f"+{_MEXICO}{match[1]}")
    if found.country_code == _ARGENTINA and (match := _ARGENTINIAN_15.fullmatch(national)):
        return phonenumbers.parse(f"+{_ARGENTINA}{match[1]}")
    return found


def _is_whole(digits: str, national: str) -> bool:
    """Tell whether nothing but a prefix stands before a North American number.

    `phonenumbers` takes two ones off: for it `1 (11) 500 555-0132` is the personal number 500-555-0132.
    """
    before = digits.removesuffix(national)
    return before == digits or before in _NORTH_AMERICAN_PREFIXES


@functools.lru_cache(maxsize=256)
def _international_prefix(region: str) -> re.Pattern[str]:
    found = PhoneMetadata.metadata_for_region(region)
    return re.compile("(?!)" if found is None or not found.international_prefix else found.international_prefix)


def _dials_out(digits: str, region: str) -> bool:
    """Tell whether the digits begin as a call to another country does, where that is not by 00 alone."""
    pattern = _international_prefix(region)
    return pattern.pattern != "00" and pattern.match(digits) is not None


def _national(found: PhoneNumber) -> str:
    return str(phonenumbers.national_significant_number(found))


def _bad(code: ProblemCode, message: str) -> OnePhone:
    return OnePhone(None, None, Problem(code, message))
