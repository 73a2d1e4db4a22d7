"""What a running load is watched for: settled calls to put on record, failures, interrupts, calls that hang."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from interakt_loader.engine import Engine
from interakt_loader.job import Job
from interakt_loader.ledger import LedgerBroken
from interakt_loader.settings import parse_failures
from interakt_loader.ticket import Stop
from interakt_loader.wire import FAILURES, Outcome, Status

logger = logging.getLogger("interakt_loader")

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
        self._rows = 0
        self._failed = 0
        self._deadline: float | None = None

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        """Return what has settled, after waiting up to `timeout` seconds for `wanted` of it. It is on record then."""
        outcomes = self._engine.read(wanted, timeout)
        self._record(outcomes)
        self.count(outcomes)
        self._look_up()
        return outcomes

    def count(self, outcomes: Iterable[Outcome], unchanged: int = 0) -> None:
        """Count rows and failures, and stop the load if there are too many."""
        for one in outcomes:
            self._rows += 1
            self._failed += one.status in FAILURES and one.status is not Status.UNSENT
        self._rows += unchanged
        if self._allowed.are_too_many(self._failed, self._rows):
            text = f"{self._failed:,} of {self._rows:,} rows have failed; max_failures is {self._settings.max_failures}"
            self._engine.stop(Stop("too_many_failures", text))

    def _record(self, outcomes: list[Outcome]) -> None:
        if self._ledger is None:
            return
        try:
            self._ledger.record(outcomes)
        except LedgerBroken as error:  # the slots of the calls in flight keep what cannot be written now
            self._ledger = None
            self._engine.stop(Stop("ledger_broken", str(error)))

    def _look_up(self) -> None:
        engine, control = self._engine, self._control
        if engine.in_outage and not control.in_outage:
            logger.warning("no answer from the API: trying one call now and then until it is back")
        control.in_outage = engine.in_outage
        if control.stop_wanted is not None:
            engine.stop(control.stop_wanted)
        if engine.stopped is not None:
            now = time.monotonic()
            self._deadline = self._deadline or now + self._settings.timeout + DRAIN
            if now > self._deadline:
                engine.abandon()
