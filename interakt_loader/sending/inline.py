"""One message on the caller's own thread, by the same schedule as everywhere."""

from __future__ import annotations

import time

from interakt_loader.sending.schedule import Schedule
from interakt_loader.sending.ticket import Ticket
from interakt_loader.wire import Message, Outcome, Transport


def send_inline(schedule: Schedule, transport: Transport, message: Message) -> Outcome:
    """Send one message on the caller's thread by the same schedule, retries and limit: how `sync_mode` works.

    The schedule must be empty: then it always has either the ticket or an instant to wait for.
    """
    schedule.admit(message)
    while not schedule.settled:
        now = time.monotonic()
        work = schedule.take(now)
        if isinstance(work, Ticket):
            answer = transport.send(work.message)
            schedule.settle(work, answer, time.monotonic())
        elif work is not None:
            time.sleep(max(0.0, work - now))
    return schedule.read()[0]
