"""The loader's transport does what `requests` does: the same claims for both, over real sockets and real TLS."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
import requests
import trustme

from interakt_loader.model import PATHS, Message, authorization
from interakt_loader.transport import HttpTransport
from tests.transport.servers import ACCEPTED, Proxy, Server

KEY = "a-key-of-ours"
BODY = b'{"userId": "1", "traits": {}}'
CHUNKED = (
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9\r\n{"result"\r\n7;of=two\r\n: true}\r\n0\r\nX: y\r\n\r\n'
)


class Way(Protocol):
    """A client that makes calls."""

    def call(self) -> str:
        """Make a call; return the answer's status, or a code for what came instead."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Plain:
    """`requests`, used in the normal way."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url + PATHS["user"], timeout
        self._session = requests.Session()

    def call(self) -> str:
        try:
            answer = self._session.post(
                self._url,
                BODY,
                headers={"Content-Type": "application/json"},
                auth=_with_key,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.ProxyError:
            return "proxy_failed"
        except requests.exceptions.SSLError:
            return "tls_failed"
        except requests.exceptions.ConnectTimeout:
            return "connect_timeout"
        except requests.exceptions.ReadTimeout:
            return "timeout"
        except requests.exceptions.ConnectionError as error:
            return "tls_failed" if "alert" in str(error) else "connection_failed"
        return str(answer.status_code)

    def close(self) -> None:
        self._session.close()


def _with_key(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = authorization(KEY)
    return request


class Lean:
    """The loader's transport."""

    def __init__(self, url: str, timeout: float) -> None:
        self._transport = HttpTransport(url, KEY, timeout=timeout, connections=2)

    def call(self) -> str:
        answer = self._transport.send(Message(0, "user", "1", BODY))
        if answer.code == "certificate_untrusted":  # `requests` does not tell the two apart
            return "tls_failed"
        return str(answer.http_status or answer.code)

    def close(self) -> None:
        self._transport.close()


Open = Callable[..., Way]


