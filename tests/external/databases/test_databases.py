"""A load from a real database: what arrives, what stays secret, and what a person or a failure does to the query."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from interakt_loader import Data, MappingDict, check, load_events, load_users
from interakt_loader.errors import InteraktLoaderError, NotJustNow, SettingsError, SourceError, UsageError
from interakt_loader.sandbox import Sandbox
from tests.external.databases.servers import PASSWORD, WRITTEN, Server

USERS: MappingDict = {"user_id": "id", "traits": "*"}


@pytest.fixture(autouse=True)
def folders(temporary_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary files, and a working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return temporary_folder


def rows(server: Server, count: int, table: str = "customers") -> str:
    """Make a table of customers, and return the query that reads it."""
    series = f"generate_series(1, {count}) AS s(seq)" if server.kind == "postgresql" else f"seq_1_to_{count}"
    server.run(
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(80), spent NUMERIC(12, 2), since DATE)",
        f"INSERT INTO {table} SELECT seq, concat('Åsa ', seq), seq * 1.10, DATE '2025-01-31' FROM {series}",
    )
    return f"SELECT id, name, spent, since FROM {table} ORDER BY id"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "interakt_loader", *arguments]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MYSQL"))}
    return kept | more


# ------------------------------------------------------------------ what arrives


def test_ten_thousand_rows_arrive(server: Server, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row once, with the values of the database; the password comes from the driver's own variable."""
    monkeypatch.setenv(server.variable, PASSWORD)
    query = rows(server, 10_000)
    result = load_users(
        server.address, USERS, query=query, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None, workers=64
    )
    assert (result.rows, result.sent) == (10_000, 10_000)
    users = {user.user_id: user.traits for user in sandbox.users()}
    assert len(users) == 10_000
    assert users["4321"] == {"name": "Åsa 4321", "spent": 4753.1, "since": "2025-01-31"}


POSTGRES = [
    ("numeric", "12.50::numeric(10, 2)", "12.50"),
    ("large numeric", "123456789012345678901234567890.5::numeric", "123456789012345678901234567890.5"),
    ("not a number", "'NaN'::numeric", None),
    ("float4", "0.1::real", "0.1"),
    ("bigint", "9007199254740993::bigint", "9007199254740993"),
    ("bool", "true", "true"),
    ("char", "'ab'::char(5)", '"ab"'),
    ("timestamptz", "timestamptz '2025-03-27 12:00:00+05:30'", '"2025-03-27T06:30:00.000Z"'),
    ("timestamp", "timestamp '2025-03-27 12:00:00'", '"2025-03-27T12:00:00.000Z"'),
    ("date", "date '2025-03-27'", '"2025-03-27"'),
    ("time", "time '12:00'", '"12:00:00"'),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ("json", "'{\"a\": 1}'::json", '"{\\"a\\": 1}"'),
    ("json null", "'null'::jsonb", None),
    ("enum", "'ok'::mood", '"ok"'),
    ("domain of enum", "'ok'::good_mood", '"ok"'),
    ("bytea of text", "'abc'::bytea", '"abc"'),
    ("json null with spaces", "' null '::json", None),
    ("json text null", "'\"null\"'::json", '"\\"null\\""'),
    ("one byte", "'a'::\"char\"", '"a"'),
    ("no byte", "''::\"char\"", None),
    ("int array", "ARRAY[1, 2, NULL]", "[1,2]"),
    ("array from 2 on", "'[2:3]={1,2}'::int[]", "[1,2]"),
    ("numeric array from 0 on", "'[0:1]={1.5,2}'::numeric[]", "[1.5,2]"),
    ("array of arrays from 0 on", "'[0:1][3:3]={{1},{2}}'::int[]", "unsupported_type"),
    ("enum array from 2 on", "'[2:2]={ok}'::mood[]", '["ok"]'),
    ("empty array", "'{}'::int[]", "[]"),
    ("array that is null", "NULL::int[]", None),
    ("int2vector", "'1 2'::int2vector", "[1,2]"),
    ("domain of array", "'[2:3]={1,2}'::numbers", "[1,2]"),
    ("text array", "ARRAY['a', 'b']", '["a","b"]'),
    ("numeric array", "ARRAY[1.5, 2.25]", "[1.5,2.25]"),
    ("enum array", "ARRAY['ok'::mood]", '["ok"]'),
    ("uuid array", "ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]", '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]'),
    ("timestamptz array", "ARRAY[timestamptz '2025-03-27 12:00:00+00']", '["2025-03-27T12:00:00.000Z"]'),
    ("bytea", "'\\xff00'::bytea", "not_text"),
    ("money", "12.5::money", "unsupported_type"),
    ("interval", "interval '1 day'", "unsupported_type"),
    ("timetz", "'12:00+05:30'::timetz", "unsupported_type"),
    ("point", "point(1, 2)", "unsupported_type"),
    ("range", "int4range(1, 3)", "unsupported_type"),
    ("composite", "ROW(1, 'a')::pair", "unsupported_type"),
    ("anonymous row", "ROW(1, 'a')", "unsupported_type"),
    ("oid", "4294967295::oid", "unsupported_type"),
    ("array of arrays", "ARRAY[[1, 2], [3, 4]]", "unsupported_type"),
    ("numeric array of arrays", "ARRAY[[1.5], [3.5]]", "unsupported_type"),
    ("infinite date", "'infinity'::date", "out_of_range"),
    ("infinite timestamp", "'-infinity'::timestamptz", "out_of_range"),
    ("money that is null", "NULL::money", None),
]

