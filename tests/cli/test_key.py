"""The command `key`: one call that changes nothing, and one line about the key."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import trustme

from interakt_loader import load_users
from interakt_loader.account.key import GRACE, try_key
from interakt_loader.cli import run
from interakt_loader.errors import APIError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings
from interakt_loader.track import Client
from tests.cli.terminal import HOME, FarApi, run_without_terminal
from tests.privacy.marked import PLAIN, SECRET_KEY, forms_in
from tests.transport.servers import Proxy, Server
from tests.transport.test_certificates import issued
from tests.transport.test_transport import saying, server

WHERE = "copy the key as it is from Interakt's Settings > Developer Settings > Secret Key"
REFUSED = "the API refuses the key (Invalid token provided): "
NETWORK = "check --base-url and the network; if only a proxy leads out, name it in HTTPS_PROXY"
ANOTHER = base64.b64encode(b"an0ther-k3y:").decode()


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("INTERAKT_API_KEY", SECRET_KEY)


@pytest.fixture
def account() -> Iterator[Sandbox]:
    """An account that takes the key of these tests."""
    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        yield sandbox
        assert sandbox.stats().calls == 0, "something was sent"


class Said(NamedTuple):
    """What the command has said."""

    code: int
    out: str
    err: str


def asked(url: str, capsys: pytest.CaptureFixture[str], *flags: str) -> Said:
    """Test the key at an address. It says one line, without the key."""
    code = run(["key", "--base-url", url, *flags])
    said = Said(code, *capsys.readouterr())
    assert len((said.out + said.err).splitlines()) == 1
    assert forms_in(said.out + said.err) == []
    return said


def in_words(url: str, what: str) -> Said:
    """What is said of a key that does not work, or could not be tested."""
    return Said(3, "", f"interakt-loader: {url}: {what}\n")


def untested(url: str, what: str) -> Said:
    """What is said if the key could not be tested."""
    return in_words(url, f"the key could not be tested: {what}")


# ---------------------------------------------------------------------------- the key works


@pytest.mark.parametrize(
    "given",
    [SECRET_KEY, PLAIN, f"Basic {SECRET_KEY}", base64.b64encode(SECRET_KEY.encode()).decode()],
    ids=["Secret Key", "decoded", "Basic", "encoded twice"],
)
def test_a_key_works_in_every_form(
    given: str, account: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the environment and from a file: exit 0, with one call that reads."""
    line = f"{account.url} accepts the key: 0 contacts in the account\n"
    monkeypatch.setenv("INTERAKT_API_KEY", given)
    assert asked(account.url, capsys) == (0, line, "")
    monkeypatch.delenv("INTERAKT_API_KEY")
    Path("the-key").write_text(given, encoding="utf-8")
    Path("the-key").chmod(0o600)
    assert asked(account.url, capsys, "--api-key-file", "the-key") == (0, line, "")
    assert account.stats().reads == 2


