"""The bytes of an HTTP/1.1 answer → its status and body. Pure: `feed` takes what came, `end` says that no more will.

Strict where leniency could take the end of one answer for another's beginning: whatever is not plain HTTP/1.1 breaks
the answer off, and the connection is not used again.

What came back, or what went wrong → an `Answer`. Pure; every foreign exception is translated here.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from interakt_loader.codes import AnswerCode
from interakt_loader.model import Answer
from interakt_loader.privacy.text import printable

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


class RawResponse(NamedTuple):
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

    What it says goes by the bytes alone, too, and not by the pieces in which they come, `RawResponse.keeps` apart.
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
        self._read_body: Callable[[AnswerReader], RawResponse | None] | None = None

    def feed(self, data: bytes) -> RawResponse | None:
        """Take more bytes in; return the answer once it is there. Raises `BrokenOff` or `NoHttp`."""
        self._data += data[: LONGEST_ANSWER - self._came]
        self._came += len(data)
        raw_response = self._read()
        if self._came < LONGEST_ANSWER:
            return raw_response
        if raw_response is None:
            raise self.broken()
        return raw_response._replace(keeps=False)  # there may have been more

    def _read(self) -> RawResponse | None:
        while self._read_body is None:
            if not self._read_head():
                return None
        return self._read_body(self)

    def end(self) -> RawResponse:
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

    def _of_length(self) -> RawResponse | None:
        here = len(self._data)
        if here == self._length <= LONGEST_BODY:
            return self._whole(bytes(self._data))
        if here < min(self._length, LONGEST_BODY):
            return None
        self._keeps = False  # longer than is read, or followed by something that nobody asked for
        return self._whole(bytes(self._data[: min(self._length, LONGEST_BODY)]))

    def _until_the_end(self) -> RawResponse | None:
        self._keeps = False
        if len(self._data) < LONGEST_BODY:
            return None
        return self._whole(bytes(self._data[:LONGEST_BODY]), says_length=False)

    def _of_chunks(self) -> RawResponse | None:
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

    def _after_chunks(self) -> RawResponse | None:
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

    def _whole(self, body: bytes, *, says_length: bool = True) -> RawResponse:
        return RawResponse(self._status, body, self._retry_after, says_length, self._keeps)


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


LONGEST_MESSAGE = 300
"""Characters of a message."""

LONGEST_LOOKED_AT = 4096
"""Characters of an answer that its message is made of; and bytes of a page that are searched for its title."""

LONGEST_RETRY_AFTER = 100
"""Characters of a Retry-After header that is read: a date has 29."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some servers write before UTF-8; other encodings keep theirs."""

_TIMEOUTS = (TimeoutError, BlockingIOError)
"""What a wait ends in that took too long; the latter, where the system limits it."""


def not_connected(error: Exception, seconds: float) -> Answer:
    """The connection could not be made: surely no call went out."""
    code: AnswerCode
    refusal = _certificate_error(error)
    if refusal is not None:
        whose = "proxy" if isinstance(error, ProxyError) else "server"
        code, text = "certificate_untrusted", f"the {whose}'s certificate cannot be trusted ({_why_untrusted(refusal)})"
        text += f"; {_TRUST}"
    elif isinstance(error, ProxyError):
        code, text = "proxy_failed", "the proxy could not be used"
    elif isinstance(error, NameResolutionError):
        code, text = "unknown_host", "the host's name could not be resolved"
    elif isinstance(error, NewConnectionError):  # before its parent, ConnectTimeoutError
        code, text = "connection_failed", f"could not connect ({_reason(error)})"
    elif isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):  # the latter: of a handshake
        code, text = "connect_timeout", "no connection within the timeout"
    elif isinstance(error, SSLError):
        code, text = "tls_failed", _tls_failed(error)
    else:
        code, text = "connection_failed", f"could not connect ({_reason(error)})"
    return Answer(False, None, code, _one_line(text), False, False, seconds, time.time())


_REFUSED_HANDSHAKE = re.compile("ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")
"""The alerts by which a server refuses a handshake: with TLS 1.3 we hear of that only after the call went out."""


def no_answer(error: Exception, seconds: float, *, first_call: bool) -> Answer:
    """The call went out, and this came instead of an answer: the server may have taken it.

    `first_call`: no other was made on this connection, so its handshake may just have been refused.
    """
    code: AnswerCode
    doubtful = True
    if isinstance(error, _TIMEOUTS):
        code, text = "timeout", "the call went out, and no answer came within the timeout"
    elif isinstance(error, ssl.SSLError):
        reason = str(getattr(error, "reason", ""))  # not every one has a reason
        doubtful = not (first_call and _REFUSED_HANDSHAKE.search(reason))
        code, text = "tls_failed", _tls_failed(error)
    elif isinstance(error, (OSError, NoHttp)):
        code, text = "connection_lost", "the connection ended before an answer came"
    else:
        code, text = "unreadable_answer", f"the answer could not be read ({type(error).__name__})"
    return Answer(False, None, code, _one_line(text), False, doubtful, seconds, time.time())


