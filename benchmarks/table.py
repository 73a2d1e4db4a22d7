"""The tables that are measured with: `python -m benchmarks.table PATH ROWS [plain|several|wide|csv]`."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1_000_000

ROWS_OF_A_USER = 20 / 3
"""Of the table with several rows of each user, on average."""

WIDE = 2_500
"""Columns of the wide table."""


def write_users(path: Path, rows: int, *, several: bool = False) -> None:
    """Write users with eight traits, the same each time: the first rows of a bigger table are a smaller table.

    With `several`, a user comes back later in the table.
    """
    import pyarrow.parquet as pq

    groups = _groups(rows, round(rows / ROWS_OF_A_USER) if several else rows)
    first = next(groups)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(group)


def write_wide(path: Path, rows: int) -> None:
    """Write the columns of the users again and again, under other names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    users = next(_groups(rows, rows))
    columns = [users.column(number % users.num_columns) for number in range(WIDE - users.num_columns)]
    names = [f"{users.column_names[at % users.num_columns]} {at}" for at in range(len(columns))]
    pq.write_table(pa.table([*users.columns, *columns], [*users.column_names, *names]), path)


def write_csv(path: Path, rows: int) -> None:
    """Write users as CSV."""
    import pyarrow.csv as pa_csv

    pa_csv.write_csv(next(_groups(rows, rows)), path)


def _groups(rows: int, users: int) -> Iterator[pa.Table]:
    import pyarrow as pa

    rng = random.Random(5)
    for start in range(0, rows, ROW_GROUP):
        count = range(start, min(start + ROW_GROUP, rows))
        who = [number % users for number in count]
        yield pa.table(
            {
                "id": [f"C{number:08d}" for number in who],
                "phone": [f"{9_200_000_000 + number * 997 % 799_999_999}" for number in who],
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
    to, rows_, *which = sys.argv[1:]
    if which == ["wide"]:
        write_wide(Path(to), int(rows_))
    elif which == ["csv"]:
        write_csv(Path(to), int(rows_))
    else:
        write_users(Path(to), int(rows_), several=which == ["several"])
