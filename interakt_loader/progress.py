"""What a person sees while a load runs.

- `bar`: the bar, in a terminal or a notebook.
- `lines`: what stands beside it. Pure.
- `forecast`: how many calls there are to make, and how long that takes. Pure.

What a load will take, said before the first call. Pure.

How far a load is, as a line for a log now and then: where nobody looks at a bar. Pure but for its clock.

The progress bar: rows, rate, failures and the time left, in terminals and notebooks; elsewhere a line in the log.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

from interakt_loader.model import Status
from interakt_loader.privacy.process import TolerantStream
from interakt_loader.privacy.text import printable
from interakt_loader.report.writer import Summary
from interakt_loader.settings.values import PLAN_RATES, Rate


def forecast(
    rate: Rate | str | None,
    rows: int,
    *,
    exact: bool = True,
    unchanged: int | None = None,
    merged: int = 0,
    skipped: int = 0,
    calls: int | None = None,
    at_most: bool = False,
    doubted: int = 0,
) -> str:
    """Return one line: how many rows and calls, and how long that takes at the limit.

    `calls` are known once the rows have been checked; `unchanged` when there is a ledger, and so is how many of the
    calls are `doubted` (were out when an earlier load ended), and how many rows in doubt are `skipped`. `merged` rows
    go with another row's call. `at_most`: rows may be folded into one call as the load goes, and how many depends on
    how fast it goes. The time at a limit that is still to be detected is given for the smallest plan that has an API.
    """
    if calls is None:
        said = f"{'' if exact else 'about '}{_count(rows, 'row')}"
        calls = rows
        if calls:
            said += f": {'at most ' if exact or at_most else ''}{_count(calls, 'call')}"
    else:
        invalid = rows - (unchanged or 0) - merged - skipped - calls
        said = _count(rows, "row") if unchanged is None else f"{unchanged:,} of {_count(rows, 'row')} unchanged"
        for number, what in ((merged, "merged"), (skipped, "in doubt and left so"), (invalid, "invalid")):
            said += f", {number:,} {what}" if number else ""
        said += f"; {'at most ' if at_most and calls else ''}{_count(calls, 'call')}"
        if doubted:
            said += f" ({doubted:,} may have been accepted before)"
    if not calls or rate is None:
        return said
    if isinstance(rate, Rate):
        return f"{said}, {duration(calls / rate.calls * rate.seconds)} at {rate}"
    least = PLAN_RATES["growth"]
    return f"{said}; {duration(calls / least.calls * least.seconds)} if the account allows {least}"


def duration(seconds: float) -> str:
    """Return a time as people say it: `about 2 h 47 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"about {max(1, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"about {days} d {hours} h"
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


EVERY = 60.0
"""Seconds between two lines; a load that takes less says nothing."""


class ProgressLines:
    """Makes the lines of one load."""

    def __init__(self, rows: int | None, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self.begin(rows)

    def begin(self, rows: int | None) -> None:
        """Start the clock, for so many rows (None: nobody knows)."""
        self._rows = rows
        self._began = self._last = self._clock()

    def preparing(self, rows: int) -> str | None:
        """Return the line to be said now that so many rows have been prepared, if it is time for one."""
        return f"{self._name}: {rows:,} rows prepared" if self._is_due() else None

    def sending(self, summary: Summary, waits_for: str = "") -> str | None:
        """Return the line to be said now, if it is time for one: rows, failures, the pace, the time to go."""
        if not self._is_due():
            return None
        done = summary.rows - (0 if summary.dry_run else summary.counts[Status.UNSENT])
        failed = summary.failures - (summary.rows - done)
        pace = done / (self._last - self._began)
        said = f"{self._name}: {done:,} rows"
        if self._rows is not None:
            said = f"{self._name}: {done:,} of {self._rows:,} rows"
        said += f", {failed:,} failed, {pace * 60:,.0f} a minute"
        if self._rows is not None and done:
            said += f", {duration(max(0, self._rows - done) / pace)} to go"
        return f"{said}; {waits_for}" if waits_for else said

    def _is_due(self) -> bool:
        now = self._clock()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True


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
