"""Read failures files: rows of an input that need a person, each with columns that say what is wrong.

These extra columns are never data, in any table. In a table that has all of them, the other columns are read back as
the values that they were in the source. `VALUE_KINDS` has the kind of each value that was not text. Text loses the
apostrophe that guards it in a spreadsheet. So such a row gives the same call as in its source, and the ledger knows it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.columns.normalize import normalize_parts
from interakt_loader.model import Problem
from interakt_loader.privacy.formula_guard import guarded, unguarded
from interakt_loader.sources.base import OF_AN_OBJECT, PROBLEM_COLUMN, RESERVED, Batches, ReadOptions, Source, heading
from interakt_loader.sources.local_file import File
from interakt_loader.sources.memory import problem_column, text_of, to_arrow
from interakt_loader.values import LOST_DIGITS, Narrow, shortened

EXTRA_COLUMNS = (
    "interakt_row",
    "interakt_code",
    "interakt_column",
    "interakt_message",
    "interakt_hint",
)
"""The extra columns: the number of the row in the input, and what the report says about it."""

MESSAGE = "interakt_message"

VALUE_KINDS = "interakt_types"
"""One more, where the input has values that are not text: JSON with the kind of each, or `UNREADABLE` for a row."""

UNREADABLE = "unreadable"

OBJECTS = ""
"""The key among the kinds for the columns that were fields of an object."""

CANNOT_BE_SENT = "(cannot be sent)"
"""In place of a value that no text can express. A row with it is refused."""

_HEAD_BYTES = 256 << 10
_SEPARATOR = re.compile(r"""interakt_row["']?([^\w"'])["']?interakt_code""")


def is_failures_file(path: str | Path) -> bool:
    """Return whether a text file is a failures file, in any encoding."""
    try:
        with Path(path).open("rb") as file:
            return is_failures_head(file.read(_HEAD_BYTES))
    except OSError:
        return False


def is_failures_head(head: bytes) -> bool:
    """Tell whether the first bytes of a text file are those of a failures file, in any encoding."""
    line = head.replace(b"\0", b"").partition(b"\n")[0]
    return all(name.encode() in line for name in EXTRA_COLUMNS)


OWN_COLUMNS = frozenset((*EXTRA_COLUMNS, VALUE_KINDS))
"""The columns that a failures file adds to those of its input."""


def options_for(file: File, options: ReadOptions) -> ReadOptions:
    """Return how to read a text file. A failures file has its own format, not that of the file its rows come from."""
    head = file.head(_HEAD_BYTES)
    if not is_failures_head(head):
        return options
    separator = _SEPARATOR.search(head.replace(b"\0", b"").decode("latin-1"))
    return ReadOptions(delimiter=separator[1] if separator else None, header=True)


def drop_report_columns(source: Source) -> Source:
    """Return a source without the extra columns. The rows of a failures file come as they were in their input."""
    there = [name for name in source.columns if name in OWN_COLUMNS]
    left_out = source.left_out | set(there)
    if not set(there).issuperset(EXTRA_COLUMNS):
        note = f"{source.path or source.name}: left out, as a failures file has them: {', '.join(there)}"
        return replace(source, left_out=left_out, notes=[*source.notes, note])

    def read() -> Batches:
        with closing(source.read()) as batches:
            for batch in batches:
                yield _restored(batch)

    own = [name for name in source.columns if name not in there]
    return replace(source, columns=_names(own), read=read, left_out=source.left_out, of_failures=True)


def _names(names: list[str]) -> list[str]:
    found: list[str] = unguarded(pa.array(names, pa.string())).to_pylist()
    return found


def _restored(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = {heading(name): column for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    extra = {name: columns.pop(name, None) for name in (*EXTRA_COLUMNS, VALUE_KINDS)}
    reserved = {name: columns.pop(name) for name in RESERVED if name in columns}
    problems = reserved.pop(PROBLEM_COLUMN, None)
    kinds, unreadable = _kinds(extra[VALUE_KINDS], batch.num_rows)
    objects = {name for of_row in kinds for name in of_row.get(OBJECTS, ())}
    kept = {
        name: read_back(column, [of_row.get(name) for of_row in kinds])
        for name, column in zip(_names([*columns]), columns.values(), strict=True)
    }
    messages = extra[MESSAGE].to_pylist()
    blank = [row for row in unreadable if all(not column[row].is_valid for column in kept.values())]
    if problems is not None or blank:
        before = [None] * batch.num_rows if problems is None else problems.to_pylist()
        again = {row: one for row, one in enumerate(before) if one is not None}
        again |= {row: str(messages[row]) for row in blank}
        reserved[PROBLEM_COLUMN] = problem_column(again, batch.num_rows)
    kept |= reserved
    fields = [
        pa.field(name, one.type, metadata=OF_AN_OBJECT if name in objects else None) for name, one in kept.items()
    ]
    return pa.RecordBatch.from_arrays([*kept.values()], schema=pa.schema(fields))


def _kinds(column: pa.Array | None, rows: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the kinds of each row's values, and the rows that could not be read."""
    kinds: list[dict[str, Any]] = [{} for _ in range(rows)]
    unreadable = []
    for row, text in enumerate([] if column is None else column.to_pylist()):
        if text == UNREADABLE:
            unreadable.append(row)
        elif text is not None:
            try:
                found = json.loads(str(text))
            except ValueError:
                continue
            kinds[row] = found if isinstance(found, dict) else {}
    return kinds, unreadable


