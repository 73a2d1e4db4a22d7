"""Everything works under gevent and eventlet, which replace Python's sockets, threads and locks."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.hostile.server import ANSWERS, HostileServer
from tests.transport.servers import Server

ROOT = str(Path(__file__).resolve().parents[2])

PATCHES = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": "import eventlet\neventlet.monkey_patch()\n",
}

TIMEOUT = 0.3
SLACK = 15.0
"""Seconds that a busy machine may add; without a timeout a script is killed after twice as many."""


@pytest.fixture(params=PATCHES)
def library(request: pytest.FixtureRequest) -> str:
    """Return the library's name if it is installed and supports this Python."""
    name = str(request.param)
    if (reason := _missing(name)) is not None:
        pytest.skip(f"{name} cannot be used here: {reason}")
    return name


@functools.cache
def _missing(library: str) -> str | None:
    """Return why a library cannot be used. A separate process checks it, because the library changes its process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PATCHES[library]], capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def script(library: str, code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PATCHES[library] + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": ROOT, "NO_PROXY": "", "no_proxy": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """Return what the script printed, after it ended without an error."""
    with process:
        try:
            out, err = process.communicate(timeout=2 * SLACK)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the script hangs")
    assert process.returncode == 0, err
    return out


@contextmanager
def silent() -> Iterator[str]:
    """Reads the call and never answers."""
    with Server(None) as server:
        yield server.url


@contextmanager
def without_a_word_of_tls() -> Iterator[str]:
    with Server(None) as server:
        yield server.url.replace("http:", "https:")


@contextmanager
def byte_at_a_time() -> Iterator[str]:
    with HostileServer(ANSWERS["a header that drips"]) as server:
        yield server.url


@contextmanager
def deaf() -> Iterator[str]:
    """Accepts a connection and reads nothing, so that a long call cannot be sent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def crowded() -> Iterator[str]:
    """Has no room for another connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for one in waiting:
            one.close()


ONE_CALL = """
import time
from interakt_loader.transport import HttpTransport
from interakt_loader.model import Message

began = time.monotonic()
transport = HttpTransport({url!r}, "a-key", timeout={timeout}, connections=1)
answer = transport.send(Message(0, "user", "1", b"x" * {size}))
print(answer.code, round(time.monotonic() - began, 2))
"""


@pytest.mark.parametrize(
    ("server", "size", "code", "waits"),
    [
        (silent, 10, "timeout", 1),
        (byte_at_a_time, 10, "timeout", 4),
        (deaf, 20_000_000, "timeout", 2),
        (crowded, 10, "connect_timeout", 1),
        (without_a_word_of_tls, 10, "connect_timeout", 1),
    ],
)
def test_every_wait_ends(library: str, server: object, size: int, code: str, waits: int) -> None:
    """Connecting, handshake, sending, first byte and last byte: each limit holds as without the library."""
    with server() as url:  # type: ignore[operator]
        said, seconds = ended(script(library, ONE_CALL.format(url=url, timeout=TIMEOUT, size=size))).split()
    assert said == code
    assert TIMEOUT * 0.9 <= float(seconds) < waits * TIMEOUT + SLACK


def test_a_silent_answer_over_tls_ends(library: str, tmp_path: Path) -> None:
    """TLS has its own sockets here too."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Server(None, tls=context) as server:
        code = ONE_CALL.format(url=server.url, timeout=TIMEOUT, size=10)
        said, _ = ended(script(library, code, REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))).split()
    assert said == "timeout"


def test_a_proxys_tunnel_that_is_never_there_ends(library: str) -> None:
    """A byte now and then keeps each wait short. The watch that limits all of them works here too."""
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                try:
                    connection.sendall(b"HTTP/1.1 200 Tunnel\r\n")
                    while not gone.wait(0.02):
                        connection.sendall(b"X")
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        code = ONE_CALL.format(url="https://api.example", timeout=TIMEOUT, size=10)
        said, _ = ended(script(library, code, HTTPS_PROXY=proxy, https_proxy=proxy)).split()
        gone.set()
        thread.join(10)
    assert said in ("proxy_failed", "connect_timeout")  # what ends first is chance


