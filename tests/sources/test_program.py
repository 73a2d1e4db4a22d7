"""Whatever a program holds: iterators, cursors, open files, paths of other libraries, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import stat
import tempfile
import zipfile
from collections import OrderedDict, UserDict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import MappingDict, check, infer, load_events, load_users
from interakt_loader.errors import MappingError, SettingsError, SourceBroken, SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import BATCH_ROWS, SOURCE_COLUMN, open_source, peek
from interakt_loader.sources.spool import PREFIX
from interakt_loader.values import full_type
from tests.sources.reading import column, read, rows_of

ROWS = 2 * BATCH_ROWS + 100
ID: MappingDict = {"user_id": "id"}


def dicts(rows: int = ROWS) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{row}", "n": row} for row in range(rows))


def frames() -> Iterator[pd.DataFrame]:
    for start in range(0, ROWS, 3000):
        yield pd.DataFrame([*dicts()][start : start + 3000])


def table() -> pa.Table:
    return pa.Table.from_pylist([*dicts()])


def to(sandbox: Sandbox) -> Any:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url}


def refusal(data: object) -> str:
    with pytest.raises(SourceError) as refused:
        open_source(data)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# ------------------------------------------------------------------ iterators


def csv_in_chunks(path: Path) -> Any:
    table().to_pandas().to_csv(path / "t.csv", index=False)
    return pd.read_csv(path / "t.csv", chunksize=1000)


def sql_in_chunks(path: Path) -> Any:
    connection = sqlite3.connect(path / "t.sqlite")
    table().to_pandas().to_sql("t", connection, index=False)
    return pd.read_sql("SELECT * FROM t ORDER BY n", connection, chunksize=1000)


def parquet_batches(path: Path) -> Any:
    pq.write_table(table(), path / "t.parquet", row_group_size=3000)
    return pq.ParquetFile(path / "t.parquet").iter_batches(batch_size=1000)


@pytest.mark.parametrize(
    "made",
    [
        lambda _: dicts(),
        lambda _: map(UserDict, dicts()),
        lambda _: {row["id"]: row for row in dicts()}.values(),
        lambda _: frames(),
        lambda _: map(pl.from_pandas, frames()),
        lambda _: iter(table().to_batches(max_chunksize=1000)),
        lambda _: (table().slice(start, 5000) for start in range(0, ROWS, 5000)),
        lambda _: [*frames()],
        lambda _: (*table().to_batches(max_chunksize=1000),),
        lambda _: [pl.from_arrow(table())],
        lambda _: [OrderedDict(one) for one in dicts()],
        lambda _: [*map(UserDict, dicts())],
        csv_in_chunks,
        sql_in_chunks,
        parquet_batches,
    ],
)
def test_every_row_comes_in_its_order_and_again(made: Callable[[Path], Any], tmp_path: Path) -> None:
    """After a look at its beginning, and in a second reading."""
    head, source = peek(open_source(made(tmp_path)), 5000)
    assert sum(batch.num_rows for batch in head) == 5000
    assert source.columns == ["id", "n"]
    expected = [*dicts()]
    assert [*rows_of(source)] == expected
    assert [*rows_of(source)] == expected


def test_two_readings_at_once_both_see_every_row() -> None:
    """One of them goes ahead; the other takes what it has read from the file."""
    source = open_source(dicts())
    behind, ahead = source.batches(), source.batches()
    first = next(behind)
    everything = [row["n"] for batch in ahead for row in batch.to_pylist()]
    assert everything == [*range(ROWS)] == [*first["n"].to_pylist(), *(n for b in behind for n in b["n"].to_pylist())]


class Counted(dict[str, Any]):
    """A dict that counts how many there are, and how many there were at once."""

    alive: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self) -> None:
        Counted.alive -= 1


def test_rows_are_not_held() -> None:
    """However many come, those of a batch are there at once."""
    result = check((Counted(id=f"u{row}") for row in range(10 * BATCH_ROWS)), ID)
    assert result.unsent == 10 * BATCH_ROWS
    assert Counted.most <= 2 * BATCH_ROWS


def test_a_dict_that_is_filled_again_and_again_is_many_rows() -> None:
    """As readers of files do it: each row is what the dict was then."""

    def reused() -> Iterator[dict[str, Any]]:
        row: dict[str, Any] = {}
        for at in range(3):
            row["id"] = at
            yield row

    assert column(reused(), "id") == [0, 1, 2]


def test_later_dicts_may_have_other_columns_and_types() -> None:
    """As in JSON lines: what is missing is null, and a value keeps its type, in the second reading too."""
    rows = [*dicts(BATCH_ROWS), {"id": 7, "more": "x"}, {"id": "u", "n": "text"}]
    source = open_source(iter(rows))
    for _ in range(2):
        assert [*rows_of(source)][-2:] == [{"id": 7, "n": None, "more": "x"}, {"id": "u", "n": "text", "more": None}]


def test_types_of_frames_may_differ() -> None:
    """A chunk of a CSV file has numbers, the next one text: each value is sent as it is."""
    chunks = iter([pd.DataFrame({"id": [1, 2]}), pd.DataFrame({"id": ["A3"]}), pd.DataFrame({"id": [4.0, None]})])
    assert check(chunks, ID).to_pandas()["user_id"].fillna("").tolist() == ["1", "2", "A3", "4", ""]


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (pd.DataFrame({"id": ["x"]}), "row 2: expected a table with the columns of the first one, and got one without"),
        (pa.table({"n": [1], "id": ["x"], "b": [1]}), "row 2: expected .* with 'b'$"),
        ({"id": "x", "n": 1}, "row 2: expected a table like before, and got a dict$"),
        (pl.Series([1]), "row 2: "),
        (1, "row 2: expected a table like before, and got an int$"),
    ],
)
def test_a_later_table_with_other_columns_stops_the_load(later: Any, words: str) -> None:
    """With its row; in a list already when it is opened."""
    first = pd.DataFrame({"id": ["u0", "u1"], "n": [1, 2]})
    with pytest.raises(SourceBroken, match=words):
        read(iter([first, later]))
    with pytest.raises(SourceError, match=words):
        check(iter([first, later]), ID)
    with pytest.raises(SourceError, match=r"^(list|Series): "):
        open_source([first, later])


def test_columns_in_another_order_are_the_same_columns() -> None:
    """They are known by their names."""
    tables = [pa.table({"id": ["a"], "n": [1]}), pl.DataFrame({"n": [2], "id": ["b"]})]
    assert read(tables) == read(iter(tables)) == [{"id": "a", "n": 1}, {"id": "b", "n": 2}]


def failing(rows: int, error: BaseException) -> Iterator[dict[str, Any]]:
    yield from dicts(rows)
    raise error


@pytest.mark.parametrize("rows", [3, BATCH_ROWS, ROWS])
def test_an_error_of_an_iterator_stops_the_load_after_its_row(rows: int, sandbox: Sandbox) -> None:
    """The rows before it are sent. Its text may hold a value, so its type is shown alone; nor is it an end later."""
    result = load_users(failing(rows, ZeroDivisionError("+919876543210")), ID, **to(sandbox))
    assert result.stopped is not None
    assert (result.sent, result.stopped.reason, result.stopped.message) == (
        rows,
        "source_broken",
        f"generator: cannot be read after row {rows - 1}: it raised a ZeroDivisionError",
    )
    source = open_source(failing(rows, ZeroDivisionError("+919876543210")))
    for _ in range(2):
        with pytest.raises(SourceBroken, match=f"cannot be read.* after row {rows - 1}"):
            list(source.batches())


def test_an_error_before_the_first_row_refuses_the_source() -> None:
    """Nothing was sent yet."""
    assert refusal(failing(0, OSError("secret"))) == "generator: cannot be read: it raised an OSError"
    assert "RuntimeError" in refusal(failing(0, StopIteration()))


def test_ctrl_c_in_an_iterator_passes_through() -> None:
    """A second reading after it is an error, and no early end."""
    source = open_source(failing(ROWS, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(source.batches())
    with pytest.raises(SourceBroken, match="it broke off after row"):
        list(source.batches())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (iter([]), "list_iterator: it yields nothing, so its columns are not known; expected dicts, frames"),
        (iter([(1, 2)]), "expected dicts, .* but item 0 is a tuple"),
        (Path().glob("*.toml"), "item 0 is pathlib.*Path: of paths, give a list"),
        (iter([{"a": 1, " a": 2}]), "two columns are called 'a'"),
        ([{"a": 1}, pd.DataFrame()], "expected dicts, but item 1 is a DataFrame"),
        ([pd.DataFrame({"a": [1]}), {"a": 1}], "expected frames or batches like item 0, but item 1 is a dict"),
        ([pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})], "list: row 1: expected a table with the columns"),
    ],
)
def test_an_iterator_that_is_no_table_is_refused(data: Any, words: str) -> None:
    """In one line, before anything is sent."""
    with pytest.raises(SourceError, match=words):
        open_source(data)


def test_what_was_read_is_its_owners_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder is for the owner alone, and is gone with the source."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = open_source(dicts())
    list(source.batches())
    (folder,) = tmp_path.glob(f"{PREFIX}*")
    assert [stat.S_IMODE(one.stat().st_mode) & 0o077 for one in (folder, *folder.iterdir())] == [0, 0, 0]
    del source
    assert not folder.exists()


def test_a_generator_with_a_ledger_is_loaded_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every row has one line of the report, wrong ones come back in the failures file, and no row is sent twice."""
    options = {"ledger": tmp_path / "l", "failures": tmp_path / "l.failures.csv", **to(sandbox)}
    rows = [*dicts(BATCH_ROWS + 50), {"id": None, "n": 1}]
    mapping: MappingDict = {"user_id": "id", "event": {"value": "Bought"}, "traits": "*"}
    first = load_events((row for row in rows), mapping, **options)
    assert (first.sent, first.invalid) == (BATCH_ROWS + 50, 1)
    assert first.to_pandas()["row"].tolist() == [*range(len(rows))]
    assert pd.read_csv(tmp_path / "l.failures.csv")["n"].tolist() == [1]
    again = load_events(map(dict, rows), mapping, **options, name="again")
    assert (again.sent, again.unchanged, again.invalid) == (0, BATCH_ROWS + 50, 1)
    assert len(sandbox.events()) == BATCH_ROWS + 50


