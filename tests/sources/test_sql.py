"""A query or a condition over a source: what it may be, what it gives, and what it leaves behind."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import MappingDict, check, infer, load_events, load_users
from interakt_loader.cli import run
from interakt_loader.errors import SettingsError, SourceError, UsageError
from interakt_loader.load.opening import opened
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import load_name

duckdb = pytest.importorskip("duckdb", reason="the extra sql is not installed")

USERS: MappingDict = {"user_id": "id", "traits": "*"}
TABLE = "id,name,opted\n1,Asha,yes\n2,Bob,no\n3,,\n4,Dev,yes\n"


@pytest.fixture(autouse=True)
def folders(temporary_folder: Path) -> Path:
    """A folder of its own for temporary files."""
    return temporary_folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def bodies(data: Any, mapping: Any = None, **options: Any) -> list[dict[str, Any]]:
    """Return the first calls that a dry run would make."""
    return [json.loads(body) for body in check(data, mapping or USERS, progress=False, **options).examples]


def ids(data: Any, **options: Any) -> list[str]:
    """Return the user ids of all rows, as a query or a condition gives them."""
    lines = check(data, {"user_id": "id"}, progress=False, **options).to_arrow()
    return [line["user_id"] for line in lines.to_pylist()]


def refused(data: Any, **options: Any) -> str:
    """Return the message with which a query or a condition is refused, which is one line."""
    with pytest.raises(UsageError) as caught:
        check(data, USERS, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ------------------------------------------------------------------ what it gives


def test_a_query_gives_the_rows_that_are_loaded(sandbox: Sandbox, table: Path) -> None:
    """Its columns are the table's; a report line has the number of the result's row, and the file that was read."""
    text = "SELECT id, upper(name) AS name FROM source WHERE opted = 'yes' ORDER BY id DESC"
    result = load_users(table, USERS, query=text, api_key=sandbox.api_key, base_url=sandbox.url, progress=False)
    assert sorted((user.user_id, user.traits["name"]) for user in sandbox.users()) == [
        ("1", "ASHA"),
        ("4", "DEV"),
    ]
    assert [(line["row"], line["user_id"], line["status"]) for line in result.to_arrow().to_pylist()] == [
        (0, "4", "sent"),
        (1, "1", "sent"),
    ]


def test_a_condition_keeps_rows_as_they_are(table: Path) -> None:
    """In the input's order, with the line of the file; a row for which it is unknown does not meet it."""
    result = check(table, USERS, where="opted = 'yes'", progress=False)
    assert [line["user_id"] for line in result.to_arrow().to_pylist()] == ["1", "4"]
    assert result.lines.label(1) == "1 (line 5)"
    assert ids(table, where="opted <> 'yes'") == ["2"]
    assert ids(table, where="opted IS NULL OR opted = ''") == ["3"]
    assert ids(table, where="id IN (SELECT max(id) FROM source)") == ["4"]


TYPED = pa.table(
    {
        "id": ["1"],
        "amount": pa.array([Decimal("1.50")]),
        "at": pa.array([datetime(2025, 3, 27, 12)], pa.timestamp("us", "Asia/Kolkata")),
        "day": pa.array([date(2025, 3, 27)]),
        "items": [["a", "b"]],
        "address": [{"city": "Pune", "geo": {"lat": 18.5}}],
        "flag": [True],
        "small": pa.array([7], pa.uint8()),
        "kind": pa.array(["x"]).dictionary_encode(),
        "none": pa.nulls(1),
    }
)


@pytest.mark.parametrize("option", [{"query": "SELECT * FROM source"}, {"where": "id = '1'"}])
def test_types_arrive_as_they_are(option: dict[str, Any]) -> None:
    """Decimals, times with a zone, dates, lists, structs, booleans and dictionaries: the call stays the same."""
    assert bodies(TYPED, **option) == bodies(TYPED)


