"""The shape of a mapping: what has to be the same for the same rows to make the same calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli.options import written_mapping
from interakt_loader.ledger.digests import Keys
from interakt_loader.ledger.loads import Shape, changes, shape_of, shown
from interakt_loader.mapping import Mapping, read_mapping
from interakt_loader.model import Kind
from interakt_loader.settings import Settings

COLUMNS = ["id", "mobile", "cc", "at", "paid", "amount", "city", "no"]
EVENTS: dict[str, Any] = {"user_id": "id", "event": {"value": "Paid"}, "created_at": "at", "traits": ["amount", "city"]}
NAMED: dict[str, Any] = {"user_id": "id", "event": "paid"}
KEYS = Keys(bytes(32))


def shape(mapping: Any, kind: Kind = "event", columns: list[str] = COLUMNS, **settings: Any) -> Shape:
    return shape_of(read_mapping(mapping), kind, Settings(ledger="l", **settings), columns, KEYS.name)


def changed(before: Shape, now: Shape, kind: Kind = "event") -> list[str]:
    return changes(before, now, kind)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EVENTS, EVENTS | {"traits": ["city", "amount"]}),
        (EVENTS, EVENTS | {"traits": {"amount": "amount", "city": {"column": "city", "type": "auto"}}}),
        (EVENTS, EVENTS | {"created_at": {"column": "at", "type": "datetime"}}),
        (EVENTS, EVENTS | {"user_id": {"column": "id"}, "event": {"value": "Paid", "type": "string"}}),
        (NAMED | {"traits": "*"}, NAMED | {"traits": [*COLUMNS[1:4], *COLUMNS[5:]]}),
        ({"phone": "mobile"}, {"phone": "mobile", "country_code": {"value": "+91"}}),
        ({"phone": "mobile", "country_code": {"value": "India"}}, {"phone": ["mobile"], "country_code": {"value": 91}}),
        ({"user_id": "id", "tags": "city"}, {"user_id": "id", "tags": {"column": "city", "separator": ","}}),
    ],
)
def test_a_mapping_has_one_shape_however_it_is_written(one: Any, other: Any) -> None:
    """The order of traits, the long form, a type that is meant anyway, a constant that is the default."""
    assert shape(one) == shape(other)


def test_a_mapping_has_one_shape_wherever_it_is_written(tmp_path: Path) -> None:
    """YAML, JSON, TOML, a dict, and flags."""
    (tmp_path / "m.yaml").write_text(
        "traits: [amount, {column: city}]\nevent: {value: Paid}\n# a remark\ncreated_at: at\nuser_id: id\n"
    )
    (tmp_path / "m.json").write_text(
        '{"user_id": "id", "event": {"value": "Paid"}, "created_at": "at", "traits": ["amount", "city"]}'
    )
    (tmp_path / "m.toml").write_text(
        'user_id = "id"\ncreated_at = "at"\ntraits = ["city", "amount"]\n[event]\nvalue = "Paid"\n'
    )
    flags = written_mapping(None, ("user_id=id", "created_at=at"), ("amount=amount", "city=city"), "Paid")
    shapes = [shape(one) for one in (EVENTS, *(tmp_path / f"m.{form}" for form in ("yaml", "json", "toml")), flags)]
    assert all(one == shapes[0] for one in shapes)


def test_constants_are_kept_as_digests_of_one_destination() -> None:
    """Nobody reads them out of a ledger, and those of two accounts cannot be compared."""
    assert "Paid" not in str(shape(EVENTS))
    other = Keys(bytes(range(32)))
    assert shape_of(Mapping.of(EVENTS), "event", Settings(), COLUMNS, other.name)["event"] != shape(EVENTS)["event"]
    number, text = ({"user_id": "id", "traits": {"n": {"value": value}}} for value in (5, "5"))
    assert shape(number) != shape(text)


@pytest.mark.parametrize(
    ("mapping", "settings", "names"),
    [
        (EVENTS | {"user_id": "no"}, {}, ["user_id"]),
        (EVENTS | {"event": {"value": "Placed"}}, {}, ["event"]),
        (EVENTS | {"event": "paid"}, {}, ["event"]),
        (EVENTS | {"created_at": "paid"}, {}, ["created_at"]),
        (EVENTS | {"created_at": {"column": "at", "format": "%d/%m/%Y"}}, {}, ["created_at"]),
        (EVENTS | {"created_at": {"column": "at", "timezone": "Asia/Kolkata"}}, {}, ["created_at"]),
        (EVENTS | {"traits": ["amount"]}, {}, ["trait city"]),
        (EVENTS | {"traits": ["amount", "city", "no"]}, {}, ["trait no"]),
        (EVENTS | {"traits": ["amount", {"column": "city", "name": "City"}]}, {}, ["trait city", "trait City"]),
        (EVENTS | {"traits": [{"column": "amount", "type": "string"}, "city"]}, {}, ["trait amount"]),
        (EVENTS | {"traits": [{"column": "amount", "decimal": ","}, "city"]}, {}, ["trait amount"]),
        (EVENTS | {"phone": "mobile"}, {}, ["phone", "country_code"]),
        (EVENTS, {"nulls": "clear"}, ["nulls"]),
        (EVENTS, {"null_values": "N/A"}, ["null_values"]),
        (EVENTS, {"event_id": "no"}, ["event_id"]),
        (EVENTS, {"bad_values": "drop", "workers": 3, "limit": 5, "phones": "possible"}, []),
    ],
)
def test_what_changes_an_event_without_an_id(mapping: Any, settings: Any, names: list[str]) -> None:
    """Everything that it says; options that only decide what is refused change nothing."""
    assert changed(shape(EVENTS), shape(mapping, **settings)) == names


def test_with_an_event_id_only_the_identity_counts() -> None:
    """A new trait, another type or another time does no harm to events that are known by their id."""
    before = shape(EVENTS, event_id="no")
    for mapping in (
        EVENTS | {"traits": "*"},
        EVENTS | {"created_at": "paid"},
        {k: EVENTS[k] for k in ("user_id", "event")},
    ):
        assert changed(before, shape(mapping, event_id="no")) == []
    assert changed(before, shape(EVENTS | {"user_id": "mobile"}, event_id="no")) == ["user_id"]
    assert changed(before, shape(EVENTS | {"event": "paid"}, event_id="no")) == ["event"]
    assert changed(before, shape(EVENTS, event_id="at")) == ["event_id"]
    assert changed(before, shape(EVENTS)) == ["event_id"]


def test_of_users_only_the_identity_counts() -> None:
    """What is said of a user may change: it is sent."""
    users: dict[str, Any] = {"user_id": "id", "phone": "mobile", "traits": ["city"]}
    before = shape(users, "user")
    assert changed(before, shape(users | {"traits": "*", "created_at": "at"}, "user", nulls="clear"), "user") == []
    assert changed(before, shape(users | {"user_id": "no"}, "user"), "user") == ["user_id"]
    assert changed(before, shape(users | {"phone": ["mobile", "no"]}, "user"), "user") == ["phone"]
    assert changed(before, shape(users, "user", default_country="US"), "user") == ["country_code"]
    assert changed(before, shape(users, "user", default_country="IN"), "user") == []
    assert changed(before, shape(users, "user", phones="as-is"), "user") == ["phones"]
    assert changed(shape({"user_id": "id"}, "user"), before, "user") == []
    assert changed(shape({"user_id": "no"}, "user"), before, "user") == ["user_id", "phone", "country_code"]
    by_column = users | {"country_code": "cc"}
    assert changed(shape(by_column, "user"), shape(by_column, "user", default_country="+1"), "user") == [
        "default_country"
    ]


def test_the_zone_of_a_load_is_the_zone_of_its_fields() -> None:
    """Said once for all, or with a field: the same."""
    zoned = {
        "user_id": "id",
        "event": {"value": "Paid"},
        "created_at": {"column": "at", "timezone": "Asia/Kolkata"},
        "traits": [{"column": "amount", "type": "number"}],
    }
    plain = zoned | {"created_at": "at"}
    assert shape(zoned) == shape(plain, timezone="Asia/Kolkata") != shape(plain)
    by_column = plain | {"event": "paid", "created_at": "at"}
    assert changed(shape(by_column), shape(by_column, timezone="Asia/Kolkata")) == ["created_at"]


def test_a_change_is_shown_without_the_constants_of_before() -> None:
    """Of a constant only what the mapping of today says."""
    before, now = shape(EVENTS), shape(EVENTS | {"event": {"value": "Placed"}, "created_at": "paid"})
    names = changed(before, now)
    said = shown(names, before, now, {"event": "'Placed'"}.get)
    assert said == "event: a constant → 'Placed'; created_at: at → paid"
    many = shape(EVENTS | {"traits": [f"t{number}" for number in range(9)]})
    assert shown(changed(before, many), before, many, lambda _: None).endswith("; and 7 more")