def test_a_mapping_is_proposed_from_an_iterator() -> None:
    """The rows that were looked at are loaded too."""
    rows = [{"customer_id": f"C{row}", "vip": row % 2 == 0} for row in range(3000)]
    assert infer(iter(rows)).user_id is not None
    assert check(iter(rows)).unsent == 3000


# ------------------------------------------------------------------ cursors


def sqlite_cursor(rows: int = ROWS) -> sqlite3.Cursor:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id TEXT, n INT)")
    connection.executemany("INSERT INTO t VALUES (:id, :n)", dicts(rows))
    return connection.execute("SELECT id, n FROM t ORDER BY n")


def sqlite_rows() -> sqlite3.Cursor:
    cursor = sqlite_cursor()
    cursor.row_factory = sqlite3.Row
    return cursor


def duckdb_connection() -> Any:
    return duckdb.connect().execute(f"SELECT 'u' || n AS id, n FROM range({ROWS}) AS t(n)")


DUCKDB = duckdb.connect()
"""A relation of an older DuckDB does not keep its connection."""


def duckdb_relation() -> Any:
    return DUCKDB.sql(f"SELECT 'u' || n AS id, n FROM range({ROWS}) AS t(n)")


@pytest.fixture
def adbc(tmp_path: Path) -> Iterator[Any]:
    """A connection of ADBC to a database with the rows."""
    dbapi = pytest.importorskip("adbc_driver_sqlite.dbapi", reason="adbc-driver-sqlite is not installed")
    with sqlite3.connect(tmp_path / "t.sqlite") as writing:
        table().to_pandas().to_sql("t", writing, index=False)
    writing.close()
    with dbapi.connect(str(tmp_path / "t.sqlite")) as connection:
        yield connection


