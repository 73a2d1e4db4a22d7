"""Loads whose rows can be told apart at the sandbox, and what came of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from interakt_loader import LoadResult, MappingDict
from interakt_loader.integrations.spark import load_events
from interakt_loader.sandbox import SandboxProcess
from tests.external.spark.conftest import senders

USERS = 60

MAPPING: MappingDict = {"user_id": "user", "event": {"value": "Seen"}, "traits": ["n"]}


def events(session: SparkSession, count: int) -> DataFrame:
    """Return events numbered by `n`, each user's in order."""
    return session.range(count, numPartitions=3).selectExpr(f"concat('u', id % {USERS}) AS user", "id AS n")


def target(sandbox: SandboxProcess, folder: Path) -> dict[str, Any]:
    """Return the options by which a load goes to a sandbox, with its report in this folder."""
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "report": str(folder / "report")}


def arrived(sandbox: SandboxProcess) -> Counter[int]:
    """Return how often each event was accepted."""
    return Counter(one.traits["n"] for one in sandbox.events())


def in_order(sandbox: SandboxProcess) -> bool:
    """Tell whether every user's events arrived in order, an event that came twice counted where it came last."""
    of_user: dict[str, list[int]] = {}
    for one in sandbox.events():
        of_user.setdefault(one.user_id or "", []).append(one.traits["n"])
    return all(numbers == sorted(numbers) for numbers in of_user.values())


def load_and_kill(
    frame: DataFrame,
    sandbox: SandboxProcess,
    folder: Path,
    victim: Callable[[int], int],
    mapping: Any = MAPPING,
    **options: Any,
) -> LoadResult:
    """Load events; once 200 have been accepted, kill the process that belongs to one of the workers that send."""
    results: list[LoadResult] = []

    def load() -> None:
        results.append(load_events(frame, mapping, **(target(sandbox, folder) | options)))

    thread = threading.Thread(target=load)
    thread.start()
    wait_for(sandbox, 200)
    os.kill(victim(senders(folder)[0]), signal.SIGKILL)
    thread.join(timeout=100)
    assert not thread.is_alive()
    return results[0]


def wait_for(sandbox: SandboxProcess, calls: int) -> None:
    """Wait until so many calls have been accepted."""
    deadline = time.monotonic() + 90
    while sandbox.stats().accepted < calls:
        assert time.monotonic() < deadline, "the load does not get on"
        time.sleep(0.01)
