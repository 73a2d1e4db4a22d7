"""A session in which Spark may run a task twice at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark import load_events
from interakt_loader.sandbox import SandboxProcess
from tests.external.spark.conftest import running
from tests.external.spark.loads import MAPPING, events


def test_speculation_is_refused(sandbox_process: SandboxProcess, tmp_path: Path) -> None:
    """Both runs of a task would send: no ledger can help where both hold to it at once."""
    to: dict[str, Any] = {
        "api_key": sandbox_process.api_key,
        "base_url": sandbox_process.url,
        "report": str(tmp_path / "report"),
    }
    with (
        running("local[1]", speculation="true") as session,
        pytest.raises(SettingsError, match=r"spark\.speculation is on"),
    ):
        load_events(events(session, 10), MAPPING, **to)
    assert sandbox_process.stats().calls == 0
