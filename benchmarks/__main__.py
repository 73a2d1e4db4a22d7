"""`python -m benchmarks [--quick]`: measure, and write `RESULTS.md` beside this file, and its picture into docs/."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import results, scenarios
from benchmarks.contenders import MAPPING, Job
from benchmarks.measure import Figures, run
from benchmarks.scenarios import Scenario
from benchmarks.server import Server, ceiling

HERE = Path(__file__).parent


def main() -> None:
    """Measure everything; with `--quick` less of it, in under two minutes, and write nothing but the screen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds: under two minutes")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the scenarios whose name holds this text")
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="keep the figures here, and do not measure again what it holds"
    )
    asked = parser.parse_args()
    plan = [one for one in (quick() if asked.quick else full()) if asked.only in one.name]
    with tempfile.TemporaryDirectory() as folder:
        table = prepare(Path(folder), plan)
        with Server() as server:
            most = ceiling(server.url)
        found = kept(asked.figures)
        for one in plan:
            if {who: runs[0].rows for who, runs in found.get(one.name, {}).items()} != one.rows:
                found[one.name] = measure(one, table)
                if asked.figures:
                    asked.figures.write_text(json.dumps(found), encoding="utf-8")
    text = results.as_markdown(plan, found, most)
    print(text)
    if not asked.quick and not asked.only:
        (HERE / "RESULTS.md").write_text(text + (HERE / "TRIED.md").read_text(encoding="utf-8"), encoding="utf-8")
        from benchmarks.plot import draw

        draw(plan, found, HERE.parent / "docs" / "pictures" / "benchmarks.png")


def kept(path: Path | None) -> results.Found:
    """Return the figures of an earlier run, which has perhaps not come to its end."""
    if path is None or not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: {who: [Figures(*run) for run in runs] for who, runs in one.items()} for name, one in found.items()}


def full() -> list[Scenario]:
    """Return all that is measured."""
    return [
        scenarios.start(),
        scenarios.speed(20_000),
        scenarios.latency(40_000, 50, 64),
        scenarios.latency(40_000, 200, 256),
        *(scenarios.dry_run(rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000)),
        scenarios.forms(1_000_000),
        scenarios.databases(1_000_000),
        *(scenarios.load(rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000)),
        scenarios.slow_load(100_000),
        scenarios.again(1_000_000),
        *scenarios.faults(20_000),
    ]


def quick() -> list[Scenario]:
    """Return what shows the same in little time, with less to rely on."""
    plan = [
        scenarios.start(),
        scenarios.speed(5_000),
        scenarios.latency(2_500, 50, 64),
        *(scenarios.dry_run(rows) for rows in (10_000, 100_000)),
        scenarios.forms(100_000),
        *(scenarios.load(rows) for rows in (10_000,)),
        scenarios.again(100_000),
    ]
    return [one._replace(rounds=min(one.rounds, 2)) for one in plan]


def prepare(folder: Path, plan: list[Scenario]) -> Path:
    """Make the table, its mapping, and the ledger that knows every row; return the table's path.

    Each in a process of its own: a child's peak memory is never told as less than its parent's size.
    """
    table = folder / "users.parquet"
    rows = max(rows for one in plan for rows in one.rows.values())
    subprocess.run([sys.executable, "-m", "benchmarks.table", str(table), str(max(rows, 1))], check=True)
    table.with_suffix(".mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8")
    known = max((one.rows.get("loader, again", 0) for one in plan), default=0)
    if known:
        subprocess.run([sys.executable, "-m", "benchmarks.known", str(table), str(known)], check=True)
    return table


def measure(scenario: Scenario, table: Path) -> dict[str, list[Figures]]:
    """Return the figures of each contender's runs: all of them once, then all of them again."""
    if scenario.server == "databases":
        from benchmarks.databases import databases

        with databases(max(scenario.rows.values())):
            return measure(scenario._replace(server="none"), table)
    found: dict[str, list[Figures]] = {name: [] for name in scenario.rows}
    for round_ in range(scenario.rounds):
        for name, rows in scenario.rows.items():
            with serving(scenario) as (url, key):
                found[name].append(run(name, Job(table, rows, scenario.workers, url), key))
            one = found[name][-1]
            print(
                f"{scenario.name}: {name}, round {round_ + 1}: {one.rate:,.0f} rows/s, {one.cpu:,.1f} us CPU a row, "
                f"{one.peak_mb:,.0f} MB, {one.seconds:.2f} s",
                file=sys.stderr,
            )
    return found


@contextlib.contextmanager
def serving(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Give the address and the key of a new server for one run."""
    server: Any
    if scenario.server == "none":
        yield "http://127.0.0.1:9", "sandbox-key"
    elif scenario.server == "fast":
        with Server(scenario.latency) as server:
            yield server.url, "sandbox-key"
    else:
        from interakt_loader.sandbox import SandboxOptions, SandboxProcess

        with SandboxProcess(SandboxOptions(latency=scenario.latency, faults=scenario.faults)) as server:
            yield server.url, server.api_key


if __name__ == "__main__":
    main()