def test_a_struct_is_a_struct_for_a_query() -> None:
    """Its fields are reached with a dot, and a struct of the result is sent as its fields."""
    (body,) = bodies(TYPED, query="SELECT id, address.geo AS geo, address.city FROM source WHERE address.geo.lat > 18")
    assert body["traits"] == {"city": "Pune", "geo.lat": 18.5}


def test_text_formats_arrive_as_text(table: Path) -> None:
    """A CSV has no types: a number is text until the query says otherwise."""
    (first, *_) = bodies(table, query="SELECT id, typeof(id) AS t, id::INT + 1 AS n FROM source ORDER BY id")
    assert first["traits"] == {"t": "VARCHAR", "n": 2}


def test_json_lines_keep_their_types_under_a_condition(tmp_path: Path) -> None:
    """Numbers and text in one column: a condition leaves each value what it was; a query sees text."""
    path = tmp_path / "u.jsonl"
    rows = [
        {"id": "1", "v": 1},
        *({"id": "2", "v": "x"} for _ in range(5000)),
        {"id": "3", "v": 2.5, "late": [1, None]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [one["traits"] for one in bodies(path, where="id <> '2'")] == [{"v": 1}, {"v": 2.5, "late": [1]}]
    query = "SELECT id, v, late FROM source WHERE id <> '2' ORDER BY id"
    assert [one["traits"]["v"] for one in bodies(path, query=query)] == ["1", "2.5"]


def test_objects_of_a_frame_keep_their_types_under_a_condition() -> None:
    """A pandas column of Python objects."""
    frame = pd.DataFrame({"id": ["1", "2"], "v": pd.Series([1, "x"], dtype=object), "l": [[1, "a"], None]})
    assert [one["traits"] for one in bodies(frame, where="id > '0'")] == [one["traits"] for one in bodies(frame)]


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"id": [1, 2]}),
        pl.DataFrame({"id": [1, 2]}),
        pa.table({"id": [1, 2]}),
        [{"id": 1}, {"id": 2}],
        lambda: pa.RecordBatchReader.from_batches(pa.schema([("id", pa.int64())]), [pa.record_batch({"id": [1, 2]})]),
    ],
)
def test_any_table_can_be_queried(data: Any) -> None:
    """Frames, Arrow data, dicts, and a stream that can be read only once: also twice in one query."""
    given = data if not callable(data) else data()
    text = "SELECT a.id FROM source a JOIN source b ON a.id = b.id ORDER BY a.id"
    assert ids(given, query=text) == ["1", "2"]
    given = data if not callable(data) else data()
    assert ids(given, where="id > 1") == ["2"]


def test_several_files_are_called_by_their_names(tmp_path: Path) -> None:
    """What SQL would need quotes for becomes an underscore; two of one name are refused."""
    names = ("customers-2026-11-28.csv", "customers-2026-11-29.csv.gz", "2nd list.csv")
    for name, rows in zip(names, ("1\n2\n3\n", "1\n3\n", "9\n"), strict=True):
        pd.DataFrame({"id": rows.split()}).to_csv(tmp_path / name, index=False)
    text = (
        "SELECT id FROM customers_2026_11_28 ANTI JOIN customers_2026_11_29 USING (id) "
        "UNION ALL SELECT id FROM _2nd_list ORDER BY id"
    )
    assert ids([tmp_path / name for name in names], query=text) == ["2", "9"]
    message = refused([tmp_path / name for name in names], query="SELECT * FROM source")
    assert "there is no table 'source' (there are customers_2026_11_28, customers_2026_11_29, _2nd_list)" in message
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / names[0]).write_text("id\n1\n", encoding="utf-8")
    assert "2 sources are called" in refused([tmp_path / names[0], tmp_path / "a" / names[0]], query="SELECT 1")


