"""`python -m benchmarks.accounts`: what many accounts take, each with its own limit, and what breaks first.

First a few figures are measured here: what loads cost that run at once, and what a shared clock costs. Then a
simulation gives the loads of a night to machines, by these figures. It is no measurement of a thousand loads.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import as_table
from benchmarks.server import Server
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit import open_clock

LIMIT = Rate(300, 60.0)
"""Of each account: the smaller plan of Interakt."""

AT_ONCE = 32
"""Loads that run at once while they are measured."""

FEW, MORE = 30, 150
"""Rows of each of them: from two lengths follow the cost of a call and that of a start."""

RESERVATIONS = 2_000
"""Slots that are reserved to measure a clock."""

SLEEPS = 100
"""How often a thread sleeps, to measure what that costs."""

CORES, MEMORY_MB = 2, 24 * 1024
USABLE = 0.8
"""The share of a machine's cores and memory that loads may take."""

NIGHT = 8 * 60
"""Minutes in which all loads are to end."""

_LOAD = """
import sys, threading
import pyarrow as pa
from interakt_loader import load_users
url, rate, folder = sys.argv[1:4]
rows, first, count = map(int, sys.argv[4:])
table = pa.table({"id": [f"C{row}" for row in range(rows)], "phone": [str(9876500000 + row) for row in range(rows)]})
def load(number):
    load_users(
        table, {"user_id": "id", "phone": "phone"}, api_key=f"key {number}", base_url=url, rate_limit=rate,
        ledger=f"{folder}/{number}.ledger", report=f"{folder}/{number}.csv", progress=False,
    )
loads = [threading.Thread(target=load, args=(first + number,)) for number in range(count)]
for one in loads:
    one.start()
for one in loads:
    one.join()
"""


class Together(NamedTuple):
    """Loads that ran at once, all together."""

    cpu: float
    """Seconds."""
    memory_mb: float
    """The most at a time. What processes share counts once (PSS)."""


class Machine(NamedTuple):
    """What loads cost on a machine, and what it has."""

    how: str
    cores: float
    """That loads may use. The threads of one process use one at a time."""
    base_mb: float
    """Memory of the first load, without its own part."""
    load_mb: float
    """Memory of each load."""
    start: float
    """Seconds of CPU until a load's first call, and after its last one."""
    call: float
    """Seconds of CPU of a call, when calls are rare."""

    @property
    def room(self) -> int:
        """How many loads fit into the memory at once."""
        return int((MEMORY_MB * USABLE - self.base_mb) / self.load_mb)


class Night(NamedTuple):
    """A simulated night."""

    machines: int
    minutes: int
    """Until the last load has ended."""
    most: int
    """Loads at once on one machine."""
    busiest: float
    """The most computing in a minute, as a share of the cores that loads may use."""
    waited: bool
    """Loads waited for memory."""

    @property
    def limited_by(self) -> str:
        """What keeps the night from being shorter."""
        if self.busiest > 1:
            return "computing time"
        return "memory" if self.waited else "the accounts' limits"


def run_at_once(loads: int, processes: int, rows: int) -> Together:
    """Run so many loads at once, in so many processes."""
    each = loads // processes
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        before = os.times()
        started = [
            subprocess.Popen(
                [sys.executable, "-c", _LOAD, server.url, str(LIMIT), folder, *map(str, (rows, number * each, each))],
                env=os.environ | {"INTERAKT_STATE_DIR": folder},
            )
            for number in range(processes)
        ]
        most = 0.0
        while any(one.poll() is None for one in started):
            most = max(most, sum(_pss_mb(one.pid) for one in started))
            time.sleep(0.5)
        if any(one.returncode for one in started):
            raise SystemExit(f"{loads} loads in {processes} processes: one failed")
        after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Together(cpu, most)


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has just ended, or this is not Linux
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def measured(how: str, processes: int, cores: float) -> Machine:
    """Return what loads cost that run at once in so many processes."""
    runs = ((1, 1, FEW), (AT_ONCE, processes, FEW), (AT_ONCE, processes, MORE))
    single, few, more = (run_at_once(*one) for one in runs)
    call = (more.cpu - few.cpu) / (AT_ONCE * (MORE - FEW))
    start = few.cpu / AT_ONCE - FEW * call
    load_mb = (more.memory_mb - single.memory_mb) / (AT_ONCE - 1)
    return Machine(how, cores * USABLE, max(0.0, single.memory_mb - load_mb), load_mb, start, call)


