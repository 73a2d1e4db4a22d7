"""Real Spark sessions, and the processes that belong to them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyspark
import pytest
from pyspark.sql import SparkSession

# before the first session: workers must be this interpreter, and talk to the driver on this machine
os.environ |= {
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_LOCAL_IP": "127.0.0.1",
    # each JVM lives for a minute: optimizing its code would take longer than it saves
    "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


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
    builder = builder.config("spark.sql.shuffle.partitions", "4")
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


class ConnectServer(NamedTuple):
    """A server of Spark Connect in processes of its own: a master, and two executors of one core each."""

    url: str
    folder: Path
    """All that it writes: its log, the event log, the files of its executors."""

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


@contextmanager
def connect_server(folder: Path, environment: dict[str, str]) -> Iterator[ConnectServer]:
    """Run a server whose workers have these variables in their environment, besides its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = Path(pyspark.__file__).parent
    conf: dict[str, object] = {
        "connect.grpc.binding.address": "127.0.0.1",
        "connect.grpc.binding.port": port,
        "eventLog.compress": "false",
        "eventLog.dir": (folder / "events").as_uri(),
        "eventLog.enabled": "true",
        "local.dir": folder / "local",
        "sql.session.timeZone": "UTC",
        "sql.shuffle.partitions": 4,
        "ui.enabled": "false",
    }
    settings = [word for name, value in conf.items() for word in ("--conf", f"spark.{name}={value}")]
    (folder / "events").mkdir()
    service = "org.apache.spark.sql.connect.service.SparkConnectServer"
    command = [str(home / "bin" / "spark-submit"), "--class", service, "--master", "local-cluster[2,1,1024]", *settings]
    server = ConnectServer(f"sc://127.0.0.1:{port}", folder)
    own = {**os.environ, **environment, "SPARK_HOME": str(home), "SPARK_WORKER_DIR": str(folder / "workers")}
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [*command, "spark-internal"], env=own, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + 90
        while b"Spark Connect server started" not in server.log.read_bytes():
            assert process.poll() is None, server.log.read_text(encoding="utf-8")[-2000:]
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(home / "work", ignore_errors=True)
