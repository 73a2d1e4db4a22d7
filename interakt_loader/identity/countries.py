"""Countries as people write them: dialling codes, ISO letters, flags, names. `countries.tsv` has the names."""

from __future__ import annotations

import functools
import importlib.resources
import re
import unicodedata
from typing import NamedTuple

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

NO_COUNTRY = "is not a country: expected one such as +91, IN or India"

NON_GEOGRAPHIC = "001"
"""The region of +800 and the like in `phonenumbers`."""

_LONGEST = 100
"""Characters of the longest text that is looked up."""

_BETWEEN_NAMES = tuple(
    map(re.compile, (r"[(\[](?=[^(\[]*$)", r"[()\[\]/|:,]+|\s[–—-]+\s", r"[()\[\]/|:,–—-]+")),
)
"""What may separate two names of one country; some names have brackets, a comma or a dash themselves."""
_NORTH_AMERICA = 1
_AREA_OF_NORTH_AMERICA = re.compile("[2-9][0-9]{2}")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_LITTLE_WORDS = {"and", "the", "of"}
_LONG_FORMS = {"st": "saint", "rep": "republic", "dem": "democratic", "is": "islands", "island": "islands"}


class Country(NamedTuple):
    """A country as far as phones go."""

    dialling_code: int
    region: str
    """Two ISO letters, or `NON_GEOGRAPHIC`; of a code that several countries share, the main one."""
    area: str = ""
    """The area code that is written with the dialling code, as in +1-876; else empty."""


def country_code(text: str) -> str | None:
    """Return a country's dialling code as `+91`, from `91`, `0091`, `IN`, `IND`, `India (+91)`; None if unknown."""
    country = country_of(text)
    return None if country is None else f"+{country.dialling_code}"


@functools.lru_cache(maxsize=1024)
def country_of(written: str) -> Country | None:
    """Return the country that is written as a dialling code, in ISO letters, as a flag or by its name.

    A name and a code together have to agree. None if unknown.
    """
    if len(written) > _LONGEST:
        return None
    text = _FLAG.sub(r"(\g<0>)", written)
    text = "".join(map(_readable, text)).strip(" '").removesuffix(".0")
    digits = re.findall("[0-9]+", text)
    name = re.sub("[0-9+]+", " ", text).strip(" ()[]/|:,–—-")
    if text.startswith("-"):
        return None
    if not name:
        return _by_code(digits, plus="+" in text)
    region = _by_name(name)
    if region is None or not digits:
        return None if region is None else Country(phonenumbers.country_code_for_region(region), region)
    country = _by_code(digits, plus=True)
    if country is None or region not in COUNTRY_CODE_TO_REGION_CODE[country.dialling_code]:
        return None
    return country._replace(region=region)


def _by_code(groups: list[str], *, plus: bool) -> Country | None:
    """Return the country of a dialling code and its area codes: 91; 1 876; with a plus also 1876."""
    if not groups:
        return None
    first, *areas = groups[0].removeprefix("00"), *groups[1:]
    if not first and areas:
        first, *areas = areas
    if plus and len(first) > 3:
        length = next((n for n in (1, 2, 3) if int(first[:n]) in COUNTRY_CODE_TO_REGION_CODE), 0)
        first, areas = first[:length], [first[length:], *areas]
    if not 0 < len(first) <= 3 or int(first) not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    code = int(first)
    if code == _NORTH_AMERICA:
        # the code is repeated in 1-809, 1-829, 1-849
        areas = [area for area in areas if area != first]
    if not areas:
        return Country(code, phonenumbers.region_code_for_country_code(code))
    regions = {_region_of_area(code, area) for area in areas}
    region = regions.pop()
    if regions or region is None:
        return None
    return Country(code, region, areas[0] if len(areas) == 1 else "")


def _region_of_area(code: int, area: str) -> str | None:
    """Return the one region, of those that share a dialling code, whose numbers begin with the area code."""
    if code == _NORTH_AMERICA:
        if not _AREA_OF_NORTH_AMERICA.fullmatch(area):
            return None
        region: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(f"+1{area}2345678"))
        return region
    for region in COUNTRY_CODE_TO_REGION_CODE[code][1:]:
        found = PhoneMetadata.metadata_for_region(region)
        if found is None:
            continue
        examples = [numbers.example_number for numbers in (found.fixed_line, found.mobile) if numbers is not None]
        if (found.leading_digits and re.fullmatch(found.leading_digits, area)) or any(
            example.startswith(area) for example in examples if example and len(area) > 1
        ):
            return str(region)
    return None


def _by_name(text: str) -> str | None:
    """Return the region of a name or letters, or of several that agree: `India (IN)`."""
    whole = region_of(text)
    if whole is not None:
        return whole
    for between in _BETWEEN_NAMES:
        parts = {region_of(part) for part in between.split(text) if part.strip()}
        if len(parts) == 1 and None not in parts:
            return parts.pop()
    return None


def region_of(text: str) -> str | None:
    """Return the two ISO letters of a region from two or three letters or a name; None if it is none of these."""
    return next((_regions()[key] for key in name_keys(text) if key in _regions()), None)


def name_keys(text: str) -> tuple[str, str]:
    """Return what names are compared by: without case, accents, spaces and full stops; then the words in any order.

    By the second, `Korea, South`, `Gambia, The` and `St. Lucia` are found.
    """
    letters = letters_of(text)
    joined, words = words_of(letters.replace(".", "")), words_of(letters)
    if len(words) > 1:
        words = [_LONG_FORMS.get(word, word) for word in words if word not in _LITTLE_WORDS]
    return "".join(joined), " ".join(sorted(words))


def letters_of(text: str) -> str:
    """Return text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words_of(text: str) -> list[str]:
    """Return the runs of letters in a text, with their accents."""
    letters = (character if unicodedata.category(character)[0] in "LM" else " " for character in text)
    return "".join(letters).split()


@functools.lru_cache(maxsize=1)
def _regions() -> dict[str, str]:
    """Return the region of each key of a name."""
    return {key: two for two, names in country_names() for name in names for key in name_keys(name) if key}


def country_names() -> list[tuple[str, list[str]]]:
    """Return every region with its letters and names, as `countries.tsv` has them."""
    table = importlib.resources.files("interakt_loader.identity").joinpath("countries.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return [(two, [two, three, *filter(None, f"{english}|{local}".split("|"))]) for two, three, english, local in rows]


def _readable(character: str) -> str:
    """Return a digit of any script as 0 to 9, a flag's letter as a letter, "" for an invisible character."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if _FLAG.fullmatch(character * 2):
        return chr(ord(character) - 0x1F1E6 + ord("A"))
    if character == "＋":
        return "+"
    return "" if unicodedata.category(character) in ("Cf", "Cc") else character
