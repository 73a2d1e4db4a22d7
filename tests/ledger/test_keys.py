"""The digests: another destination, another call, another digest."""

from __future__ import annotations

import base64

from interakt_loader.ledger.keys import Keys

HERE = Keys("https://api.interakt.ai", "secret")


def test_one_destination_however_it_is_written() -> None:
    """A trailing slash, a capital, and any form of the same key make no other destination."""
    secret_key = base64.b64encode(b"secret:").decode()
    for same in (
        Keys("https://api.interakt.ai/", "secret"),
        Keys("https://API.interakt.ai", secret_key),
        Keys("https://api.interakt.ai", f"Basic {secret_key}"),
    ):
        assert same.user("C-17") == HERE.user("C-17")


def test_another_account_or_address_shares_no_digest() -> None:
    """So a ledger of another destination is never applied."""
    for other in (Keys("https://api.interakt.ai", "other"), Keys("http://127.0.0.1:8077", "secret")):
        assert other.user("C-17") != HERE.user("C-17")
        assert other.event(b"{}") != HERE.event(b"{}")


def test_kinds_are_kept_apart() -> None:
    """The same bytes as a user, a body, an event, an event id: four digests."""
    said = {HERE.user("x"), HERE.body(b"x"), HERE.event(b"x"), HERE.event_id("x"), HERE.repeated_event(b"x", 2)}
    assert len(said) == 5
    assert all(len(one) == 16 for one in said)


def test_no_key_in_the_repr() -> None:
    """The digests' key is made from the API key."""
    assert repr(HERE) == "<Keys>"
