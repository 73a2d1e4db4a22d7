"""Phones and their countries: every column that might hold phones is tried, with every column of countries."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping as Looked
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow.compute as pc

from interakt_loader.identity import country_code, preferred_phones
from interakt_loader.mapping.inference.inferred import Line
from interakt_loader.mapping.inference.names import (
    COUNTRIES,
    LOOSE_COUNTRIES,
    NAMES,
    bare,
    called,
    names_a_code,
    names_a_phone,
    names_a_time,
    words,
)
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.times import time_guess
from interakt_loader.settings import Settings

ENOUGH = 0.5
"""The share of valid numbers from which on a column that is called so holds phones."""
_SURE = 0.9
"""The same for a column whose name does not say so."""
_TRIED = 1000
"""Values that are tried; each costs a look into the numbering plans."""
_TRIED_ELSEWHERE = 200
_ELSEWHERE = ("+1", "+44", "+61", "+65", "+91", "+971")
"""Countries that are tried where the default does not do."""
_SHAPE = r"'?(?:tel:)?\+?[0-9(][0-9 ()./-]{5,22}[0-9]"
_AMOUNT_OR_TIME = r"[0-9]+\.[0-9]+|1[0-9]{9}"
"""What has the shape of a phone and is none: an amount, or seconds since 1970."""
_FEWEST = 5
"""Values from which on their form alone may tell."""
_NORTH_AMERICAN = r"(?:1[ -])?\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}"
_MOSTLY = 0.8


@dataclass(frozen=True)
class Tried:
    """How many of a column's values are phones."""

    column: str
    country: str | None
    """The column of countries that was used."""
    valid: int
    of: int
    codes: Counter[str]
    """Of the valid ones, by country code."""
    misfit: str | None
    """The first value that is none, and where: `'12' in row 7`."""

    @property
    def share(self) -> float:
        """The share of valid numbers."""
        return self.valid / self.of if self.of else 0.0

    @property
    def said(self) -> str:
        """The evidence in words."""
        if not self.valid:
            return f"none of {self.of:,} values is a phone number"
        code, most = self.codes.most_common(1)[0]
        whose = f"of {code}" if most >= self.valid * _SURE else f"of {len(self.codes)} country codes"
        share = "all" if self.valid == self.of else f"{int(self.share * 100)} %"
        told = f", with the countries in {self.country}" if self.country is not None else ""
        return f"{share} of {self.of:,} values are phone numbers {whose}{told}"


@dataclass(frozen=True)
class PhonesFound:
    """The phone and its country, as lines."""

    column: str | None = None
    lines: tuple[Line, ...] = ()
    undecided: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nearest: str | None = None
    """The column that came nearest, in words, where there is none."""


class Countries(NamedTuple):
    """The columns of countries: those that are called so, and those that help if they make more phones valid."""

    sure: list[Look]
    loose: list[Look]
    unread: list[str]
    """Names of columns that are called so, and hold no countries that are known."""


def find_phones(looks: Looked[str, Look], settings: Settings) -> PhonesFound:
    """Find the column of phones, and the one that tells their countries."""
    named = [name for name in called(looks, NAMES["phone"]) if looks[name].filled]
    named += [name for name in looks if name not in named and names_a_phone(name) and looks[name].filled]
    countries = _countries(looks)
    tried = [_best(looks[name], countries, settings) for name in named]
    found = next((one for one in tried if one.share >= ENOUGH), None)
    shaped = [] if found is not None else [look for name, look in looks.items() if name not in named and _shaped(look)]
    unnamed = [_best(look, countries, replace(settings, phones="strict")) for look in shaped]
    if found is None:
        found = max((one for one in unnamed if one.share >= _SURE), key=lambda one: one.share, default=None)
    offered = [_offered(one, looks[one.column], settings) for one in tried if one is not found]
    if found is None:
        offered += [_offered(one, looks[one.column], settings) for one in unnamed]
    offers = [one for one in offered if one is not None]
    if found is None:
        nearest = max(tried, key=lambda one: one.share, default=None)
        return PhonesFound(
            lines=tuple(line for line, _ in offers),
            undecided=tuple(said for _, said in offers),
            nearest=None if nearest is None else f"{nearest.column}: {nearest.said}",
        )
    lines = [Line("phone", found.column, _why(found, named=found.column in named))]
    undecided = []
    if found.country is not None:
        lines.append(Line("country_code", found.country, _why_country(looks[found.country])))
    else:
        undecided = _strangers(looks[found.column], countries, settings.default_country)
    remarks = []
    if found.share < _SURE:
        remarks.append(
            f"phone: {found.of - found.valid:,} of {found.of:,} values of {found.column} are no valid phone numbers, "
            f"such as {found.misfit}: those rows are refused"
        )
    return PhonesFound(found.column, tuple(lines), tuple(undecided), tuple(remarks))


