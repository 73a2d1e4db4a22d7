"""A stream of events, each batch of which is loaded. A test runs it in a process of its own, to kill it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from interakt_loader import MappingDict
from interakt_loader.integrations.spark import load_events
from tests.external.spark.conftest import running

BATCH = 400
"""Events in each of the files, which become batches."""

MAPPING: MappingDict = {
    "user_id": "user",
    "event": {"value": "Seen"},
    "created_at": {"column": "at", "type": "datetime"},
    "traits": ["n"],
}


def write(session: SparkSession, folder: Path, files: int) -> None:
    """Write the events of the stream, numbered by `n`."""
    for at in range(files):
        rows = session.range(at * BATCH, (at + 1) * BATCH, numPartitions=1)
        times = "timestamp_seconds(1700000000 + id) AS at"
        rows.selectExpr("concat('u', id % 60) AS user", "id AS n", times).write.mode("append").parquet(
            str(folder / "events")
        )


def load_stream(session: SparkSession, folder: Path, **options: Any) -> None:
    """Load all events that are there, a file at a time."""
    stream = session.readStream.schema("user string, n bigint, at timestamp").option("maxFilesPerTrigger", 1)

    def load_batch(batch: DataFrame, batch_id: int) -> None:
        load_events(
            batch, MAPPING, report=f"{folder}/reports/{batch_id}", ledger=f"{folder}/orders.ledger", **options
        ).raise_for_failures()

    query = stream.parquet(f"{folder}/events").writeStream.foreachBatch(load_batch)
    query = query.option("checkpointLocation", f"{folder}/checkpoint").trigger(availableNow=True)
    query.start().awaitTermination()


if __name__ == "__main__":
    with running("local[2,4]") as session:
        load_stream(session, Path(sys.argv[1]), base_url=sys.argv[2], workers=8, partitions=2)
