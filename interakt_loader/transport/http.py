"""Calls to the API: `HttpTransport` keeps idle connections, `HttpCallSet` has several calls out on one thread."""

from __future__ import annotations

import base64
import contextlib
import errno
import math
import os
import select
import socket
import struct
import sys
import time
import weakref
from functools import cached_property
from urllib.parse import quote

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

    def call_set(self) -> HttpCallSet:
        """Return the calls of one thread that may be out at the same time."""
        return HttpCallSet(self)

    def call(self, head: Head, body: bytes) -> Answer:
        """Make one call and return its answer."""
        began = time.perf_counter()
        try:
            connection = self._connection(began)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer that says so
            return not_connected(error, time.perf_counter() - began)
        try:
            raw_response = connection.call(head, body)
        except Exception as error:  # noqa: BLE001 - likewise
            return self.failed(connection, error, began)
        return self.answered(connection, raw_response, began)

    def exchange(self, message: Message, connection: Connection) -> Exchange:
        """Return a call on a `fresh_connection`, not begun."""
        return Exchange(connection, message, self._heads[message.kind])

    def answered(self, connection: Connection, raw_response: RawResponse, began: float) -> Answer:
        """Return the answer of a call that began then, and keep its connection."""
        ended = time.perf_counter()
        if raw_response.keep_alive and len(self._idle) < self._most_idle:
            connection.used_at = ended
            self.give_back(connection)
        else:
            connection.close()
        return self._answer(raw_response, ended - began)

    def failed(self, connection: Connection, error: Exception, began: float) -> Answer:
        """Return the answer of a call that brought this exception in place of a response."""
        connection.close()
        seconds = time.perf_counter() - began
        if not isinstance(error, BrokenOff):
            return no_answer(error, seconds, first_call=connection.used_at is None)
        if error.status < 300:
            return broken_answer(error.status, error.__cause__, seconds)
        wait = parse_retry_after(error.retry_after)
        return read_answer(error.status, b"", seconds, wait, is_encoded_again=self._is_encoded_again)

    def fresh_connection(self) -> Connection | None:
        """Return an open connection that was used a moment ago and allows an `Exchange`; None if there is none.

        Nobody else uses it until it is given back.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        if connection.is_plain and connection.is_fresh(time.perf_counter()):
            return connection
        # `call` checks it in full
        self.give_back(connection)
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep an open connection for the next call."""
        self._idle.append(connection)
        # another thread may have closed the transport during the call
        if self._closed:
            _close(self._idle)

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


