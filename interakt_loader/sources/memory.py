"""Read data in memory: Arrow tables, readers and datasets, pandas DataFrames, and columns of Python objects.

Arrow takes the type of a column from its first values. Later values are refused, or changed without an error: a
datetime among dates loses its time, a naive time among aware ones becomes UTC, and True among floats becomes 1.0. So
Arrow converts only values of one type. In a mixture each value keeps its type (`columns.normalize.mixed`). `values`
says what a value means, for `track` too.

`pa.Table.from_pandas` would convert a whole frame at once, and fails on columns of mixed objects. So each slice of each
column is converted separately, without importing pandas. Row numbers are positions; the index is not used.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import Kind, is_mixed, mixed
from interakt_loader.errors import SourceError
from interakt_loader.model import FAILURES, Problem
from interakt_loader.sources.base import (
    BATCH_ROWS,
    OF_AN_OBJECT,
    PROBLEM_COLUMN,
    Batches,
    Source,
    flat_names,
    leaf_names,
    reason,
)
from interakt_loader.sources.once import batches_of, open_reader
from interakt_loader.sources.spool import TemporaryFolder
from interakt_loader.values import (
    LONGEST_LIST,
    OBJECT_AS_VALUE,
    Narrow,
    full_type,
    item_meaning,
    meaning,
    shortened,
    unicode_text,
)

_LOOKED_THROUGH, _DEEPEST = 6, 32
"""Levels of objects after which an object is checked first, and the most levels that there may be."""
_TWICE = Problem("unsupported_type", "comes twice: as a name with a dot in it, and as a field of an object")
_TOO_MUCH = Problem("unsupported_type", "holds itself, or more objects within objects than can be sent")
_OF_A_VARIANT = {"metadata", "value", "typed_value"}
_VARIANT = Problem("unsupported_type", "a value of type VARIANT cannot be sent")
_SAME_NAMES = Problem("unsupported_type", "is an object with two fields of one name")
_NONE = type(None)
# Sets of exact types whose values Arrow converts as they are. NaN is null, also among integers.
_PLAIN_TYPES = ({str, _NONE}, {int, float, _NONE}, {bool, _NONE}, {dt.date, _NONE}, {bytes, _NONE})
_FLOATS_EXACT_UP_TO = 2**53
_PROBLEM = pa.struct({"code": pa.string(), "message": pa.string(), "json": pa.string()})
_KINDS: dict[type, Kind] = {
    bool: "bool",
    float: "float",
    Narrow: "narrow",
    Decimal: "digits",
    str: "text",
    dt.date: "date",
    dt.time: "time",
    list: "list",
}
_ARROW_TYPES: dict[Kind, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "narrow": pa.float32(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "time": pa.time64("us"),
}
_FOREIGN = (pa.ArrowException, ValueError, TypeError, OverflowError)
logger = logging.getLogger("interakt_loader")
REPORT_COLUMNS_KEY = "interakt_loader.beside"
"""The key in a frame's `attrs` for the names of columns that the loader added, and that are not loaded."""
REPORT_COLUMNS = ("row", "status", "code", "column", "message")
"""The columns of the report that are added to rows that failed."""


