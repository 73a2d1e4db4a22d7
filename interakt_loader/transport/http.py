"""How a server may repeat the key: an answer that does is not shown, in whichever of its forms the key stands there.

One connection to the API, or to the proxy before it: one call at a time, one piece of bytes out, one answer in.

Calls to the API: a connection from the stack or a new one, one call on it, and what its answer means.
"""

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

from interakt_loader.model import Answer, Message, authorization
from interakt_loader.privacy.secrets import Secret, hidden
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
    parse_retry_after,
    read_answer,
)
from interakt_loader.transport.route import Head, Route

SHORTEST_SECRET = 6
"""Characters from which on a part of an answer can be told to be the key."""


class KeyForms:
    """The forms of one key."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self, key: Secret) -> None:
        self._texts = _forms(key.reveal(), authorization(key).removeprefix("Basic "))
        self._bytes = [one.encode() for one in self._texts]

    def __repr__(self) -> str:
        return "<KeyForms>"

    def __reduce__(self) -> str:
        raise TypeError("the forms of the key do not go into a pickle")

    def are_in(self, message: str, body: bytes) -> bool:
        """Tell whether an answer repeats the key: its bytes, or its message, from which escapes are gone."""
        for one in self._bytes:
            if one in body:
                return True
        for text in self._texts:  # noqa: SIM110 - `any` takes twice as long, and this is done for each call
            if text in message:
                return True
        return False


def _forms(given: str, token: str) -> list[str]:
    """Return the key as given, as it travels, decoded, and encoded twice; each as URLs, JSON and base64url write it.

    Of two forms of which one is a part of the other, the shorter one is enough.
    """
    decoded = base64.b64decode(token).decode().rstrip(":")
    twice = base64.b64encode(token.encode()).decode()
    plain = {given.strip(), decoded, *(one.rstrip("=") for one in (token, twice, given.strip()))}
    written = {
        form
        for one in plain
        for form in (one, quote(one), quote(one, safe=""), one.replace("/", "\\/"), one.translate(_OF_BASE64URL))
    }
    long = sorted((one for one in written if len(one) >= SHORTEST_SECRET), key=len)
    return [one for at, one in enumerate(long) if not any(shorter in one for shorter in long[:at])]


_OF_BASE64URL = str.maketrans("+/", "-_")


WARM = 0.01
"""Seconds after a call for which a short look at a connection is enough: what the system says of it."""

_TCP_INFO_BYTES = 136
"""Of Linux's `struct tcp_info`, up to the end of `tcpi_bytes_received`; a kernel before 4.1 gives fewer."""

_ESTABLISHED = 1
"""The first byte of it, for a connection that neither side has closed."""

FIRST_READ = 4096
"""Bytes of an answer that are read at first: the API's own fit in, and a buffer is held as long as a call is out."""

LONGEST_ANSWER = 3.0
"""Timeouts that an answer may take from its first byte to its last: each wait for more has a timeout of its own."""


