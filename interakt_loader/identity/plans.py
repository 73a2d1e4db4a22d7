"""Phones a column at a time: what a country's numbering plan takes as it stands."""

from __future__ import annotations

import functools
from typing import NamedTuple

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import PhoneMetadata

from interakt_loader.identity.countries import country_code, country_of
from interakt_loader.identity.phone_text import LONGEST
from interakt_loader.plain import without

_MANY, _FEW = 64, 16
"""A batch's numbers are done a country at a time for countries with so many rows, so few countries at the most."""

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
    """What a country's national numbers look like when there is nothing to take off, as patterns."""

    valid: tuple[str, str]
    """All of these match."""
    prefixed: str
    """This does not: it begins with something that may have to be taken off."""
    doubtful: str
    """Nor this: behind the country's code at its head it is a number as well."""
    international: str
    """What begins with this is an international call."""
    trunk_zero: bool
    """A 0 before the number is all that there may be to take off."""


@functools.lru_cache(maxsize=256)
def _plan(country: str) -> _Plan | None:
    """Return the numbering plan of a country if it shares its dialling code with no other."""
    known = country_of(country)
    if known is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[known.dialling_code]) > 1:
        return None
    found = PhoneMetadata.metadata_for_region(known.region)
    if found is None or found.general_desc is None:  # +800 and its like are of no region
        return None
    kinds = [getattr(found, name).national_number_pattern for name in NUMBER_TYPES if getattr(found, name) is not None]
    valid = f"^(?:{found.general_desc.national_number_pattern})$", f"^(?:{'|'.join(filter(None, kinds))})$"
    international = "|".join(filter(None, ["00", found.international_prefix]))
    prefixed = "|".join(filter(None, ["0", found.national_prefix_for_parsing, international]))
    rest = f"(?:{prefixed})?{valid[1].strip('^')}" if found.national_prefix_transform_rule is None else prefixed
    doubtful = f"^{known.dialling_code}(?:{rest}|{valid[1].strip('^')})"
    return _Plan(valid, f"^(?:{prefixed})", doubtful, f"^(?:{international})", found.national_prefix_for_parsing == "0")


def plain_phones(text: pa.StringArray, countries: pa.StringArray) -> tuple[pa.StringArray, pa.StringArray]:
    """Return the country codes and national numbers of those phones that are plainly right, else null.

    What a country's numbering plan takes as it stands, with no prefix to take off, is what `phonenumbers` would
    make of it, in a hundredth of its time; most of a table is of that sort. For the countries with many rows only.
    """
    codes = nationals = pa.nulls(len(text), pa.string())
    unusual = pc.or_(pc.match_substring(text, "---"), pc.greater(pc.binary_length(text), LONGEST))
    digits = without(text, unusual)
    for between in " -":
        if pc.any(pc.match_substring(digits, between)).as_py():
            digits = pc.replace_substring(digits, between, "")
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
        with_code = pc.fill_null(pc.starts_with(theirs, code[1:]), False)
        if pc.any(with_code).as_py():
            doubtful = pc.match_substring_regex(theirs.filter(with_code), plan.doubtful)
            wrong = pc.or_(wrong, pc.replace_with_mask(with_code, with_code, doubtful))
        theirs = without(theirs, wrong)
        nationals = pc.coalesce(nationals, theirs)
        codes = pc.if_else(theirs.is_valid(), code, codes)
    return codes, nationals
