"""The pages of docs/: what they show is what happens, and what they list is what the code has."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from interakt_loader import track
from interakt_loader.codes import ABOUT
from interakt_loader.mapping.spec import FIELDS
from interakt_loader.model import VERIFIED, Status
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import COMMAND_LINE, variable_of
from interakt_loader.settings.settings import VARIABLES
from tests.docs.tables import TABLES, with_tables
from tests.snippets import ROOT, followed, timeless

DOCS = ROOT / "docs"
PAGES = [path for path in sorted(DOCS.glob("*.md")) if path.name != "types.md"]
FOLLOWED = [path for path in PAGES if path.name != "recipes.md"]
"""Each recipe has a test of its own, in `test_recipes`."""


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.name)
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


@pytest.mark.parametrize("page", [DOCS / name for name in TABLES], ids=lambda page: page.name)
def test_a_page_has_the_tables_that_the_code_makes(page: Path) -> None:
    """Every option, preset and code, as the code itself describes it."""
    text = page.read_text(encoding="utf-8")
    assert all(table() in text for table in TABLES[page.name])
    assert with_tables(page, text) == text, "python -m tests.docs writes it anew"


def test_the_options_page_names_what_the_environment_cannot_set() -> None:
    """Every option of a load has a variable but these, and those of the command line only are named too."""
    text = (DOCS / "options.md").read_text(encoding="utf-8").partition("## In the environment")[2]
    refused = [one.name for one in fields(Settings) if one.name not in VARIABLES]
    only_flags = [variable_of(name) for name in COMMAND_LINE]
    assert [name for name in (*refused, *only_flags) if f"`{name}`" not in text] == []


def test_the_report_page_tells_every_column_and_status() -> None:
    """In the report's own order."""
    assert _first_cells("report.md", "## Columns") == OUTCOMES.names
    assert _first_cells("report.md", "## Status") == [status.value for status in Status if status not in VERIFIED]
    compared = _first_cells("account.md", "## Compare a table with it")
    assert compared[: len(VERIFIED)] == [status.value for status in VERIFIED]


def test_the_page_of_codes_tells_every_code() -> None:
    """Each code that a row can get is explained there."""
    page = (DOCS / "codes.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(ABOUT)


def test_the_mapping_page_tells_every_field() -> None:
    """Whatever `Mapping.of` reads has a line there."""
    assert _first_cells("mapping.md", "## Fields") == list(FIELDS)


def _section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    level = heading.partition(" ")[0]
    return text.split(f"\n{heading}\n")[1].split(f"\n{level} ")[0]


def _first_cells(page: str, heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    rows = [line.split("|")[1] for line in _section(page, heading).splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall("`([^`]+)`", row)]
