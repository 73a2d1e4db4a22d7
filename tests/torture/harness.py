"""A load in a process of its own that is killed with SIGKILL at a random moment, and run again."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa

from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import SandboxProcess
from tests.torture.inputs import Table

WORKERS = 16
MOST_RUNS = 12
"""Of one load after its last kill: faults may make a row fail for good, and then the load is run again."""

POLL = 0.003
"""Seconds between two looks at a load that runs."""


class Pace(NamedTuple):
    """How long an undisturbed load takes, in seconds."""

    first_call: float
    whole: float

    def left(self, share: float) -> float:
        """Return how long the same load takes when this share of its rows is left."""
        return self.first_call + (self.whole - self.first_call) * share


class Progress(NamedTuple):
    """Where a load stands between two of its runs."""

    taken: int
    """Calls that the sandbox has applied and tried to answer: the accepted ones without those that it cut."""
    known: int
    """Rows that the ledger shows accepted."""

    @property
    def lost(self) -> int:
        """Calls that were applied and whose answer the load has lost by being killed: its rows go out again."""
        return self.taken - self.known


class Load:
    """One load: a folder with nothing but its ledger and its report, and one command, run time and again."""

    def __init__(self, folder: Path, table: Table, sandbox: SandboxProcess, queue: int = 10_000) -> None:
        folder.mkdir()
        sandbox.reset()
        self.folder, self.sandbox = folder, sandbox
        self.runs = 0
        self.table = table
        """What is loaded; another name of the same may be put in its place."""
        self.ledger = folder / "own.ledger"
        """The ledger, or a link to it."""
        self.flags: list[str] = []
        """Given to each run from now on."""
        self.state = folder.with_suffix(".state")
        """The user's state folder."""
        self.coalesce: bool | None = None
        """The option of this name."""
        self._queue = queue
        self._said = folder.with_suffix(".said")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the command; the process has ended, one way or the other, when the block has."""
        self.runs += 1
        with self._said.open("wb") as file:
            process = self._start(file)
            try:
                yield process
            finally:
                process.kill()
                process.wait()
        # 1: faults have made a row fail for good, so it is to be run again
        assert process.returncode in (0, 1, -9), self.said()

    def refused(self) -> str:
        """Run the command, see that it is refused without a call, and return what it says."""
        calls = self.sandbox.stats().calls
        with self._said.open("wb") as file:
            code = self._start(file).wait()
        assert code == 2, self.said()
        assert self.sandbox.stats().calls == calls
        return self.said()

    def said(self) -> str:
        """Return what the last run has said."""
        return self._said.read_text(encoding="utf-8")

    def _start(self, file: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [*self._command(), "--report", "own.report.csv"]
        return subprocess.Popen(command, cwd=self.folder, env=self._environ(), stdout=file, stderr=file)

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "interakt_loader", str(self.table.path), "--mapping", str(self.table.mapping)]
        command += ["--base-url", self.sandbox.url, "--ledger", str(self.ledger), "--workers", str(WORKERS)]
        command += ["--max-queue-size", str(self._queue), "--rate-limit", "none", "-q"]
        return command + self.flags

    def _environ(self) -> dict[str, str]:
        own = {"INTERAKT_API_KEY": self.sandbox.api_key, "INTERAKT_STATE_DIR": str(self.state)}
        if self.coalesce is not None:
            own["INTERAKT_COALESCE"] = str(self.coalesce)
        return os.environ | own

    def finish(self) -> Pace:
        """Run the command until all rows are accepted; return the pace of the first of these runs."""
        paces = []
        for _ in range(MOST_RUNS):
            calls, began = self.sandbox.stats().calls, time.monotonic()
            first_call = 0.0
            with self.running() as process:
                while process.poll() is None:
                    if not first_call and self.sandbox.stats().calls > calls:
                        first_call = time.monotonic() - began
                    time.sleep(POLL)
            paces.append(Pace(first_call, time.monotonic() - began))
            if process.returncode == 0:
                return paces[0]
        raise AssertionError(f"the load has not come to its end in {MOST_RUNS} runs")

    def progress(self) -> Progress:
        """Say where the load stands, by a dry run, which changes nothing."""
        command = [*self._command(), "--dry-run", "--report", "seen.csv", "--output", "json"]
        seen = subprocess.run(command, cwd=self.folder, env=self._environ(), capture_output=True, check=False)
        assert seen.returncode == 0, seen.stderr
        (self.folder / "seen.csv").unlink()
        return Progress(self.taken(), json.loads(seen.stdout)["status"]["unchanged"])

    def taken(self) -> int:
        """Return `Progress.taken`, as of now."""
        stats = self.sandbox.stats()
        return stats.accepted - stats.faults.get("cut", 0)

    def report(self) -> pa.Table:
        """Return the lines of the last run's report."""
        return read_report(self.folder / "own.report.csv")

    def remove(self) -> None:
        """Remove all its files."""
        shutil.rmtree(self.folder)
        shutil.rmtree(self.state, ignore_errors=True)
        self._said.unlink()


def until(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Come back when it is so, or when the process has ended by itself."""
    while process.poll() is None and not reached():
        time.sleep(POLL)


class Dice:
    """Choose the moments of the kills."""

    def __init__(self, seed: int, pace: Pace, rows: int) -> None:
        self._rng = random.Random(seed)
        self._pace, self._rows = pace, rows
        kinds = [self._by_the_clock, self._by_calls, self._at_the_end, self._by_the_clock, self._by_calls]
        self._moments = cycle([*kinds, self._in_planning, self._in_opening])

    def again(self) -> bool:
        """Tell whether the load is killed once more: with a chance of three in ten."""
        return self._rng.random() < 0.3

    def await_moment(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        """Come back when the process is to be killed; `before` says where the load stood when it was started.

        The kinds of moments take turns, so that few kills are spread over a load as well; each is random in itself.
        """
        next(self._moments)(load, process, before)

    def _wait(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        due = time.monotonic() + seconds * self._rng.random()
        until(process, lambda: time.monotonic() >= due)

    def _by_the_clock(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        self._wait(process, self._pace.left(1 - before.known / self._rows))

    def _by_calls(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        target = load.sandbox.stats().calls + self._rng.randint(1, max(1, self._rows - before.known))
        until(process, lambda: load.sandbox.stats().calls >= target)

    def _in_opening(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        """From the start on: while the ledger is opened, and what a killed load left is taken in."""
        self._wait(process, self._pace.first_call)

    def _in_planning(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        """From the opening of the ledger on: then the plan is made."""
        calls = load.folder / "own.ledger-calls"
        made = _changed_at(calls)
        until(process, lambda: _changed_at(calls) != made)
        self._wait(process, self._pace.first_call / 2)

    def _at_the_end(self, load: Load, process: subprocess.Popen[bytes], before: Progress) -> None:
        """The last call is applied: its answer, what is not on record yet, the report's end, the ledger's sorting."""
        target = self._rows + before.lost
        until(process, lambda: load.taken() >= target)
        self._wait(process, 0.2)


def _changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
