"""The engine with unusual transports and sudden stops."""

from __future__ import annotations

import threading
import time

import pytest

from interakt_loader.model import Answer, Message, Outcome, Status, Stop, StopToken
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import Engine
from interakt_loader.transport import read_answer

OK = read_answer(202, b'{"result": true}', 0.1)


def schedule() -> Schedule:
    return Schedule(max_queue_size=1000, max_retries=0, rate_limit=RateLimit(None), max_outage=300)


def messages(count: int) -> list[Message]:
    return [Message(row, "user", str(row), b"{}") for row in range(count)]


def test_a_transport_that_raises_costs_no_thread_and_no_row(caplog: pytest.LogCaptureFixture) -> None:
    """Each call raises. Each row still ends, as unknown, and so does the engine."""

    class Broken:
        def send(self, message: Message) -> Answer:
            raise MemoryError

        def close(self) -> None:
            pass

    with Engine(schedule(), Broken(), 2) as engine:
        assert engine.offer(messages(50)) == 50
        outcomes = []
        while engine.unfinished:
            outcomes += engine.read(50, 5)
        outcomes += engine.read()
    assert [(one.status, one.code) for one in outcomes] == [(Status.UNKNOWN, "internal_error")] * 50
    assert "a call could not be made" in caplog.text


def test_nothing_is_sent_after_a_stop_is_requested() -> None:
    """A stop is requested while the first call is in flight and no thread reads. The queued calls are not sent."""
    token = StopToken()
    first_is_out, may_answer = threading.Event(), threading.Event()
    sent: list[int] = []

    class Slow:
        def send(self, message: Message) -> Answer:
            sent.append(message.row)
            first_is_out.set()
            may_answer.wait(10)
            return OK

        def close(self) -> None:
            pass

    with Engine(schedule(), Slow(), 1, stop_token=token) as engine:
        engine.offer(messages(100))
        first_is_out.wait(10)
        token.request(Stop("interrupted", "the load was interrupted"))
        may_answer.set()
        outcomes = []
        while engine.unfinished:
            outcomes += engine.read(100, 5)
        outcomes += engine.read()
    assert sent == [0]
    assert sorted(one.status for one in outcomes) == [Status.SENT] + [Status.UNSENT] * 99


class Recording:
    """Accepts everything at once, and notes when a row goes out."""

    def __init__(self, row: int) -> None:
        self._row = row
        self.went = threading.Event()

    def send(self, message: Message) -> Answer:
        if message.row == self._row:
            self.went.set()
        return OK

    def close(self) -> None:
        pass


def test_a_slow_on_outcomes_holds_up_no_call() -> None:
    """While `on_outcomes` handles a user's first call, another consumer sends the second one."""
    transport = Recording(1)
    in_time = []

    def tell(outcomes: list[Outcome]) -> None:
        in_time.append(transport.went.wait(10))

    with Engine(schedule(), transport, 2, on_outcomes=tell) as engine:
        engine.offer([Message(row, "user", "ann", b"{}") for row in range(2)])
    assert in_time == [True, True]


def test_on_outcomes_may_wait_for_the_end_on_any_thread() -> None:
    """A stop hands outcomes over on the caller's thread. If that thread waits for the engine's end in there, it does
    not wait for itself."""
    is_out, may_answer = threading.Event(), threading.Event()
    answers: list[bool] = []

    class Hanging(Recording):
        def send(self, message: Message) -> Answer:
            is_out.set()
            may_answer.wait(10)
            return OK

    engine = Engine(schedule(), Hanging(0), 1, on_outcomes=lambda _: answers.append(engine.wait_until_idle(10)))
    with engine:
        engine.offer(messages(2))
        is_out.wait(10)
        began = time.monotonic()
        engine.stop(Stop("interrupted", "test"))  # row 1 is handed over here
        assert time.monotonic() - began < 5
        may_answer.set()
    assert answers == [False, False]


def test_consumers_with_nothing_to_do_end_and_are_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some idle time all of them have ended, including those that slept during a call. A new message is still
    sent."""
    monkeypatch.setattr("interakt_loader.sending.workers.LONGEST_IDLE", 0.01)
    together = threading.Barrier(4)

    class Meeting(Recording):
        def send(self, message: Message) -> Answer:
            together.wait(10)  # so that each consumer has a call out
            return OK

    with Engine(schedule(), Meeting(0), 4) as engine:
        for _ in range(2):
            engine.offer(messages(4))
            assert [one.status for one in engine.read(4, 10)] == [Status.SENT] * 4
            for thread in threading.enumerate():
                if thread.name.startswith("interakt-consumer"):
                    thread.join(10)
            assert not engine.running


def test_who_waits_for_the_end_is_told_when_all_has_been_read() -> None:
    """One thread waits until everything is read, and another one reads."""
    with Engine(schedule(), Recording(0), 1) as engine:
        engine.offer(messages(3))
        waits = threading.Thread(target=engine.wait_until_idle, daemon=True)
        waits.start()
        while engine.unfinished:
            engine.read(3, 5)
        engine.read()
        waits.join(10)
        assert not waits.is_alive()
