"""Parquet, Feather, Arrow and ORC files."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import PROBLEM_COLUMN, SOURCE_COLUMN, open_source
from tests.sources.reading import column, problems, read, real, rows_of

COUNT = 20_000
TABLE = pa.table({"id": list(range(COUNT)), "note": [f"note {i * 7919}" for i in range(COUNT)]})


@pytest.mark.parametrize("ending", [".parquet", ".pq", ".PARQUET", ".feather", ".arrow", ".ipc"])
def test_binary_files_hold_what_was_written(tmp_path: Path, ending: str) -> None:
    """Every ending reads back the table, row for row, with an exact count, and again a second time."""
    path = str(tmp_path / f"t{ending}")
    if ending.lower() in (".parquet", ".pq"):
        pq.write_table(TABLE, path)
    else:
        feather.write_feather(TABLE, path, chunksize=30_000)
    source = open_source(path)
    # pyarrow 17 cannot count the rows of an Arrow file without reading them
    is_counted = ending.lower() in (".parquet", ".pq") or hasattr(pa.ipc.RecordBatchFileReader, "count_rows")
    assert (source.name, source.columns, source.rows) == (f"t{ending}", ["id", "note"], COUNT if is_counted else None)
    assert list(rows_of(source)) == TABLE.to_pylist()
    assert list(rows_of(source)) == TABLE.to_pylist()


def test_an_arrow_stream_file_is_read(tmp_path: Path) -> None:
    """The stream form has no count in front, and is read all the same."""
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=9000)
    assert open_source(path).rows is None
    assert read(path) == TABLE.to_pylist()


def test_each_row_names_its_file(tmp_path: Path) -> None:
    """The reserved source column holds the path as it was given."""
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path)
    assert set(column(path, SOURCE_COLUMN)) == {str(path)}


def test_a_parquet_file_that_the_caller_opened_stays_open(tmp_path: Path) -> None:
    """It is the caller's to close."""
    pq.write_table(TABLE, tmp_path / "t.parquet")
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        source = open_source(file)
        assert (source.name, source.rows) == ("ParquetFile", COUNT)
        assert list(rows_of(source)) == TABLE.to_pylist()
        assert not file.closed


def test_one_huge_row_group_is_never_in_memory(tmp_path: Path) -> None:
    """What Arrow holds while streaming is a small part of the table, though it is one row group."""
    rows = 400_000
    ids = pa.array(range(rows), pa.int64())
    text = pc.binary_join_element_wise(ids.cast(pa.string()), pa.repeat("x" * 90, rows), "-")
    table = pa.table({"id": ids, **{f"t{at}": text for at in range(4)}})
    path = tmp_path / "one_group.parquet"
    pq.write_table(table, path, row_group_size=rows)
    size = table.nbytes
    del table, text, ids
    before = pa.total_allocated_bytes()
    peak = max(pa.total_allocated_bytes() - before for _ in open_source(path).batches())
    assert size > 150 << 20
    assert peak < 24 << 20