class HttpCallSet:
    """The calls that one thread has out at the same time (`model.CallSet`). It waits for all of them at once.

    Only plain sockets that are connected already can be waited for together: connecting takes several waits, and TLS
    has its own. Any other call is made alone. `reserve` allows it only while no other call of this thread is out.
    """

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        # None: for a call that is made alone
        self._reserved: list[Connection | None] = []
        self._alone: Message | None = None
        # by the number of the socket
        self._out: dict[int, Exchange] = {}
        self._answered: list[tuple[Message, Answer]] = []
        # no call is late before this instant
        self._late_from = math.inf

    @cached_property
    def _poll(self) -> select.poll:
        # Windows has none, and makes each call alone
        return select.poll()

    def reserve(self) -> bool:
        """Reserve an open connection, or the way to a new one for a call alone. Return whether there is one."""
        if self._reserved and self._reserved[-1] is None:
            return False
        connection = self._transport.fresh_connection()
        if connection is None and (self._out or self._reserved):
            return False
        self._reserved.append(connection)
        return True

    def release(self) -> None:
        """Give back what was reserved last."""
        connection = self._reserved.pop()
        if connection is not None:
            self._transport.give_back(connection)

    def begin(self, message: Message) -> None:
        """Write a call to an open connection."""
        connection = self._reserved.pop()
        if connection is None:
            self._alone = message
            return
        exchange = self._out[connection.number] = self._transport.exchange(message, connection)
        self._write(connection.number, exchange)

    def answers(self) -> list[tuple[Message, Answer]]:
        """Return the answers that are there, and wait only for the first: a call that hangs delays no other one."""
        if self._alone is not None:
            message, self._alone = self._alone, None
            return [(message, self._transport.send(message))]
        while self._out:
            patience = 0.0 if self._answered else max(0.0, self._late_from - time.perf_counter())
            ready = self._poll.poll(math.ceil(patience * 1000))
            for number, events in ready:
                if events & select.POLLOUT:
                    self._write(number, self._out[number])
                else:
                    self._read(number, self._out[number])
            if not ready:
                self._give_up_late()
                if self._answered:
                    break
        answered, self._answered = self._answered, []
        return answered

    def _write(self, number: int, exchange: Exchange) -> None:
        try:
            is_sent = exchange.write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer that says so
            self._fail(number, exchange, error)
        else:
            self._poll.register(number, select.POLLIN if is_sent else select.POLLOUT)
            self._late_from = min(self._late_from, exchange.until)

    def _read(self, number: int, exchange: Exchange) -> None:
        try:
            raw_response = exchange.read()
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(number, exchange, error)
            return
        if raw_response is not None:
            self._end(number, exchange, self._transport.answered(exchange.connection, raw_response, exchange.began))

    def _give_up_late(self) -> None:
        now = time.perf_counter()
        if now >= self._late_from:
            for number, exchange in list(self._out.items()):
                if exchange.until <= now:
                    self._fail(number, exchange, TimeoutError())
            self._late_from = min((exchange.until for exchange in self._out.values()), default=math.inf)

    def _fail(self, number: int, exchange: Exchange, error: Exception) -> None:
        error = exchange.ended_by(error)
        self._end(number, exchange, self._transport.failed(exchange.connection, error, exchange.began))

    def _end(self, number: int, exchange: Exchange, answer: Answer) -> None:
        del self._out[number]
        # a call that failed at its first step is not watched
        with contextlib.suppress(KeyError):
            self._poll.unregister(number)
        self._answered.append((exchange.message, answer))


