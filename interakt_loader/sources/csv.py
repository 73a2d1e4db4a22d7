"""Read CSV files, with all cells as text: an id keeps its zeros, a phone its plus.

The dialect (delimiter, quotes, comments above, header) is found in the first lines, without I/O. Arrow reads some
lines at a time. Python's csv module reads them if Arrow may not read them alike: it stops at the first row of another
width, and takes wrong quotes. A row of another width is never shifted into place; it becomes a row with a problem.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import null_where
from interakt_loader.errors import SourceBroken, SourceError, option
from interakt_loader.sources.base import (
    BATCH_BYTES,
    BATCH_ROWS,
    PROBLEM_COLUMN,
    Batches,
    Lines,
    ReadOptions,
    Source,
    is_counter,
    labelled,
    strip_wrapping,
)
from interakt_loader.sources.local_file import File
from interakt_loader.sources.memory import problem_column
from interakt_loader.sources.text import Text, open_text

DELIMITERS = (",", ";", "\t", "|")
_BY_ENDING = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_NUMBER = re.compile(r"[+-]?[$€£₹]? ?\d[\d.,]*%?")
_YEAR = re.compile(r"(19|20)\d\d")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Characters of the longest e-mail address.
_LONGEST_VALUE = 320
# The line by which a file tells Excel its delimiter.
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.|\\t)"?[,;\t|]*\s*', re.IGNORECASE)
_USUAL_NAMES = re.compile(
    "id|((customer|user|order)id)|((first|last|full)?name)|email(address)?|((phone|mobile)(number)?)|whatsapp|city|state|"
    "country|zip(code)?|pin(code)?|postcode|address|street|company|date|amount|total|status|type|age|gender|birthday"
)
_CELL_CHARACTERS = 1 << 20
_SAMPLE_LINES = 100
_SAMPLE_CHARACTERS = 4 << 20
# In place of NUL, which the csv module of Python 3.10 refuses. No encoding gives a lone surrogate, so no cell has one.
_NUL = "\udc00"


def open_csv(file: File, options: ReadOptions) -> Source:
    """Return a CSV file as a source; the row count is an estimate from the lines.

    Raises SourceError when its encoding is unknown, or it has no usable first row.
    """
    # The limit is the whole process's. Other code may have raised it further.
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARACTERS))
    text = open_text(file, options.encoding)
    with text.open() as stream:
        dialect = find_dialect(file.given, file.name, _first_lines(stream), options)
    if any(_NUL in name for name in dialect.names):
        raise SourceError(f"{file.given}: the header holds a NUL byte; expected text")
    names = dialect.names
    lines = Lines()
    notes = [*text.notes, *dialect.notes]
    if dialect.has_index:
        notes.append(f"{file.given}: the first column, which has no name and counts the rows, is left out")
    return Source(
        name=file.name,
        columns=names,
        rows=max(0, text.lines - dialect.skipped - dialect.has_header),
        rows_exact=False,
        read=lambda: _batches(text, dialect, lines),
        path=file.given,
        notes=notes,
        left_out=frozenset(names[:1] if dialect.has_index else ()),
        lines=lines,
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


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    delimiter: str
    skipped: int
    """Lines above the header or the first row: blank ones and comments."""
    skip_spaces: bool
    """Each delimiter is followed by spaces that are not part of the cell."""
    names: list[str]
    """The names of the columns: `column_1`, … where there is no header, and for a blank name."""
    has_header: bool
    quote: str
    """What is around cells that hold a delimiter: `"` or `'`."""
    trailing: bool
    """Lines end with delimiters that belong to no column."""
    has_index: bool
    """The first column is the index that pandas or R wrote."""
    notes: list[str]


def find_dialect(given: str, name: str, lines: Sequence[str], options: ReadOptions) -> Dialect:
    """Return how a file is written, from its first lines (with their newlines).

    Excel's line `sep=;` gives the delimiter. Otherwise it is the one that is most frequent in the first line, outside
    quotes; of several, the first of `, ; tab |`. Blank lines above are skipped, and so are lines that begin with `#`,
    unless they have as many cells as the line below them. `holds_names` decides whether there is a header.

    SourceError when there is no first row, or its quote is never closed. Also when the columns are aligned by spaces,
    and when a title or a row of groups is above the header.
    """
    skipped, by_line = _separator_line(lines)
    while True:
        first = next((at for at in range(skipped, len(lines)) if lines[at].strip()), None)
        if first is None:
            raise SourceError(
                f"{given}: the file has no header, only blank lines" + (" and comments" if skipped else "")
            )
        below = [line for line in lines[first + 1 :] if line.strip()]
        if not _is_comment(lines[first], below, options.delimiter or by_line):
            break
        skipped = first + 1
    delimiter = options.delimiter or by_line or _BY_ENDING.get(PurePosixPath(name).suffix.lower())
    is_given = options.delimiter is not None or by_line is not None
    delimiter = delimiter or _delimiter(lines[first])
    if not is_given:
        _refuse_aligned(given, lines[first], below)
    skip_spaces = delimiter == " " or _has_spaces_after(delimiter, lines[first:])
    quote = _quote(lines[first:], delimiter)
    rows = _rows(given, lines[first:], delimiter, skip_spaces=skip_spaces, quote=quote)
    if not is_given and len(rows[0]) == 1:
        _refuse_title(given, first + 1, rows[0][0], below)
    has_header = holds_names(rows[0], rows[1:]) if options.header is None else options.header
    if options.header is None and has_header and is_group_row(rows):
        raise SourceError(
            f"{given}: line {first + 1} and the one below it both hold names, and not values; leave one row of names, "
            f"or, if the first is the header, give {option('header', value=True)}"
        )
    width = _width(rows) if has_header else len(rows[0])
    labels = rows[0][:width] if has_header else [""] * width
    names = labelled(labels)
    notes = []
    if options.header is None and not has_header:
        notes.append(
            f"{given}: line {first + 1} holds values, not names, so the columns are {names[0]} to {names[-1]}; "
            f"if it is a header, give {option('header', value=True)}"
        )
    has_index = has_header and is_counter(labels[0], (row[0] for row in rows[1:] if row))
    trailing = has_header and (width < len(rows[0]) or _is_trailing(rows[1:], width))
    return Dialect(delimiter, first, skip_spaces, names, has_header, quote, trailing, has_index, notes)


def is_group_row(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row groups or repeats the names that the second row holds.

    The second row has words, and some of them are above values only. Where the first row has a name for each column,
    this must hold for most of the second row, since its words may be values too.
    """
    if len(rows) < 2:
        return False
    first, second, below = rows[0], rows[1], rows[2:]
    words = [at for at, cell in enumerate(second) if cell.strip()]
    if any(_kind(second[at]) for at in words) or len(words) < 2:
        return False
    labels = [strip_wrapping(cell).lower() for cell in first if strip_wrapping(cell)]
    if labels == [strip_wrapping(cell).lower() for cell in second if strip_wrapping(cell)]:
        # The second row repeats the header.
        return False
    has_gaps = any(at >= len(first) or not strip_wrapping(first[at]) for at in words) or len(set(labels)) < len(labels)
    over_values = sum(_is_above_values(at, below, 1 if has_gaps else 2) for at in words)
    usual = sum(_is_usual(second[at]) for at in words)
    if has_gaps:
        return over_values > 0 or 2 * usual >= len(words)
    if any(map(_is_usual, labels)) or len(words) < len(second):
        return False
    return any(several > 1 and 2 * several >= len(words) for several in (over_values, usual))