def test_frames_get_their_names_from_a_dict() -> None:
    """In Python, a dict from name to data."""
    data = {"today": pd.DataFrame({"id": [1]}), "before": pl.DataFrame({"id": [1, 2]})}
    assert ids(data, query="SELECT id FROM before ANTI JOIN today USING (id)") == ["2"]


def test_a_folder_or_pattern_is_one_table(tmp_path: Path) -> None:
    """Its files are read one after the other."""
    for at in (1, 2):
        pq.write_table(pa.table({"id": [at]}), tmp_path / f"part-{at}.parquet")
    assert ids(tmp_path / "part-*.parquet", query="SELECT id FROM source ORDER BY id DESC") == ["2", "1"]


def test_standard_input_can_be_queried(table: Path, tmp_path: Path) -> None:
    """A pipe is read once; a query may still read its rows twice."""
    code = "import sys; from interakt_loader.cli import run; sys.exit(run(sys.argv[1:]))"
    flags = ["-", "--map", "user_id=id", "--dry-run", "--ledger", "none", "--output", "json", "--quiet"]
    text = "SELECT id FROM source WHERE id IN (SELECT max(id) FROM source)"
    for option in (["--query", text], ["--where", "opted = 'no'"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *flags, *option],
            input=table.read_bytes(),
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
        )
        assert json.loads(done.stdout)["status"]["unsent"] == 1, done.stderr.decode()


def test_a_query_in_a_file(table: Path, tmp_path: Path) -> None:
    """A value that ends in .sql is a file; one that is not there, or no text, is refused by name."""
    path = tmp_path / "opted.sql"
    path.write_text("\ufeff-- only the opted-in\nSELECT * FROM source\nWHERE opted = 'yes';\n", encoding="utf-8")
    assert ids(table, query=path) == ids(table, query=str(path)) == ["1", "4"]
    assert "none.sql: no such file" in refused(table, query="none.sql")
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in refused(table, query=path)
    path.write_bytes(b"-" * (1 << 20) + b"--")
    assert "has more than 1 MB" in refused(table, query=path)


