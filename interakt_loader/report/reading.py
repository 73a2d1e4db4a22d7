"""A report file → Arrow again: a batch at a time as it lies there, or whole and in the input's order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from interakt_loader.errors import InteraktLoaderError
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.safety.formula_guard import unguard


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
