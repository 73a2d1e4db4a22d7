"""DAGs of one task each; what they load comes with the run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, task

from interakt_loader.integrations.airflow import InteraktHook, InteraktLoadOperator, load_events_task

PARAMS = {"source": "", "report": "", "rate_limit": "none", "workers": 4}
MAPPING = {"user_id": "user", "traits": "*"}
OPTIONS = {"rate_limit": "{{ params.rate_limit }}", "workers": "{{ params.workers }}"}


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS)


def load(**options: Any) -> InteraktLoadOperator:
    given: dict[str, Any] = {
        "task_id": "load",
        "source": "{{ params.source }}",
        "mapping": MAPPING,
        "options": OPTIONS,
        "retry_delay": timedelta(0),
    }
    return InteraktLoadOperator(**given | options)


with dag("users"):
    load(kind="users", options=OPTIONS | {"report": "{{ params.report }}"})

with dag("visits"):
    load(kind="events", event="Visit", retries=1)

with DAG(
    "visits_of_a_day", schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS | {"folder": "", "ledger": ""}
):
    load(
        kind="events",
        event="Visit",
        source="{{ params.folder }}/visits-{{ ds }}.parquet",
        ledger="{{ params.ledger }}",
        options={"rate_limit": "20/s", "event_id": "user"},
        retries=20,
        retry_delay=timedelta(seconds=1),
    )

with DAG("seen", schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS | {"mapping": "", "ledger": ""}):
    load(
        mapping="{{ params.mapping }}",
        ledger="{{ params.ledger }}",
        report="{{ params.report }}",
        options=OPTIONS | {"name": "seen"},
    )

with dag("visits_after_a_crash"):
    load(kind="events", event="Visit", retries=10, retry_delay=timedelta(seconds=1))

with DAG("visits_in_a_pool", schedule=None, start_date=datetime(2025, 1, 1), params=PARAMS | {"folder": ""}):
    InteraktLoadOperator.partial(
        task_id="load", kind="events", event="Visit", mapping=MAPPING, options=OPTIONS, pool="interakt_api"
    ).expand(source=[f"{{{{ params.folder }}}}/{name}.parquet" for name in "abc"])

with dag("one_report_for_all"):
    InteraktLoadOperator.partial(
        task_id="load", kind="users", mapping=MAPPING, report="{{ params.report }}", retries=1, retry_delay=timedelta(0)
    ).expand(source=["{{ params.source }}", "{{ params.source }}.csv"])

with dag("visits_in_time"):
    load(kind="events", event="Visit", execution_timeout=timedelta(seconds=1))

with dag("visits_accepting_failures"):
    load(kind="events", event="Visit", raise_for_failures=False)

with dag("wrong_option"):
    load(kind="users", options={"workes": 3}, retries=2)

with dag("options_as_text"):
    load(kind="users", options="{{ {'workers': 3, 'share': params.source} }}", retries=2)

with dag("visits_with_missing_values"):
    load(kind="events", event="Visit", ledger="{{ none }}", html_url="{{ none }}", retries=1)

with dag("no_event"):
    load(kind="events", event="{{ none }}", retries=1)

with dag("found_out"):
    load(kind="users", mapping=None)

with dag("by_callable"):

    @task(retries=1, retry_delay=timedelta(0))
    def visits(**context: Any) -> dict[str, Any]:
        params = context["params"]
        mapping = {"user_id": "user", "event": {"value": "Visit"}}
        return load_events_task(params["source"], mapping, interakt_conn_id="interakt_default", workers=4)

    visits()

with dag("options_of_a_task"):

    @task
    def options() -> dict[str, Any]:
        return {"rate_limit": "none", "api_key": "everybody sees it"}

    load(kind="users", options=options())

with dag("by_hook"):

    @task
    def users() -> dict[str, int]:
        import pandas as pd

        frame = pd.DataFrame({"user": ["u1", "u2"]})
        result = InteraktHook().load_users(frame, {"user_id": "user"})
        result.raise_for_failures()
        return {"sent": result.sent}

    users()

with dag("single_calls"):

    @task(retries=1, retry_delay=timedelta(0))
    def calls() -> None:
        hook = InteraktHook()
        hook.user(user_id="u1", traits={"city": "Pune"})
        hook.event(user_id="u1", event="Visit")

    calls()