# ------------------------------------------------------------------ what it may not be


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1; DROP VIEW source", "expected exactly one SELECT, and this is 2 statements"),
        ("SELECT id FROM source; SELECT id FROM source", "exactly one SELECT, and this is 2 statements"),
        ("COPY source TO 'out.csv'", "this is copy"),
        ("COPY (SELECT 1) TO 'out.csv'", "this is copy"),
        ("ATTACH 'x.db'", "this is attach"),
        ("INSTALL httpfs", "exactly one SELECT"),
        ("LOAD httpfs", "exactly one SELECT"),
        ("SET lock_configuration = false", "this is set"),
        ("PRAGMA database_list", "one SELECT"),
        ("CREATE TABLE x AS SELECT 1", "this is create"),
        ("INSERT INTO source VALUES (1)", "this is insert"),
        ("EXPORT DATABASE 'x'", "this is export"),
        ("CALL duckdb_settings()", "this is call"),
        ("EXPLAIN SELECT 1", "this is explain"),
        ("", "expected an SQL query"),
        ("-- nothing", "exactly one SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv(…) is no table of a query here"),
        ("SELECT * FROM read_text('/etc/hostname')", "read_text(…) is no table"),
        ("SELECT * FROM glob('/etc/*')", "glob(…) is no table"),
        ("SELECT * FROM '/etc/passwd'", "there is no table '/etc/passwd'"),
        ("SELECT * FROM 'other.parquet'", "there is no table 'other.parquet'"),
        ("SELECT * FROM query('SELECT 1')", "query(…) is no table"),
        ("SELECT * FROM arrow_scan(1, 2, 3)", "arrow_scan(…) is no table"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings(…) is no table"),
        ("SELECT * FROM information_schema.tables", "there is no table 'information_schema.tables'"),
        ("SELECT * FROM (SELECT * FROM pg_tables)", "there is no table 'pg_tables'"),
        ("SELECT (SELECT count(*) FROM read_blob('/etc/*')) FROM source", "read_blob(…) is no table"),
        ("WITH a AS (SELECT * FROM read_csv('x.csv')) SELECT * FROM a", "read_csv(…) is no table"),
        ("DESCRIBE source", "expected one SELECT that returns rows"),
        ("SHOW TABLES", "expected one SELECT that returns rows"),
    ],
)
def test_only_one_select_over_the_sources_runs(
    text: str, said: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is refused in one line, and leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert said in refused(table, query=text)
    assert sorted(tmp_path.iterdir()) == before


SECRET_TABLE = pd.DataFrame({"id": ["never"]})


def test_a_variable_of_the_program_is_no_table(table: Path) -> None:
    """DuckDB would read a frame by the name of a variable; not here."""
    assert "there is no table 'secret_table'" in refused(table, query="SELECT * FROM SECRET_TABLE")
    local = SECRET_TABLE
    assert len(local) == 1
    assert "there is no table 'local'" in refused(table, query="SELECT * FROM local")


def test_the_connection_itself_reaches_nothing(folders: Path) -> None:
    """Even if a statement came through: no file, no extension, no variable, and no other settings."""
    from interakt_loader.sources.spool import TemporaryFolder
    from interakt_loader.sources.sql import _connection

    folder = TemporaryFolder()
    assert sys.platform == "win32" or (folder.path.stat().st_mode & 0o777) == 0o700
    with _connection(folder, "query") as connection:
        for text in (
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM read_blob('/etc/hostname')",
            "COPY (SELECT 1) TO 'x.csv'",
            f"COPY (SELECT 1) TO '{folders / 'x.csv'}'",
            "ATTACH 'x.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '9GB'",
            "SELECT * FROM SECRET_TABLE",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(text).fetchall()
    folder.remove()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 = 1; DROP VIEW source", "and this has a second statement"),
        ("opted = 'yes') UNION ALL SELECT * FROM source WHERE (1 = 1", "syntax error"),
        ("1 UNION ALL SELECT 2", "expected one condition"),
        ("opted = 'yes', id", "expected one condition"),
        ("*", "expected one condition"),
        ("opted AS x", "expected one condition"),
        ("opted = 'yes' ORDER BY id", "expected one condition"),
        ("opted = 'yes' LIMIT 1", "expected one condition"),
        ("DISTINCT opted", "expected one condition"),
        ("opted FROM source", "expected one condition"),
        ("1 = 1) OR (1 = 1", "syntax error"),
        ("id IN (SELECT id FROM read_csv('x.csv'))", "read_csv(…) is no table"),
        ("EXISTS (SELECT * FROM pg_tables)", "there is no table 'pg_tables'"),
        ("opted = ", "syntax error"),
        ("count(*) > 1", "aggregates"),
        (" ", "expected one condition"),
    ],
)
def test_a_condition_is_one_expression(text: str, said: str, table: Path) -> None:
    """A second statement, a UNION, a list and a bracket that closes ours are refused."""
    message = refused(table, where=text)
    assert said in message or "expected one condition" in message or "syntax error" in message


@pytest.mark.parametrize("text", ["opted = 'yes' -- the opted-in", "opted = 'yes' /* ) */", "(opted\n=\n'yes')"])
def test_a_comment_or_line_break_in_a_condition_does_no_harm(text: str, table: Path) -> None:
    """It stays the same condition."""
    assert ids(table, where=text) == ["1", "4"]


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ({"query": "SELECT *\nFORM source"}, "query: line 2, column 6: syntax error"),
        ({"query": "SELECT nme FROM source"}, 'query: line 1, column 8: Referenced column "nme" not found'),
        ({"query": "SELECT id,\n  length(nme)\nFROM source"}, "query: line 2, column 10: "),
        ({"query": f"SELECT id, {'1 + ' * 200}nme FROM source"}, "query: line 1, column 812: "),
        ({"where": "nme = 'x'"}, 'where: line 1, column 1: Referenced column "nme" not found'),
        ({"where": "id = '1'\nAND nme = 'x'"}, "where: line 2, column 5: "),
    ],
)
def test_an_error_has_its_place_in_the_query(option: dict[str, Any], place: str, table: Path) -> None:
    """In one line, with the names that are near."""
    message = refused(table, **option)
    assert message.startswith(place)
    assert "interakt" not in message


