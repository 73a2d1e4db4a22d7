"""Cells of workbooks that hold an error, or a formula without a result."""

from __future__ import annotations

import zipfile
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from interakt_loader.sources import CELL_ERRORS_COLUMN, open_source
from interakt_loader.sources.excel import NO_RESULT, cell_errors
from tests.sources.reading import column, read

openpyxl: Any = pytest.importorskip("openpyxl", reason="openpyxl, which writes the workbooks, is not installed")
pytest.importorskip("python_calamine", reason="python-calamine, the extra 'excel', is not installed")

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
# Excel writes #SPILL! and #CALC! as #VALUE!.
ERRORS = ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"]


def workbook(path: Path, cells: str, prefix: str = "", *, recalculated: bool = False) -> Path:
    """Write a workbook of one sheet with these cells in its XML; tags may have a prefix, as some writers give them."""
    p = f"{prefix}:" if prefix else ""
    name = f'xmlns{":" if prefix else ""}{prefix}="{MAIN}"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006/relationships"
    calculation = f'<{p}calcPr fullCalcOnLoad="1"/>' if recalculated else ""
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{packages}"><Relationship Id="r1" Type="{relations}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<{p}workbook {name} xmlns:r="{relations}"><{p}sheets><{p}sheet name="A &amp; B" '
        f'sheetId="1" r:id="r1"/></{p}sheets>{calculation}</{p}workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}"><Relationship Id="r1" '
        f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<{p}worksheet {name}><{p}sheetData>{cells}</{p}sheetData></{p}worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


def errors(path: Path) -> list[dict[str, str]]:
    """Return what is wrong with the cells of each row, by column."""
    return [{one["column"]: one["reason"] for one in row or []} for row in column(path, CELL_ERRORS_COLUMN)]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_no_value_and_is_said(error: str, tmp_path: Path) -> None:
    """Whatever formula it came from, and whether or not the cell has one."""
    book = openpyxl.Workbook()
    for row in (["id", "v", "w"], ["a", error, 5], ["b", "x", error], [error, error, error]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    said = f"{error} is an error in the workbook, not a value"
    assert [list(row.values()) for row in read(tmp_path / "t.xlsx")] == [["a", None, 5], ["b", "x", None], [None] * 3]
    assert errors(tmp_path / "t.xlsx") == [{"v": said}, {"w": said}, dict.fromkeys(["id", "v", "w"], said)]
    assert open_source(tmp_path / "t.xlsx").rows == 3


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize("error", ERRORS)
def test_errors_are_found_in_the_xml_of_any_writer(prefix: str, error: str, tmp_path: Path) -> None:
    """With a prefix to its tags, and beginning anywhere in the sheet."""
    p = f"{prefix}:" if prefix else ""

    def text(value: str, place: str) -> str:
        return f'<{p}c r="{place}" t="inlineStr"><{p}is><{p}t>{value}</{p}t></{p}is></{p}c>'

    header = text("id", "B3") + text("v", "C3")
    row = text("a", "B5") + f'<{p}c r="C5" t="e"><{p}v>{error}</{p}v></{p}c>'
    cells = f'<{p}row r="3">{header}</{p}row><{p}row r="5">{row}</{p}row>'
    path = workbook(tmp_path / "t.xlsx", cells, prefix)
    assert read(path) == [{"id": "a", "v": None}]
    assert errors(path) == [{"v": f"{error} is an error in the workbook, not a value"}]


@pytest.mark.parametrize(
    ("cell", "recalculated", "reason"),
    [
        ('<c r="B2"><f>1+1</f></c>', False, NO_RESULT),
        ('<c r="B2"><f>1+1</f><v/></c>', False, NO_RESULT),
        ('<c r="B2"><f>1+1</f><v></v></c>', True, NO_RESULT),
        ('<c r="B2"><f t="shared" si="0"/></c>', False, NO_RESULT),
        ('<c r="B2"><f>1+1</f><v>0</v></c>', True, NO_RESULT),  # what libraries write that do not calculate
        ('<c r="B2"><f>1-1</f><v>0</v></c>', False, None),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', True, None),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', False, None),  # its result is empty text
        ('<c r="B2"><v>0</v></c>', True, None),
        ('<c r="B2"/>', False, None),
    ],
)
def test_a_formula_without_a_result_is_refused(
    cell: str, recalculated: bool, reason: str | None, tmp_path: Path
) -> None:
    """It was written by a program that does not calculate; empty text and a calculated 0 are results."""
    header = '<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>v</v></c></row>'
    row = f'<row r="2"><c r="A2" t="str"><v>a</v></c>{cell}</row>'
    path = workbook(tmp_path / "t.xlsx", header + row, recalculated=recalculated)
    assert cell_errors(path, "A & B") == ({} if reason is None else {(1, 1): reason})


