"""A report that is a folder of Parquet files, as Spark writes it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import InteraktLoaderError, check
from interakt_loader.report.reading import read_batches, read_report


def test_a_folder_is_read_as_one_report(tmp_path: Path) -> None:
    """Files in any order, and what begins with `_` or `.` left out; instants as Spark writes them."""
    table = check(pa.table({"id": ["a", "b", None, "d"]}), {"user_id": "id"}).to_arrow()
    at = table.schema.get_field_index("finished_at")
    sparks = table.set_column(at, "finished_at", table["finished_at"].cast(pa.timestamp("us", "UTC")))
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.parquet.crc").write_bytes(b"crc")
    pq.write_table(sparks.slice(2), folder / "part-00000.snappy.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(sparks.slice(0, 2), folder / "part-00001.snappy.parquet")
    assert read_report(folder) == table
    assert sum(one.num_rows for one in read_batches(folder, ["row"])) == 4


def test_a_report_that_was_cut_is_an_error(tmp_path: Path) -> None:
    """A Parquet file without its end is one line that names it, and no traceback of Arrow's."""
    path = tmp_path / "report.parquet"
    check(pa.table({"id": ["a", "b"]}), {"user_id": "id"}, report=path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InteraktLoaderError, match=r"report\.parquet is not whole: "):
        read_report(path)
