"""How a result looks in a notebook: one small piece of HTML, in the notebook's own colours, light or dark.

Whatever comes from the table or from the server is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from interakt_loader.model import Status
from interakt_loader.privacy.text import escape
from interakt_loader.result.view import COLOURS

if TYPE_CHECKING:
    from interakt_loader.report.writer import Reason
    from interakt_loader.result import LoadResult

MOST_REASONS = 20
"""Reasons that are shown; the report has all."""

_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"
_NUMBER = "padding:2px 12px 2px 0;text-align:right;font-variant-numeric:tabular-nums;vertical-align:top"
_QUIET = "opacity:.7"


def as_html(result: LoadResult) -> str:
    """Return the counts, what went wrong and what to do next, as HTML."""
    parts = [_headline(result), _bar(result), _counts(result)]
    reasons = [one for one in result.summary.top_reasons() if one.code is not None]
    if reasons:
        parts.append(_reasons(reasons, dry_run=result.summary.dry_run))
    if result.examples:
        parts.append(_bodies(result.examples))
    parts += [f"<div>{line}</div>" for line in _next_steps(result)]
    return f'<div style="font-family:system-ui,sans-serif;line-height:1.5;max-width:60em">{"".join(parts)}</div>'


def _headline(result: LoadResult) -> str:
    plural = "users" if result.kind == "user" else "events"
    said = f"<b>{result.rows:,} rows as {plural}</b>"
    if result.summary.dry_run:
        said += " · checked, nothing was sent"
    elif result.attempts:
        rate = result.attempts / result.seconds if result.seconds else 0
        said += f" · {result.attempts:,} calls in {result.seconds:,.1f} s ({rate:,.0f} a second)"
    return f"<div>{said}</div>"


def _shares(result: LoadResult) -> list[tuple[str, str, int]]:
    """Return (word, colour, rows) of each status that there is."""
    dry_run = result.summary.dry_run
    return [
        (_word(status, dry_run), COLOURS[Status.SENT if dry_run and status is Status.UNSENT else status], count)
        for status in Status
        if (count := result.summary.counts[status.value])
    ]


def _word(status: str, dry_run: bool) -> str:
    return "would be sent" if dry_run and status == Status.UNSENT else str(status)


def _bar(result: LoadResult) -> str:
    pieces = "".join(
        f'<span style="flex:{count} 0 2px;background:{colour}" title="{count:,} {word}"></span>'
        for word, colour, count in _shares(result)
    )
    style = "display:flex;height:10px;border-radius:5px;overflow:hidden;margin:6px 0"
    return f'<div role="img" aria-label="shares of the rows" style="{style}">{pieces}</div>' if pieces else ""


def _counts(result: LoadResult) -> str:
    return "".join(
        f'<span style="margin-right:16px;white-space:nowrap"><span style="color:{colour}">●</span> '
        f"{count:,} {word}</span>"
        for word, colour, count in _shares(result)
    )


def _reasons(reasons: Sequence[Reason], *, dry_run: bool) -> str:
    head = [("rows", _NUMBER), *((title, _CELL) for title in ("status", "code", "column", "first rows", "such as"))]
    rows = [
        (
            f"{one.count:,}",
            _word(one.status, dry_run),
            one.code or "",
            one.column or "",
            ", ".join(f"{row:,}" for row in one.rows).replace(" ", "\u00a0"),
            one.example or "",
        )
        for one in reasons[:MOST_REASONS]
    ]
    table = _table(head, rows)
    more = len(reasons) - MOST_REASONS
    return table + (f'<div style="{_QUIET}">and {more:,} more reasons in the report</div>' if more > 0 else "")


def _table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f'<th style="{style};font-weight:600">{escape(title)}</th>' for title, style in head)
    styles = [style for _, style in head]
    lines = "".join(
        "<tr>"
        + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table style="border-collapse:collapse;margin:8px 0"><tr>{titles}</tr>{lines}</table>'


def _bodies(bodies: Sequence[str]) -> str:
    shown = "\n".join(json.dumps(json.loads(body), indent=2, ensure_ascii=False) for body in bodies)
    return (
        f"<details><summary>the first calls, as they would go out</summary>"
        f'<pre style="white-space:pre-wrap">{escape(shown)}</pre></details>'
    )


def _next_steps(result: LoadResult) -> list[str]:
    steps = []
    if result.forecast is not None and result.rows:
        steps.append(f"<b>to do:</b> {escape(result.forecast)}")
    if result.stopped is not None:
        steps.append(f"<b>stopped early:</b> {escape(result.stopped.message)}")
        if result.ledger is not None:
            steps.append("the same call goes on from there")
    if result.is_forgotten:
        steps.append(
            "<b>nothing remembers these events:</b> loaded again, they go out twice. With a ledger they do not: "
            '<code>load_events(…, ledger="orders.ledger")</code>'
        )
    if result.summary.failures:
        again = f"load_{'users' if result.kind == 'user' else 'events'}(result.failures(), mapping)"
        if result.summary.dry_run:
            steps.append(f"the {result.summary.failures:,} rows to mend: <code>result.failures()</code>")
        else:
            steps.append(
                f"the {result.summary.failures:,} rows to look at, with their own columns: "
                f"<code>result.failures()</code>; once mended: <code>{again}</code>"
            )
    steps.append(f'<span style="{_QUIET}">report: {escape(str(result.report))}</span>')
    return steps
