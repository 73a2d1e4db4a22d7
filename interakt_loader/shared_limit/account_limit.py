"""One declared limit for all loads of an account on this machine, one after another or at once.

The loads of one process share a clock in memory. If the user has a state folder, the processes of the user also share a
file in it (`MachineFile`). It holds the last call of each account, and the limits that running loads declare. Each
claim is one short transaction, so a process that is killed holds nothing. The file never stops a load: while it cannot
be used, only the clock in memory counts.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import Claim, ClockUnavailable, LastCall, claimed

if TYPE_CHECKING:
    from interakt_loader.shared_limit.sqlite import MachineFile

TRY_AGAIN = 5.0
"""Seconds after which a file that cannot be used is tried again."""

LOOK_AGAIN = 1.0
"""Seconds after which a load asks again at the latest. Another load with a lower limit may have ended."""

REMEMBER = 60.0
"""Seconds for which the last call of an account without loads is remembered, at least."""


class Turns:
    """The turns of one load under the account's limit, in place of a rate limit's own clock."""

    def __init__(self, account: AccountLimit, rate: Rate) -> None:
        self._account = account
        self.rate = rate
        """The limit that this load declares."""
        self.holds = rate
        """The limit that holds. Another load may declare a lower one."""
        self.file_error = ""
        """Why the loads of other processes could not be included. Empty: they were, or there is no file."""

    def due(self, now: float, waiting: int, in_flight: int) -> float:
        """Return when the next call may go. If that is now, the turn is taken, and the call must go."""
        del waiting, in_flight
        return self._account.claim(self, now)

    def spend(self) -> None:
        """Do nothing: `due` has taken the turn."""

    def hold(self, seconds: float) -> None:
        """Do nothing: each load probes for itself whether a 429 is over."""


class AccountLimit:
    """The limit of one account. Thread-safe. Engines take their own lock before this one, never after."""

    def __init__(self, account: bytes) -> None:
        self._account = account
        self.lock = threading.Lock()
        self._loads: set[Turns] = set()
        self._last: LastCall | None = None
        self._remembered_until = -math.inf
        self._file: MachineFile | None = None
        self._try_file_at = -math.inf
        # no call may go before
        self._ask_at = -math.inf
        # as of the last claim
        self._holds = Rate(math.inf, 1.0)

    def start_afresh(self) -> None:
        """Forget the parent process's loads and open file. The caller holds the lock."""
        self._loads.clear()
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def is_needed(self, now: float) -> bool:
        """Return False if no load uses it and its last call was long ago, so that it can be forgotten."""
        return bool(self._loads) or now < self._remembered_until

    def enter(self, load: Turns) -> None:
        """Let a load take turns."""
        with self.lock:
            self._loads.add(load)
            self._ask_at = -math.inf

    def leave(self, load: Turns) -> None:
        """Remove the limit that a load has declared."""
        with self.lock:
            self._loads.discard(load)
            self._ask_at = -math.inf
            if not self._loads:
                self._close_file()

    def claim(self, load: Turns, now: float) -> float:
        """Return when the next call may go, in monotonic seconds like `now`. If that is now, the load has the turn."""
        with self.lock:
            granted = False
            if now >= self._ask_at:
                claim = self._claim(load, now)
                granted = claim.call is not None
                self._holds, self._ask_at = claim.holds, min(claim.next_at, now + LOOK_AGAIN)
            is_lower = self._holds.calls / self._holds.seconds < load.rate.calls / load.rate.seconds
            load.holds = self._holds if is_lower else load.rate
            return now if granted else max(self._ask_at, math.nextafter(now, math.inf))

    def _claim(self, load: Turns, now: float) -> Claim:
        rates = {turns.rate for turns in self._loads}
        claim = claimed(self._last, now, rates)
        if now >= self._try_file_at:
            try:
                claim = self._in_file(rates) or claim
            except ClockUnavailable as error:
                self._close_file()
                self._try_file_at = now + TRY_AGAIN
                load.file_error = load.file_error or str(error)
        if claim.call is not None:
            self._last = claim.call
            self._remembered_until = max(claim.next_at, now + REMEMBER)
        return claim

    def _in_file(self, rates: Collection[Rate]) -> Claim | None:
        """Claim the next call in the machine's file; None without a state folder. Raises `ClockUnavailable`."""
        if self._file is None:
            from interakt_loader.privacy.files import state_folder

            folder = state_folder()
            if folder is None:
                return None
            # SQLite is loaded only where there is a state folder
            from interakt_loader.shared_limit.sqlite import MachineFile

            self._file = MachineFile(folder, self._account)
        return self._file.claim(rates)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


_registry_lock = threading.Lock()
_registry: dict[bytes, AccountLimit] = {}


@contextmanager
def turns_of(account: bytes, rate: Rate) -> Iterator[Turns]:
    """Let a load of an account take turns under the limit that it declares."""
    now = time.monotonic()
    with _registry_lock:
        for known, limit in list(_registry.items()):
            if not limit.is_needed(now):
                del _registry[known]
        limit = _registry.setdefault(account, AccountLimit(account))
        turns = Turns(limit, rate)
        limit.enter(turns)
    try:
        yield turns
    finally:
        limit.leave(turns)


def _hold_locks() -> None:
    """Hold all locks during a fork, so that no claim is half done."""
    _registry_lock.acquire()
    for limit in _registry.values():
        limit.lock.acquire()


def _release_locks() -> None:
    for limit in _registry.values():
        limit.lock.release()
    _registry_lock.release()


def _forget_parents() -> None:
    """Start a child without loads. It still knows the account's last call."""
    for limit in _registry.values():
        limit.start_afresh()
    _release_locks()


# Windows has no fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_locks, after_in_parent=_release_locks, after_in_child=_forget_parents)
