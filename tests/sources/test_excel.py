"""Workbooks: what the cells are, which sheet, and what is no workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader import MappingDict, load_users
from interakt_loader.errors import SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import BATCH_ROWS, ReadOptions, open_source
from tests.sources.reading import problems, read, rows_of

openpyxl: Any = pytest.importorskip("openpyxl", reason="openpyxl, which writes the workbooks, is not installed")
pytest.importorskip("python_calamine", reason="python-calamine, the extra 'excel', is not installed")

Rows = list[list[Any]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(sheets: dict[str, Rows], hidden: str | None = None) -> Path:
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for name, rows in sheets.items():
            sheet = workbook.create_sheet(name)
            for row in rows:
                sheet.append(row)
            if name == hidden:
                sheet.sheet_state = "hidden"
        path = tmp_path / "t.xlsx"
        workbook.save(path)
        return path

    return written


def test_cells_stay_what_the_workbook_says_they_are(write: Callable[..., Path]) -> None:
    """Text ids keep their zeros, whole numbers have no fraction, dates are dates, a mixture is text."""
    path = write(
        {
            "People": [
                ["id", "phone", "joined", "seen", "amount", "active", "mixed", "at"],
                ["007", 919876543210, date(2020, 1, 2), datetime(2020, 1, 2, 5, 6), 1.5, True, "A7", time(5)],
                ["008", 919876543211, date(2020, 1, 3), datetime(2020, 1, 3), 2, None, 7, None],
            ]
        }
    )
    (batch,) = open_source(path).batches()
    assert batch.schema.field("phone").type == pa.int64()
    assert batch.schema.field("joined").type == pa.date32()
    assert batch.schema.field("seen").type == pa.timestamp("us")
    assert read(path) == [
        {
            "id": "007",
            "phone": 919876543210,
            "joined": date(2020, 1, 2),
            "seen": datetime(2020, 1, 2, 5, 6),
            "amount": 1.5,
            "active": True,
            "mixed": "A7",
            "at": time(5),
        },
        {
            "id": "008",
            "phone": 919876543211,
            "joined": date(2020, 1, 3),
            "seen": datetime(2020, 1, 3),
            "amount": 2.0,
            "active": None,
            "mixed": "7",
            "at": None,
        },
    ]


def test_a_cell_far_down_decides_the_type_of_all(write: Callable[..., Path]) -> None:
    """A column is not a number in one batch and text in the next; rows come in order, blank ones are left out."""
    count = BATCH_ROWS + 5
    path = write({"S": [["id", "n"], *([at, at] for at in range(count)), [None, None], ["x", 1]]})
    source = open_source(path)
    assert (source.rows, source.rows_exact) == (count + 1, True)
    assert [row["id"] for row in rows_of(source)] == [*map(str, range(count)), "x"]
    assert [row["n"] for row in rows_of(source)] == [*range(count), 1]


def test_a_duration_among_other_cells_is_refused_and_no_text(write: Callable[..., Path], sandbox: Sandbox) -> None:
    """Cells of the format [h]:mm are durations from a day on; text, numbers and times beside them are sent as text."""
    path = write({"S": [["id", "at"], ["1", time(9, 30)], ["2", timedelta(hours=30)], ["3", "late"], ["4", 5]]})
    mapping: MappingDict = {"user_id": "id", "traits": ["at"]}
    result = load_users(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert result.to_arrow().column("code").to_pylist() == [None, "unsupported_type", None, None]
    assert {user.user_id: user.traits for user in sandbox.users()} == {
        "1": {"at": "09:30:00"},
        "3": {"at": "late"},
        "4": {"at": "5"},
    }


def test_the_first_visible_sheet_with_anything_in_it_is_read(write: Callable[..., Path]) -> None:
    """A note names it when there was a choice; a name or a number chooses another."""
    sheets: dict[str, Rows] = {"Cover": [], "Secret": [["s"], [1]], "A": [["a"], [1]], "2": [["b"], [2]]}
    path = write(sheets, hidden="Secret")
    source = open_source(path)
    assert (source.columns, source.notes) == (["a"], [f"{path}: this reads the sheet 'A' of Cover, Secret, A, 2"])
    for sheet, names in (("Secret", ["s"]), (2, ["s"]), ("4", ["b"]), ("2", ["b"])):
        chosen = open_source(path, ReadOptions(sheet=sheet))
        assert (chosen.columns, chosen.notes) == (names, [])
    with pytest.raises(SourceError, match=r"there is no sheet 'B'; there are Cover, Secret, A, 2"):
        open_source(path, ReadOptions(sheet="B"))
    with pytest.raises(SourceError, match="the sheet 'Cover' is empty"):
        open_source(path, ReadOptions(sheet=1))


def test_a_sheet_without_header_has_numbered_columns(write: Callable[..., Path]) -> None:
    """The rule is that of CSV files, and can be overruled."""
    path = write({"S": [[1, "Ann"], [2, "Bo"]]})
    source = open_source(path)
    assert (source.columns, source.rows) == (["column_1", "column_2"], 2)
    assert source.notes == [f"{path}: the first row holds values, not names; if it is a header, give header=True"]
    assert read(path)[0] == {"column_1": 1, "column_2": "Ann"}
    assert open_source(path, ReadOptions(header=True)).columns == ["1", "Ann"]


def test_a_title_above_the_table_is_refused(write: Callable[..., Path]) -> None:
    """It would be the name of the first column, and the names would be a row."""
    path = write({"S": [["Report for May", None], [None, None], ["id", "n"], ["a", 1]]})
    with pytest.raises(SourceError, match=r"the first row has one cell \('Report for May'\) where those below"):
        open_source(path)


def test_a_workbook_without_rows_is_refused(write: Callable[..., Path]) -> None:
    """All sheets are named."""
    with pytest.raises(SourceError, match="all sheets are empty or hidden; there are A, B"):
        open_source(write({"A": [], "B": []}))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xls", b"<html><table></table></html>", "this is a web page that is called a workbook"),
        ("t.xls", b"id\tname\n1\tx\n", "this is text that is called a workbook; save it as .xlsx or .csv"),
        ("t.xlsx", bytes(100), "this is not a workbook, whatever its name says"),
        ("t.xlsx", b"PK\x03\x04" + bytes(100), "the zip file is damaged or cut short"),
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "the workbook cannot be read: "),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    """Many a system calls its tables .xls that are none."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words) as refused:
        open_source(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_an_open_document_is_read_too(tmp_path: Path) -> None:
    """It is a zip as .xlsx is, and no compressed file."""
    names = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
    cell = '<table:table-cell office:value-type="{0}" office:{1}value="{2}"><text:p>{2}</text:p></table:table-cell>'
    rows = [
        [cell.format("string", "string-", "id"), cell.format("string", "string-", "n")],
        [cell.format("string", "string-", "007"), cell.format("float", "", "5")],
    ]
    content = (
        f"<office:document-content {' '.join(map(names.format, ('office', 'table', 'text')))}><office:body>"
        '<office:spreadsheet><table:table table:name="S">'
        + "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    assert read(tmp_path / "t.ods") == [{"id": "007", "n": 5}]


@pytest.mark.parametrize("name", ["t.xls", "t.xlsm", "t.ods", "t.xlsb", "t.csv", "t"])
def test_a_workbook_is_read_by_its_content(write: Callable[..., Path], name: str) -> None:
    """Many systems call an .xlsx by another name."""
    path = write({"S": [["id", "n"], ["a", 1], ["b", 2]]})
    path = path.rename(path.with_name(name))
    assert read(path) == [{"id": "a", "n": 1}, {"id": "b", "n": 2}]


def test_whole_numbers_that_lost_digits_stay_floats(write: Callable[..., Path]) -> None:
    """From 2**53 on a workbook does not hold every whole number: whoever needs an id can see that."""
    path = write({"S": [["id", "n"], [2**53, 1], [1234567890123456789, 2], [2**53 - 1, 3]]})
    assert [type(row["id"]) for row in read(path)] == [float] * 3
    path = write({"S": [["id"], [2**53 - 1], [5]]})
    assert [row["id"] for row in read(path)] == [2**53 - 1, 5]
    path = write({"S": [["id"], ["A7"], [1234567890123456789]]})  # among text it is no text of made-up digits
    assert [row["id"] for row in read(path)] == ["A7", "1.234567890123457e+18"]


@pytest.mark.parametrize(
    "rows",
    [
        [["Customer", None, "Address", None], ["id", "name", "city", "zip"], [1, "Ann", "Pune", "411001"]],
        [["Customer", "Customer", "Place"], ["id", "name", "city"], ["C1", "Ann", "Pune"]],
    ],
)
def test_two_rows_of_names_are_refused(write: Callable[..., Path], rows: Rows) -> None:
    """Merged cells above the header; `header` says that the first row is it."""
    path = write({"S": rows})
    with pytest.raises(SourceError, match="the first two rows both hold names"):
        open_source(path)
    assert open_source(path, ReadOptions(header=True)).rows == 2


def test_columns_without_name_and_values_and_an_index_are_left_out(write: Callable[..., Path]) -> None:
    """Formats of cells make a sheet wider than its table, and pandas writes its index."""
    path = write({"S": [[None, "id", None, "n", None], [0, "a", None, 1, None], [1, "b", "x", 2, None]]})
    source = open_source(path)
    assert source.columns == ["id", "column_3", "n"]
    assert source.notes == [f"{path}: the first column, which has no name and counts the rows, is left out"]
    assert read(path) == [{"id": "a", "column_3": None, "n": 1}, {"id": "b", "column_3": "x", "n": 2}]


def test_a_header_that_is_repeated_in_a_sheet_is_a_problem_of_its_row(write: Callable[..., Path]) -> None:
    """Sheets are pasted below each other, too."""
    path = write({"S": [["id", "n"], ["a", 1], ["ID", " n"], ["b", 2]]})
    assert read(path) == [{"id": "a", "n": 1}, {"id": None, "n": None}, {"id": "b", "n": 2}]
    assert problems(path) == [None, "this row repeats the header", None]
