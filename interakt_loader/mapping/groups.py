"""Rows that are one event together: an order with several items has several rows, and is one call.

`whole_groups` cuts the batches of a source so that no group is in two of them. `Groups` makes one value of the values
of a group's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.convert import json_arrays
from interakt_loader.columns.normalize import null_where
from interakt_loader.sources import GROUP_COLUMN, PROBLEM_COLUMN, REPEATED, to_arrow
from interakt_loader.values import shortened

MOST_ROWS = 1000
"""Rows of a group. Orders have fewer, and a call with the items of more would be too large for the API."""

Keys = Callable[[pa.RecordBatch], pa.StringArray]
"""Returns the key of each row's group; null: it is unknown."""


# ------------------------------------------------------------------ batches that hold whole groups


def whole_groups(
    batches: Iterator[pa.RecordBatch], keys: Keys, column: str, end: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of whole groups, with `GROUP_COLUMN`.

    Consecutive rows with one key are a group. These groups are refused:

    - one whose key was there before (`group_split`);
    - the groups before and after a row without a key, because it may belong to either (`group_invalid`);
    - one of more than `MOST_ROWS` rows (`too_large`), so that memory stays flat.

    Args:
        batches: The rows of a source.
        keys: Gives the key of each row.
        column: Where the keys come from, for messages.
        end: How many rows are wanted; None: all. The group of the last one is complete.
    """
    with closing(_Seen()) as seen:
        yield from _Cutter(keys, column, seen).cut(batches, end)


@dataclass(slots=True)
class _Group:
    """A group whose end was not read yet."""

    number: int
    key: str | None
    rows: int = 0
    code: ProblemCode | None = None
    message: str | None = None
    """Why it cannot be sent."""

    def refuse(self, code: ProblemCode, message: str) -> None:
        """Note why it cannot be sent; the first reason stays."""
        if self.code is None:
            self.code, self.message = code, message


class _Cutter:
    """Reads batches, and yields the groups whose end it has seen. It holds the rows of the last group back."""

    def __init__(self, keys: Keys, column: str, seen: _Seen) -> None:
        self._keys, self._column, self._seen = keys, column, seen
        self._held: list[pa.RecordBatch] = []
        self._group: _Group | None = None
        # groups, and rows of them, that are complete and not yielded yet
        self._complete: list[tuple[_Group, int]] = []

    def cut(self, batches: Iterator[pa.RecordBatch], end: int | None) -> Iterator[pa.RecordBatch]:
        """Yield batches of whole groups."""
        read = 0
        for batch in batches:
            keys = self._keys_of(batch)
            for start, stop, key in _runs(keys):
                if self._group is None or key != self._group.key:
                    if end is not None and read + start >= end:
                        self._held.append(batch.slice(0, start))
                        yield from self._rest()
                        return
                    self._open(key)
                self._take(stop - start)
            read += batch.num_rows
            self._held.append(batch)
            yield from self._yielded()
        yield from self._rest()

    def _keys_of(self, batch: pa.RecordBatch) -> pa.StringArray:
        keys = self._keys(batch)
        if PROBLEM_COLUMN in batch.schema.names:
            # a repeated header belongs to no group, and cuts none in two
            headers = pc.equal(batch[PROBLEM_COLUMN], REPEATED).fill_null(fill_value=False)
            if pc.any(headers).as_py():
                before = None if self._group is None else self._group.key
                keys = _filled(keys.to_pylist(), headers.to_pylist(), before)
        return keys

    def _open(self, key: str | None) -> None:
        """Begin a group."""
        before = self._group
        unknown = f"a row beside it has no {self._column}, and may belong to it"
        if before is not None and key is None:
            before.refuse("group_invalid", unknown)
        self._close()
        self._group = group = _Group(0 if before is None else before.number + 1, key)
        if key is None:
            group.refuse("group_invalid", f"without {self._column} it is unknown to which event the row belongs")
        else:
            if before is not None and before.key is None:
                group.refuse("group_invalid", unknown)
            if not self._seen.add(key):
                group.refuse(
                    "group_split",
                    f"{shortened(key)} was there before, and other rows are between: sort the input by {self._column}",
                )

    def _take(self, rows: int) -> None:
        """Add rows to the group. One that cannot be sent need not be held."""
        assert self._group is not None
        self._group.rows += rows
        if self._group.rows > MOST_ROWS:
            self._group.refuse(
                "too_large", f"more than {MOST_ROWS:,} rows have the same {self._column}: is it the right column?"
            )
            self._close()

    def _close(self) -> None:
        if self._group is not None and self._group.rows:
            self._complete.append((self._group, self._group.rows))
            self._group.rows = 0

    def _rest(self) -> Iterator[pa.RecordBatch]:
        self._close()
        yield from self._yielded()

    def _yielded(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the complete groups."""
        complete, self._complete = self._complete, []
        if complete:
            rows = sum(count for _, count in complete)
            held = _joined([batch for batch in self._held if batch.num_rows])
            self._held = [held.slice(rows)]
            yield held.slice(0, rows).append_column(GROUP_COLUMN, _column_of(complete))


def _runs(keys: pa.StringArray) -> Iterator[tuple[int, int, str | None]]:
    """Yield from where to where the keys are the same, and the key."""
    codes = np.asarray(keys.dictionary_encode().indices.fill_null(-1))
    starts = np.flatnonzero(np.diff(codes, prepend=-2))
    return zip(
        starts.tolist(), [*starts[1:].tolist(), len(codes)], keys.take(pa.array(starts)).to_pylist(), strict=True
    )


def _filled(keys: list[str | None], headers: list[bool], before: str | None) -> pa.StringArray:
    """Return the keys with each header's replaced by the key before it, or by the one after it."""
    first = next((key for key, header in zip(keys, headers, strict=True) if not header), before)
    filled: list[str | None] = []
    for key, header in zip(keys, headers, strict=True):
        filled.append((filled[-1] if filled else before or first) if header else key)
    return pa.array(filled, pa.string())


def _column_of(groups: Sequence[tuple[_Group, int]]) -> pa.StructArray:
    columns = [
        pa.array([group.number for group, _ in groups], pa.int64()),
        pa.array([group.code for group, _ in groups], pa.string()),
        pa.array([group.message for group, _ in groups], pa.string()),
    ]
    each = pa.StructArray.from_arrays(columns, ["number", "code", "message"])
    return each.take(np.repeat(np.arange(len(groups)), [rows for _, rows in groups]))


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return the rows of batches as one. A column whose type differs keeps the kind of each value."""
    if len(batches) == 1:
        return batches[0]
    if all(batch.schema == batches[0].schema for batch in batches):
        return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
    fields: dict[str, pa.Field] = {}
    for field in (field for batch in batches for field in batch.schema):
        # the metadata of any of them stays
        if field.name not in fields or fields[field.name].metadata is None:
            fields[field.name] = field
    columns = [
        _concatenated([batch[name] if name in batch.schema.names else pa.nulls(len(batch)) for batch in batches])
        for name in fields
    ]
    schema = pa.schema([field.with_type(column.type) for field, column in zip(fields.values(), columns, strict=True)])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _concatenated(arrays: list[pa.Array]) -> pa.Array:
    types = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if not types:
        return pa.nulls(sum(map(len, arrays)))
    if len(types) > 1:
        return to_arrow([value for array in arrays for value in array.to_pylist()])
    (kind,) = types
    return pa.concat_arrays([array if array.type == kind else pa.nulls(len(array), kind) for array in arrays])


class _Seen:
    """Which keys there were. They are on disk, in a database that is gone when it is closed: there may be millions."""

    def __init__(self) -> None:
        # only a mapping with `group_by` needs it
        import sqlite3

        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, key: str) -> bool:
        """Add a key. Return whether it is new."""
        digest = blake2b(key.encode(), digest_size=16).digest()
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def close(self) -> None:
        """Remove the database."""
        self._db.close()


# ------------------------------------------------------------------ one value for each group


class Groups:
    """The groups of a batch, and how the texts of their rows become one value."""

    def __init__(self, numbers: pa.Array) -> None:
        """Take the number of each row's group. Rows of one group are next to one another."""
        codes = np.asarray(numbers)
        self.starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))
        """The first row of each group."""
        self.of_row = np.cumsum(np.diff(codes, prepend=codes[:1]) != 0)
        """The group of each row, counted from 0."""
        self._ends = [*self.starts[1:].tolist(), len(codes)]

    def __len__(self) -> int:
        return len(self.starts)

    def common(self, texts: pa.StringArray) -> tuple[pa.StringArray, list[tuple[int, int]]]:
        """Return the first text of each group, and pairs of rows with different ones: the first, and another."""
        valid = np.flatnonzero(np.asarray(texts.is_valid()))
        groups = self.of_row[valid]
        of_group = np.full(len(self), -1)
        first = np.flatnonzero(np.diff(groups, prepend=-1))
        of_group[groups[first]] = valid[first]
        codes = np.asarray(texts.dictionary_encode().indices.fill_null(-1))
        differs = np.flatnonzero(codes[valid] != codes[of_group[groups]])
        conflicts = [(int(of_group[groups[at]]), int(valid[at])) for at in differs.tolist()]
        return texts.take(pa.array(of_group, mask=of_group < 0)), conflicts

    def any(self, mask: pa.BooleanArray) -> pa.BooleanArray:
        """Return whether the mask is true in any row of each group."""
        return pa.array(np.logical_or.reduceat(np.asarray(mask), self.starts))

    def lists(self, texts: pa.StringArray) -> pa.StringArray:
        """Return a JSON array of the JSON texts of each group; null where there are none."""
        arrays = json_arrays(pa.array(self._ends, pa.int64()), texts)
        return null_where(arrays, pc.equal(arrays, "[]"))

    def to_rows(self, texts: pa.Array) -> pa.Array:
        """Return for each row what its group has."""
        return texts.take(pa.array(self.of_row))
