"""The README: short, with a snippet that runs, and readable outside the repository."""

from __future__ import annotations

import re

import pytest

from interakt_loader.sandbox import Sandbox
from tests.snippets import ROOT, fences, run_python

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_snippet_runs(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, and prints what the README says."""
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    (snippet,) = [one for one in fences(README) if one.language == "python" and one.info != "notest"]
    printed = run_python(snippet, {})
    assert "<LoadResult: 1 invalid, 1 unsent;" in printed
    assert "<LoadResult: 1 sent, 1 invalid;" in printed
    assert "phone_invalid" in printed
    found = sandbox.find_user("C-17")
    assert found is not None
    assert found.traits == {"name": "Asha"}


def test_it_is_short() -> None:
    """More belongs into docs/."""
    assert len(README.splitlines()) <= 150


def test_its_links_and_pictures_are_whole_addresses() -> None:
    """A package index shows the README without the files beside it."""
    targets = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r"^\[[^]]+\]: (\S+)$", README, re.MULTILINE)
    assert len(targets) > 15
    assert [target for target in targets if not target.startswith("https://")] == []


def test_each_of_its_named_links_is_there() -> None:
    """`[text][name]` leads somewhere, and no target is left over."""
    used = set(re.findall(r"\]\[([^]]+)\]", README))
    assert used == set(re.findall(r"^\[([^]]+)\]: ", README, re.MULTILINE))


def test_its_commands_are_those_of_the_makefile() -> None:
    """Each `make` target that it names exists, and what runs before a change lands runs its test command."""
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named >= {"demo", "test"}
    assert named <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
