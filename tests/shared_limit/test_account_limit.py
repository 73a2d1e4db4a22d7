"""A declared limit holds for all loads of an account, in one process and on one machine."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import LoadResult, MappingDict, load_events
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit import account_limit, open_turns
from interakt_loader.shared_limit import sqlite as machine_file
from interakt_loader.shared_limit.clock import ClockUnavailable, LastCall, claimed, spacing_of
from interakt_loader.shared_limit.sqlite import MachineFile
from tests.shared_limit import processes
from tests.shared_limit.windows import most_in_a_window

MAPPING: MappingDict = {"user_id": "user", "event": {"value": "Visit"}}
ACCOUNT = b"a" * 16
LOCAL = "http://127.0.0.1:1"
FAST, SLOW = Rate(20, 1), Rate(5, 1)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a user who has one."""
    folder = tmp_path / "state"
    monkeypatch.setenv("INTERAKT_STATE_DIR", str(folder))
    return folder


def load(sandbox: Sandbox | SandboxProcess, rows: int, rate: str) -> LoadResult:
    frame = pd.DataFrame({"user": [f"u{row}" for row in range(rows)]})
    result = load_events(frame, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=rate)
    assert result.sent == rows
    return result


# a busy machine may deliver one call late
MOST = 20 + 1


@pytest.mark.alone
@pytest.mark.parametrize("with_state", [False, True])
def test_loads_one_after_another_hold_one_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_state: bool
) -> None:
    """60 loads of one row at 20 a second: never more than 20 calls in any second, with a state folder and without."""
    monkeypatch.setenv("INTERAKT_STATE_DIR", str(tmp_path) if with_state else "none")
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        for _ in range(60):
            load(sandbox, 1, "20/s")
        assert most_in_a_window(sorted(sandbox.arrivals()), 1.0) <= MOST


@pytest.mark.alone
def test_loads_of_several_threads_hold_one_limit() -> None:
    """Four threads make 60 loads of one row, without a state folder: never more than 20 calls in any second."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: load(sandbox, 1, "20/s"), range(60)))
        assert most_in_a_window(sorted(sandbox.arrivals()), 1.0) <= MOST


@pytest.mark.alone
def test_loads_of_several_processes_hold_one_limit(tmp_path: Path, state: Path) -> None:
    """Three commands at once at 20 a second: never more than 20 calls in any second."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox:
        loads = [processes.start(tmp_path, f"part{n}", 30, sandbox, "--rate-limit", "20/s") for n in range(3)]
        assert [code for code, _ in processes.ended(loads)] == [0, 0, 0]
        arrivals = sorted(sandbox.arrivals())
    assert len(arrivals) == 90
    assert most_in_a_window(arrivals, 1.0) <= MOST
    assert (state / machine_file.MACHINE_FILE).exists()


@pytest.mark.alone
def test_the_lower_of_two_limits_holds_and_both_loads_end(caplog: pytest.LogCaptureFixture) -> None:
    """A load at 200 per second runs beside one at 5 per second. Meanwhile there are at most 5 calls in any second, and
    the log says so. Then the fast load uses its own limit."""
    with SandboxProcess(SandboxOptions(record_arrivals=True)) as sandbox, ThreadPoolExecutor(2) as pool:
        slow = pool.submit(load, sandbox, 8, "5/s")
        while not sandbox.arrivals():
            pass
        with caplog.at_level(logging.WARNING, logger="interakt_loader"):
            fast = pool.submit(load, sandbox, 200, "200/s")
            slow.result()
            ended = max(sandbox.arrivals())
            fast.result()
        arrivals = sorted(sandbox.arrivals())
    assert most_in_a_window([one for one in arrivals if one <= ended], 1.0) <= 6
    # a second until it looks again, a second of 200 calls, and a busy machine
    assert arrivals[-1] - ended < 6
    said = [one.getMessage() for one in caplog.records if "rate_limit" in one.getMessage()]
    assert len(said) == 1
    assert "rate_limit is 200/s, and another load of this account on this machine declares 5/s" in said[0]


def test_another_account_has_a_limit_of_its_own() -> None:
    """The calls of one account do not slow down another one."""
    with open_turns(LOCAL, "one:", Rate(1, 3600)) as mine, open_turns(LOCAL, "two:", Rate(1, 3600)) as theirs:
        assert mine.due(1000.0, 1, 0) <= 1000.0
        assert mine.due(1000.0, 1, 0) > 1000.0
        assert theirs.due(1000.0, 1, 0) <= 1000.0


def test_forms_of_one_key_are_one_account() -> None:
    """The key from the dashboard and its decoded form have one limit."""
    with open_turns(LOCAL, "c2VjcmV0Og==", Rate(1, 3600)) as mine, open_turns(LOCAL + "/", "secret", mine.rate) as same:
        assert mine.due(1000.0, 1, 0) <= 1000.0
        assert same.due(1000.0, 1, 0) > 1000.0


