"""Arrow columns of any type → the few kinds of plain value that the loader knows.

Tables come with dictionaries, views, extension types, text stored as binary, blanks and NaN. All that is dealt with
once, here: `normalize` makes of each column one of the kinds below, null where a value is missing.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import ProblemCode
from interakt_loader.model import Problem
from interakt_loader.values import (
    LONGEST_SHOWN,
    LONGEST_TEXT,
    TOO_LONG,
    not_utf8,
    shortened,
)

Kind = Literal[
    "null", "bool", "int", "float", "narrow", "decimal", "digits", "text", "timestamp", "moment", "date", "time",
    "list", "mixed", "other",
]  # fmt: skip
"""`digits` are numbers written as text, for those that no number type of Arrow holds. `moment` is ISO 8601 text with
an offset, for times of several zones. `mixed` has a kind a value: see `Mixed`; there `narrow` are floats of 32 bits."""

_TEXTS = ("string", "large_string", "string_view")
_BINARIES = ("binary", "large_binary", "binary_view", "fixed_size_binary")
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")

# What to do about the types that cannot be sent, by the first word of their names.
_ADVICE = {
    "struct": ": a struct in a list has no column of its own",
    "map": ": its keys differ from row to row; make columns of those that are wanted",
    "duration": ": make a number of it, in a unit that its readers know",
}


class Unsendable(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """The type of a column that cannot be sent, because its values mean something that their type does not say."""

    def __init__(self, storage: pa.DataType, meaning: str) -> None:
        self.meaning = meaning
        super().__init__(storage, "interakt_loader.unsendable")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.meaning.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Unsendable:
        return cls(storage_type, serialized.decode())


class NormalColumn(NamedTuple):
    """A column's values, plain."""

    kind: Kind
    values: pa.Array
    """null, bool, any int, float32/64, any decimal, string, timestamp, date32/64, time32/64, any list or `Mixed`.

    Null where a value is missing (Arrow null; NaN and infinities; text that is empty or only white space) and
    where there is a problem.
    """
    problems: dict[int, Problem]
    """Text that is no text (`not_text`), and each value of a type that cannot be sent (`unsupported_type`)."""


class Mixed(pa.ExtensionType):  # type: ignore[misc] # pyarrow has no types
    """A column whose values each have a kind of their own: a struct with a field for each kind, by its name.

    A row has a value in one field at most. The field `other` has the problem of a value that cannot be sent, as a
    struct of `code`, `message` and `json`, which is the value itself where JSON can say it. In Python a value is what
    it was: `to_pylist` gives no structs.
    """

    def __init__(self, storage: pa.StructType) -> None:
        super().__init__(storage, "interakt_loader.mixed")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Mixed:
        del serialized
        return cls(storage)

    def __arrow_ext_scalar_class__(self) -> type[pa.ExtensionScalar]:
        return _MixedScalar


class _MixedScalar(pa.ExtensionScalar):  # type: ignore[misc] # pyarrow has no types
    def as_py(self, **options: Any) -> Any:
        """Return the value of the one field that has one."""
        found = {} if self.value is None else self.value.as_py(**options)
        for kind, value in found.items():
            if value is not None:
                return _AS_PYTHON.get(kind, _same)(value)
        return None


def _same(value: Any) -> Any:
    return value


_AS_PYTHON: dict[str, Callable[[Any], Any]] = {
    "digits": lambda text: Decimal(text) if "." in text else int(text),
    "moment": datetime.fromisoformat,
    "other": lambda problem: None if problem["json"] is None else json.loads(problem["json"]),
}
"""For the kinds of which Arrow holds another form."""


def is_mixed(dtype: pa.DataType) -> bool:
    """Tell whether a column's values, or the items of its lists, have a kind of their own each."""
    return isinstance(dtype, Mixed) or (pa.types.is_list(dtype) and isinstance(dtype.value_type, Mixed))


