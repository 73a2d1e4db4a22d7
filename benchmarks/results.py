"""The figures as a page: what was promised and what was reached, then every contender of every scenario."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import math
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.measure import Figures, median
from benchmarks.scenarios import FAULTS, Scenario
from interakt_loader import __version__

Found = dict[str, dict[str, list[Figures]]]
"""Scenario, contender, its runs."""

INTRODUCTION = """\
# Benchmark results

`make bench` writes this page; `make bench-quick` shows the like of it in under two minutes.

Users with eight traits, one call a row. Every figure is of a whole process, measured from outside, from its start to
its end, with the reading of the Parquet file and, for the loader, the report written to the disk. Contenders take turns
(A B A B), each with a new server; a figure is the median of the rounds. MB are the process's largest resident set.

- **aiohttp script**, **threads, http.client**, **thread pool, …**: what an engineer writes in an afternoon, as
  [peers.py](peers.py) shows: no retry, no order, no report, no ledger.
- **vendor's SDK**, **drt** (its REST destination, which retries) and **dlt** (custom destination with `requests`) send
  one call after another.
- **raw sockets** send one fixed call and hardly look at the answer: the floor.

The server is no bottleneck: a process of its own that looks at nothing but lengths. A bare client with one thread gets
{ceiling:,.0f} calls a second out of it.

{machine}
"""


def as_markdown(plan: list[Scenario], found: Found, ceiling: float) -> str:
    """Return the page."""
    middle = {scenario.name: {who: median(runs) for who, runs in found[scenario.name].items()} for scenario in plan}
    parts = [INTRODUCTION.format(ceiling=ceiling, machine=machine())]
    parts.append(_table(("promise", "reached", "asked for", ""), promises(middle)))
    parts += (f"## {one.name}\n\n" + _note(one) + _scenario(one, middle[one.name]) for one in plan)
    return "\n".join(parts)


def machine() -> str:
    """Return what was measured on, in a line."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _versions())
    return (
        f"interakt_loader {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores{_processor()}, {dt.date.today().isoformat()}; {versions}."
    )


def _versions() -> Iterator[str]:
    for name in ("pyarrow", "requests", "urllib3", "aiohttp", "interakt-track-python", "drt-core", "dlt"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        yield name


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((f" of {line.split(':', 1)[1].strip()}" for line in lines if line.startswith("model name")), "")


def promises(middle: dict[str, dict[str, Figures]]) -> Iterator[tuple[str, ...]]:
    """Yield (promise, reached, asked for, whether it is kept) of each promise for which there are figures."""

    def line(promise: str, reached: float, wanted: float, form: str, most: bool = False) -> tuple[str, ...]:
        kept = reached <= wanted if most else reached >= wanted
        asked = ("at most " if most else "at least ") + form.format(wanted)
        return promise, form.format(reached), asked, "kept" if kept else "**missed**"

    speed = middle.get("0 ms, 16 workers")
    if speed:
        mine, ledger, peer, sdk = (
            speed[name] for name in ("loader", "loader, ledger", "aiohttp script", "vendor's SDK")
        )
        yield line("rows/s, of the aiohttp script's", mine.rate / peer.rate, 1.0, "{:.2f} times")
        yield line("CPU a row, of the aiohttp script's", mine.cpu / peer.cpu, 1.0, "{:.2f} times", most=True)
        yield line("rows/s with the ledger, of the aiohttp script's", ledger.rate / peer.rate, 0.9, "{:.2f} times")
        yield line("rows/s, of the vendor's SDK's", mine.rate / sdk.rate, 5.0, "{:.1f} times")
    for name, ideal, wanted in (("50 ms, 64 workers", 1280, 0.97), ("200 ms, 256 workers", 1280, 0.95)):
        if name in middle:
            yield line(f"{name}: share of {ideal:,} rows/s", middle[name]["loader"].rate / ideal, wanted, "{:.1%}")
    empty = middle["start"]["empty process"].peak_mb if "start" in middle else 0.0
    dry = {int(name.split()[-1].replace(",", "")): figures for name, figures in middle.items() if "dry run" in name}
    sizes = {rows: figures["loader, dry run"] for rows, figures in dry.items()}
    if sizes:
        most = sizes[min(max(sizes), 1_000_000)]
        yield line("dry run: CPU a row", most.cpu, 8.0, "{:.1f} µs", most=True)
    if 1_000_000 in sizes and empty:
        over = sizes[1_000_000].peak_mb - empty
        yield line("dry run of a million: MB over an empty process", over, 150, "{:.0f}", most=True)
    if 10_000_000 in sizes and empty:
        growth = (sizes[10_000_000].peak_mb - empty) / (sizes[1_000_000].peak_mb - empty)
        yield line("the same for ten million", growth, 1.1, "{:.2f} times", most=True)
    for name in ("load of 1,000,000", "load of 100,000, 20 ms"):
        if name in middle and empty:
            yield line(f"{name}: MB over an empty process", middle[name]["loader"].peak_mb - empty, 150, "{:.0f}", True)
    for what, job in (("dry run of", "loader, dry run"), ("load of", "loader")):
        points = [
            (one[job].rows, one[job].cpu_seconds)
            for name, one in middle.items()
            if name.startswith(what) and "ms" not in name
        ]
        if len(points) > 2:
            yield line(f"{what} 10 k rows and more: slope of the log-log fit", slope(points), 1.02, "{:.3f}", most=True)
    if "start" in middle:
        start = middle["start"]
        ratio = start["loader --help"].seconds / start["import click"].seconds
        yield line("--help, of `python -c 'import click'`", ratio, 1.5, "{:.2f} times", most=True)
    if "second load of 1,000,000" in middle:
        rate = middle["second load of 1,000,000"]["loader, again"].rate
        yield line("a second load of a million unchanged rows", rate, 50_000, "{:,.0f} rows/s")
    clean, faulty = (middle.get(f"sandbox, 20 ms{rest}") for rest in ("", ", 8.1 % faults"))
    if clean and faulty:
        ratio = faulty["loader, patient"].seconds / clean["loader, patient"].seconds
        yield line("a load with 8.1 % faults, of the same without", ratio, 1.25, "{:.2f} times the time", most=True)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Return the slope of a straight line through (rows, seconds) on logarithmic scales, by least squares."""
    logs = [(math.log(rows), math.log(seconds)) for rows, seconds in points]
    x = sum(one for one, _ in logs) / len(logs)
    y = sum(one for _, one in logs) / len(logs)
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)


def _note(scenario: Scenario) -> str:
    rounds = f"{scenario.rounds} rounds" if scenario.rounds > 1 else "One round"
    faults = f" The faults: {FAULTS}." if scenario.faults else ""
    return f"{rounds}.{faults}\n\n"


def _scenario(scenario: Scenario, middle: dict[str, Figures]) -> str:
    ideal = scenario.workers / scenario.latency if scenario.latency else None
    lines = []
    for who, one in sorted(middle.items(), key=lambda item: -item[1].rate):
        if not one.rows:
            lines.append((who, "", "", "", "", f"{one.seconds * 1000:,.0f} ms", f"{one.peak_mb:,.0f}"))
            continue
        share = f"{one.rate / ideal:.1%}" if ideal else ""
        cells = (f"{one.rows:,.0f}", f"{one.rate:,.0f}", share, f"{one.cpu:,.1f}", f"{one.seconds:,.2f} s")
        lines.append((who, *cells, f"{one.peak_mb:,.0f}"))
    return _table(("who", "rows", "rows/s", "share of workers / latency", "CPU µs/row", "time", "MB"), lines)


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"