def _is_above_values(at: int, below: Sequence[Sequence[str]], least: int) -> bool:
    """Return whether a column holds at least `least` values, all of one kind that a name never has."""
    kinds = [_kind(row[at]) for row in below if at < len(row) and row[at].strip()]
    return len(kinds) >= least and None not in kinds and len(set(kinds)) == 1


def _is_usual(name: str) -> bool:
    return _USUAL_NAMES.fullmatch(re.sub(r"[\W_]", "", name).lower()) is not None


def _separator_line(lines: Sequence[str]) -> tuple[int, str | None]:
    """Return how many lines there are up to Excel's `sep=;`, and the delimiter that it gives."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    match = _SEPARATOR_LINE.fullmatch(lines[first]) if lines else None
    if match is None or match[1] in '"\r\n':
        return 0, None
    return first + 1, "\t" if match[1] == "\\t" else match[1]


def _quote(lines: Sequence[str], delimiter: str) -> str:
    """Return `'` if it is the quote of the file, else `"`.

    It is if nothing is in double quotes, and if all names or all values are in single quotes, or if the rows need them.
    They need them if only with them each row has as many cells as the header.
    """
    filled = [line.strip() for line in lines if line.strip()]
    if any('"' in line for line in lines) or not any("'" in line for line in filled):
        return '"'
    cells = [[cell.strip() for cell in line.split(delimiter)] for line in filled]
    for part in (cells[0], itertools.chain.from_iterable(cells[1:])):
        written = [cell for cell in part if cell]
        if written and all(map(_in_single_quotes, written)):
            return "'"
    rows = list(csv.reader(filled, delimiter=delimiter, quotechar="'"))
    is_needed = any(len(row) != len(rows[0]) for row in cells)
    return "'" if is_needed and all(len(row) == len(rows[0]) for row in rows) else '"'


def _in_single_quotes(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == "'"


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns there are, without blank names at the end of the header that have no values."""
    header = rows[0]
    named = len(header)
    while named > 1 and not strip_wrapping(header[named - 1]):
        named -= 1
    return named if named < len(header) and not any(map(str.strip, _beyond(rows[1:], named))) else len(header)


