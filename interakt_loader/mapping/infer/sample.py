"""The first rows of a source, column by column: what each column holds, and the guess that it leads to."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns import Target, problems_of
from interakt_loader.columns.normalize import Kind, Mixed, NormalColumn, as_text, normalize_parts, type_name
from interakt_loader.identity import user_ids
from interakt_loader.identity.user_ids import Ids
from interakt_loader.mapping.prepare import null_where_word
from interakt_loader.privacy.text import utf8_of
from interakt_loader.sources.base import Lines
from interakt_loader.values import shortened

Options = dict[str, Any]
"""Options of a field in the written form: `type`, `format`, `separator`, `decimal`."""


Test = Callable[[pa.StringArray], pa.BooleanArray]


@dataclass(frozen=True)
class Instead:
    """Other options that the rows allow, and when they are right."""

    options: Options
    reason: str


@dataclass(frozen=True)
class Guess:
    """The options that a column's field gets, and why."""

    options: Options
    reason: str
    """The evidence, in one line."""
    instead: tuple[Instead, ...] = ()
    """The other options that the rows allow."""
    undecided: str | None = None
    """What the user has to decide, in one line; None if nothing open changes what is sent."""
    left_out: bool = False
    """There is nothing to send, or nothing that can be sent."""

    @property
    def is_time(self) -> bool:
        """Whether the values are dates or times."""
        return self.options.get("type") in ("datetime", "date")


_NUMERIC = {"int", "float", "decimal"}
_DELETE = 0x7F
"""The last character of ASCII."""
_FIRST = 100
"""Values that are checked before all others, because they mostly decide."""


@dataclass(frozen=True)
class Look:
    """A column of the sample."""

    name: str
    kind: Kind
    """The kind of its values, as `normalize` returns it; text where batches differ."""
    type: str
    """The Arrow type, for people."""
    values: pa.Array
    """Normal values, one for each row of the sample; null where missing or not to be sent."""
    refused: str | None
    """Why the first value that can never be sent is refused; None if there is none."""
    mixed: bool = False
    """Its values have several types, and each is sent as its own; `values` shows them as text."""
    batches: tuple[tuple[NormalColumn, ...], ...] = ()
    """The values batch by batch, as `normalize_parts` returns what the load receives; null for null words."""
    nested: bool = False
    """Its lists hold lists, structs or maps."""
    all_text: bool = False
    """They are text in all batches."""
    lines: Lines = field(default_factory=Lines, repr=False)
    """The line on which each row of a text file begins."""
    _refused: dict[Target, dict[int, str]] = field(default_factory=dict, repr=False)
    _matching: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def sort(self) -> str:
        """The kind that counts for the choice of a field: `other` for lists of lists, structs or maps."""
        return "other" if self.kind == "list" and self.nested else self.kind

    def refused_as(self, target: Target) -> dict[int, str]:
        """Return the rows that the loader refuses with this target, in order, and why."""
        if target in self._refused:
            return self._refused[target]
        found: dict[int, str] = {}
        start = 0
        for parts in self.batches:
            problems = problems_of(parts, target)
            found |= {start + place: problems[place].message for place in sorted(problems)}
            start += len(parts[0].values)
        self._refused[target] = found
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
        """How many different values there are; for lists and the like, how many values."""
        if self.kind in ("list", "other", "null"):
            return self.filled
        return len(self.values.drop_null().unique())

    def has_few(self, most: int) -> bool:
        """Tell whether there are at most so many different values."""
        return len(self.values.drop_null()[:_FIRST].unique()) <= most and self.distinct <= most

    @functools.cached_property
    def ids(self) -> Ids:
        """The values as user ids."""
        return user_ids(self.values)

    @functools.cached_property
    def texts(self) -> pa.StringArray:
        """The values as trimmed text, null where missing; all null for lists and the like."""
        if self.kind == "text":
            return self.values if _has_no_space(self.values) else pc.utf8_trim_whitespace(self.values)
        if self.kind in _NUMERIC:
            return self.values.cast(pa.string())
        return pa.nulls(self.rows, pa.string())

    @functools.cached_property
    def present(self) -> pa.StringArray:
        """The `texts` without the missing ones."""
        return self.texts.drop_null()

    def forget_texts(self) -> None:
        """Release the texts: of thousands of columns they take as much memory as the sample."""
        for name in ("texts", "present"):
            self.__dict__.pop(name, None)

    def _first(self, count: int) -> pa.StringArray:
        """Return the first of the present texts; of numbers, only these are made text, which takes long."""
        if self.kind in _NUMERIC:
            return self.values.drop_null()[:count].cast(pa.string())
        return self.present[:count]

    def matching(self, pattern: str) -> int:
        """Return how many values match a pattern from their start to their end."""
        if pattern not in self._matching:
            self._matching[pattern] = _passing(self.present, _matches(pattern))
        return self._matching[pattern]

    def any_match(self, pattern: str) -> bool:
        """Tell whether a value matches a pattern from its start to its end."""
        return any(_passing(part, _matches(pattern)) for part in (self.present[:_FIRST], self.present[_FIRST:]))

    def all_match(self, pattern: str) -> bool:
        """Tell whether there are values, and all of them match a pattern from their start to their end.

        Python and Arrow must read the pattern alike.
        """
        first = self._first(1)
        # it mostly decides, and Arrow compiles a pattern each time
        if not len(first) or re.fullmatch(pattern, first[0].as_py()) is None:
            return False
        return not self.too_few(_matches(pattern), 1) and self.matching(pattern) == self.filled

    def too_few(self, test: Test, share: float) -> bool:
        """Tell whether the first values show that less than this share of all passes a test, or none."""
        enough = max(self.filled * share, 1)
        first = self._first(max(_FIRST, int(self.filled - enough) + 1))
        return _passing(first, test) + self.filled - len(first) < enough

    def row_of(self, text: str) -> int:
        """Return the first row with a text, counted from 0."""
        return int(pc.index(self.texts, pa.scalar(text.strip(), pa.string())).as_py())

    def counted(self) -> str:
        """Return in how many rows there is a value: `1,000 of 1,000`."""
        return f"{self.filled:,} of {self.rows:,}"

    def at(self, row: int) -> str:
        """Return how people find a row: `row 2 (line 4)`."""
        return f"row {self.lines.label(row)}"

    def shown(self, row: int) -> str:
        """Return a row's value as people read it."""
        return shortened(str(self.texts[row].as_py()))

    def example(self, row: int) -> str:
        """Return a row's value and its place: `'12' in row 2 (line 4)`."""
        return f"{self.shown(row)} in {self.at(row)}"


