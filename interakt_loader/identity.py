"""User ids, phones and country codes as people write them → as the API wants them.

A whole-number column that was read as floats, spreadsheets' apostrophes, spaces and dashes, `+`, `00` and `tel:`
are all mended; a number that lost digits on its way is not guessed at. What is a phone number, `phonenumbers` says.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

from interakt_loader.plain import plain, problems_at, shortened, without
from interakt_loader.wire import Problem

_NULL_WORDS = pa.array(["nan", "NaN", "None", "null", "NULL", "NaT", "<NA>"])
_NO_PHONE_WORDS = pa.array(["nan", "none", "null", "nat", "<na>", "na", "n/a"])

_EXACT_BELOW = {"float": 2.0**24, "double": 2.0**53}
"""From here on a float no longer tells whole numbers apart."""

_EXPONENT = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+", re.ASCII)
"""What a spreadsheet makes of a long number."""

_LOST_DIGITS = "lost digits when it was read as a number: read the column as text"
_NO_COUNTRY = "is not a country code: expected one such as +91 or IN"

_NON_GEOGRAPHIC = "001"  # the region that phonenumbers gives to +800 and its like
_ALIASES = {"UK": "GB"}

_SEEN = 65_536
"""Phones whose answer is kept: repeats of a customer within a file are free."""

_MANY, _FEW = 64, 16
"""A batch's numbers are done a country at a time for countries with so many rows, so few countries at the most."""

_TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)

_IMPOSSIBLE = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too short without its area code",
    ValidationResult.INVALID_LENGTH: "of a length that no number there has",
}


class UserIds(NamedTuple):
    """User ids, null where missing or in `problems` (by position, code `user_id_invalid`)."""

    values: pa.StringArray
    problems: dict[int, Problem]


class Phones(NamedTuple):
    """Phones, null where missing or in `problems` (by position, `phone_invalid` or `country_code_invalid`)."""

    country_codes: pa.StringArray
    """Such as `+91`."""
    numbers: pa.StringArray
    """The national number's digits; a leading zero only where it belongs to the number, as in Italy."""
    problems: dict[int, Problem]


class _Country(NamedTuple):
    dialling_code: int
    region: str


def user_ids(values: pa.Array) -> UserIds:
    """Return the user ids of a column: text trimmed, with its leading zeros; whole numbers as their digits."""
    text, problems = _whole_texts(values, "user_id_invalid", "is not a user id: expected text or a whole number")
    return UserIds(without(text, pc.is_in(text, _NULL_WORDS)), problems)


def phones(numbers: pa.Array, country_codes: pa.Array | None, default_country: str = "+91") -> Phones:
    """Return the phones of a column, with their countries.

    A country is a dialling code (`91`, `+91`, `0091`, 91.0) or ISO letters (`IN`); where it is missing the default
    stands. A number written with `+` or `00` keeps its own country code, whatever the column says.
    """
    text, problems = _whole_texts(numbers, "phone_invalid", "is not a phone number")
    text = without(text, pc.is_in(pc.utf8_lower(text), _NO_PHONE_WORDS))
    countries = pa.repeat(default_country, len(text))
    if country_codes is not None:
        written, unusable = _whole_texts(country_codes, "country_code_invalid", _NO_COUNTRY)
        of_phones = {place: problem for place, problem in unusable.items() if text[place].is_valid}
        if of_phones:
            problems |= of_phones
            places = pa.array(range(len(text)), pa.int64())
            text = without(text, pc.is_in(places, pa.array(of_phones, pa.int64())))
        countries = pc.coalesce(written, countries)
    codes, nationals = _plain_phones(text, countries)
    rest = pc.and_(text.is_valid(), nationals.is_null())
    if pc.any(rest).as_py():
        found = [*map(_read, text.filter(rest).to_pylist(), countries.filter(rest).to_pylist())]
        codes = pc.replace_with_mask(codes, rest, pa.array([one.country_code for one in found], pa.string()))
        nationals = pc.replace_with_mask(nationals, rest, pa.array([one.national for one in found], pa.string()))
        places = pc.indices_nonzero(rest).to_pylist()
        problems |= {place: one.problem for place, one in zip(places, found, strict=True) if one.problem is not None}
    return Phones(codes, nationals, problems)


