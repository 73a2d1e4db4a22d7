"""The way to the API: proxy, CA bundle and TLS, found once as `requests` finds them; and the head of each call."""

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
from urllib.parse import urlsplit, urlunsplit

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
from interakt_loader.sending.retry_policy import TUNNEL_TIMEOUTS
from interakt_loader.settings.values import is_this_machine


class Route:
    """The way to the API at `base_url`: proxy and CA bundle as `requests` finds them.

    Raises `SettingsError` if `requests` cannot use them.
    """

    def __init__(self, base_url: str, api_key: Secret, timeout: float, connections: int) -> None:
        self.timeout = timeout
        """Seconds to wait for a connection, and for each wait on it."""
        self.heads: dict[Kind, Head] = {}
        """The head of each kind of call."""
        base_url = base_url.rstrip("/")
        session = requests.Session()
        # the pool warns if more connections are made at once
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
        session.mount(base_url, adapter)
        try:
            # `requests` does not get the key; without `auth` it would look for one in ~/.netrc
            request = session.prepare_request(
                requests.Request("POST", base_url + PATHS["user"], auth=lambda request: request)
            )
            proxies, verify = read_environment(base_url)
            self._pool = adapter.get_connection_with_tls_context(request, verify, proxies=proxies)
            # a proxy that forwards the calls gets whole addresses
            self._is_forwarded = "://" in adapter.request_url(request, proxies)
            self._base_url, self._key = base_url, api_key
            for kind, path in PATHS.items():
                self.heads[kind] = self.head("POST", path)
        except requests.RequestException as error:
            raise SettingsError(f"{base_url} cannot be called: {error}") from None
        self._pool.ConnectionCls = _handing_over(self._pool.ConnectionCls)

    def connect(self) -> socket.socket:
        """Return a new connection, through the proxy and with TLS where needed. Its waits time out.

        Raises exceptions of urllib3, which `responses.not_connected` translates. No call was sent then.
        """
        try:
            self._pool.urlopen(
                "POST", "/", retries=False, timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout)
            )
        except _Connected as connected:
            connected.socket.settimeout(self.timeout)
            return connected.socket
        raise AssertionError("the pool has made the call itself")

    def head(self, method: str, path: str) -> Head:
        """Return the head of the calls to a path of the API, which may have a query."""
        url = self._base_url + path
        parts = urlsplit(url)
        target = url if self._is_forwarded else urlunsplit(("", "", parts.path, parts.query, ""))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"interakt-loader/{__version__}",
        }
        # a proxy that forwards the call needs its own headers; a tunnel got them when it was built
        if self._is_forwarded:
            headers |= self._pool.proxy_headers
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        if parts.port not in (None, {"http": 80, "https": 443}[parts.scheme]):
            host += f":{parts.port}"
        return Head(f"{method} {target} HTTP/1.1", host, self._key, headers)


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


# ---------------------------------------------------------------------- what the environment says

_WEB = ("http", "https")
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_NAME = re.compile(r"[\w.-]+")
_EXPECTED = "expected an address such as http://proxy.example:3128"
_PASSWORD = "; in its user name and password write %40 for @, %3A for :, %2F for /, %23 for #, %3F for ?"  # noqa: S105


class Environment(NamedTuple):
    """The proxies and the CA bundle for calls to one address."""

    proxies: dict[str, str]
    verify: bool | str
    """A CA bundle's path. True: the authorities that `requests` knows."""


def read_environment(base_url: str) -> Environment:
    """Return what `requests` finds for this address. Raises `SettingsError` if that cannot be used.

    No message repeats a proxy's address: a password may be anywhere in it, after a typing mistake.
    """
    found = requests.Session().merge_environment_settings(base_url, {}, stream=False, verify=None, cert=None)
    if isinstance(found["verify"], str):
        _check_ca_bundle(Path(found["verify"]), is_used=base_url.lower().startswith("https:"))
    return Environment(_usable_proxies(base_url, found["proxies"]), found["verify"])


