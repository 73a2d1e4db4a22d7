"""One value, one meaning: `track.user` and `load_users` send the same JSON for it, or refuse it in the same words."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import time
import types
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import MappingDict, load_users, track
from interakt_loader.arguments import body_of, encoded
from interakt_loader.errors import BadArgument
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source

IST = dt.timezone(dt.timedelta(hours=5, minutes=30))
ODD = dt.timezone(dt.timedelta(hours=5, minutes=53, seconds=28))
BERLIN = ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2025, 3, 27, 12, 0, 0, 926_999)

ABSENT = "absent"
"""Left out of the body: there is no value."""


class Refused(NamedTuple):
    """The value is in no body; the code is that of the report and of the exception."""

    code: str


NO_TYPE, NOT_TEXT, TOO_BIG = Refused("unsupported_type"), Refused("not_text"), Refused("out_of_range")


class Plan(str, enum.Enum):
    GROWTH = "growth"


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.Enum):
    RED = "red"
    NONE = None
    PAIR = (1, 2)


class Text(str):
    def __str__(self) -> str:
        return "another"


class Model:
    """As pydantic's: fields, and no value."""

    def __init__(self) -> None:
        self.name = "Ann"


class Pair(NamedTuple):
    left: int
    right: str


HOLDS_ITSELF: dict[str, Any] = {"a": 1}
HOLDS_ITSELF["again"] = HOLDS_ITSELF
LIST_IN_ITSELF: list[Any] = [1]
LIST_IN_ITSELF.append(LIST_IN_ITSELF)
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]

