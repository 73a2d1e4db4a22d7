"""pandas DataFrames, slice by slice, without importing pandas.

Row numbers are positions; the index is not looked at. pandas' own path (`pa.Table.from_pandas`) converts
the whole frame at once and fails on columns of mixed objects; here each slice of each column is converted
by itself, and each object keeps its own type.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from interakt_loader.plain import is_mixed
from interakt_loader.sources.base import BATCH_ROWS, Batches, Source, check_names
from interakt_loader.sources.columns import objects_to_batch, to_arrow
from interakt_loader.sources.objects import laid_out
from interakt_loader.sources.structs import flat_names
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
        for start in range(0, len(frame), BATCH_ROWS):
            piece = frame.iloc[start : start + BATCH_ROWS]
            yield objects_to_batch({name: _column(series) for name, series in zip(names, _series(piece), strict=True)})

    columns = check_names("DataFrame", chain.from_iterable(map(_names, names, _series(frame))))
    return Source(name="DataFrame", columns=columns, rows=len(frame), rows_exact=True, read=read)


def _series(frame: Any) -> Iterator[Any]:
    return (frame.iloc[:, at] for at in range(frame.shape[1]))


def _names(name: str, series: Any) -> Iterable[str]:
    """Return the names of the columns that one column makes: objects and structs have one for each of their fields."""
    values = _column(series if series.dtype == object else series.iloc[:1])
    return laid_out({name: values}) if isinstance(values, list) else flat_names(pa.schema([(name, values.type)]))


def _column(series: Any) -> list[Any] | pa.Array:
    """Return a column as Arrow; one of objects, also as categories, as they are."""
    categories = getattr(series.dtype, "categories", None)
    if series.dtype == object or (categories is not None and is_mixed(to_arrow(list(categories)).type)):
        return series.tolist()
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return series.tolist()  # dtypes that Arrow does not know: complex, sparse
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array.type, pa.BaseExtensionType):  # period and interval read better as text
        return series.tolist()
    return array
