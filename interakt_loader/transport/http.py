"""Calls to the API: `HttpTransport` keeps idle connections, `Connection` makes one call at a time on one of them."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import socket
import ssl
import struct
import sys
import time
import weakref
from urllib.parse import quote

from urllib3.util import wait_for_read
from urllib3.util.ssltransport import SSLTransport

from interakt_loader.model import Answer, Message, authorization, looks_encoded_again, text_in_base64
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.sending.retry_policy import ANSWER_TIMEOUTS, RECENTLY_USED, parse_retry_after
from interakt_loader.transport.responses import (
    BOM,
    LONGEST_BODY,
    AnswerReader,
    BrokenOff,
    RawResponse,
    broken_answer,
    explained,
    no_answer,
    not_connected,
    read_answer,
)
from interakt_loader.transport.route import Head, Route

LONGEST_KEPT = 1024
"""Bytes of a response's body that an answer keeps. A load holds many answers, and never reads their bodies again."""

_REPEATS_KEY = "(the answer repeats the key)"


class HttpTransport:
    """Calls the API at `base_url` with `api_key`. Never raises because of a row.

    Thread-safe: up to `connections` calls at once reuse their connections. A body of more than `longest_kept` bytes is
    read to judge the answer, and then dropped.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | str,
        *,
        timeout: float,
        connections: int,
        longest_kept: int = LONGEST_KEPT,
        longest_body: int = LONGEST_BODY,
    ) -> None:
        """`longest_body`: bytes of a response's body that are read."""
        # first of all, because a traceback shows arguments
        api_key = key = hidden(api_key)
        self._longest_kept, self._longest_body = longest_kept, longest_body
        self._base_url = base_url
        self._key_forms = KeyForms(key)
        self._is_encoded_again = looks_encoded_again(key)
        self._route = Route(base_url, key, timeout, connections)
        self._heads = self._route.heads
        # the last used connection is on top; `append` and `pop` are atomic
        self._idle: list[Connection] = []
        self._most_idle = connections
        self._closed = False
        # for users who never call `close`
        weakref.finalize(self, _close, self._idle)

    def __repr__(self) -> str:
        return f"<HttpTransport to {self._base_url}>"

    def send(self, message: Message) -> Answer:
        """Make one call and return its answer. `timeout` limits connecting, and each wait on the socket."""
        return self.call(self._heads[message.kind], message.body)

    def head(self, method: str, path: str) -> Head:
        """Return the head of another call than the two of loads. `path` may have a query."""
        return self._route.head(method, path)

    def call(self, head: Head, body: bytes) -> Answer:
        """Make one call and return its answer."""
        began = time.perf_counter()
        try:
            connection = self._connection(began)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer that says so
            return not_connected(error, time.perf_counter() - began)
        try:
            raw_response = connection.call(head, body)
        except BrokenOff as broken:
            connection.close()
            seconds = time.perf_counter() - began
            if broken.status < 300:
                return broken_answer(broken.status, broken.__cause__, seconds)
            wait = parse_retry_after(broken.retry_after)
            return read_answer(broken.status, b"", seconds, wait, is_encoded_again=self._is_encoded_again)
        except Exception as error:  # noqa: BLE001 - likewise
            connection.close()
            return no_answer(error, time.perf_counter() - began, first_call=connection.used_at is None)
        ended = time.perf_counter()
        if raw_response.keep_alive and len(self._idle) < self._most_idle:
            connection.used_at = ended
            self._idle.append(connection)
            # another thread may have closed the transport during the call
            if self._closed:
                _close(self._idle)
        else:
            connection.close()
        return self._answer(raw_response, ended - began)

    def _connection(self, now: float) -> Connection:
        """Return a connection that no other thread uses."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection(self._route.connect(), self._route.timeout, self._longest_body)
            if connection.is_usable(now):
                return connection
            connection.close()

    def _answer(self, raw_response: RawResponse, seconds: float) -> Answer:
        status, body, retry_after, has_length, _ = raw_response
        # without a length, an empty body may be one that was cut off, and so may the head
        if not has_length and 200 <= status < 300 and not body.removeprefix(BOM).strip():
            return broken_answer(status, None, seconds)
        wait = None if retry_after is None else parse_retry_after(retry_after)
        answer = read_answer(status, body, seconds, wait, is_encoded_again=self._is_encoded_again)
        if self._key_forms.are_in(answer.message, body):
            message = explained(answer.code, _REPEATS_KEY, is_encoded_again=self._is_encoded_again)
            return answer._replace(message=message, body=_REPEATS_KEY.encode())
        return answer if len(body) <= self._longest_kept else answer._replace(body=b"")

    def close(self) -> None:
        """Close the idle connections. Those of calls in flight close when their calls end."""
        self._closed = True
        _close(self._idle)


def _close(connections: list[Connection]) -> None:
    # other threads may take from the list at the same time
    with contextlib.suppress(IndexError):
        while True:
            connections.pop().close()


FIRST_READ = 4096
"""Bytes of a response that are read at first. The API's own responses fit, and the buffer lives as long as a call."""

