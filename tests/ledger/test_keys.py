"""The digests: another destination, another call, another digest."""

from __future__ import annotations

import base64

from interakt_loader.ledger.decide import EVENT
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


def test_digests_are_those_of_earlier_versions() -> None:
    """A ledger outlives an upgrade: were one of them another, everything would be sent again, events too."""
    digests = {
        HERE.user("C-17"): "671b0f5607abb487dcb8a7a39a1b79f0",
        HERE.body(b"{}"): "701f8f8f42c241d18be9645dcaa08b57",
        HERE.chain(b"a" * 16, b"b" * 16): "1edf120b8032bf386b90c3e1ae3ecacc",
        HERE.event(b"{}"): "35ce42f23e10ae4cc68cebe13a671544",
        HERE.repeated_event(b"e" * 16, 2): "953e7d6df60009ee5505971c2135291c",
        HERE.event_id("7"): "3795c0f50a1e6d528e2b4a58027af4fe",
        HERE.input("event", "monday.csv")[0]: "9cfb1c37cb60659e5ae130cbc9d5ea5a",
        HERE.input("event", "monday.csv")[1]: "75d663b6e679f8b9d6994a467cf74f34",
    }
    assert [found.hex() for found in digests] == list(digests.values())
    assert EVENT.hex() == "01"
