"""The sandbox's server: one asyncio protocol for each connection, around an `Api`.

Besides the API's paths it has a page at / and endpoints below /sandbox/: they show what was sent, and change faults.
They need no key, and answer only to this machine.

asyncio turns Nagle's algorithm off, and each response is one write. So no response waits 40 ms for an ACK.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import json
import random
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox.api import Api, Silence, kind_of
from interakt_loader.sandbox.http import (
    MAX_HEAD,
    NOT_FOUND,
    BadHead,
    Head,
    HeadReader,
    Response,
    as_json,
    refused,
    render,
)

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/sandbox/page.css": ("page.css", "text/css; charset=utf-8"),
    "/sandbox/page.js": ("page.js", "text/javascript; charset=utf-8"),
}

_HEADERS = (
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
)
"""The page shows the data as text. If it has a gap, these headers keep foreign scripts from running or loading."""


@cache
def page_file(path: str) -> Response:
    """Return the file at one of the paths of `FILES`."""
    name, content_type = FILES[path]
    content = (importlib.resources.files(__package__) / "assets" / name).read_bytes()
    return Response(200, content, content_type, _HEADERS)


PAGE = 1000
"""Records in a response if the call has no limit. A longer response would delay other calls."""


def control(api: Api, head: Head, body: bytes) -> Response:
    """Return the response to a call to the page or to a path below /sandbox/."""
    # A web page can reach 127.0.0.1 under another host name (DNS rebinding). The data may be real people's.
    if head.host.rpartition(":")[0] not in ("127.0.0.1", "localhost") and head.host not in ("127.0.0.1", "localhost"):
        return refused(403, "The sandbox's own endpoints are for 127.0.0.1 and localhost")
    try:
        if head.method == "GET":
            return _read(api, head.path, parse_qs(head.query, keep_blank_values=True))
        if head.method == "POST":
            return _change(api, head.path, body)
    # SettingsError is a ValueError.
    except (ValueError, TypeError, AttributeError) as error:
        return refused(400, str(error))
    return refused(405, f'Method "{head.method}" not allowed.', "Allow: GET, POST\r\n")


def _read(api: Api, path: str, query: dict[str, list[str]]) -> Response:
    if path in FILES:
        return page_file(path)
    limit, offset = _whole(query, "limit", PAGE), _whole(query, "offset", 0)
    if path == "/sandbox/users" and "identity" in query:
        user = api.find_user(query["identity"][-1])
        return _records([] if user is None else [user])
    if path == "/sandbox/users":
        return _records(api.users(limit, offset, query.get("search", [""])[-1]))
    if path == "/sandbox/events" and "identity" in query:
        return _records(api.latest_events(limit, offset, query["identity"][-1]))
    if path == "/sandbox/events" and query.get("latest") == ["first"]:
        return _records(api.latest_events(limit, offset))
    if path == "/sandbox/events":
        return _records(api.events(limit, offset))
    if path == "/sandbox/contacts":
        return as_json(api.contacts(limit, offset))
    if path == "/sandbox/arrivals":
        return as_json(api.arrivals())
    if path == "/sandbox/stats":
        return as_json(asdict(api.stats()))
    return NOT_FOUND


def _records(records: Iterable[Any]) -> Response:
    return as_json([record._asdict() for record in records])


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name} is {text!r}; expected a whole number")
    return int(text)


_CHANGES = {
    "/sandbox/faults": ("faults", "force", "force_for"),
    "/sandbox/key": ("api_key",),
    "/sandbox/clock": ("time", "advance"),
    "/sandbox/contacts": ("put", "change", "delete"),
}
"""What a change of each path may name."""


def _change(api: Api, path: str, body: bytes) -> Response:
    if path == "/sandbox/reset":
        api.reset()
        return as_json({"result": True})
    expected = _CHANGES.get(path)
    if expected is None:
        return NOT_FOUND
    change = json.loads(body)
    unknown = change.keys() - expected
    if unknown:
        raise SettingsError(f"{', '.join(sorted(unknown))}: expected {', '.join(expected)}")
    if path == "/sandbox/key":
        api.renew_key(change["api_key"])
        return as_json({"result": True})
    if path == "/sandbox/clock":
        if "time" in change:
            api.set_clock(change["time"])
        api.advance(change.get("advance", 0))
        return as_json({"result": True})
    if path == "/sandbox/contacts":
        ids = list(api.put(change.get("put", ())))
        for identity, traits in change.get("change", {}).items():
            api.change(identity, traits)
        for identity in change.get("delete", ()):
            api.delete(identity)
        return as_json({"result": True, "ids": ids})
    if "faults" in change:
        api.set_faults(change["faults"])
    api.force(change.get("force", ()))
    for identity, kinds in change.get("force_for", {}).items():
        api.force_for(identity, kinds)
    return as_json({"result": True})


HOST = "127.0.0.1"

_LINGER_SECONDS = 1.0
"""How long a refused connection is still read, so that the client gets the response."""

_MAX_OWN_BODY = 16 * 1024 * 1024
"""Most bytes of a body to the sandbox's own endpoints, such as a long script of faults."""