VALUES: dict[str, tuple[Any, Any]] = {
    # text
    "text": ("Ann", "Ann"),
    "padded text": (" Ann ", " Ann "),
    "a line break": ("two\nlines", "two lines"),
    "a line break of Windows": ("two \r\n lines", "two lines"),
    "a tab": ("a\tb", "a b"),
    "three spaces": ("a   b", "a b"),
    "two spaces": ("a  b", "a  b"),
    "many runs": ("a  \n b    c\t\td", "a b c d"),
    "control characters": ("a\x00b\x0bc\u2028d", "a\x00b\x0bc\u2028d"),
    "empty text": ("", ABSENT),
    "blank text": (" \t\n", ABSENT),
    "a no-break space": ("\u00a0", ABSENT),
    "text that looks like a number": ("007", "007"),
    "text that looks like a date": ("2025-03-27", "2025-03-27"),
    "text that looks like a list": ('["a"]', '["a"]'),
    "other alphabets": ("नमस्ते 😀", "नमस्ते 😀"),
    "half a surrogate pair": ("\ud83d", NOT_TEXT),
    "half a surrogate pair among text": ("ab\udc00c", NOT_TEXT),
    "a pair in two halves": ("\ud83d\ude00", "😀"),
    "a subclass of str": (Text("own"), "own"),
    "NumPy's text": (np.str_("text"), "text"),
    "bytes": (b"caf\xc3\xa9", "café"),
    "bytes that are no text": (b"caf\xe9", NOT_TEXT),
    "empty bytes": (b"", ABSENT),
    "a bytearray": (bytearray(b"ab"), "ab"),
    "a memoryview": (memoryview(b"ab"), "ab"),
    "NumPy's bytes": (np.bytes_(b"ab"), "ab"),
    "long text": ("x" * 30_000, "x" * 30_000),
    # enumerations and other dresses
    "an enum of text": (Plan.GROWTH, "growth"),
    "an enum of int": (Level.HIGH, 3),
    "a plain enum": (Colour.RED, "red"),
    "an enum of nothing": (Colour.NONE, ABSENT),
    "an enum of a tuple": (Colour.PAIR, [1, 2]),
    "a UUID": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "a scalar of Arrow": (pa.scalar(5), 5),
    "a scalar of Arrow of 32 bits": (pa.scalar(0.1, pa.float32()), 0.1),
    "a scalar of Arrow of 16 bits": (pa.scalar(np.float16(0.1), pa.float16()), 0.1),
    "a null of Arrow": (pa.scalar(None, pa.string()), ABSENT),
    # missing
    "None": (None, ABSENT),
    "NaN": (float("nan"), ABSENT),
    "an infinity": (float("inf"), ABSENT),
    "minus infinity": (-float("inf"), ABSENT),
    "NumPy's NaN": (np.float32("nan"), ABSENT),
    "a decimal NaN": (Decimal("NaN"), ABSENT),
    "a signalling NaN": (Decimal("sNaN"), ABSENT),
    "a decimal infinity": (Decimal("-Infinity"), ABSENT),
    "pandas.NA": (pd.NA, ABSENT),
    "NaT": (pd.NaT, ABSENT),
    "NumPy's NaT": (np.datetime64("NaT", "ns"), ABSENT),
    "NumPy's NaT of days": (np.datetime64("NaT", "D"), ABSENT),
    "NumPy's NaT of a duration": (np.timedelta64("NaT", "ns"), ABSENT),
    # numbers
    "true": (True, True),
    "false": (False, False),
    "NumPy's true": (np.bool_(True), True),
    "one": (1, 1),
    "one as a float": (1.0, 1),
    "zero": (0, 0),
    "minus zero": (-0.0, 0),
    "minus zero of 32 bits": (np.float32(-0.0), 0),
    "minus zero as a decimal": (Decimal("-0.00"), 0),
    "a fraction of a float": (0.1, 0.1),
    "a float with an exponent": (1e-10, 1e-10),
    "a small float": (0.00001, 0.00001),
    "a smaller float": (1e-7, 1e-7),
    "a float of one digit in its exponent": (9e-8, 9e-8),
    "a float of 1e16": (1e16, 1e16),
    "a large float of 17 digits": (123456789012345680.0, 123456789012345680.0),
    "a large float": (1e20, 1e20),
    "the largest float": (1.7976931348623157e308, 1.7976931348623157e308),
    "the smallest float": (5e-324, 5e-324),
    "a float of 2**53": (2.0**53, 2**53),
    "an int beyond 2**53": (2**53 + 1, 2**53 + 1),
    "an int of 2**63": (2**63, 2**63),
    "an int below -2**63": (-(2**63) - 1, -(2**63) - 1),
    "an int of 2**64": (2**64, 2**64),
    "an int of 2**70": (2**70, 2**70),
    "an int of -2**70": (-(2**70), -(2**70)),
    "an int of 100 digits": (10**100, 10**100),
    "an int beyond all floats": (10**400, TOO_BIG),
    "an int of 100,000 digits": (10**100_000, TOO_BIG),
    "a decimal": (Decimal("24.50"), 24.5),
    "a whole decimal": (Decimal("24.00"), 24.0),
    "a decimal with an exponent": (Decimal("1E+5"), 100_000),
    "a decimal zero with an exponent": (Decimal("0E+3"), 0),
    "a small decimal": (Decimal("1E-20"), 1e-20),
    "a long decimal": (Decimal("12345678901234567890.12345"), 12345678901234567890.12345),
    "a huge decimal": (Decimal("1E+400000"), TOO_BIG),
    "a tiny decimal": (Decimal("1E-400000"), TOO_BIG),
    "a decimal of a million digits": (Decimal("9" * 1_000_000), TOO_BIG),
    "NumPy's int": (np.int64(7), 7),
    "NumPy's largest int": (np.uint64(2**64 - 1), 2**64 - 1),
    "NumPy's float32": (np.float32(0.1), 0.1),
    "NumPy's float16": (np.float16(0.1), 0.1),
    "NumPy's float64": (np.float64(2.5), 2.5),
    "NumPy's long double": (np.longdouble("0.1"), 0.1),
    "a fraction": (fractions.Fraction(1, 3), NO_TYPE),
    "a complex number": (1j, NO_TYPE),
    "NumPy's complex number": (np.complex128(1j), NO_TYPE),
    # times
    "a datetime": (NOON, "2025-03-27T12:00:00.926Z"),
    "a datetime before 1970": (dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), "1969-12-31T23:59:59.999Z"),
    "a datetime in UTC": (NOON.replace(tzinfo=dt.timezone.utc), "2025-03-27T12:00:00.926Z"),
    "a datetime with an offset": (NOON.replace(tzinfo=IST), "2025-03-27T06:30:00.926Z"),
    "a datetime with an odd offset": (NOON.replace(tzinfo=ODD), "2025-03-27T06:06:32.926Z"),
    "a datetime in a zone": (NOON.replace(tzinfo=BERLIN), "2025-03-27T11:00:00.926Z"),
    "the earlier of two": (dt.datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN), "2025-10-26T00:30:00.000Z"),
    "the later of two": (dt.datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=BERLIN), "2025-10-26T01:30:00.000Z"),
    "the first moment by an odd clock": (
        dt.datetime(1, 1, 1, 0, 0, 10, tzinfo=dt.timezone(-dt.timedelta(hours=5, minutes=53, seconds=28))),
        "0001-01-01T05:53:38.000Z",
    ),
    "a skipped time": (dt.datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), Refused("datetime_invalid")),
    "a skipped time with fold": (dt.datetime(2026, 3, 29, 2, 30, fold=1, tzinfo=BERLIN), Refused("datetime_invalid")),
    "a time far in the future": (dt.datetime(2100, 7, 1, 12, tzinfo=BERLIN), "2100-07-01T10:00:00.000Z"),
    "the first moment": (dt.datetime(1, 1, 1), "0001-01-01T00:00:00.000Z"),
    "before the first moment": (dt.datetime(1, 1, 1, tzinfo=IST), TOO_BIG),
    "the last moment": (dt.datetime.max, "9999-12-31T23:59:59.999Z"),
    "after the last moment": (dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=1))), TOO_BIG),
    "a Timestamp": (pd.Timestamp("2025-03-27 12:00:00.926999999"), "2025-03-27T12:00:00.926Z"),
    "a Timestamp in a zone": (pd.Timestamp("2025-03-27 12:00", tz="Asia/Kolkata"), "2025-03-27T06:30:00.000Z"),
    "NumPy's datetime": (np.datetime64("2025-03-27T12:00:00.926999999"), "2025-03-27T12:00:00.926Z"),
    "NumPy's datetime of years": (np.datetime64("2025", "Y"), "2025-01-01T00:00:00.000Z"),
    "NumPy's datetime beyond the years": (np.datetime64("20000-01-01", "s"), TOO_BIG),
    "a date": (dt.date(1998, 1, 1), "1998-01-01"),
    "NumPy's date": (np.datetime64("2025-03-27"), "2025-03-27"),
    "a time of day": (dt.time(12), "12:00:00"),
    "a time of day with milliseconds": (dt.time(12, 0, 0, 926_999), "12:00:00.926"),
    "the last time of a day": (dt.time.max, "23:59:59.999"),
    "a time of day with a zone": (dt.time(12, tzinfo=IST), NO_TYPE),
    "a timedelta": (dt.timedelta(1), NO_TYPE),
    "a Timedelta": (pd.Timedelta(1, "h"), NO_TYPE),
    "NumPy's timedelta": (np.timedelta64(5, "s"), NO_TYPE),
    "a Period": (pd.Period("2025-03", "M"), "2025-03"),
    "an Interval": (pd.Interval(0, 1), "(0, 1]"),
    # several values
    "an empty list": ([], []),
    "a mixed list": (["a", None, 1], ["a", 1]),
    "all that a list drops": (["a", None, float("nan"), "", " ", pd.NaT, "b"], ["a", "b"]),
    "a list of all kinds": (
        [True, 1, 1.5, 2**70, "x\ny", NOON, dt.date(2025, 1, 2), dt.time(1), Decimal("0.5"), NOON.replace(tzinfo=IST)],
        [
            True,
            1,
            1.5,
            2**70,
            "x y",
            "2025-03-27T12:00:00.926Z",
            "2025-01-02",
            "01:00:00",
            0.5,
            "2025-03-27T06:30:00.926Z",
        ],
    ),
    "a list with half a pair": (["a", "\ud83d"], NOT_TEXT),
    "a list with a timedelta": ([dt.timedelta(1)], NO_TYPE),
    "a list in a list": (["a", [1]], NO_TYPE),
    "a list in itself": (LIST_IN_ITSELF, NO_TYPE),
    "a deep list": (DEEP, NO_TYPE),
    "an object in a list": ([{"sku": "a"}], NO_TYPE),
    "a read-only object in a list": ([types.MappingProxyType({"sku": "a"})], NO_TYPE),
    "a list of nulls": ([None, float("nan"), ""], []),
    "a list of text with runs of white space": (["a\nb", "a\tb", "a   b"], ["a b", "a b", "a b"]),
    "a list of bytes": ([b"ab", b"cd"], ["ab", "cd"]),
    "a list with bytes that are no text": ([b"\xe9"], NOT_TEXT),
    "a list of small numbers": ([-0.0, 0.00001, 9e-8], [0, 0.00001, 9e-8]),
    "a tuple": (("x", 1), ["x", 1]),
    "a named tuple": (Pair(1, "b"), [1, "b"]),
    "a set": ({"b", "a"}, ["a", "b"]),
    "a frozen set": (frozenset({2, 10}), [10, 2]),
    "keys": ({"b": 1, "a": 2}.keys(), ["a", "b"]),
    "an array": (np.array([1, 2]), [1, 2]),
    "an array of times": (np.array(["2025-03-27T12:00:00"], "datetime64[ns]"), ["2025-03-27T12:00:00.000Z"]),
    "an array of no dimension": (np.array(5), 5),
    "an array of two dimensions": (np.zeros((2, 2)), NO_TYPE),
    "a Series": (pd.Series([1, 2]), [1, 2]),
    "a list of a million": ([1] * 1_000_000, Refused("too_large")),
    "an array of a million": (np.zeros(1_000_000), Refused("too_large")),
    "a set of a million": (set(range(1_000_000)), Refused("too_large")),
    # no values
    "an object": (object(), NO_TYPE),
    "a model": (Model(), NO_TYPE),
    "a class": (Model, NO_TYPE),
    "a function": (len, NO_TYPE),
    "a text beyond all calls": ("x" * 2_000_000, Refused("too_large")),
    "a path": (pathlib.PurePosixPath("/a"), NO_TYPE),
    "an address": (ipaddress.IPv4Address("10.0.0.1"), NO_TYPE),
    "a range": (range(3), NO_TYPE),
    "a generator": ((one for one in "ab"), NO_TYPE),
    "a frame": (pd.DataFrame({"a": [1]}), NO_TYPE),
    "a structured scalar": (np.array([(1, 2)], "i4,i4")[0], NO_TYPE),
}