def type_name(dtype: pa.DataType) -> str:
    """Return a type's name as people read it: without the names of the types above."""
    if isinstance(dtype, Unsendable):
        return dtype.meaning
    name = re.sub(r"extension<interakt_loader\.mixed<\w+>>", "several types", str(dtype))
    return re.sub(r"extension<interakt_loader\.unsendable<\w+>>", "a type that cannot be sent", name)


def mixed(parts: Mapping[Kind, pa.Array]) -> pa.ExtensionArray:
    """Return a `Mixed` column of arrays of one length, by kind; of each row at most one is not null."""
    return _assembled(parts, functools.reduce(pc.and_, [one.is_null() for one in parts.values()]))


def _assembled(parts: Mapping[Kind, pa.Array], missing: pa.BooleanArray) -> pa.ExtensionArray:
    storage = pa.StructArray.from_arrays([*parts.values()], names=[*parts], mask=missing)
    return pa.ExtensionArray.from_storage(Mixed(storage.type), storage)


def fields(values: pa.ExtensionArray) -> dict[Kind, pa.Array]:
    """Return the arrays of which a `Mixed` column is made, by kind."""
    return dict(zip((field.name for field in values.type.storage_type), values.storage.flatten(), strict=True))


def normalize_parts(values: pa.Array) -> list[NormalColumn]:
    """Return the values as one or more of the plain kinds but `mixed`: each value is in one of them, null in others."""
    whole = normalize(values)
    if whole.kind != "mixed":
        return [whole]
    return [_part(kind, array) for kind, array in fields(whole.values).items()]


def _part(kind: Kind, array: pa.Array) -> NormalColumn:
    if kind in ("digits", "moment"):
        return NormalColumn(kind, array, {})
    if kind != "other":
        return normalize(array)
    places = pc.indices_nonzero(array.is_valid())
    found = array.take(places).to_pylist()
    problems = {
        place: Problem(one["code"], one["message"]) for place, one in zip(places.to_pylist(), found, strict=True)
    }
    return NormalColumn("other", pa.nulls(len(array)), problems)


def as_text(values: pa.Array) -> pa.StringArray:
    """Return values as text, to look at them side by side; null where they are missing or cannot be sent."""
    texts = [_texts(one) for one in normalize_parts(values)]
    return pc.coalesce(*texts) if len(texts) > 1 else texts[0]


def _texts(one: NormalColumn) -> pa.StringArray:
    if one.kind in ("null", "other"):
        return pa.nulls(len(one.values), pa.string())
    try:
        return one.values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in one.values.to_pylist()], pa.string())


def normalize(values: pa.Array) -> NormalColumn:
    """Return the values as one of the plain kinds. Never raises, whatever the type."""
    if isinstance(values.type, Unsendable):
        refused = Problem("unsupported_type", f"a value of type {values.type.meaning} cannot be sent")
        places = pc.indices_nonzero(values.is_valid()).to_pylist()
        return NormalColumn("other", pa.nulls(len(values)), dict.fromkeys(places, refused))
    values = _unwrapped(values)
    if isinstance(values.type, Mixed):
        return NormalColumn("mixed", values, {})
    dtype = values.type
    if pa.types.is_null(dtype):
        return NormalColumn("null", values, {})
    if pa.types.is_boolean(dtype):
        return NormalColumn("bool", values, {})
    if pa.types.is_integer(dtype):
        return NormalColumn("int", values, {})
    if pa.types.is_floating(dtype):
        if pa.types.is_float16(dtype):
            # by their own shortest digits: 0.1, not 0.099975586
            values = pa.array(values.to_numpy(zero_copy_only=False).astype(str).astype(float))
        return NormalColumn("float", null_where(values, pc.invert(pc.is_finite(values))), {})
    if pa.types.is_decimal(dtype):
        return NormalColumn("decimal", values, {})
    if pa.types.is_timestamp(dtype):
        return NormalColumn("timestamp", values, {})
    if pa.types.is_date(dtype):
        return NormalColumn("date", values, {})
    if pa.types.is_time(dtype):
        return NormalColumn("time", values, {})
    if _is_any(dtype, _TEXTS + _BINARIES):
        return _text(values)
    if _is_any(dtype, _LISTS):
        return NormalColumn("list", values, {})
    advice = _ADVICE.get(str(dtype).split("<")[0].split("[")[0], "")
    problems = problems_at(values, values.is_valid(), "unsupported_type", f"cannot be sent{advice}")
    return NormalColumn("other", pa.nulls(len(values)), problems)


