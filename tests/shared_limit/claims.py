"""What every shared clock promises. The tests of each kind of clock inherit these claims."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from interakt_loader import LoadResult, load_events
from interakt_loader.errors import SettingsError, ShareLost
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit import open_clock
from tests.shared_limit.processes import ended, start, use

KEY = "c2VjcmV0:"
NOWHERE = "http://127.0.0.1:1"


@dataclass
class Place:
    """Where a clock is."""

    url: str
    take_away: Callable[[], object]
    """Have it unreachable, or unusable, from now on."""
    bring_back: Callable[[], object]


def load_while(place: Place, happens: Callable[[], object], *, max_outage: float = 300) -> tuple[LoadResult, int]:
    """Load 300 events at 100 a second; after 20 of them something happens. Return the result, and what arrived."""
    frame = pd.DataFrame({"user": [f"u{number}" for number in range(300)]})
    with Sandbox() as sandbox:

        def wait_and_see() -> None:
            while sandbox.stats().accepted < 20:
                time.sleep(0.01)
            happens()

        other = threading.Thread(target=wait_and_see)
        other.start()
        result = load_events(
            frame,
            {"user_id": "user", "event": {"value": "Visit"}},
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            share=place.url,
            rate_limit="100/s",
            max_outage=max_outage,
        )
        other.join()
        return result, len(sandbox.events())


class SharedClockClaims:
    """Needs a fixture `place`."""

    @pytest.mark.alone
    @pytest.mark.parametrize("shape", ["fixed", "sliding"])
    def test_four_processes_hold_one_limit(
        self, tmp_path: Path, place: Place, shape: Literal["fixed", "sliding"]
    ) -> None:
        """Four loads at once declare 100 per second. No window of a second holds more calls (a busy machine may deliver
        one late), and at least 95 % are used."""
        options = SandboxOptions(record_arrivals=True, limit_per_minute=100, window=1.0, limit_shape=shape)
        with SandboxProcess(options) as sandbox:
            loads = [
                start(tmp_path, f"part{number}", 150, sandbox, "--share", place.url, "--rate-limit", "100/s")
                for number in range(4)
            ]
            assert [code for code, _ in ended(loads)] == [0, 0, 0, 0]
            used = use(sandbox, 1.0)
        assert used.arrived == 600 + used.refused
        assert used.refused <= 1
        assert used.most <= 101
        assert used.per_second >= 95

    def test_a_429_of_one_process_holds_the_next_lease_of_the_other(self, place: Place) -> None:
        """One process pushes the clock by 3 s. What another one reserves then is not before that."""
        mine, theirs = (open_clock(place.url, NOWHERE, KEY, Rate(100, 1)) for _ in range(2))
        before = time.monotonic()
        mine.reserve(0, hold=3.0)
        assert theirs.reserve(1).first >= before + 2.9
        mine.close()
        theirs.close()

    def test_another_account_has_a_clock_of_its_own(self, place: Place) -> None:
        """Two accounts use the same place, each with its own limit."""
        mine = open_clock(place.url, NOWHERE, KEY, Rate(100, 1))
        theirs = open_clock(place.url, NOWHERE, "b3RoZXI6", Rate(300, 60))
        before = time.monotonic()
        mine.reserve(0, hold=30.0)
        assert theirs.reserve(1).first <= before + 1
        mine.close()
        theirs.close()

    def test_two_rates_for_one_account_are_refused(self, place: Place) -> None:
        """Loads that declare different limits cannot share: the second is refused before any call."""
        open_clock(place.url, NOWHERE, KEY, Rate(100, 1)).close()
        with pytest.raises(SettingsError, match=r"another load of this account declares 100/s, this one 300/min"):
            open_clock(place.url, NOWHERE, KEY, Rate(300, 60))

    def test_a_clock_that_comes_back_costs_no_row(self, place: Place) -> None:
        """It is unreachable for a second during the load: the load waits, and every row is sent once."""

        def away_for_a_second() -> None:
            place.take_away()
            time.sleep(1.0)
            place.bring_back()

        result, arrived = load_while(place, away_for_a_second)
        assert (result.sent, arrived) == (300, 300)

    def test_a_clock_that_stays_away_stops_the_load(self, place: Place) -> None:
        """It stays unreachable: after `max_outage` the load stops, and the remaining rows are `unsent`."""
        result, arrived = load_while(place, place.take_away, max_outage=1)
        assert result.sent == arrived
        assert 20 <= result.sent < 300
        assert result.sent + result.unsent == 300
        with pytest.raises(ShareLost, match=r"share (sqlite|redis)://.*: cannot be (used|reached)"):
            result.raise_for_failures()
