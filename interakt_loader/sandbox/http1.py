"""HTTP/1.1 as bytes: a call's head, and an answer. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD = 16 * 1024
"""Bytes of request line and headers."""

_KEPT = 1024
"""Heads remembered: a client sends the same few over and over, only the length differs."""


class BadHead(Exception):
    """The head cannot be read; `status` is the answer, and the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """What is needed of a call's request line and headers."""

    method: str
    path: str
    query: str
    length: int
    """Bytes of body that follow."""
    closes: bool
    """The client wants no second call on this connection."""
    expects_continue: bool
    authorization: bytes
    content_type: str
    host: str


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: str = ""
    """More header lines, each with its line end."""


class HeadReader:
    """Reads heads, and remembers those that it has read."""

    def __init__(self) -> None:
        self._read: dict[bytes, Head] = {}

    def read(self, head: bytes) -> Head:
        """Return what a head says; `head` ends before the empty line. Raises `BadHead`."""
        known = self._read.get(head)
        if known is None:
            known = _parse(head)
            if len(self._read) >= _KEPT:
                self._read.clear()
            if len(head) <= 2048:
                self._read[head] = known
        return known


def _parse(head: bytes) -> Head:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[0].isalpha() or not words[1].startswith("/"):
        raise BadHead(400, "The request line cannot be read")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadHead(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadHead(400, "A header cannot be read")
        name, value = name.lower(), value.strip()
        if headers.get(name, value) != value and name in ("content-length", "host", "authorization"):
            raise BadHead(400, f"Two {name} headers disagree")
        headers[name] = value
    if "transfer-encoding" in headers:
        raise BadHead(411, "A body needs a Content-Length here")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 15:
        raise BadHead(400, "Content-Length is no number")
    path, _, query = target.partition("?")
    connection = {word.strip() for word in headers.get("connection", "").lower().split(",")}
    return Head(
        method=method,
        path=path,
        query=query,
        length=int(length),
        closes="close" in connection or (version == "HTTP/1.0" and "keep-alive" not in connection),
        expects_continue=headers.get("expect", "").lower() == "100-continue",
        authorization=headers.get("authorization", "").encode("latin-1"),
        content_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        host=headers.get("host", ""),
    )


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def render(reply: Reply, *, closes: bool) -> bytes:
    """Return an answer as it goes over the wire, head and body in one piece."""
    connection = "Connection: close\r\n" if closes else ""
    return (
        f"HTTP/1.1 {reply.status} {_PHRASES[reply.status]}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\n{connection}{reply.headers}\r\n"
    ).encode("latin-1") + reply.body
