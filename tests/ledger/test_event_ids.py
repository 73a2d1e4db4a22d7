"""Events with ids of their own, and rows that go with another row's call: over the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import Mapping, MappingDict, check, load_events, load_users
from interakt_loader.errors import MappingError, SettingsError
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox

PLACED: MappingDict = {"user_id": "user", "event": {"value": "Order Placed"}, "event_id": "order", "traits": ["amount"]}
USERS: MappingDict = {"user_id": "user", "traits": ["city", "tier"]}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def to(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None, "progress": False, **more}


def orders(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user", "order", "amount"], dtype=object)


def lines(result: LoadResult) -> list[tuple[str, str | None]]:
    return [(one["status"], one["code"]) for one in result.to_arrow().sort_by("row").to_pylist()]


def test_two_shops_with_the_same_order_numbers_and_one_ledger(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second shop's events are other people's: refused, each named, and the first shop's people are not."""
    options = to(sandbox, ledger=tmp_path / "l")
    load_events(orders(("asha", "1001", 5), ("bob", "1002", 6)), PLACED, **options)
    second = load_events(orders(("cay", "1001", 7), ("bob", "1002", 6)), PLACED, **options)
    assert lines(second) == [("invalid", "event_id_conflict"), ("unchanged", None)]
    row = second.to_arrow().to_pylist()[0]
    assert (row["column"], row["message"]) == (
        "order",
        "order: '1001' is on record as the id of this event for another person",
    )
    assert second.exit_code == 1
    resent = load_events(orders(("cay", "1001", 7), ("bob", "1002", 6)), PLACED, **options, resend=True)
    assert lines(resent) == [("invalid", "event_id_conflict"), ("sent", None)]
    assert sorted(str(event.user_id) for event in sandbox.events()) == ["asha", "bob", "bob"]


def test_one_id_of_two_names_is_two_events(sandbox: Sandbox, tmp_path: Path) -> None:
    """`Order Placed` 1001 and `Order Paid` 1001: both go out, from a column of names and from two mappings."""
    both = orders(("asha", "1001", 5), ("bob", "1001", 5)).assign(name=["Order Placed", "Order Paid"])
    assert load_events(both, PLACED | {"event": "name"}, **to(sandbox, ledger=tmp_path / "l")).sent == 2
    options = to(sandbox, ledger=tmp_path / "m")
    for name in ("Order Placed", "Order Paid"):
        mapping: MappingDict = PLACED | {"event": {"value": name}}
        assert load_events(orders(("asha", "7", 5)), mapping, name=name, **options).sent == 1


def test_more_traits_do_no_harm_where_there_are_ids(sandbox: Sandbox, tmp_path: Path) -> None:
    """A trait is added to the mapping: no event goes out again, and each line says why it is not changed."""
    options = to(sandbox, ledger=tmp_path / "l")
    load_events(orders(("asha", "1", 5)), PLACED | {"traits": []}, **options)
    again = load_events(orders(("asha", "1", 5)), PLACED, **options)
    assert lines(again) == [("unchanged", "event_content_differs")]
    assert again.exit_code == 0
    assert len(sandbox.events()) == 1


def test_a_repeat_ends_as_the_row_that_carries_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """The call is refused: both rows are, and both are among the failures; loaded again they are one event."""
    options = to(sandbox, ledger=tmp_path / "l")
    sandbox.force_for("asha", ["400"])
    first = load_events(orders(("asha", "1", 5), ("bob", "2", 5), ("asha", "1", 5)), PLACED, **options)
    assert [status for status, _ in lines(first)] == ["rejected", "sent", "rejected"]
    assert first.to_arrow().sort_by("row").to_pylist()[2]["message"].startswith("row 0 carries it: ")
    assert first.attempts == 2
    second = load_events(first.failures(), PLACED, **options)
    assert lines(second) == [("sent", None), ("merged", "event_id_repeated")]
    assert len(sandbox.events()) == 2


def test_a_row_that_has_no_call_stands_for_no_other(sandbox: Sandbox) -> None:
    """The first row with the id names nobody: the second is sent, without a ledger too."""
    result = load_events(orders((None, "1", 5), ("asha", "1", 5), ("asha", "1", 5)), PLACED, **to(sandbox))
    assert lines(result) == [("invalid", "identity_missing"), ("sent", None), ("merged", "event_id_repeated")]


