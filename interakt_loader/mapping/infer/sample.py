"""What is guessed of one column: the options that its field gets, why, and what else it might be.

The first rows of a source as columns to look at: plain values, with what is counted of them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import (
    Kind,
    NormalColumn,
    as_text,
    normalize,
    normalize_parts,
    type_name,
)
from interakt_loader.mapping.prepare import null_where_word
from interakt_loader.sources.base import Lines
from interakt_loader.values import shortened

Options = dict[str, Any]
"""Of a field in the written form: `type`, `format`, `separator`, `decimal`."""


@dataclass(frozen=True)
class Instead:
    """Options that the rows do not rule out, and what would speak for them."""

    options: Options
    reason: str


@dataclass(frozen=True)
class Guess:
    """What to make of a column."""

    options: Options
    reason: str
    """The evidence, in one line."""
    instead: tuple[Instead, ...] = ()
    """What the rows leave open."""
    undecided: str | None = None
    """What the user is to decide, in one line; None where nothing is open that changes what is sent."""
    left_out: bool = False
    """There is nothing to send, or nothing that can be."""

    @property
    def is_time(self) -> bool:
        """Say whether the values are dates or times."""
        return self.options.get("type") in ("datetime", "date")


_NUMERIC = {"int", "float", "decimal"}


@dataclass(frozen=True)
class Look:
    """A column of the sample."""

    name: str
    kind: Kind
    """What its values are, as `normalize` has it; text where batches differ."""
    type: str
    """The Arrow type, for people."""
    values: pa.Array
    """One for each row of the sample, plain; null where missing or not to be sent."""
    refused: str | None
    """What is wrong with the first value that can never be sent; None if there is none such."""
    mixed: bool = False
    """Its values have several types, and each is sent as its own; `values` shows them as text."""
    arrays: tuple[pa.Array, ...] = ()
    """The values as the load gets them, batch by batch, without the words for nothing."""
    lines: Lines = field(default_factory=Lines, repr=False)
    """On which line each row of a text file begins."""

    @property
    def sort(self) -> str:
        """The kind as far as it counts for the choice of a field: a list of what no list can hold is other."""
        if self.kind != "list" or all(not _is_nested(array.type) for array in self.arrays):
            return self.kind
        return "other"

    def refused_as(self, target: Target) -> dict[int, str]:
        """Return the rows that the loader refuses if the column is to become this, in order, and why."""
        found: dict[int, str] = {}
        start = 0
        for array in self.arrays:
            problems = coerce(array, target).problems
            found |= {start + place: problems[place].message for place in sorted(problems)}
            start += len(array)
        return found

    @property
    def rows(self) -> int:
        """How many rows the sample has."""
        return len(self.values)

    @functools.cached_property
    def filled(self) -> int:
        """How many of them have a value."""
        return self.rows - int(self.values.null_count)

    @functools.cached_property
    def distinct(self) -> int:
        """How many different values there are; of lists and the like, as many as there are values."""
        if self.kind in ("list", "other", "null"):
            return self.filled
        return len(self.values.drop_null().unique())

    @functools.cached_property
    def texts(self) -> pa.StringArray:
        """The values as text without white space around it, null where missing; all null for lists and the like."""
        if self.kind == "text":
            return pc.utf8_trim_whitespace(self.values)
        if self.kind in _NUMERIC:
            return self.values.cast(pa.string())
        return pa.nulls(self.rows, pa.string())

    def matching(self, pattern: str) -> int:
        """Return how many values match a pattern from their start to their end."""
        return pc.sum(pc.match_substring_regex(self.texts, f"^(?:{pattern})$")).as_py() or 0

    def row_of(self, text: str) -> int:
        """Return the first row that holds a text, counted from 0."""
        return int(pc.index(self.texts, pa.scalar(text.strip(), pa.string())).as_py())

    def counted(self) -> str:
        """Say in how many rows there is a value: `1,000 of 1,000`."""
        return f"{self.filled:,} of {self.rows:,}"

    def at(self, row: int) -> str:
        """Return how people find a row: `row 2 (line 4)`."""
        return f"row {self.lines.label(row)}"

    def shown(self, row: int) -> str:
        """Return a row's value as people read it."""
        return shortened(str(self.texts[row].as_py()))

    def example(self, row: int) -> str:
        """Return a row's value, and where it is: `'12' in row 2 (line 4)`."""
        return f"{self.shown(row)} in {self.at(row)}"


def looks(
    columns: Sequence[str], batches: Sequence[pa.RecordBatch], null_words: tuple[str, ...], lines: Lines
) -> dict[str, Look]:
    """Return a look at each of the columns; what is one of `null_words` counts as missing."""
    return {name: _look(name, batches, null_words, lines) for name in columns}


def _look(name: str, batches: Sequence[pa.RecordBatch], null_words: tuple[str, ...], lines: Lines) -> Look:
    arrays = [
        batch.column(batch.schema.names.index(name)) if name in batch.schema.names else pa.nulls(batch.num_rows)
        for batch in batches
    ]
    arrays = [null_where_word(array, null_words) for array in arrays]
    whole = [normalize(array) for array in arrays]
    mixed = any(one.kind == "mixed" for one in whole)
    if mixed:
        whole = [_side_by_side(one, array) for one, array in zip(whole, arrays, strict=True)]
    kinds = {one.kind for one in whole} - {"null"}
    types = {"values of several types" if mixed else type_name(array.type) for array in arrays} - {"null"}
    refused = next((problem.message for one in whole for problem in one.problems.values()), None)
    kind, values = _joined(kinds, [one.values for one in whole])
    return Look(name, kind, " or ".join(sorted(types)) or "null", values, refused, mixed, tuple(arrays), lines)


def _is_nested(type_: pa.DataType) -> bool:
    """Say whether a list holds lists, structs or maps."""
    return hasattr(type_, "value_type") and pa.types.is_nested(type_.value_type)


def _side_by_side(whole: NormalColumn, array: pa.Array) -> NormalColumn:
    """Return values of several kinds as text."""
    if whole.kind != "mixed":
        return whole
    return NormalColumn(
        "text", as_text(array), {place: one for part in normalize_parts(array) for place, one in part.problems.items()}
    )


def _joined(kinds: set[Kind], arrays: Sequence[pa.Array]) -> tuple[Kind, pa.Array]:
    if not kinds:
        return "null", pa.nulls(sum(map(len, arrays)))
    types = {array.type for array in arrays} - {pa.null()}
    if len(kinds) == 1 and len(types) == 1:
        (kind,), (of,) = kinds, types
        return kind, _concatenated(arrays, of)
    if kinds <= _NUMERIC:
        return "float", _concatenated(arrays, pa.float64())
    if len(kinds) == 1 and not kinds & {"list", "other"}:
        (kind,) = kinds
        widest = {"timestamp": pa.timestamp("us"), "date": pa.date32(), "time": pa.time64("us")}
        return kind, _concatenated(arrays, widest.get(kind, pa.string()))
    return "text", _concatenated([as_text(array) for array in arrays], pa.string())


def _concatenated(arrays: Sequence[pa.Array], of: pa.DataType) -> pa.Array:
    return pa.concat_arrays([array.cast(of, safe=False) for array in arrays]) if arrays else pa.nulls(0, of)
