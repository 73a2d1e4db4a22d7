"""The way to the API, found once for the whole load, and the head of each call."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from interakt_loader._version import __version__
from interakt_loader.errors import SettingsError
from interakt_loader.model import PATHS, PLAIN_ADDRESS, Kind, authorization
from interakt_loader.privacy.secrets import Secret
from interakt_loader.transport.responses import NotConnected

if TYPE_CHECKING:
    from interakt_loader.transport.pool import Pool


class Route:
    """The way to the API at `base_url`: proxy and CA bundle as `requests` finds them.

    Raises `SettingsError` if `requests` cannot use them.
    """

    def __init__(self, base_url: str, api_key: Secret, timeout: float, connections: int) -> None:
        self.timeout = timeout
        """Seconds to wait for a connection, and for each wait on it."""
        self._base_url, self._key = base_url.rstrip("/"), api_key
        _check_that_ca_bundle_exists()
        self._pool = None if is_direct(base_url) else _pool(self._base_url, timeout, connections)
        self.heads: dict[Kind, Head] = {kind: self.head("POST", path) for kind, path in PATHS.items()}
        """The head of each kind of call."""

    def connect(self) -> socket.socket:
        """Return a new connection, through the proxy and with TLS where needed. Its waits time out.

        Raises `NotConnected` or an exception of urllib3, which `responses.not_connected` translates. No call was sent
        then.
        """
        if self._pool is not None:
            return self._pool.connect()
        parts = urlsplit(self._base_url)
        try:
            connected = socket.create_connection((parts.hostname, parts.port or 80), self.timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise NotConnected from error
        return connected

    def head(self, method: str, path: str) -> Head:
        """Return the head of the calls to a path of the API, which may have a query."""
        url = self._base_url + path
        parts = urlsplit(url)
        forwarder = self._pool if self._pool is not None and self._pool.is_forwarded else None
        target = url if forwarder is not None else urlunsplit(("", "", parts.path, parts.query, ""))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"interakt-loader/{__version__}",
        }
        # a proxy that forwards the call needs its own headers; a tunnel got them when it was built
        if forwarder is not None:
            headers |= forwarder.proxy_headers
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        if parts.port not in (None, {"http": 80, "https": 443}[parts.scheme]):
            host += f":{parts.port}"
        return Head(f"{method} {target} HTTP/1.1", host, self._key, headers)


def check_environment(base_url: str) -> None:
    """Raise `SettingsError` if the environment's proxy or CA bundle for this address cannot be used."""
    _check_that_ca_bundle_exists()
    if not is_direct(base_url):
        from interakt_loader.transport.pool import read_environment

        read_environment(base_url)


def is_direct(base_url: str) -> bool:
    """Return True for an address without TLS, if `requests` would find no proxy for any address.

    Then neither `requests` nor urllib3 is imported, which takes 60 ms. On macOS and Windows, the system may have a
    proxy that the environment does not name.
    """
    return (
        base_url.startswith("http:")
        and PLAIN_ADDRESS.fullmatch(base_url) is not None
        and sys.platform not in ("darwin", "win32", "cygwin")
        and not any(name.lower().endswith("_proxy") for name in os.environ)
    )


def _check_that_ca_bundle_exists() -> None:
    """Raise `SettingsError` if the CA bundle that `requests` would find does not exist."""
    path = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if path and not Path(path).exists():
        raise SettingsError(f"the CA bundle {Path(path)} does not exist")


def _pool(base_url: str, timeout: float, connections: int) -> Pool:
    from interakt_loader.transport.pool import Pool

    return Pool(base_url, timeout, connections)


class Head:
    """The head of the calls to one endpoint, without the length of the body. Holds the key, so it shows nothing."""

    __slots__ = ("_head",)

    def __init__(self, request_line: str, host: str, key: Secret, headers: dict[str, str]) -> None:
        """Take the request line, the Host and the other headers. The key becomes the Authorization header."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"{request_line}\r\nHost: {host}\r\nAuthorization: {authorization(key)}\r\n{lines}Content-Length: "
        ).encode("latin-1")

    def __repr__(self) -> str:
        return "<Head>"

    def __reduce__(self) -> str:
        raise TypeError("a head holds the key, and does not go into a pickle")

    def before(self, body: bytes) -> memoryview:
        """Return the bytes of a call. A traceback does not show what is in a `memoryview`."""
        return memoryview(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
