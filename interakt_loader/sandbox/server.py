"""The sandbox's page: what came, as a CRM's dashboard would show it. Static files; the data come from /sandbox/.

The sandbox's own endpoints, / and /sandbox/: read back what came, change faults. No key; this machine only.

The sockets: one asyncio protocol for each connection, around an `Api`.

asyncio turns Nagle's algorithm off on every TCP connection, and each answer is one write: no 40 ms waits.
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
from interakt_loader.sandbox.api import PATHS, Api, Silence
from interakt_loader.sandbox.http import (
    MAX_HEAD,
    NOT_FOUND,
    BadHead,
    Head,
    HeadReader,
    Reply,
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
"""What was sent here is shown as text; should the page have a hole all the same, nothing else would run or load."""


@cache
def page_file(path: str) -> Reply:
    """Return the file that is shown at one of the paths of `FILES`."""
    name, content_type = FILES[path]
    content = (importlib.resources.files(__package__) / "assets" / name).read_bytes()
    return Reply(200, content, content_type, _HEADERS)


PAGE = 1000
"""Records in an answer if the call says no limit; a longer answer would hold up the calls beside it."""


def control(api: Api, head: Head, body: bytes) -> Reply:
    """Answer a call to a path under /sandbox/, or for the page."""
    # A web page could reach 127.0.0.1 under a name of its own; what was sent here may be real people's data.
    if head.host.rpartition(":")[0] not in ("127.0.0.1", "localhost") and head.host not in ("127.0.0.1", "localhost"):
        return refused(403, "The sandbox's own endpoints are for 127.0.0.1 and localhost")
    try:
        if head.method == "GET":
            return _read(api, head.path, parse_qs(head.query, keep_blank_values=True))
        if head.method == "POST":
            return _change(api, head.path, body)
    except (ValueError, TypeError, AttributeError) as error:  # SettingsError is a ValueError
        return refused(400, str(error))
    return refused(405, f'Method "{head.method}" not allowed.', "Allow: GET, POST\r\n")


def _read(api: Api, path: str, query: dict[str, list[str]]) -> Reply:
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
    if path == "/sandbox/arrivals":
        return as_json(api.arrivals())
    if path == "/sandbox/stats":
        return as_json(asdict(api.stats()))
    return NOT_FOUND


def _records(records: Iterable[Any]) -> Reply:
    return as_json([record._asdict() for record in records])


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name} is {text!r}; expected a whole number")
    return int(text)


def _change(api: Api, path: str, body: bytes) -> Reply:
    if path == "/sandbox/reset":
        api.reset()
        return as_json({"result": True})
    if path not in ("/sandbox/faults", "/sandbox/key"):
        return NOT_FOUND
    change = json.loads(body)
    if path == "/sandbox/key":
        api.renew_key(change["api_key"])
        return as_json({"result": True})
    unknown = change.keys() - {"faults", "force", "force_for"}
    if unknown:
        raise SettingsError(f"{', '.join(sorted(unknown))}: expected faults, force or force_for")
    if "faults" in change:
        api.set_faults(change["faults"])
    api.force(change.get("force", ()))
    for identity, kinds in change.get("force_for", {}).items():
        api.force_for(identity, kinds)
    return as_json({"result": True})


HOST = "127.0.0.1"

_LINGER_SECONDS = 1.0
"""How long a refused connection stays open for reading, so that the client gets to see the refusal."""

_MAX_OWN_BODY = 16 * 1024 * 1024
"""Bytes of a body for the sandbox's own endpoints: a long script of faults."""

