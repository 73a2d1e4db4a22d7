"""Write the figures as a page: first each promise and its figure, then every contender of every scenario."""

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

For someone who compares tools, or checks a figure in the docs: how fast this package and others are, and how much they
use. `make bench` writes this page. `make bench-quick` shows similar figures in less than two minutes.

All of them load users with eight traits, one call for each row where no table says otherwise. Each figure is for a
whole process, measured from outside from its start to its end. It includes reading the Parquet file and, for the
loader, writing the report to disk. The contenders take turns (A B A B), each with a new server. A figure is the median
of the rounds. MB is the largest resident set of the process.

- **aiohttp script**, **threads, http.client** and **thread pool, …** are what an engineer writes in an afternoon
  ([peers.py](peers.py)). They have no retry, no order, no report and no ledger.
- **vendor's SDK**, **drt** and **dlt** send one call after another. drt runs its REST destination, which retries. dlt
  runs a custom destination with `requests`. Without latency they load fewer rows, so their start (about half a second)
  counts more.
- **raw sockets** send one fixed call from as many threads, and hardly look at the answer. This is the cost of Python's
  own sockets and threads.

The server does not limit the figures: it is a separate process that looks only at lengths. A simple client with one
thread makes {ceiling:,.0f} calls a second to it.

{machine}
"""


def as_markdown(plan: list[Scenario], found: Found, ceiling: float) -> str:
    """Return the page."""
    middle = {scenario.name: {who: median(runs) for who, runs in found[scenario.name].items()} for scenario in plan}
    parts = [INTRODUCTION.format(ceiling=ceiling, machine=machine())]
    parts.append(as_table(("promise", "reached", "asked for", ""), (one.cells() for one in promises(middle))))
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
    shows_calls = any(one.calls != one.rows for one in middle.values())
    lines = []
    for who, one in sorted(middle.items(), key=lambda item: -item[1].rate):
        calls = (f"{one.calls:,.0f}",) if shows_calls else ()
        if one.rows <= 1:
            rows = "1" if one.rows else ""
            lines.append((who, rows, *calls, "", "", "", f"{one.seconds * 1000:,.0f} ms", f"{one.peak_mb:,.0f}"))
            continue
        share = f"{one.rate / ideal:.1%}" if ideal else ""
        cells = (f"{one.rows:,.0f}", *calls, f"{one.rate:,.0f}", share, f"{one.cpu:,.1f}", f"{one.seconds:,.2f} s")
        lines.append((who, *cells, f"{one.peak_mb:,.0f}"))
    calls = ("calls",) if shows_calls else ()
    return as_table(("who", "rows", *calls, "rows/s", "share of workers / latency", "CPU µs/row", "time", "MB"), lines)


def as_table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"
