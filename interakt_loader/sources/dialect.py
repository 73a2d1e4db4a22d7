"""How a CSV file is written, from its first lines: delimiter, comments above, whether there is a header. No I/O."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from interakt_loader.errors import SourceError
from interakt_loader.sources.options import ReadOptions

DELIMITERS = (",", ";", "\t", "|")
_BY_ENDING = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_NUMBER = re.compile(r"[+-]?[$€£₹]? ?\d[\d.,]*%?")
_YEAR = re.compile(r"(19|20)\d\d")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Dialect:
    """How the cells of a CSV file stand in its lines."""

    delimiter: str
    skipped: int
    """Lines above the header or the first row: blank ones and comments."""
    skip_spaces: bool
    """Each delimiter is followed by spaces that belong to no cell."""
    names: list[str]
    """Of the columns, as written; `column_1`, … where there is no header, and for a blank name."""
    has_header: bool
    notes: list[str]


def find_dialect(given: str, name: str, lines: Sequence[str], options: ReadOptions) -> Dialect:
    """Return how a file is written, from its first lines (with their newlines).

    The delimiter that occurs most in the first line outside quotes wins, the earlier of `, ; tab |` in a tie.
    Blank lines above are skipped, and lines that begin with `#`, unless they have as many cells as the line
    below them. `holds_names` says whether there is a header. SourceError when there is no first row, when its
    quote is left open, when the columns are aligned by spaces, or when a title stands above the table.
    """
    skipped = 0
    while True:
        first = next((at for at in range(skipped, len(lines)) if lines[at].strip()), None)
        if first is None:
            raise SourceError(
                f"{given}: the file has no header, only blank lines" + (" and comments" if skipped else "")
            )
        below = [line for line in lines[first + 1 :] if line.strip()]
        if not _is_comment(lines[first], below, options):
            break
        skipped = first + 1
    delimiter = options.delimiter or _BY_ENDING.get(PurePosixPath(name).suffix.lower()) or _delimiter(lines[first])
    if options.delimiter is None:
        _refuse_aligned(given, lines[first], below)
    skip_spaces = delimiter == " " or _has_spaces_after(delimiter, lines[first:])
    rows = _rows(given, lines[first:], delimiter, skip_spaces)
    if options.delimiter is None and len(rows[0]) == 1:
        _refuse_title(given, first + 1, rows[0][0], below)
    has_header = holds_names(rows[0], rows[1:]) if options.header is None else options.header
    names = labelled(rows[0] if has_header else [""] * len(rows[0]))
    notes = []
    if options.header is None and not has_header:
        notes.append(
            f"{given}: line {first + 1} holds values, not names, so the columns are {names[0]} to {names[-1]}; "
            "if it is a header, say so"
        )
    return Dialect(delimiter, first, skip_spaces, names, has_header, notes)


def labelled(labels: Sequence[str]) -> list[str]:
    """Return the names of columns under these labels: a blank one is `column_` and its place, counted from 1."""
    return [label if label.strip() else f"column_{at}" for at, label in enumerate(labels, start=1)]


def holds_names(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row is a header; it is, unless it is plainly a row like those below it.

    It is a row when some cell of it is a number, a date or an e-mail address as all the cells below that one
    are, and no word of it stands above a column of such values, as a name would. A year proves nothing. With
    nothing below, it is a row when all of its cells are such values.
    """
    alike = False
    for at, cell in enumerate(first):
        kinds = {_kind(row[at]) for row in below if at < len(row) and row[at].strip()}
        kind = _kind(cell)
        if kind is None and cell.strip() and len(kinds) == 1 and None not in kinds:
            return True
        if kind is not None and kinds == {kind} and not _YEAR.fullmatch(cell.strip()):
            alike = True
    if not below:
        alike = all(_kind(cell) for cell in first if cell.strip())
    return not alike


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=_outside_quotes(line).count)


def _is_comment(line: str, below: Sequence[str], options: ReadOptions) -> bool:
    if not line.startswith("#"):
        return False
    table = next((other for other in below if not other.startswith("#")), None)
    delimiter = options.delimiter or _delimiter(table or line)
    cells = line.count(delimiter)
    if cells == 0:
        is_prose = line[1:2].isspace() and bool(line[1:].strip())
        return is_prose or (table is not None and delimiter in table)
    beside = [*below[:1], table or line]
    return all(other.count(delimiter) != cells for other in beside)


def _refuse_aligned(given: str, line: str, below: Sequence[str]) -> None:
    if any(delimiter in line for delimiter in DELIMITERS) or not below:
        return
    words = len(line.split())
    gaps = re.search(r"\S {2,}\S", line) and all(re.search(r"\S {2,}\S", other) for other in below)
    if words > 1 and gaps and all(len(other.split()) == words for other in below):
        raise SourceError(
            f"{given}: the columns are aligned by spaces, with no delimiter between them; save it as CSV, "
            "or give a space as the delimiter if no cell holds one"
        )


def _has_spaces_after(delimiter: str, lines: Sequence[str]) -> bool:
    """Tell whether each delimiter is followed by a space, and some cell needs it gone for its quotes to count."""
    if delimiter == " " or not any(f'{delimiter} "' in line for line in lines):
        return False
    outside = map(_outside_quotes, lines)
    return all(line.count(delimiter) == line.count(f"{delimiter} ") for line in outside)


def _rows(given: str, lines: Sequence[str], delimiter: str, skip_spaces: bool) -> list[list[str]]:
    """Return the rows of the lines, up to one that cannot be read."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=skip_spaces, strict=True)
    try:
        rows = [next(reader)]
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            raise SourceError(f"{given}: the header opens a quote that is never closed") from error
        raise SourceError(f"{given}: the header cannot be read: {error}") from error
    with suppress(csv.Error):
        rows.extend(fields for fields in reader if fields)
    return rows


def _refuse_title(given: str, line: int, title: str, below: Sequence[str]) -> None:
    if not below:
        return
    delimiter = _delimiter(below[0])
    if all(delimiter in _outside_quotes(other) for other in below):
        cells = _outside_quotes(below[0]).count(delimiter) + 1
        raise SourceError(
            f"{given}: line {line} has one cell ({title[:40]!r}) where the lines below it have {cells}; "
            "remove what stands above the header"
        )


def _kind(cell: str) -> str | None:
    cell = cell.strip()
    if _NUMBER.fullmatch(cell):
        return "number"
    if _DATE.fullmatch(cell):
        return "date"
    return "address" if _ADDRESS.fullmatch(cell) else None
