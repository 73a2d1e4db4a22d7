"""The lines of text files on which rows begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.sources import base, open_source, peek
from interakt_loader.sources.base import Lines


def lines_of(data: Any, rows: int) -> list[int | None]:
    """Read all rows, and return the line of each."""
    source = open_source(data)
    assert sum(batch.num_rows for batch in source.batches()) == rows
    return [source.lines.of(row) for row in range(rows)]


def test_each_row_of_a_csv_file_has_the_line_on_which_it_begins(tmp_path: Path) -> None:
    """Comments, the header, blank lines and line breaks in cells count; broken rows have a line too."""
    path = tmp_path / "t.csv"
    path.write_text('# exported\n\nid,note\n0,x\n1,"two\nlines"\n\n2,y\n3,"a"b"\n4,x\n5,z,more\n6,x\n')
    expected = [4, 5, 8, 9, 10, 11, 12]
    assert lines_of(path, 7) == expected
    source = open_source(path)
    _, source = peek(source, 3)
    for _ in range(2):
        assert [*source.batches()]
    assert [source.lines.of(row) for row in range(7)] == expected


def test_each_row_of_json_lines_has_its_line(tmp_path: Path) -> None:
    """Blank lines count. An array of objects may be one line: its rows have none."""
    path = tmp_path / "t.jsonl"
    path.write_text('\n{"id": 1}\n\n{oops\n{"id": 3}\n')
    assert lines_of(path, 3) == [2, 4, 5]
    path.write_text('[{"id": 1},\n{"id": 2}]')
    assert lines_of(path, 2) == [None, None]


def test_rows_of_several_files_have_the_lines_of_their_own_file(tmp_path: Path) -> None:
    """A file that is not text has none, and a file without rows does not disturb the others."""
    for name, text in {"a": "id\n1\n\n2\n", "b": "id\n", "c": "# c\nid\n3\n4\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    pq.write_table(pa.table({"id": ["7", "8"]}), tmp_path / "p.parquet")
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "p.parquet", "c.csv")]
    assert lines_of(paths, 6) == [2, 4, None, None, 3, 4]


def test_lines_are_right_beyond_a_batch(tmp_path: Path) -> None:
    """Rows are numbered from the start of the file, not of the batch."""
    path = tmp_path / "t.csv"
    path.write_text("id,note\n" + "".join(f'{at},"{"a" if at % 5000 else "a" + chr(10)}"\n' for at in range(10_001)))
    assert lines_of(path, 10_001) == [at + 2 + (at + 4999) // 5000 for at in range(10_001)]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30), st.integers(1, 5))
def test_lines_that_are_stored_again_change_nothing(steps: list[int], times: int) -> None:
    """As when a source is read a second time."""
    lines, starts = Lines(), [sum(steps[: at + 1]) for at in range(len(steps))]
    for _ in range(times):
        for row, line in enumerate(starts):
            lines.note(row, line)
    assert [lines.of(row) for row in range(len(starts))] == starts


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file in which each row has several lines, the last ones are unknown, and not wrong."""
    monkeypatch.setattr(base, "_MOST_BREAKS", 3)
    lines = Lines()
    for row in range(6):
        lines.note(row, 2 * row + 2)
    assert [lines.of(row) for row in range(6)] == [2, 4, 6, None, None, None]


def test_a_row_is_shown_with_its_line_where_there_is_one() -> None:
    """As in the report, where rows are counted from 0, and as in an editor, where lines are counted from 1."""
    lines = Lines()
    assert lines.label(1234) == "1234"
    lines.note(0, 2)
    assert lines.label(2) == "2 (line 4)"