@pytest.fixture(autouse=True)
def _exact_decimals() -> Any:
    """The caller's decimal context changes nothing."""
    with decimal.localcontext() as context:
        context.prec = 3
        yield


def by_track(sandbox: Sandbox, values: list[Any]) -> list[tuple[Any, str]]:
    """Send each value as a trait of a user of its own; return what arrived or the refusal, and the words of it."""
    found: list[tuple[Any, str]] = []
    for at, value in enumerate(values):
        try:
            track.user(f"t{at}", traits={"value": value})
            track.flush()
        except BadArgument as error:
            found.append((Refused(error.code or "none"), str(error).removeprefix("traits['value']: ")))
        else:
            found.append((None, ""))
    arrived = {one.user_id: one.traits.get("value", ABSENT) for one in sandbox.users()}
    return [(arrived[f"t{at}"], "") if one[0] is None else one for at, one in enumerate(found)]


def by_load(sandbox: Sandbox, data: Any, ids: list[str]) -> list[tuple[Any, str]]:
    """Load a table of `id` and `value`; return the same as `by_track`."""
    result = load_users(
        data,
        {"user_id": "id", "traits": ["value"]},
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        rate_limit=None,
    )
    arrived = {one.user_id: one.traits.get("value", ABSENT) for one in sandbox.users()}
    lines = {row["user_id"]: row for row in result.to_arrow().to_pylist()}
    return [
        (Refused(lines[one]["code"]), lines[one]["message"].removeprefix("value: "))
        if lines[one]["status"] == "invalid"
        else (arrived[one], "")
        for one in ids
    ]


