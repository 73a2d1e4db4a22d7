"""Loads over Spark Connect: a real server, whose workers alone read the key. The client has no JVM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from interakt_loader import LoadResult
from interakt_loader import load_events as load_events_here
from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark import load, load_events, load_users
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.spark import stream
from tests.external.spark.conftest import ConnectServer, connect_server, executor_of
from tests.external.spark.loads import MAPPING, arrived, events, in_order, load_and_kill, target, wait_for
from tests.privacy.marked import PLAIN, SECRET_KEY, files_with_the_key, forms_in, said_of, without_the_key

KEY = {"env": "MARKED_KEY"}
"""Where the workers find the key. The client of these tests has it in INTERAKT_API_KEY."""

SHARE = {"env": "MARKED_SHARE"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectServer]:
    """One server for all tests."""
    folder = tmp_path_factory.mktemp("connect")
    share = f"sqlite:///{folder / 'clock.db'}"
    with connect_server(folder, {"MARKED_KEY": SECRET_KEY, "MARKED_SHARE": share}) as server:
        yield server


@pytest.fixture(scope="module")
def session(server: ConnectServer) -> Iterator[SparkSession]:
    """A session of the client. Spark marks the process as a client of Connect: later modules have classic sessions."""
    before = dict(os.environ)
    session = SparkSession.builder.remote(server.url).getOrCreate()
    yield session
    session.stop()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def clients_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own key, with which it opens the ledger."""
    monkeypatch.setenv("INTERAKT_API_KEY", SECRET_KEY)


def options(sandbox: SandboxProcess, folder: Path, **more: Any) -> dict[str, Any]:
    return {**target(sandbox, folder), "api_key": KEY, **more}


def test_every_row_is_sent_once_and_each_users_in_order(session: SparkSession, tmp_path: Path) -> None:
    """One call a row, with as many partitions as the server runs tasks at once, and one clock for all tasks."""
    assert not hasattr(session, "_jsc")
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY, record_arrivals=True)) as sandbox:
        to = options(sandbox, tmp_path, share=SHARE, rate_limit="400/s")
        result = load_events(events(session, 600), MAPPING, **to)
        assert (result.rows, result.sent, result.attempts, result.ok) == (600, 600, 600, True)
        assert arrived(sandbox) == Counter(range(600))
        assert in_order(sandbox)
        assert sandbox.stats().calls == 600
        times = sorted(sandbox.arrivals())
        assert max(sum(1 for one in times if at <= one < at + 1) for at in times) <= 401
        again = load_events(events(session, 600), MAPPING, **to)
        assert (again.unchanged, again.attempts, sandbox.stats().calls) == (600, 0, 600)
    assert (tmp_path / "report.ledger").is_file()


def test_the_key_is_nowhere_but_where_the_workers_read_it(
    session: SparkSession, server: ConnectServer, sandbox: SandboxProcess, tmp_path: Path, capsys: Any
) -> None:
    """No form of it is in the plan, the pickled functions, the server's log, the event log, or any file."""
    seen: list[DataFrame] = []
    lines = load._lines

    def observed(*of: Any) -> DataFrame:
        seen.append(lines(*of))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "_lines", observed)
        result = load_events(events(session, 20), MAPPING, **options(sandbox, tmp_path, mask=True))
    assert result.sent == 20
    (frame,) = seen
    frame.explain(extended=True)
    plan = capsys.readouterr().out
    sent: bytes = frame._plan.to_proto(session.client).SerializeToString()
    assert forms_in(plan) == forms_in(sent) == forms_in(repr(result) + str(result.options)) == []
    assert "MapInArrow" in plan
    assert b"MARKED_KEY" in sent  # the place is there, so the pickled functions are
    assert files_with_the_key(server.folder) == files_with_the_key(tmp_path) == {}
    assert "DAGScheduler: Got job" in server.log.read_text(encoding="utf-8")
    written = b"".join(one.read_bytes() for one in (server.folder / "events").rglob("*") if one.is_file())
    assert b"SparkListenerSQLExecutionStart" in written