def country_code(text: str) -> str | None:
    """Return a country's dialling code as `+91`, from `91`, `+91`, `0091`, `91.0`, `IN` or `in`; None if unknown."""
    country = _country(text)
    return None if country is None else f"+{country.dialling_code}"


def _whole_texts(values: pa.Array, code: str, complaint: str) -> tuple[pa.StringArray, dict[int, Problem]]:
    """Return text trimmed and whole numbers as digits; null where missing, or where there is a problem."""
    kind, array, found = plain(values)
    problems = {place: Problem(code, problem.message) for place, problem in found.items()}
    if kind == "text":
        text = pc.utf8_trim_whitespace(array)
        quoted = pc.match_substring_regex(text, "^'[0-9+]")
        if pc.any(quoted).as_py():  # spreadsheets write an apostrophe to keep a number text
            text = pc.if_else(quoted, pc.utf8_slice_codeunits(text, 1), text)
        as_float = pc.match_substring_regex(text, r"^[0-9]+\.0$")
        if pc.any(as_float).as_py():
            text = pc.if_else(as_float, pc.utf8_slice_codeunits(text, 0, -2), text)
        return text, problems
    if kind == "int":
        return array.cast(pa.string()), problems
    if kind in ("null", "other"):
        return pa.nulls(len(array), pa.string()), problems
    if kind == "decimal":
        whole = [None if one is None or one != int(one) else str(int(one)) for one in array.to_pylist()]
        text = pa.array(whole, pa.string())
        return text, problems_at(array, pc.and_(array.is_valid(), text.is_null()), code, complaint)
    if kind == "float":
        lossy = pc.greater_equal(pc.abs(array), _EXACT_BELOW[str(array.type)])
        fraction = pc.and_not(pc.not_equal(pc.floor(array), array), lossy)
        problems = problems_at(array, fraction, code, complaint) | problems_at(array, lossy, code, _LOST_DIGITS)
        return without(array, pc.or_(fraction, lossy)).cast(pa.int64()).cast(pa.string()), problems
    problems |= problems_at(array, array.is_valid(), code, complaint)
    return pa.nulls(len(array), pa.string()), problems


# ---------------------------------------------------------------------------- countries


@functools.lru_cache(maxsize=1024)
def _country(written: str) -> _Country | None:
    text = written.strip().removeprefix("'").strip()
    region = _ALIASES.get(text.upper(), text.upper())
    if region in phonenumbers.SUPPORTED_REGIONS:
        return _Country(phonenumbers.country_code_for_region(region), region)
    match = re.fullmatch(r"(?:\+|00)?\s*(\d{1,3})(?:\.0)?", text)
    if match is None:
        return None
    code = int(match[1])
    if code not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return None
    return _Country(code, phonenumbers.region_code_for_country_code(code))


# ---------------------------------------------------------------------------- a column at a time


class _Plan(NamedTuple):
    """What a country's national numbers look like when there is nothing to take off, as patterns."""

    valid: tuple[str, str]
    """All of these match."""
    prefixed: str
    """This does not: it begins with something that may have to be taken off."""
    international: str
    """What begins with this is an international call."""
    trunk_zero: bool
    """A 0 before the number is all that there may be to take off."""


@functools.lru_cache(maxsize=256)
def _plan(country: str) -> _Plan | None:
    """Return the numbering plan of a country if it shares its dialling code with no other."""
    known = _country(country)
    if known is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[known.dialling_code]) > 1:
        return None
    found = PhoneMetadata.metadata_for_region(known.region)
    if found is None or found.general_desc is None:  # +800 and its like are of no region
        return None
    kinds = [getattr(found, name).national_number_pattern for name in _TYPES if getattr(found, name) is not None]
    valid = f"^(?:{found.general_desc.national_number_pattern})$", f"^(?:{'|'.join(filter(None, kinds))})$"
    international = "|".join(filter(None, ["00", found.international_prefix]))
    prefixed = "|".join(filter(None, ["0", found.national_prefix_for_parsing, international]))
    return _Plan(valid, f"^(?:{prefixed})", f"^(?:{international})", found.national_prefix_for_parsing == "0")


