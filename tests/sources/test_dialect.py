"""How a CSV file is written, judged by its first lines alone."""

from __future__ import annotations

import pytest

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import ReadOptions
from interakt_loader.sources.csv import find_dialect, holds_names


def names_of(text: str, **options: str) -> list[str]:
    return find_dialect("t", "t.csv", text.splitlines(keepends=True), ReadOptions(**options)).names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        ("id,name", ["1,Ann"], True),
        ("Ann,Lee", ["Bo,Ray"], True),  # nothing tells; a header is the rule
        ("1,Ann", ["2,Bo"], False),
        ("1,2,3", [], False),
        ("a,b,c", [], True),
        ("Ann,ann@x.example", ["Bo,bo@x.example"], False),
        ("Ann,+919876543210", ["Bo,+919876543211"], False),
        ("Ann,2020-01-02 00:00:00", ["Bo,2021-05-06"], False),
        ("id,100022,100025", ["id1,TRUE,FALSE"], True),
        ("id,100022", ["1,7"], True),  # a word above numbers names them
        ("name,2019,2020", ["Ann,10,20"], True),  # years head columns
        ("1,Ann", [",Bo", "3,Cy"], False),
        ("1,Ann", ["x,Bo"], True),
        ("name,2500", ["Ann,"], True),  # nothing stands below the number
        ("2023 sales,x", ["1,2"], True),
    ],
)
def test_the_first_row_is_a_header_unless_it_is_plainly_a_row(first: str, below: list[str], expected: bool) -> None:
    """It takes a value above values of its kind, and no word above values."""
    assert holds_names(first.split(","), [row.split(",") for row in below]) is expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# made by hand\nid,name\n1,x\n", ["id", "name"]),
        ("#\n# a\n#b\n\nid,name\n1,x\n", ["id", "name"]),
        ("#id,name\n1,x\n", ["#id", "name"]),
        ("#,Name\n1,x\n", ["#", "Name"]),
        ("#\n1\n2\n", ["#"]),
        ("# notes, many, of them\nid;name\n1;x\n", ["id", "name"]),
    ],
)
def test_comments_above_the_header_are_skipped(text: str, names: list[str]) -> None:
    """A line that begins with # is a comment unless it has as many cells as the line below."""
    assert names_of(text) == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# only this\n", "only blank lines and comments"),
        ("Report for May\nid,name\n1,x\n", r"line 1 has one cell \('Report for May'\) where the lines below it have 2"),
        ("\n\nMy shop\na;b;c\n1;2;3\n", "line 3 has one cell"),
        (" id  day  note\n 01  1997  a\n 02  1998  b\n", "aligned by spaces"),
        ('a"b,"c"d,e\n1,2,3\n', "the header cannot be read: ',' expected after '\"'"),
    ],
)
def test_what_has_no_header_to_go_by_is_refused(text: str, words: str) -> None:
    """The message says which line is in the way."""
    with pytest.raises(SourceError, match=words):
        names_of(text)


def test_names_of_people_in_one_column_are_not_aligned_text() -> None:
    """One space is no gap between columns, and a comma inside quotes no delimiter."""
    assert names_of("Full Name\nJane Roe\nJohn Doe\n") == ["Full Name"]
    assert names_of('Full Name\n"Roe, Jane"\n"Doe, John"\n') == ["Full Name"]


