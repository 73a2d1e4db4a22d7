"""The way to the API: what an address of this machine needs, and that it is the same as with `requests`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import hidden
from interakt_loader.transport import check_environment, not_connected
from interakt_loader.transport.route import Route, is_direct

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may have a proxy")

ONE_CALL = """
import socket, sys
from interakt_loader.transport import HttpTransport
with socket.create_server(("127.0.0.1", 0)) as server:
    transport = HttpTransport("http://127.0.0.1:%d" % server.getsockname()[1], "key", timeout=5, connections=1)
    transport._route.connect().close()
print(sorted({"requests", "urllib3", "ssl", "http.client"} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@ON_LINUX
def test_a_connection_to_this_machine_imports_neither_requests_nor_tls() -> None:
    """They take 60 ms, a fifth of a load of one row."""
    done = subprocess.run([sys.executable, "-c", ONE_CALL], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@ON_LINUX
@pytest.mark.parametrize(
    ("base_url", "direct"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost/api/", True),
        ("https://api.interakt.ai", False),
        ("HTTP://127.0.0.1", False),
        ("http://[::1]:8000", False),
        ("http://localhost/a%20b", False),
    ],
)
def test_what_is_direct(base_url: str, direct: bool) -> None:
    assert is_direct(base_url) == direct


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "All_Proxy", "no_proxy"])
def test_with_a_proxys_variable_requests_decides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "127.0.0.1")
    assert not is_direct("http://127.0.0.1:8000")


def routes(base_url: str, monkeypatch: pytest.MonkeyPatch, timeout: float = 5) -> tuple[Route, Route]:
    """Return the route that is direct, and the one that `requests` finds."""
    direct = Route(base_url, hidden("key"), timeout, 1)
    monkeypatch.setenv("no_proxy", "*")
    return direct, Route(base_url, hidden("key"), timeout, 1)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1", "http://localhost:80", "http://localhost:8000/api/"])
def test_the_heads_are_those_of_the_other_way(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    direct, pooled = routes(base_url, monkeypatch)
    for kind in ("user", "event"):
        assert bytes(direct.heads[kind].before(b"{}")) == bytes(pooled.heads[kind].before(b"{}"))


def test_the_connection_is_like_that_of_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small calls leave at once, and waits time out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for route in routes(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch):
            with route.connect() as connected:
                assert type(connected) is socket.socket
                assert connected.gettimeout() == 5
                assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(("host", "code"), [("127.0.0.1", "connection_failed"), ("nobody.invalid", "unknown_host")])
def test_a_failed_connection_is_explained_as_on_the_other_way(
    host: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answers = []
    for route in routes(f"http://{host}:{port}", monkeypatch):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - one is of urllib3
            route.connect()
        answers.append(not_connected(caught.value, 0.0)._replace(at=0.0))
    assert answers[0].code == code
    assert answers[0] == answers[1]


@ON_LINUX
def test_a_connection_that_takes_too_long_is_explained_as_on_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server accepts nobody, and the one place in its queue is taken."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        with socket.create_connection(server.getsockname()):
            answers = []
            for route in routes(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch, timeout=0.1):
                with pytest.raises(Exception) as caught:  # noqa: PT011 - one is of urllib3
                    route.connect()
                answers.append(not_connected(caught.value, 0.0)._replace(at=0.0))
    assert answers[0].code == "connect_timeout"
    assert answers[0] == answers[1]


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000", "https://api.interakt.ai"])
def test_a_missing_ca_bundle_is_refused_on_both_ways(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Path("nowhere") / "ca.pem"))
    for refused in (lambda: check_environment(base_url), lambda: Route(base_url, hidden("key"), 5, 1)):
        with pytest.raises(SettingsError, match=r"the CA bundle .*ca\.pem does not exist"):
            refused()
