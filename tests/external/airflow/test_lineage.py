"""What OpenLineage's own listener sends of a load, and what an asset's event has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.sandbox import Sandbox
from tests.external.airflow.test_dags import write
from tests.external.airflow.test_rows import MARKS, write_rows
from tests.external.airflow.test_secrets import in_a_process


def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> list[dict[str, Any]]:
    """Run a DAG in a process with OpenLineage; return the events of its task `load`, in their order."""
    log = tmp_path / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(log), "append": True}
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
    in_a_process(run)
    found = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [one for one in found if one["job"]["name"].endswith(".load")]


def test_the_datasets_of_a_load_have_their_rows(
    connected: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was read, and the users of the account."""
    source = write(tmp_path / "a.parquet", ["u1", None, "u3"])
    ended = events(tmp_path, monkeypatch, f"visits_accepting_failures source={source}")[-1]
    assert ended["eventType"] == "COMPLETE"
    (read,), (written,) = ended["inputs"], ended["outputs"]
    assert (read["namespace"], read["name"]) == ("file", source)
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert written["namespace"] == connected.url.replace("http", "interakt")
    assert written["name"] == "events"
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 2


def test_rows_of_a_task_are_in_no_event(connected: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a load that fails too, with all that the listener can tell of a task."""
    del connected
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO", "True")
    run = f"rows_of_a_task rows={write_rows(tmp_path)} report={tmp_path}/a.csv"
    found = events(tmp_path, monkeypatch, run)
    failed = [one["outputs"][0]["outputFacets"]["outputStatistics"] for one in found if one["eventType"] == "FAIL"]
    assert [one["rowCount"] for one in failed] == [2, 0]  # each try has sent so many
    assert [mark for mark in MARKS if mark in json.dumps(found)] == []


def test_an_asset_is_the_dataset_of_the_loads() -> None:
    """A task that only names the asset has the same dataset in its lineage."""
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset
    from airflow.sdk import Asset

    dataset = translate_airflow_asset(Asset("interakt://api.interakt.ai/users"), None)
    assert dataset is not None
    assert (dataset.namespace, dataset.name) == ("interakt://api.interakt.ai", "users")