@pytest.mark.parametrize("spelled", ["\t", "\\t", "tab", "TAB"])
def test_a_tab_can_be_given_from_a_shell(spelled: str) -> None:
    """As itself, as an escape, as a word."""
    assert names_of("a,b\tc\n1\t2\n", delimiter=spelled) == ["a,b", "c"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sep=;\r\nid;name\r\n1;Ann\r\n", ["id", "name"]),
        ("SEP=,\nid;x,name\n1,2\n", ["id;x", "name"]),
        ('"sep=,"\nid,name\n', ["id", "name"]),
        ("sep=\t\nid\tname\n", ["id", "name"]),
        ("sep=\\t\nid\tname\n", ["id", "name"]),
        ("sep=^\nid^name\n1^2\n", ["id", "name"]),
        ("\nsep=;\nid;name\n", ["id", "name"]),
    ],
)
def test_the_line_by_which_excel_is_told_the_delimiter_is_obeyed(text: str, names: list[str]) -> None:
    """It is no row and no header."""
    assert names_of(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("id,name\n1,Ann,\n2,Bob,\n", ["id", "name"]),
        ("id,name,\n1,Ann,\n2,Bob,\n", ["id", "name"]),
        ("id,name,,,\n1,Ann,,,\n", ["id", "name"]),
        ("id,name,\n1,Ann\n", ["id", "name"]),
        ("id,name,\n1,Ann,x\n", ["id", "name", "column_3"]),
        ("id,,name\n1,,x\n", ["id", "column_2", "name"]),
    ],
)
def test_delimiters_at_the_end_of_lines_make_no_column(text: str, names: list[str]) -> None:
    """Unless some row has a value there."""
    assert names_of(text) == names


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("'id','name'\n'1','Rao, Asha'\n", "'"),
        ("id,name\n1,'Rao, Asha'\n2,'Lee, Bo'\n", "'"),
        ("id;name\n'1';'x'\n", "'"),
        ("id,name\n1,'Rao, Asha'\n2,Bob\n", "'"),
        ("id,name\n1,'Rao, Asha'\n2,O'Neil, Bo\n", '"'),
        ("id,name\n1,O'Neil\n", '"'),
        ("id,name\n1,'tis\n2,'twas\n", '"'),
        ("id,zip\n1,'0123\n2,'0456\n", '"'),
        ("id,name\n1,'x'\n2,y\n", '"'),
        ("id,name\n1,'x'\n2,\"y\"\n", '"'),
    ],
)
def test_single_quotes_are_quotes_where_every_row_has_them(text: str, quote: str) -> None:
    """An apostrophe is none."""
    assert find_dialect("t", "t.csv", text.splitlines(keepends=True), ReadOptions()).quote == quote


GROUPED = [
    "Customer,,Address,\nid,name,city,zip\n1,Ann,Pune,411001\n",
    "Customer,Customer,Address,Address\nid,name,city,zip\nC1,Ann,Pune,A1\n",
    "Customer,,,\nKunde,Vorname,Stadt,PLZ\nx,Ann,Pune,411001\n",
    "id,Address,,\n,city,zip,since\n1,Pune,411001,2024-01-02\n",
    "Q1,Q2,Q3\nPlease give your name,What is your age?,When?\nAnn,30,2024-01-02\nBob,31,2024-01-03\n",
]


@pytest.mark.parametrize("text", GROUPED)
def test_two_rows_of_names_are_refused(text: str) -> None:
    """The second row would be sent as a customer called id."""
    with pytest.raises(SourceError, match="line 1 and the one below it both hold names"):
        names_of(text)
    assert find_dialect("t", "t.csv", text.splitlines(keepends=True), ReadOptions(header=True)).names


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n1,Ann\n",
        "id,name\nC1,Ann\nC2,Bob\n",
        "id,,name\nC1,x,Ann\nC2,y,Bob\n",
        "id,amount,n\nx,N/A,unknown\n2,5,6\n",
        "name,city\nAnn,Pune\n",
        "id,name\nid,name\n1,Ann\n",  # the header again: a row that repeats it
    ],
)
def test_one_row_of_names_is_a_header(text: str) -> None:
    """Whatever stands in the first row of values, be it words."""
    assert names_of(text)[0] in ("id", "name")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# Exported by Acme, 2024-05-01\nid,n\n1,5\n", ["id", "n"]),
        ("# -----\n# a,b,c\n# d\nid,n,m\n1,5,6\n", ["id", "n", "m"]),
        ("# id,n\n1,5\n", ["# id", "n"]),
    ],
)
def test_prose_above_a_plain_header_is_a_comment_however_many_commas_it_has(text: str, names: list[str]) -> None:
    """What stands directly above values is their header, with or without #."""
    assert names_of(text) == names
