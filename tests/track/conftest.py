"""A `track` as a program finds it at its start. No thread of it is left when the test ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from interakt_loader import track
from interakt_loader.sandbox import Sandbox

VARIABLES = (
    "api_key",
    "host",
    "sync_mode",
    "debug",
    "timeout",
    "max_retries",
    "max_queue_size",
    "on_error",
)


@pytest.fixture(autouse=True)
def _fresh_track(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # asks for the sandbox so that what is queued can still be sent when the test ends
    for name in VARIABLES:
        monkeypatch.setattr(track, name, getattr(track, name))
    monkeypatch.setattr(track, "_current", None)
    yield
    track.join()
    assert [one for one in threading.enumerate() if one.name.startswith("interakt-consumer")] == []


@pytest.fixture
def aimed(sandbox: Sandbox) -> Sandbox:
    """The sandbox, with `track` set to call it."""
    track.api_key = sandbox.api_key
    track.host = sandbox.url
    return sandbox
