"""A report file → Arrow again: a batch at a time as it lies there, or whole and in the input's order.

A report → what happened when: rows, calls and answer times in some hundred bins, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import InteraktLoaderError
from interakt_loader.model import Status
from interakt_loader.privacy.formula_guard import unguard
from interakt_loader.report.outcomes import OUTCOMES

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa


def read_report(path: str | Path) -> pa.Table:
    """Read a report back, in the order of the input (schema `outcomes.OUTCOMES`)."""
    return pa.Table.from_batches(read_batches(path), OUTCOMES).sort_by("row")


def read_batches(path: str | Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield a report's lines in the order in which they were written, with these columns or all of them.

    Raises `InteraktLoaderError` where the file is not whole: the disk was full, or the load was killed in mid-line. Of
    text, a cut just at the end of a line, or within its last cell, does not show.
    """
    schema = OUTCOMES if columns is None else pa.schema([OUTCOMES.field(name) for name in columns])
    path = Path(path)
    if path.is_dir():  # of Spark: a file from each task
        for part in sorted(path.glob("*.parquet")):
            yield from read_batches(part, columns)
        return
    if path.stat().st_size == 0:  # JSON lines of no rows
        return
    read = {".parquet": _parquet, ".jsonl": _json_lines}.get(path.suffix.lower(), _csv)
    try:
        for batch in read(path, schema):
            yield batch.select(schema.names).cast(schema)
    except pa.ArrowInvalid as error:
        raise InteraktLoaderError(f"the report {path} is not whole: {str(error).splitlines()[0]}") from error


def _parquet(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(columns=schema.names)


def _json_lines(path: Path, _: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow.json as pa_json

    parse = pa_json.ParseOptions(explicit_schema=OUTCOMES, unexpected_field_behavior="ignore")
    yield from pa_json.read_json(path, parse_options=parse).to_batches()


def _csv(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow.csv as pa_csv

    convert = pa_csv.ConvertOptions(
        column_types=OUTCOMES,
        include_columns=schema.names,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    with pa_csv.open_csv(path, parse_options=parse, convert_options=convert) as reader:
        yield from map(unguard, reader)


Counts: TypeAlias = "npt.NDArray[np.int64]"

MOST_BINS, FEWEST_BINS = 120, 10

CALLS_A_BIN, SECONDS_A_BIN = 50, 0.5
"""A bin holds about so many calls, and is so long at least: the fewer, the more its rate jumps about by chance."""

PERCENTILES = (50, 95, 99)

STEPS = 40
"""Answer times are counted in so many steps a decade, each 6 % above the last: that is how exact a percentile is."""

_FASTEST, _DECADES = 0.01, 8
"""Milliseconds at which the steps begin, and how far they go: to a quarter of an hour."""


@dataclass(frozen=True)
class Timeline:
    """What happened in each of the bins, from the first call's end to the last's."""

    began: float
    """Seconds since the epoch."""
    width: float
    """Seconds of a bin."""
    rows: dict[str, list[int]]
    """Status: rows that came to it in each bin; those refused before the first call are in the first."""
    calls: list[int]
    """HTTP calls, counted when their row was done."""
    latency: dict[int, list[float | None]]
    """Percentile: milliseconds that the last call of a row took; None where there was none."""

    @property
    def seconds(self) -> float:
        """From the first bin's start to the last one's end."""
        return self.width * len(self.calls)


def read_timeline(report: Path) -> Timeline | None:
    """Read a report twice, a batch at a time; None where no call was made."""
    first, last, made = _span(report)
    if not made:
        return None
    bins = int(min(MOST_BINS, max(FEWEST_BINS, min(made / CALLS_A_BIN, (last - first) / 1000 / SECONDS_A_BIN))))
    width = max((last - first) / bins, 1.0)  # milliseconds
    calls = np.zeros(bins, np.int64)
    rows = {status.value: np.zeros(bins, np.int64) for status in Status}
    steps = np.zeros((bins, STEPS * _DECADES), np.int64)
    for batch in read_batches(report, ["status", "attempts", "latency_ms", "finished_at"]):
        at = np.clip((_milliseconds(batch) - first) / width, 0, bins - 1).astype(np.int64)
        calls += np.bincount(at, batch["attempts"].to_numpy(), bins).astype(np.int64)
        for status in rows:
            of_it = pc.equal(batch["status"], status).to_numpy(zero_copy_only=False)
            rows[status] += np.bincount(at[of_it], minlength=bins)
        _add_latency(steps, at, batch["latency_ms"].to_numpy(zero_copy_only=False))
    return Timeline(
        began=first / 1000,
        width=width / 1000,
        rows={status: counts.tolist() for status, counts in rows.items() if counts.any()},
        calls=calls.tolist(),
        latency={percent: [_percentile(one, percent) for one in steps] for percent in PERCENTILES},
    )


def _span(report: Path) -> tuple[float, float, int]:
    """Return when the first and the last row with a call were done (milliseconds since the epoch), and the calls."""
    first, last, made = math.inf, -math.inf, 0
    for batch in read_batches(report, ["attempts", "finished_at"]):
        calls = batch["attempts"].to_numpy()
        at = _milliseconds(batch)[calls > 0]
        made += int(calls.sum())
        if len(at):
            first, last = min(first, float(at.min())), max(last, float(at.max()))
    return first, last, made


def _milliseconds(batch: pa.RecordBatch) -> Counts:
    at: Counts = batch["finished_at"].cast("int64").to_numpy()
    return at


def _add_latency(steps: Counts, at: Counts, latency: npt.NDArray[np.float64]) -> None:
    known = ~np.isnan(latency)
    step = np.log10(np.maximum(latency[known], _FASTEST) / _FASTEST) * STEPS
    flat = at[known] * steps.shape[1] + np.minimum(step, steps.shape[1] - 1).astype(np.int64)
    steps += np.bincount(flat, minlength=steps.size).reshape(steps.shape)


def _percentile(steps: Counts, percent: int) -> float | None:
    """Return the middle of the step that so many percent of the answers do not exceed."""
    total = int(steps.sum())
    if not total:
        return None
    step = int(np.searchsorted(np.cumsum(steps), percent / 100 * total))
    return float(round(_FASTEST * 10 ** ((step + 0.5) / STEPS), 3))