_TCP_INFO_BYTES = 136
"""Of Linux's `struct tcp_info`, up to the end of `tcpi_bytes_received`. Kernels before 4.1 return fewer."""

_ESTABLISHED = 1
"""Its first byte, for a connection that neither side has closed."""


class Connection:
    """A connection to the API, or to a proxy. Each wait on it ends after `timeout` seconds. Not thread-safe."""

    def __init__(self, connected: socket.socket, timeout: float, longest_body: int = LONGEST_BODY) -> None:
        self._longest_body = longest_body
        _limit_waits(connected, timeout)
        self._socket = connected
        self._timeout = timeout
        self._bytes_read = _bytes_received(connected)
        self.used_at: float | None = None
        """When its last response was complete, by `time.perf_counter`; None before the first."""

    def is_usable(self, now: float) -> bool:
        """Return True if the idle connection has no unread bytes (data or EOF).

        The full check releases the GIL, which costs a tenth of a call. The quick check does not: it compares the
        number of bytes that the system has received with the number that were read.
        """
        try:
            recent = self.used_at is not None and now - self.used_at < RECENTLY_USED
            if recent and self._bytes_read is not None and _bytes_received(self._socket) == self._bytes_read:
                return True
            return not _unread_in_tls(self._socket) and not wait_for_read(self._socket, 0.0)
        except Exception:  # noqa: BLE001 - a connection that cannot be checked is not used
            return False

    def call(self, head: Head, body: bytes) -> RawResponse:
        """Send a call and read its response.

        Raises `BrokenOff` after the status line, else `NoHttp` or an `OSError`. The connection is unusable then.
        """
        reader = AnswerReader(self._longest_body)
        try:
            try:
                self._send(head.before(body))
            except OSError as error:
                # a server that stopped reading may have answered why
                if not _is_closed_by_peer(error):
                    raise
            return self._receive(reader, FIRST_READ) or self._receive_rest(reader)
        except OSError as error:
            broken = reader.broken()
            if isinstance(broken, BrokenOff):
                raise broken from error
            raise

    def _send(self, request: memoryview) -> None:
        """Send all bytes within two timeouts, however few of them the server takes at a time."""
        sent = self._socket.send(request)
        if sent < len(request):
            self._socket.settimeout(self._timeout)
            self._socket.sendall(request[sent:])
            _limit_waits(self._socket, self._timeout)

    def _receive_rest(self, reader: AnswerReader) -> RawResponse:
        """Read the rest of a response that comes in pieces."""
        deadline = time.monotonic() + ANSWER_TIMEOUTS * self._timeout
        raw_response = None
        while raw_response is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            raw_response = self._receive(reader, LONGEST_BODY)
        return raw_response

    def _receive(self, reader: AnswerReader, most: int) -> RawResponse | None:
        data = self._socket.recv(most)
        if self._bytes_read is not None:
            self._bytes_read += len(data)
        return reader.feed(data) if data else reader.end()

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _bytes_received(connected: socket.socket) -> int | None:
    """Return how many bytes the system has received on an open connection; None if it does not tell."""
    # over TLS and SOCKS, other bytes are received too
    if sys.platform != "linux" or type(connected) is not socket.socket:
        return None
    info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    if len(info) < _TCP_INFO_BYTES or info[0] != _ESTABLISHED:
        return None
    return int.from_bytes(info[-8:], sys.byteorder)


