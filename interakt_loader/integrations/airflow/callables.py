"""Plain callables for Airflow's `@task` and `PythonOperator`.

Importable without Airflow, and without pandas or pyarrow. What they return is a plain dict, fit for XCom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.settings.options import Options
    from interakt_loader.wire import Kind


def load_users_task(
    path: str | list[str], mapping: Any = None, *, interakt_conn_id: str | None = None, **options: Unpack[Options]
) -> dict[str, Any]:
    """Load the file at `path` as users and return counts and paths (`LoadResult.as_dict`).

    Key and address come from the connection `interakt_conn_id` or, without one, from `api_key` or INTERAKT_API_KEY.
    The report lies where `report` says, else beside the file, and the ledger (`ledger=None`: none) beside the report: a
    retry goes on with it where the last try was.

    Raises `UsageError` when the call makes no sense, `LoadStopped` when the load ended early (`KeyRefused`, `Outage`,
    …), `RowsFailed` when rows failed, and `LoadInterrupted` after SIGTERM or Ctrl-C. Where Airflow is at work,
    errors that no retry can mend are `AirflowFailException`. Whatever ends the task, the load is drained.
    """
    return _load(path, mapping, "user", interakt_conn_id, _hidden(options))


def load_events_task(
    path: str | list[str], mapping: Any = None, *, interakt_conn_id: str | None = None, **options: Unpack[Options]
) -> dict[str, Any]:
    """Load the file at `path` as events; otherwise like `load_users_task`."""
    return _load(path, mapping, "event", interakt_conn_id, _hidden(options))


def _hidden(options: Options) -> Options:
    """Return the options, their secrets hidden in place: a task's log may show a traceback with locals."""
    from interakt_loader.settings.values import hide_secrets

    hide_secrets(cast("dict[str, Any]", options))
    return options


def _load(
    path: str | list[str], mapping: Any, kind: Kind, interakt_conn_id: str | None, options: Options
) -> dict[str, Any]:
    from interakt_loader.errors import LoadInterrupted
    from interakt_loader.integrations.airflow.options import read_options, with_files
    from interakt_loader.integrations.airflow.task_load import TaskLoad
    from interakt_loader.integrations.airflow.verdict import told_to_airflow
    from interakt_loader.loading.interrupts import Interrupts

    with told_to_airflow():
        given = read_options(options)
        if interakt_conn_id is not None:
            from interakt_loader.integrations.airflow.hook import InteraktHook

            given = InteraktHook(interakt_conn_id).options(**given)
        load = TaskLoad()
        with Interrupts(load.stop) as interrupts:
            result = load.run(path, mapping, kind, with_files(path, given))
        if interrupts.signum is not None:
            raise LoadInterrupted(result, interrupts.signum)
        result.raise_for_failures()
        return result.as_dict()
