"""Hypothesis strategies for Arrow columns of every type, sliced as the batches of a reader are."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

MONEY = st.from_regex(
    r"'?\(?([$₹€]|Rs\.? ?|US\$)?[+-]?"
    r"([0-9]{1,3}([., \u00a0][0-9]{3}){0,2}|[0-9]{1,2},[0-9]{2},[0-9]{3})([.,][0-9]{0,2})?"
    r"( ?(€|EUR|kr\.|%))?\)?",
    fullmatch=True,
)
"""Numbers as shops write them, and some that nobody does."""


@st.composite
def written_times(draw: Any, form: str) -> str:
    """Draw text in a format or nearly so: parts padded or not, on the calendar and the clock or a little beside."""
    most = {"%d": 32, "%m": 13, "%H": 24, "%I": 13, "%M": 60, "%S": 61, "%y": 99, "%Y": 9999, "%f": 999_999}
    text = ""
    for token in re.findall("%.|[^%]", form):
        if token not in most:
            text += draw(st.sampled_from([token] * 9 + [" "]))
            continue
        number = draw(st.integers(0 if token in ("%H", "%M", "%S") else 1, most[token]))
        width = draw(st.sampled_from([4 if token == "%Y" else 2] * 3 + [1]))
        text += f"{number:0{width}}"
    return str(draw(st.sampled_from(["", "", " ", "'"])) + text + draw(st.sampled_from(["", "", "", " ", "0"])))


TEXTS = st.one_of(
    MONEY,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.from_regex(r"[+-]?[0-9]{0,4}(,[0-9]{2,3}){0,2}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)?"
        r"( ?(Z|UTC|[+-][01][0-9]:?[0-5][0-9]))?",
        fullmatch=True,
    ),
    st.datetimes().map(lambda one: one.isoformat()),
    st.sampled_from(
        ["Yes", " no ", "TRUE", "f", "0", "1", "", "  ", "nan", "-Infinity", "NULL", "[1, \"a\", null, true]", "[",
         '["\\ud800"]', "[[1]]", "[1e999]", "a, b,, c", "[" * 5000, "0001-01-01T00:00+05:30", "0000-01-01",
         "9999-12-31T23:59:59-01:00", "1" * 400, "-0", "1,00,000.50", ".5", "5.", "+7", "007"]
    ),
)  # fmt: skip

_INT_TYPES = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
_COUNTED = [
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Kolkata", "+05:30")),
    pa.timestamp("us", "No/Where"),
    pa.date64(),
    pa.time64("us"),
    pa.time64("ns"),
    pa.duration("ms"),
]
_INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(10**17), 10**17), st.integers(-(10**12), 10**12))
_INT32 = st.integers(-(2**31), 2**31 - 1)
_DECIMALS = [pa.decimal128(10, 2), pa.decimal128(38, 0)]


def _range(dtype: pa.DataType) -> tuple[int, int]:
    bits = dtype.bit_width
    return (0, 2**bits - 1) if pa.types.is_unsigned_integer(dtype) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@st.composite
def of_type(
    draw: Any, dtype: pa.DataType, values: st.SearchStrategy[Any], *, view: pa.DataType | None = None
) -> pa.Array:
    """Draw a slice of an array of the type, nulls among its values."""
    drawn = draw(st.lists(st.one_of(st.none(), values, values, values), max_size=8))
    array = pa.array(drawn, dtype)
    if view is not None:
        array = array.view(view)
    start = draw(st.integers(0, len(array)))
    return array.slice(start, draw(st.integers(0, len(array))))


def texts() -> st.SearchStrategy[pa.Array]:
    """Draw a column of text."""
    return of_type(pa.string(), TEXTS)


def floats() -> st.SearchStrategy[pa.Array]:
    """Draw a column of floats."""
    return of_type(pa.float64(), st.floats())


def ints() -> st.SearchStrategy[pa.Array]:
    """Draw a column of ints of any width."""
    return st.one_of([of_type(one, st.integers(*_range(one))) for one in _INT_TYPES])


def decimals() -> st.SearchStrategy[pa.Array]:
    """Draw a column of decimals."""

    def of(dtype: pa.DataType) -> st.SearchStrategy[pa.Array]:
        most = 10 ** min(dtype.precision, 36) - 1
        return of_type(dtype, st.integers(-most, most).map(lambda one: Decimal(one).scaleb(-dtype.scale).normalize()))

    return st.one_of([of(one) for one in _DECIMALS] + [of_type(pa.decimal256(60, 5), st.decimals(-999, 999, places=5))])


def timestamps(*, zones: bool = True) -> st.SearchStrategy[pa.Array]:
    """Draw a column of timestamps of any unit."""
    types = [one for one in _COUNTED if pa.types.is_timestamp(one) and (zones or one.tz is None)]
    return st.one_of([of_type(pa.int64(), _INT64, view=one) for one in types])


def lists() -> st.SearchStrategy[pa.Array]:
    """Draw a column of lists of any sort."""
    items = [
        (pa.string(), TEXTS),
        (pa.float64(), st.floats()),
        (pa.int64(), _INT64),
        (pa.timestamp("s"), st.none()),
        (pa.list_(pa.int8()), st.just([1])),
        (pa.struct([("a", pa.int8())]), st.just({"a": 1})),
        (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    ]
    columns = []
    for dtype, item in items:
        some = st.lists(st.one_of(st.none(), item), max_size=3)
        columns += [of_type(pa.list_(dtype), some), of_type(pa.large_list(dtype), some)]
    two = st.lists(_INT64, min_size=2, max_size=2)
    return st.one_of(*columns, of_type(pa.list_(pa.int64(), 2), two), of_type(pa.list_view(pa.int64()), two))


def _uuids() -> list[st.SearchStrategy[pa.Array]]:
    if not hasattr(pa, "uuid"):  # older pyarrows
        return []
    storage = of_type(pa.binary(16), st.binary(min_size=16, max_size=16))
    return [storage.map(lambda one: pa.ExtensionArray.from_storage(pa.uuid(), one))]


def anything() -> st.SearchStrategy[pa.Array]:
    """Draw a column of any type."""
    return st.one_of(
        texts(),
        ints(),
        floats(),
        decimals(),
        lists(),
        *(of_type(pa.int64(), _INT64, view=one) for one in _COUNTED),
        of_type(pa.int32(), _INT32, view=pa.date32()),
        of_type(pa.int32(), _INT32, view=pa.time32("s")),
        of_type(pa.int32(), _INT32, view=pa.time32("ms")),
        of_type(pa.bool_(), st.booleans()),
        of_type(pa.null(), st.none()),
        of_type(pa.float32(), st.floats(width=32)),
        of_type(pa.uint16(), st.integers(0, 2**16 - 1), view=pa.float16()),
        *(of_type(one, TEXTS) for one in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))),
        of_type(pa.binary(), st.binary(max_size=6)),
        of_type(pa.binary_view(), st.binary(max_size=6)),
        of_type(pa.binary(4), st.binary(min_size=4, max_size=4)),
        of_type(pa.binary(), st.binary(max_size=6)).map(lambda one: one.view(pa.string())),
        *_uuids(),
        of_type(pa.struct([("a", pa.int8())]), st.just({"a": 1})),
        of_type(pa.map_(pa.string(), pa.int8()), st.just([("a", 1)])),
        of_type(pa.month_day_nano_interval(), st.just((1, 2, 3))),
        of_type(pa.run_end_encoded(pa.int32(), pa.string()), TEXTS),
    )
