"""Delta tables are read by their own log: what was deleted, replaced or overwritten is gone."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import load_users
from interakt_loader.cli import run
from interakt_loader.errors import SettingsError, SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import BATCH_ROWS, open_source
from tests.sources.delta_by_hand import DataFile, field, inline_vector, vector_in_a_file, write
from tests.sources.reading import column, read, rows_of

deltalake = pytest.importorskip("deltalake", reason="deltalake, the extra 'lake', is not installed")


def append(folder: Path, *ids: int, **options: Any) -> Path:
    """Add rows to a table; the first call makes it."""
    deltalake.write_deltalake(str(folder), pa.table({"id": [*ids]}), mode="append", **options)
    return folder


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a table with the rows 0 to 5, two of each version; it lies in the current folder."""
    monkeypatch.chdir(tmp_path)
    for start in (0, 2, 4):
        append(tmp_path / "orders", start, start + 1)
    return Path("orders")


def changed(folder: Path, change: str) -> None:
    """Change a table by one operation of deltalake."""
    table = deltalake.DeltaTable(str(folder))
    if change == "delete":
        table.delete("id in (1, 4)")
    elif change == "update":
        table.update(updates={"id": "id + 100"}, predicate="id = 1")
    elif change == "merge":
        merger = table.merge(pa.table({"id": [1, 77]}), "t.id = s.id", source_alias="s", target_alias="t")
        merger.when_matched_delete().when_not_matched_insert_all().execute()
    elif change == "overwrite":
        deltalake.write_deltalake(table, pa.table({"id": [9]}), mode="overwrite")
    elif change == "replace":
        deltalake.write_deltalake(table, pa.table({"id": [1]}), mode="overwrite", predicate="id < 2")
    elif change == "compact":
        table.optimize.compact()
    elif change == "restore":
        table.restore(0)
    elif change == "checkpoint":
        table.create_checkpoint()
        for version in range(2):
            (folder / "_delta_log" / f"{version:020}.json").unlink()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("delete", {0, 2, 3, 5}),
        ("update", {0, 101, 2, 3, 4, 5}),
        ("merge", {0, 2, 3, 4, 5, 77}),
        ("overwrite", {9}),
        ("replace", {1, 2, 3, 4, 5}),
        ("compact", {0, 1, 2, 3, 4, 5}),
        ("restore", {0, 1}),
        ("checkpoint", {0, 1, 2, 3, 4, 5}),
    ],
)
def test_after_each_change_only_the_rows_that_count_are_read(orders: Path, change: str, expected: set[int]) -> None:
    """By folder, by address and by object, twice each, and the number of rows is known before."""
    changed(orders, change)
    for given in (orders, f"file://{orders.resolve().as_posix()}", deltalake.DeltaTable(str(orders))):
        if isinstance(given, str):
            pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
        source = open_source(given)
        first, again = ([row["id"] for row in rows_of(source)] for _ in range(2))
        assert sorted(first) == sorted(expected)
        assert (first, source.rows, source.rows_exact) == (again, len(expected), True)


def test_rows_come_in_the_order_in_which_they_were_added(orders: Path) -> None:
    """So the last row of a user is the newest. The log gives the newest first."""
    assert column(orders, "id") == [0, 1, 2, 3, 4, 5]


def test_a_table_without_rows_has_its_columns(orders: Path) -> None:
    deltalake.DeltaTable(str(orders)).delete()
    source = open_source(orders)
    assert (source.columns, source.rows, [*source.batches()]) == (["id"], 0, [])


def test_a_column_that_was_added_later_is_null_before(orders: Path) -> None:
    """Also a field of a struct."""
    later = pa.table({"id": [6], "city": ["Pune"], "address": [{"pin": 1}]})
    deltalake.write_deltalake(str(orders), later, mode="append", schema_mode="merge")
    rows = read(orders)
    assert rows[0] == {"id": 0, "city": None, "address.pin": None}
    assert rows[-1] == {"id": 6, "city": "Pune", "address.pin": 1}


def test_a_schema_that_was_overwritten_is_gone(orders: Path) -> None:
    deltalake.write_deltalake(str(orders), pa.table({"name": ["A"]}), mode="overwrite", schema_mode="overwrite")
    assert read(orders) == [{"name": "A"}]
    assert read("orders?version=0") == [{"id": 0}, {"id": 1}]


