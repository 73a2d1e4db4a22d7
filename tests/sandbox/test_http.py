"""The wire: connections that stay open, pipelined calls, and bytes that are not HTTP."""

from __future__ import annotations

import select
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sandbox.http import MAX_HEAD, BadHead, HeadReader
from tests.sandbox.raw import EVENTS, USERS, RawClient, ask, get, post


def user(number: int, **traits: object) -> bytes:
    return post(USERS, {"userId": f"c{number}", "traits": traits})


def test_calls_sent_ahead_are_answered_in_order() -> None:
    """Two hundred calls in one piece over one connection: two hundred answers, in the calls' order."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        client.send(b"".join(user(number) + get("/nowhere") for number in range(100)))
        assert [client.read().status for _ in range(200)] == [202, 404] * 100
        assert [one.user_id for one in sandbox.users()] == [f"c{number}" for number in range(100)]


def test_calls_sent_ahead_wait_for_a_slow_answer() -> None:
    """With latency a connection has one call in flight; the rest waits, however much it is, and none is lost."""
    with Sandbox(SandboxOptions(latency=0.001, jitter=0.001)) as sandbox, RawClient(sandbox.port) as client:
        client.send(b"".join(user(number, note="x" * 8000) for number in range(60)))
        assert [client.read().status for _ in range(60)] == [202] * 60
        assert sandbox.stats().max_in_flight == 1


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Answers that nobody reads stop the taking of calls; once they are read, every call is answered."""
    call = get("/sandbox/users").replace(b"\r\n\r\n", b"\r\nX-Filler: " + b"x" * 10_000 + b"\r\n\r\n")
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        for number in range(20):
            client.ask(user(number, note="x" * 1000))
        calls = memoryview(call * 4000)  # 40 MB: more than the system's buffers take in
        client.socket.setblocking(False)
        sent = 0
        while sent < len(calls) and select.select([], [client.socket], [], 0.2)[1]:
            sent += client.socket.send(calls[sent : sent + 1_000_000])
        assert sent < len(calls)
        client.socket.settimeout(10)
        assert all(client.read().status == 200 for _ in range(sent // len(call)))


def test_a_call_may_come_byte_by_byte() -> None:
    """Wherever the network cuts a call, it is the same call."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        for byte in user(1, note="é"):
            client.send(bytes([byte]))
        assert client.read().status == 202
        assert sandbox.users()[0].traits == {"note": "é"}


def test_latency_is_a_minimum() -> None:
    """No answer comes before the latency is over."""
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        began = time.monotonic()
        assert ask(sandbox.port, user(1)).status == 202
        assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        ("GET /sandbox/stats HTTP/1.1\r\nHost: localhost\r\n\r\n", True),
        ("GET /sandbox/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", False),
        ("GET /sandbox/stats HTTP/1.0\r\nHost: localhost\r\n\r\n", False),
        ("GET /sandbox/stats HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_the_connection_lasts_as_the_client_wants(head: str, keeps: bool) -> None:
    """HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 the other way round."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        assert client.ask(head.encode()).status == 200
        if keeps:
            assert client.ask(head.encode()).status == 200
        else:
            with pytest.raises(EOFError):
                client.read()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/2.0\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD, 431),
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_ends(data: bytes, status: int) -> None:
    """A head that cannot be read gets its status; the client reads it in full, and then the end."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        answer = client.ask(data)
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        with pytest.raises(EOFError):
            client.read()


def test_a_body_that_is_too_long_gets_413() -> None:
    """A body above 32 KB is refused, one of exactly 32 KB is read, and the connection stays open after both."""
    with Sandbox() as sandbox, RawClient(sandbox.port) as client:
        filler = 32 * 1024 - len(b'{"userId": "c1", "traits": {"n": ""}}')
        assert client.ask(post(USERS, {"userId": "c1", "traits": {"n": "x" * (filler + 1)}})).status == 413
        assert client.ask(post(USERS, b" " * 5_000_000)).status == 413
        assert client.ask(post(USERS, {"userId": "c1", "traits": {"n": "x" * filler}})).status == 202
        assert sandbox.stats().by_status == {413: 2, 202: 1}
    with Sandbox(SandboxOptions(max_body=10)) as sandbox:
        assert ask(sandbox.port, post(EVENTS, {"userId": "c1", "event": "x"})).status == 413
        assert ask(sandbox.port, b"POST /sandbox/force HTTP/1.1\r\nContent-Length: 17000000\r\n\r\n").status == 413
        assert sandbox.stats().calls == 1  # of the API


def test_a_client_may_ask_before_it_sends_the_body() -> None:
    """`Expect: 100-continue` is answered before the body, and a body that is too long is refused unsent."""
    with Sandbox() as sandbox:
        for length, first, second in ((1000, 100, 400), (100_000, 413, None)):
            with RawClient(sandbox.port) as client:
                head = post(USERS, b"").replace(
                    b"Content-Length: 0", b"Expect: 100-continue\r\nContent-Length: %d" % length
                )
                assert client.ask(head).status == first
                if second is not None:
                    assert client.ask(b" " * length).status == second


def test_heads_that_differ_each_time_are_all_read() -> None:
    """What the reader remembers is bounded: it forgets, and reads the forgotten ones again."""
    reader = HeadReader()
    heads = [f"GET /{number} HTTP/1.1\r\nHost: 127.0.0.1".encode() for number in range(3_000)]
    for _ in range(2):
        assert [reader.read(head).path for head in heads] == [f"/{number}" for number in range(3_000)]


@given(st.binary(max_size=100) | st.text(alphabet="GET POST/1.:\r\n", max_size=60).map(str.encode))
def test_no_bytes_break_the_reader_of_heads(data: bytes) -> None:
    """Whatever comes is a head or refused with a status, never another error."""
    try:
        seen = HeadReader().read(data).path[0]
    except BadHead as bad:
        seen = str(bad.status)
    assert seen in ("/", "400", "411", "505")
