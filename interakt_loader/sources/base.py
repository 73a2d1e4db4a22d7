"""What every source is: a name, column names, a row count if known, and record batches that are all alike.

A reader of a format only reads. What holds for all formats is here: the names of columns, and what is
done to each batch, such as its size, and structs as columns of their own.
"""

from __future__ import annotations

import codecs
import os
import re
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import Unsendable, is_binary, null_where, uuid_texts
from interakt_loader.errors import InteraktLoaderError, SettingsError, SourceBroken, SourceError, option
from interakt_loader.privacy.secrets import Secret
from interakt_loader.values import shortened, unicode_text

BATCH_ROWS = 4096
"""The most rows in a batch."""

BATCH_BYTES = 32 << 20
"""Bytes of text after which a batch of a text file ends early, so that long cells do not take more memory."""

WIDE_BYTES = 128 << 20
"""Bytes of a batch of very wide rows."""

SOURCE_COLUMN = "__source__"
"""A column that is added for files: the path as the user gave it (string)."""

PROBLEM_COLUMN = "__problem__"
"""A column that is added where a row could not be read: the reason, or null (string). Its other columns are null."""

CELL_ERRORS_COLUMN = "__cell_errors__"
"""A column that is added for workbooks: null, or which cells of the row hold an error (`CELL_ERRORS`)."""

CELL_ERRORS = pa.list_(pa.struct([("column", pa.string()), ("reason", pa.string())]))
"""The type of CELL_ERRORS_COLUMN: the column's name, and what is wrong with the cell, which is null itself."""

GROUP_COLUMN = "__group__"
"""A column that is added for rows that are events together: the group's number, and why it cannot be sent (struct)."""

RESERVED = (SOURCE_COLUMN, PROBLEM_COLUMN, CELL_ERRORS_COLUMN, GROUP_COLUMN)
"""Columns that are not part of the table."""

Batches = Generator[pa.RecordBatch, None, None]


# What is hard to type in a shell.
_SPELLED = {"\\t": "\t", "tab": "\t", "space": " "}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file, where the file does not say it for sure. None: as the file looks.

    An option that a format does not have is not used.

    Raises SettingsError for an unknown encoding, a delimiter that cannot be one, or a sheet number below 1.
    """

    encoding: str | None = None
    """For text files: a name that Python knows, such as `utf-8`, `cp1252`, `iso-8859-7`."""
    delimiter: str | None = None
    """For CSV files: one character (`\\t` and `tab` are the tab). A space stands for any run of spaces."""
    header: bool | None = None
    """For CSV files and workbooks: whether the first row holds the names of the columns."""
    sheet: str | int | None = None
    """For workbooks: the sheet's name, or its place counted from 1."""

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
                codecs.getincrementaldecoder(self.encoding)
            except (LookupError, ValueError) as error:
                raise SettingsError(f"{option('encoding')}: no such encoding: {self.encoding!r}") from error
        if self.delimiter is not None:
            character = _SPELLED.get(self.delimiter.lower(), self.delimiter)
            if len(character) != 1 or character in '"\r\n\0':
                raise SettingsError(
                    f"{option('delimiter')} is {self.delimiter!r}; expected one character, such as ; or tab"
                )
            object.__setattr__(self, "delimiter", character)
        if isinstance(self.sheet, int) and self.sheet < 1:
            raise SettingsError(f"{option('sheet')} is {self.sheet}; sheets are counted from 1")


_MOST_BREAKS = 1 << 18


