"""CSV files, with all cells as text: an id keeps its zeros, a phone its plus.

Python's csv module reads them, not Arrow's reader, which gives up at the first ragged line. A row that is
not as wide as the header is never shifted into place; it becomes a row with a problem.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources.base import (
    BATCH_BYTES,
    BATCH_ROWS,
    PROBLEM_COLUMN,
    Batches,
    Source,
    check_names,
)
from interakt_loader.sources.columns import problem_column
from interakt_loader.sources.text_files import scan_text

_CELL_CHARACTERS = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
# Lone surrogates cannot come out of UTF-8, so no cell is mistaken for one of these.
_END = "\udcff"  # a line after the last one: where it ends up tells whether a quote was left open
_NUL = "\udc00"  # stands for NUL, which the csv module of Python 3.10 refuses


@dataclass(frozen=True)
class _Layout:
    path: str
    delimiter: str
    names: list[str]
    has_nul: bool


def open_csv(path: str) -> Source:
    """Return a CSV or TSV file as a source; the row count is an estimate from the lines.

    Raises SourceError when the file is not UTF-8, or has no usable header.
    """
    scan = scan_text(path)
    delimiter = "\t" if path.lower().endswith(".tsv") else _delimiter(_first_line(path))
    layout = _Layout(path, delimiter, _header(path, delimiter, scan.has_nul), scan.has_nul)
    return Source(
        name=Path(path).name,
        columns=layout.names,
        rows=max(0, scan.lines - 1),
        rows_exact=False,
        read=lambda: _batches(layout),
        path=path,
    )


def _opened(path: str) -> TextIO:
    return Path(path).expanduser().open(encoding="utf-8-sig", newline="")


def _first_line(path: str) -> str:
    with _opened(path) as text:
        return next((line for line in text if line.strip("\r\n")), "")


def _delimiter(header: str) -> str:
    """Return the delimiter that occurs most outside quotes; the earlier in the list wins a tie."""
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _header(path: str, delimiter: str, has_nul: bool) -> list[str]:
    with _opened(path) as text:
        records = csv.reader(_lines(text, has_nul), delimiter=delimiter)
        try:
            names = next(fields for fields in records if fields)
        except csv.Error as error:
            raise SourceError(f"{path}: the header cannot be read: {error}") from error
    if names == [_END]:
        raise SourceError(f"{path}: the file has no header, only blank lines")
    if names[-1].endswith(_END):
        raise SourceError(f"{path}: the header opens a quote that is never closed")
    if any(_NUL in name for name in names):
        raise SourceError(f"{path}: the header holds a NUL byte; expected UTF-8 text")
    return check_names(path, (name if name.strip() else f"column_{at}" for at, name in enumerate(names, start=1)))


def _lines(text: TextIO, has_nul: bool) -> Iterator[str]:
    lines: Iterable[str] = (line.replace("\0", _NUL) for line in text) if has_nul else text
    return chain(lines, [_END])


def _batches(layout: _Layout) -> Batches:
    # The limit is the whole process's; somebody else may have raised it further.
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARACTERS))
    width = len(layout.names)
    unreadable = [""] * width
    rows: list[list[str]] = []
    problems: dict[int, str] = {}
    with _opened(layout.path) as text:
        reader = csv.reader(_lines(text, layout.has_nul), delimiter=layout.delimiter)
        position = text.buffer.tell
        batch_end = BATCH_BYTES
        end = 0
        is_header = True
        try:
            for fields in reader:
                line, end = end + 1, reader.line_num
                if not fields:
                    continue
                if is_header:
                    is_header = False
                    continue
                problem = _problem(fields, width, layout.has_nul, line)
                if problem is None:
                    rows.append(fields)
                elif problem:
                    problems[len(rows)] = problem
                    rows.append(unreadable)
                if len(rows) == BATCH_ROWS or position() > batch_end:
                    yield _batch(layout.names, rows, problems)
                    rows, problems = [], {}
                    batch_end = position() + BATCH_BYTES
        except csv.Error as error:
            raise SourceBroken(
                f"{layout.path}: line {reader.line_num} cannot be read: {error}; is a quote left open before it?"
            ) from error
    if rows:
        yield _batch(layout.names, rows, problems)


def _problem(fields: list[str], width: int, has_nul: bool, line: int) -> str | None:
    """Return why the row cannot be read, None if it can, and "" for the end of the file."""
    if fields[-1][-1:] == _END:
        return "" if fields == [_END] else f"line {line} opens a quote that is never closed"
    if len(fields) != width:
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        return f"line {line} has {count} where the header has {width}"
    if has_nul and any(_NUL in cell for cell in fields):
        return f"line {line} holds a NUL byte"
    return None


def _batch(names: list[str], rows: list[list[str]], problems: dict[int, str]) -> pa.RecordBatch:
    arrays = [_text(cells) for cells in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays([*arrays, problem_column(problems, len(rows))], names=[*names, PROBLEM_COLUMN])


def _text(cells: tuple[str, ...]) -> pa.Array:
    array = pa.array(cells, pa.string())
    if "" not in cells:
        return array
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
