"""Cells of a workbook that hold an error (`#N/A`) or a formula without a result: python-calamine reads both as blank.

The sheets of .xlsx, .xlsm and .ods are XML, which is read as a stream, and only if it holds a formula or an error.
Those of .xls are records in a compound file ([MS-XLS], [MS-CFB]). Errors in .xlsb are not found; a note says so.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from struct import iter_unpack, unpack_from
from typing import IO
from xml.etree.ElementTree import Element, iterparse
from xml.parsers.expat import ParserCreate

Cell = tuple[int, int]
"""Row and column, counted from 0."""

NO_RESULT = "the formula has no stored result; open the workbook in Excel or LibreOffice and save it"

_CHUNK_BYTES = 256 << 10
# What a sheet holds if it has a formula or an error at all.
_MAY_HOLD_ANY = re.compile(rb"""\bt\s*=\s*["']e["']|<(\w+:)?f[\s/>]""")
_REFERENCE = re.compile("([A-Z]+)([0-9]+)")
_ERROR_TEXT = re.compile(r"#(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!)|Err:\d+")


def can_be_found(location: Path) -> bool:
    """Tell whether errors are found in a workbook of this form."""
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
            return _Sheet(recalculated).read(stream)


def _sheet_part(archive: zipfile.ZipFile, sheet: str) -> tuple[str | None, bool]:
    """Return where a sheet's XML is, and whether the writer left it to Excel to calculate the formulas."""
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
    """What is found in the XML of a sheet, cell by cell; a million cells are not made into a million elements."""

    def __init__(self, recalculated: bool) -> None:
        self.found: dict[Cell, str] = {}
        self._recalculated = recalculated
        self._row = self._column = 0  # of cells that do not say their place
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
                self._judge()
            self._column += 1
        elif name == "row":
            self._row, self._column = self._row + 1, 0

    def _judge(self) -> None:
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


_END = 0xFFFFFFFA  # from which on a sector's number is a mark and no sector
_ERROR_CODES = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_BEGIN, _FINISH, _SHEET, _FORMULA, _ERROR_VALUE = 0x809, 0x0A, 0x85, 0x06, 0x205


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
        if kind == 5:  # the root, which holds the small streams
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
    depth = 0  # charts have records of their own within
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
            elif result == bytes(8) and flags & 3:  # 0, and Excel is to calculate it
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