def is_pandas(data: object, kind: str) -> bool:
    """Return whether data is a pandas object of this class; False if pandas is not imported."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, getattr(pandas, kind))


def open_frame(frame: Any) -> Source:
    """Return a DataFrame as a source. The names of its columns are the text of their labels."""
    of_failures = REPORT_COLUMNS_KEY in frame.attrs
    frame = own_columns(frame)
    names = [unicode_text(str(label)) or str(label) for label in frame.columns]

    def read() -> Batches:
        for start in range(0, len(frame), BATCH_ROWS):
            piece = frame.iloc[start : start + BATCH_ROWS]
            yield objects_to_batch({name: _column(series) for name, series in zip(names, _series(piece), strict=True)})

    columns = [*chain.from_iterable(map(_names, names, _series(frame)))]
    return Source(
        name="DataFrame", columns=columns, rows=len(frame), rows_exact=True, read=read, of_failures=of_failures
    )


def own_columns(frame: Any) -> Any:
    """Return a frame without the columns that the loader added.

    pandas drops a frame's `attrs` when it is merged with another one, as corrections often are. Then the columns are
    known by their names and their values, and a warning says so.
    """
    added = frame.attrs.get(REPORT_COLUMNS_KEY)
    if added is None and _has_report_columns(frame):
        logger.warning("not loaded: %s, which come from a report", ", ".join(REPORT_COLUMNS))
        added = list(REPORT_COLUMNS)
    return frame.drop(columns=added or [], errors="ignore")


def _has_report_columns(frame: Any) -> bool:
    names = [*map(str, frame.columns)]
    if any(names.count(name) != 1 for name in REPORT_COLUMNS):
        return False
    return set(frame["status"].dropna().unique().tolist()) <= {one.value for one in FAILURES} and len(frame) > 0


def _series(frame: Any) -> Iterator[Any]:
    return (frame.iloc[:, at] for at in range(frame.shape[1]))


def _names(name: str, series: Any) -> Iterable[str]:
    """Return the names of the columns that one column makes: of objects and structs, one for each field."""
    values = _column(series if series.dtype == object else series.iloc[:1])
    return laid_out({name: values}) if isinstance(values, list) else leaf_names(name, values.type)


def _column(series: Any) -> list[Any] | pa.Array:
    """Return a column as Arrow, and objects as they are, also if they are categories."""
    categories = getattr(series.dtype, "categories", None)
    if series.dtype == object or (categories is not None and is_mixed(to_arrow(list(categories)).type)):
        return series.tolist()
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Arrow does not know all dtypes: complex, sparse.
        return series.tolist()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    # Periods and intervals are better as text.
    if isinstance(array.type, pa.BaseExtensionType):
        return series.tolist()
    return array


def open_table(table: Any) -> Source:
    """Return a Table or RecordBatch as a source. Nothing is copied: its batches are views."""
    name = type(table).__name__
    names = flat_names(table.schema, name)
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])

    def read() -> Batches:
        yield from table.to_reader(max_chunksize=BATCH_ROWS)

    return Source(name=name, columns=names, rows=table.num_rows, rows_exact=True, read=read)


def is_table(data: object) -> bool:
    """Return whether data is a pandas DataFrame, Arrow data, or an object with `__arrow_c_stream__`."""
    return is_pandas(data, "DataFrame") or hasattr(data, "__arrow_c_stream__")


def open_in_memory(data: Any) -> Source:
    """Return a table (`is_table`) as a source."""
    if is_pandas(data, "DataFrame"):
        return open_frame(data)
    return open_table(data) if isinstance(data, pa.Table | pa.RecordBatch) else open_stream(data)


def open_lazy_frame(lazy_frame: Any) -> Source:
    """Return a LazyFrame of polars as a source. Its query runs now, once, into a temporary file."""
    folder = TemporaryFolder()
    path = folder.file()
    try:
        # polars writes it as a stream; collect() would hold all rows in memory
        lazy_frame.sink_ipc(path, compression="lz4")
    except Exception as error:
        raise SourceError(
            f"polars.LazyFrame: its query failed ({full_type(error)}): lazy_frame.collect() shows why, and its result "
            "can be loaded"
        ) from error

    def batches() -> Batches:
        # the folder is removed when nothing refers to it
        with pa.memory_map(str(folder.path / path.name)) as file:
            reader = pa.ipc.open_file(file)
            for at in range(reader.num_record_batches):
                yield reader.get_batch(at)

    with pa.memory_map(str(path)) as file:
        reader = pa.ipc.open_file(file)
        rows = sum(reader.get_batch(at).num_rows for at in range(reader.num_record_batches))
        columns = flat_names(reader.schema, "LazyFrame")
    return Source(name="LazyFrame", columns=columns, rows=rows, rows_exact=True, read=batches)


def open_stream(data: Any) -> Source:
    """Return an object with `__arrow_c_stream__` as a source; SourceError if its stream is not a table.

    If its number of rows is not known, it may be a query. The next time, that could give other rows, or the same ones
    in another order. So it runs `once`.
    """
    name = type(data).__name__
    rows = next((n for n in (getattr(data, "num_rows", None), getattr(data, "height", None)) if type(n) is int), None)
    try:
        reader = _reader(data)
    except Exception as error:
        # its text may quote values: it may run a query
        raise SourceError(f"{name}: its data cannot be read as a table: it raised {full_type(error)}") from error
    if rows is None:
        return open_reader(reader, name)
    columns = flat_names(reader.schema, name)
    return Source(name=name, columns=columns, rows=rows, rows_exact=True, read=lambda: batches_of(name, _reader(data)))


def _reader(data: Any) -> pa.RecordBatchReader:
    if isinstance(data, pa.RecordBatchReader):
        return data
    if hasattr(data, "to_arrow_reader"):
        # DuckDB would put a million rows into a batch
        return data.to_arrow_reader(BATCH_ROWS)
    return pa.RecordBatchReader.from_stream(data)


def is_dataset(data: object) -> bool:
    """Return whether data is a pyarrow Dataset; False if that part of pyarrow is not imported."""
    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(data, module.Dataset)


def open_dataset(dataset: Any) -> Source:
    """Return a pyarrow Dataset as a source, with little read-ahead. The number of rows is known for Parquet only."""
    name = type(dataset).__name__
    names = flat_names(dataset.schema, name)
    # Other formats would have to be read whole to be counted.
    is_parquet = type(getattr(dataset, "format", None)).__name__ == "ParquetFileFormat"
    try:
        rows = dataset.count_rows() if is_parquet else None
    except Exception as error:
        raise SourceError(f"{name}: cannot be read: {reason(error)}") from error

    def read() -> Batches:
        yield from dataset.to_batches(batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1, use_threads=False)

    return Source(name=name, columns=names, rows=rows, rows_exact=rows is not None, read=read)


def records_to_batch(
    records: Sequence[Mapping[Any, Any]],
    problems: Mapping[int, str] | None = None,
    names: Iterable[str] = (),
    infinity: Problem | None = None,
) -> pa.RecordBatch:
    """Return one row for each record. The columns are `names`, and then each further key in order of appearance.

    With `problems` (the position of a row, and why it could not be read), the batch has a PROBLEM_COLUMN too.
    """
    keys = dict.fromkeys([*names, *(key for record in records for key in record)])
    columns: dict[str, Sequence[Any]] = {}
    for key in keys:
        name = unicode_text(str(key))
        if name is not None:
            columns[name] = [record.get(key) for record in records]
        elif problems is not None:
            problem = f"its object has a name that is not text: {shortened(str(key))}"
            problems = {row: problem for row, record in enumerate(records) if key in record} | {**problems}
    last = {} if problems is None else {PROBLEM_COLUMN: problem_column(problems, len(records))}
    return objects_to_batch(columns, last, infinity)


def objects_to_batch(
    columns: Mapping[str, Sequence[Any] | pa.Array],
    last: Mapping[str, pa.Array] | None = None,
    infinity: Problem | None = None,
) -> pa.RecordBatch:
    """Return columns of Python objects or of Arrow as one batch, with dicts as columns of their fields."""
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for name, values in laid_out(columns).items():
        array = values if isinstance(values, pa.Array) else to_arrow(values, infinity=infinity)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=None if name in columns else OF_AN_OBJECT))
    for name, array in (last or {}).items():
        arrays.append(array)
        fields.append(pa.field(name, array.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def problem_column(problems: Mapping[int, str], rows: int) -> pa.Array:
    """Return the PROBLEM_COLUMN of a batch with this number of rows."""
    if not problems:
        return pa.nulls(rows, pa.string())
    return pa.array([problems.get(row) for row in range(rows)], pa.string())


def laid_out(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Return the columns, with objects (dicts) as columns of their fields: `address.city`.

    Where some rows have an object and others a value, there is a column for the values too. A value of a column that is
    called as the path of a field beats the field's.
    """
    found: dict[str, Sequence[Any]] = {}
    exact: set[str] = set()
    for name, values in columns.items():
        _lay_out(name, values, found, exact, 0)
    return found


