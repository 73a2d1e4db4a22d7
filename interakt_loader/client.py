"""A process' end, its forks, and its clients: what is queued gets sent, and a child starts with nothing queued.

The client behind `track`: the same schedule, consumers and transport as a load, one call at a time.
"""

from __future__ import annotations

import _thread
import atexit
import itertools
import json
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple

from interakt_loader.arguments import body_of, encoded
from interakt_loader.errors import APIError, QueueFull
from interakt_loader.model import (
    Kind,
    Message,
    OnError,
    Outcome,
    Status,
    call,
    log_raised,
    queue_msg,
    tell,
)
from interakt_loader.privacy.process import is_main_thread
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.privacy.text import masked
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import Engine, send_inline
from interakt_loader.settings import Settings
from interakt_loader.transport import LONGEST_BODY, HttpTransport

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


WORKERS = 4
"""Calls in flight at once; threads start when they are first needed."""

SYNC_CONNECTIONS = 64
"""Connections kept alive in `sync_mode`, where each of the caller's threads makes its own call."""

MAX_OUTAGE = 30.0
"""Seconds without any answer after which queued calls go to `on_error`: a program's end must not hang for long."""

MAX_REFUSAL = 90.0
"""The same for seconds of nothing but 429: more than the minute in which the account's limit turns."""


class Response(NamedTuple):
    """What a call in `sync_mode` returns: the parts of a `requests.Response` that people look at."""

    status_code: int
    text: str

    @property
    def ok(self) -> bool:
        """True: a call that did not succeed raises instead."""
        return True

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.text)


