"""One message → one answer, over HTTP. Never raises for a row.

`requests` knows what people expect of proxies, CA bundles and client certificates, and finding all that out anew
for each call is most of what a call costs. So it is asked once, and every call then goes straight down the
connection pool that its adapter built.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from interakt_loader._version import __version__
from interakt_loader.errors import SettingsError
from interakt_loader.wire import PATHS, Answer, Kind, Message, authorization

LONGEST_BODY = 65_536
"""Bytes of an answer that are read; the API's own are a few hundred. The connection of a longer one is dropped."""

LONGEST_MESSAGE = 300

SHORTEST_SECRET = 6
"""Characters from which on a part of an answer can be told to be the key."""


class HttpTransport:
    """Calls the API at `base_url` with `api_key`. Thread-safe: up to `connections` calls at once keep theirs alive."""

    def __init__(self, base_url: str, api_key: str, *, timeout: float, connections: int) -> None:
        self._key_forms = _forms(api_key)
        base_url = base_url.rstrip("/")
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=len(PATHS), pool_maxsize=connections)
        self._session.mount(base_url, adapter)
        try:
            # the key goes in as `auth`, else a ~/.netrc entry for the host would take its place
            request = self._session.prepare_request(
                requests.Request("POST", base_url + PATHS["user"], auth=lambda r: _with_key(r, api_key))
            )
            ask = self._session.merge_environment_settings(base_url, {}, False, None, None)
            if isinstance(ask["verify"], str) and not Path(ask["verify"]).exists():
                raise SettingsError(f"the CA bundle {ask['verify']} does not exist")
            pool = adapter.get_connection_with_tls_context(
                request, ask["verify"], proxies=ask["proxies"], cert=ask["cert"]
            )
            self._target: dict[Kind, str] = {}
            for kind, path in PATHS.items():
                request.url = base_url + path
                self._target[kind] = adapter.request_url(request, ask["proxies"])
        except requests.RequestException as error:
            raise SettingsError(f"{base_url} cannot be called: {error}") from None
        self._pool = pool
        self._headers = {
            "Authorization": str(request.headers["Authorization"]),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"interakt-loader/{__version__}",
        }
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)

    def __repr__(self) -> str:
        return f"<HttpTransport to {self._pool.host}>"

    def send(self, message: Message) -> Answer:
        """Make one call and read its answer, within `timeout` to connect and `timeout` for each wait on the socket."""
        began = time.perf_counter()
        try:
            response = self._pool.urlopen(
                "POST",
                self._target[message.kind],
                body=message.body,
                headers=self._headers,
                retries=False,
                redirect=False,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer that says so
            return no_answer(error, time.perf_counter() - began)
        if response.status < 200:  # the real answer is still to come; nobody else may read it
            response.close()
            return broken_answer(response.status, None, time.perf_counter() - began)
        try:
            body = response.read(LONGEST_BODY)
            whole = len(body) < LONGEST_BODY and not response.length_remaining
        except Exception as error:  # noqa: BLE001 - likewise
            response.close()
            if 200 <= response.status < 300:
                return broken_answer(response.status, error, time.perf_counter() - began)
            body, whole = b"", True
        if not whole:
            response.close()
        if not body and response.status in (200, 201, 202) and not _says_how_long(response.headers):
            response.close()
            return broken_answer(response.status, None, time.perf_counter() - began)
        response.release_conn()
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        if any(form in body for form in self._key_forms):
            body = json.dumps({"result": False, "message": "(the answer repeats the key)"}).encode()
        return read_answer(response.status, body, time.perf_counter() - began, retry_after)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _with_key(request: requests.PreparedRequest, api_key: str) -> requests.PreparedRequest:
    request.headers["Authorization"] = authorization(api_key)
    return request


def _forms(api_key: str) -> list[bytes]:
    """Return what an answer must not show in a report: the key as given, as it travels, and decoded."""
    token = authorization(api_key).removeprefix("Basic ")
    forms = {api_key.strip(), token, token.rstrip("="), base64.b64decode(token).decode().rstrip(":")}
    return [one.encode() for one in forms if len(one) >= SHORTEST_SECRET]


def _says_how_long(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer's head came whole: without a length an empty body may be one that was cut off."""
    return "Content-Length" in headers or "Transfer-Encoding" in headers


def no_answer(error: Exception, seconds: float) -> Answer:
    """Translate what went wrong on the network; every foreign exception goes through here."""
    if isinstance(error, ProxyError):
        code, text, doubtful = "proxy_failed", "the proxy could not be used", False
    elif isinstance(error, NameResolutionError):
        code, text, doubtful = "unknown_host", "the host's name could not be resolved", False
    elif isinstance(error, NewConnectionError):  # before its parent, ConnectTimeoutError
        code, text, doubtful = "connection_failed", f"could not connect ({_reason(error)})", False
    elif isinstance(error, ConnectTimeoutError):
        code, text, doubtful = "connect_timeout", "no connection within the timeout", False
    elif isinstance(error, SSLError):
        # a handshake that fails comes before the call; a connection that ends without a goodbye may come after it
        doubtful = bool(error.args) and isinstance(error.args[0], (ssl.SSLEOFError, ssl.SSLZeroReturnError))
        code, text = "tls_failed", f"the TLS connection could not be made, trusted or kept ({error})"
    elif isinstance(error, ReadTimeoutError):
        code, text, doubtful = "timeout", "the call went out, and no answer came within the timeout", True
    elif isinstance(error, (HTTPError, OSError)):
        code, text, doubtful = "connection_lost", "the connection ended before an answer came", True
    else:
        code, text, doubtful = "unreadable_answer", f"the answer could not be read ({type(error).__name__})", True
    return Answer(False, None, code, _one_line(text), False, doubtful, seconds, time.time())


def broken_answer(status: int, error: Exception | None, seconds: float) -> Answer:
    """An answer that never came whole: it might have said `"result": false`, so nobody knows."""
    code = "timeout" if isinstance(error, ReadTimeoutError) else "unreadable_answer"
    return Answer(False, status, code, f"HTTP {status}, and the answer broke off", True, True, seconds, time.time())


def _reason(error: NewConnectionError) -> str:
    cause = error.__cause__ or error.__context__
    return cause.strerror or str(cause) if isinstance(cause, OSError) else "refused"


_CODES = {
    400: "rejected",
    401: "key_refused",
    403: "plan_without_api",
    404: "not_found",
    408: "server_timeout",
    413: "too_large",
    429: "rate_limited",
}


def read_answer(status: int, body: bytes, seconds: float, retry_after: float | None = None) -> Answer:
    """Judge an HTTP answer: any status, any bytes; a body that is not JSON is no crash.

    A 2xx is success unless its body says `"result": false`, or is something else than what an API says (a
    gateway's or a captive portal's page): then nobody knows whether the call was taken.
    """
    said = _json_object(body)
    message = _message(said, body)
    at = time.time()
    if 200 <= status < 300:
        if said is None and body.strip():
            text = f"HTTP {status} with a body that is not the API's: {message}"
            return Answer(False, status, "unreadable_answer", text, True, True, seconds, at, retry_after, body)
        if said is not None and said.get("result") is False:
            return Answer(False, status, "rejected", message, True, False, seconds, at, retry_after, body)
        return Answer(True, status, None, message, True, False, seconds, at, retry_after, body)
    if status >= 500:
        code = "server_error"
    elif status == 403 and said is None:
        code = "forbidden"  # not the API's words: a firewall's, about this one call
    elif 300 <= status < 400:
        code, message = "redirected", f"HTTP {status}: the server points elsewhere, which is not followed: {message}"
    else:
        code = _CODES.get(status, "rejected")
    # 502 and 504 are a gateway's words about somebody behind it, who may have taken the call all the same
    doubtful = status in (502, 504)
    return Answer(False, status, code, message or f"HTTP {status}", True, doubtful, seconds, at, retry_after, body)


def parse_retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or an HTTP date); None if it is neither."""
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (until - (now or dt.datetime.now(dt.timezone.utc))).total_seconds())


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _message(said: dict[str, object] | None, body: bytes) -> str:
    if said is not None:
        message = said.get("message", "")
        return _one_line(message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))
    text = body[:4096].decode("utf-8", "replace")
    title = re.search(r"<title>([^<]{1,200})", text, re.IGNORECASE)
    return _one_line(title[1] if title else text)


def _one_line(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # half an emoji, which no UTF-8 can hold
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip()
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"
