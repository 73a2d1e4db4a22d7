"""Columns as JSON: types, formats, missing values, and the messages about refused ones."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Target, coerce
from interakt_loader.errors import MappingError
from tests.columns import columns
from tests.thorough import examples


def texts(values: pa.Array, target: Target | None = None) -> list[str | None]:
    """Coerce a column in which nothing is wrong."""
    coerced = coerce(values, target or Target())
    assert coerced.problems == {}
    found: list[str | None] = coerced.json.to_pylist()
    return found


def problem(value: Any, target: Target, dtype: pa.DataType | None = None) -> tuple[str, str]:
    """Coerce one value that cannot be sent."""
    coerced = coerce(pa.array([None, value], dtype), target)
    assert coerced.json.to_pylist() == [None, None]
    assert list(coerced.problems) == [1]
    code, message = coerced.problems[1]
    return code, message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            pa.array(["Ann", 'say "hi"\\', "a\tb\n", "नमस्ते", "\x7f"]),
            ['"Ann"', r'"say \"hi\"\\"', r'"a\tb\n"', '"नमस्ते"', '"\x7f"'],
        ),
        (pa.array(["", " ", "\t\n", "\u00a0\u2003", None]), [None] * 5),
        (pa.array([" padded "]), ['" padded "']),
        (pa.array([2**63 - 1, -1]), ["9223372036854775807", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (
            pa.array([24.0, 0.1, 9876543210.0, 12345678901.5, 1e-5, 1e20]),
            ["24", "0.1", "9876543210", "12345678901.5", "0.00001", "1e+20"],
        ),
        (pa.array([float("nan"), float("inf"), -float("inf")]), [None] * 3),
        (pa.array(np.array([1.5, np.nan], np.float16)), ["1.5", None]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        (pa.array([Decimal("24.00"), Decimal("-0.50")]), ["24.00", "-0.50"]),
        (pa.array([Decimal("0.00000001")]), ["0.00000001"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([dt.date(1998, 1, 1)]), ['"1998-01-01"']),
        (pa.array([dt.date(1998, 1, 1)], pa.date64()), ['"1998-01-01"']),
        (pa.array([dt.datetime(2025, 3, 27, 13, 26, 52, 926999)]), ['"2025-03-27T13:26:52.926Z"']),
        (pa.array([-1], pa.timestamp("us")), ['"1969-12-31T23:59:59.999Z"']),
        (pa.array([0], pa.timestamp("s", "Asia/Kolkata")), ['"1970-01-01T00:00:00.000Z"']),
        (pa.array([dt.time(13, 26, 52), dt.time(13, 26, 52, 926999)]), ['"13:26:52"', '"13:26:52.926"']),
        (pa.array([["a", None, 'b"', " "], [], None]), [r'["a","b\""]', "[]", None]),
        (pa.array([None, None]), [None, None]),
        (pa.array([b"caf\xc3\xa9", b""]), ['"café"', None]),
        (pa.array(["x", "y", None, "x"]).dictionary_encode(), ['"x"', '"y"', None, '"x"']),
        (pa.array([], pa.string()), []),
    ],
)
def test_auto_goes_by_the_columns_type(values: pa.Array, expected: list[str | None]) -> None:
    """Each Arrow type has its JSON form; nulls, NaN, infinities and blank text are missing."""
    assert texts(values) == expected


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this pyarrow has no uuid type")
def test_uuids_are_sent_as_people_write_them() -> None:
    """A column of UUIDs, as Parquet has them, is text."""
    storage = pa.array([b"\x01" * 16, None], pa.binary(16))
    column = pa.ExtensionArray.from_storage(pa.uuid(), storage)
    assert texts(column) == [f'"{uuid.UUID(bytes=bytes([1] * 16))}"', None]


@pytest.mark.parametrize("dtype", [pa.string_view(), pa.large_string(), pa.binary_view()])
def test_text_of_any_layout_is_text(dtype: pa.DataType) -> None:
    """Views and large text are text, as a slice too."""
    assert texts(pa.array(["x", None, "café latte of some length"], dtype)[1:]) == [None, '"café latte of some length"']


def test_an_offset_does_for_a_zone() -> None:
    """Columns and targets can have a fixed offset in place of a zone's name."""
    assert texts(pa.array([-1], pa.timestamp("ms", "+05:30")), Target("date")) == ['"1970-01-01"']
    assert texts(pa.array(["1970-01-01"]), Target("datetime", timezone="-0330")) == ['"1970-01-01T03:30:00.000Z"']
    assert problem(2**63 - 1, Target("date", timezone="+05:30"), pa.timestamp("ms"))[0] == "out_of_range"


