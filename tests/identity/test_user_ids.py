"""Ids and names of events: null words, lost digits, invisible characters."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.identity import event_names, phones, user_ids
from interakt_loader.privacy.text import HIDDEN_ENDS, INVISIBLE, is_invisible, stripped
from interakt_loader.values import id_text, refusal
from tests.columns import columns
from tests.thorough import examples

NULL_WORDS = [
    *("NULL", "null", "Null", "(null)", "<null>", "[NULL]", "{null}"),
    *('"null"', "'NULL'", " null ", "None", "NONE", "(none)"),
    *("nan", "NaN", "NaT", "nil", "undefined", "Undefined", "<NA>"),
    *("NA", "na", "N/A", "n/a", "n.a.", "N.A", "n a"),
    *("#N/A", "#NA", "(N/A)", r"\N", r"N\A", "not available", "Not Available", "not_available", "Not-Applicable"),
    *("unknown", "UNKNOWN", "(unknown)", "[object Object]", "object Object"),
    *("(blank)", "(empty)", "missing", "no data"),
    *("-", "--", "---", "–", "—", ".", "..", "?"),
    *("??", "_", "inf", "-Infinity", "\u200bNULL\u200b", "\ufeffN/A", "N/A\u00a0"),
]  # fmt: skip

ERROR_CELLS = [
    *(
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#CALC!",
        "#ref!",
        "#GETTING_DATA",
        "#####",
    ),
    *("#WERT!", "#BEZUG!", "#NV", "#¡VALOR!", "#¿NOMBRE?", "#N/D", "Err:502", "#ERROR!"),
]

LOST_DIGITS = [
    *("9.87654E+15", "1.23457E+17", "1.2345678901234568e+17", "1.2e5", "1E+05", "1e+16", "1,23457E+17", "1.E+17"),
    *("1.23457E17", "-1.2E+10", "+1.2E+10", "'1.23457E+17", " 1.23457E+17 ", "12.3E+6", "1.2E-05", "1.2E+017"),
    *("9007199254740993.0", "1234567890123456789.0"),
]

IDS = [
    *("C-17", "0042", "17", "12E45", "1E5", "5E-10"),
    *("E10", "1.25", "1.2.3", "a@b.c", "none@example.com", "Null Island"),
    *("nano", "Nathan", "Nilesh", "N-17", "No 5", "NA-17", "inf-1", "0"),
    *("-1", "#17", "R&D", "Asha Rao", "आशा", "Zoë", "用户17"),
    *("क्\u200dष", "می\u200cخواهم", "👩\u200d🚀", "unknown-17", "3f2a9c1e-0000-4000-8000-1234567890e5"),
    *("1e5a", "Err:x", "e", "N"),
]  # fmt: skip


def one(values: Any, dtype: pa.DataType | None = None) -> tuple[Any, str | None, str | None]:
    """Return (id, problem, note) of a column of one."""
    found = user_ids(pa.array([None, values], dtype)[1:])
    problem, note = found.problems.get(0), found.notes.get(0)
    assert problem is None or problem.code == "user_id_invalid"
    return found.values[0].as_py(), problem and problem.message, note and note.code


@pytest.mark.parametrize("word", NULL_WORDS)
def test_a_word_for_nothing_is_no_id_no_phone_and_no_name(word: str) -> None:
    """In any case, with brackets, quotes, spaces and characters that cannot be seen around it: missing, no problem."""
    column = pa.array([word, "17"])
    assert user_ids(column)[:2] == (pa.array([None, "17"]), {})
    assert event_names(column)[:2] == (pa.array([None, "17"]), {})
    found = phones(pa.array([word]), None)
    assert (found.numbers.to_pylist(), found.problems) == ([None], {})


@pytest.mark.parametrize("cell", ERROR_CELLS)
def test_what_a_formula_left_is_refused(cell: str) -> None:
    """The value is lost, so the row's subject is unknown."""
    value, problem, _ = one(cell)
    assert (value, problem) == (None, f"{cell!r} is what a spreadsheet shows where a formula failed")
    assert event_names(pa.array([cell])).problems[0].code == "event_invalid"
    assert phones(pa.array([cell]), None).problems[0].code == "phone_invalid"


@pytest.mark.parametrize("text", LOST_DIGITS)
def test_an_id_in_exponent_form_has_lost_digits(text: str) -> None:
    """Several ids became one; a decimal comma or a text of a float is no different."""
    value, problem, _ = one(text)
    assert value is None
    assert problem is not None
    assert "lost digits" in problem
    assert user_ids(pa.array([text]), "event_id_invalid").problems[0].code == "event_id_invalid"


@pytest.mark.parametrize("text", IDS)
def test_what_only_resembles_nothing_or_a_number_is_an_id(text: str) -> None:
    """Byte for byte: hexadecimal ids, names of people, scripts whose letters are joined."""
    assert one(text) == (text, None, None)
    assert id_text(text) == text
    assert refusal(text) is None


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (2.0**53, pa.float64(), None),
        (2.0**53 - 1, pa.float64(), "9007199254740991"),
        (2.0**24, pa.float32(), None),
        (2.0**24 - 1, pa.float32(), "16777215"),
        (np.float16(2048), pa.float16(), None),
        (np.float16(2047), pa.float16(), "2047"),
        (-(2.0**53), pa.float64(), None),
        (-0.0, pa.float64(), "0"),
        (2**53 + 1, pa.int64(), "9007199254740993"),
        (2**64 - 1, pa.uint64(), "18446744073709551615"),
    ],
)
def test_a_float_is_an_id_as_long_as_it_holds_all_digits(value: Any, dtype: pa.DataType, expected: str | None) -> None:
    """From 2^53 on (2^24 and 2^11 in shorter floats) neighbours are one value; integers hold all of theirs."""
    found, problem, _ = one(value, dtype)
    assert found == expected
    assert (problem is None) == (expected is not None)
    coded = pa.array([value], dtype).dictionary_encode()
    assert user_ids(coded).values.to_pylist() == [expected]


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "Float32"])
def test_floats_of_a_frame_are_judged_by_their_own_width(dtype: str) -> None:
    """16,777,217 is another number in a float32 column."""
    frame = pd.DataFrame({"id": pd.array([17, 16_777_217], dtype=dtype)})
    found = user_ids(pa.RecordBatch.from_pandas(frame).column(0))
    assert found.values.to_pylist() == (["17", "16777217"] if "64" in dtype else ["17", None])


