"""pandas DataFrames, slice by slice, without importing pandas.

Row numbers are positions; the index is not looked at. pandas' own path (`pa.Table.from_pandas`) converts
the whole frame at once and fails on columns of mixed objects; here each slice of each column is converted
by itself.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names
from interakt_loader.sources.columns import text_type, to_arrow
from interakt_loader.wire import FAILURES

logger = logging.getLogger("interakt_loader")

BESIDE = "interakt_loader.beside"
"""Key in a frame's `attrs`: names of columns that the loader put beside the frame's own, and that are not loaded."""

SAID = ("row", "status", "code", "column", "message")
"""The report's columns, which are put beside the rows that failed."""


def is_pandas(data: object, kind: str) -> bool:
    """Tell whether data is a pandas object of that class name; False while nobody has imported pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, getattr(pandas, kind))


def own_columns(frame: Any) -> Any:
    """Return a frame without what the loader put beside its own columns.

    pandas forgets a frame's `attrs` when it is merged with another, as corrections often are: then the columns are
    known by their names and by what stands in them, and that is said.
    """
    beside = frame.attrs.get(BESIDE)
    if beside is None and _has_a_report_beside(frame):
        logger.warning("not loaded: %s, which a report has put beside the rows", ", ".join(SAID))
        beside = list(SAID)
    return frame.drop(columns=beside or [], errors="ignore")


def _has_a_report_beside(frame: Any) -> bool:
    names = [*map(str, frame.columns)]
    if any(names.count(one) != 1 for one in SAID):
        return False
    return set(frame["status"].dropna().unique().tolist()) <= {one.value for one in FAILURES} and len(frame) > 0


def open_frame(frame: Any) -> Source:
    """Return a DataFrame as a source; its columns are called by their labels' text."""
    frame = own_columns(frame)
    names = check_names("DataFrame", frame.columns)

    def read() -> Batches:
        # Over the whole column: a value's type must not depend on which rows it shares a batch with.
        types = [*map(_text_type, _series(frame))]
        for start in range(0, len(frame), BATCH_ROWS):
            piece = frame.iloc[start : start + BATCH_ROWS]
            arrays = [*map(_column, _series(piece), types)]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    columns = check_names("DataFrame", pa.schema([*map(_first_rows_field, names, _series(frame))]))
    return Source(name="DataFrame", columns=columns, rows=len(frame), rows_exact=True, read=read)


def _series(frame: Any) -> Iterator[Any]:
    return (frame.iloc[:, at] for at in range(frame.shape[1]))


def _first_rows_field(name: str, series: Any) -> pa.Field:
    """Return the column's field, as far as structs go: a dict may stand among objects."""
    if _holds_objects(series) and not any(isinstance(value, dict) for value in series.iloc[:BATCH_ROWS]):
        return pa.field(name, pa.null())
    return pa.field(name, _column(series.iloc[:BATCH_ROWS], _text_type(series)).type)


def _holds_objects(series: Any) -> bool:
    return bool(series.dtype == object)


def _text_type(series: Any) -> pa.DataType | None:
    return text_type(series) if _holds_objects(series) else None


def _column(series: Any, of_type: pa.DataType | None) -> pa.Array:
    if not _holds_objects(series):
        try:
            array = pa.array(series, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return to_arrow(series.tolist())  # dtypes that Arrow does not know: complex, sparse
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        if not isinstance(array.type, pa.BaseExtensionType):  # period and interval read better as text
            return array
    return to_arrow(series.tolist(), of_type)
