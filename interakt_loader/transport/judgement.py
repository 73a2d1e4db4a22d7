"""What came back, or what went wrong → an `Answer`. Pure; every foreign exception is translated here."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
import time
from email.utils import parsedate_to_datetime

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
from interakt_loader.safety.printable import printable
from interakt_loader.transport.reading import NoHttp
from interakt_loader.wire import Answer

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
