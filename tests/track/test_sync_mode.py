"""`sync_mode`: the caller's thread sends, retries and gets the answer."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from interakt_loader import client, track
from interakt_loader.errors import APIError
from interakt_loader.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _sync() -> None:
    track.sync_mode = True


def test_it_retries_and_returns_the_response(aimed: Sandbox) -> None:
    """A 500 is retried, and the answer to the second try is returned."""
    aimed.force(["500", None])
    response = track.user("u1", traits={"name": "Ann"})
    assert (response.status_code, response.ok, response.json()["result"]) == (202, True, True)
    assert [one.traits for one in aimed.users()] == [{"name": "Ann"}]
    assert aimed.stats().calls == 2


def test_it_holds_on_through_429(aimed: Sandbox) -> None:
    """A 429 does not count as a try."""
    track.max_retries = 0
    aimed.force(["429", "429", None])
    assert track.event("u1", "Order Placed").status_code == 201


@pytest.mark.parametrize(("fault", "status"), [("500", 500), ("html502", 502), ("cut", None), ("stopped", None)])
def test_a_final_failure_raises(
    aimed: Sandbox, fault: str, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last retry, `APIError` carries the last status, or None if there was no answer."""
    track.max_retries = 0
    if fault == "stopped":
        monkeypatch.setattr(client, "TRACK_MAX_OUTAGE", 0.5)
        aimed.stop()
    else:
        aimed.force([fault])
    with pytest.raises(APIError) as caught:
        track.user("u1")
    assert caught.value.status_code == status


def test_a_refused_call_raises_with_the_apis_words(aimed: Sandbox) -> None:
    """A 400 is not retried, and its message is in the error."""
    with pytest.raises(APIError, match="HTTP 400: A trait must have a name") as caught:
        track.user("u1", traits={"": "note"})
    assert (caught.value.status, caught.value.status_code) == (False, 400)
    assert aimed.stats().calls == 1


@pytest.mark.parametrize("end", [track.shutdown, track.join, track.flush])
def test_shutdown_join_and_flush_have_nothing_to_do(aimed: Sandbox, end: object) -> None:
    """None of them raises, and a later call works."""
    assert callable(end)
    track.user("u1")
    end()
    assert track.user("u2").status_code == 202
    assert len(aimed.users()) == 2


def test_eight_threads_at_once(aimed: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Each thread gets the answer to its own call, and no connection is thrown away with a warning."""
    caplog.set_level(logging.WARNING)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: track.event(str(number), "Order Placed"), range(200)))
    held = {one.id: one.user_id for one in aimed.events()}
    assert [held[answer.json()["id"]] for answer in answers] == [str(number) for number in range(200)]
    assert caplog.text == ""
