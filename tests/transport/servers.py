"""Real servers on real sockets that record what they receive: HTTP with and without TLS, and a proxy."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from types import TracebackType
from typing import NamedTuple

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"result": true}'


class Call(NamedTuple):
    """One call as it arrived."""

    connection: int
    """The number of the connection, from 0."""
    head: bytes
    body: bytes

    @property
    def first_line(self) -> str:
        """The request line."""
        return self.head.split(b"\r\n")[0].decode()

    def header(self, name: str) -> str | None:
        """A header's value; None if there is no such header."""
        for line in self.head.decode().split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


class Server:
    """Answers every call in the same way: with `answer`, or never if that is None. A context manager."""

    def __init__(
        self, answer: bytes | None = ACCEPTED, *, tls: ssl.SSLContext | None = None, hangs_up: bool = False
    ) -> None:
        """With `hangs_up` it ends the connection after each answer, without having said so."""
        self._answer = answer
        self._tls = tls
        self._hangs_up = hangs_up
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = self._listening.getsockname()[1]
        self.calls: list[Call] = []
        self.connections = 0
        self.hung_up = threading.Event()
        """Set once a connection has been ended."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Server:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in [self._listening, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=self._quietly, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    @staticmethod
    def _quietly(work: object, *arguments: object) -> None:
        # the other side is gone, does not like our certificate, or the test has ended and closed the socket
        with contextlib.suppress(OSError, ValueError):
            work(*arguments)  # type: ignore[operator]

    def _accept(self) -> None:
        while True:
            accepted, _ = self._listening.accept()
            self._open.append(accepted)
            self._run(self._talk, accepted, self.connections)
            self.connections += 1

    def _talk(self, accepted: socket.socket, number: int) -> None:
        with accepted:
            if self._tls is not None:
                accepted = self._tls.wrap_socket(accepted, server_side=True)
                self._open.append(accepted)
            with accepted, accepted.makefile("rb") as heard:
                while (call := _read(heard, number)) is not None:  # type: ignore[arg-type]
                    self.calls.append(call)
                    if not self._reply(accepted, call):
                        break
        self.hung_up.set()

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        """Answer; return whether the connection stays open."""
        if self._answer is not None:
            connection.sendall(self._answer)
        return not self._hangs_up


class Proxy(Server):
    """Tunnels to this machine, and answers the calls that it is asked to forward. With `password` it requires that."""

    def __init__(self, password: str | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._password = password

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        if self._password is not None and call.header("Proxy-Authorization") != f"Basic {self._password}":
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return False
        method, target, _ = call.first_line.split(" ")
        if method != "CONNECT":
            return super()._reply(connection, call)
        with socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1]))) as beyond:
            self._open.append(beyond)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(connection, beyond)
        return False


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes both ways until either side ends. One thread does it, as TLS requires."""
    while True:
        waiting = [one] if isinstance(one, ssl.SSLSocket) and one.pending() else select.select([one, other], [], [])[0]
        for source in waiting:
            data = source.recv(65_536)
            if not data:
                return
            (other if source is one else one).sendall(data)


def _read(heard: socket.SocketIO, number: int) -> Call | None:
    lines = []
    while (line := heard.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines:
        return None
    call = Call(number, b"".join(lines), b"")
    return call._replace(body=heard.read(int(call.header("Content-Length") or 0)) or b"")
