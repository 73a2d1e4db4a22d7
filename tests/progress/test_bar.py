"""The progress bar: where a person looks, and nowhere else."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest

from interakt_loader import load_users
from interakt_loader.progress import Progress
from interakt_loader.report.writer import Summary
from interakt_loader.sandbox import Sandbox, SandboxOptions

FRAME = pd.DataFrame({"id": ["1", None, "3"]})


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_the_bar(sandbox: Sandbox, capsys: pytest.CaptureFixture[str], progress: bool | None, shown: bool) -> None:
    """If it is wanted, it shows rows and failures on standard error. By default it needs a terminal."""
    load_users(FRAME, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("3/3" in err and "1 failed" in err) is shown


def test_a_stopped_load_does_not_look_done(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that were not sent do not move the bar."""
    load_users(FRAME.dropna(), {"user_id": "id"}, api_key="wrong", base_url=sandbox.url, progress=True, workers=1)
    assert "100%" not in capsys.readouterr().err


def test_what_is_waited_for_is_shown_although_no_row_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that ended quickly before do not make the bar wait for as many again, nor does a narrow terminal cut it."""
    summary = Summary()
    with Progress(100_000, "customers-of-2024.csv", wanted=True) as bar:
        for _ in range(3):
            summary.counts["sent"] += 30_000
            time.sleep(0.25)  # longer than the bar's shortest interval
            bar.update(summary)
        bar.update(summary, "no answer: waiting")  # at once, within that interval
        assert "no answer: waiting" in capsys.readouterr().err
        bar.update(summary)
        assert "no answer: waiting" not in capsys.readouterr().err


def test_it_says_what_the_load_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Over the limit, and without an answer: it is shown while it lasts, although no row ends."""
    with Sandbox(SandboxOptions(limit_per_minute=1, window=1.5)) as sandbox:
        options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "workers": 1, "progress": True}
        load_users(FRAME.dropna(), {"user_id": "id"}, **options)
        assert "over the call limit: waiting" in capsys.readouterr().err
    load_users(FRAME.dropna(), {"user_id": "id"}, **options, max_outage=1)
    assert "no answer: waiting" in capsys.readouterr().err
