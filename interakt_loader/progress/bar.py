"""The progress bar: rows, rate, failures and the time left, in terminals and notebooks; elsewhere a line in the log."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from types import TracebackType
from typing import Any

from interakt_loader.progress.lines import ProgressLines
from interakt_loader.report.report import Summary
from interakt_loader.safety.printable import printable
from interakt_loader.safety.streams import TolerantStream
from interakt_loader.wire import Status

logger = logging.getLogger("interakt_loader")


class Progress:
    """A tqdm bar around one load. `wanted` None: only where a person can see it.

    Without a bar a long load logs now and then how far it is.
    """

    def __init__(self, rows: int | None, name: str, *, wanted: bool | None) -> None:
        self._bar: Any = None
        self._rows = rows
        self._name = printable(name)
        self._waits_for = ""
        self._lines = ProgressLines(rows, self._name)
        if wanted is False or (wanted is None and not _somebody_looks()):
            return
        self._out = {} if _in_notebook() else {"file": TolerantStream(sys.stderr)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without ipywidgets, the bar is one of text: nothing to warn of
            module = importlib.import_module("tqdm.auto" if _in_notebook() else "tqdm")
        # miniters: else tqdm would wait for rows before it shows anything new, and they wait for what is to be shown
        self._bar = module.tqdm(
            total=rows,
            desc=self._name,
            unit=" rows",
            dynamic_ncols=True,
            mininterval=0.2,
            miniters=0,
            smoothing=0.1,
            **self._out,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def say(self, text: str) -> bool:
        """Write a line above the bar; return whether there is one."""
        if self._bar is None:
            return False
        self._bar.write(printable(text), **self._out)
        return True

    def hide(self) -> None:
        """Take the bar away, until there is something new to show."""
        if self._bar is not None:
            self._bar.clear()
            self._bar.leave = False  # nor is it left behind if the load ends here

    def preparing(self, rows: int) -> None:
        """Show how many rows have been prepared, before the first call."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{rows:,} prepared", refresh=False)
            self._bar.update(0)
        else:
            _log(self._lines.preparing(rows))

    def begin(self, rows: int | None = None) -> None:
        """Start the clock, now that calls go out; the number of rows may have become known."""
        rows = self._rows = self._rows if rows is None else rows
        if self._bar is not None:
            self._bar.leave = True
            self._bar.reset(total=rows)
        else:
            self._lines.begin(rows)

    def update(self, summary: Summary, waits_for: str = "") -> None:
        """Show how far it is: rows that a stopped load did not come to are not done."""
        if self._bar is not None:
            not_done = 0 if summary.dry_run else summary.counts[Status.UNSENT]
            failed = summary.failures - not_done
            self._bar.set_postfix_str(f"{failed:,} failed", refresh=False)
            self._bar.update(summary.rows - not_done - self._bar.n)
            if waits_for != self._waits_for:
                self._waits_for = waits_for
                # at the left, which a narrow terminal shows; at once, as the next row may end long after this
                self._bar.set_description_str(f"{self._name} ({waits_for})" if waits_for else self._name)
        else:
            _log(self._lines.sending(summary, waits_for))


def _log(line: str | None) -> None:
    if line is not None:
        logger.info("%s", line)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _somebody_looks() -> bool:
    return _in_notebook() or TolerantStream(sys.stderr).isatty()