LEAKS = (
    "name::INT", "name::UUID", "strptime(mail, '%Y')", "mail::DATE", "mail::TIMESTAMP", "mail::INTERVAL", "mail::JSON",
    "json_extract(mail, '$.a')", "error(name)", "error(phone)", "phone::INT", "phone::DECIMAL(3, 1)",
    "phone::BIGINT::TINYINT", "phone::HUGEINT * phone::HUGEINT * phone::HUGEINT * phone::HUGEINT",
    "regexp_matches('x', name || '(')", "mail::STRUCT(a INT)", "mail::ENUM('a', 'b')", "to_base(phone::BIGINT, 99)",
    "error(name || chr(10) || chr(10) || 'LINE ' || phone || ': x' || chr(10) || '    ^')",
)  # fmt: skip


@pytest.mark.parametrize("expression", LEAKS)
def test_an_error_quotes_no_value_of_a_row(expression: str) -> None:
    """DuckDB quotes values in many forms, with and without quotes: none of its words about rows is shown."""
    person = {"id": ["1"], "name": ["Asha O'Hara"], "phone": ["9876543210"], "mail": ["asha@example.com"]}
    frame = pd.DataFrame(person)
    options: list[dict[str, Any]] = [
        {"query": f"SELECT id, {expression} AS x FROM source"},
        {"where": f"({expression}) IS NOT NULL"},
    ]
    for option in options:
        message = refused(frame, **option)
        assert "a value of a row cannot be converted or computed" in message
        assert all(part not in message for part in ("Asha", "Hara", "9876543210", "asha@", "example.com"))


@pytest.mark.parametrize("option", [{"query": "SELECT id FROM source"}, {"where": "name = 'x'"}])
def test_columns_that_differ_only_in_case_are_refused(option: dict[str, Any]) -> None:
    """SQL would read the first one for both, and so the wrong person's rows."""
    frame = pd.DataFrame({"id": ["1"], "Name": ["x"], "name": ["y"]})
    assert "has the columns 'Name' and 'name', which SQL cannot tell apart" in refused(frame, **option)
    lines = [{"id": "1", "Name": "x"}, {"id": "2", "name": "y"}]
    assert "which SQL cannot tell apart" in refused(lines, **option)
    assert "two columns of the result" in refused([{"id": "1"}], query="SELECT id, 1 AS N, 2 AS n FROM source")


@pytest.mark.parametrize("text", ["id = '1\0' OR true", "id = '\ud800'", "true -- \0"])
def test_a_character_that_is_no_text_is_refused(text: str, table: Path) -> None:
    """Nothing is cut off behind a NUL."""
    assert "holds a character that is no text" in refused(table, where=text)
    assert "holds a character that is no text" in refused(table, query=f"SELECT * FROM source WHERE {text}")


def test_both_at_once_are_refused(table: Path) -> None:
    """A condition belongs into the query."""
    assert "query and where are both given" in refused(table, query="SELECT 1", where="1 = 1")


def test_doubled_columns_and_empty_results(table: Path) -> None:
    """Two columns of one name are refused; a result without rows is a load without rows."""
    assert "two columns of the result are called 'id': rename one with AS" in refused(
        table, query="SELECT id, name AS id FROM source"
    )
    options: list[dict[str, Any]] = [{"query": "SELECT * FROM source WHERE false"}, {"where": "false"}]
    for option in options:
        result = check(table, USERS, **option)
        assert (result.rows, result.ok) == (0, True)


