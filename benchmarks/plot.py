"""The figures as one picture: speed, cost, and how cost grows."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.measure import median
from benchmarks.results import Found
from benchmarks.scenarios import Scenario

MINE, OTHERS = "#12805c", "#9aa5b1"


def draw(plan: list[Scenario], found: Found, path: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (rate, cpu, growth) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    speed = {who: median(runs) for who, runs in found["0 ms, 16 workers"].items()}
    names = sorted(speed, key=lambda who: speed[who].rate)
    colours = [MINE if who.startswith("loader") else OTHERS for who in names]
    for axes, title, values, form in (
        (rate, "rows a second (more is better)", [speed[who].rate for who in names], "{:,.0f}"),
        (cpu, "µs of CPU a row (less is better)", [speed[who].cpu for who in names], "{:,.0f}"),
    ):
        bars = axes.barh(names, values, color=colours)
        axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=9)
        axes.set_title(f"{title}\n0 ms, 16 workers", fontsize=11)
        axes.margins(x=0.18)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_xticks([])
    cpu.set_yticks([])
    for start, label, marker in (("dry run of", "dry run", "o"), ("load of", "load", "s")):
        points = [
            (one.rows, one.cpu_seconds)
            for scenario in plan
            if re.fullmatch(rf"{start} [\d,]+", scenario.name)
            for one in [median(next(iter(found[scenario.name].values())))]
        ]
        growth.loglog([x for x, _ in points], [y for _, y in points], marker=marker, label=label, color=MINE)
    growth.lines[1].set_linestyle("--")
    growth.set_title("seconds of CPU by rows", fontsize=11)
    growth.grid(alpha=0.3)
    growth.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