def _lay_out(name: str, values: Sequence[Any], found: dict[str, Sequence[Any]], exact: set[str], depth: int) -> None:
    """Add a column to `found`. Those in `exact` were columns from the start, not fields."""
    kinds = set(map(type, values)) if isinstance(values, list) else ()
    if not any(issubclass(kind, Mapping) for kind in kinds):
        if name not in found:
            found[name] = values
        elif depth == 0:
            found[name] = [*map(_first, values, found[name])]
        else:
            found[name] = [*map(_first if name in exact else _either, found[name], values)]
        if depth == 0:
            exact.add(name)
        return
    objects: list[Mapping[Any, Any]] = []
    others: list[Any] = []
    for value in values:
        problem = _problem(value, depth) if isinstance(value, Mapping) else value
        others.append(problem)
        objects.append(value if problem is None and value is not None else {})
    keys = dict.fromkeys(key for one in objects for key in one)
    if not keys or any(one is not None for one in others):
        _lay_out(name, others, found, exact, depth)
    for key in keys:
        _lay_out(f"{name}.{unicode_text(str(key))}", [one.get(key) for one in objects], found, exact, depth + 1)


def _problem(value: Mapping[Any, Any], depth: int) -> Problem | None:
    """Return what is wrong with an object, apart from its values."""
    # The keys of a map may be any values, and it has no `get` for them.
    if isinstance(value, pa.MapScalar):
        return OBJECT_AS_VALUE
    if type(value.get("metadata")) is bytes and len(value) > 1 and _OF_A_VARIANT.issuperset(value):
        # This is how Arrow gives it to pandas.
        return _VARIANT
    if all(type(key) is str and key.isascii() for key in value):
        names: Sequence[str] = ()
    else:
        names = [*map(str, value)]
    for name in names:
        if unicode_text(name) is None:
            return Problem("not_text", f"is an object with a name that is not text: {shortened(name)}")
    if len(set(names)) < len(names):
        return _SAME_NAMES
    too_wide = len(value) > LONGEST_LIST
    return _TOO_MUCH if too_wide or (depth == _LOOKED_THROUGH and _is_too_much(value)) else None


