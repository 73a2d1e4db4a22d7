"""Paths: what is there, what is not, and several at once."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import SOURCE_COLUMN, open_source
from tests.sources.reading import column, problems, read


def test_an_ordinary_table_has_no_notes(tmp_path: Path) -> None:
    """Of any format: a note is a warning on the command line."""
    (tmp_path / "t.csv").write_text("id,name\na,Ann\n")
    (tmp_path / "t.jsonl").write_text('{"id":"a","name":"Ann"}\n')
    pq.write_table(pa.table({"id": ["a"], "name": ["Ann"]}), tmp_path / "t.parquet")
    assert [open_source(tmp_path / f"t.{ending}").notes for ending in ("csv", "jsonl", "parquet")] == [[], [], []]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no name in a folder there")
def test_a_named_pipe_is_no_file(tmp_path: Path) -> None:
    """Nobody may ever write into it: it is refused before it is opened."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceError, match=r"pipe\.csv: this is not a regular file"):
        open_source(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "absent.csv: no such file"),
        ("folder.csv", "folder.csv: there is no table in this folder"),
        ("empty.csv", "empty.csv: the file is empty"),
        ("empty.parquet", "empty.parquet: the file is empty"),
        ("data.pdf", "data.pdf: the ending tells the format, and must be one of .parquet, .pq, .csv"),
        ("absent*.csv", "absent*.csv: no file matches"),
        ("nul\0.csv", "embedded null"),
        ("n" * 300 + ".csv", "cannot be opened: File name too long"),
        ("empty.csv/x.csv", "cannot be opened: Not a directory"),
    ],
)
def test_paths_that_lead_to_no_table_say_so(tmp_path: Path, name: str, words: str) -> None:
    """One line with the path and the reason."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "data.pdf").write_text("x")
    with pytest.raises(SourceError) as refused:
        open_source(f"{tmp_path}/{name}")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_workbook_without_its_reader_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message gives the command that installs the reader."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    (tmp_path / "t.xlsx").write_bytes(b"x")
    with pytest.raises(
        SourceError, match=r"t\.xlsx: reading Excel files needs python-calamine: pip install python-calamine$"
    ):
        open_source(tmp_path / "t.xlsx")


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Drop root's right to read everything, where the tests run as root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no user ids")
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_may_not_be_read_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Permission is asked for when the source is opened, not in mid-load."""
    user = os.geteuid()
    os.seteuid(os.getuid())
    path = tmp_path_factory.mktemp("locked") / "t.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    os.seteuid(user)
    with pytest.raises(SourceError, match=r"t\.csv: cannot be opened: Permission denied"):
        open_source(path)


def test_several_files_are_read_in_turn(tmp_path: Path) -> None:
    """A list of paths, of different forms, is one source; each row names its own file."""
    one, two = tmp_path / "one.csv", tmp_path / "two.jsonl"
    one.write_text("id,name\n1,a\n2\n")
    two.write_text('{"id": "3", "phone": "9"}\n')
    source = open_source([str(one), two])
    assert (source.name, source.columns, source.rows, source.rows_exact) == (
        "one.csv and 1 more",
        ["id", "name", "phone"],
        3,
        False,
    )
    assert column([one, two], "id") == ["1", None, "3"]
    assert column([one, two], SOURCE_COLUMN) == [str(one), str(one), str(two)]
    assert problems([one, two]) == [None, "line 3 has 1 field where the header has 2", None]


def test_a_fault_in_the_last_of_several_files_is_found_first(tmp_path: Path) -> None:
    """Nothing is sent from the first file when the second cannot be opened."""
    (tmp_path / "one.csv").write_text("id\n1\n")
    with pytest.raises(SourceError, match=r"two\.csv: no such file"):
        open_source([tmp_path / "one.csv", tmp_path / "two.csv"])


def test_a_file_that_vanishes_between_opening_and_reading_is_broken(tmp_path: Path) -> None:
    """The reading fails as SourceBroken, which a later run can continue from."""
    path = tmp_path / "t.csv"
    path.write_text("id\n1\n")
    source = open_source([path])
    path.unlink()
    with pytest.raises(SourceBroken, match=r"t\.csv: cannot be read: No such file"):
        list(source.batches())


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` works in Python as it does in a shell, and the source column keeps what was written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.csv").write_text("id\n1\n")
    assert read("~/t.csv") == [{"id": "1"}]
    assert column("~/t.csv", SOURCE_COLUMN) == ["~/t.csv"]


def test_what_is_said_of_several_files_alike_is_said_once(tmp_path: Path) -> None:
    """A folder of many files in one old encoding has one note."""
    for at in range(3):
        (tmp_path / f"{at}.csv").write_bytes(b"id,name\n%d,Jos\xe9\n" % at)
    (tmp_path / "3.csv").write_bytes(b"1,x\n2,y\n")
    paths = [str(tmp_path / f"{at}.csv") for at in range(4)]
    assert open_source(paths).notes == [
        f"{paths[0]} and 2 more: this is not UTF-8, so it is read as cp1252 (Western European); "
        "if letters look wrong, give encoding=NAME",
        f"{paths[3]}: line 1 holds values, not names, so the columns are column_1 to column_2; "
        "if it is a header, give header=True",
        f"{', '.join(paths[:3])} and 1 more: without columns that other files have: id, name, column_1 and 1 more",
    ]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz"])
def test_memory_does_not_grow_with_a_text_file(tmp_path: Path, ending: str) -> None:
    """Five times the rows take the same memory."""

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.{ending}"
        is_csv = ending.startswith("csv")
        lines = ["id,name"] if is_csv else []
        line = "{at},name of {at}" if is_csv else '{{"id": {at}, "name": "name of {at}"}}'
        content = "\n".join([*lines, *(line.format(at=at) for at in range(rows))]).encode()
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
        del lines, content
        tracemalloc.start()
        try:
            assert sum(batch.num_rows for batch in open_source(path).batches()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(100_000) < 1.2 * peak(20_000)