def test_accounts_without_loads_are_forgotten() -> None:
    """A process that has loaded for many accounts forgets those whose last call was long ago."""
    before = len(account_limit._registry)
    for number in range(50):
        with open_turns(LOCAL, f"tenant-{number}:", FAST) as turns:
            turns.due(-1000.0, 1, 0)
    assert len(account_limit._registry) <= before + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on Windows")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_holds_the_limit_too(state: Path) -> None:
    """The parent is in the middle of a load. The child's call comes after the parent's, and the parent continues."""
    with open_turns(LOCAL, "fork:", Rate(1, 3600)) as mine:
        assert mine.due(1000.0, 1, 0) <= 1000.0
        child = os.fork()
        if not child:
            with open_turns(LOCAL, "fork:", Rate(1, 3600)) as turns:
                os._exit(0 if turns.due(1000.0, 1, 0) > 1000.0 else 1)
        assert os.waitpid(child, 0)[1] == 0
        with sqlite3.connect(state / machine_file.MACHINE_FILE) as database:
            assert database.execute("SELECT count(*) FROM declared").fetchone() == (2,)
        database.close()


# ---------------------------------------------------------------- the arithmetic


@given(
    rates=st.lists(
        st.builds(Rate, st.integers(1, 500).map(float), st.sampled_from([1.0, 60.0])), min_size=1, max_size=3
    ),
    lateness=st.lists(st.floats(0, 0.5), min_size=1, max_size=20),
)
def test_no_window_of_any_declared_limit_holds_more(rates: list[Rate], lateness: list[float]) -> None:
    """However late each call is, no window holds more calls than any of the declared limits allows."""
    last, now, went = None, 1000.0, []
    for number in range(600):
        claim = claimed(last, now, rates)
        if claim.call is None:
            now = claim.next_at + lateness[number % len(lateness)]
            continue
        last = claim.call
        went.append(now)
    for rate in rates:
        assert most_in_a_window(went, rate.seconds) <= rate.calls


@pytest.mark.parametrize(("rate", "used"), [(Rate(300, 60), 0.99), (Rate(10, 1), 0.985), (Rate(100, 1), 0.985)])
def test_98_percent_of_a_limit_are_used(rate: Rate, used: float) -> None:
    """Of a limit per minute 99 % are used, of a limit per second 98.5 %."""
    assert rate.seconds / rate.calls / spacing_of([rate]).step == pytest.approx(used, abs=0.0003)


@pytest.mark.parametrize("at", [1e12, float("inf")])
def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_a_step(at: float) -> None:
    """The last call is in the future, or the record is damaged: the next call goes within one step."""
    claim = claimed(LastCall(at, at), 1000.0, [FAST])
    assert claim.next_at <= 1000.0 + spacing_of([FAST]).step + 1e-6


# ---------------------------------------------------------------- the file


def step(mine: MachineFile, *rates: Rate) -> float:
    """Return the seconds from the account's last call to the next one, from the file as it is now."""
    while mine.claim(rates).call is None:
        pass
    claim = mine.claim(rates)
    assert claim.call is None
    return claim.next_at - last_call(mine)


def last_call(file: MachineFile) -> float:
    found = file._db.execute("SELECT slot FROM last_calls").fetchone()[0]
    return float(found) + time.monotonic() - time.time()


def test_a_lower_limit_of_another_process_holds_until_it_ends(tmp_path: Path) -> None:
    """Another process declares 5 per second. This one's calls keep to that until it ends, then to 20 per second
    again."""
    mine, other = MachineFile(tmp_path, ACCOUNT), MachineFile(tmp_path, ACCOUNT)
    assert step(mine, FAST) == pytest.approx(spacing_of([FAST]).step, abs=0.01)
    assert other.claim([SLOW]).holds == SLOW
    assert mine.claim([FAST]).holds == SLOW
    assert step(mine, FAST) == pytest.approx(spacing_of([SLOW]).step, abs=0.01)
    other.close()
    assert mine.claim([FAST]).holds == FAST
    mine.close()


