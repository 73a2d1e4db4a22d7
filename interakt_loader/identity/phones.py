"""Phones as people write them → a country code and a national number, or why a text is not a phone.

A column is read at once by its country's numbering plan where the plan is simple. Every other phone is read alone: the
digits are taken from its text, and `phonenumbers` checks them. It reads letters as a keypad's digits and drops one or
two of them, so it receives digits only. Both ways give the same result.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberType, ValidationResult

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.normalize import normalize, null_where
from interakt_loader.identity.countries import (
    NO_COUNTRY,
    NON_GEOGRAPHIC,
    Country,
    country_code,
    country_of,
    letters_of,
    words_of,
)
from interakt_loader.identity.user_ids import as_written
from interakt_loader.model import Problem
from interakt_loader.privacy.text import is_invisible, utf8_of
from interakt_loader.values import LOST_DIGITS, NULL_WORD, shortened

CHECKS = ("strict", "possible", "as-is")
"""How a phone is checked: by the numbering plans, by its length alone, or not at all."""

LONGEST = 250
"""Characters of a text that may be one phone."""


class Phones(NamedTuple):
    """Phones, null where missing or in `problems` (by position; `phone_invalid` or `country_code_invalid`)."""

    country_codes: pa.StringArray
    """Such as `+91`."""
    numbers: pa.StringArray
    """The national number's digits; a leading zero only where it belongs to the number, as in Italy."""
    problems: dict[int, Problem]
    notes: dict[int, Problem]
    """Which phone is used, where a cell holds several (`phone_chosen`)."""


def phones(
    values: pa.Array, country_codes: pa.Array | None, default_country: str = "+91", check: str = "strict"
) -> Phones:
    """Return the phones of a column, with their countries.

    A cell is a phone, several in one text, or a list of them; the first good one is taken. A country is a dialling code
    (`91`, `+91`, `0091`, 91.0), ISO letters (`IN`, `IND`) or an English name; the default is used where it is missing.
    A number written with `+` or `00` keeps its own country code. `check` is one of `CHECKS`.
    """
    countries: pa.StringArray = pa.nulls(len(values), pa.string())
    unusable: dict[int, Problem] = {}
    if country_codes is not None:
        countries, unusable, *_ = as_written(country_codes, "country_code_invalid", NO_COUNTRY)
    countries = countries.fill_null(default_country)
    inner = normalize(values)
    found = _of_lists(inner.values, countries, check) if inner.kind == "list" else _of_cells(values, countries, check)
    of_phones = {row: problem for row, problem in unusable.items() if found.numbers[row].is_valid}
    if not of_phones:
        return found
    bad = pc.is_in(pa.array(range(len(values)), pa.int64()), pa.array(of_phones, pa.int64()))
    notes = {row: note for row, note in found.notes.items() if row not in of_phones}
    return Phones(
        null_where(found.country_codes, bad), null_where(found.numbers, bad), found.problems | of_phones, notes
    )


def _of_cells(values: pa.Array, countries: pa.StringArray, check: str) -> Phones:
    text, problems, unusual, _ = as_written(values, "phone_invalid", "is not a phone number")
    if unusual is not None:
        text = null_where(text, pc.match_substring_regex(text, NULL_WORD))
    if check == "as-is":
        codes = nationals = pa.nulls(len(text), pa.string())
    else:
        codes, nationals = phones_by_plan(text, countries)
    rest = pc.and_(text.is_valid(), nationals.is_null())
    notes: dict[int, Problem] = {}
    if pc.any(rest).as_py():
        pairs = zip(text.filter(rest).to_pylist(), countries.filter(rest).to_pylist(), strict=True)
        found = [one_phone(number, country, check) for number, country in pairs]
        codes = pc.replace_with_mask(codes, rest, pa.array([phone.country_code for phone in found], pa.string()))
        nationals = pc.replace_with_mask(nationals, rest, pa.array([phone.number for phone in found], pa.string()))
        for place, phone in zip(pc.indices_nonzero(rest).to_pylist(), found, strict=True):
            if phone.problem is not None:
                problems[place] = phone.problem
            elif phone.note is not None:
                notes[place] = phone.note
    return Phones(codes, nationals, problems, notes)