def test_the_result_of_an_adbc_cursor_is_read(adbc: Any) -> None:
    """As Arrow data; a cursor that has run nothing is refused."""
    with adbc.cursor() as cursor:
        assert "there is no result to read: execute a query" in refusal(cursor)
        cursor.execute("SELECT id, n FROM t ORDER BY n")
        source = open_source(cursor)
        assert [*rows_of(source)] == [*dicts()]
    assert [*rows_of(source)] == [*dicts()]


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result")
@pytest.mark.parametrize("made", [sqlite_cursor, sqlite_rows, duckdb_connection, duckdb_relation])
def test_the_result_of_a_cursor_is_read(made: Callable[[], Any]) -> None:
    """All its rows, twice, and as a load."""
    source = open_source(made())
    assert [*rows_of(source)] == [*rows_of(source)] == [*dicts()]
    assert check(made(), {"user_id": "id", "traits": "*"}).unsent == ROWS


class Snowflake:
    """A cursor that gives tables."""

    description = (("id",), ("n",))

    def fetchmany(self, size: int) -> None:
        raise AssertionError("the tables are faster")

    def fetch_arrow_batches(self) -> Iterator[pa.Table]:
        return (table().slice(start, 3000) for start in range(0, ROWS, 3000))


class DictCursor:
    """A cursor that gives dicts, as those of pymysql and psycopg may."""

    description = (("id",), ("n",))

    def __init__(self, rows: Any) -> None:
        self.rows = iter(rows)

    def fetchmany(self, size: int) -> Any:
        return [*islice(self.rows, size)]