def _is_trailing(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether all rows have more cells than the header has names, and these are blank."""
    return bool(rows) and all(len(row) > width for row in rows) and not any(map(str.strip, _beyond(rows, width)))


def _beyond(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    return (cell for row in rows for cell in row[width:])


def holds_names(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is a header. It is, unless it is clearly a row like those below it.

    It is a row if a cell of it is a number, a date or an e-mail address, and all cells below that one are the same.
    But it is a header if a word is above a column of such values. A year proves nothing. With no rows below, it is a
    row if all its cells are such values.
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


def _is_comment(line: str, below: Sequence[str], delimiter: str | None) -> bool:
    if not line.startswith("#"):
        return False
    table = next((other for other in below if not other.startswith("#")), None)
    delimiter = delimiter or _delimiter(table or line)
    cells = line.count(delimiter)
    if cells == 0:
        is_prose = line[1:2].isspace() and bool(line[1:].strip())
        return is_prose or (table is not None and delimiter in table)
    # It is prose if the line below it is clearly a header.
    if table is not None and line[1:2].isspace():
        rows = [other.split(delimiter) for other in below[below.index(table) :]]
        if holds_names(rows[0], rows[1:]) and not holds_names(rows[1] if rows[1:] else rows[0], rows[2:]):
            return True
    near = [*below[:1], table or line]
    return all(other.count(delimiter) != cells for other in near)


def _refuse_aligned(given: str, line: str, below: Sequence[str]) -> None:
    if any(delimiter in line for delimiter in DELIMITERS) or not below:
        return
    words = len(line.split())
    gaps = re.search(r"\S {2,}\S", line) and all(re.search(r"\S {2,}\S", other) for other in below)
    if words > 1 and gaps and all(len(other.split()) == words for other in below):
        raise SourceError(
            f"{given}: the columns are aligned by spaces, with no delimiter between them; save it as CSV, "
            f"or give {option('delimiter', 'space')} if no cell holds one"
        )


def _has_spaces_after(delimiter: str, lines: Sequence[str]) -> bool:
    """Return whether each delimiter is followed by a space, and the quotes of some cell count only without it."""
    if delimiter == " " or not any(f'{delimiter} "' in line for line in lines):
        return False
    outside = map(_outside_quotes, lines)
    return all(line.count(delimiter) == line.count(f"{delimiter} ") for line in outside)


def _rows(given: str, lines: Sequence[str], delimiter: str, *, skip_spaces: bool, quote: str) -> list[list[str]]:
    """Return the rows of the lines, up to one that cannot be read."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=skip_spaces, quotechar=quote, strict=True)
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
            "remove what is above the header"
        )


