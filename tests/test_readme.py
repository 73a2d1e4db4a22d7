"""The README's Python snippets run, one after another, against the sandbox."""

from __future__ import annotations

import pytest

from interakt_loader import track
from interakt_loader.sandbox import Sandbox
from tests.snippets import ROOT, fences, run_python

README = ROOT / "README.md"


def test_the_snippets_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a reader copies works, and prints what the README says."""
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    monkeypatch.setattr(track, "on_error", None)
    monkeypatch.setattr(track, "_current", None)  # a client of another test knows another sandbox
    written = fences(README.read_text(encoding="utf-8"))
    snippets = [one for one in written if one.language == "python" and one.info != "notest"]
    assert len(snippets) == 3
    names: dict[str, object] = {}
    printed = "".join(run_python(snippet, names) for snippet in snippets)
    track.join()
    printed += capsys.readouterr().out
    assert "<LoadResult: 2 sent, 1 invalid;" in printed
    assert "phone_invalid" in printed
    assert "not sent" not in printed
    found = sandbox.find_user("C-17")
    assert found is not None
    assert found.traits == {"name": "Asha", "Signed up": "2024-01-30T18:30:00.000Z", "age": 24}
    assert [event.event for event in sandbox.events()] == ["Order Placed", "Order Placed"]
