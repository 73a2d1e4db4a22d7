"""Which columns of a Spark DataFrame are read, and its rows as a source of this machine."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from interakt_loader import MappingDict, infer
from interakt_loader import load_users as load_users_here
from interakt_loader.errors import MappingError, SourceError
from interakt_loader.integrations.spark import load, load_users
from interakt_loader.mapping import Preparation
from interakt_loader.sandbox import SandboxProcess
from interakt_loader.sources import open_source
from tests.external.spark.conftest import running
from tests.external.spark.loads import target

ODD = """
    'u1' AS id, 'a' AS `a.b`, 'b' AS `c d`, 'c' AS `e``f`, 'd' AS Name, 'e' AS name, 'f' AS twice, 'g' AS twice,
    named_struct('g.h', 'h', 'i', interval 1 month) AS s, interval 2 days AS wait, interval 1 year AS years,
    map('k', 'v') AS m, array(named_struct('x', 1)) AS orders, parse_json('[1]') AS raw, array(1, 2) AS numbers
"""
"""Names that Spark takes for something else, and types that cannot be sent."""


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    with running("local[2]", sql_session_timeZone="Asia/Kolkata") as session:
        yield session


@pytest.fixture
def odd(session: SparkSession) -> DataFrame:
    return session.sql(f"SELECT {ODD}")


def plan_of(frame: DataFrame, mapping: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the plan of a load."""
    settings = load.settings_of({"dry_run": True})
    read, _, columns = load._mapping(frame, mapping, "user", settings)
    lines = load._lines(frame, columns, Preparation(read, "user", settings), lambda: None, 2)  # type: ignore[arg-type,return-value]
    lines.explain(extended=True)
    return capsys.readouterr().out


