"""The tables of the pages that the code makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from interakt_loader import codes
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


def code_table(group: Any, without: Any = ()) -> Callable[[], str]:
    """Return what makes the table of a group of codes, without those of the tables above it."""

    def table() -> str:
        left_out = codes.entries(without)
        rows = [
            f"| `{name}` | {one.meaning} | {one.hint} |"
            for name, one in codes.entries(group).items()
            if name not in left_out
        ]
        return "\n".join(["| code | meaning | what to do |", "|---|---|---|", *rows, ""])

    return table


TABLES: dict[str, list[Callable[[], str]]] = {
    "options.md": [options],
    "presets.md": [preset_list],
    "codes.md": [
        code_table(codes.ProblemCode),
        code_table(codes.NoteCode),
        code_table(codes.ApiAnswerCode),
        code_table(codes.InDoubt | codes.NoAnswerCode),
        code_table(codes.StopReason, without=codes.ApiAnswerCode | codes.NoAnswerCode),
        code_table(codes.DifferenceCode),
        code_table(codes.ContactCode),
        code_table(codes.ToleranceCode),
    ],
}
"""What makes the first tables of a page, in their order."""


def with_tables(page: Path, text: str) -> str:
    """Return the text of a page with its first tables as the code makes them today."""
    made = TABLES.get(page.name, [])
    rest = iter(made)
    return _TABLE.sub(lambda _: next(rest)(), text, count=len(made)) if made else text
