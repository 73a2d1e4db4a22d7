"""The bytes of an HTTP/1.1 response, and what they mean: an `Answer`. Pure.

`AnswerReader` turns bytes into a `RawResponse`. It is strict: it never takes the end of one response for the beginning
of another. Whatever is not HTTP/1.1 ends the response, and the connection is not used again.

The functions below it turn a response, or the exception that came instead, into an `Answer`. Exceptions of other
libraries are translated here and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from interakt_loader.codes import AnswerCode
from interakt_loader.errors import KEY_PLACE
from interakt_loader.model import Answer
from interakt_loader.privacy.text import printable

if TYPE_CHECKING:
    import ssl

LONGEST_BODY = 65_536
"""Bytes of a body that are read. The API's own bodies have a few hundred. The connection of a longer one is closed."""

LONGEST_HEAD = 65_536
"""Bytes of a head, of the line before a chunk, and of the trailer. What does not end within is not a response."""

LONGEST_ANSWER = 262_144
"""Bytes of a response in all, including what may repeat: 1xx responses before it, and extensions of chunk sizes."""

SWITCHING_PROTOCOLS = 101
"""The one 1xx status after which no HTTP response follows. The loader does not request it."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\r\n\0]*)?\r\n")
_FIELDS = re.compile(rb"(?:%b:[^\r\n\0]*\r\n)*" % _TOKEN)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n\0]*)?")


class BrokenOff(Exception):
    """The status line came, but not the whole response, or not as valid HTTP/1.1."""

    def __init__(self, status: int, retry_after: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        """The Retry-After header, if the head came."""


class NoHttp(Exception):
    """What came does not begin like an HTTP response."""


class NotConnected(Exception):
    """No connection could be made; the cause says why."""


class RawResponse(NamedTuple):
    """A response as it came."""

    status: int
    body: bytes
    """At most the first `LONGEST_BODY` bytes."""
    retry_after: str | None
    """The Retry-After header."""
    has_length: bool
    """The head says where the body ends. Without that, an empty body may be one that was cut off."""
    keep_alive: bool
    """The connection may carry another call."""


class _Head(NamedTuple):
    """A head that says how long the body is."""

    status: int
    retry_after: str | None
    keep_alive: bool
    length: int


LONGEST_CACHED = 4096
"""Bytes of a head that is remembered."""


@lru_cache(maxsize=64)
def _head_with_length(head: bytes) -> _Head | None:
    """Return what a head says; None if it does not say how long the body is, or is no head."""
    return AnswerReader().head_with_length(head)


class AnswerReader:
    """Reads one response.

    The time depends on the number of bytes only, however small the pieces in which they come. So does the result,
    except for `RawResponse.keep_alive`.
    """

    def __init__(self, longest_body: int = LONGEST_BODY) -> None:
        """`longest_body`: bytes of a body that are read."""
        self._longest_body = longest_body
        self._longest_answer = longest_body + LONGEST_ANSWER - LONGEST_BODY
        # bytes received in all
        self._received = 0
        # bytes received and not parsed yet; deleting from the beginning of a bytearray costs nothing
        self._data = bytearray()
        # how many of these were searched without success
        self._searched = 0
        # of a chunked body: the chunks so far
        self._body = bytearray()
        # bytes of the current chunk; None: its size is not known yet
        self._chunk: int | None = None
        self._status = 0
        self._retry_after: str | None = None
        self._length = 0
        self._keep_alive = False
        # None until the head is complete. Not a bound method: a reference cycle would keep the bytes in memory
        self._read_body: Callable[[AnswerReader], RawResponse | None] | None = None

    def feed(self, data: bytes) -> RawResponse | None:
        """Add bytes; return the response once it is complete. Raises `BrokenOff` or `NoHttp`."""
        if not self._received and (whole := self._whole(data)) is not None:
            return whole
        self._data += data[: self._longest_answer - self._received]
        self._received += len(data)
        raw_response = self._read()
        if self._received < self._longest_answer:
            return raw_response
        if raw_response is None:
            raise self.broken()
        # there may have been more bytes
        return raw_response._replace(keep_alive=False)

    def _read(self) -> RawResponse | None:
        while self._read_body is None:
            if not self._read_head():
                return None
        return self._read_body(self)

    def _whole(self, data: bytes) -> RawResponse | None:
        """Return the response if it is in one piece. Nearly all are, with the same head as the one before."""
        end = data.find(b"\r\n\r\n", 0, LONGEST_CACHED) + 4
        head = _head_with_length(data[:end])
        if head is None or head.length != len(data) - end or head.length > self._longest_body:
            return None
        return RawResponse(head.status, data[end:], head.retry_after, has_length=True, keep_alive=head.keep_alive)

    def head_with_length(self, head: bytes) -> _Head | None:
        """Read a head alone."""
        self._data += head
        with contextlib.suppress(BrokenOff, NoHttp):
            self._read_head()
        if self._read_body is not AnswerReader._of_length:
            return None
        return _Head(self._status, self._retry_after, self._keep_alive, self._length)

    def end(self) -> RawResponse:
        """Return the response that ends with the connection. Raises `BrokenOff` or `NoHttp` if it is not complete."""
        if self._read_body is AnswerReader._until_the_end:
            return self._complete(bytes(self._data), has_length=False)
        raise self.broken()

    def broken(self) -> BrokenOff | NoHttp:
        """Return the exception to raise if no more bytes can be read."""
        line = _STATUS_LINE.match(self._data)
        status = self._status or (int(line[2]) if line else 0)
        return BrokenOff(status, self._retry_after) if status else NoHttp()

    # ------------------------------------------------------------------ the head

    def _read_head(self) -> bool:
        """Read the head if it is complete; return whether there is more to parse."""
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
        if status < 200:
            # 100 Continue, 103 Early Hints: the response itself follows
            return bool(self._data)
        self._status = status
        self._read_fields(b"\r\n" + fields, version=line[1])
        return True

    def _read_fields(self, fields: bytes, version: bytes) -> None:
        lower = fields.lower()
        connection = _values(lower, lower, b"\r\nconnection:") or b""
        self._keep_alive = b"close" not in connection and (version == b"1" or b"keep-alive" in connection)
        retry_after = _values(fields, lower, b"\r\nretry-after:")
        self._retry_after = None if retry_after is None else retry_after.decode("latin-1")
        coding = _values(lower, lower, b"\r\ntransfer-encoding:")
        length = _values(lower, lower, b"\r\ncontent-length:")
        if self._status in (204, 304):
            self._read_body = AnswerReader._of_length
        elif coding is not None:
            if coding != b"chunked":
                raise BrokenOff(self._status, self._retry_after)
            self._keep_alive = self._keep_alive and length is None
            self._read_body = AnswerReader._of_chunks
        elif length is not None:
            if not length.isdigit() or len(length) > 15:
                raise BrokenOff(self._status, self._retry_after)
            self._length = int(length)
            self._read_body = AnswerReader._of_length
        else:
            self._read_body = AnswerReader._until_the_end

    def _find(self, end: bytes) -> int | None:
        """Return the position of `end` among the first `LONGEST_HEAD` bytes, searching no byte twice; else None.

        Bytes beyond that are ignored even if they are there already: how a response is cut into pieces is chance.
        """
        at = self._data.find(end, self._searched, LONGEST_HEAD)
        if at < 0:
            self._searched = max(0, len(self._data) - len(end) + 1)
            return None
        self._searched = 0
        return at

    # ------------------------------------------------------------------ the body, in three forms

    def _of_length(self) -> RawResponse | None:
        here = len(self._data)
        if here == self._length <= self._longest_body:
            return self._complete(bytes(self._data))
        if here < min(self._length, self._longest_body):
            return None
        # longer than is read, or followed by bytes that belong to no request
        self._keep_alive = False
        return self._complete(bytes(self._data[: min(self._length, self._longest_body)]))

    def _until_the_end(self) -> RawResponse | None:
        self._keep_alive = False
        if len(self._data) < self._longest_body:
            return None
        return self._complete(bytes(self._data[: self._longest_body]), has_length=False)

    def _of_chunks(self) -> RawResponse | None:
        while (room := self._longest_body - len(self._body)) > 0:
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
        self._keep_alive = False
        return self._complete(bytes(self._body))

    def _read_chunk_size(self) -> bool:
        """Read the line before a chunk if it is complete. The end of the last chunk's line stays for the trailer."""
        end = self._find(b"\r\n")
        if end is None:
            if len(self._data) >= LONGEST_HEAD:
                raise BrokenOff(self._status, self._retry_after)
            return False
        line = _CHUNK_SIZE.fullmatch(self._data, 0, end)
        if line is None:
            raise BrokenOff(self._status, self._retry_after)
        self._chunk = int(line[1], 16)
        del self._data[: end if self._chunk == 0 else end + 2]
        return True

    def _after_chunks(self) -> RawResponse | None:
        """Skip the trailer: header fields after the body."""
        end = self._find(b"\r\n\r\n")
        if end is None:
            if len(self._data) >= LONGEST_HEAD:
                raise BrokenOff(self._status, self._retry_after)
            return None
        if _FIELDS.fullmatch(self._data, 2, end + 2) is None:
            raise BrokenOff(self._status, self._retry_after)
        self._keep_alive = self._keep_alive and len(self._data) == end + 4
        return self._complete(bytes(self._body))

    def _complete(self, body: bytes, *, has_length: bool = True) -> RawResponse:
        return RawResponse(self._status, body, self._retry_after, has_length, self._keep_alive)


