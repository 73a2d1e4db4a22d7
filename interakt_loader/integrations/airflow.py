"""Plain callables for Airflow's `@task` and `PythonOperator`.

Importable without Airflow, and without pandas or pyarrow: a scheduler parses DAG files all the time, so these come
in when a task runs. What they return is a plain dict, fit for XCom.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.options import Options
    from interakt_loader.wire import Kind


def load_users_task(path: str, mapping: Any = None, **options: Unpack[Options]) -> dict[str, Any]:
    """Load the file at `path` as users and return counts and paths (`LoadResult.as_dict`).

    Raises `UsageError` when the call makes no sense, `LoadStopped` when the load ended early (`KeyRefused`,
    `Outage`, …) and `RowsFailed` when rows failed; the report says which, and lies where `report` says (default:
    the file's name + `.report.csv`, beside the file). The key comes from `api_key` or INTERAKT_API_KEY.
    """
    return _load(path, mapping, "user", options)


def load_events_task(path: str, mapping: Any = None, **options: Unpack[Options]) -> dict[str, Any]:
    """Load the file at `path` as events; otherwise like `load_users_task`."""
    return _load(path, mapping, "event", options)


def _load(path: str, mapping: Any, kind: Kind, options: Options) -> dict[str, Any]:
    from interakt_loader import loading
    from interakt_loader.settings import Settings

    given = {"report": str(Path(path).with_suffix(".report.csv")), "progress": False, **options}
    result = loading.load(path, mapping, kind, Settings.resolve(given))
    result.raise_for_failures()
    return result.as_dict()
