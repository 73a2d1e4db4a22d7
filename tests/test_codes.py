"""What to do about each code."""

from __future__ import annotations

from typing import get_args

from interakt_loader.codes import HINTS, Code


def test_every_code_has_a_hint() -> None:
    """The type checker lets no code but these be given, and each of them has its word."""
    assert set(HINTS) == set(get_args(Code))
    assert all(text.endswith(".") for text in HINTS.values())
