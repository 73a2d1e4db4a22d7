"""Loads on `local[2,4]`: two tasks at once, each of which Spark tries four times."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import Row, SparkSession

from interakt_loader import LoadResult, MappingDict
from interakt_loader import load_events as load_events_here
from interakt_loader import load_users as load_users_here
from interakt_loader.errors import AnotherKey, MappingError, SettingsError, UsageError
from interakt_loader.integrations.spark import load_events, load_users
from interakt_loader.integrations.spark.load import _lines as lines_of
from interakt_loader.integrations.spark.task import CALLS, LINES, ddl
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.spark import stream
from tests.external.spark.conftest import running, senders
from tests.external.spark.loads import MAPPING, arrived, events, in_order, load_and_kill, target, wait_for
from tests.privacy.marked import SECRET_KEY, family, files_with_the_key, forms_in, said_of, without_the_key


@pytest.fixture(scope="module")
def session(event_log: Path) -> Iterator[SparkSession]:
    """Two slots, four tries a task, and everything that the UI would show written down."""
    with running(
        "local[2,4]", eventLog_enabled="true", eventLog_compress="false", eventLog_dir=event_log.as_uri()
    ) as session:
        yield session


def load(session: SparkSession, sandbox: SandboxProcess, folder: Path, count: int, **options: Any) -> LoadResult:
    to = target(sandbox, folder)
    return load_events(events(session, count), MAPPING, **(to | options))


def test_every_row_is_sent_once_and_each_users_in_order(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """One call a row: neither the counts nor the report make another."""
    result = load(session, sandbox_process, tmp_path, 1000)
    assert (result.rows, result.sent, result.attempts, result.ok) == (1000, 1000, 1000, True)
    assert arrived(sandbox_process) == Counter(range(1000))
    assert in_order(sandbox_process)
    assert sandbox_process.stats().calls == 1000
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["report.ledger"]


def test_the_report_has_a_line_for_each_row(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """Read back by Spark and by the loader alike, with the reasons of what was refused."""
    frame = session.createDataFrame([("a", "24"), (None, "25"), ("c", "old")], "id string, age string")
    result = load_users(
        frame,
        {"user_id": "id", "traits": [{"column": "age", "type": "number"}]},
        api_key=sandbox_process.api_key,
        base_url=sandbox_process.url,
        report=str(tmp_path / "report"),
    )
    assert session.read.parquet(str(tmp_path / "report")).count() == 3
    lines = result.to_arrow()
    assert lines.schema == OUTCOMES
    assert lines["status"].to_pylist() == ["sent", "invalid", "invalid"]
    assert lines["row"].to_pylist() == sorted(row.n for row in _numbered(frame))
    assert result.failures()["message"].tolist()[1] == "age: 'old' is not a number"
    assert {(one.code, one.count) for one in result.summary.top_reasons()} == {
        ("identity_missing", 1),
        ("not_a_number", 1),
    }
    assert "2 invalid" in result._repr_html_()
    assert result.write_html(tmp_path / "page.html").stat().st_size > 1000


def _numbered(frame: Any) -> list[Row]:
    from pyspark.sql import functions

    rows: list[Row] = frame.select(functions.monotonically_increasing_id().alias("n")).collect()
    return rows


def test_every_type_arrives_as_it_does_from_a_table(session: SparkSession, tmp_path: Path) -> None:
    """The same calls as of the same rows in an Arrow table: times, decimals, lists, structs and nothing at all."""
    when = dt.datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=dt.timezone.utc)
    rows = [
        Row(id="a", n=1, x=0.5, d=decimal.Decimal("12.50"), at=when, day=when.date(), ok=True, tags=["x", "y"],
            at_home=Row(city="Pune", pin="411001")),
        Row(id="b", n=None, x=None, d=None, at=None, day=None, ok=None, tags=None, at_home=None),
    ]  # fmt: skip
    schema = (
        "id string, n bigint, x double, d decimal(10,2), at timestamp, day date, ok boolean, tags array<string>, "
        "at_home struct<city string, pin string>"
    )
    frame = session.createDataFrame(rows, schema)
    mapping: MappingDict = {"user_id": "id", "traits": "*"}
    held = []
    for place in ("spark", "here"):
        with SandboxProcess() as sandbox:
            to: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url}
            if place == "spark":
                load_users(frame, mapping, **to, report=str(tmp_path / "report")).raise_for_failures()
            else:
                load_users_here(frame.toArrow(), mapping, **to).raise_for_failures()
            held.append({user.user_id: user.traits for user in sandbox.users()})
    assert held[0] == held[1]
    assert held[0]["a"]["at_home.city"] == "Pune"
    assert set(held[0]["a"]) == {"n", "x", "d", "at", "day", "ok", "tags", "at_home.city", "at_home.pin"}


def test_a_second_load_makes_the_missing_calls_only(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """Whatever failed goes out again, and what was accepted does not."""
    sandbox_process.force_for("u7", ["400"] * 3)
    first = load(session, sandbox_process, tmp_path, 300)
    assert (first.sent, first.rejected) == (297, 3)
    second = load(session, sandbox_process, tmp_path, 300)
    assert (second.sent, second.unchanged, second.ok) == (3, 297, True)
    assert arrived(sandbox_process) == Counter(range(300))


@pytest.mark.parametrize("by", ["state folder", "old key"])
def test_a_renewed_key_is_refused_before_any_call_and_same_account_goes_on(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The driver says it for all tasks, and its state folder has the secrets; without one the old key does."""
    options: dict[str, Any] = {"same_account": True}
    if by == "state folder":
        monkeypatch.setenv("INTERAKT_STATE_DIR", str(tmp_path / "state"))
    else:
        options["old_api_key"] = "the-old-key"
    with SandboxProcess(SandboxOptions(api_key="the-old-key")) as sandbox:
        port = sandbox.port
        assert load(session, sandbox, tmp_path, 30).sent == 30
    with SandboxProcess(SandboxOptions(api_key="the-new-key", port=port)) as sandbox:
        with pytest.raises(AnotherKey, match="same_account=True"):
            load(session, sandbox, tmp_path, 30)
        assert load(session, sandbox, tmp_path, 30, **options).unchanged == 30
        assert sandbox.stats().calls == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"the-old-key" in (held := path.read_bytes()) or b"the-new-key" in held] == []