def same(one: Any, other: Any) -> bool:
    """Tell whether two are the same JSON: 1 is not true, and 1.0 is 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))


@pytest.mark.parametrize("form", ["a column of objects", "a list of dicts"])
def test_a_value_is_the_same_for_track_and_for_tables(aimed: Sandbox, form: str) -> None:
    """Each value, all in one column: what arrives is the JSON of the table above, or the refusal and its words."""
    values = [value for value, _ in VALUES.values()]
    tracked = by_track(aimed, values)
    ids = [f"u{at}" for at in range(len(values))]
    if form == "a list of dicts":
        data: Any = [{"id": one, "value": value} for one, value in zip(ids, values, strict=True)]
    else:
        data = pd.DataFrame({"id": ids, "value": pd.Series(values, dtype=object)})
    loaded = by_load(aimed, data, ids)
    wrong = {
        name: (expected, track_says, load_says)
        for (name, (_, expected)), track_says, load_says in zip(VALUES.items(), tracked, loaded, strict=True)
        if not same(track_says[0], expected) or not same(load_says[0], expected) or track_says[1] != load_says[1]
    }
    assert wrong == {}


ALTERED = {
    "a skipped time": "Arrow holds the instant",
    "a skipped time with fold": "Arrow holds the instant",
    "a time of day with a zone": "Arrow drops the zone",
    "NumPy's date": "pandas makes a time of it",
    "NumPy's long double": "pandas goes through 64 bits",
    "a set": "Arrow takes its order as it comes",
    "a frozen set": "Arrow takes its order as it comes",
    "a set of a million": "Arrow takes its order as it comes",
    "a list of a million": "Arrow sees a list in a list before it sees how long it is",
    "an array of a million": "Arrow sees a list in a list before it sees how long it is",
    "a list in itself": "Arrow follows it without end",
    "a deep list": "Arrow follows it too deep",
}
"""Values that a typed column cannot hold as they are, and why."""


def columns_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield columns whose first value is this one: among objects, and in each type that holds it unaltered."""
    for neighbours in ([], ["C1"], [7], [7.5], [None]):
        yield f"objects, with {neighbours}", pd.Series([value, *neighbours], dtype=object)