def test_every_naughty_character_arrives_as_it_is() -> None:
    """All characters of the first planes' corners come back from a JSON reader unchanged."""
    naughty = [f"x{chr(code)}y" for code in [*range(0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F600, 0x10FFFF]]
    found = texts(pa.array(naughty))
    assert [json.loads(one or "") for one in found] == naughty


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("24", "24"),
        ("24.50", "24.50"),
        ("-0.5", "-0.5"),
        ("1,299.00", "1299.00"),
        ("1,00,000.50", "100000.50"),
        ("12,34,56,789", "123456789"),
        ("1,234,567", "1234567"),
        (" 7 ", "7"),
        ("+7", "7"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e5", "1e5"),
        ("-00.10E-2", "-0.10E-2"),
        ("nan", None),
        ("NaN", None),
        ("-inf", None),
        ("Infinity", None),
        ("0", "0"),
        ("-007", "-7"),
    ],
)
def test_numbers_in_text(written: str, number: str | None) -> None:
    """What people write for a number becomes a JSON number, digit for digit."""
    assert texts(pa.array([written]), Target("number")) == [number]


@pytest.mark.parametrize(
    "written",
    ["abc", "1,2,3", "1,00,00", "1  299", "--1", "1.2.3", "0x1F", ".", "1e", "1e999", "९", "₹", "1_000"],
)
def test_other_text_is_not_a_number(written: str) -> None:
    """Text that is no number is a problem which shows it."""
    code, message = problem(written, Target("number"))
    assert code == "not_a_number"
    assert message == f"{written!r} is not a number"


def test_numbers_of_other_types() -> None:
    """Booleans count as 1 and 0; times and lists are no numbers."""
    assert texts(pa.array([True, False, None]), Target("number")) == ["1", "0", None]
    for value in (dt.date(2020, 1, 2), dt.datetime(2020, 1, 2), [1], dt.time(1)):
        assert problem(value, Target("number"))[0] == "not_a_number"
    assert problem(dt.date(2020, 1, 2), Target("number"))[1] == "2020-01-02 is not a number"


def test_booleans_as_people_write_them() -> None:
    """Yes and no in six spellings and any case, and 1 and 0 as numbers."""
    written = pa.array(["Yes", " no ", "TRUE", "f", "Y", "n", "On", "off", "1", "0", "T", "False", ""])
    words = ["true", "false"] * 5 + ["true", "false", None]
    assert texts(written, Target("boolean")) == words
    assert texts(pa.array([1, 0, None]), Target("boolean")) == ["true", "false", None]
    assert texts(pa.array([1.0, 0.0, float("nan")]), Target("boolean")) == ["true", "false", None]
    assert texts(pa.array([Decimal("1.00"), Decimal("0.00")]), Target("boolean")) == ["true", "false"]


@pytest.mark.parametrize("value", ["maybe", 2, -1, 0.5, dt.date(2020, 1, 1), [True]])
def test_other_values_are_not_booleans(value: Any) -> None:
    """The problem names every spelling that would do."""
    code, message = problem(value, Target("boolean"))
    assert code == "not_a_boolean"
    assert message.endswith("is not yes/no, true/false, y/n, t/f, on/off or 1/0")


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("2025-03-27", "UTC", "2025-03-27T00:00:00.000Z"),
        ("2025-03-27", "Asia/Kolkata", "2025-03-26T18:30:00.000Z"),
        ("2025-03-27T13:26:52.926Z", "Asia/Kolkata", "2025-03-27T13:26:52.926Z"),
        ("2025-03-27 13:26", "UTC", "2025-03-27T13:26:00.000Z"),
        ("2025-03-27 13:26:52 UTC", "Asia/Kolkata", "2025-03-27T13:26:52.000Z"),
        ("2025-03-27 13:26:52 GMT", "Asia/Kolkata", "2025-03-27T13:26:52.000Z"),
        ("'2025-03-27 13:26:52 ", "UTC", "2025-03-27T13:26:52.000Z"),
        ("2025-03-27T13:26:52.1", "UTC", "2025-03-27T13:26:52.100Z"),
        ("2025-03-27T13:26:52+05:30", "UTC", "2025-03-27T07:56:52.000Z"),
        ("2025-03-27 13:26:52 +0530", "UTC", "2025-03-27T07:56:52.000Z"),
        ("2025-03-27 13:26:52+00", "UTC", "2025-03-27T13:26:52.000Z"),
        (" 2025-03-27T13:26:52.926999999 ", "UTC", "2025-03-27T13:26:52.926Z"),
        ("1969-12-31T23:59:59.9999", "UTC", "1969-12-31T23:59:59.999Z"),
        ("2024-02-29", "UTC", "2024-02-29T00:00:00.000Z"),
        ("2025-11-02T01:30", "America/New_York", "2025-11-02T05:30:00.000Z"),
        ("2025-03-09T03:00", "America/New_York", "2025-03-09T07:00:00.000Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z"),
        ("2100-07-01T12:00", "Europe/Berlin", "2100-07-01T10:00:00.000Z"),
        ("1800-01-01T00:00", "Asia/Kolkata", "1799-12-31T18:06:32.000Z"),
    ],
)
def test_times_in_text(written: str, zone: str, expected: str) -> None:
    """ISO 8601 in its usual spellings; a time shown twice is the earlier, a date is the first moment of its day."""
    assert texts(pa.array([None, written]), Target("datetime", timezone=zone)) == [None, f'"{expected}"']


