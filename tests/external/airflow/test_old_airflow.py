"""A real Airflow 2.11, in an environment of its own: it is refused in one line, whatever is imported first."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import interakt_loader

HERE = Path(interakt_loader.__file__).parents[1]
PYTHON = HERE / ".venv-airflow2" / "bin" / "python"
LINE = (
    "interakt_loader.integrations.airflow needs Airflow 3.1 or newer, and found 2.11.2: "
    "pip install 'apache-airflow>=3.1'"
)

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make test-airflow` makes the environment .venv-airflow2")


def asked(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(HERE)}
    return subprocess.run(
        [str(PYTHON), *command], check=False, capture_output=True, text=True, timeout=100, env=environment
    )


@pytest.mark.parametrize(
    "code",
    [
        "import interakt_loader.integrations.airflow.operator",
        "import interakt_loader.integrations.airflow.hook",
        "from interakt_loader.integrations.airflow import InteraktLoadOperator",
        "from interakt_loader.integrations.airflow import InteraktHook",
        "import airflow; from interakt_loader.integrations.airflow import load_users_task as load;"
        "load('a.csv', interakt_conn_id='interakt_default')",
    ],
)
def test_it_is_refused_in_one_line(tmp_path: Path, code: str) -> None:
    """With the version that was found and the one that is needed."""
    done = asked(tmp_path, "-c", code)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {LINE}"


def test_its_list_of_providers_says_so(tmp_path: Path) -> None:
    """Airflow itself keeps running: an error of one provider would end it. There is no connection type."""
    listed = asked(tmp_path, "-m", "airflow", "providers", "list", "-o", "plain")
    assert listed.returncode == 0, listed.stderr
    assert LINE in listed.stdout + listed.stderr
    hooks = asked(tmp_path, "-m", "airflow", "providers", "hooks", "-o", "plain")
    assert hooks.returncode == 0, hooks.stderr
    assert "InteraktHook" not in hooks.stdout
