"""Files of Delta, Iceberg and Hudi tables: some hold deleted rows, so none is read by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from interakt_loader import load_users
from interakt_loader.cli import run
from interakt_loader.errors import SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import open_source
from interakt_loader.sources.paths import RemotePath
from tests.sources.reading import column

UUID = "6c38cf4f-a17b-4315-bf31-5152bace0395"

LOGS = {
    "Delta": "_delta_log/00000000000000000000.json",
    "Delta with checkpoints only": "_delta_log/00000000000000000010.checkpoint.parquet",
    "Delta with a checkpoint in parts": "_delta_log/00000000000000000010.checkpoint.0000000001.0000000002.parquet",
    "Iceberg of a catalogue": f"metadata/00002-{UUID}.metadata.json",
    "Iceberg of Hadoop": "metadata/v12.metadata.json",
    "Iceberg with a compressed log": f"metadata/00002-{UUID}.gz.metadata.json",
    "Iceberg whose metadata is elsewhere": f"metadata/snap-6407407244800705779-0-{UUID}.avro",
    "Hudi": ".hoodie/hoodie.properties",
}

FILES = [
    "part-0.parquet",
    "country=IN/part-0.parquet",
    "data/part-0.parquet",
    "data/day=1/part-0.parquet",
    "aB/part-0.zstd.parquet",
]

WAYS = {"Delta": "Give the folder itself", "Iceberg": "load_users(catalog.load_table(...), ...)", "Hudi": "Spark"}


def lake(root: Path, log: str, file: str = "part-0.parquet") -> Path:
    """Make a table with one data file, and return the file."""
    for path in (root / log, root / file):
        path.parent.mkdir(parents=True, exist_ok=True)
    (root / log).write_text("{}")
    pq.write_table(pa.table({"id": ["1", "2"]}), root / file)
    return root / file


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("file", FILES)
def test_a_file_of_such_a_table_is_refused_however_it_is_named(tmp_path: Path, name: str, file: str) -> None:
    """By its own path, its folder, a pattern at any height, or a list: one line with the way out."""
    root = tmp_path / "wh" / "t"
    path = lake(root, LOGS[name], file)
    kind = name.split(maxsplit=1)[0]
    ways: list[Any] = [
        path,
        str(path.parent / "*"),
        str(tmp_path / "**" / path.name),
        str(root.parent / "*"),
        [str(path)],
    ]
    ways += [folder for folder in (root, path.parent) if kind != "Delta" or folder != root]
    for given in ways:
        with pytest.raises(SourceError) as refused:
            open_source(given)
        message = str(refused.value)
        assert f"the folder {root.as_posix()} is a" in message
        assert f" {kind} table" in message
        assert WAYS[kind] in message
        assert "\n" not in message


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("file", FILES)
def test_a_file_of_such_a_table_is_refused_at_an_address(tmp_path: Path, name: str, file: str) -> None:
    """Also where only the file, its folder or a pattern is given."""
    pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
    root = tmp_path / "t"
    path = lake(root, LOGS[name], file)
    folders = [folder for folder in (root, path.parent) if not name.startswith("Delta") or folder != root]
    for given in (path, path.parent / "*", tmp_path / "**" / path.name, *folders):
        with pytest.raises(SourceError, match=f"is an? {name.split(maxsplit=1)[0]} table"):
            open_source(f"file://{given.as_posix()}")


def test_a_table_in_a_store_in_memory_is_refused() -> None:
    """Paths of a store have no root folder to end at, and deltalake does not know each store."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
    system = fsspec.filesystem("memory")
    try:
        system.pipe("/bucket/t/_delta_log/00000000000000000000.json", b"{}")
        with system.open("/bucket/t/day=1/0.parquet", "wb") as file:
            pq.write_table(pa.table({"id": ["1"]}), file)
        for given in ("t", "t/", "t?version=0", "t/day=1", "t/day=1/0.parquet", "**/*.parquet"):
            with pytest.raises(SourceError, match="is a Delta table"):
                open_source(f"memory://bucket/{given}")
    finally:
        system.store.clear()


