"""What the tests of the sources share: rows as dicts, and where the real data is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.sources import BATCH_ROWS, PROBLEM_COLUMN, RESERVED, open_source
from interakt_loader.sources.base import Source

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def rows_of(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the source's rows without the reserved columns, and check what holds for every batch."""
    for batch in source.batches():
        assert 1 <= batch.num_rows <= BATCH_ROWS
        batch.validate(full=True)
        for row in batch.to_pylist():
            yield {name: value for name, value in row.items() if name not in RESERVED}


def read(data: object) -> list[dict[str, Any]]:
    return list(rows_of(open_source(data)))


def column(data: object, name: str) -> list[Any]:
    """Return one column of all batches; null where a batch does not have it."""
    return [row.get(name) for batch in open_source(data).batches() for row in batch.to_pylist()]


def problems(data: object) -> list[str | None]:
    return column(data, PROBLEM_COLUMN)


def real(path: str) -> str:
    """Return the path of a file of the shared data; skip the test where there is none."""
    if not (DATA / path).is_file():
        pytest.skip(f"the shared data has no {path} here")
    return str(DATA / path)