def _values(fields: bytes, lower: bytes, name: bytes) -> bytes | None:
    """Return the values of all headers of this name, joined by commas. `lower` is `fields` in lower case."""
    at = lower.find(name)
    if at < 0:
        return None
    values = []
    while at >= 0:
        begin = at + len(name)
        end = lower.find(b"\r\n", begin)
        values.append(fields[begin:end].strip(b" \t"))
        at = lower.find(name, end)
    return b", ".join(values)


# ---------------------------------------------------------------------- what a response means

LONGEST_MESSAGE = 300
"""Characters of an answer's message."""

LONGEST_LOOKED_AT = 4096
"""Characters of a response from which its message is made, and bytes of a page that are searched for its title."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some servers write before UTF-8."""

_CODES: dict[int, AnswerCode] = {
    400: "rejected",
    401: "key_refused",
    403: "plan_without_api",
    404: "not_found",
    408: "server_timeout",
    413: "too_large",
    429: "rate_limited",
}

_CA_FILE = "if your company's proxy or your own authority signs certificates, name its CA file in REQUESTS_CA_BUNDLE"

_TIMEOUTS = (TimeoutError, BlockingIOError)
"""What a wait raises that took too long. The second comes from the operating system's own timeout."""

_REFUSED_HANDSHAKE = re.compile("ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")
"""The alerts with which a server refuses a handshake. With TLS 1.3 they arrive after the call was sent."""

