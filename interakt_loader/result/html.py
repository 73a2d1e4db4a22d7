"""A load as one self-contained HTML file: no network, no library, readable on a phone and on paper.

Charts as inline SVG, from the bins of a `Timeline`. Pure: numbers in, markup out; colours are the page's classes.

Which rows a page shows: of each reason some, so that no reason hides the others, and few enough to open at once.

The page: what came of the load, how it went on, what went wrong and what to do. Pure; all text is escaped.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import importlib.resources
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader._version import __version__
from interakt_loader.codes import hint
from interakt_loader.errors import SettingsError
from interakt_loader.model import Status
from interakt_loader.privacy.files import replacing
from interakt_loader.privacy.text import escape, masked, masked_phone
from interakt_loader.report.reading import read_batches, read_timeline
from interakt_loader.settings.values import Rate, parse_rate

if TYPE_CHECKING:
    from interakt_loader.report.reading import Timeline
    from interakt_loader.report.writer import Reason
    from interakt_loader.result import LoadResult

__all__ = ["write_html"]


def write_html(result: LoadResult, path: str | Path, *, personal: bool) -> Path:
    """Write the page; phones and e-mail addresses are masked unless `personal`. Returns the path.

    The report is read a batch at a time, and the page holds some thousand rows at most, whatever their number.
    Raises `SettingsError` where the path cannot be written.
    """
    path = Path(path)
    page = as_page(
        result, read_timeline(result.report), shown_rows(result), personal=personal and not result.options.get("mask")
    )
    try:
        with replacing(path) as file:
            file.write(page.encode())
    except OSError as error:
        raise SettingsError(f"html {path}: cannot be written: {error.strerror or error}") from None
    return path


WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 26

_UNITS = ((7_200.0, 3_600.0, "h"), (300.0, 60.0, "min"))


class Chart:
    """A plane of `seconds` by `top`, on which areas and lines are drawn, in order."""

    def __init__(self, title: str, said: str, seconds: float, top: float) -> None:
        """`said` is the chart in words, for those who cannot see it."""
        self._title, self._said, self._seconds = title, said, seconds
        self._top = max(ticks(top)[-1], top) or 1.0
        self._drawn: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def area(self, low: Sequence[float], high: Sequence[float], css: str, name: str) -> None:
        """Fill between two rows of values at the bins' ends; both begin at nothing."""
        up = [self._point(at, value, len(high)) for at, value in enumerate([0.0, *high])]
        down = [self._point(at, value, len(low)) for at, value in enumerate([0.0, *low])]
        points = " ".join([*up, *reversed(down)])
        self._drawn.append(f'<polygon class="fill {css}" points="{points}"/>')
        self._legend.append((css, name))

    def line(self, values: Sequence[float | None], css: str, name: str) -> None:
        """Draw a line through values at the bins' ends; it is broken where there is none."""
        pieces: list[list[str]] = [[]]
        for at, value in enumerate(values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append(self._point(at + 1, value, len(values)))
        paths = [f"M{'L'.join(piece if len(piece) > 1 else piece * 2)}" for piece in pieces if piece]
        self._drawn.append(f'<path class="line {css}" d="{"".join(paths)}"/>')
        self._legend.append((css, name))

    def steps(self, values: Sequence[float], css: str, name: str) -> None:
        """Draw each bin's value as a flat piece."""
        points = []
        for at, value in enumerate(values):
            points += [self._point(at, value, len(values)), self._point(at + 1, value, len(values))]
        self._drawn.append(f'<path class="line {css}" d="M{"L".join(points)}"/>')
        self._legend.append((css, name))

    def level(self, value: float, css: str, name: str) -> None:
        """Draw a level from one side to the other."""
        ends = f"{self._point(0, value, 1)}L{self._point(1, value, 1)}"
        self._drawn.append(f'<path class="line {css}" d="M{ends}"/>')
        self._legend.append((css, name))

    def markup(self) -> str:
        """Return the chart as a figure."""
        legend = "".join(
            f'<span class="key"><svg class="swatch" width="12" height="12" aria-hidden="true">'
            f'<rect class="fill {css}" width="12" height="12" rx="3"/></svg>{escape(name)}</span>'
            for css, name in self._legend
        )
        return (
            f"<figure><figcaption>{escape(self._title)}</figcaption>"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._said)}">'
            f'{self._axes()}{"".join(self._drawn)}</svg><div class="legend">{legend}</div></figure>'
        )

    def _point(self, bin_: int, value: float, bins: int) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * bin_ / bins
        return f"{x:.1f},{self._y(value):.1f}"

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / self._top, 1.0)

    def _axes(self) -> str:
        unit, name = next(((unit, name) for least, unit, name in _UNITS if self._seconds >= least), (1.0, "s"))
        parts = []
        for value in ticks(self._top):
            y = self._y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
        for value in ticks(self._seconds / unit):
            x = LEFT + (WIDTH - LEFT - RIGHT) * value * unit / self._seconds
            if x <= WIDTH - RIGHT:
                anchor = "end" if x > WIDTH - 30 else "middle"
                parts.append(
                    f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{short(value)}&#160;{name}</text>'
                )
        return "".join(parts)


