"""The table that is measured with: `python -m benchmarks.table PATH`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

ROWS = 1_000_000


def write_users(path: Path) -> None:
    """Write a million users with eight traits, the same each time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    dice = random.Random(5)
    count = range(ROWS)
    table = pa.table(
        {
            "id": [f"C{number:07d}" for number in count],
            "phone": [f"{9_000_000_000 + number * 997 % 999_999_937}" for number in count],
            "name": [f"Name {number}" for number in count],
            "email": [f"user{number}@example.com" for number in count],
            "age": [dice.randrange(90) for _ in count],
            "spent": [round(dice.random() * 1000, 2) for _ in count],
            "vip": [dice.random() < 0.1 for _ in count],
            "city": [dice.choice(["Pune", "Delhi", "Goa"]) for _ in count],
            "signed_up": pa.array([1_600_000_000_000 + number * 1000 for number in count], pa.timestamp("ms")),
            "born": pa.array([number % 20_000 for number in count], pa.int32()).cast(pa.date32()),
        }
    )
    pq.write_table(table, path)


if __name__ == "__main__":
    write_users(Path(sys.argv[1]))