def read_back(column: pa.Array, kinds: list[str | None]) -> pa.Array:
    """Return the values that `written` made text of."""
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    # A spreadsheet or pandas may have made a number of a text. It was text, unless its kind says something else.
    texts = unguarded(column if pa.types.is_string(column.type) else written(column)[0])
    if not any(kinds):
        return texts
    return to_arrow([_value(text, kind) for text, kind in zip(texts.to_pylist(), kinds, strict=True)])


def written(column: pa.Array) -> tuple[pa.StringArray, list[str | None] | None]:
    """Return a column as guarded text, and the kind of each value that is not text; None if all are text."""
    if pa.types.is_string(column.type):
        return guarded(column), None
    texts: list[str | None] = [None] * len(column)
    kinds: list[str | None] = [None] * len(column)
    parts = normalize_parts(column)
    for part in parts:
        for row in part.problems:
            texts[row], kinds[row] = CANNOT_BE_SENT, "other"
        if part.kind in ("null", "other"):
            continue
        kind = "narrow" if pa.types.is_float32(part.values.type) else part.kind
        for row, value in enumerate(_python(part.values, kind)):
            if value is not None:
                texts[row], kinds[row] = _text(value, kind)
            elif len(parts) == 1 and kind != "text" and kinds[row] is None:
                # A value that a person fills in gets the column's kind.
                kinds[row] = kind
    return guarded(pa.array(texts, pa.string())), kinds if any(kinds) else None


def _python(values: pa.Array, kind: str) -> list[Any]:
    """Return Python values; `_NO_VALUE` where Python has none."""
    if kind == "timestamp" and values.type.unit == "ns":
        values = _in_microseconds(values)
    # Narrow floats are written with their own shortest digits.
    if kind == "narrow":
        return [None if one is None else Narrow(one) for one in values.cast(pa.string()).to_pylist()]
    found: list[Any] = []
    for one in values:
        try:
            found.append(one.as_py())
        except (ValueError, OverflowError, TypeError, pa.ArrowException):
            found.append(_NO_VALUE)
    return found


_NO_VALUE = object()


def _in_microseconds(values: pa.Array) -> pa.Array:
    """Return times without nanoseconds, which no call has. Times before 1970 are rounded down too."""
    counts = values.cast(pa.int64())
    down = pc.divide(pc.if_else(pc.less(counts, 0), pc.subtract(counts, 999), counts), 1000)
    return down.cast(pa.timestamp("us", values.type.tz))


def _text(value: Any, kind: str) -> tuple[str | None, str | None]:
    """Return a value as text, and its kind."""
    if value is _NO_VALUE or (isinstance(value, list) and not all(map(_is_json, value))):
        return CANNOT_BE_SENT, "other"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False), kind
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        kind = "moment"
    if isinstance(value, float) and repr(value) == "-0.0":
        return "-0", kind
    return text_of(value), None if kind == "text" else kind


def _is_json(value: Any) -> bool:
    return value is None or type(value) in (str, int, float, bool)


def _value(text: str | None, kind: str | None) -> Any:
    """Return the value that a text was written for; the text itself if it has been changed to another kind."""
    if text is None or kind is None:
        return text
    if kind == "other":
        return _REFUSED if text == CANNOT_BE_SENT else text
    try:
        return _READ[kind](text.strip())
    except (KeyError, ValueError, ArithmeticError, TypeError):
        # A spreadsheet writes dates in the form of its country. The month is not guessed.
        found = _REWRITTEN.get(kind)
        return text if found is None else Problem(found[0], f"{shortened(text)} was {found[1]}")


_REFUSED = Problem("unsupported_type", f"{CANNOT_BE_SENT} is in place of a value that cannot be sent; empty the cell")


_TIME: tuple[ProblemCode, str] = ("not_a_datetime", "a time in the source: write it like 2026-01-31T13:26:52")
_REWRITTEN: dict[str, tuple[ProblemCode, str]] = {
    "bool": ("not_a_boolean", "true or false in the source: write one of these"),
    "date": ("not_a_date", "a date in the source: write it like 2026-01-31"),
    "timestamp": _TIME,
    "moment": _TIME,
    "time": ("not_a_datetime", "a time of day in the source: write it like 13:26:52"),
}


def _whole(text: str) -> int | float | Problem:
    if text.lstrip("+-").isdecimal():
        return int(text)
    if "e" in text.lower():
        float(text)
        return Problem("not_a_number", f"{shortened(text)} {LOST_DIGITS}")
    number = float(text)
    return int(number) if number.is_integer() else number


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _list(text: str) -> list[Any]:
    return [*json.loads(text)] if text.startswith("[") else [text]


_READ: dict[str, Any] = {
    "bool": _boolean,
    "int": _whole,
    "float": float,
    "narrow": Narrow,
    "decimal": Decimal,
    "digits": lambda text: Decimal(text) if "." in text else int(text),
    "timestamp": _moment,
    "moment": _moment,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "list": _list,
}
