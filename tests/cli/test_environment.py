"""Options in the environment of a process, a report on standard output or none, and a folder that cannot be written."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interakt_loader.cli import run
from interakt_loader.cli.commands import cli
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.sandbox import Sandbox
from tests.cli.terminal import HOME

NOWHERE = Path("/proc")
"""A folder in which nobody can create a file, not even root."""

UNWRITABLE = pytest.mark.skipif(not (NOWHERE / "self").exists(), reason="this system has no /proc")

ROWS = 300


class Ended(NamedTuple):
    """How a process has ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary_folder: Path) -> None:
    del temporary_folder
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("users.csv").write_text("id,phone\n1,9876543210\n2,12\n", encoding="utf-8")
    Path("map.yaml").write_text("user_id: id\nphone: phone\n", encoding="utf-8")
    Path("many.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(ROWS)), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", HOME)


def ended(*arguments: str, folder: Any = None, **variables: str) -> Ended:
    """Run the command line in a process of its own, with these variables without their prefix."""
    env = os.environ | {f"INTERAKT_{name}": text for name, text in variables.items()}
    command = [sys.executable, "-m", "interakt_loader", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def shell(command: str, **variables: str) -> Ended:
    """Run it within a command of a shell, and return the exit code of its first part."""
    env = os.environ | {f"INTERAKT_{name}": text for name, text in variables.items()}
    line = f"set -o pipefail; {sys.executable} -m interakt_loader {command}"
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=60, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def here() -> set[str]:
    return {path.name for path in Path().iterdir()} - {"users.csv", "map.yaml", "many.csv"}


# ---------------------------------------------------------------------------- variables


def test_a_load_by_variables_alone(sandbox: Sandbox) -> None:
    """The key, the address, the mapping, the files, and what the result looks like."""
    Path("key").write_text(sandbox.api_key, encoding="utf-8")
    Path("key").chmod(0o600)
    given = {"BASE_URL": sandbox.url, "API_KEY_FILE": "key", "MAPPING": "map.yaml", "OUTPUT": "json", "QUIET": "1"}
    done = ended("users.csv", REPORT="a.jsonl", LEDGER="none", FAILURES="b.csv", PHONES="as-is", **given)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["status"]["sent"], found["report"], found["ledger"]) == (2, "a.jsonl", None)
    assert here() == {"key", "a.jsonl", "users.runs"}


def test_the_mapping_in_lines() -> None:
    """One field or trait a line, so that a column's name may have blanks."""
    Path("x.csv").write_text("The id,First name,n\n1,Asha,5\n", encoding="utf-8")
    lines = {"MAP": "user_id=The id\n", "TRAIT": "name=First name\ncount=n:string", "AS": "users"}
    done = ended("x.csv", DRY_RUN="1", **lines)
    assert done.code == 0
    assert '{"userId":"1","traits":{"count":"5","name":"Asha"}}' in done.out
    assert here() == {"x.csv", "x.check.csv"}


