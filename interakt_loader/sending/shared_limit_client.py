"""The thread that talks to a shared clock, so that neither a call nor a lock waits for it."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

from interakt_loader.model import Stop, StopToken
from interakt_loader.sending.retry_policy import FIRST_CLOCK_WAIT, LONGEST_CLOCK_WAIT, LONGEST_STEP, Duration
from interakt_loader.sending.workers import Engine
from interakt_loader.shared_limit import ClockUnavailable, RateDiffers, ReservedSlots, SharedClock
from interakt_loader.shared_limit.clock import Ask, SlotReservation

logger = logging.getLogger("interakt_loader")


class SharedLimitClient:
    """Reserves the slots that are requested, and pushes the clock after a 429. A context manager around its thread.

    It wakes the engine when slots have come. It requests a stop if the clock cannot be reached for longer than
    `patience` seconds, or refuses the load. The stop's message calls the clock `shown`.
    """

    def __init__(
        self,
        clock: SharedClock,
        slots: ReservedSlots,
        engine: Engine,
        stop_token: StopToken,
        *,
        patience: float,
        shown: str,
    ) -> None:
        self._clock, self._slots, self._engine, self._stop_token = clock, slots, engine, stop_token
        self._patience, self._shown = patience, shown
        self.is_away = False
        """Whether the clock cannot be reached at the moment."""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="interakt-shared-limit", daemon=True)

    def __enter__(self) -> SharedLimitClient:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._slots.asks.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (ask := self._slots.asks.get()) is not None and not self._closed.is_set():
            try:
                reservation = self._reserve(ask)
            except (ClockUnavailable, RateDiffers) as error:
                self._give_up(str(error))
                return
            except Exception as error:
                logger.exception("the shared clock cannot be used")
                self._give_up(f"{type(error).__name__}: please report this")
                return
            if ask.slots and reservation is not None:
                self._slots.grant(reservation)
                self._engine.wake()

    def _give_up(self, reason: str) -> None:
        self._stop_token.request(Stop("share_lost", f"share {self._shown}: {reason}"))

    def _reserve(self, ask: Ask) -> SlotReservation | None:
        """Reserve slots, and wait while the clock cannot be reached; None: the load has ended."""
        away, wait = Duration(LONGEST_STEP), FIRST_CLOCK_WAIT
        while not self._closed.is_set():
            try:
                reservation = self._clock.reserve(ask.slots, ask.hold)
            except ClockUnavailable as error:
                if away.extend(time.monotonic()) >= self._patience:
                    raise
                if wait == FIRST_CLOCK_WAIT:
                    logger.warning("%s: waiting until it is back", error)
                    self.is_away = True
                self._closed.wait(wait)
                wait = min(2 * wait, LONGEST_CLOCK_WAIT)
            else:
                self.is_away = False
                return reservation
        return None