@pytest.mark.parametrize("made", [Snowflake, lambda: DictCursor(dicts())])
def test_other_cursors_are_read(made: Callable[[], Any]) -> None:
    """Those that give tables, and those that give dicts."""
    assert read(made()) == [*dicts()]


def test_a_result_without_rows_has_its_columns() -> None:
    """An empty table is loaded: nothing is sent."""
    assert open_source(sqlite_cursor(0)).columns == ["id", "n"]
    assert check(sqlite_cursor(0), ID).rows == 0


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result")
@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: sqlite3.connect(":memory:").cursor(), "^sqlite3.Cursor: there is no result to read: execute a query"),
        (lambda: sqlite3.connect(":memory:").execute("CREATE TABLE t (a)"), "there is no result to read"),
        (duckdb.connect, "there is no result to read"),
        (lambda: sqlite3.connect(":memory:").execute("SELECT 1 AS a, 2 AS a"), "two columns are called 'a'"),
    ],
)
def test_a_cursor_without_a_result_is_refused(made: Callable[[], Any], words: str) -> None:
    """In one line that says what to do."""
    with pytest.raises(SourceError, match=words):
        open_source(made())


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result")
def test_a_query_that_fails_while_it_is_read_shows_no_value() -> None:
    """DuckDB quotes the value that it cannot convert."""
    query = f"SELECT CASE WHEN n < {ROWS} THEN n ELSE ('secret' || n)::INT END AS id FROM range({2 * ROWS}) AS t(n)"
    relation = DUCKDB.sql(query)
    for as_reader in (False, hasattr(relation, "to_arrow_reader")):
        with pytest.raises((SourceError, SourceBroken)) as failed:
            read(relation.to_arrow_reader(BATCH_ROWS) if as_reader else relation)
        assert "secret" not in str(failed.value)


def test_a_connection_that_is_lost_is_an_error_of_the_source() -> None:
    """The text of its error is not shown."""

    def lost() -> Iterator[dict[str, Any]]:
        yield from dicts(BATCH_ROWS)
        raise sqlite3.OperationalError("row +919876543210")

    with pytest.raises(
        SourceError, match=r"Cursor: cannot be read after row 4095: it raised sqlite3\.OperationalError$"
    ):
        check(DictCursor(lost()), ID)


# ------------------------------------------------------------------ open files

CSV = b"id,name\n01,Zo\xc3\xab\n02,x\n"
CELLS = [{"id": "01", "name": "Zoë"}, {"id": "02", "name": "x"}]


def zipped(path: Path) -> Any:
    with zipfile.ZipFile(path / "t.zip", "w") as archive:
        archive.writestr("folder/t.csv", CSV)
    return zipfile.ZipFile(path / "t.zip").open("folder/t.csv")