def test_a_flag_goes_before_its_variable_and_before_a_rival(sandbox: Sandbox) -> None:
    """Also where the variable's value is wrong."""
    Path("key").write_text(sandbox.api_key, encoding="utf-8")
    Path("key").chmod(0o600)
    variables = {"API_KEY": "of-nobody", "LEDGER": "other.ledger", "PRESET": "shopify-orders", "WORKERS": "many"}
    flags = ["--mapping", "map.yaml", "--api-key-file", "key", "--base-url", sandbox.url, "--workers", "2"]
    done = ended("users.csv", *flags, "--ledger", "mine.ledger", SANDBOX="1", API_KEY_FILE="x", **variables)
    assert (done.code, sandbox.stats().accepted) == (1, 1)
    assert {"mine.ledger", "users.report.csv"} <= here()
    assert "other.ledger" not in here()


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("RATELIMIT", "300/min", "there is no variable INTERAKT_RATELIMIT; did you mean INTERAKT_RATE_LIMIT?"),
        ("MAPPIN", "x", "there is no variable INTERAKT_MAPPIN; did you mean INTERAKT_MAPPING?"),
        ("WORKERS", "many", "INTERAKT_WORKERS is 'many'; expected a whole number of at least 1 and at most 1024"),
        ("SANDBOX", "maybe", "INTERAKT_SANDBOX is 'maybe'; expected true or false"),
        ("DEBUG", "maybe", "INTERAKT_DEBUG is 'maybe'; expected true or false"),
        ("OUTPUT", "xml", "INTERAKT_OUTPUT is 'xml'; expected text or json"),
        ("AS", "user", "INTERAKT_AS is 'user'; expected users or events; did you mean 'users'?"),
        ("TIMEZONE", "Here", "INTERAKT_TIMEZONE: "),
        ("DEFAULT_COUNTRY", "Nowhere", "INTERAKT_DEFAULT_COUNTRY is 'Nowhere'; expected one such as +91"),
        ("API_KEY_FILE", "nokey", "INTERAKT_API_KEY_FILE nokey: cannot be read: No such file or directory"),
        (
            "RESEND",
            "1",
            "INTERAKT_RESEND: the environment cannot set this option; unset the variable, and give --resend",
        ),
        ("YES", "1", "INTERAKT_YES: the environment cannot set this option; unset the variable, and give --yes where"),
        ("QUERY", "SELECT 1", "INTERAKT_QUERY: the environment cannot set this option"),
    ],
)
def test_one_line_names_the_variable(
    variable: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and nothing is written. The help and the demo do not look."""
    monkeypatch.setenv(f"INTERAKT_{variable}", text)
    assert run(["users.csv", "--dry-run", "--map", "user_id=id"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"interakt-loader: {said}")
    assert err.count("\n") == 1
    assert here() == set()
    assert run(["--help"]) == 0


def test_two_keys_are_one_too_many(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Both variables for the key; of two flags the message is as ever. The key is not shown."""
    done = ended("key", API_KEY=sandbox.api_key, API_KEY_FILE="x")
    assert done == (
        2,
        "",
        "interakt-loader: INTERAKT_API_KEY and INTERAKT_API_KEY_FILE are both set; expected one of the two\n",
    )


def test_other_commands_take_what_they_have(sandbox: Sandbox) -> None:
    """One environment serves all of them: what has no meaning for a command is left alone."""
    account = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.url}
    night = {"COALESCE": "1", "FAILURES": "f.csv", "EVENT_ID": "", "MAX_FAILURES": "5%", "MAPPING": "map.yaml"}
    assert ended("users.csv", "--limit", "1", **account, **night).code == 0
    assert ended("verify", "users.csv", LIMIT="1", NO_LEDGER="1", REPORT="none", **account, **night).code == 0
    assert ended("key", **account, **night).code == 0
    assert ended("infer", "users.csv", AS="users", **account, **night).code == 0
    pulled = ended("pull", "all.jsonl", SINCE="2001-01-01", OUTPUT="json", **account, **night)
    assert (pulled.code, json.loads(pulled.out)["contacts"]) == (0, 1)
    demo = ended("demo", "--rows", "2", DRY_RUN="1", REPORT="none", RATELIMIT="1", **account, **night)
    assert (demo.code, "2 sent" in demo.out) == (0, True)


def test_a_program_with_the_sdk_is_left_alone(sandbox: Sandbox) -> None:
    """It reads the account, as it always did. Another option, and a near miss, do not make it fail."""
    code = "from interakt_loader import track; track.user(user_id='u1'); track.join()"
    env = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.url, "TIMEOUT": "x", "RATELIMIT": "1", "RESEND": "1"}
    variables = os.environ | {f"INTERAKT_{name}": text for name, text in env.items()}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, timeout=60, check=True)
    assert (done.stderr, sandbox.stats().users) == (b"", 1)


def test_an_error_is_masked_by_the_variable_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the flag."""
    for variable, shown in (("1", False), ("0", True)):
        monkeypatch.setenv("INTERAKT_MASK", variable)
        assert run(["9876543210.csv", "--dry-run"]) == 2
        assert ("9876543210" in capsys.readouterr().err) == shown


def test_the_help_tells_of_the_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a command has options of a load."""
    for name in cli.commands:
        assert run([name, "--help"]) == 0
        has_options = name not in ("demo", "sandbox")
        assert ("\nEnvironment:\n" in capsys.readouterr().out) == has_options


# ---------------------------------------------------------------------------- the report


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_report_on_standard_output(more: list[str]) -> None:
    """The lines that a file would have; all else goes to standard error, and no file is written."""
    mapping = ["--sandbox", "--mapping", "map.yaml", *more]
    done = ended("users.csv", *mapping, "--report", "-")
    assert done.code == 1
    assert "1 invalid" in done.err
    lines = list(csv.DictReader(io.StringIO(done.out)))
    assert here() <= {"users.runs"}
    assert ended("users.csv", *mapping, "--report", "x.csv").code == 1
    with Path("x.csv").open(encoding="utf-8", newline="") as file:
        wanted = list(csv.DictReader(file))
    assert [*lines[0]] == OUTCOMES.names
    same = [name for name in OUTCOMES.names if name not in ("latency_ms", "finished_at")]
    assert [[line[name] for name in same] for line in lines] == [[line[name] for name in same] for line in wanted]


