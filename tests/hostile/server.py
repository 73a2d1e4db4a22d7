"""A server that means harm: takes calls as they come and answers with whatever the catalogue says, to the last byte."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, NamedTuple

PAUSE = 0.02
"""Seconds between two bytes of an answer that drips."""

Pieces = Callable[[], Iterable[bytes]]


class Answer(NamedTuple):
    """One way to answer a call."""

    pieces: Pieces
    statuses: str
    """The statuses that a load's rows may have."""
    drips: bool = False
    """A pause after each piece."""
    resets: bool = False
    """The connection ends with a reset."""


class HostileServer:
    """Answers each call alike. A context manager; it ends every connection after one answer, unless that says so."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.calls: list[bytes] = []
        self.served = 0
        """Bytes that clients took."""

    def __enter__(self) -> HostileServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for one in [self._listening, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., object], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name="hostile-server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                self._start(self._talk, connection)

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:  # the client has had enough, or the test has
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection.makefile("rb") as heard:
                while (call := _read(heard)) is not None:
                    self.calls.append(call)
                    for piece in self._answer.pieces():
                        connection.sendall(piece)
                        self.served += len(piece)
                        if self._answer.drips and self._over.wait(PAUSE):
                            return
                    if self._answer.resets:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    connection.shutdown(socket.SHUT_WR)


def _read(heard: BinaryIO) -> bytes | None:
    head, length = b"", 0
    while (line := heard.readline()) != b"\r\n":
        if not line:
            return None
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line[15:])
    return head + heard.read(length)


OK = b'{"result": true}'
SENT = b"HTTP/1.1 202 Accepted\r\n"
BAD = b"HTTP/1.1 400 Bad\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"


def with_length(body: bytes, head: bytes = BAD) -> bytes:
    """Return a whole answer, which says that the connection ends: else the next call might be on it by then."""
    return b"%bConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def said(*pieces: bytes) -> Pieces:
    """Return these."""
    return lambda: pieces


def endless(begin: bytes, more: bytes) -> Pieces:
    """Return what begins so, and never ends, 64 KB at a time."""
    piece = more * (65_536 // len(more))
    return lambda: itertools.chain([begin], itertools.repeat(piece))


def bytewise(answer: bytes, more: bytes = b"") -> Pieces:
    """Return an answer a byte at a time, and then this for ever."""

    def pieces() -> Iterator[bytes]:
        for byte in answer:
            yield bytes([byte])
        while more:
            yield more

    return pieces


def elsewhere(url: str, status: int) -> Answer:
    """Return a redirect to another server."""
    head = b"HTTP/1.1 %d Elsewhere\r\nLocation: %b/v1/public/track/users/\r\n" % (status, url.encode())
    return Answer(said(with_length(b"", head)), "rejected")


def message(text: str, head: bytes = BAD) -> Pieces:
    """Return an answer of the API's form with this message."""
    return said(with_length(json.dumps({"result": False, "message": text}).encode(), head))


UNKNOWN = "unknown"
NO_ANSWER = "unknown unsent"
"""What never becomes an answer may look like an outage, after which nothing more is sent."""
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
BOMB = gzip.compress(b"\0" * 100_000_000, 9)
GZIP = b"Content-Encoding: gzip\r\n"

