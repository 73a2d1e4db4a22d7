"""The pages of docs/: what they show is what happens, and what they list is what the code has."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import get_args

import pytest

from interakt_loader import track
from interakt_loader.mapping.spec import FIELDS
from interakt_loader.outcomes import OUTCOMES
from interakt_loader.sandbox import Sandbox
from interakt_loader.ticket import StopReason
from interakt_loader.transport import judgement
from interakt_loader.wire import Status
from tests.snippets import ROOT, followed, timeless

DOCS = ROOT / "docs"
PAGES = [path for path in sorted(DOCS.glob("*.md")) if path.name != "types.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_what_happens(
    page: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows a page from top to bottom sees what it says: each file, command and snippet of it."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash to run the commands with")
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    monkeypatch.setattr(track, "on_error", None)
    monkeypatch.setattr(track, "_current", None)  # a client of another test knows another sandbox
    monkeypatch.chdir(tmp_path)
    for shown in followed(page.read_text(encoding="utf-8"), tmp_path):
        assert timeless(shown.actual) == timeless(shown.fence.text), "python -m tests.docs writes it anew"
    track.join()


def test_the_report_page_tells_every_column_and_status() -> None:
    """In the report's own order."""
    assert _first_cells("report.md", "## Columns") == OUTCOMES.names
    assert _first_cells("report.md", "## Status") == [status.value for status in Status]


def test_the_report_page_tells_every_code() -> None:
    """Each code that a row can get is explained there, and no other."""
    told = {
        *_first_cells("report.md", "### Values that cannot be sent"),
        *_first_cells("report.md", "### Noted, and sent all the same"),
        *_first_cells("report.md", "### What the API answered"),
        *_first_cells("report.md", "### No answer"),
        *re.findall("`([a-z_]+)`", _section("report.md", "### The load stopped")),
    }
    assert told - {"unsent"} == _codes() - _NEVER_SHOWN


def test_the_mapping_page_tells_every_field() -> None:
    """Whatever `Mapping.of` reads has a line there."""
    assert _first_cells("mapping.md", "## Fields") == list(FIELDS)


def _section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text.split(f"\n{heading}\n")[1].split("\n#")[0]


def _first_cells(page: str, heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    rows = [line.split("|")[1] for line in _section(page, heading).splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall("`([^`]+)`", row)]


_NEVER_SHOWN = {"abandoned", "unsent"}
"""Codes of rows whose report nobody reads any more: the load was closed in the middle."""

_SAY_A_CODE = {"Problem", "Answer", "_bad", "problems_at", "as_written", "_problems"}
"""The functions that are told a code in so many words."""


def _codes() -> set[str]:
    """Return the codes that the package's source names, those of answers and stops among them."""
    found = {*judgement._CODES.values(), *get_args(StopReason), "event_id_repeated"}
    for path in (ROOT / "interakt_loader").rglob("*.py"):
        if "sandbox" in path.parts:  # it has no rows
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in _SAY_A_CODE:
                found |= _names(node.args)
            elif isinstance(node, ast.Assign) and "code" in ast.unparse(node.targets[0]).strip("()").split(", "):
                found |= _names([node.value])
    return found


def _names(nodes: list[ast.expr]) -> set[str]:
    """Return the texts among these expressions, and what they choose between, that could be codes."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Constant) and re.fullmatch("[a-z]+(_[a-z]+)*", str(node.value)):
            found.add(str(node.value))
        elif isinstance(node, ast.Tuple):
            found |= _names(node.elts)
        elif isinstance(node, ast.IfExp):
            found |= _names([node.body, node.orelse])
    return found
