"""What a path may mean: folders, patterns, standard input, and files without an ending."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from interakt_loader.errors import SourceError
from interakt_loader.sources import SOURCE_COLUMN, open_source
from interakt_loader.sources.failures import EXTRA_COLUMNS
from tests.sources.reading import column, read


class Piped:
    """Standard input with bytes in it, as a pipe gives them: once."""

    def __init__(self, content: bytes, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(content)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_a_folder_is_the_files_in_it_by_name(tmp_path: Path) -> None:
    """Hidden files and the writer's own are left out, and what is no table is left out with a note."""
    for name, content in {
        "b.csv": "id\n2\n",
        "a.csv": "id\n1\n",
        "c.csv.gz": "id\n3\n",
        "_SUCCESS": "",
        ".a.csv.crc": "x",
        "_temporary/d.csv": "id\n9\n",
        "README.md": "words",
        "old.report.csv": "row\n1\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    source = open_source(tmp_path)
    assert source.notes == [f"{tmp_path}: left out, not tables: README.md, old.report.csv"]
    assert column(tmp_path, "id") == ["1", "2", "3"]
    assert column(tmp_path, SOURCE_COLUMN) == [str(tmp_path / name) for name in ("a.csv", "b.csv", "c.csv.gz")]


def test_the_folders_of_a_partitioned_table_are_columns(tmp_path: Path) -> None:
    """Their values are text that keeps its zeros, decoded; the file's own column goes before the folder's."""
    for folder, columns in {
        "country=IN/zone=007": {"id": ["1", "2"]},
        "country=IN/zone=a%2Fb": {"id": ["3"]},
        "country=__HIVE_DEFAULT_PARTITION__/zone=1": {"id": ["4"], "zone": ["own"]},
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table(columns), tmp_path / folder / "part-0.parquet")
    source = open_source(tmp_path)
    assert sorted(source.columns) == ["country", "id", "zone"]
    rows = sorted(read(tmp_path), key=lambda row: row["id"])
    assert [(row["id"], row["country"], row["zone"]) for row in rows] == [
        ("1", "IN", "007"),
        ("2", "IN", "007"),
        ("3", "IN", "a/b"),
        ("4", None, "own"),
    ]
    assert [row["zone"] for row in read(f"{tmp_path}/country=*/zone=0*")] == ["007", "007"]


def test_a_pattern_below_a_partition_knows_only_the_folders_that_it_leaves_open(tmp_path: Path) -> None:
    """What stands written out in front of the pattern is a place, not a column."""
    for zone in "12":
        (tmp_path / f"country=IN/zone={zone}").mkdir(parents=True)
        (tmp_path / f"country=IN/zone={zone}/t.csv").write_text("id\n1\n")
    assert open_source(f"{tmp_path}/country=IN/*/t.csv").columns == ["id", "zone"]
    assert open_source(f"{tmp_path}/*/*/t.csv").columns == ["id", "country", "zone"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.csv": "id\n1\n", "b.json": "{}"}, r"files of several formats \(a.csv, b.json\); give a pattern such as"),
        ({"a.md": "x"}, "there is no table in this folder$"),
        ({"deeper/a.csv": "id\n1\n"}, r"no table in this folder \(for those in the folders below, give"),
        ({"a.csv": "id\n1\n", "b.csv": ""}, "b.csv: the file is empty"),
    ],
)
def test_a_folder_that_is_no_table_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    """The message says what is in it, or what to give instead."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=words):
        open_source(tmp_path)


def test_a_pattern_is_the_files_that_match_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several forms if it says so, in folders below if it says so, and never this loader's own files.

    Those are known by their names and by how they begin: a table that is called so is one.
    """
    monkeypatch.chdir(tmp_path)
    Path("deep/er").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "daily.report.csv", "deep/er/c.csv"):
        Path(name).write_text(f"id\n{name}\n")
    Path("a.report.csv").write_text("row,source,kind,user_id\n")
    Path("a.failures.csv").write_text("id," + ",".join(EXTRA_COLUMNS) + "\n")
    Path("d.jsonl").write_text('{"id": "d.jsonl"}\n')
    tables = ["a.csv", "b.csv", "daily.report.csv"]
    source = open_source("./*.csv")
    assert source.notes == ["./*.csv: left out, files of earlier loads: ./a.failures.csv, ./a.report.csv"]
    assert column("*.csv", "id") == tables
    assert column("**/*.csv", "id") == [*tables, "deep/er/c.csv"]
    assert column(sorted(map(str, Path().glob("*.csv"))), "id") == tables  # as a shell gives them
    assert column(["*.jsonl", "[b]*"], "id") == ["d.jsonl", "b.csv"]


