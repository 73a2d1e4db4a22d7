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
"""Bytes of an answer's head, and of what chunks have around them, from which on it is none."""

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
    """Reads one answer."""

    def __init__(self) -> None:
        self._data = b""  # what came and is not yet understood
        self._body = b""  # of chunks: what has been put together
        self._status = 0
        self._retry_after: str | None = None
        self._length = 0
        self._keeps = False
        self._read_body: Callable[[], Heard | None] | None = None  # None: the head is not yet there

    def feed(self, data: bytes) -> Heard | None:
        """Take more bytes in; return the answer once it is there. Raises `BrokenOff` or `NoHttp`."""
        self._data = self._data + data if self._data else data
        while self._read_body is None:
            if not self._read_head():
                return None
        return self._read_body()

    def end(self) -> Heard:
        """Return the answer that ends where the connection does. Raises `BrokenOff` or `NoHttp` if none does."""
        if self._read_body == self._until_the_end:
            return self._whole(self._data, says_length=False)
        raise self.broken()

    def broken(self) -> BrokenOff | NoHttp:
        """Return what it means that nothing more can be read: to be raised."""
        line = _STATUS_LINE.match(self._data)
        status = self._status or (int(line[2]) if line else 0)
        return BrokenOff(status, self._retry_after) if status else NoHttp()

    # ------------------------------------------------------------------ the head

    def _read_head(self) -> bool:
        """Read the head if it is there; return whether there is something to go on with."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > LONGEST_HEAD or not b"HTTP/1.".startswith(self._data[:7]):
                raise self.broken()
            return False
        line = _STATUS_LINE.match(self._data, 0, end + 2)
        if line is None:
            raise NoHttp
        status = int(line[2])
        fields = self._data[line.end() : end + 2]
        self._data = self._data[end + 4 :]
        if status == 100:  # "go on": nobody asked, and the answer follows
            return bool(self._data)
        self._status = status
        if status < 200 or _FIELDS.fullmatch(fields) is None:
            raise BrokenOff(status)  # of an early hint, too, the real answer is still to come: nobody else may read it
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
            self._read_body = self._of_length
        elif coding is not None:
            if coding != b"chunked":
                raise BrokenOff(self._status, self._retry_after)
            self._keeps = self._keeps and length is None
            self._read_body = self._of_chunks
        elif length is not None:
            if not length.isdigit() or len(length) > 15:
                raise BrokenOff(self._status, self._retry_after)
            self._length = int(length)
            self._read_body = self._of_length
        else:
            self._read_body = self._until_the_end

    # ------------------------------------------------------------------ the body, in three forms

    def _of_length(self) -> Heard | None:
        here = len(self._data)
        if here == self._length <= LONGEST_BODY:
            return self._whole(self._data)
        if here < min(self._length, LONGEST_BODY):
            return None
        self._keeps = False  # longer than is read, or followed by something that nobody asked for
        return self._whole(self._data[: min(self._length, LONGEST_BODY)])

    def _until_the_end(self) -> Heard | None:
        self._keeps = False
        return self._whole(self._data[:LONGEST_BODY], says_length=False) if len(self._data) >= LONGEST_BODY else None

    def _of_chunks(self) -> Heard | None:
        while len(self._body) < LONGEST_BODY:
            end = self._data.find(b"\r\n", 0, LONGEST_HEAD)
            if end < 0:
                if len(self._data) >= LONGEST_HEAD:
                    raise BrokenOff(self._status, self._retry_after)
                return None
            said = _CHUNK_SIZE.fullmatch(self._data, 0, end)
            if said is None:
                raise BrokenOff(self._status, self._retry_after)
            begin, size = end + 2, int(said[1], 16)
            if size == 0:
                return self._after_chunks(begin)
            if len(self._data) < begin + size + 2:
                if len(self._data) - begin < LONGEST_BODY:
                    return None
            elif self._data[begin + size : begin + size + 2] != b"\r\n":
                raise BrokenOff(self._status, self._retry_after)
            self._body += self._data[begin : begin + size]
            self._data = self._data[begin + size + 2 :]
        self._keeps = False
        return self._whole(self._body[:LONGEST_BODY])

    def _after_chunks(self, begin: int) -> Heard | None:
        """Skip the trailer: header fields that come after the body."""
        end = self._data.find(b"\r\n\r\n", begin - 2)
        if end < 0:
            if len(self._data) - begin > LONGEST_HEAD:
                raise BrokenOff(self._status, self._retry_after)
            return None
        if _FIELDS.fullmatch(self._data, begin, end + 2 if end > begin else begin) is None:
            raise BrokenOff(self._status, self._retry_after)
        self._keeps = self._keeps and len(self._data) == end + 4
        return self._whole(self._body)

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
