"""What happens to queued calls: each is sent, in order, or `on_error` is called for it."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from typing import Any

import pytest

from interakt_loader import client, track
from interakt_loader.errors import APIError, QueueFull
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sending.retry_policy import TRACK_MAX_REFUSAL

CALLS = 500


class RawResponse:
    """An `on_error` that keeps its arguments."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.messages: list[dict[str, Any]] = []

    def __call__(self, error: Exception, queue_msg: dict[str, Any]) -> None:
        self.errors.append(error)
        self.messages.append(queue_msg)

    @property
    def users(self) -> list[str]:
        return sorted(message["body"]["userId"] for message in self.messages)


def consumers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("interakt-consumer")]


@pytest.fixture
def raw_response() -> RawResponse:
    track.on_error = raw_response = RawResponse()
    return raw_response


def test_a_client_that_is_let_go_leaves_no_thread_and_no_connection(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`join` is never called. After some idle time its threads have ended, and everything they held is freed."""
    monkeypatch.setattr("interakt_loader.sending.workers.LONGEST_IDLE", 0.01)
    one = track.Client(sandbox.api_key, host=sandbox.url)
    one.event("ann", "Order Placed")
    one.flush()
    gone = weakref.ref(one)
    del one
    for thread in consumers():
        thread.join(10)
    gc.collect()
    assert (consumers(), gone()) == ([], None)


@pytest.mark.parametrize("end", [track.join, track.flush, track.shutdown])
def test_join_flush_and_shutdown_lose_nothing(aimed: Sandbox, end: Any) -> None:
    """All calls made before have arrived when it returns, and a call made afterwards arrives too."""
    for number in range(CALLS):
        assert track.event(str(number), "Order Placed")[0] is True
    end()
    assert len({one.user_id for one in aimed.events()}) == len(aimed.events()) == CALLS
    track.event("later", "Order Placed")
    end()
    assert aimed.events()[-1].user_id == "later"


def test_a_flush_waits_for_what_another_thread_is_joining() -> None:
    """While `join` still sends, a flush in another thread does not return early."""
    with Sandbox(SandboxOptions(latency=0.01)) as sandbox:
        one = client.Client(sandbox.api_key, sandbox.url)
        for number in range(100):
            one.event(str(number), "Order Placed")
        joining = threading.Thread(target=one.join)
        joining.start()
        one.flush()
        assert len(sandbox.events()) == 100
        joining.join()


def test_a_call_returns_its_queue_msg(aimed: Sandbox) -> None:
    """A queued call returns True and the message in the vendor's form."""
    body = {"userId": "u1", "traits": {"name": "Ann"}}
    assert track.user("u1", traits={"name": "Ann"}) == (True, {"path": "/v1/public/track/users/", "body": body})


def test_a_full_queue_reaches_on_error(raw_response: RawResponse) -> None:
    """A call without room returns False and its message, and `on_error` gets `QueueFull`. All others are sent."""
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        track.api_key, track.host, track.max_queue_size = sandbox.api_key, sandbox.url, 5
        answers = [track.user(str(number)) for number in range(20)]
        track.flush()
        assert len(sandbox.users()) == sum(queued for queued, _ in answers) >= 5
        assert raw_response.messages == [message for queued, message in answers if not queued]
        assert raw_response.messages[0]["path"] == "/v1/public/track/users/"
        assert {type(error) for error in raw_response.errors} == {QueueFull}


def test_what_is_not_sent_is_logged_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    """Without `on_error` there is a log line for each call, whether the queue was full or the API refused it."""
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        sandbox.force(["400"])
        track.api_key, track.host, track.max_queue_size = sandbox.api_key, sandbox.url, 1
        assert [track.user(user)[0] for user in ("ann", "bob")] == [True, False]
        track.flush()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "the queue of 1 call is full",
        "user call not sent",
    ]


def test_a_refused_call_reaches_on_error(aimed: Sandbox, raw_response: RawResponse) -> None:
    """A 400 is not retried. The handler gets an `APIError` with status and text, and the body that was sent."""
    track.user("u1", traits={"": "note"})
    track.flush()
    (error,) = raw_response.errors
    assert isinstance(error, APIError)
    assert error.status_code == 400
    assert "A trait must have a name" in error.message
    assert raw_response.messages == [
        {"path": "/v1/public/track/users/", "body": {"userId": "u1", "traits": {"": "note"}}}
    ]
    assert aimed.stats().calls == 1


