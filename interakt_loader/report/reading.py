"""A report file read back: its lines as Arrow, or what happened when as a `Timeline`.

Files are read a batch at a time, however many rows they have.
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

Counts: TypeAlias = "npt.NDArray[np.int64]"

MOST_BINS, FEWEST_BINS = 120, 10

CALLS_A_BIN, SECONDS_A_BIN = 50, 0.5
"""A bin has about this many calls, and is at least this long: with fewer calls, its rate would vary by chance."""

PERCENTILES = (50, 95, 99)

STEPS = 40
"""Answer times are counted in this many steps a decade. Each step is 6 % above the last: so exact are percentiles."""

_FASTEST, _DECADES = 0.01, 8
"""The milliseconds of the first step, and the decades of all steps: they reach to a quarter of an hour."""


def read_report(path: str | Path) -> pa.Table:
    """Return a report in the order of the input (schema `outcomes.OUTCOMES`)."""
    return pa.Table.from_batches(read_batches(path), OUTCOMES).sort_by("row")


def read_batches(path: str | Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the lines of a report in the order in which they were written, with these columns or all.

    Raises `InteraktLoaderError` if the file is not whole, because the disk was full or the load was killed. In a text
    file, a cut at the end of a line or in its last cell cannot be detected.
    """
    schema = OUTCOMES if columns is None else pa.schema([OUTCOMES.field(name) for name in columns])
    path = Path(path)
    if path.is_dir():
        # Spark writes a folder, with a file for each task.
        for part in sorted(path.glob("*.parquet")):
            yield from read_batches(part, columns)
        return
    if path.stat().st_size == 0:
        # JSON lines without rows, which Arrow does not read.
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


@dataclass(frozen=True)
class Timeline:
    """What happened in each bin, from the end of the first call to the end of the last."""

    began: float
    """Seconds since the epoch."""
    width: float
    """Seconds of a bin."""
    rows: dict[str, list[int]]
    """Status: the rows that got it in each bin. Rows refused before the first call are in the first bin."""
    calls: list[int]
    """HTTP calls, in the bin in which their row ended."""
    latency: dict[int, list[float | None]]
    """Percentile: milliseconds of the last call of each row; None if a bin has no call."""

    @property
    def seconds(self) -> float:
        """From the start of the first bin to the end of the last."""
        return self.width * len(self.calls)


def read_timeline(report: Path) -> Timeline | None:
    """Return the timeline of a report; None if no call was made. The report is read twice."""
    first, last, made = _span(report)
    if not made:
        return None
    bins = int(min(MOST_BINS, max(FEWEST_BINS, min(made / CALLS_A_BIN, (last - first) / 1000 / SECONDS_A_BIN))))
    # In milliseconds.
    width = max((last - first) / bins, 1.0)
    calls = np.zeros(bins, np.int64)
    rows = {status.value: np.zeros(bins, np.int64) for status in Status}
    steps = np.zeros((bins, STEPS * _DECADES), np.int64)
    for batch in read_batches(report, ["status", "attempts", "latency_ms", "finished_at"]):
        at = np.clip((_milliseconds(batch) - first) / width, 0, bins - 1).astype(np.int64)
        calls += np.bincount(at, batch["attempts"].to_numpy(), bins).astype(np.int64)
        for status in rows:
            has_status = pc.equal(batch["status"], status).to_numpy(zero_copy_only=False)
            rows[status] += np.bincount(at[has_status], minlength=bins)
        _add_latency(steps, at, batch["latency_ms"].to_numpy(zero_copy_only=False))
    return Timeline(
        began=first / 1000,
        width=width / 1000,
        rows={status: counts.tolist() for status, counts in rows.items() if counts.any()},
        calls=calls.tolist(),
        latency={percent: [_percentile(one, percent) for one in steps] for percent in PERCENTILES},
    )


def _span(report: Path) -> tuple[float, float, int]:
    """Return when the first and the last row with a call ended (milliseconds since the epoch), and the calls."""
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
    """Count answer times, each in its bin and step."""
    known = ~np.isnan(latency)
    step = np.log10(np.maximum(latency[known], _FASTEST) / _FASTEST) * STEPS
    flat = at[known] * steps.shape[1] + np.minimum(step, steps.shape[1] - 1).astype(np.int64)
    steps += np.bincount(flat, minlength=steps.size).reshape(steps.shape)


def _percentile(steps: Counts, percent: int) -> float | None:
    """Return the middle of the step that this percentage of the answers does not exceed."""
    total = int(steps.sum())
    if not total:
        return None
    step = int(np.searchsorted(np.cumsum(steps), percent / 100 * total))
    return float(round(_FASTEST * 10 ** ((step + 0.5) / STEPS), 3))
