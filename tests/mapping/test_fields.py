"""Fields that join, map, default and collect columns: the values that are sent, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import MappingError
from interakt_loader.mapping import Mapping, Preparation, read_mapping
from interakt_loader.model import Kind
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source

NAME = {"columns": ["first", "last"], "join": " "}


def rows(columns: dict[str, Any], written: dict[str, Any], kind: Kind = "user", **options: Any) -> list[dict[str, Any]]:
    """Return the prepared rows, their bodies parsed."""
    batch = pa.RecordBatch.from_pydict(columns)
    found = Preparation(Mapping.of(written), kind, Settings(**options))(batch, 0).to_pylist()
    return [row | {"body": None if row["body"] is None else json.loads(row["body"])} for row in found]


def sent(values: Any, field: dict[str, Any], **options: Any) -> list[Any]:
    """Return what is sent for each value of a column, or the code with which the row is refused."""
    columns = values if isinstance(values, dict) else {"cell": values}
    columns = {"id": [f"c{at}" for at in range(len(next(iter(columns.values()))))], **columns}
    written = {"user_id": "id", "traits": {"T": {"column": "cell", **field} if "columns" not in field else field}}
    return [
        row["code"] if row["body"] is None else row["body"]["traits"].get("T", "nothing")
        for row in rows(columns, written, **options)
    ]


# ------------------------------------------------------------------ join


def test_columns_are_joined_and_empty_ones_leave_no_separator() -> None:
    """One, both or none of the two; white space around each is taken off."""
    first = ["Asha", " Ravi ", None, "", "Mary Ann", "  "]
    last = ["Rao", "", "Sen", None, "D'Souza ", "\t"]
    assert sent({"first": first, "last": last}, NAME) == [
        "Asha Rao",
        "Ravi",
        "Sen",
        "nothing",
        "Mary Ann D'Souza",
        "nothing",
    ]


def test_a_join_takes_any_type_and_any_number_of_columns() -> None:
    """Numbers, dates and booleans are joined as the type string has them."""
    columns = {
        "a": pa.array([7, None]),
        "b": pa.array([1.5, 24.0]),
        "c": pa.array([dt.date(2025, 3, 27)] * 2),
        "d": pa.array([True, False]),
        "e": pa.array(["x", "y"]).dictionary_encode(),
        "f": pa.array([Decimal("1.50"), None]),
    }
    joined = {"columns": [*columns], "join": "/"}
    assert sent(columns, joined) == ["7/1.5/2025-03-27/true/x/1.50", "24/2025-03-27/false/y"]


def test_a_date_and_a_time_of_day_are_joined_to_one_time() -> None:
    """`type` says what the joined text is."""
    field = {"columns": ["day", "at"], "join": " ", "type": "datetime", "timezone": "Asia/Kolkata"}
    columns = {"day": ["2025-03-27", "2025-03-27", "soon"], "at": ["18:30:00", None, "18:30"]}
    assert sent(columns, field) == ["2025-03-27T13:00:00.000Z", "2025-03-26T18:30:00.000Z", "not_a_datetime"]


def test_times_in_a_join_or_a_map_are_in_the_zone_of_the_load() -> None:
    """A time without a zone is a local time, as in any other field."""
    noon = pa.array([dt.datetime(2025, 3, 27, 17, 30)])
    columns = {"first": ["at"], "last": noon}
    assert sent(columns, NAME, timezone="Asia/Kolkata") == ["at 2025-03-27T12:00:00.000Z"]
    field = {"values": {"2025-03-27T12:00:00.000Z": "noon"}}
    assert sent(noon, field, timezone="Asia/Kolkata") == ["noon"]


def test_a_part_that_is_no_text_refuses_the_row() -> None:
    """A list has no text to join; with `bad_values="drop"` the trait is left out instead, and the line says so."""
    columns = {"first": ["Asha"], "last": [["Rao", "Sen"]]}
    assert sent(columns, NAME) == ["not_text"]
    assert sent(columns, NAME, bad_values="drop") == ["nothing"]


def test_an_id_needs_all_of_its_parts() -> None:
    """Without the shop, number 17 would be the customer of another shop: the row is refused, not sent as 17."""
    written = {"user_id": {"columns": ["shop", "number"], "join": "-"}, "traits": ["note"]}
    found = rows({"shop": ["S1", None, None], "number": [17, 17, None], "note": ["a", "b", "c"]}, written)
    assert [(row["user_id"], row["code"], row["column"]) for row in found] == [
        ("S1-17", None, None),
        (None, "user_id_invalid", "shop + number"),
        (None, "identity_missing", "shop + number"),
    ]
    (lost,) = rows({"shop": ["S1"], "number": [2.0**53], "note": ["a"]}, written)
    assert (lost["code"], "lost digits" in lost["message"]) == ("user_id_invalid", True)


# ------------------------------------------------------------------ value maps


def test_a_value_map_sends_what_its_keys_say() -> None:
    """Cells are compared as they are written, without white space around them; a blank one sends nothing."""
    field = {"values": {"Subscribed": True, "Unsubscribed": False, "Cleaned": None}}
    cells = ["Subscribed", " Unsubscribed ", "Cleaned", None, "", "subscribed", "Pending"]
    assert sent(cells, field) == [True, False, "nothing", "nothing", "nothing", "value_unmapped", "value_unmapped"]


def test_a_value_that_is_not_in_the_map_is_named_with_those_that_are() -> None:
    """The line says which cell it was, and what the mapping has."""
    written = {"user_id": "id", "traits": {"T": {"column": "s", "values": {"a": 1, "b": 2}}}}
    (row,) = rows({"id": ["1"], "s": ["c"]}, written)
    assert row["message"] == "s: 'c' is not among the values of the mapping: a, b"
    assert row["column"] == "s"


@pytest.mark.parametrize("otherwise", ["other", 0, False, None])
def test_otherwise_is_sent_for_all_other_values(otherwise: Any) -> None:
    """A null there sends nothing; a blank cell is no value, and sends nothing either."""
    expected = "nothing" if otherwise is None else otherwise
    assert sent(["a", "x", None], {"values": {"a": "A"}, "otherwise": otherwise}) == ["A", expected, "nothing"]


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        (pa.array([1, 2]), {"1": "one", "2": "two"}),
        (pa.array([1, 2]), {1: "one", 2: "two"}),
        (pa.array([1.0, 2.0]), {1: "one", 2: "two"}),
        (pa.array([True, False]), {True: "one", False: "two"}),
        (pa.array([True, False]), {"true": "one", "false": "two"}),
        (pa.array([dt.date(2025, 1, 1), dt.date(2025, 1, 2)]), {dt.date(2025, 1, 1): "one", "2025-01-02": "two"}),
        (pa.array(["x", "y"]).dictionary_encode(), {"x": "one", "y": "two"}),
        (pa.array(["x", "y"], pa.large_string()), {"x": "one", "y": "two"}),
    ],
)
def test_keys_are_the_text_of_a_cell_of_any_type(cells: pa.Array, keys: dict[Any, str]) -> None:
    """A key may be a number, a boolean or a date too: its text counts."""
    assert sent(cells, {"values": keys}) == ["one", "two"]


def test_the_values_of_a_map_keep_their_own_types() -> None:
    """Text, numbers, booleans, dates and lists side by side."""
    values = {"a": "A", "b": 2, "c": 1.5, "d": True, "e": dt.date(2025, 3, 27), "f": ["x", "y"]}
    assert sent([*values], {"values": values}) == ["A", 2, 1.5, True, "2025-03-27", ["x", "y"]]


def test_a_map_can_stand_for_a_country_or_an_event() -> None:
    """`country_code` and `event` take a map, and a default."""
    written = {
        "phone": "mobile",
        "country_code": {"column": "country", "values": {"India": "IN", "Emirates": "AE"}, "default": "IN"},
        "event": {"column": "action", "values": {"buy": "Order Placed"}, "otherwise": "Other", "default": "Visit"},
    }
    columns = {
        "mobile": ["9876543210", "501234567", "9876543210", "9876543210"],
        "country": ["India", "Emirates", None, "Atlantis"],
        "action": ["buy", "look", None, "buy"],
    }
    found = rows(columns, written, "event")
    assert [(row["country_code"], row["event"], row["code"]) for row in found][:3] == [
        ("+91", "Order Placed", None),
        ("+971", "Other", None),
        ("+91", "Visit", None),
    ]
    assert found[3]["code"] == "value_unmapped"


YAML_KEYS = """\
user_id: id
traits:
  Opted: {column: opted, values: {Yes: true, No: false, on: true, 1: true, 01: false, 1.0: true, ~: false, null: false}}
  No: number
