"""Which events of a first load are asked about: many, or old ones. What the bodies say is read as it goes out."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader.load.earlier import EventNames, NewName, old_events_line, worth_asking
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.settings import Settings

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)


def names_of(*tables: dict[str, Any], known: str = "") -> EventNames:
    mapping = Mapping.of({"user_id": "id", "event": "event", "created_at": "at", "traits": ["createdAt"]})
    names = EventNames(lambda name: name == known)
    for table in tables:
        batch = pa.RecordBatch.from_pydict({"createdAt": [None] * len(table["id"]), **table})
        names.add(Preparation(mapping, "event", Settings())(batch, 0))
    return names


def test_the_oldest_of_each_new_name_over_all_batches() -> None:
    """Rows that cannot be sent do not count, nor do names that were loaded before."""
    first = {
        "id": ["a", "b", None, "d"],
        "event": ["Paid", "Seen", "Paid", "Old"],
        "at": ["2026-01-02", "2026-01-03", "2020-01-01", "2019-01-01"],
    }
    second = {"id": ["a", "b"], "event": ["Paid", "Paid"], "at": ["2025-12-31T23:00:00+05:30", "2026-01-01"]}
    names = names_of(first, second, known="Old")
    assert names.new_names == [
        NewName("Paid", 3, "2025-12-31T17:30:00.000Z"),
        NewName("Seen", 1, "2026-01-03T00:00:00.000Z"),
    ]


@pytest.mark.parametrize("odd", ['","createdAt":"1999-01-01', '\\","createdAt":"1999-01-01', "}{"])
def test_a_time_is_read_from_nowhere_else(odd: str) -> None:
    """Not from a name or an id that looks like one, nor from a trait called createdAt."""
    table: dict[str, list[Any]] = {
        "id": [f"a{odd}"],
        "event": [f"Paid{odd}"],
        "at": [None],
        "createdAt": ["1999-01-01"],
    }
    assert [one.oldest for one in names_of(table).new_names] == [""]
    table["at"] = ["2026-01-02"]
    assert [one.oldest for one in names_of(table).new_names] == ["2026-01-02T00:00:00.000Z"]


@pytest.mark.parametrize(
    ("rows", "oldest", "asked"),
    [
        (1000, "", False),
        (1001, "", True),
        (1, "2026-11-21T12:00:00.000Z", False),
        (1, "2026-11-21T11:59:59.999Z", True),
        (1, "1999-01-01T00:00:00.000Z", True),
    ],
)
def test_many_are_more_than_a_thousand_and_old_is_more_than_a_week(rows: int, oldest: str, asked: bool) -> None:
    """To the event, and to the second."""
    one = NewName("Paid", rows, oldest)
    assert worth_asking([one], NOW) == ([one] if asked else [])


def test_what_is_said_of_them() -> None:
    """How many of which name, and how old."""
    asked = [NewName("Paid", 1500, "2025-03-01T00:00:00.000Z"), NewName("Seen", 1, "")]
    assert old_events_line(asked, ledger=True, complete=True) == (
        "the first load from this ledger of 'Paid' (1,500 events, the oldest of 2025-03-01), 'Seen' (1 event): "
        "campaigns that are on may message these people now"
    )
    assert "(1,500 events or more, the" in old_events_line(asked, ledger=False, complete=False)
    assert old_events_line([NewName(str(n), 1, "") for n in range(8)], ledger=True, complete=True).count("event") == 5
