"""A folder with what docs/orchestrators.md loads, and a sandbox in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox
from tests.snippets import ROOT, fences

CUSTOMERS = "customer_id,phone,city\nc1,+919876543210,Pune\nc2,+919876543211,Delhi\n"
MAPPING = "user_id: customer_id\nphone: phone\ntraits: [city]\n"


@pytest.fixture
def shop(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the files of the page, as its reader does, beside an export and a mapping; return their folder.

    Retries come at once.
    """
    for fence in fences((ROOT / "docs" / "orchestrators.md").read_text(encoding="utf-8")):
        if fence.info.startswith("title="):
            (tmp_path / fence.info.split('"')[1]).write_text(fence.text.replace("=300", "=0"), encoding="utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    (tmp_path / "customers.yaml").write_text(MAPPING, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    return tmp_path
