"""Countries as people write them: dialling codes, ISO letters, English names."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import phonenumbers

from interakt_loader.identity.country_names import region_of

NO_COUNTRY = "is not a country: expected one such as +91, IN or India"

NON_GEOGRAPHIC = "001"
"""The region that phonenumbers gives to +800 and its like."""


class Country(NamedTuple):
    """A country as far as phones go."""

    dialling_code: int
    region: str
    """Two ISO letters, or `NON_GEOGRAPHIC`; of a code that several countries share, the main one."""


def country_code(text: str) -> str | None:
    """Return a country's dialling code as `+91`, from `91`, `+91`, `0091`, `IN`, `IND` or `India`; None if unknown."""
    country = country_of(text)
    return None if country is None else f"+{country.dialling_code}"


@functools.lru_cache(maxsize=1024)
def country_of(written: str) -> Country | None:
    """Return the country that is written as a dialling code, in ISO letters or by its name; None if unknown."""
    text = written.strip().removeprefix("'").strip()
    match = re.fullmatch(r"(?:\+|00)?\s*(\d{1,3})(?:\.0)?", text)
    if match is None:
        region = region_of(text)
        return None if region is None else Country(phonenumbers.country_code_for_region(region), region)
    code = int(match[1])
    if code not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return None
    return Country(code, phonenumbers.region_code_for_country_code(code))
