"""What a running load is watched for: settled calls to put on record, failures, interrupts, calls that hang."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from interakt_loader.delivery.job import Job
from interakt_loader.delivery.tally import Tally
from interakt_loader.errors import LedgerBroken
from interakt_loader.sending.engine import Engine
from interakt_loader.sending.ticket import Stop
from interakt_loader.settings.values import parse_failures
from interakt_loader.wire import Outcome
from interakt_loader.work import Piece

if TYPE_CHECKING:
    from interakt_loader.share import Turns

logger = logging.getLogger("interakt_loader")

NO_ANSWER = "no answer: waiting"
OVER_THE_LIMIT = "over the call limit: waiting"
SHARE_AWAY = "the shared clock cannot be reached: waiting"

DRAIN = 1.0
"""Seconds beyond `timeout` for which a stopped load waits for the calls in flight."""


class Overseer:
    """Reads outcomes from the engine; whatever has to be done about them is done before anybody sees them."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine = engine
        self._ledger = job.ledger
        self._control = job.control
        self._settings = job.settings
        self._allowed = parse_failures(job.settings.max_failures)
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

    def take_in(self, piece: Piece) -> None:
        """Count the rows of a batch that has been read."""
        unchanged = 0 if piece.unchanged is None else piece.unchanged.num_rows
        self._tally.read += len(piece.calls) + len(piece.settled) + unchanged + piece.merged
        self._tally.refused += len(piece.settled)
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
                logger.info("rate_limit %s holds again: the load with the lower limit has ended", turns.rate)
            else:
                logger.warning(
                    "rate_limit is %s, and another load of this account on this machine declares %s: the lower limit "
                    "holds for both until one of them ends",
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
            engine.stop(Stop("too_many_failures", f"{self._tally}: max_failures is {self._settings.max_failures}"))
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