@pytest.mark.parametrize(
    "around",
    [
        *(
            "\u200b",
            "\ufeff",
            "\u200e",
            "\u200f",
            "\u2060",
            "\u00ad",
            "\x00",
            "\x7f",
            "\ufe0f",
            "\u202a",
            "\u180e",
        ),
        *("\u2800", "\u3164", "\u034f", "\U000e0020", "\u200b \u00a0\ufeff", "\u061c", "\u2066"),
    ],
)
def test_what_cannot_be_seen_is_taken_off_the_ends_of_an_id_and_noted(around: str) -> None:
    """One id, however often it was copied from a page; inside it is refused, for two ids would look the same."""
    for text in (f"17{around}", f"{around}17", f"{around}17{around}", f" {around} 17.0{around}"):
        assert one(text) == ("17", None, "invisible_removed"), ascii(text)
        assert id_text(text.replace(".0", "")) == "17"
    hidden = next(character for character in around if is_invisible(character))
    value, problem, _ = one(f"1{hidden}7")
    assert value is None
    assert problem is not None
    assert f"holds U+{ord(hidden):04X}" in problem
    assert refusal(f"1{hidden}7") is not None
    assert one(around) == (None, None, None)


def test_spaces_around_an_id_are_no_news() -> None:
    """They have always been taken off; the report does not say so."""
    for text in (" 17", "17 ", "\t17\n", "\u00a017\u2003"):
        assert one(text) == ("17", None, None)


def test_damaged_text_is_no_id_and_no_name() -> None:
    """U+FFFD is what a decoder leaves of bytes that it could not read: several ids may have become one."""
    value, problem, _ = one("C\ufffd17")
    assert value is None
    assert problem is not None
    assert problem.endswith("holds U+FFFD REPLACEMENT CHARACTER, which stands for text that was damaged before")
    assert event_names(pa.array(["Order\ufffd"])).problems[0].code == "event_invalid"


def test_the_class_of_invisible_characters_is_the_same_in_both_forms() -> None:
    """For every character that this Python knows, Arrow's patterns do what the functions do."""
    known = [chr(one) for one in range(sys.maxunicode + 1) if unicodedata.category(chr(one)) not in ("Cs", "Cn")]
    assert pc.match_substring_regex(pa.array(known), INVISIBLE).to_pylist() == [is_invisible(one) for one in known]
    around = [f"{one}a{one}" for one in known]
    assert pc.replace_substring_regex(pa.array(around), HIDDEN_ENDS, "").to_pylist() == [
        stripped(one) for one in around
    ]


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(NULL_WORDS + ERROR_CELLS + LOST_DIGITS + IDS),
    st.text("0123456789.,eE+-#/'@aN\u200b\ufffd ", max_size=8),
)


@examples(1000)
@given(st.lists(TEXTS, max_size=8))
def test_a_column_of_ids_is_what_each_text_is_by_itself(texts: list[str]) -> None:
    """Columns and `track` have one rule; but apostrophes and floats in text are read in tables only."""
    found = user_ids(pa.array(texts, pa.string()))
    for row, text in enumerate(texts):
        alone = user_ids(pa.array([text]))
        assert (found.values[row], found.problems.get(row)) == (alone.values[0], alone.problems.get(0))
        if "'" in text or ".0" in text:
            continue
        expected = id_text(text)
        if expected is not None and refusal(expected) is not None:
            expected = None
        assert found.values[row].as_py() == expected


@examples(300)
@given(st.lists(st.from_regex(r"[A-Za-z0-9 é][!-~ é]{0,3}[A-Za-z0-9:. é]", fullmatch=True), min_size=1, max_size=3))
def test_a_column_of_usual_ids_is_what_each_text_is_by_itself(texts: list[str]) -> None:
    """The quick test of a whole column takes nothing for usual that is not."""
    values = user_ids(pa.array(texts)).values
    assert values.to_pylist() == [user_ids(pa.array([text, None])).values[0].as_py() for text in texts]


@examples(300)
@given(columns.anything())
def test_any_column_of_names_is_names_or_problems(values: pa.Array) -> None:
    """Nothing raises, and nobody is called by what cannot be seen."""
    for found in (user_ids(values), event_names(values)):
        assert len(found.values) == len(values)
        for row, name in enumerate(found.values.to_pylist()):
            assert name is None or (name == stripped(name) and row not in found.problems)


@pytest.mark.parametrize("column", [NULL_WORDS[:1] * 3, ["1.2E+10"] * 3, ["17"] * 3, ["\u200b17"] * 3, ["Asha"] * 3])
def test_a_slice_and_nulls_among_the_texts_change_nothing(column: list[str]) -> None:
    """Positions are those of the batch, whatever its place in the file."""
    whole = user_ids(pa.array(["x", None, *column, None]).slice(1))
    alone = user_ids(pa.array(column))
    assert whole.values.to_pylist() == [None, *alone.values.to_pylist(), None]
    assert whole.problems == {row + 1: problem for row, problem in alone.problems.items()}
    assert whole.notes == {row + 1: note for row, note in alone.notes.items()}