def compressed(path: Path) -> Any:
    with gzip.open(path / "t.csv.gz", "wb") as file:
        file.write(CSV)
    return gzip.open(path / "t.csv.gz")


def temporary(_: Path) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the test closes it
    file.write(CSV)
    file.seek(0)
    return file


def written(path: Path, content: bytes = CSV, name: str = "t.csv") -> Path:
    (path / name).write_bytes(content)
    return path / name


def excel(_: Path) -> Any:
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    pytest.importorskip("python_calamine", reason="python-calamine is not installed")
    book = io.BytesIO()
    pd.DataFrame(CELLS).to_excel(book, index=False)
    book.seek(0)
    return book


def parquet(_: Path) -> Any:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(CELLS), content)
    content.seek(0)
    return content


@pytest.mark.parametrize(
    "made",
    [
        lambda path: written(path).open("rb"),
        lambda path: written(path).open(encoding="utf-8"),
        lambda path: written(path, CSV.decode().encode("utf-16")).open(encoding="utf-16"),
        lambda path: written(path, CSV.decode().encode("cp1252")).open(encoding="cp1252"),
        lambda _: io.BytesIO(CSV),
        lambda _: io.StringIO(CSV.decode()),
        lambda _: io.StringIO("\n".join(pd.DataFrame(CELLS).to_json(orient="records", lines=True).splitlines())),
        lambda _: pa.BufferReader(CSV),
        compressed,
        zipped,
        temporary,
        parquet,
        excel,
    ],
)
def test_an_open_file_is_read_and_stays_open(made: Callable[[Path], Any], tmp_path: Path) -> None:
    """Its format is detected, and it may be closed while the rows are read."""
    with made(tmp_path) as file:
        source = open_source(file)
        assert not file.closed
    assert [*rows_of(source)] == [*rows_of(source)] == CELLS


def test_an_open_file_is_read_from_its_position() -> None:
    """What the program has read itself is not part of the table."""
    file = io.BytesIO(b"a report of today\n" + CSV)
    file.readline()
    assert read(file) == CELLS


def test_an_open_file_has_the_name_of_its_file(tmp_path: Path) -> None:
    """Without its folder; the ending tells the format. It is no path, so rows do not name it."""
    with written(tmp_path, b'{"id": 1}\n', "t.jsonl").open("rb") as file:
        source = open_source(file)
    assert (source.name, source.path) == ("t.jsonl", None)
    assert SOURCE_COLUMN not in next(source.batches()).schema.names


def test_an_output_that_is_the_open_file_is_refused(tmp_path: Path) -> None:
    """It would be overwritten."""
    path = written(tmp_path)
    with path.open("rb") as file, pytest.raises(SettingsError, match="is the source itself"):
        check(file, ID, report=path)
    assert path.read_bytes() == CSV