def typed_columns_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield columns of one value, in the types that Arrow and pandas give it."""
    with contextlib.suppress(pa.ArrowException, ValueError, TypeError, OverflowError):
        array = pa.array([value])
        yield f"Arrow's {array.type}", array
        yield f"a dictionary of {array.type}", array.dictionary_encode()
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        series = pd.Series([value])
        if series.dtype != object and len(series) == 1:
            yield f"pandas' {series.dtype}", series


def json_by_track(value: Any) -> str | tuple[str, str]:
    """Return the traits of the call as their JSON text, or the refusal's code and words."""
    try:
        body = encoded(
            body_of(
                "user",
                user_id="u",
                country_code=None,
                phone_number=None,
                traits={"value": value},
                created_at=None,
            )
        )
    except BadArgument as error:
        return error.code or "none", str(error).partition(": ")[2]
    return body.decode().partition('"traits":')[2]


def json_by_load(column: Any) -> str | tuple[str, str]:
    """Return the same of the first row of a table with this column."""
    ids = ["u"] * len(column)
    if isinstance(column, pd.Series):
        data: Any = pd.DataFrame({"id": ids, "value": column})
    else:
        data = pa.table({"id": ids, "value": column})
    prepare = Preparation(Mapping.of({"user_id": "id", "traits": ["value"]}), "user", Settings())
    row = prepare(next(iter(open_source(data).batches())), 0).to_pylist()[0]
    if row["body"] is None:
        return row["code"], row["message"].partition(": ")[2]
    return str(row["body"].decode()).partition('"traits":')[2]


@pytest.mark.parametrize("shape", ["alone", "in a list"])
def test_a_value_is_the_same_json_text_in_every_column(shape: str) -> None:
    """Digit for digit: among objects in the same words, and in typed columns with the same code where it is refused."""
    wrong = {}
    for name, (held, _) in VALUES.items():
        value = held if shape == "alone" else [held]
        expected = json_by_track(value)
        for kind, column in columns_of(value):
            if (found := json_by_load(column)) != expected:
                wrong[name, kind] = (expected, found)
        for kind, column in typed_columns_of(value) if name not in ALTERED else ():
            found = json_by_load(column)
            refused_alike = isinstance(found, tuple) and found[0] == expected[0]
            if found != expected and not refused_alike:
                wrong[name, kind] = (expected, found)
    assert wrong == {}


