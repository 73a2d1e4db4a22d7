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

from benchmarks import accounts, results, scenarios
from benchmarks.contenders import MAPPING, Job, several, wide
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
    # as an installed package is
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(HERE.parent / "interakt_loader")], check=True)
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
        from benchmarks.plot import draw

        tried = (HERE / "TRIED.md").read_text(encoding="utf-8")
        (HERE / "RESULTS.md").write_text("\n".join((text, accounts.page(), tried)), encoding="utf-8")

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
        scenarios.speed_alone(200_000),
        scenarios.latency(40_000, 50, 64),
        scenarios.latency(40_000, 200, 256),
        scenarios.coalesced(20_000),
        scenarios.first_call(100_000),
        scenarios.inference(10_000),
        *(scenarios.dry_run(rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000)),
        scenarios.forms(1_000_000),
        scenarios.databases(1_000_000),
        *(scenarios.load(rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000)),
        scenarios.ledger_load(1_000_000),
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
        scenarios.coalesced(2_000),
        scenarios.first_call(10_000),
        *(scenarios.dry_run(rows) for rows in (10_000, 100_000)),
        *(scenarios.load(rows) for rows in (10_000,)),
        scenarios.again(100_000),
    ]
    return [one._replace(rounds=min(one.rounds, 2)) for one in plan]


def prepare(folder: Path, plan: list[Scenario]) -> Path:
    """Make the tables, their mappings, and the ledger that knows every row; return the path of the main table.

    Each in a process of its own: a child's peak memory is never told as less than its parent's size.
    """
    table = folder / "users.parquet"
    plain, from_csv, broad, known = (
        max((rows for one in plan for who, rows in one.rows.items() if text in who), default=0)
        for text in ("", "CSV", "2,500 columns", "loader, again")
    )
    folded = {several(table, rows): rows for one in plan for who, rows in one.rows.items() if "several rows" in who}
    _make("table", table, max(plain, 1))
    if from_csv:
        _make("table", table.with_suffix(".csv"), from_csv, "csv")
    for path, rows in folded.items():
        _make("table", path, rows, "several")
    if broad:
        _make("table", wide(table), broad, "wide")
    for path in (table, *folded):
        path.with_suffix(".mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8")
    if known:
        _make("known", table, known)
    return table


def _make(what: str, path: Path, rows: int, *more: str) -> None:
    subprocess.run([sys.executable, "-m", f"benchmarks.{what}", str(path), str(rows), *more], check=True)


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
