"""Loads that lose a process of Airflow: no row is lost, and no event is sent twice but for the calls in flight."""

from __future__ import annotations

import csv
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from interakt_loader.sandbox import SandboxProcess
from tests.external.airflow.live.processes import LiveAirflow, wait_until
from tests.external.airflow.test_dags import numbered, statuses, write

ROWS = 200
WORKERS = 4


@pytest.fixture
def run(live: LiveAirflow, api: SandboxProcess, tmp_path: Path) -> Iterator[str]:
    """A load that is at work: some calls were accepted, and some are in flight."""
    source = write(tmp_path / "visits.parquet", numbered(ROWS))
    begun = live.trigger("visits_after_a_crash", source=source, workers=WORKERS)
    wait_until(lambda: api.stats().accepted > 20, "calls go out")
    yield begun
    live.end(begun)


def twice(api: SandboxProcess, report: Path) -> set[str]:
    """Return the users whose event was stored twice. Each row has an event, and the report marks each double one."""
    counts = Counter(str(event.user_id) for event in api.events(limit=2 * ROWS))
    assert set(counts) == set(numbered(ROWS))
    double = {user for user, count in counts.items() if count > 1}
    assert set(counts.values()) <= {1, 2}
    with report.open(newline="") as file:
        marked = {line["user_id"] for line in csv.DictReader(file) if line["maybe_duplicate"] == "true"}
    assert double <= marked
    assert len(marked) <= WORKERS
    return double


def test_a_cleared_task_runs_again_and_makes_the_missing_calls(
    live: LiveAirflow, api: SandboxProcess, tmp_path: Path, run: str
) -> None:
    """It is drained first, so not even a call in flight is made again."""
    body = {"dry_run": False, "task_ids": ["load"], "dag_run_id": run.rpartition("/")[2], "only_failed": False}
    live.ask("POST", "/dags/visits_after_a_crash/clearTaskInstances", body)
    assert live.ended(run) == "success"
    assert twice(api, tmp_path / "visits.report.csv") == set()
    assert api.stats().calls == ROWS


def test_a_killed_task_runs_again(live: LiveAirflow, api: SandboxProcess, tmp_path: Path, run: str) -> None:
    """Its process gets SIGKILL. The retry makes the missing calls, and those in flight once more."""
    before = api.stats().accepted
    (task,) = live.task_processes()
    os.kill(task, signal.SIGKILL)
    assert live.ended(run) == "success"
    assert live.ask("GET", f"{run}/taskInstances/load")["try_number"] == 2
    twice(api, tmp_path / "visits.report.csv")
    assert before < ROWS <= api.stats().calls <= ROWS + WORKERS


@pytest.mark.parametrize("with_tasks", [False, True])
def test_a_scheduler_is_killed_and_started_again(
    live: LiveAirflow, api: SandboxProcess, tmp_path: Path, run: str, with_tasks: bool
) -> None:
    """Alone, its task continues or runs again; with its tasks, as the end of a container does, the task runs again."""
    live.restart_scheduler(with_tasks=with_tasks)
    assert live.ended(run) == "success"
    twice(api, tmp_path / "visits.report.csv")
    assert not with_tasks or statuses(tmp_path / "visits.report.csv")["unchanged"] > 10
    assert ROWS <= api.stats().calls <= ROWS + WORKERS