def test_it_says_how_many_contacts_the_account_has(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """By which a person sees whether it is the right account."""
    users = pd.DataFrame({"id": [f"u{at}" for at in range(3)]})
    load_users(users, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    trial = try_key(Settings.resolve({"api_key": sandbox.api_key, "base_url": sandbox.url}))
    assert trial.text == f"{sandbox.url} accepts the key: 3 contacts in the account"
    assert trial.answer.body == b"", "it keeps a contact"
    assert sandbox.stats().calls == 3


def test_as_json(account: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, also of a key that could not be tested."""
    said = asked(account.url, capsys, "--output", "json")
    facts = json.loads(said.out)
    assert facts.pop("seconds") >= 0
    assert (said.code, said.err) == (0, "")
    assert facts == {
        "works": True,
        "base_url": account.url,
        "contacts": 0,
        "http_status": 200,
        "code": None,
        "message": f"{account.url} accepts the key: 0 contacts in the account",
        "exit": 0,
    }
    account.force(["500"])
    said = asked(account.url, capsys, "--output", "json")
    facts = json.loads(said.out)
    assert (said.code, said.err) == (3, "")
    assert (facts["works"], facts["contacts"], facts["exit"]) == (False, None, 3)
    assert (facts["code"], facts["http_status"]) == ("server_error", 500)


def test_a_contact_of_another_form_is_no_reason_to_doubt_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    """A load does not read contacts."""
    page = {"data": {"customers": [{"id": 7}], "total_customers": 12345, "has_next_page": True}}
    with Server(http(200, json.dumps(page))) as api:
        said = asked(api.url, capsys)
        assert said == (0, f"{api.url} accepts the key: 12,345 contacts in the account\n", "")
        (call,) = api.calls
    assert call.first_line == "POST /v1/public/apis/users/?offset=0&limit=1 HTTP/1.1"


# ---------------------------------------------------------------------------- no key: exit 2


def test_without_a_key(account: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is found, and the ways to give it."""
    monkeypatch.delenv("INTERAKT_API_KEY")
    assert asked(account.url, capsys) == (
        2,
        "",
        "interakt-loader: no API key: copy it from Interakt's Settings > Developer Settings > Secret Key, and set "
        "INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key\n",
    )
    assert account.stats().reads == 0


@pytest.mark.parametrize(
    ("key", "flags", "said"),
    [
        ("no\nkey", "", "INTERAKT_API_KEY is blank or holds characters that no key has; copy the key from Interakt's"),
        (SECRET_KEY, "--api-key-file nowhere", "--api-key-file nowhere: cannot be read"),
        (SECRET_KEY, "--api-key-file a --ask-key", "--ask-key and --api-key-file are both given"),
        (SECRET_KEY, "--ask-key", "--ask-key: there is no terminal to ask in; set INTERAKT_API_KEY"),
        (SECRET_KEY, "--output xml", "--output is 'xml'; expected text or json"),
        (SECRET_KEY, "--timeout soon", "--timeout is 'soon'"),
    ],
)
def test_what_cannot_be_a_key_or_a_setting(
    key: str,
    flags: str,
    said: str,
    account: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, and no call."""
    monkeypatch.setenv("INTERAKT_API_KEY", key)
    code, out, err = asked(account.url, capsys, *flags.split())
    assert (code, out, account.stats().reads) == (2, "", 0)
    assert err.startswith(f"interakt-loader: {said}")


# ---------------------------------------------------------------------------- refused: exit 3


@pytest.mark.parametrize(
    ("given", "looks"),
    [
        (ANOTHER, ""),
        ("another-key", ""),
        (base64.b64encode(ANOTHER.encode()).decode(), "it looks encoded a second time; "),
        (base64.b64encode(b"an0ther-k3y").decode(), "it looks encoded a second time; "),
        ("Basic " + base64.b64encode(f"Basic {ANOTHER}".encode()).decode(), "it looks encoded a second time; "),
    ],
    ids=["Secret Key", "decoded", "encoded twice", "encoded without its colon", "encoded with Basic"],
)
def test_a_wrong_key(
    given: str, looks: str, account: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the right one is, and the commonest mistake if it looks like that."""
    monkeypatch.setenv("INTERAKT_API_KEY", given)
    assert asked(account.url, capsys) == in_words(account.url, REFUSED + looks + WHERE)
    assert account.stats().reads_by_status == {401: 1}


PLAN = (
    "the account's plan has no API (This API is currently not supported on your Interakt account. Please upgrade your "
    "plan.): ask Interakt to change the plan"
)


def test_a_plan_without_api(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not called a wrong key."""
    with Sandbox(SandboxOptions(api_key=SECRET_KEY, plan_without_api=True)) as sandbox:
        assert asked(sandbox.url, capsys) == in_words(sandbox.url, PLAN)


@pytest.mark.parametrize(("plan_without_api", "words"), [(False, REFUSED + WHERE), (True, PLAN)])
def test_a_load_and_track_use_the_same_words(plan_without_api: bool, words: str) -> None:
    """A load that stops, and `track`."""
    options = SandboxOptions(api_key=SECRET_KEY, plan_without_api=plan_without_api)
    key = SECRET_KEY if plan_without_api else ANOTHER
    with Sandbox(options) as sandbox:
        result = load_users(pd.DataFrame({"id": ["u1"]}), {"user_id": "id"}, api_key=key, base_url=sandbox.url)
        with pytest.raises(APIError) as raised:
            Client(key, sandbox.url, sync_mode=True).user(user_id="u1")
        trial = try_key(Settings.resolve({"api_key": key, "base_url": sandbox.url}))
    assert result.stopped is not None
    assert (result.stopped.message, raised.value.message) == (words, words)
    assert trial.text == f"{sandbox.url}: {words}"


# ---------------------------------------------------------------------------- not tested: exit 3


def http(status: int, body: str) -> bytes:
    """Return a whole response."""
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body.encode())


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (
            "429",
            "HTTP 429: Rate limit exceeded for this resource; the account's limit is used up; try again in a minute",
        ),
        ("500", "HTTP 500: Internal server error; the server has a fault; try again later"),
        ("html502", "HTTP 502: 502 Bad Gateway; the server has a fault; try again later"),
        (
            "reset",
            "the connection ended before an answer came; try again; if it stays, ask who runs the proxies and "
            "firewalls on the way",
        ),
        (
            "hang",
            "the call went out, and no answer came within the timeout; try again, perhaps with a longer --timeout",
        ),
    ],
)
def test_a_fault_of_the_server(fault: str, what: str, account: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """One try, which says nothing about the key."""
    account.force([fault])
    assert asked(account.url, capsys, "--timeout", "0.5") == untested(account.url, what)
    assert account.stats().reads == 1


NO_PAGE = "; check --base-url, and whether a page of the network answers in the API's place"
NO_CALL = "; the server does not take the call that reads contacts; check --base-url"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (http(404, "<html><title>Not Found</title></html>"), f"HTTP 404: Not Found{NO_CALL}"),
        (http(405, ""), f"HTTP 405{NO_CALL}"),
        (http(400, '{"result": false, "message": "no filters"}'), f"HTTP 400: no filters{NO_CALL}"),
        (http(200, '{"result": true}'), f"HTTP 200: an answer that is not the API's: it has no object `data`{NO_PAGE}"),
        (http(200, ""), f"HTTP 200: an answer that is not the API's: it is not JSON{NO_PAGE}"),
        (
            http(200, "<html><title>Log in to the WLAN</title></html>"),
            f"HTTP 200 with a body that is not the API's: Log in to the WLAN{NO_PAGE}",
        ),
        (
            http(403, "<html><title>Attention Required!</title></html>"),
            "HTTP 403: Attention Required!; a firewall refuses the call; ask who runs it to let this machine through",
        ),
        (
            http(302, ""),
            "HTTP 302: the server redirects to another address, which is not followed; check --base-url",
        ),
        (http(404, f"<title>no {PLAIN} here</title>"), f"HTTP 404: (the answer repeats the key){NO_CALL}"),
    ],
)
def test_an_answer_that_is_not_the_apis(answer: bytes, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It says neither that the key works nor that it does not."""
    with Server(answer) as api:
        assert asked(api.url, capsys) == untested(api.url, what)
        assert len(api.calls) == 1


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """At the first try."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    code, out, err = asked(url, capsys)
    assert (code, out) == (3, "")
    assert err.startswith(f"interakt-loader: {url}: the key could not be tested: could not connect (")
    assert err.endswith(f"); {NETWORK}\n")


def test_an_unknown_host(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not called a network that is down."""
    url = "https://nowhere.invalid"
    what = "the host's name could not be resolved; check --base-url, and whether this machine can look up names"
    assert asked(url, capsys) == untested(url, what)


def test_an_untrusted_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    """The key does not travel."""
    with Server(tls=issued(trustme.CA())) as api:
        code, out, err = asked(api.url, capsys)
        assert (code, out, api.calls) == (3, "", [])
    words = f"interakt-loader: {api.url}: the key could not be tested: the server's certificate cannot be trusted ("
    assert err.startswith(words)
    assert err.endswith("name its CA file in REQUESTS_CA_BUNDLE\n")


def test_no_tls_where_it_is_expected(capsys: pytest.CaptureFixture[str]) -> None:
    """The address is the likely mistake."""
    with server(saying(http(400, "")), ends_with=b"") as url:
        code, out, err = asked(url.replace("http://", "https://"), capsys)
    assert (code, out) == (3, "")
    assert "the server does not speak TLS there: check whether the address begins with http:// " in err


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, without its address and password."""
    with Proxy(password="cmlnaHQ6cGFzc3dvcmQ=") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{proxy.port}")
        url = "https://api.example"
        assert asked(url, capsys) == untested(url, "the proxy could not be used; check HTTPS_PROXY and its password")


def test_a_proxy_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting, like the key: exit 2."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@host:1:2")
    code, out, err = asked("https://api.example", capsys)
    assert (code, out) == (2, "")
    assert err.startswith("interakt-loader: HTTPS_PROXY: ")
    assert "s3cret" not in err


def test_through_a_proxy_and_tls(api: FarApi, tmp_path: Path) -> None:
    """As a company's machine reaches the API."""
    done = run_without_terminal(api, tmp_path, "key")
    assert done == (0, f"{api.url} accepts the key: 0 contacts in the account\n", "")


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such signal")
def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """While it waits for the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = ["key", "--base-url", f"http://127.0.0.1:{listening.getsockname()[1]}", "--timeout", "600"]
        with subprocess.Popen(
            [sys.executable, "-m", "interakt_loader", *command],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": HOME},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            with listening.accept()[0] as accepted:
                assert accepted.recv(4096)
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 130
            assert process.stdout is not None
            assert process.stdout.read().strip() == b""


def test_an_answer_that_drips_is_not_waited_for() -> None:
    """A line now and then keeps each wait short. The whole call ends within the timeout and a second."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with suppress(OSError), listening.accept()[0] as accepted:
                accepted.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.1):
                    accepted.sendall(b"X-More: to come\r\n")

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        trial = try_key(Settings.resolve({"api_key": SECRET_KEY, "base_url": url, "timeout": 0.5}))
        took = time.monotonic() - began
        over.set()
        dripping.join()
    assert (trial.works, trial.answer.code) == (False, "timeout")
    assert took < 0.5 + GRACE + 5
    assert trial.text.startswith(f"{url}: the key could not be tested: no answer came within the timeout; try again")
