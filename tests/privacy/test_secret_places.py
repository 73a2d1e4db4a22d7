"""A secret in an environment variable or in a file, which is read where it is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secret_places import SecretPlace, read_secret, secret_place
from interakt_loader.privacy.secrets import hidden
from interakt_loader.settings import Settings


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({"env": "A_KEY"}, SecretPlace("env", "A_KEY")),
        ({"file": "/run/key"}, SecretPlace("file", "/run/key")),
        ({"file": Path("key")}, SecretPlace("file", "key")),
        ({"env": ""}, None),
        ({"env": "A", "file": "b"}, None),
        ({"vault": "a"}, None),
        ({"env": 3}, None),
        ("env:A", None),
        (None, None),
    ],
)
def test_what_is_a_place(written: Any, place: SecretPlace | None) -> None:
    """A dict with one of two words. A place may already be hidden as a secret is."""
    assert secret_place(written) == place
    assert secret_place(hidden(written)) == place


def test_a_secret_is_read_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks around it do not count."""
    monkeypatch.setenv("A_KEY", " c2VjcmV0 \n")
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text("c2VjcmV0\n", encoding="utf-8")
    for place in (SecretPlace("env", "A_KEY"), SecretPlace("file", str(path))):
        assert read_secret(place).reveal() == "c2VjcmV0"


def test_a_secret_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the place, unless that looks like the secret itself."""
    monkeypatch.setenv("BLANK", " ")
    for place, said in [
        (SecretPlace("env", "BLANK"), "the environment variable BLANK is not set"),
        (SecretPlace("env", "bTRrZXk6"), "the environment variable is not set"),
        (SecretPlace("env", "\ud800"), "the environment variable is not set"),
        (SecretPlace("file", "a\0b"), r"file 'a\x00b': is no path"),
        (SecretPlace("file", "\ud800"), r"file '\ud800': is no path"),
        (SecretPlace("file", str(tmp_path / "none")), f"file {tmp_path / 'none'}: cannot be read: No such file"),
    ]:
        with pytest.raises(SettingsError) as refused:
            read_secret(place)
        assert str(refused.value).startswith(said)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """As with `--api-key-file`."""
    path = tmp_path / "key"
    path.write_text("c2VjcmV0", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="others may use it"):
        read_secret(SecretPlace("file", str(path)))


def test_an_option_takes_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """`api_key`, `old_api_key` and `share` do, in every load."""
    monkeypatch.setenv("A_KEY", "c2VjcmV0")
    monkeypatch.setenv("A_SHARE", "redis://:pass@host")
    settings = Settings(api_key={"env": "A_KEY"}, share={"env": "A_SHARE"}, rate_limit="9/s")
    assert settings.require_key().reveal() == "c2VjcmV0"
    assert settings.share is not None
    assert (settings.share.reveal(), str(settings.share)) == ("redis://:pass@host", "redis://host")
    with pytest.raises(SettingsError, match=r"^api_key cannot be read: the environment variable NOT_SET is not set$"):
        Settings(api_key={"env": "NOT_SET"})
    with pytest.raises(SettingsError, match=r"^api_key has the type dict; expected text, \{env: NAME\} or"):
        Settings(api_key={"secret": "NOT_SET"})


@pytest.mark.parametrize("written", ["c2VjcmV0", "one\nredis://c2VjcmV0", "redis://host\udce9", {"url": "c2VjcmV0"}])
def test_what_is_no_address_of_a_shared_limit_is_not_shown(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the key, given by mistake, or the place of the key."""
    monkeypatch.setattr(os, "environ", {"A_SHARE": written})
    for share in (written, {"env": "A_SHARE"} if isinstance(written, str) else written):
        with pytest.raises(SettingsError, match=r"^share .*; expected sqlite:///PATH") as refused:
            Settings(share=share, rate_limit="9/s")
        assert "c2VjcmV0" not in str(refused.value)