def test_a_table_with_a_file_system_of_its_own_is_refused(tmp_path: Path) -> None:
    """deltalake would open it with other credentials."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
    system = fsspec.filesystem("memory")
    try:
        system.pipe("/bucket/t/_delta_log/00000000000000000000.json", b"{}")
        with pytest.raises(SourceError, match=r"t: is a Delta table that deltalake cannot reach in this way"):
            open_source(RemotePath(system, "/bucket/t"))
    finally:
        system.store.clear()


def test_a_link_to_a_file_of_such_a_table_is_refused(tmp_path: Path) -> None:
    """What counts is where the file lies."""
    path = lake(tmp_path / "t", LOGS["Delta"])
    try:
        (tmp_path / "link.parquet").symlink_to(path)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(SourceError, match="is a Delta table"):
        open_source(tmp_path / "link.parquet")


def test_a_file_without_an_ending_in_such_a_table_is_refused(tmp_path: Path) -> None:
    """Its first bytes say that it is Parquet."""
    path = lake(tmp_path, LOGS["Delta"], "part-0")
    with pytest.raises(SourceError, match="is a Delta table"):
        open_source(path)


def test_an_orc_file_of_such_a_table_is_refused(tmp_path: Path) -> None:
    """Iceberg and Hudi write ORC as well."""
    path = lake(tmp_path / "t", LOGS["Iceberg of Hadoop"]).with_name("part-1.orc")
    orc.write_table(pa.table({"id": ["1"]}), str(path))
    with pytest.raises(SourceError, match="is an Iceberg table"):
        open_source(path)


@pytest.mark.parametrize(
    "beside",
    [
        "_delta_log/",
        "_delta_log/README.md",
        "metadata/",
        "metadata/schema.json",
        "metadata/customers.metadata.json",
        "metadata/video.metadata.json",
        "metadata/2024-report.metadata.json",
        "metadata/2024-01-01.csv",
        ".hoodie/",
        "day=1/_delta_log/00000000000000000000.json",
    ],
)
def test_a_folder_with_such_a_name_alone_is_no_table(tmp_path: Path, beside: str) -> None:
    """Only a log in it makes one; and a table in another folder is another table."""
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "t.parquet")
    place = tmp_path / beside
    (place if beside.endswith("/") else place.parent).mkdir(parents=True)
    if not beside.endswith("/"):
        place.write_text("{}")
    for given in (tmp_path, tmp_path / "t.parquet", str(tmp_path / "*.parquet")):
        assert column(given, "id") == ["1"]


def test_a_text_file_beside_such_a_table_is_read(tmp_path: Path) -> None:
    """The data files of these tables are Parquet or ORC."""
    lake(tmp_path, LOGS["Delta"])
    (tmp_path / "customers.csv").write_text("id\n7\n")
    assert column(tmp_path / "customers.csv", "id") == ["7"]


def test_the_table_as_an_object_is_loaded_and_so_is_a_file_that_the_caller_read(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    """Also a Dataset or a reader that another library made of the files that count."""
    path = lake(tmp_path, LOGS["Delta"])
    dataset = ds.dataset([str(path)])
    ways = (dataset, dataset.scanner().to_reader(), pq.read_table(path), pq.ParquetFile(path))
    for data in ways:
        result = load_users(data, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
        assert (result.rows, result.ok) == (2, True)


@pytest.mark.parametrize("address", ["t", "t?version=0"])
def test_without_deltalake_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    lake(tmp_path / "t", LOGS["Delta"])
    with pytest.raises(SourceError, match=r"^t: reading a Delta table needs deltalake: pip install deltalake$"):
        open_source(address)


def test_the_command_line_says_it_in_one_line_with_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent."""
    monkeypatch.chdir(tmp_path)
    lake(tmp_path / "t", LOGS["Delta"], "day=1/part-0.parquet")
    assert run(["t/day=1", "--map", "user_id=id", "--sandbox"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("is a Delta table") == 1
    assert "Traceback" not in printed.err
