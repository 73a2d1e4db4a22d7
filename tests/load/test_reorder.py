"""Report lines in the input's order, as far as a short wait allows."""

from __future__ import annotations

import time

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.load.pipeline import InOrder
from interakt_loader.model import InvalidRow, Outcome
from interakt_loader.report.outcomes import from_outcomes


def outcome(row: int, age: float = 0.0) -> Outcome:
    invalid = InvalidRow(row, "user", "u", None, None, None, None, "no phone", "identity_missing", None)
    return Outcome.invalid(invalid)._replace(finished_at=time.time() - age)


def rows(batches: list[pa.RecordBatch]) -> list[int]:
    return [row for batch in batches for row in batch["row"].to_pylist()]


def test_a_missing_row_is_waited_for() -> None:
    """Rows 1 and 2 are held until 0 is there."""
    order = InOrder()
    assert rows(list(order.add([outcome(2), outcome(1)]))) == []
    assert rows(list(order.add([outcome(0)]))) == [0, 1, 2]


def test_a_missing_row_is_not_waited_for_long() -> None:
    """What settled over a second ago goes out, and what comes before it; the late row follows on its own."""
    order = InOrder()
    assert rows(list(order.add([outcome(3), outcome(2, age=1.5), outcome(5)]))) == [2, 3]
    assert rows(list(order.add([outcome(0)]))) == [0]
    assert rows(list(order.rest())) == [5]


def test_no_more_is_held_than_may_be() -> None:
    """With three outcomes held at most, a fourth ends the wait for the missing row."""
    order = InOrder(most_held=3)
    assert rows(list(order.add([outcome(1), outcome(2), outcome(3)]))) == []
    assert rows(list(order.add([outcome(5)]))) == [1, 2, 3, 5]


def test_unchanged_lines_stand_where_their_rows_stood() -> None:
    """Ready-made lines and outcomes are put together by row."""
    order = InOrder()
    lines = from_outcomes([outcome(row) for row in (0, 2, 5)])
    assert rows(list(order.add([], lines))) == [0]
    assert rows(list(order.add([outcome(1), outcome(4)]))) == [1, 2]
    assert rows(list(order.add([outcome(3)]))) == [3, 4, 5]


@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=12, max_size=12), st.data())
def test_every_row_comes_out_once(order: list[int], ready_made: list[bool], data: st.DataObject) -> None:
    """However rows settle and whatever form they have: each comes out once, and in order when nothing is overdue."""
    held, out = InOrder(), []
    while order:
        group = order[: data.draw(st.integers(1, 4))]
        order = order[len(group) :]
        lines = sorted(row for row in group if ready_made[row])
        outcomes = [outcome(row) for row in group if not ready_made[row]]
        out += rows(list(held.add(outcomes, from_outcomes([outcome(row) for row in lines]) if lines else None)))
    out += rows(list(held.rest()))
    assert out == list(range(12))
