"""Loads under a real scheduler, which runs each task in a supervised process of its own."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pandas as pd

from interakt_loader.sandbox import SandboxProcess
from tests.external.airflow.conftest import KEY
from tests.external.airflow.live.processes import LiveAirflow, wait_until
from tests.external.airflow.test_dags import numbered, statuses, write
from tests.external.airflow.test_rows import MARKS, database, write_rows


def test_a_task_that_is_marked_failed_is_drained(live: LiveAirflow, api: SandboxProcess, tmp_path: Path) -> None:
    """Somebody marks the running task as failed. Its process gets SIGTERM, finishes and records the calls in flight,
    and writes the report. The next run makes only the missing calls."""
    source = write(tmp_path / "visits.parquet", numbered(400))
    first = live.trigger("visits", source=source)
    wait_until(lambda: api.stats().accepted > 10, "calls go out")
    live.ask("PATCH", f"{first}/taskInstances/load", {"new_state": "failed"})
    log = live.log(first, "load")
    wait_until(lambda: "stopped: the task was killed" in log.read_text(), "the load ends")
    accepted = api.stats().accepted
    assert 10 < accepted < 400
    assert api.stats().calls == accepted
    assert statuses(tmp_path / "visits.report.csv") == {"sent": accepted, "unsent": 400 - accepted}
    assert live.ended(live.trigger("visits", source=source, workers=64)) == "success"
    assert api.stats().calls == len(api.events()) == 400


def test_tasks_at_once_hold_to_one_limit(live: LiveAirflow, api: SandboxProcess, tmp_path: Path) -> None:
    """The example's fan-out: three processes at once declare 30 calls a second for all of them, and together make no
    more. What a busy machine delivers late arrives in a heap, so the whole load is looked at, not each second."""
    for number in range(3):
        frame = pd.DataFrame({"customer_id": [f"c{number}-{row}" for row in range(60)], "amount": 1})
        frame["ordered_at"] = pd.Timestamp("2025-01-01T10:00:00Z")
        frame.to_parquet(tmp_path / f"orders-{number}.parquet")
    run = live.trigger("interakt_orders_by_file", folder=str(tmp_path), rate_limit="30/s")
    assert live.ended(run) == "success"
    total = live.ask("GET", f"{run}/taskInstances/total/xcomEntries/return_value?deserialize=true")
    assert total["value"] == {"rows": 180, "sent": 180}
    users = [event.user_id.partition("-")[0] for event in api.events(limit=180) if event.user_id]
    assert len(set(users[60:120])) > 1  # they were at it at the same time
    arrivals = api.arrivals()
    assert arrivals[-1] - arrivals[0] > 5  # 179 calls after the first take 6 s at 30 a second; two limits would take 3


def test_a_pool_of_one_slot_leaves_the_other_slots_to_other_tasks(
    live: LiveAirflow, api: SandboxProcess, tmp_path: Path
) -> None:
    """Three loads could take all three slots of the executor. In the pool they run one after another, and another DAG
    runs while the first of them does."""
    for name in "abc":
        write(tmp_path / f"{name}.parquet", [f"{name}{user}" for user in numbered(70)])
    live.ask("POST", "/pools", {"name": "interakt_api", "slots": 1})
    loads = live.trigger("visits_in_a_pool", folder=str(tmp_path), rate_limit="20/s")
    wait_until(lambda: api.stats().accepted, "the first load is at work")
    assert live.ended(live.trigger("by_hook")) == "success"
    tasks = live.ask("GET", f"{loads}/taskInstances")["task_instances"]
    assert [one["state"] for one in tasks].count("success") < 3
    assert [one["state"] for one in tasks].count("running") <= 1
    assert live.ended(loads) == "success"
    spans = sorted(
        (one["start_date"], one["end_date"]) for one in live.ask("GET", f"{loads}/taskInstances")["task_instances"]
    )
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_the_key_is_in_no_log_file(live: LiveAirflow, tmp_path: Path) -> None:
    """After a run that fails: neither in the task's log nor in any other file of Airflow's home."""
    run = live.trigger("visits", source=write(tmp_path / "a.parquet", ["u1", None]))
    assert live.ended(run) == "failed"
    lines = [json.loads(line) for line in live.log(run, "load").read_text().splitlines()]
    assert any("1 sent, 1 invalid" in line["event"] for line in lines)
    files = [path for path in live.home.rglob("*") if path.is_file()]
    for form in (KEY, KEY.rstrip("="), "secret-key-of-the-tests"):
        assert [path for path in files if form.encode() in path.read_bytes()] == []


def test_no_row_of_a_task_is_in_a_log_file_or_in_the_database(live: LiveAirflow, tmp_path: Path) -> None:
    """Two mapped loads of rows, one of which fails: its log has the whole error. XCom has the rows, as the first task
    has returned them."""
    run = live.trigger("rows_of_mapped_tasks", rows=write_rows(tmp_path), report=f"{tmp_path}/reports/")
    assert live.ended(run) == "failed"
    logs = [path for path in live.home.rglob("*") if path.suffix in (".log", ".out")]
    assert any("RowsFailed" in path.read_text(errors="replace") for path in logs)
    labels = [one["rendered_map_index"] for one in live.ask("GET", f"{run}/taskInstances")["task_instances"]]
    assert {"<list of 2 rows>", "<list of 1 row>"} <= set(labels)
    shown = "\n".join([database(live.home), *(path.read_text(errors="replace") for path in logs)])
    assert [mark for mark in MARKS if mark in shown] == []
