"""Null words: noted, and read as missing if they are named in `null_values`."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.settings import Settings
from tests.mapping.test_prepare import prepared

MAPPING = {"user_id": "id", "traits": "*"}
CITIES = ["NULL", "Pune", "n/a", "None", "Nullarbor", None]
TABLE = {"id": list(range(6)), "city": CITIES}


def test_a_null_word_is_sent_and_noted() -> None:
    """A person may be called Null: the row is sent, and its line names the word and the option."""
    rows = prepared(TABLE, MAPPING)
    assert [row["body"]["traits"].get("city") for row in rows] == CITIES
    assert [row["code"] for row in rows] == ["null_word", None, "null_word", "null_word", None, None]
    assert rows[0]["message"] == ('city: "NULL" is sent as text: if it means a missing value, name it in null_values')


@pytest.mark.parametrize("word", ["nil", "Undefined", "#N/A", "\\N"])
def test_a_null_word_is_noted_among_longer_texts(word: str) -> None:
    """The longest and the shortest of them too."""
    rows = prepared({"id": [1, 2], "city": ["x" * 30, word]}, MAPPING)
    assert [row["code"] for row in rows] == [None, "null_word"]


@pytest.mark.parametrize("given", ["NULL, n/a", ["NULL", "n/a"]])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_named_words_are_missing(given: str | list[str], kind: pa.DataType) -> None:
    """Exactly these, in any field; all others stay as they are."""
    table = {"id": pa.array(["1", "NULL"]), "city": pa.array(["n/a", "N/A"]).cast(kind)}
    first, second = prepared(table, MAPPING, null_values=given)
    assert (first["body"]["traits"], first["code"]) == ({}, None)
    assert (second["body"], second["code"]) == (None, "identity_missing")


def test_numbers_are_not_words() -> None:
    """A column of numbers is not looked at: `0` is a number there."""
    (row,) = prepared({"id": ["1"], "orders": [0]}, MAPPING, null_values="0")
    assert row["body"]["traits"] == {"orders": 0}


def test_what_is_no_text_is_refused() -> None:
    """One line that says what was expected."""
    with pytest.raises(SettingsError, match=r"null_values is 5; expected texts, such as 'NULL,N/A'"):
        Settings.resolve({"null_values": 5})
