"""Orders in many files: one task for each file. The tasks run at once, and share the account's rate limit.

Needs a connection `interakt_default` of type Interakt, and a folder that all workers see. The shared clock is a file
here, for the workers of one machine; for those of several, `redis://HOST:PORT/0` takes its place.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from interakt_loader.integrations.airflow import InteraktLoadOperator

with DAG(
    "interakt_orders_by_file",
    schedule=None,
    start_date=datetime(2025, 1, 1),
    max_active_tasks=4,
    params={"folder": "/data/interakt", "rate_limit": "300/min"},
    tags=["interakt"],
):

    @task
    def files(folder: str) -> list[str]:
        """Return the files to load."""
        return sorted(str(path) for path in Path(folder).glob("orders-*.parquet"))

    @task
    def total(results: list[dict[str, Any]]) -> dict[str, int]:
        """Add up the counts of all files."""
        return {
            "rows": sum(one["rows"] for one in results),
            "sent": sum(one["status"]["sent"] for one in results),
        }

    loads = InteraktLoadOperator.partial(
        task_id="load_orders",
        event="Order Placed",
        mapping={"user_id": "customer_id", "created_at": "ordered_at", "traits": "*"},
        options={"rate_limit": "{{ params.rate_limit }}", "share": "sqlite:///{{ params.folder }}/rate.db"},
        map_index_template="{{ task.source }}",
        retries=3,
        retry_delay=timedelta(minutes=5),
    ).expand(source=files("{{ params.folder }}"))
    total(loads.output)
