"""Signals during a load: the first Ctrl-C or SIGTERM lets it finish its calls in flight, the second leaves at once.

The end of the terminal (SIGHUP) does not end it: nobody has asked it to stop.

How many rows have failed so far, and whether that is too many. Pure.

What a running load is watched for: settled calls to put on record, failures, interrupts, calls that hang.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import LedgerBroken, option
from interakt_loader.load.job import Job
from interakt_loader.model import FAILURES, Outcome, Status, Stop
from interakt_loader.privacy.process import TolerantStream, is_main_thread
from interakt_loader.sending.work import WorkBatch
from interakt_loader.sending.workers import Engine
from interakt_loader.settings.values import Failures

if TYPE_CHECKING:
    from interakt_loader.shared_limit import Turns


class Interrupts:
    """Calls `on_first` at the first SIGINT or SIGTERM; a second one raises KeyboardInterrupt where the program is.

    A context manager that puts the former handlers back. Outside the main thread, where Python lets nobody handle
    signals, it does nothing.
    """

    def __init__(self, on_first: Callable[[], object]) -> None:
        self._on_first = on_first
        self._former: dict[int, Any] = {}
        self._terminal = outlive_terminal()
        self.signum: int | None = None
        """The first signal that came."""
        self.at_once = False
        """Set this while no call is out: then the first signal leaves at once."""

    def __enter__(self) -> Interrupts:
        self._terminal.__enter__()
        if is_main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                former = signal.getsignal(signum)
                if former is not None and former is not signal.SIG_IGN:  # nohup and the like ignore them on purpose
                    self._former[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, former in self._former.items():
            signal.signal(signum, former)
        self._terminal.__exit__(kind, error, trace)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None or self.at_once:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        self._on_first()
        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        stderr = TolerantStream(sys.stderr)
        stderr.write(f"\n{name}: finishing the calls in flight and the report; once more leaves at once\n")
        stderr.flush()


@contextmanager
def outlive_terminal() -> Iterator[None]:
    """While this runs, do not let the end of the terminal end the process, nor one that it starts.

    A program that has its own way with SIGHUP keeps it. Windows has no such signal, and ends the process.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or not is_main_thread() or signal.getsignal(hangup) is not signal.SIG_DFL:
        yield
        return
    signal.signal(hangup, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(hangup, signal.SIG_DFL)


LEAST_ROWS = 100
"""Rows, and settled ones among them, from which on a share of failures says something."""


@dataclass
class Tally:
    """Counts of a running load. Rows that are refused here are known long before the calls of their batch settle."""

    read: int = 0
    """Rows taken in."""
    refused: int = 0
    """Of these, the ones for which there is no call: invalid."""
    settled: int = 0
    """Of the others, the ones whose outcome is known."""
    failed: int = 0
    """Of these, the ones that were rejected, failed or are unknown."""

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Count calls that have ended; rows whose turn did not come say nothing."""
        for one in outcomes:
            if one.status is not Status.UNSENT:
                self.settled += 1
                self.failed += one.status in FAILURES

    def are_too_many(self, allowed: Failures) -> bool:
        """Decide by what is known so far; what a share of all rows will be is estimated from the two kinds."""
        if self.refused + self.failed > allowed.rows:
            return True
        invalid = self.refused / self.read if self.read >= LEAST_ROWS else 0.0
        failing = self.failed / self.settled if self.settled >= LEAST_ROWS else 0.0
        return invalid + (1 - invalid) * failing > allowed.share

    def __str__(self) -> str:
        return f"{self.refused:,} of {self.read:,} rows are invalid, {self.failed:,} of {self.settled:,} calls failed"


logger = logging.getLogger("interakt_loader")

NO_ANSWER = "no answer: waiting"
OVER_THE_LIMIT = "over the call limit: waiting"
SHARE_AWAY = "the shared clock cannot be reached: waiting"

DRAIN = 1.0
"""Seconds beyond `timeout` for which a stopped load waits for the calls in flight."""


class Monitor:
    """Reads outcomes from the engine; whatever has to be done about them is done before anybody sees them."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine = engine
        self._ledger = job.ledger
        self._control = job.control
        self._settings = job.settings
        self._allowed = job.settings.max_failures or Failures()
        self._tally = Tally()
        self._deadline: float | None = None
        self._turns = job.control.turns
        self._warned_of_file = False
        self._holds = None if job.control.turns is None else job.control.turns.rate

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        """Return what has settled, after waiting up to `timeout` seconds for `wanted` of it. It is on record then."""
        outcomes = self._engine.read(wanted, timeout)
        self._record(outcomes)
        self._tally.settle(outcomes)
        self._look_up()
        return outcomes

    def take_in(self, work_batch: WorkBatch) -> None:
        """Count the rows of a batch that has been read."""
        unchanged = 0 if work_batch.unchanged is None else work_batch.unchanged.num_rows
        self._tally.read += len(work_batch.calls) + len(work_batch.settled) + unchanged + work_batch.merged
        self._tally.refused += len(work_batch.settled)
        self._tally.settled += unchanged

    def _record(self, outcomes: list[Outcome]) -> None:
        if self._ledger is None:
            return
        try:
            self._ledger.record(outcomes)
        except LedgerBroken as error:  # the slots of the calls in flight keep what cannot be written now
            self._ledger = None
            self._engine.stop(Stop("ledger_broken", str(error)))

    def _say_which_limit_holds(self, turns: Turns) -> None:
        """Say so once if it is another load's, or if other loads cannot be taken into account."""
        if turns.holds != self._holds:
            self._holds = turns.holds
            if turns.holds == turns.rate:
                limit = option("rate_limit")
                logger.info("%s %s holds again: the load with the lower limit has ended", limit, turns.rate)
            else:
                logger.warning(
                    "%s is %s, and another load of this account on this machine declares %s: the lower limit "
                    "holds for both until one of them ends",
                    option("rate_limit"),
                    turns.rate,
                    turns.holds,
                )
        if turns.file_error and not self._warned_of_file:
            self._warned_of_file = True
            logger.warning(
                "the limit is held by this process alone: the file for all loads of this machine cannot be used (%s)",
                turns.file_error,
            )

    def _look_up(self) -> None:
        engine, control = self._engine, self._control
        if self._turns is not None:
            self._say_which_limit_holds(self._turns)
        if self._tally.are_too_many(self._allowed):
            engine.stop(
                Stop("too_many_failures", f"{self._tally}: {option('max_failures')} is {self._settings.max_failures}")
            )
        waits_for = ""
        if engine.stopped is None:
            waits_for = NO_ANSWER if engine.in_outage else OVER_THE_LIMIT if engine.is_held else ""
            waits_for = SHARE_AWAY if control.share_away else waits_for
        if waits_for != control.waits_for:
            control.waits_for = waits_for
            if waits_for == NO_ANSWER:
                logger.warning("no answer from the API (%s): trying one call now and then", engine.last_silence)
            control.on_waiting()
        if control.stop_wanted is not None:
            engine.stop(control.stop_wanted)
        if engine.stopped is not None:
            now = time.monotonic()
            self._deadline = self._deadline or now + self._settings.timeout + DRAIN
            if now > self._deadline:
                engine.abandon()