@pytest.mark.parametrize(
    ("written", "zone", "form"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", None),
        ("2026-03-29T02:00:00.000", "Europe/Berlin", None),
        ("2025-03-09T02:30", "America/New_York", None),
        ("29/03/2026 02:30", "Europe/Berlin", "%d/%m/%Y %H:%M"),
        ("29 Mar 2026 02:30 AM", "Europe/Berlin", "%d %b %Y %I:%M %p"),
        (dt.datetime(2026, 3, 29, 2, 30), "Europe/Berlin", None),
        ("2018-11-04 00:00", "America/Sao_Paulo", None),
        ("2024-04-26 00:30", "Africa/Cairo", None),
        ("2011-12-30", "Pacific/Apia", None),
        ("30.12.2011", "Pacific/Apia", "%d.%m.%Y"),
        ("2100-03-28 02:30", "Europe/Berlin", None),
    ],
)
def test_a_time_that_the_clock_skips_is_a_problem(written: Any, zone: str, form: str | None) -> None:
    """It is not moved; a day that a zone has skipped as a whole is none either. The zone is named."""
    code, message = problem(written, Target("datetime", form, timezone=zone))
    assert (code, f"does not exist in {zone}" in message) == ("datetime_invalid", True)
    others = coerce(pa.array([written, None, written]), Target("datetime", form, timezone="Asia/Kolkata"))
    assert (others.problems, others.json.null_count) == ({}, 1)


def test_the_other_rows_of_a_skipped_time_are_read() -> None:
    """In text and in a column of times, before the gap, after it, in it, and without a value."""
    clocks = [dt.datetime(2026, 3, 29, 1, 59, 59), None, dt.datetime(2026, 3, 29, 2), dt.datetime(2026, 3, 29, 3)]
    expected = ['"2026-03-29T00:59:59.000Z"', None, None, '"2026-03-29T01:00:00.000Z"']
    written = pa.array([None if one is None else str(one) for one in clocks])
    for values in (pa.array(clocks), written, written.dictionary_encode()):
        coerced = coerce(values, Target("datetime", timezone="Europe/Berlin"))
        assert (coerced.json.to_pylist(), list(coerced.problems)) == (expected, [2])


@pytest.mark.parametrize(
    "written",
    [
        "27/03/2025",
        "2025-02-29",
        "2025-04-31",
        "2025-13-01",
        "2025-03-27T24:00",
        "2025-03-27T13",
        "2025-3-7",
        "today",
        "20250327",
        "2025-03-27Z",
        "1900-02-29",
        "0000-00-00",
        "2025-03-27T13:26:60",
        "2025-03-27T13:26+5",
    ],
)
def test_other_text_is_no_time_unless_its_format_is_given(written: str) -> None:
    """Text in no known form is a problem that says what would do."""
    code, message = problem(written, Target("datetime"))
    assert (code, written in message, "format" in message) == ("not_a_datetime", True, True)


