"""Addresses, by fsspec."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader.errors import SourceError
from interakt_loader.settings.values import is_address, local_path
from interakt_loader.sources import SOURCE_COLUMN, open_source
from interakt_loader.sources.addresses import hide_secrets
from tests.sources.reading import column, read, rows_of


@pytest.fixture
def memory() -> Iterator[Any]:
    """A file system in memory, empty before and after."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.mark.parametrize(
    ("address", "packages"),
    [
        ("s3://bucket/x.parquet", "fsspec s3fs"),
        ("gs://b/x.csv", "fsspec gcsfs"),
        ("https://host/x.parquet", "fsspec aiohttp"),
        ("sftp://host/x.csv", "fsspec"),
    ],
)
def test_without_fsspec_the_message_names_what_to_install(
    address: str, packages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address is not mistaken for a missing file."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(
        SourceError, match=rf"^{address}: reading \w+:// addresses needs fsspec: pip install {packages}$"
    ):
        open_source(address)


def test_a_file_at_an_address_is_read_and_read_again(memory: Any) -> None:
    """It is copied when opened, so it may vanish after that."""
    memory.pipe("/bucket/t.csv", b"id,name\n01,x\n")
    source = open_source("memory://bucket/t.csv")
    assert (source.name, source.columns, source.rows, source.path) == (
        "t.csv",
        ["id", "name"],
        1,
        "memory://bucket/t.csv",
    )
    memory.rm("/bucket/t.csv")
    assert list(rows_of(source)) == list(rows_of(source)) == [{"id": "01", "name": "x"}]


def test_folders_and_patterns_work_as_they_do_here(memory: Any) -> None:
    """Partitions are columns, the rest has its note, and each row names its own address."""
    for path, rows in {"country=IN/0.parquet": ["1"], "country=US/0.parquet": ["2"]}.items():
        with memory.open(f"/bucket/{path}", "wb") as file:
            pq.write_table(pa.table({"id": rows}), file)
    memory.pipe("/bucket/README.md", b"words")
    source = open_source("memory://bucket/")
    assert source.notes == ["memory://bucket/: left out, not tables: README.md"]
    assert list(rows_of(source)) == [{"id": "1", "country": "IN"}, {"id": "2", "country": "US"}]
    assert column("memory://bucket/", SOURCE_COLUMN)[0] == "memory://bucket/country=IN/0.parquet"
    assert read("memory://bucket/*/*.parquet") == list(rows_of(source))
    assert read("memory://bucket/country=U*/*") == [{"id": "2", "country": "US"}]


def test_a_pattern_leaves_out_what_it_leaves_out_here(memory: Any) -> None:
    """Hidden files, and files of earlier loads by how they begin; where only folders match, it means their files."""
    for name, text in {
        "a.csv": "id\n1\n",
        "daily.report.csv": "id\n2\n",
        "a.report.csv": "row,source,kind,user_id\n",
        ".a.csv": "id\n9\n",
        "country=IN/0.csv": "id\n3\n",
        "country=US/0.csv": "id\n4\n",
    }.items():
        memory.pipe(f"/bucket/{name}", text.encode())
    source = open_source("memory://bucket/*.csv")
    assert source.notes[0].endswith("left out, files of earlier loads: memory:///bucket/a.report.csv")
    assert [row["id"] for row in rows_of(source)] == ["1", "2"]
    assert column("memory://bucket/country=*", "country") == ["IN", "US"]


