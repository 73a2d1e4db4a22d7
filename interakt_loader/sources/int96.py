"""Parquet's old INT96 times, which hold more years than any timestamp of Arrow's does."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.plain import without
from interakt_loader.sources.base import PROBLEM_COLUMN
from interakt_loader.sources.structs import flat_names

_LARGEST = (2**63 - 1) // 1000  # milliseconds, beyond which microseconds do not fit 64 bits
# Older Arrows wrote times before 1970 so that they come out 2**64 nanoseconds late: a birth in 1960 as one in 2544.
_SPOILT = (2**63 // 10**6, 3 * 2**63 // 10**6)  # milliseconds


def int96_columns(file: Any) -> list[str]:
    """Return the names of a ParquetFile's columns that are INT96, fields of structs too, but not those in lists."""
    schema, names = file.schema, flat_names(file.schema_arrow)
    columns = (schema.column(at) for at in range(len(schema.names)))
    return [column.path for column in columns if column.physical_type == "INT96" and column.path in names]


def without_wrapped(batch: pa.RecordBatch, in_milliseconds: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch without the instants that wrapped around, in microseconds or when they were written.

    Their rows have a problem. Arrow says nothing when an instant does not fit; milliseconds hold all that INT96
    does, so they tell.
    """
    problems: dict[int, str] = {}
    for at, name in enumerate(in_milliseconds.schema.names):
        instants = in_milliseconds.column(at).cast(pa.int64())
        too_far = pc.or_(pc.greater(instants, _LARGEST), pc.less(instants, -_LARGEST))
        spoilt = pc.and_(pc.greater(instants, _SPOILT[0]), pc.less(instants, _SPOILT[1]))
        for row in pc.indices_nonzero(too_far).to_pylist():
            problems[row] = f"the time in {name!r} is too far from today to be held (INT96)"
        for row in pc.indices_nonzero(spoilt).to_pylist():
            problems[row] = (
                f"the time in {name!r} is after the year 2262, or before 1970 and spoilt when it was written (INT96)"
            )
        place = batch.schema.get_field_index(name)
        held = without(batch.column(place), pc.or_(too_far, spoilt))
        batch = batch.set_column(place, batch.schema.field(place), held)
    if problems:
        texts = [problems.get(row) for row in range(batch.num_rows)]
        batch = batch.append_column(PROBLEM_COLUMN, pa.array(texts, pa.string()))
    return batch
