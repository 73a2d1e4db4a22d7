"""JSON lines, and the JSON array that some tools write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from interakt_loader.columns import Target, coerce
from interakt_loader.errors import SourceError
from interakt_loader.sources import BATCH_ROWS, open_source
from interakt_loader.sources.base import BATCH_BYTES
from tests.sources.reading import problems, read, rows_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.jsonl"


def test_objects_become_rows_of_the_union_of_keys(file: Path) -> None:
    """Columns come in order of appearance, types from the values, and blank lines are no rows."""
    file.write_text('\ufeff{"id": 1, "tags": ["a"]}\r\n\n  \n{"name": "é", "id": 2}', encoding="utf-8", newline="")
    source = open_source(file)
    assert source.columns == ["id", "tags", "name"]
    assert (source.name, source.rows_exact) == ("t.jsonl", False)
    assert list(rows_of(source)) == [
        {"id": 1, "tags": ["a"], "name": None},
        {"id": 2, "tags": None, "name": "é"},
    ]


def test_each_value_has_its_own_type(file: Path) -> None:
    """A number here and a string there, or one longer than 64 bits, is what its line says; half a pair is refused."""
    file.write_text('{"id": 7, "big": 12345678901234567890123, "x": "\\ud800"}\n{"id": "A7", "big": 1}\n')
    (batch,) = open_source(file).batches()
    coerced = {name: coerce(batch.column(name), Target()) for name in ("id", "big", "x")}
    assert coerced["id"] == (pa.array(["7", '"A7"']), {})
    assert coerced["big"] == (pa.array(["12345678901234567890123", "1"]), {})
    assert coerced["x"].json.null_count == 2
    assert {row: one.code for row, one in coerced["x"].problems.items()} == {0: "not_text"}


def test_a_number_beyond_all_floats_is_refused_and_no_number_is_missing(file: Path) -> None:
    """1e400 is written in the file and cannot be sent, wherever it stands; NaN and Infinity are no values."""
    lines = [
        {"x": 1.5, "l": [1e300], "o": {"y": 1}},
        '{"x": 1e400, "l": [1, -1e999], "o": {"y": 1e400}}',
        '{"x": NaN, "l": [Infinity], "o": {"y": -Infinity}}',
    ]
    file.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    (batch,) = open_source(file).batches()
    for name in ("x", "l", "o.y"):
        coerced = coerce(batch.column(name), Target())
        assert {row: one.code for row, one in coerced.problems.items()} == {1: "out_of_range"}, name
        assert coerced.json[2].as_py() in (None, "[]"), name


def test_a_name_that_is_no_text_is_a_rows_problem(file: Path) -> None:
    """Half of a surrogate pair in a key cannot be sent; the other rows are read, and what is in an object is named."""
    file.write_text('{"id": 1}\n{"id": 2, "\\ud83d": 1}\n{"id": 3, "o": {"a": {"\\ud83d": 1}}}\n')
    assert problems(file) == [None, "its object has a name that is not text: '\\ud83d'", None]
    (batch,) = open_source(file).batches()
    assert [one.code for one in coerce(batch.column("o.a"), Target()).problems.values()] == ["not_text"]


def test_a_broken_line_is_a_problem_in_its_place(file: Path) -> None:
    """What is not JSON, or no object, is a row with a problem; the others are read."""
    lines = ['{"id": 1}', "{oops", "[1]", "null", '{"__problem__": 1}', "[" * 100_000, '{"id": 2}']
    lines.append(f'{{"id": {"1" * 5000}}}')
    file.write_text("\n".join(lines))
    assert [row["id"] for row in read(file)] == [1, None, None, None, None, None, 2, None]
    found = problems(file)
    assert found[0] is None
    assert found[1:5] == [
        "line 2 is not JSON: Expecting property name enclosed in double quotes",
        "line 3 is not a JSON object but a list",
        "line 4 is not a JSON object but null",
        "line 5 uses the name '__problem__', which is reserved",
    ]
    assert str(found[5]).startswith("line 6 is not JSON: ")
    assert found[7] == "line 8 holds a whole number of thousands of digits"


def test_later_batches_may_have_other_columns(file: Path) -> None:
    """A key that appears late has no column before; each row keeps its own values."""
    lines = ['{"id": 1}'] * BATCH_ROWS + ['{"id": 2, "late": true}']
    file.write_text("\n".join(lines))
    source = open_source(file)
    assert source.columns == ["id"]
    assert [batch.num_rows for batch in source.batches()] == [BATCH_ROWS, 1]
    assert list(rows_of(source))[-1] == {"id": 2, "late": True}


def test_long_lines_end_a_batch_early(file: Path) -> None:
    """Memory is bounded by bytes as well as by rows."""
    line = json.dumps({"x": "y" * (BATCH_BYTES // 8)})
    file.write_text(f"{line}\n" * 20)
    assert max(batch.num_rows for batch in open_source(file).batches()) <= 8


def test_an_array_of_objects_is_read(tmp_path: Path) -> None:
    """Items that are no objects are rows with a problem."""
    path = tmp_path / "t.json"
    path.write_text('\n [{"id": 1},\n 5, {"id": 2, "name": "x"}]')
    source = open_source(path)
    assert (source.rows, source.rows_exact, source.columns) == (3, True, ["id", "name"])
    assert [row["id"] for row in rows_of(source)] == [1, None, 2]
    assert problems(path) == [None, "item 2 is not a JSON object but an int", None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,name\n1,a\n", "expected one JSON object on each line, but line 1 is not JSON"),
        (b'{\n "id": 1\n}\n', "expected one JSON object on each line, but line 1 is not JSON"),
        (b"[1, 2", "the JSON array cannot be read"),
        (b"[]", "the table has no columns"),
        (b"{}\n{}\n", "the table has no columns"),
        (b"\n \n", "the file holds only blank lines"),
        ('{"id": "éü"}'.encode() + b"\xe9", r"expected UTF-8, but byte 14 \(line 1\) is 0xe9"),
    ],
)
def test_files_that_are_no_json_lines_are_refused(file: Path, content: bytes, words: str) -> None:
    """The message shows the first fault."""
    file.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        open_source(file)


def test_an_array_too_large_to_hold_is_refused(tmp_path: Path) -> None:
    """It would have to be in memory whole; JSON lines would not."""
    path = tmp_path / "t.json"
    with path.open("wb") as file:
        file.write(b"[\n" + b" \n" * (33 << 20) + b"]")
    with pytest.raises(SourceError, match="a JSON array of more than 64 MB; write one object on each line"):
        open_source(path)


def test_types_are_those_of_the_values(file: Path) -> None:
    """Numbers, booleans and lists are not text; an object is a column for each of its fields."""
    file.write_text('{"i": 1, "f": 1.5, "b": true, "l": [1], "n": null, "o": {"a": 1}}')
    (batch,) = open_source(file).batches()
    assert batch.schema.names[:6] == ["i", "f", "b", "l", "n", "o.a"] == open_source(file).columns
    assert [field.type for field in batch.schema][:6] == [
        pa.int64(),
        pa.float64(),
        pa.bool_(),
        pa.list_(pa.int64()),
        pa.null(),
        pa.int64(),
    ]
