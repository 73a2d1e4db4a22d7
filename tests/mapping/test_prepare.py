"""Rows as calls: the exact bodies, and exactly which value made a row invalid."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.mapping import Mapping, Preparation, messages
from interakt_loader.model import Kind
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source


def prepared(columns: dict[str, Any], written: Any, kind: Kind = "user", **options: Any) -> list[dict[str, Any]]:
    """Return the prepared rows, their bodies parsed."""
    batch = pa.RecordBatch.from_pydict(columns)
    rows = Preparation(Mapping.of(written), kind, Settings(**options))(batch, 0).to_pylist()
    return [row | {"body": None if row["body"] is None else json.loads(row["body"])} for row in rows]


def test_a_user_call_has_exactly_these_members() -> None:
    """Identity, tags, time and traits, in the forms that the API's documents show."""
    (row,) = prepared(
        {
            "id": ["C-17"],
            "mobile": ["98765 43210"],
            "tags": ["vip, diwali"],
            "seen": [dt.datetime(2025, 3, 27, 13, 26, 52, 926999)],
            "name": ['Asha "A" \\ अ'],
            "age": [24],
            "born": [dt.date(1998, 1, 1)],
            "rate": [1.5],
            "opted": ["YES"],
            "sizes": [["s", "m"]],
            "nothing": [None],
            "blank": ["  "],
        },
        {
            "user_id": "id",
            "phone": "mobile",
            "tags": "tags",
            "created_at": "seen",
            "traits": ["*", {"column": "opted", "type": "boolean"}, {"value": "shop", "name": "Source"}],
        },
    )
    assert row["body"] == {
        "userId": "C-17",
        "countryCode": "+91",
        "phoneNumber": "9876543210",
        "createdAt": "2025-03-27T13:26:52.926Z",
        "tags": ["vip", "diwali"],
        "traits": {
            "opted": True,
            "Source": "shop",
            "name": 'Asha "A" \\ अ',
            "age": 24,
            "born": "1998-01-01",
            "rate": 1.5,
            "sizes": ["s", "m"],
        },
    }


def test_an_event_call_has_exactly_these_members() -> None:
    """A user by id alone has no phone in the body; the event is there."""
    (row,) = prepared(
        {"id": [17850.0], "n": [6]}, {"user_id": "id", "event": {"value": "Visit"}, "traits": "*"}, "event"
    )
    assert row["body"] == {"userId": "17850", "event": "Visit", "traits": {"n": 6}}
    assert (row["event"], row["kind"]) == ("Visit", "event")


@pytest.mark.parametrize(
    ("columns", "written", "code", "column", "said"),
    [
        ({"id": [None]}, {"user_id": "id"}, "identity_missing", "id", "no id"),
        ({"id": ["1"], "p": ["12"]}, {"user_id": "id", "phone": "p"}, "phone_invalid", "p", "'12'"),
        (
            {"p": ["9876543210"], "c": ["Narnia"]},
            {"phone": "p", "country_code": "c"},
            "country_code_invalid",
            "c",
            "'Narnia'",
        ),
        ({"id": ["1"], "d": ["2024-02-30"]}, {"user_id": "id", "created_at": "d"}, "not_a_datetime", "d", "2024-02-30"),
        (
            {"id": ["1"], "n": ["abc"]},
            {"user_id": "id", "traits": [{"column": "n", "type": "number"}]},
            "not_a_number",
            "n",
            "'abc'",
        ),
        (
            {"id": ["1"], "b": ["maybe"]},
            {"user_id": "id", "traits": [{"column": "b", "type": "boolean"}]},
            "not_a_boolean",
            "b",
            "'maybe'",
        ),
    ],
)
def test_a_bad_value_is_told_with_column_and_value(
    columns: dict[str, Any], written: Any, code: str, column: str, said: str
) -> None:
    """The row is invalid, and the report line says which column, which value and what was expected."""
    (row,) = prepared(columns, written)
    assert row["body"] is None
    assert (row["code"], row["column"]) == (code, column)
    assert row["message"].startswith(f"{column}: ")
    assert said in row["message"]


