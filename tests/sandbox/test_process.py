"""The sandbox in a process of its own: the same to its users, and it never outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interakt_loader.errors import InteraktLoaderError, SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from tests.sandbox.raw import EVENTS, USERS, RawClient, ask, post

HOME = str(Path(__file__).resolve().parents[2])


def wait_until_refused(port: int) -> None:
    """Return once nobody listens on the port; the test's time limit is the only hurry."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionError:
            return
        time.sleep(0.01)


def test_it_reads_back_what_the_embedded_one_does() -> None:
    """The same calls give the same users, events and counts, over more than one page."""
    with Sandbox() as embedded, SandboxProcess(SandboxOptions(record_arrivals=True)) as process:
        for port in (embedded.port, process.port):
            with RawClient(port) as client:
                for number in range(1100):
                    who = {"userId": f"c {number}", "traits": {"n": number, "list": ["é", 1]}}
                    client.ask(post(USERS, who))
                    client.ask(post(EVENTS, {**who, "event": "x", "createdAt": "2025-01-01"}))
        here, there = embedded.users(), process.users()
        assert [user.traits for user in there] == [user.traits for user in here]
        assert [(event.user_id, event.created_at) for event in process.events()] == [
            (event.user_id, event.created_at) for event in embedded.events()
        ]
        assert process.users(limit=1050, offset=20) == there[20:1070]
        assert process.find_user("c 7") == there[7]
        assert process.find_user("c1") is None
        assert process.stats() == embedded.stats()
        assert len(process.arrivals()) == 2200
        process.reset()
        assert process.users() == []


def test_its_options_and_faults_arrive() -> None:
    """Options, the key among them, reach the process; faults and scripts can be changed from outside."""
    options = SandboxOptions(api_key="another key", faults={"503": 1.0})
    user = post(USERS, {"userId": "c1"}, f"Basic {options.secret_key}")
    with SandboxProcess(options) as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
        assert sandbox.api_key == "another key"
        assert ask(sandbox.port, user).status == 503
        sandbox.set_faults("")
        sandbox.force(["500", None])
        sandbox.force_for("c1", ["html502"])
        assert [ask(sandbox.port, user).status for _ in range(4)] == [502, 500, 202, 202]
        with pytest.raises(SettingsError, match="no fault 'no'"):
            sandbox.force(["no"])
        assert sandbox.stats().faults == {"503": 1, "500": 1, "html502": 1}


def test_a_renewed_key_replaces_the_former_one() -> None:
    """As an account's does: the old key is refused from then on, what was sent stays, and so does the address."""
    options = SandboxOptions(api_key="old key")
    for sandbox in (SandboxProcess(options), Sandbox(options)):
        with sandbox:
            assert ask(sandbox.port, post(USERS, {"userId": "c1"}, f"Basic {options.secret_key}")).status == 202
            sandbox.renew_key("new key")
            assert sandbox.api_key == "new key"
            renewed = f"Basic {sandbox.options.secret_key}"
            assert ask(sandbox.port, post(USERS, {"userId": "c2"}, f"Basic {options.secret_key}")).status == 401
            assert ask(sandbox.port, post(USERS, {"userId": "c3"}, renewed)).status == 202
            with pytest.raises(SettingsError, match="empty"):
                sandbox.renew_key(" ")
            assert [user.user_id for user in sandbox.users()] == ["c1", "c3"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux' own")
def test_the_key_is_in_no_argument_and_no_environment() -> None:
    """Nobody else on the machine can read the key from the process's arguments or environment."""
    with SandboxProcess(SandboxOptions(api_key="s3cret")) as sandbox:
        assert sandbox._process is not None
        for name in ("cmdline", "environ"):
            assert b"s3cret" not in Path(f"/proc/{sandbox._process.pid}/{name}").read_bytes()


def test_it_ends_with_its_block() -> None:
    """After the block the process is gone, and a second stop does nothing."""
    with SandboxProcess() as sandbox:
        process, port = sandbox._process, sandbox.port
        sandbox.start()
        assert sandbox._process is process
        assert sandbox.url in repr(sandbox)
    assert process is not None
    assert process.returncode == 0
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port, post(USERS, {"userId": "c1"}))


def test_it_ends_with_a_parent_that_is_killed() -> None:
    """A parent that dies without any clean-up takes the sandbox with it."""
    program = (
        "import time; from interakt_loader.sandbox import SandboxProcess; sandbox = SandboxProcess(); sandbox.start(); "
        "print(sandbox.port, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=HOME, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert ask(port, post(USERS, {"userId": "c1"})).status == 202
        parent.kill()
    wait_until_refused(port)


def test_a_taken_port_is_told() -> None:
    """The process's error arrives as this program's own, and no process stays behind."""
    with Sandbox() as other:
        sandbox = SandboxProcess(SandboxOptions(port=other.port))
        with pytest.raises(SettingsError, match=f"port of the sandbox is {other.port}"):
            sandbox.start()
    assert sandbox._process is None


def test_a_process_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that ends at once is an error, not a wait."""
    monkeypatch.setattr(sys, "executable", "true" if os.name == "posix" else "where")
    with pytest.raises(InteraktLoaderError, match="ended before it was ready"):
        SandboxProcess().start()


@pytest.mark.skipif(os.name == "nt", reason="Windows can send a signal to itself only by a console event")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_forever_ends_at_a_signal(number: signal.Signals) -> None:
    """It runs until the signal, says where through its callback, and then returns as if nothing had been."""
    program = (
        "import signal; from interakt_loader.sandbox import SandboxOptions, run_forever; "
        "before = signal.getsignal(signal.SIGINT); "
        "run_forever(SandboxOptions(), lambda url: print(url, flush=True)); "
        "assert signal.getsignal(signal.SIGINT) is before; print('ended', flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=HOME, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert ask(int(url.rpartition(":")[2]), post(USERS, {"userId": "c1"})).status == 202
        process.send_signal(number)
        assert process.stdout.read() == "ended\n"
    assert process.returncode == 0


def test_run_forever_tells_of_a_taken_port() -> None:
    """A port that cannot be had is an error of the settings."""
    from interakt_loader.sandbox import run_forever

    with Sandbox() as other, pytest.raises(SettingsError, match="cannot be listened on"):
        run_forever(SandboxOptions(port=other.port), lambda _: None)
