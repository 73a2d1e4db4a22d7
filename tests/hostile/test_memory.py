"""Memory and threads of a process that is fed without end, and how it ends when it is asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hostile.server import ANSWERS, Answer, HostileServer, said, with_length

CALLS = int(os.environ.get("INTERAKT_HOSTILE_CALLS", "150"))
"""Rows of a load; each is answered with as much as the client takes, and more."""

MOST_GROWN = 50
"""Megabytes."""

HOME = Path(__file__).resolve().parents[2]

LOAD = """
import json, resource, sys, threading
import pyarrow as pa
from interakt_loader import load_users

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def load(url, rows, **options):
    table = pa.table({"id": [str(row) for row in range(rows)]})
    options |= {"api_key": "a-key-of-some-length", "base_url": url, "rate_limit": None}
    return load_users(table, {"user_id": "id"}, **options)

harmless, rows, hostile = json.loads(sys.argv[1])
load(harmless, rows)
for name, url, options in hostile:
    before = peak()
    counts = load(url, rows, **options).summary.counts
    print(json.dumps([name, {status: count for status, count in counts.items() if count}, peak() - before]))
print(json.dumps([one.name for one in threading.enumerate() if one.name.startswith("interakt")]))
"""
"""A load from a server that means well, and then some from those that do not: the difference is what these did."""

OK = with_length(b'{"result": true}', b"HTTP/1.1 202 Accepted\r\n")
LONG = b'{"result": true, "pad": "' + b"x" * 65_000 + b'"}'

FEEDERS: dict[str, tuple[Answer, str, dict[str, int]]] = {
    "endless bodies": (ANSWERS["an endless body"], "rejected", {}),
    "endless headers": (ANSWERS["an endless header"], "unknown", {"max_retries": 0}),
    "bombs": (ANSWERS["a bomb of a refusal"], "rejected", {}),
    "long successes": (Answer(said(with_length(LONG, b"HTTP/1.1 202 Accepted\r\n")), ""), "sent", {}),
    # all of them wait for their retry at the same time, each with the answer that it got
    "long failures": (
        Answer(said(with_length(b"x" * 65_000, b"HTTP/1.1 500 Bad\r\n")), ""),
        "failed",
        {"max_retries": 1},
    ),
}
"""What it is called: the answer, how the rows end, and the options of the load."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak in this way")
@pytest.mark.timeout(900)
def test_what_a_server_sends_does_not_pile_up() -> None:
    """Peak memory grows by less than 50 MB over that of a load whose answers are short, however much is sent."""
    with ExitStack() as stack:
        harmless = stack.enter_context(HostileServer(Answer(said(OK), "")))
        servers = {name: stack.enter_context(HostileServer(answer)) for name, (answer, _, _) in FEEDERS.items()}
        hostile = [(name, server.url, FEEDERS[name][2]) for name, server in servers.items()]
        command = [sys.executable, "-c", LOAD, json.dumps([harmless.url, CALLS, hostile])]
        environment = os.environ | {"PYTHONPATH": str(HOME)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800, check=True)
    *told, threads = map(json.loads, done.stdout.splitlines())
    for name, counts, grown in told:
        print(f"{name}: {CALLS} calls, {servers[name].served / 1e6:,.0f} MB served, {grown} MB grown")
        assert counts == {FEEDERS[name][1]: CALLS}
    assert sum(grown for _, _, grown in told) < MOST_GROWN
    assert threads == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process alone")
def test_ctrl_c_while_answers_drip(tmp_path: Path) -> None:
    """The first lets the calls end, which they do within their bound; each row has its line."""
    (tmp_path / "in.csv").write_text("id\n" + "\n".join(map(str, range(100))), encoding="utf-8")
    arguments = ["in.csv", "--map", "user_id=id", "--timeout", "0.3", "--workers", "2", "--ledger", "none"]
    with HostileServer(ANSWERS["a header that drips"]) as server:
        arguments += ["--base-url", server.url, "--report", "out.csv"]
        environment = os.environ | {"PYTHONPATH": str(HOME), "INTERAKT_API_KEY": "a-key-of-some-length"}
        process = subprocess.Popen(
            [sys.executable, "-m", "interakt_loader", *arguments],
            cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not server.calls and time.monotonic() < deadline:
            time.sleep(0.01)  # nothing tells us of a call in another process
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(60) == 130
        assert time.monotonic() - began < 10
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == 100
    assert {line.split(",")[7].strip('"') for line in lines} <= {"unknown", "unsent"}
