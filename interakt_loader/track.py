"""The vendor's Python SDK, name for name, and mended.

::

    from interakt_loader import track

    track.api_key = "YOUR_API_KEY"
    track.user(user_id="17", country_code="+91", phone_number="9999999999", traits={"name": "Ann"})
    track.event(user_id="17", event="Order Placed", traits={"orderNumber": "CUS001"})

Calls are queued and sent by background threads; a script that just ends has everything sent first. The module's
variables are the settings; a change of them holds for the calls that follow. Needs neither pandas nor pyarrow.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from interakt_loader.client import Client, Response, said_if_too_late
from interakt_loader.errors import (
    APIError,
    BadArgument,
    BadArgumentType,
    QueueFull,
)
from interakt_loader.privacy.secrets import hidden

if TYPE_CHECKING:
    from interakt_loader.model import OnError

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
"""The key, in either of its forms (else INTERAKT_API_KEY)."""
host: str | None = None
"""The API's address (else INTERAKT_BASE_URL, else the real one)."""
sync_mode: bool = False
"""Send on the caller's thread, retries and all, and return the response."""
debug: bool = False
"""Log what is done to the logger `interakt_loader`; bodies hold personal data."""
timeout: float = 10
"""Seconds to wait for a connection, and for an answer."""
max_retries: int = 3
"""Tries after the first."""
max_queue_size: int = 10000
"""Calls held at once; one more is an error for `on_error`."""
on_error: OnError | None = None
"""Called as `on_error(error, queue_msg)` for each call that did not succeed, one at a time, mostly by another thread.

It may call `user` and `event`; `flush` and `join` do not wait in there."""
_lock = threading.Lock()
_current: tuple[tuple[Any, ...], Client] | None = None  # the client, and the settings that it was made with


def user(
    user_id: Any = None,
    country_code: str = "+91",
    phone_number: Any = None,
    traits: dict[str, Any] | None = None,
    created_at: Any = None,
) -> Any:
    """Record a user and its traits; see `Client.user`."""
    with said_if_too_late("user"):
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
    """Record what a user did; see `Client.event`."""
    with said_if_too_late("event"):
        return _client().event(user_id, event, traits, country_code, phone_number, created_at)
    return False, {}


def flush() -> None:
    """Wait until everything queued so far is sent, or has failed for good."""
    for client in _all_clients():
        client.flush()


def join() -> None:
    """Send everything queued, then end the threads; a later call starts them again."""
    for client in _all_clients():
        client.join()


def shutdown() -> None:
    """Do what `join` does: flush and end the threads."""
    join()


def _client() -> Client:
    """Return the client for the settings as they are now; what was queued with other settings goes out first."""
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


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_renew_lock)