"""


def test_keys_in_yaml_are_read_as_they_are_written(tmp_path: Path) -> None:
    """YAML reads Yes as true, 01 as 1 and ~ as null; a cell has the text."""
    path = tmp_path / "m.yaml"
    path.write_text(YAML_KEYS, encoding="utf-8")
    mapping = read_mapping(path)
    traits = dict(mapping.traits)
    assert traits["Opted"].value_map is not None
    assert [key for key, _ in traits["Opted"].value_map.values] == ["Yes", "No", "on", "1", "01", "1.0", "~", "null"]
    assert traits["No"].columns == ("number",)


def test_a_key_that_is_there_twice_as_text_is_refused(tmp_path: Path) -> None:
    """In a file by the parser, in a dict by the mapping: 1 and "1" are one text."""
    path = tmp_path / "m.yaml"
    path.write_text("user_id: id\ntraits: {T: {column: c, values: {1: a, '1': b}}}\n", encoding="utf-8")
    with pytest.raises(MappingError, match="'1' is there twice"):
        read_mapping(path)
    with pytest.raises(MappingError, match="'values' has '1' 2 times"):
        Mapping.of({"user_id": "id", "traits": {"T": {"column": "c", "values": {1: "a", "1": "b"}}}})


# ------------------------------------------------------------------ defaults


def test_a_default_is_sent_where_a_cell_is_missing() -> None:
    """Null, NaN, blank text and a null word of the options; not for a value that is refused."""
    assert sent(["Pune", None, " ", "NULL"], {"default": "Unknown"}, null_values="NULL") == [
        "Pune",
        "Unknown",
        "Unknown",
        "Unknown",
    ]
    assert sent(pa.array([1.5, float("nan"), None]), {"default": 0}) == [1.5, 0, 0]
    assert sent(["7", "x", ""], {"type": "number", "default": 0}) == [7, "not_a_number", 0]
    assert sent(["7", "x", ""], {"type": "number", "default": 0}, bad_values="drop") == [7, "nothing", 0]
    assert sent(["a", "b", None], {"values": {"a": 1}, "otherwise": None, "default": "D"}) == [1, "D", "D"]


def test_a_default_beats_clearing() -> None:
    """With `nulls="clear"` a missing cell is cleared, unless there is a default."""
    assert sent(["a", None], {"default": "D"}, nulls="clear") == ["a", "D"]
    assert sent(["a", None], {"type": "string"}, nulls="clear") == ["a", None]


def test_tags_are_not_cleared() -> None:
    """The API adds tags and removes none: a blank cell leaves them out, with `nulls="clear"` too."""
    columns = {"id": ["1", "2"], "tags": ["vip", None], "city": ["Pune", None]}
    found = rows(columns, {"user_id": "id", "tags": "tags", "traits": ["city"]}, nulls="clear")
    assert [row["body"] for row in found] == [
        {"userId": "1", "tags": ["vip"], "traits": {"city": "Pune"}},
        {"userId": "2", "traits": {"city": None}},
    ]


def test_a_default_is_for_rows_without_the_column_too() -> None:
    """JSON lines: a row that lacks the key gets the default."""
    source = open_source([{"id": "1", "city": "Pune"}, {"id": "2"}])
    written = {"user_id": "id", "traits": {"City": {"column": "city", "default": "Unknown"}}}
    (batch,) = source.batches()
    bodies = Preparation(Mapping.of(written), "user", Settings())(batch, 0)["body"].to_pylist()
    assert [json.loads(body)["traits"]["City"] for body in bodies] == ["Pune", "Unknown"]


# ------------------------------------------------------------------ the sales cycle


def test_add_to_sales_cycle_is_a_member_of_the_body() -> None:
    """A boolean at the top level, from a constant or a column; a cell that is none refuses the row."""
    written: dict[str, Any] = {"user_id": "id", "add_to_sales_cycle": {"value": True}}
    (row,) = rows({"id": ["1"]}, written)
    assert row["body"] == {"userId": "1", "add_to_sales_cycle": True, "traits": {}}
    written["add_to_sales_cycle"] = "lead"
    found = rows({"id": ["1", "2", "3"], "lead": ["yes", None, "maybe"]}, written)
    assert [row["body"] and row["body"].get("add_to_sales_cycle") for row in found] == [True, None, None]
    assert [row["code"] for row in found] == [None, None, "not_a_boolean"]


# ------------------------------------------------------------------ the mapping is checked whole


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"columns": ["a", "b"]}, "'columns' needs 'join'; expected the text between the values"),
        ({"columns": [], "join": " "}, "'columns' is []; expected a list of columns' names"),
        ({"columns": "a", "join": " "}, "'columns' is 'a'; expected a list of columns' names"),
        ({"columns": ["a"], "join": 1}, "'join' is 1; expected the text between the values"),
        ({"column": "a", "join": " "}, "'join' is for 'columns'"),
        ({"column": "a", "columns": ["b"], "join": ""}, "expected either 'column', 'columns' or 'value'"),
        ({"column": "a", "values": []}, "'values' is []; expected a dict"),
        ({"column": "a", "values": {}}, "'values' is {}; expected a dict"),
        ({"column": "a", "values": {"x": {"y": 1}}}, "expected text, a number, a boolean, a date or a list"),
        ({"column": "a", "values": {"": 1}}, "'values' has an empty key; 'default' says what is sent"),
        ({"column": "a", "otherwise": 1}, "'values' is missing; expected a dict"),
        ({"column": "a", "values": {"x": "y"}, "type": "number"}, "'values' for 'x': 'y' is not a number"),
        ({"column": "a", "default": "soon", "type": "datetime"}, "'default': 'soon'"),
        ({"column": "a", "default": {"x": 1}}, "'default' is a dict; expected text"),
        ({"column": "a", "collect": "yes"}, "'collect' is 'yes'; expected true or false"),
        ({"column": "a", "collect": True}, "'collect' needs group_by"),
        ({"value": 1, "default": 2}, "'default' is for columns"),
        ({"column": "a", "valeus": {}}, "there is no 'valeus'; did you mean 'values'?"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(field: dict[str, Any], said: str) -> None:
    """The message names the trait, what is there and what was expected."""
    with pytest.raises(MappingError) as caught:
        Mapping.of({"user_id": "id", "traits": {"T": field}})
    assert "traits.T: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("field", ["user_id", "phone", "event_id", "group_by"])
def test_what_identifies_has_no_default(field: str) -> None:
    """All rows without an id would be one person."""
    written = {"user_id": "id", "event": {"value": "E"}, field: {"column": "a", "default": "1"}}
    with pytest.raises(MappingError, match=f"{field}: 'default' would give many rows the same {field}"):
        Mapping.of(written)
    written[field] = {"column": "a", "values": {"x": "y"}, "otherwise": "1"}
    with pytest.raises(MappingError, match=f"{field}: 'otherwise' would give many rows the same {field}"):
        Mapping.of(written)


def test_every_mistake_is_in_one_message() -> None:
    """A mapping with five mistakes names five, each with its near name where there is one."""
    written = {
        "userid": "id",
        "phone": 7,
        "traits": {"A": {"column": "a", "type": "nmber"}, "B": {"colum": "b"}, "C": {"columns": ["a"]}},
    }
    with pytest.raises(MappingError) as caught:
        Mapping.of(written)
    message = str(caught.value)
    assert message.startswith("6 mistakes: (1) the mapping has no field 'userid'; did you mean 'user_id'?")
    for part in (
        "phone: 7 is not a field",
        "traits.A: there is no type 'nmber'; did you mean 'number'?",
        "traits.B: there is no 'colum'; did you mean 'column'?",
        "traits.B: expected either",
        "traits.C: 'columns' needs 'join'",
    ):
        assert part in message
    assert "\n" not in message


def test_a_check_against_a_table_names_every_mistake_too() -> None:
    """Wrong kind of call, no identity and missing columns at once."""
    mapping = Mapping.of({"tags": "tag", "traits": {"N": {"columns": ["fist", "last"], "join": " "}}})
    with pytest.raises(MappingError) as caught:
        mapping.check("event", ["first", "last", "tags"])
    message = str(caught.value)
    assert message.startswith("4 mistakes: (1) no identity is mapped")
    assert "'fist'; did you mean 'first'?" in message
    assert "'tag'; did you mean 'tags'?" in message


def test_a_word_that_yaml_reads_as_a_boolean_gets_a_hint(tmp_path: Path) -> None:
    """A column called No has to be in quotes: the message says so."""
    path = tmp_path / "m.yaml"
    path.write_text("user_id: No\n", encoding="utf-8")
    with pytest.raises(MappingError, match=r"user_id: False is not a field; .*in quotes"):
        read_mapping(path)


SCALARS = st.one_of(st.booleans(), st.integers(-5, 5), st.text("ab: '\"{}[]#", min_size=1, max_size=4))
FIELD = st.one_of(
    st.builds(lambda column: {"column": column}, st.sampled_from("abc")),
    st.builds(lambda join: {"columns": ["a", "b"], "join": join}, st.text(" -/'", max_size=2)),
    st.builds(
        lambda values, other: {"column": "c", "values": values} | other,
        st.dictionaries(st.text("abYes: ", min_size=1, max_size=4).filter(str.strip), SCALARS, min_size=1, max_size=3),
        st.one_of(st.just({}), st.builds(lambda one: {"otherwise": one}, SCALARS)),
    ),
    st.builds(lambda default: {"column": "a", "default": default}, SCALARS),
    st.just({"column": "b", "collect": True}),
)


@given(fields=st.lists(FIELD, min_size=1, max_size=4))
def test_every_written_form_comes_back(fields: list[dict[str, Any]]) -> None:
    """`as_dict` is what `Mapping.of` reads, whatever the forms; a key with spaces around it is the same key."""
    keys = [[key.strip() for key in one.get("values", ())] for one in fields]
    if any(len(set(one)) < len(one) for one in keys):
        return
    traits = {f"T{at}": one for at, one in enumerate(fields)}
    mapping = Mapping.of({"user_id": "id", "event": {"value": "E"}, "group_by": "order", "traits": traits})
    assert Mapping.of(mapping.as_dict()) == mapping
