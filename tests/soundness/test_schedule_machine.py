"""Any history of a schedule keeps its promises. A few seconds of it; `make soundness` runs thousands."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soundness.machine import AnyHistory

LONG = int(os.environ.get("INTERAKT_SOUNDNESS") or 0)
CASES = LONG or 80


@pytest.mark.timeout(3600 if LONG else 120)
def test_any_history_settles_every_row_once_in_order_within_all_bounds() -> None:
    """Whatever is admitted, answered, waited for, stopped and abandoned, in any order: see `AnyHistory`."""
    cases = 0

    class Counted(AnyHistory):
        def teardown(self) -> None:
            nonlocal cases
            super().teardown()
            cases += 1

    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=CASES,
            stateful_step_count=50,
            deadline=None,
            derandomize=not LONG,  # what `make test` says does not depend on luck
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    print(f"\n{cases} histories of a schedule")
    assert cases >= CASES
