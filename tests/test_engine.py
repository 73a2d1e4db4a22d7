"""The engine around odd transports and sudden stops."""

from __future__ import annotations

import threading

import pytest

from interakt_loader.engine import Engine
from interakt_loader.ratelimit import RateLimit
from interakt_loader.schedule import Schedule
from interakt_loader.ticket import Stop
from interakt_loader.transport import read_answer
from interakt_loader.wire import Answer, Message, Status

OK = read_answer(202, b'{"result": true}', 0.1)


def schedule() -> Schedule:
    return Schedule(max_queue_size=1000, max_retries=0, rate_limit=RateLimit(None), max_outage=300)


def messages(count: int) -> list[Message]:
    return [Message(row, "user", str(row), b"{}") for row in range(count)]


def test_a_transport_that_raises_costs_no_thread_and_no_row(caplog: pytest.LogCaptureFixture) -> None:
    """Each call raises: each row still ends, as unknown, and the engine comes to its end."""

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


def test_nothing_goes_out_after_a_stop_is_wanted() -> None:
    """While the first call is out a stop is wanted, and nobody reads: the calls in the queue stay there."""
    wanted: list[Stop] = []
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

    with Engine(schedule(), Slow(), 1, stop_wanted=lambda: wanted[0] if wanted else None) as engine:
        engine.offer(messages(100))
        first_is_out.wait(10)
        wanted.append(Stop("interrupted", "the load was interrupted"))
        may_answer.set()
        outcomes = []
        while engine.unfinished:
            outcomes += engine.read(100, 5)
        outcomes += engine.read()
    assert sent == [0]
    assert sorted(one.status for one in outcomes) == [Status.SENT] + [Status.UNSENT] * 99
