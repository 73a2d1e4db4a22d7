"""Arrow columns of any type as columns of a few kinds, null where a value is missing.

Tables come with dictionaries, views, extension types, text stored as binary, blanks and NaN. Only this file knows them.
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
    PLAIN_DIGITS_BELOW,
    PLAIN_DIGITS_FROM,
    TOO_LONG,
    not_utf8,
    shortened,
)

Kind = Literal[
    "null", "bool", "int", "float", "narrow", "decimal", "digits", "text", "timestamp", "moment", "date", "time",
    "list", "mixed", "other",
]  # fmt: skip
"""What the values of a column are.

- `digits`: numbers written as text, for those that no number type of Arrow holds.
- `moment`: ISO 8601 text with an offset, for times of several zones.
- `narrow`: floats of 32 bits in a `Mixed` column.
- `mixed`: each value has a kind of its own; see `Mixed`.
- `other`: values that cannot be sent.
"""

_TEXTS = ("string", "large_string", "string_view")
_BINARIES = ("binary", "large_binary", "binary_view", "fixed_size_binary")
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")

_ADVICE = {
    "struct": ": a struct in a list has no column of its own",
    "map": ": its keys differ from row to row; make columns of those that are wanted",
    "duration": ": make a number of it, in a unit that its readers know",
}
"""What to do about the types that cannot be sent, by the first word of their names."""


class NormalColumn(NamedTuple):
    """A column's values in one kind."""

    kind: Kind
    values: pa.Array
    """null, bool, any int, float32/64, any decimal, string, timestamp, date32/64, time32/64, any list or `Mixed`.

    Null where a value is missing (Arrow null; NaN and infinities; text that is empty or only white space) and
    where there is a problem.
    """
    problems: dict[int, Problem]
    """Bytes that are not text (`not_text`), and each value of a type that cannot be sent (`unsupported_type`)."""


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


def unsendable(is_given: pa.BooleanArray, meaning: str) -> pa.Array:
    """Return a column of a type that cannot be sent, from whether each value is given."""
    return pa.ExtensionArray.from_storage(Unsendable(pa.bool_(), meaning), null_where(is_given, pc.invert(is_given)))


# ------------------------------------------------------------------ from any type to a kind


def normalize(values: pa.Array) -> NormalColumn:
    """Return the values in one kind. Never raises, whatever the type."""
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
        return _normalize_text(values)
    if _is_any(dtype, _LISTS):
        return NormalColumn("list", values, {})
    advice = _ADVICE.get(str(dtype).split("<")[0].split("[")[0], "")
    problems = problems_at(values, values.is_valid(), "unsupported_type", f"cannot be sent{advice}")
    return NormalColumn("other", pa.nulls(len(values)), problems)


def normalize_parts(values: pa.Array) -> list[NormalColumn]:
    """Return the values in one or more kinds, none of them `mixed`: each value is in one column, null in others."""
    whole = normalize(values)
    if whole.kind != "mixed":
        return [whole]
    return [_part(kind, array) for kind, array in fields(whole.values).items()]


def _unwrapped(values: pa.Array) -> pa.Array:
    """Return the values without the types that say how they are stored rather than what they are."""
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
    texts = [None if raw is None else str(uuid.UUID(bytes=raw)) for raw in storage.to_pylist()]
    return pa.array(texts, pa.string())


def _normalize_text(values: pa.Array) -> NormalColumn:
    problems: dict[int, Problem] = {}
    try:
        if _is_any(values.type, _TEXTS):
            # a reader may have let any bytes through as text
            values.validate(full=True)
        values = values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # bytes that are not UTF-8; of older pyarrows, views too
        values, problems = _decoded(values)
    lengths = pc.binary_length(values)
    shortest, longest = pc.min_max(lengths).as_py().values()
    if (longest or 0) > LONGEST_TEXT:
        long = pc.greater(lengths, LONGEST_TEXT)
        problems |= dict.fromkeys(pc.indices_nonzero(long).to_pylist(), TOO_LONG)
        values = null_where(values, long)
    blank = pc.utf8_is_space(values)
    if shortest == 0:
        blank = pc.or_(blank, pc.equal(lengths, 0))
    return NormalColumn("text", null_where(values, blank), problems)


