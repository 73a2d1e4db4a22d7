"""The vendor's Python SDK, name for name, without its faults.

::

    from interakt_loader import track

    track.api_key = "YOUR_API_KEY"
    track.user(user_id="17", country_code="+91", phone_number="9999999999", traits={"name": "Ann"})
    track.event(user_id="17", event="Order Placed", traits={"orderNumber": "CUS001"})

Calls are queued and sent by background threads. When a script ends, everything queued is sent first. The module's
variables are the settings, and a change applies to the calls that follow. Needs neither pandas nor pyarrow.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from interakt_loader.client import Client, Response, logged_if_too_late
from interakt_loader.errors import APIError, BadArgument, BadArgumentType, QueueFull
from interakt_loader.model import OnError
from interakt_loader.privacy.secrets import hidden

__all__ = [
    "APIError",
    "BadArgument",
    "BadArgumentType",
    "Client",
    "QueueFull",
    "Response",
    "api_key",
    "debug",
    "event",
    "flush",
    "host",
    "join",
    "max_queue_size",
    "max_retries",
    "on_error",
    "shutdown",
    "sync_mode",
    "timeout",
    "user",
]

api_key: str | None = None
"""The key, in any of its forms. None: INTERAKT_API_KEY."""
host: str | None = None
"""The API's address. None: INTERAKT_BASE_URL, or else the real API."""
sync_mode: bool = False
"""Send on the caller's thread, with retries, and return the response."""
debug: bool = False
"""Log each step to the logger `interakt_loader`. The log then holds personal data."""
timeout: float = 10
"""Seconds to wait for a connection, and for an answer."""
max_retries: int = 3
"""Tries after the first."""
max_queue_size: int = 10000
"""Calls that may wait at once. One more is an error for `on_error`."""
on_error: OnError | None = None
"""Called as `on_error(error, queue_msg)` for each call that did not succeed: one at a time, usually by another thread.

It may call `user` and `event`. `flush` and `join` do not wait if it calls them."""

_lock = threading.Lock()
# the settings, and the client that was made with them
_current: tuple[tuple[Any, ...], Client] | None = None


def user(
    user_id: Any = None,
    country_code: str = "+91",
    phone_number: Any = None,
    traits: dict[str, Any] | None = None,
    created_at: Any = None,
) -> Any:
    """Record a user and their traits. See `Client.user`."""
    with logged_if_too_late("user"):
        return _client().user(user_id, country_code, phone_number, traits, created_at)
    return False, {}


def event(
    user_id: Any = None,
    event: str | None = None,
    traits: dict[str, Any] | None = None,
    country_code: str = "+91",
    phone_number: Any = None,
    created_at: Any = None,
) -> Any:
    """Record an event of a user. See `Client.event`."""
    with logged_if_too_late("event"):
        return _client().event(user_id, event, traits, country_code, phone_number, created_at)
    return False, {}


def flush() -> None:
    """Wait until every queued call was sent, or has failed."""
    for client in _all_clients():
        client.flush()


def join() -> None:
    """Send everything queued, then end the threads. A later call starts them again."""
    for client in _all_clients():
        client.join()


def shutdown() -> None:
    """Do the same as `join`."""
    join()


def _client() -> Client:
    """Return the client for the current settings. What was queued with other settings is sent first."""
    global _current  # noqa: PLW0603 - the module is the SDK's default client, as the vendor has it
    key = hidden(api_key)
    settings = (key, host, sync_mode, debug, timeout, max_retries, max_queue_size)
    former = None
    with _lock:
        if _current is None or _current[0] != settings:
            former = _current
            client = Client(
                key,
                host,
                debug=debug,
                sync_mode=sync_mode,
                timeout=timeout,
                max_queue_size=max_queue_size,
                max_retries=max_retries,
            )
            _current = (settings, client)
        client = _current[1]
        client.on_error = on_error
    if former is not None:
        former[1].join()
    return client


def _all_clients() -> list[Client]:
    with _lock:
        return [] if _current is None else [_current[1]]


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the instant of the fork
    _lock = threading.Lock()


# Windows has no fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
