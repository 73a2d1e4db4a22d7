"""Arrow columns of any type → the few kinds of plain value that the loader knows.

Tables come with dictionaries, views, extension types, text stored as binary, blanks and NaN. All that is dealt with
once, here: `plain` makes of each column one of the kinds below, null where a value is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.wire import Problem

Kind = Literal["null", "bool", "int", "float", "decimal", "text", "timestamp", "date", "time", "list", "other"]

LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""

_TEXTS = ("string", "large_string", "string_view")
_BINARIES = ("binary", "large_binary", "binary_view", "fixed_size_binary")
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")

# What to do about the types that cannot be sent, by the first word of their names.
_ADVICE = {
    "struct": ": a struct in a list has no column of its own",
    "map": ": its keys differ from row to row; make columns of those that are wanted",
    "duration": ": make a number of it, in a unit that its readers know",
}


class Plain(NamedTuple):
    """A column's values, plain."""

    kind: Kind
    values: pa.Array
    """null, bool, any int, float32/64, any decimal, string, timestamp, date32/64, time32/64 or any list.

    Null where a value is missing (Arrow null; NaN and infinities; text that is empty or only white space) and
    where there is a problem.
    """
    problems: dict[int, Problem]
    """Text that is no text (`not_text`), and each value of a type that cannot be sent (`unsupported_type`)."""


def plain(values: pa.Array) -> Plain:
    """Return the values as one of the plain kinds. Never raises, whatever the type."""
    values = _unwrapped(values)
    dtype = values.type
    if pa.types.is_null(dtype):
        return Plain("null", values, {})
    if pa.types.is_boolean(dtype):
        return Plain("bool", values, {})
    if pa.types.is_integer(dtype):
        return Plain("int", values, {})
    if pa.types.is_floating(dtype):
        if pa.types.is_float16(dtype):
            values = values.cast(pa.float32())
        return Plain("float", without(values, pc.invert(pc.is_finite(values))), {})
    if pa.types.is_decimal(dtype):
        return Plain("decimal", values, {})
    if pa.types.is_timestamp(dtype):
        return Plain("timestamp", values, {})
    if pa.types.is_date(dtype):
        return Plain("date", values, {})
    if pa.types.is_time(dtype):
        return Plain("time", values, {})
    if _is_any(dtype, _TEXTS + _BINARIES):
        return _text(values)
    if _is_any(dtype, _LISTS):
        return Plain("list", values, {})
    advice = _ADVICE.get(str(dtype).split("<")[0].split("[")[0], "")
    problems = problems_at(values, values.is_valid(), "unsupported_type", f"cannot be sent{advice}")
    return Plain("other", pa.nulls(len(values)), problems)


def without(values: pa.Array, mask: pa.BooleanArray) -> pa.Array:
    """Return the values with null wherever the mask is true."""
    if not pc.any(mask).as_py():
        return values
    # not if_else: with a null scalar and a slice of text, pyarrow 17 spoils the text
    return pc.replace_with_mask(values, mask.fill_null(False), pa.scalar(None, values.type))


def bare(text: pa.StringArray) -> pa.StringArray:
    """Return text that is to be a number or a date without white space around it or an apostrophe before it.

    Spreadsheets, and shops that export for them, write `'123` to keep a number text.
    """
    text = pc.utf8_trim_whitespace(text)
    quoted = pc.starts_with(text, "'")
    if not pc.any(quoted).as_py():
        return text
    return pc.if_else(quoted, pc.utf8_ltrim_whitespace(pc.utf8_slice_codeunits(text, 1)), text)


def problems_at(
    values: pa.Array, mask: pa.BooleanArray, code: ProblemCode, complaint: str | Callable[[str], str]
) -> dict[int, Problem]:
    """Return a problem for each place where the mask is true: the value as people read it, then the complaint.

    Of text, the complaint may be made for each value.
    """
    places = pc.indices_nonzero(mask)
    if not len(places):
        return {}
    shown = _shown(values, places)
    if callable(complaint):
        complaints = [complaint(one) for one in values.take(places).to_pylist()]
    else:
        complaints = [complaint] * len(shown)
    return {
        place: Problem(code, f"{value} {said}")
        for place, value, said in zip(places.to_pylist(), shown, complaints, strict=True)
    }


def shortened(text: str) -> str:
    """Return a text's repr, at most `LONGEST_SHOWN` characters of it."""
    shown = repr(text[: LONGEST_SHOWN + 1])
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def _shown(values: pa.Array, places: pa.Array) -> list[str]:
    dtype = values.type
    try:
        if pa.types.is_string(dtype):
            return [shortened(one) for one in values.take(places).to_pylist()]
        if not pa.types.is_nested(dtype) and not _is_any(dtype, (*_BINARIES, "duration", "interval")):
            if pa.types.is_timestamp(dtype):  # without its zone: an unknown one could not be printed
                values = values.cast(pa.int64()).cast(pa.timestamp(dtype.unit))
            return [one[:LONGEST_SHOWN] for one in values.take(places).cast(pa.string()).to_pylist()]
    except pa.ArrowException:
        pass  # of the rare types, some cannot be printed
    return [f"a value of type {str(dtype)[:LONGEST_SHOWN]}"] * len(places)


def _is_any(dtype: pa.DataType, names: tuple[str, ...]) -> bool:
    # not every pyarrow that we run on knows all of these types
    checks = [getattr(pa.types, f"is_{name}", None) for name in names]
    return any(check is not None and check(dtype) for check in checks)


def _unwrapped(values: pa.Array) -> pa.Array:
    """Take off what says how values are stored rather than what they are."""
    while True:
        if isinstance(values, pa.ExtensionArray):
            if values.type.extension_name == "arrow.uuid":
                return _uuids(values.storage)
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary.take(values.indices)
        elif _is_any(values.type, ("run_end_encoded",)):
            values = pc.run_end_decode(values)
        else:
            return values


def _uuids(storage: pa.Array) -> pa.StringArray:
    texts = [None if one is None else str(uuid.UUID(bytes=one)) for one in storage.to_pylist()]
    return pa.array(texts, pa.string())


def _text(values: pa.Array) -> Plain:
    problems: dict[int, Problem] = {}
    try:
        if _is_any(values.type, _TEXTS):
            values.validate(full=True)  # a reader may have let anything through as text
        values = values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the latter: views, in older pyarrows
        values, problems = _decoded(values)
    blank = pc.or_(pc.equal(pc.binary_length(values), 0), pc.utf8_is_space(values))
    return Plain("text", without(values, blank), problems)


def _decoded(values: pa.Array) -> tuple[pa.StringArray, dict[int, Problem]]:
    texts: list[str | None] = []
    problems: dict[int, Problem] = {}
    raws: list[bytes | None] = [one.as_buffer().to_pybytes() if one.is_valid else None for one in values]
    for place, raw in enumerate(raws):
        try:
            texts.append(None if raw is None else raw.decode())
        except UnicodeDecodeError as error:
            texts.append(None)
            readable = error.object[: LONGEST_SHOWN + 1].decode(errors="backslashreplace")
            problems[place] = Problem("not_text", f"{shortened(readable)} is not text in UTF-8")
    return pa.array(texts, pa.string()), problems
