"""HTML from templates: what comes from outside stays text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from interakt_loader.templates import asset, environment
from tests.hostile.texts import RAW


def rendered(source: str, **values: object) -> str:
    return environment().from_string(source).render(values)


@given(st.text())
def test_a_value_is_text_wherever_it_stands(text: str) -> None:
    """In an element, in an attribute, and through a macro: no markup, and no character that a browser obeys."""
    html = rendered(
        "{% macro cell(text) %}<td title='{{ text }}'>{{ text }}</td>{% endmacro %}{{ cell(text) }}", text=text
    )
    assert html.count("<") == html.count(">") == 2
    assert html.count("'") == 2
    assert RAW.search(html) is None


def test_a_line_break_stays() -> None:
    """The bodies of calls are shown on several lines."""
    assert rendered("{{ text }}", text="a\nb") == "a\nb"


def test_a_name_that_is_not_given_is_an_error() -> None:
    """A gap on a page would go unnoticed."""
    with pytest.raises(UndefinedError, match="'nowhere' is undefined"):
        rendered("{{ nowhere }}")


def test_an_asset_is_not_escaped() -> None:
    """The page's style and script are our own."""
    assert rendered("{{ style }}", style=asset("page.css")) == asset("page.css")
    assert ">" in asset("page.css")


def test_jinja2_is_not_loaded_before_it_is_needed() -> None:
    """A load that shows nothing as HTML does not pay for it."""
    code = "import interakt_loader.load, interakt_loader.mapping.infer, sys; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
