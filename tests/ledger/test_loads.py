"""What a ledger remembers of loads: noted when a load begins, taken back if none of its calls was accepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from interakt_loader.errors import UsageError
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.loads import Loads, ThisLoad, begins_alike, known_row
from interakt_loader.mapping import CreatedNames
from interakt_loader.settings import Settings

SETTINGS = Settings(api_key="key")
LOAD = ThisLoad(
    ("orders",), False, {"user_id": ["id"], "created_at": ["at"]}, {}, (("/exports\norders",),), "/exports/orders.csv"
)


@pytest.fixture
def loads(tmp_path: Path) -> Iterator[Loads]:
    with Ledger(tmp_path / "l", "event", SETTINGS) as ledger:
        yield ledger.loads


def begun(loads: Loads, load: ThisLoad) -> None:
    loads.check(load, "l")
    created = CreatedNames()
    created.add("events", ["Paid"])
    loads.begin(created)


def rows(text: str, unsent: str = "") -> bytes:
    return b"".join(known_row(one.encode() * 8, sent=one not in unsent) for one in text)


def test_a_load_that_does_not_begin_leaves_no_trace(loads: Loads) -> None:
    """It was refused, or declined: the next one is the first still."""
    loads.check(LOAD, "l")
    assert loads.is_first
    loads.check(replace(LOAD, shape={"user_id": ["no"]}), "l")


def test_a_load_of_which_nothing_was_accepted_leaves_no_trace(loads: Loads) -> None:
    """What was noted before it is there again."""
    begun(loads, LOAD)
    loads.take_back()
    assert loads.is_first
    assert not loads.known("events")("Paid")
    begun(loads, replace(LOAD, shape={"user_id": ["no"]}))


def test_known_names_are_read_once(loads: Loads) -> None:
    """What tells them does not read the ledger again for each name."""
    before = loads.known("events")
    begun(loads, LOAD)
    after = loads.known("events")
    assert (before("Paid"), after("Paid"), after("paid")) == (False, True, False)


def test_taking_back_puts_back_what_was_there(tmp_path: Path) -> None:
    """Of a second load, which renews the shape."""
    other = replace(LOAD, shape={"user_id": ["no"]}, renews=True)
    for load, kept in ((LOAD, True), (other, False)):
        with Ledger(tmp_path / "l", "event", SETTINGS) as ledger:
            begun(ledger.loads, load)
            if not kept:
                ledger.loads.take_back()
    with Ledger(tmp_path / "l", "event", SETTINGS) as ledger:
        ledger.loads.check(LOAD, "l")
        with pytest.raises(UsageError, match="user_id: id → no"):
            ledger.loads.check(replace(other, renews=False), "l")


def test_the_mapping_is_known_by_every_name_of_a_load(loads: Loads) -> None:
    """One that is no longer given does not hide what was changed; one that is given makes another load of it."""
    begun(loads, replace(LOAD, names=("shop", "orders"), is_named=True))
    with pytest.raises(UsageError):
        loads.check(replace(LOAD, shape={"user_id": ["id"]}), "l")
    loads.check(replace(LOAD, names=("refunds", "orders"), is_named=True, shape={"user_id": ["no"]}), "l")


def test_a_second_load_of_a_source_leaves_the_first_alone(loads: Loads) -> None:
    """It has a name of its own, and another event; the first has none. Their mappings do not mix."""
    refunds = replace(LOAD, names=("refunds", "orders"), is_named=True, shape={"user_id": ["no"]})
    for load in (LOAD, refunds, LOAD, refunds):
        begun(loads, load)


def test_a_name_given_and_then_forgotten_does_not_hide_what_was_changed(loads: Loads) -> None:
    """Also where the load had no name at first, and where the change came with the name."""
    named = replace(LOAD, names=("shop", "orders"), is_named=True)
    changed = replace(named, shape={"user_id": ["no"]}, renews=True)
    for before in ([LOAD, named], [LOAD]):
        for load in (*before, changed):
            begun(loads, load)
        with pytest.raises(UsageError, match="user_id: no → id"):
            loads.check(LOAD, "l")
        begun(loads, replace(LOAD, renews=True))


def test_users_and_events_are_two_things(tmp_path: Path) -> None:
    """So are two addresses."""
    with Ledger(tmp_path / "l", "event", SETTINGS) as ledger:
        begun(ledger.loads, LOAD)
    with Ledger(tmp_path / "l", "user", SETTINGS) as ledger:
        assert ledger.loads.is_first
    with Ledger(tmp_path / "l", "event", Settings(api_key="key", base_url="http://127.0.0.1:1")) as ledger:
        assert ledger.loads.is_first


def test_failures_are_of_the_last_input_of_their_name(loads: Loads) -> None:
    """Whatever they begin with, and wherever they lie."""
    begun(loads, replace(LOAD, beginning=rows("abc")))
    first = loads.salt
    begun(loads, replace(LOAD, beginning=rows("xyz"), renews=True))
    second = loads.salt
    assert first != second
    loads.check(
        replace(LOAD, sources=(("/elsewhere\norders",),), place="f", is_failures=True, beginning=rows("c")), "l"
    )
    assert loads.salt == second
    loads.check(replace(LOAD, beginning=rows("abcd")), "l")
    assert loads.salt == first


@pytest.mark.parametrize(
    ("before", "now", "alike"),
    [
        (rows("abc"), rows("abc"), True),
        (rows("abc"), rows("abcd"), True),
        (rows("abc"), rows("ab"), False),
        (rows("abc"), rows("xabc"), False),
        (rows("abc"), rows("abx"), False),
        (rows("abc", unsent="b"), rows("axc"), True),
        (rows("abc", unsent="b"), rows("abc", unsent="b"), True),
        (rows("abc"), rows("axc", unsent="x"), False),
        (rows("ab", unsent="ab"), rows("xy"), False),
        (b"", rows("a"), False),
    ],
)
def test_whether_an_input_has_only_grown(before: bytes, now: bytes, alike: bool) -> None:
    """Rows were added behind the others, or such corrected as could not be sent."""
    assert begins_alike(before, now) is alike
