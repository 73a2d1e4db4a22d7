"""A shared clock in a file: real processes against the sandbox's own log, and files that cannot be used."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import MappingDict, load_events
from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit import ClockUnavailable, RateDiffers, open_clock
from tests.shared_limit.claims import KEY, NOWHERE, Place, SharedClockClaims
from tests.shared_limit.processes import ended, start, use

MAPPING: MappingDict = {"user_id": "user", "event": {"value": "Visit"}}


class TestClaims(SharedClockClaims):
    """In a file whose table is removed and restored."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        path = tmp_path / "rate.sqlite"
        return Place(
            f"sqlite:///{path}",
            take_away=lambda: _execute(path, "ALTER TABLE clocks RENAME TO elsewhere"),
            bring_back=lambda: _execute(path, "ALTER TABLE elsewhere RENAME TO clocks"),
        )


@pytest.mark.alone
def test_a_process_that_is_killed_stops_nobody(tmp_path: Path) -> None:
    """One of two loads is killed with SIGKILL. The other one has the whole limit from then on."""
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


def test_a_share_that_cannot_be_opened_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The folder does not exist: exit 2 with one line, and no call is made."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        share = f"sqlite:///{tmp_path}/nowhere/rate.sqlite"
        ((code, said),) = ended([start(tmp_path, "one", 5, sandbox, "--share", share, "--rate-limit", "100/s")])
        assert sandbox.arrivals() == []
    assert code == 2
    assert f"share {share}: cannot be opened" in said
    assert "Traceback" not in said


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    """The path is that of another database: it is refused and not changed."""
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (number INTEGER)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="is some other SQLite database"):
        open_clock(f"sqlite:///{path}", NOWHERE, KEY, Rate(100, 1))
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
        load_events(pd.DataFrame({"user": ["u0"]}), MAPPING, api_key=KEY, share=share, rate_limit=rate)


def test_a_share_in_redis_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names the command that installs the package, and not the password."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(
        SettingsError, match=r"share redis://host/0: needs the package redis: pip install redis$"
    ) as caught:
        open_clock("redis://:hunter2@host/0", NOWHERE, KEY, Rate(100, 1))
    assert "hunter2" not in str(caught.value)


def test_a_reservation_in_a_damaged_file_says_so(tmp_path: Path) -> None:
    """An error of SQLite is reported as an unreachable clock, for which the load can wait."""
    path = tmp_path / "rate.sqlite"
    clock = open_clock(f"sqlite:///{path}", NOWHERE, KEY, Rate(100, 1))
    _execute(path, "ALTER TABLE clocks RENAME TO elsewhere")
    with pytest.raises(ClockUnavailable, match="cannot be used"):
        clock.reserve(1)
    clock.close()


def test_a_rate_that_changes_in_mid_load_is_no_outage(tmp_path: Path) -> None:
    """Another rate is in the file. Waiting does not help, so it is not reported as an unreachable clock."""
    path = tmp_path / "rate.sqlite"
    clock = open_clock(f"sqlite:///{path}", NOWHERE, KEY, Rate(100, 1))
    _execute(path, "UPDATE clocks SET rate = '10/s'")
    with pytest.raises(RateDiffers):
        clock.reserve(1)
    clock.close()


def _execute(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()