LOAD = """
import json, sys
from interakt_loader import load_{kind}

table = [{{"id": f"u{{at}}", "n": at}} for at in range(400)]
said = []
for _ in range(2):
    result = load_{kind}(
        table, {mapping}, ledger={ledger!r}, report={report!r}, timeout=5, rate_limit=None, {options}
    )
    said.append(result.as_dict()["status"])
print(json.dumps([[one["sent"], one["unchanged"]] for one in said]))
"""


@pytest.mark.parametrize("kind", ["users", "events"])
def test_a_whole_load_with_a_ledger(library: str, kind: str, tmp_path: Path) -> None:
    """Every row is sent once by all workers, and nothing is sent the second time: no lock waits forever."""
    mapping = {"user_id": "id", "traits": ["n"]} | ({} if kind == "users" else {"event": {"value": "Seen"}})
    with Sandbox(SandboxOptions(latency=0.005)) as sandbox:
        code = LOAD.format(
            kind=kind,
            mapping=mapping,
            ledger=str(tmp_path / "a.ledger"),
            report=str(tmp_path / "out.csv"),
            options=f"api_key={sandbox.api_key!r}, base_url={sandbox.url!r}",
        )
        assert json.loads(ended(script(library, code))) == [[400, 0], [0, 400]]
        assert sandbox.stats().accepted == 400


def test_ctrl_c_ends_a_load_in_order(library: str, tmp_path: Path) -> None:
    """The calls in flight are finished and recorded, and the next load sends the rest."""
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        code = f"""
        from interakt_loader import load_users
        from interakt_loader.errors import LoadInterrupted

        table = [{{"id": f"u{{at}}"}} for at in range(100_000)]
        try:
            load_users(table, {{"user_id": "id"}}, api_key={sandbox.api_key!r}, base_url={sandbox.url!r},
                       ledger={str(tmp_path / "a.ledger")!r}, rate_limit=None)
        except LoadInterrupted as error:
            print(error.exit_code, error.result.rows, error.result.sent, error.result.unknown)
        """
        process = script(library, code)
        while sandbox.stats().calls < 20:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        exit_code, rows, sent, unknown = map(int, ended(process).split())
        assert (exit_code, rows, unknown) == (130, 100_000, 0)
        assert sent == sandbox.stats().accepted


def test_a_load_of_which_nothing_is_answered_stops(library: str) -> None:
    """After `max_outage`, and every row has an outcome."""
    with Server(None) as server:
        code = f"""
        from interakt_loader import load_users

        result = load_users([{{"id": f"u{{at}}"}} for at in range(30)], {{"user_id": "id"}}, api_key="a-key",
                            base_url={server.url!r}, timeout={TIMEOUT}, max_outage=1.0)
        print(result.rows, result.unknown + result.unsent, result.stopped.reason)
        """
        assert ended(script(library, code)).split() == ["30", "30", "outage"]


def test_track_sends_all_and_tells_of_silence(library: str, sandbox: Sandbox) -> None:
    """A script that ends sends what is queued. Calls without an answer reach `on_error` within the timeout."""
    code = f"""
    from interakt_loader import track

    track.api_key, track.host = {sandbox.api_key!r}, {sandbox.url!r}
    for at in range(300):
        track.event(user_id=f"u{{at % 7}}", event="Seen")
    """
    assert ended(script(library, code)) == ""
    assert sandbox.stats().accepted == 300
    with Server(None) as server:
        code = f"""
        from interakt_loader import track

        track.api_key, track.host, track.timeout, track.max_retries = "a-key", {server.url!r}, {TIMEOUT}, 0
        track.on_error = lambda error, _: print(error)
        for at in range(2):
            track.user(user_id=f"u{{at}}")
        track.join()
        """
        lines = ended(script(library, code)).splitlines()
    assert lines == ["the call went out, and no answer came within the timeout"] * 2


def test_sigterm_of_a_script_sends_what_track_has_queued(library: str) -> None:
    """The main thread is recognized here too, so that the signal is handled."""
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        code = f"""
        import time
        from interakt_loader import track

        track.api_key, track.host = {sandbox.api_key!r}, {sandbox.url!r}
        for at in range(300):
            track.event(user_id="u1", event="Seen")
        print("queued", flush=True)
        time.sleep({2 * SLACK})
        """
        with script(library, code) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "queued\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(2 * SLACK) == -signal.SIGTERM
        assert sandbox.stats().accepted == 300
