"""DAGs whose tasks make rows and frames, from a file that the run names: the code of a DAG is in Airflow's database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from interakt_loader.integrations.airflow import InteraktLoadOperator, load_users_task

PARAMS = {"rows": "", "report": ""}
MAPPING = {"phone": "phone", "country_code": {"value": "+91"}, "traits": ["email"]}
LOAD: dict[str, Any] = {
    "task_id": "load",
    "kind": "users",
    "mapping": MAPPING,
    "report": "{{ params.report }}",
    "retries": 1,
    "retry_delay": timedelta(0),
}


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS)


# Airflow itself would log what they return.
@task(show_return_value_in_logs=False)
def rows(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found


with dag("rows_of_a_task"):
    InteraktLoadOperator(source=rows("{{ params.rows }}"), **LOAD)

with dag("frame_of_a_task"):

    @task(show_return_value_in_logs=False)
    def frame(path: str) -> Any:
        import pandas as pd

        return pd.read_json(path, dtype=False)

    InteraktLoadOperator(source=frame("{{ params.rows }}"), **LOAD)

with dag("text_of_a_task"):

    @task(show_return_value_in_logs=False)
    def text(path: str) -> str:
        return "\n".join(["phone,email", *(f"{one['phone']},{one['email']}" for one in rows.function(path))])

    InteraktLoadOperator(source=text("{{ params.rows }}"), **LOAD)

with dag("tables_by_name"):
    InteraktLoadOperator(
        source={"people": rows("{{ params.rows }}")},
        raise_for_failures=False,
        **LOAD | {"options": {"query": "SELECT * FROM people"}},
    )

with dag("rows_of_mapped_tasks"):

    @task(show_return_value_in_logs=False)
    def batches(path: str) -> list[Any]:
        found = rows.function(path)
        return [found[:2], found[2:]]

    InteraktLoadOperator.partial(map_index_template="{{ task.source }}", **LOAD).expand(
        source=batches("{{ params.rows }}")
    )

with dag("one_row_a_task"):
    InteraktLoadOperator.partial(map_index_template="{{ task.source }}", **LOAD).expand(
        source=rows("{{ params.rows }}")
    )

with dag("rows_by_callable"):

    @task(retries=1, retry_delay=timedelta(0))
    def load(**context: Any) -> dict[str, Any]:
        found, report = rows.function(context["params"]["rows"]), context["params"]["report"]
        return load_users_task(found, MAPPING, interakt_conn_id="interakt_default", report=report)

    load()
