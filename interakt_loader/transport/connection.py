"""One connection to the API, or to the proxy before it: one call at a time, one piece of bytes out, one answer in."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import struct
import sys
import time

from urllib3.util import wait_for_read
from urllib3.util.ssltransport import SSLTransport

from interakt_loader.transport.head import Head
from interakt_loader.transport.reading import LONGEST_BODY, AnswerReader, BrokenOff, Heard

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

    def call(self, head: Head, body: bytes) -> Heard:
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

    def _rest(self, reader: AnswerReader) -> Heard:
        """Read the rest of an answer that comes in pieces."""
        deadline = time.monotonic() + LONGEST_ANSWER * self._timeout
        heard = None
        while heard is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            heard = self._received(reader, LONGEST_BODY)
        return heard

    def _received(self, reader: AnswerReader, most: int) -> Heard | None:
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
