"""The tables of the pages that the code makes."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from interakt_loader.mapping.presets import presets
from interakt_loader.settings import Settings

_TABLE = re.compile(r"^\|.*\n(?:\|.*\n)+", re.MULTILINE)


def options() -> str:
    """Return the table of every option with its flag, default and meaning."""
    rows = []
    for one in fields(Settings):
        # a key is never a flag's value
        is_key = one.name in ("api_key", "old_api_key")
        flag = f"--{one.name.replace('_', '-')}-file" if is_key else one.metadata["flag"]
        rows.append(f"| `{one.name}` | {f'`{flag}`' if flag else ''} | `{one.default!r}` | {one.metadata['meaning']} |")
    return "\n".join(["| option | flag | default | meaning |", "|---|---|---|---|", *rows, ""])


def preset_list() -> str:
    """Return the table of every preset with its export."""
    rows = [f"| `{one.name}` | {one.description} | {one.kind}s |" for one in presets().values()]
    return "\n".join(["| preset | export | rows are |", "|---|---|---|", *rows, ""])


TABLES = {"options.md": options, "presets.md": preset_list}
"""What makes the first table of a page."""


def with_table(page: Path, text: str) -> str:
    """Return the text of a page with its first table as the code makes it today."""
    if page.name not in TABLES:
        return text
    return _TABLE.sub(lambda _: TABLES[page.name](), text, count=1)
