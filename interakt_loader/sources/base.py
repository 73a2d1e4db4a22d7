"""What every source is: a name, its columns, a row count if known, and record batches.

The readers of this package only know how to read; what holds for all of them is said here once: how large
a batch gets, which columns ride along, and how a foreign error is told to the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.sources.structs import flat_names, flattened
from interakt_loader.sources.views import without_views

BATCH_ROWS = 4096
"""Rows in a batch at most."""

BATCH_BYTES = 32 << 20
"""Bytes of text after which a batch of a text file ends early, so that long cells keep memory flat too."""

SOURCE_COLUMN = "__source__"
"""Rides along for files: the file's path as it was given (string)."""

PROBLEM_COLUMN = "__problem__"
"""Rides along for text files: null, or why this row could not be read (string); its other columns are null."""

Batches = Generator[pa.RecordBatch, None, None]


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

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as batches of 1 to BATCH_ROWS rows.

        Types may differ from batch to batch where the input has none of its own (JSON lines, columns of
        Python objects). Structs come as a column for each of their fields. Raises SourceBroken when the input
        turns out to be unreadable on the way, and SourceError when it can be read only once and has been.
        """
        row = 0
        paths = None if self.path is None else pa.repeat(pa.scalar(encodable(self.path), pa.string()), BATCH_ROWS)
        try:
            with closing(self.read()) as batches:
                for batch in batches:
                    for start in range(0, batch.num_rows, BATCH_ROWS):
                        piece = without_views(flattened(batch.slice(start, BATCH_ROWS)))
                        if paths is not None:
                            piece = piece.append_column(SOURCE_COLUMN, paths.slice(0, piece.num_rows))
                        yield piece
                        row += piece.num_rows
        except InteraktLoaderError:
            raise
        except Exception as error:
            where = self.path or self.name
            raise SourceBroken(f"{where}: cannot be read past row {row}: {reason(error)}") from error


def check_names(where: str, names: pa.Schema | Iterable[Any]) -> list[str]:
    """Return the column names as text, those of a schema with the fields of structs (`address.city`).

    SourceError when there are none, or twice the same, or a reserved one.
    """
    try:
        columns = [encodable(str(name)) for name in (flat_names(names) if isinstance(names, pa.Schema) else names)]
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from None
    if not columns:
        raise SourceError(f"{where}: the table has no columns")
    twice = [
        f"{'two' if times == 2 else times} columns are called {name!r}"
        for name, times in Counter(columns).items()
        if times > 1
    ]
    if twice:
        raise SourceError(f"{where}: {'; '.join(twice)}; give each column a name of its own")
    for name in (SOURCE_COLUMN, PROBLEM_COLUMN):
        if name in columns:
            raise SourceError(f"{where}: the column name {name!r} is reserved; give that column another name")
    return columns


def reason(error: BaseException) -> str:
    """Return what went wrong as one line of at most 200 characters, without the error's class name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200].rstrip(".")


def encodable(text: str) -> str:
    """Join pairs of surrogates and replace lone ones, which no UTF-8 can hold, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