def test_only_the_mapped_columns_are_read(
    session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 102 columns of files and a struct, Spark reads the two that are mapped. `"*"` needs all."""
    wide = [f"concat('v', id) AS extra_{at}" for at in range(100)]
    frame = session.range(5).selectExpr("CAST(id AS STRING) AS id", "named_struct('x', id, 'y', id) AS s", *wide)
    frame.write.parquet(str(tmp_path / "wide"))
    frame = session.read.parquet(str(tmp_path / "wide"))
    mapped = plan_of(frame, {"user_id": "id", "traits": ["s.y", "extra_7"]}, capsys)
    assert "ReadSchema: struct<id:string,s:struct<y:bigint>,extra_7:string>" in mapped
    physical = mapped.partition("== Physical Plan ==")[2]
    assert "extra_7" in physical
    assert "extra_8" not in physical
    whole = plan_of(frame, {"user_id": "id", "traits": "*"}, capsys)
    assert "ReadSchema: struct<id:string,s:struct<x:bigint,y:bigint>,extra_0:string,extra_1:string," in whole


def test_columns_are_found_by_their_exact_names(
    odd: DataFrame, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """With dots, spaces and backticks, and names that differ in upper and lower case only. A struct's field has its
    path as its name. What is not mapped does no harm, whatever its type."""
    mapping: MappingDict = {"user_id": "id", "traits": ["a.b", "c d", "e`f", "Name", "name", "s.g.h", "numbers"]}
    result = load_users(odd, mapping, **target(sandbox_process, tmp_path))
    assert result.sent == 1
    user = sandbox_process.find_user("u1")
    assert user is not None
    assert user.traits == {
        "a.b": "a", "c d": "b", "e`f": "c", "Name": "d", "name": "e", "s.g.h": "h", "numbers": [1, 2]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("wait", "interval day"),
        ("years", "interval year"),
        ("m", "map<string,string>"),
        ("raw", "variant"),
        ("orders", "array<struct<x:int>>"),
        ("s.i", "interval month"),
    ],
)
def test_a_mapped_column_that_cannot_be_sent_is_refused_before_any_call(
    odd: DataFrame, sandbox_process: SandboxProcess, tmp_path: Path, column: str, kind: str
) -> None:
    """The line has the column, its type, and what to do."""
    said = f"column '{column}' has the type {kind}, which cannot be sent: make text or numbers of it with Spark before"
    for mapping, instead in [({"user_id": "id", "traits": [column]}, "leave it out"), ({"user_id": column}, "leave")]:
        with pytest.raises(MappingError) as refused:
            load_users(odd, mapping, **target(sandbox_process, tmp_path))
        assert str(refused.value).startswith(f"{said}, or {instead}")
    few = odd.select("id", column.partition(".")[0])
    with pytest.raises(MappingError, match=r"^column '.*cannot be sent: .*, or drop it$"):
        load_users(few, {"user_id": "id", "traits": "*"}, **target(sandbox_process, tmp_path))
    assert sandbox_process.stats().calls == 0


def test_two_columns_with_one_name_are_refused_only_if_mapped(
    odd: DataFrame, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """As from a table."""
    with pytest.raises(MappingError, match="more than one column is called twice"):
        load_users(odd, {"user_id": "id", "traits": ["twice"]}, **target(sandbox_process, tmp_path))


def test_a_proposed_mapping_leaves_out_what_cannot_be_sent(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """The sample has no such column either: Spark could not give it to Python."""
    frame = session.sql("SELECT 'C-1' AS customer_id, 'Asha' AS name, interval 1 month AS i, map('k', 1) AS m")
    assert load_users(frame, **target(sandbox_process, tmp_path)).sent == 1
    user = sandbox_process.find_user("C-1")
    assert user is not None
    assert user.traits == {"name": "Asha"}


TYPES = """
    timestamp'2024-02-29 12:30:15' AS at, timestamp_ntz'2024-02-29 12:30:15' AS local, date'2024-02-29' AS day,
    CAST(12.50 AS DECIMAL(10,2)) AS d, 0.5D AS x, array('x', 'y') AS tags, named_struct('city', 'Pune') AS home,
    CAST(NULL AS STRING) AS empty, true AS ok
"""


def test_a_frame_is_loaded_from_here_as_its_table_is(session: SparkSession, sandbox_process: SandboxProcess) -> None:
    """`interakt_loader.load_users` takes a Spark DataFrame. Times are those of its table, in the session's zone."""
    frame = session.sql(f"SELECT 'a' AS id, {TYPES} UNION ALL SELECT 'b' AS id, {TYPES}")
    to: dict[str, Any] = {"api_key": sandbox_process.api_key, "base_url": sandbox_process.url}
    mapping: MappingDict = {"user_id": "id", "traits": "*"}
    load_users_here(frame, mapping, **to).raise_for_failures()
    held = {user.user_id: user.traits for user in sandbox_process.users()}
    load_users_here(frame.toArrow(), mapping, **to).raise_for_failures()
    assert held == {user.user_id: user.traits for user in sandbox_process.users()}
    assert held["b"]["home.city"] == "Pune"
    assert infer(frame, kind="users").columns()


def test_a_frame_is_read_once_and_can_be_read_again(session: SparkSession) -> None:
    """Spark may give other rows, or another order, when it runs a query again. What cannot be sent is left out."""
    frame = session.range(1000, numPartitions=4).selectExpr("id", "rand() AS r", "interval 1 day AS i")
    source = open_source(frame)
    first, second = (pa.Table.from_batches(source.batches()) for _ in range(2))
    assert first.equals(second)
    assert first["id"].to_pylist() == [*range(1000)]
    assert source.rows == 1000
    assert source.notes == ["DataFrame: left out, columns of types that cannot be sent: i (interval day)"]
    empty = open_source(session.sql("SELECT 1 AS a WHERE false"))
    assert (empty.columns, empty.rows, [*empty.batches()]) == (["a"], 0, [])


def test_a_query_that_fails_is_one_line(session: SparkSession) -> None:
    """Its text may hold values, so only the type of the error is shown."""
    with pytest.raises(
        SourceError, match=r"^DataFrame: Spark's query failed \(\S+\): frame\.toArrow\(\) shows why"
    ) as e:
        open_source(session.sql("SELECT raise_error('9876543210') AS a"))
    assert "9876543210" not in str(e.value)


def test_memory_does_not_grow_with_the_rows(session: SparkSession) -> None:
    """A million rows of 200 bytes pass, and take less than 100 MB more than the first ones."""
    frame = session.range(1_000_000, numPartitions=8).selectExpr("id", "repeat('x', 200) AS text")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = open_source(frame)
    assert sum(batch.num_rows for batch in source.batches()) == 1_000_000
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{grown:.0f} MB more for 200 MB of rows")
    assert grown < 100
