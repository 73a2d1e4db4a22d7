"""What a task loads, as a field that everybody may see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from interakt_loader.integrations.airflow.source import Table, data_of, shown_source

ROWS = [{"phone": "+91 98765 43210", "email": "asha@example.com"}] * 3


class Lazy(Sequence[Any]):
    """As Airflow gives the results of a mapped task."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]


class Unresolved:
    """As Airflow gives the result of a task that has not run."""

    def __repr__(self) -> str:
        return "the result of a task"

    def resolve(self, context: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    "given",
    [
        "a.csv",
        "{{ params.source }}",
        Path("a.csv"),
        ["a.csv", Path("b.csv")],
        ("a.csv",),
        {"env": "ORDERS"},
        None,
        Unresolved(),
        [Unresolved(), "a.csv"],
        {"users": Unresolved(), "orders": Unresolved()},
        "{% if params.x %}a{% endif %}.csv",
        "[ab]-*.csv",
    ],
    ids=repr,
)
def test_paths_and_what_is_not_known_yet_stay_as_they_are(given: Any) -> None:
    assert shown_source(given) is given
    assert data_of(shown_source(given)) is given


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (ROWS, "<list of 3 rows>"),
        (ROWS[0], "<dict>"),
        (pd.DataFrame(ROWS[:1]), "<DataFrame of 1 row>"),
        (pl.DataFrame(ROWS), "<DataFrame of 3 rows>"),
        (pa.Table.from_pylist(ROWS), "<Table of 3 rows>"),
        ([pd.DataFrame(ROWS)], "<list of 1 item>"),
        ("phone\n+91 98765 43210", "<str>"),
        ('{"phone": "+91 98765 43210"}', "<str>"),
        (str(ROWS[0]), "<str>"),
        (str([("+91 98765 43210",)]), "<str>"),
        (str([["+91 98765 43210"]]), "<str>"),
        ({"users": ROWS, "orders": Unresolved()}, "<dict>"),
        (iter(ROWS), "<list_iterator>"),
    ],
    ids=lambda one: one if isinstance(one, str) and one.startswith("<") else "",
)
def test_a_table_shows_its_type_and_its_number_of_rows_only(given: Any, shown: str) -> None:
    table = shown_source(given)
    assert isinstance(table, Table)
    assert (repr(table), str(table)) == (shown, shown)
    assert data_of(table) is given
    assert shown_source(table) is table


def test_the_results_of_mapped_tasks_are_read_as_a_list() -> None:
    """Paths can be seen, rows cannot."""
    assert shown_source(Lazy("a.csv", "b.csv")) == ["a.csv", "b.csv"]
    assert repr(shown_source(Lazy(*ROWS))) == "<list of 3 rows>"
