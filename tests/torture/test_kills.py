"""The torture test: loads that are killed with `kill -9` at random moments, and run again until they are done.

`INTERAKT_TORTURE=200` kills 200 loads of 2,000 events, and a quarter as many of users (`make torture`, which takes
about an hour); without it a few small ones are killed. The counts go to standard output (`-s`).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interakt_loader import verify
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.torture import inputs
from tests.torture.harness import WORKERS, Dice, Load, Pace
from tests.torture.people import People
from tests.torture.tally import Tally

LONG = int(os.environ.get("INTERAKT_TORTURE") or 0)

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
    pytest.mark.timeout(7200 if LONG else 400),
]

ROWS = 2000 if LONG else 1500
EVENT_LOADS = LONG or 4
USER_LOADS = (LONG + 3) // 4 or 2

FAULTS = "500=1%,503=1%,reset=1%,cut=1%,garbage=0.5%"
QUEUES = (10_000, 500, 50)
"""Of `--max-queue-size`, in turn: the smaller, the more often answers are put on record and their slots used anew."""

DOUBTFUL = ("cut", "reset", "garbage")
"""The faults after which nobody but the sandbox knows whether the call was applied; it is, with `cut` alone."""


Check = Callable[[Load, Tally, list[int]], None]
"""Looks at a load that is done, knowing for each of its kills how many accepted calls the load has not heard of."""


def torture(
    tmp_path: Path, loads: int, start: Callable[[Path, int], Load], pace: Pace, check: Check, first_act: int = 0
) -> Tally:
    """Kill loads, run each to its end and check it, until so many were killed."""
    tally, rng, people = Tally(ROWS), Dice(seed=3, pace=pace, rows=ROWS), People(first_act)
    try:
        while tally.loads < loads:
            number = tally.loads + tally.in_peace
            load = start(tmp_path / f"load-{number}", QUEUES[number % len(QUEUES)])
            lost = kill_until_done(load, rng, people, tally)
            assert {path.name for path in load.folder.iterdir()} == {"own.ledger", "own.report.csv", "rows.runs"}
            report = load.report()
            assert report["row"].to_pylist() == list(range(ROWS))
            merged = {"merged"} if load.coalesce else set()
            assert set(report["status"].to_pylist()) <= {"sent", "unchanged"} | merged
            check(load, tally, lost)
            tally.count_load(load, killed=len(lost) > 0)
            load.remove()
            if LONG and tally.loads % 10 == 0:
                print(f"\n{tally}", flush=True)
    finally:
        print(f"\n{tally}")
    return tally


def kill_until_done(load: Load, rng: Dice, people: People, tally: Tally) -> list[int]:
    """Kill a load at least once, unless it is done before, and run it until it is done; say what each kill lost.

    After each kill somebody does something to it that people do.
    """
    lost: list[int] = []
    done, stands = False, load.progress()
    while not done and (not lost or rng.again()):
        with load.running() as process:
            rng.await_moment(load, process, stands)
        done = process.returncode == 0
        before, stands = stands, load.progress()
        if process.returncode == -9:
            lost.append(stands.lost - before.lost)
            tally.count_kill(lost[-1], stands.taken - before.taken, all_taken=stands.taken == ROWS + before.lost)
            tally.people[people.act(load)] += 1
    if not done:
        load.finish()
    return lost


@pytest.mark.longest
def test_each_event_is_there_once_and_copies_are_few_and_marked(tmp_path: Path) -> None:
    """However a load is killed: no event is missing, at most `workers` a kill are there again, and all are marked."""
    rows = inputs.events(ROWS, seed=1)
    wanted = Counter(rows)
    table = inputs.write([row._asdict() for row in rows], inputs.EVENT_MAPPING, tmp_path)

    def check(load: Load, tally: Tally, lost: list[int]) -> None:
        held = Counter(map(inputs.as_sent, load.sandbox.events()))
        extra, faults = held - wanted, load.sandbox.stats().faults
        assert wanted - held == Counter()  # none is missing
        assert [one for one in lost if not 0 <= one <= WORKERS] == []
        assert sum(extra.values()) == sum(lost) + faults.get("cut", 0)  # nothing else was accepted a second time
        marks = load.report()["maybe_duplicate"].to_pylist()
        assert extra.keys() <= {row for row, mark in zip(rows, marks, strict=True) if mark}
        assert sum(marks) <= WORKERS * len(lost) + sum(faults.get(kind, 0) for kind in DOUBTFUL)  # and not just all
        tally.extra_kinds += len(extra)

    with SandboxProcess(SandboxOptions(latency=0.001, jitter=0.019, faults=FAULTS, seed=1)) as sandbox:
        calm = Load(tmp_path / "calm", table, sandbox)
        pace = calm.finish()
        check(calm, Tally(ROWS), [])
        torture(tmp_path, EVENT_LOADS, lambda folder, queue: Load(folder, table, sandbox, queue), pace, check)


@pytest.mark.parametrize("coalesce", [True, False])
def test_users_end_as_in_an_undisturbed_load(tmp_path: Path, coalesce: bool) -> None:
    """However a load is killed: each user has the traits, tags and numbers that it would have had anyway.

    With one call for each user, and with one for each row.
    """
    table = inputs.write(inputs.users(ROWS, seed=2), inputs.USER_MAPPING, tmp_path)

    def load_of(folder: Path, queue: int) -> Load:
        load = Load(folder, table, sandbox, queue)
        load.coalesce = coalesce
        return load

    def check(load: Load, tally: Tally, lost: list[int]) -> None:
        assert users_of(load.sandbox) == wanted
        assert verified(load) == {"same": ROWS}

    with SandboxProcess(SandboxOptions(latency=0.001, jitter=0.019, seed=2)) as sandbox:
        # a call for each row, so that it does not depend on how rows become one call
        calm = Load(tmp_path / "calm", table, sandbox)
        calm.coalesce = False
        pace = calm.finish()
        wanted = users_of(sandbox)
        sandbox.set_faults(FAULTS)
        torture(tmp_path, USER_LOADS, load_of, pace, check, 4)


def verified(load: Load) -> dict[str, int]:
    """Compare the rows with what the sandbox holds, as somebody else would: without the ledger."""
    to: dict[str, Any] = {"api_key": load.sandbox.api_key, "base_url": load.sandbox.url, "max_retries": 20}
    counts = verify(load.table.path, load.table.mapping, progress=False, **to).summary.counts
    return {status: count for status, count in counts.items() if count}


def users_of(sandbox: SandboxProcess) -> dict[str | None, dict[str, Any]]:
    """Return what the sandbox holds of each user, apart from when and how often it received that."""
    own = ("id", "first_seen", "last_seen", "calls")
    users = {}
    for user in sandbox.users():
        users[user.user_id] = {name: value for name, value in user._asdict().items() if name not in own}
        users[user.user_id]["tags"] = set(user.tags)
    return users
