"""The pages are in plain English: short sentences, and the standard terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.sentences import LONGEST, OLD_WORDS, in_markdown, pages, sentences
from tests.snippets import ROOT

PAGES = list(pages())
CODE = [path for folder in ("interakt_loader", "tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_is_too_long(page: Path) -> None:
    """A reader whose third language is English gets it at the first reading."""
    assert [(one.line, one.text) for one in sentences(page) if one.words > LONGEST] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_uses_the_standard_terms(page: Path) -> None:
    """No page has a word of the list that another one replaces."""
    found = {one.line: OLD_WORDS.findall(one.text) for one in sentences(page)}
    assert {line: words for line, words in found.items() if words} == {}


def test_the_code_is_in_plain_english_too() -> None:
    """Docstrings and comments hold to the same limits."""
    found = [(str(path), one) for path in CODE for one in sentences(path)]
    assert len(found) > 5_000
    assert [(path, one.line) for path, one in found if one.words > LONGEST or OLD_WORDS.findall(one.text)] == []


def test_sentences_are_told_apart() -> None:
    """Headings, items, cells and sentences count by themselves; code blocks and targets of links do not count."""
    text = """---
title: not counted
---
# A heading
Two words. [Three more words](https://example.com/a.b) end here! See `a. b`, e.g. this
one too.

- an item
  on two lines
- another

| one cell | two |
|---|---|

```text
Not counted. At all.
```
"""
    assert [(one.line, one.text, one.words) for one in in_markdown(text)] == [
        (4, "A heading", 2),
        (5, "Two words.", 2),
        (5, "Three more words end here!", 5),
        (5, "See a b, e.g. this one too.", 7),
        (8, "an item on two lines", 5),
        (10, "another", 1),
        (12, "one cell", 2),
        (12, "two", 1),
    ]


def test_docstrings_and_comments_are_read(tmp_path: Path) -> None:
    """A Python file's strings and code are not."""
    source = tmp_path / "source.py"
    source.write_text('"""A module."""\n\n# A comment\n# of two lines.\nNAME = "a string"\n"""Of a name."""\n', "utf-8")
    assert [(one.line, one.text) for one in sentences(source)] == [
        (1, "A module."),
        (3, "A comment of two lines."),
        (6, "Of a name."),
    ]