TYPED: dict[str, tuple[Any, Any]] = {
    "unsigned 64 bits": (2**64 - 1, pa.array([2**64 - 1], pa.uint64())),
    "8 bits": (-128, pa.array([-128], pa.int8())),
    "nullable integers": (7, pd.Series([7, None], dtype="Int64")),
    "nullable floats": (0.1, pd.Series([0.1, None], dtype="Float64")),
    "nullable booleans": (True, pd.Series([True, None], dtype="boolean")),
    "text of pandas": ("a\nb", pd.Series(["a\nb", None], dtype="string")),
    "categories": ("a\tb", pd.Series(["a\tb", "c"], dtype="category")),
    "categories of numbers": (-0.0, pd.Series([-0.0, 1.5], dtype="category")),
    "periods": (pd.Period("2025-03", "M"), pd.Series([pd.Period("2025-03", "M")])),
    "intervals": (pd.Interval(0, 1), pd.Series([pd.Interval(0, 1)])),
    "sparse floats": (1.5, pd.Series([1.5, 0.0], dtype=pd.SparseDtype(float))),
    "complex numbers": (1j, pd.Series([1j])),
    "a missing integer": (None, pd.Series([None, 1], dtype="Int64")),
    "a missing time": (pd.NaT, pd.Series([pd.NaT, NOON])),
    "an infinity": (float("inf"), pd.Series([float("inf"), 1.0])),
    "a large string": ("x", pa.array(["x"], pa.large_string())),
    "a blank": (" ", pa.array([" "])),
    "bytes of a fixed size": (b"ab", pa.array([b"ab"], pa.binary(2))),
    "bytes that are no text": (b"\xe9", pa.array([b"\xe9"], pa.large_binary())),
    "a decimal of 256 bits": (Decimal("1" * 60 + ".5"), pa.array([Decimal("1" * 60 + ".5")])),
    "a decimal of a negative scale": (Decimal("1E+5"), pa.array([Decimal("1E+5")], pa.decimal128(5, -2))),
    "a date in milliseconds": (dt.date(1969, 12, 31), pa.array([dt.date(1969, 12, 31)], pa.date64())),
    "a time in seconds": (dt.datetime(1969, 12, 31), pa.array([dt.datetime(1969, 12, 31)], pa.timestamp("s"))),
    "a time in nanoseconds": (NOON, pa.array([NOON], pa.timestamp("ns"))),
    "a time in a zone": (NOON.replace(tzinfo=BERLIN), pa.array([NOON.replace(tzinfo=BERLIN)])),
    "a time of day in seconds": (dt.time(12), pa.array([dt.time(12)], pa.time32("s"))),
    "a time of day in nanoseconds": (dt.time(1, 2, 3, 926_999), pa.array([dt.time(1, 2, 3, 926_999)], pa.time64("ns"))),
    "a large list": ([1, None], pa.array([[1, None]], pa.large_list(pa.int64()))),
    "a list of a fixed size": (["a\nb", " "], pa.array([["a\nb", " "]], pa.list_(pa.string(), 2))),
    "a list of float32": ([np.float32(0.1)], pa.array([[0.1]], pa.list_(pa.float32()))),
    "a list of lists": ([[1]], pa.array([[[1]]])),
    "a list of objects": ([{"a": 1}], pa.array([[{"a": 1}]])),
    "a list of durations": ([dt.timedelta(1)], pa.array([[dt.timedelta(1)]])),
    "a duration": (dt.timedelta(1), pa.array([dt.timedelta(1)])),
    "nothing": (None, pa.nulls(1)),
}
"""Values in types that neither Arrow nor pandas chooses by itself."""


def test_a_value_is_the_same_json_text_in_rarer_types() -> None:
    """Each as `track` sends it, or refused with the same code."""
    wrong = {}
    for name, (value, column) in TYPED.items():
        expected, found = json_by_track(value), json_by_load(column)
        if isinstance(expected, tuple):
            expected, found = expected[0], found[0]
        if found != expected:
            wrong[name] = (expected, found)
    assert wrong == {}


def test_a_constant_is_the_same_as_a_column_of_it() -> None:
    """What a mapping gives to all rows is the same JSON, or is refused in the same words; the message names it."""
    wrong = {}
    for name, (value, _) in VALUES.items():
        if value is None or isinstance(value, (dict, set)):
            continue
        prepare = Preparation(
            Mapping.of({"user_id": "id", "traits": [{"value": value, "name": "value"}]}), "user", Settings()
        )
        row = prepare(pa.RecordBatch.from_pydict({"id": ["u"]}), 0).to_pylist()[0]
        expected = json_by_track(value)
        if row["body"] is not None:
            found: Any = row["body"].decode().partition('"traits":')[2]
        else:
            found = row["code"], row["message"]
        same_refusal = isinstance(expected, tuple) and found[0] == expected[0] and found[1].endswith(expected[1])
        if found != expected and not (same_refusal and found[1].startswith("constant ") and len(found[1]) < 300):
            wrong[name] = (expected, found)
    assert wrong == {}


def test_a_value_does_not_depend_on_its_neighbours(aimed: Sandbox) -> None:
    """Each value as the only one of its table arrives as it does among the others."""
    wrong = {}
    for at, (name, (value, expected)) in enumerate(VALUES.items()):
        ((found, _),) = by_load(aimed, [{"id": f"a{at}", "value": value}], [f"a{at}"])
        if not same(found, expected):
            wrong[name] = (expected, found)
    assert wrong == {}