def test_a_file_address_is_a_file_of_this_machine(memory: Any, tmp_path: Path) -> None:
    """Lists may mix addresses and paths."""
    (tmp_path / "t.csv").write_text("id\n1\n")
    memory.pipe("/bucket/t.jsonl", b'{"id": "2"}\n')
    assert column([f"file://{tmp_path}/t.csv", tmp_path / "t.csv", "memory://bucket/t.jsonl"], "id") == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("memory://bucket/absent.csv", "memory://bucket/absent.csv: no such file"),
        ("memory://bucket/absent*.csv", "no file matches"),
        ("memory://bucket/empty.csv", "the file is empty"),
        ("nosuch://bucket/t.csv", "nosuch://bucket/t.csv: cannot be opened: .*nosuch"),
    ],
)
def test_addresses_that_lead_nowhere_say_so(memory: Any, address: str, words: str) -> None:
    """One line with the address and the reason."""
    memory.pipe("/bucket/empty.csv", b"")
    with pytest.raises(SourceError, match=words) as refused:
        open_source(address)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:pass@host.example/a/t.csv?X-Amz-Signature=abc#x", "https://host.example/a/t.csv"),
        ("HTTP://token@host/t.csv?sig=abc", "http://host/t.csv"),
        ("ftp://me:p@ss@host:21/a@b/t.csv", "ftp://host:21/a@b/t.csv"),
        ("simplecache::https://host/t.csv?sig=abc", "simplecache::https://host/t.csv"),
        ("zip://a.csv::sftp://me:pass@host/t.zip", "zip://a.csv::sftp://host/t.zip"),
        ("s3://bucket/a?.csv", "s3://bucket/a?.csv"),
        ("s3://bucket/2024:01/a@b.csv", "s3://bucket/2024:01/a@b.csv"),
        ("abfs://container@account/t.csv", "abfs://container@account/t.csv"),
    ],
)
def test_what_opens_an_address_is_not_shown(given: str, shown: str) -> None:
    """Reports and messages have the address without its password and its query."""
    assert hide_secrets(given) == shown


def test_an_error_that_quotes_the_place_shows_no_password(memory: Any) -> None:
    """As that of S3 for the name of a bucket."""
    import fsspec

    class Strict(type(memory)):  # type: ignore[misc]  # the class of a file system
        protocol = "strict"

        def isdir(self, path: str) -> bool:
            raise ValueError(f"Invalid bucket name {path.rpartition('://')[2].partition('/')[0]!r}")

    fsspec.register_implementation("strict", Strict, clobber=True)
    with pytest.raises(SourceError, match=r"^strict://b/t: cannot be opened: Invalid bucket name 'b'$"):
        open_source("strict://me:hunter2@b/t")


def test_an_error_shows_no_password(memory: Any) -> None:
    """Neither the loader's own words nor those of what it asked."""
    for address in ("memory://me:pass-word@host/absent.csv", "zip://a.csv::memory://me:pass-word@host/absent.zip"):
        with pytest.raises(SourceError) as refused:
            open_source(address)
        assert "pass-word" not in str(refused.value)
        assert "absent" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://b/x", True),
        ("gs://b/x", True),
        ("zip://a.csv::s3://b/x.zip", True),
        ("dbfs:/x", True),
        ("viewfs:/x", True),
        ("hdfs:/x/y.csv", True),
        ("file:/x", True),
        (r"C:\x.csv", False),
        ("C:/x.csv", False),
        ("10:30/x.csv", False),
        ("a/b.csv", False),
    ],
)
def test_an_address_has_a_scheme(given: str, expected: bool) -> None:
    """The drive of a Windows path is none."""
    assert is_address(given) is expected


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/a/b", "/a/b"),
        ("a/b", "a/b"),
        ("C:/x", "C:/x"),
        ("file:/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("FILE://localhost/a b", "/a b"),
        ("file://other/a", None),
        ("dbfs:/a", None),
        ("s3://bucket/a", None),
        ("zip://a.csv::file:///a.zip", None),
    ],
)
def test_the_path_of_an_address_of_this_machine(given: str, path: str | None) -> None:
    """As Hadoop and Spark read it: nothing in it is decoded."""
    assert local_path(given) == path


def test_an_address_may_have_one_slash(tmp_path: Path) -> None:
    """As Spark writes it."""
    (tmp_path / "t.csv").write_text("id\n7\n", encoding="utf-8")
    source = open_source(f"file:{tmp_path}/t.csv")
    assert [batch["id"].to_pylist() for batch in source.batches()] == [["7"]]
    with pytest.raises(SourceError, match=r"^dbfs:/no/such\.csv: ") as refused:
        open_source("dbfs:/no/such.csv")
    assert "\n" not in str(refused.value)
