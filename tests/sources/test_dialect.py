"""How a CSV file is written, judged by its first lines alone."""

from __future__ import annotations

import pytest

from interakt_loader.errors import SourceError
from interakt_loader.sources.dialect import find_dialect, holds_names
from interakt_loader.sources.options import ReadOptions


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
