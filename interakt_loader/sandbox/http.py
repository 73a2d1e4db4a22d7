"""HTTP/1.1 as bytes: reads a call's head, writes a response, and has the API's own responses. Pure.

The texts are the API's, word for word, as far as its documents show them.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, NamedTuple

MAX_HEAD = 16 * 1024
"""Bytes of request line and headers."""

_MOST_HEADS = 1024
"""Most heads that are kept. A client sends the same few again and again; only the length differs."""


class BadHead(Exception):
    """The head cannot be read. `status` is that of the response, after which the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """The parts of a call's request line and headers that the sandbox needs."""

    method: str
    path: str
    query: str
    length: int
    """Bytes of the body."""
    closes: bool
    """The client ends the connection after this call."""
    expects_continue: bool
    authorization: bytes
    content_type: str
    host: str


class Response(NamedTuple):
    """A response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: str = ""
    """More header lines, each with its line end."""


class HeadReader:
    """Parses heads, and keeps the parsed ones."""

    def __init__(self) -> None:
        self._read: dict[bytes, Head] = {}

    def read(self, head: bytes) -> Head:
        """Return the parsed head; `head` ends before the empty line. Raises `BadHead`."""
        known = self._read.get(head)
        if known is None:
            known = _parse(head)
            if len(self._read) >= _MOST_HEADS:
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
        raise BadHead(505, "The sandbox supports only HTTP/1.1 and HTTP/1.0")
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
        raise BadHead(411, "A body needs a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 15:
        raise BadHead(400, "Content-Length is not a number")
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


def render(response: Response, *, closes: bool) -> bytes:
    """Return the bytes of a response, head and body together."""
    connection = "Connection: close\r\n" if closes else ""
    return (
        f"HTTP/1.1 {response.status} {_PHRASES[response.status]}\r\nContent-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n{connection}{response.headers}\r\n"
    ).encode("latin-1") + response.body


NOT_FOUND = Response(
    404, b"<!doctype html>\n<title>Not Found</title>\n<h1>Not Found</h1>\n", "text/html; charset=utf-8"
)
BAD_KEY = Response(401, b'{"result": false, "message": "Invalid token provided"}')
NO_API = Response(
    403,
    b'{"result": false, "message": "This API is currently not supported on your Interakt account. '
    b'Please upgrade your plan."}',
)


def as_json(value: Any, status: int = 200) -> Response:
    """Return a response with a value as JSON."""
    return Response(status, json.dumps(value).encode())


def refused(status: int, message: str, headers: str = "") -> Response:
    """Return an error response in the API's form."""
    return Response(status, json.dumps({"result": False, "message": message}).encode(), headers=headers)


def over_the_limit(retry_after: str | None) -> Response:
    """Return a 429, with a Retry-After header unless `retry_after` is None."""
    header = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    return refused(429, "Rate limit exceeded for this resource", header)


def user_accepted(customer: str) -> Response:
    """Return the response to a valid user call; `customer` is the user's UUID."""
    return Response(202, b'{"result": true, "message": "Customer with %b updated successfully"}' % customer.encode())


def event_accepted(event: str) -> Response:
    """Return the response to a valid event call; `event` is its UUID."""
    return Response(201, b'{"result": true, "message": "Event created successfully", "id": "%b"}' % event.encode())


def fault_reply(kind: str, retry_after: str) -> Response | None:
    """Return the response of a fault of this kind; None for those without one."""
    return {
        "400": refused(400, "Bad request"),
        "401": BAD_KEY,
        "500": refused(500, "Internal server error"),
        "503": Response(503, b"", "text/plain"),
        "html502": Response(
            502,
            b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n",
            "text/html",
        ),
        "garbage": Response(200, b'\x1f\x8b\x08\x00{"result": tr\xff\xfe'),
        "429": over_the_limit(None),
        "429-retry-after": over_the_limit(retry_after),
    }.get(kind)