_NOT_TLS = re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST")
"""OpenSSL's reasons for bytes that do not begin like TLS. They differ between its versions."""


def read_answer(
    status: int, body: bytes, seconds: float, retry_after: float | None = None, *, is_encoded_again: bool = False
) -> Answer:
    """Return what an HTTP response means, whatever its status and bytes. `is_encoded_again`: the key looks like it.

    A 2xx is success unless its body says `"result": false`. A 2xx with a body that is not the API's, such as a
    gateway's page, leaves it unknown whether the call was accepted.
    """
    body = body.removeprefix(BOM)
    content = _json_object(body)
    message = _message(content, body)
    if 200 <= status < 300:
        if content is None and body.strip():
            code: AnswerCode = "unreadable_answer"
            message = _shortened(f"HTTP {status} with a body that is not the API's: {message}")
        elif content is not None and content.get("result") is False:
            code = "rejected"
        else:
            return Answer.success(status, message, seconds, retry_after=retry_after, body=body)
    else:
        if status >= 500:
            code = "server_error"
        elif status == 403 and content is None:
            # not in the API's words: a firewall refuses this one call
            code = "forbidden"
        elif 300 <= status < 400:
            code = "redirected"
            text = f"HTTP {status}: the server redirects to another address, which is not followed"
            message = _shortened(f"{text}: {message}" if message else text)
        else:
            code = _CODES.get(status, "rejected")
        message = explained(code, message or f"HTTP {status}", is_encoded_again=is_encoded_again)
    return Answer.error(code, message, seconds, http_status=status, retry_after=retry_after, body=body)


def broken_answer(status: int, error: BaseException | None, seconds: float) -> Answer:
    """Return the answer for a 2xx that never came whole: it might have said `"result": false`."""
    code: AnswerCode = "timeout" if isinstance(error, _TIMEOUTS) else "unreadable_answer"
    return Answer.error(code, f"HTTP {status}, and the answer broke off", seconds, http_status=status)


def no_answer(error: Exception, seconds: float, *, first_call: bool) -> Answer:
    """Return the answer for a call that was sent and brought this exception instead of a response.

    `first_call`: it was the first call on its connection, so the server may have refused the handshake.
    """
    if isinstance(error, _TIMEOUTS):
        return Answer.no_answer("timeout", "the call went out, and no answer came within the timeout", seconds)
    import ssl

    if isinstance(error, ssl.SSLError):
        # not every error has a reason
        refused = first_call and _REFUSED_HANDSHAKE.search(str(getattr(error, "reason", "")))
        make = Answer.not_sent if refused else Answer.no_answer
        return make("tls_failed", _one_line(_tls_failed(error)), seconds)
    if isinstance(error, (OSError, NoHttp)):
        return Answer.no_answer("connection_lost", "the connection ended before an answer came", seconds)
    text = f"the answer could not be read ({type(error).__name__})"
    return Answer.no_answer("unreadable_answer", text, seconds)


