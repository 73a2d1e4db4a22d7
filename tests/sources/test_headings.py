"""Names of columns and cells without what spreadsheets and pandas put around them, and rows that repeat the names."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from interakt_loader.sources import open_source
from interakt_loader.sources.base import heading, is_counter
from tests.sources.reading import problems, read

REPEATED = "this row repeats the header"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (" name ", "name"),
        ("\ufeffid", "id"),
        ("id\u200b", "id"),
        ("\u00a0id\u00a0", "id"),
        ("Phone\nNumber", "Phone Number"),
        ("Total  spent\t", "Total spent"),
        ('="id"', "id"),
        ('="a ""b"""', 'a "b"'),
        ("\u200did", "id"),
        ("क्\u200dष", "क्\u200dष"),  # a joiner belongs to the word
        ("name", "name"),
        (" ", " "),  # a blank name is for the reader to number
        ("\u3000会员编号\u3000", "会员编号"),
    ],
)
def test_a_heading_is_what_a_person_reads(written: str, name: str) -> None:
    """White space, marks and Excel's guard are no part of a name."""
    assert heading(written) == name


@pytest.mark.parametrize(
    ("label", "values", "expected"),
    [
        ("", ["0", "1", "2"], True),
        ("Unnamed: 0", [0, 1, 2], True),
        ("Unnamed: 0.1", [0, 1], True),
        ("", ["1", "2", "3"], True),  # of R
        ("", ["0"], True),
        ("", ["0", None, "2"], True),
        ("", [], False),
        ("", ["1001", "1002"], False),
        ("", ["0", "1", "1"], False),
        ("", ["00", "01"], False),
        ("id", ["0", "1", "2"], False),
        ("column_1", ["0", "1", "2"], False),
    ],
)
def test_an_index_is_a_column_without_a_name_that_counts(label: str, values: list[Any], expected: bool) -> None:
    """A name, or a number that is out of turn, makes it a column."""
    assert is_counter(label, values) is expected


