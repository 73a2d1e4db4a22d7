"""Loads of files in object stores, and loads that update assets and have a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, ObjectStoragePath, task

from interakt_loader.integrations.airflow import InteraktLoadOperator, load_users_task

PARAMS = {"folder": "", "source": "", "html": "", "html_url": ""}
USERS = {"user_id": "user", "traits": ["city"]}
LOAD: dict[str, Any] = {"task_id": "load", "kind": "users", "mapping": USERS, "retry_delay": timedelta(0)}


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS)


with dag("local_store"):

    @task
    def at(folder: str, name: str) -> ObjectStoragePath:
        return ObjectStoragePath(f"file://{folder}/{name}")

    InteraktLoadOperator(
        source=at("{{ params.folder }}", "a.csv"), **LOAD | {"mapping": at("{{ params.folder }}", "mapping.yaml")}
    )

with dag("store_of_a_connection"):
    InteraktLoadOperator(
        source=[
            ObjectStoragePath("memory://the_store@bucket/a.csv"),
            ObjectStoragePath("memory://the_store@bucket/b.csv"),
        ],
        report="{{ params.folder }}/",
        **LOAD | {"mapping": ObjectStoragePath("memory://the_store@bucket/mapping.yaml")},
    )

with dag("mapped_stores"):

    @task
    def paths() -> list[ObjectStoragePath]:
        return [ObjectStoragePath(f"memory://the_store@bucket/{name}.csv") for name in "ab"]

    InteraktLoadOperator.partial(map_index_template="{{ task.source }}", report="{{ params.folder }}/", **LOAD).expand(
        source=paths()
    )

with dag("store_without_a_place"):
    InteraktLoadOperator(source=ObjectStoragePath("memory://the_store@bucket/a.csv"), **LOAD)

with dag("report_in_a_store"):
    InteraktLoadOperator(
        source="{{ params.source }}", report=ObjectStoragePath("memory://the_store@bucket/a.csv"), **LOAD
    )

with dag("store_by_callable"):

    @task
    def by_callable(**context: Any) -> dict[str, Any]:
        source = ObjectStoragePath("memory://the_store@bucket/a.csv")
        report = f"{context['params']['folder']}/"
        return load_users_task(source, USERS, interakt_conn_id="interakt_default", report=report)

    by_callable()

with dag("with_asset_and_page"):
    InteraktLoadOperator(
        source="{{ params.source }}",
        html_url="{{ params.html_url }}",
        outlets=[Asset("interakt://api.interakt.ai/users")],
        **LOAD | {"options": {"html": "{{ params.html }}"}},
    )
