"""The progress bar: rows, rate, failures and the time left; in terminals and notebooks, quiet elsewhere."""

from __future__ import annotations

import importlib
import sys
from types import TracebackType
from typing import Any

from interakt_loader.report import Summary


class Progress:
    """A tqdm bar around one load. `wanted` None: only where a person can see it."""

    def __init__(self, rows: int | None, name: str, *, wanted: bool | None) -> None:
        self._bar: Any = None
        if wanted is False or (wanted is None and not _somebody_looks()):
            return
        module = importlib.import_module("tqdm.auto" if _in_notebook() else "tqdm")
        self._bar = module.tqdm(total=rows, desc=name, unit=" rows", dynamic_ncols=True, mininterval=0.2, smoothing=0.1)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            if kind is None and self._bar.total is not None:
                self._bar.total = self._bar.n  # an estimate of the rows was just that
            self._bar.close()

    def update(self, rows: int, summary: Summary, *, in_outage: bool) -> None:
        """Show that `rows` more are done."""
        if self._bar is not None:
            said = f"{summary.failures:,} failed"
            self._bar.set_postfix_str(f"{said}, no answer: waiting" if in_outage else said, refresh=False)
            self._bar.update(rows)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _somebody_looks() -> bool:
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