def _kind(cell: str) -> str | None:
    cell = cell.strip()
    if len(cell) > _LONGEST_VALUE:
        return None
    if _NUMBER.fullmatch(cell):
        return "number"
    if _DATE.fullmatch(cell):
        return "date"
    return "address" if _ADDRESS.fullmatch(cell) else None


def _batches(text: Text, dialect: Dialect, line_of: Lines) -> Batches:
    """Yield the rows, and store their lines. A row of another width, or with wrong quotes, has a problem."""
    with text.open() as stream:
        above = sum(1 for _ in islice(stream, dialect.skipped))
        # Once at its end it stays there, also if the file grows.
        lines: Iterator[str] = itertools.chain(text.each_line(stream))
        if text.has_nul:
            lines = (line.replace("\0", _NUL) for line in lines)
        if dialect.has_header:
            header = _reader(dialect, lines)
            next(header)
            above += header.line_num
        rows = _Rows(text, dialect, line_of, above)
        while block := _block(lines):
            batch = rows.read_at_once(block) or rows.read_each(block, lines)
            if batch.num_rows:
                yield batch


def _block(lines: Iterator[str]) -> list[str]:
    """Return the next lines: as many as a batch may have rows, or fewer if they are long."""
    block = []
    characters = 0
    for line in islice(lines, BATCH_ROWS):
        block.append(line)
        characters += len(line)
        if characters > BATCH_BYTES:
            break
    return block


def _reader(dialect: Dialect, lines: Iterable[str]) -> Any:
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        skipinitialspace=dialect.skip_spaces,
        quotechar=dialect.quote,
        strict=True,
    )


class _Rows:
    """Reads the rows of a file, some lines at a time, and stores their lines.

    Arrow takes a quarter of the time of the csv module, and reads all lines that both read alike.
    """

    def __init__(self, text: Text, dialect: Dialect, line_of: Lines, above: int) -> None:
        """Begin below this number of lines."""
        self._text, self._dialect, self._line_of = text, dialect, line_of
        self._above = above
        self._rows = 0
        # The line of the next row, unless lines are between.
        self._next_line = 0
        # Arrow takes a byte as the delimiter.
        is_byte = dialect.delimiter.isascii()
        self._may_be_alike = is_byte and not (dialect.skip_spaces or dialect.trailing or text.has_nul)

    def read_at_once(self, block: list[str]) -> pa.RecordBatch | None:
        """Return the rows that these lines are; None if they must be read one by one."""
        data = "".join(block).encode() if self._may_be_alike else b""
        if not data or (len(data) > _CELL_CHARACTERS and max(map(len, block)) > _CELL_CHARACTERS):
            return None
        columns = read_by_arrow(data, self._dialect)
        if columns is None:
            return None
        if len(columns[0]) == len(block):
            self._note(self._above + 1, 0)
            self._next_line += len(block) - 1
        else:
            starts = row_starts(block, self._dialect.quote)
            if len(columns[0]) != len(starts) or len(data) > _CELL_CHARACTERS:
                return None
            for row, at in enumerate(starts):
                self._note(self._above + 1 + at, row)
        return self._batch(columns, {}, len(block))

    def read_each(self, block: list[str], lines: Iterator[str]) -> pa.RecordBatch:
        """Return the rows that begin in these lines. The last one may reach into the next lines."""
        trailing, width = self._dialect.trailing, len(self._dialect.names)
        measure = "the header" if self._dialect.has_header else "the first row"
        rows: list[list[str]] = []
        problems: dict[int, str] = {}
        reader = _reader(self._dialect, itertools.chain(block, lines))
        end = 0
        while end < len(block):
            start, problem = self._above + end + 1, None
            fields: list[str] = []
            try:
                fields = next(reader, [])
            except csv.Error as error:
                end = reader.line_num
                problem = _wrong_quotes(self._text.file.given, str(error), start, self._above + end)
            else:
                end = reader.line_num
                if trailing and not any(map(str.strip, fields[width:])):
                    fields = fields[:width]
                if not fields or (width > 1 and len(fields) == 1 and not fields[0].strip()):
                    continue
                if len(fields) != width or self._text.has_nul:
                    problem = _problem(fields, width, start, measure)
            if problem is not None:
                problems[len(rows)] = problem
            self._note(start, len(rows))
            rows.append(fields if problem is None else [""] * width)
        columns = [_text(cells) for cells in zip(*rows, strict=True)] or [pa.nulls(0, pa.string())] * width
        return self._batch(columns, problems, end)

    def _note(self, line: int, row: int) -> None:
        """Store the line of a row, which is counted from the first of the next batch."""
        if line != self._next_line:
            self._line_of.note(self._rows + row, line)
        self._next_line = line + 1

    def _batch(self, columns: Sequence[pa.Array], problems: dict[int, str], lines: int) -> pa.RecordBatch:
        """Return the next batch, which so many lines are."""
        names = [*self._dialect.names, PROBLEM_COLUMN]
        batch = pa.RecordBatch.from_arrays([*columns, problem_column(problems, len(columns[0]))], names=names)
        self._above += lines
        self._rows += batch.num_rows
        return batch