def test_partition_columns_have_their_types_and_values(tmp_path: Path) -> None:
    """With nulls, and with characters that are escaped in the names of folders."""
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.timezone.utc)
    rows = [
        {"id": at, "text": text, "day": dt.date(2026, 1, 1), "amount": Decimal("1.50"), "flag": True, "at": moment}
        for at, text in enumerate(["a b", "x/ü%=", None, "50% off?#&"])
    ]
    parts = ["text", "day", "amount", "flag", "at"]
    deltalake.write_deltalake(str(tmp_path / "t"), pa.Table.from_pylist(rows), partition_by=parts)
    assert sorted(read(tmp_path / "t"), key=lambda row: row["id"]) == rows


@pytest.mark.parametrize("name", ["a b", "t#x", "50%", "é+", "[x]", "o?version=1"])
def test_the_name_of_the_folder_may_have_any_character(tmp_path: Path, name: str) -> None:
    """deltalake takes addresses too, in which some characters mean something."""
    append(tmp_path / "t", 1, 2).rename(tmp_path / name)
    assert column(tmp_path / name, "id") == [1, 2]


def test_a_folder_is_not_taken_for_another_one(tmp_path: Path) -> None:
    """deltalake reads the log of `a b` for a table in `a%20b`."""
    append(tmp_path / "a b", 1, 2)
    append(tmp_path / "t", 3).rename(tmp_path / "a%20b")
    for given in (tmp_path / "a%20b", deltalake.DeltaTable(str(tmp_path / "a%20b"))):
        with pytest.raises(SourceError, match="deltalake cannot read below a folder with %20 in its name"):
            open_source(given)


# ------------------------------------------------------------------ versions


@pytest.mark.parametrize("given", ["orders?version=1", "./orders/?version=1", "file://{}?version=1"])
def test_a_version_is_chosen_in_the_path_and_a_note_says_which_is_read(orders: Path, given: str) -> None:
    if "{}" in given:
        pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
        given = given.format(orders.resolve().as_posix())
    folder = given.partition("?")[0].rstrip("/")
    source = open_source(given)
    assert [row["id"] for row in rows_of(source)] == [0, 1, 2, 3]
    assert (source.path, source.name) == (folder, "orders")
    assert source.notes == [f"{folder}: version 1 of the Delta table is read"]


def test_an_object_is_read_in_its_version(orders: Path) -> None:
    source = open_source(deltalake.DeltaTable(str(orders), version=0))
    assert (source.where, source.notes) == ("DeltaTable", ["DeltaTable: version 0 of the Delta table is read"])
    assert [row["id"] for row in rows_of(source)] == [0, 1]


