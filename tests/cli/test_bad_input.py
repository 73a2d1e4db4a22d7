"""Mistakes: one clear line on standard error, the right exit code, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox

GOOD = "customer_id,mobile,name\n1,9876543210,Ann\n2,9876543211,Bob\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "good.csv": GOOD,
        "empty.csv": "",
        "header.csv": "customer_id,mobile\n",
        "not.parquet": "customer_id\n1\n",
        "twice.csv": "id,id\n1,2\n",
        "noid.csv": "colour,size\nred,1\n",
        "mapping.yaml": "user_id: customer_id\ntraits: [nmae]\n",
        "broken.yaml": "user_id: [\n",
        "events.yaml": "user_id: customer_id\nevent: Order Placed\n",
    }
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nowhere.csv --sandbox", "nowhere.csv: no such file"),
        ("customers --sandbox", "customers: no such file"),
        ("lod good.csv", "lod: no such command, and no such file; did you mean 'load'?"),
        ("verfy good.csv", "verfy: no such command, and no such file; did you mean 'verify'?"),
        ("not.parquet --sandbox", "not a Parquet file"),
        ("empty.csv --sandbox", "the file is empty"),
        ("twice.csv --sandbox", "two columns are called 'id'"),
        ("noid.csv --sandbox", "no column looks like a user_id or a phone among colour, size"),
        ("good.csv --sandbox --map user_id=custmer_id --map phone=mobil", "did you mean 'customer_id'?"),
        ("good.csv --sandbox --map user_id=custmer_id --map phone=mobil", "'mobil'"),
        ("good.csv --sandbox --map name=name", "the mapping has no field 'name'"),
        ("good.csv --sandbox --trait a=nam", "no such column: 'nam'; did you mean 'name'?"),
        ("good.csv --sandbox --mapping mapping.yaml", "no such column: 'nmae'; did you mean 'name'?"),
        ("good.csv --sandbox --mapping broken.yaml", "is not YAML"),
        ("good.csv --sandbox --mapping nowhere.yaml", "no such file"),
        (
            "good.csv --sandbox --as events --map user_id=customer_id",
            "events need a name: give --map event=COLUMN, or --event NAME",
        ),
        ("good.csv", "no API key: set INTERAKT_API_KEY"),
        ("good.csv", "--dry-run sends nothing, --sandbox sends to a local look-alike"),
        ("good.csv --api-key-file nowhere.txt", "--api-key-file nowhere.txt: cannot be read"),
        ("good.csv --base-url http://example.com --dry-run", "the key would travel unencrypted"),
        ("good.csv --base-url ftp://example.com --dry-run", "expected an address"),
        (
            "good.csv --sandbox --report nowhere/out.csv",
            "nowhere/out.csv: expected a file in a folder that exists",
        ),
        ("good.csv --sandbox --report out.xlsx", "expected a name ending in .csv, .jsonl, .parquet"),
        ("good.csv --sandbox --report good.csv", "is the source itself"),
        ("good.csv --sandbox --workers 0", "--workers is '0'; expected a whole number of at least 1"),
        ("good.csv --sandbox --rate-limit fast", "--rate-limit is 'fast'; expected auto, none"),
        ("good.csv --sandbox --default-country XX", "--default-country is 'XX'"),
        ("good.csv --sandbox --timezone Mars/Base", "there is no time zone 'Mars/Base'"),
        ("good.csv --sandbox --workrs 3", "--workers"),
        ("good.csv --sandbox --as planets", "--as is 'planets'; expected users or events"),
        ("good.csv --sandbox --as event", "--as is 'event'; expected users or events; did you mean 'events'?"),
        ("good.csv --sandbox --output jsn", "--output is 'jsn'; expected text or json; did you mean 'json'?"),
        ("good.csv --sandbox --nulls omitt", "--nulls is 'omitt'; expected omit or clear; did you mean 'omit'?"),
        ("good.csv --sandbox --phones x", "--phones is 'x'; expected strict, possible or as-is\n"),
        ("good.csv --sandbox --rate-limit growht", "or 10/s; did you mean 'growth'?"),
        ("good.csv --sandbox --timeout soon", "--timeout is 'soon'; expected a number above 0"),
        ("good.csv --sandbox --rows 5", "--rows is '5'; expected the first row and the one after the last"),
        (
            "good.csv --sandbox --trait n=name:flaot",
            "--trait 'n=name:flaot': there is no type 'flaot'; did you mean 'number'? (types: auto, string, number, ",
        ),
        ("good.csv --sandbox --trait n:strin", "expected NAME=COLUMN[:TYPE] (types: auto, string, number, boolean, "),
        ("good.csv --sandbox --coalesce --as events --event X --map user_id=name", "--coalesce is for users"),
        (
            "good.csv --sandbox --mapping events.yaml",
            """(2) one name for all rows is "event": {"value": "Order Placed"}""",
        ),
        ("good.csv --dry-run --ledger none --resend", "--resend is about the ledger: give --ledger PATH too"),
    ],
)
def test_wrong_usage(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, nothing on standard output, one line that says what is wrong, and no file harmed."""
    assert run([*arguments.split(), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert Path("good.csv").read_text(encoding="utf-8") == GOOD


def test_what_comes_after_two_dashes_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its name begins with, be it that of a flag which is refused."""
    Path("--api-key.csv").write_text(GOOD, encoding="utf-8")
    assert run(["--sandbox", "--quiet", "--", "--api-key.csv"]) == 0
    assert run(["--sandbox", "--quiet", "--", "--api-key"]) == 2
    assert capsys.readouterr().err == "interakt-loader: --api-key: no such file\n"
    assert run(["--sandbox", "--quiet", "--api-key", "--", "good.csv"]) == 2
    assert "the key is no argument" in capsys.readouterr().err


def test_a_table_without_rows_is_nothing_to_send(capsys: pytest.CaptureFixture[str]) -> None:
    """A header and no rows: exit 0, and it says so."""
    assert run(["header.csv", "--sandbox", "--quiet"]) == 0
    assert "header.csv: no rows to send" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--where", "name = 'nobody'"], "--where"),
        (["--rows", "10:"], "--rows"),
        (["--limit", "0"], "--limit"),
        (["--where", "name = 'nobody'", "--limit", "5"], "--where and --limit"),
        ([], None),
    ],
)
def test_a_selection_without_rows_is_named(
    arguments: list[str], named: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A typing error in a nightly `--where` does not look like an empty export."""
    assert run(["good.csv" if named else "header.csv", "--sandbox", "--map", "user_id=customer_id", *arguments]) == 0
    assert [one for one in caplog.messages if "select" in one] == ([f"no row is selected by {named}"] if named else [])


def test_a_wrong_key(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3, the API's own words, and the key nowhere."""
    monkeypatch.setenv("INTERAKT_API_KEY", "s3cret-and-wrong")
    with Sandbox() as sandbox:
        assert run(["good.csv", "--base-url", sandbox.url, "--map", "user_id=customer_id"]) == 3
    out, err = capsys.readouterr()
    assert "stopped early: the API refuses the key (Invalid token provided" in out
    assert "s3cret" not in out + err + Path("good.report.csv").read_text(encoding="utf-8")


def test_a_server_that_is_down(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3 after `--max-outage`, with the reason."""
    monkeypatch.setenv("INTERAKT_API_KEY", "key")
    with Sandbox() as sandbox:
        url = sandbox.url
    assert run(["good.csv", "--base-url", url, "--max-outage", "1", "--quiet"]) == 3
    assert "stopped early: no answer from the API for 1 s: could not connect" in capsys.readouterr().out


def test_without_arguments_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and the help, whose first lines are the ways to call it."""
    assert run([]) == 2
    assert capsys.readouterr().err.startswith("Usage: interakt-loader SOURCE... [OPTIONS]")


def test_as_a_process_it_ends_with_the_same_codes() -> None:
    """`python -m interakt_loader` hands the exit code on, and a mistake is one line there too."""
    home = str(Path(__file__).resolve().parents[2])
    env = {name: value for name, value in os.environ.items() if not name.startswith("INTERAKT_")}
    done = subprocess.run(
        [sys.executable, "-m", "interakt_loader", "nowhere.csv"],
        env=env | {"PYTHONPATH": home},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "interakt-loader: nowhere.csv: no such file\n"


def test_an_empty_event_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--event ""`: one line, exit 2."""
    (tmp_path / "c.csv").write_text("customer_id\n1\n", encoding="utf-8")
    arguments = [str(tmp_path / "c.csv"), "--map", "user_id=customer_id", "--event", " ", "--sandbox"]
    assert run(arguments) == 2
    assert capsys.readouterr().err == "interakt-loader: --event is empty; expected the name of the events\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not count connections as files")
def test_more_workers_than_connections(tmp_path: Path) -> None:
    """64 files and 200 workers: one line that says what to do, exit 2, instead of calls that fail for no reason."""
    (tmp_path / "c.csv").write_text("customer_id\n1\n", encoding="utf-8")
    code = (
        "import resource, sys; from interakt_loader.cli import run;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "c.csv", "--map", "user_id=customer_id", "--sandbox", "--workers", "200"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "interakt-loader: --workers is 200, and this process may have 64 files"
    )
