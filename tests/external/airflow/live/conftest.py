"""One Airflow for all tests of this folder, and one sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.airflow.conftest import KEY, connection_to
from tests.external.airflow.live.processes import PATIENCE, LiveAirflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test also waits for the start of Airflow."""
    for item in items:
        if "airflow/live" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(2 * PATIENCE))


@pytest.fixture(scope="package")
def api() -> Iterator[SandboxProcess]:
    """One sandbox for all: its address is in the scheduler's environment."""
    with SandboxProcess(SandboxOptions(api_key=KEY, latency=0.1, record_arrivals=True)) as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory, airflow_home: Path, api: SandboxProcess) -> Iterator[LiveAirflow]:
    """The scheduler and its like, with the DAGs of the tests and the examples."""
    del airflow_home  # its environment says where the DAGs are
    environment = {"AIRFLOW_CONN_INTERAKT_DEFAULT": connection_to(api.url, KEY)}
    with LiveAirflow(tmp_path_factory.mktemp("live"), environment) as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(api: SandboxProcess) -> None:
    api.reset()
