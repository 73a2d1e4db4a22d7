"""Who takes part, as the command that is run: the loader as its users run it, and its peers.

Every command prints one line at its end from which the rows it did can be read.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

MAPPING = {"user_id": "id", "phone": "phone", "traits": "*"}

JOINED = {
    **MAPPING,
    "traits": [
        "*",
        "name",
        "city",
        {"columns": ["name", "city"], "join": ", ", "name": "Who"},
        {"column": "city", "values": {"Pune": "West", "Delhi": "North", "Goa": "Coast"}, "name": "Region"},
    ],
}
"""The same traits, one that joins two columns, and one by a value map."""

EVENTS = {**MAPPING, "event": {"value": "Signed up"}}
GROUPED = {**EVENTS, "group_by": "id"}
"""Rows of one event each: what it costs to look for groups."""

NOWHERE = "http://127.0.0.1:9"
"""Where the ledger of known rows says that they were sent; nobody listens there."""


class Job(NamedTuple):
    """What a contender is to do: load the first `rows` rows of `table` to `url` with `workers` calls in flight."""

    table: Path
    rows: int
    workers: int
    url: str


class Contender(NamedTuple):
    """How a contender is started, and how many rows its output says that it did, with how many calls."""

    command: Callable[[Job], list[str]]
    done: Callable[[str], int]
    calls: Callable[[str], int] | None = None
    """None: a call for each row."""


def _loader(job: Job, *flags: str) -> list[str]:
    return [
        *(sys.executable, "-m", "interakt_loader", str(job.table), "--quiet", "--output", "json"),
        *("--mapping", str(job.table.with_suffix(".mapping.json")), "--base-url", job.url),
        *("--workers", str(job.workers), "--limit", str(job.rows), "--rate-limit", "none"),
        *("--report", str(job.table.with_suffix(".report.csv")), *flags),
    ]


def _with_ledger(job: Job, *flags: str) -> list[str]:
    ledger = job.table.with_suffix(".new.ledger")
    for ending in ("", "-calls", "-wal"):
        ledger.with_name(ledger.name + ending).unlink(missing_ok=True)
    return _loader(job, "--ledger", str(ledger), *flags)


def _pace(job: Job) -> str:
    """Return the limit for few rows of several a user, where fewer calls are to show as less time."""
    return "1000/s" if job.rows < 1_000_000 else "none"


def _one_row(job: Job) -> Job:
    one = job._replace(table=job.table.with_name("one.csv"))
    one.table.write_text("id,phone,name,city\nC1,9876543210,Asha,Pune\n", encoding="utf-8")
    one.table.with_suffix(".mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8")
    return one


def _several(job: Job) -> Job:
    return job._replace(table=several(job.table, job.rows))


def several(table: Path, rows: int) -> Path:
    """Return the path of the table that has several rows of each user. The first rows of a larger one have fewer."""
    return table.with_name(f"several-{rows}.parquet")


def wide(table: Path) -> Path:
    """Return the path of the table with very many columns."""
    return table.with_name("wide.parquet")


def _again(job: Job) -> list[str]:
    return _loader(job._replace(url=NOWHERE), "--ledger", str(job.table.with_suffix(".ledger")))


def _as_csv(job: Job) -> Job:
    return job._replace(table=job.table.with_suffix(".csv"))


def _dry_run(kind: str, mapping: dict[str, Any]) -> Contender:
    """Return a dry run with a mapping of its own."""

    def command(job: Job) -> list[str]:
        path = job.table.with_suffix(f".{kind}.json")
        path.write_text(json.dumps(mapping), encoding="utf-8")
        return [*_loader(job, "--dry-run", "--ledger", "none"), "--mapping", str(path)]

    return Contender(command, _counted("unsent"))


def _python(code: str) -> Callable[[Job], list[str]]:
    """Run lines of Python in which `TABLE`, `ROWS`, `URL` and `MAPPING` are the job's; they print the rows done."""

    def command(job: Job) -> list[str]:
        names = {"TABLE": str(job.table), "ROWS": job.rows, "URL": job.url, "MAPPING": MAPPING}
        return [sys.executable, "-c", "".join(f"{name} = {value!r}\n" for name, value in names.items()) + code]

    return command


_ONE_CALL = """
from interakt_loader import track
errors = []
track.host, track.on_error = URL, lambda error, message: errors.append(error)
track.user("C1", traits={"name": "Asha"})
track.join()
print(1 - len(errors))
"""

_INFER = """
from interakt_loader import infer
infer(TABLE, limit=ROWS)
print(ROWS)
"""

_FIRST_CALL = """
import os, signal, socket, subprocess, sys
with socket.create_server(("127.0.0.1", 0)) as door:
    command = [one.replace("PORT", str(door.getsockname()[1])) for one in COMMAND]
    load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    door.settimeout(60)
    connection, _ = door.accept()
    called = connection.recv(100).startswith(b"POST")
    load.kill()
    load.wait()
print(ROWS if called else 0)
"""
"""Starts a load, and ends when its first call has come."""

_HTML = """
from interakt_loader import load_users
result = load_users(TABLE, MAPPING, base_url=URL, dry_run=True, limit=ROWS, ledger=None, report="html.report.csv")
for _ in range(10):
    result.write_html("report.html")
print(result.rows)
"""


