"""Read workbooks (.xlsx, .xls, .ods) with python-calamine, which is an extra. A cell keeps its type.

python-calamine reads cells with an error (`#N/A`) or with a formula without a result as blank. So they are found here:

- The sheets of .xlsx, .xlsm and .ods are XML. It is read as a stream, and only if it holds a formula or an error.
- The sheets of .xls are records in a compound file ([MS-XLS], [MS-CFB]).
- Errors in .xlsb are not found. A note says so.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path, PurePosixPath
from struct import iter_unpack, unpack_from
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import Element, iterparse
from xml.parsers.expat import ParserCreate

import pyarrow as pa

from interakt_loader.errors import SourceError, option
from interakt_loader.sources.base import (
    BATCH_ROWS,
    CELL_ERRORS,
    CELL_ERRORS_COLUMN,
    PROBLEM_COLUMN,
    REPEATED,
    Batches,
    ReadOptions,
    Source,
    is_counter,
    is_header,
    labelled,
    reason,
    strip_wrapping,
)
from interakt_loader.sources.csv import holds_names, is_group_row
from interakt_loader.sources.local_file import File
from interakt_loader.sources.memory import text_type, to_arrow

Cell = tuple[int, int]
"""Row and column, counted from 0."""
NO_RESULT = "the formula has no stored result; open the workbook in Excel or LibreOffice and save it"
_CHUNK_BYTES = 256 << 10
# What a sheet holds if it has a formula or an error at all.
_MAY_HOLD_ANY = re.compile(rb"""\bt\s*=\s*["']e["']|<(\w+:)?f[\s/>]""")
_REFERENCE = re.compile("([A-Z]+)([0-9]+)")
_ERROR_TEXT = re.compile(r"#(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!)|Err:\d+")
# From this number on, the number of a sector is a mark.
_END = 0xFFFFFFFA
_ERROR_CODES = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_BEGIN, _FINISH, _SHEET, _FORMULA, _ERROR_VALUE = 0x809, 0x0A, 0x85, 0x06, 0x205
_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SAMPLE_ROWS = 100


def open_excel(file: File, options: ReadOptions) -> Source:
    """Return one sheet of a workbook as a source: the requested one, or the first visible one that is not empty.

    Rows without any value are left out. Memory holds the sheet, which has a million rows at most. SourceError when
    python-calamine is missing, the file is not a workbook, or it has no such sheet.
    """
    given = file.given
    try:
        import python_calamine  # noqa: F401 - before the file is opened
    except ImportError as error:
        raise SourceError(f"{given}: reading Excel files needs python-calamine: pip install python-calamine") from error
    _check_mark(file)
    file = file.uncompressed()
    try:
        with _workbook(file) as workbook:
            sheet, notes = _chosen(given, workbook, options)
            name = sheet.name
            errors = cell_errors(file.location, name)
            if not can_be_found(file.location):
                notes.append(
                    f"{given}: cells with errors (#N/A) are read as blank; save it as .xlsx to have them refused"
                )
            start = [row.cells for row in islice(_rows(sheet, errors), _SAMPLE_ROWS)]
            rows = 0
            filled: set[int] = set()
            for row in islice(_rows(sheet, errors), 1, None):
                rows += 1
                filled.update(at for at, cell in enumerate(row.cells) if cell is not None)
                filled.update(row.errors)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{given}: the workbook cannot be read: {reason(error)}") from error
    if not start:
        raise SourceError(f"{given}: the sheet {name!r} is empty")
    texts = [["" if cell is None else str(cell) for cell in row] for row in start]
    has_header = options.header
    if has_header is None:
        _refuse_title(given, texts)
        has_header = holds_names(texts[0], texts[1:])
        if not has_header:
            way = option("header", value=True)
            notes.append(f"{given}: the first row holds values, not names; if it is a header, give {way}")
        elif is_group_row(texts):
            raise SourceError(
                f"{given}: the first two rows both hold names, and not values; leave one row of names, or if the first "
                f"is the header, give {option('header', value=True)}"
            )
    labels = texts[0] if has_header else [""] * len(texts[0])
    names = labelled(labels)
    left_out = [
        names[at] for at in range(len(names)) if has_header and not strip_wrapping(labels[at]) and at not in filled
    ]
    if has_header and is_counter(labels[0], (row[0] for row in start[1:])):
        notes.append(f"{given}: the first column, which has no name and counts the rows, is left out")
        left_out.append(names[0])

    def read() -> Batches:
        with _workbook(file) as workbook:
            again = workbook.get_sheet_by_name(name)
            yield from _batches(
                lambda: _body(again, errors, names, has_header=has_header), names, with_errors=bool(errors)
            )

    return Source(
        name=file.name,
        columns=names,
        rows=rows + (not has_header),
        rows_exact=True,
        read=read,
        path=given,
        notes=notes,
        left_out=frozenset(left_out),
    )


def _check_mark(file: File) -> None:
    head = file.head(64)
    if head.startswith(_MARKS):
        return
    if b"\0" in head:
        raise SourceError(f"{file.given}: this is not a workbook, whatever its name says")
    letters = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    form = "an XML file" if letters.startswith(b"<?xml") else "a web page" if letters.startswith(b"<") else "text"
    raise SourceError(f"{file.given}: this is {form} that is called a workbook; save it as .xlsx or .csv")


def _refuse_title(given: str, rows: list[list[str]]) -> None:
    widths = [sum(map(bool, row)) for row in rows]
    if widths[0] == 1 and len(widths) > 1 and min(widths[1:]) > 1:
        title = next(filter(None, rows[0]))
        raise SourceError(
            f"{given}: the first row has one cell ({title[:40]!r}) where those below it have more; "
            "remove what is above the header"
        )


def _workbook(file: File) -> Any:
    from python_calamine import CalamineWorkbook

    # By its content, not by its name: many .xlsx files are called .xls.
    with file.location.open("rb") as stream:
        return CalamineWorkbook.from_filelike(stream)


def _chosen(given: str, workbook: Any, options: ReadOptions) -> tuple[Any, list[str]]:
    names: list[str] = workbook.sheet_names
    listed = ", ".join(names)
    if options.sheet is not None:
        if options.sheet in names:
            return workbook.get_sheet_by_name(options.sheet), []
        if str(options.sheet).isdecimal() and 0 < int(options.sheet) <= len(names):
            return workbook.get_sheet_by_index(int(options.sheet) - 1), []
        raise SourceError(f"{given}: there is no sheet {options.sheet!r}; there are {listed}")
    visible = [one.name for one in workbook.sheets_metadata if str(one.visible).endswith("Visible")]
    sheets = (workbook.get_sheet_by_name(name) for name in visible)
    filled = (sheet for sheet in sheets if any(True for _ in _rows(sheet, {})))
    first = next(filled, None)
    if first is None:
        raise SourceError(f"{given}: all sheets are empty or hidden; there are {listed}")
    is_choice = next(filled, None) is not None
    return first, [f"{given}: this reads the sheet {first.name!r} of {listed}"] if is_choice else []


class _Row(NamedTuple):
    cells: list[Any]
    """Python values. An empty cell is None, and so is one with an error."""
    errors: dict[int, str]
    """What is wrong with the cells that hold an error, by their positions."""
    problem: str | None = None
    """Why the row cannot be read. It has no cells then."""


def _rows(sheet: Any, errors: dict[Cell, str]) -> Iterator[_Row]:
    """Yield the rows that are not empty."""
    # There is no cell at all. python-calamine 0.6.2 and older panic at its rows.
    if sheet.start is None:
        return
    left, width = sheet.start[1], sheet.end[1] - sheet.start[1] + 1
    by_row: dict[int, dict[int, str]] = {}
    for (at, column), wrong in errors.items():
        if 0 <= column - left < width:
            by_row.setdefault(at, {})[column - left] = wrong
    # Rows begin with the sheet's first row, and cells with the first column that has any.
    for at, row in enumerate(sheet.iter_rows()):
        wrong_here = by_row.pop(at, {})
        cells = [None if place in wrong_here else _value(cell) for place, cell in enumerate(row)]
        if wrong_here or any(cell is not None for cell in cells):
            yield _Row(cells, wrong_here)
    # Rows at the end have no value at all.
    for at in sorted(by_row):
        yield _Row([None] * width, by_row[at])


def _body(sheet: Any, errors: dict[Cell, str], names: list[str], *, has_header: bool) -> Iterator[_Row]:
    """Yield the rows below the header. One that repeats it has no cells, since they would turn numbers into text."""
    lower = [name.lower() for name in names]
    for row in islice(_rows(sheet, errors), has_header, None):
        first = next((cell for cell in row.cells if cell is not None), None)
        if isinstance(first, str) and strip_wrapping(first).lower() in lower and is_header(row.cells, lower):
            yield _Row([None] * len(names), {}, REPEATED)
        else:
            yield row


def _value(cell: Any) -> Any:
    # From 2**53 on a whole number may have lost digits. It stays a float, so that it is refused later.
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, str) and not cell.strip():
        return None
    return cell


