"""Arrow's schemas as Spark's.

Spark matches the columns that a task returns by position and never casts them: a wrong type fails only after the calls
have been made, and the task is run again. So both forms come from one schema.
"""

from __future__ import annotations

import pyarrow as pa

from interakt_loader.mapping import PREPARED
from interakt_loader.report.outcomes import OUTCOMES

BUCKET = "bucket"

INSTANT = pa.timestamp("us", "UTC")
"""The one kind of instant that Spark has."""

_NAMES = {
    pa.int64(): "BIGINT",
    pa.int32(): "INT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.binary(): "BINARY",
    pa.bool_(): "BOOLEAN",
    INSTANT: "TIMESTAMP",
}


def _sparks(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(one.name, INSTANT if pa.types.is_timestamp(one.type) else one.type) for one in schema])


CALLS = _sparks(PREPARED).append(pa.field(BUCKET, pa.int32()))
"""Prepared calls on their way to the worker that sends them."""

LINES = _sparks(OUTCOMES)
"""Lines of the report."""


def ddl(schema: pa.Schema) -> str:
    """Return a schema in Spark's words."""
    return ", ".join(f"`{one.name}` {_NAMES[one.type]}" for one in schema)
