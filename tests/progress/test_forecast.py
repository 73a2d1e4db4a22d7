"""What a load says before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interakt_loader.bars import duration
from interakt_loader.cli import run
from interakt_loader.progress import forecast
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings.values import parse_rate


@pytest.mark.parametrize(
    ("rate", "known", "expected"),
    [
        (
            "300/min",
            {"rows": 20_000, "unchanged": 18_212, "calls": 1_788},
            "18,212 of 20,000 rows unchanged; 1,788 calls, about 6 min at 300/min",
        ),
        (
            "600/min",
            {"rows": 100_000, "unchanged": 0, "calls": 99_000},
            "0 of 100,000 rows unchanged, 1,000 invalid; 99,000 calls, about 2 h 45 min at 600/min",
        ),
        ("growth", {"rows": 100_000}, "100,000 rows: at most 100,000 calls, about 5 h 33 min at 300/min"),
        ("10/s", {"rows": 5, "exact": False}, "about 5 rows: 5 calls, about 1 s at 10/s"),
        ("auto", {"rows": 600}, "600 rows: at most 600 calls; about 2 min if the account allows 300/min"),
        ("none", {"rows": 1}, "1 row: at most 1 call"),
        ("growth", {"rows": 9, "unchanged": 9, "calls": 0}, "9 of 9 rows unchanged; 0 calls"),
        (
            "growth",
            {"rows": 1000, "unchanged": 0, "calls": 900, "merged": 60, "skipped": 30},
            "0 of 1,000 rows unchanged, 60 merged, 30 in doubt and not sent again, 10 invalid; 900 calls, about 3 min "
            "at 300/min",
        ),
        ("none", {"rows": 9, "calls": 8, "at_most": True}, "9 rows, 1 invalid; at most 8 calls"),
        (
            "growth",
            {"rows": 900, "exact": False, "at_most": True},
            "about 900 rows: at most 900 calls, about 3 min at 300/min",
        ),
        (
            "600/min",
            {"rows": 700, "unchanged": 100, "calls": 600, "doubted": 4},
            "100 of 700 rows unchanged; 600 calls (4 may have been accepted before), about 1 min at 600/min",
        ),
    ],
)
def test_a_forecast(rate: str, known: dict[str, Any], expected: str) -> None:
    """Rows, calls, and the time at the limit."""
    assert forecast(parse_rate(rate), **known) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "about 1 s"),
        (29, "about 29 s"),
        (90, "about 2 min"),
        (3600, "about 1 h 0 min"),
        (180_000, "about 2 d 2 h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    """In the units that people use."""
    assert duration(seconds) == expected


def test_it_is_shown_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, and not with --quiet; the second time with what is unchanged."""
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("customer_id,name\n1,Asha\n2,Bob\n", encoding="utf-8")
    with Sandbox() as sandbox:
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        arguments = ["c.csv", "--map", "user_id=customer_id", "--rate-limit", "600/min", "--base-url", sandbox.url]
        assert run(arguments) == 0
        assert "0 of 2 rows unchanged; 2 calls, about 1 s at 600/min\n" in capsys.readouterr().err
        Path("c.csv").write_text("customer_id,name\n1,Asha\n2,Bobby\n", encoding="utf-8")
        assert run(arguments) == 0
        assert "1 of 2 rows unchanged; 1 call, about 1 s at 600/min\n" in capsys.readouterr().err
        assert run([*arguments, "--quiet"]) == 0
        assert capsys.readouterr().err == ""
