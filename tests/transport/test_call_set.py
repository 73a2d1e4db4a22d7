"""Several calls at the same time on one thread."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from interakt_loader.model import Answer, CallSet, Message, Outcome, Status, Stop, StopToken
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.sending.workers import Engine
from interakt_loader.transport import HttpTransport
from tests.transport.servers import Call, Server

YES = b'HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{"result":true}'
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
CONNECTIONS = 4
TIMEOUT = 0.5


class Scripted(Server):
    """Answers by what is in the body of a call. It keeps the most calls that were out at once."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: dict[bytes, Callable[[socket.socket], bool]] = {}
        """What a body leads to: whether the connection stays open."""
        self.out = self.most_out = 0
        self.together: threading.Barrier | None = None
        self._counting = threading.Lock()

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        with self._counting:
            self.out += 1
            self.most_out = max(self.most_out, self.out)
        if self.together is not None:
            self.together.wait(20)
        script = self.scripts.get(call.body[:20])
        if script is not None:
            with self._counting:
                self.out -= 1
            return script(connection)
        with self._counting:
            self.out -= 1
        connection.sendall(YES)
        return True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A server, and connections that count as fresh on a slow machine too."""
    monkeypatch.setattr("interakt_loader.transport.http.RECENTLY_USED", 60.0)
    scripted = Scripted()
    with scripted:
        yield scripted


def says(data: bytes, *, stays_open: bool = False) -> Callable[[socket.socket], bool]:
    """Return what answers with these bytes."""

    def reply(connection: socket.socket) -> bool:
        connection.sendall(data)
        return stays_open

    return reply


def waits(event: threading.Event) -> Callable[[socket.socket], bool]:
    """Return what accepts a call, but not before an event."""
    return lambda connection: event.wait(20) and says(YES, stays_open=True)(connection)


def message(row: int, body: bytes = b"{}", user: str | None = None) -> Message:
    return Message(row, "user", user or str(row), body)


def opened(server: Scripted, timeout: float = TIMEOUT) -> HttpTransport:
    """Return a transport with open connections."""
    transport = HttpTransport(server.url, "key", timeout=timeout, connections=CONNECTIONS)
    server.together = threading.Barrier(CONNECTIONS)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        assert all(answer.accepted for answer in pool.map(transport.send, map(message, range(CONNECTIONS))))
    server.together = None
    return transport


def begun(transport: HttpTransport, *bodies: bytes) -> CallSet:
    """Begin a call with each of these bodies."""
    call_set = transport.call_set()
    assert all(call_set.reserve() for _ in bodies)
    for row, body in enumerate(bodies):
        call_set.begin(message(row, body))
    return call_set


def answered(call_set: CallSet, count: int) -> dict[bytes, Answer]:
    """Wait for so many answers; return them by the body of their call."""
    answers: dict[bytes, Answer] = {}
    while len(answers) < count:
        answers |= {message.body: answer for message, answer in call_set.answers()}
    assert len(answers) == count
    return answers


def test_as_many_begin_as_there_are_open_connections(server: Scripted) -> None:
    """Four connections are open, so four calls may be out, and a fifth one may not begin."""
    transport = opened(server)
    call_set = begun(transport, b"a", b"b", b"c", b"d")
    assert not call_set.reserve()
    assert all(answer.accepted for answer in answered(call_set, 4).values())
    assert len({call.connection for call in server.calls}) == CONNECTIONS
    transport.close()


def test_a_call_that_hangs_delays_no_other(server: Scripted) -> None:
    """Two of three calls are answered, while the third one gets no answer. It ends when its timeout is over."""
    freed = threading.Event()
    server.scripts[b"hangs"] = waits(freed)
    transport = opened(server)
    call_set = begun(transport, b"hangs", b"a", b"b")
    answers = answered(call_set, 2)
    assert {body: answer.code for body, answer in answers.items()} == {b"a": None, b"b": None}
    ((hanging, answer),) = call_set.answers()
    assert (hanging.body, answer.code, answer.sent, answer.reached) == (b"hangs", "timeout", True, False)
    assert answer.seconds >= TIMEOUT
    # its answer may still come, and must not be taken for that of another call
    assert [call_set.reserve() for _ in range(CONNECTIONS)] == [True, True, True, False]
    for _ in range(3):
        call_set.release()
    freed.set()
    transport.close()


def test_a_call_that_is_written_hangs_for_one_timeout(server: Scripted) -> None:
    """The second timeout, for a body that the server does not take, does not count once all of it is sent."""
    freed = threading.Event()
    server.scripts[b"hangs"] = waits(freed)
    transport = opened(server, timeout=2)
    assert 2 <= answered(begun(transport, b"hangs"), 1)[b"hangs"].seconds < 4
    freed.set()
    transport.close()


def test_a_connection_that_breaks_breaks_one_call(server: Scripted) -> None:
    """One ends before any byte, one after its status line, and one begins like nothing known."""
    server.scripts[b"silent"] = says(b"")
    server.scripts[b"cut"] = says(b"HTTP/1.1 202 Accepted\r\nContent-")
    server.scripts[b"strange"] = says(b"SSH-2.0\r\n\r\n")
    transport = opened(server)
    answers = answered(begun(transport, b"silent", b"cut", b"a", b"strange"), 4)
    assert {body: (answer.code, answer.http_status) for body, answer in answers.items()} == {
        b"silent": ("connection_lost", None),
        b"cut": ("unreadable_answer", 202),
        b"a": (None, 202),
        b"strange": ("connection_lost", None),
    }
    call_set = transport.call_set()
    assert call_set.reserve()
    assert not call_set.reserve(), "a connection is used after it broke"
    call_set.release()
    transport.close()


def test_an_answer_in_pieces_is_read_while_others_come_whole(server: Scripted) -> None:
    """One response comes byte by byte, with a pause until the other call is answered."""
    other_is_done = threading.Event()

    def in_pieces(connection: socket.socket) -> bool:
        for at, byte in enumerate(YES):
            if at == 30:
                other_is_done.wait(20)
            connection.sendall(bytes([byte]))
        return True

    server.scripts[b"pieces"] = in_pieces
    transport = opened(server, timeout=20)
    call_set = begun(transport, b"pieces", b"a")
    assert [*answered(call_set, 1)] == [b"a"]
    other_is_done.set()
    assert answered(call_set, 1)[b"pieces"].accepted
    transport.close()


def test_an_answer_that_never_ends_is_given_up(server: Scripted) -> None:
    """Each byte comes in time, but the whole response does not."""
    freed = threading.Event()

    def endless(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nX: ")
        while not freed.wait(0.05):
            connection.sendall(b"x")
        return False

    server.scripts[b"endless"] = endless
    transport = opened(server, timeout=0.2)
    answer = answered(begun(transport, b"endless"), 1)[b"endless"]
    assert (answer.code, answer.http_status) == ("timeout", 202)
    assert answer.seconds >= 0.6
    freed.set()
    transport.close()


def test_a_body_that_the_server_does_not_take_delays_no_other(server: Scripted) -> None:
    """One of four large bodies does not fit into the system's buffers, because the server does not read on. The other
    three calls are answered."""
    may_read = threading.Event()

    def answer_and_rest(connection: socket.socket) -> bool:
        connection.sendall(YES)
        return may_read.wait(20)

    server.scripts[b"rests"] = answer_and_rest
    transport = opened(server, timeout=20)
    answered(begun(transport, b"rests", b"a", b"b", b"c"), 4)
    bodies = [b"%d" % number + b"x" * 20_000_000 for number in range(CONNECTIONS)]
    call_set = begun(transport, *bodies)
    answers = answered(call_set, 3)
    may_read.set()
    answers |= answered(call_set, 1)
    assert all(answers[body].accepted for body in bodies)
    transport.close()


# ---------------------------------------------------------------------- with an engine


def load(server: Scripted, messages: list[Message], token: StopToken | None = None) -> list[Outcome]:
    """Send all messages with four calls at once; return their outcomes."""
    schedule = Schedule(max_queue_size=5_000, max_retries=2, rate_limit=RateLimit(None), max_outage=300)
    transport = HttpTransport(server.url, "key", timeout=20, connections=CONNECTIONS)
    outcomes: list[Outcome] = []
    with Engine(schedule, transport, CONNECTIONS, stop_token=token) as engine:
        assert engine.offer(messages) == len(messages)
        while engine.unfinished:
            outcomes += engine.read(1, 5)
        outcomes += engine.read()
    assert sorted(one.message.row for one in outcomes) == [one.row for one in messages]
    return outcomes


def test_workers_limit_the_calls_and_the_connections(server: Scripted) -> None:
    """Never more than four calls are out, on four connections. The calls of a user go in order."""
    outcomes = load(server, [message(row, b'{"row":%d}' % row, f"user-{row % 7}") for row in range(1_000)])
    assert Counter(one.status for one in outcomes) == {Status.SENT: 1_000}
    assert server.most_out <= CONNECTIONS
    assert len({call.connection for call in server.calls}) <= CONNECTIONS
    rows = [int(call.body[7:-1]) for call in server.calls]
    for user in range(7):
        of_user = [row for row in rows if row % 7 == user]
        assert of_user == sorted(of_user)


def test_rows_settle_while_a_call_hangs(server: Scripted) -> None:
    """One of 500 calls hangs until all others have settled."""
    others_are_done = threading.Event()
    server.scripts[b"hangs"] = waits(others_are_done)
    schedule = Schedule(max_queue_size=5_000, max_retries=2, rate_limit=RateLimit(None), max_outage=300)
    transport = HttpTransport(server.url, "key", timeout=20, connections=CONNECTIONS)
    with Engine(schedule, transport, CONNECTIONS) as engine:
        engine.offer([message(row, b"hangs" if row == 250 else b"{}") for row in range(500)])
        outcomes: list[Outcome] = []
        while len(outcomes) < 499:
            outcomes += engine.read(1, 5)
        assert 250 not in {one.message.row for one in outcomes}
        others_are_done.set()
        outcomes += engine.read(1, 20)
    assert Counter(one.status for one in outcomes) == {Status.SENT: 500}


def test_a_429_and_a_lost_call_concern_one_row(server: Scripted) -> None:
    """In the middle, one call is refused by the limit, and one is lost. Both rows are tried again and accepted."""
    tries: Counter[bytes] = Counter()

    def first(body: bytes, answer: bytes) -> Callable[[socket.socket], bool]:
        def reply(connection: socket.socket) -> bool:
            tries[body] += 1
            connection.sendall(answer if tries[body] == 1 else YES)
            return bool(answer) or tries[body] > 1

        return reply

    server.scripts = {b"busy": first(b"busy", BUSY), b"lost": first(b"lost", b"")}
    bodies = {100: b"busy", 150: b"lost"}
    outcomes = load(server, [message(row, bodies.get(row, b"{}")) for row in range(300)])
    assert {one.message.row: one.attempts for one in outcomes if one.attempts > 1} == {100: 2, 150: 2}
    assert Counter(one.status for one in outcomes) == {Status.SENT: 300}


def test_a_stop_lets_the_calls_in_flight_finish(server: Scripted) -> None:
    """A stop is requested while calls are out: those end as sent, all others as unsent, and none is sent after."""
    token, arrived = StopToken(), list[int]()

    def stop(connection: socket.socket) -> bool:
        token.request(Stop("interrupted", "test"))
        arrived.append(len(server.calls))
        connection.sendall(YES)
        return True

    server.scripts[b"stop"] = stop
    outcomes = load(server, [message(row, b"stop" if row == 100 else b"{}") for row in range(1_000)], token)
    ended = Counter(one.status for one in outcomes)
    assert ended == {Status.SENT: len(server.calls), Status.UNSENT: 1_000 - len(server.calls)}
    # the other connections send until the stop is requested, and what is in flight then is still to arrive
    assert len(server.calls) <= arrived[0] + CONNECTIONS
