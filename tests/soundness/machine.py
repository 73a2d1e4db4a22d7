"""Any history of a `Schedule`: what may happen to it, and what must hold after each step. It never looks inside the
schedule. It keeps its own log of what was admitted, taken, answered and read."""

from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interakt_loader.model import Answer, Kind, Message, Outcome, Status, Stop
from interakt_loader.sending.pending import PendingCall
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.retry_policy import in_doubt
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.settings.values import Rate
from interakt_loader.shared_limit.clock import ReservedSlots, SlotReservation, State, pace_of, reserved
from tests.soundness.answers import ANSWERS, ERROR, LIMITED, OK, TIMEOUT, UNREACHED, costs_a_retry, may_be_tried_again

MAX_OUTAGE = 60.0
RATE = Rate(5, 1.0)
WORKERS = 6
STEPS = [0.0, 0.001, 0.1, 0.3, 1.0, 7.0, 70.0, 4000.0]
ENDS = {"accepted": OK, "500": ERROR, "429": LIMITED, "timeout": TIMEOUT, "unreached": UNREACHED}
"""What every call may bring from some point on."""

LONGEST_END = 400
"""Calls and waits in which a schedule of at most a dozen messages must come to its end, whatever comes back."""


class AnyHistory(RuleBasedStateMachine):
    """Rules are what the engine and the world may do; `teardown` runs the rest by the schedule's own instants."""

    end: Answer = OK

    @initialize(
        queue=st.integers(1, 12),
        retries=st.integers(0, 3),
        rate=st.sampled_from([None, RATE, "auto", "shared"]),
        kind=st.sampled_from(["user", "event"]),
        coalesce=st.booleans(),
        resend=st.booleans(),
        end=st.sampled_from(sorted(ENDS)),
        seed=st.integers(0, 99),
    )
    def begin(
        self, queue: int, retries: int, rate: object, kind: Kind, coalesce: bool, resend: bool, end: str, seed: int
    ) -> None:
        self.queue, self.retries, self.kind, self.resend = queue, retries, kind, resend
        self.coalesce = coalesce and kind == "user"
        self.rate = RATE if rate in (RATE, "shared") else None
        self.slots = ReservedSlots(pace_of(RATE), WORKERS) if rate == "shared" else None
        self.shared: State | None = None
        self.end = ENDS[end]
        self.schedule = Schedule(
            max_queue_size=queue,
            max_retries=retries,
            rate_limit=RateLimit(None if self.slots else rate, self.slots),  # type: ignore[arg-type]
            max_outage=MAX_OUTAGE,
            coalesce=self.coalesce,
            resend_doubted=resend,
            rng=random.Random(seed),
        )
        self.now = 1000.0
        self.instant: float | None = None
        self.admitted = 0
        self.doubted_before: set[int] = set()
        self.flying: list[PendingCall] = []
        self.alone: set[PendingCall] = set()  # those that went out while everybody else was held back
        self.abandoned: set[int] = set()
        self.answers: dict[int, list[Answer]] = defaultdict(list)
        self.calls: dict[int, int] = defaultdict(int)
        self.tried_at: dict[int, float] = {}
        self.ordering_keys: dict[str, list[int]] = defaultdict(list)
        self.went: list[float] = []
        self.not_before = 0.0
        self.refused_since: float | None = None  # nothing but 429 since then
        self.read: dict[int, Outcome] = {}

    # ------------------------------------------------------------------ what may happen

    @rule(
        ordering_keys=st.lists(st.integers(0, 3), min_size=1, max_size=5), doubted=st.sampled_from([False, False, True])
    )
    def admit(self, ordering_keys: list[int], doubted: bool) -> None:
        for ordering_key in ordering_keys:
            self._admit(ordering_key, doubted)

    def _admit(self, ordering_key: int, doubted: bool) -> None:
        room = self.schedule.room
        message = Message(self.admitted, self.kind, f"user-{ordering_key}", b'{"traits": {}}', doubted=doubted)
        if self.schedule.stopped:  # the engine offers nothing to a schedule that was stopped
            return
        assert self.schedule.admit(message) == (room > 0)
        if room > 0:
            self.doubted_before |= {self.admitted} if doubted else set()
            self.admitted += 1

    @rule(consumers=st.integers(1, 4))
    def take(self, consumers: int) -> None:
        while len(self.flying) < WORKERS and consumers and isinstance(self._take(), PendingCall):
            consumers -= 1

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: float) -> None:
        self.now += step

    @precondition(lambda self: self.instant is not None)
    @rule()
    def the_instant_comes(self) -> None:
        assert self.instant is not None
        self.now, self.instant = max(self.now, self.instant), None
        if len(self.flying) < WORKERS:
            self._take()

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, WORKERS), answer=st.sampled_from(sorted(ANSWERS)))
    def settle(self, which: int, answer: str) -> None:
        self._settle(self.flying[which % len(self.flying)], ANSWERS[answer])

    @precondition(lambda self: self.flying)
    @rule(answer=st.sampled_from(["accepted", "429", "unreached", "timeout"]))
    def settle_all(self, answer: str) -> None:
        for pending in list(self.flying):
            self._settle(pending, ANSWERS[answer])

    @precondition(lambda self: self.slots is not None)
    @rule()
    def slots_come(self) -> None:
        self._grant()

    @rule()
    def read_outcomes(self) -> None:
        self._read()

    @precondition(lambda self: len(self.read) > 3 or len(self.flying) > 1)
    @rule(sure=st.integers(0, 2))
    def stop(self, sure: int) -> None:
        if not sure:  # not so often that nothing else is seen
            self.schedule.stop(Stop("interrupted", "test"), 0.0)

    @precondition(lambda self: self.schedule.stopped and self.flying)
    @rule()
    def abandon(self) -> None:
        self.schedule.abandon(0.0)
        self.abandoned |= {pending.message.row for pending in self.flying}

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def the_counts_add_up(self) -> None:
        schedule = self.schedule
        assert 0 <= schedule.held <= self.queue
        assert schedule.room == self.queue - schedule.held
        assert schedule.held == schedule.unfinished + schedule.settled == self.admitted - len(self.read)
        out = [pending for pending in self.flying if pending.message.row not in self.abandoned]
        rows = sum(1 + len(pending.carries) for pending in out)
        assert schedule.unfinished >= rows
        if schedule.stopped:
            assert schedule.unfinished == rows
            assert not schedule.has_ready
            assert schedule.parked_until is None

    def _take(self) -> PendingCall | float | None:
        schedule, now = self.schedule, self.now
        held_back = schedule.is_held or schedule.in_outage
        was_on = schedule.in_outage
        work = schedule.take(now)
        if isinstance(work, PendingCall):
            self._goes_out(work, held_back=held_back, in_outage=was_on)
        elif work is not None:
            assert now < work < float("inf")
            self.instant = work
        elif schedule.unfinished and not schedule.stopped:  # then something is out that will bring it on
            assert self.flying or (self.slots is not None and not self.slots.asks.empty())
        return work

    def _goes_out(self, pending: PendingCall, *, held_back: bool, in_outage: bool) -> None:
        message, before = pending.message, self.answers[pending.message.row]
        assert not self.schedule.stopped
        assert message.row not in self.read
        assert message.ordering_key not in {other.message.ordering_key for other in self.flying}
        self.ordering_keys[message.ordering_key].append(message.row)
        assert self.ordering_keys[message.ordering_key] == sorted(self.ordering_keys[message.ordering_key])
        assert all(map(may_be_tried_again, before))
        assert sum(map(costs_a_retry, before)) <= self.retries
        if self.kind == "event" and not self.resend:
            assert not any(in_doubt(answer) for answer in before)
        if before and costs_a_retry(before[-1]) and not in_outage:
            assert self.now >= self.tried_at[message.row] + 0.25 + (before[-1].retry_after or 0.25) - 0.25
        assert self.now >= self.not_before
        if held_back:  # by a 429 or an outage: one call tries, all others wait
            assert not self.alone & set(self.flying)
            self.alone.add(pending)
        self.went.append(self.now)
        if self.rate is not None:
            assert len([one for one in self.went if one > self.now - self.rate.seconds]) <= self.rate.calls
        self.calls[message.row] += 1
        self.flying.append(pending)

    def _settle(self, pending: PendingCall, answer: Answer) -> None:
        self.flying.remove(pending)
        self.alone.discard(pending)
        row, ended = pending.message.row, pending.message.row in self.abandoned
        unfinished, was_held = self.schedule.unfinished, self.schedule.is_held
        self.schedule.settle(pending, answer, self.now)
        if ended:
            assert self.schedule.unfinished == unfinished
            return
        self.answers[row].append(answer)
        self.tried_at[row] = self.now
        if answer.http_status == 429:
            if self.refused_since is None:
                self.refused_since = self.now
            wanted = answer.retry_after or (0.0 if was_held else 0.1)
            self.not_before = max(self.not_before, min(self.now + wanted, self.refused_since + MAX_OUTAGE))
        elif answer.reached:
            self.refused_since = None
            assert was_held or not self.schedule.is_held
        if answer.reached:
            assert not self.schedule.in_outage
        if answer.http_status == 401:
            assert self.schedule.stopped is not None

    def _grant(self) -> None:
        """Be the shared clock: everything that was asked for comes now."""
        assert self.slots is not None
        while not self.slots.asks.empty():
            ask = self.slots.asks.get()
            assert ask is not None
            pace = pace_of(RATE)
            first, self.shared = reserved(self.shared, round(self.now * 1e6), ask.slots, round(ask.hold * 1e6), pace)
            if ask.slots:
                assert ask.slots <= max(1, pace.batch)
                self.slots.grant(SlotReservation(first / 1e6, pace.step / 1e6, ask.slots))

    def _read(self) -> None:
        for outcome in self.schedule.read():
            row = outcome.message.row
            assert row not in self.read
            self.read[row] = outcome
            if _carrier(outcome) is None:
                self._ended_as_it_was_answered(outcome)
        assert self.schedule.settled == 0

    def _ended_as_it_was_answered(self, outcome: Outcome) -> None:
        row, answers = outcome.message.row, self.answers[outcome.message.row]
        assert isinstance(outcome.message, Message)
        assert outcome.attempts == self.calls[row] == len(answers) + (row in self.abandoned)
        accepted = bool(answers) and answers[-1].accepted
        assert (outcome.status is Status.SENT) == (accepted and row not in self.abandoned)
        doubts = sum(in_doubt(answer) for answer in answers) + outcome.message.doubted + (row in self.abandoned)
        assert outcome.maybe_duplicate == (doubts > (0 if accepted else 1))
        if outcome.status in (Status.FAILED, Status.UNSENT) and outcome.attempts:
            assert not doubts
        if outcome.status is Status.FAILED:
            assert sum(map(costs_a_retry, answers)) == self.retries + 1
        if outcome.status is Status.UNKNOWN:
            assert doubts
        if outcome.status is Status.REJECTED:
            assert not may_be_tried_again(answers[-1])
        if outcome.status is Status.UNSENT:
            assert self.schedule.stopped is not None

    # ------------------------------------------------------------------ and the end

    def teardown(self) -> None:
        if not hasattr(self, "schedule"):
            return
        steps = 0
        began = self.now
        while self.schedule.unfinished:
            steps += 1
            assert steps < LONGEST_END, "no end in sight"
            work = self._take() if len(self.flying) < WORKERS else None
            if isinstance(work, PendingCall):
                continue
            if self.flying:
                self.now += 0.05
                self._settle(self.flying[0], self.end)
            elif work is not None:
                self.now = work
            else:
                self._grant()
        assert self.now - began < 3000
        while self.flying:  # answers that come after everything was given up
            self._settle(self.flying[0], self.end)
        self._read()
        assert sorted(self.read) == list(range(self.admitted))
        assert self.schedule.held == 0
        self._who_is_carried_ends_as_the_carrier()

    def _who_is_carried_ends_as_the_carrier(self) -> None:
        for row, outcome in self.read.items():
            by = _carrier(outcome)
            assert (by is not None) or outcome.status is not Status.MERGED
            if by is not None:
                carrier = self.read[by]
                assert self.coalesce
                assert self.calls[row] == outcome.attempts == 0
                assert by > row
                assert isinstance(carrier.message, Message)
                assert isinstance(outcome.message, Message)
                assert carrier.message.ordering_key == outcome.message.ordering_key
                assert carrier.message.doubted or not outcome.message.doubted
                assert outcome.status is (Status.MERGED if carrier.status is Status.SENT else carrier.status)


def _carrier(outcome: Outcome) -> int | None:
    """Return the row that carries this one, by what its line says."""
    text = outcome.text or ""
    return int(text.split()[1]) if text.startswith("row ") and " carries it" in text else None
