"""How every Arrow type is sent for every target, as tried: `python -m docs.mkdocs.types_table`.

The page that it prints is docs/types.md.
"""

from __future__ import annotations

import enum
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from interakt_loader.columns.convert import coerce, texts
from interakt_loader.columns.target import TYPES, Target
from interakt_loader.model import Problem
from interakt_loader.values import json_text, sendable

_NOON = datetime(2025, 3, 27, 12, 0, 0, 926999)
_NOON_S = 1743076800

_INTRODUCTION = """\
# Every type by every target

You write a mapping, and want to know what is sent for a value of each type. Find the column's type on the left, and
the `type` of the mapping at the top.

Each cell shows the JSON that is sent, or *the code* with which the row is refused. *left out* means that the trait is
not sent. Interakt then keeps the value that it has; with `--nulls clear` it clears the value. This happens to missing
values: nulls, NaN, infinities, empty text, and text that is only white space.

The page is generated from the loader itself by `python -m docs.mkdocs.types_table`.
"""

_RULES = """\
## Rules

**Text**

- A string is sent byte for byte, with one exception. A line break, a tab, or three spaces in a row becomes one space,
  because the API refuses them. The report notes `white_space_tidied`.
- Other control characters, U+0000 included, are sent as JSON escapes. U+2028 and U+2029 are sent as they are.
- Bytes that are not UTF-8 are refused (`not_text`). So are halves of surrogate pairs.

**Numbers**

- A number in text may have groups (`1,299.00`, `1,00,000`) and brackets for a minus. It may have one currency sign or
  currency code, which is not sent.
- If the comma is the decimal sign, write `decimal: ","` in the mapping.
- A percentage is refused, because 12 % may mean 12 or 0.12.
- A number above about 1.8e308 is refused (`out_of_range`), because JSON readers take it for infinity.
- Zero has no sign: `-0.0` is sent as `0`.

**Dates and times**

- A date in text is ISO 8601, or has the one format that the mapping gives. The format is a `strptime` format,
  `epoch_s` or `epoch_ms`.
- `7/4/1996` is refused until the mapping gives a format.
- Times are sent in UTC, with milliseconds. Finer digits are cut off.
- Years 1 to 9999 can be sent.
- A time without a zone is a local time in the field's `timezone`. A date is the first moment of its day.
- When clocks go forward, some local times do not exist. They are refused (`datetime_invalid`).
- When clocks go back, some local times happen twice. The earlier one is used, or the later one for a Python datetime
  with `fold=1`.

**Apostrophes**

- Spreadsheets and Shopify write an apostrophe before a number or a date (`'123`). It is removed if the target is a
  number, a datetime or a date. A string keeps it.

**Joined columns, value maps and defaults**

- A join (`columns`) and the keys of a value map (`values`) use the text of each value: see the table below. White space
  around it is removed. A list has no text (`not_text`). A value that a map lacks is refused (`value_unmapped`).
- A time has the zone of the field or of the load, and its text is in UTC with milliseconds.
- The result of a join or a value map is a value like that of a column. `type` says what is sent for it.
- A `default` has a type of its own: `default: 0` is a number, `default: "0"` is text. With a `type` it must fit it.
- `collect` makes a list of the values of all rows of an event. Each has the field's `type`. A missing value adds no
  item. A collected value cannot be a list itself.

**Structs, objects and lists**

- A struct is sent as its fields. `address` with a city and a pin becomes the columns `address.city` and `address.pin`,
  and a mapping uses these names. Structs inside structs work in the same way. If a struct is null, its fields are null.
- An exact column name beats a struct's path. If there is a column `address.city`, the mapping means that column. The
  struct's field is not read. This holds for objects too.
- In Python data and JSON lines, an object (a dict) becomes columns in the same way. If the mapping names
  `address.city`, a row in which `address` is text is refused. If it names `address`, a row in which `address` is an
  object is refused. `track` refuses every object.
- These are refused (`unsupported_type`): maps, durations, intervals, and lists of structs or of lists.
- Columns whose bytes have another meaning are refused too: Parquet's VARIANT, GEOMETRY, GEOGRAPHY, BSON and INTERVAL,
  and types that an older Arrow does not know. A UUID is sent as text.

**Python values**

- A value means the same in `track`, in a column of objects, in a list of dicts and in JSON lines. Each value has its
  own type, whatever the other values of its column are.

**Size**

- A value that no call can hold is refused at once (`too_large`): text of more than a megabyte, or a list of more than
  16,384 items.
"""