def _has_no_space(texts: pa.StringArray) -> bool:
    """Tell whether all texts are ASCII above the space, which is quicker to see than to trim."""
    read = utf8_of(texts)
    return len(read) > 0 and bool(read.min() > ord(" ") and read.max() < _DELETE)


def _matches(pattern: str) -> Test:
    return lambda texts: pc.match_substring_regex(texts, f"^(?:{pattern})$")


def _passing(texts: pa.StringArray, test: Test) -> int:
    return int(test(texts).true_count)


def looks(
    columns: Sequence[str], batches: Sequence[pa.RecordBatch], null_words: tuple[str, ...], lines: Lines
) -> dict[str, Look]:
    """Return a look at each of the columns; the `null_words` are missing."""
    places = [{column: at for at, column in enumerate(batch.schema.names)} for batch in batches]
    found = {}
    for name in columns:
        arrays = [
            batch.column(of[name]) if name in of else pa.nulls(batch.num_rows)
            for batch, of in zip(batches, places, strict=True)
        ]
        found[name] = _look(name, [null_where_word(array, null_words) for array in _in_one(arrays)], lines)
    return found


def _in_one(arrays: list[pa.Array]) -> list[pa.Array]:
    """Return the arrays of the batches as one, if it holds the same: each kernel takes longer to call than to run."""
    if not arrays or _is_composed(arrays[0].type) or any(array.type != arrays[0].type for array in arrays[1:]):
        return arrays
    return [pa.concat_arrays(arrays)]


def _is_composed(of: pa.DataType) -> bool:
    return isinstance(of, pa.BaseExtensionType) or pa.types.is_dictionary(of) or bool(pa.types.is_nested(of))


def _look(name: str, arrays: Sequence[pa.Array], lines: Lines) -> Look:
    batches = tuple(tuple(normalize_parts(array)) for array in arrays)
    whole = [
        _mixed_as_text(array, parts) if isinstance(array.type, Mixed) else parts[0]
        for array, parts in zip(arrays, batches, strict=True)
    ]
    mixed = any(isinstance(array.type, Mixed) for array in arrays)
    kinds = {column.kind for column in whole} - {"null"}
    types = {"values of several types" if mixed else type_name(array.type) for array in arrays} - {"null"}
    kind, values = _joined(kinds, [column.values for column in whole])
    return Look(
        name,
        kind,
        " or ".join(sorted(types)) or "null",
        values,
        refused=next((problem.message for column in whole for problem in column.problems.values()), None),
        mixed=mixed,
        batches=batches,
        nested=any(_has_nested_items(array.type) for array in arrays),
        all_text=kinds == {"text"} and not mixed,
        lines=lines,
    )


def _has_nested_items(of: pa.DataType) -> bool:
    return hasattr(of, "value_type") and bool(pa.types.is_nested(of.value_type))


def _mixed_as_text(array: pa.Array, parts: Sequence[NormalColumn]) -> NormalColumn:
    problems = {place: problem for part in parts for place, problem in part.problems.items()}
    return NormalColumn("text", as_text(array), problems)


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
    if len(arrays) == 1 and arrays[0].type == of:
        return arrays[0]
    return pa.concat_arrays([array.cast(of, safe=False) for array in arrays]) if arrays else pa.nulls(0, of)