def _is_too_much(value: Mapping[Any, Any]) -> bool:
    """Return whether an object has more values or levels than fit into a call, or contains itself."""
    count, left = 0, [(value, _LOOKED_THROUGH)]
    while left:
        one, depth = left.pop()
        count += len(one)
        if depth > _DEEPEST or count > LONGEST_LIST:
            return True
        left += [(inner, depth + 1) for inner in one.values() if isinstance(inner, Mapping)]
    return False


def _first(one: Any, other: Any) -> Any:
    return other if one is None else one


def _either(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else _TWICE


def to_arrow(
    values: Sequence[Any],
    of_type: pa.DataType | None = None,
    infinity: Problem | None = None,
    *,
    in_lists: bool = False,
) -> pa.Array:
    """Return any values as one Arrow array of the same length.

    None, NaN, NaT and pandas.NA are null. Lists, tuples, arrays and sets (sorted by their text) become Arrow lists.
    Values of several types keep them (`Mixed`); with `of_type`, which is string, all that can be sent become text.
    `infinity` is the problem of infinite numbers; without it they are null. With `in_lists` the values are the items of
    lists.
    """
    if of_type is not None:
        found = [meaning(value) for value in values]
        texts = [one if isinstance(one, Problem) else text_of(one) for one in found]
        return (
            _by_kind(values, texts, None)
            if any(isinstance(one, Problem) for one in texts)
            else pa.array(texts, of_type)
        )
    types = set(map(type, values))
    if any(types <= allowed for allowed in _PLAIN_TYPES):
        array = _inferred(values)
        if array is not None and not (infinity and _has_infinities(array)):
            return array
    if types in ({list}, {list, _NONE}) and not in_lists:
        return _lists(values, infinity)
    found = [(item_meaning if in_lists else meaning)(value) for value in values]
    return _by_kind(values, found, infinity)


def text_type(values: Iterable[Any]) -> pa.DataType | None:
    """Return string if the values are of several kinds, None if they are of one."""
    kinds = {_kind_of(found) for found in map(meaning, values) if found is not None}
    return pa.string() if len(kinds) > 1 and kinds != {"int", "float"} else None


def text_of(value: Any) -> str | None:
    """Return a scalar as text: integral floats without `.0`, times as ISO-8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # From 2**53 on the digits would be invented.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _by_kind(values: Sequence[Any], found: list[Any], infinity: Problem | None) -> pa.Array:
    """Return what values mean as an array of their kind, or as `Mixed` if there are several kinds."""
    if infinity:
        infinite = [type(value) is float and math.isinf(value) for value in values]
        found = [infinity if is_so else one for one, is_so in zip(found, infinite, strict=True)]
    kinds = [None if one is None else _kind_of(one) for one in found]
    present = set(kinds) - {None}
    if {"int", "float"} <= present and all(
        abs(one) <= _FLOATS_EXACT_UP_TO for one, kind in zip(found, kinds, strict=True) if kind == "int"
    ):
        kinds = ["float" if kind == "int" else kind for kind in kinds]
        present -= {"int"}
    if len(present) <= 1:
        array = _inferred(found) if _is_uniform(found, present) else None
        if array is not None:
            return array
    parts: dict[Kind, pa.Array] = {}
    for kind in dict.fromkeys(kinds):
        if kind is not None:
            of_kind = [one if its == kind else None for one, its in zip(found, kinds, strict=True)]
            parts[kind] = _problems(values, of_kind) if kind == "other" else _part(kind, of_kind, infinity)
    if len(parts) == 1 and parts.keys().isdisjoint({"digits", "moment", "other"}):
        return next(iter(parts.values()))
    return mixed(parts) if parts else pa.nulls(len(found))


def _kind_of(value: Any) -> Kind:
    if isinstance(value, dt.datetime):
        return "timestamp" if value.tzinfo is None else "moment"
    if type(value) is int:
        return "int" if -(2**63) <= value < 2**63 else "digits"
    return _KINDS.get(type(value), "date" if isinstance(value, dt.date) else "other")


def _is_uniform(found: Iterable[Any], kinds: set[Kind | None]) -> bool:
    """Return whether one Arrow type fits all decimals, or all times with a zone."""
    if kinds == {"moment"}:
        return len({str(one.tzinfo) for one in found if one is not None}) == 1
    if kinds == {"digits"}:
        return len({one.as_tuple().exponent if type(one) is Decimal else "" for one in found if one is not None}) == 1
    return False


def _part(kind: Kind, values: Sequence[Any], infinity: Problem | None) -> pa.Array:
    if kind == "list":
        return _lists(values, infinity)
    if kind in ("digits", "moment"):
        texts = [None if one is None else _moment(one) if kind == "moment" else text_of(one) for one in values]
        return pa.array(texts, pa.string())
    return pa.array(values, _ARROW_TYPES[kind])


def _problems(values: Sequence[Any], found: Sequence[Any]) -> pa.Array:
    """Return the problems among the meanings of values, with the values themselves where JSON can express them."""
    rows: list[dict[str, str | None] | None] = []
    for value, one in zip(values, found, strict=True):
        problem = OBJECT_AS_VALUE if isinstance(one, Mapping) else one
        rows.append(problem and {"code": problem.code, "message": problem.message, "json": _json(value, problem)})
    return pa.array(rows, _PROBLEM)


def _json(value: Any, problem: Problem) -> str | None:
    if value is problem or (problem.code == "too_large" and not isinstance(value, str)):
        return None
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _moment(value: dt.datetime) -> str:
    """Return ISO 8601 with an offset of whole minutes, which Arrow can read. Before 1900 some zones had seconds."""
    offset = value.utcoffset() or dt.timedelta()
    odd = offset % dt.timedelta(minutes=1)
    if odd and value.year == dt.MINYEAR:
        odd -= dt.timedelta(minutes=1)
    return (value - odd).replace(tzinfo=dt.timezone(offset - odd)).isoformat()


def _lists(values: Sequence[list[Any] | None], infinity: Problem | None) -> pa.Array:
    """Return lists as Arrow lists, or as `Mixed` if some are too long for a call."""
    lengths = [0 if one is None else len(one) for one in values]
    if max(lengths) > LONGEST_LIST:
        return _by_kind(values, [None if one is None else meaning(one) for one in values], infinity)
    items = [*chain.from_iterable(one for one in values if one is not None)]
    offsets = pa.array([0, *accumulate(lengths)], pa.int32())
    missing = pa.array([one is None for one in values])
    return pa.ListArray.from_arrays(offsets, to_arrow(items, infinity=infinity, in_lists=True), mask=missing)


def _inferred(values: Sequence[Any]) -> pa.Array | None:
    try:
        array = pa.array(values, from_pandas=True)
    except _FOREIGN:
        return None
    return array if isinstance(array, pa.Array) and not isinstance(array.type, pa.BaseExtensionType) else None


def _has_infinities(array: pa.Array) -> bool:
    return bool(pa.types.is_floating(array.type) and pc.any(pc.is_inf(array)).as_py())