_FORMS: tuple[tuple[str, Target], ...] = (
    *((text, Target("number")) for text in ("24", "$9.28", "₹ 1,299.00", "Rs. 500", "12 EUR", "1,00,000", "(12.50)")),
    *((text, Target("number")) for text in ("1e5", "'123", "12%", "1.299,00", "50 kg")),
    *((text, Target("number", decimal=",")) for text in ("1.299,00", "1 299,00 €", "1.299", "1,299.00")),
    *((text, Target("datetime")) for text in ("2023-07-18 12:43:52 UTC", "2023-07-18T12:43:52+05:30")),
    *((text, Target("datetime")) for text in ("2023-07-18 12:43:52.123456789 +0530 ", "2023-07-18 12:43")),
    ("2023-07-18 12:43", Target("datetime", timezone="Asia/Kolkata")),
    *((text, Target("date")) for text in ("7/4/1996", "16/05/2021")),
    ("7/4/1996", Target("date", "%m/%d/%Y")),
    ("16/05/2021", Target("date", "%d/%m/%Y")),
    ("'2021-05-16", Target("date")),
    ("20210516", Target("date", "%Y%m%d")),
    ("1743076800", Target("datetime", "epoch_s")),
    ("1743076800926", Target("datetime", "epoch_ms")),
    *((text, Target("boolean")) for text in ("Yes", "off", "maybe")),
    *((text, Target("list")) for text in ("a, b,, c", '["a", 1, null]')),
    ("a;b", Target("list", separator=";")),
)


class _Plan(enum.Enum):
    GROWTH = "growth"


_VALUES: tuple[tuple[str, Any], ...] = (
    ('"two\\nlines"', "two\nlines"),
    ('" "', " "),
    (r'"\ud83d"', "\ud83d"),
    (r'b"caf\xc3\xa9"', b"caf\xc3\xa9"),
    (r'b"caf\xe9"', b"caf\xe9"),
    ("UUID(int=1)", uuid.UUID(int=1)),
    ("Plan.GROWTH, an enum of 'growth'", _Plan.GROWTH),
    ("None, NaN, an infinity, NaT, NA", None),
    ("1.0", 1.0),
    ("2**70", 2**70),
    ("10**400", 10**400),
    ('Decimal("24.50")', Decimal("24.50")),
    ('Decimal("1E+400000")', Decimal("1E+400000")),
    ("Fraction(1, 3)", Fraction(1, 3)),
    ("1j", 1j),
    ("numpy.float32(0.1)", np.float32(0.1)),
    ("datetime(2025, 3, 27, 12)", datetime(2025, 3, 27, 12)),
    ("the same in Asia/Kolkata", datetime(2025, 3, 27, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    ("datetime(2026, 3, 29, 2, 30) in Europe/Berlin", datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))),
    ("date(2025, 3, 27)", date(2025, 3, 27)),
    ("time(12)", time(12)),
    ("timedelta(1)", timedelta(1)),
    ('["a", None, 1]', ["a", None, 1]),
    ("[[1]]", [[1]]),
    ('[{"sku": "a"}]', [{"sku": "a"}]),
    ('{"b", "a"}', {"b", "a"}),
    ("object(), a path, a model", object()),
)
"""Python values, as people write them."""


_SHORT: tuple[tuple[str, str, pa.Array], ...] = (
    ("text, dictionaries of text, binary in UTF-8", "24", pa.array(["24"])),
    ("whole numbers", "24", pa.array([24])),
    ("floats", "24.0", pa.array([24.0])),
    ("decimals", "24.50", pa.array([Decimal("24.50")])),
    ("booleans", "true", pa.array([True])),
    ("dates", "2025-03-27", pa.array([date(2025, 3, 27)])),
    ("timestamps", "2025-03-27 12:00:00", pa.array([datetime(2025, 3, 27, 12)])),
    ("times of day", "12:00:00", pa.array([time(12)])),
    ("lists", "1, 2", pa.array([[1, 2]])),
    ("lists of structs", "[city: Pune]", pa.array([[{"city": "Pune"}]])),
    ("maps", "a: 1", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))),
    ("durations", "1 day", pa.array([timedelta(1)])),
    ("nulls, NaN, blank text", "null", pa.nulls(1)),
)


def short_table() -> str:
    """Return a table of the sorts of types, one value of each."""
    rows = [[sort, _code(shown), *_outcomes(values)] for sort, shown, values in _SHORT]
    return _table(["column of", "value", *TYPES], rows)


def page() -> str:
    """Return docs/types.md."""
    by_type = [[f"`{values.type}`", _code(shown), *_outcomes(values)] for shown, values in examples()]
    by_form = [[_code(text), _said(target), _outcome(pa.array([text]), target)] for text, target in _FORMS]
    parts = [
        _INTRODUCTION,
        short_table(),
        "## Text in the forms of common exports\n",
        _table(["text", "mapped as", "becomes"], by_form),
        _RULES,
        "## The text of a value\n",
        "This text is joined, and compared with the keys of a value map.\n",
        _table(
            ["column of", "value", "its text"],
            [[sort, _code(shown), _as_key(values)] for sort, shown, values in _SHORT],
        ),
        "## Python values\n",
        "These hold for `track`, columns of objects, lists of dicts and JSON lines, with the type `auto`.\n",
        _table(
            ["value", "becomes"],
            [[_code(shown), said] for (shown, _), (_, said) in zip(_VALUES, python_values(), strict=True)],
        ),
        "## Every Arrow type\n",
        _table(["Arrow type", "value", *TYPES], by_type),
    ]
    return "\n".join(parts)


