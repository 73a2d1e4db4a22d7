"""Several loads at once, each a command of its own, against one sandbox that records when calls arrive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from interakt_loader.sandbox import SandboxProcess
from tests.shared_limit.windows import most_in_a_window

HOME = Path(__file__).resolve().parents[2]


class Use(NamedTuple):
    """How much of the limit was used."""

    arrived: int
    refused: int
    most: int
    """The most calls that arrived in any window of the limit's length."""
    per_second: float
    """Calls a second, without the first and the last second, in which processes start and end."""


def start(folder: Path, name: str, rows: int, sandbox: SandboxProcess, *options: str) -> subprocess.Popen[str]:
    """Start a load of so many events and return its process."""
    source = folder / f"{name}.csv"
    source.write_text("user\n" + "".join(f"{name}-{row}\n" for row in range(rows)), encoding="utf-8")
    command = [sys.executable, "-m", "interakt_loader", str(source), "--map", "user_id=user", "--event", "Visit"]
    command += ["--base-url", sandbox.url, "--ledger", "none", "--report", str(folder / f"{name}.parquet"), *options]
    environment = {
        **os.environ,
        "INTERAKT_API_KEY": sandbox.api_key,
        "PYTHONPATH": os.pathsep.join([str(HOME), *_path()]),
    }
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _path() -> list[str]:
    return [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Wait for loads; return each one's exit code and output."""
    said = [process.communicate(timeout=90)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def use(sandbox: SandboxProcess, window: float, since: int = 0) -> Use:
    """Return how much of the limit was used, from the sandbox's log: calls per second after so many calls."""
    arrivals = sorted(sandbox.arrivals())
    middle = [one for one in arrivals if arrivals[since] + 1 <= one <= arrivals[-1] - 1]
    per_second = (len(middle) - 1) / (middle[-1] - middle[0])
    return Use(len(arrivals), sandbox.stats().refused_by_limit, most_in_a_window(arrivals, window), per_second)
