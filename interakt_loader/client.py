"""The client behind `track`: the same schedule, consumers and transport as a load, one call at a time."""

from __future__ import annotations

import atexit
import itertools
import json
import logging
import os
import threading
import weakref
from typing import Any, NamedTuple

from interakt_loader.arguments import body_of, encoded
from interakt_loader.callbacks import OnError, call, queue_msg, tell
from interakt_loader.engine import Engine, send_inline
from interakt_loader.errors import APIError, QueueFull
from interakt_loader.ratelimit import RateLimit
from interakt_loader.schedule import Schedule
from interakt_loader.settings import Settings
from interakt_loader.transport import HttpTransport
from interakt_loader.wire import Kind, Message, Outcome, Status

logger = logging.getLogger("interakt_loader")

WORKERS = 4
"""Calls in flight at once; threads start when they are first needed."""

MAX_OUTAGE = 30.0
"""Seconds without any answer after which queued calls go to `on_error`: a program's end must not hang for long."""


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
        api_key: str | None = None,
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
        options: dict[str, Any] = {
            "api_key": api_key,
            "base_url": host.rstrip("/") if isinstance(host, str) else host,
            "timeout": timeout,
            "max_queue_size": max_queue_size,
            "on_error": on_error,
            "max_retries": max_retries,
            "workers": WORKERS,
            "max_outage": MAX_OUTAGE,
        }
        self._settings = Settings.resolve(options)
        self._settings.require_key()
        self._sync_mode = sync_mode
        if debug:
            logger.setLevel(logging.DEBUG)
        self._numbers = itertools.count()
        self._engine: Engine | None = None
        self._sync_transport: HttpTransport | None = None
        self._start_afresh()
        _clients.add(self)

    def __repr__(self) -> str:
        return f"<Client of {self._settings.base_url}>"

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
        body = body_of(
            "user",
            user_id=user_id,
            country_code=country_code,
            phone_number=phone_number,
            traits=traits,
            created_at=created_at,
        )
        return self._send("user", body)

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

    def flush(self) -> None:
        """Wait until everything queued so far is sent, or has failed for good and `on_error` has heard of it."""
        with self._lock:
            engine = self._engine
        if engine is not None:
            engine.wait_until_idle()

    def join(self) -> None:
        """Send everything queued, then end the threads; a later call starts them again."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.wait_until_idle()
            engine.close()

    def shutdown(self) -> None:
        """Do what `join` does: flush and end the threads."""
        self.join()

    def _send(self, kind: Kind, body: dict[str, Any]) -> Any:
        lane = body.get("userId") or body["countryCode"] + body["phoneNumber"]
        message = Message(next(self._numbers), kind, lane, encoded(body))
        if self._sync_mode:
            return self._send_now(message)
        queued = self._queue(message)
        said = queue_msg(message)
        if queued:
            logger.debug("queued %s", said)
        else:
            logger.warning("the queue of %d calls is full", self._settings.max_queue_size)
            if self._settings.on_error is not None:
                size = self._settings.max_queue_size
                call(self._settings.on_error, QueueFull(f"{size} calls wait already: not queued"), said)
        return queued, said

    def _queue(self, message: Message) -> bool:
        try:
            with self._lock:
                if self._engine is None or self._engine.stopped:  # the first call, after join, or after an outage
                    self._engine = Engine(self._schedule(), self._transport(), WORKERS, on_outcomes=self._report)
                return self._engine.offer([message]) == 1
        except RuntimeError:  # the interpreter is ending and starts no thread any more
            self._engine = None
            self._report([send_inline(self._schedule(), self._transport(), message)])
            return True

    def _send_now(self, message: Message) -> Response:
        with self._lock:
            self._sync_transport = transport = self._sync_transport or self._transport()
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
            logger.warning("%s call not sent: %s %s", outcome.message.kind, outcome.code, outcome.text)
            if self._settings.on_error is not None:
                tell(self._settings.on_error, outcome)

    def _schedule(self) -> Schedule:
        settings = self._settings
        return Schedule(
            max_queue_size=settings.max_queue_size,
            max_retries=settings.max_retries,
            rate_limit=RateLimit(settings.rate),
            max_outage=settings.max_outage,
        )

    def _transport(self) -> HttpTransport:
        settings = self._settings
        return HttpTransport(settings.base_url, settings.require_key(), timeout=settings.timeout, connections=WORKERS)

    def _start_afresh(self) -> None:
        """Begin with nothing queued and no connection: at first, and in a forked child."""
        self._lock = threading.Lock()
        self._engine = None
        self._sync_transport = None


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _finish_all() -> None:
    """Send what is queued before the interpreter ends; the consumers are daemons, so they live until here."""
    for client in list(_clients):
        client.join()


def _start_children_afresh() -> None:
    for client in list(_clients):
        client._start_afresh()


atexit.register(_finish_all)
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_start_children_afresh)