_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Shared:
    """The state that all connections of a server share."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.heads = HeadReader()
        self.connections: set[Connection] = set()
        # The same seed has to give the same delays.
        self.delays = random.Random(api.options.seed)  # noqa: S311
        self.loop = asyncio.get_running_loop()


class Connection(asyncio.Protocol):
    """One client connection. Its calls get their responses one at a time, in order."""

    _transport: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._api = shared.api
        self._max_body = shared.api.options.max_body
        self._input = b""
        # The head of the call whose body is not complete yet.
        self._head: Head | None = None
        # Bytes left to skip of a body that is too long.
        self._to_skip = 0
        # A call has arrived and has no response yet.
        self._calling = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_paused = False
        # The connection is about to end: ignore further input.
        self._is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._shared.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Unregister the connection, and end a call whose client has gone."""
        self._shared.connections.discard(self)
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._calling:
            self._calling = False
            self._api.ended()

    @property
    def _ending(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def abort(self) -> None:
        """End the connection at once, as a server that crashes does."""
        self._transport.abort()

    def pause_writing(self) -> None:
        """Take no more calls, because the client does not read its responses."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Take calls again."""
        self._is_paused = False
        self._work()

    def data_received(self, data: bytes) -> None:
        """Add the data to the input, and answer the complete calls."""
        if self._is_closing:
            return
        self._input = self._input + data if self._input else data
        self._work()

    def _work(self) -> None:
        """Answer the complete calls, until one has to wait."""
        while not (self._calling or self._is_paused or self._ending) and self._take_call():
            pass
        if self._ending:
            return
        # A client may pipeline calls without end, so the input is bounded.
        if (self._calling or self._is_paused) and len(self._input) > MAX_HEAD + self._max_body:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take_call(self) -> bool:
        """Answer the first call in the input; return True if there may be another."""
        if self._to_skip:
            skipped = min(self._to_skip, len(self._input))
            self._to_skip -= skipped
            self._input = self._input[skipped:]
        if not self._input or self._to_skip:
            return False
        head = self._head
        if head is None:
            head = self._take_head()
            if head is None:
                return False
            if head.length > (_MAX_OWN_BODY if kind_of(head.path) is None else self._max_body):
                self._refuse_body(head)
                return True
        if len(self._input) < head.length:
            if head.expects_continue and self._head is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._head = head
            return False
        self._head = None
        body, self._input = self._input[: head.length], self._input[head.length :]
        self._answer(head, body)
        return True

    def _take_head(self) -> Head | None:
        end = self._input.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0:
            if len(self._input) >= MAX_HEAD:
                self._refuse_head(BadHead(431, "The headers are too long"))
            return None
        try:
            head = self._shared.heads.read(self._input[:end])
        except BadHead as bad:
            self._refuse_head(bad)
            return None
        self._input = self._input[end + 4 :]
        return head

    def _refuse_head(self, bad: BadHead) -> None:
        """Send the error and end the connection, because the start of the next call is unknown."""
        self._write(refused(bad.status, str(bad)), closes=True)

    def _refuse_body(self, head: Head) -> None:
        """Answer before the body has arrived, and skip the body."""
        self._to_skip = head.length
        # After "Expect: 100-continue" a client may send the body or not. Ending the connection is clear either way.
        self._write(self._api.refuse_body(head), closes=head.closes or head.expects_continue)

    def _answer(self, head: Head, body: bytes) -> None:
        if kind_of(head.path) is None:
            is_ours = head.path.startswith("/sandbox/") or head.path == "/"
            self._write(control(self._api, head, body) if is_ours else NOT_FOUND, closes=head.closes)
            return
        self._calling = True
        self._api.began()
        response = self._api.answer(head, body)
        options = self._api.options
        delay = options.latency
        if options.jitter:
            delay += options.jitter * self._shared.delays.random()
        if delay and response != "reset":
            self._timer = self._shared.loop.call_later(delay, self._finish_late, head, response)
        else:
            self._finish(head, response)

    def _finish_late(self, head: Head, response: Response | Silence) -> None:
        self._timer = None
        self._finish(head, response)
        self._work()

    def _finish(self, head: Head, response: Response | Silence) -> None:
        if response == "hang":
            return
        self._calling = False
        self._api.ended()
        if isinstance(response, Response):
            self._write(response, closes=head.closes)
            return
        self._is_closing = True
        if response == "reset":
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _write(self, response: Response, *, closes: bool) -> None:
        self._transport.write(render(response, closes=closes))
        if closes:
            self._end_after_response()

    def _end_after_response(self) -> None:
        """Close our side, and drop further input.

        Closing a socket with unread bytes would reset the connection, and the client would lose the response.
        """
        self._is_closing = True
        self._input = b""
        self._transport.write_eof()
        self._timer = self._shared.loop.call_later(_LINGER_SECONDS, self._transport.close)


async def serve(api: Api, port: int, ready: Callable[[int, Callable[[], None]], None]) -> None:
    """Listen on 127.0.0.1 until stopped.

    `ready` gets the port and a function that stops the server. Any thread may call this, and more than once.
    Raises `SettingsError` if the port is not available.
    """
    shared = Shared(api)
    stopping = asyncio.Event()

    def stop() -> None:
        try:
            shared.loop.call_soon_threadsafe(stopping.set)
        # The loop has ended already.
        except RuntimeError:
            return

    try:
        server = await shared.loop.create_server(lambda: Connection(shared), HOST, port, backlog=1024)
    except OSError as error:
        raise SettingsError(f"port of the sandbox is {port}, which cannot be listened on: {error.strerror}") from error
    try:
        ready(server.sockets[0].getsockname()[1], stop)
        await stopping.wait()
    finally:
        server.close()
        # A connection that was just accepted registers now.
        await asyncio.sleep(0)
        while shared.connections:
            for connection in list(shared.connections):
                connection.abort()
            await asyncio.sleep(0)
