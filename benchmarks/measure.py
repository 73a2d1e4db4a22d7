"""One run of one contender, measured from outside: its whole process, from its start to its end."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import CONTENDERS, Job

_LAUNCH = """
import os, sys, time
began = time.perf_counter()
child = os.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - began
print(chr(10), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a contender from a process that holds next to nothing: a child's largest resident set is never told as less
than its parent's was at the start."""

LONGEST = 3_600.0
"""Seconds after which a run is given up."""


class Figures(NamedTuple):
    """Of one run: rows done, seconds by the clock and of CPU (user and system), the most memory in MB, and calls."""

    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    calls: int = 0

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds

    @property
    def cpu(self) -> float:
        """Microseconds of CPU a row."""
        return self.cpu_seconds / max(self.rows, 1) * 1e6


def run(name: str, job: Job, key: str = "sandbox-key", checkout: Path | None = None) -> Figures:
    """Run a contender once. Raises `SystemExit` if it fails or does not do every row.

    With `checkout` it imports the package from there, and runs in the folder of its table.
    """
    contender = CONTENDERS[name]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        launched = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCH, *contender.command(job)],
            cwd=job.table.parent if checkout else None,
            env=os.environ | {"INTERAKT_API_KEY": key} | ({"PYTHONPATH": str(checkout)} if checkout else {}),
            stdout=output,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            failed = launched.wait(LONGEST) != 0
        finally:
            if launched.poll() is None:  # it takes too long, or somebody wants to stop: the contender with its launcher
                os.killpg(launched.pid, signal.SIGKILL)
                launched.wait()
        output.seek(0)
        complaints.seek(0)
        said, told = output.read(), complaints.read().splitlines()
        if failed:
            raise SystemExit(f"{name} failed: {said[-500:]} {told[-20:]}")
        done = contender.done(said)
    if done != job.rows:
        raise SystemExit(f"{name} did {done} of {job.rows} rows: {said[-500:]}")
    seconds, cpu_seconds, peak = map(float, told[-1].split())
    peak_mb = peak / (1024 if sys.platform != "darwin" else 1024**2)
    return Figures(done, seconds, cpu_seconds, peak_mb, contender.calls(said) if contender.calls else done)


def median(runs: list[Figures]) -> Figures:
    """Return the median of each figure by itself."""
    return Figures(*(statistics.median(column) for column in zip(*runs, strict=True)))