def test_no_value_takes_long(aimed: Sandbox) -> None:
    """A tenth of a second of CPU, both ways; what is too much for a call is refused before it is looked through."""
    heavy = {
        **VALUES,
        "ten megabytes": ("x" * 10_000_000, None),
        "ten megabytes of spaces": (" " * 10_000_000 + "x", None),
        "ten megabytes of two spaces": ("a  " * 3_333_333, None),
        "ten megabytes of line breaks": ("a\n" * 5_000_000, None),
        "ten megabytes of bytes": (b"x" * 10_000_000, None),
        "halves of pairs": ("\ud83d" * 1_000_000, None),
        "a deep tuple": (frozenset({tuple([((),)] * 1000)}), None),
    }
    slow = {}
    for name, (value, _) in heavy.items():
        started = time.process_time()
        with contextlib.suppress(BadArgument):
            track.user("u1", traits={"value": value})
        between = time.process_time()
        by_load(aimed, [{"id": "u1", "value": value}], ["u1"])
        ended = time.process_time()
        if max(between - started, ended - between) > 5:
            slow[name] = (between - started, ended - between)
    assert slow == {}


def test_an_object_is_no_value(aimed: Sandbox) -> None:
    """A trait is one value: `track` refuses an object, a table has a column for each field; one in itself ends."""
    for value in ({"city": "Pune"}, {}, HOLDS_ITSELF):
        with pytest.raises(BadArgument, match=r"traits\['value'\]: is an object here, not a value") as caught:
            track.user("u1", traits={"value": value})
        assert caught.value.code == "unsupported_type"
    options: dict[str, Any] = {"api_key": aimed.api_key, "base_url": aimed.url, "rate_limit": None}
    values = {"a": {"city": "Pune"}, "b": HOLDS_ITSELF, "c": "x"}
    rows = [{"id": name, "value": value} for name, value in values.items()]
    lines = load_users(rows, {"user_id": "id", "traits": "*"}, **options).to_arrow().to_pylist()
    assert [line["status"] for line in lines] == ["sent", "invalid", "sent"]
    assert "holds itself" in lines[1]["message"]
    assert {one.user_id: one.traits for one in aimed.users()} == {"a": {"value.city": "Pune"}, "c": {"value": "x"}}
    lines = load_users(rows, {"user_id": "id", "traits": ["value"]}, **options).to_arrow().to_pylist()
    assert [(line["status"], line["code"]) for line in lines] == [("invalid", "unsupported_type")] * 2 + [
        ("sent", None)
    ]


def test_a_map_of_arrow_is_no_value(aimed: Sandbox) -> None:
    """Its keys are no names of columns, so it is refused where it stands."""
    value = pa.scalar([("a", 1)], pa.map_(pa.string(), pa.int64()))
    assert by_track(aimed, [value])[0][0] == NO_TYPE
    assert by_load(aimed, [{"id": "a", "value": value}], ["a"])[0][0] == NO_TYPE


@pytest.mark.parametrize("neighbour", [None, np.float32(3), 5, 0.5, "C1"])
def test_a_whole_number_in_a_narrow_float_is_no_id(aimed: Sandbox, neighbour: Any) -> None:
    """From 2**24 on, 32 bits do not hold each whole number: 123456789 becomes another customer's 123456790."""
    id_, phone = np.float32(123456789), np.float32(9876543210)
    for one in ({"user_id": id_}, {"user_id": "a", "phone_number": phone}):
        with pytest.raises(BadArgument, match="expected text or a whole number"):
            track.user(**one)
    rows = [{"id": id_}, {"phone": phone}, {"id": neighbour, "phone": neighbour}]
    options: dict[str, Any] = {"api_key": aimed.api_key, "base_url": aimed.url, "rate_limit": None}
    lines = load_users(rows, {"user_id": "id", "phone": "phone"}, **options).to_arrow().to_pylist()
    assert [line["code"] for line in lines[:2]] == ["user_id_invalid", "phone_invalid"]
    assert all("lost digits" in line["message"] for line in lines[:2])


