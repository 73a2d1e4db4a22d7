"""Real Spark sessions, and the processes that belong to them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest
from pyspark.sql import SparkSession

# before the first session: workers must be this interpreter, and talk to the driver on this machine
os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spark warns of pandas 3 wherever Arrow is used; nothing here goes through pandas."""
    for item in items:
        if "external/spark" in item.nodeid:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
            )


@contextmanager
def running(master: str, **conf: str) -> Iterator[SparkSession]:
    """Run a session of its own: one at a time is all that a process can have."""
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false").config("spark.sql.session.timeZone", "UTC")
    for name, value in conf.items():
        builder = builder.config(f"spark.{name.replace('_', '.')}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
        shutil.rmtree(Path(pyspark.__file__).parent / "work", ignore_errors=True)  # of local-cluster's workers


@pytest.fixture(scope="module")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark writes down all that its UI would show: plans, settings, tasks."""
    return tmp_path_factory.mktemp("event-log")


def parents() -> dict[int, int]:
    """Return the parent of each process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        found[int(stat.parent.name)] = int(fields[1])
    return found


def senders(folder: Path) -> list[int]:
    """Return the processes that hold a part of a ledger in this folder open: the workers that are just sending."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith(str(folder)) and ".parts/" in target and target.endswith(".ledger"):
            found.add(int(link.parts[2]))
    return sorted(found)


def executor_of(worker: int) -> int:
    """Return the JVM that a Python worker works for."""
    above = parents()
    pid = worker
    while Path(f"/proc/{pid}/exe").readlink().name != "java":
        pid = above[pid]
    return pid
