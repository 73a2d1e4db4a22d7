"""Two checkouts of the package, measured in turn: `python -m benchmarks.compare OLD NEW [--runs 7] [--only TEXT]`.

Each run is a process of its own with the same Python. Server and tables are the same for both. A figure of the new
checkout is worse if its median is more than 3 % above the old one, and by more than the spread of the old runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders import MAPPING, Job
from benchmarks.measure import Figures, run
from benchmarks.server import Server

PLAN = [
    ("import interakt_loader", 0),
    ("import load_users", 0),
    ("track, one call", 1),
    ("loader", 20_000),
    ("loader, ledger", 20_000),
    ("loader", 100_000),
    ("loader, ledger", 100_000),
    ("loader, dry run", 200_000),
    ("loader, dry run of CSV", 100_000),
    ("loader, infer", 10_000),
    ("loader, 10 HTML reports", 20_000),
]
"""Each contender with its rows."""

WORKERS = 16
TOLERANCE = 1.03


def main() -> None:
    """Measure both checkouts, and print wall time, CPU time and memory of each, with the ratio of the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=main.__doc__)
    parser.add_argument("old", type=Path, metavar="OLD", help="the checkout before the change")
    parser.add_argument("new", type=Path, metavar="NEW", help="the checkout after it")
    parser.add_argument("--runs", type=int, default=7, help="runs of each checkout")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the contenders whose name holds this text")
    asked = parser.parse_args()
    os.environ["INTERAKT_STATE_DIR"] = "none"
    checkouts = [asked.old.resolve(), asked.new.resolve()]
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        table = prepare(Path(folder))
        for checkout in checkouts:
            check(checkout, table.parent)
        print("| contender | rows | figure | old: median (min–max) | new: median (min–max) | ratio | |")
        print("|---|--:|---|--:|--:|--:|---|")
        for name, rows in PLAN:
            if asked.only in name:
                job = Job(table, rows, WORKERS, server.url)
                runs = [[run(name, job, checkout=one) for one in checkouts] for _ in range(asked.runs)]
                show(name, rows, *map(list, zip(*runs, strict=True)))


def prepare(folder: Path) -> Path:
    """Write the tables and their mapping; return the path of the Parquet file."""
    table = folder / "users.parquet"
    subprocess.run([sys.executable, "-m", "benchmarks.table", str(table), "200000"], check=True)
    subprocess.run(
        [sys.executable, "-m", "benchmarks.table", str(table.with_suffix(".csv")), "100000", "csv"], check=True
    )
    table.with_suffix(".mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8")
    return table


def check(checkout: Path, folder: Path) -> None:
    """Compile the package, so that no run does. Raises `SystemExit` if another one would be imported."""
    code = "import interakt_loader; print(interakt_loader.__file__)"
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(checkout / "interakt_loader")], check=True)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    if not Path(done.stdout.strip()).resolve().is_relative_to(checkout):
        raise SystemExit(f"{checkout} has no interakt_loader: {done.stdout.strip()} would be measured")


def show(name: str, rows: int, old: list[Figures], new: list[Figures]) -> None:
    """Print a contender's figures, a line each."""
    for figure, unit, digits in (("seconds", "s", 3), ("cpu_seconds", "s of CPU", 3), ("peak_mb", "MB", 0)):
        before, after = ([float(getattr(one, figure)) for one in runs] for runs in (old, new))
        middle, middle_after = statistics.median(before), statistics.median(after)
        more = middle_after - middle
        worse = middle_after > middle * TOLERANCE and more > max(before) - min(before)
        cells = (
            f"{statistics.median(runs):,.{digits}f} ({min(runs):,.{digits}f}–{max(runs):,.{digits}f})"
            for runs in (before, after)
        )
        print(
            f"| {name} | {rows:,} | {unit} | {' | '.join(cells)} | {middle_after / middle:.3f} | {'worse' * worse} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
