"""The progress bar: where a person looks, and nowhere else."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from interakt_loader import load_users
from interakt_loader.bars import State, layout, shortened, width
from interakt_loader.load.pipeline import SHARE_AWAY
from interakt_loader.progress import Progress
from interakt_loader.report.writer import Summary
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from tests.cli.terminal import HOME

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


class Shown(NamedTuple):
    """What a command has drawn on a terminal of 80 columns."""

    frames: list[str]
    """The pictures of the bar, one after another."""
    code: int


def run_in_80_columns(folder: Path, environment: dict[str, str], *arguments: str) -> Shown:
    """Run the command in a pseudo-terminal that has 80 columns."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", *arguments],
        cwd=folder,
        env=own | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    with process, suppress(OSError):  # Linux says so of a terminal that nobody holds any more
        while part := os.read(ours, 65536):
            drawn += part
    os.close(ours)
    return Shown(re.split(r"[\r\n]+", drawn.decode()), process.wait(10))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(
    "name",
    ["c.csv", "customers-of-the-northern-and-western-regions-with-consent-2026-11-29.csv", "顧客名簿" * 12 + ".csv"],
    ids=["short", "long", "wide"],
)
@pytest.mark.parametrize("limit", [None, 5], ids=["free", "over the limit"])
def test_the_time_left_and_the_failures_stay_at_80_columns(tmp_path: Path, name: str, limit: int | None) -> None:
    """Whatever the file is called, and whatever the load waits for."""
    (tmp_path / name).write_text("id,n\n" + "".join(f"{row or ''},{row}\n" for row in range(20)), encoding="utf-8")
    with SandboxProcess(SandboxOptions(limit_per_minute=limit, window=0.5, latency=0.05)) as sandbox:
        where = {"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url, "PYTHONPATH": HOME}
        shown = run_in_80_columns(tmp_path, where, name, "--map", "user_id=id", "--workers", "2")
    assert shown.code == 1
    bars = [frame for frame in shown.frames if "%" in frame]
    assert re.search(r": 100% 00:00 left, 1 failed", bars[-1])
    for frame in bars[1:]:
        assert re.search(r": \d+% ([\d:]+|\?) left, \d failed", frame), frame
        assert width(frame) <= 80
    assert any("over the call limit: waiting" in frame for frame in bars) is (limit is not None)
    start, end = bars[-1].split(": ")[0][:1], bars[-1].split(": ")[0][-4:]
    assert (start, end) == (name[0], ".csv")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pseudo-terminals")
def test_a_warning_is_a_line_above_the_bar(tmp_path: Path) -> None:
    """It is not written into the bar: here nobody answers."""
    (tmp_path / "a.csv").write_text("id\n1\n2\n", encoding="utf-8")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        where = {"INTERAKT_API_KEY": "some-key", "INTERAKT_BASE_URL": url, "PYTHONPATH": HOME}
        shown = run_in_80_columns(tmp_path, where, "a.csv", "--map", "user_id=id", "--max-outage", "2")
    assert shown.code == 3
    assert any(frame.startswith("WARNING: no answer from the API") for frame in shown.frames), shown.frames
    assert not any("left" in frame and "W" in frame for frame in shown.frames)


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("total", [None, 100_000])
@pytest.mark.parametrize("waits_for", ["", SHARE_AWAY])
def test_a_name_has_the_room_that_is_left(columns: int, total: int | None, waits_for: str) -> None:
    """At least eight columns, and at least twenty before anything is shown that can be left out."""
    state = State(total, began=0.0, done=5, note="12,345 failed", waits_for=waits_for)
    name, form = layout("n" * 300, state, columns, "{remaining}", "{rate_fmt}")
    needed = len(": 100% 00:00:00 left, 12,345 failed") + (len(waits_for) + 2 if waits_for else 0)
    assert form.startswith("{desc}: ")
    assert "{postfix}" in form
    assert width(name) >= 8
    assert width(name) <= max(8, columns - needed + 15)
    if form.endswith("{elapsed}"):
        assert width(name) >= 20


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("customers.csv", 13, "customers.csv"),
        ("customers.csv", 12, "custo…rs.csv"),
        ("customers.csv", 8, "cus….csv"),
        ("顧客名簿.csv", 11, "顧客名….csv"),
        ("顧客名簿.csv", 10, "顧客….csv"),
        ("", 8, ""),
    ],
)
def test_a_long_name_loses_its_middle(name: str, columns: int, expected: str) -> None:
    """Its end tells the day and the format. A wide character takes two columns."""
    assert shortened(name, columns) == expected
    assert width(expected) <= columns