@pytest.fixture(params=[Plain, Lean])
def way(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return a function that opens one of the two clients for a URL. They are closed at the end."""
    with ExitStack() as stack:

        def opened(url: str, timeout: float = 5.0) -> Way:
            made: Way = request.param(url, timeout)
            stack.callback(made.close)
            return made

        yield opened


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle but those of the test."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that is not trusted."""
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate, as a CA bundle."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def context(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


# ---------------------------------------------------------------------- TLS


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_is_trusted(
    way: Open, authority: trustme.CA, bundle: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either variable names the trusted CAs, and many calls use one connection."""
    monkeypatch.setenv(variable, str(bundle))
    with Server(tls=context(authority)) as server:
        client = way(server.url)
        assert [client.call() for _ in range(5)] == ["202"] * 5
    assert server.connections == 1


def test_an_unknown_ca_is_refused(way: Open, authority: trustme.CA) -> None:
    """Without the bundle, no byte of the call reaches the server."""
    with Server(tls=context(authority)) as server:
        assert way(server.url).call() == "tls_failed"
    assert server.calls == []


def test_a_certificate_for_another_host_is_refused(
    way: Open, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CA is trusted, but the name is not that of the URL."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(tls=context(authority, "api.example")) as server:
        assert way(server.url).call() == "tls_failed"
    assert server.calls == []


def test_a_server_that_demands_a_client_certificate(
    way: Open, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none, and the call fails."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    demanding = context(authority)
    demanding.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(demanding)
    with Server(tls=demanding) as server:
        assert way(server.url).call() in ("tls_failed", "connection_lost", "connection_failed")
    assert server.calls == []


# ---------------------------------------------------------------------- proxies


def test_https_goes_through_a_tunnel(
    way: Open, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY: one CONNECT with the proxy's password. The server's certificate is checked, the key is not shown."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    password = base64.b64encode(b"me:secret").decode()
    with Server(tls=context(authority)) as server, Proxy(password) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        client = way(server.url)
        assert [client.call() for _ in range(3)] == ["202"] * 3
    assert [call.first_line.split(" ")[:2] for call in proxy.calls] == [["CONNECT", f"localhost:{server.port}"]]
    assert proxy.calls[0].header("Authorization") is None
    assert [call.first_line for call in server.calls] == [f"POST {PATHS['user']} HTTP/1.1"] * 3
    assert server.calls[0].header("Proxy-Authorization") is None


def test_tls_to_a_proxy_and_tls_within(
    way: Open, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `https://` proxy in front of an https API: both are checked, and many calls use one connection."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(tls=context(authority)) as server, Proxy(tls=context(authority)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = way(server.url)
        assert [client.call() for _ in range(5)] == ["202"] * 5
    assert (proxy.connections, server.connections) == (1, 1)


def test_a_proxy_that_refuses(way: Open, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its password the proxy builds no tunnel."""
    with Server(tls=context(authority)) as server, Proxy("another") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert way(server.url).call() == "proxy_failed"
    assert server.connections == 0


def test_a_proxy_that_is_not_there(way: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program listens at the proxy's address, and the server is not called without it."""
    with Server() as server:
        with socket.create_server(("127.0.0.1", 0)) as free:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free.getsockname()[1]}")
        assert way(server.url).call() == "proxy_failed"
    assert server.connections == 0


def test_http_is_passed_on_by_the_proxy(way: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY: the call goes to the proxy, with the whole URL and the proxy's password."""
    password = base64.b64encode(b"me:secret").decode()
    with Proxy(password) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        assert way("http://localhost:9").call() == "202"
    call = proxy.calls[0]
    assert call.first_line == f"POST http://localhost:9{PATHS['user']} HTTP/1.1"
    assert (call.header("Host"), call.body) == ("localhost:9", BODY)


def test_no_proxy_is_heeded(way: Open, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY names the host: the call goes straight to the server."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(tls=context(authority)) as server, Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "example.org,localhost")
        assert way(server.url).call() == "202"
    assert proxy.connections == 0


# ---------------------------------------------------------------------- HTTP


def test_what_goes_out(way: Open) -> None:
    """Request line, host, key, type, length and body."""
    with Server() as server:
        way(server.url).call()
    call = server.calls[0]
    assert call.first_line == f"POST {PATHS['user']} HTTP/1.1"
    names = ("Host", "Authorization", "Content-Type", "Content-Length")
    expected = [f"localhost:{server.port}", authorization(KEY), "application/json", str(len(BODY))]
    assert [call.header(name) for name in names] == expected
    assert call.body == BODY


def test_a_path_before_the_apis_own(way: Open) -> None:
    """A base URL may have a path, for example of a gateway."""
    with Server() as server:
        way(f"{server.url}/gateway").call()
    assert server.calls[0].first_line == f"POST /gateway{PATHS['user']} HTTP/1.1"


def test_netrc_is_not_used(way: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for the host does not replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Server() as server:
        way(server.url).call()
    assert server.calls[0].header("Authorization") == authorization(KEY)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ACCEPTED, "202"),
        (CHUNKED, "202"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ACCEPTED, "202"),
        (b"HTTP/1.0 400 Bad Request\r\nConnection: keep-alive\r\ncontent-length:2\r\n\r\n{}", "400"),
    ],
)
def test_answers_after_which_the_connection_goes_on(way: Open, answer: bytes, status: str) -> None:
    """Keep-alive: a hundred calls on one connection, however the answer says where it ends."""
    with Server(answer) as server:
        client = way(server.url)
        assert [client.call() for _ in range(100)] == [status] * 100
    assert server.connections == 1


def test_the_server_announces_that_it_closes(way: Open) -> None:
    """`Connection: close`: each call gets a new connection, and none is lost."""
    answer = b'HTTP/1.1 202 OK\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{"result": true}'
    with Server(answer, hangs_up=True) as server:
        client = way(server.url)
        assert [client.call() for _ in range(5)] == ["202"] * 5
    assert server.connections == 5


def test_the_server_closes_without_a_word(way: Open) -> None:
    """An idle connection that the server has closed is noticed before a call is sent on it."""
    with Server(hangs_up=True) as server:
        client = way(server.url)
        for _ in range(5):
            assert client.call() == "202"
            assert server.hung_up.wait(5)
            server.hung_up.clear()
    assert server.connections == 5


def test_an_answer_that_ends_with_the_connection(way: Open) -> None:
    """HTTP/1.0 without a length: what came is the answer."""
    with Server(b'HTTP/1.0 202 OK\r\n\r\n{"result": true}', hangs_up=True) as server:
        client = way(server.url)
        assert [client.call() for _ in range(2)] == ["202"] * 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(way: Open, status: int) -> None:
    """The key goes only to the address for which it was given."""
    with Server() as elsewhere:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with Server(answer) as server:
            assert way(server.url).call() == str(status)
    assert elsewhere.connections == 0


# ---------------------------------------------------------------------- timeouts


def test_no_answer_within_the_timeout(way: Open) -> None:
    """The server reads the call and does not answer."""
    with Server(None) as server:
        assert way(server.url, 0.2).call() == "timeout"
    assert len(server.calls) == 1


def test_no_connection_within_the_timeout(way: Open) -> None:
    """The queue of connections to accept is full, so a new one gets no answer."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        assert way(f"http://127.0.0.1:{listening.getsockname()[1]}", 0.2).call() == "connect_timeout"


def test_nobody_listens(way: Open) -> None:
    """No connection, and no doubt about it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert way(f"http://127.0.0.1:{port}").call() == "connection_failed"