def _first_call(job: Job) -> list[str]:
    command = _with_ledger(job._replace(url="http://127.0.0.1:PORT"))
    return [sys.executable, "-I", "-S", "-c", f"COMMAND, ROWS = {command!r}, {job.rows}\n{_FIRST_CALL}"]


_QUERY = """
import os
from interakt_loader.load.opening import opened
from interakt_loader.settings import Settings
query = os.environ["BENCH_QUERY"] + f" LIMIT {ROWS}"
print(opened(os.environ["BENCH_" + WHICH], Settings.resolve({"query": query, "dry_run": True})).rows)
"""


def _query(which: str) -> Callable[[Job], list[str]]:
    return _python(f"WHICH = {which!r}\n{_QUERY}")


def _psql(job: Job) -> list[str]:
    query = f"COPY ({os.environ['BENCH_QUERY']} LIMIT {job.rows}) TO STDOUT"
    return [_program("psql"), os.environ["BENCH_POSTGRES_OPEN"], "-c", query]


def _mariadb(job: Job) -> list[str]:
    query = f"{os.environ['BENCH_QUERY']} LIMIT {job.rows}"
    flags = ("--no-defaults", "--quick", "--batch", "--skip-column-names", "--protocol=tcp", "--host=127.0.0.1")
    who = (f"--port={os.environ['BENCH_MARIADB_PORT']}", "--user=loader", "shop")
    return [_program("mariadb"), *flags, *who, "-e", query]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found


def _lines(output: str) -> int:
    return output.count("\n")


def _counted(*statuses: str) -> Callable[[str], int]:
    return lambda output: sum(int(json.loads(output)["status"][status]) for status in statuses)


def _calls(output: str) -> int:
    return int(json.loads(output)["attempts"])


def _peer(name: str) -> Contender:
    def command(job: Job) -> list[str]:
        return [sys.executable, "-m", "benchmarks.peers", name, *map(str, job)]

    return Contender(command, lambda output: int(output.split()[-1]))


CONTENDERS: dict[str, Contender] = {
    "loader": Contender(lambda job: _loader(job, "--ledger", "none"), _counted("sent")),
    "loader, ledger": Contender(_with_ledger, _counted("sent")),
    "loader, ledger, several rows a user": Contender(
        lambda job: _with_ledger(_several(job), "--rate-limit", _pace(job)), _counted("sent", "merged"), _calls
    ),
    "loader, ledger, several rows a user, --no-coalesce": Contender(
        lambda job: _with_ledger(_several(job), "--no-coalesce", "--rate-limit", _pace(job)), _counted("sent"), _calls
    ),
    "loader, ledger, first call": Contender(_first_call, int),
    "loader, ledger, first call from CSV": Contender(lambda job: _first_call(_as_csv(job)), int),
    "loader, ledger, first call, several rows a user": Contender(lambda job: _first_call(_several(job)), int),
    "loader, one row of CSV": Contender(lambda job: _loader(_one_row(job), "--ledger", "none"), _counted("sent")),
    "loader, one row of CSV, ledger": Contender(lambda job: _with_ledger(_one_row(job)), _counted("sent")),
    "loader, patient": Contender(
        lambda job: _loader(job, "--ledger", "none", "--timeout", "2", "--max-retries", "8"), _counted("sent")
    ),
    "loader, dry run": Contender(lambda job: _loader(job, "--dry-run", "--ledger", "none"), _counted("unsent")),
    "loader, again": Contender(_again, _counted("unchanged")),
    "loader, dry run, join and value map": _dry_run("joined", JOINED),
    "loader, dry run of events": _dry_run("events", EVENTS),
    "loader, dry run of events, group_by": _dry_run("grouped", GROUPED),
    "loader, dry run of CSV": Contender(
        lambda job: _loader(_as_csv(job), "--dry-run", "--ledger", "none"), _counted("unsent")
    ),
    "loader, PostgreSQL": Contender(_query("POSTGRES"), int),
    "loader, MariaDB": Contender(_query("MARIADB"), int),
    "psql, COPY TO STDOUT": Contender(_psql, _lines),
    "mariadb, --quick --batch": Contender(_mariadb, _lines),
    "loader, infer": Contender(_python(_INFER), int),
    "loader, infer 2,500 columns": Contender(lambda job: _python(_INFER)(job._replace(table=wide(job.table))), int),
    "loader, 10 HTML reports": Contender(_python(_HTML), int),
    "import interakt_loader": Contender(_python("import interakt_loader\nprint(0)"), int),
    "import load_users": Contender(_python("from interakt_loader import load_users\nprint(0)"), int),
    "track, one call": Contender(_python(_ONE_CALL), int),
    "aiohttp script": _peer("aiohttp_script"),
    "threads, http.client": _peer("threads_http_client"),
    "thread pool, urllib3": _peer("thread_pool_urllib3"),
    "thread pool, requests": _peer("thread_pool_requests"),
    "vendor's SDK": _peer("vendors_sdk"),
    "drt": _peer("drt"),
    "dlt": _peer("dlt"),
    "raw sockets": _peer("raw_sockets"),
    "empty process": Contender(lambda _: [sys.executable, "-c", "print(0)"], int),
    "import click": Contender(lambda _: [sys.executable, "-c", "import click; print(0)"], int),
    "import pyarrow": Contender(lambda _: [sys.executable, "-c", "import pyarrow; print(0)"], int),
    "loader --help": Contender(
        lambda _: [sys.executable, "-m", "interakt_loader", "--help"], lambda output: 0 if "Usage" in output else -1
    ),
}
