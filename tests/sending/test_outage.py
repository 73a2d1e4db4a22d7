"""An outage is distinguished from single failures, and probed with one call at a time. Pure, with a fake clock."""

from __future__ import annotations

import math

from interakt_loader.model import Message
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.retry_policy import OUTAGE_AFTER, Duration, Outage


def pending(row: int = 0) -> PendingCall:
    return PendingCall(Message(row, "user", str(row), b"{}"))


def begun(now: float = 10.0, max_outage: float = 300.0) -> Outage:
    """Return an outage that has just begun: three tries at the same instant brought no answer."""
    outage = Outage(max_outage)
    for _ in range(OUTAGE_AFTER):
        outage.not_answered(pending(), now)
    return outage


def test_a_duration_is_as_long_as_between_the_first_and_the_last_time_that_it_was_seen() -> None:
    """The first sighting counts nothing. After `reset` it starts again from zero."""
    duration = Duration(60.0)
    assert [duration.extend(now) for now in (100.0, 101.0, 104.0)] == [0.0, 1.0, 4.0]
    duration.reset()
    assert [duration.extend(now) for now in (200.0, 207.0)] == [0.0, 7.0]


def test_a_machine_that_slept_has_not_waited() -> None:
    """A gap between two sightings counts for the longest step at most."""
    duration = Duration(60.0)
    assert [duration.extend(now) for now in (0.0, 60.0, 4000.0)] == [0.0, 60.0, 120.0]


def test_the_third_try_in_a_row_without_an_answer_begins_an_outage() -> None:
    """Two are not an outage, however far apart. An answer between them restarts the count."""
    outage = Outage(300.0)
    assert OUTAGE_AFTER == 3
    assert [outage.not_answered(pending(), now) for now in (0.0, 5.0)] == [0.0, 0.0]
    assert not outage.is_on
    assert outage.due() == -math.inf
    outage.answered()
    assert [outage.not_answered(pending(), now) for now in (20.0, 21.0, 23.0)] == [0.0, 0.0, 3.0]
    assert outage.is_on
    assert outage.due() == 23.5


def test_while_a_probe_is_out_nothing_goes() -> None:
    """Only the probe decides. A call from before the outage that fails now does not change the next probe."""
    outage, probe = begun(), pending()
    outage.spend(probe)
    assert outage.due() == math.inf
    outage.not_answered(pending(), 12.0)
    assert outage.due() == math.inf
    outage.not_answered(probe, 13.0)
    assert outage.due() == 14.0


def test_a_call_outside_of_an_outage_is_no_probe() -> None:
    """Before an outage calls go freely, and none of them counts as a probe later."""
    outage, early = Outage(300.0), pending()
    outage.spend(early)
    assert outage.due() == -math.inf
    for _ in range(3):
        outage.not_answered(pending(), 1.0)
    assert outage.due() == 1.5


def test_probes_come_at_growing_distances_up_to_a_quarter_of_a_minute() -> None:
    """0.5 s at first, then twice as long each time, and never more than 15 s."""
    outage, now = begun(0.0, 3600.0), 0.0
    waits = []
    for row in range(8):
        waits.append(outage.due() - now)
        now = outage.due()
        probe = pending(row)
        outage.spend(probe)
        outage.not_answered(probe, now)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_the_last_probe_comes_when_the_patience_ends() -> None:
    """With four seconds of patience and one and a half over, the next probe comes in less than two seconds."""
    outage = begun(0.0, 2.0)
    waits, now = [], 0.0
    for row in range(3):
        now = outage.due()
        probe = pending(row)
        outage.spend(probe)
        silence = outage.not_answered(probe, now)
        waits.append((silence, outage.due() - now))
    assert waits == [(0.5, 1.0), (1.5, 0.5), (2.0, 0.0)]


def test_any_answer_ends_it() -> None:
    """Calls go at once. Neither the silence nor its long waits count for the next outage."""
    outage = begun()
    probe = pending()
    outage.spend(probe)
    outage.not_answered(probe, 10.5)
    outage.answered()
    assert not outage.is_on
    assert outage.due() == -math.inf
    assert [outage.not_answered(pending(), now) for now in (50.0, 50.0, 51.0)] == [0.0, 0.0, 1.0]
    assert outage.due() == 51.5


def test_a_long_sleep_within_an_outage_is_no_minute_of_silence() -> None:
    """A laptop that was closed for an hour adds one minute without an answer."""
    outage = begun(0.0, 300.0)
    assert outage.not_answered(pending(), 3600.0) == 60.0
