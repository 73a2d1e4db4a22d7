"""Loads as tasks of Airflow (3.1 and newer).

A scheduler parses DAG files all the time, so what a DAG file imports from here is light: pandas, pyarrow and the loader
come in when a task runs. The two callables can be imported without Airflow.

- `callables`: `load_users_task` and `load_events_task`, for `@task` and `PythonOperator`.
- `operator`: `InteraktLoadOperator`.
- `hook`: `InteraktHook`, and connections → options.
- `provider`: what Airflow is told about this package: the connection type and its form.
- `task_load`: a load that a task can be taken away from: it is drained, whatever ends the task.
- `verdict`: which errors a retry can mend.
- `options`: options as templates and forms give them, as text → values.

Plain callables for Airflow's `@task` and `PythonOperator`.

Importable without Airflow, and without pandas or pyarrow. What they return is a plain dict, fit for XCom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.integrations.airflow.hook import InteraktHook
    from interakt_loader.integrations.airflow.operator import InteraktLoadOperator
    from interakt_loader.model import Kind
    from interakt_loader.settings.settings import Options

__all__ = ["InteraktHook", "InteraktLoadOperator", "load_events_task", "load_users_task"]

_HOMES = {"InteraktHook": "hook", "InteraktLoadOperator": "operator"}
"""What needs Airflow is imported when it is asked for."""


if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes a mistyped name for one of any type

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        try:
            return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "airflow":
                raise
            needed = "Airflow 3.1 or newer: pip install 'apache-airflow>=3.1'"
            raise ImportError(f"{name} needs {needed}", name=error.name) from error


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
    from interakt_loader.integrations.airflow.task_load import TaskLoad, read_options, told_to_airflow, with_files
    from interakt_loader.load.run import Interrupts

    with told_to_airflow():
        given = read_options(options)
        if interakt_conn_id is not None:
            from interakt_loader.integrations.airflow.hook import InteraktHook

            given = InteraktHook(interakt_conn_id).options(**given)
        load = TaskLoad()
        with Interrupts(load.stop_token, "the task was ended") as interrupts:
            result = load.run(path, mapping, kind, with_files(path, given))
        if interrupts.signum is not None:
            raise LoadInterrupted(result, interrupts.signum)
        result.raise_for_failures()
        return result.as_dict()
