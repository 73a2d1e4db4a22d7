"""What makes the command line's own process smaller and faster. Only for a process that is ours alone."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_NOT_NEEDED = "pandas"


class _NotImported:
    """A finder that finds no pandas.

    pyarrow imports it, if it is installed, to make its first array: 45 MB and a quarter of a second for something
    that a load from files never uses.
    """

    def find_spec(self, name: str, *_: Sequence[str] | ModuleType | None) -> ModuleSpec | None:
        """Refuse pandas; leave every other module to the finders behind."""
        if name == _NOT_NEEDED:
            raise ModuleNotFoundError(f"the command line does without {name}", name=name)
        return None


def keep_small() -> None:
    """Do without pandas, and have Arrow use malloc, unless the environment says otherwise.

    Arrow's own allocators keep some 35 MB more; call this before pyarrow is imported.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NotImported())


def imported() -> None:
    """Begin to look for garbage, now that all modules are there, and never among them.

    Nothing that an import makes is garbage: looking for some costs a tenth of the start, and of each call later on.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