@pytest.mark.parametrize("name", [" id ", "\ufeffid", "id\u00a0"])
def test_headings_are_trimmed_in_every_form(name: str, tmp_path: Path) -> None:
    """Files and frames alike."""
    frame = pd.DataFrame({name: ["1"], "n": ["x"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for data in (frame, pa.Table.from_pandas(frame), *(tmp_path / f"t.{form}" for form in ("csv", "parquet", "jsonl"))):
        assert open_source(data).columns == ["id", "n"]
        assert read(data) == [{"id": "1", "n": "x"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,name\n1,A\nid,name\n2,B\n", [None, REPEATED, None]),
        ("\ufeffid,name\n1,A\n\ufeffid,name\n2,B\n", [None, REPEATED, None]),
        ('"id","full name"\n"1","A"\n\ufeff"id","full name"\n"2","B"\n', [None, REPEATED, None]),
        ("id, name \n1,A\nid, name \n2,B\n", [None, REPEATED, None]),
        ("id,name\n1,A\nID,Name\n2,B\n", [None, REPEATED, None]),
        ("id,name\n1,A\nname,id\nB,2\n", [None, REPEATED, None]),
        ("id,name,city\n1,A,P\nid,name,town\n2,B,P\n", [None, REPEATED, None]),
        ("id,name,city,pin\n1,A,P,4\nid,name,,\n2,B,P,5\n", [None, REPEATED, None]),
        ("id,name,city,pin\n1,A,P,4\nid,,,\n2,B,P,5\n", [None, None, None]),
        ("id\n1\nid\n2\n", [None, REPEATED, None]),
        ("id,name\nid,name\n1,A\n", [REPEATED, None]),
        ("id,name\n1,name\n2,id\n", [None, None]),
        ("type,value\ntype,5\nname,6\n", [None, None]),
        ("id;name\n1;A\nid;name\n", [None, REPEATED]),
    ],
)
def test_a_row_that_repeats_the_header_cannot_be_read(content: str, expected: list[str | None], file: Path) -> None:
    """Two exports were joined; the names are no customer. A value that is called like a column is one."""
    file.write_text(content, encoding="utf-8")
    assert problems(file) == expected
    assert all(row == dict.fromkeys(row) for row, wrong in zip(read(file), expected, strict=True) if wrong)


def test_a_header_in_each_member_of_a_gzip_file_is_seen(tmp_path: Path) -> None:
    """`cat a.csv.gz b.csv.gz` makes such a file."""
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,name\n1,A\n") + gzip.compress(b"id,name\n2,B\n"))
    assert problems(path) == [None, REPEATED, None]


def test_a_header_in_the_middle_of_a_frame_is_seen_too(file: Path) -> None:
    """pandas reads joined files without a word."""
    file.write_text("\ufeffid,name\n1,A\n\ufeffid,name\n2,B\n", encoding="utf-8")
    frame = pd.read_csv(file, encoding="utf-8-sig")
    assert problems(frame) == [None, REPEATED, None]


def test_marks_within_a_file_are_no_part_of_ids_and_keys(tmp_path: Path) -> None:
    """A joined file without a second header begins its first row with one."""
    (tmp_path / "t.csv").write_text('\ufeffid,name\n1,A\n\ufeff"2, x",B\n', encoding="utf-8")
    (tmp_path / "t.jsonl").write_text('\ufeff{"id": "1"}\n\ufeff{"id": "2, x"}\n', encoding="utf-8")
    for name in ("t.csv", "t.jsonl"):
        assert [row["id"] for row in read(tmp_path / name)] == ["1", "2, x"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('="001"', "001"),
        ('"=""001"""', "001"),
        ('"=""a """"b"""""""', 'a "b"'),
        ('="+919876543210"', "+919876543210"),
        ('=""', ""),
        ("=1+1", "=1+1"),
        ('"=""a""&""b"""', '="a"&"b"'),
        ('="Jürgen"', "Jürgen"),
    ],
)
def test_cells_that_excel_should_leave_alone_are_their_text(cell: str, value: str, file: Path) -> None:
    """`="001"` is 001; a formula of any other kind stays as it is. In a file and in a frame."""
    file.write_text(f"id,v\n1,x\n2,{cell}\n", encoding="utf-8")
    assert [row["v"] for row in read(file)] == ["x", value]
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert [row["v"] for row in read(frame)] == ["x", value]
    assert [row["v"] for row in read(frame.astype("category"))] == ["x", value]


@pytest.mark.parametrize("form", ["parquet", "feather", "table"])
def test_an_index_without_a_name_is_left_out_as_of_the_frame(form: str, tmp_path: Path) -> None:
    """pandas keeps it as a column of its own."""
    frame = pd.DataFrame({"id": ["a", "b", "c"]})[lambda it: it["id"] != "b"]
    table = pa.Table.from_pandas(frame, preserve_index=True)
    assert "__index_level_0__" in table.column_names
    path = tmp_path / f"t.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "feather":
        pa.feather.write_feather(table, path)
    data = table if form == "table" else path
    source = open_source(data)
    assert source.columns == ["id"]
    assert "left out, the index of a pandas DataFrame: __index_level_0__" in source.notes[0]
    assert read(data) == [{"id": "a"}, {"id": "c"}] == read(frame)


def test_an_index_with_a_name_is_a_column(tmp_path: Path) -> None:
    """It is what the table's owner calls the rows by."""
    pd.DataFrame({"name": ["A"]}, index=pd.Index(["7"], name="id")).to_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == [{"name": "A", "id": "7"}]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_index_that_to_csv_writes_is_left_out_and_said(separator: str, file: Path) -> None:
    """Of the file, of the frame that pandas reads from it, and of what that frame writes."""
    pd.DataFrame({"name": ["Asha", "Bob"], "n": [1, 2]}).to_csv(file, sep=separator)
    source = open_source(file)
    assert source.columns == ["name", "n"]
    assert source.notes == [f"{file}: the first column, which has no name and counts the rows, is left out"]
    assert read(file) == [{"name": "Asha", "n": "1"}, {"name": "Bob", "n": "2"}]
    frame = pd.read_csv(file, sep=separator)
    assert open_source(frame).columns == ["name", "n"]
    assert open_source(frame).notes == ["DataFrame: 'Unnamed: 0', which counts the rows, is left out"]
    frame.to_csv(file, sep=separator, index=False)
    assert open_source(file).columns == ["name", "n"]
    frame.to_parquet(file.with_suffix(".parquet"))
    for data in (file.with_suffix(".parquet"), pa.Table.from_pandas(frame), pa.Table.from_pandas(frame).to_reader()):
        assert read(data) == [{"name": "Asha", "n": 1}, {"name": "Bob", "n": 2}]


def test_columns_of_one_name_are_left_out_and_said(file: Path) -> None:
    """Nobody can say which is meant; the others are read. In a file and in a frame."""
    file.write_text("id,name,note,Note,note \n1,Ann,x,y,z\n")
    source = open_source(file)
    assert (source.columns, source.doubled) == (["id", "name", "Note"], ("note",))
    assert source.notes == [
        f"{file}: two columns are called 'note'; they are left out unless each gets a name of its own"
    ]
    assert read(file) == [{"id": "1", "name": "Ann", "Note": "y"}]
    assert read(pd.DataFrame([["1", "x", "y"]], columns=["id", "note", "note"])) == [{"id": "1"}]