def _of_lists(lists: pa.Array, countries: pa.StringArray, check: str) -> Phones:
    """Return the first good phone of each list; `countries` has one for each list."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.repeat(np.arange(len(lists)), lengths)
    starts = np.cumsum(lengths) - lengths
    found = _of_cells(lists.flatten(), countries.take(pa.array(rows)), check)
    good = np.flatnonzero(found.numbers.is_valid().to_numpy(zero_copy_only=False))
    with_phone, first = np.unique(rows[good], return_index=True)
    places = np.full(len(lists), -1)
    places[with_phone] = good[first]
    take = pa.array(places, mask=places < 0)
    notes = {
        int(row): chosen(int(places[row] - starts[row]) + 1, int(lengths[row]))
        for row in with_phone[lengths[with_phone] > 1]
    }
    problems: dict[int, Problem] = {}
    for place, problem in sorted(found.problems.items()):
        if places[rows[place]] < 0:
            problems.setdefault(int(rows[place]), problem)
    return Phones(found.country_codes.take(take), found.numbers.take(take), problems, notes)


class Preferred(NamedTuple):
    """A phone for each row, null where there is none or in `problems`; these and the notes name their column."""

    country_codes: pa.StringArray
    numbers: pa.StringArray
    problems: dict[int, tuple[int, Problem]]
    """By row without a good phone: the position of its first column with a value, and why that is refused."""
    notes: dict[int, tuple[int, Problem]]
    """By row: a cell of several phones (`phone_chosen`), or a column that was skipped (`phone_passed_over`)."""


def preferred_phones(
    columns: Sequence[pa.Array], country_codes: pa.Array | None, default_country: str = "+91", check: str = "strict"
) -> Preferred:
    """Return the first good phone of each row, from columns in order of preference; see `phones` for the rest."""
    codes = numbers = pa.nulls(len(columns[0]), pa.string())
    problems: dict[int, tuple[int, Problem]] = {}
    notes: dict[int, tuple[int, Problem]] = {}
    for position, values in enumerate(columns):
        found = phones(values, country_codes, default_country, check)
        taken = numbers.is_valid()
        codes = pc.coalesce(codes, found.country_codes) if position else found.country_codes
        numbers = pc.coalesce(numbers, found.numbers) if position else found.numbers
        notes |= {row: (position, note) for row, note in found.notes.items() if not taken[row].as_py()}
        for row in [row for row in problems if found.numbers[row].is_valid]:
            at_fault, problem = problems.pop(row)
            notes[row] = at_fault, Problem("phone_passed_over", f"{problem.message}; another column's phone is used")
        for row, problem in found.problems.items():
            if not taken[row].as_py():
                problems.setdefault(row, (position, problem))
    return Preferred(codes, numbers, problems, notes)


# ------------------------------------------------------------------ a column by its country's plan

_FEWEST_ROWS, _MOST_COUNTRIES = 64, 16
"""A country is read at once if it has so many rows of a batch, and at least this part of them."""

NUMBER_TYPES = (
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
"""The kinds of numbers in a country's plan, by the names of their fields."""


class _Plan(NamedTuple):
    """What a country's national numbers look like without any prefix, as patterns."""

    shape: str
    """Valid numbers match it."""
    mobile: str
    """Most of them match it too, and then need not be compared with the next pattern, which takes twice as long."""
    of_a_kind: str
    """All of them match it too."""
    prefixed: str
    """What does not match: numbers that begin with something that may be a prefix."""
    doubtful: str
    """Nor do these match: numbers that begin with the country's code, if the rest is a number too."""
    international: str
    """The start of an international call."""
    trunk_zero: bool
    """The only prefix that a number may have is a 0."""


@functools.lru_cache(maxsize=256)
def _plan(country: str) -> _Plan | None:
    """Return the numbering plan of a country if it shares its dialling code with no other."""
    known = country_of(country)
    if known is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[known.dialling_code]) > 1:
        return None
    found = PhoneMetadata.metadata_for_region(known.region)
    if found is None or found.general_desc is None:
        # +800 and the like belong to no region
        return None
    kinds = [getattr(found, name).national_number_pattern for name in NUMBER_TYPES if getattr(found, name) is not None]
    shape = f"^(?:{found.general_desc.national_number_pattern})$"
    of_a_kind = f"^(?:{'|'.join(filter(None, kinds))})$"
    mobiles = found.mobile and found.mobile.national_number_pattern
    mobile = f"^(?:{mobiles})$" if mobiles else of_a_kind
    international = "|".join(filter(None, ["00", found.international_prefix]))
    prefixed = "|".join(filter(None, ["0", found.national_prefix_for_parsing, international]))
    rest = f"(?:{prefixed})?{of_a_kind.strip('^')}" if found.national_prefix_transform_rule is None else prefixed
    doubtful = f"^{known.dialling_code}(?:{rest}|{of_a_kind.strip('^')})"
    trunk_zero = found.national_prefix_for_parsing == "0"
    return _Plan(shape, mobile, of_a_kind, f"^(?:{prefixed})", doubtful, f"^(?:{international})", trunk_zero)