class Exchange:
    """One call on a plain, open connection, by steps that do not wait. Its limits are those of `Connection.call`."""

    __slots__ = ("_reader", "_unsent", "_whole_until", "began", "connection", "message", "until")

    def __init__(self, connection: Connection, message: Message, head: Head) -> None:
        self.connection, self.message = connection, message
        self._unsent = head.before(message.body)
        self._reader = AnswerReader(connection.longest_body)
        self.began = time.perf_counter()
        self.until = self.began + 2 * connection.timeout
        """When its next step comes too late."""
        self._whole_until = math.inf

    def write(self) -> bool:
        """Send what the system takes now; return whether all is sent."""
        try:
            sent = self.connection.send_now(self._unsent)
        except OSError as error:
            # a server that stopped reading may have answered why
            if not _is_closed_by_peer(error):
                raise
            sent = len(self._unsent)
        if sent < len(self._unsent):
            self._unsent = self._unsent[sent:]
            return False
        self.until = time.perf_counter() + self.connection.timeout
        return True

    def read(self) -> RawResponse | None:
        """Read what is there; return the response once it is complete."""
        try:
            raw_response = self.connection.receive(self._reader, FIRST_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if raw_response is None:
            now, timeout = time.perf_counter(), self.connection.timeout
            self._whole_until = min(self._whole_until, now + ANSWER_TIMEOUTS * timeout)
            self.until = min(now + timeout, self._whole_until)
        return raw_response

    def ended_by(self, error: Exception) -> Exception:
        """Return what `Connection.call` raises if this error ends the call."""
        broken = self._reader.broken()
        if isinstance(error, OSError) and isinstance(broken, BrokenOff):
            broken.__cause__ = error
            return broken
        return error


FIRST_READ = 4096
"""Bytes of a response that are read at first. The API's own responses fit, and the buffer lives as long as a call."""

_TCP_INFO_BYTES = 136
"""Of Linux's `struct tcp_info`, up to the end of `tcpi_bytes_received`. Kernels before 4.1 return fewer."""

_ESTABLISHED = 1
"""Its first byte, for a connection that neither side has closed."""


class Connection:
    """A connection to the API, or to a proxy. Each wait on it ends after `timeout` seconds. Not thread-safe."""

    def __init__(self, connected: socket.socket, timeout: float, longest_body: int = LONGEST_BODY) -> None:
        self.longest_body = longest_body
        """Bytes of a response's body that are read."""
        self.is_plain = _limit_waits(connected, timeout)
        """An `Exchange` can be made on it: no TLS, no SOCKS, no green threads."""
        self._socket = connected
        self.number = connected.fileno()
        """The number of its socket."""
        self.timeout = timeout
        """Seconds after which each wait ends."""
        self._bytes_read = _bytes_received(connected)
        self.used_at: float | None = None
        """When its last response was complete, by `time.perf_counter`; None before the first."""

    def is_usable(self, now: float) -> bool:
        """Return True if the idle connection has no unread bytes (data or EOF).

        The full check releases the GIL, which costs a tenth of a call. The quick check does not.
        """
        try:
            return self.is_fresh(now) or not self._has_unread()
        except Exception:  # noqa: BLE001 - a connection that cannot be checked is not used
            return False

    def _has_unread(self) -> bool:
        """Return True if there are bytes that were not read yet, in the system or in the TLS layer."""
        if self.is_plain:
            poll = select.poll()
            poll.register(self.number, select.POLLIN)
            return bool(poll.poll(0))
        # with TLS they are imported already
        import ssl

        from urllib3.util import wait_for_read
        from urllib3.util.ssltransport import SSLTransport

        connected, in_tls = self._socket, 0
        if isinstance(connected, ssl.SSLSocket):
            in_tls = connected.pending()
        elif isinstance(connected, SSLTransport):
            # TLS to the API inside TLS to a proxy
            in_tls = connected.sslobj.pending() + connected.incoming.pending
        return bool(in_tls) or wait_for_read(connected, 0.0)

    def is_fresh(self, now: float) -> bool:
        """Return True if the quick check is enough, and finds no unread bytes.

        It compares the number of bytes that the system has received with the number that were read.
        """
        if self.used_at is None or now - self.used_at >= RECENTLY_USED or self._bytes_read is None:
            return False
        try:
            return _bytes_received(self._socket) == self._bytes_read
        except OSError:
            return False

    def call(self, head: Head, body: bytes) -> RawResponse:
        """Send a call and read its response.

        Raises `BrokenOff` after the status line, else `NoHttp` or an `OSError`. The connection is unusable then.
        """
        reader = AnswerReader(self.longest_body)
        try:
            try:
                self._send(head.before(body))
            except OSError as error:
                # a server that stopped reading may have answered why
                if not _is_closed_by_peer(error):
                    raise
            return self.receive(reader, FIRST_READ) or self._receive_rest(reader)
        except OSError as error:
            broken = reader.broken()
            if isinstance(broken, BrokenOff):
                raise broken from error
            raise

    def _send(self, request: memoryview) -> None:
        """Send all bytes within two timeouts, however few of them the server takes at a time."""
        sent = self._socket.send(request)
        if sent < len(request):
            self._socket.settimeout(self.timeout)
            self._socket.sendall(request[sent:])
            _limit_waits(self._socket, self.timeout)

    def _receive_rest(self, reader: AnswerReader) -> RawResponse:
        """Read the rest of a response that comes in pieces."""
        deadline = time.monotonic() + ANSWER_TIMEOUTS * self.timeout
        raw_response = None
        while raw_response is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            raw_response = self.receive(reader, LONGEST_BODY)
        return raw_response

    def receive(self, reader: AnswerReader, most: int, flags: int = 0) -> RawResponse | None:
        """Read some bytes; return the response once it is complete."""
        data = self._socket.recv(most, flags)
        if self._bytes_read is not None:
            self._bytes_read += len(data)
        return reader.feed(data) if data else reader.end()

    def send_now(self, request: memoryview) -> int:
        """Send what the system takes without waiting; return how many bytes."""
        try:
            return self._socket.send(request, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

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


def _is_closed_by_peer(error: OSError) -> bool:
    """Return True if sending failed because the other side has closed. macOS may report it as EPROTOTYPE."""
    return isinstance(error, ConnectionError) or error.errno == errno.EPROTOTYPE


def _limit_waits(connected: socket.socket, timeout: float) -> bool:
    """Make each wait on a socket end after `timeout` seconds. Return True if the operating system does it.

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
            if os.get_blocking(connected.fileno()):
                return True
            connected.settimeout(timeout)
    return False


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
