"""What a person sees while a load runs: how long it will take, then a progress bar, or lines in the log.

- `forecast`: the calls to be made, and how long they take, in one line before the first call.
- `ProgressLines`: how many rows are done, as one line a minute.
- `Progress`: the bar in a terminal or a notebook; without it, these lines in the log.
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

from interakt_loader.errors import by_surface
from interakt_loader.model import Status
from interakt_loader.privacy.process import TolerantStream
from interakt_loader.privacy.text import number_of, printable
from interakt_loader.report.writer import Summary
from interakt_loader.settings.values import PLAN_RATES, Rate

EVERY = 60.0
"""Seconds between two lines in the log. A shorter load has none."""

logger = logging.getLogger("interakt_loader")


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
    """Return one line: how many rows and calls there are, and how long the calls take at the rate limit.

    - `exact`: the rows were counted, not estimated.
    - `calls`: known once the rows are checked. Without it, each row may be a call.
    - `unchanged`: known if there is a ledger.
    - `merged`: rows that go with the call of another row.
    - `doubted`: calls that were in flight when an earlier load ended. `skipped`: such rows that are not sent again.
    - `at_most`: rows of one user may still be merged while the load runs.

    If the rate limit is still to be detected, the time is that of the smallest plan that has an API.
    """
    most = "at most " if at_most or (calls is None and exact) else ""
    if calls is None:
        text = f"{'' if exact else 'about '}{number_of(rows, 'row')}"
        calls = rows
        if calls:
            text += f": {most}{number_of(calls, 'call')}"
    else:
        invalid = rows - (unchanged or 0) - merged - skipped - calls
        text = number_of(rows, "row") if unchanged is None else f"{unchanged:,} of {number_of(rows, 'row')} unchanged"
        for number, what in ((merged, "merged"), (skipped, "in doubt and not sent again"), (invalid, "invalid")):
            text += f", {number:,} {what}" if number else ""
        text += f"; {most if calls else ''}{number_of(calls, 'call')}"
        if doubted:
            text += f" ({doubted:,} may have been accepted before)"
    if not calls or rate is None:
        return text
    if isinstance(rate, Rate):
        return f"{text}, {duration(calls / rate.calls * rate.seconds)} at {rate}"
    least = PLAN_RATES["growth"]
    return f"{text}; {duration(calls / least.calls * least.seconds)} if the account allows {least}"


MANY_NEW = 1000
"""Users that a ledger does not know, from which on reading the account first is worth a word."""


def verify_first(new: int, unchanged: int) -> str:
    """Return the end of a forecast: that reading the account first would save calls, or nothing.

    `new` users are unknown to the ledger. The account may hold them all the same, if the ledger is new or was lost. If
    the ledger knows more of the rows than that, they are most likely new to the account too.
    """
    if new < MANY_NEW or new <= unchanged:
        return ""
    command = by_surface("verify(…)", "interakt-loader verify")
    return f". {new:,} users are new to the ledger: if the account may hold them, {command} first saves calls"


def duration(seconds: float) -> str:
    """Return about how long something takes, such as `about 2 h 47 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"about {max(1, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"about {days} d {hours} h"
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"


def rows_done(summary: Summary) -> tuple[int, int]:
    """Return how many rows are done, and how many of them failed. Rows that a stopped load did not try are neither."""
    not_tried = 0 if summary.dry_run else summary.counts[Status.UNSENT]
    return summary.rows - not_tried, summary.failures - not_tried


class ProgressLines:
    """Makes the lines of one load for the log."""

    def __init__(self, rows: int | None, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self.begin(rows)

    def begin(self, total: int | None, unit: str = "row") -> None:
        """Start the clock. `total` is how many there are to do; None if that is unknown."""
        self._total, self._unit = total, unit
        self._began = self._last = self._clock()

    def preparing(self, rows: int) -> str | None:
        """Return the line for this many prepared rows, if it is time for one."""
        return f"{self._name}: {number_of(rows, 'row')} prepared" if self._is_due() else None

    def sending(self, summary: Summary, waits_for: str = "") -> str | None:
        """Return the line with the rows done, the failures, the pace and the time left, if it is time for one."""
        done, failed = rows_done(summary)
        return self._line(done, f"{failed:,} failed", waits_for)

    def reading(self, contacts: int, waits_for: str = "") -> str | None:
        """Return the line with the contacts that have been read, the pace and the time left, if it is time for one."""
        return self._line(contacts, "", waits_for)

    def _line(self, done: int, note: str, waits_for: str) -> str | None:
        if not self._is_due():
            return None
        pace = done / (self._last - self._began)
        total, unit = self._total, self._unit
        shown = number_of(done, unit) if total is None else f"{done:,} of {number_of(total, unit)}"
        line = f"{self._name}: {', '.join(filter(None, [shown, note]))}, {pace * 60:,.0f} a minute"
        if total is not None and done:
            line += f", {duration(max(0, total - done) / pace)} to go"
        return f"{line}; {waits_for}" if waits_for else line

    def _is_due(self) -> bool:
        now = self._clock()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True


class Progress:
    """The progress of one load: a tqdm bar, or lines in the log. A context manager.

    `wanted` shows or hides the bar; None shows it in a terminal or a notebook only.
    """

    def __init__(self, rows: int | None, name: str, *, wanted: bool | None) -> None:
        self._bar: Any = None
        self._rows, self._unit = rows, "row"
        self._name = printable(name)
        self._waits_for = ""
        self._lines = ProgressLines(rows, self._name)
        if wanted is False or (wanted is None and not _is_watched()):
            return
        self._out = {} if _in_notebook() else {"file": TolerantStream(sys.stderr)}
        with warnings.catch_warnings():
            # Without ipywidgets the bar is one of text, which needs no warning.
            warnings.simplefilter("ignore")
            module = importlib.import_module("tqdm.auto" if _in_notebook() else "tqdm")
        # miniters=0: otherwise tqdm shows nothing until more rows end, not even why they wait.
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
        """Write a line above the bar; return False if there is no bar."""
        if self._bar is None:
            return False
        self._bar.write(printable(text), **self._out)
        return True

    def hide(self) -> None:
        """Hide the bar until there is something new to show. If the load ends before, it stays hidden."""
        if self._bar is not None:
            self._bar.clear()
            self._bar.leave = False

    def preparing(self, rows: int) -> None:
        """Show how many rows are prepared, before the first call."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{rows:,} prepared", refresh=False)
            self._bar.update(0)
        else:
            _log(self._lines.preparing(rows))

    def begin(self, rows: int | None = None) -> None:
        """Start the clock when the first call is sent. `rows` is how many there are, if that is known by now."""
        self._rows = self._rows if rows is None else rows
        self._begin(self._rows, "row")

    def _begin(self, total: int | None, unit: str) -> None:
        self._unit = unit
        if self._bar is not None:
            self._bar.leave, self._bar.unit = True, f" {unit}s"
            self._bar.reset(total=total)
        else:
            self._lines.begin(total, unit)

    def update(self, summary: Summary, waits_for: str = "") -> None:
        """Show how many rows are done, and what the load waits for."""
        if self._unit != "row":
            self.begin()
        if self._bar is None:
            _log(self._lines.sending(summary, waits_for))
            return
        done, failed = rows_done(summary)
        self._show(done, f"{failed:,} failed", waits_for)

    def read(self, contacts: int, total: int, waits_for: str = "") -> None:
        """Show how many contacts of the account have been read, of about how many, and what the next one waits for."""
        if self._unit != "contact":
            self._begin(total, "contact")
        contacts = min(contacts, total)
        if self._bar is None:
            _log(self._lines.reading(contacts, waits_for))
            return
        self._show(contacts, "", waits_for)

    def _show(self, done: int, note: str, waits_for: str) -> None:
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
        if waits_for != self._waits_for:
            self._waits_for = waits_for
            # On the left, which a narrow terminal shows; at once, because the next row may end much later.
            self._bar.set_description_str(f"{self._name} ({waits_for})" if waits_for else self._name)


def _log(line: str | None) -> None:
    if line is not None:
        logger.info("%s", line)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _is_watched() -> bool:
    return _in_notebook() or TolerantStream(sys.stderr).isatty()
