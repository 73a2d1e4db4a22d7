"""`baseline`: rows are put on record as sent, and nothing is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import LoadResult, MappingDict, UsageError, baseline, load_events, load_users
from interakt_loader.load import load
from interakt_loader.load.api import Recorder
from interakt_loader.load.opening import opened
from interakt_loader.model import Stop, StopToken
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings

EVENTS: MappingDict = {"user_id": "id", "event": {"value": "Paid"}, "created_at": "at", "traits": ["amount"]}
USERS: MappingDict = {"user_id": "id", "traits": ["amount"]}


@pytest.fixture
def to(sandbox: Sandbox, tmp_path: Path) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": tmp_path / "own.ledger"}


def counts(result: LoadResult) -> dict[str, int]:
    return {status: count for status, count in result.summary.counts.items() if count}


def paid(*names: str | None) -> pd.DataFrame:
    return pd.DataFrame({"id": list(names), "at": "2026-01-02", "amount": range(len(names))})


def test_later_loads_take_the_rows_for_unchanged(sandbox: Sandbox, to: dict[str, Any]) -> None:
    """Events, and users with several rows; not one call is made. Rows that cannot be sent are invalid."""
    events = paid("a", "b", "b", None)
    assert counts(baseline(events, EVENTS, **to)) == {"recorded": 3, "invalid": 1}
    assert counts(load_events(events, EVENTS, **to)) == {"unchanged": 3, "invalid": 1}
    assert counts(baseline(events, USERS, **to)) == {"recorded": 3, "invalid": 1}
    assert counts(load_users(events, USERS, **to)) == {"unchanged": 3, "invalid": 1}
    assert sandbox.stats().calls == 0
    assert counts(load_events(paid("a", "b", "b", "d"), EVENTS, **to)) == {"sent": 1, "unchanged": 3}


def test_what_is_on_record_already_is_unchanged(to: dict[str, Any]) -> None:
    """By a load or by an earlier baseline; with event ids too."""
    load_events(paid("a"), EVENTS, event_id="amount", **to)
    for expected in ({"recorded": 1, "unchanged": 1}, {"unchanged": 2}):
        assert counts(baseline(paid("a", "b"), EVENTS, event_id="amount", **to)) == expected


def test_a_user_who_has_changed_since_is_sent(sandbox: Sandbox, to: dict[str, Any]) -> None:
    """The record is of what the row said."""
    baseline(paid("a", "b"), USERS, **to)
    assert counts(load_users(paid("a", "b").assign(amount=[0, 7]), USERS, **to)) == {"sent": 1, "unchanged": 1}
    assert sandbox.find_user("a") is None


def test_an_event_in_doubt_is_settled(sandbox: Sandbox, to: dict[str, Any]) -> None:
    """It is unknown whether it was accepted; whoever puts it on record says so."""
    sandbox.force(["cut"])
    assert counts(load_events(paid("a"), EVENTS, on_unknown="skip", **to)) == {"unknown": 1}
    assert counts(baseline(paid("a"), EVENTS, on_unknown="skip", **to)) == {"recorded": 1}
    assert counts(load_events(paid("a"), EVENTS, on_unknown="skip", **to)) == {"unchanged": 1}


def test_the_report_and_the_result(to: dict[str, Any], tmp_path: Path) -> None:
    """A line for each row, no failure, and nothing to do."""
    path = tmp_path / "own.report.csv"
    result = baseline(paid("a", "b"), EVENTS, report=path, **to)
    assert (result.recorded, result.ok, result.exit_code, result.attempts) == (2, True, 0, 0)
    assert pd.read_csv(path)["status"].tolist() == ["recorded"] * 2
    assert result.as_dict()["status"]["recorded"] == 2
    assert "2 recorded" in repr(result)
    assert "2 recorded" in result._repr_html_()
    assert "recorded" in result.write_html(tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ledger": None}, "give ledger=PATH"),
        ({"dry_run": True}, "sends nothing anyway"),
        ({"resend": True}, "expected one of the two"),
        ({"api_key": None}, "no API key"),
    ],
)
def test_what_has_no_meaning_is_refused(to: dict[str, Any], options: Any, said: str) -> None:
    """In one line, and nothing is put on record."""
    with pytest.raises(UsageError, match=said) as error:
        baseline(paid("a"), EVENTS, **(to | options))
    assert "\n" not in str(error.value)
    assert not to["ledger"].exists()


def test_it_notes_the_load_like_a_load(to: dict[str, Any], tmp_path: Path) -> None:
    """Its mapping and its source are known from then on, and a new source stops it, too."""
    paid("a").to_csv(tmp_path / "orders.csv", index=False)
    paid("b").to_csv(tmp_path / "other.csv", index=False)
    baseline(tmp_path / "orders.csv", EVENTS, **to)
    with pytest.raises(UsageError, match="trait amount: amount → none"):
        load_events(tmp_path / "orders.csv", EVENTS | {"traits": []}, **to)
    for function in (load_events, baseline):
        with pytest.raises(UsageError, match="new to it"):
            function(tmp_path / "other.csv", EVENTS, **to)
    assert counts(baseline(tmp_path / "other.csv", EVENTS, name="other", **to)) == {"recorded": 1}
    assert counts(load_events(tmp_path / "other.csv", EVENTS, **to)) == {"unchanged": 1}


def test_events_without_a_time_are_recorded_input_by_input(to: dict[str, Any]) -> None:
    """What says the same in another input is another event, here as in a load."""
    mapping: MappingDict = {"user_id": "id", "event": {"value": "Visit"}}
    load_events(paid("a", "b"), mapping, **to)
    assert counts(baseline(paid("b", "a", "c"), mapping, **to)) == {"recorded": 3}
    assert counts(load_events(paid("b", "a", "c", "d"), mapping, **to)) == {"sent": 1, "unchanged": 3}


def test_without_a_mapping_a_complete_proposal_is_taken(sandbox: Sandbox, to: dict[str, Any]) -> None:
    """Nothing is sent by it, so nobody has to confirm it."""
    frame = pd.DataFrame({"customer_id": ["C-1", "C-2"], "city": ["Pune", "Goa"]})
    assert counts(baseline(frame, **to)) == {"recorded": 2}
    assert sandbox.stats().calls == 0


KILLED = """
import os, sys, pandas as pd
from interakt_loader import baseline
frame = pd.DataFrame({"id": [f"u{n}" if n != 5000 else None for n in range(12000)], "at": "2026-01-02", "amount": 1})
frame.to_csv("orders.csv", index=False)
def end(*_):
    os.kill(os.getpid(), 9)
