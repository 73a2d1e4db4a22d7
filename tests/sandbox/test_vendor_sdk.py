"""A client that we did not write talks to the sandbox: the vendor's own SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions

track: Any = pytest.importorskip("track.client", reason="interakt-track-python is not installed")

WHO = {"country_code": "+91", "phone_number": "9999999999"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
        track_session().close()  # the SDK keeps one session for the whole process


def track_session() -> Any:
    from track import request

    return request._session


def client(sandbox: Sandbox, key: str | None = None) -> Any:
    return track.Client(api_key=key or sandbox.api_key, host=sandbox.url, sync_mode=True)


def test_its_user_and_event_arrive(sandbox: Sandbox) -> None:
    """In its synchronous mode a user gets 202, an event 201, and both are there as they were given."""
    sdk = client(sandbox)
    traits = {"name": "John Doe", "email": "john@email.com", "age": 24, "dob": "1998-01-01"}
    assert sdk.user(user_id="c1", traits=traits, **WHO).status_code == 202
    assert sdk.event(user_id="c1", event="Order Placed", traits={"orderValue": "50.00"}, **WHO).status_code == 201
    (user,), (event,) = sandbox.users(), sandbox.events()
    assert (user.user_id, user.country_code, user.phone, user.traits) == ("c1", "+91", "9999999999", traits)
    assert (event.user_id, event.event, event.traits) == ("c1", "Order Placed", {"orderValue": "50.00"})


def test_its_second_user_call_merges(sandbox: Sandbox) -> None:
    """The vendor's own example: one trait is updated, one is added, the others stay."""
    sdk = client(sandbox)
    for traits in ({"name": "John Doe", "dob": "1998-01-01"}, {"dob": "1997-12-01"}, {"Pin code": "400001"}):
        sdk.user(user_id="c1", traits=traits, **WHO)
    assert [user.traits for user in sandbox.users()] == [
        {"name": "John Doe", "dob": "1997-12-01", "Pin code": "400001"}
    ]


@pytest.mark.parametrize("key", ["another-key", SandboxOptions().secret_key])
def test_a_wrong_key_is_its_api_error(sandbox: Sandbox, key: str) -> None:
    """A wrong key, or the dashboard's Secret Key that it encodes a second time, is its APIError with 401."""
    from track.request import APIError

    with pytest.raises(APIError) as caught:
        client(sandbox, key).user(user_id="c1")
    assert (caught.value.status_code, caught.value.status, caught.value.message) == (
        401,
        False,
        "Invalid token provided",
    )
    assert sandbox.users() == []


def test_its_queue_arrives(sandbox: Sandbox) -> None:
    """In its asynchronous mode, flushed, all calls arrive in order; its process has to be ended by force."""
    program = """
import json, os, sys, track
track.api_key, track.host = json.loads(sys.stdin.readline())
try:
    for number in range(1, 21):
        track.user(user_id=number, traits={"n": number})
        track.event(user_id=number, event="Order Placed", traits={"n": number})
    track.flush()
    print("flushed", flush=True)
finally:
    os._exit(0)  # its consumer is no daemon: the interpreter would wait for it for ever
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([sandbox.api_key, sandbox.url]) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )
    assert done.stdout == "flushed\n"
    assert [(user.user_id, user.traits) for user in sandbox.users()] == [(str(n), {"n": n}) for n in range(1, 21)]
    assert [event.traits for event in sandbox.events()] == [{"n": n} for n in range(1, 21)]
