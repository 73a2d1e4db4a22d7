"""What every source is: a name, its columns, a row count if known, and record batches.

The readers of this package only know how to read; what holds for all of them is said here once: how large
a batch gets, which columns ride along, and how a foreign error is told to the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.plain import without
from interakt_loader.sources.headings import REPEATED, heading, is_pandas_index, plain_cells, repeated_headings
from interakt_loader.sources.meanings import with_meanings
from interakt_loader.sources.structs import flat_names, flattened
from interakt_loader.sources.views import without_views
from interakt_loader.values import shortened, unicode_text

BATCH_ROWS = 4096
"""Rows in a batch at most."""

BATCH_BYTES = 32 << 20
"""Bytes of text after which a batch of a text file ends early, so that long cells keep memory flat too."""

WIDE_BYTES = 128 << 20
"""Bytes of a batch of very wide rows."""

SOURCE_COLUMN = "__source__"
"""Rides along for files: the file's path as it was given (string)."""

PROBLEM_COLUMN = "__problem__"
"""Rides along for text files: null, or why this row could not be read (string); its other columns are null."""

CELL_ERRORS_COLUMN = "__cell_errors__"
"""Rides along for workbooks: null, or which cells of the row hold an error and not a value (`CELL_ERRORS`)."""

CELL_ERRORS = pa.list_(pa.struct([("column", pa.string()), ("reason", pa.string())]))
"""The type of CELL_ERRORS_COLUMN: the columns' names, and what is wrong with each cell, which is null itself."""

RESERVED = (SOURCE_COLUMN, PROBLEM_COLUMN, CELL_ERRORS_COLUMN)
"""Columns that are no part of the table."""

Batches = Generator[pa.RecordBatch, None, None]


class Part(NamedTuple):
    """One of several files that are read as one source."""

    path: str
    columns: list[str]
    open_ended: bool
    """See `Source.open_ended`."""