def phones_by_plan(text: pa.StringArray, countries: pa.StringArray) -> tuple[pa.StringArray, pa.StringArray]:
    """Return the country codes and national numbers of phones that need no closer look, else null.

    If a country's plan accepts a number without removing a prefix, `phonenumbers` would return the same number. The
    plan takes a hundredth of the time, and most phones of a table are of this kind. Only countries with many rows are
    read this way.
    """
    codes = nationals = pa.nulls(len(text), pa.string())
    digits = null_where(text, pc.greater(pc.binary_length(text), LONGEST))
    if _holds(digits, "-"):
        digits = null_where(digits, pc.match_substring(digits, "---"))
    for between in " -":
        if _holds(digits, between):
            digits = pc.replace_substring(digits, between, "")
    for counted in countries.value_counts().to_pylist():
        many = counted["counts"] >= _FEWEST_ROWS and counted["counts"] * _MOST_COUNTRIES >= len(text)
        plan = _plan(counted["values"]) if many else None
        if plan is None:
            continue
        code = str(country_code(counted["values"]))
        theirs = null_where(digits, pc.not_equal(countries, counted["values"]))
        with_code = pc.starts_with(theirs, code)
        if pc.any(with_code).as_py():
            theirs = pc.if_else(with_code, pc.utf8_slice_codeunits(theirs, len(code)), theirs)
        if plan.trunk_zero and pc.any(pc.starts_with(theirs, "0")).as_py():
            trunk = pc.and_not(pc.starts_with(theirs, "0"), pc.match_substring_regex(theirs, plan.international))
            theirs = pc.if_else(trunk, pc.utf8_slice_codeunits(theirs, 1), theirs)
        wrong = pc.match_substring_regex(theirs, plan.prefixed)
        wrong = pc.or_(wrong, pc.invert(pc.match_substring_regex(theirs, plan.shape)))
        if not pc.all(pc.match_substring_regex(theirs, plan.mobile)).as_py():
            wrong = pc.or_(wrong, pc.invert(pc.match_substring_regex(theirs, plan.of_a_kind)))
        with_code = pc.starts_with(theirs, code[1:]).fill_null(fill_value=False)
        if pc.any(with_code).as_py():
            doubtful = pc.match_substring_regex(theirs.filter(with_code), plan.doubtful)
            wrong = pc.or_(wrong, pc.replace_with_mask(with_code, with_code, doubtful))
        theirs = null_where(theirs, wrong)
        nationals = pc.coalesce(nationals, theirs)
        codes = pc.if_else(theirs.is_valid(), code, codes)
    return codes, nationals


def _holds(text: pa.StringArray, character: str) -> bool:
    """Return whether any text holds an ASCII character."""
    return bool((utf8_of(text) == ord(character)).any())


# ------------------------------------------------------------------ one phone

_MOST_KEPT = 65_536
"""Phones whose result is kept: repeats of a customer in a file cost nothing."""

_MOST_DIGITS = 15
"""Digits of a number with its country code, by E.164."""

_FEWEST_DIGITS = 6
"""Digits of a part of a text that may be a phone alone."""

_MOST_PHONES = 100
"""Parts of a text that are read."""

_BETWEEN_PHONES = re.compile(r"[,;/|\r\n]+|(?<=\s)(?:or|and|&)(?=\s)", re.IGNORECASE)

_NORTH_AMERICA, _MEXICO, _ARGENTINA = 1, 52, 54
_NORTH_AMERICAN_PREFIXES = ("", "1", "0111")
_MEXICAN_PREFIXES = re.compile("(?:01|04[45])([0-9]{10})")
"""Prefixes that were dialled until 2019."""
_MEXICAN_MOBILE = re.compile("(?:1|01|04[45])([0-9]{10})")
"""The same behind the country's code, and the 1 of mobiles, which WhatsApp's ids still have."""
_ARGENTINIAN_15 = re.compile("9(?=[0-9]{12}$)([0-9]{2,4}15[0-9]{6,8})")
"""A mobile with both prefixes: the 9 of calls from abroad and the 15 of domestic calls."""

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
    """Which of several phones is used."""