def row_starts(block: Sequence[str], quote: str) -> list[int]:
    """Return which lines begin a row, where no line is blank: those before which no quote is open."""
    starts = []
    is_open = False
    for at, line in enumerate(block):
        if not is_open:
            starts.append(at)
        is_open ^= line.count(quote) % 2 == 1
    return starts


def read_by_arrow(data: bytes, dialect: Dialect) -> list[pa.Array] | None:
    """Return the columns of some lines, or None where Arrow cannot read them as the csv module does."""
    from pyarrow import csv as arrow

    # Arrow takes off a byte order mark, which is a character here.
    if data.startswith(codecs.BOM_UTF8) or not _is_well_quoted(data, dialect):
        return None
    try:
        table = arrow.read_csv(
            pa.BufferReader(data),
            arrow.ReadOptions(column_names=dialect.names, block_size=len(data) + 1, use_threads=False),
            arrow.ParseOptions(delimiter=dialect.delimiter, quote_char=dialect.quote, newlines_in_values=True),
            arrow.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(dialect.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        # a row of another width
        return None
    # one for all rows, or none
    batches = table.to_batches()
    return batches[0].columns if batches else None


def _is_well_quoted(data: bytes, dialect: Dialect) -> bool:
    """Return whether each quote begins a cell, ends it, or is doubled inside it. Arrow reads all others too."""
    read = np.frombuffer(b"\n%b\n" % data, np.uint8)
    places = np.flatnonzero(read == ord(dialect.quote))
    is_border = np.zeros(256, np.bool_)
    is_border[[*f"{dialect.delimiter}{dialect.quote}\r\n".encode()]] = True
    begins, ends = places[::2], places[1::2]
    return len(begins) == len(ends) and bool(is_border[read[begins - 1]].all() and is_border[read[ends + 1]].all())


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
    # Else a cell is too long, and it is unknown where the next row begins.
    if "expected after" not in complaint:
        raise SourceBroken(f"{given}: line {end} cannot be read: {complaint}; is a quote left open before it?")
    where = f"line {start} has" if start == end else f"lines {start} to {end} have"
    return f"{where} a quote inside a quoted cell that is not doubled"


def _text(cells: tuple[str, ...]) -> pa.Array:
    array = pa.array(cells, pa.string())
    return null_where(array, pc.equal(array, "")) if "" in cells else array
