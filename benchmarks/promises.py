"""What was promised of the figures, and what was reached: each promise for which there are figures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks.measure import Figures
from benchmarks.table import WIDE

USUAL = 10
"""Columns of the table of users."""

Medians = dict[str, dict[str, Figures]]
"""Scenario, contender, its middle figures."""


class Promise(NamedTuple):
    """A figure and the bound that it has to keep."""

    what: str
    reached: float
    bound: float
    form: str
    at_most: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return the promise as a table's cells."""
        kept = self.reached <= self.bound if self.at_most else self.reached >= self.bound
        asked = ("at most " if self.at_most else "at least ") + self.form.format(self.bound)
        return self.what, self.form.format(self.reached), asked, "kept" if kept else "**missed**"


def promises(middle: Medians) -> Iterator[Promise]:
    """Yield them in order."""
    yield from _speed(middle)
    yield from _calls(middle)
    yield from _latency(middle)
    yield from _memory(middle)
    yield from _growth(middle)
    yield from _rest(middle)


def _speed(middle: Medians) -> Iterator[Promise]:
    speed = middle.get("0 ms, 16 workers")
    if speed:
        mine, ledger, peer, sdk = (speed[who] for who in ("loader", "loader, ledger", "aiohttp script", "vendor's SDK"))
        yield Promise("rows/s, compared with the aiohttp script", mine.rate / peer.rate, 1.0, "{:.2f} times")
        yield Promise(
            "CPU for each row, compared with the aiohttp script", mine.cpu / peer.cpu, 1.0, "{:.2f} times", at_most=True
        )
        yield Promise(
            "rows/s with the ledger, compared with the aiohttp script", ledger.rate / peer.rate, 0.9, "{:.2f} times"
        )
        yield Promise("rows/s, compared with the vendor's SDK", mine.rate / sdk.rate, 5.0, "{:.1f} times")

    alone = middle.get("0 ms, 16 workers, 200,000 rows")
    if alone:
        peer = alone["aiohttp script"]
        for who, cpu, rate in (("loader", 0.6, 1.6), ("loader, ledger", 0.75, 1.3)):
            what = f"200,000 rows, {who}: %s, compared with the aiohttp script"
            yield Promise(what % "CPU for each row", alone[who].cpu / peer.cpu, cpu, "{:.2f} times", at_most=True)
            yield Promise(what % "rows/s", alone[who].rate / peer.rate, rate, "{:.2f} times")


def _calls(middle: Medians) -> Iterator[Promise]:
    for name, found in middle.items():
        one = found.get("loader, ledger, several rows a user")
        if one is not None:
            users = round(one.rows * 3 / 20)
            yield Promise(f"{name}: calls for {users:,} users", one.calls, users, "{:,.0f}", at_most=True)


def _latency(middle: Medians) -> Iterator[Promise]:
    for name, bound in (("50 ms, 64 workers", 0.97), ("200 ms, 256 workers", 0.95)):
        if name in middle and middle[name]["loader"].rows >= 20_000:  # of fewer, the start is too large a part
            yield Promise(f"{name}: share of 1,280 rows/s", middle[name]["loader"].rate / 1280, bound, "{:.1%}")


def _memory(middle: Medians) -> Iterator[Promise]:
    if "start" not in middle:
        return
    empty = middle["start"]["empty process"].peak_mb
    for name, who in (
        ("dry run of 1,000,000", "loader, dry run"),
        ("load of 1,000,000", "loader"),
        ("load of 100,000, 20 ms", "loader"),
        ("load of 1,000,000 with a ledger", "loader, ledger"),
        ("load of 1,000,000 with a ledger", "loader, ledger, several rows a user"),
        ("200 ms, 256 workers", "loader"),
    ):
        if name not in middle:
            continue
        over = middle[name][who].peak_mb - empty
        rows = ", several rows a user" if who.endswith("user") else ""
        yield Promise(f"{name}{rows}: MB more than an empty process", over, 150, "{:.0f}", at_most=True)
        ten = middle.get(name.replace("1,000,000", "10,000,000"), {}).get(who) if "1,000,000" in name else None
        if ten is not None:
            yield Promise(
                "the same for 10,000,000 rows, compared with this",
                (ten.peak_mb - empty) / over,
                1.1,
                "{:.2f} times",
                at_most=True,
            )