ANSWERS: dict[str, Answer] = {
    # endless
    "an endless body": Answer(endless(BAD + b"\r\n", b"x"), "rejected"),
    "an endless body of a success": Answer(endless(SENT + b"\r\n", b"x"), UNKNOWN),
    "endless chunks": Answer(endless(SENT + CHUNKS, b"1\r\nx\r\n"), UNKNOWN),
    "one endless chunk": Answer(endless(BAD + CHUNKS + b"ffffffff\r\n", b"x"), "rejected"),
    "an endless size of a chunk": Answer(endless(SENT + CHUNKS, b"0"), UNKNOWN),
    "an endless extension of a chunk": Answer(endless(SENT + CHUNKS + b"1;", b"x"), UNKNOWN),
    "an endless trailer": Answer(endless(SENT + CHUNKS + b"0\r\n", b"A: b\r\n"), UNKNOWN),
    "an endless header": Answer(endless(SENT + b"A: ", b"x"), UNKNOWN),
    "endless headers": Answer(endless(BAD, b"A: b\r\n"), "rejected"),
    "an endless first line": Answer(endless(b"HTTP/1.1 202 ", b"x"), NO_ANSWER),
    "endless go-ons": Answer(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER),
    "endless nonsense": Answer(endless(b"", b"\0"), NO_ANSWER),
    # a byte now and then
    "a first line that drips": Answer(bytewise(b"HTTP/1.1 202 ", b"x"), NO_ANSWER, drips=True),
    "a header that drips": Answer(bytewise(SENT + b"A: ", b"x"), UNKNOWN, drips=True),
    "a body that drips": Answer(lambda: itertools.chain([SENT + b"\r\n"], itertools.repeat(b"x")), UNKNOWN, drips=True),
    "chunks that drip": Answer(
        lambda: itertools.chain([SENT + CHUNKS], itertools.repeat(b"1\r\nx\r\n")), UNKNOWN, True
    ),
    "go-ons that drip": Answer(lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER, drips=True),
    "bytes that come one by one, and soon": Answer(bytewise(with_length(OK, SENT)), "sent"),
    # compressed
    "a bomb": Answer(said(with_length(BOMB, SENT + GZIP)), UNKNOWN),
    "a bomb of a refusal": Answer(said(with_length(BOMB, BAD + GZIP)), "rejected"),
    "a success in gzip": Answer(said(with_length(gzip.compress(OK), SENT + GZIP)), UNKNOWN),
    # no answers
    "nothing": Answer(said(), NO_ANSWER),
    "a reset": Answer(said(), NO_ANSWER, resets=True),
    "a reset in the answer": Answer(said(SENT), UNKNOWN, resets=True),
    "another protocol": Answer(said(b"SSH-2.0-OpenSSH_9.6\r\n"), NO_ANSWER),
    "HTTP/2": Answer(said(b"HTTP/2 202\r\n\r\n"), NO_ANSWER),
    "HTTP/0.9": Answer(said(OK), NO_ANSWER),
    "ends of lines of Unix": Answer(said(SENT.replace(b"\r", b"") + b"Content-Length: 16\n\n" + OK), NO_ANSWER),
    "a status of four digits": Answer(said(with_length(OK, b"HTTP/1.1 2020 OK\r\n")), NO_ANSWER),
    # bad heads
    "a header without a colon": Answer(said(with_length(OK, SENT + b"no colon\r\n")), UNKNOWN),
    "a NUL in a header": Answer(said(with_length(OK, SENT + b"A: \0\r\n")), UNKNOWN),
    "a folded header": Answer(said(with_length(OK, SENT + b"A: b\r\n c\r\n")), UNKNOWN),
    "bytes in a header": Answer(said(with_length(OK, SENT + b"A: \xff\xfe\x1b[2J\r\n")), "sent"),
    # wrong lengths
    "a length too long": Answer(said(SENT + b"Content-Length: 17\r\n\r\n" + OK), UNKNOWN),
    "a length too short": Answer(said(SENT + b"Content-Length: 15\r\n\r\n" + OK), UNKNOWN),
    "a length of petabytes": Answer(said(SENT + b"Content-Length: 999999999999999\r\n\r\n" + OK), UNKNOWN),
    "a length of too many digits": Answer(said(SENT + b"Content-Length: 1%b\r\n\r\n" % (b"0" * 60_000) + OK), UNKNOWN),
    "a negative length": Answer(said(SENT + b"Content-Length: -1\r\n\r\n" + OK), UNKNOWN),
    "two lengths": Answer(said(SENT + b"Content-Length: 16\r\nContent-Length: 5\r\n\r\n" + OK), UNKNOWN),
    # chunked nonsense
    "chunks of no size": Answer(said(SENT + CHUNKS + b"\r\n" + OK), UNKNOWN),
    "chunks of a negative size": Answer(said(SENT + CHUNKS + b"-10\r\n" + OK + b"\r\n0\r\n\r\n"), UNKNOWN),
    "a chunk that goes on": Answer(said(SENT + CHUNKS + b"5\r\n" + OK + b"\r\n0\r\n\r\n"), UNKNOWN),
    "no last chunk": Answer(said(SENT + CHUNKS + b"10\r\n" + OK + b"\r\n"), UNKNOWN),
    "a coding that nobody knows": Answer(said(SENT + b"Transfer-Encoding: xyz\r\n\r\n" + OK), UNKNOWN),
    # 1xx, and two answers at once
    "early hints, then the answer": Answer(said(EARLY + with_length(OK, SENT)), "sent"),
    "endless early hints": Answer(endless(b"", EARLY), NO_ANSWER),
    "early hints that drip": Answer(lambda: itertools.repeat(EARLY), NO_ANSWER, drips=True),
    "early hints and no answer": Answer(said(EARLY), NO_ANSWER),
    "early hints with a bad header": Answer(said(EARLY[:-2] + b"no colon\r\n\r\n" + with_length(OK, SENT)), UNKNOWN),
    "early hints with a body": Answer(said(EARLY[:-2] + b"Content-Length: 16\r\n\r\n" + OK), NO_ANSWER),
    "another protocol from here on": Answer(said(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\0\0"), UNKNOWN),
    "go on, then the answer": Answer(said(b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(OK, SENT)), "sent"),
    "an answer for the next call, too": Answer(said(with_length(b"{}") + with_length(OK, SENT)), "rejected"),
    # what a body can be
    "a success that is none": Answer(message("=HYPERLINK(1)\x1b[2J", SENT), "rejected"),
    "an array": Answer(said(with_length(b"[true]", SENT)), UNKNOWN),
    "lists in lists": Answer(said(with_length(b'{"message": ' + b"[" * 30_000 + b"]" * 30_000 + b"}")), "rejected"),
    "lists in lists, nearly too many": Answer(
        said(with_length(b'{"message": %b}' % (b"[" * 970 + b"]" * 970))), "rejected"
    ),
    "a number of 60,000 digits": Answer(said(with_length(b'{"message": %b}' % (b"9" * 60_000))), "rejected"),
    "no UTF-8": Answer(said(with_length(b'{"message": "\xff\xfe\xed\xa0\x80"}')), "rejected"),
    "half a pair": Answer(said(with_length(b'{"message": "\\ud83d"}')), "rejected"),
    "a byte order mark": Answer(said(with_length(b"\xef\xbb\xbf" + OK, SENT)), "sent"),
    "a byte order mark and a no": Answer(said(with_length(b'\xef\xbb\xbf{"result": false}', SENT)), "rejected"),
    "a byte order mark that is cut off": Answer(said(SENT + b"Connection: close\r\n\r\n\xef\xbb\xbf"), UNKNOWN),
    "UTF-16": Answer(said(with_length('{"result": true}'.encode("utf-16"), SENT)), "sent"),
    "a page": Answer(said(with_length(b"<title>" * 9_000)), "rejected"),
    "white space": Answer(said(with_length(b" \t" * 30_000)), "rejected"),
    # statuses
    "200 without a word": Answer(said(with_length(b"", b"HTTP/1.1 200 OK\r\n")), "sent"),
    "304": Answer(said(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"), "rejected"),
    "999": Answer(said(with_length(b"", b"HTTP/1.1 999 ?\r\n")), "failed"),
    "a wait of an age": Answer(said(with_length(b"", b"HTTP/1.1 503 ?\r\nRetry-After: 999999999\r\n")), "failed"),
    "a wait of many words": Answer(
        said(with_length(b"", b"HTTP/1.1 503 ?\r\nRetry-After: " + b"9," * 30_000 + b"\r\n")), "failed"
    ),
}
"""What it is called: what it does."""
