"""A process' end, its forks, and its clients: what is queued gets sent, and a child starts with nothing queued."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Client(Protocol):
    """Somebody who has calls queued."""

    def join(self) -> None:
        """Send everything queued."""
        ...

    def start_afresh(self) -> None:
        """Forget what the parent process had queued."""
        ...


class _Thread(threading.local):
    """What a thread is at."""

    telling = False
    """It is just telling `on_error`."""


class _Process:
    """What is known of this process' end."""

    ending = False
    """Its `atexit` functions run: what is queued from now on would find nobody to send it."""
    finish_registered = False
    """Its end as a child of `multiprocessing` will wait for what is queued."""
    telling = threading.RLock()
    """Held while `on_error` runs: the vendor's SDK has one thread, so handlers are written for one call at a time."""


_thread = _Thread()
_process = _Process()
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def register(client: Client) -> None:
    """Have the client's calls sent before the process ends."""
    _clients.add(client)


def is_ending() -> bool:
    """Tell whether the process' `atexit` functions run already."""
    return _process.ending


def is_telling() -> bool:
    """Tell whether this very thread is calling `on_error`."""
    return _thread.telling


@contextmanager
def telling() -> Iterator[None]:
    """Around a call of `on_error`: one at a time in the whole process."""
    outer, _thread.telling = _thread.telling, True
    try:
        with _process.telling:
            yield
    finally:
        _thread.telling = outer


def finish_with_process() -> None:
    """See to it that a child of `multiprocessing` sends what is queued: it ends without `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _process.finish_registered:
        util.Finalize(None, _finish_all, exitpriority=100)
        _process.finish_registered = True


def _finish_all() -> None:
    """Send what is queued; the consumers are daemons, so that they live until here."""
    for client in list(_clients):
        client.join()


def _finish_last() -> None:
    _process.ending = True
    _finish_all()


def _start_child_afresh() -> None:
    _process.finish_registered = False  # a child forgets its parent's
    _process.telling = threading.RLock()  # another thread may have held it at the instant of the fork
    for client in list(_clients):
        client.start_afresh()


atexit.register(_finish_last)
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_start_child_afresh)
