"""A load as HTML: the card in a notebook, and the page, one file that needs no network."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader._version import __version__
from interakt_loader.errors import SettingsError
from interakt_loader.privacy.files import replacing
from interakt_loader.privacy.text import masked_phone, number_of
from interakt_loader.report.reading import Timeline, read_batches, read_timeline
from interakt_loader.result.view import AXES, Course, View, elapsed, time_unit
from interakt_loader.templates import asset, render

CARD_REASONS = 20
"""Reasons on a card; the report has all."""

MOST_ROWS, MOST_A_REASON = 2_000, 200
"""Rows on a page, in all and of one reason."""

WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 372, 10, 164
"""The size of a chart, and where its plane begins and ends."""


def card(view: View) -> str:
    """Return the counts, the reasons and the next steps as HTML for a notebook."""
    reasons = view.reasons[:CARD_REASONS]
    return render(
        "card.html",
        view=view,
        rows=[(f"{one.count:,}", one.label, one.code, one.column or "", one.rows, one.example) for one in reasons],
        bodies="\n".join(json.dumps(json.loads(body), indent=2, ensure_ascii=False) for body in view.bodies),
    )


class LoadPage(NamedTuple):
    """What the page of a load shows, apart from its frame."""

    view: View
    began: str | None
    charts: list[Chart]
    rows: PageRows


def load_page(view: View, report: Path) -> LoadPage:
    """Return what a page shows of a load.

    The report is read a batch at a time. However many rows it has, at most `MOST_ROWS` of them are shown.
    """
    timeline = read_timeline(report)
    drawn = [] if timeline is None else charts(view.course(timeline))
    return LoadPage(view, began_at(timeline), drawn, rows_to_show(view, report))


def write_page(view: View, report: Path, path: str | Path) -> Path:
    """Write the page of a load and return its path. Raises `SettingsError` if the path cannot be written."""
    load = load_page(view, report)
    title = f"{view.name}: {view.heading}"
    return write_html(path, "page.html", title=title, began=load.began, masks=view.masks, load=load)


def write_html(path: str | Path, template: str, **values: Any) -> Path:
    """Write a page of this template and return its path. Its policy allows no script or style but its own.

    Raises `SettingsError` if the path cannot be written.
    """
    path = Path(path)
    style, script = asset("page.css"), asset("page.js")
    page = render(
        template,
        **values,
        style=style,
        style_digest=digest(style),
        script=script,
        script_digest=digest(script),
        version=__version__,
    )
    try:
        with replacing(path) as file:
            file.write(page.encode())
    except OSError as error:
        raise SettingsError(f"html {path}: cannot be written: {error.strerror or error}") from None
    return path


def digest(text: str) -> str:
    """Return the digest by which a page's policy allows a script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def began_at(timeline: Timeline | None) -> str | None:
    """Return when the first call ended."""
    if timeline is None:
        return None
    return f"{dt.datetime.fromtimestamp(timeline.began, dt.timezone.utc):%Y-%m-%d %H:%M} UTC"


class Column(NamedTuple):
    """A column of the page's table of rows."""

    title: str
    is_number: bool = False


COLUMNS = (
    Column("row", is_number=True),
    Column("user_id"),
    Column("phone"),
    Column("status"),
    Column("code"),
    Column("column"),
    Column("calls", is_number=True),
    Column("HTTP", is_number=True),
    Column("message"),
)

READ = ["row", "user_id", "country_code", "phone", "status", "attempts", "http_status", "code", "column", "message"]


class PageRow(NamedTuple):
    """A row of the page's table."""

    cells: list[str]
    reason: int | None
    """The place of its reason among the view's."""
    is_first: bool
    """Whether it is the first one of its reason."""


class PageRows(NamedTuple):
    """Rows that a person has to look at, in the order of the input."""

    lines: list[PageRow]
    left_out: int
    """How many more rows there are."""
    of_reason: Counter[int | None]
    """How many of the rows each reason has."""
    columns: tuple[Column, ...] = COLUMNS


def rows_to_show(view: View, report: Path) -> PageRows:
    """Return the rows of the page, from a report that is read a batch at a time."""
    failing = pa.array([one.value for one in view.summary.failing])
    lines, left_out = chosen(batch.filter(pc.is_in(batch["status"], failing)) for batch in read_batches(report, READ))
    places = {(one.label, one.code, one.column): place for place, one in enumerate(view.reasons)}
    of_reason: Counter[int | None] = Counter()
    rows = []
    for line in lines:
        reason = places.get((view.label(line["status"]), line["code"], line["column"]))
        of_reason[reason] += 1
        rows.append(PageRow(cells(line, view), reason, of_reason[reason] == 1))
    return PageRows(rows, left_out, of_reason)


def chosen(batches: Iterable[pa.RecordBatch]) -> tuple[list[dict[str, Any]], int]:
    """Return the first lines of each status, code and column, and how many lines are left out.

    No reason hides the others, and a browser can open the page at once.
    """
    lines: list[dict[str, Any]] = []
    seen: Counter[tuple[str, str | None, str | None]] = Counter()
    for batch in batches:
        keys = list(zip(*(batch[name].to_pylist() for name in ("status", "code", "column")), strict=True))
        taken: list[int] = []
        for at, key in enumerate(keys):
            if seen[key] < MOST_A_REASON and len(lines) + len(taken) < MOST_ROWS:
                taken.append(at)
            seen[key] += 1
        lines += batch.take(pa.array(taken, pa.int64())).to_pylist()
    return sorted(lines, key=lambda line: int(line["row"])), seen.total() - len(lines)


