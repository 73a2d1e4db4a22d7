"""Iceberg tables and scans of pyiceberg: what was deleted or overwritten is gone, and the snapshot is fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import load_users
from interakt_loader.errors import SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import open_source
from tests.sources.reading import column, read, rows_of

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed")
pytest.importorskip("sqlalchemy", reason="sqlalchemy, for a catalogue of pyiceberg, is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pyiceberg", "ignore::DeprecationWarning")


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Return a table with the rows 0 to 5, two of each snapshot."""
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=tmp_path.as_uri())
    try:
        catalog.create_namespace("shop")
        made = catalog.create_table("shop.orders", schema=pa.schema([("id", pa.int64()), ("city", pa.string())]))
        for start in (0, 2, 4):
            made.append(pa.table({"id": [start, start + 1], "city": ["Pune", None]}))
        yield made
    finally:
        catalog.engine.dispose()


def test_a_table_is_read_in_the_order_in_which_rows_were_added(table: Any) -> None:
    """Twice. pyiceberg gives the newest first, and then an old row of a user would be the last."""
    source = open_source(table)
    for _ in range(2):
        assert [row["id"] for row in rows_of(source)] == [0, 1, 2, 3, 4, 5]
    assert (source.columns, source.rows, source.rows_exact) == (["id", "city"], 6, True)
    assert source.notes == [f"Table: Iceberg table, snapshot {table.current_snapshot().snapshot_id} is read"]


def test_deleted_and_overwritten_rows_are_gone(table: Any) -> None:
    table.delete("id = 3")
    assert sorted(column(table, "id")) == [0, 1, 2, 4, 5]
    table.overwrite(pa.table({"id": [9], "city": ["Agra"]}))
    assert read(table) == [{"id": 9, "city": "Agra"}]


def test_the_snapshot_is_that_of_the_opening(table: Any) -> None:
    """A load takes hours."""
    scan = table.scan()
    sources = [open_source(table), open_source(scan)]
    table.delete("id = 3")
    sources.append(open_source(scan))
    for source in sources:
        assert [row["id"] for row in rows_of(source)] == [0, 1, 2, 3, 4, 5]


def test_a_scan_has_its_filter_its_columns_its_limit_and_its_snapshot(table: Any) -> None:
    first = table.history()[0].snapshot_id
    assert read(table.scan(row_filter="id > 1", selected_fields=("id",))) == [{"id": one} for one in (2, 3, 4, 5)]
    assert column(table.scan(limit=3), "id") == [0, 1, 2]
    source = open_source(table.scan(snapshot_id=first))
    assert [row["id"] for row in rows_of(source)] == [0, 1]
    assert source.notes == [f"DataScan: Iceberg table, snapshot {first} is read"]


def test_rows_are_counted_before_only_where_that_is_exact(table: Any) -> None:
    for scan in (table.scan(row_filter="id > 1"), table.scan(limit=3)):
        assert open_source(scan).rows is None


def test_a_renamed_and_an_added_column_have_their_values(table: Any) -> None:
    from pyiceberg.types import LongType

    with table.update_schema() as update:
        update.rename_column("city", "town")
        update.add_column("age", LongType())
    assert read(table)[0] == {"id": 0, "town": "Pune", "age": None}


def test_a_table_without_a_snapshot_has_no_rows(tmp_path: Path, table: Any) -> None:
    empty = table.catalog.create_table("shop.empty", schema=pa.schema([("id", pa.int64())]))
    source = open_source(empty)
    assert (source.columns, source.rows, [*source.batches()]) == (["id"], 0, [])


def test_a_file_that_is_gone_is_refused_or_breaks_the_source_in_one_line(table: Any) -> None:
    source = open_source(table)
    for file in Path(table.location().removeprefix("file://")).rglob("*.avro"):
        file.unlink()
    with pytest.raises(SourceError, match="Table: the Iceberg table cannot be read: ") as refused:
        open_source(table)
    assert "\n" not in str(refused.value)
    assert [row["id"] for row in rows_of(source)] == [0, 1, 2, 3, 4, 5]


def test_a_table_is_loaded(table: Any, sandbox: Sandbox) -> None:
    result = load_users(table, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert (result.rows, result.ok) == (6, True)


def test_what_else_pyiceberg_has_is_no_table(table: Any) -> None:
    for other in (table.catalog, table.inspect):
        with pytest.raises(SourceError, match="is no table"):
            open_source(other)


def test_rows_of_a_delete_file_are_not_read(tmp_path: Path, table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyiceberg reads such files and writes none, so its plan of the scan is given here."""
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.table import FileScanTask

    first = first_file(table)
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": "2147483546"}),
            pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "2147483545"}),
        ]
    )
    pq.write_table(pa.table({"file_path": [first.file_path], "pos": [1]}, schema=schema), tmp_path / "deletes.parquet")
    deletes = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=(tmp_path / "deletes.parquet").as_uri(),
        file_format=FileFormat.PARQUET,
        partition={},
        record_count=1,
        file_size_in_bytes=(tmp_path / "deletes.parquet").stat().st_size,
    )
    plan = [FileScanTask(first, delete_files={deletes})]
    monkeypatch.setattr(type(table.scan()), "plan_files", lambda self: plan)
    source = open_source(table)
    assert source.rows is None
    assert [row["id"] for row in rows_of(source)] == [0]


def first_file(table: Any) -> Any:
    """Return the file with the rows 0 and 1."""
    (task,) = table.scan(snapshot_id=table.history()[0].snapshot_id).plan_files()
    return task.file
