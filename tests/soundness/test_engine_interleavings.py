"""The engine under random orders of its threads. `make soundness` runs thousands of histories."""

from __future__ import annotations

import os
import time

import pytest

from interakt_loader.sending.workers import Engine
from tests.soundness import broken
from tests.soundness.case import Case

LONG = int(os.environ.get("INTERAKT_SOUNDNESS") or 0)
FIRST = int(os.environ.get("INTERAKT_FIRST_SEED") or 0)
CASES = LONG or 250


def explore(kind: type[Engine], first: int, cases: int, share_of_line_by_line: float = 0.1) -> int:
    """Run so many histories; return how many steps they had. The first one that fails raises with its seed."""
    steps = 0
    for seed in range(first, first + cases):
        case = Case(seed, kind, share_of_line_by_line=share_of_line_by_line)
        try:
            case.run()
        except BaseException as error:
            error.args = (f"seed {seed}: {error}",)
            raise
        steps += case.world.steps
    return steps


@pytest.mark.timeout(7200 if LONG else 120)
def test_no_order_of_the_threads_loses_a_row_a_wake_up_or_the_end() -> None:
    """Offers, reads, answers of any kind, stops, flushes and ends at any point. `Case` says what must hold."""
    began = time.monotonic()
    steps = explore(Engine, FIRST, CASES)
    print(f"\n{CASES} histories of an engine, {steps} steps, {time.monotonic() - began:.0f} s")
    assert steps > 50 * CASES


@pytest.mark.parametrize("kind", broken.ALL)
def test_an_engine_with_a_mistake_in_it_is_detected(kind: type[Engine]) -> None:
    """A notify that is forgotten, a lock that is not taken: each is found within a hundred histories. Two take more; to
    save time, their histories begin where they are found."""
    first = {broken.ReadsSilently: 250, broken.HasTooManyOut: 1250}.get(kind, 0)
    with pytest.raises(AssertionError, match=r"^seed \d+: .*\nThe last steps:\n"):
        explore(kind, first, 100, 0.5 if kind is broken.OffersWithoutTheLock else 0.1)


def test_the_same_seed_is_the_same_history() -> None:
    """So a failure can be repeated."""
    first, second = Case(7), Case(7)
    first.run()
    second.run()
    assert first.world.trace == second.world.trace
    assert [one.message.row for one in first.outcomes] == [one.message.row for one in second.outcomes]