baseline("orders.csv", {"user_id": "id", "event": {"value": "Paid"}, "created_at": "at"}, ledger="own.ledger",
         report="own.report.csv", on_error=end, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_one_that_was_killed_goes_on(sandbox: Sandbox, to: dict[str, Any], tmp_path: Path) -> None:
    """What was on record stays there; the next one puts the rest beside it."""
    environment = os.environ | {
        "INTERAKT_API_KEY": sandbox.api_key,
        "INTERAKT_BASE_URL": sandbox.url,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment, check=False, timeout=100)
    assert done.returncode == -9
    mapping: MappingDict = EVENTS | {"traits": []}
    rest = baseline(tmp_path / "orders.csv", mapping, **to)
    assert rest.unchanged >= 4000
    assert rest.recorded > 0
    assert rest.unchanged + rest.recorded == 11_999
    assert load_events(tmp_path / "orders.csv", mapping, **to).unchanged == 11_999
    assert sandbox.stats().calls == 0


def test_one_that_is_stopped_lists_the_rest_as_unsent(to: dict[str, Any]) -> None:
    """The same call continues from there."""
    token = StopToken()

    def stop(*_: object) -> None:
        token.request(Stop("interrupted", "the load was interrupted"))

    frame = paid(*(f"u{number}" if number != 100 else None for number in range(20_000)))
    settings = Settings.resolve({**to, "on_error": stop})
    stopped = load(opened(frame, settings), EVENTS, None, settings, stop_token=token, settler=Recorder())
    assert stopped.rows == 20_000
    assert stopped.recorded > 0
    assert stopped.unsent > 0
    assert stopped.exit_code == 3
    rest = baseline(frame, EVENTS, **to)
    assert (rest.unchanged, rest.recorded) == (stopped.recorded, stopped.unsent)
