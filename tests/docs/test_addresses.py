"""What the pages say about where the package is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.sentences import pages
from tests.snippets import ROOT

REPOSITORY = "https://github.com/interakt-loader/interakt_loader"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_an_address_in_the_repository_leads_to_a_file(page: Path) -> None:
    """Each address of a file or folder has its path in this tree."""
    text = page.read_text(encoding="utf-8")
    paths = re.findall(rf"{REPOSITORY}/(?:blob|tree|raw)/main/([^\s)#\"]+)", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_no_page_installs_a_name_that_is_not_published(page: Path) -> None:
    """The package is installed from a clone or from the repository's address."""
    assert re.findall(r"pip install[^`\n]* ['\"]?interakt[-_]loader\b(?!\.)", page.read_text(encoding="utf-8")) == []
