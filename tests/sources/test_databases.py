"""SQLite and DuckDB files, and the addresses of databases. Servers are in `tests/external/databases`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import Data, MappingDict, check, load_events, load_users
from interakt_loader.errors import NotJustNow, SettingsError, SourceError, UsageError
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import hidden_source
from interakt_loader.sources.addresses import DatabaseAddress, refuse_passwords
from interakt_loader.sources.database.driver import is_ordered, one_select
from interakt_loader.sources.spool import PREFIX, TemporaryFolder

duckdb = pytest.importorskip("duckdb", reason="the extra databases is not installed")

USERS: MappingDict = {"user_id": "id", "traits": "*"}


@pytest.fixture(autouse=True)
def folders(temporary_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary files, and a working folder."""
    monkeypatch.chdir(tmp_path)
    return temporary_folder


ROWS = "(1, 'Asha', 1.5), (2, NULL, 0.25), (3, 'Dev', NULL)"


@pytest.fixture(params=["sqlite", "duckdb"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a file with a table of three users, of each kind in turn."""
    path = tmp_path / "shop.db"
    connect = sqlite3.connect if request.param == "sqlite" else duckdb.connect
    connection: Any = connect(str(path))
    connection.execute("CREATE TABLE users (id INTEGER, name TEXT, spent NUMERIC(20, 2))")
    connection.execute(f"INSERT INTO users VALUES {ROWS}")
    connection.commit()
    connection.close()
    return f"{request.param}:///{path}"


def refused(address: Any, query: str | None, **options: Any) -> str:
    """Return the one line with which a load is refused."""
    with pytest.raises(UsageError) as caught:
        check(address, USERS, query=query, progress=False, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ------------------------------------------------------------------ files


def test_a_query_on_a_file_is_loaded(address: str, sandbox: Sandbox) -> None:
    """Each value with its own type, in the order of the query."""
    result = load_users(
        address, USERS, query="SELECT * FROM users ORDER BY id DESC;", api_key=sandbox.api_key, base_url=sandbox.url
    )
    assert result.to_arrow()["user_id"].to_pylist() == ["3", "2", "1"]
    traits = {user.user_id: user.traits for user in sandbox.users()}
    assert traits == {"1": {"name": "Asha", "spent": 1.5}, "2": {"spent": 0.25}, "3": {"name": "Dev"}}


def test_the_command_line_loads_a_file(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    """By its relative path too; the load is called as the mapping or the database."""
    from interakt_loader.cli import run

    kind = address.partition(":")[0]
    arguments = [f"{kind}:///shop.db", "--query", "SELECT id FROM users", "--map", "user_id=id", "--dry-run"]
    assert run(arguments) == 0
    assert "3 rows" in capfd.readouterr().out
    assert Path("shop.check.csv").exists()


def test_the_file_is_not_changed(address: str) -> None:
    """Neither by the load, nor by a query that would write."""
    path = Path(address.partition("///")[2])
    before = path.read_bytes()
    check(address, USERS, query="SELECT * FROM users", progress=False)
    for text in ("DELETE FROM users", "WITH a AS (SELECT 1) INSERT INTO users SELECT 4, 'x', 1", "SELECT 1; SELECT 2"):
        refused(address, text)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if one.is_file()] == ["shop.db"]


def test_values_of_sqlite_keep_their_own_types(tmp_path: Path) -> None:
    """A column may hold anything; a text that is not UTF-8 refuses its row, and not the query."""
    connection = sqlite3.connect(tmp_path / "odd.db")
    connection.execute("CREATE TABLE t (id, v)")
    values: list[Any] = [1, 1.5, "text", 9007199254740993, b"bytes", None, b"\xff\xfe"]
    connection.executemany("INSERT INTO t VALUES (?, ?)", enumerate(values))
    connection.execute("INSERT INTO t VALUES (7, CAST(x'ff' AS TEXT))")
    connection.commit()
    connection.close()
    result = check("sqlite:///odd.db", {"user_id": "id", "traits": {"v": "v"}}, query="SELECT * FROM t ORDER BY id")
    codes = result.to_arrow()["code"].to_pylist()
    assert codes == [None, None, None, None, None, None, "not_text", "not_text"]
    assert [json.loads(body).get("traits") for body in result.examples[:3]] == [{"v": 1}, {"v": 1.5}, {"v": "text"}]


def test_types_change_in_mid_column(tmp_path: Path) -> None:
    """Thousands of whole numbers before the first other value."""
    connection = sqlite3.connect(tmp_path / "odd.db")
    connection.execute("CREATE TABLE t (id, v)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(i, i) for i in range(9000)] + [(9000, "x"), (9001, 0.5)])
    connection.commit()
    connection.close()
    result = check("sqlite:///odd.db", {"user_id": "id", "traits": ["v"]}, query="SELECT * FROM t", progress=False)
    assert (result.rows, result.unsent) == (9002, 9002)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("340282366920938463463374607431768211455::UHUGEINT", "UHUGEINT"),
        ("'12:00:00+05:30'::TIMETZ", "TIME WITH TIME ZONE"),
        ("'0000000001100001'::BIT", "BIT"),
        ("union_value(num := 1)", "UNION"),
        ("[{'a': [5::UHUGEINT]}]", "UHUGEINT"),
        ("MAP {'a': '1'::BIT}", "BIT"),
        ("array_value('12:00:00+05:30'::TIMETZ)", "TIME WITH TIME ZONE"),
    ],
)
def test_types_of_duckdb_that_arrow_would_change_are_refused(expression: str, named: str, tmp_path: Path) -> None:
    """By name, where they are mapped and given."""
    duckdb.connect(str(tmp_path / "odd.db")).close()
    query = f'SELECT 1 AS id, {expression} AS "v""w" UNION ALL SELECT 2, NULL ORDER BY 1'
    result = check("duckdb:///odd.db", {"user_id": "id", "traits": ['v"w']}, query=query, progress=False)
    rows = result.to_arrow().to_pylist()
    assert [row["code"] for row in rows] == ["unsupported_type", None]
    assert f"a value of type {named} (in DuckDB, ::VARCHAR makes text of it)" in rows[0]["message"]
    assert check("duckdb:///odd.db", {"user_id": "id"}, query=query, progress=False).unsent == 2


def test_each_mistake_is_one_line(address: str, tmp_path: Path) -> None:
    kind = address.partition(":")[0]
    assert refused(address, None) == (
        f"{address}: a database needs a query, such as query='SELECT * FROM customers WHERE opted_in'"
    )
    assert refused(address, "SELECT 1 AS id", where="id = 1") == (
        "query and where are both given: put the condition into the query"
    )
    assert "write WHERE in query" in refused(address, None, where="id = 1")
    assert "nothing_here" in refused(address, "SELECT * FROM nothing_here")
    assert "nope" in refused(address, "SELECT nope FROM users")
    assert "two columns of the result are called 'id'" in refused(address, "SELECT id, id FROM users")
    assert refused(f"{kind}:///nowhere.db", "SELECT 1 AS id") == f"{kind}:///nowhere.db: there is no file nowhere.db"
    assert f"expected {kind}:///path" in refused(f"{kind}://shop.db", "SELECT 1 AS id")
    assert "options" in refused(f"{address}?mode=rw", "SELECT 1 AS id")
    assert refused(address.replace(":////", ":///"), "SELECT 1 AS id").endswith(f"(did you mean {address}?)")
    (tmp_path / "text.db").write_text("id,name\n" * 500, encoding="utf-8")
    assert "text.db" in refused(f"{kind}:///text.db", "SELECT 1 AS id")
    assert "together with other sources" in refused([address, "users.csv"], "SELECT 1 AS id")
    assert "load it by itself" in refused({"a": address}, "SELECT 1 AS id FROM a")


def test_a_file_that_is_written_is_not_there_just_now(tmp_path: Path) -> None:
    """Another process holds it: a later try may succeed."""
    path = tmp_path / "busy.db"
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE t (id INT)');"
        "print('open', flush=True); sys.stdin.read()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        with pytest.raises(NotJustNow, match="another program has it open"):
            check(f"duckdb:///{path}", USERS, query="SELECT * FROM t")
    finally:
        program.communicate("")


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS id FROM n",
    "duckdb": "SELECT count(*) AS id FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_an_endless_query(address: str, folders: Path) -> None:
    query = ENDLESS[address.partition(":")[0]]
    program = subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", address, "--query", query, "--dry-run", "--map", "user_id=id"],
        stderr=subprocess.PIPE,
    )
    while not [*folders.glob(f"{PREFIX}*/*")]:
        assert program.poll() is None
        time.sleep(0.02)
    (folder,) = folders.glob(f"{PREFIX}*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    time.sleep(0.5)  # the query runs by then, and it does not matter if it does not
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=30)
    assert program.returncode == 130


def test_a_user_in_several_rows_is_a_warning_without_an_order(address: str, caplog: pytest.LogCaptureFixture) -> None:
    both = "SELECT id, name FROM users UNION ALL SELECT id, 'x' FROM users"
    check(address, USERS, query=both, progress=False)
    assert "add ORDER BY" in caplog.text
    caplog.clear()
    check(address, USERS, query=f"{both} ORDER BY 2", progress=False)
    check(address, USERS, query="SELECT id, name FROM users", progress=False)
    assert caplog.text == ""


def test_a_ledger_remembers_a_database(address: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """The same database again is no new source; another one is, for events."""
    mapping: MappingDict = {"user_id": "id", "event": {"value": "Seen"}}

    def load(source: str) -> int:
        return load_events(
            source, mapping, query="SELECT id FROM users", ledger=str(tmp_path / "l.ledger"), api_key=sandbox.api_key,
            base_url=sandbox.url, progress=False,
        ).sent  # fmt: skip

    assert (load(address), load(address)) == (3, 0)
    other = tmp_path / "other.db"
    other.write_bytes((tmp_path / "shop.db").read_bytes())
    with pytest.raises(UsageError, match="this source is new to it"):
        load(address.replace("shop.db", "other.db"))
    assert load(f"{address.partition(':')[0]}:///shop.db") == 0
    with pytest.raises(SettingsError, match="source itself"):
        check(address, USERS, query="SELECT id FROM users", report=str(tmp_path / "shop.db"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_the_end_of_a_forked_process_leaves_the_rows(address: str) -> None:
    """They are those of the process that has read them."""
    script = (
        "import os, sys\n"
        "from interakt_loader.privacy.secrets import Secret\n"
        "from interakt_loader.sources.database import open_query\n"
        "source = open_query(Secret(sys.argv[1], 'x'), 'SELECT * FROM users')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit()\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "print(sum(batch.num_rows for batch in source.batches()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, address], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_loads_side_by_side_keep_their_folders() -> None:
    """None takes the folder of another, which is just being made, for an abandoned one."""

    def keep(_: int) -> bool:
        folder = TemporaryFolder()
        is_there = folder.file().exists()
        folder.remove()
        return is_there

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(keep, range(1000)))


def test_a_temporary_folder_that_cannot_be_made_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    assert refused(address, "SELECT * FROM users") == (
        "/nowhere/at/all: the rows cannot be kept there: No such file or directory. Set TMPDIR to a folder with more "
        "space"
    )


def test_a_large_sort_of_duckdb_goes_to_the_temporary_folder(tmp_path: Path, folders: Path) -> None:
    """Memory stays flat, and nothing is written beside the database."""
    duckdb.connect(str(tmp_path / "shop.db")).close()
    query = (
        "SELECT 'a' AS id, current_setting('memory_limit') AS v "
        "UNION ALL SELECT 'b', current_setting('temp_directory') ORDER BY 1"
    )
    result = check("duckdb:///shop.db", {"user_id": "id", "traits": ["v"]}, query=query, progress=False)
    memory, folder = (json.loads(body)["traits"]["v"] for body in result.examples)
    assert memory == "488.2 MiB"  # 512 MB
    assert Path(folder).is_relative_to(folders)


# ------------------------------------------------------------------ what a query may be


KINDS = ("postgresql", "mysql", "sqlite", "duckdb")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  select 1 ; \n", "  select 1"),
        ("\ufeffselect 1", "select 1"),
        ("SELECT 1 -- the last; line", "SELECT 1 -- the last; line"),
        ("SELECT 1; /* done */ -- really", "SELECT 1  /* done */ -- really"),
        ("-- first\nWITH a AS (SELECT 1) SELECT * FROM a", "-- first\nWITH a AS (SELECT 1) SELECT * FROM a"),
        ("(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)"),
        ("SELECT ';' AS a, \"b;c\" FROM t", "SELECT ';' AS a, \"b;c\" FROM t"),
        ("SELECT '--', 'it''s; so' ;", "SELECT '--', 'it''s; so'"),
        ("VALUES (1), (2);;", "VALUES (1), (2)"),
    ],
)
def test_one_select_is_taken_without_its_semicolon(query: str, end: str, kind: str) -> None:
    """A driver may put brackets around it. All else stays as it is written."""
    assert one_select(query, "query", kind) == end


@pytest.mark.parametrize(
    ("kinds", "query"),
    [
        (("postgresql", "duckdb"), "SELECT $$;$$, $x$;'$x$"),
        (("postgresql", "duckdb"), "/* a /* b */ ; */ SELECT 1 /* a /* b */ ; */"),
        (("postgresql", "duckdb"), r"SELECT E'\'; ' -- it's"),
        (("postgresql", "duckdb"), r"SELECT 'C:\', 1 -- it's; x"),
        (("postgresql", "duckdb"), "SELECT 1 --a;\r, 2"),
        (("mysql",), "# it's;\nSELECT 1 # done; really"),
        (("mysql",), r"SELECT 'it\'s; --', " + r'"a\";", `b;``"`'),
        (("mysql",), "SELECT 5--1"),
        (("mysql",), "SELECT 1 --\n, 2 --\t;"),
        (("mysql",), "SELECT 1 /*! LIMIT 0 */"),
        (("sqlite",), "SELECT 1 AS [a;b], `c;`"),
    ],
)
def test_each_kind_has_its_own_comments_and_texts(kinds: tuple[str, ...], query: str) -> None:
    for kind in kinds:
        assert one_select(query, "query", kind) == query
        assert one_select(f"{query}\n;", "query", kind) == query


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "query",
    ["DELETE FROM t", "SELECT 1; SELECT 2", "-- SELECT 1", ";", "EXPLAIN SELECT 1", "COMMIT", "selection", "CALL p()",
     "SELECT 1 INTO OUTFILE 'x'", "SELECT 1 INTO  DUMPFILE 'x'", "SET x = 1", "SELECT '\0'", "SELECT 1;;SELECT 2"],
)  # fmt: skip
def test_anything_else_is_refused(query: str, kind: str) -> None:
    with pytest.raises(SettingsError, match=r"\Aquery: "):
        one_select(query, "query", kind)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("mysql", "SELECT 1 /*!50000 INTO OUTFILE 'x' */"),
        ("mysql", "SELECT 1 /*M! ; DELETE FROM t */"),
        ("mysql", "SELECT 1 --; DELETE FROM t"),
        ("duckdb", r"SELECT E'\''; COPY t TO 'x' --'"),
        ("duckdb", "SELECT 1 -- a\r; COPY t TO 'x'"),
    ],
)
def test_a_second_command_does_not_hide_in_a_comment_or_a_text(kind: str, query: str) -> None:
    with pytest.raises(SettingsError, match=r"expected (exactly )?one SELECT"):
        one_select(query, "query", kind)


@pytest.mark.parametrize(
    ("query", "ordered"),
    [("SELECT 1 ORDER BY 1", True), ("select 1 order\n by 1", True), ("SELECT 'ORDER BY'", False),
     ("SELECT 1 -- ORDER BY 1", False), ('SELECT "order by" FROM t', False), ("(SELECT 1 ORDER BY 1)", True),
     ("SELECT row_number() OVER (ORDER BY a) FROM t", False), ("SELECT * FROM (SELECT 1 ORDER BY 1) AS t", False),
     ("(SELECT 1) UNION (SELECT 2) ORDER BY 1", True), ("SELECT max((a)) OVER (ORDER BY a) ORDER BY 1", True)],
)  # fmt: skip
def test_an_order_is_found_outside_of_texts_comments_and_brackets(query: str, ordered: bool) -> None:
    assert is_ordered(query, "postgresql") is ordered


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://loader:secret@host:5432/shop?sslmode=require", "postgresql://host:5432/shop"),
        ("postgres://loader@host/shop", "postgresql://host/shop"),
        ("postgresql+psycopg2://u:p@h1:1,h2:2/shop", "postgresql://h1:1,h2:2/shop"),
        ("postgresql:///shop?host=/var/run&password=secret", "postgresql:///shop"),
        ("mysql://u:p%40ss@[::1]:3306/shop", "mysql://[::1]:3306/shop"),
        ("mariadb://u:se#cret@host/shop", "mysql://host/shop"),
        ("MySQL+pymysql://u:p@ss@host/shop", "mysql://host/shop"),
        ("postgresql://u:se/cret@host/shop", "postgresql://…"),
        ("postgresql://u:se?cret@host/shop", "postgresql://…"),
        ("postgresql://u:123/45@host/shop", "postgresql://…"),
        ("postgresql://u:pw", "postgresql://…"),
        ("sqlite:////data/a@b.db", "sqlite:////data/a@b.db"),
        ("sqlite+pysqlcipher://:secret@/x.db", "sqlite://…"),
        ("\n 'postgresql://loader:secret@host/shop' \n", "postgresql://host/shop"),
        ("jdbc:postgresql://host/shop?user=loader&password=secret", "postgresql://host/shop"),
        ("jdbc:mysql://host/shop?user=loader&password=secret", "mysql://host/shop"),
        ("postgresql:loader:secret@host/shop", "postgresql://…"),
        ("postgres:/loader:secret@host/shop", "postgresql://…"),
        ("mysql//loader:secret@host/shop", "mysql://…"),
        ("host=db user=loader password=secret dbname=shop", "postgresql://…"),
        ("Driver={x};Server=db;UID=loader;PWD=secret", "postgresql://…"),
    ],
)
def test_an_address_is_shown_without_user_and_options(written: str, shown: str) -> None:
    """What cannot be told apart from a password is not shown."""
    secret = hidden_source(written)
    assert isinstance(secret, Secret)
    assert (str(secret), repr(secret), f"{secret}") == (shown, shown, shown)
    assert repr(DatabaseAddress.of(written)) == shown


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4).filter(lambda text: text.strip("0123456789")))
def test_no_password_is_shown(password: str) -> None:
    """Whatever is in it, and however it was written."""
    mark = f"Zq{password}Zq"
    shown = str(hidden_source(f"postgresql://loader:{mark}@host/shop"))
    assert "Zq" not in shown
    assert shown in ("postgresql://host/shop", "postgresql://…")


@pytest.mark.parametrize(
    "address",
    ["postgresql://u:p@h/d", "mysql://u:p@h/d", "postgresql://h/d?password=p", "postgresql://u:p/q@h/d",
     "https://u:p@h/users.csv", "s3://key:secret@bucket/users.csv", "postgresql://h/d?p%61ssword=p",
     "jdbc:postgresql://h/d?user=u&password=p", " postgresql://u:p@h/d", "postgresql:u:p@h/d",
     "host=h user=u password=p"],
)  # fmt: skip
def test_a_password_on_the_command_line_is_refused(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of any address, in one line that does not repeat it."""
    from interakt_loader.cli import run

    for arguments in ([address, "--dry-run"], ["infer", address], ["baseline", address]):
        assert run(arguments) == 2
        said = capfd.readouterr().err
        assert len(said.splitlines()) == 1
        assert "env:NAME" in said
        assert (address.partition("://")[2] or address) not in said


@pytest.mark.parametrize(
    "address",
    ["postgresql://u@h/d", "postgresql://h/d?passfile=/x", "s3://bucket/a:b@c.csv", "users.csv", "a:b@c.csv",
     "mysql/a.csv", "day=1/users.csv"],
)  # fmt: skip
def test_an_address_without_a_password_is_accepted(address: str) -> None:
    refuse_passwords([address])
    parts = DatabaseAddress.of(address)
    assert parts is None or not parts.has_password


def test_an_address_comes_from_a_variable(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a database, and of a file."""
    monkeypatch.setenv("SHOP", address)
    sources: list[Data] = [{"env": "SHOP"}, "env:SHOP", ["env:SHOP"]]
    for source in sources:
        assert check(source, USERS, query="SELECT * FROM users", progress=False).rows == 3
    table = tmp_path / "users.csv"
    table.write_text("id\n1\n", encoding="utf-8")
    monkeypatch.setenv("SHOP", str(table))
    assert check({"env": "SHOP"}, USERS, progress=False).rows == 1
    monkeypatch.setenv("SHOP", "")
    with pytest.raises(SourceError, match="SHOP is not set"):
        check("env:SHOP", USERS)
    for odd in ("'{}'", ' "{}" ', "{}\n", "  {}"):
        monkeypatch.setenv("SHOP", odd.format(address))
        assert check("env:SHOP", USERS, query="SELECT * FROM users", progress=False).rows == 3


@pytest.mark.parametrize(
    "value",
    ["env:SHOP", "jdbc:postgresql://u:Secret1@h/d", "host=h password=Secret1 dbname=d", "Secret1", "u:Secret1@h/d",
     "postgresql:/u:Secret1@h/d", "postgresql//u:Secret1@h/d", "'postgresql://u:Secret1@h/d", "mssql://u:Secret1@h/d",
     "postgre://u:Secret1@h/d", "Driver={x};Server=h;PWD=Secret1"],
)  # fmt: skip
def test_a_value_that_is_no_address_is_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a password. On the command line it is not repeated either, if it looks like one."""
    monkeypatch.setenv("SHOP", value)
    with pytest.raises(UsageError) as caught:
        check("env:SHOP", USERS, query="SELECT 1 AS id")
    assert "Secret1" not in str(caught.value)
    assert "postgresql://" in str(caught.value)
    if value not in ("env:SHOP", "Secret1"):
        with pytest.raises(UsageError) as caught_too:
            check(value, USERS, query="SELECT 1 AS id")
        assert "Secret1" not in str(caught_too.value)


@pytest.mark.parametrize(
    ("address", "hint"), [("mssql://h/d", "pandas.read_sql"), ("postgre://h/d", "postgres"), ("mysqls://h/d", "mysql")]
)
def test_a_database_that_cannot_be_read_is_named(address: str, hint: str) -> None:
    """No package is asked for that would not help."""
    message = refused(address, "SELECT 1 AS id")
    assert hint in message
    assert "fsspec" not in message
    # a database of its own is no misspelt one
    assert ("did you mean" in message) is (not address.startswith("mssql"))


@pytest.mark.parametrize(
    ("source", "value"),
    [("env:SHOP", "hunter2Secret"), ("env:SHOP", "-"), ("env:postgresql://u:hunter2Secret@h/d", "x"),
     ({"env": "hunter2Secret@h"}, "x"), ("env:SHOP", "hunter2Secret" * 1000), ("env:SHOP", "u:hunter2Secret@h/d")],
)  # fmt: skip
def test_a_variable_that_is_no_source_is_not_shown(source: Any, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the password itself, such as with env:PGPASSWORD."""
    monkeypatch.setenv("SHOP", value)
    with pytest.raises(SourceError, match=r"\Aenv:(SHOP|…): ") as caught:
        check(source, USERS, query="SELECT 1 AS id", progress=False)
    assert "hunter2Secret" not in str(caught.value)


def test_a_table_may_be_called_env() -> None:
    """Of a query over frames: only a text is the name of a variable."""
    import pandas as pd

    frame = pd.DataFrame({"id": [1, 2]})
    assert check({"env": frame}, USERS, query="SELECT * FROM env", progress=False).rows == 2


@pytest.mark.parametrize(
    ("address", "package"), [("postgresql://h/d", "adbc-driver-postgresql"), ("mysql://h/d", "'PyMySQL[rsa]>=1.2'")]
)
def test_a_missing_package_is_one_line(address: str, package: str, tmp_path: Path) -> None:
    """In a Python that does not find the drivers."""
    script = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.partition('.')[0] in ('adbc_driver_postgresql', 'pymysql'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from interakt_loader.cli import run\n"
        "raise SystemExit(run(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, address, "--query", "SELECT 1 AS id", "--dry-run"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"interakt-loader: {address}: reading this database needs the extra databases: pip install {package}"
    ]
