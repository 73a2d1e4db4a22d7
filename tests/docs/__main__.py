"""`python -m tests.docs` writes into the pages what their blocks print today, and the tables that the code makes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from interakt_loader.sandbox import Sandbox
from tests.docs.tables import with_tables
from tests.docs.test_pages import PAGES
from tests.snippets import followed, with_shown

for page in PAGES:
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        os.environ |= {"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}
        os.chdir(folder)
        text = with_tables(page, page.read_text(encoding="utf-8"))
        page.write_text(with_shown(text, list(followed(text, Path(folder)))), encoding="utf-8")
