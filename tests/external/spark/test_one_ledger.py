"""One ledger for a laptop, Airflow and Spark: what one of them has sent, the others do not send again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from interakt_loader import LoadResult, MappingDict
from interakt_loader import load_events as load_events_here
from interakt_loader import load_users as load_users_here
from interakt_loader.errors import NotJustNow, UsageError
from interakt_loader.integrations.airflow import load_events_task, load_users_task
from interakt_loader.integrations.spark import load_events, load_users
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.spark.conftest import parents, running, senders
from tests.external.spark.loads import arrived, load_and_kill
from tests.seen import EVENTS, csv, frame

USERS: MappingDict = {"user_id": "user", "traits": ["city", {"column": "since", "type": "date"}]}


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """Two slots, four tries a task."""
    with running("local[2,4]") as session:
        yield session


def to(sandbox: SandboxProcess, folder: Path, **options: Any) -> dict[str, Any]:
    return {
        "api_key": sandbox.api_key,
        "base_url": sandbox.url,
        "ledger": str(folder / "seen.ledger"),
        "name": "seen",
        **options,
    }


def counts(result: LoadResult | dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = result["status"] if isinstance(result, dict) else dict(result.summary.counts)
    return {status: count for status, count in found.items() if count}


def test_each_event_is_sent_once_on_the_way_from_a_laptop_to_airflow_to_spark_and_back(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """One file holds what all of them have sent. Each step has rows of the step before and new ones. Airflow's callable
    runs here without Airflow, which it does not need; `tests/external/airflow/test_one_ledger.py` has a real task."""
    options = to(sandbox_process, tmp_path)
    laptop = load_events_here(csv(tmp_path / "a.csv", 0, 40), EVENTS, **options)
    assert counts(laptop) == {"sent": 40}
    airflow = load_events_task(csv(tmp_path / "b.csv", 20, 80), EVENTS, **options)
    assert counts(airflow) == {"sent": 40, "unchanged": 20}
    report = str(tmp_path / "report")
    spark = load_events(frame(session, 60, 140), EVENTS, **options, report=report, partitions=3)
    assert counts(spark) == {"sent": 60, "unchanged": 20}
    assert spark.ledger == tmp_path / "seen.ledger"
    again = load_events(frame(session, 0, 150), EVENTS, **options, report=report, partitions=2)
    assert counts(again) == {"sent": 10, "unchanged": 140}
    back = load_events_here(csv(tmp_path / "c.csv", 0, 160), EVENTS, **options)
    assert counts(back) == {"sent": 10, "unchanged": 150}
    assert arrived(sandbox_process) == Counter(range(160))
    assert sorted(one.name for one in tmp_path.glob("seen.ledger*")) == ["seen.ledger"]


def test_a_changed_user_is_sent_once_whoever_sends_it(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """A user who changes between two steps: one call each time, and none for the others."""

    def table(city: str, count: int) -> str:
        path = tmp_path / "users.csv"
        lines = [f"u{n},{city if n == 5 else 'Pune'},2024-02-{n + 1:02}" for n in range(count)]
        path.write_text("\n".join(["user,city,since", *lines]) + "\n", encoding="utf-8")
        return str(path)

    def sdf(city: str, count: int) -> DataFrame:
        return session.range(count).selectExpr(
            "concat('u', id) AS user", f"CASE WHEN id = 5 THEN '{city}' ELSE 'Pune' END AS city",
            "date_add(date '2024-02-01', CAST(id AS INT)) AS since",
        )  # fmt: skip

    options = to(sandbox_process, tmp_path)
    report = str(tmp_path / "report")
    assert counts(load_users_here(table("Pune", 10), USERS, **options)) == {"sent": 10}
    assert counts(load_users(sdf("Goa", 12), USERS, **options, report=report)) == {"sent": 3, "unchanged": 9}
    assert counts(load_users_task(table("Goa", 12), USERS, **options)) == {"unchanged": 12}
    assert counts(load_users_task(table("Leh", 12), USERS, **options)) == {"sent": 1, "unchanged": 11}
    assert counts(load_users(sdf("Leh", 12), USERS, **options, report=report)) == {"unchanged": 12}
    user = sandbox_process.find_user("u5")
    assert user is not None
    assert user.traits["city"] == "Leh"


def test_events_whose_mapping_cannot_be_compared_are_refused(
    session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path
) -> None:
    """A frame has no source: without the name of the other loads, another mapping would send every event again. With
    the name, the mapping is compared."""
    options = to(sandbox_process, tmp_path)
    load_events_here(csv(tmp_path / "a.csv", 0, 10), EVENTS, **options)
    report = str(tmp_path / "report")
    with pytest.raises(UsageError, match=r"holds events of other loads, .* Give the name of that load: name=NAME;"):
        load_events(frame(session, 0, 10), EVENTS, **{**options, "name": None}, report=report)
    other: MappingDict = {**EVENTS, "traits": ["page"]}
    with pytest.raises(UsageError, match=r"the mapping is not the one by which ledger .* knows these events"):
        load_events(frame(session, 0, 10), other, **options, report=report)
    assert sandbox_process.stats().calls == 10


def test_a_laptop_continues_after_a_worker_of_spark_was_killed(session: SparkSession, tmp_path: Path) -> None:
    """At most the calls in flight of that worker arrive twice, marked; the laptop has nothing left to send."""
    with SandboxProcess(SandboxOptions(latency=0.02)) as sandbox:
        rows = frame(session, 0, 1200)
        result = load_and_kill(
            rows, sandbox, tmp_path, lambda worker: worker,
            mapping=EVENTS, workers=8, name="seen", ledger=str(tmp_path / "seen.ledger"),
        )  # fmt: skip
        assert result.sent + result.unchanged == 1200
        back = load_events_here(csv(tmp_path / "a.csv", 0, 1200), EVENTS, **to(sandbox, tmp_path))
        assert counts(back) == {"unchanged": 1200}
        came = arrived(sandbox)
        twice = {n for n, times in came.items() if times > 1}
        print(f"a worker killed, then a laptop: {sum(came.values())} calls accepted for 1,200 rows, {len(twice)} twice")
        assert set(came) == set(range(1200))
        assert len(twice) <= 8
        marked = back.to_pandas().query("maybe_duplicate")
        assert len(marked) >= len(twice)


DRIVER = """
import sys
from pathlib import Path
from tests.external.spark.conftest import running
from tests.external.spark.test_one_ledger import EVENTS, frame
from interakt_loader.integrations.spark import load_events
key, url, folder = sys.argv[1:]
with running("local[2,4]") as session:
    load_events(frame(session, 0, 1200), EVENTS, api_key=key, base_url=url, name="seen", workers=8,
                ledger=f"{folder}/seen.ledger", report=f"{folder}/report")
