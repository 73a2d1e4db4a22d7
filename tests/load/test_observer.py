"""Who watches a load, who stops it, and who is asked before its first call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader.errors import UsageError
from interakt_loader.load import load
from interakt_loader.load.job import Observer, Ready
from interakt_loader.load.opening import opened
from interakt_loader.model import Stop, StopToken
from interakt_loader.report.writer import Summary
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings

USERS = {"user_id": "id"}
INTERRUPT = Stop("interrupted", "the task was ended")


class Seen(Observer):
    """Notes what it sees."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def announced(self, line: str) -> None:
        self.events.append(line)

    def prepared(self, rows: int) -> None:
        self.events.append(rows)

    def overwrites_report(self) -> None:
        self.events.append("report")

    def progressed(self, summary: Summary) -> None:
        self.events.append(summary.rows)


class Refusing:
    """Refuses each load, and notes what was ready."""

    def __init__(self) -> None:
        self.asked: list[Ready] = []

    def is_needed(self, old_events: str | None) -> bool:
        return old_events is None

    def refusal(self, ready: Ready) -> str | None:
        self.asked.append(ready)
        return "nothing was sent: it is Sunday"


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"u{row}" for row in range(rows)]})


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False}
    files = {"ledger": tmp_path / "own.ledger", "report": tmp_path / "own.report.csv"}
    return Settings.resolve({**options, **files, "rate_limit": "none"})


def test_an_observer_sees_a_load_in_order(settings: Settings) -> None:
    """The ledger, the prepared rows, the plan, the report right before the first call, and then the counts."""
    seen = Seen()
    load(opened(frame(3), settings), USERS, "user", settings, observer=seen)
    plan = "0 of 3 rows unchanged; 3 calls"
    assert seen.events[:4] == [f"ledger {settings.ledger}: new", 3, plan, "report"]
    assert seen.events[-1] == 3


def test_a_confirmation_that_refuses_ends_the_load_before_its_first_call(settings: Settings, sandbox: Sandbox) -> None:
    """It sees the first call and their number. The report and the ledger stay as they were."""
    confirmation, seen = Refusing(), Seen()
    with pytest.raises(UsageError, match="it is Sunday"):
        load(opened(frame(2), settings), USERS, "user", settings, confirmation=confirmation, observer=seen)
    (ready,) = confirmation.asked
    assert (ready.calls, ready.rows) == (2, 2)
    assert ready.first is not None
    assert ready.first.user_id == "u0"
    assert "report" not in seen.events
    assert sandbox.stats().calls == 0


def test_a_load_without_calls_asks_nothing(settings: Settings) -> None:
    """There is nothing to confirm."""
    load(opened(frame(2), settings), USERS, "user", settings)
    confirmation = Refusing()
    again = load(opened(frame(2), settings), USERS, "user", settings, confirmation=confirmation)
    assert (again.unchanged, confirmation.asked) == (2, [])


def test_a_stop_that_is_requested_before_the_load_sends_nothing(settings: Settings, sandbox: Sandbox) -> None:
    """All rows are unsent, and the reason is that of the request."""
    token = StopToken()
    token.request(INTERRUPT)
    result = load(opened(frame(5), settings), USERS, "user", settings, stop_token=token)
    assert (result.unsent, result.stopped, sandbox.stats().calls) == (5, INTERRUPT, 0)


def test_the_first_reason_stays_but_an_interrupt_replaces_it() -> None:
    """The first interrupt stays too, whatever comes after it."""
    token = StopToken()
    assert (token.stop, token.is_interrupt) == (None, False)
    for stop in (Stop("report_broken", "full disk"), Stop("share_lost", "later")):
        token.request(stop)
    assert token.stop == Stop("report_broken", "full disk")
    for stop in (INTERRUPT, Stop("interrupted", "once more"), Stop("share_lost", "later")):
        token.request(stop)
    assert (token.stop, token.is_interrupt) == (INTERRUPT, True)