def _batches(rows: Callable[[], Iterator[_Row]], names: list[str], *, with_errors: bool) -> Batches:
    """Yield the rows. The type of a column comes from all its cells, not only from those of one batch."""
    examples: list[dict[type, Any]] = [{} for _ in names]
    for row in rows():
        for cell, seen in zip(row.cells, examples, strict=True):
            if cell is not None:
                seen.setdefault(type(cell), cell)
    # In a workbook a date is the same as midnight of that day.
    with_times = [date in seen and datetime in seen for seen in examples]
    types = [None if set(seen) == {date, datetime} else text_type(list(seen.values())) for seen in examples]
    remaining = rows()
    while batch := list(islice(remaining, BATCH_ROWS)):
        arrays = []
        for at, cells in enumerate(zip(*(row.cells for row in batch), strict=True)):
            values = [_at_midnight(cell) for cell in cells] if with_times[at] else cells
            arrays.append(to_arrow(values, types[at]))
        columns = list(names)
        if any(row.problem for row in batch):
            columns.append(PROBLEM_COLUMN)
            arrays.append(pa.array([row.problem for row in batch], pa.string()))
        if with_errors:
            columns.append(CELL_ERRORS_COLUMN)
            wrong = [
                [{"column": names[at], "reason": reason} for at, reason in row.errors.items()] or None for row in batch
            ]
            arrays.append(pa.array(wrong, CELL_ERRORS))
        yield pa.RecordBatch.from_arrays(arrays, names=columns)


