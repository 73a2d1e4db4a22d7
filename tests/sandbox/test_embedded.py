"""The sandbox in the program's own process: it starts, stops, starts again, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.sandbox.raw import USERS, RawClient, ask, post

USER = post(USERS, {"userId": "c1"})


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "interakt-sandbox"]


def test_it_ends_with_its_block_on_every_path() -> None:
    """After the block, normal or by an exception, the port is closed and the thread gone."""
    with Sandbox() as sandbox:
        assert threads() == ["interakt-sandbox"]
        assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
        assert ask(sandbox.port, USER).status == 202
    with pytest.raises(KeyError), sandbox:
        raise KeyError
    assert threads() == []
    with pytest.raises(ConnectionRefusedError):
        ask(sandbox.port, USER)


def test_an_outage_keeps_port_and_records() -> None:
    """While stopped, it refuses connections and ends open ones. After a new start it has its records again."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        port = sandbox.port
        assert client.ask(USER).status == 202
        sandbox.stop()
        with pytest.raises((EOFError, ConnectionError)):
            client.ask(USER)
        with pytest.raises(ConnectionRefusedError):
            ask(port, USER)
        assert [user.user_id for user in sandbox.users()] == ["c1"]
        sandbox.start()
        assert sandbox.port == port
        ask(port, post(USERS, {"userId": "c2"}))
        assert [user.user_id for user in sandbox.users()] == ["c1", "c2"]


def test_it_forgets_when_it_is_reset() -> None:
    """Records, counts and forced faults are gone; the sandbox keeps running."""
    with Sandbox() as sandbox:
        ask(sandbox.port, USER)
        sandbox.force(["500"])
        sandbox.reset()
        assert (sandbox.users(), sandbox.stats().calls) == ([], 0)
        assert ask(sandbox.port, USER).status == 202


def test_it_stops_in_the_midst_of_calls() -> None:
    """Calls that hang or wait for their latency do not hold up the end, and are no longer in flight after it."""
    with Sandbox(SandboxOptions(latency=60)) as sandbox:
        with RawClient(sandbox.port) as slow, RawClient(sandbox.port) as stuck:
            slow.send(USER)
            stuck.send(USER + USER)
            with ThreadPoolExecutor() as pool:
                reading = pool.submit(stuck.read)
                while sandbox.stats().calls < 2:
                    pass
                sandbox.stop()
                assert isinstance(reading.exception(10), (EOFError, ConnectionError))
        assert sandbox.stats().in_flight == 0


def test_start_and_stop_may_be_repeated() -> None:
    """A second start or stop does nothing."""
    sandbox = Sandbox()
    sandbox.stop()
    sandbox.start()
    sandbox.start()
    assert len(threads()) == 1
    assert sandbox.url in repr(sandbox)
    sandbox.stop()
    sandbox.stop()
    assert threads() == []


def test_a_taken_port_is_an_error_of_the_settings() -> None:
    """The message names the port, and no thread stays behind."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port of the sandbox is {port}"):
            Sandbox(SandboxOptions(port=port)).start()


def test_it_listens_on_this_machine_only() -> None:
    """The one address is 127.0.0.1: another of this machine's addresses is not served."""
    with Sandbox() as sandbox, pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.2", sandbox.port), timeout=5).close()


def test_many_clients_at_once_lose_nothing() -> None:
    """Eight threads send while another reads: each call is there once, and the counts add up."""
    with Sandbox() as sandbox:

        def send(sender: int) -> None:
            with RawClient(sandbox.port) as client:
                for number in range(100):
                    assert client.ask(post(USERS, {"userId": f"{sender}-{number}"})).status == 202

        with ThreadPoolExecutor(8) as pool:
            sending = [pool.submit(send, sender) for sender in range(8)]
            while wait(sending, timeout=0.002).not_done:
                stats = sandbox.stats()
                assert stats.users == stats.accepted == stats.by_status.get(202, 0)
            for one in sending:
                one.result()
        assert sandbox.stats().users == len(sandbox.users()) == 800


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"port": -1}, "port of the sandbox is -1; expected 0 to 65535"),
        ({"limit_per_minute": 0}, "limit_per_minute of the sandbox is 0"),
        ({"window": 0}, "window of the sandbox is 0"),
        ({"limit_shape": "round"}, "expected fixed or sliding"),
        ({"limit_per": "user"}, "expected account or endpoint"),
        ({"unknown_user": "create"}, "expected accept or reject"),
        ({"max_body": 0}, "max_body"),
        ({"latency": -1}, "latency"),
        ({"jitter": float("inf")}, "jitter"),
        ({"fault_retry_after": "1\r\nX: y"}, "fault_retry_after"),
    ],
)
def test_options_without_sense_are_refused(changes: dict[str, object], reason: str) -> None:
    """The error names the option and the value, when the options are made."""
    with pytest.raises(SettingsError, match=reason):
        SandboxOptions(**changes)  # type: ignore[arg-type]


def test_every_option_says_what_it_means() -> None:
    """Each option carries one line of meaning."""
    for option in dataclasses.fields(SandboxOptions):
        assert option.metadata["meaning"].endswith(".") or option.metadata["meaning"].endswith("}.")
        assert "\n" not in option.metadata["meaning"]


def test_it_shares_no_code_with_the_client() -> None:
    """Nothing of the package but `errors` is imported with it, and none of the client's libraries."""
    program = (
        "import sys; import interakt_loader.sandbox; "
        "print(*sorted(name for name in sys.modules if name.startswith('interakt_loader.') "
        "and not name.startswith('interakt_loader.sandbox')), "
        "*({'pandas', 'pyarrow', 'click', 'requests', 'urllib3', 'phonenumbers'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"interakt_loader.errors", "interakt_loader._version"}
