"""The digests: another destination, another call, another digest."""

from __future__ import annotations

from interakt_loader.ledger.digests import EVENT, PERSON, Keys

HERE = Keys(bytes(range(32)))


def test_another_secret_shares_no_digest() -> None:
    """So nothing that was sent to one account or address ever counts at another."""
    other = Keys(bytes(32))
    assert other.user("C-17") != HERE.user("C-17")
    assert other.event(b"{}") != HERE.event(b"{}")


def test_kinds_are_kept_apart() -> None:
    """The same bytes as a user, a body, an event, an event id: four digests."""
    said = {HERE.user("x"), HERE.body(b"x"), HERE.event(b"x"), HERE.event_id("x", "x"), HERE.repeated_event(b"x", 2)}
    assert len(said) == 5
    assert all(len(one) == 16 for one in said)


def test_an_event_is_known_by_its_name_and_its_id() -> None:
    """The same id of another name is another event, and where the name ends counts."""
    assert len({HERE.event_id(*one) for one in (("Paid", "17"), ("Placed", "17"), ("Paid1", "7"), ("Paid", "18"))}) == 4


def test_the_state_of_an_event_with_an_id_is_who_and_what() -> None:
    """Half of it is the person, and half what the event says."""
    state = HERE.event_state("C-17", b"{}")
    assert len(state) == 16
    assert HERE.event_state("C-17", b"[]")[:PERSON] == state[:PERSON] != HERE.event_state("C-18", b"{}")[:PERSON]
    assert HERE.event_state("C-18", b"{}")[PERSON:] == state[PERSON:] != HERE.event_state("C-17", b"[]")[PERSON:]


def test_no_secret_in_the_repr() -> None:
    """By the secret, who has the ledger can try phones out."""
    assert repr(HERE) == "<Keys>"


def test_digests_are_those_of_earlier_versions() -> None:
    """A ledger outlives an upgrade: were one of them another, everything would be sent again, events too."""
    digests = {
        HERE.user("C-17"): "3a90e6d57f18bad186a5717c8e4e9c30",
        HERE.body(b"{}"): "07904cd88c77d02f4b6a219a0ecc6683",
        HERE.chain(b"a" * 16, b"b" * 16): "85571b9033b2588f189c8d284787dcbf",
        HERE.event(b"{}"): "d6dad942b64dc92a44cade2445211867",
        HERE.repeated_event(b"e" * 16, 2): "bd073737e78e0dd352524f42e2f1dd70",
        HERE.event_id("Order Placed", "7"): "e4dafad4248f89a04450b63ce4222634",
        HERE.event_state("C-17", b"{}"): "b92ba6dbec49525944cade2445211867",
        HERE.topic("inputs"): "0cd9fc986f31b295adc44e0bbbf51d17",
        HERE.name("monday.csv"): "c4d4d83b742ef1a803cf78455f515a98",
    }
    assert [found.hex() for found in digests] == list(digests.values())
    assert EVENT.hex() == "01"
