"""A shared clock in a file: real processes against the sandbox's own log, and what can be wrong with the file."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import load_events
from interakt_loader.errors import SettingsError, ShareLost
from interakt_loader.option_values import Rate
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.share import RateDiffers, ShareAway, open_share
from tests.share.processes import ended, start, use

EVENTS = {"user_id": "user", "event": {"value": "Visit"}}
KEY = "c2VjcmV0:"


def visits(count: int) -> pd.DataFrame:
    return pd.DataFrame({"user": [f"u{number}" for number in range(count)]})


@pytest.mark.parametrize("shape", ["fixed", "sliding"])
def test_four_processes_hold_one_limit(tmp_path: Path, shape: str) -> None:
    """Four loads at once declare 100 a second: no window of a second ever holds more calls (a busy machine may deliver
    one late), and at least 95 % are used."""
    share = f"sqlite:///{tmp_path}/rate.sqlite"
    options = SandboxOptions(record_arrivals=True, limit_per_minute=100, window=1.0, limit_shape=shape)  # type: ignore[arg-type]
    with SandboxProcess(options) as sandbox:
        loads = [
            start(tmp_path, f"part{number}", 150, sandbox, "--share", share, "--rate-limit", "100/s")
            for number in range(4)
        ]
        assert [code for code, _ in ended(loads)] == [0, 0, 0, 0]
        used = use(sandbox, 1.0)
    assert used.arrived == 600 + used.refused
    assert used.refused <= 1
    assert used.most <= 101
    assert used.per_second >= 95


def test_a_process_that_is_killed_stops_nobody(tmp_path: Path) -> None:
    """One of two loads is killed with SIGKILL: the other one has the whole limit from then on."""
    share = f"sqlite:///{tmp_path}/rate.sqlite"
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        doomed = start(tmp_path, "doomed", 5000, sandbox, "--share", share, "--rate-limit", "100/s")
        other = start(tmp_path, "other", 300, sandbox, "--share", share, "--rate-limit", "100/s")
        while {str(one.user_id).partition("-")[0] for one in sandbox.events()} != {"doomed", "other"}:
            time.sleep(0.02)
        doomed.kill()
        doomed.communicate()
        killed = len(sandbox.arrivals())
        ((code, said),) = ended([other])
        used = use(sandbox, 1.0, since=killed)
    assert code == 0, said
    assert used.most <= 101
    assert used.per_second >= 90


def test_a_429_of_one_process_holds_the_next_lease_of_the_other(tmp_path: Path) -> None:
    """One clock is pushed by 3 s: what another process reserves then is not before that."""
    share, rate = f"sqlite:///{tmp_path}/rate.sqlite", Rate(100, 1)
    mine, theirs = (open_share(share, "http://127.0.0.1:1", KEY, rate) for _ in range(2))
    before = time.monotonic()
    mine.reserve(0, hold=3.0)
    assert theirs.reserve(1).first >= before + 2.9
    mine.close()
    theirs.close()


def test_another_account_has_a_clock_of_its_own(tmp_path: Path) -> None:
    """The same file serves two accounts, each with its own limit."""
    share = f"sqlite:///{tmp_path}/rate.sqlite"
    mine = open_share(share, "http://127.0.0.1:1", KEY, Rate(100, 1))
    theirs = open_share(share, "http://127.0.0.1:1", "b3RoZXI6", Rate(300, 60))
    before = time.monotonic()
    mine.reserve(0, hold=30.0)
    assert theirs.reserve(1).first <= before + 1
    mine.close()
    theirs.close()


def test_two_rates_for_one_account_are_refused(tmp_path: Path) -> None:
    """Loads that declare different limits cannot share: the second is told before any call."""
    share = f"sqlite:///{tmp_path}/rate.sqlite"
    open_share(share, "http://127.0.0.1:1", KEY, Rate(100, 1)).close()
    with pytest.raises(SettingsError, match=r"another load of this account declares 100/s, this one 300/min"):
        open_share(share, "http://127.0.0.1:1", KEY, Rate(300, 60))


def test_a_share_that_cannot_be_opened_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The folder is not there: exit 2 in one line, and no call is made."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        share = f"sqlite:///{tmp_path}/nowhere/rate.sqlite"
        ((code, said),) = ended([start(tmp_path, "one", 5, sandbox, "--share", share, "--rate-limit", "100/s")])
        assert sandbox.arrivals() == []
    assert code == 2
    assert f"share {share}: cannot be opened" in said
    assert "Traceback" not in said


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    """The path is that of somebody's own database: refused, and not touched."""
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (number INTEGER)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="is some other SQLite database"):
        open_share(f"sqlite:///{path}", "http://127.0.0.1:1", KEY, Rate(100, 1))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("share", "rate", "said"),
    [
        ("sqlite:///rate.sqlite", "auto", "share needs a declared limit"),
        ("sqlite:///rate.sqlite", None, "share needs a declared limit"),
        ("rate.sqlite", "10/s", "expected sqlite:///PATH"),
        ("sqlite://rate.sqlite", "10/s", "expected sqlite:///PATH"),
        ("sqlite:///", "10/s", "expected sqlite:///PATH"),
        ("redis:///0", "10/s", "expected sqlite:///PATH"),
        ("redis://host:port/0", "10/s", "expected sqlite:///PATH"),
        ("memcached://host", "10/s", "expected sqlite:///PATH"),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(share: str, rate: str | None, said: str) -> None:
    """An address of another form, or no limit that could be shared: one error, before anything else."""
    with pytest.raises(SettingsError, match=said):
        load_events(visits(1), EVENTS, api_key=KEY, share=share, rate_limit=rate)


def test_a_share_in_redis_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed: one error with the command that mends it, and without the password."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"share redis://host/0: needs the package redis: pip install") as caught:
        open_share("redis://:hunter2@host/0", "http://127.0.0.1:1", KEY, Rate(100, 1))
    assert "hunter2" not in str(caught.value)


def test_a_clock_that_comes_back_costs_no_row(tmp_path: Path) -> None:
    """The file is spoilt in mid-load and mended a second later: the load waits, and every row is sent once."""
    path = tmp_path / "rate.sqlite"
    with Sandbox() as sandbox:
        breaker = threading.Thread(target=_spoil, args=(path, sandbox, 1.0))
        breaker.start()
        result = load_events(
            visits(300),
            EVENTS,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            share=f"sqlite:///{path}",
            rate_limit="100/s",
        )
        breaker.join()
        assert result.sent == 300
        assert len(sandbox.events()) == 300


def test_a_clock_that_stays_away_stops_the_load(tmp_path: Path) -> None:
    """The file is spoilt for good: after `max_outage` the load stops, and the rest of the rows are `unsent`."""
    path = tmp_path / "rate.sqlite"
    with Sandbox() as sandbox:
        breaker = threading.Thread(target=_spoil, args=(path, sandbox, None))
        breaker.start()
        result = load_events(
            visits(300),
            EVENTS,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            share=f"sqlite:///{path}",
            rate_limit="100/s",
            max_outage=1,
        )
        breaker.join()
        assert result.sent == len(sandbox.events())
    assert 20 <= result.sent < 300
    assert result.sent + result.unsent == 300
    with pytest.raises(ShareLost, match=r"share sqlite:///.*: cannot be used"):
        result.raise_for_failures()


def test_a_reserve_on_a_spoilt_file_says_so(tmp_path: Path) -> None:
    """What SQLite raises is told as a clock that is away, which can be waited for."""
    path = tmp_path / "rate.sqlite"
    clock = open_share(f"sqlite:///{path}", "http://127.0.0.1:1", KEY, Rate(100, 1))
    _execute(path, "ALTER TABLE clocks RENAME TO elsewhere")
    with pytest.raises(ShareAway, match="cannot be used"):
        clock.reserve(1)
    clock.close()


def test_a_rate_that_changes_in_mid_load_is_no_outage(tmp_path: Path) -> None:
    """Where another rate stands in the file, waiting does not help: it is told as what it is."""
    path = tmp_path / "rate.sqlite"
    clock = open_share(f"sqlite:///{path}", "http://127.0.0.1:1", KEY, Rate(100, 1))
    _execute(path, "UPDATE clocks SET rate = '10/s'")
    with pytest.raises(RateDiffers):
        clock.reserve(1)
    clock.close()


def _spoil(path: Path, sandbox: Sandbox, seconds: float | None) -> None:
    """Take the table away once calls come in, and bring it back after so many seconds, or never."""
    while sandbox.stats().accepted < 20:
        time.sleep(0.01)
    _execute(path, "ALTER TABLE clocks RENAME TO elsewhere")
    if seconds is not None:
        time.sleep(seconds)
        _execute(path, "ALTER TABLE elsewhere RENAME TO clocks")


def _execute(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()
