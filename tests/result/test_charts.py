"""The charts: numbers in, SVG out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.result.html import BOTTOM, LEFT, RIGHT, TOP, Chart, short, ticks
from interakt_loader.templates import render


def drawn(chart: Chart) -> str:
    """Return a chart as it is on the page."""
    return render("chart.html", chart=chart)


def points(markup: str, element: str) -> list[tuple[float, float]]:
    (drawn,) = re.findall(rf'<{element} [^>]*(?:points|d)="([^"]*)"', markup)
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", drawn)]


def test_an_area_goes_from_corner_to_corner() -> None:
    """From nothing at the start to the top value at the end."""
    chart = Chart("Rows", "words", seconds=10, top=100)
    chart.area([0, 0], [50, 100], "#2e9e5b", "sent")
    x, y = LEFT, BOTTOM
    middle, end = (LEFT + RIGHT) / 2, RIGHT
    assert points(drawn(chart), "polygon")[:3] == [(x, y), (middle, (y + TOP) / 2), (end, TOP)]


def test_a_line_is_broken_where_there_is_no_value() -> None:
    """An interval without any answer has no answer time: zero would be a lie."""
    chart = Chart("Times", "words", seconds=10, top=100)
    chart.line([10, None, 30, 40], "first", "half")
    (path,) = re.findall(r'<path class="line first" d="([^"]*)"', drawn(chart))
    assert path.count("M") == 2


def test_a_chart_says_what_it_shows() -> None:
    """A title, words for those who cannot see it, a legend; all of them as text."""
    chart = Chart("a <b>", 'with "words" & more', seconds=10, top=1)
    chart.level(1, "limit", "limit: <1/s>")
    markup = drawn(chart)
    assert "<figcaption>a &lt;b&gt;</figcaption>" in markup
    assert 'aria-label="with &#34;words&#34; &amp; more"' in markup
    assert "limit: &lt;1/s&gt;" in markup


@given(st.floats(1e-3, 1e9))
def test_ticks_are_few_and_round_and_within(top: float) -> None:
    """From zero up to the value, never beyond it, and three to seven of them."""
    found = ticks(top)
    assert found[0] == 0
    assert found[-1] <= top * 1.001
    assert 3 <= len(found) <= 7
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2.5, "2.5"), (1000, "1,000"), (9_999, "9,999"), (20_000, "20k"), (1_500_000, "1.5M"), (0.25, "0.25")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """Six characters at most, for the edge of a chart."""
    assert short(value) == text


def test_a_chart_of_nothing_has_one_line_at_zero() -> None:
    """No row was done: the chart has a floor, and no division by its height."""
    assert ticks(0) == [0.0]
    chart = Chart("Rows done", "words", seconds=10, top=0)
    chart.area([0], [0], "#2e9e5b", "sent")
    markup = drawn(chart)
    assert markup.count('text-anchor="end">0<') == 1
    assert points(markup, "polygon")[1] == (RIGHT, BOTTOM)


@pytest.mark.parametrize(("seconds", "last"), [(9.999, "7.5"), (10, "10")])
def test_no_moment_is_written_beyond_the_right_edge(seconds: float, last: str) -> None:
    """A round moment that the load did not reach has no place on the axis."""
    markup = drawn(Chart("Rows done", "words", seconds=seconds, top=1))
    moments = re.findall(r'<text x="([\d.]+)"[^>]*>([\d.]+)\u00a0s<', markup)
    assert moments[-1][1] == last
    assert all(float(x) <= RIGHT for x, _ in moments)
