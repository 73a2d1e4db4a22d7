"""Columns that mean something else than their Arrow type says."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

from interakt_loader import LoadResult, Mapping, MappingDict, check
from interakt_loader.sources import open_source
from tests.sources.reading import read, real

IDS = [uuid.UUID(int=at) for at in (0, 1, 2**127)]
POINT = b"\x01\x01\x00\x00\x00" + bytes(16)  # a geometry as WKB, which is text in UTF-8 by chance
VARIANT = {"metadata": b"\x01\x00\x00", "value": b"\x0c\x07"}
SHREDDED = pa.struct([("metadata", pa.binary()), ("value", pa.binary()), ("typed_value", pa.int32())])
PYARROW = int(pa.__version__.partition(".")[0])
DUCKDB_ONLY = "duckdb is not installed"


def checked(data: Any, **columns: Any) -> list[tuple[str | None, str | None, str | None]]:
    """Return code, column and message of each row of a dry run that maps all columns."""
    result: LoadResult = check(data, Mapping.of({"user_id": "id", "traits": "*"} | columns), progress=False)
    lines = result.to_pandas()
    return list(lines[["code", "column", "message"]].replace({float("nan"): None}).itertuples(index=False, name=None))


def refused(column: str, meaning: str) -> tuple[str, str, str]:
    return "unsupported_type", column, f"{column}: a value of type {meaning} cannot be sent"


def extended(values: pa.Array, name: str, **more: Any) -> pa.Table:
    """Return a table whose column has an extension type that this pyarrow does not know."""
    field = pa.field("value", values.type, metadata={"ARROW:extension:name": name})
    return pa.Table.from_arrays([pa.array(["a"] * len(values)), values], schema=pa.schema([("id", pa.string()), field]))


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "parquet": pq.write_table,
    "feather": lambda table, path: feather.write_feather(table, str(path)),
}


@pytest.mark.parametrize("ending", [*WRITERS, "table", "stream", "pandas"])
@pytest.mark.parametrize("kind", [pa.struct([("metadata", pa.binary()), ("value", pa.binary())]), SHREDDED])
def test_a_variant_is_refused_and_not_sent_as_its_bytes(tmp_path: Path, ending: str, kind: pa.DataType) -> None:
    """A null one is left out; the column keeps its name. The file need not say that it is one."""
    table = pa.table({"id": ["a", "b"], "v": pa.array([VARIANT, None], kind)})
    data: Any = table
    if ending == "stream":
        data = table.to_reader()
    elif ending == "pandas":
        data = table.to_pandas()
    elif ending != "table":
        data = tmp_path / f"t.{ending}"
        WRITERS[ending](table, data)
    assert checked(data) == [refused("v", "VARIANT"), (None, None, None)]


def test_a_variant_in_a_struct_is_refused(tmp_path: Path) -> None:
    """Its neighbours are columns as always, and null where the struct is."""
    kind = pa.struct([("n", pa.int64()), ("v", SHREDDED)])
    table = pa.table({"id": ["a", "b"], "s": pa.array([{"n": 1, "v": VARIANT}, None], kind)})
    pq.write_table(table, tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.columns == ["id", "s.n", "s.v"]
    (batch,) = source.batches()
    assert batch.column("s.n").to_pylist() == [1, None]
    assert batch.column("s.v").is_null().to_pylist() == [False, True]
    assert checked(tmp_path / "t.parquet") == [refused("s.v", "VARIANT"), (None, None, None)]


def test_rows_with_a_variant_load_where_it_is_not_mapped(tmp_path: Path) -> None:
    """The rows that fail come back with their own columns, such a value too."""
    table = pa.table({"id": ["a", "b"], "n": [1, 2], "v": pa.array([VARIANT, None], SHREDDED)})
    pq.write_table(table, tmp_path / "t.parquet")
    assert checked(tmp_path / "t.parquet", traits=["n"]) == [(None, None, None)] * 2
    failures = check(tmp_path / "t.parquet", {"user_id": "id", "traits": "*"}, progress=False).failures()
    assert failures["id"].tolist() == ["a"]


def test_a_struct_of_other_fields_is_no_variant() -> None:
    """Only both names with bytes make one."""
    table = pa.table({"id": ["a"], "s": [{"metadata": "x", "value": 1}], "t": [{"metadata": b"x", "size": 1}]})
    assert open_source(table).columns == ["id", "s.metadata", "s.value", "t.metadata", "t.size"]


@pytest.mark.parametrize("name", ["geoarrow.wkb", "ogc.wkb", "somebodys.own"])
def test_bytes_of_an_unknown_extension_type_are_refused(tmp_path: Path, name: str) -> None:
    """They may be text in UTF-8 by chance."""
    table = extended(pa.array([POINT, None], pa.binary()), name)
    pq.write_table(table, tmp_path / "t.parquet")
    for data in (table, tmp_path / "t.parquet"):
        assert checked(data) == [refused("value", name), (None, None, None)]


@pytest.mark.parametrize("values", [["POINT (1 2)"], [1.5], [True]])
def test_text_and_numbers_of_an_unknown_extension_type_are_sent(values: list[object]) -> None:
    """BigQuery marks its columns in this way."""
    table = extended(pa.array(values), "google:sqlType:geography")
    assert checked(table) == [(None, None, None)]
    assert read(table)[0]["value"] == values[0]


def test_a_period_of_pandas_is_refused_in_a_file_and_is_text_in_a_frame(tmp_path: Path) -> None:
    """A file holds the count of periods since 1970, which nobody means."""
    frame = pd.DataFrame({"id": ["a"], "month": pd.period_range("2024-01", periods=1, freq="M")})
    frame.to_parquet(tmp_path / "t.parquet")
    assert checked(tmp_path / "t.parquet") == [refused("month", "pandas.period")]
    assert read(frame) == [{"id": "a", "month": "2024-01"}]


@pytest.mark.parametrize(
    ("number", "meaning"), [(13, "BSON"), (17, "GEOMETRY"), (18, "GEOGRAPHY"), (16, "UNDEFINED"), (20, "UNDEFINED")]
)
def test_a_logical_type_of_parquet_that_is_no_text_is_refused(tmp_path: Path, number: int, meaning: str) -> None:
    """Its bytes are text in UTF-8 by chance; one that this Arrow does not know may be anything."""
    if PYARROW < 22:
        pytest.skip("this pyarrow refuses a file with newer logical types")
    path = tmp_path / "t.parquet"
    values = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None]))
    pq.write_table(pa.table({"id": ["a", "b"], "v": values}), path, store_schema=False)
    content = path.read_bytes()
    size = int.from_bytes(content[-8:-4], "little")
    # JSON is the twelfth member of a union in Thrift's compact form; members from 16 on have a byte for their number
    as_json, other = b"\xcc\0\0", bytes([number << 4 | 12]) if number < 16 else bytes([12, 2 * number])
    footer = content[-8 - size : -8].replace(as_json, other + b"\0\0")
    path.write_bytes(content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert checked(path) == [refused("v", meaning), (None, None, None)]


def test_an_interval_of_parquet_is_refused(tmp_path: Path) -> None:
    """Arrow reads twelve bytes, which are text in UTF-8 for small intervals."""
    duckdb = pytest.importorskip("duckdb", reason=DUCKDB_ONLY)
    path = tmp_path / "t.parquet"
    duckdb.sql(f"copy (select 'a' id, interval 1 day pause) to '{path.as_posix()}'")
    assert checked(path) == [refused("pause", "INTERVAL")]


def test_a_logical_type_that_nobody_knows_is_refused() -> None:
    """Newer files have types that an installed Arrow reads as bytes; older Arrows refuse the file."""
    path = real("parquet_oddities/unknown-logical-type.parquet")
    if PYARROW < 22:
        pytest.skip("this pyarrow refuses the file")
    assert [row["column with known type"] for row in read(path)] == [
        "known string 1",
        "known string 2",
        "known string 3",
    ]
    mapping: MappingDict = {"user_id": "column with known type", "traits": ["column with unknown type"]}
    lines = check(path, mapping, progress=False).to_pandas()
    assert set(lines["message"]) == {refused("column with unknown type", "UNDEFINED")[2]}


@pytest.mark.parametrize("stored", [True, False])
def test_a_uuid_of_parquet_is_its_text(tmp_path: Path, stored: bool) -> None:
    """Also where Arrow knows it only as 16 bytes, and as an item of a struct."""
    raw = pa.array([one.bytes for one in IDS], pa.binary(16))
    field = pa.field("id", raw.type, metadata={"ARROW:extension:name": "arrow.uuid"})
    table = pa.Table.from_arrays([raw], schema=pa.schema([field]))
    data: Any = table
    if stored:
        duckdb = pytest.importorskip("duckdb", reason=DUCKDB_ONLY)
        data = tmp_path / "t.parquet"
        values = ", ".join(f"('{one}'::uuid)" for one in IDS)
        duckdb.sql(f"copy (select id from (values {values}) t(id)) to '{data.as_posix()}'")
    result = check(data, {"user_id": "id"}, progress=False)
    assert result.to_pandas()["user_id"].tolist() == [str(one) for one in IDS]


def test_a_boolean_of_eight_bits_is_a_boolean() -> None:
    """Arrow has an extension type for it."""
    if not hasattr(pa, "bool8"):
        pytest.skip("this pyarrow has no such type")
    table = pa.table({"id": ["a"], "flag": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8()))})
    result = check(table, {"user_id": "id", "traits": "*"}, progress=False)
    assert result.rows == 1


@pytest.mark.parametrize("ending", ["parquet", "feather", "orc", "arrow"])
def test_the_unnamed_index_of_a_frame_is_left_out_of_a_file_as_of_the_frame(tmp_path: Path, ending: str) -> None:
    """It is said; a named index has a column of that name, which is kept."""
    frame = pd.DataFrame({"id": ["a", "b", "c"], "n": [1, 2, 3]}, index=[7, 3, 5])
    table = pa.Table.from_pandas(frame)
    assert table.column_names == ["id", "n", "__index_level_0__"]
    path = tmp_path / f"t.{ending}"
    if ending == "orc":
        orc.write_table(table, str(path))
    elif ending == "arrow":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    else:
        WRITERS[ending](table, path)
    source = open_source(path)
    assert source.columns == open_source(frame).columns == ["id", "n"]
    assert source.notes == [f"{path}: left out, the index of a pandas DataFrame: __index_level_0__"]
    assert read(path) == read(table) == read(frame)
    named = pa.Table.from_pandas(frame.rename_axis("place"))
    assert open_source(named).columns == ["id", "n", "place"]


def test_two_levels_of_an_index_are_left_out() -> None:
    """Also in an Arrow table, where that is all that says so."""
    index = pd.MultiIndex.from_tuples([(1, "x"), (2, "y")])
    table = pa.Table.from_pandas(pd.DataFrame({"id": ["a", "b"]}, index=index))
    assert open_source(table).columns == ["id"]


def test_an_index_alone_is_kept() -> None:
    """Without it, no column would be left."""
    table = pa.table({"__index_level_0__": ["a", "b"]})
    assert read(table) == [{"__index_level_0__": "a"}, {"__index_level_0__": "b"}]
