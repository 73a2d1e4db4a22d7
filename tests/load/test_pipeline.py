"""The pipeline from end to end, with the real sandbox: no row is lost or reported twice, in order, within the bound."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.load.job import Job
from interakt_loader.load.pipeline import deliver
from interakt_loader.mapping import Mapping
from interakt_loader.model import Status
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings import Settings

EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "traits": ["number"]}
USERS: MappingDict = {"user_id": "user", "traits": ["number"]}


def visits(users: int, each: int) -> pd.DataFrame:
    """Return `each` rows for each of the users, interleaved, numbered in the order of the table."""
    numbers = range(users * each)
    return pd.DataFrame({"user": [f"u{number % users}" for number in numbers], "number": numbers})


def to(sandbox: Sandbox | SandboxProcess, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, **options}


def test_each_row_becomes_one_call_and_one_line(sandbox: Sandbox) -> None:
    """500 rows: 500 calls, 500 events in the sandbox with their own values, 500 lines numbered 0 to 499."""
    result = load_events(visits(500, 1), EVENTS, **to(sandbox))
    assert (result.rows, result.sent, result.attempts, result.ok) == (500, 500, 500, True)
    assert sorted(event.traits["number"] for event in sandbox.events()) == list(range(500))
    assert result.to_pandas()["row"].tolist() == list(range(500))


@pytest.mark.timeout(300)
def test_under_faults_of_every_kind_no_row_is_lost_or_told_twice_and_order_is_kept() -> None:
    """300 users with 20 rows each, 16 workers, 10 % faults of every kind: every row has one line in the report.

    Rows that are called sent are in the sandbox, those that are there twice are marked, and each user's events are in
    the table's order.
    """
    share = "1.25%"
    kinds = ("500", "503", "reset", "cut", "html502", "garbage", "429", "429-retry-after")
    faults = ",".join(f"{kind}={share}" for kind in kinds) + ",hang=0.1%"
    options = SandboxOptions(faults=faults, fault_retry_after="0", seed=11)
    with SandboxProcess(options) as sandbox:
        frame = visits(300, 20)
        result = load_events(frame, EVENTS, **to(sandbox, timeout=1, rate_limit=None, max_retries=8, workers=16))
        arrived = sandbox.events()
        stats = sandbox.stats()
    assert set(stats.faults) == {*kinds, "hang"}
    lines = result.to_pandas()
    assert lines["row"].tolist() == list(range(6000))
    copies = Counter(int(event.traits["number"]) for event in arrived)
    assert {row for row in lines["row"] if copies[row] == 0} == set(lines["row"][lines["status"] != "sent"])
    more_than_once = {row for row, count in copies.items() if count > 1}
    assert more_than_once
    assert more_than_once <= set(lines["row"][lines["maybe_duplicate"]])
    order: dict[str | None, list[int]] = defaultdict(list)
    for event in arrived:
        number = int(event.traits["number"])
        if number not in order[event.user_id]:
            order[event.user_id].append(number)
    assert len(order) == 300
    assert all(numbers == sorted(numbers) for numbers in order.values())


def test_the_last_row_of_a_user_wins(sandbox: Sandbox) -> None:
    """Twenty updates of each user, 16 at a time: the sandbox ends with the table's last value for each."""
    sandbox.set_faults("500=10%")
    result = load_users(visits(20, 20), USERS, **to(sandbox, rate_limit=None, max_retries=10))
    assert result.sent == 400
    assert {user.user_id: user.traits["number"] for user in sandbox.users()} == {
        f"u{user}": 380 + user for user in range(20)
    }


def test_the_bound_is_never_passed_and_everything_arrives() -> None:
    """`max_queue_size=10`, a server that takes 1 ms, 10,000 rows: never more than 10 rows held, all arrive."""
    with SandboxProcess(SandboxOptions(latency=0.001)) as sandbox:
        result = load_events(visits(1000, 10), EVENTS, **to(sandbox, max_queue_size=10, workers=8))
        assert (result.sent, sandbox.stats().events) == (10_000, 10_000)
    assert 0 < result.most_held <= 10


