"""CSV files, with all cells as text: an id keeps its zeros, a phone its plus.

Python's csv module reads them, not Arrow's reader, which gives up at the first ragged line. A row that is
not as wide as the header is never shifted into place; it becomes a row with a problem.
"""

from __future__ import annotations

import csv
from itertools import islice
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.plain import without
from interakt_loader.sources.base import BATCH_BYTES, BATCH_ROWS, PROBLEM_COLUMN, Batches, Source, check_names
from interakt_loader.sources.columns import problem_column
from interakt_loader.sources.dialect import Dialect, find_dialect
from interakt_loader.sources.file import File
from interakt_loader.sources.options import ReadOptions
from interakt_loader.sources.text_files import Text, open_text

_CELL_CHARACTERS = 1 << 20
_SAMPLE_LINES = 100
_SAMPLE_CHARACTERS = 4 << 20
# A lone surrogate cannot come out of any encoding, so no cell is mistaken for it.
_NUL = "\udc00"  # stands for NUL, which the csv module of Python 3.10 refuses


def open_csv(file: File, options: ReadOptions) -> Source:
    """Return a CSV file as a source; the row count is an estimate from the lines.

    Raises SourceError when its encoding cannot be told, or it has no usable first row.
    """
    # The limit is the whole process's; somebody else may have raised it further.
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARACTERS))
    text = open_text(file, options.encoding)
    with text.open() as stream:
        dialect = find_dialect(file.given, file.name, _first_lines(stream), options)
    if any(_NUL in name for name in dialect.names):
        raise SourceError(f"{file.given}: the header holds a NUL byte; expected text")
    names = check_names(file.given, dialect.names)
    notes = [*text.notes, *dialect.notes]
    if dialect.has_index:
        notes.append(f"{file.given}: the first column, which has no name and counts the rows, is left out")
    return Source(
        name=file.name,
        columns=names,
        rows=max(0, text.lines - dialect.skipped - dialect.has_header),
        rows_exact=False,
        read=lambda: _batches(text, dialect, names),
        path=file.given,
        notes=notes,
        left_out=frozenset(names[:1] if dialect.has_index else ()),
    )


def _first_lines(stream: TextIO) -> list[str]:
    lines: list[str] = []
    characters = 0
    for line in islice(stream, _SAMPLE_LINES):
        lines.append(line.replace("\0", _NUL))
        characters += len(line)
        if characters > _SAMPLE_CHARACTERS:
            break
    return lines


def _batches(text: Text, dialect: Dialect, names: list[str]) -> Batches:
    """Yield the rows; a row of another width, or one whose quotes are wrong, is a row with a problem."""
    width = len(names)
    measure = "the header" if dialect.has_header else "the first row"
    unreadable = [""] * width
    rows: list[list[str]] = []
    problems: dict[int, str] = {}
    with text.open() as stream:
        above = sum(1 for _ in islice(stream, dialect.skipped))
        lines = text.each_line(stream)
        if text.has_nul:
            lines = (line.replace("\0", _NUL) for line in lines)
        reader = csv.reader(
            lines,
            delimiter=dialect.delimiter,
            skipinitialspace=dialect.skip_spaces,
            quotechar=dialect.quote,
            strict=True,
        )
        position = stream.buffer.tell
        batch_end = BATCH_BYTES
        if dialect.has_header:
            next(reader)
        end = reader.line_num
        at_end = False
        while not at_end:
            at_end = True
            try:
                for fields in reader:
                    start, end = end + 1, reader.line_num
                    if dialect.trailing and not any(map(str.strip, fields[width:])):
                        fields = fields[:width]  # noqa: PLW2901 - the row without what belongs to no column
                    if len(fields) == width and not text.has_nul:
                        rows.append(fields)
                    elif not fields or (width > 1 and len(fields) == 1 and not fields[0].strip()):
                        continue
                    else:
                        problem = _problem(fields, width, start + above, measure)
                        if problem is not None:
                            problems[len(rows)] = problem
                        rows.append(fields if problem is None else unreadable)
                    if len(rows) >= BATCH_ROWS or position() > batch_end:
                        yield _batch(names, rows, problems)
                        rows, problems = [], {}
                        batch_end = position() + BATCH_BYTES
            except csv.Error as error:
                start, end = end + 1, reader.line_num
                problems[len(rows)] = _wrong_quotes(text.file.given, str(error), start + above, end + above)
                rows.append(unreadable)
                at_end = False
    if rows:
        yield _batch(names, rows, problems)


def _problem(fields: list[str], width: int, line: int, measure: str) -> str | None:
    if len(fields) != width:
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        return f"line {line} has {count} where {measure} has {width}"
    if any(_NUL in cell for cell in fields):
        return f"line {line} holds a NUL byte"
    return None


def _wrong_quotes(given: str, complaint: str, start: int, end: int) -> str:
    if complaint == "unexpected end of data":
        return f"line {start} opens a quote that is never closed"
    if "expected after" not in complaint:  # a cell of any length: there is no telling where rows begin
        raise SourceBroken(f"{given}: line {end} cannot be read: {complaint}; is a quote left open before it?")
    where = f"line {start} has" if start == end else f"lines {start} to {end} have"
    return f"{where} a quote inside a quoted cell that is not doubled"


def _batch(names: list[str], rows: list[list[str]], problems: dict[int, str]) -> pa.RecordBatch:
    arrays = [_text(cells) for cells in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays([*arrays, problem_column(problems, len(rows))], names=[*names, PROBLEM_COLUMN])


def _text(cells: tuple[str, ...]) -> pa.Array:
    array = pa.array(cells, pa.string())
    return without(array, pc.equal(array, "")) if "" in cells else array