def test_a_worker_that_dies_costs_its_calls_in_flight_only(session: SparkSession, tmp_path: Path) -> None:
    """Its task runs again and continues from its ledger: no row is lost, and possible duplicates are marked."""
    with SandboxProcess(SandboxOptions(latency=0.02)) as sandbox:
        frame = events(session, 2000)
        result = load_and_kill(frame, sandbox, tmp_path, lambda worker: worker, workers=8)
        came = arrived(sandbox)
        twice = {n for n, times in came.items() if times > 1}
        print(f"a worker killed: {sandbox.stats().accepted:,} calls accepted for 2,000 rows, {len(twice)} twice")
        assert result.rows == 2000
        assert result.sent + result.unchanged == 2000
        assert set(came) == set(range(2000))
        assert max(came.values()) <= 2
        assert len(twice) <= 8
        assert result.unchanged > 0
        assert result.summary.maybe_duplicates >= len(twice)


def test_both_tasks_together_hold_to_the_limit(session: SparkSession, tmp_path: Path) -> None:
    """Each has half of it: no second holds more than the account's calls."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        result = load(session, sandbox, tmp_path, 400, rate_limit="100/s")
        assert result.sent == 400
        times = sorted(sandbox.arrivals())
    assert max(sum(1 for one in times if at <= one < at + 1) for at in times) <= 101  # one may be delivered late
    assert result.options["rate_limit"] == "100/s"


def test_tasks_share_one_clock(session: SparkSession, tmp_path: Path) -> None:
    """With `share` a task may use what the others leave."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        share = f"sqlite:///{tmp_path / 'clock.db'}"
        result = load(session, sandbox, tmp_path, 400, rate_limit="100/s", share=share)
        assert result.sent == 400
        times = sorted(sandbox.arrivals())
    assert max(sum(1 for one in times if at <= one < at + 1) for at in times) <= 101


