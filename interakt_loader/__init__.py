"""Load a table into Interakt: one API call for each row, one report line for each row, nothing lost.

`load_users`, `load_events`, `baseline` and `check` take a table, a mapping and options. `infer` proposes a mapping.
`run` runs the loads of a project file. `pull` reads the account back, and `verify` compares a table with it.
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
    from interakt_loader.account.verify import verify
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
    from interakt_loader.mapping import FieldDict, InferredMapping, Mapping, MappingDict, TraitDict
    from interakt_loader.project import ProjectResult, run
    from interakt_loader.result import LoadResult
    from interakt_loader.settings import Options
    from interakt_loader.sources import Data

__all__ = [
    "APIError",
    "Data",
    "FieldDict",
    "InferredMapping",
    "InteraktLoaderError",
    "LoadInterrupted",
    "LoadResult",
    "LoadStopped",
    "Mapping",
    "MappingDict",
    "MappingNeeded",
    "Options",
    "ProjectError",
    "ProjectResult",
    "PullResult",
    "RowsFailed",
    "TraitDict",
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
    "verify",
]

_HOMES = {
    "pull": "account.pull",
    "verify": "account.verify",
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
    "FieldDict": "mapping",
    "MappingDict": "mapping",
    "TraitDict": "mapping",
    "Options": "settings",
    "Data": "sources",
    "APIError": "errors",
    "InteraktLoaderError": "errors",
    "LoadInterrupted": "errors",
    "LoadStopped": "errors",
    "MappingNeeded": "errors",
    "ProjectError": "errors",
    "RowsFailed": "errors",
    "UsageError": "errors",
}


# A program that reads this file, and not `__init__.pyi`, would accept every misspelled name.
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
