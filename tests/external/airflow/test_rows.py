"""Rows that a task has made: Airflow shows them nowhere but in the XCom of that task."""

from __future__ import annotations

import json
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader.sandbox import Sandbox
from tests.external.airflow.conftest import DAGS
from tests.external.airflow.running import dag_bag, run
from tests.external.airflow.test_secrets import in_a_process

MARKS = ("9876543210", "98765 43210", "987654321012345", "asha.marked@", "ben.marked@")
"""Parts of the phones and e-mail addresses of the rows."""

ROWS = [
    {"phone": "98765 43210", "email": "asha.marked@example.com"},
    {"phone": "9876543211", "email": "chitra.marked@example.com"},
    {"phone": "987654321012345", "email": "ben.marked@example.com"},
]
"""The last one cannot be sent."""


def write_rows(folder: Path) -> str:
    path = folder / "rows.json"
    path.write_text(json.dumps(ROWS), encoding="utf-8")
    return str(path)


def database(home: Path) -> str:
    """Return what Airflow's database holds in all tables but that of XCom."""
    with sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables if name != "xcom"}
    connection.close()
    assert rows["rendered_task_instance_fields"]
    return repr(rows)


def test_no_row_of_a_task_is_in_a_log_a_field_a_label_or_a_file_name(
    connected: Sandbox, airflow_home: Path, tmp_path: Path
) -> None:
    """Loads with a row that cannot be sent, and loads that are refused because they have no place for a report."""
    del connected
    rows, folder = write_rows(tmp_path), f"{tmp_path}/reports/"
    refused = [f"{dag_id} rows={rows}" for dag_id in ("rows_of_a_task", "text_of_a_task", "one_row_a_task")]
    loaded = [f"{dag_id} rows={rows} report={folder}" for dag_id in ("frame_of_a_task", "rows_of_mapped_tasks")]
    printed = in_a_process(*refused, *loaded, f"rows_by_callable rows={rows} report={folder}b.csv")
    assert printed.count("AirflowFailException: SettingsError: report: give a path") == 5
    assert printed.count("RowsFailed: of ") >= 3
    fields = database(airflow_home)
    assert "<list of 3 rows>" in fields
    assert "<DataFrame of 3 rows>" in fields
    names = " ".join(str(path) for folder in (airflow_home, tmp_path) for path in folder.rglob("*"))
    assert [mark for mark in MARKS if mark in printed] == []
    assert [mark for mark in MARKS if mark in fields] == []
    assert [mark for mark in MARKS if mark in names] == []


def test_rows_are_loaded_with_a_report_for_each_mapped_task(connected: Sandbox, tmp_path: Path) -> None:
    """Each has the name of the task; the retry finds the same files."""
    ran = run(DAGS, "rows_of_mapped_tasks", rows=write_rows(tmp_path), report=f"{tmp_path}/reports/")["load"]
    assert [(one.state, one.tries) for one in ran] == [("success", 1), ("failed", 2)]
    assert ran[0].xcom["status"]["sent"] == 2
    names = sorted(path.name.partition("-")[2].partition(".")[2] for path in (tmp_path / "reports").glob("load-*"))
    assert names == ["ledger", "ledger", "report.csv", "report.csv"]
    assert connected.stats().users == 2


def test_results_of_tasks_inside_a_dict_are_awaited(connected: Sandbox, airflow_home: Path, tmp_path: Path) -> None:
    """Airflow replaces them before the load, which shows the dict without its rows."""
    del connected
    assert dag_bag(DAGS).dags["tables_by_name"].get_task("load").upstream_task_ids == {"rows"}
    run(DAGS, "tables_by_name", rows=write_rows(tmp_path), report=f"{tmp_path}/reports/")
    assert '{"source": "<dict>"' in database(airflow_home)


@pytest.mark.parametrize("data", [ROWS, pd.DataFrame(ROWS)], ids=["rows", "frame"])
@pytest.mark.parametrize("mapping", [{"phone": "phone", "country_code": {"value": "+91"}}, {"phone": "mobile"}])
def test_no_frame_of_an_error_holds_a_row(connected: Sandbox, tmp_path: Path, data: Any, mapping: Any) -> None:
    """A traceback with the variables of each function, as tools for error reports make it. It has no function of the
    caller here, whose variables are the caller's."""
    del connected
    from interakt_loader.integrations.airflow import load_users_task

    options: dict[str, Any] = {"report": f"{tmp_path}/a.csv", "interakt_conn_id": "interakt_default"}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - of Airflow or ours
        load_users_task(data, mapping, **options)
    ours = raised.value.__traceback__.tb_next if raised.value.__traceback__ else None
    error = raised.value.with_traceback(ours)
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "load_users_task" in text
    for mark in MARKS:
        assert mark not in text
