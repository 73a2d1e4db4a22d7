"""The page of seven nights shows what really happens."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox
from tests.project.nights import PAGE, VARIES, Shop, seven_nights


@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.longest
def test_the_page_of_seven_nights_is_what_happens(tmp_path: Path, sandbox: Sandbox) -> None:
    """Nothing is lost, no event is sent twice, and the page says what a person sees."""
    page = seven_nights(Shop(tmp_path, sandbox))
    assert _certain(page) == _certain(PAGE.read_text(encoding="utf-8")), "python -m tests.project.nights writes it anew"


def _certain(page: str) -> str:
    """Return a page without what depends on the moment of the kill and of the outage."""
    page = re.sub(re.escape(VARIES) + r"```text\n.*?\n```", VARIES, page, flags=re.DOTALL)
    return re.sub(r" \d+ rows? may have arrived twice;", "", page)
