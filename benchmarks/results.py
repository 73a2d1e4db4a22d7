"""The figures as a page: what was promised and what was reached, then every contender of every scenario."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.measure import Figures, median
from benchmarks.promises import promises
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
  one call after another, and without latency fewer rows: their start (about half a second) weighs more.
- **raw sockets** send one fixed call from as many threads and hardly look at the answer: what Python's own sockets
  and threads cost by themselves.

The server is no bottleneck: a process of its own that looks at nothing but lengths. A bare client with one thread gets
{ceiling:,.0f} calls a second out of it.

{machine}
"""


def as_markdown(plan: list[Scenario], found: Found, ceiling: float) -> str:
    """Return the page."""
    middle = {scenario.name: {who: median(runs) for who, runs in found[scenario.name].items()} for scenario in plan}
    parts = [INTRODUCTION.format(ceiling=ceiling, machine=machine())]
    parts.append(_table(("promise", "reached", "asked for", ""), (one.cells() for one in promises(middle))))
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
