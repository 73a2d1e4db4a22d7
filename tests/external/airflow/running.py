"""Runs of DAGs in this process, as `dag.test()` does them, and what came of each task."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

NO_DATE = "no date"

_days = count()


class Ran(NamedTuple):
    """What came of one task."""

    state: str
    tries: int
    xcom: Any


def dag_bag(folder: Path) -> Any:
    """Return what Airflow finds in a folder of DAGs."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before 3.2
        from airflow.models.dagbag import DagBag

    return DagBag(str(folder))


def run(folder: Path, dag_id: str, /, *, day: str | None = None, **conf: Any) -> dict[str, list[Ran]]:
    """Run a DAG of a folder with these params; return what came of each task, in the order of its map index.

    `day` is the run's logical date; else each run has one of its own. With `NO_DATE` it has none, as a run that
    somebody triggers.
    """
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    dag = dag_bag(folder).dags[dag_id]
    first = datetime(2025, 1, 1, tzinfo=timezone.utc)
    date: datetime | None = first + timedelta(days=next(_days))
    if day is not None:
        date = None if day == NO_DATE else datetime.fromisoformat(f"{day}T00:00:00+00:00")
    dag_run = dag.test(logical_date=date, run_conf=conf)
    ran: dict[str, list[Ran]] = {}
    with create_session() as session:
        for one in sorted(dag_run.get_task_instances(session=session), key=lambda one: one.map_index):
            found = session.scalars(
                XComModel.get_many(
                    run_id=one.run_id,
                    key="return_value",
                    task_ids=one.task_id,
                    dag_ids=dag_id,
                    map_indexes=one.map_index,
                )
            ).first()
            value = None if found is None else XComModel.deserialize_value(found)
            ran.setdefault(one.task_id, []).append(Ran(str(one.state), one.try_number, value))
    return ran
