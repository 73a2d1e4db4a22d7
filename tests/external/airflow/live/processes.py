"""A whole Airflow: scheduler, API server and DAG processor, in a home of its own; tasks are processes of their own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

PATIENCE = 240.0
"""Seconds that anything may take here. A busy machine took more than 120 for the start of Airflow and one load."""


def wait_until(is_so: Callable[[], Any], what: str) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = is_so()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: not after {PATIENCE:g} s")


class LiveAirflow:
    """Three processes around one SQLite file. A context manager; they end with it, and so do their tasks."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.home = home
        self._url = f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # a scheduler or a task that was killed is missed soon
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            **environment,
        }
        self._token = ""
        self._parts = ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> LiveAirflow:
        with ExitStack() as parts:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=self._environment,
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
            for name in ("api-server", "scheduler", "dag-processor"):
                self._start(name, parts)
            self._token = wait_until(self._new_token, "the API server answers")
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start(self, name: str, parts: ExitStack) -> None:
        output = parts.enter_context((self.home / f"{name}.out").open("ab"))
        part = self._running[name] = subprocess.Popen(
            [sys.executable, "-m", "airflow", name],
            env=self._environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        parts.callback(_end, part)

    def restart_scheduler(self, *, with_tasks: bool) -> None:
        """Kill the scheduler with SIGKILL, alone or with its tasks as the end of a container does, and start it."""
        part = self._running["scheduler"]
        parents = _parents()
        ended = [part.pid]
        # the list grows while it is read
        for one in ended if with_tasks else ():
            ended += [child for child, parent in parents.items() if parent == one]
        for one in ended:
            os.kill(one, signal.SIGKILL)
        part.wait()
        self._start("scheduler", self._parts)

    def task_processes(self) -> list[int]:
        """Return the processes of the tasks that run: the children of the scheduler's workers."""
        parents = _parents()
        scheduler = self._running["scheduler"].pid
        return [child for child, parent in parents.items() if parents.get(parent) == scheduler]

    def _new_token(self) -> str | None:
        try:
            with urllib.request.urlopen(f"{self._url}/auth/token", timeout=10) as answer:
                return str(json.load(answer)["access_token"])
        except OSError:
            return None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call of Airflow's REST API; None: 404."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/api/v2{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def trigger(self, dag_id: str, /, *, day: str | None = None, **conf: Any) -> str:
        """Begin a run, once the DAG is known, and return where the API has it. Without a day it has no logical date."""
        wait_until(lambda: self.ask("PATCH", f"/dags/{dag_id}", {"is_paused": False}), f"{dag_id} is known")
        date = None if day is None else f"{day}T00:00:00Z"
        run = self.ask("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": date, "conf": conf})
        return f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def ended(self, run: str) -> str:
        """Wait for a run's end and return its state."""
        state: str = wait_until(
            lambda: (state := self.ask("GET", run)["state"]) in ("success", "failed") and state, f"{run} ends"
        )
        return state

    def end(self, run: str) -> None:
        """End a run that a failed test has left, and wait for its tasks. The next test must not see their calls."""
        if self.ask("GET", run)["state"] not in ("success", "failed"):
            self.ask("PATCH", run, {"state": "failed"})
        wait_until(lambda: not self.task_processes(), f"the tasks of {run} end")

    def xcom(self, run: str, task_id: str) -> Any:
        """Return what a task has returned."""
        return self.ask("GET", f"{run}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=true")["value"]

    def log(self, run: str, task_id: str, attempt: int = 1) -> Path:
        """Return the log file of a task's try."""
        _, _, dag_id, _, run_id = run.split("/")
        return (
            self.home
            / "logs"
            / f"dag_id={dag_id}"
            / f"run_id={run_id}"
            / f"task_id={task_id}"
            / f"attempt={attempt}.log"
        )


def _parents() -> dict[int, int]:
    """Return the parent of each process."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        # a process may have ended meanwhile
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parents


def _end(part: subprocess.Popen[bytes]) -> None:
    """End one part and what it has started: all of it is in a session of its own."""
    part.terminate()
    with suppress(subprocess.TimeoutExpired):
        part.wait(20)
    # also the tasks of a scheduler that was killed
    with suppress(ProcessLookupError):
        os.killpg(part.pid, signal.SIGKILL)
    part.wait()
