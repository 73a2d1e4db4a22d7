"""A real Airflow on SQLite, in a home of its own that is gone after the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interakt_loader
from interakt_loader.integrations import airflow as ours
from interakt_loader.sandbox import Sandbox

KEY = "c2VjcmV0LWtleS1vZi10aGUtdGVzdHM6"
"""As the dashboard shows one: base64 of `secret-key-of-the-tests:`."""

EXAMPLES = Path(ours.__file__).parent / "example_dags"
DAGS = Path(__file__).parent / "dags"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow warns of itself; only what our own modules cause is an error."""
    for item in items:
        if "external/airflow" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("default"))
            item.add_marker(pytest.mark.filterwarnings("error:::interakt_loader"))


@pytest.fixture(scope="session", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make an Airflow with an empty database. What it reads is in the environment before it is imported."""
    home = tmp_path_factory.mktemp("airflow")
    bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": name, "classpath": bundle, "kwargs": {"path": str(path), "refresh_interval": 0}}
        for name, path in (("tests", DAGS), ("examples", EXAMPLES))
    ]
    here = str(Path(interakt_loader.__file__).parents[1])
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        command = [sys.executable, "-m", "airflow"]
        for step in (["db", "migrate"], ["dags", "reserialize"]):
            done = subprocess.run([*command, *step], check=False, capture_output=True, text=True, timeout=110)
            assert done.returncode == 0, done.stdout + done.stderr
        yield home


@pytest.fixture
def connected(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, as the connection that operators use by default."""
    connect(monkeypatch, sandbox)
    return sandbox


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, key: str | None = None, **extra: Any) -> None:
    """Make the sandbox the connection `interakt_default`."""
    monkeypatch.setenv("AIRFLOW_CONN_INTERAKT_DEFAULT", connection_to(sandbox.url, key or sandbox.api_key, **extra))


def connection_to(url: str, key: str, **extra: Any) -> str:
    """Return a connection as the environment has it."""
    return json.dumps({"conn_type": "interakt", "host": url, "password": key, "extra": extra})
