"""The table that is measured with: `python -m benchmarks.table PATH ROWS`."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1_000_000


def write_users(path: Path, rows: int) -> None:
    """Write users with eight traits, the same each time: the first rows of a bigger table are a smaller table."""
    import pyarrow.parquet as pq

    groups = _groups(rows)
    first = next(groups)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(group)


def _groups(rows: int) -> Iterator[pa.Table]:
    import pyarrow as pa

    rng = random.Random(5)
    for start in range(0, rows, ROW_GROUP):
        count = range(start, min(start + ROW_GROUP, rows))
        yield pa.table(
            {
                "id": [f"C{number:08d}" for number in count],
                "phone": [f"{9_200_000_000 + number * 997 % 799_999_999}" for number in count],
                "name": [f"Name {number}" for number in count],
                "email": [f"user{number}@example.com" for number in count],
                "age": [rng.randrange(90) for _ in count],
                "spent": [round(rng.random() * 1000, 2) for _ in count],
                "vip": [rng.random() < 0.1 for _ in count],
                "city": [rng.choice(["Pune", "Delhi", "Goa"]) for _ in count],
                "signed_up": pa.array([1_600_000_000_000 + number * 1000 for number in count], pa.timestamp("ms")),
                "born": pa.array([number % 20_000 for number in count], pa.int32()).cast(pa.date32()),
            }
        )


if __name__ == "__main__":
    write_users(Path(sys.argv[1]), int(sys.argv[2]))