def _at_midnight(cell: Any) -> Any:
    return datetime.combine(cell, time()) if type(cell) is date else cell


def can_be_found(location: Path) -> bool:
    """Return whether errors can be found in a workbook of this format."""
    if not zipfile.is_zipfile(location):
        return True
    with zipfile.ZipFile(location) as archive:
        return "xl/workbook.bin" not in archive.namelist()


def cell_errors(location: Path, sheet: str) -> dict[Cell, str]:
    """Return the cells of a sheet that have no value because of an error, and what is wrong with each."""
    if not zipfile.is_zipfile(location):
        return dict(_in_records(_records_of(location.read_bytes()), sheet))
    with zipfile.ZipFile(location) as archive:
        if "content.xml" in archive.namelist():
            with archive.open("content.xml") as stream:
                return dict(_in_open_document(stream, sheet))
        part, recalculated = _sheet_part(archive, sheet)
        if part is None:
            return {}
        with archive.open(part) as stream:
            if not _may_hold_any(stream):
                return {}
        with archive.open(part) as stream:
            return _Sheet(recalculated=recalculated).read(stream)


def _sheet_part(archive: zipfile.ZipFile, sheet: str) -> tuple[str | None, bool]:
    """Return the name of a sheet's XML, and whether the writer left it to Excel to calculate the formulas."""
    names = set(archive.namelist())
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return None, False
    relation = None
    recalculated = False
    with archive.open("xl/workbook.xml") as stream:
        for element in _elements(stream):
            if _name(element.tag) == "sheet" and element.get("name") == sheet:
                relation = next((value for name, value in element.items() if _name(name) == "id"), None)
            elif _name(element.tag) == "calcPr":
                recalculated = element.get("fullCalcOnLoad") in ("1", "true")
    with archive.open("xl/_rels/workbook.xml.rels") as stream:
        targets = {element.get("Id"): element.get("Target") for element in _elements(stream)}
    target = targets.get(relation)
    if target is None:
        return None, False
    part = str(PurePosixPath("/xl", target)).lstrip("/")
    return (part if part in names else None), recalculated


