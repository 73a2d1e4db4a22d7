"""Where the calls go, and how: asked of `requests` once, and every connection then made by its adapter's pool."""

from __future__ import annotations

import _socket
import contextlib
import http.client
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from interakt_loader._version import __version__
from interakt_loader.errors import SettingsError
from interakt_loader.safety.secret import Secret
from interakt_loader.transport.environment import read_environment
from interakt_loader.transport.head import Head
from interakt_loader.wire import PATHS, Kind

LONGEST_TUNNEL = 3.0
"""Timeouts that a proxy may take until its tunnel is there: each wait for more of its words has one of its own."""


class Route:
    """The way to the API at `base_url`: proxy and CA bundle as `requests` finds them.

    Raises `SettingsError` when `requests` can make nothing of them.
    """

    def __init__(self, base_url: str, api_key: Secret, timeout: float, connections: int) -> None:
        self.timeout = timeout
        """Seconds to wait for a connection, and for each wait on it."""
        self.heads: dict[Kind, Head] = {}
        """What each call begins with."""
        base_url = base_url.rstrip("/")
        session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)  # more at once, and it warns
        session.mount(base_url, adapter)
        try:
            # `auth`, though the key is no business of `requests`: else it would look for one in ~/.netrc
            request = session.prepare_request(
                requests.Request("POST", base_url + PATHS["user"], auth=lambda request: request)
            )
            proxies, verify = read_environment(base_url)
            self._pool = adapter.get_connection_with_tls_context(request, verify, proxies=proxies)
            for kind, path in PATHS.items():
                request.url = base_url + path
                target = adapter.request_url(request, proxies)
                self.heads[kind] = self._head(target, request.url, api_key)
        except requests.RequestException as error:
            raise SettingsError(f"{base_url} cannot be called: {error}") from None
        self._pool.ConnectionCls = _handing_over(self._pool.ConnectionCls)

    def connect(self) -> socket.socket:
        """Return a new connection, through the proxy and with TLS where that is so; its waits time out.

        Raises what urllib3 raises (`judgement.not_connected` knows all of it); no call went out then.
        """
        try:
            self._pool.urlopen(
                "POST", "/", retries=False, timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout)
            )
        except _Connected as connected:
            connected.socket.settimeout(self.timeout)
            return connected.socket
        raise AssertionError("the pool has made the call itself")

    def _head(self, target: str, url: str, api_key: Secret) -> Head:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"interakt-loader/{__version__}",
        }
        if "://" in target:  # a proxy passes the call on, and wants to know who asks; for a tunnel it has been told
            headers |= self._pool.proxy_headers
        return Head(f"POST {target} HTTP/1.1", _host(url), api_key, headers)


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{parts.port}"


def _end(handle: int) -> None:
    """End a connection from another thread, whatever class of socket holds it: TLS, gevent and eventlet have others."""
    with contextlib.closing(_socket.socket(fileno=_socket.dup(handle))) as same:
        same.shutdown(socket.SHUT_RDWR)


class _Connected(BaseException):
    """Carries a connection out of the pool."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self.socket = connected


def _handing_over(made_by_pool: Any) -> Any:
    """Return a class of connections that connect as the pool's own do, and then are handed over instead of used.

    urllib3 has no other public way to a connection on which the tunnel, TLS and all checks are done.
    """

    class HandingOver(made_by_pool):  # type: ignore[misc]
        sock: Any

        def connect(self) -> None:
            if self.proxy is None:  # then no step to the connection can be dragged out
                super().connect()
                return
            there, self.late = threading.Event(), threading.Event()
            with contextlib.suppress(RuntimeError):  # the interpreter is ending: better unwatched than unsent
                threading.Thread(target=self.watch, args=(there,), name="interakt-proxy-watch", daemon=True).start()
            try:
                super().connect()
            except Exception:
                if not self.late.is_set():
                    raise
            finally:
                there.set()
            self.refuse_if_late()

        def watch(self, there: threading.Event) -> None:
            while not there.wait(LONGEST_TUNNEL * self.timeout):
                self.late.set()
                with contextlib.suppress(OSError, AttributeError):  # no socket yet, or one that is changing into TLS
                    _end(self.sock.fileno())

        def _tunnel(self) -> None:
            try:
                super()._tunnel()
            except http.client.HTTPException as error:  # urllib3 would call it a lost connection
                raise urllib3.exceptions.ProxyError("the proxy's answer cannot be read", error) from error
            self.refuse_if_late()  # before TLS begins, which leaves a socket open where the other one is shut down

        def refuse_if_late(self) -> None:
            if self.late.is_set():
                self.close()
                raise urllib3.exceptions.ConnectTimeoutError(self, "the proxy's tunnel took too long")

        def request(self, *_: Any, **__: Any) -> None:
            if self.sock is None:  # without TLS, urllib3 leaves it to this method to connect
                self.connect()
            connected, self.sock = self.sock, None  # the pool closes what it still holds
            raise _Connected(connected)

    return HandingOver