def ticks(top: float, about: int = 4) -> list[float]:
    """Return round numbers from 0 that go up to `top`, some four of them."""
    if top <= 0:
        return [0.0]
    rough = top / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= rough * 0.999)
    return [step * number for number in range(int(top / step + 1.001))]


def short(value: float) -> str:
    """Return a number as few characters: 1,500,000 is `1.5M`."""
    for least, letter in ((1e6, "M"), (1e4, "k")):
        if value >= least:
            return f"{value / (1e6 if letter == 'M' else 1e3):g}{letter}"
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


MOST_ROWS, MOST_A_REASON = 2_000, 200

COLUMNS = ["row", "user_id", "country_code", "phone", "event", "status", "attempts", "http_status", "code", "column"]


class ShownRows(NamedTuple):
    """Lines of the report, in the input's order."""

    lines: list[dict[str, Any]]
    left_out: int


def shown_rows(result: LoadResult) -> ShownRows:
    """Return lines of rows that a person has to look at, of a report that is read a batch at a time."""
    wanted = pa.array([one.value for one in result.summary.failing])
    batches = read_batches(result.report, [*COLUMNS, "message"])
    return chosen(batch.filter(pc.is_in(batch["status"], wanted)) for batch in batches)


def chosen(batches: Iterable[pa.RecordBatch]) -> ShownRows:
    """Return the first lines of each status, code and column."""
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
    return ShownRows(sorted(lines, key=lambda line: int(line["row"])), seen.total() - len(lines))


_HEADS = ("row", "user_id", "phone", "status", "code", "column", "calls", "HTTP", "message")
_OF_NUMBERS = ("row", "calls", "HTTP")


def as_page(result: LoadResult, timeline: Timeline | None, rows: ShownRows, *, personal: bool) -> str:
    """Return the whole file."""
    shown = _as_they_are if personal else masked
    style, script = _asset("report.css"), _asset("report.js")
    title = f"{result.name}: {result.rows:,} rows as {_plural(result)}"
    sections = [
        _summary(result, shown),
        _charts(result, timeline),
        _reasons(result, shown),
        _rows(rows, personal=personal),
        _settings(result),
    ]
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>{_when(timeline)}</header>\n<main>\n{''.join(sections)}</main>\n"
        f"<footer>interakt_loader {escape(__version__)}{_masking(personal)}</footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _as_they_are(text: str) -> str:
    return text