def test_bad_values_drop_sends_the_row_without_the_trait_and_says_so() -> None:
    """The good trait goes out, the bad one is left out and named; a bad phone still refuses the row."""
    written = {"user_id": "id", "phone": "p", "traits": ["name", {"column": "n", "type": "number"}]}
    columns = {"id": ["1", "2"], "p": [None, "12"], "name": ["Ann", "Bob"], "n": ["abc", "1"]}
    good, bad = prepared(columns, written, bad_values="drop")
    assert good["body"]["traits"] == {"name": "Ann"}
    assert (good["code"], good["column"]) == ("value_dropped", "n")
    assert "left out: 'abc' is not a number" in good["message"]
    assert bad["body"] is None


def test_nulls_clear_sends_nulls() -> None:
    """`nulls="clear"`: an empty cell becomes null, so that Interakt forgets what it holds."""
    (row,) = prepared({"id": ["1"], "a": [None], "b": [" "]}, {"user_id": "id", "traits": "*"}, nulls="clear")
    assert row["body"]["traits"] == {"a": None, "b": None}


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a   b", "a \r\n b", "a\n\n\n   b"])
def test_white_space_that_the_api_refuses_becomes_one_space(text: str) -> None:
    """The API refuses line breaks, tabs and three spaces in a row: they become one space, with a note."""
    (row,) = prepared({"id": ["1"], "note": [text]}, {"user_id": "id", "traits": "*"})
    assert row["body"]["traits"] == {"note": "a b"}
    assert (row["code"], row["column"]) == ("white_space_tidied", "note")


def test_what_only_looks_like_a_line_break_stays() -> None:
    r"""A backslash before an n, and two spaces, are text: byte for byte."""
    text = "C:\\new  folder\\table"
    (row,) = prepared({"id": ["1"], "note": [text]}, {"user_id": "id", "traits": "*"})
    assert row["body"]["traits"] == {"note": text}
    assert row["code"] is None


def test_the_first_problem_of_a_row_is_told_identity_before_traits() -> None:
    """A row with a bad phone and a bad trait is refused for its phone."""
    written = {"user_id": "id", "phone": "p", "traits": [{"column": "n", "type": "number"}]}
    (row,) = prepared({"id": ["1"], "p": ["12"], "n": ["abc"]}, written)
    assert row["column"] == "p"


def test_messages_of_one_user_share_a_ordering_key() -> None:
    """By id where there is one, else by phone with its country code."""
    batch = pa.RecordBatch.from_pydict({"id": ["7", None, "7"], "p": [None, "9876543210", "9876543210"]})
    rows = Preparation(Mapping.of({"user_id": "id", "phone": "p"}), "user", Settings())(batch, 40)
    good, invalid = messages(rows, "user")
    assert [(one.row, one.ordering_key) for one in good] == [(40, "7"), (41, "+919876543210"), (42, "7")]
    assert invalid == []