class Connection:
    """A connection that has been made; each wait on it ends after `timeout` seconds. Not thread-safe."""

    def __init__(self, connected: socket.socket, timeout: float) -> None:
        _limit_waits(connected, timeout)
        self._socket = connected
        self._timeout = timeout
        self._taken = _bytes_received(connected)
        self.used_at: float | None = None
        """When its last answer was there, by `time.perf_counter`; None before the first."""

    def is_usable(self, now: float) -> bool:
        """Whether nothing has come that nobody asked for: most of all the end, from a server that waits no longer.

        The long look lets another thread have the interpreter, which costs a tenth of a call; the short one does not:
        all bytes that the system has received on this connection have been read from it.
        """
        try:
            warm = self.used_at is not None and now - self.used_at < WARM
            if warm and self._taken is not None and _bytes_received(self._socket) == self._taken:
                return True
            return not _held_by_tls(self._socket) and not wait_for_read(self._socket, 0.0)
        except Exception:  # noqa: BLE001 - one that cannot be looked at is not used; the next is tried
            return False

    def call(self, head: Head, body: bytes) -> RawResponse:
        """Send a call and read its answer.

        Raises `BrokenOff` once the answer's status is known, `NoHttp`, or an `OSError`; the connection is of no more
        use then.
        """
        reader = AnswerReader()
        try:
            try:
                self._send(head.before(body))
            except OSError as error:
                if not _is_the_end(error):
                    raise  # else the server listens no more, and may have said why
            return self._received(reader, FIRST_READ) or self._rest(reader)
        except OSError as error:
            broken = reader.broken()
            if isinstance(broken, BrokenOff):
                raise broken from error
            raise

    def _send(self, request: memoryview) -> None:
        """Send all of it within two timeouts, however little of it the server takes at a time."""
        sent = self._socket.send(request)
        if sent < len(request):
            self._socket.settimeout(self._timeout)
            self._socket.sendall(request[sent:])
            _limit_waits(self._socket, self._timeout)

    def _rest(self, reader: AnswerReader) -> RawResponse:
        """Read the rest of an answer that comes in pieces."""
        deadline = time.monotonic() + LONGEST_ANSWER * self._timeout
        raw_response = None
        while raw_response is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            raw_response = self._received(reader, LONGEST_BODY)
        return raw_response

    def _received(self, reader: AnswerReader, most: int) -> RawResponse | None:
        data = self._socket.recv(most)
        if self._taken is not None:
            self._taken += len(data)
        return reader.feed(data) if data else reader.end()

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _bytes_received(connected: socket.socket) -> int | None:
    """Return how many bytes have come so far on a connection that stands; None where the system does not say."""
    if sys.platform != "linux" or type(connected) is not socket.socket:  # over TLS and SOCKS others take bytes, too
        return None
    told = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    if len(told) < _TCP_INFO_BYTES or told[0] != _ESTABLISHED:
        return None
    return int.from_bytes(told[-8:], sys.byteorder)


def _held_by_tls(connected: socket.socket | SSLTransport) -> int:
    """Return how many bytes have been taken from the system and not yet been asked for."""
    if isinstance(connected, ssl.SSLSocket):
        return connected.pending()
    if isinstance(connected, SSLTransport):  # TLS to the API within TLS to a proxy
        return connected.sslobj.pending() + connected.incoming.pending
    return 0


def _is_the_end(error: OSError) -> bool:
    """Whether sending failed because the other side has gone; a Mac may call that EPROTOTYPE."""
    return isinstance(error, ConnectionError) or error.errno == errno.EPROTOTYPE


def _limit_waits(connected: socket.socket, timeout: float) -> None:
    """Have each wait on a socket end after so many seconds.

    Python's own way asks the system twice for each step, whether it may go and to go, and each question lets another
    thread have the interpreter: with many threads that is most of what a call costs. So where the system itself can
    limit the wait, it is left to it. It cannot where gevent or eventlet have their own sockets in place of Python's:
    those never block, and only their own timeouts hold.
    """
    connected.settimeout(timeout)
    if sys.platform == "linux" and type(connected) is socket.socket:  # no TLS, no SOCKS
        limit = struct.pack("ll", int(timeout), max(1, int(timeout % 1 * 1_000_000)))
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connected.settimeout(None)
            if not os.get_blocking(connected.fileno()):
                connected.settimeout(timeout)


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
            raw_response = connection.call(self._heads[message.kind], message.body)
        except BrokenOff as broken:
            connection.close()
            if broken.status < 300:
                return broken_answer(broken.status, broken.__cause__, time.perf_counter() - began)
            return read_answer(broken.status, b"", time.perf_counter() - began, parse_retry_after(broken.retry_after))
        except Exception as error:  # noqa: BLE001 - likewise
            connection.close()
            return no_answer(error, time.perf_counter() - began, first_call=connection.used_at is None)
        ended = time.perf_counter()
        if raw_response.keeps and len(self._idle) < self._most_idle:
            connection.used_at = ended
            self._idle.append(connection)
            if self._closed:  # meanwhile
                _close(self._idle)
        else:
            connection.close()
        return self._judged(raw_response, ended - began)

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

    def _judged(self, raw_response: RawResponse, seconds: float) -> Answer:
        status, body, retry_after, says_length, _ = raw_response
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