def test_it_is_chosen_by_the_variable_too_and_has_a_heading_without_rows() -> None:
    """An empty table gives an empty report."""
    Path("users.csv").write_text("id,phone\n", encoding="utf-8")
    done = ended("users.csv", "--mapping", "map.yaml", "--sandbox", REPORT="-")
    assert (done.code, done.out) == (0, ",".join(OUTCOMES.names) + "\n")


def test_it_leaves_no_room_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, before anything else."""
    assert run(["users.csv", "--report", "-", "--output", "json", "--sandbox"]) == 2
    said = "--report - and --output json both write to standard output; expected one of the two"
    assert capsys.readouterr().err == f"interakt-loader: {said}\n"


def test_a_reader_that_has_enough_does_not_stop_the_load(sandbox: Sandbox) -> None:
    """Every row is sent, and the exit code is the rows'."""
    account = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.url}
    done = shell("many.csv --map user_id=id --report - --quiet | head -1", **account)
    assert (done.code, done.out) == (0, ",".join(OUTCOMES.names) + "\n")
    assert sandbox.stats().accepted == ROWS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_report_that_is_lost_is_an_error(sandbox: Sandbox) -> None:
    """The load continues, because the ledger has its rows, but it does not end with 0."""
    account = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.url}
    done = shell("many.csv --map user_id=id --report - --quiet > /dev/full", **account)
    assert (done.code, sandbox.stats().accepted) == (1, ROWS)
    assert "the result cannot be shown: No space left on device" in done.err


# ---------------------------------------------------------------------------- a folder that cannot be written


@UNWRITABLE
def test_a_dry_run_needs_no_place_for_its_report() -> None:
    """It says so, and has the result. A report that was asked for is an error."""
    arguments = [str(Path("users.csv").resolve()), "--dry-run", "--mapping", str(Path("map.yaml").resolve())]
    done = ended(*arguments, folder=NOWHERE)
    assert done.code == 1
    assert "users.check.csv: cannot be written: this dry run has no report" in done.err
    assert "1 would be sent" in done.out
    assert json.loads(ended(*arguments, "--output", "json", folder=NOWHERE).out)["report"] is None
    assert ended(*arguments, "--report", "x.csv", folder=NOWHERE).code == 2


def test_a_dry_run_writes_where_it_can() -> None:
    """The same command in a good folder, also over the report of the dry run before."""
    for _ in range(2):
        assert ended("users.csv", "--dry-run", "--mapping", "map.yaml").code == 1
        assert here() == {"users.check.csv"}


@UNWRITABLE
def test_the_demo_puts_its_reports_elsewhere(temporary_folder: Path) -> None:
    """Into a temporary folder, and it says which."""
    done = ended("demo", "--rows", "2", folder=NOWHERE)
    (folder,) = temporary_folder.glob("interakt-loader-demo-*")
    assert done.code == 0
    assert f"the working folder cannot be written: the reports go to {folder}\n" in done.out
    assert {path.name for path in folder.iterdir()} == {"users.report.csv", "events.report.csv"}
    assert f"report: {folder / 'users.report.csv'}" in done.out
    folder.rename(temporary_folder / "seen")


@UNWRITABLE
def test_a_load_without_a_report_needs_a_place_for_its_ledger_only(sandbox: Sandbox) -> None:
    """Its error says which flag gives one. A sandbox needs no ledger."""
    account = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.url}
    arguments = [str(Path("users.csv").resolve()), "--mapping", str(Path("map.yaml").resolve()), "--report", "none"]
    done = ended(*arguments, folder=NOWHERE, **account)
    assert (done.code, sandbox.stats().calls) == (2, 0)
    assert (
        "ledger users.ledger: cannot be opened: No such file or directory; say where it can be: --ledger PATH"
        in done.err
    )
    ledger = str(Path("mine.ledger").resolve())
    for more in (["--ledger", ledger], ["--sandbox"]):
        done = ended(*arguments, *more, folder=NOWHERE, **account)
        assert (done.code, "1 sent" in done.out) == (1, True)
    assert here() == {"mine.ledger"}
