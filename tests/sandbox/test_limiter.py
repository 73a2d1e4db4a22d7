"""The limit is pure: a clock made of numbers shows its windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sandbox.api import FixedWindow, SlidingWindow, new_limiter


def passed(limiter: FixedWindow | SlidingWindow, *instants: float) -> list[bool]:
    """Return which calls at these instants may pass."""
    return [limiter.admit(now) == 0 for now in instants]


def test_a_fixed_window_begins_with_its_first_call_and_ends_whole() -> None:
    """Two calls pass in each window; the window turns 60 seconds after its first call, and not before."""
    limiter = FixedWindow(2, 60)
    assert passed(limiter, 100, 159, 159.9, 160, 161, 219.9, 220) == [True, True, False, True, True, False, True]


def test_a_fixed_window_lets_twice_its_calls_through_around_its_turn() -> None:
    """It has the known weakness of its shape: a client that relies on a sliding window gets a 429."""
    assert passed(FixedWindow(2, 60), 0, 59, 60, 60.1) == [True] * 4
    assert passed(SlidingWindow(2, 60, refused_count=False), 0, 59, 60, 60.1) == [True, True, True, False]


def test_a_refused_call_is_told_when_one_may_pass() -> None:
    """The wait of a refused call is exact in both shapes: a call then passes, one just before does not."""
    for limiter in (FixedWindow(1, 10), SlidingWindow(1, 10, refused_count=False)):
        assert limiter.admit(5.0) == 0
        assert limiter.admit(7.0) == 8.0
        assert passed(limiter, 14.9, 15.0) == [False, True]


def test_refused_calls_may_use_up_a_sliding_window() -> None:
    """Where refused calls count, one that hammers on is shut out until it pauses for a whole window."""
    counting = SlidingWindow(1, 10, refused_count=True)
    assert passed(counting, 0, 6, 12, 18, 28) == [True, False, False, False, True]
    assert passed(SlidingWindow(1, 10, refused_count=False), 0, 6, 12) == [True, False, True]


@given(
    calls=st.integers(1, 20),
    gaps=st.lists(st.integers(0, 7), min_size=1, max_size=200),
    refused_count=st.booleans(),
)
def test_no_sliding_window_holds_more_than_its_calls(calls: int, gaps: list[int], refused_count: bool) -> None:
    """However the calls come, no half-open window of its length ever has more of them pass than allowed."""
    limiter, now, went = SlidingWindow(calls, 20, refused_count=refused_count), 0, []
    for gap in gaps:
        now += gap
        if limiter.admit(now) == 0:
            went.append(now)
        assert sum(instant > now - 20 for instant in went) <= calls
    assert went


@pytest.mark.parametrize(("shape", "kind"), [("fixed", FixedWindow), ("sliding", SlidingWindow)])
def test_the_option_names_the_shape(shape: str, kind: type) -> None:
    """`limit_shape` picks the window."""
    assert isinstance(new_limiter(shape, 1, 60.0, refused_count=False), kind)
