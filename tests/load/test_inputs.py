"""What may be loaded: frames with any index, Arrow, polars, files and lists of files; all give the same calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

from interakt_loader import MappingDict, UsageError, check, load_users
from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings

TABLE = pa.table({"id": ["001", "002", "003"], "name": ["Ann", None, "Zoë"], "city": ["Pune", "Goa", " "]})
MAPPING: MappingDict = {"user_id": "id", "traits": "*"}
HELD = {"001": {"name": "Ann", "city": "Pune"}, "002": {"city": "Goa"}, "003": {"name": "Zoë"}}


class Stream:
    """What DuckDB and others hand over: nothing but an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return TABLE.__arrow_c_stream__(requested_schema)


def written(kind: str, folder: Path) -> Any:
    path = folder / f"table.{kind}"
    if kind == "parquet":
        pa.parquet.write_table(TABLE, path)
    elif kind == "csv":
        pa.csv.write_csv(TABLE, path)
    elif kind == "feather":
        pa.feather.write_feather(TABLE, path)
    elif kind == "jsonl":
        TABLE.to_pandas().to_json(path, orient="records", lines=True)
    return path


INPUTS: dict[str, Callable[[Path], Any]] = {
    "a frame": lambda folder: TABLE.to_pandas(),
    "a frame with an index of its own": lambda folder: TABLE.to_pandas().set_index(pd.Index(["b", "b", "a"], name="k")),
    "an Arrow table": lambda folder: TABLE,
    "a record batch": lambda folder: TABLE.to_batches()[0],
    "an Arrow reader": lambda folder: TABLE.to_reader(),
    "an Arrow dataset": lambda folder: pa.dataset.dataset(written("parquet", folder)),
    "a polars frame": lambda folder: pl.DataFrame(TABLE.to_pydict()),
    "an Arrow stream": lambda folder: Stream(),
    "Parquet": lambda folder: written("parquet", folder),
    "CSV": lambda folder: str(written("csv", folder)),
    "JSON lines": lambda folder: written("jsonl", folder),
    "Feather": lambda folder: written("feather", folder),
}


@pytest.mark.parametrize("form", INPUTS)
def test_every_form_of_a_table_gives_the_same_calls(form: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Three users, one blank each: the sandbox holds the same, and the report counts rows from 0."""
    result = load_users(INPUTS[form](tmp_path), MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)
    assert result.sent == 3
    assert {user.user_id: user.traits for user in sandbox.users()} == HELD
    assert result.to_pandas()["row"].tolist() == [0, 1, 2]


def test_several_files_in_turn(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows are counted through, and `source` says which file a row is from."""
    paths = [written("csv", tmp_path), written("parquet", tmp_path)]
    result = load_users(paths, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)
    lines = result.to_pandas()
    assert lines["row"].tolist() == [0, 1, 2, 3, 4, 5]
    assert lines["source"].tolist() == [str(paths[0])] * 3 + [str(paths[1])] * 3


def test_limit_reads_the_first_rows_only() -> None:
    """`limit=2` of 100,000: two lines, and the rest is not read."""
    frame = pd.DataFrame({"id": np.arange(100_000)})
    result = check(frame, {"user_id": "id"}, limit=2)
    assert (result.rows, result.unsent) == (2, 2)


@pytest.mark.parametrize("data", [None, 5, object()])
def test_what_is_no_table_is_refused(data: Any) -> None:
    """A `ValueError` that says what would be one."""
    with pytest.raises(UsageError):
        load_users(data, MAPPING)
    with pytest.raises(ValueError, match="expected"):
        load_users(data, MAPPING)


def test_a_frame_with_two_columns_of_one_name() -> None:
    """Named, before anything is sent."""
    frame = pd.DataFrame([[1, 2]], columns=["id", "id"])
    with pytest.raises(UsageError, match="two columns are called 'id'"):
        load_users(frame, {"user_id": "id"})


def test_a_source_that_breaks_off_in_mid_load(sandbox: Sandbox) -> None:
    """What was read before it broke is sent and reported; the result says that the load did not reach the end."""

    def batches() -> Any:
        yield TABLE.to_batches()[0]
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    result = load_users(reader, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)
    assert (result.sent, result.rows, result.exit_code) == (3, 3, 3)
    assert result.stopped is not None
    assert result.stopped.reason == "source_broken"
    assert "it raised an OSError" in result.stopped.message


@pytest.mark.parametrize(
    ("rows", "limit", "expected"),
    [
        ("2:5", None, [2, 3, 4]),
        (":2", None, [0, 1]),
        ("7:", None, [7, 8, 9]),
        ("8:20", None, [8, 9]),
        ("20:30", None, []),
        ("3:8", 2, [3, 4]),
        (None, 0, []),
    ],
)
@pytest.mark.parametrize("with_ledger", [False, True])
def test_a_range_of_rows(
    sandbox: Sandbox, tmp_path: Path, rows: str | None, limit: int | None, expected: list[int], with_ledger: bool
) -> None:
    """Only those rows are sent and reported, under the numbers that they have in the input."""
    frame = pd.DataFrame({"id": [f"u{n}" for n in range(10)]})
    options: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url, "rows": rows, "limit": limit}
    if with_ledger:
        options["ledger"] = tmp_path / "l"
    result = load_users(frame, {"user_id": "id"}, **options)
    assert result.to_pandas()["row"].tolist() == expected
    assert {user.user_id for user in sandbox.users()} == {f"u{n}" for n in expected}


@pytest.mark.parametrize("rows", ["", ":", "5:2", "3:3", "a:b", "-1:2", "1:2:3", 7])
def test_a_range_without_sense_is_refused(rows: Any) -> None:
    """With one line that says what was expected."""
    with pytest.raises(SettingsError, match=r"rows is .*; expected the first row and the one after the last"):
        Settings(rows=rows)
