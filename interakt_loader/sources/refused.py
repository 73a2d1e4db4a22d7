"""What is no table, though it looks like one: each refused with the one line that helps."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.values import full_type

_HINTS = {
    ("dask", "DataFrame"): "give .compute(), or part by part: (part.compute() for part in frame.partitions)",
    ("modin", "DataFrame"): "give .modin.to_pandas(), or ._to_pandas() of an older Modin",
    ("numpy", "ndarray"): "give pandas.DataFrame(array, columns=[...])",
    ("numpy", "recarray"): "give pandas.DataFrame(array)",
    ("builtins", "bytes"): "give io.BytesIO(data)",
    ("builtins", "bytearray"): "give io.BytesIO(data)",
}
"""By library and name of the type."""

_WAYS_OUT = ("to_arrow", "to_arrow_table", "to_pyarrow", "to_arrow_batch_reader", "to_pandas", "compute", "collect")
"""Methods by which libraries give a table, the best first."""


def refuse_other(data: Any, expected: str) -> None:
    """Raise SourceError for what could be mistaken for a table, or is one of a library that has to make it first."""
    hint = _HINTS.get((type(data).__module__.partition(".")[0], type(data).__name__))
    if hint is not None:
        raise SourceError(f"{full_type(data)} cannot be read: {hint}")
    if isinstance(data, pa.Array | pa.ChunkedArray):
        raise SourceError(f"{full_type(data)} is one column and no table: give pyarrow.table({{name: array}})")
    if type(data).__name__ == "Series":
        raise SourceError(f"{full_type(data)} is one column and no table: give .to_frame()")
    if type(data).__name__.endswith("GroupBy"):
        raise SourceError(f"{full_type(data)} has no rows yet: give what .agg(...) makes of it, with .reset_index()")
    if isinstance(data, Mapping):
        one = next(iter(data.values()), None)
        is_row = isinstance(one, str) or not hasattr(one, "__len__")
        hint = "for one row give [row]" if is_row else "of columns, give pyarrow.table(data) or pandas.DataFrame(data)"
        raise SourceError(f"{full_type(data)} is no table: {hint}")
    if inspect.isasyncgen(data) or hasattr(data, "__aiter__"):
        raise SourceError(f"{full_type(data)} is asynchronous: give a list, [row async for row in rows]")
    if inspect.iscoroutine(data):
        data.close()
        raise SourceError(f"{full_type(data)} has not run: give what await returns")
    if inspect.isroutine(data):
        raise SourceError(f"{full_type(data)} is no table: call it, and give what it returns")
    if inspect.isclass(data):
        raise SourceError(f"the class {data.__name__} is no table: {expected}")


def way_out(data: object) -> str:
    """Return the hint for an object whose library makes a table of it, or nothing."""
    method = next((name for name in _WAYS_OUT if callable(getattr(type(data), name, None))), None)
    return "" if method is None else f", give .{method}()"
