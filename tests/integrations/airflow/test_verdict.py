"""Which errors a retry can fix."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import load_users
from interakt_loader.errors import (
    InteraktLoaderError,
    KeyRefused,
    MappingError,
    NotJustNow,
    Outage,
    RowsFailed,
    SettingsError,
    SourceError,
    TooManyFailures,
)
from interakt_loader.integrations.airflow.task_load import can_retry
from interakt_loader.ledger import Ledger
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings


@pytest.mark.parametrize("error", [RowsFailed, Outage, TooManyFailures, SourceError, NotJustNow])
def test_what_may_be_better_in_a_while(error: type[InteraktLoaderError]) -> None:
    """Failed rows, an unreachable API, a late file, a ledger in use."""
    assert can_retry(error("…"))


@pytest.mark.parametrize("error", [KeyRefused, SettingsError, MappingError])
def test_what_somebody_has_to_mend(error: type[InteraktLoaderError]) -> None:
    """The key, the plan, the options and the mapping stay as they are."""
    assert not can_retry(error("…"))


def test_a_ledger_that_another_load_has_is_not_there_just_now(sandbox: Sandbox, tmp_path: Path) -> None:
    """An abandoned try may still be running: the next try gets this message, and can run again."""
    options = {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": str(tmp_path / "a.ledger")}
    with (
        Ledger(options["ledger"], "user", Settings.resolve(options)),
        pytest.raises(NotJustNow, match="is in use by another load"),
    ):
        load_users(pd.DataFrame({"user": ["u1"]}), {"user_id": "user"}, **options)  # type: ignore[arg-type]
