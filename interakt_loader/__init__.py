"""Load a table into Interakt: one API call for each row, one report line for each row, nothing lost.

`load_users`, `load_events`, `baseline` and `check` take a table, a mapping and options. `infer` proposes a mapping.
`run` runs the loads of a project file. `pull` reads the account back.
`track` has the names of the vendor's SDK. Each name is imported when it is first used, so that
`from interakt_loader import track` starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from interakt_loader._version import __version__

if TYPE_CHECKING:
    from interakt_loader import track
    from interakt_loader.account.pull import PullResult, pull
    from interakt_loader.errors import (
        APIError,
        InteraktLoaderError,
        LoadInterrupted,
        LoadStopped,
        MappingNeeded,
        ProjectError,
        RowsFailed,
        UsageError,
    )
    from interakt_loader.load import baseline, check, infer, load_events, load_users
    from interakt_loader.mapping import InferredMapping, Mapping
    from interakt_loader.project import ProjectResult, run
    from interakt_loader.result import LoadResult

__all__ = [
    "APIError",
    "InferredMapping",
    "InteraktLoaderError",
    "LoadInterrupted",
    "LoadResult",
    "LoadStopped",
    "Mapping",
    "MappingNeeded",
    "ProjectError",
    "ProjectResult",
    "PullResult",
    "RowsFailed",
    "UsageError",
    "__version__",
    "baseline",
    "check",
    "infer",
    "load_events",
    "load_users",
    "pull",
    "run",
    "track",
]

_HOMES = {
    "pull": "account.pull",
    "PullResult": "account.pull",
    "run": "project",
    "ProjectResult": "project",
    "baseline": "load",
    "check": "load",
    "infer": "load",
    "load_events": "load",
    "load_users": "load",
    "LoadResult": "result",
    "InferredMapping": "mapping",
    "Mapping": "mapping",
    "APIError": "errors",
    "InteraktLoaderError": "errors",
    "LoadInterrupted": "errors",
    "LoadStopped": "errors",
    "MappingNeeded": "errors",
    "ProjectError": "errors",
    "RowsFailed": "errors",
    "UsageError": "errors",
}


# A type checker that sees `__getattr__` would accept every misspelled name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "track":
            return importlib.import_module("interakt_loader.track")
        if name in _HOMES:
            value = getattr(importlib.import_module(f"interakt_loader.{_HOMES[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
