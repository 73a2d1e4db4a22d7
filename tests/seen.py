"""Events that a CSV file and a frame of Spark have alike, for loads of several kinds with one ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interakt_loader import MappingDict

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

EVENTS: MappingDict = {
    "user_id": "user",
    "event": {"value": "Seen"},
    "created_at": "at",
    "traits": [{"column": "n", "type": "number"}, {"column": "price", "type": "number"}, {"column": "page"}],
}

FRAME = (
    "concat('u', id % 20) AS user", "id AS n", "CAST(id AS DECIMAL(10,2)) / 4 AS quarter",
    "timestamp '2024-01-01 00:00:00' + make_interval(0, 0, 0, 0, 0, CAST(id AS INT)) AS at",
    "concat('/page/', id) AS page",
)  # fmt: skip


def frame(session: SparkSession, first: int, end: int) -> DataFrame:
    """Return events with the types of a table in a warehouse."""
    rows = session.range(first, end, numPartitions=3).selectExpr(*FRAME)
    return rows.selectExpr("user", "n", "CAST(quarter AS DECIMAL(10,2)) AS price", "at", "page")


def csv(path: Path, first: int, end: int) -> str:
    """Write the same events as text, as an export has them."""
    lines = [
        f"u{n % 20},{n},{n // 4}.{n % 4 * 25:02},2024-01-01T{n // 60:02}:{n % 60:02}:00Z,/page/{n}"
        for n in range(first, end)
    ]
    path.write_text("\n".join(["user,n,price,at,page", *lines]) + "\n", encoding="utf-8")
    return str(path)