def test_dates_of_every_sort() -> None:
    """A date is what is written, or what a clock in the time's own zone shows."""
    date = Target("date")
    assert (
        texts(pa.array(["1998-01-01", "1998-01-01T23:00:00-05:00", " 1998-01-01 10:00 "]), date) == ['"1998-01-01"'] * 3
    )
    assert texts(pa.array([-1, 0], pa.timestamp("ms")), date) == ['"1969-12-31"', '"1970-01-01"']
    assert texts(pa.array([-1], pa.timestamp("ms", "Asia/Kolkata")), date) == ['"1970-01-01"']
    assert problem("01/02/1998", date)[0] == "not_a_date"
    assert problem(True, date)[0] == "not_a_date"
    assert problem(0, date, pa.timestamp("s", "No/Where"))[0] == "unsupported_type"


@pytest.mark.parametrize(
    ("values", "form", "datetime", "date"),
    [
        (["27/03/2025", " 27/03/2025"], "%d/%m/%Y", "2025-03-26T18:30:00.000Z", "2025-03-27"),
        ([20250327], "%Y%m%d", "2025-03-26T18:30:00.000Z", "2025-03-27"),
        ([20250327.0], "%Y%m%d", "2025-03-26T18:30:00.000Z", "2025-03-27"),
        (["27 Mar 2025 01:00 -0500"], "%d %b %Y %H:%M %z", "2025-03-27T06:00:00.000Z", "2025-03-27"),
        ([1743081999], "epoch_s", "2025-03-27T13:26:39.000Z", "2025-03-27"),
        (["'1743081999 "], "epoch_s", "2025-03-27T13:26:39.000Z", "2025-03-27"),
        (["27/03/2025 01:30 UTC"], "%d/%m/%Y %H:%M %Z", "2025-03-27T01:30:00.000Z", "2025-03-27"),
        (["'27/03/2025"], "%d/%m/%Y", "2025-03-26T18:30:00.000Z", "2025-03-27"),
        (["27/3/2025 1:5:9.5 "], "%d/%m/%Y %H:%M:%S.%f", "2025-03-26T19:35:09.500Z", "2025-03-27"),
        (["1743081999.9269"], "epoch_s", "2025-03-27T13:26:39.926Z", "2025-03-27"),
        ([1743081999.926], "epoch_s", "2025-03-27T13:26:39.926Z", "2025-03-27"),
        ([1743103800000], "epoch_ms", "2025-03-27T19:30:00.000Z", "2025-03-28"),
        ([Decimal("1743103800000.9")], "epoch_ms", "2025-03-27T19:30:00.000Z", "2025-03-28"),
        (["-1"], "epoch_ms", "1969-12-31T23:59:59.999Z", "1970-01-01"),
    ],
)
def test_formats(values: list[Any], form: str, datetime: str, date: str) -> None:
    """A strptime format reads text and whole numbers; epoch formats read counts, a date being that of the zone."""
    column = pa.array(values)
    zone = "Asia/Kolkata"
    assert texts(column, Target("datetime", form, timezone=zone)) == [f'"{datetime}"'] * len(values)
    assert texts(column, Target("date", form, timezone=zone)) == [f'"{date}"'] * len(values)


def test_what_a_format_does_not_fit_is_told_with_the_format() -> None:
    """The problem names the format; numbers without one are asked for theirs; counts can be out of range."""
    assert problem("2025-03-27", Target("date", "%d/%m/%Y"))[1] == "'2025-03-27' is not a date of the format '%d/%m/%Y'"
    assert (
        problem("soon", Target("datetime", "epoch_s"))[1]
        == "'soon' is not a date and time: expected a number (epoch_s)"
    )
    assert "epoch_s or epoch_ms" in problem(1743081999, Target("datetime"))[1]
    assert problem(10**17, Target("datetime", "epoch_s"))[0] == "out_of_range"
    assert problem(2**64 - 1, Target("datetime", "epoch_ms"), pa.uint64())[0] == "out_of_range"
    assert problem(1e300, Target("date", "epoch_ms"))[0] == "out_of_range"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (2**62, pa.timestamp("s")),
        (253402300800, pa.timestamp("s")),
        (-62135596801, pa.timestamp("s", "UTC")),
        (2**63 - 1, pa.timestamp("us")),
        (2**31 - 1, pa.date32()),
        ("9999-12-31T23:59:59-01:00", pa.string()),
        ("0000-01-01", pa.string()),
    ],
)
def test_years_beyond_the_calendar_are_out_of_range(value: Any, dtype: pa.DataType) -> None:
    """Years outside 1 to 9999 are a problem, not an exception and no nonsense date."""
    column = pa.array([value], dtype) if isinstance(value, str) else pa.array([value]).cast(pa.int64())
    if dtype == pa.date32():
        column = column.cast(pa.int32())
    coerced = coerce(column if isinstance(value, str) else column.view(dtype), Target("datetime"))
    assert coerced.json.to_pylist() == [None]
    assert coerced.problems[0].code == "out_of_range"


