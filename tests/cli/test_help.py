"""`--help`: grouped by what people want, with examples, exit codes and presets, as wide as the terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields

import pytest

from interakt_loader.cli import run
from interakt_loader.cli.commands import cli
from interakt_loader.mapping.presets import presets
from interakt_loader.sandbox.options import KINDS
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import GROUPS

COMMANDS = ["", *cli.commands]


def help_of(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int) -> str:
    """Return the help of a command in a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert run([*command.split(), "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["", "load", "baseline"])
def test_every_option_stands_in_its_group(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The groups come in the order of `GROUPS`, and each flag stands in the group that `Settings` names."""
    shown = help_of(command, monkeypatch, capsys, 120)
    sections = dict(zip(GROUPS, re.split("|".join(f"\n{one}:\n" for one in GROUPS), shown)[1:], strict=True))
    for one in fields(Settings):
        if one.metadata["flag"] is not None:
            flag = one.metadata["flag"].split("/")[0]
            assert [group for group in GROUPS if f"\n  {flag} " in f"\n{sections[group]}"] == [one.metadata["group"]]


@pytest.mark.parametrize("width", [60, 100, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_as_wide_as_the_terminal(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is longer than the terminal, and the longest makes use of it."""
    longest = max(map(len, help_of(command, monkeypatch, capsys, width).splitlines()))
    assert longest <= width
    if command in ("", "load"):
        assert longest > width - 12


def test_it_is_plain_text_in_a_pipe() -> None:
    """80 columns and no escape sequences, where there is no terminal to ask."""
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "interakt_loader", "--help"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_it_has_examples(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command shows a way to call it, of flags that there are."""
    shown = help_of(command, monkeypatch, capsys, 100)
    examples = re.findall(r"^    interakt-loader (.*)$", shown, flags=re.MULTILINE)
    assert examples
    known = {name for one in cli.commands[command or "load"].params for name in one.opts}
    for example in examples:
        assert {word for word in example.split() if word.startswith("--")} <= known


@pytest.mark.parametrize("command", ["", "load", "baseline"])
def test_it_has_the_exit_codes_and_the_presets(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them."""
    shown = help_of(command, monkeypatch, capsys, 100)
    codes = shown.partition("\nExit codes:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  ([\d, ]+?)  ", codes, flags=re.MULTILINE) == ["0", "1", "2", "3", "130, 143"]
    named = shown.partition("\nPresets:\n")[2].replace(",", " ").split()
    assert sorted(named) == sorted(presets())


def test_an_option_is_named_by_its_flag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also within the meaning of another one."""
    shown = help_of("load", monkeypatch, capsys, 200)
    assert "share the limit --rate-limit" in shown
    assert "rate_limit" not in shown


def test_a_choice_that_is_called_like_an_option_is_no_flag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--on-unknown resend` is not `--resend`."""
    assert "whether it was accepted: resend it, which may" in help_of("load", monkeypatch, capsys, 200)


def test_the_sandbox_lists_its_faults(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind."""
    listed = help_of("sandbox", monkeypatch, capsys, 200).partition("KIND is ")[2].partition(".\n")[0]
    assert set(re.split(", | or ", listed)) == set(KINDS)
