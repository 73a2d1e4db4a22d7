"""`history` shows the records of a load's runs: how each one began and ended, in 80 columns or as JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox, SandboxOptions

MAP = ["--map", "user_id=id", "-q"]
RUN: dict[str, Any] = {
    "id": "2026-11-28T01-15-00.000Z",
    "name": "orders",
    "command": "load",
    "began": "2026-11-28T01:15:00+00:00",
    "ended": "2026-11-28T02:15:00+00:00",
    "exit": 0,
    "rows": 20_000,
    "status": {"sent": 1_788, "unchanged": 18_212},
    "seconds": 358.0,
    "stopped": None,
}


@pytest.fixture
def api(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox in place of the API, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    monkeypatch.setenv("TZ", "UTC")
    return sandbox


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["history", *arguments]) == 0
    return capsys.readouterr().out


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return the lines of the table: spaces as one, the start and the time as `S` and `T`."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "S", shown(capsys, *arguments))
    return [" ".join(line.split()) for line in re.sub(r"\d+:\d\d:\d\d", "T", text).splitlines()]


def keep(folder: str, *records: dict[str, Any] | str) -> None:
    """Write records as earlier runs have left them."""
    Path(folder).mkdir()
    for at, record in enumerate(records):
        text = record if isinstance(record, str) else json.dumps(record)
        Path(folder, f"2026-11-28T01-15-{at:02}.000Z.json").write_text(text)


def test_each_command_has_its_line(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest last, whatever the exit code; statuses without a column stand below."""
    Path("a.csv").write_text("id,n\n1,1\n2,2\n,3\n")
    assert run(["baseline", "a.csv", *MAP]) == 1
    Path("a.csv").write_text("id,n\n1,1\n2,3\n,3\n")
    assert run(["a.csv", *MAP]) == 1
    assert run(["verify", "a.csv", *MAP]) == 1
    assert run(["a.csv", *MAP, "--workers", "0"]) == 2
    assert run(["a.csv", *MAP, "--dry-run"]) == 1
    api.set_faults("401=100%")
    Path("a.csv").write_text("id,n\n3,1\n4,4\n")
    assert run(["a.csv", *MAP, "--workers", "1"]) == 3
    assert lines(capsys, "a") == [
        "a",
        "start command rows sent unchanged failed time exit",
        "S baseline 3 0 0 1 T 1",
        "2 recorded",
        "S load 3 1 1 1 T 1",
        "S verify 3 0 0 2 T 1",
        "1 same",
        "S load 2 0 0 1 T 3",
        "1 unsent, stopped: key_refused",
    ]
    assert shown(capsys) == shown(capsys, "a")
    text = "".join(path.read_text() for path in Path("a.runs").glob("*.json"))
    assert api.api_key not in text
    assert not [*Path("a.runs").glob("*verify*")]