def examples() -> list[tuple[str, pa.Array]]:
    """Return arrays of one value, at least one of each Arrow type, each with the value as people read it."""
    texts = ["Ann", "24", "yes", "2025-03-27", "2025-03-27T12:00:00+05:30", "a, b", " "]
    found = [(text, pa.array([text])) for text in texts]
    found += [("24", pa.array(["24"], kind)) for kind in (pa.large_string(), pa.string_view())]
    found += [("24", pa.array(["24"]).dictionary_encode())]
    found += [("24", pa.array([b"24"], kind)) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())]
    found += [("24", pa.array([b"24"], pa.binary(2))), (r"caf\xe9", pa.array([b"caf\xe9"]))]
    signed = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    found += [("1", pa.array([1], kind)) for kind in signed]
    found += [(str(2**64 - 1), pa.array([2**64 - 1], pa.uint64()))]
    found += [("1.5", pa.array(np.array([1.5], kind))) for kind in (np.float16, np.float32, np.float64)]
    found += [("24.0", pa.array([24.0])), ("NaN", pa.array([float("nan")]))]
    found += [("24.50", pa.array([Decimal("24.50")], kind)) for kind in (pa.decimal128(9, 2), pa.decimal256(60, 2))]
    found += [("true", pa.array([True]))]
    found += [("2025-03-27", pa.array([date(2025, 3, 27)], kind)) for kind in (pa.date32(), pa.date64())]
    found += [(str(datetime(2025, 3, 27, 12)), _instant(unit, None)) for unit in ("s", "ms", "us", "ns")]
    found += [(f"{datetime(2025, 3, 27, 12)} UTC", _instant(unit, "Asia/Kolkata")) for unit in ("s", "ms", "us", "ns")]
    last = datetime(9999, 12, 31, 23, 59, 59, 999999)
    found += [(str(last), pa.array([last], pa.timestamp("us")))]
    found += [("10000-01-01 00:00:00", pa.array([253402300800]).cast(pa.timestamp("s")))]
    found += [("12:00:00", pa.array([time(12)], kind)) for kind in (pa.time32("s"), pa.time32("ms"))]
    found += [(str(_NOON.time()), pa.array([_NOON.time()], kind)) for kind in (pa.time64("us"), pa.time64("ns"))]
    found += [("1 day", pa.array([timedelta(1)], pa.duration(unit))) for unit in ("s", "ms", "us", "ns")]
    found += [("1 month", pa.array([(1, 0, 0)], pa.month_day_nano_interval()))]
    lists = (pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_(pa.int64(), 2), pa.list_view(pa.int64()))
    found += [("1, 2", pa.array([[1, 2]], kind)) for kind in lists]
    found += [("a, null", pa.array([["a", None]])), ("[1]", pa.array([[[1]]]))]
    found += [("[city: Pune]", pa.array([[{"city": "Pune"}]]))]
    found += [("a: 1", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))), ("null", pa.nulls(1))]
    return found


def _instant(unit: str, zone: str | None) -> pa.Array:
    counts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    return pa.array([_NOON_S * counts[unit]]).cast(pa.timestamp(unit, zone))


def _outcomes(values: pa.Array) -> list[str]:
    return [_outcome(values, Target(target)) for target in TYPES]


def _outcome(values: pa.Array, target: Target) -> str:
    """Return the result for a value: JSON, or the code of the refusal."""
    coerced = coerce(values, target)
    if coerced.problems:
        return f"*{coerced.problems[0].code}*"
    json = coerced.json[0].as_py()
    if json is None:
        return "*left out*"
    return _code(json)


def _as_key(values: pa.Array) -> str:
    """Return the text of a value in a join and as a key of a value map, or the code of the refusal."""
    found, problems = texts(values, Target())
    if problems:
        return f"*{problems[0].code}*"
    text = found[0].as_py()
    return "*left out*" if text is None else _code(text)


def _meant(value: Any) -> str:
    """Return the result for a Python value, as `_outcome` does."""
    found = sendable(value)
    if isinstance(found, Problem):
        return f"*{found.code}*"
    return "*left out*" if found is None else _code(json_text(found))


def python_values() -> list[tuple[Any, str]]:
    """Return the Python values of the page, and the result that it states for each."""
    return [(value, _meant(value)) for _, value in _VALUES]


def _said(target: Target) -> str:
    """Return a target as a mapping writes it."""
    standard = Target()
    keys = ("type", "format", "separator", "timezone", "decimal")
    said = {key: getattr(target, key) for key in keys if getattr(target, key) != getattr(standard, key)}
    return _code(", ".join(f'{key}: "{value}"' if key != "type" else f"{key}: {value}" for key, value in said.items()))


def _code(text: str) -> str:
    return f"`{text}`" if text.strip() else "blank"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