def one_phone(written: str, country: str, check: str) -> OnePhone:
    """Read a phone, or the first good one of several in one cell. Never raises."""
    return _one_phone(written, country, check) if len(written) <= LONGEST else _first_of(written, country, check)


@functools.lru_cache(maxsize=_MOST_KEPT)
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
    """Tell whether a part alone has the digits of a phone number."""
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
        both = " or ".join(f"+{reading.country_code} {_national(reading)}" for reading in good)
        return _bad("phone_invalid", f"{shortened(written)} may be {both}: write it with + and the country code")
    if not good:
        reason = _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(readings[0]))
        return _bad("phone_invalid", problem + (f": it is {reason}" if reason else ""))
    return OnePhone(f"+{good[0].country_code}", _national(good[0]), None)


def _as_it_is(digits: str, country: Country, written: str) -> OnePhone:
    """Use the digits as the national number, whatever they are."""
    code = str(country.dialling_code)
    if len(code + digits) > _MOST_DIGITS:
        expected = f"expected digits, at most {_MOST_DIGITS} with +{code}"
        return _bad("phone_invalid", f"{shortened(written)} is not a phone: {expected}")
    return OnePhone(f"+{code}", digits, None)


def _good(readings: list[PhoneNumber], check: str) -> list[PhoneNumber]:
    """Return the one good reading, or all good readings if nothing decides between them.

    Digits may be a mobile number after the country's code, and a number of another type without it. They are the
    mobile, because WhatsApp writes mobiles so. In the opposite case nothing decides whether the code was written.
    """
    good = [reading for reading in readings if phonenumbers.is_valid_number(reading)]
    if not good and check != "strict":
        good = [reading for reading in readings if phonenumbers.is_possible_number(reading)]
    if len(good) > 1:
        mobiles = [reading for reading in good if phonenumbers.number_type(reading) in _MOBILE]
        return mobiles if len(mobiles) == 1 and mobiles != good[:1] else good
    return good


def _readings(text: PhoneText, country: Country | None) -> list[PhoneNumber]:
    """Return the different numbers that the digits can be: with the country's code as their start, and without."""
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
    # in North America the 1 is also the prefix of every call
    if with_code.startswith(code) and code != str(_NORTH_AMERICA):
        found.append(_parsed(f"+{with_code}", None))
    return _distinct(found)


def _distinct(found: list[PhoneNumber | None]) -> list[PhoneNumber]:
    readings: list[PhoneNumber] = []
    for reading in found:
        if reading is not None and reading not in readings:
            readings.append(reading)
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
    """Tell whether only a prefix is before a North American number.

    `phonenumbers` removes two ones: it reads `1 (11) 500 555-0132` as the personal number 500-555-0132.
    """
    before = digits.removesuffix(national)
    return before == digits or before in _NORTH_AMERICAN_PREFIXES


@functools.lru_cache(maxsize=256)
def _international_prefix(region: str) -> re.Pattern[str]:
    found = PhoneMetadata.metadata_for_region(region)
    return re.compile("(?!)" if found is None or not found.international_prefix else found.international_prefix)


def _dials_out(digits: str, region: str) -> bool:
    """Tell whether the digits begin like a call to another country, if the country has a prefix other than 00."""
    pattern = _international_prefix(region)
    return pattern.pattern != "00" and pattern.match(digits) is not None


def _national(found: PhoneNumber) -> str:
    return str(phonenumbers.national_significant_number(found))


def _bad(code: ProblemCode, message: str) -> OnePhone:
    return OnePhone(None, None, Problem(code, message))


# ------------------------------------------------------------------ the digits in a text


class PhoneText(NamedTuple):
    """The digits of a phone in a text, or why there are none."""

    digits: str
    has_code: bool = False
    """The digits begin with a country code: there is a plus, or it is WhatsApp's own form."""
    problem: str | None = None
    """Why it is not a phone, to be read after the text."""


EXTENSION = "has an extension; expected the number alone"
_EDGES = " '\"`‘’“”,;|"

_CHAT_ID = re.compile(r"\+?([0-9]+)(?::[0-9]{1,3})?@(?:c\.us|s\.whatsapp\.net)", re.IGNORECASE)
_CHAT_LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:wa\.me/|(?:(?:api|web|chat)\.)?whatsapp\.com/send/?\?phone=|whatsapp://send/?\?phone=)"
    r"(?:\+|%2b)?([0-9]+)(?:[/?&#].*)?",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"[^0-9+]*")