def test_a_zone_can_push_a_time_out_of_the_calendar() -> None:
    """Midnight of the first day is in year 0 by UTC, where the zone is east of it."""
    assert problem(dt.date(1, 1, 1), Target("datetime", timezone="Asia/Kolkata"))[0] == "out_of_range"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([24, None]), ['"24"', None]),
        (pa.array([24.0, 1e15, 2.5, float("nan")]), ['"24"', '"1000000000000000"', '"2.5"', None]),
        (pa.array([True, False]), ['"true"', '"false"']),
        (pa.array([Decimal("24.00")]), ['"24.00"']),
        (pa.array([dt.date(1998, 1, 1)]), ['"1998-01-01"']),
        (pa.array([dt.datetime(2025, 3, 27, 13, 26)]), ['"2025-03-27T13:26:00.000Z"']),
        (pa.array([None, None], pa.timestamp("us")), [None, None]),
    ],
)
def test_strings_of_what_is_no_text(values: pa.Array, expected: list[str | None]) -> None:
    """Numbers, booleans and times as people write them; missing ones are left out, never `nan` or `None`."""
    assert texts(values, Target("string")) == expected


def test_lists_in_text() -> None:
    """Text is split, trimmed and freed of empty items, or read as a JSON array of scalars with all its digits."""
    written = ["a, b,, c ", ",", '["a", 1.50, 12345678901234567890, true, null, "", NaN]', " [ ] ", "007", ""]
    expected = ['["a","b","c"]', "[]", '["a",1.50,12345678901234567890,true]', "[]", '["007"]', None]
    assert texts(pa.array(written), Target("list")) == expected
    assert texts(pa.array(["a|b,c"]), Target("list", separator="|")) == ['["a","b,c"]']


@pytest.mark.parametrize("written", ["[1", "[[1]]", '[{"a": 1}]', "[1e999]", '["\\ud800"]', "[" * 100_000, "[x] y"])
def test_text_that_begins_like_json_must_be_a_json_array(written: str) -> None:
    """A broken, nested or unsendable JSON array is a problem."""
    code, message = problem(written, Target("list"))
    assert code == "not_a_list"
    assert len(message) < 150


def test_other_values_are_lists_of_one() -> None:
    """A single number, boolean or date becomes a list of it."""
    assert texts(pa.array([1, None]), Target("list")) == ["[1]", None]
    assert texts(pa.array([True]), Target("list")) == ["[true]"]
    assert texts(pa.array([dt.date(2020, 1, 2)]), Target("list")) == ['["2020-01-02"]']


@examples(300)
@given(
    st.sampled_from(
        [pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_view(pa.int64()), pa.list_(pa.int64(), 2)]
    ),
    st.data(),
)
def test_lists_of_any_layout_keep_their_items(dtype: pa.DataType, data: st.DataObject) -> None:
    """Each list's items but the nulls, in order, whatever the layout and the slice."""
    size = 2 if dtype == pa.list_(pa.int64(), 2) else None
    item = st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=size or 0, max_size=size or 4)
    values = data.draw(columns.of_type(dtype, item))
    expected = [
        None if one is None else json.dumps([item for item in one if item is not None], separators=(",", ":"))
        for one in values.to_pylist()
    ]
    assert texts(values) == expected


def test_a_null_list_with_items_below_it_stays_null() -> None:
    """What a validity mask hides is not sent, and does not shift the other rows."""
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 3, 4]), pa.array([1, 2, 3, 4]), mask=pa.array([False, True, False])
    )
    assert texts(hidden) == ["[1,2]", None, "[4]"]


@pytest.mark.parametrize("target", ["auto", "string", "number", "list", "datetime"])
def test_types_that_cannot_be_sent_are_named(target: str) -> None:
    """Structs, maps and durations are a problem for every value but null, naming the Arrow type."""
    for value, dtype in [
        ({"a": 1}, pa.struct([("a", pa.int64())])),
        ([("a", 1)], pa.map_(pa.string(), pa.int64())),
        (dt.timedelta(1), pa.duration("ms")),
    ]:
        code, message = problem(value, Target(target), dtype)
        assert code == "unsupported_type"
        assert str(dtype) in message


