"""Loads as tasks of Airflow 3.1 and newer: `load_users_task` and `load_events_task`, an operator and a hook.

Schedulers parse DAG files all the time, so an import of this package is light: pandas, pyarrow and the loader are
imported when a task runs. The two functions are for `@task` and `PythonOperator`. They need no Airflow to be imported,
and return a plain dict, which XCom can store.

- `operator`: `InteraktLoadOperator`.
- `hook`: `InteraktHook`, and the options of a connection. `calls`: its single calls.
- `provider`: the description of this package for Airflow: the connection type and its form.
- `sdk`: the classes of Airflow that these build on; it refuses an Airflow that is too old.
- `source`, `files`: what a task loads, of which nobody sees rows; where its report and its ledger are.
- `lineage`, `link`: names and counts for assets and OpenLineage; the link to the page of a load.
- `task_load`: the load inside a task: options as text, its end with the task, and which errors are retried.
- `example_dags`: two DAGs to copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from interakt_loader.integrations.airflow.source import shown_source

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.integrations.airflow.hook import InteraktHook
    from interakt_loader.integrations.airflow.operator import InteraktLoadOperator
    from interakt_loader.model import Kind
    from interakt_loader.settings.settings import Options
    from interakt_loader.sources.data import Data

__all__ = ["InteraktHook", "InteraktLoadOperator", "load_events_task", "load_users_task"]

_HOMES = {"InteraktHook": "hook", "InteraktLoadOperator": "operator"}
"""The names that need Airflow. They are imported when they are first used."""


# A type checker that sees `__getattr__` would accept every misspelled name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def load_users_task(
    path: Data, mapping: Any = None, *, interakt_conn_id: str | None = None, **options: Unpack[Options]
) -> dict[str, Any]:
    """Load the file at `path` as users and return counts and paths (`LoadResult.as_dict`).

    `path` may also be a list of paths, or rows or a frame that a task has made; then `report` is needed.
    Key and address come from the connection `interakt_conn_id`. Without one they come from `api_key` or
    INTERAKT_API_KEY. By default the report is next to the file, and the ledger next to the report. `ledger=None` keeps
    no ledger. With the ledger, a retry sends only the rows that are left.

    Raises `UsageError` for wrong arguments, `LoadStopped` if the load ended early (`KeyRefused`, `Outage`, …),
    `RowsFailed` if rows failed, and `LoadInterrupted` after SIGTERM or Ctrl-C. In a task of Airflow, an error that no
    retry can fix becomes an `AirflowFailException`. However the task ends, the load finishes its calls in flight.
    """
    path = shown_source(path)
    return _load(path, mapping, "user", interakt_conn_id, _hidden(options))


def load_events_task(
    path: Data, mapping: Any = None, *, interakt_conn_id: str | None = None, **options: Unpack[Options]
) -> dict[str, Any]:
    """Load the file at `path` as events; otherwise like `load_users_task`."""
    path = shown_source(path)
    return _load(path, mapping, "event", interakt_conn_id, _hidden(options))


def _hidden(options: Options) -> Options:
    """Return the options, with their secrets hidden in place: a task's log may show a traceback with locals."""
    from interakt_loader.settings.values import hide_secrets

    hide_secrets(cast("dict[str, Any]", options))
    return options


def _load(source: Any, mapping: Any, kind: Kind, interakt_conn_id: str | None, options: Options) -> dict[str, Any]:
    from interakt_loader.errors import LoadInterrupted
    from interakt_loader.integrations.airflow.files import with_files
    from interakt_loader.integrations.airflow.task_load import TaskLoad, errors_for_airflow, read_options
    from interakt_loader.load.run import Interrupts

    with errors_for_airflow():
        given = read_options(options)
        if interakt_conn_id is not None:
            from interakt_loader.integrations.airflow.hook import InteraktHook

            given = InteraktHook(interakt_conn_id).options(**given)
        load = TaskLoad()
        with Interrupts(load.stop_token, "the task was ended") as interrupts:
            result = load.run(source, mapping, kind, with_files(source, given))
        if interrupts.signum is not None:
            raise LoadInterrupted(result, interrupts.signum)
        result.raise_for_failures()
        return result.as_dict()
