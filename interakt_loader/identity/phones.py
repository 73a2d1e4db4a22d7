"""A column of phones, with their countries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.identity.countries import NO_COUNTRY
from interakt_loader.identity.one_phone import chosen, one_phone
from interakt_loader.identity.plans import plain_phones
from interakt_loader.identity.written import as_written
from interakt_loader.plain import plain, without
from interakt_loader.safety.id_text import NULL_WORD
from interakt_loader.wire import Problem


class Phones(NamedTuple):
    """Phones, null where missing or in `problems` (by position, `phone_invalid` or `country_code_invalid`)."""

    country_codes: pa.StringArray
    """Such as `+91`."""
    numbers: pa.StringArray
    """The national number's digits; a leading zero only where it belongs to the number, as in Italy."""
    problems: dict[int, Problem]
    notes: dict[int, Problem]
    """Where a cell holds several phones: which one is used (`phone_chosen`)."""


def phones(
    values: pa.Array, country_codes: pa.Array | None, default_country: str = "+91", check: str = "strict"
) -> Phones:
    """Return the phones of a column, with their countries.

    A cell is a phone, several in one text, or a list of them, of which the first good one is taken. A country is a
    dialling code (`91`, `+91`, `0091`, 91.0), ISO letters (`IN`, `IND`) or an English name; where it is missing the
    default stands. A number written with `+` or `00` keeps its own country code, whatever the column says. `check`
    is one of `CHECKS`.
    """
    countries: pa.StringArray = pa.nulls(len(values), pa.string())
    unusable: dict[int, Problem] = {}
    if country_codes is not None:
        countries, unusable, *_ = as_written(country_codes, "country_code_invalid", NO_COUNTRY)
    countries = countries.fill_null(default_country)
    inner = plain(values)
    found = _of_lists(inner.values, countries, check) if inner.kind == "list" else _of_cells(values, countries, check)
    of_phones = {row: problem for row, problem in unusable.items() if found.numbers[row].is_valid}
    if not of_phones:
        return found
    bad = pc.is_in(pa.array(range(len(values)), pa.int64()), pa.array(of_phones, pa.int64()))
    notes = {row: note for row, note in found.notes.items() if row not in of_phones}
    return Phones(without(found.country_codes, bad), without(found.numbers, bad), found.problems | of_phones, notes)


def _of_cells(values: pa.Array, countries: pa.StringArray, check: str) -> Phones:
    text, problems, unusual, _ = as_written(values, "phone_invalid", "is not a phone number")
    if unusual is not None:
        text = without(text, pc.match_substring_regex(text, NULL_WORD))
    if check == "as-is":
        codes = nationals = pa.nulls(len(text), pa.string())
    else:
        codes, nationals = plain_phones(text, countries)
    rest = pc.and_(text.is_valid(), nationals.is_null())
    notes: dict[int, Problem] = {}
    if pc.any(rest).as_py():
        pairs = zip(text.filter(rest).to_pylist(), countries.filter(rest).to_pylist(), strict=True)
        found = [one_phone(number, country, check) for number, country in pairs]
        codes = pc.replace_with_mask(codes, rest, pa.array([one.country_code for one in found], pa.string()))
        nationals = pc.replace_with_mask(nationals, rest, pa.array([one.number for one in found], pa.string()))
        for place, one in zip(pc.indices_nonzero(rest).to_pylist(), found, strict=True):
            if one.problem is not None:
                problems[place] = one.problem
            elif one.note is not None:
                notes[place] = one.note
    return Phones(codes, nationals, problems, notes)


def _of_lists(lists: pa.Array, countries: pa.StringArray, check: str) -> Phones:
    """Return the first good phone of each list."""
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
