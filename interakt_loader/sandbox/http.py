"""HTTP/1.1 as bytes: a call's head, and an answer. Pure.

What the API says, word for word where somebody has shown it. Pure.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, NamedTuple

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


NOT_FOUND = Reply(404, b"<!doctype html>\n<title>Not Found</title>\n<h1>Not Found</h1>\n", "text/html; charset=utf-8")
BAD_KEY = Reply(401, b'{"result": false, "message": "Invalid token provided"}')
NO_API = Reply(
    403,
    b'{"result": false, "message": "This API is currently not supported on your Interakt account. '
    b'Please upgrade your plan."}',
)


def as_json(value: Any, status: int = 200) -> Reply:
    """Return an answer that holds a value as JSON."""
    return Reply(status, json.dumps(value).encode())


def refused(status: int, message: str, headers: str = "") -> Reply:
    """Return a refusal in the API's form."""
    return Reply(status, json.dumps({"result": False, "message": message}).encode(), headers=headers)


def over_the_limit(retry_after: str | None) -> Reply:
    """Return a 429, with a Retry-After header if there is something to say in it."""
    header = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    return refused(429, "Rate limit exceeded for this resource", header)


def user_accepted(customer: str) -> Reply:
    """Return the answer to a good user call; `customer` is the user's UUID."""
    return Reply(202, b'{"result": true, "message": "Customer with %b updated successfully"}' % customer.encode())


def event_accepted(event: str) -> Reply:
    """Return the answer to a good event call; `event` is its UUID."""
    return Reply(201, b'{"result": true, "message": "Event created successfully", "id": "%b"}' % event.encode())


def fault_reply(kind: str, retry_after: str) -> Reply | None:
    """Return what a fault of this kind answers; None for those that answer nothing."""
    return {
        "400": refused(400, "Bad request"),
        "401": BAD_KEY,
        "500": refused(500, "Internal server error"),
        "503": Reply(503, b"", "text/plain"),
        "html502": Reply(
            502,
            b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n",
            "text/html",
        ),
        "garbage": Reply(200, b'\x1f\x8b\x08\x00{"result": tr\xff\xfe'),
        "429": over_the_limit(None),
        "429-retry-after": over_the_limit(retry_after),
    }.get(kind)
