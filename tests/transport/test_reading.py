"""The bytes of an answer: in any pieces, and with anything wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.transport.responses import (
    LONGEST_ANSWER,
    LONGEST_BODY,
    LONGEST_HEAD,
    AnswerReader,
    BrokenOff,
    NoHttp,
    RawResponse,
)

JSON = b'{"result": true}'
PLAIN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\nRetry-After:  7 \r\n\r\n" + JSON
CHUNKED = (
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding:chunked\r\nretry-after: 7\r\n\r\n"
    b'9\r\n{"result"\r\n07 ;x="y"\r\n: true}\r\n0\r\nSome: trailer\r\nAnother: one\r\n\r\n'
)
GOOD = [PLAIN, b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, CHUNKED]


def read(pieces: Iterable[bytes]) -> RawResponse:
    """Feed the pieces and then the end."""
    reader = AnswerReader()
    for piece in pieces:
        raw_response = reader.feed(piece)
        if raw_response is not None:
            return raw_response
    return reader.end()


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@given(st.sampled_from(GOOD), st.lists(st.integers(0, 200)))
def test_the_pieces_in_which_an_answer_comes_do_not_matter(answer: bytes, cuts: list[int]) -> None:
    """Cut anywhere, it is the same answer, and the connection stays open."""
    borders = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[begin:end] for begin, end in itertools.pairwise(borders)]
    assert read(pieces) == RawResponse(202, JSON, "7", has_length=True, keep_alive=True)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"HTTP/1.1 202 Accepted\r\nconnection: Keep-Alive\r\nCONNECTION: Close\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"HTTP/1.0 202 Accepted\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + JSON + b"HTTP/1.1 400 Bad\r\n",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n10\r\n%b\r\n0\r\n\r\n" % JSON,
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n\r\nmore" % JSON,
    ],
)
def test_answers_after_which_the_connection_is_dropped(answer: bytes) -> None:
    """The server says so, or sent unexpected bytes, which could be taken for the next answer."""
    assert read([answer]) == RawResponse(202, JSON, None, has_length=True, keep_alive=False)


def test_an_answer_that_ends_with_the_connection() -> None:
    """Without a length and chunks it ends with the connection. Whether something is missing is unknown."""
    assert read([b"HTTP/1.1 400 Bad\r\n\r\n", b"{", b"}"]) == RawResponse(
        400, b"{}", None, has_length=False, keep_alive=False
    )


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_have_no_body(status: int) -> None:
    """Whatever they say about its length."""
    answer = b"HTTP/1.1 %d Nothing\r\nContent-Length: 16\r\n\r\n" % status
    assert read([answer]) == RawResponse(status, b"", None, has_length=True, keep_alive=True)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1000000",
        b"X: there is no length",
        b"Transfer-Encoding: chunked\r\n\r\nf4240",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65_536 + b"\r\n10000",
    ],
)
@pytest.mark.parametrize("piece", [1000, 100_000])
def test_a_long_body_is_read_no_further(head: bytes, piece: int) -> None:
    """At most `LONGEST_BODY` of it is kept, and the connection is closed."""
    body = b"x" * piece
    blank = b"\r\n" if b"\r\n\r\n" in head else b"\r\n\r\n"
    raw_response = read([b"HTTP/1.1 400 Bad\r\n" + head + blank, *[body] * 1000])
    assert (raw_response.status, raw_response.body, raw_response.keep_alive) == (400, b"x" * LONGEST_BODY, False)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 17\r\n\r\n" + JSON,
        b"Content-Length: 16\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"Content-Length: 16, 16\r\n\r\n" + JSON,
        b"Content-Length: +16\r\n\r\n" + JSON,
        b"Content-Length: 0x10\r\n\r\n" + JSON,
        b"Content-Length: -1\r\n\r\n" + JSON,
        b"Content-Length: \r\n\r\n" + JSON,
        b"Content-Length : 16\r\n\r\n" + JSON,
        b"Content-Length: 16\r\n folded: on\r\n\r\n" + JSON,
        b"No colon\r\nContent-Length: 16\r\n\r\n" + JSON,
        b": no name\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"A: \0\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"A: one\nB: two\r\nContent-Length: 16\r\n\r\n" + JSON,
        b"Transfer-Encoding: gzip, chunked\r\n\r\n10\r\n" + JSON,
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n\r\n" % JSON,
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x10\r\n" + JSON,
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + JSON + b"0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + JSON,
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n" % JSON,
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\nno trailer\r\n\r\n" % JSON,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * LONGEST_HEAD,
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * LONGEST_HEAD,
        b"A: b\r\n" * LONGEST_HEAD,
        b"Content-Le",
    ],
)
def test_what_comes_after_the_status_line_and_is_no_answer(rest: bytes) -> None:
    """Only the status is known."""
    for pieces in (
        [b"HTTP/1.1 202 Accepted\r\n" + rest],
        [b"HTTP/1.1 202 Accepted\r\n", *one_by_one(rest[:200]), rest[200:]],
    ):
        with pytest.raises(BrokenOff) as broken:
            read(pieces)
        assert broken.value.status == 202


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_informational_answer_is_read_past(status: int) -> None:
    """Any number of them, in any pieces. The answer that follows is the call's, and the connection stays open."""
    early = b"HTTP/1.1 %d Early\r\nLink: </a>\r\nRetry-After: 9\r\nConnection: close\r\n\r\n" % status
    for said in (early + PLAIN, early * 3 + PLAIN):
        for pieces in ([said], one_by_one(said)):
            assert read(pieces) == RawResponse(202, JSON, "7", has_length=True, keep_alive=True)


