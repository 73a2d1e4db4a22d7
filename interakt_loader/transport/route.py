"""What the environment says about the way to the API: proxies and CA bundles that can be used, or one line why not.

No message repeats a proxy's address: a password may stand in it, wherever a typing mistake has put it.

What each call begins with. The key stands in it, so it shows itself nowhere, and goes straight to the socket.

Where the calls go, and how: asked of `requests` once, and every connection then made by its adapter's pool.
"""

from __future__ import annotations

import _socket
import contextlib
import http.client
import importlib.util
import os
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from interakt_loader._version import __version__
from interakt_loader.errors import SettingsError
from interakt_loader.model import PATHS, Kind, authorization
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.values import is_this_machine

_WEB = ("http", "https")
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_NAME = re.compile(r"[\w.-]+")
_EXPECTED = "expected an address such as http://proxy.example:3128"
_PASSWORD = "; in its user name and password write %40 for @, %3A for :, %2F for /, %23 for #, %3F for ?"  # noqa: S105


class Environment(NamedTuple):
    """What holds for calls of one address."""

    proxies: dict[str, str]
    verify: bool | str
    """A CA bundle's path; True: those authorities that `requests` knows."""


def read_environment(base_url: str) -> Environment:
    """Return what `requests` finds for this address. Raises `SettingsError` where that makes no sense."""
    found = requests.Session().merge_environment_settings(base_url, {}, False, None, None)
    _check_ca_bundle(found["verify"], is_used=base_url.lower().startswith("https:"))
    return Environment(_usable_proxies(base_url, found["proxies"]), found["verify"])


def _usable_proxies(base_url: str, proxies: dict[str, str]) -> dict[str, str]:
    """Return the proxies, of those that `requests` has found, through which `base_url` may be called.

    Plain `http://` is for this machine, and no other one may see the key pass: it takes proxies that are here. Raises
    `SettingsError` where the proxy for this address makes no sense.
    """
    address = select_proxy(base_url, proxies)
    if not address:
        return proxies
    name = _variable(base_url, proxies)
    wrong = _wrong_with(address)
    if wrong is not None:
        raise SettingsError(f"{name}: {wrong}{_PASSWORD if '@' in address and _EXPECTED in wrong else ''}")
    if base_url.lower().startswith("https:"):
        return proxies
    return {key: one for key, one in proxies.items() if one == address and is_this_machine(host_of(address))}


def _check_ca_bundle(verify: bool | str, *, is_used: bool) -> None:
    """Raise `SettingsError` where `requests` is to trust a file that is not there, or that holds no certificates.

    The file is opened only if the connection uses it: that takes longer than to start the rest.
    """
    if not isinstance(verify, str):
        return
    if not Path(verify).exists():
        raise SettingsError(f"the CA bundle {verify} does not exist")
    if not is_used or Path(verify).is_dir():
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(verify)
    except ssl.SSLError:
        raise SettingsError(f"the CA bundle {verify} holds no certificates; expected a file in PEM form") from None
    except OSError as error:
        raise SettingsError(f"the CA bundle {verify} cannot be read: {error.strerror or error}") from None


def _variable(base_url: str, proxies: dict[str, str]) -> str:
    scheme = base_url.partition(":")[0].lower()
    key = scheme if scheme in proxies else "all"
    names = (f"{key}_proxy", f"{key.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), f"the system's proxy for {scheme}")


def _wrong_with(address: str) -> str | None:
    """Say why an address can be no proxy's, without repeating it; None if it can."""
    try:
        url = parse_url(prepend_scheme_if_needed(address, "http"))
        (url.host or "").encode("idna")
    except (HTTPError, ValueError, TypeError):
        return f"this proxy's address cannot be read; {_EXPECTED}"
    if "://" not in address and (url.scheme != "http" or url.port is None or url.path not in (None, "", "/")):
        return f"this proxy's address does not begin with http://; {_EXPECTED}"
    if url.scheme not in (*_WEB, *_SOCKS):
        return f"this proxy's address begins with none of {', '.join(_WEB + _SOCKS)}; {_EXPECTED}"
    if not url.host or not (url.host.startswith("[") or _NAME.fullmatch(url.host)):
        return f"this proxy's address names no host; {_EXPECTED}"
    if url.port == 0:
        return f"this proxy's address has the port 0; {_EXPECTED}"
    if url.scheme in _SOCKS and importlib.util.find_spec("socks") is None:
        return "this proxy speaks SOCKS, which needs another package: pip install pysocks"
    return None


def host_of(address: str) -> str:
    """Return the host of an address, without the brackets of IPv6."""
    return (parse_url(prepend_scheme_if_needed(address, "http")).host or "").strip("[]")


class Head:
    """The head of the calls to one endpoint, but for the length of the body."""

    __slots__ = ("_head",)

    def __init__(self, first_line: str, host: str, key: Secret, headers: dict[str, str]) -> None:
        """Take the request line, the Host and the other headers; the key goes in as Authorization."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"{first_line}\r\nHost: {host}\r\nAuthorization: {authorization(key)}\r\n{lines}Content-Length: "
        ).encode("latin-1")

    def __repr__(self) -> str:
        return "<Head>"

    def __reduce__(self) -> str:
        raise TypeError("a head holds the key, and does not go into a pickle")

    def before(self, body: bytes) -> memoryview:
        """Return the bytes of a call; of a `memoryview`, no traceback shows what is in it."""
        return memoryview(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))


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