def test_an_event_in_doubt_is_the_same_event_whatever_its_row_says_now(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is sent again and marked, or left alone with `on_unknown="skip"`; for another person it is refused."""
    options = to(sandbox, ledger=tmp_path / "l")
    sandbox.force_for("asha", ["cut"])
    assert load_events(orders(("asha", "1", 5)), PLACED, **options, max_retries=0).unknown == 1
    assert lines(load_events(orders(("bob", "1", 5)), PLACED, **options)) == [("invalid", "event_id_conflict")]
    changed = orders(("asha", "1", 6), ("asha", "1", 6))
    for load in (check, load_events):
        skipped = load(changed, PLACED, **options, on_unknown="skip")
        assert lines(skipped) == [("unknown", "in_doubt"), ("unknown", "in_doubt")]
    sent = load_events(changed, PLACED, **options)
    assert lines(sent) == [("sent", None), ("merged", "event_id_repeated")]
    assert sent.to_pandas()["maybe_duplicate"].tolist() == [True, False]


# ------------------------------------------------------------------ in the mapping


def test_the_field_is_written_as_others_are(sandbox: Sandbox, tmp_path: Path) -> None:
    """A column's name, a dict, a file of each form, or a flag: kept by `as_dict`; no trait with `"*"`."""
    mapping: MappingDict = PLACED | {"traits": "*"}
    assert Mapping.of(mapping).as_dict()["event_id"] == "order"
    assert Mapping.of(PLACED | {"event_id": {"column": "order"}}) == Mapping.of(PLACED)
    path = tmp_path / "orders.yaml"
    path.write_text('user_id: user\nevent: {value: Order Placed}\nevent_id: order\ntraits: "*"\n')
    for written in (mapping, path):
        load_events(orders(("asha", "1", 5)), written, **to(sandbox))
    assert [event.traits for event in sandbox.events()] == [{"amount": 5}, {"amount": 5}]


def test_the_option_overrides_the_field_and_changes_nothing_of_what_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """By invoice the rows are two events; the invoice is a trait as before, and the order is none."""
    rows = orders(("asha", "1", 5), ("asha", "1", 5)).assign(invoice=["a", "b"])
    mapping: MappingDict = PLACED | {"traits": "*"}
    assert load_events(rows, mapping, **to(sandbox)).invalid == 1
    assert load_events(rows, mapping, **to(sandbox, ledger=tmp_path / "l", event_id="invoice")).sent == 2
    assert [event.traits for event in sandbox.events()][1:] == [
        {"amount": 5, "invoice": "a"},
        {"amount": 5, "invoice": "b"},
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (PLACED | {"event_id": {"value": "1"}}, "event_id: a constant would make all rows one event"),
        (PLACED | {"event_id": "ordr"}, "no such column: 'ordr'; did you mean 'order'"),
        (PLACED | {"event_id": ["order", "user"]}, "event_id: .* is not a field"),
        ({"user_id": "user", "event_id": "order"}, "event_id is for events"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_in_one_line(mapping: MappingDict, said: str) -> None:
    """Before any call."""
    load = load_events if "event" in mapping else load_users
    with pytest.raises((MappingError, SettingsError), match=said) as caught:
        load(orders(("asha", "1", 5)), mapping, api_key="k")
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ rows of one user


def test_with_a_ledger_there_are_as_many_calls_as_changed_users(sandbox: Sandbox, tmp_path: Path) -> None:
    """However small the bound and however fast the load; the dry run and the line before the load say the number."""
    rows = pd.DataFrame({"user": [f"u{n % 50}" for n in range(1000)], "city": range(1000), "tier": 1})
    options = to(sandbox, ledger=tmp_path / "l", coalesce=True, max_queue_size=10)
    assert check(rows, USERS, **options).unsent == 50
    first = load_users(rows, USERS, **options)
    assert (first.sent, first.attempts, first.merged) == (50, 50, 950)
    rows.loc[990:, "tier"] = 2
    dry, second = check(rows, USERS, **options), load_users(rows, USERS, **options)
    assert dry.forecast is not None
    assert "; 10 calls" in dry.forecast
    assert (second.sent, second.attempts, second.rows) == (10, 10, 1000)
    assert {user.traits["city"] for user in sandbox.users()} == set(range(950, 1000))


def test_folded_rows_end_as_the_call_that_carries_them(sandbox: Sandbox, tmp_path: Path) -> None:
    """Refused, with a ledger and without one: all rows of the user are failures, and those alone set it right."""
    rows = pd.DataFrame({"user": ["a", "b", "a"], "city": ["Pune", "Goa", None], "tier": [None, None, 2]})
    for ledger in (tmp_path / "l", None):
        sandbox.reset()
        sandbox.force_for("a", ["400", "400"])
        first = load_users(rows, USERS, **to(sandbox, ledger=ledger, coalesce=True))
        assert [status for status, _ in lines(first)] == ["rejected", "sent", "rejected"]
        sandbox.reset()
        load_users(first.failures(), USERS, **to(sandbox, ledger=ledger, coalesce=True))
        (user,) = sandbox.users()
        assert user.traits == {"city": "Pune", "tier": 2}


def test_without_a_ledger_a_dry_run_says_at_most() -> None:
    """How many rows are folded depends on how fast the load goes."""
    rows = pd.DataFrame({"user": ["a", "a"], "city": ["Pune", "Goa"], "tier": [1, 2]})
    assert str(check(rows, USERS, coalesce=True).forecast).startswith("2 rows; at most 2 calls")
    assert str(check(rows, USERS).forecast).startswith("2 rows; 2 calls")