def test_another_protocol_is_no_informational_answer() -> None:
    """101: what follows is not HTTP, and the loader did not request it."""
    with pytest.raises(BrokenOff) as broken:
        read([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + PLAIN])
    assert broken.value.status == 101


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 20",
        b"nonsense\r\n\r\n",
        b"HTTP/2 202 Accepted\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 2020 Long\r\n\r\n",
        b"HTTP/1.1  202 Accepted\r\n\r\n",
        b"\r\nHTTP/1.1 202 Accepted\r\n\r\n",
        b"HTTP/1.1 202 Accepted\nContent-Length: 16\n\n" + JSON,
        b"x" * (LONGEST_HEAD + 1),
        b"HTTP/1.1 202 " + b"x" * (LONGEST_HEAD + 1),
    ],
)
def test_what_does_not_begin_like_an_answer(said: bytes) -> None:
    """No status line, no status."""
    for pieces in ([said], [*one_by_one(said[:100]), said[100:]]):
        with pytest.raises(NoHttp):
            read(pieces)


def test_nonsense_is_known_at_once() -> None:
    """Without waiting for an end that may never come."""
    with pytest.raises(NoHttp):
        AnswerReader().feed(b"SSH-2.0-")


def test_ten_thousand_times_go_on() -> None:
    """`100 Continue` may come very often before the answer."""
    assert read([b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + PLAIN]).status == 202


@pytest.mark.parametrize("piece", [1_000, 65_536, LONGEST_ANSWER + 1, 10 * LONGEST_ANSWER])
@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 60_000 + b"\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 1_000 + b"\r\n \r\n"),
    ],
)
def test_no_more_than_so_many_bytes_are_taken_for_an_answer(begins: bytes, goes_on: bytes, piece: int) -> None:
    """What may repeat is limited too. What comes after the limit is ignored, however it is cut."""
    said = begins + goes_on * (LONGEST_ANSWER // len(goes_on) + 1)
    said = (said[:LONGEST_ANSWER] + PLAIN) * 10
    pieces = iter([said[at : at + piece] for at in range(0, len(said), piece)])
    with pytest.raises((BrokenOff, NoHttp)):
        read(pieces)
    assert sum(len(one) for one in pieces) >= len(said) - LONGEST_ANSWER - piece


def test_an_answer_that_ends_where_reading_does_is_the_connections_last() -> None:
    """More bytes may have come with it, and would be taken for the next call's answer."""
    go_on = b"HTTP/1.1 100 Continue\r\nX: \r\n\r\n"
    times, rest = divmod(LONGEST_ANSWER - len(PLAIN), len(go_on))
    padded = go_on.replace(b"X: ", b"X: " + b"y" * rest) + go_on * (times - 1) + PLAIN
    assert len(padded) == LONGEST_ANSWER
    for more in (b"", PLAIN):
        raw_response = read([padded + more])
        assert (raw_response.status, raw_response.body, raw_response.keep_alive) == (202, JSON, False)