def _decoded(values: pa.Array) -> tuple[pa.StringArray, dict[int, Problem]]:
    texts: list[str | None] = []
    problems: dict[int, Problem] = {}
    raws: list[bytes | None] = [scalar.as_buffer().to_pybytes() if scalar.is_valid else None for scalar in values]
    for place, raw in enumerate(raws):
        try:
            texts.append(None if raw is None else raw.decode())
        except UnicodeDecodeError as error:
            texts.append(None)
            problems[place] = not_utf8(error.object)
    return pa.array(texts, pa.string()), problems


# ------------------------------------------------------------------ columns of several kinds


class Mixed(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """A column whose values each have a kind of their own: a struct with a field for each kind, by its name.

    A row has a value in one field at most. The field `other` holds the problem of a value that cannot be sent, as a
    struct of `code`, `message` and `json`. `json` is the value itself where JSON has a form for it. In Python a value
    is what it was: `to_pylist` gives no structs.
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


class _MixedScalar(pa.ExtensionScalar):  # type: ignore[misc]  # pyarrow has no types
    def as_py(self, **options: Any) -> Any:
        """Return the value of the one field that has one."""
        found = {} if self.value is None else self.value.as_py(**options)
        for kind, value in found.items():
            if value is not None:
                return _AS_PYTHON[kind](value) if kind in _AS_PYTHON else value
        return None


_AS_PYTHON: dict[str, Callable[[Any], Any]] = {
    "digits": lambda text: Decimal(text) if "." in text else int(text),
    "moment": datetime.fromisoformat,
    "other": lambda problem: None if problem["json"] is None else json.loads(problem["json"]),
}
"""For the kinds that Arrow holds in another form."""


def mixed(parts: Mapping[Kind, pa.Array]) -> pa.ExtensionArray:
    """Return a `Mixed` column of arrays of one length, by kind; in each row one of them at most is not null."""
    return _assembled(parts, functools.reduce(pc.and_, [array.is_null() for array in parts.values()]))


def _assembled(parts: Mapping[Kind, pa.Array], missing: pa.BooleanArray) -> pa.ExtensionArray:
    storage = pa.StructArray.from_arrays([*parts.values()], names=[*parts], mask=missing)
    return pa.ExtensionArray.from_storage(Mixed(storage.type), storage)


def fields(values: pa.ExtensionArray) -> dict[Kind, pa.Array]:
    """Return the arrays of which a `Mixed` column is made, by kind."""
    return dict(zip((field.name for field in values.type.storage_type), values.storage.flatten(), strict=True))


def _part(kind: Kind, array: pa.Array) -> NormalColumn:
    if kind in ("digits", "moment"):
        return NormalColumn(kind, array, {})
    if kind != "other":
        return normalize(array)
    places = pc.indices_nonzero(array.is_valid())
    found = zip(places.to_pylist(), array.take(places).to_pylist(), strict=True)
    problems = {place: Problem(problem["code"], problem["message"]) for place, problem in found}
    return NormalColumn("other", pa.nulls(len(array)), problems)


def is_mixed(dtype: pa.DataType) -> bool:
    """Tell whether a column's values, or the items of its lists, have a kind of their own each."""
    return isinstance(dtype, Mixed) or (pa.types.is_list(dtype) and isinstance(dtype.value_type, Mixed))


# ------------------------------------------------------------------ nulls and text


def null_where(values: pa.Array, mask: pa.BooleanArray) -> pa.Array:
    """Return the values with null wherever the mask is true."""
    if not pc.any(mask).as_py():
        return values
    if isinstance(values.type, Mixed):
        return _assembled(fields(values), pc.or_(values.is_null(), mask.fill_null(fill_value=False)))
    # not if_else: with a null scalar and a slice of text, pyarrow 17 returns damaged text
    return pc.replace_with_mask(values, mask.fill_null(fill_value=False), pa.scalar(None, values.type))


def map_distinct(text: pa.StringArray, mask: pa.BooleanArray, rewrite: Callable[[str], str | None]) -> pa.StringArray:
    """Return the text with each value where the mask is true rewritten, each distinct one once; null is false."""
    if not pc.any(mask).as_py():
        return text
    mask = mask.fill_null(fill_value=False)
    distinct = text.filter(mask).dictionary_encode()
    new = pa.array([rewrite(value) for value in distinct.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(text, mask, new.take(distinct.indices))


def strip_quote(text: pa.StringArray) -> pa.StringArray:
    """Return text of numbers or dates without white space around it or an apostrophe before it.

    Spreadsheets, and shops that export for them, write `'123` to keep a number text.
    """
    text = pc.utf8_trim_whitespace(text)
    quoted = pc.starts_with(text, "'")
    if not pc.any(quoted).as_py():
        return text
    return pc.if_else(quoted, pc.utf8_ltrim_whitespace(pc.utf8_slice_codeunits(text, 1)), text)


def as_text(values: pa.Array) -> pa.StringArray:
    """Return values of any type as text, to compare or to show them; null where missing or not to be sent."""
    texts = [_part_as_text(part) for part in normalize_parts(values)]
    return pc.coalesce(*texts) if len(texts) > 1 else texts[0]


def _part_as_text(part: NormalColumn) -> pa.StringArray:
    if part.kind in ("null", "other"):
        return pa.nulls(len(part.values), pa.string())
    try:
        return part.values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in part.values.to_pylist()], pa.string())


def digits(values: pa.Array, kind: Kind) -> pa.StringArray:
    """Return ints, floats, decimals or digits as the shortest exact text; small and large floats have an exponent."""
    if kind in ("int", "digits"):
        return values.cast(pa.string())
    if kind == "decimal":
        text = values.cast(pa.string())
        return map_distinct(text, pc.match_substring(text, "E"), lambda written: format(Decimal(written), "f"))
    # the sum makes 0.0 of -0.0
    values = pc.add(values, pa.scalar(0, values.type))
    text = values.cast(pa.string())
    with_exponent = pc.match_substring(text, "e")
    if not pc.any(with_exponent).as_py():
        return text
    is_whole = pc.and_(with_exponent, pc.equal(pc.floor(values), values))
    is_whole = pc.and_(is_whole, pc.less(pc.abs(values), PLAIN_DIGITS_BELOW))
    ints = null_where(values, pc.invert(is_whole)).cast(pa.int64(), safe=False)
    text = pc.coalesce(ints.cast(pa.string()), text)
    return map_distinct(text, pc.match_substring(text, "e"), _without_exponent)


def _without_exponent(written: str) -> str:
    """Return a float's text without its exponent if the number is of a usual size, else as Python writes it."""
    exact = Decimal(written)
    is_usual = PLAIN_DIGITS_FROM <= abs(exact) < PLAIN_DIGITS_BELOW
    return format(exact, "f") if is_usual else repr(float(written))


# ------------------------------------------------------------------ messages


def problems_at(
    values: pa.Array, mask: pa.BooleanArray, code: ProblemCode, complaint: str | Callable[[str], str]
) -> dict[int, Problem]:
    """Return a problem for each place where the mask is true: the value as people read it, then the complaint.

    For text, the complaint may be made from each value.
    """
    places = pc.indices_nonzero(mask)
    if not len(places):
        return {}
    shown = _shown(values, places)
    if callable(complaint):
        complaints = [complaint(text) for text in values.take(places).to_pylist()]
    else:
        complaints = [complaint] * len(shown)
    return {
        place: Problem(code, f"{value} {reason}")
        for place, value, reason in zip(places.to_pylist(), shown, complaints, strict=True)
    }


def _shown(values: pa.Array, places: pa.Array) -> list[str]:
    dtype = values.type
    try:
        if pa.types.is_string(dtype):
            return [shortened(text) for text in values.take(places).to_pylist()]
        if not pa.types.is_nested(dtype) and not _is_any(dtype, (*_BINARIES, "duration", "interval")):
            if pa.types.is_timestamp(dtype):
                # without its zone: Arrow cannot print a time of an unknown one
                values = values.cast(pa.int64()).cast(pa.timestamp(dtype.unit))
            return [text[:LONGEST_SHOWN] for text in values.take(places).cast(pa.string()).to_pylist()]
    except pa.ArrowException:
        # some values of the rare types cannot be printed
        pass
    return [f"a value of type {type_name(dtype)[:LONGEST_SHOWN]}"] * len(places)


def type_name(dtype: pa.DataType) -> str:
    """Return a type's name for people, without the names of the loader's own types."""
    if isinstance(dtype, Unsendable):
        return dtype.meaning
    name = re.sub(r"extension<interakt_loader\.mixed<\w+>>", "several types", str(dtype))
    return re.sub(r"extension<interakt_loader\.unsendable<\w+>>", "a type that cannot be sent", name)


def is_binary(dtype: pa.DataType) -> bool:
    """Tell whether a type holds bytes."""
    return _is_any(dtype, _BINARIES)


def _is_any(dtype: pa.DataType, names: tuple[str, ...]) -> bool:
    # older versions of pyarrow do not know all of these types
    checks = [getattr(pa.types, f"is_{name}", None) for name in names]
    return any(check is not None and check(dtype) for check in checks)
