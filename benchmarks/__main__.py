"""`python -m benchmarks`: measure, and write `RESULTS.md` beside this file."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import ROWS
from interakt_loader import __version__
from interakt_loader.sandbox import SandboxOptions, SandboxProcess

ROUNDS = 3


class Scenario(NamedTuple):
    """What is measured: who takes part, rows, workers, the server's latency in seconds and the faults that it makes."""

    name: str
    contenders: tuple[str, ...]
    rows: int
    workers: int
    latency: float
    faults: str = ""


FAULTS = "500=3%,reset=2%,garbage=1%,cut=1%,html502=1%,hang=0.1%"

SCENARIOS = (
    Scenario("0 ms, 16 workers", ("loader", "with_ledger", "script"), 20_000, 16, 0.0),
    Scenario("50 ms, 16 workers", ("loader", "script"), 5_000, 16, 0.05),
    Scenario("50 ms, 64 workers", ("loader", "script"), 20_000, 64, 0.05),
    Scenario("20 ms, 16 workers, timeout 2 s", ("patient",), 20_000, 16, 0.02),
    Scenario("the same, 8.1 % faults", ("patient",), 20_000, 16, 0.02, FAULTS),
    Scenario("dry run", ("dry_run",), ROWS, 1, 0.0),
    Scenario("nothing changed", ("again",), ROWS, 1, 0.0),
)


def main() -> None:
    """Run all scenarios, contenders in turn, and write the medians."""
    lines = [
        "# Benchmark results",
        "",
        f"interakt_loader {__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores, {dt.date.today().isoformat()}. Users with eight traits, one call a row, each a whole "
        f"process from Parquet to the last answer; medians of {ROUNDS} rounds, contenders in turn. `script` is a "
        "thread pool around `requests.post`, without retries, order, bound or report; `patient` is the loader with a "
        "timeout of 2 s; `again` has a ledger that knows every row. The server is the sandbox, in a process of its "
        f"own. The faults are {FAULTS}.",
        "",
        "| scenario | who | rows | rows/s | share of the ideal | CPU µs/row | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "users.parquet"
        # in a process of its own: a child's peak memory is never told as less than its parent's size
        subprocess.run([sys.executable, "-m", "benchmarks.table", str(table)], check=True)
        subprocess.run([sys.executable, "-m", "benchmarks.known", str(table)], check=True)
        for scenario in SCENARIOS:
            lines += measure(scenario, table)
    (Path(__file__).parent / "RESULTS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def measure(scenario: Scenario, table: Path) -> list[str]:
    """Return the table's lines for one scenario."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in scenario.contenders}
    for _ in range(ROUNDS):
        for name in scenario.contenders:
            with SandboxProcess(SandboxOptions(latency=scenario.latency, faults=scenario.faults)) as sandbox:
                runs[name].append(run(name, scenario, table, sandbox))
    lines = []
    for name, figures in runs.items():
        middle = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        rate = middle["done"] / middle["seconds"]
        ideal = f"{rate * scenario.latency / scenario.workers:.1%}" if scenario.latency else ""
        cpu = middle["cpu_seconds"] / middle["done"] * 1e6
        cells = [
            scenario.name,
            name,
            f"{scenario.rows:,}",
            f"{rate:,.0f}",
            ideal,
            f"{cpu:,.1f}",
            f"{middle['peak_mb']:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr)
    return lines


def run(name: str, scenario: Scenario, table: Path, sandbox: SandboxProcess) -> dict[str, float]:
    """Return the figures of one contender's process."""
    command = [sys.executable, "-m", "benchmarks.contenders", name, str(table), str(scenario.rows)]
    done = subprocess.run(
        [*command, str(scenario.workers), sandbox.url],
        env=os.environ | {"INTERAKT_API_KEY": sandbox.api_key},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    if figures["done"] != scenario.rows:
        raise SystemExit(f"{name} did {figures['done']:.0f} of {scenario.rows} rows in {scenario.name!r}")
    return figures


if __name__ == "__main__":
    main()