def test_rows_of_nothing_but_formulas_without_results_are_rows(tmp_path: Path) -> None:
    """They are refused, not lost, at the end of the sheet too."""
    book = openpyxl.Workbook()
    for row in (["id", "v"], ["a", 1], ["=B2", "=1+1"], ["=B2", "=1+1"]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert errors(tmp_path / "t.xlsx") == [{}, {"id": NO_RESULT, "v": NO_RESULT}, {"id": NO_RESULT, "v": NO_RESULT}]
    assert open_source(tmp_path / "t.xlsx").rows == 3


def test_another_sheet_s_errors_do_not_count(tmp_path: Path) -> None:
    """Only the sheet that is read is looked at."""
    book = openpyxl.Workbook()
    book.active.append(["id"])
    book.active.append(["a"])
    book.create_sheet("Other").append(["#N/A"])
    book.save(tmp_path / "t.xlsx")
    assert errors(tmp_path / "t.xlsx") == [{}]


def test_an_open_document_has_errors_times_and_amounts(tmp_path: Path) -> None:
    """LibreOffice marks errors; older writers leave only their text."""
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    namespaces += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'

    def cell(attributes: str, text: str = "") -> str:
        return f"<table:table-cell {attributes}>{f'<text:p>{text}</text:p>' if text else ''}</table:table-cell>"

    def string(text: str) -> str:
        return cell('office:value-type="string"', text)

    rows = [
        [string(name) for name in ("id", "on", "at", "b", "share", "price", "e", "f")],
        [
            string("a"),
            cell('office:value-type="date" office:date-value="2024-05-13"', "13/05/24"),
            cell('office:value-type="time" office:time-value="PT05H06M07S"', "05:06:07"),
            cell('office:value-type="boolean" office:boolean-value="true"', "TRUE"),
            cell('office:value-type="percentage" office:value="0.12"', "12%"),
            cell('office:value-type="currency" office:currency="EUR" office:value="12.5"', "12,50 €"),
            cell('table:formula="of:=NA()" office:value-type="string" calcext:value-type="error"', "#N/A"),
            cell('table:formula="of:=1+1"'),
        ],
        [
            string("b"),
            cell('office:value-type="date" office:date-value="2024-05-14"', "14/05/24"),
            cell('table:number-columns-repeated="4"'),
            cell('table:formula="of:=1/0" office:value-type="float" office:value="0"', "#DIV/0!"),
            string("x"),
        ],
    ]
    body = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content {namespaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    first, second = read(tmp_path / "t.ods")
    assert (str(first["on"]), str(first["at"]), first["b"]) == ("2024-05-13", "05:06:07", True)
    assert (first["share"], first["price"], first["e"], first["f"]) == (0.12, 12.5, None, None)
    assert (str(second["on"]), second["e"], second["f"]) == ("2024-05-14", None, "x")
    assert errors(tmp_path / "t.ods") == [
        {"e": "#N/A is an error in the workbook, not a value", "f": NO_RESULT},
        {"e": "#DIV/0! is an error in the workbook, not a value"},
    ]


def record(kind: int, content: bytes = b"") -> bytes:
    return pack("<HH", kind, len(content)) + content


def compound(stream: bytes, *, small: bool) -> bytes:
    """Return a compound file that holds the stream "Workbook" in its sectors, or in the small ones within its root."""

    def entry(name: str, kind: int, first: int, size: int) -> bytes:
        written = (name + "\0").encode("utf-16-le")
        return written.ljust(64, b"\0") + pack("<HB", len(written), kind) + bytes(49) + pack("<IQ", first, size)

    end, free, table = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    padded = stream.ljust(-(-len(stream) // 512) * 512, b"\0")
    count = len(padded) // 512
    # sectors: the table, the directory, the small table, then the stream
    following = [table, end, end, *range(4, 3 + count), end]
    following += [free] * (128 - len(following))
    chain = [*range(1, -(-len(stream) // 64)), end]
    root = entry("Root Entry", 5, 3 if small else end, len(padded) if small else 0)
    directory = (root + entry("Workbook", 2, 0 if small else 3, len(stream))).ljust(512, b"\0")
    header = bytearray(512)
    header[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    header[24:34] = pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    header[44:76] = pack("<IIIIIIII", 1, 1, 0, 4096, 2 if small else end, 1 if small else 0, end, 0)
    header[76:512] = pack("<109I", 0, *[free] * 108)
    small_table = pack("<128I", *(chain + [free] * 128)[:128])
    return bytes(header) + pack("<128I", *following) + directory + small_table + padded


@pytest.mark.parametrize("small", [False, True])
def test_an_old_workbook_has_its_errors_in_records(small: bool, tmp_path: Path) -> None:
    """Those of cells and those that formulas resulted in, of the sheet that is read alone."""
    begin, end = record(0x809, bytes(16)), record(0x0A)
    names = ["Other", "Sé ★"]

    def globals_of(places: list[int]) -> bytes:
        sheets = b"".join(
            record(0x85, pack("<IHBB", place, 0, len(name), 1) + name.encode("utf-16-le"))
            for name, place in zip(names, places, strict=True)
        )
        return begin + sheets + end

    other = begin + record(0x205, pack("<HHHBB", 9, 9, 0, 42, 1)) + end
    sheet = begin + record(0x203, pack("<HHHd", 1, 0, 0, 5.0))
    sheet += begin + end  # a chart within
    sheet += record(0x205, pack("<HHHBB", 1, 1, 0, 42, 1))
    sheet += record(0x205, pack("<HHHBB", 1, 2, 0, 1, 0))  # a boolean
    sheet += record(0x06, pack("<HHH", 2, 1, 0) + b"\x02\0\x07\0\0\0\xff\xff" + bytes(8))
    sheet += record(0x06, pack("<HHHd", 2, 2, 0, 4.0) + bytes(8))
    sheet += record(0x06, pack("<HHHd", 3, 2, 0, 0.0) + pack("<H", 3) + bytes(6))
    sheet += record(0xFF, bytes(100 if small else 5000)) + end
    first = len(globals_of([0, 0]))
    content = globals_of([first, first + len(other)]) + other + sheet
    (tmp_path / "t.xls").write_bytes(compound(content, small=small))
    assert cell_errors(tmp_path / "t.xls", "Sé ★") == {
        (1, 1): "#N/A is an error in the workbook, not a value",
        (2, 1): "#DIV/0! is an error in the workbook, not a value",
        (3, 2): NO_RESULT,
    }
    assert cell_errors(tmp_path / "t.xls", "Other") == {(9, 9): "#N/A is an error in the workbook, not a value"}
    assert cell_errors(tmp_path / "t.xls", "absent") == {}