def _strangers(look: Look, countries: Countries, default_country: str) -> list[str]:
    """Say why phones of the default country may be those of strangers elsewhere."""
    american = look.matching(_NORTH_AMERICAN)
    if default_country != "+1" and american >= look.filled * ENOUGH:
        return [
            f"phone: {american:,} of {look.filled:,} values of {look.name} are written as in North America and taken "
            f"for numbers of {default_country}: if they are of there, give the default country +1"
        ]
    if countries.unread and look.matching(r"'?(?:\+|00).*") < look.filled:
        return [
            f"country_code: {', '.join(countries.unread)} cannot be read as countries, so phones that name none are "
            f"taken for numbers of {default_country}"
        ]
    return []


def try_phones(
    looks: Sequence[Look], country: Look | None, default_country: str, check: str, most: int = _TRIED
) -> Tried:
    """Count the phones among the first rows that have any, in one column or several in order of preference."""
    filled = functools.reduce(pc.or_, [look.values.is_valid() for look in looks])
    rows = pc.indices_nonzero(filled)[:most]
    codes = None if country is None else country.values.take(rows)
    read = preferred_phones([look.values.take(rows) for look in looks], codes, default_country, check)
    misfit = None
    if read.problems:
        place = min(read.problems)
        row = rows[place].as_py()
        misfit = f"{looks[read.problems[place][0]].shown(row)} in row {row}"
    counted = Counter(read.country_codes.drop_null().to_pylist())
    name = " or ".join(look.name for look in looks)
    return Tried(name, None if country is None else country.name, counted.total(), len(rows), counted, misfit)


def _best(look: Look, countries: Countries, settings: Settings) -> Tried:
    """Return what comes of the column with the countries that the table tells, or the default where it tells none.

    A column of countries stands even where the default would do better: what is valid by accident is another's phone.
    """
    default, check = settings.default_country, settings.phones
    tried = [try_phones([look], one, default, check) for one in countries.sure]
    best = max(tried, key=lambda one: one.valid) if tried else try_phones([look], None, default, check)
    loose = [try_phones([look], one, default, check) for one in countries.loose]
    return max([best, *loose], key=lambda one: one.valid)


def _countries(looks: Looked[str, Look]) -> Countries:
    """Return the columns that may tell a phone's country: those called so, if their values are countries."""
    sure = called(looks, (*NAMES["country_code"], *COUNTRIES))
    sure += [name for name in looks if name not in sure and "country" in words(name)]
    read = [name for name in sure if _are_countries(looks[name])]
    loose = [name for name in called(looks, LOOSE_COUNTRIES) if _are_countries(looks[name])]
    unread = [name for name in sure if name not in read and looks[name].filled and "country" in bare(name)]
    return Countries([looks[name] for name in read], [looks[name] for name in loose], unread)


def _are_countries(look: Look) -> bool:
    if look.kind not in ("text", "int", "float"):
        return False
    distinct = look.texts.drop_null().unique().to_pylist()
    known = [one for one in distinct if country_code(one) is not None]
    return bool(distinct) and len(known) >= len(distinct) * _MOSTLY


def _shaped(look: Look) -> bool:
    """Say whether values look like phones, in a column whose name does not say so."""
    if look.kind not in ("text", "int") or not look.filled or names_a_time(look.name) or names_a_code(look.name):
        return False
    if look.filled < _FEWEST or look.matching(_SHAPE) < look.filled * _SURE or look.matching(_AMOUNT_OR_TIME):
        return False
    return time_guess(look) is None


def _offered(tried: Tried, look: Look, settings: Settings) -> tuple[Line, str] | None:
    """Return the line of a column that was not taken and may well be one of phones, and what to say of it."""
    if look.matching(_SHAPE) < tried.of * ENOUGH:
        return None
    said = tried.said + (f", and not {tried.misfit}" if tried.misfit else "")
    elsewhere = [(try_phones([look], None, code, settings.phones, _TRIED_ELSEWHERE).share, code) for code in _ELSEWHERE]
    share, code = max(elsewhere)
    if tried.share < ENOUGH <= share and code != settings.default_country:
        said += f"; {int(share * 100)} % would be with the default country {code}"
    elif tried.share < ENOUGH and not names_a_phone(look.name):
        return None
    return Line("phone", look.name, said, active=False), f"phone: of {look.name}, {said}"


def _why(found: Tried, *, named: bool) -> str:
    return f"the column is called {found.column}; {found.said}" if named else found.said


def _why_country(look: Look) -> str:
    return f"the column is called {look.name}; {look.distinct:,} different in {look.counted()}"