def test_rows_that_are_added_after_the_opening_do_not_count(orders: Path) -> None:
    """A load takes hours. Neither do rows count that the caller's own object has learnt of."""
    table = deltalake.DeltaTable(str(orders))
    sources = [open_source(orders), open_source(table)]
    deltalake.write_deltalake(table, pa.table({"id": [6]}), mode="append")
    assert table.version() == 3
    for source in sources:
        assert [row["id"] for row in rows_of(source)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("version=9", "orders: the Delta table has no version 9: the latest is 2"),
        ("version=x", "orders: the version of a Delta table is a whole number, such as ?version=3"),
        ("version=-1", "orders: the version of a Delta table is a whole number, such as ?version=3"),
        ("version=", "orders: the version of a Delta table is a whole number, such as ?version=3"),
        ("version=1.0", "orders: the version of a Delta table is a whole number, such as ?version=3"),
        ("timestamp=2026-01-01", "orders: a version of a Delta table is chosen by ?version=N, not ?timestamp="),
        ("sig=abc", "orders: a version of a Delta table is chosen by ?version=N, not ?sig="),
    ],
)
def test_another_version_is_refused_in_one_line(orders: Path, query: str, message: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(f"{orders}?{query}")
    assert str(refused.value) == message


def test_a_version_before_the_log_begins_is_refused(orders: Path) -> None:
    changed(orders, "checkpoint")
    with pytest.raises(SourceError, match="has no version 0: its log begins later"):
        open_source("orders?version=0")


def test_a_version_whose_files_are_gone_is_refused_before_a_row_is_read(orders: Path) -> None:
    """A vacuum removes them; the rows that count now stay."""
    changed(orders, "delete")
    deltalake.DeltaTable(str(orders)).vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(SourceError, match="2 of the 3 files of version 2 are gone"):
        open_source("orders?version=2")
    assert sorted(column(orders, "id")) == [0, 2, 3, 5]


def test_a_folder_that_is_really_called_so_is_that_folder(orders: Path) -> None:
    """An existing name goes before a version."""
    Path("orders?version=0").mkdir()
    Path("orders?version=0/rows.csv").write_text("id\nx\n")
    assert column("orders?version=0", "id") == ["x"]


def test_in_a_pattern_the_question_mark_is_any_character(orders: Path) -> None:
    Path("ordersXversion=1").write_text("id\nx\n")
    Path("a?version=1").mkdir()
    with pytest.raises(SourceError, match=r"nothing\?version=1: no file matches"):
        open_source("nothing?version=1")
    assert column("order?Xversion=1", "id") == ["x"]


# ------------------------------------------------------------------ several sources, and the files of a load


def test_a_table_is_read_among_other_files_and_once(orders: Path) -> None:
    Path("more.csv").write_text("id\n9\n")
    source = open_source(["more.csv", "orders", "./orders"])
    assert [row["id"] for row in rows_of(source)] == ["9", 0, 1, 2, 3, 4, 5]
    assert [note for note in source.notes if "left out" in note] == [
        "left out, files that are read already under another name or pattern: ./orders"
    ]


def test_a_folder_of_several_tables_is_refused_in_one_line(orders: Path) -> None:
    append(Path("users"), 1)
    with pytest.raises(SourceError, match=r"^\.: there is no table in this folder"):
        open_source(".")
    with pytest.raises(SourceError, match=r"is a Delta table, .* Give the folder itself"):
        open_source("*")


@pytest.mark.parametrize("given", ["orders", "orders?version=0"])
def test_no_report_is_written_into_the_folder(orders: Path, sandbox: Sandbox, given: str) -> None:
    """As with any folder that is a source."""
    with pytest.raises(SettingsError, match="the next load of orders would read it as a source"):
        load_users(given, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, report="orders/out.csv")


def test_a_table_is_loaded_and_the_report_names_its_folder(orders: Path, sandbox: Sandbox) -> None:
    path = Path("out.report.csv")
    result = load_users(
        "orders?version=0", {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, report=str(path)
    )
    assert (result.rows, result.ok) == (2, True)
    assert [line.split(",")[1] for line in path.read_text().splitlines()[1:]] == ['"orders"', '"orders"']


def test_the_command_line_reads_a_table(
    orders: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert run(["orders?version=1", "--map", "user_id=id", "--dry-run"]) == 0
    assert "orders: version 1 of the Delta table is read" in caplog.messages
    assert "4 would be sent" in capsys.readouterr().out


# ------------------------------------------------------------------ features of tables


def ids(count: int, start: int = 0) -> pa.Table:
    return pa.table({"id": [*range(start, start + count)]})


LONG = field("id", "long")


@pytest.mark.parametrize("reader", [1, 3])
@pytest.mark.parametrize("in_a_file", [False, True])
def test_rows_of_a_deletion_vector_are_not_read(tmp_path: Path, reader: int, in_a_file: bool) -> None:
    """Neither where the protocol fails to name the feature."""
    deleted = [0, 3]
    vector = vector_in_a_file(tmp_path / "t", deleted) if in_a_file else inline_vector(deleted)
    files = [DataFile("a.parquet", ids(5), vector=vector), DataFile("b.parquet", ids(2, 5), modified=1)]
    write(tmp_path / "t", files, [LONG], reader=reader, features=["deletionVectors"] if reader == 3 else None)
    source = open_source(tmp_path / "t")
    assert [row["id"] for row in rows_of(source)] == [1, 2, 4, 5, 6]
    assert source.rows == 5


def test_a_deletion_vector_reaches_over_batches(tmp_path: Path) -> None:
    """Its numbers are those of the whole file."""
    deleted = [0, BATCH_ROWS - 1, BATCH_ROWS, 2 * BATCH_ROWS + 1]
    rows = 2 * BATCH_ROWS + 10
    files = [DataFile("a.parquet", ids(rows), vector=inline_vector(deleted))]
    write(tmp_path / "t", files, [LONG], features=["deletionVectors"])
    assert column(tmp_path / "t", "id") == [one for one in range(rows) if one not in deleted]


def test_a_deletion_vector_belongs_to_its_file_whatever_the_name(tmp_path: Path) -> None:
    """The log escapes the names of files, and a folder may be escaped once more."""
    folder = write(
        tmp_path / "a b",
        [DataFile("p=a%2520b/%C3%BC%201.parquet", ids(3), {"p": "a b"}, inline_vector([1]))],
        [LONG, field("p", "string")],
        features=["deletionVectors"],
        partition_by=["p"],
    )
    (folder / "p=a%2520b").rename(folder / "p=a%20b")
    (folder / "p=a%20b" / "%C3%BC%201.parquet").rename(folder / "p=a%20b" / "ü 1.parquet")
    assert read(folder) == [{"id": 0, "p": "a b"}, {"id": 2, "p": "a b"}]


def test_a_deletion_vector_longer_than_its_file_breaks_the_source(tmp_path: Path) -> None:
    """It belongs to another file, so no row of this one is certain. deltalake knows only what the log says."""
    files = [DataFile("a.parquet", ids(3), vector=inline_vector([7]))]
    folder = write(tmp_path / "t", files, [LONG], features=["deletionVectors"])
    with pytest.raises(SourceError, match="Deletion vector mask length 8 exceeds numRecords 3"):
        open_source(folder)
    log = folder / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('{\\"numRecords\\": 3}', '{\\"numRecords\\": 8}'))
    with pytest.raises(SourceError, match="a deletion vector is longer than its file"):
        read(folder)


@pytest.mark.parametrize("features", [None, ["columnMapping", "deletionVectors"]])
def test_mapped_columns_have_their_names(tmp_path: Path, features: list[str] | None) -> None:
    """At any depth, and as a partition. An old table names no feature; `to_pyarrow_dataset` reads nulls there."""
    stored = pa.table(
        {
            "c1": [1, 2],
            "c2": [{"c3": 5}, None],
            "c4": [[{"c5": 6}], []],
            "c6": pa.array([[("k", {"c7": 8})], None], pa.map_(pa.string(), pa.struct([("c7", pa.int64())]))),
        }
    )

    def struct(name: str, physical: str, number: int) -> dict[str, Any]:
        return {"type": "struct", "fields": [field(name, "long", physical, number)]}

    many = {"type": "array", "containsNull": True, "elementType": struct("y", "c5", 5)}
    by_key = {"type": "map", "keyType": "string", "valueContainsNull": True, "valueType": struct("z", "c7", 7)}
    fields = [
        field("id", "long", "c1", 1),
        field("s", struct("x", "c3", 3), "c2", 2),
        field("many", many, "c4", 4),
        field("by_key", by_key, "c6", 6),
        field("a part", "string", "c8", 8),
        field("new", "string", "c9", 9),
    ]
    vector = inline_vector([0]) if features else None
    write(
        tmp_path / "t",
        [DataFile("x.parquet", stored, {"c8": "a/b"}, vector)],
        fields,
        reader=3 if features else 2,
        features=features,
        mode="name",
        partition_by=["a part"],
    )
    rows = [
        {"id": 1, "s.x": 5, "many": [{"y": 6}], "by_key": [("k", {"z": 8})], "a part": "a/b", "new": None},
        {"id": 2, "s.x": None, "many": [], "by_key": None, "a part": "a/b", "new": None},
    ]
    assert read(tmp_path / "t") == (rows[1:] if features else rows)


@pytest.mark.parametrize("feature", ["typeWidening", "vacuumProtocolCheck", "variantShredding-preview"])
def test_a_feature_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path, feature: str) -> None:
    write(tmp_path / "t", [DataFile("a.parquet", ids(2))], [LONG], features=[feature])
    for given in (tmp_path / "t", deltalake.DeltaTable(str(tmp_path / "t"))):
        with pytest.raises(SourceError, match=f"a feature that cannot be read here: {feature}. Read it with Spark"):
            open_source(given)


@pytest.mark.parametrize("feature", ["catalogManaged", "madeUp"])
def test_a_feature_that_deltalake_does_not_know_is_refused_in_one_line(tmp_path: Path, feature: str) -> None:
    write(tmp_path / "t", [DataFile("a.parquet", ids(2))], [LONG], features=[feature])
    with pytest.raises(SourceError, match=r"t: the Delta table cannot be read: .*[Cc]atalog|madeUp") as refused:
        open_source(tmp_path / "t")
    assert "\n" not in str(refused.value)


def test_a_column_that_differs_in_case_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    """Its values would be null in all rows."""
    root = write(tmp_path / "t", [DataFile("a.parquet", pa.table({"ID": [1]}))], [field("id", "long")], features=[])
    with pytest.raises(SourceError, match="a file has the column 'ID' where the Delta table has 'id'"):
        [*open_source(root).batches()]


def test_columns_that_are_mapped_by_number_are_refused(tmp_path: Path) -> None:
    fields = [field("id", "long", "c1", 1)]
    write(tmp_path / "t", [DataFile("a.parquet", pa.table({"c1": [1]}))], fields, features=["columnMapping"], mode="id")
    with pytest.raises(SourceError, match="cannot be read here: columnMapping in mode id"):
        open_source(tmp_path / "t")


def test_a_checkpoint_of_version_2_is_read(tmp_path: Path) -> None:
    """Here the first version is only in the checkpoint."""
    files = [DataFile("a.parquet", ids(2)), DataFile("gone.parquet", ids(2, 7))]
    folder = write(tmp_path / "t", files, [LONG], features=["v2Checkpoint"])
    log = folder / "_delta_log"
    first = (log / f"{0:020}.json").read_text().splitlines()
    kept = [line for line in first if "gone.parquet" not in line]
    removed = {"remove": {"path": "gone.parquet", "dataChange": True, "deletionTimestamp": 0}}
    (log / f"{1:020}.json").write_text(json.dumps(removed))
    uuid = "80a083e8-7026-4e79-81be-64bd76c43a11"
    lines = [json.dumps({"checkpointMetadata": {"version": 1}}), *kept]
    (log / f"{1:020}.checkpoint.{uuid}.json").write_text("\n".join(lines))
    (log / f"{0:020}.json").unlink()
    assert column(folder, "id") == [0, 1]


def test_times_without_a_zone_stay_without_one(tmp_path: Path) -> None:
    rows = pa.table({"at": pa.array([dt.datetime(2026, 1, 2, 3)], pa.timestamp("us"))})
    deltalake.write_deltalake(str(tmp_path / "t"), rows)
    assert "timestampNtz" in deltalake.DeltaTable(str(tmp_path / "t")).protocol().reader_features
    assert column(tmp_path / "t", "at") == [dt.datetime(2026, 1, 2, 3)]


def test_times_as_spark_writes_them_are_right_after_2262_too(tmp_path: Path) -> None:
    """INT96 in nanoseconds would end in 2262."""
    moments = [dt.datetime(year, 1, 1, 5, tzinfo=dt.timezone.utc) for year in (1970, 2026, 9999)]
    folder = write(tmp_path / "t", [DataFile("a.parquet", ids(3))], [field("at", "timestamp")], reader=1)
    naive = pa.table({"at": pa.array([one.replace(tzinfo=None) for one in moments], pa.timestamp("us"))})
    old = (folder / "a.parquet").stat().st_size
    pq.write_table(naive, folder / "a.parquet", use_deprecated_int96_timestamps=True)
    log = folder / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace(f'"size": {old}', f'"size": {(folder / "a.parquet").stat().st_size}'))
    assert column(folder, "at") == moments


