"""The asset of docs/orchestrators.md in a real Dagster."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from interakt_loader.sandbox import Sandbox


@pytest.fixture
def asset(shop: Path) -> Any:
    """Return the asset, imported anew."""
    del shop
    sys.modules.pop("interakt_dagster", None)
    return importlib.import_module("interakt_dagster").customers_in_interakt


def made(asset: Any) -> dg.ExecuteInProcessResult:
    """Materialize the asset."""
    return dg.materialize([asset], raise_on_error=False)


def test_the_counts_are_metadata_of_the_asset(asset: Any, sandbox: Sandbox) -> None:
    """The second run makes no call."""
    for sent, unchanged in ((2, 0), (0, 2)):
        run = made(asset)
        assert run.success
        (event,) = run.asset_materializations_for_node("customers_in_interakt")
        status = event.metadata["status"].value
        assert (status["sent"], status["unchanged"]) == (sent, unchanged)
    assert sandbox.stats().calls == 2


def test_a_retry_makes_the_missing_calls_only(asset: Any, sandbox: Sandbox) -> None:
    """A row that the API refuses at first is sent by the next try."""
    sandbox.force_for("c2", ["400"])
    run = made(asset)
    assert run.success
    assert [one for one in run.all_events if one.event_type_value == "STEP_UP_FOR_RETRY"]
    assert sandbox.stats().calls == 3


def test_a_wrong_mapping_is_not_retried(asset: Any, shop: Path, sandbox: Sandbox) -> None:
    """Nobody has to wait for three retries that cannot help."""
    (shop / "customers.yaml").write_text("user_id: nobody\n", encoding="utf-8")
    run = made(asset)
    (failure,) = [one for one in run.all_events if one.event_type_value == "STEP_FAILURE"]
    assert "nobody" in str(failure.step_failure_data.user_failure_data)
    assert not [one for one in run.all_events if one.event_type_value == "STEP_UP_FOR_RETRY"]
    assert sandbox.stats().calls == 0
