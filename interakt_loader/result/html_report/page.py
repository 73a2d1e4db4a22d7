"""The page: what came of the load, how it went on, what went wrong and what to do. Pure; all text is escaped."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import importlib.resources
import itertools
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from interakt_loader._version import __version__
from interakt_loader.result.html_report.charts import Chart
from interakt_loader.result.html_report.shown_rows import ShownRows
from interakt_loader.result.remedies import REMEDIES
from interakt_loader.safety.masking import masked, masked_phone
from interakt_loader.safety.printable import escape
from interakt_loader.settings.values import Rate, parse_rate
from interakt_loader.wire import Status

if TYPE_CHECKING:
    from interakt_loader.report.report import Reason
    from interakt_loader.report.timeline import Timeline
    from interakt_loader.result import LoadResult

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
    remedy = f"<p><b>What to do:</b> {escape(REMEDIES[code])}</p>" if code in REMEDIES else ""
    return (
        f'<li><h3><span class="badge {one.status}">{one.count:,} {word}</span> '
        f"<code>{escape(code)}</code>{where}</h3>{example}{remedy}</li>"
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