@given(names=st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=4, unique=True), data=st.data())
def test_any_text_number_or_boolean_arrives_as_it_is(names: list[str], data: st.DataObject) -> None:
    """Whatever the trait names and values: the body is JSON, and holds the values that are no blank, unchanged."""
    kinds = (st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
    values = {name: data.draw(st.one_of(*kinds, st.booleans(), st.none())) for name in names}
    columns = {f"column {number}": pa.array([value]) for number, value in enumerate(values.values())}
    traits = [{"column": column, "name": name} for column, name in zip(columns, names, strict=True)]
    (row,) = prepared({"identity": ["1"], **columns}, {"user_id": "identity", "traits": traits})
    expected = {name: value for name, value in values.items() if value is not None and str(value).strip()}
    got = row["body"]["traits"]
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        refused = isinstance(value, str) and (any(one in value for one in "\n\r\t") or "   " in value)
        assert refused or got[name] == value


@given(rows=st.lists(st.lists(st.none() | st.integers(0, 9), min_size=4, max_size=4), min_size=1, max_size=4))
def test_a_body_has_the_traits_that_its_row_has(rows: list[list[int | None]]) -> None:
    """Whichever values are missing, at the start, at the end or in all rows: the others are there, sorted by name."""
    columns = {name: pa.array(values, pa.int64()) for name, values in zip("dbca", zip(*rows, strict=True), strict=True)}
    found = prepared({"id": [*map(str, range(len(rows)))], **columns}, {"user_id": "id", "traits": [*"abcd"]})
    expected = [{name: value for name, value in zip("dbca", row, strict=True) if value is not None} for row in rows]
    assert [row["body"] for row in found] == [
        {"userId": f"{at}", "traits": traits} for at, traits in enumerate(expected)
    ]
    assert all([*row["body"]["traits"]] == sorted(row["body"]["traits"]) for row in found)


def test_a_body_of_more_than_32_kb_is_refused() -> None:
    """The line says how large it is, and which trait to look at; one byte less goes out."""
    empty = len(b'{"userId":"a","traits":{"note":"","short":"x"}}')
    room = 32 * 1024 - empty
    good, bad = prepared(
        {"id": ["a", "b"], "note": ["é" * (room // 2), "n" * (room + 1)], "short": ["x", "x"]},
        {"user_id": "id", "traits": "*"},
    )
    assert len(json.dumps(good["body"], ensure_ascii=False, separators=(",", ":")).encode()) in (32_767, 32_768)
    assert (bad["body"], bad["code"], bad["column"]) == (None, "too_large", "note")
    assert bad["message"] == (
        f"note: the call has 32,769 bytes, and the API takes 32,768 at most; this is its longest trait, "
        f"with {room + 3:,} characters"
    )


def test_a_body_that_is_too_large_without_a_trait_names_no_column() -> None:
    """It is another member that is long; the line says the size all the same."""
    (row,) = prepared({"id": ["a"], "tags": ["t" * 33_000]}, {"user_id": "id", "tags": "tags"})
    assert (row["body"], row["code"], row["column"]) == (None, "too_large", None)
    assert row["message"] == "the call has 33,038 bytes, and the API takes 32,768 at most"


def test_a_phone_that_was_passed_over_is_told_with_its_column() -> None:
    """The row goes out with the other column's phone, and its line says why not with the first one's."""
    (row,) = prepared({"home": ["12"], "mobile": ["9876543210"]}, {"phone": ["home", "mobile"]})
    assert row["body"]["phoneNumber"] == "9876543210"
    assert (row["code"], row["column"]) == ("phone_passed_over", "home")
    assert "'12'" in row["message"]


@pytest.mark.parametrize(
    ("phones", "shown"),
    [
        (pa.array(["12", None]), ["12", None]),
        (pa.array([12.5, float("inf")]), ["12.5", None]),
        (pa.array([["12", "13"], None]), [None, None]),
    ],
)
def test_a_bad_phone_stands_in_the_report_as_it_is(phones: pa.Array, shown: list[str | None]) -> None:
    """As far as it can be written as one: what is no number and what is a list are named in the message only."""
    rows = prepared({"id": ["a", "b"], "p": phones}, {"user_id": "id", "phone": "p"})
    assert [row["code"] for row in rows][:1] == ["phone_invalid"]
    assert [row["phone"] for row in rows] == shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["vip", 1, True, 2**70, 1.5, None, ""], ["vip", "1", "true", str(2**70), "1.5"]),
        ([7], ["7"]),
        (["a, b", "[1,2]", 'say "hi"'], ["a, b", "[1,2]", 'say "hi"']),
        ('["a", 2, 1.50]', ["a", "2", "1.50"]),
        (5, ["5"]),
        ([], []),
    ],
)
def test_tags_are_texts_whatever_they_are_made_of(value: Any, expected: list[str]) -> None:
    """The API takes a list of strings; digits stay as they are."""
    prepare = Preparation(Mapping.of({"user_id": "id", "tags": "tags"}), "user", Settings())
    (batch,) = open_source([{"id": "a", "tags": value}]).batches()
    assert json.loads(prepare(batch, 0)["body"][0].as_py())["tags"] == expected


@pytest.mark.parametrize("value", [["a", 1], 2**70, "\ud83d", [[1]], float("nan")])
def test_a_constant_is_read_as_a_value_of_a_table_is(value: Any) -> None:
    """It is sent or refused by the same rules, in each row, and none makes a traceback."""
    (batch,) = open_source([{"id": "a", "x": value}, {"id": "b", "x": value}]).batches()
    bodies = []
    for field in ("x", {"value": value}):
        prepare = Preparation(Mapping.of({"user_id": "id", "traits": {"x": field}}), "user", Settings())
        found = prepare(batch, 0)
        bodies.append((found["body"].to_pylist(), found["code"].to_pylist()))
    assert bodies[0] == bodies[1]
