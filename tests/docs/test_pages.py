"""The pages of docs/: what they show is what happens, and what they list is what the code has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from interakt_loader import track
from interakt_loader.outcomes import OUTCOMES
from interakt_loader.sandbox import Sandbox
from interakt_loader.wire import Status
from tests.snippets import ROOT, fences, followed, timeless

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
    monkeypatch.chdir(tmp_path)
    for shown in followed(page.read_text(encoding="utf-8"), tmp_path):
        assert timeless(shown.actual) == timeless(shown.fence.text), "python -m tests.docs writes it anew"
    track.join()
