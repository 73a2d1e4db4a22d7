"""What is measured: who does how many rows against which server."""

from __future__ import annotations

from typing import NamedTuple

FAULTS = "500=3%,reset=2%,garbage=1%,cut=1%,html502=1%,hang=0.1%"


class Scenario(NamedTuple):
    """Contenders take turns, each with its number of rows; the server answers after `latency` seconds.

    `server` is `fast` (the benchmark's own), `sandbox` (which has faults), `databases` or `none`.
    """

    name: str
    rows: dict[str, int]
    workers: int = 16
    latency: float = 0.0
    server: str = "fast"
    faults: str = ""
    rounds: int = 5


def speed(rows: int) -> Scenario:
    """No latency: what a row costs. The slow ones do a quarter of `rows`: their start weighs more, and is little."""
    slow = ("thread pool, requests", "vendor's SDK", "drt", "dlt")
    fast = ("loader", "loader, ledger", "aiohttp script", "threads, http.client", "thread pool, urllib3", "raw sockets")
    return Scenario("0 ms, 16 workers", dict.fromkeys(fast, rows) | dict.fromkeys(slow, max(rows // 4, 1_000)))


def latency(rows: int, milliseconds: int, workers: int) -> Scenario:
    """A server that takes its time: what share of workers / latency is used. Tools with one thread do few rows."""
    name = f"{milliseconds} ms, {workers} workers"
    pools = dict.fromkeys(("loader", "aiohttp script", "threads, http.client"), rows)
    one_by_one = dict.fromkeys(("vendor's SDK", "drt", "dlt"), max(rows // 400, 20)) if milliseconds == 50 else {}
    return Scenario(name, pools | one_by_one, workers, milliseconds / 1000, rounds=3)


def speed_alone(rows: int) -> Scenario:
    """The same for so many rows that no start counts, with the ledger too."""
    who = ("loader", "loader, ledger", "aiohttp script", "raw sockets")
    return Scenario(f"0 ms, 16 workers, {rows:,} rows", dict.fromkeys(who, rows), rounds=3)


def start() -> Scenario:
    """How long it takes until a process is ready, and until one row of a CSV is loaded."""
    who = ("empty process", "import click", "loader --help", "import pyarrow")
    one = ("loader, one row of CSV", "loader, one row of CSV, ledger")
    return Scenario("start", dict.fromkeys(who, 0) | dict.fromkeys(one, 1), rounds=21)


def first_call(rows: int) -> Scenario:
    """How long it takes until the first call, if the whole table is compared with a ledger before it."""
    who = [f"loader, ledger, first call{rest}" for rest in ("", " from CSV", ", several rows a user")]
    return Scenario(f"first call of {rows:,}", dict.fromkeys(who, rows), server="none")


def inference(rows: int) -> Scenario:
    """What a proposal costs: for the usual ten columns, and for very many."""
    who = ("loader, infer", "loader, infer 2,500 columns")
    return Scenario(f"inference from {rows:,} rows", dict.fromkeys(who, rows), server="none", rounds=3)


def coalesced(rows: int) -> Scenario:
    """Several rows of each user, under a limit of 1,000 calls a second: fewer calls are less time."""
    who = ("loader, ledger, several rows a user", "loader, ledger, several rows a user, --no-coalesce")
    name = f"{rows:,} rows of {rows * 3 // 20:,} users, 1,000 calls a second"
    return Scenario(name, dict.fromkeys(who, rows), rounds=3)


def dry_run(rows: int) -> Scenario:
    """Mapping, coercion, phone check and JSON, the report written."""
    return Scenario(f"dry run of {rows:,}", {"loader, dry run": rows}, server="none", rounds=3 if rows > 1e6 else 5)


def forms(rows: int) -> Scenario:
    """The same without and with fields that join and map values, and without and with groups of rows."""
    plain, joined = "loader, dry run", "loader, dry run, join and value map"
    events = ("loader, dry run of events", "loader, dry run of events, group_by")
    return Scenario(f"field forms, dry run of {rows:,}", dict.fromkeys((plain, joined, *events), rows), server="none")


def databases(rows: int) -> Scenario:
    """The result of one query, kept by the loader and ready for the first call; beside the database's own program."""
    who = ("psql, COPY TO STDOUT", "loader, PostgreSQL", "mariadb, --quick --batch", "loader, MariaDB")
    return Scenario(f"query of {rows:,} rows", dict.fromkeys(who, rows), server="databases", rounds=3)


def load(rows: int) -> Scenario:
    """A load at full speed."""
    return Scenario(f"load of {rows:,}", {"loader": rows}, rounds=5 if rows <= 100_000 else 1)


def ledger_load(rows: int) -> Scenario:
    """The same with a ledger, for one row of each user and for several."""
    who = ("loader, ledger", "loader, ledger, several rows a user")
    return Scenario(f"load of {rows:,} with a ledger", dict.fromkeys(who, rows), rounds=1)


def slow_load(rows: int) -> Scenario:
    """A load with a full queue: the table is read far faster than it is sent."""
    return Scenario(f"load of {rows:,}, 20 ms", {"loader": rows}, 64, 0.02, rounds=1)


def again(rows: int) -> Scenario:
    """A second load of rows of which none has changed."""
    return Scenario(f"second load of {rows:,}", {"loader, again": rows}, server="none", rounds=5)


def faults(rows: int) -> list[Scenario]:
    """The sandbox, without faults and with some."""
    who = {"loader, patient": rows}
    return [
        Scenario("sandbox, 20 ms", who, 16, 0.02, "sandbox", rounds=3),
        Scenario("sandbox, 20 ms, 8.1 % faults", who, 16, 0.02, "sandbox", FAULTS, rounds=3),
    ]
