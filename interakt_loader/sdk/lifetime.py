"""A process' end, its forks, and its clients: what is queued gets sent, and a child starts with nothing queued."""

from __future__ import annotations

import _thread
import atexit
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from interakt_loader.safety.main_thread import is_main_thread

logger = logging.getLogger("interakt_loader")


class _Thread(threading.local):
    """What a thread is at."""

    telling = False
    """It is just telling `on_error`."""


class _Process:
    """What is known of this process' end."""

    ending = False
    """It is about to end: what is queued from now on would find nobody to send it."""
    finish_registered = False
    """Its end as a child of `multiprocessing` will wait for what is queued."""
    billiard_registered = False
    """So will its end as a worker of billiard's pool, which is Celery's."""
    telling = threading.RLock()
    """Held while `on_error` runs: the vendor's SDK has one thread, so handlers are written for one call at a time."""


_this_thread = _Thread()
_process = _Process()
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def register(client: Client) -> None:
    """Have the client's calls sent before the process ends."""
    _clients.add(client)


def is_ending() -> bool:
    """Tell whether the process is about to end, so that calls have to be sent on the spot."""
    return _process.ending


class said_if_too_late:  # noqa: N801 - used like a function
    """Around a call: once Python has taken its import system down nothing can be sent, and one line says so."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        too_late = isinstance(error, ImportError) and sys.meta_path is None
        if too_late:
            logger.error("%s call not sent: it was made after Python's end, by a __del__ say", self._kind)
        return too_late


def is_telling() -> bool:
    """Tell whether this very thread is calling `on_error`."""
    return _this_thread.telling


@contextmanager
def telling() -> Iterator[None]:
    """Around a call of `on_error`: one at a time in the whole process."""
    outer, _this_thread.telling = _this_thread.telling, True
    try:
        with _process.telling:
            yield
    finally:
        _this_thread.telling = outer


def finish_with_process() -> None:
    """Have what is queued sent by a process that ends without `atexit`: multiprocessing's child, Celery's worker."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _process.finish_registered:
        util.Finalize(None, _finish_all, exitpriority=100)
        _process.finish_registered = True
    pool = sys.modules.get("billiard.pool")
    do_exit = getattr(getattr(pool, "Worker", None), "_do_exit", None)
    if pool is not None and do_exit is not None and not _process.billiard_registered:

        def finish_and_exit(*args: Any, **options: Any) -> Any:
            try:
                _finish_all()
            finally:
                do_exit(*args, **options)

        pool.Worker._do_exit = finish_and_exit  # it calls os._exit, and has no hook of its own before that
        _process.billiard_registered = True


def _finish_all() -> None:
    """Send what is queued; the consumers are daemons, so that they live until here."""
    for client in list(_clients):
        client.join()


def _finish_last() -> None:
    _process.ending = True
    for _ in range(2):  # another thread may have looked just before, and queued its call after the first
        _finish_all()


def _start_child_afresh() -> None:
    _process.finish_registered = False  # a child forgets its parent's
    _process.telling = threading.RLock()  # another thread may have held it at the instant of the fork
    for client in list(_clients):
        client.start_afresh()


def _atexit_has_begun() -> bool:
    """Tell whether Python calls its `atexit` functions already, so that it takes no further ones.

    There is no way to ask for it. But the main thread runs neither a program's code then, nor waits for other threads.
    """
    main = threading.main_thread()  # made just now, and alive, if threading is imported that late
    if main.is_alive() and (threading.current_thread() is not main or _in_greenlet()):
        return False
    frame = sys._current_frames().get(main.ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    is_python = bool(sys.orig_argv and sys.orig_argv[0])  # else a program calls functions without any module's frame
    return is_python and (frame is None or frame.f_code.co_name not in _NOT_ENDING)


_NOT_ENDING = ("<module>", "_run_module_as_main", "_shutdown")
"""What the main thread has been called with: a program, `python -m`, or the wait for other threads."""


def _in_greenlet() -> bool:
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and greenlet.getcurrent().parent is not None


def _end_by(signum: int, frame: FrameType | None) -> None:
    """Send what is queued before a signal ends the process; the same signal once more ends it at once.

    The main thread may hold any lock at this instant, so another one does the work.
    """
    del frame
    signal.signal(signum, signal.SIG_DFL)
    if _process.ending:  # what is queued is being sent already, and then the process ends
        return
    try:
        # not threading's own: it would wait, perhaps for a lock of the code that is interrupted here
        _thread.start_new_thread(_finish_and_end_by, (signum,))
    except RuntimeError:
        logger.error("what track has queued is not sent: no thread can be started any more")  # noqa: TRY400
        os.kill(os.getpid(), signum)


def _finish_and_end_by(signum: int) -> None:
    try:
        _finish_last()
    finally:
        os.kill(os.getpid(), signum)
        _process.ending = False  # the first process of a container goes on


def _await_signals() -> None:
    """Have what is queued sent when SIGTERM or SIGHUP would end the program; what handles them already stays."""
    for name in ("SIGTERM", "SIGHUP"):
        signum = getattr(signal, name, None)  # Windows has no SIGHUP
        if signum is not None and signal.getsignal(signum) == signal.SIG_DFL:
            signal.signal(signum, _end_by)


if _atexit_has_begun():
    _process.ending = True
atexit.register(_finish_last)
if is_main_thread() and not _process.ending:
    with suppress(ValueError):  # in a subinterpreter
        _await_signals()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_start_child_afresh)