def test_a_source_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    """An export of a quiet day: a load without rows, as it is without SQL; a query may still count."""
    path = tmp_path / "empty.csv"
    path.write_text("id,name\n", encoding="utf-8")
    options: list[dict[str, Any]] = [{}, {"query": "SELECT * FROM source"}, {"where": "name = 'x'"}]
    for option in options:
        result = check(path, USERS, **option)
        assert (result.rows, result.ok) == (0, True)
    assert ids(path, query="SELECT count(*) AS id FROM source") == ["0"]
    assert "Referenced column" in refused(path, where="nme = 'x'")


# ------------------------------------------------------------------ rows that cannot be read


def test_a_query_refuses_rows_that_cannot_be_read(tmp_path: Path) -> None:
    """It cannot tell what they would give: the first one is named, with its line."""
    path = tmp_path / "users.csv"
    path.write_text("id,name\n1,a\n2,b,c\n3,d\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"row 1 \(line 3\): .*A query cannot tell what the row would give"):
        check(path, USERS, query="SELECT * FROM source")


def test_a_condition_keeps_rows_that_cannot_be_read(tmp_path: Path) -> None:
    """They have their line in the report, whatever the condition."""
    path = tmp_path / "users.csv"
    path.write_text("id,name\n1,a\n2,b,c\n3,d\n", encoding="utf-8")
    lines = check(path, USERS, where="name = 'd'").to_arrow().to_pylist()
    assert [(line["status"], line["code"]) for line in lines] == [("invalid", "row_unreadable"), ("unsent", None)]


def test_a_cell_error_does_not_decide_a_condition(tmp_path: Path) -> None:
    """Where the condition needs the cell, the row is refused; where it does not, the row is in or out as it says."""
    path = tmp_path / "users.xlsx"
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (
        ["id", "opted", "n"],
        ["1", "yes", 1],
        ["2", "#N/A", 2],
        ["3", "no", "#DIV/0!"],
        ["4", "yes", "#DIV/0!"],
    ):
        book.active.append(row)
    for cell in ("B3", "C4", "C5"):
        book.active[cell].data_type = "e"
    book.save(path)
    lines = check(path, {"user_id": "id"}, where="opted = 'yes'").to_arrow().to_pylist()
    assert [(line["user_id"], line["code"]) for line in lines] == [
        ("1", None),
        ("2", "row_unreadable"),
        ("4", None),
    ]
    assert "the condition is unknown" in lines[1]["message"]
    with pytest.raises(SourceError, match="row 1"):
        check(path, USERS, query="SELECT * FROM source")


# ------------------------------------------------------------------ with the rest of a load


def test_a_load_by_condition_runs_like_any_other(sandbox: Sandbox, table: Path, tmp_path: Path) -> None:
    """Ledger, failures file and a second run: the failures file is loaded without the condition."""
    failures = tmp_path / "users.failures.csv"
    options: dict[str, Any] = {
        "api_key": sandbox.api_key,
        "base_url": sandbox.url,
        "ledger": tmp_path / "l.ledger",
        "failures": failures,
    }
    mapping: MappingDict = {"user_id": "id", "traits": {"name": {"column": "name", "type": "number"}}}
    first = load_users(table, mapping, where="opted = 'yes'", **options)
    assert first.invalid == 2
    assert pd.read_csv(failures, dtype=str)["id"].tolist() == ["1", "4"]
    failures.write_text(failures.read_text(encoding="utf-8").replace("Asha", "1").replace("Dev", "2"), encoding="utf-8")
    assert load_users(failures, mapping, **options).sent == 2
    table.write_text(TABLE.replace("Asha", "1").replace("Dev", "2"), encoding="utf-8")
    assert load_users(table, mapping, where="opted = 'yes'", **options).unchanged == 2


def test_the_failures_of_a_query_are_rows_of_its_result(table: Path) -> None:
    """With the result's columns."""
    result = check(
        table, {"user_id": "id", "traits": "*"}, query="SELECT '' AS id, upper(name) AS n FROM source LIMIT 1"
    )
    assert result.failures()[["id", "n"]].to_numpy().tolist()[0][1] == "ASHA"


def test_an_output_may_not_overwrite_what_a_query_reads(table: Path) -> None:
    """The report is kept apart from the files of the query."""
    options: list[dict[str, Any]] = [{"query": "SELECT * FROM source"}, {"where": "true"}]
    for option in options:
        with pytest.raises(SettingsError, match="is the source itself"):
            check(table, USERS, report=table, **option)


def test_an_order_that_is_left_open_is_said(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only where a user has several rows, and the query does not sort them; the message says what to add."""

    def warned(**options: Any) -> bool:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "interakt_loader"):
            check(table, {"user_id": "id"}, **options)
        return "add ORDER BY" in caplog.text

    twice = "SELECT id FROM source UNION ALL SELECT id FROM source"
    assert warned(query=twice)
    assert not warned(query=f"{twice} ORDER BY id")
    assert not warned(query="SELECT id FROM source")
    assert not warned(where="true")


def test_events_of_a_query(sandbox: Sandbox, tmp_path: Path) -> None:
    """Yesterday's and today's file by one query, day after day: the ledger knows the load by its sources."""
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": tmp_path / "l.ledger"}
    mapping: MappingDict = {"user_id": "id", "event": {"value": "Left"}, "event_id": "key", "traits": []}
    for before, now in (("27", "28"), ("28", "29")):
        paths = [tmp_path / f"c-2026-11-{day}.csv" for day in (before, now)]
        for path, rows in zip(paths, ("1 2 3", "1 3"), strict=True):
            pd.DataFrame({"id": rows.split()}).to_csv(path, index=False)
        text = f"SELECT id, id || '-{now}' AS key FROM c_2026_11_{before} ANTI JOIN c_2026_11_{now} USING (id)"
        assert load_events(paths, mapping, query=text, **options).sent == 1


def test_infer_looks_at_the_result(table: Path) -> None:
    """The proposal has the columns of the query."""
    found = infer(table, query="SELECT id AS customer_id, name FROM source")
    assert found.mapping.columns()[0] == "customer_id"


def test_limit_counts_rows_of_the_result(table: Path) -> None:
    """Not rows that are read."""
    assert ids(table, where="opted = 'yes'", limit=1) == ["1"]
    assert ids(table, query="SELECT id FROM source ORDER BY id DESC", limit=2) == ["4", "3"]


@pytest.mark.parametrize(
    ("sources", "mapping", "query", "name"),
    [
        (["a.csv"], "daily.yaml", "SELECT 1", "daily"),
        (["a.csv", "b.csv"], "daily.yaml", "SELECT 1", "daily"),
        (["a.csv"], None, "left.sql", "left"),
        (["a.csv"], None, "SELECT 1", "a"),
        (["a.csv"], "daily.yaml", None, "a"),
    ],
)
def test_the_name_of_a_load_by_query(sources: list[str], mapping: str | None, query: str | None, name: str) -> None:
    """The mapping's, else that of the query's file."""
    assert load_name(sources, mapping, query) == name


def test_on_the_command_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both flags; a mistake is one line and exit 2; `infer` takes them too."""
    flags = ["--map", "user_id=id", "--dry-run", "--ledger", "none", "--report", str(tmp_path / "r.csv")]
    assert run([str(table), *flags, "--where", "opted = 'yes'"]) == 0
    assert "2 would be sent" in capsys.readouterr().out
    assert run([str(table), *flags, "--query", "SELECT id FROM source"]) == 0
    assert "4 would be sent" in capsys.readouterr().out
    assert run([str(table), *flags, "--query", "SELECT nme FROM source"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("interakt-loader: --query: line 1, column 8: Referenced")
    assert run(["infer", str(table), "--query", "SELECT id AS customer_id FROM source"]) == 0
    assert 'user_id: "customer_id"' in capsys.readouterr().out


def test_a_query_is_in_no_record(table: Path) -> None:
    """It may name people: the options that are shown do not have it."""
    result = check(table, USERS, where="name = 'Asha'")
    assert "Asha" not in str(result.options)
    assert Settings(where="name = 'Asha'").public().get("where") is None


def test_the_environment_has_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded is said in the command."""
    monkeypatch.setenv("INTERAKT_WHERE", "false")
    with pytest.raises(SettingsError, match="INTERAKT_WHERE: the environment cannot set this option"):
        Settings.resolve({"where": "true"})


# ------------------------------------------------------------------ what is left behind


def test_the_folder_lives_as_long_as_the_source(table: Path, folders: Path) -> None:
    """It is for its owner alone, and gone with the source."""
    source = opened(str(table), Settings(query="SELECT * FROM source"))
    (folder,) = folders.glob("interakt-loader-rows-*")
    assert sys.platform == "win32" or (folder.stat().st_mode & 0o777) == 0o700
    assert len(list(source.batches())) == len(list(source.batches())) == 1
    del source


def test_what_a_killed_process_left_is_removed(table: Path, folders: Path) -> None:
    """The folder of a process that runs stays; that of one that was killed goes with the next query."""
    code = (
        "import time\nfrom interakt_loader.load.opening import opened\nfrom interakt_loader.settings import Settings\n"
        f"source = opened({str(table)!r}, Settings(query='SELECT * FROM source'))\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    environ = os.environ | {"TMPDIR": str(folders), "TEMP": str(folders), "TMP": str(folders)}
    with subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (theirs,) = folders.glob("interakt-loader-rows-*")
        ids(table, query="SELECT id FROM source")
        assert theirs.exists()
        process.kill()
        process.wait()
    assert theirs.exists()
    ids(table, query="SELECT id FROM source")
    assert not theirs.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a thread")
def test_ctrl_c_stops_a_query_at_once(table: Path) -> None:
    """A query that would run for hours ends, and its folder goes."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    endless = "SELECT count(*) AS id FROM range(100000000000) a, range(1000) b"
    with pytest.raises(KeyboardInterrupt):
        check(table, USERS, query=endless)
    timer.join()


def test_without_duckdb_one_line_says_what_to_install(table: Path, tmp_path: Path) -> None:
    """In an environment that lacks it: exit 2."""
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError('duckdb')\n", encoding="utf-8")
    code = "import sys; from interakt_loader.cli import run; sys.exit(run(sys.argv[1:]))"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(table), "--map", "user_id=id", "--dry-run", "--where", "true"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "interakt-loader: --where needs the package duckdb: pip install duckdb"


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("union_value(num := 1)", "UNION"),
        ("'101'::BIT", "BIT"),
        ("340282366920938463463374607431768211455::UHUGEINT", "UHUGEINT"),
        ("'12:00:00+05:30'::TIMETZ", "TIME WITH TIME ZONE"),
        ("['101'::BIT]", "BIT"),
        ("{'a': '12:00:00+05:30'::TIMETZ}", "TIME WITH TIME ZONE"),
    ],
)
def test_a_result_of_a_type_that_arrow_changes_is_refused_by_its_name(table: Path, expression: str, name: str) -> None:
    """Where it is mapped. A null of it is left out."""
    query = f"SELECT id, CASE WHEN id = '1' THEN {expression} END AS v FROM source ORDER BY id"
    result = check(table, {"user_id": "id", "traits": ["v"]}, query=query, progress=False)
    line, *rest = result.to_arrow().to_pylist()
    assert line["code"] == "unsupported_type"
    assert name in line["message"]
    assert {one["status"] for one in rest} == {"unsent"}
    assert check(table, {"user_id": "id"}, query=query, progress=False).unsent == 4