def _may_hold_any(stream: IO[bytes]) -> bool:
    tail = b""
    while chunk := stream.read(_CHUNK_BYTES):
        if _MAY_HOLD_ANY.search(tail + chunk):
            return True
        tail = chunk[-64:]
    return False


class _Sheet:
    """Finds such cells in the XML of a sheet, as events: a million cells are not made into a million elements."""

    def __init__(self, *, recalculated: bool) -> None:
        self.found: dict[Cell, str] = {}
        self._recalculated = recalculated
        # For cells without a reference.
        self._row = self._column = 0
        self._place, self._kind, self._value = "", "n", ""
        self._has_formula = self._in_value = False

    def read(self, stream: IO[bytes]) -> dict[Cell, str]:
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.ParseFile(stream)
        return self.found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._place, self._kind, self._value = attributes.get("r", ""), attributes.get("t", "n"), ""
            self._has_formula = False
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self._in_value = True

    def _text(self, text: str) -> None:
        if self._in_value:
            self._value += text

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "v":
            self._in_value = False
        elif name == "c":
            if self._kind == "e" or self._has_formula:
                self._check()
            self._column += 1
        elif name == "row":
            self._row, self._column = self._row + 1, 0

    def _check(self) -> None:
        value = self._value.strip()
        if self._kind == "e":
            reason = _is_error(value)
        # A library that writes formulas and cannot calculate them stores 0 for each, and has Excel calculate them.
        elif self._kind == "n" and (not value or (self._recalculated and value == "0")):
            reason = NO_RESULT
        else:
            return
        place = _REFERENCE.fullmatch(self._place)
        cell = (int(place[2]) - 1, _column(place[1])) if place else (self._row, self._column)
        self.found[cell] = reason


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _in_open_document(stream: IO[bytes], sheet: str) -> Iterator[tuple[Cell, str]]:
    row, inside = 0, False
    for event, element in iterparse(stream, ("start", "end")):  # noqa: S314 - expat bounds entities by itself
        name = _name(element.tag)
        if event == "start":
            if name == "table":
                row, inside = 0, _attribute(element, "name") == sheet
        elif name == "table-row":
            times = int(_attribute(element, "number-rows-repeated") or 1)
            if inside:
                yield from _in_row(element, row)
            row += times
            element.clear()


def _in_row(element: Element, row: int) -> Iterator[tuple[Cell, str]]:
    column = 0
    for cell in element:
        kinds = [value for name, value in cell.items() if _name(name) == "value-type"]
        text = "".join(cell.itertext()).strip()
        if "error" in kinds or (_attribute(cell, "formula") and _ERROR_TEXT.fullmatch(text)):
            yield (row, column), _is_error(text)
        elif _attribute(cell, "formula") and not kinds:
            yield (row, column), NO_RESULT
        column += int(_attribute(cell, "number-columns-repeated") or 1)


