"""White space that the API refuses, and every other odd character, on the way into a body."""

from __future__ import annotations

import json
import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Target, coerce
from interakt_loader.mapping.prepare import collapse_whitespace

_ODD = st.text(st.sampled_from(list("ab\\n \t\n\r\x00\x0b\x1f\x7f\x85\u2028\u2029\ufeff\U0001f600\"',[")), max_size=12)


@given(st.lists(st.one_of(st.none(), _ODD), max_size=6))
def test_a_string_keeps_all_but_the_refused_runs(texts: list[str | None]) -> None:
    """What JSON gives back has no line break, tab or three spaces, and every other character in its place."""
    json_texts = coerce(pa.array(texts, pa.string()), Target("string")).json
    tidy, changed = collapse_whitespace(json_texts)
    for place, (before, after) in enumerate(zip(json_texts.to_pylist(), tidy.to_pylist(), strict=True)):
        if before is None:
            assert after is None
            continue
        was, found = json.loads(before), json.loads(after)
        assert not re.search(r"[\t\r\n]|   ", found)
        assert [one for one in found if one not in " \t\r\n"] == [one for one in was if one not in " \t\r\n"]
        assert (place in changed) == (found != was) == bool(re.search(r"[\t\r\n]|   ", was))


def test_the_items_of_a_list_are_tidied_and_its_numbers_are_not_touched() -> None:
    """A list's strings are strings to the API too; digits, escapes and the list itself stay as they are."""
    written = [["a\nb", "c"], ["a    b"], ["C:\\new"], None]
    tidy, changed = collapse_whitespace(coerce(pa.array(written), Target()).json)
    assert tidy.to_pylist() == ['["a b","c"]', '["a b"]', r'["C:\\new"]', None]
    assert changed == [0, 1]
    numbers = coerce(pa.array(['[1.50, 12345678901234567890, "a\\tb"]']), Target("list")).json
    assert collapse_whitespace(numbers)[0].to_pylist() == ['[1.50,12345678901234567890,"a b"]']


def test_control_characters_and_separators_arrive() -> None:
    """NUL and its like are JSON escapes, U+2028 and U+2029 are themselves: a JSON reader gets back what was there."""
    text = "a\x00b\x01\x0b\x0c\x1f\x7f\x85\u2028\u2029c"
    tidy, changed = collapse_whitespace(coerce(pa.array([text]), Target("string")).json)
    assert changed == []
    assert json.loads(tidy[0].as_py()) == text
    assert r"\u0000" in tidy[0].as_py()
    assert "\u2028\u2029" in tidy[0].as_py()