class Lines:
    """The line of its text file on which each row begins, as far as the rows have been read. Empty for other data.

    Only those rows are stored that do not begin one line after the row before them, so a usual file takes no memory.
    After 262,144 of these the lines are unknown, so that memory stays bounded.
    """

    def __init__(self) -> None:
        self._rows = array("q")
        self._lines = array("q")

    def note(self, row: int, line: int) -> None:
        """Store the line of a row; each row after it begins one line later. Line 0: these rows are not in a text file.

        A row that was noted before, in an earlier reading, is not stored again.
        """
        if (self._rows and row <= self._rows[-1]) or len(self._rows) > _MOST_BREAKS:
            return
        self._rows.append(row)
        self._lines.append(line if len(self._rows) <= _MOST_BREAKS else 0)

    def follow(self, part: Lines, first_row: int) -> None:
        """Store what is known of a file that is one of several. `first_row` is the row at which the file begins."""
        if not part._rows:
            self.note(first_row, 0)
        known = self._rows[-1] - first_row if self._rows else -1
        for at in range(bisect_right(part._rows, known), len(part._rows)):
            self.note(part._rows[at] + first_row, part._lines[at])

    def of(self, row: int) -> int | None:
        """Return the line of a row, counted from 1; None if it is not known. Rows are counted from 0."""
        at = bisect_right(self._rows, row) - 1
        if at < 0 or self._lines[at] == 0:
            return None
        return self._lines[at] + row - self._rows[at]

    def label(self, row: int) -> str:
        """Return how people find a row: by its number in the report, and by its line in a text file: `2 (line 4)`."""
        line = self.of(row)
        return f"{row}" if line is None else f"{row} (line {line})"


class Part(NamedTuple):
    """One of several files that are read as one source."""

    path: str
    columns: list[str]
    open_ended: bool
    """See `Source.open_ended`."""


