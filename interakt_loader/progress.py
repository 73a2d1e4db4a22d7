"""What a person sees while a load runs: how long it will take, then a progress bar, or lines in the log.

- `forecast`: the calls to be made, and how long they take, in one line before the first call.
- `Progress`: the bar of `bars` in a terminal or a notebook; without it, a line a minute.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType

from interakt_loader.bars import NotebookBar, State, TerminalBar, duration
from interakt_loader.errors import command
from interakt_loader.model import Status
from interakt_loader.privacy.process import TolerantStream
from interakt_loader.privacy.text import number_of, printable
from interakt_loader.report.writer import Summary
from interakt_loader.settings.values import PLAN_RATES, Number, Rate, parsed

EVERY = 60.0
"""Seconds between two lines. A shorter load has none."""

VARIABLE = "INTERAKT_PROGRESS_EVERY"
"""The environment variable with another number of seconds."""

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
    return f". {new:,} users are new to the ledger: if the account may hold them, {command('verify')} first saves calls"


def seconds_between_lines() -> float:
    """Return how often a load without a bar says how far it is. Raises `SettingsError`."""
    text = os.environ.get(VARIABLE, "").strip()
    return parsed(VARIABLE, Number(0, 86_400, above=True), text) if text else EVERY


def rows_done(summary: Summary) -> tuple[int, int]:
    """Return how many rows are done, and how many of them failed. Rows that a stopped load did not try are neither."""
    not_tried = 0 if summary.dry_run else summary.counts[Status.UNSENT]
    return summary.rows - not_tried, summary.failures - not_tried


def stamped(line: str) -> str:
    """Return a line with the local time before it."""
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M} {line}"


class Progress:
    """The progress of one load: a bar, or a line a minute. A context manager.

    `wanted` shows or hides the bar; None shows it in a terminal or a notebook only. Without the bar, the lines go to
    the log and to `reported`. A thread makes them, because nothing else may happen meanwhile.
    """

    def __init__(
        self,
        rows: int | None,
        name: str,
        *,
        wanted: bool | None,
        reported: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._rows, self._name, self._reported = rows, printable(name), reported
        self._calls: int | None = None
        # replaced as a whole, because another thread reads it
        self._state = State(rows)
        self._bar: NotebookBar | TerminalBar | None = None
        self._timer: _Timer | None = None
        self._stack = ExitStack()
        if wanted is False or (wanted is None and not _is_watched()):
            self._timer = _Timer(seconds_between_lines(), self._report)
        else:
            self._bar = (NotebookBar if _in_notebook() else TerminalBar)(self._name, self._state)

    def __enter__(self) -> Progress:
        if self._timer is not None:
            self._timer.start()
        if isinstance(self._bar, TerminalBar):
            # a line of the log would be written into the bar
            for handler in logging.root.handlers:
                if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
                    self._stack.callback(handler.setStream, handler.setStream(_AboveBar(self._bar)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.close()
        self._stack.close()
        if self._bar is not None:
            self._bar.close()

    def say(self, text: str) -> bool:
        """Write a line above the bar; return False if there is no bar."""
        if self._bar is None:
            return False
        self._bar.say(printable(text))
        return True

    def hide(self) -> None:
        """Hide the bar until there is something new to show. If the load ends before, it stays hidden."""
        if self._bar is not None:
            self._bar.hide()

    def preparing(self, rows: int) -> None:
        """Show how many rows are prepared, before the first call."""
        self._show(self._state._replace(done=rows))

    def begin(self, rows: int | None = None, calls: int | None = None) -> None:
        """Start the clock when the first call is sent.

        `rows` is how many there are, and `calls` how many calls they take, if that is known by now.
        """
        self._rows = self._rows if rows is None else rows
        self._calls = self._calls if calls is None else calls
        self._begin(self._rows, "row", self._calls)

    def _begin(self, total: int | None, unit: str, calls: int | None = None) -> None:
        self._state = State(total, unit, time.monotonic(), all_calls=calls)
        if self._bar is not None:
            self._bar.begin(self._state)

    def update(self, summary: Summary, waits_for: str = "") -> None:
        """Show how many rows are done, and what the load waits for."""
        if self._state.began is None or self._state.unit != "row":
            self.begin()
        done, failed = rows_done(summary)
        note = f"{failed:,} failed"
        self._show(self._state._replace(done=done, calls=summary.called, note=note, waits_for=waits_for))

    def read(self, contacts: int, total: int, waits_for: str = "") -> None:
        """Show how many contacts of the account have been read, of about how many, and what the next one waits for."""
        if self._state.unit != "contact":
            self._begin(total, "contact")
        self._show(self._state._replace(done=min(contacts, total), waits_for=waits_for))

    def _show(self, state: State) -> None:
        self._state = state
        if self._bar is not None:
            self._bar.show(state)

    def _report(self) -> None:
        line = self._state.line(self._name, time.monotonic())
        logger.info("%s", line)
        self._reported(line)


class _AboveBar(io.TextIOBase):
    """A stream whose lines are written above a bar."""

    def __init__(self, bar: TerminalBar) -> None:
        self._bar = bar

    def write(self, text: str) -> int:
        self._bar.say(text.removesuffix("\n"))
        return len(text)


class _Timer:
    """Calls a function every so many seconds, on a thread of its own."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds, self._act = seconds, act
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interakt-progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._act()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _is_watched() -> bool:
    return _in_notebook() or TolerantStream(sys.stderr).isatty()