def test_what_to_do_about_a_type_that_cannot_be_sent_is_said() -> None:
    """A map's and a duration's message says how to send what they hold."""
    map_message = problem([("a", 1)], Target(), pa.map_(pa.string(), pa.int64()))[1]
    assert map_message.endswith("its keys differ from row to row; make columns of those that are wanted")
    assert problem(dt.timedelta(1), Target(), pa.duration("s"))[1].endswith("in a unit that its readers know")


def test_a_bad_item_is_its_lists_problem() -> None:
    """Lists in lists, or structs in lists, cannot be sent; rows beside them can."""
    nested = coerce(pa.array([[[1]], [], None, [[2], [3]]]), Target())
    assert nested.json.to_pylist() == [None, "[]", None, None]
    assert {place: one.code for place, one in nested.problems.items()} == {0: "unsupported_type", 3: "unsupported_type"}
    assert problem([{"a": 1}], Target())[0] == "unsupported_type"
    assert problem(["a"], Target("string"))[0] == "not_text"


def test_text_that_is_not_utf8_is_a_problem_of_its_row() -> None:
    """Bytes that are not text refuse their own row only, in a column of binary or of unchecked text."""
    raw = pa.array([b"ok", b"caf\xe9", None])
    for column in (raw, raw.view(pa.string()), raw.cast(pa.large_binary())):
        coerced = coerce(column, Target())
        assert coerced.json.to_pylist() == ['"ok"', None, None]
        assert coerced.problems == {1: ("not_text", "'caf\\\\xe9' is not text in UTF-8")}


def test_a_lone_surrogate_is_no_text() -> None:
    """Half of a pair, which some programs write as if it were UTF-8, is refused with its bytes shown."""
    code, message = problem(b"x\xed\xa0\x80", Target("string"))
    assert (code, message) == ("not_text", "'x\\\\xed\\\\xa0\\\\x80' is not text in UTF-8")


def test_long_values_are_shortened_in_messages() -> None:
    """A message shows some 60 characters of a value, and no more of a megabyte."""
    message = problem("x" * 1_000_000, Target("number"))[1]
    assert message == "'" + "x" * 58 + "… is not a number"


def test_a_dictionary_larger_than_its_column_gives_the_same() -> None:
    """A batch may carry a whole file's dictionary; its values and problems are those of the rows."""
    dictionary = pa.array([f"v{index}" for index in range(100)] + ["7"])
    column = pa.DictionaryArray.from_arrays(pa.array([100, 3, None], pa.int16()), dictionary)
    for values in (column, column.take(pa.array([0, 1, 2] * 50))):
        coerced = coerce(values, Target("number"))
        assert coerced.json.to_pylist()[:3] == ["7", None, None]
        assert coerced.problems[1] == ("not_a_number", "'v3' is not a number")
        assert 2 not in coerced.problems


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "int"},
        {"separator": ""},
        {"decimal": ""},
        {"timezone": "Mars/Base"},
        {"format": "dd/mm/yyyy"},
        {"format": "%Q"},
        {"format": "%Y %Q"},
        {"format": "%Y %Y"},
        {"format": "%"},
        {"format": "%Y %"},
    ],
)
def test_a_target_that_there_is_not_is_refused(wrong: dict[str, Any]) -> None:
    """A wrong type, separator, zone or format is refused before any row is read."""
    with pytest.raises(MappingError):
        Target(**wrong)


@pytest.mark.parametrize("form", ["%d/%m", "%H:%M", "day %j"])
def test_a_format_without_a_year_is_refused(form: str) -> None:
    """Python would take 1900 for it, and nobody would notice."""
    with pytest.raises(MappingError, match="has no year"):
        Target(type="date", format=form)


class _Wrapped(pa.ExtensionType):  # type: ignore[misc]
    """A type that somebody made: text inside a name of their own."""

    def __init__(self) -> None:
        super().__init__(pa.string(), "tests.wrapped")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> pa.ExtensionType:
        return cls()


def test_a_type_that_somebody_made_is_what_it_is_stored_as() -> None:
    """An extension type says how values are to be seen; they are sent as they are, within a dictionary too."""
    stored = pa.array(["7", None, "8"]).dictionary_encode()
    plain = pa.ExtensionArray.from_storage(_Wrapped(), pa.array(["7", None, "8"]))
    assert texts(plain, Target("number")) == texts(stored, Target("number")) == ["7", None, "8"]
