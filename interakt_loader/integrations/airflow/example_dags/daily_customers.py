"""Every day: load the customers that the shop has exported for that day.

Needs a connection `interakt_default` of type Interakt, and a folder that all workers see.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from interakt_loader.integrations.airflow import InteraktLoadOperator

with DAG(
    "interakt_daily_customers",
    schedule="@daily",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    # All days share a ledger, which only one load at a time can use.
    max_active_runs=1,
    params={"folder": "/data/interakt"},
    tags=["interakt"],
):
    InteraktLoadOperator(
        task_id="load_customers",
        # A run that is triggered without a date has no `ds`. Then the day on which it runs counts.
        source="{{ params.folder }}/customers-{{ (dag_run.logical_date or dag_run.run_after) | ds }}.csv",
        kind="users",
        mapping={
            "user_id": "customer_id",
            "phone": "mobile",
            "traits": ["name", "email", {"column": "signed_up", "name": "Signed up", "type": "date"}],
        },
        # one ledger for all days: only customers who are new, or have changed since yesterday, are sent
        ledger="{{ params.folder }}/customers.ledger",
        options={"max_failures": "20%"},
        retries=3,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=20),
    )
