"""Which rows a page shows: of each reason some, so that no reason hides the others, and few enough to open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.report.reading import read_batches

if TYPE_CHECKING:
    from interakt_loader.result import LoadResult

MOST_ROWS, MOST_A_REASON = 2_000, 200

COLUMNS = ["row", "user_id", "country_code", "phone", "event", "status", "attempts", "http_status", "code", "column"]


class ShownRows(NamedTuple):
    """Lines of the report, in the input's order."""

    lines: list[dict[str, Any]]
    left_out: int


def shown_rows(result: LoadResult) -> ShownRows:
    """Return lines of rows that a person has to look at, of a report that is read a batch at a time."""
    wanted = pa.array([one.value for one in result.summary.failing])
    batches = read_batches(result.report, [*COLUMNS, "message"])
    return chosen(batch.filter(pc.is_in(batch["status"], wanted)) for batch in batches)


def chosen(batches: Iterable[pa.RecordBatch]) -> ShownRows:
    """Return the first lines of each status, code and column."""
    lines: list[dict[str, Any]] = []
    seen: Counter[tuple[str, str | None, str | None]] = Counter()
    for batch in batches:
        keys = list(zip(*(batch[name].to_pylist() for name in ("status", "code", "column")), strict=True))
        taken: list[int] = []
        for at, key in enumerate(keys):
            if seen[key] < MOST_A_REASON and len(lines) + len(taken) < MOST_ROWS:
                taken.append(at)
            seen[key] += 1
        lines += batch.take(pa.array(taken, pa.int64())).to_pylist()
    return ShownRows(sorted(lines, key=lambda line: int(line["row"])), seen.total() - len(lines))