def cells(line: dict[str, Any], view: View) -> list[str]:
    """Return a line of the report as the cells of `COLUMNS`."""
    phone = line["phone"] or ""
    if phone:
        phone = f"{line['country_code'] or ''} {masked_phone(phone) if view.masks else phone}".strip()
    return [
        view.lines.label(line["row"]),
        view.shown(line["user_id"] or ""),
        phone.replace(" ", "\u00a0"),
        line["status"],
        line["code"] or "",
        line["column"] or "",
        f"{line['attempts']}",
        "" if line["http_status"] is None else f"{line['http_status']}",
        view.shown(line["message"] or ""),
    ]


def charts(course: Course) -> list[Chart]:
    """Return the charts of a page."""
    return [done_chart(course), calls_chart(course), latency_chart(course)]


def done_chart(course: Course) -> Chart:
    """Return the rows of each status over time, on top of each other."""
    done = sum(totals[-1] for _, _, totals in course.done)
    words = f"{number_of(done, 'row')} done in {elapsed(course.seconds)}"
    chart = Chart(AXES[0], words, course.seconds, done)
    low = [0] * len(course.rates)
    for label, colour, totals in course.done:
        high = [below + count for below, count in zip(low, totals, strict=True)]
        chart.area(low, high, colour, label)
        low = high
    return chart


def calls_chart(course: Course) -> Chart:
    """Return the calls a second over time, and their limit."""
    words = f"at most {max(course.rates):,.1f} calls a second"
    if course.limit is None:
        chart = Chart(AXES[1], words, course.seconds, max(course.rates))
    else:
        words += f", with a {course.limit_label}"
        chart = Chart(AXES[1], words, course.seconds, max(*course.rates, course.limit))
    chart.steps(course.rates, "first", "calls")
    if course.limit is not None:
        chart.level(course.limit, "limit", course.limit_label)
    return chart


def latency_chart(course: Course) -> Chart:
    """Return the answer times over time, the slowest first, so that the fastest are drawn above them."""
    top = max((one for _, _, times in course.latency for one in times if one is not None), default=0.0)
    chart = Chart(AXES[2], f"the slowest 1 % of the answers took up to {top:,.0f} ms", course.seconds, top)
    for css, (_, label, times) in zip(("third", "second", "first"), reversed(course.latency), strict=True):
        chart.line(times, css, label)
    return chart


class Series(NamedTuple):
    """An area or a line of a chart."""

    name: str
    points: str
    """Of SVG's `polygon` for an area, of its `path` for a line."""
    css: str | None = None
    """The class of a line."""
    colour: str | None = None
    """The colour of an area."""


class Tick(NamedTuple):
    """A number on an axis."""

    at: str
    text: str
    anchor: str = "end"


class Chart:
    """Series over time, in the order in which they are drawn. `chart.html` makes SVG of it."""

    width, height, left, right = WIDTH, HEIGHT, LEFT, RIGHT

    def __init__(self, title: str, words: str, seconds: float, top: float) -> None:
        """Make an empty chart of so many seconds and values up to `top`; `words` are for people who cannot see it."""
        self.title, self.words, self.series = title, words, list[Series]()
        self._seconds, self._top = seconds, max(ticks(top)[-1], top) or 1.0

    def area(self, low: Sequence[float], high: Sequence[float], colour: str, name: str) -> None:
        """Fill between two rows of values at the ends of the bins; both start at 0."""
        up = [self._point(at, value, len(high)) for at, value in enumerate([0.0, *high])]
        down = [self._point(at, value, len(low)) for at, value in enumerate([0.0, *low])]
        self.series.append(Series(name, " ".join([*up, *reversed(down)]), colour=colour))

    def line(self, values: Sequence[float | None], css: str, name: str) -> None:
        """Draw a line through values at the ends of the bins. It is broken where there is no value."""
        pieces: list[list[str]] = [[]]
        for at, value in enumerate(values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append(self._point(at + 1, value, len(values)))
        paths = [f"M{'L'.join(piece if len(piece) > 1 else piece * 2)}" for piece in pieces if piece]
        self.series.append(Series(name, "".join(paths), css))

    def steps(self, values: Sequence[float], css: str, name: str) -> None:
        """Draw the value of each bin as a level line."""
        points = []
        for at, value in enumerate(values):
            points += [self._point(at, value, len(values)), self._point(at + 1, value, len(values))]
        self.series.append(Series(name, f"M{'L'.join(points)}", css))

    def level(self, value: float, css: str, name: str) -> None:
        """Draw a level line from one side to the other."""
        self.steps([value], css, name)

    def y_axis(self) -> list[Tick]:
        """Return the numbers at the left."""
        return [Tick(f"{self._y(value):.1f}", short(value)) for value in ticks(self._top)]

    def x_axis(self) -> list[Tick]:
        """Return the times at the bottom."""
        unit, name = time_unit(self._seconds)
        found = []
        for value in ticks(self._seconds / unit):
            x = LEFT + (RIGHT - LEFT) * value * unit / self._seconds
            if x <= RIGHT:
                anchor = "end" if x > WIDTH - 30 else "middle"
                found.append(Tick(f"{x:.1f}", f"{short(value)}\u00a0{name}", anchor))
        return found

    def _point(self, bin_: int, value: float, bins: int) -> str:
        return f"{LEFT + (RIGHT - LEFT) * bin_ / bins:.1f},{self._y(value):.1f}"

    def _y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * min(value / self._top, 1.0)


def ticks(top: float, about: int = 4) -> list[float]:
    """Return about four round numbers from 0 up to `top`."""
    if top <= 0:
        return [0.0]
    rough = top / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= rough * 0.999)
    return [step * number for number in range(int(top / step + 1.001))]


def short(value: float) -> str:
    """Return a number in few characters: 1,500,000 is `1.5M`."""
    for least, divisor, letter in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / divisor:g}{letter}"
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