def test_retries_used_up_reach_on_error(aimed: Sandbox, raw_response: RawResponse) -> None:
    """`max_retries` 1 means two calls. Then the handler gets the last answer."""
    track.max_retries = 1
    aimed.force(["500", "503"])
    track.user("u1")
    track.flush()
    assert [getattr(error, "status_code", None) for error in raw_response.errors] == [503]
    assert aimed.stats().calls == 2


@pytest.mark.parametrize("raised", [RuntimeError("mine"), SystemExit(1)])
def test_an_on_error_that_raises_is_logged_and_harms_nobody(
    aimed: Sandbox, caplog: pytest.LogCaptureFixture, raised: BaseException
) -> None:
    """More failures than threads: each is logged, and the calls after them are sent."""

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        raise raised

    track.max_retries, track.on_error = 0, on_error
    aimed.force(["500"] * 10)
    for number in range(10):
        track.user(str(number))
    track.flush()
    track.user("later")
    track.flush()
    assert [one.user_id for one in aimed.users()] == ["later"]
    assert sum(record.getMessage().startswith("on_error raised\n") for record in caplog.records) == 10


def test_an_on_error_that_raises_for_a_full_queue_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The handler runs on the caller's thread, but its exception does not reach the caller."""

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        raise RuntimeError("mine")

    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        track.api_key, track.host, track.max_queue_size, track.on_error = sandbox.api_key, sandbox.url, 1, on_error
        assert [track.user(str(number))[0] for number in range(2)] == [True, False]
        track.flush()
    assert "on_error raised" in caplog.text


@pytest.mark.parametrize("end", ["flush", "join"])
def test_on_error_may_flush_join_and_call(aimed: Sandbox, end: str) -> None:
    """Two clients fail at once, and each handler flushes or joins both: no deadlock, and its own call arrives."""
    both_failed = threading.Event()

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        both_failed.wait()
        for one in clients:
            getattr(one, end)()
        track.event("monitor", queue_msg["body"]["userId"])

    clients = [track.Client(aimed.api_key, aimed.url, max_retries=0, on_error=on_error) for _ in range(2)]
    for number, one in enumerate(clients):
        aimed.force_for(str(number), ["500"])
        one.user(str(number))
    while aimed.stats().by_status != {500: 2}:
        time.sleep(0.001)
    both_failed.set()
    for one in clients:
        one.join()
    track.flush()
    assert sorted(one.event for one in aimed.events()) == ["0", "1"]


def test_on_error_may_flush_when_the_queue_is_full() -> None:
    """The handler runs on the caller's thread, while another failure waits to be reported: no deadlock."""

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        track.flush()

    with Sandbox(SandboxOptions(latency=0.2)) as sandbox:
        track.api_key, track.host, track.max_retries = sandbox.api_key, sandbox.url, 0
        track.max_queue_size, track.on_error = 2, on_error
        sandbox.force(["500", "500"])
        assert [track.user(str(number))[0] for number in range(3)] == [True, True, False]
        track.flush()


def test_on_error_is_called_once_at_a_time(aimed: Sandbox) -> None:
    """A handler need not be thread-safe: no call of it begins before the last one has ended."""
    steps: list[str] = []

    def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
        steps.append("begin")
        time.sleep(0.005)  # gives another thread the chance to come in between
        steps.append("end")

    track.max_retries, track.on_error = 0, on_error
    aimed.force(["500"] * 20)
    for number in range(20):
        track.user(str(number))
    track.flush()
    assert steps == ["begin", "end"] * 20


def test_a_users_calls_keep_their_order(aimed: Sandbox) -> None:
    """Ten users' events, with failures and retries in between, arrive in the order of the calls."""
    for user in range(10):
        aimed.force_for(str(user), [None, "500"])
    for number in range(20):
        for user in range(10):
            track.event(str(user), f"{number:02}")
    track.flush()
    for user in range(10):
        arrived = [one.event for one in aimed.events() if one.user_id == str(user)]
        assert arrived == [f"{number:02}" for number in range(20)]


