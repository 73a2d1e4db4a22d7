"""Names of columns and cells of text without what spreadsheets and pandas put around them, and rows of names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Characters without width, and byte order marks. The joiners (200c, 200d) belong to words, but not at the ends.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad\u200e\u200f"))
_AROUND = " \t\r\n\u00a0\u200b\u2060\ufeff"
_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_FORMULA_IN_ARROW = r'^="((?:[^"]|"")*)"$'
_INDEX = re.compile(r"__index_level_\d+__")
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")


@lru_cache(maxsize=10_000)
def heading(written: str) -> str:
    """Return the name of a column as a person reads it.

    Without white space, byte order marks and zero-width characters around it, with one space for each run of spaces
    and line breaks, and `="ID"` as ID. A blank name stays as it is.
    """
    return bare(written) or written


def labelled(labels: Iterable[str]) -> list[str]:
    """Return the names of columns under these labels: a blank one is `column_` and its place, counted from 1."""
    return [bare(label) or f"column_{at}" for at, label in enumerate(labels, start=1)]


def bare(written: str) -> str:
    """Return a heading as `heading` does, a blank one as empty text."""
    name = written.translate(_INVISIBLE).strip()
    formula = _FORMULA.fullmatch(name)
    if formula:
        name = formula[1].replace('""', '"')
    return " ".join(name.split()).strip("\u200c\u200d ")


def is_pandas_index(name: str) -> bool:
    """Tell whether pandas gave this name to an index without a name when it wrote the table."""
    return _INDEX.fullmatch(name) is not None


def is_unnamed(name: str) -> bool:
    """Tell whether a column has no name, or the one that pandas gives to such a column when it reads a file."""
    name = bare(name)
    return not name or _UNNAMED.fullmatch(name) is not None


def is_counter(label: str, values: Iterable[Any]) -> bool:
    """Tell whether a table's first column is the index that pandas or R wrote: without a name, 0, 1, 2, … or 1, 2, ….

    pandas reads a blank name as `Unnamed: 0`. A row without a value says nothing.
    """
    texts = [None if value is None else str(value) for value in values]
    first = next((text for text in texts if text is not None), None)
    if not is_unnamed(label) or first not in ("0", "1"):
        return False
    return all(text in (None, str(number)) for text, number in zip(texts, count(int(first)), strict=False))


def plain_cells(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with `="001"`, by which exports keep spreadsheets from reading a number, as 001."""
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
    formula = pc.match_substring_regex(column, _FORMULA_IN_ARROW).fill_null(False)
    inner = pc.replace_substring(pc.utf8_slice_codeunits(column.filter(formula), 2, -1), '""', '"')
    return pc.replace_with_mask(column, formula, inner)


REPEATED = "this row repeats the header"
"""What is wrong with such a row."""


def repeated_headings(batch: pa.RecordBatch, apart: Collection[str]) -> Sequence[int]:
    """Return the rows that hold the names of the columns again: two tables were joined, each with its header.

    More than half of a row's cells are their columns' names, or all that it has are, and two at least; or all of its
    cells are the names in another order. Case and white space do not count. The columns `apart` are no part of the
    table.
    """
    names = {name.lower(): name for name in batch.schema.names if name not in apart}
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
    """Tell whether a row holds the names of its columns, which are given in lower case."""
    expected = ["" if name == f"column_{at}" else name for at, name in enumerate(names, start=1)]
    written = ["" if cell is None else bare(str(cell)).lower() for cell in cells]
    same = sum(one == name != "" for one, name in zip(written, expected, strict=True))
    if 2 * same > len(list(filter(None, expected))) or sorted(written) == sorted(expected):
        return True
    return 1 < same == len(list(filter(None, written)))


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))
