"""Workbooks (.xlsx, .xls, .ods) by python-calamine, which is an extra. A cell stays what the workbook says it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import (
    BATCH_ROWS,
    CELL_ERRORS,
    CELL_ERRORS_COLUMN,
    PROBLEM_COLUMN,
    Batches,
    Source,
    check_names,
    reason,
)
from interakt_loader.sources.cell_errors import Cell, can_be_found, cell_errors
from interakt_loader.sources.columns import text_type, to_arrow
from interakt_loader.sources.dialect import holds_names, is_group_row
from interakt_loader.sources.file import File
from interakt_loader.sources.headings import REPEATED, bare, is_counter, is_header, labelled
from interakt_loader.sources.options import ReadOptions

_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SAMPLE_ROWS = 100


def open_excel(file: File, options: ReadOptions) -> Source:
    """Return one sheet of a workbook as a source: the one asked for, or the first visible one that holds anything.

    Rows without any value are blank lines and left out. Memory holds the sheet: workbooks have a million rows
    at most. SourceError when python-calamine is missing, the file is no workbook, or it has no such sheet.
    """
    given = file.given
    try:
        import python_calamine  # noqa: F401 - asked for before the file is looked at
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
            notes.append(f"{given}: the first row holds values, not names; if it is a header, say so")
        elif is_group_row(texts):
            raise SourceError(
                f"{given}: the first two rows both hold names, and not values; leave one row of names, or if the first "
                "is the header, say so"
            )
    labels = texts[0] if has_header else [""] * len(texts[0])
    names = check_names(given, labelled(labels))
    left_out = [names[at] for at in range(len(names)) if has_header and not bare(labels[at]) and at not in filled]
    if has_header and is_counter(labels[0], (row[0] for row in start[1:])):
        notes.append(f"{given}: the first column, which has no name and counts the rows, is left out")
        left_out.append(names[0])

    def read() -> Batches:
        with _workbook(file) as workbook:
            again = workbook.get_sheet_by_name(name)
            yield from _batches(lambda: _body(again, errors, names, has_header), names, bool(errors))

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
            "remove what stands above the header"
        )


def _workbook(file: File) -> Any:
    from python_calamine import CalamineWorkbook

    # By its content, not by its name: many an .xlsx is called .xls.
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
    """As Python values, an empty one and one with an error as None."""
    errors: dict[int, str]
    """What is wrong with the cells that hold an error, by their places."""
    problem: str | None = None
    """Why the row cannot be read; it has no cells then."""


def _rows(sheet: Any, errors: dict[Cell, str]) -> Iterator[_Row]:
    """Yield the rows that hold anything."""
    if sheet.start is None:  # no cell at all: python-calamine 0.6.2 and older panic over its rows
        return
    left, width = sheet.start[1], sheet.end[1] - sheet.start[1] + 1
    by_row: dict[int, dict[int, str]] = {}
    for (at, column), wrong in errors.items():
        if 0 <= column - left < width:
            by_row.setdefault(at, {})[column - left] = wrong
    for at, row in enumerate(sheet.iter_rows()):  # from the sheet's first row on, and from the first column with a cell
        wrong_here = by_row.pop(at, {})
        cells = [None if place in wrong_here else _value(cell) for place, cell in enumerate(row)]
        if wrong_here or any(cell is not None for cell in cells):
            yield _Row(cells, wrong_here)
    for at in sorted(by_row):  # rows at the end without a single value
        yield _Row([None] * width, by_row[at])


def _body(sheet: Any, errors: dict[Cell, str], names: list[str], has_header: bool) -> Iterator[_Row]:
    """Yield the rows below the header. One that repeats it has no cells: they would make text of columns of numbers."""
    lower = [name.lower() for name in names]
    for row in islice(_rows(sheet, errors), has_header, None):
        first = next((cell for cell in row.cells if cell is not None), None)
        if isinstance(first, str) and bare(first).lower() in lower and is_header(row.cells, lower):
            yield _Row([None] * len(names), {}, REPEATED)
        else:
            yield row


def _value(cell: Any) -> Any:
    # from 2**53 on a whole number may have lost digits, and stays a float so that this is seen
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, str) and not cell.strip():
        return None
    return cell


def _batches(rows: Callable[[], Iterator[_Row]], names: list[str], with_errors: bool) -> Batches:
    """Yield the rows; a column's type is that of all its cells, not of those that share a batch."""
    examples: list[dict[type, Any]] = [{} for _ in names]
    for row in rows():
        for cell, seen in zip(row.cells, examples, strict=True):
            if cell is not None:
                seen.setdefault(type(cell), cell)
    # A date is an instant at midnight to a workbook.
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
