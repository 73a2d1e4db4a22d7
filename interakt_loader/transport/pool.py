"""The way to the API that `requests` finds: proxy, CA bundle and TLS; and connections that are made on it."""

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

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from interakt_loader.errors import SettingsError
from interakt_loader.model import PATHS
from interakt_loader.sending.retry_policy import TUNNEL_TIMEOUTS
from interakt_loader.settings.values import is_this_machine


class Pool:
    """Makes connections to the API at `base_url` as `requests` does: proxy, CA bundle and TLS.

    Raises `SettingsError` if `requests` cannot use what it finds.
    """

    def __init__(self, base_url: str, timeout: float, connections: int) -> None:
        self._timeout = timeout
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
            self.is_forwarded = "://" in adapter.request_url(request, proxies)
            """A proxy forwards the calls, so it gets whole addresses and headers of its own."""
        except requests.RequestException as error:
            raise SettingsError(f"{base_url} cannot be called: {error}") from None
        self._pool.ConnectionCls = _handing_over(self._pool.ConnectionCls)

    @property
    def proxy_headers(self) -> dict[str, str]:
        """The headers for the proxy."""
        return dict(self._pool.proxy_headers)

    def connect(self) -> socket.socket:
        """Return a new connection. Raises exceptions of urllib3."""
        try:
            self._pool.urlopen(
                "POST", "/", retries=False, timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout)
            )
        except _Connected as connected:
            connected.socket.settimeout(self._timeout)
            return connected.socket
        raise AssertionError("the pool has made the call itself")


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
    # opening the file takes longer than all other checks
    if isinstance(found["verify"], str) and base_url.lower().startswith("https:"):
        _check_ca_bundle(Path(found["verify"]))
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


def _check_ca_bundle(path: Path) -> None:
    """Raise `SettingsError` if the CA bundle that `requests` found holds no certificates."""
    if path.is_dir():
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