def test_429_loses_no_call(raw_response: RawResponse) -> None:
    """A limit that refuses most calls for a while delays them. Even without retries they all arrive once."""
    with Sandbox(SandboxOptions(limit_per_minute=20, window=1.0)) as sandbox:
        track.api_key, track.host, track.max_retries = sandbox.api_key, sandbox.url, 0
        for number in range(50):
            track.event(str(number), "Order Placed")
        track.flush()
        assert sandbox.stats().refused_by_limit > 0
        assert sorted(int(one.user_id or "") for one in sandbox.events()) == list(range(50))
    assert raw_response.errors == []


def test_a_limit_that_turns_late_is_no_outage(raw_response: RawResponse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's minute is longer than an outage may be. Calls that wait for it are not given up."""
    monkeypatch.setattr(client, "TRACK_MAX_OUTAGE", 0.5)
    with Sandbox(SandboxOptions(limit_per_minute=2, window=2.0)) as sandbox:
        track.api_key, track.host = sandbox.api_key, sandbox.url
        for number in range(4):
            track.event(str(number), "Order Placed")
        track.flush()
        assert sandbox.stats().refused_by_limit > 0
        assert sorted(int(one.user_id or "") for one in sandbox.events()) == list(range(4))
    assert raw_response.errors == []
    assert TRACK_MAX_REFUSAL > 60


def test_a_server_that_is_down_ends_in_on_error_and_one_that_is_back_is_called(
    aimed: Sandbox, raw_response: RawResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `TRACK_MAX_OUTAGE`, `on_error` is called once for each queued call. The next call is sent as usual."""
    monkeypatch.setattr(client, "TRACK_MAX_OUTAGE", 1.0)
    aimed.stop()
    for number in range(50):
        track.user(str(number))
    track.flush()
    assert raw_response.users == sorted(str(number) for number in range(50))
    assert {getattr(error, "status_code", 0) for error in raw_response.errors} == {None}
    aimed.start()
    track.user("later")
    track.flush()
    assert [one.user_id for one in aimed.users()] == ["later"]


def test_a_stopped_engines_threads_end(aimed: Sandbox, raw_response: RawResponse) -> None:
    """A refused key stops each engine in turn. However many calls it refuses, only one engine's threads stay."""
    track.api_key = "another-key"
    for number in range(20):
        track.user(str(number))
        track.flush()
    assert raw_response.users == sorted(str(number) for number in range(20))
    ends_by = time.monotonic() + 10
    while len(consumers()) > client.WORKERS and time.monotonic() < ends_by:
        time.sleep(0.01)
    assert len(consumers()) <= client.WORKERS
    track.join()
    assert consumers() == []


def test_changed_settings_hold_for_the_calls_that_follow(aimed: Sandbox) -> None:
    """Another key and address are another account. Each call goes to the account that was set when it was made."""
    with Sandbox(SandboxOptions(api_key="second")) as second:
        track.user("u1")
        track.api_key, track.host = "second", second.url + "/"
        track.user("u2")
        track.flush()
        assert [[one.user_id for one in box.users()] for box in (aimed, second)] == [["u1"], ["u2"]]


def test_the_key_is_never_shown(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The client's repr, exceptions and the DEBUG log hold the key in none of its forms."""
    caplog.set_level(logging.DEBUG)
    raw_response = RawResponse()
    key = "s3cret-s3cret"
    for sync_mode in (False, True):
        one = client.Client(key, sandbox.url, debug=True, on_error=raw_response, sync_mode=sync_mode)
        if sync_mode:
            with pytest.raises(APIError) as caught:
                one.user("u1")
            raw_response.errors.append(caught.value)
        else:
            one.user("u1")
        one.join()
    assert [getattr(error, "status_code", None) for error in raw_response.errors] == [401, 401]
    shown = "".join(
        [repr(one), repr(vars(one)), caplog.text, *map(repr, raw_response.errors), *map(str, raw_response.errors)]
    )
    assert "/v1/public/track/users/" in caplog.text
    assert key not in shown
    assert SandboxOptions(api_key=key).secret_key not in shown


def test_a_missing_key_says_so() -> None:
    """Without a key the first call raises, and says how to give one."""
    with pytest.raises(ValueError, match="INTERAKT_API_KEY"):
        track.user("u1")