def _plain_phones(text: pa.StringArray, countries: pa.StringArray) -> tuple[pa.StringArray, pa.StringArray]:
    """Return the country codes and national numbers of those phones that are plainly right, else null.

    What a country's numbering plan takes as it stands, with no prefix to take off, is what `phonenumbers` would
    make of it, in a hundredth of its time; most of a table is of that sort. For the countries with many rows only.
    """
    codes = nationals = pa.nulls(len(text), pa.string())
    digits = text
    if pc.any(pc.match_substring_regex(text, "[ -]")).as_py():
        digits = pc.replace_substring_regex(text, "[ -]", "")
    for counted in countries.value_counts().to_pylist():
        many = counted["counts"] >= _MANY and counted["counts"] * _FEW >= len(text)
        plan = _plan(counted["values"]) if many else None
        if plan is None:
            continue
        code = str(country_code(counted["values"]))
        theirs = without(digits, pc.not_equal(countries, counted["values"]))
        with_code = pc.starts_with(theirs, code)
        if pc.any(with_code).as_py():
            theirs = pc.if_else(with_code, pc.utf8_slice_codeunits(theirs, len(code)), theirs)
        if plan.trunk_zero and pc.any(pc.starts_with(theirs, "0")).as_py():
            trunk = pc.and_not(pc.starts_with(theirs, "0"), pc.match_substring_regex(theirs, plan.international))
            theirs = pc.if_else(trunk, pc.utf8_slice_codeunits(theirs, 1), theirs)
        wrong = pc.match_substring_regex(theirs, plan.prefixed)
        for pattern in plan.valid:
            wrong = pc.or_(wrong, pc.invert(pc.match_substring_regex(theirs, pattern)))
        theirs = without(theirs, wrong)
        nationals = pc.coalesce(nationals, theirs)
        codes = pc.if_else(theirs.is_valid(), code, codes)
    return codes, nationals


# ---------------------------------------------------------------------------- a number at a time


class _Read(NamedTuple):
    """What `phonenumbers` made of a phone: its two parts, or the problem."""

    country_code: str | None
    national: str | None
    problem: Problem | None


@functools.lru_cache(maxsize=_SEEN)
def _read(written: str, country: str) -> _Read:
    known = _country(country)
    number = _cleaned(written)
    own_code = number.startswith("+")
    if known is None and not own_code:
        return _bad("country_code_invalid", f"{shortened(country)} {_NO_COUNTRY}")
    if _EXPONENT.fullmatch(number):
        return _bad("phone_invalid", f"{shortened(written)} lost digits in a spreadsheet: read the column as text")
    where = "" if known is None or own_code else f" for +{known.dialling_code}"
    problem = f"{shortened(written)} is not a valid phone number{where}"
    try:
        found = _parsed(number, known)
    except NumberParseException:
        return _bad("phone_invalid", problem)
    if found.extension is not None:
        return _bad("phone_invalid", f"{shortened(written)} has an extension; expected the number alone")
    if not phonenumbers.is_valid_number(found):
        reason = _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(found))
        return _bad("phone_invalid", problem + (f": it is {reason}" if reason else ""))
    return _Read(f"+{found.country_code}", phonenumbers.national_significant_number(found), None)


def _parsed(number: str, country: _Country | None) -> PhoneNumber:
    if country is None or number.startswith("+"):
        return phonenumbers.parse(number)
    if country.region == _NON_GEOGRAPHIC:
        return phonenumbers.parse(f"+{country.dialling_code}{number}")
    return phonenumbers.parse(number, country.region)


def _cleaned(written: str) -> str:
    """Take off what is no part of a number: invisible characters, `tel:`; `00` becomes `+`."""
    number = "".join(one for one in written if unicodedata.category(one) != "Cf").strip().removeprefix("'").strip()
    if number[:4].lower() == "tel:":
        number = number[4:].strip()
    if number.startswith("＋"):
        number = "+" + number[1:]
    return f"+{number[2:]}" if number.startswith("00") else number


def _bad(code: str, message: str) -> _Read:
    return _Read(None, None, Problem(code, message))
