"""A proxy's address that cannot be used gives one line that does not repeat it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import load_users
from interakt_loader.errors import SettingsError
from interakt_loader.track import Client
from interakt_loader.transport.pool import read_environment

ROOT = str(Path(__file__).resolve().parents[2])
FRAME = pd.DataFrame({"id": ["u1"]})

BAD = [
    "nonsense",
    "proxy:3128",
    "http//proxy:3128",
    "http:/proxy:3128",
    "http://",
    "http://:3128",
    ":3128",
    "://x",
    "http:///proxy",
    "http://host:notaport",
    "http://host:99999",
    "http://host:0",
    "http://host:-1",
    "127.0.0.1:8x",
    "http://[::1",
    "http://[zz]:1",
    "http://::1]:1",
    "http://a b:3128",
    " http://proxy:3128 ",
    "http://\n:1",
    '"http://proxy:3128"',
    "http://*:3128",
    "http://pro..xy:1",
    "http://" + "a" * 70 + ":1",
    "\u202ehttp://x:1",
    "ftp://proxy:21",
    "htpp://me:s3cret@proxy:3128",
    "http://me:s3cret@",
    "me:s3cret@proxy:3128",
    "http://me:s3cret@@:1",
    "http://me:s3cret@host:1:2",
    "http://me:s3#cret@127.0.0.1:1",
    "http://me:s3/cret@127.0.0.1:1",
    "http://me:s3?cret@127.0.0.1:1",
]
GOOD = [
    "http://proxy.example:3128",
    "HTTP://Proxy:1/",
    "https://[::1]:3128",
    "127.0.0.1:8080",
    "http://прокси:1",
    "http://my_proxy",
    "http://me:s3%40cret@proxy:1",
    "",
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("address", BAD)
@pytest.mark.parametrize(
    ("variable", "scheme"),
    [
        ("HTTPS_PROXY", "https"),
        ("https_proxy", "https"),
        ("ALL_PROXY", "https"),
        ("all_proxy", "https"),
        ("http_proxy", "http"),
    ],
)
def test_a_malformed_proxy_address_is_one_line(
    address: str, variable: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable and what was expected. It shows no part of the address, which may contain a password."""
    monkeypatch.setenv(variable, address)
    with pytest.raises(SettingsError) as raised:
        read_environment(f"{scheme}://localhost:9")
    said = str(raised.value)
    assert said.startswith(f"{variable}: this proxy's address ")
    assert "expected an address such as http://proxy.example:3128" in said
    assert ("%40 for @" in said) is ("@" in address)
    assert "\n" not in said
    assert said.isprintable()
    for secret in ("s3", "cret", "me:"):
        assert secret not in said


@pytest.mark.parametrize("address", GOOD)
def test_what_is_an_address_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `requests`."""
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert read_environment("https://localhost:9").proxies.get("https", "") == address


def test_a_proxy_that_is_not_for_this_address_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY names the host, or the proxy is for another scheme."""
    monkeypatch.setenv("HTTPS_PROXY", "http://host:notaport")
    read_environment("http://localhost:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    read_environment("https://localhost:9")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a"])
def test_socks_without_its_package_says_which(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, for pip."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:s3cret@127.0.0.1:1080")
    with pytest.raises(SettingsError) as raised:
        read_environment("https://localhost:9")
    assert str(raised.value) == (
        "HTTPS_PROXY: this proxy speaks SOCKS, which needs another package: pip install pysocks"
    )


def test_a_load_is_refused_before_it_touches_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither report nor ledger exists. It does not matter for a dry run, which makes no calls."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@host:1:2")
    paths = {"report": tmp_path / "out.csv", "ledger": tmp_path / "a.ledger"}
    options = {"api_key": "a-key-of-ours", "base_url": "https://localhost:9"}
    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY: "):
        load_users(FRAME, {"user_id": "id"}, **paths, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    assert load_users(FRAME, {"user_id": "id"}, dry_run=True).unsent == 1


def test_track_raises_it_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background and in `sync_mode`, at each call."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@host:1:2")
    for sync_mode in (False, True):
        client = Client("a-key-of-ours", "https://localhost:9", sync_mode=sync_mode)
        for _ in range(2):
            with pytest.raises(SettingsError, match=r"^HTTPS_PROXY: "):
                client.user(user_id="u1")
        client.join()


@pytest.mark.parametrize(
    "address", ["http://me:s3cret@host:notaport", "nonsense", "socks5://127.0.0.1:1", "http://[::1"]
)
def test_the_command_line_ends_with_2_and_one_line(address: str, tmp_path: Path) -> None:
    """No traceback, no password, nothing written."""
    (tmp_path / "users.csv").write_text("id\nu1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "interakt_loader", "users.csv", "--map", "user_id=id"],
        cwd=tmp_path,
        env={
            **{name: one for name, one in os.environ.items() if not name.lower().endswith("_proxy")},
            "INTERAKT_API_KEY": "a-key-of-ours",
            "HTTPS_PROXY": address,
            "PYTHONPATH": ROOT,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("interakt-loader: HTTPS_PROXY: this proxy")
    assert "s3cret" not in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["users.csv"]
