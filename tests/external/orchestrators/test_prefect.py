"""The flow of docs/orchestrators.md in a real Prefect, with a server and a database of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import MappingError
from interakt_loader.sandbox import Sandbox


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a server for all tests. What it reads is in the environment before it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=90):
            yield


@pytest.fixture
def page(shop: Path) -> Any:
    """Return the module of the page, imported anew."""
    del shop
    sys.modules.pop("interakt_prefect", None)
    return importlib.import_module("interakt_prefect")


def test_the_flow_returns_the_counts(page: Any, sandbox: Sandbox) -> None:
    """The second run makes no call."""
    assert page.nightly()["status"]["sent"] == 2
    assert page.nightly()["status"]["unchanged"] == 2
    assert sandbox.stats().calls == 2


def test_a_retry_makes_the_missing_calls_only(page: Any, sandbox: Sandbox) -> None:
    """A row that the API refuses at first is sent by the task's next try."""
    sandbox.force_for("c2", ["400"])
    status = page.nightly()["status"]
    assert (status["sent"], status["unchanged"]) == (1, 1)
    assert sandbox.stats().calls == 3


def test_a_wrong_mapping_is_not_retried(page: Any, shop: Path, sandbox: Sandbox) -> None:
    """The task fails at its first try."""
    (shop / "customers.yaml").write_text("user_id: nobody\n", encoding="utf-8")
    tries = []
    page.customers_to_interakt.on_failure(lambda task, run, state: tries.append(run.run_count))
    with pytest.raises(MappingError, match="nobody"):
        page.nightly()
    assert tries == [1]
    assert sandbox.stats().calls == 0