def _unread_in_tls(connected: socket.socket | SSLTransport) -> int:
    """Return how many bytes the TLS layer holds that were not read yet."""
    if isinstance(connected, ssl.SSLSocket):
        return connected.pending()
    if isinstance(connected, SSLTransport):
        # TLS to the API inside TLS to a proxy
        return connected.sslobj.pending() + connected.incoming.pending
    return 0


def _is_closed_by_peer(error: OSError) -> bool:
    """Return True if sending failed because the other side has closed. macOS may report it as EPROTOTYPE."""
    return isinstance(error, ConnectionError) or error.errno == errno.EPROTOTYPE


def _limit_waits(connected: socket.socket, timeout: float) -> None:
    """Make each wait on a socket end after `timeout` seconds.

    With a timeout of its own, Python makes two system calls for each step, and releases the GIL for both. With many
    threads that is most of the cost of a call. So the operating system limits the wait where it can. It cannot for the
    sockets of gevent and eventlet: these never block, and only their own timeouts work.
    """
    connected.settimeout(timeout)
    # no TLS, no SOCKS
    if sys.platform == "linux" and type(connected) is socket.socket:
        limit = struct.pack("ll", int(timeout), max(1, int(timeout % 1 * 1_000_000)))
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connected.settimeout(None)
            if not os.get_blocking(connected.fileno()):
                connected.settimeout(timeout)


SHORTEST_SECRET = 6
"""Characters that a form of the key needs at least, so that finding it in a response means something."""

_TO_BASE64URL = str.maketrans("+/", "-_")


class KeyForms:
    """The forms in which a server may repeat a key. A response that holds one is not shown."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self, key: Secret) -> None:
        self._texts = _forms(key.reveal(), authorization(key).removeprefix("Basic "))
        self._bytes = [text.encode() for text in self._texts]

    def __repr__(self) -> str:
        return "<KeyForms>"

    def __reduce__(self) -> str:
        raise TypeError("the forms of the key do not go into a pickle")

    def are_in(self, message: str, body: bytes) -> bool:
        """Return True if a response repeats the key, in its body or in its message, where escapes are decoded."""
        for form in self._bytes:
            if form in body:
                return True
        for text in self._texts:  # noqa: SIM110 - `any` takes twice as long, and this runs for each call
            if text in message:
                return True
        return False


def _forms(given: str, token: str) -> list[str]:
    """Return the key as given, as sent, decoded, decoded again, and encoded twice, each as URLs, JSON and base64url do.

    A form that contains a shorter one is left out.
    """
    given = given.strip()
    decoded = base64.b64decode(token).decode().rstrip(":")
    twice = base64.b64encode(token.encode()).decode()
    keys = {given, decoded, text_in_base64(decoded) or decoded, *(key.rstrip("=") for key in (token, twice, given))}
    written = {
        form
        for key in keys
        for form in (key, quote(key), quote(key, safe=""), key.replace("/", "\\/"), key.translate(_TO_BASE64URL))
    }
    long = sorted((form for form in written if len(form) >= SHORTEST_SECRET), key=len)
    return [form for at, form in enumerate(long) if not any(shorter in form for shorter in long[:at])]
