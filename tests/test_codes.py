"""What each code means, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

import pytest

from interakt_loader.codes import ABOUT, Code, entries
from interakt_loader.errors import flags_in_messages
from interakt_loader.result.view import hint
from interakt_loader.settings import Settings
from tests.docs.sentences import LONGEST, in_markdown

OPTIONS = {one.name for one in fields(Settings)}


def test_a_group_of_codes_is_read_in_its_order() -> None:
    """Each code once, though two groups have it."""
    assert len(ABOUT) == len(get_args(Code)) == len(set(get_args(Code)))
    assert list(entries(Code)) == list(ABOUT)


@pytest.mark.parametrize("code", ABOUT)
def test_a_hint_is_in_short_sentences_and_names_options_that_exist(code: str) -> None:
    """What is between backquotes is an option: the surface that shows the hint writes it as its readers do."""
    text = ABOUT[code].hint
    assert text.endswith(".")
    assert [one.text for one in in_markdown(text) if one.words > LONGEST] == []
    assert {re.split("=", one)[0] for one in re.findall("`([^`]+)`", text)} <= OPTIONS


def test_a_hint_names_options_as_its_reader_writes_them() -> None:
    """Flags on the command line, option names in Python; no backquote is left."""
    assert (hint("phone_invalid") or "").endswith("load with phones='possible'.")
    assert (hint("event_content_differs") or "").endswith("use resend=True.")
    with flags_in_messages():
        assert (hint("phone_invalid") or "").endswith("load with --phones possible.")
        assert (hint("event_content_differs") or "").endswith("use --resend.")
        assert not any("`" in (hint(code) or "") for code in ABOUT)


def test_a_code_of_another_version_has_no_hint() -> None:
    """A report may be older or newer than the loader that reads it."""
    assert hint("no_such_code") is None
    assert hint(None) is None
