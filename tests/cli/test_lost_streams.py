"""Nobody there to read: a full disk, a closed pipe, a closed terminal. The load is made; its exit code is the rows'."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.cli.terminal import HOME, far_api

ROWS = 40
LOADER = f"{shlex.quote(sys.executable)} -m interakt_loader"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")

SCRIPT = """
import sys
from interakt_loader import load_users
{before}
result = load_users("users.csv", {{"user_id": "id", "phone": "phone"}}, report="users.report.csv", {options})
open("ended", "w").write(f"{{result.sent}} {{result.exit_code}}")
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"u{at},987654{at:04}\n" for at in range(ROWS)]
    Path("users.csv").write_text("id,phone\n" + "".join(lines), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", HOME)


def shell(command: str) -> int:
    """Run a command as a shell does, and return its exit code; of a pipeline that of its first part."""
    code = f"set -o pipefail; {command}"
    return subprocess.run(["bash", "-c", code], capture_output=True, timeout=60, check=False).returncode


def sent(report: str = "users.report.csv") -> int:
    with Path(report).open(newline="", encoding="utf-8") as file:
        return sum(line["status"] == "sent" for line in csv.DictReader(file))


FULL_DISKS = ["2>/dev/full", ">/dev/full", ">/dev/full 2>&1"] if Path("/dev/full").exists() else []
WORST = "2>&1 | true"
WHERE = [
    *FULL_DISKS,
    "2>&-",
    ">&-",
    "<&- >&- 2>&-",
    WORST,
    "| true",
    "2>&1 | head -1",
    "2> >(true)",
]


@pytest.mark.parametrize(
    ("where", "more"),
    [*((one, "") for one in WHERE), *((WORST, one) for one in ("--debug", "--output json", "--quiet"))],
)
def test_a_good_load_ends_with_0_wherever_its_output_goes(where: str, more: str) -> None:
    """Every row is sent and reported; what cannot be written is left out."""
    assert shell(f"{LOADER} users.csv --sandbox --map user_id=id --map phone=phone {more} {where}") == 0
    assert sent() == ROWS


@pytest.mark.parametrize("where", [">&-", WORST])
def test_rows_that_failed_end_with_1_as_ever(where: str) -> None:
    """The exit code is the rows', and no mistake of the output's takes its place."""
    with Path("users.csv").open("a", encoding="utf-8") as file:
        file.write("u-bad,12\n")
    assert shell(f"{LOADER} users.csv --sandbox --map user_id=id --map phone=phone {where}") == 1
    assert sent() == ROWS


@pytest.mark.parametrize("where", [">&- 2>&-", WORST])
def test_a_mistake_ends_with_2_as_ever(where: str) -> None:
    """Though nobody can read what it was."""
    assert shell(f"{LOADER} nowhere.csv --sandbox {where}") == 2


@FULL
def test_that_the_result_cannot_be_shown_is_said_where_it_can_be() -> None:
    """One line on standard error, without a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "interakt_loader", "users.csv", "--sandbox", "--map", "user_id=id", "--quiet"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        0,
        "interakt-loader: the result cannot be shown: No space left on device\n",
    )


@FULL
@pytest.mark.parametrize("command", ["infer users.csv", "--help", "--version"])
def test_a_command_that_only_prints_fails_where_it_cannot(command: str) -> None:
    """A mapping file that is cut off must not pass for a good one."""
    assert shell(f"{LOADER} {command} >/dev/full") == 1
    assert shell(f"{LOADER} {command} >/dev/null") == 0


def test_the_demo_loads_both_tables_though_nobody_reads() -> None:
    """`demo | true`: the second table is not left out."""
    assert shell(f"{LOADER} demo --rows 20 | true") == 0
    for table in ("users", "events"):
        assert len(Path(f"{table}.report.csv").read_text(encoding="utf-8").splitlines()) == 21


def test_a_stream_of_another_encoding_takes_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the terminal's encoding does not have is shown as an escape, and the load ends with 0."""
    Path("users.csv").rename("कमला.csv")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1:strict")
    code = shell(f"{LOADER} कमला.csv --sandbox --map user_id=id > out.txt 2> err.txt")
    assert (code, sent("कमला.report.csv")) == (0, ROWS)
    assert "\\u0915" in Path("out.txt").read_text(encoding="latin-1")


@pytest.mark.parametrize(
    ("where", "before"),
    [
        *((one, "") for one in WHERE),
        ("", "sys.stderr.close()"),
        (WORST, "sys.stderr.close()"),
        (WORST, "import logging; logging.basicConfig(level=10)"),
    ],
)
def test_a_script_loads_with_a_broken_standard_error(where: str, before: str, sandbox: Sandbox) -> None:
    """`load_users` in Python: the bar, warnings and the log say what they can."""
    options = f"progress=True, api_key={sandbox.api_key!r}, base_url={sandbox.url!r}, html='out.html'"
    Path("load.py").write_text(SCRIPT.format(before=before, options=options), encoding="utf-8")
    assert shell(f"{shlex.quote(sys.executable)} load.py {where}") == 0
    assert Path("ended").read_text(encoding="utf-8") == f"{ROWS} 0"
    assert sent() == ROWS


# ---------------------------------------------------------------------- terminals


class Terminal:
    """A pseudo-terminal with a process in it, which gets SIGHUP when the terminal is closed, as in a window."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        import fcntl
        import pty

        self._ours, theirs = pty.openpty()

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=take,  # noqa: PLW1509 - the one thread here is this one
            env=env,
        )
        os.close(theirs)

    def wait_for(self, text: bytes) -> None:
        shown = b""
        while text not in shown:
            shown += os.read(self._ours, 4096)

    def close(self) -> None:
        os.close(self._ours)

    def code(self) -> int:
        return self.process.wait(60)


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(latency=0.02)) as running:
        yield running


def out(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
    """Wait until some calls have been made, and many are still to come."""
    deadline = time.monotonic() + 60
    while sandbox.stats().calls < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {**os.environ, "INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}


@pytest.mark.parametrize("more", [[], ["--quiet"], ["--output", "json"], ["--workers", "1", "--html", "page.html"]])
def test_a_closed_terminal_does_not_stop_a_load(more: list[str], slow: Sandbox) -> None:
    """The process gets SIGHUP and can write nothing more; every row is sent and reported, and it ends with 0."""
    command = [sys.executable, "-m", "interakt_loader", "users.csv", "--map", "user_id=id", "--workers", "2", *more]
    terminal = Terminal(command, environment(slow))
    out(slow, terminal.process)
    terminal.close()
    assert terminal.code() == 0
    assert (slow.stats().accepted, sent()) == (ROWS, ROWS)


def test_a_closed_terminal_does_not_stop_a_load_of_a_script(slow: Sandbox) -> None:
    """Likewise in Python, with the bar; afterwards SIGHUP is again what it was."""
    before = "import signal"
    Path("load.py").write_text(
        SCRIPT.format(before=before, options="workers=2, progress=True")
        + "assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL\n",
        encoding="utf-8",
    )
    terminal = Terminal([sys.executable, "load.py"], environment(slow))
    out(slow, terminal.process)
    terminal.close()
    assert terminal.code() == 0
    assert (Path("ended").read_text(encoding="utf-8"), sent()) == (f"{ROWS} 0", ROWS)


def test_a_program_that_has_its_own_way_with_sighup_keeps_it(slow: Sandbox) -> None:
    """A server that reads its settings anew, say."""
    before = "import signal; heard = []; signal.signal(signal.SIGHUP, lambda *_: heard.append(1))"
    Path("load.py").write_text(
        SCRIPT.format(before=before, options="workers=2") + "assert heard == [1]\n", encoding="utf-8"
    )
    process = subprocess.Popen([sys.executable, "load.py"], env=environment(slow))
    out(slow, process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0


def test_after_the_terminal_sigterm_still_ends_the_load_in_order(slow: Sandbox) -> None:
    """It runs on without a window, and can be stopped like any other."""
    command = [sys.executable, "-m", "interakt_loader", "users.csv", "--map", "user_id=id", "--rate-limit", "5/s"]
    terminal = Terminal(command, environment(slow))
    out(slow, terminal.process)
    terminal.close()
    terminal.process.terminate()
    assert terminal.code() == 143
    assert sent() == slow.stats().accepted < ROWS


def test_a_terminal_that_is_closed_at_the_question_means_no(tmp_path: Path) -> None:
    """Nobody has confirmed anything, so nothing is sent."""
    with far_api(tmp_path) as api:
        Path("users.csv").write_text("customer_id,name\nu1,Ann\nu2,Bob\n", encoding="utf-8")
        terminal = Terminal([sys.executable, "-m", "interakt_loader", "users.csv"], dict(api.environment))
        terminal.wait_for(b"[y/N] ")
        terminal.close()
        assert terminal.code() == 2
        assert api.sandbox.stats().calls == 0


def test_no_file_takes_the_number_of_a_stream_that_was_closed() -> None:
    """The ledger would get whatever a library prints on standard error."""
    code = (
        "import os, sys; sys.argv = ['x', 'users.csv', '--sandbox', '--map', 'user_id=id', '--ledger', 'a.ledger']\n"
        "from interakt_loader import load as loading; real = loading.load\n"
        "def load(*a, **k):\n"
        "    k2 = real(*a, **k); os.write(2, b'from a library'); open('opened', 'w').write(str(os.fstat(2).st_rdev))\n"
        "    return k2\n"
        "loading.load = load\n"
        "from interakt_loader.__main__ import main; main()\n"
    )
    assert shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} >&- 2>&-") == 0
    assert json.loads(Path("opened").read_text(encoding="utf-8")) == Path(os.devnull).stat().st_rdev
    assert b"from a library" not in Path("a.ledger").read_bytes()
