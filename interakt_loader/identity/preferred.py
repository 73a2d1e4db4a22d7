"""One phone a row from several columns, in the order of preference in which they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.identity.phones import phones
from interakt_loader.wire import Problem


class Preferred(NamedTuple):
    """A phone a row, null where there is none or in `problems`; problems and notes name the column they are about."""

    country_codes: pa.StringArray
    numbers: pa.StringArray
    problems: dict[int, tuple[int, Problem]]
    """By row: the first filled column, by position, where no column held a good phone."""
    notes: dict[int, tuple[int, Problem]]
    """By row: a cell of several phones (`phone_chosen`), or a column that was passed over (`phone_passed_over`)."""


def preferred_phones(
    columns: Sequence[pa.Array], country_codes: pa.Array | None, default_country: str = "+91", check: str = "strict"
) -> Preferred:
    """Return the first good phone of each row; the arguments are those of `phones`, with several columns."""
    codes = numbers = pa.nulls(len(columns[0]), pa.string())
    problems: dict[int, tuple[int, Problem]] = {}
    notes: dict[int, tuple[int, Problem]] = {}
    for position, values in enumerate(columns):
        found = phones(values, country_codes, default_country, check)
        taken = numbers.is_valid()
        codes, numbers = pc.coalesce(codes, found.country_codes), pc.coalesce(numbers, found.numbers)
        notes |= {row: (position, note) for row, note in found.notes.items() if not taken[row].as_py()}
        for row in [row for row in problems if found.numbers[row].is_valid]:
            at_fault, problem = problems.pop(row)
            notes[row] = at_fault, Problem("phone_passed_over", f"{problem.message}; another column's phone is used")
        for row, problem in found.problems.items():
            if not taken[row].as_py():
                problems.setdefault(row, (position, problem))
    return Preferred(codes, numbers, problems, notes)