def test_a_column_of_variants_is_refused_where_it_is_mapped(tmp_path: Path, sandbox: Sandbox) -> None:
    """The other columns are read."""
    values = pa.array([{"metadata": b"\1\0\0", "value": b"\x0c\x01"}])
    rows = pa.table({"id": [1], "v": values})
    fields = [LONG, field("v", "variant")]
    write(tmp_path / "t", [DataFile("a.parquet", rows)], fields, features=["variantType"])
    how: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    assert load_users(tmp_path / "t", {"user_id": "id", "traits": {"v": "v"}}, **how).invalid == 1
    assert load_users(tmp_path / "t", {"user_id": "id"}, **how).ok


def test_a_shallow_clone_is_refused(tmp_path: Path) -> None:
    """Its files are in another table."""
    folder = write(tmp_path / "t", [DataFile("a.parquet", ids(2))], [LONG], reader=1)
    log = folder / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('"a.parquet"', json.dumps((folder / "a.parquet").as_uri())))
    with pytest.raises(SourceError, match="is a shallow clone"):
        open_source(folder)


def test_without_numbers_in_the_log_the_rows_are_not_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", [DataFile("a.parquet", ids(2))], [LONG], reader=1)
    log = folder / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('{\\"numRecords\\": 2}', "{}"))
    source = open_source(folder)
    assert (source.rows, source.rows_exact) == (None, False)
    assert [row["id"] for row in rows_of(source)] == [0, 1]


def test_a_log_that_is_no_log_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    (tmp_path / "t" / "_delta_log" / f"{0:020}.json").write_text("{}")
    with pytest.raises(SourceError, match="t: the Delta table cannot be read: ") as refused:
        open_source(tmp_path / "t")
    assert "\n" not in str(refused.value)