def test_a_pattern_enters_each_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that lead back up do not repeat a file, and end. A folder elsewhere is entered through its link."""
    monkeypatch.chdir(tmp_path)
    for name in ("d/sub/.hidden", "elsewhere"):
        Path(name).mkdir(parents=True)
    for name in ("d/a.csv", "d/sub/b.csv", "d/sub/.hidden/x.csv", "elsewhere/c.csv"):
        Path(name).write_text(f"id\n{name}\n")
    Path("d/sub/loop").symlink_to("..")
    Path("d/again").symlink_to("sub")
    Path("d/link").symlink_to("../elsewhere")
    files = ["d/a.csv", "d/link/c.csv", "d/sub/b.csv"]
    for pattern in ("d/**/*.csv", "**/d/**/*.csv", "d/**"):
        assert [*dict.fromkeys(column(pattern, SOURCE_COLUMN))] == files


def test_a_file_is_read_once_however_often_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given twice, matched by two patterns, or with a link to it beside it: its rows are not further ones."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(f"{name}.csv").write_text(f"id\n{name}\n")
    Path("latest.csv").symlink_to("b.csv")
    Path("other.csv").hardlink_to("a.csv")
    said = "left out, files that are read already under another name or pattern: "
    for given, notes in {
        ("a.csv", "./a.csv"): [said + "./a.csv"],
        ("?.csv", "b.csv", "b.csv"): [said + "b.csv, b.csv"],
        (".",): [said + "latest.csv, other.csv"],
    }.items():
        assert open_source(list(given)).notes == notes
        assert column(list(given), "id") == (["a"] if given[0] == "a.csv" else ["a", "b"])
    assert open_source(["a.csv", "a.csv"]).name == "a.csv"


def test_a_copy_of_a_file_beside_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are read all the same: two files that happen to say the same may be two days."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"a": "id\n1\n", "a (1)": "id\n1\n", "b": "id\n2\n", "c": "id\n" + "1\n" * 9999}.items():
        Path(f"{name}.csv").write_text(text)
    said = "read, although their content is the same as that of other files: "
    assert open_source("*.csv").notes == [said + "a.csv (as a (1).csv)"]
    Path("c (1).csv").write_bytes(Path("c.csv").read_bytes())
    Path("c (2).csv").write_bytes(Path("c.csv").read_bytes()[:-2] + b"2\n")
    assert open_source("c*.csv").notes == [said + "c.csv (as c (1).csv)"]
    assert len(column("a*.csv", "id")) == 2


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    """What is there goes before what might be meant."""
    (tmp_path / "t[1].csv").write_text("id\n1\n")
    (tmp_path / "t1.csv").write_text("id\n2\n")
    assert read(tmp_path / "t[1].csv") == [{"id": "1"}]


def test_standard_input_is_read_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte is lost to the look at it, and the source can be read again."""
    monkeypatch.setattr(sys, "stdin", Piped(b"id;name\n01;x\n02;y\n"))
    source = open_source("-")
    assert (source.name, source.columns, source.rows) == ("stdin", ["id", "name"], 2)
    for _ in range(2):
        (batch,) = source.batches()
        assert batch.column("id").to_pylist() == ["01", "02"]
        assert batch.column(SOURCE_COLUMN).to_pylist() == ["-", "-"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "array", "utf-16", "parquet", "feather", "gz"])
def test_standard_input_may_have_any_form(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """It has no ending, so its first bytes tell."""
    sink = pa.BufferOutputStream()
    table = pa.table({"id": ["01"]})
    if form == "parquet":
        pq.write_table(table, sink)
    elif form == "feather":
        feather.write_feather(table, sink)
    content = {
        "csv": b"id\n01\n",
        "jsonl": b' {"id": "01"}',
        "array": b'[\n{"id": "01"}]',
        "utf-16": "id\n01\n".encode("utf-16"),
        "gz": gzip.compress(b"id\n01\n"),
    }.get(form) or sink.getvalue().to_pybytes()
    monkeypatch.setattr(sys, "stdin", Piped(content))
    assert read("-") == [{"id": "01"}]


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (Piped(b"", terminal=True), "-: nothing is piped into standard input"),
        (None, "-: nothing is piped into standard input"),
        (io.StringIO("id\n1\n"), "-: nothing is piped into standard input"),
        (Piped(b""), "-: the file is empty"),
    ],
)
def test_no_input_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, stdin: object, words: str) -> None:
    """A terminal is not waited for."""
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(SourceError, match=words):
        open_source("-")


def test_a_text_ending_on_a_binary_file_is_seen_through(tmp_path: Path) -> None:
    """A Parquet file that somebody called .csv is read as what it is; words that look like its mark are not."""
    pq.write_table(pa.table({"id": [1]}), tmp_path / "t.csv")
    assert read(tmp_path / "t.csv") == [{"id": 1}]
    (tmp_path / "u.csv").write_text("ORCID,PAR1\n1,2\n")
    assert read(tmp_path / "u.csv") == [{"ORCID": "1", "PAR1": "2"}]


def test_files_without_an_ending_are_told_by_their_bytes(tmp_path: Path) -> None:
    """So are those of warehouses, which number them."""
    (tmp_path / "000000_0").write_text("id,name\n1,x\n")
    (tmp_path / "000001_0").write_text('{"id": 1}\n')
    pq.write_table(pa.table({"id": [1]}), tmp_path / "table.v2")
    assert [read(tmp_path / name) for name in ("000000_0", "000001_0", "table.v2")] == [
        [{"id": "1", "name": "x"}],
        [{"id": 1}],
        [{"id": 1}],
    ]
