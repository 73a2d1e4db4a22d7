"""Single calls of a task, which keep to the rate limit of its connection."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, closing

from interakt_loader.client import Client
from interakt_loader.errors import NotJustNow
from interakt_loader.model import Answer, Message, Transport
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate


class _Paced:
    """A transport whose calls wait for their turn, also when a call is tried again."""

    def __init__(self, transport: Transport, wait: Callable[[], None]) -> None:
        self._transport, self._wait = transport, wait

    def send(self, message: Message) -> Answer:
        self._wait()
        return self._transport.send(message)

    def close(self) -> None:
        self._transport.close()


def paced_client(settings: Settings) -> tuple[Client, Callable[[], object]]:
    """Return a client whose calls share a declared limit with all loads of the account, and what closes it.

    The limit is shared on this machine, or by `share`. The client makes each call at once, on the thread of the caller.
    It is closed when nothing uses it any more, and at the end of the process. Raises `SettingsError` without a key.
    """
    settings.require_key()
    stack = ExitStack()
    wait = _turns(settings, stack)
    client = Client.synchronous(settings, None if wait is None else lambda transport: _Paced(transport, wait))
    return client, weakref.finalize(client, stack.close)


def _turns(settings: Settings, stack: ExitStack) -> Callable[[], None] | None:
    """Return what waits for the turn of the next call; None if the connection declares no limit."""
    if settings.shared_limit is not None:
        from interakt_loader.shared_limit import ClockUnavailable, open_clock

        address, rate = settings.shared_limit
        clock = stack.enter_context(closing(open_clock(address, settings.base_url, settings.require_key(), rate)))
        lock = threading.Lock()

        def wait_for_slot() -> None:
            try:
                with lock:
                    first = clock.reserve(1).first
            except ClockUnavailable as error:
                raise NotJustNow(f"share {address}: {error}") from None
            time.sleep(max(0.0, first - time.monotonic()))

        return wait_for_slot
    if isinstance(settings.rate_limit, Rate):
        from interakt_loader.shared_limit import open_turns

        turns = stack.enter_context(open_turns(settings.base_url, settings.require_key(), settings.rate_limit))

        def wait_for_turn() -> None:
            while (due := turns.due(now := time.monotonic(), 1, 0)) > now:
                time.sleep(due - now)

        return wait_for_turn
    return None
