"""`--output json` prints one object on standard output, however the command ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox
from tests.account.reading import environment, fill

MAP = ["--map", "user_id=id", "--map", "phone=mobile", "-q", "--output", "json"]


@pytest.fixture(autouse=True)
def api(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox in place of the API, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment(sandbox).items():
        monkeypatch.setenv(name, value)
    Path("a.csv").write_text("id,mobile,n\nC-1,9876543210,1\nC-2,98765,2\nC-3,09,3\n")
    return sandbox


def printed(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> dict[str, Any]:
    """Run a command that is to end so; return the object that it prints, which says so too."""
    assert run(arguments) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit"] == code
    return found


def test_the_reasons_of_a_load(capsys: pytest.CaptureFixture[str]) -> None:
    """By status, code and column, with the first rows; the example shows no phone and no e-mail address."""
    Path("a.csv").write_text(
        "id,mobile,n\nC-1,9876543210,1\nC-2,987654321,2\nC-3,asha@example.com,3\nC-4,,asha@example.com\n"
    )
    found = printed(capsys, 1, "a.csv", *MAP, "--trait", "n=n:number")
    assert found["reasons"][0] == {
        "status": "invalid",
        "code": "phone_invalid",
        "column": "mobile",
        "rows": 2,
        "first_rows": [1, 2],
        "example": "mobile: '••••••321' is not a valid phone number for +91",
    }
    assert [(one["code"], one["column"], one["rows"], one["first_rows"]) for one in found["reasons"][1:]] == [
        ("not_a_number", "n", 1, [3])
    ]
    assert "asha@" not in json.dumps(found)
    assert [*found][-2:] == ["reasons", "exit"]


@pytest.mark.parametrize("command", ["load", "baseline", "verify"])
def test_every_command_over_a_source(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 with its reasons, and exit 2 with the error."""
    codes = {one["code"] for one in printed(capsys, 1, command, "a.csv", *MAP)["reasons"]}
    assert "phone_invalid" in codes
    assert ("contact_absent" in codes) is (command == "verify")
    found = printed(capsys, 2, command, "b.csv", *MAP)
    assert found == {"error": "b.csv: no such file", "exit": 2}


def test_without_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text("id,mobile\nC-1,9876543210\n")
    assert printed(capsys, 0, "a.csv", *MAP)["reasons"] == []


def test_a_load_that_stops(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    api.set_faults("401=100%")
    found = printed(capsys, 3, "a.csv", *MAP)
    assert found["stopped"]["reason"] == "key_refused"
    assert "key_refused" in {one["code"] for one in found["reasons"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.csv", "--no-such-flag", "--output", "json"],
        ["a.csv", "--workers", "0", "--output=json"],
        ["--output", "json", "a.csv"],
        ["infer", "nothing.csv", "--output", "json"],
        ["pull", "out.doc", "--output", "json"],
        ["key", "--timeout", "0", "--output", "json"],
        ["history", "--folder", "nowhere", "--output", "json"],
    ],
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The message is the one on standard error."""
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["exit"] == 2
    assert " ".join(err.split()).endswith(" ".join(found["error"].split()))


def test_as_text_there_is_nothing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["b.csv", "--map", "user_id=id"]) == 2
    assert capsys.readouterr().out == ""


def test_a_masked_error(capsys: pytest.CaptureFixture[str]) -> None:
    """As on standard error."""
    found = printed(capsys, 2, "asha@example.com.csv", "--mask", *MAP)
    assert "asha" not in found["error"]


def test_pull_and_key(api: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What they have read, or why they could not."""
    fill(api, 3)
    assert printed(capsys, 0, "pull", "out.csv", "-q", "--output", "json")["contacts"] == 3
    assert printed(capsys, 0, "key", "--output", "json")["contacts"] == 3
    monkeypatch.setenv("INTERAKT_API_KEY", "another-key-that-is-refused")
    assert "refuses the key" in printed(capsys, 3, "pull", "out.csv", "-q", "--output", "json")["error"]
    assert printed(capsys, 3, "key", "--output", "json")["works"] is False
    monkeypatch.delenv("INTERAKT_API_KEY")
    for arguments in (["pull", "out.csv", "-q"], ["key"], ["a.csv", "--map", "user_id=id"]):
        assert "no API key" in printed(capsys, 2, *arguments, "--output", "json")["error"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a single other process")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["load", "verify", "pull"])
def test_an_interrupt(api: Sandbox, command: str, signum: int, code: int) -> None:
    """A load has its result; `pull` has none."""
    fill(api, 2_000)
    Path("a.csv").write_text("id,mobile\n" + "".join(f"C-{row},\n" for row in range(2_000)))
    arguments = ["pull", "out.csv", "-q", "--output", "json"] if command == "pull" else [command, "a.csv", *MAP]
    process = subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", *arguments, "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    # the sandbox waits with its answer until the signal has been sent
    sent = threading.Event()

    def interrupt(_: object) -> None:
        if not sent.is_set():
            process.send_signal(signum)
            sent.set()

    if command == "load":
        api.set_faults("hang=100%")
        while api.stats().calls < 1:
            assert process.poll() is None
        interrupt(None)
        api.set_faults("")
    else:
        api.on_read(interrupt)
    out, err = process.communicate(timeout=60)
    found = json.loads(out)
    assert (process.returncode, found["exit"]) == (code, code), err
    if command == "pull":
        assert found["error"] == f"interrupted by {signal.Signals(signum).name}"
    else:
        assert found["stopped"]["reason"] == "interrupted"
        assert sum(found["status"].values()) == 2_000