def null_where(values: pa.Array, mask: pa.BooleanArray) -> pa.Array:
    """Return the values with null wherever the mask is true."""
    if not pc.any(mask).as_py():
        return values
    if isinstance(values.type, Mixed):
        return _assembled(fields(values), pc.or_(values.is_null(), mask.fill_null(False)))
    # not if_else: with a null scalar and a slice of text, pyarrow 17 spoils the text
    return pc.replace_with_mask(values, mask.fill_null(False), pa.scalar(None, values.type))


def strip_quote(text: pa.StringArray) -> pa.StringArray:
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
    return [f"a value of type {type_name(dtype)[:LONGEST_SHOWN]}"] * len(places)


def is_binary(dtype: pa.DataType) -> bool:
    """Tell whether a type holds bytes."""
    return _is_any(dtype, _BINARIES)


def _is_any(dtype: pa.DataType, names: tuple[str, ...]) -> bool:
    # not every pyarrow that we run on knows all of these types
    checks = [getattr(pa.types, f"is_{name}", None) for name in names]
    return any(check is not None and check(dtype) for check in checks)


def _unwrapped(values: pa.Array) -> pa.Array:
    """Take off what says how values are stored rather than what they are."""
    while True:
        if isinstance(values, pa.ExtensionArray):
            if isinstance(values.type, Mixed):
                return values
            if values.type.extension_name == "arrow.uuid":
                return uuid_texts(values.storage)
            is_boolean = values.type.extension_name == "arrow.bool8"
            values = values.storage.cast(pa.bool_()) if is_boolean else values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary.take(values.indices)
        elif _is_any(values.type, ("run_end_encoded",)):
            values = pc.run_end_decode(values)
        else:
            return values


def uuid_texts(storage: pa.Array) -> pa.StringArray:
    """Return UUIDs that are stored as 16 bytes in their usual form."""
    texts = [None if one is None else str(uuid.UUID(bytes=one)) for one in storage.to_pylist()]
    return pa.array(texts, pa.string())


def _text(values: pa.Array) -> NormalColumn:
    problems: dict[int, Problem] = {}
    try:
        if _is_any(values.type, _TEXTS):
            values.validate(full=True)  # a reader may have let anything through as text
        values = values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the latter: views, in older pyarrows
        values, problems = _decoded(values)
    lengths = pc.binary_length(values)
    if (pc.max(lengths).as_py() or 0) > LONGEST_TEXT:
        long = pc.greater(lengths, LONGEST_TEXT)
        problems |= dict.fromkeys(pc.indices_nonzero(long).to_pylist(), TOO_LONG)
        values = null_where(values, long)
    blank = pc.or_(pc.equal(lengths, 0), pc.utf8_is_space(values))
    return NormalColumn("text", null_where(values, blank), problems)


def _decoded(values: pa.Array) -> tuple[pa.StringArray, dict[int, Problem]]:
    texts: list[str | None] = []
    problems: dict[int, Problem] = {}
    raws: list[bytes | None] = [one.as_buffer().to_pybytes() if one.is_valid else None for one in values]
    for place, raw in enumerate(raws):
        try:
            texts.append(None if raw is None else raw.decode())
        except UnicodeDecodeError as error:
            texts.append(None)
            problems[place] = not_utf8(error.object)
    return pa.array(texts, pa.string()), problems
