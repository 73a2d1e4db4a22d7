"""Engines with one mistake each, which the explorer has to find. All are mistakes that are easy to make."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from interakt_loader.model import CallSet, Message, Outcome
from interakt_loader.sending import workers as engine
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.workers import Engine, IdleWorkers


class WakesNobody(Engine):
    """Takes a consumer off the stack and forgets to notify it."""

    def _wake_or_start(self, now: float) -> None:
        if self._idle_workers._stack:
            self._idle_workers._stack.pop()
        else:
            super()._wake_or_start(now)


class ForgetsRetries(Engine):
    """The timer leaves with a call, and no consumer wakes up for the retries that wait."""

    def _is_late_for(self, instant: float | None) -> bool:
        return False


class KeepsAnOldAlarm(Engine):
    """A timer that was woken is still taken for asleep."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle_workers = _KeepsAnOldAlarm()


class _KeepsAnOldAlarm(IdleWorkers):
    def sleep(self, condition: threading.Condition, until: float | None, *others: Any) -> bool:
        was_woken = super().sleep(condition, until, *others)
        if until is not None:
            self._timer, self._alarm = condition, until
        return was_woken


class LeavesTheRestAlone(Engine):
    """A consumer that leaves, with a call or for `on_outcomes`, wakes no other one for the calls that may go."""

    def _wake_another(self, now: float) -> None:
        pass


class EndsAlone(Engine):
    """The last consumer ends without waking the others."""

    def _wake_all(self) -> None:
        self._reader.notify_all()


class ForgetsTheReader(Engine):
    """Does not notify the reader that there are outcomes."""

    def _after_settling(self) -> None:
        if self._closing and not self._schedule.unfinished:
            self._wake_all()


class IsIdleTooEarly(Engine):
    """Does not wait for threads that are handing outcomes over."""

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        if vars(engine)["threading"].current_thread() in self._reporting:
            return False
        schedule = self._schedule
        with self._lock:
            return self._reader.wait_for(lambda: not schedule.unfinished and not schedule.settled, timeout)


class WaitsForItself(Engine):
    """Does not notice that it is called from `on_outcomes`."""

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        schedule = self._schedule
        with self._lock:
            return self._reader.wait_for(
                lambda: not schedule.unfinished and not schedule.settled and not self._reporting, timeout
            )


class ReadsSilently(Engine):
    """Reads the last outcomes, and does not notify those who wait for that."""

    def read(self, wanted: int = 1, timeout: float = 0.0) -> list[Outcome]:
        with self._lock:
            if self._schedule.settled < wanted and self._schedule.unfinished:
                self._wanted = wanted
                self._reader.wait(timeout)
                self._wanted = 0
            return self._schedule.read()


class OffersWithoutTheLock(Engine):
    """Checks for room, and takes messages in, while other threads do the same."""

    def offer(self, messages: Sequence[Message], start: int = 0) -> int:
        if self._closing or self._schedule.stopped:
            return 0
        taken = 0
        for message in messages[start:][: self._schedule.room]:
            self._schedule.admit(message)
            taken += 1
        with self._lock:
            self._wake_or_start(self._clock())
        return taken


class ClosesSilently(Engine):
    """Does not wake the sleeping consumers when it closes."""

    def close(self, *, wait: bool = True) -> None:
        with self._lock:
            self._closing = True
        if wait:
            for thread in self._threads:
                thread.join()
            self._transport.close()


class HasTooManyOut(Engine):
    """Takes as many calls as there are connections, whatever other consumers have out."""

    def _take(self, now: float, call_set: CallSet) -> tuple[list[PendingCall], float | None]:
        workers, self._workers = self._workers, 1000
        try:
            return super()._take(now, call_set)
        finally:
            self._workers = workers


class KeepsConnections(Engine):
    """Sleeps with a connection that it has reserved for a call which may not go yet."""

    def _take(self, now: float, call_set: CallSet) -> tuple[list[PendingCall], float | None]:
        taken: list[PendingCall] = []
        while self._schedule.in_flight < self._workers and self._schedule.waiting and call_set.reserve():
            work = self._schedule.take(now)
            if not isinstance(work, PendingCall):
                return taken, work
            taken.append(work)
        return taken, None


ALL: list[type[Engine]] = [
    WakesNobody,
    ForgetsRetries,
    KeepsAnOldAlarm,
    LeavesTheRestAlone,
    EndsAlone,
    ForgetsTheReader,
    IsIdleTooEarly,
    WaitsForItself,
    ReadsSilently,
    OffersWithoutTheLock,
    ClosesSilently,
    HasTooManyOut,
    KeepsConnections,
]
