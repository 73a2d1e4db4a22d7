"""A server that goes away, and a laptop that is closed: nothing is lost, and no row loses a retry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from interakt_loader import MappingDict, load_events
from interakt_loader.model import Message
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import LONGEST_STEP, OUTAGE_AFTER, Duration
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.transport import not_connected

EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "traits": ["number"]}
OUTAGE = 30.0
UNREACHED = not_connected(NewConnectionError(HTTPConnection("127.0.0.1"), "refused"), 0.1)


def visits(count: int) -> pd.DataFrame:
    return pd.DataFrame({"user": [f"u{n % 50}" for n in range(count)], "number": range(count)})


@pytest.mark.timeout(180)
@pytest.mark.longest
def test_a_server_that_is_away_for_30_seconds_costs_no_row(tmp_path: Path) -> None:
    """The server stops during the load and starts again 30 s later on the same port: every row is sent, none failed.

    Each row has one retry. Only calls that were cut off may be there twice, and they are marked.
    """
    latency = 0.005
    before = Sandbox(SandboxOptions(latency=latency))
    before.start()
    enough = threading.Event()

    def go_away_and_come_back() -> None:
        while before.stats().accepted < 500:
            time.sleep(0.01)
        arrived.update(int(event.traits["number"]) for event in before.events())
        before.stop()
        arrived.update(int(event.traits["number"]) for event in before.events())
        time.sleep(OUTAGE)
        after.start()
        enough.set()

    arrived: set[int] = set()
    after = Sandbox(SandboxOptions(port=before.port, latency=latency))
    other = threading.Thread(target=go_away_and_come_back)
    other.start()
    try:
        options: dict[str, Any] = {"api_key": before.api_key, "base_url": before.url, "rate_limit": None}
        result = load_events(visits(3000), EVENTS, max_retries=1, ledger=tmp_path / "l", **options)
        other.join()
        assert enough.is_set()
        copies = Counter(arrived) + Counter(int(event.traits["number"]) for event in after.events())
    finally:
        other.join()
        after.stop()
    assert (result.failed, result.unknown, result.unsent, result.sent) == (0, 0, 0, 3000)
    assert result.seconds > OUTAGE
    assert set(copies) == set(range(3000))
    lines = result.to_pandas()
    twice = {number for number, count in copies.items() if count > 1}
    assert twice <= set(lines["row"][lines["maybe_duplicate"]])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_process_that_sleeps_goes_on(tmp_path: Path) -> None:
    """Stopped for longer than `timeout` and `max_outage` (as by a closed laptop) and woken again: every row is sent."""
    visits(600).to_csv(tmp_path / "visits.csv", index=False)
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        command = [sys.executable, "-m", "interakt_loader", "visits.csv", "--base-url", sandbox.url, "-q"]
        command += [
            "--map",
            "user_id=user",
            "--event",
            "Visit",
            "--timeout",
            "1",
            "--max-outage",
            "2",
            "--workers",
            "4",
        ]
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"INTERAKT_API_KEY": sandbox.api_key})
        while sandbox.stats().accepted < 100:
            assert process.poll() is None
        process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
        assert {int(event.traits["number"]) for event in sandbox.events()} == set(range(600))


def test_hours_of_sleep_are_no_outage() -> None:
    """The clock jumps by eight hours in the middle of an outage: the load does not stop, but tries on."""
    given = Schedule(max_queue_size=10, max_retries=3, rate_limit=RateLimit(None), max_outage=300)
    given.admit(Message(0, "event", "u", b"{}"))
    now = 0.0
    for _ in range(OUTAGE_AFTER + 2):
        now = fail(given, now)
    assert given.in_outage
    now += 8 * 3600
    for _ in range(3):
        now = fail(given, now)
        assert given.stopped is None
    for _ in range(100):
        if given.stopped is None:
            now = fail(given, now)
    assert given.stopped is not None
    assert "no answer from the API for " in given.stopped.message


def fail(given: Schedule, now: float) -> float:
    """Let the next call go without an answer; return the instant at which that was known."""
    work = given.take(now)
    while not isinstance(work, PendingCall):
        assert work is not None
        now = work
        work = given.take(now)
    given.settle(work, UNREACHED, now + 0.1)
    return now + 0.1


def test_a_duration_counts_what_was_lived_through() -> None:
    """Steps add up, each by no more than the longest; an end begins anew."""
    duration = Duration(LONGEST_STEP)
    assert duration.extend(100.0) == 0.0
    assert duration.extend(115.0) == 15.0
    assert duration.extend(115.0 + 3600) == 15.0 + LONGEST_STEP
    duration.reset()
    assert duration.extend(9999.0) == 0.0
