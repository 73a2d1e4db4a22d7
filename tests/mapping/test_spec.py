"""The mapping as people write it: what it takes, and how it says no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import MappingError
from interakt_loader.mapping import Mapping, read_mapping
from interakt_loader.mapping.infer.infer import infer

WRITTEN = {
    "user_id": "customer_id",
    "phone": "mobile",
    "country_code": "cc",
    "tags": {"column": "tags", "type": "list", "separator": ";"},
    "traits": {"Signed up": {"column": "signed_up", "type": "datetime", "timezone": "Asia/Kolkata"}, "name": "name"},
}
COLUMNS = ["customer_id", "mobile", "cc", "tags", "signed_up", "name", "city"]


def test_dict_yaml_toml_and_json_are_one_mapping(tmp_path: Path) -> None:
    """The same mapping in three forms of file, and as a dict."""
    yaml, toml, as_json = tmp_path / "m.yaml", tmp_path / "m.toml", tmp_path / "m.json"
    yaml.write_text(
        "user_id: customer_id\nphone: mobile\ncountry_code: cc\n"
        "tags: {column: tags, type: list, separator: ';'}\n"
        "traits:\n  Signed up: {column: signed_up, type: datetime, timezone: Asia/Kolkata}\n  name: name\n",
        encoding="utf-8",
    )
    toml.write_text(
        'user_id = "customer_id"\nphone = "mobile"\ncountry_code = "cc"\n'
        '[tags]\ncolumn = "tags"\ntype = "list"\nseparator = ";"\n'
        '[traits]\nname = "name"\n"Signed up" = {column="signed_up", type="datetime", timezone="Asia/Kolkata"}\n',
        encoding="utf-8",
    )
    as_json.write_text(json.dumps(WRITTEN), encoding="utf-8")
    expected = read_mapping(WRITTEN)
    assert read_mapping(yaml) == read_mapping(str(as_json)) == read_mapping(expected) == expected
    assert set(read_mapping(toml).traits) == set(expected.traits)


def test_the_written_form_comes_back(tmp_path: Path) -> None:
    """`as_dict` is what `Mapping.of` reads, with stars and constants too."""
    for written in (WRITTEN, {"user_id": "a", "event": {"value": "X"}, "traits": ["*", {"column": "b", "name": "B"}]}):
        mapping = Mapping.of(written)
        assert Mapping.of(mapping.as_dict()) == mapping


def test_a_star_is_every_column_not_used_elsewhere() -> None:
    """Named columns keep their name and type, the others come by their own name, each once."""
    mapping = Mapping.of({"user_id": "customer_id", "traits": ["*", {"column": "name", "name": "Full name"}]})
    assert [name for name, _ in mapping.traits_of(COLUMNS)] == [
        "Full name",
        "mobile",
        "cc",
        "tags",
        "signed_up",
        "city",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"userid": "a"}, "no field 'userid'; did you mean 'user_id'?"),
        ({"user_id": 7}, "user_id: 7 is not a field"),
        ({"user_id": {"colum": "a"}}, "user_id: there is no 'colum'; did you mean 'column'?"),
        ({"user_id": {"column": "a", "value": "b"}}, "expected either 'column', 'columns' or 'value'"),
        ({"user_id": {"type": "string"}}, "expected either 'column', 'columns' or 'value'"),
        ({"user_id": {"column": 7}}, "user_id: 'column' is 7; expected a column's name"),
        ({"phone": []}, "phone: the list of columns is empty"),
        ({"user_id": {"value": None}}, "the constant is None; expected text, a number"),
        ({"traits": [{"column": "a", "type": "datetme"}]}, "there is no type 'datetme'; did you mean 'datetime'?"),
        ({"traits": [{"column": "a", "timezone": "Mars/Base"}]}, "there is no time zone 'Mars/Base'"),
        ({"traits": [{"column": "a", "format": 3}]}, "'format' is 3; expected text"),
        ({"traits": ["a", {"column": "b", "name": "a"}]}, "traits: 'a' is named 2 times"),
        ({"traits": [{"value": 1}]}, "has no name; add 'name'"),
        ({"traits": 5}, "traits is 5; expected a list"),
        (["user_id"], "the mapping is a list"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(written: Any, said: str) -> None:
    """The message names the field and what was expected."""
    with pytest.raises(MappingError) as caught:
        Mapping.of(written)
    assert said in str(caught.value)


def test_missing_columns_are_told_all_at_once_with_near_names() -> None:
    """Three misspelt columns: one message with all three."""
    mapping = Mapping.of({"user_id": "custmer_id", "phone": "moble", "traits": ["nme"]})
    with pytest.raises(MappingError) as caught:
        mapping.check("user", COLUMNS)
    for wrong, right in (("custmer_id", "customer_id"), ("moble", "mobile"), ("nme", "name")):
        assert f"'{wrong}'; did you mean '{right}'?" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "kind", "said"),
    [
        ({"traits": ["name"]}, "user", "no identity is mapped"),
        ({"user_id": "customer_id"}, "event", "events need a name"),
        ({"user_id": "customer_id", "event": "name"}, "user", "its rows are events"),
        ({"user_id": "customer_id", "event": "name", "tags": "tags"}, "event", "tags belong to users"),
    ],
)
def test_a_mapping_must_fit_the_kind_of_call(written: Any, kind: Any, said: str) -> None:
    """Identity is needed, events need a name, tags are for users."""
    with pytest.raises(MappingError, match=said):
        Mapping.of(written).check(kind, COLUMNS)


def test_infer_takes_columns_by_name_and_says_why() -> None:
    """Case and punctuation do not matter; the most telling name wins; each field has its reason."""
    inferred = infer(["Name", "Phone Number", "Country Code", "ID", "Customer Id", "Tags"])
    assert inferred.mapping.as_dict() == {
        "user_id": "Customer Id",
        "phone": "Phone Number",
        "country_code": "Country Code",
        "tags": "Tags",
        "traits": "*",
    }
    assert 'user_id: "Customer Id"  # the column is called Customer Id\n' in inferred.to_yaml()


def test_infer_sees_events() -> None:
    """A column called event makes events; a given name does too, and then a time is looked for."""
    assert infer(["user_id", "event", "timestamp"]).mapping.kind == "event"
    named = infer(["user_id", "Order Date"], event="Order Placed").mapping
    assert named.as_dict() == {
        "user_id": "user_id",
        "event": {"value": "Order Placed"},
        "created_at": "Order Date",
        "traits": "*",
    }


def test_infer_gives_up_without_an_identity() -> None:
    """No column that looks like an id or a phone: it says which columns there are."""
    with pytest.raises(MappingError, match="no column looks like a user_id or a phone among colour, size"):
        infer(["colour", "size"])


def test_a_decimal_comma_makes_a_number() -> None:
    """`decimal: ","` without a type means a number, and is written out again; another sign is refused."""
    written = {"user_id": "id", "traits": {"total": {"column": "total", "decimal": ","}}}
    (_, field), *_ = Mapping.of(written).traits
    assert (field.target.type, field.target.decimal) == ("number", ",")
    again = Mapping.of(Mapping.of(written).as_dict())
    assert again == Mapping.of(written)
    with pytest.raises(MappingError, match=r"traits\.total: .*"):
        Mapping.of({"user_id": "id", "traits": {"total": {"column": "total", "decimal": ";"}}})


def test_a_file_that_is_no_mapping_by_its_name_is_not_opened(tmp_path: Path) -> None:
    """The endings that there are are named."""
    with pytest.raises(MappingError, match=r"m\.txt: expected a file ending in \.yaml, \.yml, \.toml, \.json"):
        read_mapping(tmp_path / "m.txt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user_id: id\n<<: 5\n", "expected a mapping or list of mappings for merging"),
        ("user_id: id\n<<: [5]\n", "expected a mapping for merging"),
        ("? [a]\n: b\n", "found unhashable key"),
        ("user_id: {value: 2024-13-45}\n", "month must be in 1..12"),
        ("user_id: {value: !!bool maybe}\n", "a value is not what its tag says"),
        ("user_id: " + "[" * 5_000, "nested"),
    ],
)
def test_yaml_that_means_nothing_is_refused_in_its_own_words(text: str, said: str, tmp_path: Path) -> None:
    """No traceback of the parser's: one error that names the file and what is wrong there."""
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        read_mapping(path)
    assert "m.yaml" in str(caught.value)
    assert said in str(caught.value)