def _records_of(file: bytes) -> bytes:
    """Return the stream of a compound file that holds the workbook's records; empty if there is none."""
    sector, small_sector = 1 << int.from_bytes(file[30:32], "little"), 1 << int.from_bytes(file[32:34], "little")
    directory, cutoff, small_table, more = (unpack_from("<I", file, at)[0] for at in (48, 56, 60, 68))

    def read(number: int) -> bytes:
        return file[(number + 1) * sector : (number + 2) * sector]

    def numbers(content: bytes) -> list[int]:
        return [number for (number,) in iter_unpack("<I", content[: len(content) // 4 * 4])]

    def chained(first: int, following: list[int], part: Callable[[int], bytes]) -> bytes:
        parts, at, seen = [], first, set[int]()
        while at < len(following) and at not in seen:
            seen.add(at)
            parts.append(part(at))
            at = following[at]
        return b"".join(parts)

    tables = numbers(file[76:512])
    seen_tables = set[int]()
    while more < _END and more not in seen_tables:
        seen_tables.add(more)
        *further, more = numbers(read(more)) or [_END]
        tables += further
    following = [number for table in tables if table < _END for number in numbers(read(table))]
    entries = chained(directory, following, read)
    inside = b""
    for at in range(0, len(entries) - 127, 128):
        length, kind = unpack_from("<HB", entries, at + 64)
        first, size = unpack_from("<IQ", entries, at + 116)
        name = entries[at : at + max(0, length - 2)].decode("utf-16-le", "replace")
        # 5 is the root, which holds the small streams.
        if kind == 5:
            inside = chained(first, following, read)
        elif kind == 2 and name in ("Workbook", "Book"):
            if size >= cutoff:
                return chained(first, following, read)[:size]
            small = numbers(chained(small_table, following, read))
            parts = [inside[at : at + small_sector] for at in range(0, len(inside), small_sector)]
            return chained(first, small, parts.__getitem__)[:size]
    return b""


def _in_records(content: bytes, sheet: str) -> Iterator[tuple[Cell, str]]:
    begin = next((at for at, name in _sheets(content) if name == sheet), None)
    if begin is None:
        return
    # Charts have records of their own inside.
    depth = 0
    for kind, record in _records(content, begin):
        depth += (kind == _BEGIN) - (kind == _FINISH)
        if depth == 0:
            return
        if kind == _ERROR_VALUE and len(record) >= 8 and record[7]:
            yield unpack_from("<HH", record), _is_error(_ERROR_CODES.get(record[6], ""))
        elif kind == _FORMULA and len(record) >= 16:
            result, flags = record[6:14], record[14]
            if result[6:] == b"\xff\xff" and result[0] == 2:
                yield unpack_from("<HH", record), _is_error(_ERROR_CODES.get(result[2], ""))
            # The stored result is 0, and Excel shall calculate it.
            elif result == bytes(8) and flags & 3:
                yield unpack_from("<HH", record), NO_RESULT


def _sheets(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield where each sheet's records begin, and its name."""
    for kind, record in _records(content, 0):
        if kind == _FINISH:
            return
        if kind == _SHEET and len(record) > 8:
            encoding = "utf-16-le" if record[7] & 1 else "latin-1"
            yield unpack_from("<I", record)[0], record[8:].decode(encoding, "replace")


def _records(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(content):
        kind, length = unpack_from("<HH", content, at)
        yield kind, content[at + 4 : at + 4 + length]
        at += 4 + length


def _is_error(error: str) -> str:
    return f"{error or 'an error'} is an error in the workbook, not a value"


def _elements(stream: IO[bytes]) -> Iterator[Element]:
    return (element for _, element in iterparse(stream))  # noqa: S314 - likewise


def _attribute(element: Element, wanted: str) -> str | None:
    return next((value for name, value in element.items() if _name(name) == wanted), None)


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
