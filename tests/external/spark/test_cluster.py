"""Loads on `local-cluster[2,1,1024]`: a master and two executors in processes of their own, as on real clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from interakt_loader.integrations.spark import load_events
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.spark.conftest import executor_of, running
from tests.external.spark.loads import MAPPING, arrived, events, in_order, load_and_kill


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """Two executors of one core each."""
    with running("local-cluster[2,1,1024]") as session:
        yield session


def test_both_executors_send(session: SparkSession, sandbox_process: SandboxProcess, tmp_path: Path) -> None:
    """Every row once, each user's in order."""
    to: dict[str, Any] = {
        "api_key": sandbox_process.api_key,
        "base_url": sandbox_process.url,
        "report": str(tmp_path / "report"),
    }
    result = load_events(events(session, 600), MAPPING, partitions=2, **to)
    assert (result.sent, result.ok) == (600, True)
    assert arrived(sandbox_process) == Counter(range(600))
    assert in_order(sandbox_process)


def test_an_executor_that_dies_costs_its_calls_in_flight_only(session: SparkSession, tmp_path: Path) -> None:
    """With it go its part of the shuffled rows: Spark makes them again, and the ledger knows what was accepted."""
    with SandboxProcess(SandboxOptions(latency=0.02)) as sandbox:
        frame = events(session, 2000)
        result = load_and_kill(frame, sandbox, tmp_path, executor_of, workers=8, partitions=2)
        came = arrived(sandbox)
        twice = {n for n, times in came.items() if times > 1}
        print(f"an executor killed: {sandbox.stats().accepted:,} calls accepted for 2,000 rows, {len(twice)} twice")
        assert result.rows == 2000
        assert result.sent + result.unchanged == 2000
        assert set(came) == set(range(2000))
        assert max(came.values()) <= 2
        assert len(twice) <= 8
        assert result.unchanged > 0
        assert result.summary.maybe_duplicates >= len(twice)