MARIADB = [
    ("decimal", "CAST('12.50' AS DECIMAL(10, 2))", "12.50"),
    ("unsigned bigint", "18446744073709551615", "18446744073709551615"),
    ("float", "CAST(0.1 AS FLOAT)", "0.1"),
    ("boolean", "TRUE", "1"),
    ("bit(1)", "(SELECT flag FROM odd)", "true"),
    ("bit(12)", "(SELECT flags FROM odd)", "unsupported_type"),
    ("datetime", "CAST('2025-03-27 12:00:00.5' AS DATETIME(3))", '"2025-03-27T12:00:00.500Z"'),
    ("timestamp", "(SELECT changed FROM odd)", '"2025-03-27T12:00:00.000Z"'),
    ("date", "DATE '2025-03-27'", '"2025-03-27"'),
    ("zero date", "(SELECT never FROM odd)", "not_a_datetime"),
    ("time of day", "CAST('05:00:01' AS TIME)", '"05:00:01"'),
    ("longer time", "CAST('25:00:01' AS TIME)", "unsupported_type"),
    ("year", "(SELECT y FROM odd)", "2020"),
    ("set", "(SELECT tags FROM odd)", '"a,b"'),
    ("enum", "(SELECT kind FROM odd)", '"x"'),
    ("json", "(SELECT j FROM odd)", '"{\\"a\\": 1}"'),
    ("uuid", "CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS UUID)", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ("emoji", "'é😀'", '"é😀"'),
    ("bytes", "X'ff00'", "not_text"),
    ("point", "POINT(1, 2)", "unsupported_type"),
    ("null", "NULL", None),
]


def value_of(server: Server, expression: str) -> str | None:
    """Return the JSON that is sent for a value; the code with which its row is refused; None if it is left out."""
    query = f"SELECT 1 AS id, {expression} AS v"
    result = check(server.whole_address, {"user_id": "id", "traits": {"v": "v"}}, query=query, progress=False)
    if not result.examples:
        return str(result.to_arrow()["code"][0])
    body = result.examples[0]
    traits = body.partition('"traits":{')[2]
    return traits.removeprefix('"v":').removesuffix("}}") if traits.startswith('"v":') else None


@pytest.mark.parametrize(("name", "expression", "sent"), POSTGRES, ids=[one[0] for one in POSTGRES])
def test_types_of_postgresql(postgres: Server, name: str, expression: str, sent: str | None) -> None:
    """Each type as the types table says, or refused by its name."""
    postgres.run(
        "DROP TYPE IF EXISTS mood CASCADE", "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN good_mood AS mood", "DROP DOMAIN IF EXISTS numbers", "CREATE DOMAIN numbers AS int[]",
        "DROP TYPE IF EXISTS pair", "CREATE TYPE pair AS (a int, b text)",
    )  # fmt: skip
    assert value_of(postgres, expression) == sent, name


@pytest.mark.parametrize(("name", "expression", "sent"), MARIADB, ids=[one[0] for one in MARIADB])
def test_types_of_mariadb(mariadb: Server, name: str, expression: str, sent: str | None) -> None:
    """Each type as the types table says, or refused by its name."""
    mariadb.run(
        "DROP TABLE IF EXISTS odd",
        "SET SESSION sql_mode = ''",
        "SET SESSION time_zone = '+05:30'",
        "CREATE TABLE odd (flag BIT(1), flags BIT(12), changed TIMESTAMP, never DATE, y YEAR, tags SET('a', 'b'), "
        "kind ENUM('x', 'y'), j JSON)",
        "INSERT INTO odd VALUES (b'1', b'100000000001', '2025-03-27 17:30:00', '0000-00-00', 2020, 'a,b', 'x', "
        "'{\"a\": 1}')",
    )
    assert value_of(mariadb, expression) == sent, name


def test_a_type_that_cannot_be_sent_is_no_matter_where_it_is_not_mapped(postgres: Server) -> None:
    """`SELECT *` from a table with such a column is loaded without it."""
    result = check(postgres.whole_address, {"user_id": "id"}, query="SELECT 1 AS id, point(1, 2) AS place")
    assert result.unsent == 1


def test_the_order_of_a_query_is_kept(server: Server) -> None:
    """Also of a column that is an array, which is read with its dimensions."""
    rows(server, 5000)
    more = ", ARRAY[id] AS list" if server.kind == "postgresql" else ""
    query = f"SELECT id{more} FROM customers ORDER BY id DESC -- the newest first"
    ids = check(server.whole_address, {"user_id": "id"}, query=query, progress=False).to_arrow()["user_id"].to_pylist()
    assert ids == [str(number) for number in range(5000, 0, -1)]


def test_an_empty_result_has_nothing_to_send(server: Server) -> None:
    query = rows(server, 1).replace("ORDER", "WHERE id < 0 ORDER")
    assert check(server.whole_address, USERS, query=query, progress=False).rows == 0


def test_a_user_in_several_rows_without_an_order_is_a_warning(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    check(server.whole_address, USERS, query="SELECT 1 AS id UNION ALL SELECT 1", progress=False)
    assert "add ORDER BY" in caplog.text


# ------------------------------------------------------------------ when it runs


def test_the_connection_is_closed_before_the_first_call(server: Server, sandbox: Sandbox) -> None:
    """A load of hours holds no transaction open."""
    seen: list[int] = []

    def on_error(error: Exception, message: dict[str, Any]) -> None:
        del error, message
        seen.append(server.loaders())

    # a row that is refused shows the state of the load at its first row
    query = "SELECT 'a' AS id, 'not a phone' AS phone UNION ALL SELECT 'b', '9876543210'"
    mapping: MappingDict = {"user_id": "id", "phone": "phone", "country_code": {"value": "+91"}}
    before = server.loaders()
    load_users(
        server.whole_address, mapping, query=query, api_key=sandbox.api_key, base_url=sandbox.url, on_error=on_error
    )
    assert (before, seen) == (0, [0])
    assert server.loaders() == 0


def test_a_query_can_change_nothing(server: Server) -> None:
    """Neither by its text nor by a function that it calls."""
    rows(server, 3)
    address = server.whole_address
    for text in ("DELETE FROM customers", "SELECT 1 AS id; DELETE FROM customers", "TRUNCATE customers", "COMMIT"):
        with pytest.raises(SettingsError, match=r"expected (exactly )?one SELECT"):
            check(address, USERS, query=text)
    if server.kind == "postgresql":
        server.run("CREATE SEQUENCE IF NOT EXISTS s")
        for text in (
            "SELECT nextval('s') AS id",
            "WITH gone AS (DELETE FROM customers RETURNING id) SELECT id FROM gone",
            "SELECT 1 AS id INTO taken",
        ):
            with pytest.raises(SettingsError, match=r"may only read|line 1, column 6:|no columns") as caught:
                check(address, USERS, query=text)
            assert "\n" not in str(caught.value)
    else:
        server.run(
            "DROP FUNCTION IF EXISTS forget",
            "CREATE FUNCTION forget() RETURNS INT BEGIN DELETE FROM customers; RETURN 1; END",
        )
        with pytest.raises(SettingsError, match="READ ONLY"):
            check(address, USERS, query="SELECT forget() AS id")
        with pytest.raises(SettingsError, match="one SELECT"):
            check(address, USERS, query="SELECT 1 AS id INTO OUTFILE '/tmp/taken'")
    assert server.run("SELECT count(*) FROM customers") == [(3,)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_ends_leaves_no_query(server: Server, folders: Path, how: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and SIGKILL: the server has no query after a few seconds, and the next run removes the file."""
    arguments = command(server.address, "--query", server.endless, "--dry-run", "--map", "user_id=id")
    program = subprocess.Popen(
        arguments, env=environment(**{server.variable: PASSWORD}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    server.wait_until_it_computes()
    program.send_signal(how)
    program.communicate(timeout=20)
    assert program.returncode == (130 if how == signal.SIGINT else -how)
    server.wait_for_loaders(0)
    left = [*folders.glob("interakt-loader-rows-*")]
    assert len(left) == (0 if how == signal.SIGINT else 1)
    check(server.whole_address, USERS, query="SELECT 1 AS id", progress=False)


def test_a_connection_that_is_lost_is_one_line(server: Server) -> None:
    """While the rows come: nothing was sent, and another try may succeed."""
    failed: list[InteraktLoaderError] = []

    def load() -> None:
        try:
            check(server.whole_address, USERS, query=server.slow, progress=False)
        except InteraktLoaderError as error:
            failed.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    server.wait_for_loaders(1)
    while thread.is_alive():
        server.end_loaders()
        thread.join(0.2)
    (error,) = failed
    assert isinstance(error, NotJustNow)
    assert str(error).startswith(f"{server.shown}: the connection was lost while the query ran")
    assert "\n" not in str(error)


def test_a_connection_that_is_lost_is_one_line_of_the_program_too(server: Server) -> None:
    """In the midst of rows: no object of the driver complains at its end."""
    program = subprocess.Popen(
        command("env:SHOP", "--query", server.slow, "--dry-run", "--map", "user_id=id"),
        env=environment(SHOP=server.whole_address), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    server.wait_for_loaders(1)
    time.sleep(2)  # so that rows have come; without them it is the test above
    while program.poll() is None:
        server.end_loaders()
        time.sleep(0.2)
    _, said = program.communicate()
    assert [line.partition(". Nothing")[0] for line in said.splitlines()] == [
        f"interakt-loader: {server.shown}: the connection was lost while the query ran"
    ]
    assert program.returncode == 2


def test_a_long_query_says_that_it_runs(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may take longer than a connection may."""
    for driver in ("mysql", "postgresql"):
        monkeypatch.setattr(f"interakt_loader.sources.database.{driver}.CONNECT_SECONDS", 0.5)
    monkeypatch.setattr("interakt_loader.sources.database.FIRST_LINE", 0.2)
    slow = "pg_sleep(1)::text" if server.kind == "postgresql" else "sleep(1)"
    check(server.whole_address, {"user_id": "id"}, query=f"SELECT 1 AS id, {slow} AS nothing", progress=False)
    assert f"{server.shown}: the query has been running for" in caplog.text


def test_another_server_at_the_port_is_one_line(
    postgres: Server, mariadb: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interakt_loader.sources.database.mysql.CONNECT_SECONDS", 1)
    for own, other in ((postgres, mariadb), (mariadb, postgres)):
        with pytest.raises(SettingsError, match="server answers there: is it the right port"):
            check(own.whole_address.replace(str(own.port), str(other.port)), USERS, query="SELECT 1 AS id")


# ------------------------------------------------------------------ one line for each mistake


def test_each_mistake_is_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong, and what to do; neither the password nor a value of a row."""
    rows(server, 3)
    address = server.whole_address

    def said(source: str, **options: Any) -> str:
        with pytest.raises(UsageError) as caught:
            check(source, USERS, progress=False, **options)
        message = str(caught.value)
        assert "\n" not in message
        assert PASSWORD not in message
        assert WRITTEN not in message
        assert "loader" not in message
        return message

    one = "SELECT 1 AS id"
    monkeypatch.delenv(server.variable, raising=False)
    assert said(address) == (
        f"{server.shown}: a database needs a query, such as query='SELECT * FROM customers WHERE opted_in'"
    )
    assert "write WHERE in query" in said(address, where="id > 1")
    assert "nothing_here" in said(address, query="SELECT * FROM nothing_here")
    assert said(address, query="SELEC 1") == "query: expected one SELECT, and this begins with SELEC"
    assert "two columns of the result are called 'id'" in said(address, query="SELECT 1 AS id, 2 AS id")
    without = said(server.address, query=one)
    assert server.variable in without
    assert "env:NAME" in without
    assert "refuses this user and password" in said(address.replace(WRITTEN, "wrong"), query=one)
    is_postgres = server.kind == "postgresql"
    no_base = "there is no such user, or no such database" if is_postgres else "or there is none of this name"
    assert no_base in said(address.replace("/shop", "/nope"), query=one)
    assert "refused" in said(address.replace(str(server.port), "1"), query=one)
    no_host = "there is no host of this name" if is_postgres else "Name or service not known"
    assert no_host in said(address.replace("127.0.0.1", "nowhere.invalid"), query=one)
    assert "unknown option" in said(f"{address}?colour=red", query=one)
    assert "%XX" in said(address.replace("%2F", "/"), query=one)
    if server.kind == "postgresql":
        assert said(address, query="SELECT id,\n  nope FROM customers") == (
            'query: line 2, column 3: column "nope" does not exist'
        )
        value = said(address, query="SELECT name::int AS id FROM customers")
        assert "cannot compute a row (invalid input syntax for type integer)" in value
    else:
        assert "Unknown column" in said(address, query="SELECT id,\n  nope FROM customers")
        value = said(address, query="SELECT ST_GeomFromText(name) AS id, exp(1000 + id) AS v FROM customers")
    assert "Åsa" not in value


def test_a_value_of_a_row_is_in_no_error(postgres: Server) -> None:
    """PostgreSQL quotes the value that it cannot convert: a phone, perhaps."""
    rows(postgres, 3)
    with pytest.raises(SettingsError) as caught:
        check(postgres.whole_address, USERS, query="SELECT ('+91' || name)::int AS id FROM customers")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "+91Åsa" not in shown
    assert "cannot compute a row" in shown


# ------------------------------------------------------------------ the password


def test_the_password_is_nowhere(server: Server, tmp_path: Path, sandbox: Sandbox) -> None:
    """Not in a file, in the output, in the arguments of a process, or in what a debugger shows of an error."""
    query = rows(server, 50)
    (tmp_path / "mapping.yaml").write_text("user_id: id\ntraits: '*'\n", encoding="utf-8")
    ways = {
        "variable": (server.address, {server.variable: PASSWORD}),
        "address in a variable": ("env:SHOP_URL", {"SHOP_URL": server.whole_address}),
    }
    seen: list[bytes] = []
    for name, (source, variables) in ways.items():
        for text in (query, query.replace("customers", "nothing_here"), server.slow):
            arguments = command(
                source, "--query", text, "--mapping", "mapping.yaml", "--base-url", sandbox.url,
                "--html", f"{len(seen)}.html", "--debug", "--rate-limit", "none", "--name", f"load{len(seen)}",
            )  # fmt: skip
            program = subprocess.Popen(
                arguments,
                env=environment(
                    INTERAKT_API_KEY=sandbox.api_key, INTERAKT_STATE_DIR=str(tmp_path / "state"), **variables
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if text is server.slow:
                server.wait_for_loaders(1)
                seen += [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
                program.send_signal(signal.SIGINT)
            output, _ = program.communicate(timeout=60)
            assert program.returncode == (130 if text is server.slow else 0 if text is query else 2), (name, output)
            seen.append(output)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".csv", ".ledger", ".html", ".json"} <= {path.suffix for path in written}
    seen += [path.read_bytes() for path in written]
    seen += [str(path).encode() for path in written]
    for secret in (PASSWORD, WRITTEN):
        assert [one for one in seen if secret.encode() in one] == []


@pytest.mark.parametrize("mistake", ["wrong password", "no table", "no server", "unknown option", "value"])
def test_the_password_is_in_no_traceback(server: Server, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the locals of every frame, and with the errors behind the error."""
    rows(server, 3)
    secret = "wrong-Secret" if mistake == "wrong password" else PASSWORD
    address = server.whole_address
    if mistake == "wrong password":
        address = address.replace(WRITTEN, secret)
    if mistake == "no server":
        address = address.replace(str(server.port), "1")
    if mistake == "unknown option":
        address += "?colour=red"
    value = "1 / (id - id)" if server.kind == "postgresql" else "exp(1000 * id)"
    texts = {"no table": "SELECT * FROM nothing_here", "value": f"SELECT id, {value} AS v FROM customers"}
    monkeypatch.setenv("SHOP_URL", address)
    sources: list[Data] = [{"env": "SHOP_URL"}, "env:SHOP_URL"]
    for source in sources:
        with pytest.raises(InteraktLoaderError) as caught:
            load_events(
                source,
                {"user_id": "id", "event": {"value": "x"}},
                query=texts.get(mistake, "SELECT 1 AS id"),
                dry_run=True,
            )
        assert caught.value.__context__ is None
        # without the frame of this test, which knows the password
        own = caught.value.__traceback__
        assert own is not None
        error = caught.value.with_traceback(own.tb_next)
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert "driver" in shown
        for one in (secret, WRITTEN, address):
            assert one not in shown


def test_an_address_with_a_password_is_refused_on_the_command_line(server: Server) -> None:
    """It is in the list of processes by then; so it is not repeated, and there is another way for the next time."""
    for address in (server.whole_address, f"{server.address}?password={WRITTEN}"):
        done = subprocess.run(
            command(address, "--query", "SELECT 1 AS id", "--dry-run"), capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "env:NAME" in done.stderr
        assert server.variable in done.stderr
        assert WRITTEN not in done.stderr


def test_a_variable_that_is_not_set_is_one_line() -> None:
    with pytest.raises(SourceError, match="variable SHOP_URL is not set"):
        load_users({"env": "SHOP_URL"}, USERS, query="SELECT 1 AS id", dry_run=True)


# ------------------------------------------------------------------ every night


def test_a_nightly_load_of_a_window_makes_each_event_once(server: Server, tmp_path: Path, sandbox: Sandbox) -> None:
    """Three days are read each night; an order that is written late is still found, and none is sent twice."""
    server.run(
        "DROP TABLE IF EXISTS orders",
        "CREATE TABLE orders "
        "(order_no INT PRIMARY KEY, customer INT, ordered_at TIMESTAMP NOT NULL, total NUMERIC(8, 2))",
    )
    query = (
        "SELECT order_no, customer, ordered_at, total FROM orders "
        "WHERE ordered_at >= TIMESTAMP '{} 00:00:00' ORDER BY ordered_at"
    )
    mapping: MappingDict = {
        "user_id": "customer",
        "event": {"value": "Order Placed"},
        "created_at": "ordered_at",
        "event_id": "order_no",
        "traits": ["total"],
    }
    late = "INSERT INTO orders VALUES (99, 7, TIMESTAMP '2026-11-02 23:59:00', 5)"
    for night in range(1, 6):
        server.run(
            *(
                f"INSERT INTO orders VALUES ({night * 10 + n}, {n}, TIMESTAMP '2026-11-{night:02} 1{n}:00:00', 9.5)"
                for n in range(5)
            ),
            *([late] if night == 4 else []),
        )
        since = f"2026-11-{max(1, night - 2):02}"
        result = load_events(
            server.whole_address, mapping, query=query.format(since), name="orders", progress=False,
            ledger=str(tmp_path / "orders.ledger"), api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None,
        )  # fmt: skip
        assert result.sent == (6 if night == 4 else 5)
        assert result.sent + result.unchanged == result.rows
    assert len(sandbox.events()) == 26
    json.dumps(result.as_dict())


@pytest.mark.parametrize(
    "written", ["pässwörd-₹-😀", "a b\\'\"#%;`$", "".join(map(chr, range(33, 127))).replace("'", "")]
)
def test_a_password_may_have_any_character(server: Server, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the address, in the variable of the driver, and where the query is watched."""
    from urllib.parse import quote

    escaped = (
        written.replace("'", "''") if server.kind == "postgresql" else written.replace("\\", "\\\\").replace("'", "\\'")
    )
    if server.kind == "postgresql":
        server.run("DROP ROLE IF EXISTS other", f"CREATE ROLE other LOGIN PASSWORD '{escaped}'")
    else:
        server.run(
            "DROP USER IF EXISTS other", f"CREATE USER other IDENTIFIED BY '{escaped}'", "GRANT ALL ON shop.* TO other"
        )
    address = server.address.replace("loader@", f"other:{quote(written, safe='')}@")
    assert check(address, USERS, query="SELECT 1 AS id", progress=False).rows == 1
    monkeypatch.setenv(server.variable, written)
    assert check(server.address.replace("loader", "other"), USERS, query="SELECT 1 AS id", progress=False).rows == 1


@pytest.mark.parametrize(
    "text", ["password=Zqsecret\n", "[client]\npassword=Zqsecret\n[client]\n", "[client]\n = Zqsecret\n",
             "!includedir Zqsecret\n"],
)  # fmt: skip
def test_a_file_of_options_that_cannot_be_read_is_one_line(mariadb: Server, text: str, tmp_path: Path) -> None:
    """The error quotes no line of it."""
    (tmp_path / ".my.cnf").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\.my\.cnf cannot be read") as caught:
        check(mariadb.address, USERS, query="SELECT 1 AS id")
    assert "Zqsecret" not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "named"),
    [("sslmode=Zqsecret", "sslmode"), ("port=Zqsecret", "port"), ("connect_timeout=Zqsecret", "connect_timeout"),
     ("client_encoding=Zqsecret", "client_encoding"), ("ssl_min_protocol_version=Zqsecret", "ssl_min_protocol_version"),
     ("service=Zqsecret", "service")],
)  # fmt: skip
def test_a_wrong_value_of_an_option_is_named_and_not_shown(postgres: Server, option: str, named: str) -> None:
    with pytest.raises(SettingsError, match=rf"\b{named}\b") as caught:
        check(f"{postgres.whole_address}?{option}", USERS, query="SELECT 1 AS id")
    assert "Zqsecret" not in str(caught.value)


def test_a_file_in_an_option_that_is_not_there_is_no_passing_trouble(mariadb: Server) -> None:
    with pytest.raises(SettingsError, match="no such file or directory: check the options"):
        check(f"{mariadb.whole_address}?ssl_ca=/nowhere.pem", USERS, query="SELECT 1 AS id")


def test_modules_of_the_current_folder_do_not_replace_those_of_the_watch(mariadb: Server, tmp_path: Path) -> None:
    """A killed load ends its query also from a folder with a json.py."""
    for name in ("json.py", "pymysql.py"):
        (tmp_path / name).write_text("raise SystemExit(7)\n", encoding="utf-8")
    script = "import sys; sys.path.pop(0); from interakt_loader.cli import run; sys.exit(run(sys.argv[1:]))"
    program = subprocess.Popen(
        [sys.executable, "-c", script, "env:SHOP", "--query", mariadb.endless, "--dry-run", "--map", "user_id=id"],
        env=environment(SHOP=mariadb.whole_address), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    mariadb.wait_for_loaders(1)
    time.sleep(1)  # the query runs by then, and it does not matter if it does not
    program.kill()
    program.wait()
    mariadb.wait_for_loaders(0)
    # the next load removes the folder of the killed one
    check(mariadb.whole_address, USERS, query="SELECT 1 AS id", progress=False)


def test_a_query_that_gives_no_rows_at_all_says_so(mariadb: Server) -> None:
    with pytest.raises(SettingsError, match="the result has no columns"):
        check(mariadb.whole_address, USERS, query="SELECT 1 AS id INTO @a")


def test_what_follows_two_dashes_counts_in_mysql(mariadb: Server) -> None:
    """5--1 is 6 there, and a comment with an exclamation mark is run."""
    assert value_of(mariadb, "5--1") == "6"
    assert check(mariadb.whole_address, USERS, query="SELECT 1 AS id /*! LIMIT 0 */", progress=False).rows == 0
