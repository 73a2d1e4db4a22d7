"""A source that promises another number of rows than it yields: refused, or the load stops there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from interakt_loader import check, load_users
from interakt_loader.cli import run
from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import BATCH_ROWS, open_source
from tests.sources.reading import DATA, read

ROWS = 77
# as Thrift's compact form has it, with the kind of the field before it: a 64-bit count in the footer, a 32-bit one in
# a page's header
IN_FOOTER, IN_PAGE = b"\x16\x9a\x01", b"\x15\x9a\x01"
ONE_MORE, ONE_LESS = b"\x9c\x01", b"\x98\x01"


class Promising:
    """Data with Arrow's C stream that says how many rows it has."""

    def __init__(self, rows: int, promised: int) -> None:
        self.num_rows = promised
        self._table = pa.table({"id": [f"C{at}" for at in range(rows)]})

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def places(content: bytes, mark: bytes) -> Iterator[int]:
    at = content.find(mark)
    while at >= 0:
        yield at
        at = content.find(mark, at + 1)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("has_nulls", [False, True])
@pytest.mark.parametrize("change", [ONE_MORE, ONE_LESS])
def test_a_count_that_is_wrong_in_the_footer_is_refused(
    tmp_path: Path, columns: int, has_nulls: bool, change: bytes
) -> None:
    """The file's, a row group's and a column's: each has to fit the others."""
    values = [None if has_nulls and at % 5 == 0 else f"v{at}" for at in range(ROWS)]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({f"c{at}": values for at in range(columns)}), path, compression="none")
    content = path.read_bytes()
    found = [*places(content, IN_FOOTER)]
    assert len(found) == 2 + columns
    for at in found:
        path.write_bytes(content[: at + 1] + change + content[at + 3 :])
        with pytest.raises(SourceError, match=r"t\.parquet: the Parquet file is damaged: its footer promises \d+ rows"):
            open_source(path)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("has_nulls", [False, True])
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_page_with_fewer_values_than_promised_breaks_the_source(
    tmp_path: Path, columns: int, has_nulls: bool, is_packed: bool
) -> None:
    """Arrow ends the table there without a word."""
    values = [None if has_nulls and at % 5 == 0 else f"v{at}" for at in range(ROWS)]
    path = tmp_path / "t.parquet"
    table = pa.table({f"c{at}": values for at in range(columns)})
    pq.write_table(table, path, compression="none", use_dictionary=is_packed)
    content = path.read_bytes()
    found = [*places(content, IN_PAGE)]
    assert len(found) >= columns
    for at in found:
        path.write_bytes(content[: at + 1] + ONE_LESS + content[at + 3 :])
        with pytest.raises(SourceBroken, match=r"t\.parquet: (promises 77 rows and holds 76|cannot be read: )"):
            list(open_source(path).batches())


def test_a_list_column_has_more_values_than_rows(tmp_path: Path) -> None:
    """That is no contradiction; nor is a list without items."""
    table = pa.table({"id": ["a", "b", "c"], "tags": [["x", "y", "z"], [], None]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == table.to_pylist()


@pytest.mark.parametrize("ledger", ["none", "l.ledger"])
def test_a_file_whose_column_holds_none_of_the_promised_rows_is_refused_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    """It was said to have no rows, with exit code 0."""
    case = DATA.parent / "cases" / "parquet_column_num_values_mismatch.parquet"
    if not case.is_file():
        pytest.skip(f"the shared cases have no {case.name} here")
    shutil.copy(case, tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    assert run(["t.parquet", "--map", "user_id=n", "--sandbox", "--ledger", ledger]) == 2
    assert "its footer promises 8 rows, and 0 values in the column 'x'" in capsys.readouterr().err


def test_a_footer_that_contradicts_itself_is_refused_without_a_look_at_the_rows(tmp_path: Path) -> None:
    """Opening a file of thousands of columns would take seconds if it read a page of each."""
    case = DATA.parent / "cases" / "parquet_column_num_values_mismatch.parquet"
    if not case.is_file():
        pytest.skip(f"the shared cases have no {case.name} here")
    content = case.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1" + bytes(len(content) - footer - 4) + content[-footer:])
    with pytest.raises(SourceError, match="its footer promises 8 rows, and 0 values in the column 'x'"):
        open_source(path)


@pytest.mark.parametrize("rows", [0, 5, BATCH_ROWS, 2 * BATCH_ROWS + 3])
@pytest.mark.parametrize("off", [1, -1, 1_000_000])
def test_any_source_is_held_to_its_promise(rows: int, off: int) -> None:
    """More rows are as wrong as fewer."""
    promised = max(rows + off, 0) if rows else 7
    source = open_source(Promising(rows, promised))
    with pytest.raises(SourceBroken, match=rf"promises {promised} rows? and holds {rows}; it is damaged"):
        list(source.batches())
    assert open_source(Promising(rows, rows)).rows == rows == len(read(Promising(rows, rows)))


def test_a_load_stops_where_the_rows_end_too_early(sandbox: Sandbox) -> None:
    """What was read is sent and reported; the command can be given again."""
    given: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None}
    result = load_users(Promising(BATCH_ROWS + 10, 5000), {"user_id": "id"}, **given)
    assert (result.rows, result.ok) == (BATCH_ROWS + 10, False)
    assert result.stopped is not None
    assert (result.stopped.reason, result.exit_code) == ("source_broken", 3)
    assert "promises 5000 rows and holds 4106" in result.stopped.message


def test_with_a_ledger_nothing_is_sent_of_a_source_that_ends_too_early(tmp_path: Path, sandbox: Sandbox) -> None:
    """All rows are read before the first call; so does a dry run."""
    ledger = str(tmp_path / "l.ledger")
    given: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": ledger}
    with pytest.raises(SourceError, match="promises 5000 rows and holds 4106"):
        load_users(Promising(BATCH_ROWS + 10, 5000), {"user_id": "id"}, **given)
    with pytest.raises(SourceError, match="promises 5000 rows and holds 4106"):
        check(Promising(BATCH_ROWS + 10, 5000), {"user_id": "id"})
    assert sandbox.users() == []


@pytest.mark.parametrize("ending", ["parquet", "feather", "table"])
def test_very_wide_rows_come_a_few_at_a_time(tmp_path: Path, ending: str) -> None:
    """A value of a megabyte that a dictionary holds once may stand in every row."""
    rows = 300
    values = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * (1 << 20), "y"]))
    table = pa.table({"id": [str(at) for at in range(rows)], "v": values})
    data: Any = table
    if ending == "parquet":
        data = tmp_path / "t.parquet"
        plain = pa.table({"id": table["id"], "v": pa.array(["x" * (1 << 20)] * rows, pa.large_string())})
        pq.write_table(plain, data, compression="zstd", dictionary_pagesize_limit=1 << 30)
        del plain
    elif ending == "feather":
        data = tmp_path / "t.feather"
        feather.write_feather(table, str(data))
    sizes = [batch.num_rows for batch in open_source(data).batches()]
    assert sum(sizes) == rows
    assert max(sizes) <= 256


def test_usual_rows_come_many_at_a_time(tmp_path: Path) -> None:
    """A column of few values packs tightly, and is not wide."""
    rows = 200_000
    states = [f"state {at % 30}" for at in range(rows)]
    table = pa.table({"id": range(rows), "currency": ["INR"] * rows, "state": states})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    for data in (table, tmp_path / "t.parquet"):
        assert max(batch.num_rows for batch in open_source(data).batches()) == BATCH_ROWS
