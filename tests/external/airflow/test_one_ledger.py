"""One ledger for a laptop, a task of a real Airflow, and a real Spark, which runs in its own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import interakt_loader
from interakt_loader import load_events
from interakt_loader.sandbox import Sandbox
from tests.external.airflow.conftest import DAGS
from tests.external.airflow.running import run
from tests.external.airflow.test_dags import only
from tests.seen import EVENTS, csv

HERE = Path(interakt_loader.__file__).parents[1]
PYTHON = HERE / ".venv-test-spark" / "bin" / "python"

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test-spark` makes the environment .venv-test-spark"),
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java for Spark"),
]


def test_each_event_is_sent_once_from_a_laptop_to_airflow_to_spark_and_back(
    connected: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step has rows of the step before and new ones."""
    monkeypatch.setenv("INTERAKT_API_KEY", connected.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", connected.url)
    mapping, ledger = tmp_path / "seen.yaml", str(tmp_path / "seen.ledger")
    mapping.write_text(yaml.safe_dump(dict(EVENTS)), encoding="utf-8")
    by_hand: dict[str, Any] = {"name": "seen", "ledger": ledger}

    laptop = load_events(csv(tmp_path / "a.csv", 0, 40), str(mapping), **by_hand)
    assert sent_and_unchanged(laptop.as_dict()["status"]) == (40, 0)

    conf = {"mapping": str(mapping), "ledger": ledger, "report": str(tmp_path / "airflow.report.csv")}
    state, tries, xcom = only(run(DAGS, "seen", source=csv(tmp_path / "b.csv", 20, 80), **conf))
    assert (state, tries, *sent_and_unchanged(xcom["status"])) == ("success", 1, 40, 20)

    command = ["-m", "tests.external.spark.one_load", str(tmp_path / "report"), ledger, str(mapping), "60", "140"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", *command],
        cwd=HERE, env=environment, check=False, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert sent_and_unchanged(json.loads(done.stdout.splitlines()[-1])) == (60, 20)

    back = load_events(csv(tmp_path / "c.csv", 0, 160), str(mapping), **by_hand)
    assert sent_and_unchanged(back.as_dict()["status"]) == (20, 140)
    assert Counter(one.traits["n"] for one in connected.events(limit=1000)) == Counter(range(160))
    assert connected.stats().calls == 160


def sent_and_unchanged(status: dict[str, int]) -> tuple[int, int]:
    return status["sent"], status["unchanged"]