def test_no_more_calls_are_in_flight_than_workers() -> None:
    """With 7 workers and a slow server, 7 calls are in flight at once, and never 8."""
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        load_events(visits(100, 2), EVENTS, **to(sandbox, workers=7))
        assert sandbox.stats().max_in_flight == 7


def test_a_429_is_waited_out_and_costs_no_row_its_retries(sandbox: Sandbox) -> None:
    """Ten 429s in a row and `max_retries=0`: every row is sent all the same."""
    sandbox.force(["429"] * 3)
    result = load_events(visits(50, 1), EVENTS, **to(sandbox, max_retries=0, workers=1))
    assert result.sent == 50
    assert sandbox.stats().by_status[429] == 3


def test_a_declared_rate_is_kept_at_the_server() -> None:
    """50 a second declared: no window of a second at the sandbox sees more, and two seconds see nearly as many."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        load_events(visits(100, 1), EVENTS, **to(sandbox, rate_limit="50/s"))
        arrivals = sandbox.arrivals()
    assert len(arrivals) == 100
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(arrivals))
    assert gaps[len(gaps) // 2] == pytest.approx(0.0202, abs=0.004)
    windows = [sum(start <= other < start + 1 for other in arrivals) for start in arrivals]
    assert max(windows) <= 51  # one more than declared by the unevenness of a busy machine's arrival times


def test_a_slow_user_delays_nobody_else() -> None:
    """One user's call hangs until its timeout; all other users' rows are sent meanwhile, by one more worker."""
    with Sandbox() as sandbox:
        sandbox.force_for("u0", ["hang"])
        result = load_events(visits(200, 1), EVENTS, **to(sandbox, workers=2, timeout=1.5))
        arrived = [event.user_id for event in sandbox.events()]
    assert result.sent == 200
    assert arrived[-1] == "u0"
    line = result.to_pandas().iloc[0]
    assert (line["attempts"], bool(line["maybe_duplicate"])) == (2, True)


def test_a_retry_comes_in_time_while_another_call_hangs(sandbox: Sandbox) -> None:
    """One of two consumers waits for an answer that never comes: the other still wakes for the retry that is due."""
    sandbox.force_for("u0", ["hang"])
    sandbox.force_for("u1", ["500"])
    result = load_events(visits(2, 1), EVENTS, **to(sandbox, workers=2, timeout=3))
    assert [event.user_id for event in sandbox.events()] == ["u1", "u0"]
    assert result.to_pandas()["attempts"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("forced", "status", "code", "doubt"),
    [
        (["cut"] * 4, Status.UNKNOWN, "connection_lost", True),
        (["reset"] * 4, Status.UNKNOWN, "connection_lost", True),
        (["500"] * 4, Status.FAILED, "server_error", False),
        (["garbage"] * 4, Status.UNKNOWN, "unreadable_answer", True),
        (["500", "500", "500", None], Status.SENT, None, False),
        (["cut", None], Status.SENT, None, True),
    ],
)
def test_how_a_row_with_faults_ends(
    sandbox: Sandbox, forced: list[str | None], status: Status, code: str | None, doubt: bool
) -> None:
    """Surely not accepted is `failed`, perhaps accepted is `unknown`, and a doubt is reported as `maybe_duplicate`."""
    other = pd.DataFrame({"user": [f"other{number}" for number in range(2000)], "number": range(1, 2001)})
    frame = pd.concat([visits(1, 1), other])  # others' answers show that it is no outage
    sandbox.force_for("u0", forced)
    result = load_events(frame, EVENTS, **to(sandbox, rate_limit="1000/s", workers=4))
    line = result.to_pandas().iloc[0]
    assert (line["status"], line["attempts"], bool(line["maybe_duplicate"])) == (status.value, len(forced), doubt)
    assert (line["code"] if isinstance(line["code"], str) else None) == code


def test_a_wrong_key_stops_the_load_at_once() -> None:
    """401: the load ends early, every row has its line, and only the calls in flight were made."""
    with Sandbox() as sandbox:
        result = load_events(visits(1000, 1), EVENTS, base_url=sandbox.url, api_key="wrong", workers=4)
        calls = sandbox.stats().calls
    assert result.stopped is not None
    assert result.stopped.reason == "key_refused"
    assert (result.rows, result.exit_code) == (1000, 3)
    assert result.rejected + result.unsent == 1000
    assert calls <= 8


def test_a_server_that_goes_away_and_comes_back_loses_nothing() -> None:
    """The server is stopped in mid-load and started again: everything is sent, no row has failed."""
    with Sandbox(SandboxOptions(latency=0.002)) as sandbox:
        half_way = threading.Event()

        def stop_and_start() -> None:
            while sandbox.stats().events < 300:
                time.sleep(0.005)
            sandbox.stop()
            half_way.set()
            time.sleep(1.0)
            sandbox.start()

        away = threading.Thread(target=stop_and_start)
        away.start()
        result = load_events(visits(1000, 1), EVENTS, **to(sandbox, max_retries=1))
        away.join()
        numbers = {event.traits["number"] for event in sandbox.events()}
    assert half_way.is_set()
    assert result.sent == 1000
    assert numbers == set(range(1000))


def test_nothing_reachable_ends_the_load_after_max_outage() -> None:
    """Nobody listens: the load stops with the reason, and every row is unsent."""
    with Sandbox() as sandbox:
        address = to(sandbox)
    result = load_events(visits(10, 1), EVENTS, **address, max_outage=1)
    assert result.stopped is not None
    assert result.stopped.reason == "outage"
    assert "could not connect" in result.stopped.message
    assert (result.unsent, result.exit_code) == (10, 3)


def test_on_error_hears_of_each_row_that_is_not_sent_and_may_raise(sandbox: Sandbox) -> None:
    """Rows that fail reach `on_error` with path and body; what it raises harms nobody."""
    heard: list[tuple[str, Any]] = []

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        heard.append((queue_msg["path"], queue_msg["body"].get("userId")))
        raise RuntimeError("of the user's own making")

    sandbox.force_for("u3", ["500"])
    result = load_events(visits(10, 1), EVENTS, **to(sandbox, max_retries=0, on_error=on_error))
    assert result.failed == 1
    assert heard == [("/v1/public/track/events/", "u3")]


def test_closing_the_line_early_ends_its_threads() -> None:
    """Somebody who takes one batch of outcomes and goes leaves no thread behind."""
    with Sandbox() as sandbox:
        settings = Settings(api_key=sandbox.api_key, base_url=sandbox.url, workers=3)
        batches = pa.Table.from_pandas(visits(30_000, 1)).to_batches(max_chunksize=500)
        line = deliver(iter(batches), Job(Mapping.of(EVENTS), "event", settings))
        assert next(line).num_rows
        assert isinstance(line, Generator)
        line.close()
        deadline = time.monotonic() + 10
        while any(thread.name.startswith("interakt-consumer") for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_outcomes_come_in_the_order_of_the_input(sandbox: Sandbox) -> None:
    """One row is retried for a while: all others are reported in order, and that one where its answer came."""
    sandbox.force_for("u5", ["500"])
    settings = Settings(api_key=sandbox.api_key, base_url=sandbox.url)
    batches = pa.Table.from_pandas(visits(3000, 1)).to_batches(max_chunksize=500)
    line = deliver(iter(batches), Job(Mapping.of(EVENTS), "event", settings))
    rows = [row for batch in line for row in batch["row"].to_pylist()]
    assert sorted(rows) == list(range(3000))
    out_of_order = sum(later < earlier for earlier, later in itertools.pairwise(rows))
    assert out_of_order <= 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_report_says_the_same_in_every_form(sandbox: Sandbox, tmp_path: Any, ending: str) -> None:
    """CSV, JSON lines and Parquet read back as the same table."""
    frame = pd.DataFrame({"user": ["1", None, "3"], "number": [1.5, math.nan, 3.0]})
    result = load_users(frame, USERS, **to(sandbox, report=tmp_path / f"out.{ending}"))
    lines = result.to_pandas()
    assert lines["status"].tolist() == ["sent", "invalid", "sent"]
    assert lines["code"].tolist()[1] == "identity_missing"
    assert lines["http_status"].tolist()[0] == 202
    copy = result.write_report(tmp_path / "copy.parquet")
    assert pa.parquet.read_table(copy).sort_by("row").equals(result.to_arrow())
