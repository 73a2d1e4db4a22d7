"""One message, one answer, whatever the server or the network does, over real sockets."""

from __future__ import annotations

import base64
import datetime as dt
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.model import Answer, Message
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sending.retry_policy import RetryDecision, decide, in_doubt, parse_retry_after
from interakt_loader.transport import LONGEST_BODY, HttpTransport, no_answer, not_connected, read_answer
from tests.transport.servers import ACCEPTED, Server

MESSAGE = Message(0, "user", "1", b'{"userId": "1", "traits": {}}')


def send(url: str, key: str = "key", timeout: float = 2.0) -> Answer:
    transport = HttpTransport(url, key, timeout=timeout, connections=1)
    try:
        return transport.send(MESSAGE)
    finally:
        transport.close()


@contextmanager
def server(behave: Callable[[socket.socket], object], ends_with: bytes = MESSAGE.body) -> Iterator[str]:
    """Accept one connection, read the whole call, then do what the test asks. Unread bytes would turn the end into a
    reset."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(5)
                heard = connection.recv(65_536)
                while ends_with not in heard:
                    more = connection.recv(65_536)
                    if not more:  # the client has gone
                        return
                    heard += more
                behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def saying(answer: bytes) -> Callable[[socket.socket], object]:
    return lambda connection: connection.sendall(answer)


def test_accepted() -> None:
    """202 and `"result": true`: accepted, with the time it took."""
    with Sandbox() as sandbox:
        answer = send(sandbox.url, sandbox.api_key)
    assert (answer.accepted, answer.http_status, answer.code, in_doubt(answer)) == (True, 202, None, False)
    assert 0 < answer.seconds < 2


def test_one_connection_serves_many_calls() -> None:
    """Keep-alive: a hundred calls, one connection."""
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + b'{"result": true}'

    def answer_all(connection: socket.socket) -> None:
        for _ in range(99):
            connection.sendall(accepted)
            while not (heard := connection.recv(65_536)).endswith(MESSAGE.body):
                assert heard, "the client has gone"
        connection.sendall(accepted)

    with server(answer_all) as url:  # which accepts one connection
        transport = HttpTransport(url, "key", timeout=2, connections=1)
        answers = [transport.send(MESSAGE) for _ in range(100)]
        transport.close()
    assert all(one.accepted for one in answers)


@pytest.mark.parametrize(
    ("fault", "code", "doubtful"),
    [
        ("500", "server_error", False),
        ("503", "server_error", False),
        ("reset", "connection_lost", True),
        ("cut", "connection_lost", True),
        ("html502", "server_error", True),
        ("garbage", "unreadable_answer", True),
        ("429", "rate_limited", False),
        ("hang", "timeout", True),
    ],
)
def test_every_fault_has_its_code(fault: str, code: str, doubtful: bool) -> None:
    """Calls that were certainly not accepted and calls that may have been are distinguished."""
    with Sandbox() as sandbox:
        sandbox.force([fault])
        answer = send(sandbox.url, sandbox.api_key, timeout=0.5)
    assert (answer.accepted, answer.code, in_doubt(answer)) == (False, code, doubtful)


def test_a_wrong_key() -> None:
    """401 has its own code, with the API's words and where the right key is. The key is not shown."""
    with Sandbox() as sandbox:
        answer = send(sandbox.url, "wrong-key-of-mine")
    assert (answer.code, answer.message) == (
        "key_refused",
        "the API refuses the key (Invalid token provided): copy the key as it is from Interakt's Settings > "
        "Developer Settings > Secret Key",
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "HTTP 401"),
        (b"<html><title>401 Authorization Required</title>", "401 Authorization Required"),
        (b'{"message": "%s"}' % (b"x" * 5_000), "x" * 149 + "…"),
        (b'{"message": "%s is no key"}' % b"wrong-key-of-mine", "(the answer repeats the key)"),
    ],
)
def test_a_wrong_key_is_called_that_whatever_the_answer_says(body: bytes, said: str) -> None:
    """One line of at most 300 characters says where the right key is. No part of the key is shown."""
    with server(saying(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        answer = send(url, "wrong-key-of-mine")
    assert (answer.code, len(answer.message) <= 300) == ("key_refused", True)
    assert answer.message.startswith(f"the API refuses the key ({said}): copy the key as it is from")
    assert "wrong-key-of-mine" not in answer.message


@pytest.mark.parametrize("word", [b"x" * 5_000, b"wrong-key-of-mine"])
def test_a_wrong_key_that_looks_encoded_again_is_said_to(word: bytes) -> None:
    """Still in one line of at most 300 characters, whatever the answer says."""
    body = b'{"message": "%b"}' % word
    with server(saying(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        answer = send(url, base64.b64encode(b"wrong-key-of-mine").decode())
    assert "): it looks encoded a second time; copy the key as it is from" in answer.message
    assert len(answer.message) <= 300
    assert "wrong-key-of-mine" not in answer.message


def test_retry_after_is_read_from_a_429() -> None:
    """The answer has the header's seconds."""
    with Sandbox(SandboxOptions(fault_retry_after="7")) as sandbox:
        sandbox.force(["429-retry-after"])
        assert send(sandbox.url, sandbox.api_key).retry_after == 7.0


def test_nobody_listens_and_no_such_host() -> None:
    """Certainly not delivered, in a clear message."""
    with Sandbox() as sandbox:
        url = sandbox.url
    refused = send(url)
    assert (refused.code, refused.reached, in_doubt(refused)) == ("connection_failed", False, False)
    assert refused.message.startswith("could not connect (")
    unknown = send("https://no-such-host.invalid")
    assert (unknown.code, in_doubt(unknown)) == ("unknown_host", False)


def test_what_no_one_foresaw_is_judged_by_when_it_came() -> None:
    """Before the call was sent, nothing was delivered. Afterwards the server may have accepted it."""
    before = not_connected(ConnectionResetError(104, "reset"), 0.1)
    assert (before.code, before.message) == ("connection_failed", "could not connect (refused)")
    assert (before.reached, in_doubt(before)) == (False, False)
    after = no_answer(LookupError("of a codec"), 0.1, first_call=True)
    assert (after.code, after.message) == ("unreadable_answer", "the answer could not be read (LookupError)")
    assert (after.reached, in_doubt(after)) == (False, True)


def test_a_plain_server_where_tls_is_expected() -> None:
    """The handshake fails before the call is sent: no doubt."""
    with server(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ends_with=b"") as url:
        answer = send(url.replace("http://", "https://"))
    assert (answer.code, in_doubt(answer)) == ("tls_failed", False)


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b'HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{"result": tr', 202, "unreadable_answer"),
        (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 202, "unreadable_answer"),
        (b"nonsense\r\n\r\n", None, "connection_lost"),
        (b"", None, "connection_lost"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\n<html>", 500, "server_error"),
    ],
)
def test_answers_that_break_off(said: bytes, status: int | None, code: str) -> None:
    """A 2xx whose body breaks off is in doubt. A 500 that breaks off is still a 500."""
    with server(saying(said)) as url:
        answer = send(url)
    assert (answer.accepted, answer.http_status, answer.code) == (False, status, code)
    assert in_doubt(answer) is (status != 500)


def test_a_redirect_is_not_followed() -> None:
    """The key goes only to the address for which it was given."""
    with server(saying(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")) as url:
        answer = send(url)
    assert (answer.http_status, answer.code, answer.reached) == (307, "redirected", True)
    assert answer.message is not None
    assert not answer.message.endswith(": "), "an answer without a word ends the line"


def test_an_endless_answer_is_cut() -> None:
    """At most `LONGEST_BODY` bytes are read, and the connection is closed."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65_536)
        except OSError:
            pass

    with server(talk) as url:
        answer = send(url)
    assert (answer.http_status, answer.code) == (400, "rejected")
    assert len(answer.body) <= LONGEST_BODY
    assert len(answer.message) <= 300


@pytest.mark.parametrize(
    ("status", "body", "accepted", "message"),
    [
        (
            201,
            b'{"result": true, "message": "Event created successfully", "id": "1"}',
            True,
            "Event created successfully",
        ),
        (200, b"", True, ""),
        (202, b'{"result": false, "message": "no such thing"}', False, "no such thing"),
        (200, b"<html><title>Sign in to Hotel WiFi</title>", False, "Sign in to Hotel WiFi"),
        (400, b'{"result": false, "message": "[\\"a\\", \\"b\\"]"}', False, '["a", "b"]'),
        (400, b'{"result": false, "message": ["a", 1]}', False, '["a", 1]'),
        (502, b"<html><head><title>502 Bad Gateway</title></head>", False, "502 Bad Gateway"),
        (400, b"\xff\xfe\x00\x1b[31mred", False, None),
        (500, b"[" * 100_000, False, None),
        (404, b"", False, "HTTP 404"),
    ],
)
def test_bodies_of_every_kind(status: int, body: bytes, accepted: bool, message: str | None) -> None:
    """JSON or not, complete or not: each is understood without an exception, and the message is one clean line."""
    answer = read_answer(status, body, 0.1)
    assert answer.accepted is accepted
    if message is not None:
        assert message in answer.message
    assert answer.message.isprintable()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        (" 2.5 ", 2.5),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),  # "no zone known", which Python reads as no zone
        ("soon", None),
        ("-3", None),
        ("9" * 400, None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date. Anything else is ignored."""
    now = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.timezone.utc)
    assert parse_retry_after(header, now) == seconds


def test_a_ca_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong REQUESTS_CA_BUNDLE is reported before the first call."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(SettingsError, match=r"/nowhere/ca\.pem does not exist"):
        send("https://example.invalid")


def test_the_key_is_not_in_its_repr() -> None:
    """A transport in a traceback shows its host, and no key."""
    assert "s3cret" not in repr(HttpTransport("https://api.example", "s3cret", timeout=1, connections=1))


def test_early_hints_are_read_past_and_the_connection_goes_on() -> None:
    """102 and 103 before each answer: a hundred calls on one connection, which `requests` cannot do."""
    early = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    with Server(early + ACCEPTED) as listening:
        transport = HttpTransport(listening.url, "key", timeout=5, connections=1)
        assert {transport.send(MESSAGE).http_status for _ in range(100)} == {202}
        transport.close()
    assert listening.connections == 1


def test_another_protocol_is_not_the_answer_and_nobody_reads_what_follows() -> None:
    """101, then more: the call is in doubt, and the next one uses a new connection."""
    hints = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    refusal = b'HTTP/1.1 400 Bad\r\nContent-Length: 37\r\n\r\n{"result": false, "message": "a is bad"}'
    accepted = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"result": true}'
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for said in (hints + refusal, accepted):
                connection, _ = listening.accept()
                with connection:
                    heard = b""
                    while MESSAGE.body not in heard:
                        heard += connection.recv(65_536)
                    connection.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        transport = HttpTransport(url, "key", timeout=2, connections=1)
        first, second = transport.send(MESSAGE), transport.send(MESSAGE)
        transport.close()
        thread.join(10)
    assert (first.accepted, first.http_status, in_doubt(first)) == (False, 101, True)
    assert (second.accepted, second.http_status) == (True, 202)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize(
    ("said", "accepted"), [('{"result": true}', True), ('{"result": false, "message": "no"}', False)]
)
def test_a_byte_order_mark_before_the_json_is_read_past(encoding: str, said: str, accepted: bool) -> None:
    """The answer has its meaning in each of JSON's encodings."""
    body = said.encode(encoding)
    with server(saying(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        answer = send(url)
    assert (answer.accepted, in_doubt(answer)) == (accepted, False)
    assert answer.message == ("" if accepted else "no")


def test_a_byte_order_mark_is_not_shown() -> None:
    """Neither in the text of a page nor in the body that a caller of `track` gets."""
    assert read_answer(400, b"\xef\xbb\xbfnot found", 0.1).message == "not found"
    assert read_answer(202, b'\xef\xbb\xbf{"result": true}', 0.1).body == b'{"result": true}'


def test_half_an_emoji_in_a_message() -> None:
    """The API cut its message inside a surrogate pair. The message can still be written."""
    answer = read_answer(400, b'{"result": false, "message": "too long: \\ud83d"}', 0.1)
    assert answer.message.encode() == b"too long: ?"


@pytest.mark.parametrize("value", ["Mon, 01 Jan 99999999999 00:00:00 GMT", "1e999", "-1"])
def test_an_odd_retry_after_asks_for_nothing(value: str) -> None:
    """No exception, and no wait."""
    assert parse_retry_after(value) is None


KEY = "supersecretkey"
TOKEN = base64.b64encode(f"{KEY}:".encode()).decode()


@pytest.mark.parametrize("given", [KEY, f"{KEY}:", TOKEN, f"Basic {TOKEN}"])
@pytest.mark.parametrize("shown", [KEY, TOKEN])
def test_an_answer_that_repeats_the_key_is_not_shown(given: str, shown: str) -> None:
    """In every form in which it can be given and repeated, and anywhere in the answer."""
    body = b'{"result": false, "message": "%s no such token %s"}' % (b"x" * 290, shown.encode())
    head = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server(saying(head + body)) as url:
        answer = send(url, given)
    assert answer.message == "(the answer repeats the key)"
    assert KEY.encode() not in answer.body
    assert TOKEN.encode() not in answer.body


def test_a_success_whose_head_was_cut() -> None:
    """Without a length, an empty body may be one that was cut off: unknown."""
    with server(saying(b"HTTP/1.1 202 Accepted\r\nContent-Le")) as url:
        answer = send(url)
    assert (answer.accepted, answer.code, in_doubt(answer)) == (False, "unreadable_answer", True)


def test_a_firewalls_403_is_about_one_call() -> None:
    """An HTML page with 403 rejects the row; the API's own 403 is about the account."""
    page = read_answer(403, b"<html><title>Attention Required! | Firewall</title></html>", 0.1)
    assert (page.code, decide(page)) == ("forbidden", RetryDecision.DONE)
    own = read_answer(403, b'{"result": false, "message": "not supported on your Interakt account"}', 0.1)
    assert (own.code, decide(own)) == ("plan_without_api", RetryDecision.STOP)


def test_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps each wait short. All waits together are limited too."""
    monkeypatch.setattr("interakt_loader.transport.http.ANSWER_TIMEOUTS", 0.0)
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 202 Accepted\r\n")
        while not gone.wait(0.01):
            connection.sendall(b"X")

    def drip_until_gone(connection: socket.socket) -> None:
        with suppress(OSError):
            drip(connection)

    with server(drip_until_gone) as url:
        answer = send(url)
        gone.set()
    assert (answer.accepted, answer.http_status, answer.code, in_doubt(answer)) == (False, 202, "timeout", True)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 Tunnel\r\n", b"X"),
        (b"HTTP/1.1 200 Tunnel\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 Tunnel\r\n", b"X: y\r\n" * 10_000),
    ],
    ids=["no status line", "a header without end", "dripping headers", "a flood of headers"],
)
def test_a_proxy_whose_tunnel_is_never_there(begins: bytes, goes_on: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it sends to keep each wait short: no call was sent, and the watching thread has ended."""
    monkeypatch.setattr("interakt_loader.transport.pool.TUNNEL_TIMEOUTS", 0.1)
    gone = threading.Event()

    def keep_talking(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(begins)
            while not gone.wait(0.01):
                connection.sendall(goes_on)

    with server(keep_talking, ends_with=b"\r\n\r\n") as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        answer = send("https://api.example", timeout=1.0)
        gone.set()
    assert (answer.code, answer.reached, in_doubt(answer)) == ("proxy_failed", False, False)
    for thread in threading.enumerate():
        if thread.name == "interakt-proxy-watch":
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    "says", [b"", b"SMTP ready\r\n\r\n", b"HTTP/1.1 407 Who?\r\n\r\n", b"HTTP/1.1 200 " + b"x" * 70_000]
)
def test_a_proxy_that_speaks_nonsense(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes instead of a tunnel: the proxy is the cause, not the network, and no call was sent."""
    with server(saying(says), ends_with=b"\r\n\r\n") as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        answer = send("https://api.example", timeout=1.0)
    assert (answer.code, answer.reached, in_doubt(answer)) == ("proxy_failed", False, False)


def test_a_handshake_that_never_comes() -> None:
    """The server accepts the connection and sends nothing: no call was sent."""
    with server(lambda _: None, ends_with=b"never") as url:
        answer = send(url.replace("http://", "https://"), timeout=0.2)
    assert (answer.code, answer.reached, in_doubt(answer)) == ("connect_timeout", False, False)


@pytest.mark.parametrize(
    ("reason", "first_call", "doubtful"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True, False),
        ("TLSV1_ALERT_UNKNOWN_CA", True, False),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", False, True),  # others went before: no handshake is left to be refused
        ("TLSV1_ALERT_INTERNAL_ERROR", True, True),  # may come after the call was taken
        (None, True, True),
    ],
)
def test_a_refused_client_certificate_leaves_no_doubt(reason: str | None, first_call: bool, doubtful: bool) -> None:
    """With TLS 1.3 the server's alert comes after the call was sent. It means that the call was not read."""
    alert = ssl.SSLError(1, "something of TLS")
    if reason is not None:
        alert.reason = reason
    answer = no_answer(alert, 0.1, first_call=first_call)
    assert (answer.code, in_doubt(answer)) == ("tls_failed", doubtful)


@pytest.mark.parametrize("slowly", [False, True])
def test_an_answer_that_nobody_asked_for_is_not_the_next_calls(slowly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second answer comes after the first. The next call uses a new connection, however soon it is made."""
    if slowly:
        monkeypatch.setattr("interakt_loader.transport.http.RECENTLY_USED", 0.0)
    refused = b'HTTP/1.1 400 Bad\r\nContent-Length: 37\r\n\r\n{"result": false, "message": "a is bad"}'
    more, came = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            first, _ = listening.accept()
            with first:
                first.recv(65_536)
                first.sendall(refused)
                more.wait(10)
                first.sendall(ACCEPTED)
                came.set()
                second, _ = listening.accept()
                with second:
                    second.recv(65_536)
                    second.sendall(refused)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        transport = HttpTransport(f"http://127.0.0.1:{listening.getsockname()[1]}", "key", timeout=2, connections=1)
        first = transport.send(MESSAGE)
        more.set()
        came.wait(10)
        second = transport.send(MESSAGE)
        transport.close()
        thread.join(10)
    assert (first.http_status, second.http_status) == (400, 400)


def test_an_accepted_answer_that_repeats_the_key_is_accepted_all_the_same() -> None:
    """What is shown of it is replaced, not what it means. Written with an escape it is not shown either."""
    key = "super/secret/key"
    for shown in (key, key.replace("/", "\\/")):
        body = b'{"result": true, "message": "for %s"}' % shown.encode()
        with server(saying(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as url:
            answer = send(url, key)
        assert (answer.accepted, answer.code, answer.message) == (True, None, "(the answer repeats the key)")
        assert b"secret" not in answer.body


def test_a_firewalls_403_that_repeats_the_key_is_about_one_call() -> None:
    """It is a page, so it does not stop the load."""
    body = b"<html><title>Blocked: %s</title></html>" % TOKEN.encode()
    with server(saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as url:
        answer = send(url, KEY)
    assert (answer.code, decide(answer), answer.message) == (
        "forbidden",
        RetryDecision.DONE,
        "(the answer repeats the key)",
    )


def test_a_429_that_breaks_off_says_how_long_to_wait() -> None:
    """Its head came, with the Retry-After header."""
    with server(saying(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 50\r\n\r\n{")) as url:
        answer = send(url)
    assert (answer.code, answer.retry_after) == ("rate_limited", 7.0)


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n"])
@pytest.mark.parametrize("status", [200, 202, 203, 206])
def test_a_success_without_a_body_or_its_length_is_in_doubt(status: int, body: bytes) -> None:
    """For any 2xx: its body may have been cut off, and a line end does not change that."""
    with server(saying(b"HTTP/1.1 %d Fine\r\n\r\n%b" % (status, body))) as url:
        answer = send(url)
    assert (answer.accepted, answer.code, in_doubt(answer)) == (False, "unreadable_answer", True)


def test_many_connections_at_once_are_no_cause_for_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """More than urllib3 would keep. It has none to keep, and does not warn."""
    with Server() as listening:
        transport = HttpTransport(listening.url, "key", timeout=5, connections=40)
        with ThreadPoolExecutor(40) as pool:
            together = threading.Barrier(40)

            def call() -> int | None:
                together.wait(10)
                return transport.send(MESSAGE).http_status

            said = [one.result(30) for one in [pool.submit(call) for _ in range(40)]]
        transport.close()
    assert said == [202] * 40
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_call_that_outlives_its_transport_leaves_no_connection() -> None:
    """The transport is closed during the call. The call gets its answer, and its connection is not kept."""
    heard, answer_now, gone = threading.Event(), threading.Event(), threading.Event()

    def talk(connection: socket.socket) -> None:
        heard.set()
        answer_now.wait(10)
        connection.sendall(ACCEPTED)
        connection.settimeout(10)
        if connection.recv(1) == b"":
            gone.set()

    with server(talk) as url, ThreadPoolExecutor(1) as pool:
        transport = HttpTransport(url, "key", timeout=5, connections=1)
        out = pool.submit(transport.send, MESSAGE)
        heard.wait(10)
        transport.close()
        answer_now.set()
        assert out.result(10).accepted
        assert gone.wait(10)