_NUMBER = re.compile(r"\+*[0-9 ().\[\]/-]+")
_GROUPED = re.compile(r"\+?[0-9]{1,3}(?:,[0-9]{2,3})+(?:\.0{1,3})?")
_FRACTION = re.compile(r"(\+?[0-9]{6,})\.(?:(0{1,3})|[0-9]{1,2})")
_EXPONENT = re.compile(r"[0-9]+(?:[.,][0-9]+)? ?[eE][+-]?[0-9]+")
_EXTENSION = re.compile(r"(?:ext|extn|extension|x|#)[.:=]? ?[0-9]{1,7}", re.IGNORECASE)
_LEFT_OUT = re.compile(r"\.\.|([^0-9 ])\1\1")

_AROUND_WORDS = set(" .:-/()[]#&=|№°")
_SHORT_WORDS = set("mtpcwn")
"""Letters that are short for a word, if there is something between them and the number."""


def phone_text(written: str) -> PhoneText:
    """Return the digits of a phone in any usual notation, or why the text is not a phone."""
    if len(written) > LONGEST:
        return PhoneText("", problem=f"has {len(written):,} characters")
    is_plain = written.isascii() and written.isprintable()
    text = (written if is_plain else "".join(map(_readable, written))).strip(_EDGES)
    own_form = (_CHAT_ID if "@" in text else _CHAT_LINK).fullmatch(text) if not _NUMBER.fullmatch(text) else None
    if own_form is not None:
        return PhoneText(own_form[1], has_code=True)
    before = _BEFORE.match(text)
    start = before.end() if before is not None else 0
    if not any(map(str.isdecimal, text)):
        return PhoneText("", problem="holds no digits")
    words, number = text[:start], text[start:].rstrip(" ")
    strange = _strange_words(words) if words.strip(" (") else None
    if strange is not None:
        return PhoneText("", problem=f"has {strange!r} before the number")
    if _EXPONENT.fullmatch(number):
        return PhoneText("", problem=LOST_DIGITS)
    if _GROUPED.fullmatch(number):
        number = number.replace(",", "")
    fraction = _FRACTION.fullmatch(number)
    if fraction is not None:
        if fraction[2] is None:
            return PhoneText("", problem="is a number with a fraction")
        number = fraction[1]
    if not _NUMBER.fullmatch(number):
        return PhoneText("", problem=_what_else(number))
    if _LEFT_OUT.search(number):
        return PhoneText("", problem="has digits left out")
    return PhoneText("".join(re.findall("[0-9]+", number)), has_code=number.startswith("+"))


def _what_else(number: str) -> str:
    """Return the problem of what is among or after the digits."""
    found = _NUMBER.match(number)
    rest = number[found.end() if found is not None else 0 :]
    if _EXTENSION.fullmatch(rest.strip("; ")):
        return EXTENSION
    return f"has {rest[0]!r} among or after its digits"


def _strange_words(text: str) -> str | None:
    """Return what is before a number and is not a word for a phone, such as `Mob:` or `Tel.`; None if nothing is."""
    words = words_of(text)
    for word in words:
        known = letters_of(word) in _known_words() or (word.casefold() in _SHORT_WORDS and not text.endswith(word))
        if not known:
            return word
    signs = [sign for sign in text if unicodedata.category(sign)[0] not in "LM"]
    strange = [sign for sign in signs if sign not in _AROUND_WORDS and unicodedata.category(sign) != "So"]
    if strange or ("#" in signs and not words):
        return strange[0] if strange else "#"
    return None


@functools.lru_cache(maxsize=1)
def _known_words() -> frozenset[str]:
    text = importlib.resources.files("interakt_loader.identity").joinpath("phone_words.txt").read_text(encoding="utf-8")
    return frozenset(map(letters_of, text.split()))


def _readable(character: str) -> str:
    """Return a character in ASCII: a digit of any script, a space or dash of any kind; "" if it is invisible."""
    if character.isascii() and character.isprintable():
        return character
    if character.isspace():
        return " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if is_invisible(character) or character == "\N{COMBINING ENCLOSING KEYCAP}":
        return ""
    if unicodedata.category(character) == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    narrow = unicodedata.normalize("NFKC", character)
    return narrow if narrow.isascii() and len(narrow) == 1 and not narrow.isalnum() else character