def _growth(middle: Medians) -> Iterator[Promise]:
    for job, who in (("dry run of", "loader, dry run"), ("load of", "loader")):
        found = [one[who] for name, one in middle.items() if re.fullmatch(rf"{job} [\d,]+", name)]
        few = [one for one in found if one.rows <= 1_000_000]
        if few and who == "loader, dry run":
            best = max(few, key=lambda one: one.rows)
            yield Promise("dry run: CPU for each row", best.cpu, 3.5, "{:.1f} µs", at_most=True)
        if len(found) > 2:
            least, *more = sorted(found)  # the least is most of all the start, which would hide how the rest grows
            what = f"{job} {least.rows:,.0f} to {more[-1].rows:,.0f} rows"
            points = [(one.rows - least.rows, one.cpu_seconds - least.cpu_seconds) for one in more]
            form = "slope of the log-log fit of CPU time, without the smallest run"
            yield Promise(f"{what}: {form}", slope(points), 1.02, "{:.3f}", at_most=True)


def _rest(middle: Medians) -> Iterator[Promise]:
    if "start" in middle:
        start = middle["start"]
        ratio = start["loader --help"].seconds / start["import click"].seconds
        yield Promise("--help, compared with `python -c 'import click'`", ratio, 1.5, "{:.2f} times", at_most=True)
        ratio = start["loader, one row of CSV"].seconds / start["import pyarrow"].seconds
        what = "one row of a CSV, compared with `python -c 'import pyarrow'`"
        yield Promise(what, ratio, 1.7, "{:.2f} times", at_most=True)
    first = middle.get("first call of 100,000", {})
    for who, one in first.items():
        yield Promise(f"{who}: 100,000 rows", one.seconds, 1.0, "{:.2f} s", at_most=True)
    inference = middle.get("inference from 10,000 rows")
    if inference:
        usual, wide = inference["loader, infer"], inference["loader, infer 2,500 columns"]
        more = (wide.seconds - usual.seconds) / (WIDE - USUAL) * 1000
        yield Promise("inference from 10,000 rows: each column", more, 2.0, "{:.2f} ms", at_most=True)
    yield from _forms(middle)
    again = middle.get("second load of 1,000,000")
    if again:
        what = "a second load of 1,000,000 rows, all unchanged"
        yield Promise(what, again["loader, again"].rate, 50_000, "{:,.0f} rows/s")
    clean, faulty = (middle.get(f"sandbox, 20 ms{rest}") for rest in ("", ", 8.1 % faults"))
    if clean and faulty:
        ratio = faulty["loader, patient"].seconds / clean["loader, patient"].seconds
        yield Promise(
            "a load with 8.1 % faults, compared with the same without faults",
            ratio,
            1.25,
            "{:.2f} times the time",
            True,
        )


def _forms(middle: Medians) -> Iterator[Promise]:
    found = next((one for name, one in middle.items() if name.startswith("field forms")), None)
    if found is not None:
        more = found["loader, dry run, join and value map"].cpu - found["loader, dry run"].cpu
        yield Promise("a join and a value map: more CPU for each row", more, 2.0, "{:.2f} µs", at_most=True)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Return the slope of a straight line through (rows, seconds) on logarithmic scales, by least squares."""
    logs = [(math.log(rows), math.log(seconds)) for rows, seconds in points]
    x = sum(one for one, _ in logs) / len(logs)
    y = sum(one for _, one in logs) / len(logs)
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)