def closed(path: Path) -> Any:
    with written(path).open("rb") as file:
        return file


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (closed, "^t.csv: the file is closed: load it before, or give its path$"),
        (lambda path: written(path).open("wb"), "^t.csv: is not open for reading"),
        (lambda path: written(path).open("a"), "^t.csv: is not open for reading"),
        (lambda path: written(path, b"id\n\xff\n").open(encoding="utf-8"), r"^t.csv: .* as text: open it as bytes"),
        (lambda path: written(path, b"PAR1\x00", "t").open(encoding="latin-1"), "^t: holds no text: open it as bytes"),
        (lambda _: io.BytesIO(), "^BytesIO: there is nothing to read from its position on: file.seek"),
        (lambda path: gzip.GzipFile(written(path)), "^t.csv: cannot be read: it raised gzip.BadGzipFile$"),
        (lambda path: written(path, name="t.pdf").open("rb"), "the ending tells the format"),
    ],
)
def test_an_open_file_that_cannot_be_read_is_refused(made: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    """In one line that says what to do."""
    file = made(tmp_path)
    with pytest.raises(SourceError, match=words):
        open_source(file)
    file.close()


# ------------------------------------------------------------------ paths of other libraries


@pytest.fixture
def memory() -> Iterator[Any]:
    """A file system in memory, empty before and after."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec, the extra 'remote', is not installed")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_file_of_fsspec_is_read_by_its_own_file_system(memory: Any, tmp_path: Path) -> None:
    """Not yet opened, opened, several, and of this machine."""
    import fsspec

    memory.pipe("/bucket/t.csv", CSV)
    source = open_source(fsspec.open("memory://bucket/t.csv"))
    assert ([*rows_of(source)], source.path) == (CELLS, "memory:///bucket/t.csv")
    with fsspec.open("memory://bucket/t.csv") as file:
        assert read(file) == CELLS
    assert read(fsspec.open_files("memory://bucket/*.csv")) == CELLS
    assert read(fsspec.open(str(written(tmp_path)))) == CELLS


def test_a_universal_path_is_read_as_its_address(memory: Any, tmp_path: Path) -> None:
    """A file, a folder, a list of both, and a file of this machine; a missing one is refused."""
    upath = pytest.importorskip("upath", reason="universal-pathlib is not installed")
    memory.pipe("/bucket/country=IN/t.csv", CSV)
    path = upath.UPath("memory://bucket/country=IN/t.csv")
    assert read(path) == CELLS
    assert read(path.parent.parent) == [{**row, "country": "IN"} for row in CELLS]
    assert len(read([path, written(tmp_path)])) == 4
    assert read(upath.UPath(f"file://{written(tmp_path)}")) == read(upath.UPath(written(tmp_path))) == CELLS
    with pytest.raises(SourceError, match=r"^memory:///bucket/none\.csv: no such file$"):
        open_source(path.parent.parent / "none.csv")
    result = check(path, ID)
    assert (result.unsent, result.name) == (2, "t.csv")


def test_a_universal_path_has_its_own_options(tmp_path: Path) -> None:
    """What it was made with is used, and no secret of its address is shown."""
    upath = pytest.importorskip("upath", reason="universal-pathlib is not installed")
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("in/t.csv", CSV)
        archive.writestr("in/other.txt", b"")
    assert read(upath.UPath("zip://in/t.csv", fo=str(tmp_path / "t.zip"))) == CELLS
    with pytest.raises(SourceError) as refused:
        open_source(upath.UPath("http://user:s3cret@127.0.0.1:1/t.csv?sig=s3cret"))
    assert "s3cret" not in str(refused.value)


# ------------------------------------------------------------------ LazyFrame


def test_a_lazy_frame_is_read(tmp_path: Path) -> None:
    """Its query runs once, in order, and the rows can be read again."""
    pq.write_table(table(), tmp_path / "t.parquet")
    lazy = pl.scan_parquet(tmp_path / "t.parquet").filter(pl.col("n") >= 10).with_columns(tag=pl.lit("x"))
    source = open_source(lazy)
    (tmp_path / "t.parquet").unlink()
    expected = [{**row, "tag": "x"} for row in dicts()][10:]
    assert (source.rows, source.columns) == (ROWS - 10, ["id", "n", "tag"])
    assert [*rows_of(source)] == [*rows_of(source)] == expected
    assert read(pl.LazyFrame({"a": []})) == []


def test_a_lazy_frame_that_fails_is_refused_without_its_values() -> None:
    """polars quotes values."""
    message = refusal(pl.LazyFrame({"a": ["s3cret"]}).with_columns(pl.col("a").cast(pl.Int64)))
    assert message.startswith(
        "polars.LazyFrame: its query failed (polars.exceptions.InvalidOperationError): lazy_frame"
    )


# ------------------------------------------------------------------ what is refused


async def rows_later() -> Any:
    yield {"id": 1}


async def table_later() -> Any:
    return {"id": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "None is no table: expected a pandas DataFrame"),
        (42, "an int is no table: expected"),
        (b"id\n1\n", "a bytes cannot be read: give io.BytesIO(data)"),
        ("id,phone\n1,9876543210\n", "a text with a table in it is no path: give io.StringIO(text)"),
        ('[{"id": 1}]', "a text with a table in it is no path: give io.StringIO(text)"),
        ("9" * 5000, "a text with a table in it is no path: give io.StringIO(text)"),
        ({"id": ["a", "b"]}, "a dict is no table: of columns, give pyarrow.table(data) or pandas.DataFrame(data)"),
        ({"id": "a"}, "a dict is no table: for one row give [row]"),
        (dicts, "a function is no table: call it, and give what it returns"),
        (pd.DataFrame, "the class DataFrame is no table: expected"),
        (rows_later(), "an async_generator is asynchronous: give a list, [row async for row in rows]"),
        (table_later(), "a coroutine has not run: give what await returns"),
        (np.zeros((2, 2)), "numpy.ndarray cannot be read: give pandas.DataFrame(array, columns=[...])"),
        (pd.Series([1]), "pandas.Series is one column and no table: give .to_frame()"),
        (pl.Series([1]), "polars.Series is one column and no table: give .to_frame()"),
        (pd.DataFrame({"a": [1]}).groupby("a"), "DataFrameGroupBy has no rows yet: give what .agg(...) makes of it"),
        (pl.DataFrame({"a": [1]}).group_by("a"), "GroupBy has no rows yet: give what .agg(...) makes of it"),
    ],
)
def test_what_is_refused_says_what_helps(data: object, message: str) -> None:
    """With its type and module, and no value of it."""
    said = refusal(data)
    assert message in said
    assert "987" not in said


def test_frames_of_dask_and_modin_are_refused() -> None:
    """With what makes a table of them; the parts of a Dask frame are read one by one."""
    dask = pytest.importorskip("dask.dataframe", reason="dask is not installed")
    frame = dask.from_pandas(pd.DataFrame([*dicts()]), npartitions=3)
    assert refusal(frame).startswith("dask.dataframe.DataFrame cannot be read: give .compute(), or part by part: ")
    assert read(part.compute() for part in frame.partitions) == read(frame.compute()) == [*dicts()]
    pytest.importorskip("modin.config", reason="modin is not installed").Engine.put("Python")
    frame = pytest.importorskip("modin.pandas", reason="modin is not installed").DataFrame({"id": [1]})
    assert refusal(frame).startswith("modin.pandas.DataFrame cannot be read: give .modin.to_pandas()")
    assert read(frame.modin.to_pandas()) == [{"id": 1}]


def test_types_are_named_as_programs_import_them() -> None:
    """Not by the file in which a library has them."""
    assert [*map(full_type, (pd.DataFrame(), pl.LazyFrame(), pa.table({}), None, []))] == [
        "pandas.DataFrame",
        "polars.LazyFrame",
        "pyarrow.Table",
        "None",
        "a list",
    ]


@pytest.mark.parametrize(
    ("frame", "hint"),
    [
        (pd.DataFrame({"id": ["a"], "n": [1]}).set_index("id"), "; 'id' is in the index: give frame.reset_index()"),
        (pd.DataFrame({"id": ["a"], "n": [1], "m": [1]}).set_index(["n", "id"]), "; 'id' is in the index: give frame"),
        (pd.DataFrame({"n": [1]}), ""),
        (pl.DataFrame({"n": [1]}), ""),
    ],
)
def test_a_mapped_name_of_the_index_has_its_hint(frame: Any, hint: str) -> None:
    """The index is not read; `reset_index` makes a column of it."""
    with pytest.raises(MappingError) as refused:
        load_users(frame, ID, dry_run=True)
    assert "no such column: 'id'" in str(refused.value)
    assert hint in str(refused.value)
    assert ("reset_index" in str(refused.value)) == bool(hint)


def test_an_event_id_of_the_index_has_its_hint(tmp_path: Path) -> None:
    """The option is checked like the mapping."""
    frame = pd.DataFrame({"user": ["a"], "order": ["1"]}).set_index("order")
    with pytest.raises(SettingsError, match=r"no such column: 'order'; 'order' is in the index: give frame\.reset_in"):
        load_events(
            frame, {"user_id": "user", "event": {"value": "x"}}, event_id="order", ledger=tmp_path / "l", dry_run=True
        )


def test_a_file_object_that_is_no_file_of_this_machine_is_read() -> None:
    """A pipe has no name and no end until it is closed."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(CSV)
    with os.fdopen(reading, "rb") as file:
        assert read(file) == CELLS
