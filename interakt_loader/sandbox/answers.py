"""What the API says, word for word where somebody has shown it. Pure."""

from __future__ import annotations

import json
from typing import Any

from interakt_loader.sandbox.http1 import Reply

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