def not_connected(error: Exception, seconds: float) -> Answer:
    """Return the answer for a call that was not sent, because the connection could not be made."""
    code: AnswerCode
    # a load without errors needs neither these nor `ssl`
    from urllib3.exceptions import (
        ConnectTimeoutError,
        NameResolutionError,
        NewConnectionError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )

    cause = error.__cause__ or error.__context__
    # the second is the timeout of a handshake; NewConnectionError is a subclass of the first
    is_late = isinstance(error, (ConnectTimeoutError, ReadTimeoutError)) and not isinstance(error, NewConnectionError)
    is_late = is_late or (isinstance(error, NotConnected) and isinstance(cause, TimeoutError))
    certificate = _certificate_error(error)
    if certificate is not None:
        whose = "proxy" if isinstance(error, ProxyError) else "server"
        # with TLS inside TLS it may have no message
        reason = str(getattr(certificate, "verify_message", "") or certificate).rstrip(".")
        code, text = "certificate_untrusted", f"the {whose}'s certificate cannot be trusted ({reason}); {_CA_FILE}"
    elif isinstance(error, ProxyError):
        code, text = "proxy_failed", "the proxy could not be used"
    elif isinstance(error, NameResolutionError) or isinstance(cause, socket.gaierror):
        code, text = "unknown_host", "the host's name could not be resolved"
    elif is_late:
        code, text = "connect_timeout", "no connection within the timeout"
    elif isinstance(error, SSLError):
        code, text = "tls_failed", _tls_failed(error)
    else:
        reason = (cause.strerror or str(cause)) if isinstance(cause, OSError) else "refused"
        code, text = "connection_failed", f"could not connect ({reason})"
    return Answer.not_sent(code, _one_line(text), seconds)


def explained(code: AnswerCode | None, message: str, *, is_encoded_again: bool = False) -> str:
    """Return the API's words, and where they are about the key or the plan, what to do.

    The one place of these words: loads, `track`, the command `key` and Airflow's *Test* button show them.
    """
    quoted = f"({_shortened(message, LONGEST_MESSAGE // 2)})"
    if code == "key_refused":
        looks = "it looks encoded a second time; " if is_encoded_again else ""
        return f"the API refuses the key {quoted}: {looks}copy the key as it is from {KEY_PLACE}"
    if code == "plan_without_api":
        return f"the account's plan has no API {quoted}: ask Interakt to change the plan"
    return message


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the certificate error inside an exception of urllib3; None if there is none."""
    import ssl

    from urllib3.exceptions import HTTPError

    while isinstance(error, (HTTPError, ssl.SSLError)):
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        inner = [cause for cause in (error.__cause__, *error.args) if isinstance(cause, Exception)]
        error = inner[0] if inner else None
    return None


def _tls_failed(error: Exception) -> str:
    if _NOT_TLS.search(str(error)):
        return "the server does not speak TLS there: check whether the address begins with http:// or has another port"
    return f"the TLS connection could not be made or kept ({error})"


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        # nearly always UTF-8; `json` detects other encodings
        content = json.loads(body if b"\0" in body[:4] else body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _message(content: dict[str, object] | None, body: bytes) -> str:
    if content is not None:
        message = content.get("message", "")
        try:
            return _one_line(message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))
        except RecursionError:  # pragma: no cover - up to 3.13 Python writes as deep as it reads, without promising it
            return "(lists nested too deeply)"
    text = body[:LONGEST_LOOKED_AT].decode("utf-8", "replace")
    title = re.search(r"<title>([^<]{1,200})", text, re.IGNORECASE)
    return _one_line(title[1] if title else text)


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable() and "  " not in text and len(text) <= LONGEST_MESSAGE:
        # nearly every message is like this
        return text.strip()
    # half a surrogate pair cannot be written as UTF-8
    text = text[:LONGEST_LOOKED_AT].encode("utf-8", "replace").decode()
    return _shortened(printable(re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip()))


def _shortened(line: str, longest: int = LONGEST_MESSAGE) -> str:
    return line if len(line) <= longest else line[: longest - 1] + "…"
