"""Structs as columns of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, orc

from interakt_loader import check
from interakt_loader.errors import SourceError
from interakt_loader.sources import BATCH_ROWS, PROBLEM_COLUMN, SOURCE_COLUMN, open_source
from interakt_loader.sources.base import flat_names, flattened

_GEO = st.one_of(st.none(), st.fixed_dictionaries({"lat": st.one_of(st.none(), st.floats(-90, 90))}))
_ADDRESS = st.one_of(st.none(), st.fixed_dictionaries({"city": st.one_of(st.none(), st.text(max_size=3)), "geo": _GEO}))
_TYPE = pa.struct([("city", pa.string()), ("geo", pa.struct([("lat", pa.float64())]))])


@given(st.lists(_ADDRESS, max_size=6), st.data())
def test_each_leaf_is_a_column_in_the_structs_place(addresses: list[Any], data: st.DataObject) -> None:
    """Names are joined by a dot; where a struct is null its leaves are, in a slice of a batch too."""
    rows = range(len(addresses))
    batch = pa.RecordBatch.from_arrays(
        [pa.array(rows, pa.int64()), pa.array(addresses, _TYPE), pa.array(rows, pa.int64())],
        ["id", "address", "last"],
    )
    start = data.draw(st.integers(0, len(addresses)))
    flat = flattened(batch.slice(start))
    assert flat.schema.names == flat_names(batch.schema) == ["id", "address.city", "address.geo.lat", "last"]
    expected = [
        {
            "id": row,
            "address.city": None if address is None else address["city"],
            "address.geo.lat": None if address is None or address["geo"] is None else address["geo"]["lat"],
            "last": row,
        }
        for row, address in list(enumerate(addresses))[start:]
    ]
    assert flat.to_pylist() == expected


def test_nulls_that_a_mask_hides_stay_hidden() -> None:
    """Values below a null struct are not sent."""
    address = pa.StructArray.from_arrays([pa.array(["Pune", "Goa"])], ["city"], mask=pa.array([True, False]))
    assert flattened(pa.RecordBatch.from_arrays([address], ["address"])).to_pydict() == {"address.city": [None, "Goa"]}


def test_a_batch_without_structs_is_itself() -> None:
    """Nothing is copied; lists and maps of structs, and structs without fields, stay."""
    batch = pa.RecordBatch.from_arrays(
        [pa.array([[{"a": 1}]]), pa.array([{}], pa.struct([])), pa.array([1])], ["list", "empty", "emp.var.rate"]
    )
    assert flattened(batch) is batch
    assert flat_names(batch.schema) == ["list", "empty", "emp.var.rate"]


@pytest.mark.parametrize("row", [{"a": {"b": 1, "c": 3}, "a.b": 2}, {"a.b": 2, "a": {"b": 1, "c": 3}}])
def test_an_exact_name_beats_the_path_of_a_field(row: dict[str, Any]) -> None:
    """The column that is called `a.b` is sent as `a.b`, and not the field `b` of `a`; other fields stay."""
    batch = pa.RecordBatch.from_pylist([row])
    assert flattened(batch).to_pylist() == [{"a.b": 2, "a.c": 3}]
    assert sorted(flat_names(batch.schema)) == ["a.b", "a.c"]


def test_two_fields_of_one_path_are_refused() -> None:
    """Neither is sent in place of the other: the error names the struct and the column."""
    batch = pa.RecordBatch.from_pylist([{"a": {"b": {"c": 1}, "b.c": 2}}])
    for make in (lambda: flattened(batch), lambda: flat_names(batch.schema)):
        with pytest.raises(SourceError, match=r"the struct 'a' would give a second column 'a\.b(\.c)?': rename one"):
            make()


ROWS: list[dict[str, Any]] = [{"id": 1, "address": {"city": "Pune", "geo": {"lat": 18.5}}}, {"id": 2, "address": None}]
FLAT: list[dict[str, Any]] = [
    {"id": 1, "address.city": "Pune", "address.geo.lat": 18.5},
    {"id": 2, "address.city": None, "address.geo.lat": None},
]


def in_file(ending: str) -> Callable[[Path], Any]:
    """Return what writes ROWS to a file."""

    def write(folder: Path) -> Path:
        path, table = folder / f"users{ending}", pa.Table.from_pylist(ROWS)
        if ending == ".parquet":
            pq.write_table(table, path)
        elif ending == ".feather":
            feather.write_feather(table, str(path))
        elif ending == ".orc":
            orc.write_table(table, str(path))
        elif ending == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        else:
            path.write_text(json.dumps(ROWS))
        return path

    return write


@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(in_file(one), id=one) for one in (".parquet", ".feather", ".orc", ".jsonl", ".json")),
        pytest.param(lambda _: ROWS, id="list of dicts"),
        pytest.param(lambda _: pd.DataFrame(ROWS), id="pandas, dicts"),
        pytest.param(lambda _: pa.Table.from_pylist(ROWS).to_pandas(types_mapper=pd.ArrowDtype), id="pandas, Arrow"),
        pytest.param(lambda _: pa.Table.from_pylist(ROWS), id="table"),
        pytest.param(lambda _: pa.Table.from_pylist(ROWS).to_reader(), id="reader"),
        pytest.param(lambda _: pa.dataset.dataset(pa.Table.from_pylist(ROWS)), id="dataset"),
        pytest.param(lambda _: pl.DataFrame(ROWS), id="polars"),
    ],
)
def test_every_source_gives_a_struct_as_its_fields(tmp_path: Path, data: Callable[[Path], Any]) -> None:
    """The columns that a mapping may name are those of the rows."""
    source = open_source(data(tmp_path))
    assert source.columns == list(FLAT[0])
    rows = [row for batch in source.batches() for row in batch.to_pylist()]
    assert [{name: row[name] for name in FLAT[0]} for row in rows] == FLAT
    assert {name for row in rows for name in row} - set(FLAT[0]) <= {SOURCE_COLUMN, PROBLEM_COLUMN}


def test_the_fields_are_traits_and_can_be_mapped() -> None:
    """`*` takes each by its name, and a mapping may name one."""
    result = check(ROWS, {"user_id": "id", "traits": ["*", {"column": "address.city", "name": "City"}]})
    assert (result.unsent, result.invalid) == (2, 0)
    assert json.loads(result.examples[0])["traits"] == {"address.geo.lat": 18.5, "City": "Pune"}


def test_a_value_in_place_of_an_object_is_a_rows_problem(tmp_path: Path) -> None:
    """And an object in place of a value: in JSON lines a column may change its shape, and nothing is lost by it."""
    path = tmp_path / "users.jsonl"
    lines: list[dict[str, Any]] = [
        {"id": row, "address": {"city": "Pune"}, "plan": "gold"} for row in range(BATCH_ROWS)
    ]
    lines += [{"id": -1, "address": "Pune"}, {"id": -2, "plan": {"name": "gold"}}, {"id": -3}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = check(path, {"user_id": "id", "traits": ["address.city", "plan"]})
    assert (result.rows, result.invalid) == (BATCH_ROWS + 3, 2)
    assert [(row["id"], row["code"], row["message"]) for row in result.failures().to_dict("records")] == [
        (-1, "unsupported_type", "address.city: address is a value here, not an object"),
        (-2, "unsupported_type", "plan: is an object here, not a value"),
    ]


def test_a_time_in_a_struct_that_int96_cannot_hold_is_a_problem(tmp_path: Path) -> None:
    """As it is in a column of its own: it wraps around in silence otherwise."""
    path = tmp_path / "users.parquet"
    times = pa.array([datetime(2025, 3, 27), datetime(2600, 1, 1)], pa.timestamp("us"))
    table = pa.table({"id": [1, 2], "seen": pa.StructArray.from_arrays([times], ["last"])})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    rows = [row for batch in open_source(path).batches() for row in batch.to_pylist()]
    assert rows[0]["seen.last"] == datetime(2025, 3, 27)
    assert rows[0][PROBLEM_COLUMN] is None
    assert (rows[1]["seen.last"], "'seen.last'" in rows[1][PROBLEM_COLUMN]) == (None, True)
