"""`python -m benchmarks.limits`: how much of a declared limit one load alone uses, and what holding it costs.

Three loads side by side, in turns. One shares the limit with its own process only. One shares it with the whole machine
through the file in the state folder. One uses `share`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from interakt_loader.settings.values import Rate, parse_rate

ROUNDS = 3

RATES = {"10/s": 100, "20/s": 200, "100/s": 1000, "300/min": 150}
"""Limit, and rows to send."""

LOAD = """
import sys
import pandas as pd
from interakt_loader import load_events
url, key, rate, rows, share = sys.argv[1:]
frame = pd.DataFrame({"user": [f"u{row}" for row in range(int(rows))]})
mapping = {"user_id": "user", "event": {"value": "Visit"}}
load_events(frame, mapping, api_key=key, base_url=url, rate_limit=rate, share=share or None)
"""


class Use(NamedTuple):
    """Of one load."""

    of_limit: float
    """Part of the limit that was used, from the first call to the last."""
    most: int
    """The most calls in any window of the limit's length."""
    cpu: float
    """Seconds of computing, the start included."""


def main() -> None:
    """Measure, and print a table."""
    print(f"{'limit':8} {'held by':8} {'used':>7} {'most in a window':>17} {'CPU':>8}")
    for limit, rows in RATES.items():
        found: dict[str, list[Use]] = {"process": [], "machine": [], "share": []}
        for _ in range(ROUNDS):
            for who, uses in found.items():
                uses.append(measure(limit, rows, who))
        for who, uses in found.items():
            used, most, cpu = (median(column) for column in zip(*uses, strict=True))
            print(f"{limit:8} {who:8} {used:7.1%} {most:17.0f} {cpu:6.2f} s", flush=True)


def measure(limit: str, rows: int, who: str) -> Use:
    """Run one load and return what it used."""
    rate = parse_rate(limit)
    assert isinstance(rate, Rate)
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        state = folder if who == "machine" else "none"
        share = f"sqlite:///{Path(folder, 'share.sqlite')}" if who == "share" else ""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", LOAD, sandbox.url, sandbox.api_key, limit, str(rows), share],
            env={**os.environ, "INTERAKT_STATE_DIR": state},
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        arrivals = sorted(sandbox.arrivals())
    used = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / (rate.calls / rate.seconds)
    most = max(sum(first <= one < first + rate.seconds for one in arrivals) for first in arrivals)
    return Use(used, most, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