def night(rows: list[int], machines: int, machine: Machine) -> Night:
    """Simulate the loads of a night, minute by minute: the largest first, each on the machine with the fewest loads."""
    waiting = sorted(rows)
    running: list[list[float]] = [[] for _ in range(machines)]
    calls = 60 * LIMIT.calls / LIMIT.seconds
    most, busiest, minutes, waited = 0, 0.0, 0, False
    while waiting or any(running):
        starts = [0] * machines
        while waiting:
            free = min(range(machines), key=lambda number: len(running[number]))
            if len(running[free]) >= machine.room:
                waited = True
                break
            running[free].append(waiting.pop())
            starts[free] += 1
        for number, loads in enumerate(running):
            most = max(most, len(loads))
            asked = (starts[number] * machine.start + len(loads) * calls * machine.call) / (60 * machine.cores)
            # all loads start in the first minute, and that minute says nothing about the rest of the night
            busiest = max(busiest, asked) if minutes else busiest
            done = calls / max(1.0, asked)
            running[number] = [left - done for left in loads if left > done]
        minutes += 1
    return Night(machines, minutes, most, busiest, waited)


def fewest(rows: list[int], machine: Machine) -> Night:
    """Return the night with the fewest machines on which all loads end in time."""
    machines = 1
    while (found := night(rows, machines, machine)).minutes > NIGHT:
        machines += 1
    return found


def nights(accounts: int) -> dict[str, list[int]]:
    """Return the rows to send of each account, for two kinds of nights."""
    rng = random.Random(5)
    usual = [min(round(rng.lognormvariate(math.log(2_000), 1.5)), 100_000) for _ in range(accounts)]
    return {"what has changed since yesterday": usual, "everybody's first load, 100,000 rows": [100_000] * accounts}


def sleep_cost() -> float:
    """Return the seconds of CPU of one sleep of a thread: much more on a virtual machine than on a real one."""
    began = time.thread_time()
    for _ in range(SLEEPS):
        time.sleep(0.01)
    return (time.thread_time() - began) / SLEEPS


def clock_cost(address: str) -> float:
    """Return the seconds of one reservation in a shared clock, with its round trip."""
    with contextlib.closing(open_clock(address, "http://127.0.0.1:9", "key", Rate(1000, 1.0))) as clock:
        clock.reserve(1)
        began = time.perf_counter()
        for _ in range(RESERVATIONS):
            clock.reserve(1)
        return (time.perf_counter() - began) / RESERVATIONS


@contextlib.contextmanager
def redis_server() -> Iterator[str | None]:
    """Give the address of a new Redis server; None if none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


INTRODUCTION = """\
## Many accounts

A company may load into many accounts, each with its own limit of {limit}. Measured here: {at_once} loads at once, each
into an account of its own with its own ledger, as processes and as threads of one process.

{costs}

A call costs more than in a load at full speed. Calls are rare, so threads sleep and wake for each one, and few outcomes
are recorded at a time. On this machine one short sleep of a thread alone takes {sleep:,.0f} µs of CPU.

Loads of one account on several machines share its limit through a clock (`--share`). Each reservation of a slot is one
round trip. At {limit} an account makes {calls:.0f} reservations a second.

{clocks}

The simulation gives the loads of one night to machines with {cores} cores and {gib} GiB, of which loads may use
{usable:.0%}. All loads are to end in {hours:.0f} hours, so how many machines does it take?

{nights}
"""


def page() -> str:
    """Measure and simulate, and return a section of the page of results."""
    machines = [measured("processes", AT_ONCE, CORES), measured("threads of one process", 1, 1)]
    costs = (
        (one.how, f"{one.load_mb:,.1f}", f"{one.start * 1000:,.0f}", f"{one.call * 1e6:,.0f}", f"{one.room:,}")
        for one in machines
    )
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        addresses = {"a file": f"sqlite:///{folder}/clock.sqlite", "Redis": redis}
        seconds = {name: clock_cost(address) for name, address in addresses.items() if address}
    calls = LIMIT.calls / LIMIT.seconds
    clocks = (
        (name, f"{one * 1e6:,.0f}", f"{1 / one:,.0f}", f"{1 / one / calls:,.0f}") for name, one in seconds.items()
    )
    return INTRODUCTION.format(
        limit=LIMIT,
        at_once=AT_ONCE,
        sleep=sleep_cost() * 1e6,
        costs=as_table(
            ("loads as", "MB each", "ms of CPU to start and end", "µs of CPU a call", "fit in memory"), costs
        ),
        clocks=as_table(("clock", "µs", "reservations a second", "accounts"), clocks),
        calls=calls,
        cores=CORES,
        gib=MEMORY_MB // 1024,
        usable=USABLE,
        hours=NIGHT / 60,
        nights=as_table(
            ("accounts", "night", "loads as", "machines", "hours", "at once on one", "cores used", "limited by"),
            (line for accounts in (100, 1_000, 10_000) for line in _simulated(accounts, machines)),
        ),
    )


def _simulated(accounts: int, machines: list[Machine]) -> Iterator[tuple[str, ...]]:
    for name, rows in nights(accounts).items():
        for machine in machines:
            found = fewest(rows, machine)
            yield (
                *(f"{accounts:,}", name, machine.how, f"{found.machines:,}", f"{found.minutes / 60:.1f}"),
                *(f"{found.most:,}", f"{found.busiest:.0%}", found.limited_by),
            )


if __name__ == "__main__":
    print(page())
