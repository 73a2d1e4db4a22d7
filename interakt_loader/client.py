"""The client behind `track`: the same schedule, consumers and transport as a load, one message at a time.

The second half handles the end of a process and a fork: queued calls are sent before a process ends, and a forked child
starts with an empty queue.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple

from interakt_loader.arguments import body_of, encoded
from interakt_loader.errors import APIError, QueueFull, SettingsError
from interakt_loader.model import (
    Kind,
    Message,
    OnError,
    Outcome,
    Status,
    Transport,
    call_on_error,
    log_raised,
    queue_msg,
    report_error,
)
from interakt_loader.privacy.process import is_main_thread
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.privacy.text import masked, number_of
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import TRACK_MAX_OUTAGE, TRACK_MAX_REFUSAL
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import Engine, send_inline
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import ACCOUNT
from interakt_loader.transport import LONGEST_BODY, HttpTransport

logger = logging.getLogger("interakt_loader")

WORKERS = 4
"""Calls in flight at once. Threads start when they are first needed."""

SYNC_CONNECTIONS = 64
"""Connections kept open in `sync_mode`, where each of the caller's threads makes its own call."""


class Response(NamedTuple):
    """What a call in `sync_mode` returns: the commonly used parts of a `requests.Response`."""

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

    Thread-safe and fork-safe: a child process starts with an empty queue, and the parent sends what it has queued. The
    settings are those of `track`. A blank or missing key raises when the client is made.
    """

    def __init__(
        self,
        api_key: str | Secret | None = None,
        host: str | None = None,
        debug: bool = False,  # noqa: FBT001, FBT002 - the vendor's signature
        sync_mode: bool = False,  # noqa: FBT001, FBT002
        timeout: float = 10,
        max_queue_size: int = 10000,
        on_error: OnError | None = None,
        max_retries: int = 3,
        flush_interval: float = 0.5,
    ) -> None:
        """Check the settings. `flush_interval`, from the vendor's signature, has no effect: nothing here polls."""
        del flush_interval
        # first of all, because a traceback shows arguments
        api_key = hidden(api_key)
        options: dict[str, Any] = {
            "api_key": api_key,
            "base_url": host,
            "timeout": timeout,
            "max_queue_size": max_queue_size,
            "on_error": on_error,
            "max_retries": max_retries,
            "workers": WORKERS,
            "max_outage": TRACK_MAX_OUTAGE,
        }
        # a program that worked must not fail because of a variable that the vendor's SDK does not know
        self._begin(Settings.resolve(options, variables=ACCOUNT, strict=False), sync_mode=sync_mode)
        if debug:
            logger.setLevel(logging.DEBUG)

    @classmethod
    def synchronous(cls, settings: Settings, around: Callable[[Transport], Transport] | None = None) -> Client:
        """Return a client in `sync_mode` with the options of a load, whose calls go through the transport `around`."""
        client = cls.__new__(cls)
        client._begin(settings, sync_mode=True, around=around)
        return client

    def _begin(
        self, settings: Settings, *, sync_mode: bool, around: Callable[[Transport], Transport] | None = None
    ) -> None:
        self._settings, self._sync_mode, self._around = settings, sync_mode, around
        if settings.api_key is None:
            raise SettingsError("no API key: set INTERAKT_API_KEY, or give api_key=KEY")
        self.on_error = settings.on_error
        """Called for each call that did not succeed. It may be changed at any time."""
        self._numbers = itertools.count()
        self._engine: Engine | None = None
        self._ending: list[Engine] = []
        self._sync_transport: Transport | None = None
        self.start_afresh()
        _clients.add(self)

    def __repr__(self) -> str:
        # in a traceback the settings may be missing, because they were refused
        settings = getattr(self, "_settings", None)
        return f"<Client of {settings.base_url if settings else 'nobody'}>"

    def user(
        self,
        user_id: Any = None,
        country_code: str = "+91",
        phone_number: Any = None,
        traits: dict[str, Any] | None = None,
        created_at: Any = None,
    ) -> Any:
        """Record a user. Each given trait replaces the trait of the same name, and all others stay.

        Returns `(True, queue_msg)` once the call is queued. If the queue is full, `on_error` is called and the result
        is `(False, queue_msg)`. In `sync_mode` it returns a `Response`.

        Raises `BadArgument` for an argument that the API does not accept, and in `sync_mode` `APIError` if the call did
        not succeed.
        """
        with logged_if_too_late("user"):
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
        """Record an event of a user, which is added to the user's timeline. Otherwise like `user`."""
        with logged_if_too_late("event"):
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
        """Wait until every queued call was sent, or has failed and `on_error` was called.

        If it is called from `on_error`, it returns at once, because it would wait for itself.
        """
        if _this_thread.in_on_error:
            return
        with self._lock:
            engines = [*self._ending, *([self._engine] if self._engine else [])]
        for engine in engines:
            engine.wait_until_idle()

    def join(self) -> None:
        """Send everything queued, then end the threads. A later call starts them again.

        If it is called from `on_error`, it does not wait for the end.
        """
        with self._lock:
            self._retire_engine()
            self._sync_transport = None
            engines = list(self._ending)
        for engine in engines:
            engine.close(wait=not _this_thread.in_on_error)

    def shutdown(self) -> None:
        """Do the same as `join`."""
        self.join()

    def _send(self, kind: Kind, body: dict[str, Any]) -> Any:
        ordering_key = body.get("userId") or body["countryCode"] + body["phoneNumber"]
        message = Message(next(self._numbers), kind, ordering_key, encoded(body))
        if self._sync_mode:
            return self._send_now(message)
        queued = self._queue(message)
        shown = queue_msg(message)
        if queued:
            logger.debug("queued %s", shown)
        else:
            full = f"the queue of {number_of(self._settings.max_queue_size, 'call')} is full"
            logger.warning("%s", full)
            if self.on_error is not None:
                with _calling_on_error():
                    call_on_error(self.on_error, QueueFull(f"{full}: not queued"), shown)
        return queued, shown

    def _queue(self, message: Message) -> bool:
        if not _process.ending:
            with self._lock:
                try:
                    return self._offer(message)
                except RuntimeError:
                    # No thread can be started, for example because the interpreter is ending. The engine has the
                    # message, but no thread that could send it.
                    self._engine = None
        self._report([send_inline(self._schedule(), self._transport(), message)])
        return True

    def _offer(self, message: Message) -> bool:
        """Queue a message. Start an engine for the first call, after `join`, and after an outage stopped the last."""
        while True:
            if self._engine is not None and self._engine.stopped:
                self._retire_engine()
            if self._engine is None:
                _send_before_process_ends()
                self._engine = Engine(self._schedule(), self._transport(), WORKERS, on_outcomes=self._report)
            if self._engine.offer([message]):
                return True
            if not self._engine.stopped:
                return False

    def _retire_engine(self) -> None:
        """Let the engine send what it has, and keep it until its threads have ended. Holds the lock."""
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
        raise APIError(status=False, status_code=outcome.http_status, message=outcome.text or "not sent")

    def _report(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.status is Status.SENT:
                logger.debug("sent %s in %d calls", outcome.message.kind, outcome.attempts)
                continue
            logger.warning("%s call not sent: %s %s", outcome.message.kind, outcome.code, masked(outcome.text or ""))
            if self.on_error is not None:
                try:
                    with _calling_on_error():
                        report_error(self.on_error, outcome)
                except BaseException:  # noqa: BLE001 - a sys.exit() in there must not end a consumer thread
                    log_raised()

    def _schedule(self) -> Schedule:
        settings = self._settings
        return Schedule(
            max_queue_size=settings.max_queue_size,
            max_retries=settings.max_retries,
            rate_limit=RateLimit(settings.rate_limit),
            max_outage=settings.max_outage,
            max_refusal=TRACK_MAX_REFUSAL,
        )

    def _transport(self, connections: int = WORKERS, longest_kept: int = 0) -> Transport:
        settings = self._settings
        base_url = settings.base_url.rstrip("/")
        transport = HttpTransport(
            base_url,
            settings.require_key(),
            timeout=settings.timeout,
            connections=connections,
            longest_kept=longest_kept,
        )
        return transport if self._around is None else self._around(transport)

    def start_afresh(self) -> None:
        """Start with nothing queued and no connection: when the client is made, and in a forked child."""
        self._lock = threading.Lock()
        self._engine = None
        self._ending = []
        self._sync_transport = None


# ---------------------------------------------------------------------- the ends of processes, and forks


class _Thread(threading.local):
    """What a thread is doing."""

    in_on_error = False
    """It is calling `on_error`."""


class _Process:
    """What is known of this process and its end."""

    ending = False
    """It is about to end: calls have to be sent at once, because no consumer would send them later."""
    finalizer_registered = False
    """Its end as a child of `multiprocessing` waits for what is queued."""
    billiard_patched = False
    """So does its end as a worker of billiard's pool, which Celery uses."""
    on_error_lock = threading.RLock()
    """Held while `on_error` runs. The vendor's SDK has one thread, so handlers expect one call at a time."""


_this_thread = _Thread()
_process = _Process()
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


class logged_if_too_late:  # noqa: N801 - used like a function
    """Around a call: logs one line if Python has shut its import system down, so that nothing can be sent."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        too_late = isinstance(error, ImportError) and sys.meta_path is None
        if too_late:
            logger.error("%s call not sent: it was made after Python's end, for example by a __del__", self._kind)
        return too_late


@contextmanager
def _calling_on_error() -> Iterator[None]:
    """Around a call of `on_error`: one at a time in the whole process."""
    outer, _this_thread.in_on_error = _this_thread.in_on_error, True
    try:
        with _process.on_error_lock:
            yield
    finally:
        _this_thread.in_on_error = outer


def _send_all() -> None:
    """Send what is queued. The consumers are daemon threads, so they live until here."""
    for client in list(_clients):
        client.join()


def _send_all_at_exit() -> None:
    _process.ending = True
    # twice: another thread may have checked `ending` before, and queued its call after the first round
    for _ in range(2):
        _send_all()


def _send_before_process_ends() -> None:
    """Have queued calls sent by processes that end without `atexit`: children of multiprocessing, Celery's workers."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _process.finalizer_registered:
        util.Finalize(None, _send_all, exitpriority=100)
        _process.finalizer_registered = True
    pool = sys.modules.get("billiard.pool")
    do_exit = getattr(getattr(pool, "Worker", None), "_do_exit", None)
    if pool is not None and do_exit is not None and not _process.billiard_patched:

        def send_and_exit(*args: Any, **options: Any) -> Any:
            try:
                _send_all()
            finally:
                do_exit(*args, **options)

        # it calls os._exit, and offers no hook before that
        pool.Worker._do_exit = send_and_exit
        _process.billiard_patched = True


def _start_child_afresh() -> None:
    # a child does not run its parent's finalizers
    _process.finalizer_registered = False
    # another thread may have held it at the instant of the fork
    _process.on_error_lock = threading.RLock()
    for client in list(_clients):
        client.start_afresh()


_RUNNING = ("<module>", "_run_module_as_main", "_shutdown")
"""The main thread's outermost function before the end: a program, `python -m`, or the wait for other threads."""


def _atexit_has_begun() -> bool:
    """Return True if Python calls its `atexit` functions already, so that it takes no further ones.

    There is no function that tells. But at that time the main thread neither runs a program's code nor waits for other
    threads.
    """
    # if threading is imported that late, its main thread was made just now and is alive
    main = threading.main_thread()
    if main.is_alive() and (threading.current_thread() is not main or _in_greenlet()):
        return False
    frame = sys._current_frames().get(main.ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    # a program that embeds Python calls functions without any module's frame
    is_python = bool(sys.orig_argv and sys.orig_argv[0])
    return is_python and (frame is None or frame.f_code.co_name not in _RUNNING)


def _in_greenlet() -> bool:
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and greenlet.getcurrent().parent is not None


def _end_by(signum: int, frame: FrameType | None) -> None:
    """Send what is queued before a signal ends the process. The same signal again ends it at once.

    The main thread may hold any lock at this instant, so another thread does the work.
    """
    del frame
    signal.signal(signum, signal.SIG_DFL)
    # then queued calls are being sent already, and the process ends afterwards
    if _process.ending:
        return
    try:
        # threading's own start would wait, perhaps for a lock of the code that is interrupted here
        _thread.start_new_thread(_send_all_and_end_by, (signum,))
    except RuntimeError:
        logger.error("what track has queued is not sent: no thread can be started any more")  # noqa: TRY400
        os.kill(os.getpid(), signum)


def _send_all_and_end_by(signum: int) -> None:
    try:
        _send_all_at_exit()
    finally:
        os.kill(os.getpid(), signum)
        # the first process of a container survives the signal
        _process.ending = False


def _handle_signals() -> None:
    """Have queued calls sent when SIGTERM or SIGHUP would end the program. Handlers that exist already stay."""
    for name in ("SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) == signal.SIG_DFL:
            signal.signal(signum, _end_by)


if _atexit_has_begun():
    _process.ending = True
atexit.register(_send_all_at_exit)
if is_main_thread() and not _process.ending:
    # ValueError: in a subinterpreter
    with suppress(ValueError):
        _handle_signals()
# Windows has no fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_child_afresh)
