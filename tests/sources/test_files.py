"""Paths: what is there, what is not, and several at once."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import SOURCE_COLUMN, open_source
from tests.sources.reading import column, problems, read


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "absent.csv: no such file"),
        ("folder.csv", "folder.csv: this is a folder"),
        ("empty.csv", "empty.csv: the file is empty"),
        ("empty.parquet", "empty.parquet: the file is empty"),
        ("data.xlsx", "data.xlsx: the ending tells the format, and must be one of .parquet, .pq, .csv"),
        ("nul\0.csv", "cannot be opened: embedded null byte"),
        ("n" * 300 + ".csv", "cannot be opened: File name too long"),
        ("empty.csv/x.csv", "cannot be opened: Not a directory"),
    ],
)
def test_paths_that_lead_to_no_table_say_so(tmp_path: Path, name: str, words: str) -> None:
    """One line with the path and the reason."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "data.xlsx").write_text("x")
    with pytest.raises(SourceError) as refused:
        open_source(f"{tmp_path}/{name}")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_addresses_are_not_supported_yet() -> None:
    """An s3 path is not mistaken for a missing file."""
    with pytest.raises(SourceError, match=r"s3://bucket/x\.parquet: s3:// addresses are not supported yet"):
        open_source("s3://bucket/x.parquet")


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
    """The reading fails as SourceBroken, which a later run can go on from."""
    path = tmp_path / "t.csv"
    path.write_text("id\n1\n")
    source = open_source([path])
    path.unlink()
    with pytest.raises(SourceBroken, match=r"t\.csv: cannot be read past row 0: No such file"):
        list(source.batches())


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` works in Python as it does in a shell, and the source column keeps what was written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.csv").write_text("id\n1\n")
    assert read("~/t.csv") == [{"id": "1"}]
    assert column("~/t.csv", SOURCE_COLUMN) == ["~/t.csv"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_memory_does_not_grow_with_a_text_file(tmp_path: Path, ending: str) -> None:
    """Five times the rows take the same memory."""

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.{ending}"
        lines = ["id,name"] if ending == "csv" else []
        line = "{at},name of {at}" if ending == "csv" else '{{"id": {at}, "name": "name of {at}"}}'
        path.write_text("\n".join([*lines, *(line.format(at=at) for at in range(rows))]))
        del lines
        tracemalloc.start()
        try:
            assert sum(batch.num_rows for batch in open_source(path).batches()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(100_000) < 1.2 * peak(20_000)
