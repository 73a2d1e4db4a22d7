"""Structs as columns of their own."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import SourceError
from interakt_loader.plain import flattened, flattened_names

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
    assert flat.schema.names == flattened_names(batch.schema) == ["id", "address.city", "address.geo.lat", "last"]
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
    assert flattened_names(batch.schema) == ["list", "empty", "emp.var.rate"]


@pytest.mark.parametrize(
    "row",
    [{"a": {"b": 1}, "a.b": 2}, {"a.b": 2, "a": {"b": 1}}, {"a": {"b": {"c": 1}, "b.c": 2}}],
)
def test_two_columns_of_one_name_are_refused(row: dict[str, Any]) -> None:
    """Neither is sent in place of the other: the error names the struct and the column."""
    batch = pa.RecordBatch.from_pylist([row])
    for make in (lambda: flattened(batch), lambda: flattened_names(batch.schema)):
        with pytest.raises(SourceError, match=r"the struct 'a' would give a second column 'a\.b(\.c)?': rename one"):
            make()