def test_the_search_finds_a_key_that_is_in_a_plan(
    session: SparkSession, server: ConnectServer, tmp_path: Path, capsys: Any
) -> None:
    """A key in a closure or in an expression is found: the test above can fail."""
    held = PLAIN

    def leaks(batches: Any) -> Any:
        return (batch for batch in batches if held)

    frame = session.range(1).selectExpr("id", f"'{SECRET_KEY}' AS key").mapInArrow(leaks, "id BIGINT, key STRING")
    frame.explain(extended=True)
    assert forms_in(capsys.readouterr().out)
    assert forms_in(frame._plan.to_proto(session.client).SerializeToString())
    frame.write.parquet(str(tmp_path / "out"))
    assert files_with_the_key(tmp_path)


def test_without_a_place_for_the_key_it_is_refused_in_one_line(
    session: SparkSession, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """The plan would hold the key. So would the password of a shared limit, but not an address without one."""
    calls = sandbox.stats().calls
    cases: list[tuple[dict[str, Any], str]] = [
        ({"api_key": SECRET_KEY}, r'this is Spark Connect, whose plans would hold the key: give api_key={"env": NAME}'),
        ({"api_key": None}, "this is Spark Connect"),
        ({"api_key": {"secret": "scope/name"}}, r"cannot read a secret of a scope: set an environment variable of the"),
        ({"api_key": {"vault": "name"}}, "api_key has the type dict; expected text, {env: NAME} or {file: PATH}"),
        ({"share": "redis://:pass@host"}, r'the password: give share={"env": NAME}'),
        ({"share": SHARE, "rate_limit": "none"}, "share needs a declared limit"),
        ({"report": "dbfs:/loads/report"}, "a ledger cannot be next to dbfs:/loads/report"),
    ]
    for wrong, said in cases:
        with pytest.raises(SettingsError, match=said) as refused:
            load_events(events(session, 5), MAPPING, **(options(sandbox, tmp_path, rate_limit="9/s") | wrong))
        assert "\n" not in str(refused.value)
        assert forms_in(str(refused.value)) == []
    assert sandbox.stats().calls == calls


def test_a_dry_run_needs_no_key(session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the client nor a worker has one."""
    monkeypatch.delenv("INTERAKT_API_KEY")
    result = load_events(
        events(session, 50), MAPPING, report=str(tmp_path / "report"), dry_run=True, base_url="http://127.0.0.1:1"
    )
    assert (result.unsent, result.ok, result.stopped) == (50, True, None)


@pytest.mark.parametrize("place", [{"env": "NOT_SET_HERE"}, {"file": "/nowhere/key"}])
def test_a_worker_without_the_key_sends_nothing_and_says_where_it_looked(
    session: SparkSession, sandbox: SandboxProcess, tmp_path: Path, place: dict[str, str]
) -> None:
    """No exception, because Spark would run the task again."""
    calls = sandbox.stats().calls
    frame = session.createDataFrame([("a",), (None,)], "user string").selectExpr("user", "1 AS n")
    result = load_events(frame, MAPPING, **options(sandbox, tmp_path, api_key=place))
    assert (result.rows, result.unsent, result.invalid) == (2, 1, 1)
    assert result.stopped is not None
    assert result.stopped.reason == "secret_missing"
    (looked_in,) = place.values()
    assert looked_in in result.stopped.message
    assert result.exit_code == 3
    assert sandbox.stats().calls == calls


def test_a_key_in_a_file_of_the_workers(
    session: SparkSession, sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client finds it there too, and so needs no other."""
    monkeypatch.delenv("INTERAKT_API_KEY")
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(SECRET_KEY, encoding="utf-8")
    result = load_events(events(session, 10), MAPPING, **options(sandbox, tmp_path, api_key={"file": str(key)}))
    assert result.sent == 10


def test_the_ledger_needs_a_key_here_and_none_does_without(
    session: SparkSession, sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client opens the ledger with the key. Without a ledger, only the workers know it."""
    monkeypatch.delenv("INTERAKT_API_KEY")
    with pytest.raises(SettingsError, match="set INTERAKT_API_KEY here; or give ledger='none'"):
        load_events(events(session, 10), MAPPING, **options(sandbox, tmp_path))
    assert load_events(events(session, 10), MAPPING, **options(sandbox, tmp_path, ledger="none")).sent == 10


def test_the_servers_own_settings_are_seen(session: SparkSession) -> None:
    """So `spark.speculation` of the server is, which is set when it starts."""
    assert session.conf.get("spark.eventLog.enabled") == "true"


def test_a_report_is_overwritten_and_nothing_else_is(
    session: SparkSession, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """A folder that holds other files is refused, and an empty one is used."""
    (tmp_path / "report").mkdir()
    assert load_events(events(session, 5), MAPPING, **options(sandbox, tmp_path)).sent == 5
    assert load_events(events(session, 5), MAPPING, **options(sandbox, tmp_path)).unchanged == 5
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="exists already and is not a report"):
        load_events(events(session, 5), MAPPING, **options(sandbox, tmp_path, report=str(tmp_path / "other")))


def test_only_mapped_columns_reach_python(session: SparkSession, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """An interval does no harm there."""
    frame = session.range(3).selectExpr("id AS `a.b`", "interval 1 month AS i", "named_struct('x y', id) AS s")
    result = load_users(frame, {"user_id": "a.b", "traits": ["s.x y"]}, **options(sandbox, tmp_path))
    assert result.sent == 3
    user = sandbox.find_user("2")
    assert user is not None
    assert user.traits == {"s.x y": 2}


def test_the_frame_can_be_loaded_from_here(session: SparkSession, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """`interakt_loader.load_events` reads its rows through the server: no worker needs the key."""
    calls = sandbox.stats().calls
    result = load_events_here(
        events(session, 40), MAPPING, api_key=SECRET_KEY, base_url=sandbox.url, ledger=tmp_path / "here.ledger"
    )
    assert (result.sent, sandbox.stats().calls - calls) == (40, 40)


def test_a_stream_is_loaded_by_its_batches(session: SparkSession, tmp_path: Path) -> None:
    """Spark runs the function of `foreachBatch` on the server, which reads the key as its workers do."""
    stream.write(session, tmp_path, 2)
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        stream.load_stream(session, tmp_path, api_key=KEY, base_url=sandbox.url, partitions=2)
        assert arrived(sandbox) == Counter(range(2 * stream.BATCH))


def _check_kill(result: LoadResult, sandbox: SandboxProcess, what: str) -> None:
    came = arrived(sandbox)
    twice = {n for n, times in came.items() if times > 1}
    print(f"{what}: {sandbox.stats().accepted:,} calls accepted for 2,000 rows, {len(twice)} twice")
    assert result.sent + result.unchanged == result.rows == 2000
    assert set(came) == set(range(2000))
    assert max(came.values()) <= 2
    assert len(twice) <= 8
    assert result.unchanged > 0
    assert result.summary.maybe_duplicates >= len(twice)


@pytest.mark.parametrize("victim", ["worker", "executor"])
def test_a_kill_costs_calls_in_flight_only(session: SparkSession, tmp_path: Path, victim: str) -> None:
    """No row is lost, and events that may be there twice are marked: at most those in flight."""
    find = executor_of if victim == "executor" else int
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY, latency=0.02)) as sandbox:
        frame = events(session, 2000)
        to = {"api_key": KEY, "workers": 8, "partitions": 2}
        _check_kill(load_and_kill(frame, sandbox, tmp_path, find, **to), sandbox, f"{victim} killed over Connect")


CLIENT = """
import sys
from pyspark.sql import SparkSession
from interakt_loader.integrations.spark import load_events
from tests.external.spark.loads import MAPPING, events

remote, url, report = sys.argv[1:]
session = SparkSession.builder.remote(remote).getOrCreate()
load_events(events(session, 2000), MAPPING, api_key={"env": "MARKED_KEY"}, base_url=url, report=report, workers=8,
    partitions=2)
"""


def test_a_client_that_is_killed_loses_nothing(session: SparkSession, server: ConnectServer, tmp_path: Path) -> None:
    """The server continues its job. The next load waits for the ledgers, and no event is sent twice."""
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY, latency=0.02)) as sandbox:
        report = str(tmp_path / "report")
        environment = without_the_key() | {"INTERAKT_API_KEY": SECRET_KEY}
        command = [sys.executable, "-W", "ignore", "-c", CLIENT, server.url, sandbox.url, report]
        with subprocess.Popen(command, env=environment) as client:
            assert forms_in(said_of([client.pid], "cmdline")) == []
            wait_for(sandbox, 200)
            client.send_signal(signal.SIGKILL)
        to = options(sandbox, tmp_path, workers=8, partitions=2)
        _check_kill(load_events(events(session, 2000), MAPPING, **to), sandbox, "client killed")
