"""A load as a picture, with matplotlib: how it went on, against what limit, how fast the answers came, what became."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import SettingsError
from interakt_loader.model import Status
from interakt_loader.report.reading import Timeline
from interakt_loader.result.view import COLOURS
from interakt_loader.settings.values import Rate, parse_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from interakt_loader.result import LoadResult

_UNITS = ((7_200.0, 3_600.0, "hours"), (300.0, 60.0, "minutes"))
"""From so many seconds on, the axis of time counts in units of so many."""

_BLUES = {50: "#2b6cb0", 95: "#5a9bd5", 99: "#a9cbeb"}


def draw(result: LoadResult, timeline: Timeline | None) -> Figure:
    """Return the figure; of a load that made no call, the outcomes alone."""
    figure = _figure()
    figure.suptitle(_headline(result), fontsize=11)
    if timeline is None:
        _outcomes(figure.subplots(), result)
        return figure
    (progress, calls), (latency, outcomes) = figure.subplots(2, 2)
    unit, name = next(((unit, name) for least, unit, name in _UNITS if timeline.seconds >= least), (1.0, "seconds"))
    ends = [(number + 1) * timeline.width / unit for number in range(len(timeline.calls))]
    _progress(progress, timeline, ends)
    _calls(calls, timeline, ends, parse_rate(result.options["rate_limit"]))
    _latency(latency, timeline, ends)
    _outcomes(outcomes, result)
    for axes in (progress, calls, latency, outcomes):
        axes.spines[["top", "right"]].set_visible(False)
    for axes in (progress, calls, latency):
        axes.set_xlabel(name)
        axes.set_xlim(0, ends[-1])
        axes.set_ylim(bottom=0)
    return figure


def _figure() -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingsError("plot() needs matplotlib: pip install matplotlib") from None

    class Shown(Figure):
        """A figure that a notebook shows by itself, without pyplot and what that keeps open."""

        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            canvas: Any = FigureCanvasAgg(self)
            canvas.print_png(picture)
            return picture.getvalue()

    return Shown(figsize=(10, 6.5), layout="constrained")


def _headline(result: LoadResult) -> str:
    plural = "users" if result.kind == "user" else "events"
    return f"{result.rows:,} rows as {plural}, {result.attempts:,} calls in {result.seconds:,.1f} s"


def _progress(axes: Axes, timeline: Timeline, ends: list[float]) -> None:
    axes.set_title("rows done")
    statuses = [status for status in Status if status in timeline.rows and status is not Status.UNSENT]
    heights = [_running_total(timeline.rows[status]) for status in statuses]
    if statuses:  # of an outage from the first row on there is nothing to draw
        axes.stackplot(ends, heights, colors=[COLOURS[one] for one in statuses], labels=[one.value for one in statuses])
        axes.legend(loc="upper left", fontsize=8, frameon=False)
    _thousands(axes.yaxis)


def _running_total(counts: list[int]) -> list[int]:
    totals, total = [], 0
    for count in counts:
        total += count
        totals.append(total)
    return totals


def _calls(axes: Axes, timeline: Timeline, ends: list[float], limit: Any) -> None:
    axes.set_title("calls a second")
    axes.step(ends, [count / timeline.width for count in timeline.calls], where="pre", color="#2b6cb0")
    if isinstance(limit, Rate):
        axes.axhline(limit.calls / limit.seconds, color="#c23b3b", linestyle="--", label=f"limit: {limit}")
        axes.legend(fontsize=8, frameon=False, loc="lower right")


def _latency(axes: Axes, timeline: Timeline, ends: list[float]) -> None:
    axes.set_title("answer times, ms")
    for percent, times in timeline.latency.items():
        shown = [float("nan") if one is None else one for one in times]
        axes.plot(ends, shown, color=_BLUES[percent], label=f"{percent} % of them within", linewidth=1.2)
    axes.legend(fontsize=8, frameon=False)


def _outcomes(axes: Axes, result: LoadResult) -> None:
    axes.set_title("outcomes")
    found = [(status, count) for status in reversed(Status) if (count := result.summary.counts[status.value])]
    bars = axes.barh(
        [status.value for status, _ in found],
        [count for _, count in found],
        color=[COLOURS[status] for status, _ in found],
    )
    axes.bar_label(bars, [f" {count:,}" for _, count in found], fontsize=9)
    axes.margins(x=0.15)
    _thousands(axes.xaxis)


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
