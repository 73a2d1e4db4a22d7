"""A load as a picture, with matplotlib: rows and calls over time, the limit, answer times and outcomes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import SettingsError
from interakt_loader.report.reading import Timeline
from interakt_loader.result.view import AXES, Course, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUES = {50: "#2b6cb0", 95: "#5a9bd5", 99: "#a9cbeb"}
_LIMIT = "#c23b3b"


def draw(view: View, timeline: Timeline | None) -> Figure:
    """Return the figure; if the load made no call, it shows the outcomes only."""
    figure = _figure()
    figure.suptitle(view.headline, fontsize=11)
    if timeline is None:
        _outcomes(figure.subplots(), view)
        return figure
    course = view.course(timeline)
    (done, calls), (latency, outcomes) = figure.subplots(2, 2)
    _done(done, course)
    _calls(calls, course)
    _latency(latency, course)
    _outcomes(outcomes, view)
    for axes, title in zip((done, calls, latency), AXES, strict=True):
        axes.set_title(title)
        axes.set_xlabel(f"time, {course.unit_name}")
        axes.set_xlim(0, course.ends[-1])
        axes.set_ylim(bottom=0)
    for axes in (done, calls, latency, outcomes):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _figure() -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingsError("plot() needs matplotlib: pip install matplotlib") from None

    class Shown(Figure):
        """A figure that a notebook shows without pyplot, which would keep it open."""

        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            canvas: Any = FigureCanvasAgg(self)
            canvas.print_png(picture)
            return picture.getvalue()

    return Shown(figsize=(10, 6.5), layout="constrained")


def _done(axes: Axes, course: Course) -> None:
    # If the API could not be reached at all, no row is done.
    if course.done:
        labels, colours, totals = zip(*course.done, strict=True)
        axes.stackplot(course.ends, totals, colors=colours, labels=labels)
        axes.legend(loc="upper left", fontsize=8, frameon=False)
    _thousands(axes.yaxis)


def _calls(axes: Axes, course: Course) -> None:
    axes.step(course.ends, course.rates, where="pre", color=_BLUES[50])
    if course.limit is not None:
        axes.axhline(course.limit, color=_LIMIT, linestyle="--", label=course.limit_label)
        axes.legend(fontsize=8, frameon=False, loc="lower right")


def _latency(axes: Axes, course: Course) -> None:
    for percent, label, times in course.latency:
        shown = [float("nan") if one is None else one for one in times]
        axes.plot(course.ends, shown, color=_BLUES[percent], label=label, linewidth=1.2)
    axes.legend(fontsize=8, frameon=False)


def _outcomes(axes: Axes, view: View) -> None:
    axes.set_title("Outcomes")
    counts = view.counts[::-1]
    bars = axes.barh([one.label for one in counts], [one.count for one in counts], color=[one.colour for one in counts])
    axes.bar_label(bars, [f" {one.count:,}" for one in counts], fontsize=9)
    axes.margins(x=0.15)
    _thousands(axes.xaxis)


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
