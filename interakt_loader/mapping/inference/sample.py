"""The first rows of a source as columns to look at: plain values, with what is counted of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.mapping.null_words import without_null_words
from interakt_loader.plain import Kind, plain, shortened

_NUMERIC = {"int", "float", "decimal"}


@dataclass(frozen=True)
class Look:
    """A column of the sample."""

    name: str
    kind: Kind
    """What its values are, as `plain` has it; text where batches differ."""
    type: str
    """The Arrow type, for people."""
    values: pa.Array
    """One for each row of the sample, plain; null where missing or not to be sent."""
    refused: str | None
    """What is wrong with the first value that can never be sent; None if there is none such."""

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

    def shown(self, row: int) -> str:
        """Return a row's value as people read it."""
        return shortened(str(self.texts[row].as_py()))


def looks(columns: Sequence[str], batches: Sequence[pa.RecordBatch], null_words: tuple[str, ...]) -> dict[str, Look]:
    """Return a look at each of the columns; what is one of `null_words` counts as missing."""
    return {name: _look(name, batches, null_words) for name in columns}


def _look(name: str, batches: Sequence[pa.RecordBatch], null_words: tuple[str, ...]) -> Look:
    arrays = [
        batch.column(batch.schema.names.index(name)) if name in batch.schema.names else pa.nulls(batch.num_rows)
        for batch in batches
    ]
    plains = [plain(without_null_words(array, null_words)) for array in arrays]
    kinds = {one.kind for one in plains} - {"null"}
    types = {str(array.type) for array in arrays} - {"null"}
    refused = next((problem.message for one in plains for problem in one.problems.values()), None)
    kind, values = _joined(kinds, [one.values for one in plains])
    return Look(name, kind, " or ".join(sorted(types)) or "null", values, refused)


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
    return "text", _concatenated([_as_text(array) for array in arrays], pa.string())


def _concatenated(arrays: Sequence[pa.Array], of: pa.DataType) -> pa.Array:
    return pa.concat_arrays([array.cast(of, safe=False) for array in arrays]) if arrays else pa.nulls(0, of)


def _as_text(values: pa.Array) -> pa.StringArray:
    """Return values of any kind as text, to look at them side by side."""
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if one is None else str(one) for one in values.to_pylist()], pa.string())
