"""The bytes of an HTTP/1.1 answer → its status and body. Pure: `feed` takes what came, `end` says that no more will.

Strict where leniency could take the end of one answer for another's beginning: whatever is not plain HTTP/1.1 breaks
the answer off, and the connection is not used again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

LONGEST_BODY = 65_536
"""Bytes of an answer that are read; the API's own are a few hundred. The connection of a longer one is dropped."""

LONGEST_HEAD = 65_536
"""Bytes of an answer's head, of the line before a chunk, and of the trailer: what does not end within is no answer."""

LONGEST_ANSWER = 262_144
"""Bytes of an answer in all, with what may come time and again: 1xx answers before it, words beside a chunk's size."""

SWITCHING_PROTOCOLS = 101
"""The one 1xx after which no HTTP answer follows. It was not requested."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\r\n\0]*)?\r\n")
_FIELDS = re.compile(rb"(?:%b:[^\r\n\0]*\r\n)*" % _TOKEN)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n\0]*)?")


class BrokenOff(Exception):
    """The status line came, and the rest not whole, or not as HTTP/1.1 has it."""

    def __init__(self, status: int, retry_after: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        """The header of that name, if the head came."""


class NoHttp(Exception):
    """What came does not begin like an answer."""


class Heard(NamedTuple):
    """An answer as it came."""

    status: int
    body: bytes
    """`LONGEST_BODY` of its bytes at most."""
    retry_after: str | None
    """The header of that name."""
    says_length: bool
    """The head said where the body ends; without that an empty body may be one that was cut off."""
    keeps: bool
    """The connection may carry another call."""


class AnswerReader:
    """Reads one answer. What it costs goes by the bytes alone: a byte at a time is no way to make it slow.

    What it says goes by the bytes alone, too, and not by the pieces in which they come, `Heard.keeps` apart.
    """

    def __init__(self) -> None:
        self._came = 0  # bytes in all
        self._data = bytearray()  # what came and is not yet understood; to cut its beginning off costs nothing
        self._seen = 0  # how much of that has been searched in vain
        self._body = bytearray()  # of chunks: what has been put together
        self._chunk: int | None = None  # bytes of the chunk that is being read; None: its size is to come
        self._status = 0
        self._retry_after: str | None = None
        self._length = 0
        self._keeps = False
        # None: the head is not yet there. No bound method: a cycle would hold what came until the collector comes by
        self._read_body: Callable[[AnswerReader], Heard | None] | None = None

    def feed(self, data: bytes) -> Heard | None:
        """Take more bytes in; return the answer once it is there. Raises `BrokenOff` or `NoHttp`."""
        self._data += data[: LONGEST_ANSWER - self._came]
        self._came += len(data)
        heard = self._read()
        if self._came < LONGEST_ANSWER:
            return heard
        if heard is None:
            raise self.broken()
        return heard._replace(keeps=False)  # there may have been more

    def _read(self) -> Heard | None:
        while self._read_body is None:
            if not self._read_head():
                return None
        return self._read_body(self)

    def end(self) -> Heard:
        """Return the answer that ends where the connection does. Raises `BrokenOff` or `NoHttp` if none does."""
        if self._read_body is AnswerReader._until_the_end:
            return self._whole(bytes(self._data), says_length=False)
        raise self.broken()

    def broken(self) -> BrokenOff | NoHttp:
        """Return what it means that nothing more can be read: to be raised."""
        line = _STATUS_LINE.match(self._data)
        status = self._status or (int(line[2]) if line else 0)
        return BrokenOff(status, self._retry_after) if status else NoHttp()

    # ------------------------------------------------------------------ the head

    def _read_head(self) -> bool:
        """Read the head if it is there; return whether there is something to go on with."""
        end = self._find(b"\r\n\r\n")
        if end is None:
            if len(self._data) >= LONGEST_HEAD or not b"HTTP/1.".startswith(self._data[:7]):
                raise self.broken()
            return False
        head = bytes(self._data[: end + 2])
        del self._data[: end + 4]
        line = _STATUS_LINE.match(head)
        if line is None:
            raise NoHttp
        status = int(line[2])
        fields = head[line.end() :]
        if status == SWITCHING_PROTOCOLS or _FIELDS.fullmatch(fields) is None:
            raise BrokenOff(status)
        if status < 200:  # 100 Continue, 103 Early Hints: the answer itself follows
            return bool(self._data)
        self._status = status
        self._read_fields(b"\r\n" + fields, version=line[1])
        return True

    def _read_fields(self, fields: bytes, version: bytes) -> None:
        names = fields.lower()
        connection = _values(names, names, b"\r\nconnection:") or b""
        self._keeps = b"close" not in connection and (version == b"1" or b"keep-alive" in connection)
        said = _values(fields, names, b"\r\nretry-after:")
        self._retry_after = None if said is None else said.decode("latin-1")
        coding = _values(names, names, b"\r\ntransfer-encoding:")
        length = _values(names, names, b"\r\ncontent-length:")
        if self._status in (204, 304):
            self._read_body = AnswerReader._of_length
        elif coding is not None:
            if coding != b"chunked":
                raise BrokenOff(self._status, self._retry_after)
            self._keeps = self._keeps and length is None
            self._read_body = AnswerReader._of_chunks
        elif length is not None:
            if not length.isdigit() or len(length) > 15:
                raise BrokenOff(self._status, self._retry_after)
            self._length = int(length)
            self._read_body = AnswerReader._of_length
        else:
            self._read_body = AnswerReader._until_the_end

    def _find(self, end: bytes) -> int | None:
        """Return where this is among the first `LONGEST_HEAD` bytes, without searching twice; None: not yet, or never.

        Further on it does not count, though it may have come in the same piece: how answers are cut is chance.
        """
        at = self._data.find(end, self._seen, LONGEST_HEAD)
        if at < 0:
            self._seen = max(0, len(self._data) - len(end) + 1)
            return None
        self._seen = 0
        return at

    # ------------------------------------------------------------------ the body, in three forms

    def _of_length(self) -> Heard | None:
        here = len(self._data)
        if here == self._length <= LONGEST_BODY:
            return self._whole(bytes(self._data))
        if here < min(self._length, LONGEST_BODY):
            return None
        self._keeps = False  # longer than is read, or followed by something that nobody asked for
        return self._whole(bytes(self._data[: min(self._length, LONGEST_BODY)]))

    def _until_the_end(self) -> Heard | None:
        self._keeps = False
        if len(self._data) < LONGEST_BODY:
            return None
        return self._whole(bytes(self._data[:LONGEST_BODY]), says_length=False)

    def _of_chunks(self) -> Heard | None:
        while (room := LONGEST_BODY - len(self._body)) > 0:
            if self._chunk is None and not self._read_chunk_size():
                return None
            size = self._chunk or 0
            if size == 0:
                return self._after_chunks()
            if len(self._data) < (size + 2 if size < room else room):
                return None
            if size < room:
                if self._data[size : size + 2] != b"\r\n":
                    raise BrokenOff(self._status, self._retry_after)
                self._chunk = None
            self._body += self._data[: min(size, room)]
            del self._data[: size + 2]
        self._keeps = False
        return self._whole(bytes(self._body))

    def _read_chunk_size(self) -> bool:
        """Read the line before a chunk if it is there; of the last chunk, its end is left for the trailer."""
        end = self._find(b"\r\n")
        if end is None:
            if len(self._data) >= LONGEST_HEAD:
                raise BrokenOff(self._status, self._retry_after)
            return False
        said = _CHUNK_SIZE.fullmatch(self._data, 0, end)
        if said is None:
            raise BrokenOff(self._status, self._retry_after)
        self._chunk = int(said[1], 16)
        del self._data[: end if self._chunk == 0 else end + 2]
        return True

    def _after_chunks(self) -> Heard | None:
        """Skip the trailer: header fields that come after the body."""
        end = self._find(b"\r\n\r\n")
        if end is None:
            if len(self._data) >= LONGEST_HEAD:
                raise BrokenOff(self._status, self._retry_after)
            return None
        if _FIELDS.fullmatch(self._data, 2, end + 2) is None:
            raise BrokenOff(self._status, self._retry_after)
        self._keeps = self._keeps and len(self._data) == end + 4
        return self._whole(bytes(self._body))

    def _whole(self, body: bytes, *, says_length: bool = True) -> Heard:
        return Heard(self._status, body, self._retry_after, says_length, self._keeps)


def _values(fields: bytes, names: bytes, name: bytes) -> bytes | None:
    """Return from `fields` what all headers of this name say; `names` is the same in lower case."""
    at = names.find(name)
    if at < 0:
        return None
    values = []
    while at >= 0:
        begin = at + len(name)
        end = names.find(b"\r\n", begin)
        values.append(fields[begin:end].strip(b" \t"))
        at = names.find(name, end)
    return b", ".join(values)
