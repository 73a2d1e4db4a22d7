"""The account's limit, over real sockets and in real time: a second or two stands for a minute, and one is real."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
import pytest

from interakt_loader import MappingDict, load_events
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.shared_limit.windows import most_in_a_window

EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}}
Shape = Literal["fixed", "sliding"]


def load(rows: int, rate_limit: str, **options: Any) -> tuple[LoadResult, list[float], int]:
    """Return the result, the instants at which calls arrived at the server, and how many it refused."""
    frame = pd.DataFrame({"user": [f"u{n}" for n in range(rows)]})
    with SandboxProcess(SandboxOptions(record_arrivals=True, **options)) as sandbox:
        result = load_events(frame, EVENTS, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=rate_limit)
        return result, sandbox.arrivals(), sandbox.stats().refused_by_limit


@pytest.mark.parametrize("shape", ["fixed", "sliding"])
def test_a_declared_limit_is_never_run_into(shape: Shape) -> None:
    """100 a second, declared, for eight seconds: no call is refused, unless a busy machine delivers some in a bunch."""
    result, arrivals, refused = load(800, "100/s", limit_per_minute=100, window=1.0, limit_shape=shape)
    assert result.sent == 800
    assert refused <= 8
    assert len(arrivals) == 800 + refused


@pytest.mark.timeout(150)
@pytest.mark.longest
def test_one_real_minute() -> None:
    """300 a minute for 66 seconds: no window of 60 seconds has more than 300 calls, and 98 % of them are used.

    A busy machine may deliver one call of a window late.
    """
    result, arrivals, refused = load(330, "300/min", limit_per_minute=300, limit_shape="sliding")
    assert result.sent == 330
    assert refused <= 1
    most = most_in_a_window(arrivals, 60.0)
    assert 0.98 * 300 <= most <= 301


@pytest.mark.parametrize("shape", ["fixed", "sliding"])
def test_an_unknown_limit_is_learned(shape: Shape) -> None:
    """`auto`, 200 calls in two seconds, told by nothing but 429: every row is sent, no row loses a retry, and few calls
    are refused."""
    result, arrivals, refused = load(1600, "auto", limit_per_minute=200, window=2.0, limit_shape=shape)
    assert result.sent == 1600
    assert refused < 0.05 * 1600  # with the sixteen that are out when the limit is met for the first time
    assert arrivals[-1] - arrivals[0] < 1600 / 100 / 0.6  # on a quiet machine 90 % are used: tests/sending


@pytest.mark.parametrize("fault_retry_after", ["1", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_retry_after_as_seconds_and_as_a_date(fault_retry_after: str) -> None:
    """A 429 that says when: seconds are waited for; a date that has passed asks for nothing."""
    options = SandboxOptions(record_arrivals=True, fault_retry_after=fault_retry_after)
    with SandboxProcess(options) as sandbox:
        sandbox.force(["429-retry-after"])
        frame = pd.DataFrame({"user": ["a", "b"]})
        result = load_events(frame, EVENTS, api_key=sandbox.api_key, base_url=sandbox.url, workers=1)
        arrivals = sandbox.arrivals()
    assert result.sent == 2
    waited = arrivals[1] - arrivals[0]
    assert (waited >= 1.0) is (fault_retry_after == "1")


def test_the_limits_own_retry_after() -> None:
    """A server that says when its window turns: each window is used up, and each wall costs one refusal or a few."""
    result, _, refused = load(300, "auto", limit_per_minute=100, window=1.0, retry_after=True)
    assert result.sent == 300
    assert refused < 60
