"""Frames of other libraries: what comes of each, and that a query runs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest

from interakt_loader import load_users
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import open_source

ROWS = {"id": ["u1", "u2", "u3"], "n": [1, 2, 3]}
DUCKDB = duckdb.connect()
IBIS = ibis.polars.connect({"rows": pl.DataFrame(ROWS)})


def relation() -> Any:
    """Return a query of DuckDB."""
    return DUCKDB.sql("select * from (values ('u1', 1), ('u2', 2), ('u3', 3)) as rows(id, n)")


FRAMES: dict[str, Callable[[], Any]] = {
    "polars.DataFrame": lambda: pl.DataFrame(ROWS),
    "polars.LazyFrame": lambda: pl.LazyFrame(ROWS),
    "a relation of DuckDB": relation,
    "a table of ibis": lambda: IBIS.table("rows"),
    "an expression of ibis": lambda: IBIS.table("rows").filter(ibis._.n > 0),
    "narwhals.DataFrame of polars": lambda: nw.from_native(pl.DataFrame(ROWS)),
    "narwhals.DataFrame of Arrow": lambda: nw.from_native(pa.table(ROWS)),
    "narwhals.LazyFrame of polars": lambda: nw.from_native(pl.LazyFrame(ROWS)),
    "narwhals.LazyFrame of DuckDB": lambda: nw.from_native(relation()),
    "narwhals.LazyFrame of ibis": lambda: nw.from_native(IBIS.table("rows")),
}


@pytest.mark.parametrize("made", FRAMES.values(), ids=FRAMES)
def test_each_frame_is_loaded(made: Callable[[], Any], sandbox: Sandbox) -> None:
    """Without a word about its library."""
    result = load_users(
        made(), {"user_id": "id", "traits": ["n"]}, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None
    )
    assert result.sent == 3
    assert {user.user_id: user.traits["n"] for user in sandbox.users()} == {"u1": 1, "u2": 2, "u3": 3}


class Query:
    """A query that gives other rows each time, as one on a live table may."""

    def __init__(self) -> None:
        self.times = 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self.times += 1
        table = pa.table({"id": [f"run {self.times}, row {row}" for row in range(3)]})
        return table.__arrow_c_stream__(requested_schema)


def test_a_query_runs_once() -> None:
    """The failures file is made from a second reading: it must not have rows of another run."""
    query = Query()
    source = open_source(query)
    for _ in range(3):
        ids = [value for batch in source.batches() for value in batch["id"].to_pylist()]
        assert ids == [f"run 1, row {row}" for row in range(3)]
    assert query.times == 1


@pytest.mark.parametrize("as_narwhals", [False, True])
def test_failed_rows_of_a_query_are_those_that_were_read(*, as_narwhals: bool, sandbox: Sandbox) -> None:
    """Each run of this one makes other ids."""
    query: Any = DUCKDB.sql("select uuid()::varchar as id, 'no number' as n from range(5)")
    if as_narwhals:
        query = nw.from_native(query)
    mapping: Any = {"user_id": "id", "traits": [{"column": "n", "type": "number"}]}
    result = load_users(query, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert result.invalid == 5
    assert result.failures()["id"].tolist() == result.to_arrow()["user_id"].to_pylist()


def test_a_relation_of_duckdb_comes_in_batches_of_moderate_size() -> None:
    """It would put a million rows into a batch."""
    source = open_source(DUCKDB.sql("select range as id from range(200000)"))
    assert max(batch.num_rows for batch in source.batches()) < 50_000
    assert sum(batch.num_rows for batch in source.batches()) == 200_000


def test_a_column_of_narwhals_is_no_table() -> None:
    """It is refused as its library's own column is."""
    with pytest.raises(ValueError, match="is one column and no table"):
        open_source(nw.from_native(pl.Series("id", ["u1"]), allow_series=True))