def _usable_proxies(base_url: str, proxies: dict[str, str]) -> dict[str, str]:
    """Return those of the proxies through which `base_url` may be called.

    An `http://` address is this machine, and no other machine may see the key. So it only uses proxies of this machine.
    Raises `SettingsError` if the proxy for this address cannot be used.
    """
    address = select_proxy(base_url, proxies)
    if not address:
        return proxies
    problem = _proxy_problem(address)
    if problem is not None:
        scheme = base_url.partition(":")[0].lower()
        key = scheme if scheme in proxies else "all"
        names = (f"{key}_proxy", f"{key.upper()}_PROXY")
        variable = next((name for name in names if os.environ.get(name)), f"the system's proxy for {scheme}")
        raise SettingsError(f"{variable}: {problem}{_PASSWORD if '@' in address and _EXPECTED in problem else ''}")
    if base_url.lower().startswith("https:"):
        return proxies
    return {key: proxy for key, proxy in proxies.items() if proxy == address and is_this_machine(host_of(address))}


def _proxy_problem(address: str) -> str | None:
    """Return why an address cannot be a proxy's, without repeating it; None if it can."""
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


def _check_ca_bundle(path: Path, *, is_used: bool) -> None:
    """Raise `SettingsError` if the CA bundle that `requests` found does not exist or holds no certificates.

    The file is opened only if the connection uses it, because that takes longer than all other checks.
    """
    if not path.exists():
        raise SettingsError(f"the CA bundle {path} does not exist")
    if not is_used or path.is_dir():
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise SettingsError(f"the CA bundle {path} holds no certificates; expected a file in PEM form") from None
    except OSError as error:
        raise SettingsError(f"the CA bundle {path} cannot be read: {error.strerror or error}") from None


def host_of(address: str) -> str:
    """Return the host of an address, without the brackets of IPv6."""
    return (parse_url(prepend_scheme_if_needed(address, "http")).host or "").strip("[]")


# ---------------------------------------------------------------------- connections from the pool of `requests`


class _Connected(BaseException):
    """Carries a connection out of the pool."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self.socket = connected


def _handing_over(made_by_pool: Any) -> Any:
    """Return a class of connections that connect like the pool's own, and are then handed over instead of used.

    urllib3 has no other public way to a connection with the tunnel, TLS and all checks done.
    """

    class HandingOver(made_by_pool):  # type: ignore[misc]
        sock: Any

        def connect(self) -> None:
            # without a proxy, no step of connecting can take longer than its timeout
            if self.proxy is None:
                super().connect()
                return
            done, self.late = threading.Event(), threading.Event()
            # RuntimeError: the interpreter is ending. Better to send unwatched than not at all
            with contextlib.suppress(RuntimeError):
                threading.Thread(target=self.watch, args=(done,), name="interakt-proxy-watch", daemon=True).start()
            try:
                super().connect()
            except Exception:
                if not self.late.is_set():
                    raise
            finally:
                done.set()
            self.refuse_if_late()

        def watch(self, done: threading.Event) -> None:
            while not done.wait(TUNNEL_TIMEOUTS * self.timeout):
                self.late.set()
                # there may be no socket yet, or it is being replaced by one with TLS
                with contextlib.suppress(OSError, AttributeError):
                    _end(self.sock.fileno())

        def _tunnel(self) -> None:
            try:
                super()._tunnel()
            except http.client.HTTPException as error:
                # urllib3 would report a lost connection
                raise urllib3.exceptions.ProxyError("the proxy's answer cannot be read", error) from error
            # before TLS begins, which would leave the socket open after a shutdown
            self.refuse_if_late()

        def refuse_if_late(self) -> None:
            if self.late.is_set():
                self.close()
                raise urllib3.exceptions.ConnectTimeoutError(self, "the proxy's tunnel took too long")

        def request(self, *_: Any, **__: Any) -> None:
            # without TLS, urllib3 expects this method to connect
            if self.sock is None:
                self.connect()
            # the pool closes the socket that it still holds
            connected, self.sock = self.sock, None
            raise _Connected(connected)

    return HandingOver


def _end(handle: int) -> None:
    """End a connection from another thread, whatever its class: TLS, gevent and eventlet have their own."""
    with contextlib.closing(_socket.socket(fileno=_socket.dup(handle))) as same:
        same.shutdown(socket.SHUT_RDWR)
