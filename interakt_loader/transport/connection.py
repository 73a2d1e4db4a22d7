"""One connection to the API, or to the proxy before it: one call at a time, one piece of bytes out, one answer in."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time

from urllib3.util import wait_for_read

from interakt_loader.transport.reading import LONGEST_BODY, AnswerReader, BrokenOff, Heard

WARM = 0.01
"""Seconds after a call for which a short look at a connection is enough: whether the server has closed it."""

_ESTABLISHED = 1
"""The first byte of Linux's TCP_INFO, for a connection that neither side has closed."""

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
        self.used_at = 0.0
        """When its last answer was there, by `time.perf_counter`."""

    def is_usable(self, now: float) -> bool:
        """Whether nothing has come that nobody asked for: most of all the end, from a server that waits no longer.

        The long look lets another thread have the interpreter, which costs a tenth of a call; the short one does not.
        """
        if sys.platform == "linux" and now - self.used_at < WARM:
            return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
        return not wait_for_read(self._socket, 0.0)

    def call(self, request: bytes) -> Heard:
        """Send a call and read its answer.

        Raises `BrokenOff` once the answer's status is known, `NoHttp`, or an `OSError`; the connection is of no more
        use then.
        """
        reader = AnswerReader()
        try:
            # where the server listens no more it may have said why
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._socket.sendall(request)
            data = self._socket.recv(FIRST_READ)
            heard = reader.feed(data) if data else reader.end()
            return heard or self._rest(reader)
        except OSError as error:
            broken = reader.broken()
            if isinstance(broken, BrokenOff):
                raise broken from error
            raise

    def _rest(self, reader: AnswerReader) -> Heard:
        """Read the rest of an answer that comes in pieces."""
        deadline = time.monotonic() + LONGEST_ANSWER * self._timeout
        heard = None
        while heard is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            data = self._socket.recv(LONGEST_BODY)
            heard = reader.feed(data) if data else reader.end()
        return heard

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _limit_waits(connected: socket.socket, timeout: float) -> None:
    """Have each wait on a socket end after so many seconds.

    Python's own way asks the system twice for each step, whether it may go and to go, and each question lets another
    thread have the interpreter: with many threads that is most of what a call costs. So where the system itself can
    limit the wait, it is left to it.
    """
    connected.settimeout(timeout)
    if sys.platform == "linux" and type(connected) is socket.socket:  # no TLS, no SOCKS
        limit = struct.pack("ll", int(timeout), max(1, int(timeout % 1 * 1_000_000)))
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connected.settimeout(None)
