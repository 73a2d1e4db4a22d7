"""Calls to the API: a connection from the stack or a new one, one call on it, and what its answer means."""

from __future__ import annotations

import contextlib
import time
import weakref

from interakt_loader.safety.secret import Secret, hidden
from interakt_loader.transport.connection import Connection
from interakt_loader.transport.judgement import (
    BOM,
    broken_answer,
    explained,
    no_answer,
    not_connected,
    parse_retry_after,
    read_answer,
)
from interakt_loader.transport.key_forms import KeyForms
from interakt_loader.transport.reading import BrokenOff, Heard
from interakt_loader.transport.route import Route
from interakt_loader.wire import Answer, Message

LONGEST_KEPT = 1024
"""Bytes of an answer's body that stays with it: a load holds many answers, and looks at none of their bodies again."""

_REPEATS_KEY = "(the answer repeats the key)"


class HttpTransport:
    """Calls the API at `base_url` with `api_key`. Thread-safe: up to `connections` calls at once keep theirs alive.

    An answer whose body has more than `longest_kept` bytes is judged by all of it and comes without it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | str,
        *,
        timeout: float,
        connections: int,
        longest_kept: int = LONGEST_KEPT,
    ) -> None:
        self._longest_kept = longest_kept
        self._base_url = base_url
        api_key = key = hidden(api_key)  # first of all: a traceback shows arguments
        self._key_forms = KeyForms(key)
        self._route = Route(base_url, key, timeout, connections)
        self._heads = self._route.heads
        self._idle: list[Connection] = []  # the one that worked last on top; `append` and `pop` are atomic
        self._most_idle = connections
        self._closed = False
        weakref.finalize(self, _close, self._idle)  # where nobody calls `close`

    def __repr__(self) -> str:
        return f"<HttpTransport to {self._base_url}>"

    def send(self, message: Message) -> Answer:
        """Make one call and read its answer, within `timeout` to connect and `timeout` for each wait on the socket."""
        began = time.perf_counter()
        try:
            connection = self._connection(began)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer that says so
            return not_connected(error, time.perf_counter() - began)
        try:
            heard = connection.call(self._heads[message.kind], message.body)
        except BrokenOff as broken:
            connection.close()
            if broken.status < 300:
                return broken_answer(broken.status, broken.__cause__, time.perf_counter() - began)
            return read_answer(broken.status, b"", time.perf_counter() - began, parse_retry_after(broken.retry_after))
        except Exception as error:  # noqa: BLE001 - likewise
            connection.close()
            return no_answer(error, time.perf_counter() - began, first_call=connection.used_at is None)
        ended = time.perf_counter()
        if heard.keeps and len(self._idle) < self._most_idle:
            connection.used_at = ended
            self._idle.append(connection)
            if self._closed:  # meanwhile
                _close(self._idle)
        else:
            connection.close()
        return self._judged(heard, ended - began)

    def _connection(self, now: float) -> Connection:
        """Return a connection that nobody uses."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection(self._route.connect(), self._route.timeout)
            if connection.is_usable(now):
                return connection
            connection.close()

    def _judged(self, heard: Heard, seconds: float) -> Answer:
        status, body, retry_after, says_length, _ = heard
        # without a length, an empty body may be one that was cut off, and so may the head
        if not says_length and 200 <= status < 300 and not body.removeprefix(BOM).strip():
            return broken_answer(status, None, seconds)
        answer = read_answer(status, body, seconds, parse_retry_after(retry_after))
        if self._key_forms.are_in(answer.message, body):
            return answer._replace(message=explained(answer.code, _REPEATS_KEY), body=_REPEATS_KEY.encode())
        return answer if len(body) <= self._longest_kept else answer._replace(body=b"")

    def close(self) -> None:
        """Close the connections; those of calls that are still out, when these end."""
        self._closed = True
        _close(self._idle)


def _close(connections: list[Connection]) -> None:
    with contextlib.suppress(IndexError):  # others may take from it at the same time
        while True:
            connections.pop().close()