_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Shared:
    """What the connections of one server have in common."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.heads = HeadReader()
        self.connections: set[Connection] = set()
        self.delays = random.Random(api.options.seed)  # noqa: S311 - delays that come again are wanted
        self.loop = asyncio.get_running_loop()


class Connection(asyncio.Protocol):
    """One client connection: its calls are answered one by one, in their order."""

    _transport: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._api = shared.api
        self._max_body = shared.api.options.max_body
        self._input = b""
        self._head: Head | None = None  # of the call whose body is not there yet
        self._to_skip = 0  # bytes of a body that is too long
        self._calling = False  # a call has arrived and waits for its answer
        self._timer: asyncio.TimerHandle | None = None
        self._clogged = False
        self._deaf = False  # the connection is about to end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to be known."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._shared.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Let go of a call that nobody waits for any more."""
        self._shared.connections.discard(self)
        self._deaf = True
        if self._timer is not None:
            self._timer.cancel()
        if self._calling:
            self._calling = False
            self._api.ended()

    @property
    def _ending(self) -> bool:
        return self._deaf or self._transport.is_closing()

    def abort(self) -> None:
        """End the connection at once, as a server that goes down does."""
        self._transport.abort()

    def pause_writing(self) -> None:
        """Take no more calls: the client does not read its answers."""
        self._clogged = True

    def resume_writing(self) -> None:
        """Go on."""
        self._clogged = False
        self._work()

    def data_received(self, data: bytes) -> None:
        """Take in what has come, and answer it as far as it is whole."""
        if self._deaf:
            return
        self._input = self._input + data if self._input else data
        self._work()

    def _work(self) -> None:
        """Answer the calls that have arrived whole, as far as nothing has to be waited for."""
        while not (self._calling or self._clogged or self._ending) and self._take_call():
            pass
        if self._ending:
            return
        # A client may send calls ahead without end: what waits here is bounded.
        if (self._calling or self._clogged) and len(self._input) > MAX_HEAD + self._max_body:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take_call(self) -> bool:
        """Take one call off the input and answer it; return whether there may be another."""
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
            if head.length > (self._max_body if head.path in PATHS else _MAX_OWN_BODY):
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
        """Say what is wrong and end the connection: where the next call begins cannot be known."""
        self._transport.write(render(refused(bad.status, str(bad)), closes=True))
        self._end_softly()

    def _refuse_body(self, head: Head) -> None:
        """Answer before the body is there, read past it, and go on."""
        self._to_skip = head.length
        # A client that asks first may or may not send the body now: only the end of the connection is clear.
        self._write(self._api.refuse_body(head), head.closes or head.expects_continue)

    def _answer(self, head: Head, body: bytes) -> None:
        if head.path not in PATHS:
            own = head.path.startswith("/sandbox/") or head.path == "/"
            self._write(control(self._api, head, body) if own else NOT_FOUND, head.closes)
            return
        self._calling = True
        self._api.began()
        reply = self._api.answer(head, body)
        options = self._api.options
        delay = options.latency
        if options.jitter:
            delay += options.jitter * self._shared.delays.random()
        if delay and reply != "reset":
            self._timer = self._shared.loop.call_later(delay, self._finish_late, reply, head.closes)
        else:
            self._finish(reply, head.closes)

    def _finish_late(self, reply: Reply | Silence, closes: bool) -> None:
        self._timer = None
        self._finish(reply, closes)
        self._work()

    def _finish(self, reply: Reply | Silence, closes: bool) -> None:
        if reply == "hang":
            return
        self._calling = False
        self._api.ended()
        if isinstance(reply, Reply):
            self._write(reply, closes)
            return
        self._deaf = True
        if reply == "reset":
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _write(self, reply: Reply, closes: bool) -> None:
        self._transport.write(render(reply, closes=closes))
        if closes:
            self._end_softly()

    def _end_softly(self) -> None:
        """End our half and drop what still comes; closing on unread bytes would reset the answer away."""
        self._deaf = True
        self._input = b""
        self._transport.write_eof()
        self._timer = self._shared.loop.call_later(_LINGER_SECONDS, self._transport.close)


async def serve(api: Api, port: int, ready: Callable[[int, Callable[[], None]], None]) -> None:
    """Listen on 127.0.0.1 until told to stop.

    `ready` gets the port and the function that stops it, which may be called from any thread and more than once.
    Raises `SettingsError` if the port cannot be had.
    """
    shared = Shared(api)
    stopping = asyncio.Event()

    def stop() -> None:
        try:
            shared.loop.call_soon_threadsafe(stopping.set)
        except RuntimeError:  # the loop has ended already
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
        await asyncio.sleep(0)  # a connection that was just taken in gets its turn to be known
        while shared.connections:
            for connection in list(shared.connections):
                connection.abort()
            await asyncio.sleep(0)