def _asset(name: str) -> str:
    return (importlib.resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _plural(result: LoadResult) -> str:
    return "users" if result.kind == "user" else "events"


def _when(timeline: Timeline | None) -> str:
    if timeline is None:
        return ""
    began = dt.datetime.fromtimestamp(timeline.began, dt.timezone.utc)
    return f'<p class="quiet">{began:%Y-%m-%d %H:%M} UTC</p>'


def _masking(personal: bool) -> str:
    return "" if personal else " · phones and e-mail addresses are masked"


# ---------------------------------------------------------------------- what came of it


def _summary(result: LoadResult, shown: Callable[[str], str]) -> str:
    words = [_headline(result)]
    if result.stopped is not None:
        words.append(f'<p class="alert"><b>Stopped early:</b> {escape(shown(result.stopped.message))}</p>')
    if result.forecast is not None:
        words.append(f"<p><b>To do:</b> {escape(result.forecast)}</p>")
    return f'<section aria-label="Summary">{_bar(result)}{_counts(result)}{"".join(words)}</section>\n'


def _headline(result: LoadResult) -> str:
    if result.summary.dry_run:
        return "<p>Checked; nothing was sent.</p>"
    rate = result.attempts / result.seconds if result.seconds else 0.0
    said = f"{result.attempts:,} calls in {_duration(result.seconds)}, {rate:,.1f} a second"
    if result.summary.maybe_duplicates:
        said += f"; {result.summary.maybe_duplicates:,} rows may have arrived twice"
    return f"<p>{said}.</p>"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _found(result: LoadResult) -> list[tuple[str, str, int]]:
    """Return (word, CSS class, rows) of each status that there is."""
    counts = [(status.value, result.summary.counts[status.value]) for status in Status]
    return [(_word(result, status), _css(result, status), count) for status, count in counts if count]


def _word(result: LoadResult, status: str) -> str:
    return "would be sent" if result.summary.dry_run and status == Status.UNSENT else status


def _css(result: LoadResult, status: str) -> str:
    return "sent" if result.summary.dry_run and status == Status.UNSENT else status


def _bar(result: LoadResult) -> str:
    at, pieces = 0.0, []
    for _, css, count in _found(result):
        width = 1000 * count / result.rows
        pieces.append(f'<rect class="fill {css}" x="{at:.2f}" width="{max(width, 2):.2f}" height="14"/>')
        at += width
    said = ", ".join(f"{count:,} {word}" for word, _, count in _found(result)) or "no rows"
    return (
        f'<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f"{''.join(pieces)}</svg>"
    )


def _counts(result: LoadResult) -> str:
    items = "".join(
        f'<div class="count"><dt><svg class="swatch" width="12" height="12" aria-hidden="true">'
        f'<circle class="fill {css}" cx="6" cy="6" r="6"/></svg>{word}</dt><dd>{count:,}</dd></div>'
        for word, css, count in _found(result)
    )
    return f'<dl class="counts">{items}</dl>'


# ---------------------------------------------------------------------- how it went on


def _charts(result: LoadResult, timeline: Timeline | None) -> str:
    if timeline is None:
        return ""
    charts = [_progress(timeline), _calls(timeline, parse_rate(result.options["rate_limit"])), _latency(timeline)]
    return f'<section><h2>How it went on</h2><div class="charts">{"".join(charts)}</div></section>\n'


def _progress(timeline: Timeline) -> str:
    statuses = [status.value for status in Status if status in timeline.rows and status is not Status.UNSENT]
    totals = {status: list(itertools.accumulate(timeline.rows[status])) for status in statuses}
    done = sum(one[-1] for one in totals.values())
    chart = Chart("Rows done", f"{done:,} rows done in {_duration(timeline.seconds)}", timeline.seconds, done)
    low: list[float] = [0.0] * len(timeline.calls)
    for status in statuses:
        high = [below + count for below, count in zip(low, totals[status], strict=True)]
        chart.area(low, high, status, status)
        low = high
    return chart.markup()


def _calls(timeline: Timeline, limit: object) -> str:
    rates = [count / timeline.width for count in timeline.calls]
    bound = limit.calls / limit.seconds if isinstance(limit, Rate) else 0.0
    top = max(*rates, bound)
    said = f"at most {max(rates):,.1f} calls a second" + (f", with a limit of {limit}" if bound else "")
    chart = Chart("Calls a second", said, timeline.seconds, top)
    chart.steps(rates, "first", "calls")
    if bound:
        chart.level(bound, "limit", f"limit: {limit}")
    return chart.markup()


def _latency(timeline: Timeline) -> str:
    top = max((one for times in timeline.latency.values() for one in times if one is not None), default=0.0)
    chart = Chart("Answer times, ms", f"the slowest hundredth took up to {top:,.0f} ms", timeline.seconds, top)
    for css, (percent, times) in zip(("third", "second", "first"), reversed(timeline.latency.items()), strict=True):
        chart.line(times, css, f"{percent} % within")
    return chart.markup()


# ---------------------------------------------------------------------- what went wrong


def _reasons(result: LoadResult, shown: Callable[[str], str]) -> str:
    reasons = [one for one in result.summary.top_reasons() if one.code is not None]
    wrong = [one for one in reasons if one.status in result.summary.failing]
    noted = [one for one in reasons if one.status not in result.summary.failing]
    sections = []
    for title, some in (("What went wrong, and what to do", wrong), ("Worth knowing", noted)):
        items = "".join(_reason(one, _word(result, one.status), shown) for one in some)
        sections += [f'<section><h2>{title}</h2><ul class="reasons">{items}</ul></section>\n'] if items else []
    return "".join(sections)


def _reason(one: Reason, word: str, shown: Callable[[str], str]) -> str:
    code = one.code or ""
    where = f" in <b>{escape(one.column)}</b>" if one.column else ""
    example = f'<p class="example">{escape(shown(one.example))}</p>' if one.example else ""
    todo = hint(code)
    what_to_do = f"<p><b>What to do:</b> {escape(todo)}</p>" if todo else ""
    return (
        f'<li><h3><span class="badge {one.status}">{one.count:,} {word}</span> '
        f"<code>{escape(code)}</code>{where}</h3>{example}{what_to_do}</li>"
    )


def _rows(rows: ShownRows, *, personal: bool) -> str:
    if not rows.lines:
        return ""
    heads = "".join(
        f'<th scope="col" aria-sort="none"{_number(name)}><button type="button">{name}</button></th>' for name in _HEADS
    )
    lines = "".join(f"<tr>{''.join(_cells(line, personal=personal))}</tr>\n" for line in rows.lines)
    more = f" {rows.left_out:,} more are in the report." if rows.left_out else ""
    return (
        f'<section><h2>Rows to look at</h2><p><span id="found" role="status">{len(rows.lines):,} rows</span>.{more}</p>'
        '<p class="search"><label for="search">Search</label> <input id="search" type="search" autocomplete="off"></p>'
        '<div class="scroll" role="region" aria-label="Rows to look at" tabindex="0">'
        f'<table id="rows"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div></section>\n'
    )


def _number(name: str) -> str:
    return ' class="number"' if name in _OF_NUMBERS else ""


def _cells(line: dict[str, Any], *, personal: bool) -> Iterable[str]:
    shown = _as_they_are if personal else masked
    phone = line["phone"] or ""
    whole = f"{line['country_code'] or ''} {phone if personal else masked_phone(phone)}".strip() if phone else ""
    values = {
        "row": f"{line['row']}",
        "user_id": shown(line["user_id"] or ""),
        "phone": whole.replace(" ", "\u00a0"),
        "status": line["status"],
        "code": line["code"] or "",
        "column": line["column"] or "",
        "calls": f"{line['attempts']}",
        "HTTP": "" if line["http_status"] is None else f"{line['http_status']}",
        "message": shown(line["message"] or ""),
    }
    return (f"<td{_number(name)}>{escape(values[name])}</td>" for name in _HEADS)


def _settings(result: LoadResult) -> str:
    given = {name: value for name, value in result.options.items() if value not in (None, "", [], False)}
    facts = {"report": str(result.report)} | ({"ledger": str(result.ledger)} if result.ledger else {}) | given
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value if isinstance(value, str) else json.dumps(value))}'
        "</td></tr>"
        for name, value in facts.items()
    )
    return f'<section><h2>Settings</h2><table class="settings"><tbody>{lines}</tbody></table></section>\n'