@dataclass(frozen=True)
class Source:
    """A table, opened far enough to know its columns.

    `batches()` may be called again, unless the input itself can be read only once.
    """

    name: str
    """Short, for messages and file names: `events.parquet`, `DataFrame`."""
    columns: list[str]
    """Column names without the reserved ones, structs as their fields (`address.city`).

    A reader gives them as they are written. Here they are cleaned and checked. Where the input has no columns of its
    own (JSON lines, lists of dicts), they are those of its first rows.
    """
    rows: int | None
    """How many rows there are, if that is known without reading them."""
    rows_exact: bool
    """False when `rows` is an estimate (lines of a text file) or None."""
    read: Callable[[], Batches] = field(repr=False)
    """Reads the raw batches from the start; callers use `batches()`."""
    path: str | None = None
    """The file's path as the user gave it, for sources that are one file."""
    notes: list[str] = field(default_factory=list)
    """What the user should know about how the source is read, a line each: a guess, something left out."""
    open_ended: bool = False
    """Each row has columns of its own (JSON lines): a later row may have more of them."""
    parts: tuple[Part, ...] = ()
    """The files, where there are several."""
    doubled: tuple[str, ...] = ()
    """Names that more than one column has. None of these columns is read: they cannot be told apart."""
    of_failures: bool = False
    """The rows come from a failures file. They are rows of another input, and have its name and its ledger."""
    left_out: frozenset[str] = frozenset()
    """Columns of the input that are not read: the doubled ones, and pandas' index."""
    lines: Lines = field(default_factory=Lines, repr=False, compare=False)
    """On which line each row of a text file begins."""
    repeats: Callable[[str], bool] | None = field(default=None, repr=False, compare=False)
    """Of a query without ORDER BY: tells whether a value of a column is in several rows, whose order is not certain."""
    data: Any = field(default=None, repr=False, compare=False)
    """What it was opened from: paths, a DataFrame, a list of dicts, …"""

    def __post_init__(self) -> None:
        names = _checked_names(self.where, self.columns)
        given_left_out = frozenset(map(heading, self.left_out))
        doubled = tuple(name for name, times in Counter(names).items() if times > 1 and name not in given_left_out)
        index = [name for name in names if is_pandas_index(name) and name not in given_left_out]
        left_out = given_left_out.union(doubled, index)
        columns = [name for name in names if name not in left_out]
        notes = list(self.notes)
        if doubled:
            same_names = _same_names(names, doubled)
            if not columns:
                raise SourceError(f"{self.where}: {same_names}; give each column a name of its own")
            notes.append(f"{self.where}: {same_names}; they are left out unless each gets a name of its own")
        if index and columns:
            notes.append(f"{self.where}: left out, the index of a pandas DataFrame: {', '.join(index)}")
        for name, value in (
            ("columns", columns or names),
            ("notes", notes),
            ("doubled", (*self.doubled, *doubled)),
            ("left_out", left_out if columns else given_left_out),
        ):
            object.__setattr__(self, name, value)

    @property
    def given_paths(self) -> list[str]:
        """The paths, folders, patterns and addresses that it was opened from, as given; none for data in memory.

        The address of a database is without its user and options.
        """
        data = [*self.data.values()] if isinstance(self.data, dict) else self.data
        items = data if isinstance(data, (list, tuple)) else [data]
        shown = (str(one) if isinstance(one, Secret) else one for one in items)
        return [os.fsdecode(one) for one in shown if isinstance(one, (str, os.PathLike))]

    @property
    def where(self) -> str:
        """Return how messages name the source."""
        return self.path or self.name

    def batches(self, *, flat: bool = True) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as batches of 1 to BATCH_ROWS rows.

        Types may differ from batch to batch where the input has none of its own (JSON lines, columns of Python
        objects). Structs come as a column for each of their fields, unless `flat` is False. Names have no white space
        around them, and `="001"` comes as 001. A row that repeats the header has a reason in PROBLEM_COLUMN.

        Raises SourceBroken when the input cannot be read further, or has another number of rows than it promised.
        Raises SourceError when it can be read only once and has been read.
        """
        row = 0
        paths = None if self.path is None else pa.repeat(pa.scalar(encodable(self.path), pa.string()), BATCH_ROWS)
        try:
            with closing(self.read()) as batches:
                for batch in batches:
                    size = _rows_at_once(batch)
                    for start in range(0, batch.num_rows, size):
                        piece = with_meanings(batch.slice(start, size))
                        piece = replace_views(flattened(piece) if flat else piece)
                        # The batches of parts are clean already.
                        if not self.parts:
                            piece = self._cleaned(piece)
                        if paths is not None:
                            piece = piece.append_column(SOURCE_COLUMN, paths.slice(0, piece.num_rows))
                        yield piece
                        row += piece.num_rows
        except InteraktLoaderError:
            raise
        except Exception as error:
            reached = f" after row {self.lines.label(row - 1)}" if row else ""
            raise SourceBroken(f"{self.where}: cannot be read{reached}: {reason(error)}") from error
        if self.rows_exact and row != self.rows:
            promised = f"{self.rows} row{'' if self.rows == 1 else 's'}"
            raise SourceBroken(f"{self.where}: promises {promised} and holds {row}; it is damaged")

    def _cleaned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = [heading(name) for name in batch.schema.names]
        if len(set(names)) < len(names) or not self.left_out.isdisjoint(names) or names != batch.schema.names:
            kept = [at for at, name in enumerate(names) if name not in self.left_out]
            names = [names[at] for at in kept]
            if len(set(names)) < len(names):
                same_names = _same_names(names, [name for name, times in Counter(names).items() if times > 1])
                raise SourceBroken(f"{self.where}: {same_names}")
            fields = [batch.schema.field(at).with_name(name) for at, name in zip(kept, names, strict=True)]
            batch = pa.RecordBatch.from_arrays([batch.column(at) for at in kept], schema=pa.schema(fields))
        batch = _strip_cells(batch)
        repeated = _repeated_headers(batch)
        return _without_rows(batch, repeated, REPEATED) if repeated else batch


def _checked_names(where: str, written: Iterable[str]) -> list[str]:
    """Return the names of columns as `heading` has them; SourceError where there is none, or one that cannot be."""
    names = [heading(name) for name in written]
    no_text = [shortened(name) for name in names if unicode_text(name) is None]
    if no_text:
        raise SourceError(f"{where}: the column name {no_text[0]} is not text: give that column another name")
    names = [unicode_text(name) or name for name in names]
    if not names:
        raise SourceError(f"{where}: the table has no columns")
    for name in RESERVED:
        if name in names:
            raise SourceError(f"{where}: the column name {name!r} is reserved; give that column another name")
    return names


def refuse_doubled(where: str, names: Sequence[str]) -> None:
    """Raise SourceError where two keys have the same name: a dict by names cannot hold both."""
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise SourceError(f"{where}: {_same_names(names, doubled)}; give each column a name of its own")


def _same_names(names: Sequence[str], doubled: Iterable[str]) -> str:
    counts = Counter(names)
    return "; ".join(f"{'two' if counts[name] == 2 else counts[name]} columns are called {name!r}" for name in doubled)


# Characters without width, and byte order marks. The joiners (200c, 200d) belong to words, but not at the ends.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad\u200e\u200f"))
_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_INDEX = re.compile(r"__index_level_\d+__")
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")


@lru_cache(maxsize=10_000)
def heading(written: str) -> str:
    """Return the name of a column as a person reads it; a blank name stays as it is.

    There are no white space, byte order marks or zero-width characters around it. A run of spaces and line breaks is
    one space, and `="ID"` is ID.
    """
    return strip_wrapping(written) or written


def strip_wrapping(written: str) -> str:
    """Return a name as `heading` does, and a blank one as empty text."""
    name = written.translate(_INVISIBLE).strip()
    formula = _FORMULA.fullmatch(name)
    if formula:
        name = formula[1].replace('""', '"')
    return " ".join(name.split()).strip("\u200c\u200d ")


def labelled(labels: Iterable[str]) -> list[str]:
    """Return the names of columns with these labels: a blank one is `column_` and its place, counted from 1."""
    return [strip_wrapping(label) or f"column_{at}" for at, label in enumerate(labels, start=1)]


def is_pandas_index(name: str) -> bool:
    """Return whether pandas gave this name to an unnamed index when it wrote the table."""
    return _INDEX.fullmatch(name) is not None


def is_unnamed(name: str) -> bool:
    """Return whether a column has no name, or the name that pandas gives it when it reads a file."""
    name = strip_wrapping(name)
    return not name or _UNNAMED.fullmatch(name) is not None


def is_counter(label: str, values: Iterable[Any]) -> bool:
    """Return whether a table's first column is the index that pandas or R wrote: 0, 1, 2, … or 1, 2, …, without a name.

    pandas reads a blank name as `Unnamed: 0`. A missing value fits any index.
    """
    texts = [None if value is None else str(value) for value in values]
    first = next((text for text in texts if text is not None), None)
    if not is_unnamed(label) or first not in ("0", "1"):
        return False
    return all(text in (None, str(number)) for text, number in zip(texts, count(int(first)), strict=False))


def _rows_at_once(batch: pa.RecordBatch) -> int:
    """Return how many rows of a batch to pass on at a time: fewer where they are very wide.

    Each row may hold the longest value of a dictionary.
    """
    try:
        width = batch.nbytes / max(1, batch.num_rows)
    # Older pyarrows cannot tell the size of views.
    except pa.ArrowException:
        width = 0.0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _has_bytes(column.type.value_type):
            width += pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    return max(1, min(BATCH_ROWS, int(WIDE_BYTES / max(1, width))))


def _has_bytes(kind: pa.DataType) -> bool:
    return any(getattr(pa.types, f"is_{name}")(kind) for name in ("string", "large_string", "binary", "large_binary"))


REPEATED = "this row repeats the header"
"""The reason for a row that holds the names of the columns."""

_AROUND = " \t\r\n\u00a0\u200b\u2060\ufeff"
_FORMULA_IN_ARROW = r'^="((?:[^"]|"")*)"$'


def _strip_cells(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with `="001"` as 001. Exports write it so that spreadsheets do not read a number."""
    for at, column in enumerate(batch.columns):
        changed = _without_formula(column)
        if changed is not column:
            batch = batch.set_column(at, batch.schema.field(at).with_type(changed.type), changed)
    return batch


