"""The key goes to one address: over TLS, or to this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from interakt_loader.cli.commands import load
from interakt_loader.errors import SettingsError
from interakt_loader.model import Message
from interakt_loader.settings import Settings
from interakt_loader.settings.values import hidden_share, shown_share
from interakt_loader.transport import HttpTransport
from tests.privacy.marked import PLAIN, SECRET_KEY, forms_in
from tests.transport.servers import Proxy, Server


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example/127.0.0.1",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:80@evil.example",
        "http://localhost@evil.example",
        "http://@evil.example",
        "http://evil.example@127.0.0.1",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1\\.evil.example",
        "http://127.0.0.1#@evil.example",
        "http://127.0.0.1?@evil.example",
        "http://127.0.0.1\t.evil.example",
        "http://127.0.0.1\n@evil.example",
        "http:// 127.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://127.1",
        "http://localhost.",
        "http://ⓛocalhost",
        "http://10.0.0.1",
        "http://192.168.1.1:8077",
        "http://[fe80::1]",
        "HTTP://EVIL.EXAMPLE",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "127.0.0.1:8077",
    ],
)
def test_an_address_that_only_looks_local_is_refused(url: str) -> None:
    """Names and numbers that mean, or that some reader takes for, another host: plain `http://` is not for them."""
    with pytest.raises(SettingsError, match="base_url"):
        Settings(base_url=url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8077", "http://LOCALHOST", "http://127.0.0.1", "http://127.8.8.8:1", "http://[::1]:8077"]
)
def test_an_address_of_this_machine(url: str) -> None:
    """Loopback, by name or number."""
    assert Settings(base_url=url).is_local


@pytest.mark.parametrize(
    "url",
    [
        "https://u:{}@api.example",
        "ftp://u:{}@host",
        "https:\\\\u:{}@host",
        "https://u:{}@[",
        "https://api.example?k={}",
    ],
)
def test_a_password_in_an_address_is_not_repeated(url: str) -> None:
    """The address is refused, and the message does not say it."""
    with pytest.raises(SettingsError, match="base_url") as caught:
        Settings(base_url=url.format(PLAIN))
    assert forms_in(str(caught.value)) == []


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        ("redis://:pass@cache:6379/0", "redis://cache:6379/0"),
        ("rediss://user:p/a@ss@cache/0", "rediss://cache/0"),
        ("redis://cache/0?password=pass", "redis://cache/0?…"),
        ("sqlite:////var/a@b/rate.sqlite", "sqlite:////var/a@b/rate.sqlite"),
    ],
)
def test_a_share_is_shown_without_its_password(share: str, shown: str) -> None:
    """Wherever Redis takes one."""
    assert shown_share(share) == shown
    assert str(hidden_share(share)) == shown


def test_no_option_turns_the_check_of_certificates_off() -> None:
    """Neither a flag nor an option is called so."""
    flags = " ".join(name for one in load.params for name in one.opts)
    for word in ("verify", "insecure", "tls", "ssl", "cert"):
        assert word not in flags + " ".join(Settings.__dataclass_fields__)


def test_a_proxy_elsewhere_never_sees_a_plain_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HTTP_PROXY names another machine: a call to this one goes straight there, as the key would pass in clear. A proxy
    on this machine may pass it on."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Server() as server, Proxy() as proxy:
        for where, heard in (("http://proxy.invalid:3128", server), (f"http://127.0.0.1:{proxy.port}", proxy)):
            monkeypatch.setenv("http_proxy", where)
            transport = HttpTransport(server.url, SECRET_KEY, timeout=5, connections=1)
            assert transport.send(Message(0, "user", "u1", b"{}")).accepted
            transport.close()
            assert len(heard.calls) == 1
            assert heard.calls[0].header("Authorization") == f"Basic {SECRET_KEY}"