def broken_answer(status: int, error: BaseException | None, seconds: float) -> Answer:
    """An answer that never came whole: it might have said `"result": false`, so nobody knows."""
    code: AnswerCode = "timeout" if isinstance(error, _TIMEOUTS) else "unreadable_answer"
    return Answer(False, status, code, f"HTTP {status}, and the answer broke off", True, True, seconds, time.time())


_TRUST = (
    "where a company's proxy or an authority of your own signs certificates, name its CA file in REQUESTS_CA_BUNDLE"
)


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return why a certificate was refused, from within what urllib3 raised; None if that was not the reason."""
    while isinstance(error, (HTTPError, ssl.SSLError)):
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        inner = [one for one in (error.__cause__, *error.args) if isinstance(one, Exception)]
        error = inner[0] if inner else None
    return None


def _why_untrusted(error: ssl.SSLCertVerificationError) -> str:
    return str(getattr(error, "verify_message", "") or error).rstrip(".")  # of TLS within TLS it may have none


def _tls_failed(error: Exception) -> str:
    if _NO_TLS.search(str(error)):
        return (
            "the server does not speak TLS there: see whether the address should begin with http:// or has another port"
        )
    return f"the TLS connection could not be made or kept ({error})"


_NO_TLS = re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST")
"""What OpenSSL says of bytes that do not begin like TLS; its versions differ."""


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    return cause.strerror or str(cause) if isinstance(cause, OSError) else "refused"


_CODES: dict[int, AnswerCode] = {
    400: "rejected",
    401: "key_refused",
    403: "plan_without_api",
    404: "not_found",
    408: "server_timeout",
    413: "too_large",
    429: "rate_limited",
}


_REFUSED_KEY = "copy the Secret Key from Interakt's Settings > Developer Settings"
"""Where it is, in the words of the vendor's document."""


def explained(code: AnswerCode | None, message: str) -> str:
    """Return the API's words with what they mean, where they do not say it themselves."""
    if code == "key_refused":
        return f"the API refuses the key ({_shortened(message, LONGEST_MESSAGE // 2)}): {_REFUSED_KEY}"
    return message


def read_answer(status: int, body: bytes, seconds: float, retry_after: float | None = None) -> Answer:
    """Judge an HTTP answer: any status, any bytes; a body that is not JSON is no crash.

    A 2xx is success unless its body says `"result": false`, or is something else than what an API says (a
    gateway's or a captive portal's page): then nobody knows whether the call was taken.
    """
    body = body.removeprefix(BOM)
    said = _json_object(body)
    message = _message(said, body)
    at = time.time()
    if 200 <= status < 300:
        if said is None and body.strip():
            text = _shortened(f"HTTP {status} with a body that is not the API's: {message}")
            return Answer(False, status, "unreadable_answer", text, True, True, seconds, at, retry_after, body)
        if said is not None and said.get("result") is False:
            return Answer(False, status, "rejected", message, True, False, seconds, at, retry_after, body)
        return Answer(True, status, None, message, True, False, seconds, at, retry_after, body)
    code: AnswerCode
    if status >= 500:
        code = "server_error"
    elif status == 403 and said is None:
        code = "forbidden"  # not the API's words: a firewall's, about this one call
    elif 300 <= status < 400:
        text = ": ".join(filter(None, [f"HTTP {status}: the server points elsewhere, which is not followed", message]))
        code, message = "redirected", _shortened(text)
    else:
        code = _CODES.get(status, "rejected")
    # 502 and 504 are a gateway's words about somebody behind it, who may have taken the call all the same
    doubtful = status in (502, 504)
    message = explained(code, message or f"HTTP {status}")
    return Answer(False, status, code, message, True, doubtful, seconds, at, retry_after, body)


def parse_retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or an HTTP date); None if it is neither."""
    if value is None or len(value) > LONGEST_RETRY_AFTER:
        return None
    if re.fullmatch(
        r"[ \t]*[0-9]{1,9}(\.[0-9]{1,9})?[ \t]*", value
    ):  # of what else Unicode calls a space, `float` knows not all
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (until - (now or dt.datetime.now(dt.timezone.utc))).total_seconds())


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        # UTF-8 nearly always; `json` finds the other encodings out
        said = json.loads(body if b"\0" in body[:4] else body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _message(said: dict[str, object] | None, body: bytes) -> str:
    if said is not None:
        message = said.get("message", "")
        try:
            return _one_line(message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))
        except RecursionError:  # pragma: no cover - to 3.13, Python writes as deep as it reads; no one promises it
            return "(lists in lists, too many to be read)"
    text = body[:LONGEST_LOOKED_AT].decode("utf-8", "replace")
    title = re.search(r"<title>([^<]{1,200})", text, re.IGNORECASE)
    return _one_line(title[1] if title else text)


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable() and "  " not in text and len(text) <= LONGEST_MESSAGE:
        return text.strip()  # as nearly every message is
    text = text[:LONGEST_LOOKED_AT].encode("utf-8", "replace").decode()  # half an emoji, which no UTF-8 can hold
    return _shortened(printable(re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip()))


def _shortened(line: str, longest: int = LONGEST_MESSAGE) -> str:
    return line if len(line) <= longest else line[: longest - 1] + "…"