def test_a_dry_run_makes_no_call_and_no_ledger(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """Rows that could be sent are `unsent`."""
    result = load(session, sandbox_process, tmp_path, 50, dry_run=True)
    assert (result.unsent, result.ok, result.stopped) == (50, True, None)
    assert sandbox_process.stats().calls == 0
    assert not list(tmp_path.glob("*.ledger*"))


def test_a_refused_key_stops_the_load_without_an_error(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """Spark would run a task that raises again; the rows come back as unsent instead, with the reason."""
    result = load(session, sandbox_process, tmp_path, 100, api_key="d3Jvbmc6")
    assert result.stopped is not None
    assert result.stopped.reason == "key_refused"
    assert result.rows == 100
    assert result.sent == 0
    assert result.exit_code == 3


def test_a_part_that_cannot_be_had_stops_its_task_only(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of that task are unsent, and nothing is sent without a record of it. The next load says which file is
    damaged and what to do, and then knows what the other task has sent."""
    parts = tmp_path / "report.ledger.parts"

    def damaged(frame: Any) -> Any:
        (parts / "00001.ledger").write_bytes(b"this is no database, and never was one" * 200)
        return frame

    monkeypatch.setattr("interakt_loader.integrations.spark.load._lines", lambda *given: damaged(lines_of(*given)))
    result = load(session, sandbox_process, tmp_path, 120, partitions=2)
    monkeypatch.undo()
    assert result.unsent > 0
    assert result.sent + result.unsent == 120
    assert result.stopped is not None
    assert result.stopped.reason == "ledger_broken"
    with pytest.raises(SettingsError, match=r"parts/00001\.ledger: is no ledger, or a damaged one"):
        load(session, sandbox_process, tmp_path, 120, partitions=3)
    (parts / "00001.ledger").unlink()
    again = load(session, sandbox_process, tmp_path, 120, partitions=3)
    assert (again.sent, again.unchanged) == (result.unsent, result.sent)
    assert arrived(sandbox_process) == Counter(range(120))


def test_the_key_is_in_no_plan_and_in_nothing_that_is_written(
    session: SparkSession, event_log: Path, tmp_path: Path
) -> None:
    """No form of it is in the event log, with its plans and settings, in the report or in the ledger. None is in
    Spark's log at level INFO, or in the command line or environment of a process. After the load none is in Spark's
    temporary files: the broadcast is gone."""
    log = _log_to(session, tmp_path / "spark.log")
    try:
        with SandboxProcess(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
            result = load(session, sandbox, tmp_path, 20, mask=True)
            workers = family(os.getpid())
    finally:
        session.sparkContext.setLogLevel("OFF")
    assert result.sent == 20
    assert "DAGScheduler: Got job" in log.read_text(encoding="utf-8")
    assert forms_in(repr(result) + str(result.options)) == []
    temporary = Path(session.sparkContext._temp_dir)
    assert temporary.parent.stat().st_mode & 0o077 == 0  # which nobody else gets through
    for folder in (event_log, tmp_path, temporary):
        assert files_with_the_key(folder) == {}
    assert len([one for folder in (event_log, tmp_path) for one in folder.rglob("*") if one.is_file()]) > 6
    assert any(b"SparkListenerSQLExecutionStart" in one.read_bytes() for one in event_log.rglob("*") if one.is_file())
    assert (tmp_path / "report.ledger").stat().st_mode & 0o777 == 0o600
    lines = said_of(workers, "cmdline")
    assert b"java" in lines
    assert b"pyspark" in lines
    assert forms_in(lines + said_of(workers, "environ")) == []


def _log_to(session: SparkSession, path: Path) -> Path:
    """Have Spark log to a file, from level INFO on."""
    wanted = {
        "rootLogger.level": "info",
        "rootLogger.appenderRef.file.ref": "file",
        "appender.file.type": "File",
        "appender.file.name": "file",
        "appender.file.fileName": path,
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%p %c{1}: %m%n%ex",
    }
    properties = path.with_suffix(".properties")
    properties.write_text("".join(f"{name} = {value}\n" for name, value in wanted.items()), encoding="utf-8")
    jvm: Any = session.sparkContext._jvm
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(jvm.java.net.URI(properties.as_uri()))
    return path


def test_the_workers_mask_the_report(session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path) -> None:
    """With `mask`, no phone and no address leaves the task that sends it, into the report or the summary."""
    frame = session.createDataFrame(
        [("a@b.example", "9876543210"), ("u2", "123x4567890123")], "id string, phone string"
    )
    to = target(sandbox_process, tmp_path)
    result = load_users(frame, {"user_id": "id", "phone": "phone"}, mask=True, **to)
    lines = result.to_arrow().sort_by("row").to_pylist()
    assert [(one["user_id"], one["phone"]) for one in lines] == [
        ("•••@b.example", "•••••••210"),
        ("u2", "•••x•••••••123"),
    ]
    shown = str(lines) + result._repr_html_()
    assert "9876543210" not in shown
    assert "4567890123" not in shown
    assert sandbox_process.find_user("a@b.example") is not None


def test_what_cannot_be_is_refused_before_any_call(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """In one line each."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for options, said in [
        ({"report": None}, "report: name the folder where Spark writes the report"),
        ({"report": str(tmp_path / "other")}, "exists already and is not a report"),
        ({"report": "s3://bucket/report"}, "ledger: expected a path that all workers see"),
        ({"base_url": "https://api.example"}, "rate_limit: say what the account allows"),
        ({"limit": 5}, "limit cannot be had with Spark"),
        ({"partitions": 0}, "partitions is 0; expected a whole number of at least 1"),
        ({"rate_limit": "1/s", "partitions": 2}, "less than a call each"),
        ({"coalesce": True}, "coalesce is for users"),
        ({"resend": True}, "resend cannot be had with Spark"),
        ({"ledger": str(tmp_path / "report" / "own.ledger")}, "is inside the report"),
        ({"report": "what:/report", "ledger": "none"}, r"report what:/report: Spark cannot look there \(.*\); nothing"),
        ({"report": "file:report", "ledger": "none"}, "file:report: holds ':', which Spark cannot read"),
        ({"report": "/proc/report", "ledger": "none"}, "report /proc/report: Spark cannot write there"),
        ({"report": str(tmp_path / "report[1]")}, "which Spark cannot read in a path"),
    ]:
        with pytest.raises(SettingsError, match=said):
            load(session, sandbox_process, tmp_path, 10, **options)  # type: ignore[arg-type]
    to: dict[str, Any] = {
        "api_key": sandbox_process.api_key,
        "base_url": sandbox_process.url,
        "report": str(tmp_path / "report"),
    }
    with pytest.raises(MappingError, match="no such column: 'nowhere'"):
        load_users(events(session, 10), {"user_id": "nowhere"}, **to)
    assert sandbox_process.stats().calls == 0


def test_a_relative_report_is_in_the_working_folder(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of this process, as its ledger is. Spark's own working folder is another one by now."""
    monkeypatch.chdir(tmp_path)
    result = load(session, sandbox_process, tmp_path, 10, report="report")
    assert (result.sent, len(result.to_pandas())) == (10, 10)
    assert {one.name for one in tmp_path.iterdir()} == {"report", "report.ledger"}


def test_a_query_that_fails_leaves_the_ledger_to_another_mapping(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """Nothing was sent, so the mapping of that load is nothing that later ones are compared with."""
    frame = session.createDataFrame([("a", "x"), ("b", "y")], "id string, name string")
    frame = frame.selectExpr("id", "name", "raise_error('no') AS number")
    to: dict[str, Any] = {
        "api_key": sandbox_process.api_key,
        "base_url": sandbox_process.url,
        "report": str(tmp_path / "report"),
        "name": "orders",
    }
    mapping = {"user_id": "id", "event": {"value": "Seen"}, "created_at": {"value": "2024-01-01T00:00:00Z"}}
    with pytest.raises(Exception, match="USER_RAISED_EXCEPTION"):
        load_events(frame, {**mapping, "traits": ["number"]}, **to)
    assert load_events(frame, {**mapping, "traits": ["name"]}, **to).sent == 2


def test_the_number_of_partitions_may_change(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """There is one ledger, whatever number of tasks sent what it holds."""
    assert load(session, sandbox_process, tmp_path, 100, partitions=3).sent == 100
    assert load(session, sandbox_process, tmp_path, 100, partitions=2).unchanged == 100
    assert load(session, sandbox_process, tmp_path, 100).unchanged == 100
    assert arrived(sandbox_process) == Counter(range(100))


def test_a_mapping_is_found_out_as_elsewhere(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """From the columns and the first rows."""
    frame = session.createDataFrame([("C-1", "9876543210"), ("C-2", "9812345678")], "customer_id string, mobile string")
    to: dict[str, Any] = {
        "api_key": sandbox_process.api_key,
        "base_url": sandbox_process.url,
        "report": str(tmp_path / "report"),
    }
    assert load_users(frame, **to).sent == 2
    assert sandbox_process.find_user("C-1") is not None
    assert sandbox_process.find_user("+919812345678") is not None


@pytest.mark.parametrize("schema", [CALLS, LINES], ids=["calls", "lines"])
def test_sparks_schemas_are_those_of_the_batches(session: SparkSession, schema: pa.Schema) -> None:
    """Position by position: Spark casts nothing, and finds a wrong type out only after the calls."""
    sparks = session.createDataFrame([], ddl(schema)).toArrow().schema
    assert [(one.name, one.type) for one in sparks] == [(one.name, one.type) for one in schema]


def test_no_process_of_a_load_is_left(session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path) -> None:
    """Once the load is back, nobody holds the ledger: the next load can have it at once."""

    load(session, sandbox_process, tmp_path, 50)
    assert senders(tmp_path) == []


def test_a_stream_that_is_killed_in_a_batch_sends_no_event_twice(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch runs again from the checkpoint. Its ledger knows what was accepted; calls in flight are marked."""
    monkeypatch.setenv("INTERAKT_API_KEY", SECRET_KEY)
    stream.write(session, tmp_path, 2)
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY, latency=0.02)) as sandbox:
        command = [sys.executable, "-W", "ignore", "-m", "tests.external.spark.stream", str(tmp_path), sandbox.url]
        with subprocess.Popen(
            command, env=without_the_key() | {"INTERAKT_API_KEY": SECRET_KEY}, start_new_session=True
        ) as killed:
            wait_for(sandbox, 200)
            os.killpg(killed.pid, signal.SIGKILL)
        stream.load_stream(session, tmp_path, base_url=sandbox.url, workers=8, partitions=2)
        came = arrived(sandbox)
    assert [*(one.name for one in sorted((tmp_path / "reports").iterdir()))] == ["0", "1"]
    lines = session.read.parquet(*(f"{tmp_path}/reports/{batch}" for batch in range(2))).toArrow()
    statuses = Counter(lines["status"].to_pylist())
    twice = {n for n, times in came.items() if times > 1}
    print(f"a stream killed: {came.total():,} events accepted of {2 * stream.BATCH:,}, {len(twice)} twice; {statuses}")
    assert set(came) == set(range(2 * stream.BATCH))
    assert max(came.values()) <= 2
    assert len(twice) <= 16
    assert statuses["sent"] + statuses["unchanged"] == 2 * stream.BATCH
    assert statuses["unchanged"] >= 200 - 16
    assert sum(lines["maybe_duplicate"].to_pylist()) >= len(twice)


def test_a_stream_is_refused_with_the_way_to_load_it(session: SparkSession, tmp_path: Path) -> None:
    """In one line, on Spark's workers and from this machine."""
    frame = session.readStream.format("rate").load().selectExpr("CAST(value AS STRING) AS user", "value AS n")
    for load_it in (load_events, load_events_here):
        with pytest.raises(UsageError, match=r"is a stream: .*stream\.writeStream\.foreachBatch\(") as refused:
            load_it(frame, MAPPING, report=str(tmp_path / "report"), base_url="http://127.0.0.1:1", api_key="aGVsbG8=")
        assert "\n" not in str(refused.value)


def test_the_workers_of_a_classic_session_read_the_key_too(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """From a file, and then there is no broadcast. A report at `file:` is a path, with its ledger beside it."""
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(sandbox_process.api_key, encoding="utf-8")
    result = load(session, sandbox_process, tmp_path, 30, api_key={"file": str(key)}, report=f"file:{tmp_path}/out")
    assert (result.sent, result.report, result.ledger) == (30, tmp_path / "out", tmp_path / "out.ledger")
    assert result.as_dict()["report"] == str(tmp_path / "out")
    assert result.to_arrow().num_rows == 30
    assert (tmp_path / "out.ledger").is_file()
    key.unlink()
    missing = load(session, sandbox_process, tmp_path, 30, api_key={"file": str(key)}, ledger="none")
    assert (missing.unsent, missing.sent) == (30, 0)
    assert missing.stopped is not None
    assert missing.stopped.reason == "secret_missing"
