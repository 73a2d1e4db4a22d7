"""What there is to show of a load: the same on every surface."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import LoadResult, MappingDict, TraitDict, check
from interakt_loader.cli.commands import as_text
from interakt_loader.model import Status
from interakt_loader.report.writer import Summary
from interakt_loader.result import view_of
from interakt_loader.result.view import COLOURS, View, elapsed, time_unit
from interakt_loader.sources.base import Lines
from interakt_loader.templates import render
from tests.result.pages import Page

MAPPING: MappingDict = {"user_id": "id", "traits": [{"column": "age", "type": "number"}]}


def checked(*ages: str) -> LoadResult:
    return check(pd.DataFrame({"id": [str(row) for row in range(len(ages))], "age": ages}), MAPPING)


def view(seconds: float = 1.0, attempts: int = 0, **counts: int) -> View:
    summary = Summary(attempts=attempts)
    summary.counts.update(counts)
    return View(
        name="a.csv",
        kind="user",
        summary=summary,
        seconds=seconds,
        stop=None,
        ledger=None,
        report=Path("a.report.csv"),
        failures_file=None,
        bodies=[],
        forecast=None,
        creates=None,
        account=None,
        is_forgotten=False,
        rate_limit=None,
        options={},
        lines=Lines(),
        masks=False,
    )


def test_every_surface_shows_the_same(tmp_path: Path) -> None:
    """The rows, the label and count of each status, and the reason: in a terminal, a notebook, a page and a plot."""
    from matplotlib.text import Text

    result = checked("24", "25", "old")
    terminal = as_text(view_of(result))
    notebook = result._repr_html_()
    page = Page(result.write_html(tmp_path / "a.html")).text
    figure: Any = result.plot()
    texts = [*figure.findobj(Text), *figure.axes[0].get_yticklabels()]
    plot = " ".join(one.get_text() for one in texts)
    for surface in (terminal, notebook, page, plot):
        assert "3 rows as users" in surface
        assert "ry run: nothing was sent" in surface
        assert "would be sent" in surface
        assert "unsent" not in surface
    for surface in (terminal, notebook, page):
        assert "not_a_number" in surface


@pytest.mark.parametrize("count", [1, 2])
def test_one_row_is_one_row(count: int, tmp_path: Path) -> None:
    """No surface counts "1 rows"."""
    result = checked(*["old"] * count)
    for surface in (as_text(view_of(result)), result._repr_html_(), Page(result.write_html(tmp_path / "a.html")).text):
        assert f"{count} row{'s' * (count > 1)}" in surface
        assert re.search(r"\b1 (rows|calls|events)\b", surface) is None


def test_statuses_are_shown_in_one_order_with_their_shares() -> None:
    """Each status has a colour, and the bar is full."""
    assert list(COLOURS) == list(Status)
    counts = view(failed=1, sent=2, invalid=1).counts
    assert [(one.label, one.start, one.share) for one in counts] == [
        ("sent", 0.0, 0.5),
        ("invalid", 0.5, 0.25),
        ("failed", 0.75, 0.25),
    ]


@pytest.mark.parametrize(
    ("seconds", "attempts", "pace"),
    [
        (1.0, 0, None),
        (4.0, 1, "1 call in 4.0 s (0.2 a second)"),
        (0.0, 2, "2 calls in 0.0 s (0.0 a second)"),
        (7_325.0, 97_422, "97,422 calls in 2 h 2 min (13 a second)"),
    ],
)
def test_the_pace_of_a_load(seconds: float, attempts: int, pace: str | None) -> None:
    """With a digit behind the point where there are fewer than ten calls a second; nothing where there was no call."""
    assert view(seconds, attempts).pace == pace


def test_times_are_in_units_that_fit() -> None:
    """Seconds, then minutes, then hours."""
    assert [elapsed(seconds) for seconds in (99.94, 125.4, 7_325.0)] == ["99.9 s", "2 min 5 s", "2 h 2 min"]
    assert [time_unit(seconds)[1] for seconds in (299, 300, 7_200)] == ["s", "min", "h"]


def test_a_long_list_of_reasons_is_cut_on_a_card() -> None:
    """The rest is in the report; the card says how many."""
    columns = {f"n{number:02}": ["bad"] for number in range(21)}
    traits: list[TraitDict] = [{"column": name, "type": "number"} for name in columns]
    rows = [
        {"id": str(row)} | {name: "bad" if name == column else "1" for name in columns}
        for row, column in enumerate(columns)
    ]
    card = check(pd.DataFrame(rows), {"user_id": "id", "traits": traits})._repr_html_()
    assert "and 1 more reason in the report" in card
    assert card.count("not_a_number") == 20


def test_names_are_not_markup(tmp_path: Path) -> None:
    """The view holds texts as they are, and each surface escapes them in its own way."""
    evil = "<b>\x1b[2J"
    card = render("card.html", view=replace(view(sent=1), name=evil, report=Path(evil)), rows=[], bodies="")
    assert "&lt;b&gt;\\x1b[2J" in card
    assert "\\x1b[2J" in as_text(replace(view(sent=1), name=evil, options={"report": evil, "html": None}))