@pytest.mark.parametrize("ending", ["parquet", "feather", "csv", "jsonl"])
def test_a_reading_given_up_early_closes_its_file(tmp_path: Path, ending: str) -> None:
    """After closing the iterator, the process has no descriptor of the file left."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are listed under /proc only on Linux")
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(TABLE, path)
    elif ending == "feather":
        feather.write_feather(TABLE, path, chunksize=1000)
    elif ending == "csv":
        path.write_text("id\n" + "1\n" * COUNT)
    else:
        path.write_text('{"id": 1}\n' * COUNT)
    batches = open_source(path).batches()
    next(batches)
    assert path in _open_files()
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert path not in _open_files()


def _open_files() -> list[Path]:
    return [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]


def test_a_file_that_breaks_midway_says_how_far_it_was_read(tmp_path: Path) -> None:
    """Rows before the damage arrive; then SourceBroken names the file and the row."""
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=5000, write_page_checksum=True)
    chunk = pq.ParquetFile(path).metadata.row_group(3).column(1)
    content = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + 200
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)
    seen: list[int] = []
    with pytest.raises(SourceBroken, match=r"t\.parquet: cannot be read after row \d+: ") as broken:
        seen.extend(row["id"] for row in rows_of(open_source(path)))
    assert seen == list(range(len(seen)))
    assert 0 < len(seen) <= 15_000
    assert f"after row {len(seen) - 1}:" in str(broken.value)
    assert "Arrow" not in str(broken.value)


def test_a_feather_file_cut_after_opening_is_broken(tmp_path: Path) -> None:
    """A file that changes under the reader ends in SourceBroken, too."""
    path = tmp_path / "t.feather"
    feather.write_feather(TABLE, path, chunksize=1000, compression="uncompressed")
    source = open_source(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceBroken, match=r"t\.feather: cannot be read: "):
        list(source.batches())


@pytest.mark.parametrize(
    ("content", "ending", "words"),
    [
        (b"id,name\n1,a\n", "parquet", "this is not a Parquet file, whatever its name says"),
        (b"PAR1" + bytes(100), "parquet", "the Parquet file is cut short"),
        (b"PAR1", "parquet", "the Parquet file is cut short"),
        (b"PAR1" + bytes(100) + b"\x20\0\0\0PAR1", "parquet", "the Parquet footer cannot be read"),
        (b"PARE" + bytes(100) + b"PARE", "parquet", "the Parquet file is encrypted"),
        (b"id,name\n1,a\n", "feather", "this is not an Arrow or Feather file"),
        (b"FEA1" + bytes(100) + b"FEA1", "feather", "this is Feather version 1"),
        (b"ORC" + bytes(100), "orc", "this is not an ORC file"),
        (b"ARROW1\0\0" + bytes(100), "arrow", "this is not an Arrow or Feather file"),
    ],
)
def test_damaged_files_are_refused_in_one_plain_line(tmp_path: Path, content: bytes, ending: str, words: str) -> None:
    """The message has the path and the reason, without the library's class names."""
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    with pytest.raises(SourceError) as refused:
        open_source(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: {words}")
    assert "\n" not in message
    assert "ArrowInvalid" not in message


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """A mapping could not tell them apart."""
    pq.write_table(pa.table([[1], [2]], names=["id", "id"]), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="two columns are called 'id'"):
        open_source(tmp_path / "t.parquet")


def test_a_parquet_file_without_rows_is_read_as_none(tmp_path: Path) -> None:
    """No rows is not an error."""
    pq.write_table(TABLE.slice(0, 0), tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert (source.rows, list(source.batches())) == (0, [])


def test_spark_times_past_2262_are_read_right() -> None:
    """INT96 as nanoseconds would wrap the year 9999 into the nineteenth century; what fits nowhere is a problem."""
    path = real("parquet_oddities/int96_from_spark.parquet")
    (batch,) = open_source(path).batches()
    assert pc.year(batch.column("a")).to_pylist() == [2024, 2024, 9999, 2024, None, None]
    assert batch.column("a").type == pa.timestamp("us")
    assert problems(path) == [None] * 5 + ["the time in 'a' is too far from today to be held (INT96)"]


def test_int96_beside_other_columns_and_over_many_batches(tmp_path: Path) -> None:
    """All rows keep their instants to the microsecond; no problem column appears."""
    times = [datetime(1970, 1, 2, 0, 0, 0, 7) + at * timedelta(days=3, microseconds=1) for at in range(COUNT)]
    table = TABLE.append_column("at", pa.array(times, pa.timestamp("us")))
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, row_group_size=6000)
    assert read(path) == table.to_pylist()
    assert PROBLEM_COLUMN not in next(open_source(path).batches()).schema.names


def test_int96_beside_a_dictionary_over_row_groups(tmp_path: Path) -> None:
    """Arrow cuts batches of such columns at the borders of row groups, and those of others not."""
    times = [datetime(2024, 1, 1) + at * timedelta(hours=1) for at in range(600)]
    city = pa.array(["Pune", "Kochi"] * 300).dictionary_encode()
    table = pa.table({"at": pa.array(times, pa.timestamp("us")), "city": city})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, row_group_size=250)
    assert read(path) == table.to_pylist()


def test_an_int96_time_before_1970_is_right_or_a_problem(tmp_path: Path) -> None:
    """Some versions of Arrow write it so that it reads as 584 years later; that is reported."""
    times = [datetime(1960, 1, 1, 5), None, datetime(2020, 1, 1)]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"at": times}), path, use_deprecated_int96_timestamps=True)
    wrapped = "the time in 'at' is after the year 2262, or before 1970 and damaged when it was written (INT96)"
    assert (column(path, "at"), problems(path)) in [(times, [None] * 3), ([None, *times[1:]], [wrapped, None, None])]


def test_an_int96_time_that_may_be_spoilt_is_a_problem(tmp_path: Path) -> None:
    """Nobody is born in 2544; the year 2900 is beyond what was damaged."""
    path = tmp_path / "t.parquet"
    times = [datetime(2544, 7, 20), datetime(2900, 1, 1)]
    pq.write_table(pa.table({"at": pa.array(times, pa.timestamp("us"))}), path, use_deprecated_int96_timestamps=True)
    assert column(path, "at") == [None, times[1]]
    assert "damaged when it was written" in str(problems(path)[0])


def test_an_orc_file_is_read_stripe_by_stripe(tmp_path: Path) -> None:
    """The rows are those written, in bounded batches, with an exact count, and again a second time."""
    path = tmp_path / "t.orc"
    orc.write_table(TABLE, str(path), stripe_size=64 << 10, batch_size=1024)
    assert orc.ORCFile(str(path)).nstripes > 1
    source = open_source(path)
    assert (source.name, source.columns, source.rows) == ("t.orc", ["id", "note"], COUNT)
    assert list(rows_of(source)) == TABLE.to_pylist()
    assert list(rows_of(source)) == TABLE.to_pylist()