class Client:
    """Sends user and event calls to one account, in the background unless `sync_mode`.

    Thread-safe and fork-safe: a child process starts with an empty queue, and what the parent had queued stays
    the parent's. All settings are those of `track`; a blank or missing key raises when the client is made.
    """

    def __init__(
        self,
        api_key: str | Secret | None = None,
        host: str | None = None,
        debug: bool = False,
        sync_mode: bool = False,
        timeout: float = 10,
        max_queue_size: int = 10000,
        on_error: OnError | None = None,
        max_retries: int = 3,
        flush_interval: float = 0.5,
    ) -> None:
        """Check the settings; `flush_interval` is the vendor's and has no effect: nothing here polls."""
        del flush_interval
        api_key = hidden(api_key)  # first of all: a traceback shows arguments
        options: dict[str, Any] = {
            "api_key": api_key,
            "base_url": host,
            "timeout": timeout,
            "max_queue_size": max_queue_size,
            "on_error": on_error,
            "max_retries": max_retries,
            "workers": WORKERS,
            "max_outage": MAX_OUTAGE,
        }
        self._settings = Settings.resolve(options)
        self._settings.require_key()
        self.on_error = self._settings.on_error
        """Hears of calls that did not succeed; may be changed at any time."""
        self._sync_mode = sync_mode
        if debug:
            logger.setLevel(logging.DEBUG)
        self._numbers = itertools.count()
        self._engine: Engine | None = None
        self._ending: list[Engine] = []
        self._sync_transport: HttpTransport | None = None
        self.start_afresh()
        register(self)

    def __repr__(self) -> str:
        settings = getattr(self, "_settings", None)  # in a traceback, one that was refused
        return f"<Client of {settings.base_url if settings else 'nobody'}>"

    def user(
        self,
        user_id: Any = None,
        country_code: str = "+91",
        phone_number: Any = None,
        traits: dict[str, Any] | None = None,
        created_at: Any = None,
    ) -> Any:
        """Record a user: each trait that is named replaces the one of that name, others stay.

        Returns `(True, queue_msg)` once the call is queued, `(False, queue_msg)` when the queue is full (`on_error`
        hears of it); in `sync_mode` a `Response`. Raises `BadArgument` for an argument that the API would not take,
        and in `sync_mode` `APIError` when the call did not succeed.
        """
        with said_if_too_late("user"):
            body = body_of(
                "user",
                user_id=user_id,
                country_code=country_code,
                phone_number=phone_number,
                traits=traits,
                created_at=created_at,
            )
            return self._send("user", body)
        return False, {}

    def event(
        self,
        user_id: Any = None,
        event: str | None = None,
        traits: dict[str, Any] | None = None,
        country_code: str = "+91",
        phone_number: Any = None,
        created_at: Any = None,
    ) -> Any:
        """Record what a user did; it is appended to the user's timeline. Otherwise like `user`."""
        with said_if_too_late("event"):
            body = body_of(
                "event",
                user_id=user_id,
                country_code=country_code,
                phone_number=phone_number,
                traits=traits,
                created_at=created_at,
                event=event,
            )
            return self._send("event", body)
        return False, {}

    def flush(self) -> None:
        """Wait until everything queued so far is sent, or has failed for good and `on_error` has heard of it.

        Called from `on_error`, which is part of what is waited for, it comes back at once.
        """
        if is_telling():
            return
        with self._lock:
            engines = [*self._ending, *([self._engine] if self._engine else [])]
        for engine in engines:
            engine.wait_until_idle()

    def join(self) -> None:
        """Send everything queued, then end the threads; a later call starts them again.

        Called from `on_error` it does not wait for the end.
        """
        with self._lock:
            self._retire_engine()
            self._sync_transport = None
            engines = list(self._ending)
        for engine in engines:
            engine.close(wait=not is_telling())

    def shutdown(self) -> None:
        """Do what `join` does: flush and end the threads."""
        self.join()

    def _send(self, kind: Kind, body: dict[str, Any]) -> Any:
        ordering_key = body.get("userId") or body["countryCode"] + body["phoneNumber"]
        message = Message(next(self._numbers), kind, ordering_key, encoded(body))
        if self._sync_mode:
            return self._send_now(message)
        queued = self._queue(message)
        said = queue_msg(message)
        if queued:
            logger.debug("queued %s", said)
        else:
            logger.warning("the queue of %d calls is full", self._settings.max_queue_size)
            if self.on_error is not None:
                size = self._settings.max_queue_size
                with telling():
                    call(self.on_error, QueueFull(f"{size} calls wait already: not queued"), said)
        return queued, said

    def _queue(self, message: Message) -> bool:
        if not is_ending():
            with self._lock:
                try:
                    return self._offer(message)
                except RuntimeError:  # no thread can be started, as while the interpreter ends
                    self._engine = None  # it took the message in, and has no thread that could send it
        self._report([send_inline(self._schedule(), self._transport(), message)])
        return True

    def _offer(self, message: Message) -> bool:
        """Queue a message; start an engine at the first call, after `join`, and after an outage stopped the last."""
        while True:
            if self._engine is not None and self._engine.stopped:
                self._retire_engine()
            if self._engine is None:
                finish_with_process()
                self._engine = Engine(self._schedule(), self._transport(), WORKERS, on_outcomes=self._report)
            if self._engine.offer([message]):
                return True
            if not self._engine.stopped:
                return False

    def _retire_engine(self) -> None:
        """Let the engine finish what it has, and its threads end; keep it for as long as they run. Holds the lock."""
        self._ending = [engine for engine in self._ending if engine.running]
        if self._engine is not None:
            self._engine.close(wait=False)
            self._ending.append(self._engine)
            self._engine = None

    def _send_now(self, message: Message) -> Response:
        with self._lock:
            self._sync_transport = transport = self._sync_transport or self._transport(SYNC_CONNECTIONS, LONGEST_BODY)
        outcome = send_inline(self._schedule(), transport, message)
        answer = outcome.answer
        if outcome.status is Status.SENT and answer is not None and answer.http_status is not None:
            return Response(answer.http_status, answer.body.decode("utf-8", "replace"))
        raise APIError(False, outcome.http_status, outcome.text or "not sent")

    def _report(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.status is Status.SENT:
                logger.debug("sent %s in %d calls", outcome.message.kind, outcome.attempts)
                continue
            logger.warning("%s call not sent: %s %s", outcome.message.kind, outcome.code, masked(outcome.text or ""))
            if self.on_error is not None:
                try:
                    with telling():
                        tell(self.on_error, outcome)
                except BaseException:  # noqa: BLE001 - a sys.exit() there must not end the thread that sends the rest
                    log_raised()

    def _schedule(self) -> Schedule:
        settings = self._settings
        return Schedule(
            max_queue_size=settings.max_queue_size,
            max_retries=settings.max_retries,
            rate_limit=RateLimit(settings.rate_limit),
            max_outage=settings.max_outage,
            max_refusal=MAX_REFUSAL,
        )

    def _transport(self, connections: int = WORKERS, longest_kept: int = 0) -> HttpTransport:
        settings = self._settings
        base_url = settings.base_url.rstrip("/")
        return HttpTransport(
            base_url,
            settings.require_key(),
            timeout=settings.timeout,
            connections=connections,
            longest_kept=longest_kept,
        )

    def start_afresh(self) -> None:
        """Begin with nothing queued and no connection: at first, and in a forked child."""
        self._lock = threading.Lock()
        self._engine = None
        self._ending = []
        self._sync_transport = None
