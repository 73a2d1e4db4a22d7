"""`python -m tests.docs` writes into the pages of docs/ what their blocks print today, and the tables of codes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from docs.mkdocs.made_from_code import with_codes
from interakt_loader.sandbox import Sandbox
from tests.docs.test_pages import DOCS, PAGES
from tests.snippets import followed, with_shown

for page in PAGES:
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        os.environ |= {"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}
        os.chdir(folder)
        text = page.read_text(encoding="utf-8")
        page.write_text(with_shown(text, list(followed(text, Path(folder)))), encoding="utf-8")

codes = DOCS / "codes.md"
codes.write_text(with_codes(codes.read_text(encoding="utf-8")), encoding="utf-8")