def test_as_json_it_has_the_records(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """All that was kept: of `verify` what was read of the account too."""
    Path("a.csv").write_text("id\n1\n\n")
    assert run(["a.csv", *MAP, "--workers", "3", "--html", "page.html"]) == 0
    assert run(["verify", "a.csv", *MAP]) == 0
    found = json.loads(shown(capsys, "--output", "json"))
    load, verify = found["runs"]
    assert found["exit"] == 0
    assert {**load, "id": "", "began": "", "ended": "", "seconds": 0, "to": ""} == {
        "id": "",
        "name": "a",
        "command": "load",
        "version": load["version"],
        "sources": ["a.csv"],
        "to": "",
        "options": {"workers": 3},
        "began": "",
        "ended": "",
        "exit": 0,
        "kind": "user",
        "rows": 1,
        "status": dict.fromkeys(load["status"], 0) | {"sent": 1},
        "attempts": 1,
        "maybe_duplicates": 0,
        "seconds": 0,
        "reasons": [],
        "stopped": None,
        "account": None,
        "files": {"report": "a.report.csv", "failures": None, "ledger": "a.ledger", "page": "page.html"},
    }
    assert (verify["command"], verify["status"], verify["account"]["contacts"]) == ("verify", {"same": 1}, 1)
    assert verify["files"] == {"report": "a.verify.csv", "failures": None, "ledger": "a.ledger", "page": None}


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_run_that_was_killed_is_told_from_one_that_runs(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither has an end in its record."""
    Path("a.csv").write_text("id\n" + "".join(f"{row}\n" for row in range(100)))
    with Sandbox(SandboxOptions(faults="hang=100%")) as sandbox:
        env = {**os.environ, "INTERAKT_BASE_URL": sandbox.url}
        command = [sys.executable, "-m", "interakt_loader", "a.csv", "--map", "user_id=id"]
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while sandbox.stats().calls < 1:
                assert process.poll() is None
            running = lines(capsys)
            json_of_running = json.loads(shown(capsys, "--output", "json"))
            process.send_signal(signal.SIGKILL)
    assert running[2:] == ["S load", "still running"]
    assert json_of_running["runs"][0]["running"] is True
    assert lines(capsys)[2:] == ["S load", "never ended: it was killed, or the machine stopped"]
    assert json.loads(shown(capsys, "--output", "json"))["runs"][0]["running"] is False


@pytest.mark.parametrize("rows", [0, 20_000, 10_000_000])
def test_it_fits_80_columns(api: Sandbox, rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Also for ten million rows and a load of a month."""
    status = {"sent": rows, "unchanged": rows, "invalid": rows, "unsent": rows}
    record = RUN | {"rows": 4 * rows, "status": status, "seconds": 31 * 86_400.0, "stopped": "certificate_untrusted"}
    keep("orders.runs", record, record | {"command": "baseline", "exit": 143})
    text = shown(capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert {0: " 0 ", 20_000: " 20,000 ", 10_000_000: " 10.0M "}[rows] in text
    assert "744:00:00" in text


def test_a_record_of_an_earlier_version_is_a_load(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not name its command."""
    keep("orders.runs", {name: value for name, value in RUN.items() if name != "command"})
    assert lines(capsys) == [
        "orders",
        "start command rows sent unchanged failed time exit",
        "S load 20,000 1,788 18,212 0 T 0",
    ]


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "{}",
        '"text"',
        "\x00",
        json.dumps(RUN | {"rows": "many"}),
        json.dumps(RUN | {"status": {"merged": "many"}}),
        json.dumps(RUN | {"status": None}),
        json.dumps(RUN | {"began": "yesterday"}),
        json.dumps(RUN | {"seconds": float("inf")}),
        json.dumps(RUN | {"exit": None}),
    ],
)
def test_a_damaged_record_is_left_out(
    api: Sandbox, damaged: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning. The others are shown."""
    keep("orders.runs", damaged, RUN)
    assert len(lines(capsys)) == 3
    assert "2026-11-28T01-15-00.000Z.json: is left out, because it is damaged" in caplog.text


def test_what_a_record_says_is_text(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else may have written it."""
    keep("orders.runs", RUN | {"command": "\x1b[2J", "stopped": "\x1b]0;x\x07"})
    assert "\x1b" not in shown(capsys)
    assert "\x1b" not in shown(capsys, "--output", "json")


def test_without_runs_it_says_so(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; a name that is near is named."""
    assert shown(capsys) == "no runs in .\n"
    assert json.loads(shown(capsys, "--output", "json")) == {"runs": [], "exit": 0}
    keep("orders.runs", RUN)
    assert shown(capsys, "order") == "no runs of 'order' in .; did you mean 'orders'?\n"


def test_another_folder(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """As `--report` has put the files there. One that is not there is bad usage."""
    Path("out").mkdir()
    keep("out/orders.runs", RUN)
    keep("out/users.runs", RUN)
    assert [line for line in lines(capsys, "--folder", "out") if line in ("orders", "users")] == ["orders", "users"]
    assert run(["history", "--folder", "nowhere", "--output", "json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "nowhere: cannot be read: No such file or directory", "exit": 2}
    assert err == "interakt-loader: nowhere: cannot be read: No such file or directory\n"