def test_a_process_that_was_killed_slows_the_others_for_seconds_only(tmp_path: Path) -> None:
    """It declared a lower limit and was killed. Ten seconds after its last call that limit is over."""
    mine, killed = MachineFile(tmp_path, ACCOUNT), MachineFile(tmp_path, ACCOUNT)
    killed.claim([SLOW])
    assert mine.claim([FAST]).holds == SLOW
    execute(tmp_path, f"UPDATE declared SET until = until - {machine_file.DECLARED_FOR} WHERE calls = 5")
    assert mine.claim([FAST]).holds == FAST
    mine.close()
    killed.abandon()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"no database" * 1000), id="something else"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.unlink(), id="deleted"),
        pytest.param(lambda path: execute(path.parent, "DROP TABLE declared"), id="no table"),
        pytest.param(lambda path: execute(path.parent, "UPDATE last_calls SET slot = 'x', at = 9e99"), id="nonsense"),
        pytest.param(lambda path: execute(path.parent, "PRAGMA user_version = 99"), id="another version"),
    ],
)
@pytest.mark.parametrize("running", [False, True])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: Callable[[Path], object], running: bool) -> None:
    """The file is damaged before a load opens it or while it runs: calls continue, and are recorded."""
    mine = MachineFile(tmp_path, ACCOUNT)
    mine.claim([FAST])
    if not running:
        mine.close()
    damage(tmp_path / machine_file.MACHINE_FILE)
    if not running:
        mine = MachineFile(tmp_path, ACCOUNT)
    step(mine, FAST)
    other = MachineFile(tmp_path, ACCOUNT)
    assert other.claim([Rate(1, 3600)]).call is None
    other.close()
    mine.close()


@pytest.mark.parametrize("state_of_file", ["locked", "a folder"])
def test_a_file_that_cannot_be_used_stops_no_load(
    sandbox: Sandbox, state: Path, state_of_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process locks the file for good, or a folder has its name: the load continues and warns once."""
    state.mkdir()
    path = state / machine_file.MACHINE_FILE
    if state_of_file == "a folder":
        path.mkdir()
        load(sandbox, 30, "100/s")
    else:
        MachineFile(state, ACCOUNT).close()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        load(sandbox, 30, "100/s")
        holder.close()
    said = [one.getMessage() for one in caplog.records if "the limit is held by this process alone" in one.getMessage()]
    assert len(said) == 1


@pytest.mark.parametrize("given", ["none", "/dev/null/state"])
def test_without_a_state_folder_nothing_is_said(
    sandbox: Sandbox, given: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder is switched off, or cannot be written: the limit holds in this process, without a warning."""
    monkeypatch.setenv("INTERAKT_STATE_DIR", given)
    load(sandbox, 3, "100/s")
    assert [one for one in caplog.records if "limit is held" in one.getMessage()] == []


def test_the_file_is_for_its_owner_only_and_names_nobody(state: Path, sandbox: Sandbox) -> None:
    """Mode 0600. It contains neither the key nor the address, nor loads that have ended."""
    load(sandbox, 2, "100/s")
    path = state / machine_file.MACHINE_FILE
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    assert sandbox.api_key.encode() not in content
    assert sandbox.url.encode() not in content
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM declared").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM last_calls").fetchone() == (1,)
    database.close()


def test_a_dry_run_and_a_load_without_a_limit_take_no_turns(state: Path, sandbox: Sandbox) -> None:
    """Nothing is declared, or nothing is sent: the file is not created."""
    load(sandbox, 2, "auto")
    frame = pd.DataFrame({"user": ["u1"]})
    load_events(frame, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit="1/h", dry_run=True)
    assert not (state / machine_file.MACHINE_FILE).exists()


def test_a_process_that_keeps_the_file_for_half_a_second_is_waited_for(tmp_path: Path) -> None:
    """Such as one that the system lets wait while it has the lock. The limit still holds for both."""
    mine, other = MachineFile(tmp_path, ACCOUNT), MachineFile(tmp_path, ACCOUNT)
    assert other.claim([Rate(1000, 1)]).call is not None
    holder = sqlite3.connect(tmp_path / machine_file.MACHINE_FILE, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, holder.execute, ["COMMIT"])
    release.start()
    mine.claim([Rate(1000, 1)])
    release.join()
    for one in (mine, other, holder):
        one.close()


def test_accounts_share_the_file_and_not_the_limit(tmp_path: Path) -> None:
    """Many threads claim calls of two accounts: each call is granted once, and no claim fails."""
    files = {account: MachineFile(tmp_path, account) for account in (ACCOUNT, b"b" * 16)}
    granted: dict[bytes, list[LastCall]] = {account: [] for account in files}
    errors: list[ClockUnavailable] = []

    def work(account: bytes) -> None:
        mine = MachineFile(tmp_path, account)
        while len(granted[account]) < 200 and not errors:
            try:
                claim = mine.claim([Rate(1000, 1)])
            except ClockUnavailable as error:
                errors.append(error)
                break
            if claim.call is not None:
                granted[account].append(claim.call)
            time.sleep(max(0.0, claim.next_at - time.monotonic()))
        mine.close()

    threads = [threading.Thread(target=work, args=(account,)) for account in files for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for file in files.values():
        file.close()
    assert errors == []
    for calls in granted.values():
        assert most_in_a_window(sorted(one.at for one in calls), 1.0) <= 1000
        assert len(calls) >= 200


def execute(folder: Path, statement: str) -> None:
    database = sqlite3.connect(folder / machine_file.MACHINE_FILE)
    with database:
        database.execute(statement)
    database.close()
