"""Workbooks (.xlsx, .xls, .ods) by python-calamine, which is an extra. A cell stays what the workbook says it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names, reason
from interakt_loader.sources.columns import text_type, to_arrow
from interakt_loader.sources.dialect import holds_names, labelled
from interakt_loader.sources.file import File
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
        raise SourceError(f"{given}: workbooks need the extra 'excel': pip install 'interakt-loader[excel]'") from error
    _check_mark(file)
    file = file.uncompressed()
    try:
        with _workbook(file) as workbook:
            sheet, notes = _chosen(given, workbook, options)
            start = list(islice(_rows(sheet), _SAMPLE_ROWS))
            rows = sum(1 for _ in _rows(sheet))
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{given}: the workbook cannot be read: {reason(error)}") from error
    if not start:
        raise SourceError(f"{given}: the sheet {sheet.name!r} is empty")
    texts = [["" if cell is None else str(cell) for cell in row] for row in start]
    _refuse_title(given, texts)
    has_header = holds_names(texts[0], texts[1:]) if options.header is None else options.header
    if options.header is None and not has_header:
        notes.append(f"{given}: the first row holds values, not names; if it is a header, say so")
    names = check_names(given, labelled(texts[0] if has_header else [""] * len(texts[0])))

    name = sheet.name

    def read() -> Batches:
        with _workbook(file) as workbook:
            again = workbook.get_sheet_by_name(name)
            yield from _batches(lambda: islice(_rows(again), has_header, None), names)

    return Source(
        name=file.name, columns=names, rows=rows - has_header, rows_exact=True, read=read, path=given, notes=notes
    )


def _check_mark(file: File) -> None:
    head = file.head(64)
    if head.startswith(_MARKS):
        return
    if b"\0" in head:
        raise SourceError(f"{file.given}: this is not a workbook, whatever its name says")
    form = "a web page" if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else "text"
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

    return CalamineWorkbook.from_path(str(file.location))


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
    filled = (sheet for sheet in sheets if any(True for _ in _rows(sheet)))
    first = next(filled, None)
    if first is None:
        raise SourceError(f"{given}: all sheets are empty or hidden; there are {listed}")
    is_choice = next(filled, None) is not None
    return first, [f"{given}: this reads the sheet {first.name!r} of {listed}"] if is_choice else []


def _rows(sheet: Any) -> Iterator[list[Any]]:
    """Yield the rows that hold anything, their cells as Python values, an empty one as None."""
    if sheet.start is None:  # no cell at all: python-calamine 0.6.2 and older panic over its rows
        return
    for row in sheet.iter_rows():
        cells = [_value(cell) for cell in row]
        if any(cell is not None for cell in cells):
            yield cells


def _value(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**63:
        return int(cell)
    if isinstance(cell, str) and not cell.strip():
        return None
    return cell


def _batches(rows: Callable[[], Iterator[Sequence[Any]]], names: list[str]) -> Batches:
    """Yield the rows; a column's type is that of all its cells, not of those that share a batch."""
    examples: list[dict[type, Any]] = [{} for _ in names]
    for row in rows():
        for cell, seen in zip(row, examples, strict=True):
            if cell is not None:
                seen.setdefault(type(cell), cell)
    # A date is an instant at midnight to a workbook.
    with_times = [date in seen and datetime in seen for seen in examples]
    types = [None if set(seen) == {date, datetime} else text_type(list(seen.values())) for seen in examples]
    remaining = rows()
    while batch := list(islice(remaining, BATCH_ROWS)):
        arrays = []
        for at, cells in enumerate(zip(*batch, strict=True)):
            values = [_at_midnight(cell) for cell in cells] if with_times[at] else cells
            arrays.append(to_arrow(values, types[at]))
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _at_midnight(cell: Any) -> Any:
    return datetime.combine(cell, time()) if type(cell) is date else cell
