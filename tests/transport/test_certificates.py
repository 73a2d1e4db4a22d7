"""An untrusted certificate stops the load at once. Other failures may pass, so the load waits."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import trustme

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.errors import APIError, CertificateUntrusted, Outage, SettingsError
from interakt_loader.track import Client
from tests.transport.servers import Proxy, Server

ROOT = str(Path(__file__).resolve().parents[2])
FRAME = pd.DataFrame({"id": [f"u{at}" for at in range(50)]})
MAPPING: MappingDict = {"user_id": "id"}
KEY = "a-key-of-ours"

# a load that waits for an outage, or for retries, does not end within the test's time limit
PATIENT = {"api_key": KEY, "max_outage": 3600, "max_retries": 100, "timeout": 5}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that is not trusted."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def _environment(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))


def issued(authority: trustme.CA, name: str = "localhost", *, expired: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc) if expired else None
    authority.issue_cert(name, not_after=until).configure_cert(made)
    return made


@contextmanager
def distrusted(why: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Yield a server whose certificate, or whose proxy's certificate, is not trusted."""
    if why not in ("unknown authority", "a company's proxy"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    name = "api.example" if why == "another host" else "localhost"
    with Server(tls=issued(authority, name, expired=why == "expired")) as server:
        if why == "a company's proxy":
            with Proxy() as proxy:
                monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
                yield server
        elif why == "the proxy's own":
            with Proxy(tls=issued(authority, "proxy.example")) as proxy:
                monkeypatch.setenv("HTTPS_PROXY", proxy.url)
                yield server
        else:
            yield server
        assert server.calls == []


WHY = {
    "unknown authority": "unable to get local issuer certificate",
    "another host": "Hostname mismatch, certificate is not valid for 'localhost'",
    "expired": "certificate has expired",
    "a company's proxy": "unable to get local issuer certificate",
    "the proxy's own": "Hostname mismatch, certificate is not valid for 'localhost'",
}


@pytest.mark.parametrize("kind", ["users", "events"])
@pytest.mark.parametrize("why", WHY)
def test_a_certificate_that_does_not_verify_stops_the_load_at_once(
    why: str, kind: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is unsent for that reason and none is in doubt. The message says what is wrong and what may help."""
    mapping = MAPPING | ({} if kind == "users" else {"event": {"value": "Seen"}})
    with distrusted(why, authority, tmp_path, monkeypatch) as server:
        load = load_users if kind == "users" else load_events
        result = load(FRAME, mapping, base_url=server.url, **PATIENT)  # type: ignore[arg-type]
    assert result.stopped is not None
    whose = "proxy" if why == "the proxy's own" else "server"
    assert result.stopped.reason == "certificate_untrusted"
    assert result.stopped.message.startswith(f"the {whose}'s certificate cannot be trusted ({WHY[why]})")
    assert "REQUESTS_CA_BUNDLE" in result.stopped.message
    assert (result.unsent, result.unknown, result.rows) == (50, 0, 50)
    assert set(result.to_pandas()["code"]) == {"certificate_untrusted"}
    with pytest.raises(CertificateUntrusted, match="cannot be trusted"):
        result.raise_for_failures()
    assert result.exit_code == 3


@pytest.mark.parametrize("why", WHY)
def test_the_command_line_ends_with_3_and_says_so(
    why: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, although it would wait an hour for an outage."""
    FRAME.to_csv(tmp_path / "users.csv", index=False)
    with distrusted(why, authority, tmp_path, monkeypatch) as server:
        options = ["--map", "user_id=id", "--max-outage", "3600", "--base-url", server.url, "--output", "json"]
        done = subprocess.run(
            [sys.executable, "-m", "interakt_loader", "users.csv", *options],
            cwd=tmp_path,
            env={**os.environ, "INTERAKT_API_KEY": KEY, "PYTHONPATH": ROOT},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit"], said["status"]["unsent"]) == (3, 3, 50)
    assert said["stopped"]["reason"] == "certificate_untrusted"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("why", WHY)
def test_track_tells_on_error_at_once_for_each_call(
    why: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No wait of 30 seconds and no retries. `on_error` is called for each call, and in `sync_mode` each call raises."""
    heard: list[str] = []
    with distrusted(why, authority, tmp_path, monkeypatch) as server:
        client = Client(KEY, server.url, max_retries=100, on_error=lambda error, _: heard.append(str(error)))
        for at in range(20):
            client.event(user_id=f"u{at}", event="Seen")
        client.join()
        with pytest.raises(APIError, match="certificate cannot be trusted"):
            Client(KEY, server.url, sync_mode=True, max_retries=100).user(user_id="u1")
    assert len(heard) == 20
    assert all("certificate cannot be trusted" in one and WHY[why] in one for one in heard)


def _reset(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _hang_up(connection: socket.socket) -> None:
    connection.recv(65_536)


def _speak_plainly(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(65_536)


def _alert(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # handshake_failure


@pytest.mark.parametrize("behave", [_reset, _hang_up, _speak_plainly, _alert])
def test_any_other_failure_of_tls_is_an_outage(behave: Callable[[socket.socket], None]) -> None:
    """A server that restarts does all of these: the load waits, and continues afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://localhost:{listening.getsockname()[1]}"
        result = load_users(FRAME[:3], MAPPING, api_key=KEY, base_url=url, timeout=5, max_outage=1.0)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert result.unsent == 3
    with pytest.raises(Outage):
        result.raise_for_failures()
    assert result.stopped is not None
    if behave is _speak_plainly:
        assert "does not speak TLS" in result.stopped.message


def test_an_outage_says_why_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """The warning at its beginning has the reason, not only the line at its end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    load_users(FRAME[:3], MAPPING, api_key=KEY, base_url=url, max_outage=1.0)
    (warning,) = [one.getMessage() for one in caplog.records if "no answer from the API" in one.getMessage()]
    assert "could not connect (" in warning


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe\0", b"-----BEGIN CERTIFICATE-----\nxxx\n"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_that_is_none_is_told_before_anything_is_done(
    variable: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with its path: before a load touches the report, and at the call of `track`."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(content)
    monkeypatch.setenv(variable, str(bundle))
    report = tmp_path / "out.csv"
    with pytest.raises(SettingsError, match=r"bundle\.pem holds no certificates; expected a file in PEM form"):
        load_users(FRAME, MAPPING, api_key=KEY, base_url="https://localhost:9", report=report)
    assert not report.exists()
    with pytest.raises(SettingsError, match=r"bundle\.pem holds no certificates"):
        Client(KEY, "https://localhost:9").user(user_id="u1")


def test_a_ca_bundle_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a file that cannot be read."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"")
    bundle.chmod(0)
    if os.access(bundle, os.R_OK):
        pytest.skip("this user may read every file")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(SettingsError, match=r"bundle\.pem cannot be read: Permission denied"):
        load_users(FRAME, MAPPING, api_key=KEY, base_url="https://localhost:9")


def test_a_folder_of_certificates_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `requests`. That nothing in it signs the server is seen at the first call."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with Server(tls=issued(trustme.CA())) as server:
        result = load_users(FRAME, MAPPING, base_url=server.url, **PATIENT)  # type: ignore[arg-type]
    assert result.stopped is not None
    assert result.stopped.reason == "certificate_untrusted"
