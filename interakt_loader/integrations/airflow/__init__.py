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
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interakt_loader.integrations.airflow.callables import load_events_task, load_users_task

if TYPE_CHECKING:
    from interakt_loader.integrations.airflow.hook import InteraktHook
    from interakt_loader.integrations.airflow.operator import InteraktLoadOperator

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
