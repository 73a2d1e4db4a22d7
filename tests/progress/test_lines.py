"""How far a load is, for a log."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from interakt_loader import load_users
from interakt_loader import progress as progress_lines
from interakt_loader.progress import ProgressLines
from interakt_loader.report.writer import Summary
from interakt_loader.sandbox import Sandbox


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def summary(**counts: int) -> Summary:
    made = Summary()
    made.counts.update(counts)
    return made


def test_a_line_a_minute() -> None:
    """Rows, failures, the pace and the time to go; nothing in between, and nothing of a short load."""
    clock = Clock()
    lines = ProgressLines(1000, "a.csv", clock=clock)
    clock.now += 59
    assert lines.sending(summary(sent=295)) is None
    clock.now += 1
    assert lines.sending(summary(sent=290, invalid=10)) == (
        "a.csv: 300 of 1,000 rows, 10 failed, 300 a minute, about 2 min to go"
    )
    assert lines.sending(summary(sent=301)) is None
    clock.now += 60
    assert lines.sending(summary(sent=600)) == "a.csv: 600 of 1,000 rows, 0 failed, 300 a minute, about 1 min to go"


def test_what_it_waits_for_is_shown() -> None:
    """Before the first row has ended, it is unknown how long the load takes."""
    clock = Clock()
    lines = ProgressLines(1000, "a.csv", clock=clock)
    clock.now += 60
    line = lines.sending(summary(), "over the call limit: waiting")
    assert line == "a.csv: 0 of 1,000 rows, 0 failed, 0 a minute; over the call limit: waiting"


def test_rows_that_a_stopped_load_did_not_come_to_are_not_done() -> None:
    """They are no failures either."""
    clock = Clock()
    lines = ProgressLines(None, "a.csv", clock=clock)
    clock.now += 60
    assert lines.sending(summary(sent=60, unsent=40)) == "a.csv: 60 rows, 0 failed, 60 a minute"


def test_preparing_takes_time_too() -> None:
    """The clock of the calls begins with them."""
    clock = Clock()
    lines = ProgressLines(None, "a.csv", clock=clock)
    clock.now += 60
    assert lines.preparing(2_000_000) == "a.csv: 2,000,000 rows prepared"
    clock.now += 30
    lines.begin(3_000_000)
    clock.now += 60
    line = lines.sending(summary(sent=300))
    assert line == "a.csv: 300 of 3,000,000 rows, 0 failed, 300 a minute, about 6 d 22 h to go"


def test_a_load_without_a_bar_logs_them(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At level INFO, so that a script says nothing and Airflow's log does."""
    caplog.set_level(logging.INFO, "interakt_loader")
    monkeypatch.setattr(progress_lines, "EVERY", 1e-9)
    frame = pd.DataFrame({"user": ["u1", "u2"]})
    load_users(frame, {"user_id": "user"}, api_key=sandbox.api_key, base_url=sandbox.url, progress=False)
    assert "2 of 2 rows, 0 failed" in caplog.text