"""


def test_a_laptop_continues_after_the_driver_of_spark_was_killed(tmp_path: Path) -> None:
    """The driver and its JVM are killed while two tasks send. The laptop waits for the abandoned workers, if they still
    run, and merges what they have sent. No row is lost. At most the calls in flight arrive twice, and they are marked.
    """
    with SandboxProcess(SandboxOptions(latency=0.02)) as sandbox:
        command = [sys.executable, "-c", DRIVER, sandbox.api_key, sandbox.url, str(tmp_path)]
        driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while sandbox.stats().accepted < 300:
            assert time.monotonic() < until, "the load does not get on"
            assert driver.poll() is None
            time.sleep(0.01)
        assert len(senders(tmp_path)) == 2
        jvms = [pid for pid, parent in parents().items() if parent == driver.pid]
        for pid in (driver.pid, *jvms):
            os.kill(pid, signal.SIGKILL)
        driver.wait(20)
        refused = 0
        while True:
            try:
                back = load_events_here(csv(tmp_path / "a.csv", 0, 1300), EVENTS, **to(sandbox, tmp_path))
                break
            except NotJustNow:
                refused += 1
                assert time.monotonic() < until
                time.sleep(0.2)
        came = arrived(sandbox)
        twice = {n for n, times in came.items() if times > 1}
        print(
            f"the driver killed, then a laptop ({refused} times too early): {back.unchanged} unchanged, {back.sent} "
            f"sent; {sum(came.values())} calls accepted for 1,300 rows, {len(twice)} twice"
        )
        assert back.sent + back.unchanged == 1300
        assert back.unchanged >= 300 - 16
        assert set(came) == set(range(1300))
        assert max(came.values()) <= 2
        assert len(twice) <= 16
        assert len(back.to_pandas().query("maybe_duplicate")) >= len(twice)
        assert sorted(one.name for one in tmp_path.glob("seen.ledger*")) == ["seen.ledger"]