CREATED: dict[str, tuple[Any, Any]] = {
    "nothing": (None, None),
    "blank text": (" ", None),
    "NaT": (pd.NaT, None),
    "a datetime": (NOON, "2025-03-27T12:00:00.926Z"),
    "a datetime with an offset": (NOON.replace(tzinfo=IST), "2025-03-27T06:30:00.926Z"),
    "a skipped time": (dt.datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), Refused("datetime_invalid")),
    "a date": (dt.date(2025, 3, 27), "2025-03-27T00:00:00.000Z"),
    "a number": (1743082012, Refused("not_a_datetime")),
    "a boolean": (True, Refused("not_a_datetime")),
    "a list": ([NOON], Refused("not_a_datetime")),
    "a timedelta": (dt.timedelta(1), NO_TYPE),
    **{
        text: (text, expected)
        for text, expected in {
            "2025-03-27": "2025-03-27T00:00:00.000Z",
            " 2025-03-27T13:26:52.926Z ": "2025-03-27T13:26:52.926Z",
            "'2025-03-27 13:26": "2025-03-27T13:26:00.000Z",
            "2025-03-27T13:26:52.9": "2025-03-27T13:26:52.900Z",
            "2025-03-27t13:26:52.123456789+05:30": "2025-03-27T07:56:52.123Z",
            "2025-03-27 13:26:52 UTC": "2025-03-27T13:26:52.000Z",
            "2025-03-27 13:26:52 GMT": "2025-03-27T13:26:52.000Z",
            "2025-03-27 13:26:52 +0530": "2025-03-27T07:56:52.000Z",
            "2025-03-27 13:26:52+05": "2025-03-27T08:26:52.000Z",
            "2025-03-27T13:26z": "2025-03-27T13:26:00.000Z",
            "2024-02-29": "2024-02-29T00:00:00.000Z",
            "0001-01-01T00:00:00+05:30": TOO_BIG,
            "0000-01-01": TOO_BIG,
            **dict.fromkeys(
                (
                    "yesterday",
                    "2025-02-30",
                    "2025-02-29",
                    "2025-03-27T24:00:00",
                    "2025-03-27T23:59:60Z",
                    "2025-03-27T25:00:00Z",
                    "2025-03-27T13:26:52+5",
                    "2025-03-27T13:26:52+25:00",
                    "2025-03-27T13:26.5Z",
                    "2025-03-27Z",
                    "2025-03-27T13",
                    "0000-02-30",
                    "10000-01-01",
                    "27/03/2025",
                    "20250327",
                    "१२२५-03-27",
                ),
                Refused("not_a_datetime"),
            ),
        }.items()
    },
}


def test_a_created_at_is_the_same_for_track_and_for_tables(aimed: Sandbox) -> None:
    """Datetimes, dates and ISO 8601 text are read alike; anything else is refused with one code."""
    tracked: list[Any] = []
    for at, (value, _) in enumerate(CREATED.values()):
        try:
            track.user(f"t{at}", created_at=value)
        except BadArgument as error:
            tracked.append(Refused(error.code or "none"))
        else:
            tracked.append(None)
    track.flush()
    ids = [f"u{at}" for at in range(len(CREATED))]
    rows = [{"id": one, "at": value} for one, (value, _) in zip(ids, CREATED.values(), strict=True)]
    mapping: MappingDict = {"user_id": "id", "created_at": "at", "traits": []}
    result = load_users(rows, mapping, api_key=aimed.api_key, base_url=aimed.url, rate_limit=None)
    codes = {row["user_id"]: row["code"] for row in result.to_arrow().to_pylist() if row["status"] == "invalid"}
    arrived = {one.user_id: one.created_at for one in aimed.users()}
    wrong = {}
    for at, (name, (_, expected)) in enumerate(CREATED.items()):
        by_call = tracked[at] or arrived[f"t{at}"]
        by_table = Refused(codes[f"u{at}"]) if f"u{at}" in codes else arrived[f"u{at}"]
        if not (by_call == by_table == expected):
            wrong[name] = (expected, by_call, by_table)
    assert wrong == {}


def test_both_take_the_same_characters_for_blank(aimed: Sandbox) -> None:
    """Each character alone is a value both ways, or it is none both ways."""
    every = [chr(code) for code in range(0x3100) if not 0xD800 <= code < 0xE000]
    spaces = [one for one in every if one.isspace()]
    assert len(spaces) > 25
    sent = [one for one, (found, _) in zip(spaces, by_track(aimed, spaces), strict=True) if found != ABSENT]
    assert sent == []
    ids = [f"u{at}" for at in range(len(every))]
    frame = pd.DataFrame({"id": ids, "value": every})
    absent = {one for one, (found, _) in zip(every, by_load(aimed, frame, ids), strict=True) if found == ABSENT}
    assert absent == set(spaces)