def _without_formula(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        words = _without_formula(column.dictionary)
        return column if words is column.dictionary else pa.DictionaryArray.from_arrays(column.indices, words)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    if not pc.any(pc.starts_with(column, '="')).as_py():
        return column
    formula = pc.match_substring_regex(column, _FORMULA_IN_ARROW).fill_null(fill_value=False)
    inner = pc.replace_substring(pc.utf8_slice_codeunits(column.filter(formula), 2, -1), '""', '"')
    return pc.replace_with_mask(column, formula, inner)


def _repeated_headers(batch: pa.RecordBatch) -> Sequence[int]:
    """Return the rows that hold the names of the columns again: two tables were joined, each with its header."""
    names = {name.lower(): name for name in batch.schema.names if name not in RESERVED}
    first = next((name for name in names.values() if _is_text(batch.schema.field(name).type)), None)
    if first is None:
        return ()
    words = pc.utf8_lower(pc.utf8_trim(batch.column(first), characters=_AROUND))
    found = pc.indices_nonzero(pc.is_in(words, pa.array(list(names), words.type)))
    if not len(found):
        return ()
    rows = batch.select(list(names.values())).take(found).to_pylist()
    return [row for row, cells in zip(found.to_pylist(), rows, strict=True) if is_header(cells.values(), list(names))]


def is_header(cells: Iterable[Any], names: Sequence[str]) -> bool:
    """Return whether a row holds the names of its columns, which are given in lower case.

    It does if more than half of the names are in their own columns. It does too if it has only such cells, at least
    two, or all names in another order. Case and white space do not count.
    """
    expected = ["" if name == f"column_{at}" else name for at, name in enumerate(names, start=1)]
    written = ["" if cell is None else strip_wrapping(str(cell)).lower() for cell in cells]
    same = sum(one == name != "" for one, name in zip(written, expected, strict=True))
    if 2 * same > len(list(filter(None, expected))) or sorted(written) == sorted(expected):
        return True
    return 1 < same == len(list(filter(None, written)))


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _without_rows(batch: pa.RecordBatch, rows: Sequence[int], problem: str) -> pa.RecordBatch:
    """Return the batch with null in these rows, and with the reason in PROBLEM_COLUMN."""
    wanted = set(rows)
    mask = pa.array([at in wanted for at in range(batch.num_rows)], pa.bool_())
    before = pa.nulls(batch.num_rows, pa.string())
    if PROBLEM_COLUMN in batch.schema.names:
        before = batch.column(PROBLEM_COLUMN)
        batch = batch.drop_columns([PROBLEM_COLUMN])
    columns = [*(null_where(column, mask) for column in batch.columns), pc.if_else(mask, problem, before)]
    fields = [*batch.schema, pa.field(PROBLEM_COLUMN, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


OF_AN_OBJECT = {b"interakt_loader": b"field of an object"}
"""Metadata of a column that is a field of Python objects; other rows may hold a value in place of the object."""


def has_fields(kind: pa.DataType) -> bool:
    """Return whether a type is a struct whose fields are columns of their own."""
    return bool(pa.types.is_struct(kind) and kind.num_fields > 0 and not _is_variant(kind))


def flattened(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with structs as columns of their own: `address: {city, pin}` as `address.city`, `address.pin`.

    A trait is one value, so only the fields of a struct can be sent. Structs in structs are flattened too. Where a
    struct is null, so are its fields. A struct without fields stays as it is, and so do structs in lists and maps.
    A field whose path is the name of another column is left out. Raises SourceError when two fields get one name.
    """
    if not any(map(has_fields, batch.schema.types)):
        return batch
    leaves = [leaf for column in batch.columns for leaf in _leaves(column)]
    kept = kept_leaves(batch.schema)
    return pa.RecordBatch.from_arrays([leaves[at] for at, _ in kept], [name for _, name in kept])


def flat_names(schema: pa.Schema, where: str = "") -> list[str]:
    """Return the names of the columns that `flattened` makes of a batch with this schema; raises as it does.

    `where` names the source in the error.
    """
    return [name for _, name in kept_leaves(schema, where)]


def kept_leaves(schema: pa.Schema, where: str = "") -> list[tuple[int, str]]:
    """Return the leaves that become columns, by their places among all leaves, and their names.

    A column that is called as the path of a field beats it: it has the name exactly.
    """
    leaves = [(name, column) for column in schema for name in leaf_names(column.name, column.type)]
    exact = {column.name for column in schema if not has_fields(column.type)}
    kept = [
        (at, name, column.name)
        for at, (name, column) in enumerate(leaves)
        if not has_fields(column.type) or name not in exact
    ]
    counts = Counter(name for _, name, _ in kept)
    for _, name, column in kept:
        if counts[name] > 1 and name != column:
            prefix = f"{where}: " if where else ""
            raise SourceError(
                f"{prefix}the struct {column!r} would give a second column {name!r}: rename one of the two"
            )
    return [(at, name) for at, name, _ in kept]


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    if not has_fields(column.type):
        yield column
        return
    # `flatten` gives null fields where the struct is null.
    for inner in column.flatten():
        yield from _leaves(inner)


def leaf_names(name: str, kind: pa.DataType) -> Iterator[str]:
    """Yield the names of the columns that `flattened` makes of one column."""
    if not has_fields(kind):
        yield name
        return
    for inner in kind:
        yield from leaf_names(f"{name}.{inner.name}", inner.type)


def other_shapes(name: str, columns: Iterable[str]) -> list[str]:
    """Return the columns that hold the same data as `name` in other rows: a value in place of a struct, or the reverse.

    In JSON lines `address` may be text in some rows and an object in others. Then `address.city` is missing in a batch
    with the text, although there is a value.
    """
    return [other for other in columns if name.startswith(f"{other}.") or other.startswith(f"{name}.")]


# In the metadata of a field, where this pyarrow does not know the type.
_EXTENSION = b"ARROW:extension:name"


# Extension types whose stored values can be sent as they are, or are read by `normalize`.
_SENDABLE = ("arrow.uuid", "arrow.json", "arrow.bool8")


# Extension types that store numbers which only their own library understands.
_OPAQUE = ("pandas.period",)


def with_meanings(batch: pa.RecordBatch, annotations: Mapping[str, str] | None = None) -> pa.RecordBatch:
    """Return the batch with UUIDs as text, and with columns that cannot be sent marked as `Unsendable`.

    Some columns mean something else than their Arrow type says: a Parquet VARIANT, a geometry, a UUID as bytes. Sent by
    their type they would be wrong values, so a row is refused where such a column is mapped. `annotations` say what the
    columns of a Parquet file mean, by their paths in it.
    """
    for at, column in enumerate(batch.schema):
        values = batch.column(at)
        changed = _with_meaning(values, column, column.name, annotations or {})
        if changed is not values:
            batch = batch.set_column(at, column.name, changed)
    return batch


def _with_meaning(values: pa.Array, field: pa.Field, path: str, annotations: Mapping[str, str]) -> pa.Array:
    kind = values.type
    if has_fields(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        # `flatten` gives null fields where the struct is null.
        old = values.flatten()
        new = [
            _with_meaning(one, inner, f"{path}.{inner.name}", annotations)
            for one, inner in zip(old, fields, strict=True)
        ]
        if all(one is other for one, other in zip(new, old, strict=True)):
            return values
        return pa.StructArray.from_arrays(new, names=[inner.name for inner in fields], mask=values.is_null())
    meaning = _annotated(kind, path, annotations) or _meaning(field)
    if meaning == "UUID":
        return uuid_texts(values)
    return values if meaning is None else pa.ExtensionArray.from_storage(Unsendable(kind, meaning), values)


def _annotated(kind: pa.DataType, path: str, annotations: Mapping[str, str]) -> str | None:
    meaning = annotations.get(path)
    # The items of a list or a map have a longer path.
    if meaning is None and pa.types.is_nested(kind):
        meaning = next((one for inner, one in annotations.items() if inner.startswith(f"{path}.")), None)
        return None if meaning == "UUID" else meaning
    return meaning if meaning != "UUID" or pa.types.is_fixed_size_binary(kind) else None


def _meaning(field: pa.Field) -> str | None:
    """Return what a column means, if its type alone does not say so."""
    kind = field.type
    if _is_variant(kind):
        return "VARIANT"
    is_known = isinstance(kind, pa.BaseExtensionType)
    if isinstance(kind, Unsendable):
        return None
    if is_known:
        name, kind = kind.extension_name, kind.storage_type
    else:
        name = (field.metadata or {}).get(_EXTENSION, b"").decode("utf-8", "replace")
    if not name or name in _SENDABLE:
        return "UUID" if name == "arrow.uuid" and not is_known and pa.types.is_fixed_size_binary(kind) else None
    return name if name in _OPAQUE or is_binary(kind) or _is_variant(kind) else None


def _is_variant(kind: pa.DataType) -> bool:
    """Return whether a type is how a Parquet VARIANT is stored, whether or not the file says so."""
    if not pa.types.is_struct(kind) or kind.num_fields not in (2, 3):
        return False
    fields = {field.name: field.type for field in (kind.field(at) for at in range(kind.num_fields))}
    return (
        set(fields) in ({"metadata", "value"}, {"metadata", "typed_value"}, {"metadata", "value", "typed_value"})
        and is_binary(fields["metadata"])
        and is_binary(fields.get("value", pa.binary()))
    )


def replace_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with string and binary views, as polars has them, in Arrow's usual large types.

    Many functions of Arrow do not take views yet.
    """
    for at, column in enumerate(batch.columns):
        usual = _usual(column.type)
        if usual != column.type:
            # Arrow has no cast between dictionaries of the two.
            if pa.types.is_dictionary(usual):
                texts = _cast(column.dictionary, usual.value_type)
                changed = pa.DictionaryArray.from_arrays(column.indices, texts)
            else:
                changed = _cast(column, usual)
            batch = batch.set_column(at, batch.schema.names[at], changed)
    return batch


def _cast(column: pa.Array, usual: pa.DataType) -> pa.Array:
    try:
        return column.cast(usual)
    # pyarrow 17 has no cast of views.
    except pa.ArrowNotImplementedError:
        return pa.array(column.to_pylist(), usual)


def _usual(kind: pa.DataType) -> pa.DataType:
    if kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _usual(kind.value_type), kind.ordered)
    if pa.types.is_large_list(kind):
        return pa.large_list(_usual(kind.value_type)) if _usual(kind.value_type) != kind.value_type else kind
    return kind


_SAMPLE_ROWS = 100


def peek(source: Source, rows: int) -> tuple[list[pa.RecordBatch], Source]:
    """Return the first rows, and the source to read from then on, which still has them.

    So a source that can be read only once loses no row. The next reading continues after the first rows; only a second
    one starts again. Raises SourceError when the source breaks that early.
    """
    unread = [source.read()]
    seen: list[pa.RecordBatch] = []

    def begin() -> Batches:
        for batch in unread[0]:
            seen.append(batch)
            yield batch

    def read() -> Batches:
        if not unread:
            yield from source.read()
            return
        with closing(unread.pop()) as rest:
            while seen:
                yield seen.pop(0)
            yield from rest

    head: list[pa.RecordBatch] = []
    try:
        for batch in replace(source, read=begin).batches():
            head.append(batch.slice(0, rows))
            rows -= head[-1].num_rows
            if rows == 0:
                break
    except SourceBroken as error:
        raise SourceError(str(error)) from error
    return head, replace(source, read=read)


def drop_counter(source: Source) -> Source:
    """Return the source without a first column that is the index of pandas or R (`is_counter`)."""
    if len(source.columns) < 2 or not is_unnamed(source.columns[0]):
        return source
    name = source.columns[0]
    head, source = peek(source, _SAMPLE_ROWS)
    if not is_counter(name, [value for batch in head for value in batch.column(name).to_pylist()]):
        return source
    note = f"{source.where}: {name!r}, which counts the rows, is left out"
    return replace(source, left_out=source.left_out | {name}, notes=[*source.notes, note])


def reason(error: BaseException) -> str:
    """Return the text of an error as one line of at most 200 characters, without the name of its class."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200].rstrip(".")


def encodable(text: str) -> str:
    """Join pairs of surrogates and replace lone ones, which no UTF-8 can hold, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
