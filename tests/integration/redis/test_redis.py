"""A shared clock in a real Redis: real processes against the sandbox's own log, and a Redis that goes away."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import load_events
from interakt_loader.errors import SettingsError
from interakt_loader.option_values import Rate
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.share import open_share
from tests.integration.redis.conftest import RedisServer
from tests.share.processes import ended, start, use

EVENTS = {"user_id": "user", "event": {"value": "Visit"}}
KEY = "c2VjcmV0:"


def visits(count: int) -> pd.DataFrame:
    return pd.DataFrame({"user": [f"u{number}" for number in range(count)]})


@pytest.mark.parametrize("shape", ["fixed", "sliding"])
def test_four_processes_hold_one_limit(tmp_path: Path, redis_server: RedisServer, shape: str) -> None:
    """Four loads at once declare 100 a second: no window of a second ever holds more calls (a busy machine may deliver
    one late), and at least 95 % are used."""
    options = SandboxOptions(record_arrivals=True, limit_per_minute=100, window=1.0, limit_shape=shape)  # type: ignore[arg-type]
    with SandboxProcess(options) as sandbox:
        loads = [
            start(tmp_path, f"part{number}", 200, sandbox, "--share", redis_server.url, "--rate-limit", "100/s")
            for number in range(4)
        ]
        assert [code for code, _ in ended(loads)] == [0, 0, 0, 0]
        used = use(sandbox, 1.0)
    assert used.arrived == 800 + used.refused
    assert used.refused <= 1
    assert used.most <= 101
    assert used.per_second >= 95


def test_a_429_of_one_process_holds_the_next_lease_of_the_other(redis_server: RedisServer) -> None:
    """One clock is pushed by 3 s: what another process reserves then is not before that."""
    mine, theirs = (open_share(redis_server.url, "http://127.0.0.1:1", KEY, Rate(100, 1)) for _ in range(2))
    before = time.monotonic()
    mine.reserve(0, hold=3.0)
    assert theirs.reserve(1).first >= before + 2.9
    mine.close()
    theirs.close()


def test_two_rates_for_one_account_are_refused(redis_server: RedisServer) -> None:
    """Loads that declare different limits cannot share: the second is told before any call."""
    open_share(redis_server.url, "http://127.0.0.1:1", KEY, Rate(100, 1)).close()
    with pytest.raises(SettingsError, match=r"another load of this account declares 100/s, this one 300/min"):
        open_share(redis_server.url, "http://127.0.0.1:1", KEY, Rate(300, 60))


def test_a_redis_that_is_not_there_is_one_line_and_exit_2(tmp_path: Path, redis_server: RedisServer) -> None:
    """Nobody answers: exit 2 in one line, which does not show the password, and no call is made."""
    redis_server.stop()
    share = redis_server.url.replace("//", "//:hunter2@")
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        ((code, said),) = ended([start(tmp_path, "one", 5, sandbox, "--share", share, "--rate-limit", "100/s")])
        assert sandbox.arrivals() == []
    assert code == 2
    assert f"share {redis_server.url}: cannot be reached" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_a_redis_that_comes_back_costs_no_row(redis_server: RedisServer) -> None:
    """Stopped in mid-load and started a second later, with nothing in it: every row is sent once."""
    with Sandbox() as sandbox:

        def go_away_and_come_back() -> None:
            while sandbox.stats().accepted < 20:
                time.sleep(0.01)
            redis_server.stop()
            time.sleep(1.0)
            redis_server.start()

        other = threading.Thread(target=go_away_and_come_back)
        other.start()
        result = load_events(
            visits(300),
            EVENTS,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            share=redis_server.url,
            rate_limit="100/s",
        )
        other.join()
        assert result.sent == 300
        assert len(sandbox.events()) == 300


def test_a_redis_that_stays_away_stops_the_load(redis_server: RedisServer) -> None:
    """Stopped for good: after `max_outage` the load stops, and the rest of the rows are `unsent`."""
    with Sandbox() as sandbox:

        def go_away() -> None:
            while sandbox.stats().accepted < 20:
                time.sleep(0.01)
            redis_server.stop()

        other = threading.Thread(target=go_away)
        other.start()
        result = load_events(
            visits(300),
            EVENTS,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            share=redis_server.url,
            rate_limit="100/s",
            max_outage=1,
        )
        other.join()
    assert 20 <= result.sent < 300
    assert result.sent + result.unsent == 300
    assert result.stopped is not None
    assert result.stopped.reason == "share_lost"
