"""How a proposed mapping looks in a notebook: its open questions first, then each line with its reason. All escaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interakt_loader.safety.printable import escape, printable

if TYPE_CHECKING:
    from interakt_loader.mapping.inference.inferred import InferredMapping, Line

_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"


def as_html(found: InferredMapping) -> str:
    """Return the proposal as HTML, in the notebook's own colours."""
    parts = [f"<div><b>{found.kind}s</b> · {_state(found)}</div>"]
    if found.open_questions:
        parts.append(f"<div><b>open questions</b></div><ul>{_items(found.open_questions)}</ul>")
    parts.append(_table(found))
    if found.remarks:
        parts.append(f"<ul>{_items(found.remarks)}</ul>")
    parts.append(f"<div>{_next_step(found)}</div>")
    return f'<div style="font-family:system-ui,sans-serif;line-height:1.5;max-width:60em">{"".join(parts)}</div>'


def _state(found: InferredMapping) -> str:
    if found.open_questions:
        count = len(found.open_questions)
        return f"{count} open question{'s' if count > 1 else ''}: nothing can be sent yet"
    return "nobody has confirmed it yet" if found.preset is None else f"preset {escape(found.preset)}"


def _items(texts: tuple[str, ...]) -> str:
    return "".join(f"<li>{_line(text)}</li>" for text in texts)


def _table(found: InferredMapping) -> str:
    titles = "".join(f'<th style="{_CELL};font-weight:600">{title}</th>' for title in ("field", "from", "why"))
    rows = "".join(_row(line) for line in found.lines if line.active)
    return f'<table style="border-collapse:collapse;margin:8px 0"><tr>{titles}</tr>{rows}</table>'


def _row(line: Line) -> str:
    cells = (line.field, _written(line.written), line.reason)
    return "<tr>" + "".join(f'<td style="{_CELL}">{_line(cell)}</td>' for cell in cells) + "</tr>"


def _written(written: Any) -> str:
    return written if isinstance(written, str) else json.dumps(written, ensure_ascii=False, default=str)


def _line(text: str) -> str:
    return escape(printable(text))


def _next_step(found: InferredMapping) -> str:
    if found.open_questions:
        return "answer the questions with <code>infer(data, …)</code> or in a mapping of your own"
    return f"to confirm it, give it as the mapping: <code>load_{found.kind}s(data, mapping)</code>"
