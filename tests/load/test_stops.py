"""A load that ends early: at once where it must, with every row accounted for, and on the way on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import MappingDict, load_users
from interakt_loader.errors import InteraktLoaderError, SettingsError, TooManyFailures
from interakt_loader.ledger.account import address_id, wrap
from interakt_loader.ledger.store import Store
from interakt_loader.load.job import Job
from interakt_loader.load.pipeline import Tally, deliver
from interakt_loader.mapping import Mapping
from interakt_loader.model import Stop, StopToken
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Failures, parse_failures

USERS: MappingDict = {"user_id": "user", "traits": ["n"]}
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, links and limits as POSIX has them")


def users(count: int) -> pd.DataFrame:
    return pd.DataFrame({"user": [f"u{n}" for n in range(count)], "n": range(count)})


def to(sandbox: Sandbox | SandboxProcess, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None, **options}


# ------------------------------------------------------------------ --max-failures


@pytest.mark.parametrize(
    ("limit", "tally", "too_many"),
    [
        (None, Tally(read=10, refused=5, settled=5, failed=5), False),
        (0, Tally(read=10, refused=1), True),
        ("3", Tally(read=9, refused=1, settled=8, failed=2), False),
        ("3", Tally(read=9, refused=2, settled=8, failed=2), True),
        ("5%", Tally(read=99, refused=99), False),
        ("5%", Tally(read=5000, refused=174), False),  # the calls of the batch have not settled yet
        ("5%", Tally(read=5000, refused=251), True),
        ("5%", Tally(read=5000, settled=99, failed=99), False),
        ("5%", Tally(read=5000, settled=100, failed=5), False),
        ("5%", Tally(read=5000, settled=100, failed=6), True),
        ("5%", Tally(read=5000, refused=150, settled=100, failed=3), True),  # 3 % and 3 % of the rest
        ("100%", Tally(read=200, refused=200), False),
    ],
)
def test_how_many_failures_are_too_many(limit: Any, tally: Tally, too_many: bool) -> None:
    """More than N; more than P % of the rows, as far as they are known, from the hundredth on."""
    assert tally.are_too_many(Failures() if limit is None else parse_failures(limit)) is too_many


@pytest.mark.parametrize("limit", ["x", "-1", "101%", "1.5", True, 2.5, ""])
def test_a_limit_without_sense_is_refused(limit: Any) -> None:
    """With one line that says what was expected."""
    with pytest.raises(SettingsError, match=r"max_failures is .*; expected a whole number of rows, or a share such"):
        Settings(max_failures=limit)


def test_too_many_failures_stop_the_load(sandbox: Sandbox) -> None:
    """Every call fails, at most 20 rows may: exit 3 soon, the rest unsent, and the reason says the figures."""
    sandbox.set_faults("400=100%")
    result = load_users(users(2000), USERS, **to(sandbox, max_failures=20, workers=2, max_queue_size=50))
    assert result.exit_code == 3
    assert 20 < result.rejected < 100
    assert result.rejected + result.unsent == 2000
    assert result.stopped is not None
    said = r"0 of [\d,]+ rows are invalid, \d+ of \d+ calls failed: max_failures is 20"
    assert re.fullmatch(said, result.stopped.message)
    with pytest.raises(TooManyFailures):
        result.raise_for_failures()


def test_invalid_rows_count(sandbox: Sandbox) -> None:
    """A mapping that does not fit the table is detected before much is sent."""
    frame = users(20_000)
    frame.loc[frame.index % 2 == 0, "user"] = None
    result = load_users(frame, USERS, **to(sandbox, max_failures="10%"))
    assert result.exit_code == 3
    assert result.sent < 10_000


# ------------------------------------------------------------------ interrupts


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        held = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for connection in held:
            connection.close()


@POSIX
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_within_the_timeout(tmp_path: Path, signum: int, code: int) -> None:
    """Calls hang; timeout 2: the process is gone within timeout + 2 s, and each row is unknown or unsent."""
    users(500).to_csv(tmp_path / "users.csv", index=False)
    with silent_server() as url:
        command = [sys.executable, "-m", "interakt_loader", "users.csv", "--base-url", url, "--timeout", "2"]
        process = subprocess.Popen(
            [*command, "--map", "user_id=user", "--workers", "4", "--output", "json"],
            cwd=tmp_path,
            env=os.environ | {"INTERAKT_API_KEY": "key"},
            stdout=subprocess.PIPE,
        )
        report = tmp_path / "users.report.csv"
        while not (tmp_path / "users.ledger-calls").exists() or not report.exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)  # into the first calls; nothing depends on how far
        began = time.monotonic()
        process.send_signal(signum)
        out, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 2 + 2 + 1  # the promise, and a busy machine's second
        assert process.returncode == code
    said = json.loads(out)
    assert said["exit"] == code
    assert said["status"]["unknown"] + said["status"]["unsent"] == said["rows"] == 500
    assert read_report(report).num_rows == 500


def test_calls_that_never_come_back_are_waited_for_no_longer_than_the_timeout() -> None:
    """A server that drips a byte now and then keeps each wait short and never ends: the load ends all the same."""
    dripping, over = threading.Event(), threading.Event()
    token = StopToken()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n")
            dripping.set()
            while not over.wait(0.05):
                connection.sendall(b" ")

    def interrupt() -> None:
        dripping.wait(10)
        token.request(Stop("interrupted", "the load was interrupted"))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads = [threading.Thread(target=drip, args=[listening]), threading.Thread(target=interrupt)]
        for thread in threads:
            thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = Settings(api_key="key", base_url=url, timeout=2, workers=1)
        job = Job(Mapping.of(USERS), "user", settings, stop_token=token)
        batches = iter(pa.Table.from_pandas(users(3)).to_batches())
        lines = [one for batch in deliver(batches, job) for one in batch.to_pylist()]
        over.set()
        for thread in threads:
            thread.join()
    assert {one["row"]: (one["status"], one["code"]) for one in lines} == {
        0: ("unknown", "in_doubt"),
        1: ("unsent", "interrupted"),
        2: ("unsent", "interrupted"),
    }


# ------------------------------------------------------------------ full disks


@POSIX
def test_a_full_disk_under_the_report(tmp_path: Path) -> None:
    """The report cannot be written any more: one line, exit 3; all that was accepted is in the ledger."""
    with Sandbox(SandboxOptions(latency=0.005)) as sandbox:
        done = with_little_room(tmp_path, sandbox, rows=2000, room=150_000, report="users.report.csv")
        assert done.returncode == 3, done.stderr
        assert "stopped early: report users.report.csv: cannot be written: File too large" in done.stdout
        assert "Traceback" not in done.stderr
        goes_on(tmp_path, sandbox)


@POSIX
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_page_about_a_report_that_is_cut_off(tmp_path: Path, ending: str) -> None:
    """With `--html` too the load ends as it would without: the page is missed in one line."""
    with Sandbox() as sandbox:
        options = ["--html", "users.html", "--ledger", "none"]
        room, rows = (2000, 4000) if ending == "parquet" else (150_000, 2000)
        report = f"users.report.{ending}"
        done = with_little_room(tmp_path, sandbox, rows=rows, room=room, report=report, options=options)
        assert done.returncode == 3, done.stderr
        assert f"stopped early: report {report}: cannot be written" in done.stdout
        assert "page: " not in done.stdout
        assert "Traceback" not in done.stderr
        try:
            assert read_report(tmp_path / report).num_rows < rows  # cut off at the end of a line, or in its last cell
        except InteraktLoaderError as error:
            assert "is not whole" in str(error)  # noqa: PT017 - nearly always, but not each time


@POSIX
def test_a_ledger_on_a_disk_that_is_full_from_the_start(tmp_path: Path, sandbox: Sandbox) -> None:
    """What an earlier load left behind cannot be sorted in: exit 2, one line, nothing was sent."""
    store = Store(tmp_path / "users.ledger")
    store.put_destination(address_id(sandbox.url), wrap(bytes(32), sandbox.api_key, address_id(sandbox.url)))
    store.append([(number.to_bytes(16, "big"), bytes(16), None, False) for number in range(5000)])
    store.close()
    room = (tmp_path / "users.ledger").stat().st_size + 4096
    done = with_little_room(tmp_path, sandbox, rows=10, room=room, report="users.report.csv")
    assert done.returncode == 2, done.stderr
    assert "ledger users.ledger: cannot be written: " in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.stats().calls == 0


@POSIX
def test_a_full_disk_under_the_ledger(tmp_path: Path) -> None:
    """The ledger cannot be written any more: one line, exit 3; all that was accepted is on record all the same."""
    with Sandbox(SandboxOptions(latency=0.005)) as sandbox:
        done = with_little_room(tmp_path, sandbox, rows=8000, room=800_000, report="users.report.parquet")
        assert done.returncode == 3, done.stderr
        assert "stopped early: ledger users.ledger: cannot be written: " in done.stdout
        assert "Traceback" not in done.stderr
        goes_on(tmp_path, sandbox)


@POSIX
def test_no_room_for_the_plan(tmp_path: Path, sandbox: Sandbox) -> None:
    """Not even the prepared calls fit: exit 2, one line, nothing was sent."""
    done = with_little_room(tmp_path, sandbox, rows=20_000, room=100_000, report="users.report.csv")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("interakt-loader: ledger users.ledger: the load cannot be planned: ")
    assert sandbox.stats().calls == 0


@POSIX
def test_a_report_that_cannot_even_be_begun(tmp_path: Path, sandbox: Sandbox) -> None:
    """A disk that was full from the start: exit 2, nothing was sent."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "report.csv").symlink_to("/dev/full")
    with pytest.raises(SettingsError, match=r"report .*: cannot be written: No space left on device"):
        load_users(users(10), USERS, **to(sandbox, report=tmp_path / "report.csv"))
    assert sandbox.stats().calls == 0


def with_little_room(
    folder: Path, sandbox: Sandbox, *, rows: int, room: int, report: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a load in a process whose files may not grow beyond `room` bytes: to it, a disk that is full."""
    users(rows).to_csv(folder / "users.csv", index=False)
    code = (
        "import resource, signal, sys; from interakt_loader.cli import run;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
        "sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "users.csv", "--map", "user_id=user", "--rate-limit", "none", "-q"]
    command += ["--base-url", sandbox.url, "--max-queue-size", "100", "--report", report, *options]
    # Coverage could not write its data to a full disk, and would damage the data of other processes.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environ = inherited | {"INTERAKT_API_KEY": sandbox.api_key}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False)


def goes_on(folder: Path, sandbox: Sandbox) -> None:
    """With room again, what was accepted is unchanged, and all else is sent."""
    accepted, rows = sandbox.stats().accepted, len((folder / "users.csv").read_text().splitlines()) - 1
    assert 0 < accepted < rows
    mapping: MappingDict = {"user_id": "user", "traits": "*"}
    again = load_users(folder / "users.csv", mapping, **to(sandbox, ledger=folder / "users.ledger"))
    assert (again.unchanged, again.sent) == (accepted, rows - accepted)
