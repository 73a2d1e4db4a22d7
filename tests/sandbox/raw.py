"""A client that sends exactly the given bytes, so that tests see the wire and not a library's view of it."""

from __future__ import annotations

import base64
import json
import socket
from types import TracebackType
from typing import Any, NamedTuple

USERS = "/v1/public/track/users/"
EVENTS = "/v1/public/track/events/"

BASIC = "Basic " + base64.b64encode(b"sandbox-key:").decode()


class RawAnswer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def post(path: str, body: Any, authorization: str = BASIC, content_type: str = "application/json") -> bytes:
    """Return a POST call; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def get(path: str, host: str = "127.0.0.1") -> bytes:
    """Return a GET call."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


class RawClient:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def read(self) -> RawAnswer:
        """Read one answer. Raises EOFError if the server has ended the connection."""
        first = self._file.readline()
        if not first:
            raise EOFError
        headers = {}
        while (line := self._file.readline().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return RawAnswer(int(first.split()[1]), headers, self._file.read(int(headers.get("content-length", "0"))))

    def ask(self, data: bytes) -> RawAnswer:
        """Send a call and read its answer."""
        self.send(data)
        return self.read()


def ask(port: int, *calls: bytes) -> RawAnswer:
    """Make calls over one connection; return the last one's answer."""
    with RawClient(port) as client:
        answers = [client.ask(call) for call in calls]
    return answers[-1]