@dataclass(frozen=True)
class Source:
    """Anything tabular, opened far enough to know its columns.

    `batches()` may be called again, unless the input itself can be read only once.
    """

    name: str
    """Short, for messages and file names: `events.parquet`, `DataFrame`."""
    columns: list[str]
    """Column names without the reserved ones, structs as their fields (`address.city`).

    Where the input has no types of its own (JSON lines, lists of dicts), as its first rows show them.
    """
    rows: int | None
    """How many rows there are, if that is known without reading them."""
    rows_exact: bool
    """False when `rows` is an estimate (lines of a text file) or None."""
    read: Callable[[], Batches] = field(repr=False)
    """Reads the raw batches from the start; `batches()` is what callers want."""
    path: str | None = None
    """The file's path as given, for sources that are one file."""
    notes: list[str] = field(default_factory=list)
    """What the user should know about how the source is read, a line each: a guess, something left out."""
    open_ended: bool = False
    """The rows have no columns in common of themselves (JSON lines): a later row may have more of them."""
    parts: tuple[Part, ...] = ()
    """The files, where there are several."""
    doubled: tuple[str, ...] = ()
    """Names that more than one column has: none of these can be told from the others, so none is read."""
    of_failures: bool = False
    """The rows come from a failures file: they are rows of another input, and go by its name and its ledger."""
    left_out: frozenset[str] = frozenset()
    """Columns of the input that are not read: the doubled ones, and pandas' index."""

    def __post_init__(self) -> None:
        names = [heading(name) for name in self.columns]
        where = self.path or self.name
        doubled = tuple(name for name, times in Counter(names).items() if times > 1 and name not in self.left_out)
        index = [name for name in names if is_pandas_index(name) and name not in self.left_out]
        left_out = self.left_out.union(doubled, index)
        columns = [name for name in names if name not in left_out]
        notes = list(self.notes)
        if doubled:
            said = _said_twice(names, doubled)
            if not columns:
                raise SourceError(f"{where}: {said}; give each column a name of its own")
            notes.append(f"{where}: {said}; they are left out unless each gets a name of its own")
        if index and columns:
            notes.append(f"{where}: left out, the index of a pandas DataFrame: {', '.join(index)}")
        for name, value in (
            ("columns", columns or names),
            ("notes", notes),
            ("doubled", (*self.doubled, *doubled)),
            ("left_out", left_out if columns else self.left_out),
        ):
            object.__setattr__(self, name, value)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as batches of 1 to BATCH_ROWS rows.

        Types may differ from batch to batch where the input has none of its own (JSON lines, columns of
        Python objects). Structs come as a column for each of their fields, names without white space around them,
        `="001"` as 001; a row that repeats the header has a PROBLEM_COLUMN. Raises SourceBroken when the input
        turns out to be unreadable on the way or to hold another number of rows than it promised, and SourceError
        when it can be read only once and has been.
        """
        row = 0
        paths = None if self.path is None else pa.repeat(pa.scalar(encodable(self.path), pa.string()), BATCH_ROWS)
        try:
            with closing(self.read()) as batches:
                for batch in batches:
                    size = _rows_at_once(batch)
                    for start in range(0, batch.num_rows, size):
                        piece = without_views(flattened(with_meanings(batch.slice(start, size))))
                        if not self.parts:  # whose batches have been through this
                            piece = self._cleaned(piece)
                        if paths is not None:
                            piece = piece.append_column(SOURCE_COLUMN, paths.slice(0, piece.num_rows))
                        yield piece
                        row += piece.num_rows
        except InteraktLoaderError:
            raise
        except Exception as error:
            where = self.path or self.name
            raise SourceBroken(f"{where}: cannot be read past row {row}: {reason(error)}") from error
        if self.rows_exact and row != self.rows:
            promised = f"{self.rows} row{'' if self.rows == 1 else 's'}"
            raise SourceBroken(f"{self.path or self.name}: promises {promised} and holds {row}; it is damaged")

    def _cleaned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = [heading(name) for name in batch.schema.names]
        if len(set(names)) < len(names) or not self.left_out.isdisjoint(names) or names != batch.schema.names:
            kept = [at for at, name in enumerate(names) if name not in self.left_out]
            names = [names[at] for at in kept]
            if len(set(names)) < len(names):
                said = _said_twice(names, [name for name, times in Counter(names).items() if times > 1])
                raise SourceBroken(f"{self.path or self.name}: {said}")
            fields = [batch.schema.field(at).with_name(name) for at, name in zip(kept, names, strict=True)]
            batch = pa.RecordBatch.from_arrays([batch.column(at) for at in kept], schema=pa.schema(fields))
        batch = plain_cells(batch)
        repeated = repeated_headings(batch, RESERVED)
        return _without_rows(batch, repeated, REPEATED) if repeated else batch


def _said_twice(names: Sequence[str], doubled: Iterable[str]) -> str:
    counts = Counter(names)
    return "; ".join(f"{'two' if counts[name] == 2 else counts[name]} columns are called {name!r}" for name in doubled)


def _without_rows(batch: pa.RecordBatch, rows: Sequence[int], problem: str) -> pa.RecordBatch:
    """Return the batch with null in these rows, and in its PROBLEM_COLUMN what is wrong with them."""
    wanted = set(rows)
    mask = pa.array([at in wanted for at in range(batch.num_rows)], pa.bool_())
    before = pa.nulls(batch.num_rows, pa.string())
    if PROBLEM_COLUMN in batch.schema.names:
        before = batch.column(PROBLEM_COLUMN)
        batch = batch.drop_columns([PROBLEM_COLUMN])
    columns = [*(without(column, mask) for column in batch.columns), pc.if_else(mask, problem, before)]
    fields = [*batch.schema, pa.field(PROBLEM_COLUMN, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _rows_at_once(batch: pa.RecordBatch) -> int:
    """Return how many rows of a batch to hand on at a time: fewer where they are very wide.

    Each row may hold the longest value of a dictionary.
    """
    try:
        width = batch.nbytes / max(1, batch.num_rows)
    except pa.ArrowException:  # of views, in older pyarrows
        width = 0.0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
            width += pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    return max(1, min(BATCH_ROWS, int(WIDE_BYTES / max(1, width))))


def _is_text(kind: pa.DataType) -> bool:
    return any(getattr(pa.types, f"is_{name}")(kind) for name in ("string", "large_string", "binary", "large_binary"))


def check_names(where: str, names: pa.Schema | Iterable[Any]) -> list[str]:
    """Return the column names as text, those of a schema with the fields of structs (`address.city`).

    Names come without white space around them. SourceError when there are none, or a reserved one.
    """
    try:
        flat = flat_names(names) if isinstance(names, pa.Schema) else names
        columns = [heading(str(name)) for name in flat]
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from None
    no_text = [shortened(name) for name in columns if unicode_text(name) is None]
    if no_text:
        raise SourceError(f"{where}: the column name {no_text[0]} is not text: give that column another name")
    columns = [unicode_text(name) or name for name in columns]
    if not columns:
        raise SourceError(f"{where}: the table has no columns")
    for name in RESERVED:
        if name in columns:
            raise SourceError(f"{where}: the column name {name!r} is reserved; give that column another name")
    return columns


def refuse_doubled(where: str, names: Sequence[str]) -> None:
    """Raise SourceError where two keys have the same name: a dict by names cannot hold both."""
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise SourceError(f"{where}: {_said_twice(names, doubled)}; give each column a name of its own")


def reason(error: BaseException) -> str:
    """Return what went wrong as one line of at most 200 characters, without the error's class name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200].rstrip(".")


def encodable(text: str) -> str:
    """Join pairs of surrogates and replace lone ones, which no UTF-8 can hold, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
