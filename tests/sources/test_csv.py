"""CSV files: text stays text, and a row that does not fit is a row with a problem."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import BATCH_ROWS, PROBLEM_COLUMN, ReadOptions, open_source
from interakt_loader.sources.base import BATCH_BYTES
from interakt_loader.sources.csv import Dialect, read_by_arrow, row_starts
from tests.sources.reading import problems, read, rows_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def test_every_cell_is_text_and_an_empty_one_is_null(file: Path) -> None:
    """Leading zeros, plus signs and long digits survive; nothing is guessed."""
    file.write_text("id,phone,note\n007,+91987,\n12345678901234567890,1e5,NA\n")
    assert read(file) == [
        {"id": "007", "phone": "+91987", "note": None},
        {"id": "12345678901234567890", "phone": "1e5", "note": "NA"},
    ]
    (batch,) = open_source(file).batches()
    assert [field.type for field in batch.schema if field.name != "__source__"] == [pa.string()] * 4


def test_a_row_of_another_width_is_a_problem_and_not_shifted(file: Path) -> None:
    """It is null throughout, says its line and both widths, and keeps its place among the others."""
    file.write_text("a,b\n1,2\n1,2,3\n\nx\n3,4\n")
    assert read(file) == [
        {"a": "1", "b": "2"},
        {"a": None, "b": None},
        {"a": None, "b": None},
        {"a": "3", "b": "4"},
    ]
    assert problems(file) == [
        None,
        "line 3 has 3 fields where the header has 2",
        "line 5 has 1 field where the header has 2",
        None,
    ]


def test_line_numbers_count_the_lines_inside_quotes(file: Path) -> None:
    """A quoted newline is part of its cell, and the next row's line number knows."""
    file.write_text('a,b\n"x\ny",1\n1,2,3\n', newline="")
    assert read(file)[0] == {"a": "x\ny", "b": "1"}
    assert problems(file)[1] == "line 4 has 3 fields where the header has 2"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ending", ["", "end"])
def test_newlines_of_every_system(file: Path, newline: str, ending: str) -> None:
    """Unix, Windows and old Mac files read alike, with or without a last newline."""
    lines = ["\ufeffid,name", "", "1,é", "2,b"]
    file.write_bytes((newline.join(lines) + (newline if ending else "")).encode())
    assert read(file) == [{"id": "1", "name": "é"}, {"id": "2", "name": "b"}]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("a,b", ["a", "b"]),
        ("a;b", ["a", "b"]),
        ("a\tb", ["a", "b"]),
        ("a|b", ["a", "b"]),
        ('"x,y,z";b', ["x,y,z", "b"]),
        ("a,b;c", ["a", "b;c"]),
        ("alone", ["alone"]),
    ],
)
def test_the_header_decides_the_delimiter(file: Path, header: str, columns: list[str]) -> None:
    """The one that occurs most outside quotes wins; a tie goes to the comma."""
    file.write_text(header + "\n")
    assert open_source(file).columns == columns


def test_a_tsv_has_tabs_whatever_its_header_holds(tmp_path: Path) -> None:
    """The ending says it."""
    (tmp_path / "t.tsv").write_text("a,b,c\td\n1\t2\n")
    assert read(tmp_path / "t.tsv") == [{"a,b,c": "1", "d": "2"}]


def test_blank_names_are_numbered_and_doubled_ones_refused(file: Path) -> None:
    """Every column can be named; two of one name cannot be told apart."""
    file.write_text("a,, \n1,2,3\n")
    assert open_source(file).columns == ["a", "column_2", "column_3"]
    file.write_text("id,x,id,x,x\n")
    with pytest.raises(SourceError, match="two columns are called 'id'; 3 columns are called 'x'"):
        open_source(file)


def test_a_header_alone_is_a_table_without_rows(file: Path) -> None:
    """No rows is not an error; the count is an estimate and says so."""
    file.write_text("a,b\n")
    source = open_source(file)
    assert (source.rows, source.rows_exact, list(source.batches())) == (0, False, [])


@pytest.mark.parametrize("content", ["a\n1\n2\n", "a\n1\n2"])
def test_the_row_estimate_counts_lines(file: Path, content: str) -> None:
    """A last line without its newline counts."""
    file.write_text(content)
    assert open_source(file).rows == 2


def test_a_quote_left_open_is_a_problem_not_a_long_cell(file: Path) -> None:
    """The rows that a missing quote swallows are never loaded as the last cell of the row before."""
    file.write_text('a,b\n1,2\n3,"open\n5,6\n7,8\n')
    assert read(file)[1:] == [{"a": None, "b": None}]
    assert problems(file) == [None, "line 3 opens a quote that is never closed"]


def test_a_quote_left_open_in_a_large_file_stops_the_reading(file: Path) -> None:
    """Beyond the longest cell there is no telling where rows begin, so the load stops there."""
    file.write_text('a,b\n1,2\n3,"open\n' + "5,6\n" * 300_000)
    with pytest.raises(SourceBroken, match=r"t.csv: line \d+ cannot be read: .*is a quote left open"):
        list(open_source(file).batches())


def test_rows_that_are_added_once_all_are_read_are_not_read(file: Path) -> None:
    """The end of the file is where it was found."""
    file.write_text("a,b\n1,2\n")
    batches = open_source(file).batches()
    assert next(batches).num_rows == 1
    with file.open("a") as stream:
        stream.write("3,4\n")
    assert list(batches) == []


def test_a_cell_of_many_lines_is_not_longer_than_one_of_a_line(file: Path) -> None:
    """Its length counts, not that of its lines."""
    file.write_text('a,b\n1,"' + ("x" * 1000 + "\n") * 2000 + '"\n')
    with pytest.raises(SourceBroken, match=r"t.csv: line \d+ cannot be read: .*is a quote left open"):
        list(open_source(file).batches())


def test_a_long_cell_is_read(file: Path) -> None:
    """A cell may have a million characters, though Python's own limit is an eighth of that."""
    file.write_text("a,b\n1," + "x" * 1_000_000 + "\n")
    assert len(read(file)[0]["b"]) == 1_000_000


def test_long_cells_end_a_batch_early(file: Path) -> None:
    """Memory is bounded by bytes as well as by rows."""
    cell = "x" * (BATCH_BYTES // 40)
    file.write_text("a\n" + f"{cell}\n" * 100)
    sizes = [batch.num_rows for batch in open_source(file).batches()]
    assert sum(sizes) == 100
    assert max(sizes) <= 41


def test_many_rows_come_in_bounded_batches(file: Path) -> None:
    """The order is the file's."""
    file.write_text("id\n" + "".join(f"{at}\n" for at in range(2 * BATCH_ROWS + 1)))
    source = open_source(file)
    assert [batch.num_rows for batch in source.batches()] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert [row["id"] for row in rows_of(source)] == [str(at) for at in range(2 * BATCH_ROWS + 1)]


def test_a_nul_byte_is_a_problem_of_its_row(file: Path) -> None:
    """The other rows are read, on every Python."""
    file.write_bytes(b"a,b\n1,2\n3,\x004\n5,6\n")
    assert problems(file) == [None, "line 3 holds a NUL byte", None]
    assert [row["a"] for row in read(file)] == ["1", None, "5"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\x00c,d\n1,2,3\n4,5,6\n", "the header holds a NUL byte"),
        (b"\n\n\n", "the file has no header"),
        (b'"a,b\n1,2\n', "the header opens a quote that is never closed"),
        (b"a,__source__\n", "the column name '__source__' is reserved"),
    ],
)
def test_files_that_are_no_csv_are_refused_at_once(file: Path, content: bytes, words: str) -> None:
    """The header is judged before any row is handed out."""
    file.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        open_source(file)


def test_quotes_that_are_not_doubled_are_a_problem_of_their_row(file: Path) -> None:
    """Such a cell would lose a quote without a word; the rows after it are read."""
    file.write_text('a,b\n1,"say "hi" now"\n2,"x\ny"z\n3,ok\n4,5" nails\n')
    assert problems(file) == [
        "line 2 has a quote inside a quoted cell that is not doubled",
        "lines 3 to 4 have a quote inside a quoted cell that is not doubled",
        None,
        None,
    ]
    assert [row["b"] for row in read(file)] == [None, None, "ok", '5" nails']


def test_lines_of_spaces_are_blank_and_rows_of_empty_cells_are_rows(file: Path) -> None:
    """Whoever wrote the delimiters meant a row; it is shown as one without values."""
    file.write_text("a,b\n1,2\n   \n,\n3,4\n")
    assert [row["a"] for row in read(file)] == ["1", None, "3"]
    assert problems(file) == [None, None, None]


def test_spaces_after_delimiters_are_no_part_of_cells(file: Path) -> None:
    """Where each delimiter is followed by a space, and quotes by that, the space is a way of writing."""
    file.write_text('id, name\n1, "Roe, Jane"\n2, "x"\n')
    assert read(file) == [{"id": "1", "name": "Roe, Jane"}, {"id": "2", "name": "x"}]


def test_a_file_without_header_has_numbered_columns(file: Path) -> None:
    """No row is lost to the names, a ragged one is measured by the first, and a note says so."""
    file.write_text("007,Ann,+919876543210\n008,Bo\n009,Cy,+919876543211\n")
    source = open_source(file)
    assert (source.columns, source.rows) == (["column_1", "column_2", "column_3"], 3)
    assert [row["column_1"] for row in rows_of(source)] == ["007", None, "009"]
    assert problems(file)[1] == "line 2 has 2 fields where the first row has 3"
    assert source.notes == [
        f"{file}: line 1 holds values, not names, so the columns are column_1 to column_3; "
        "if it is a header, give header=True"
    ]


def test_the_caller_has_the_last_word_on_header_and_delimiter(file: Path) -> None:
    """What is said is not looked for, and needs no note."""
    file.write_text("1;2,5\n3;4,5\n")
    source = open_source(file, ReadOptions(header=True, delimiter=";"))
    assert (source.columns, source.notes) == (["1", "2,5"], [])
    assert list(rows_of(source)) == [{"1": "3", "2,5": "4,5"}]
    file.write_text("id\nname\n")
    source = open_source(file, ReadOptions(header=False))
    assert [row["column_1"] for row in rows_of(source)] == ["id", "name"]
    assert source.notes == []


def test_aligned_text_is_read_when_the_caller_says_that_spaces_are_delimiters(file: Path) -> None:
    """Any run of spaces counts as one then, leading ones as none."""
    file.write_text(" id  day  note\n 01  19970101     a\n 02  19970112  b\n")
    with pytest.raises(SourceError, match="the columns are aligned by spaces"):
        open_source(file)
    rows = list(rows_of(open_source(file, ReadOptions(delimiter="space"))))
    assert rows == [{"id": "01", "day": "19970101", "note": "a"}, {"id": "02", "day": "19970112", "note": "b"}]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(2, 4),
    data=st.data(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_a_csv_writer_writes_reads_back(
    file: Path, width: int, data: st.DataObject, quoting: int, delimiter: str
) -> None:
    """Any text with quotes, newlines and delimiters in it comes back, empty cells as null, one row each."""
    rows = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    names = [f"c{at}" for at in range(width)]
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, quoting=quoting, delimiter=delimiter)  # type: ignore[arg-type]  # a literal type
        writer.writerows([names, *rows])
    assert read(file) == [dict(zip(names, (cell or None for cell in row), strict=True)) for row in rows]
    assert not any(batch.column(PROBLEM_COLUMN).null_count < len(batch) for batch in open_source(file).batches())


def dialect_of(width: int, delimiter: str = ",", quote: str = '"') -> Dialect:
    names = [f"c{at}" for at in range(width)]
    return Dialect(delimiter, 0, False, names, True, quote, trailing=False, has_index=False, notes=[])


def rows_by_arrow(text: str, dialect: Dialect) -> list[list[str | None]] | None:
    columns = read_by_arrow(text.encode(), dialect)
    return None if columns is None else [[*row] for row in zip(*(one.to_pylist() for one in columns), strict=True)]


@given(
    text=st.text(st.sampled_from("a\"'é,; \t\r\n\ufeff\x0b\u2028") | st.sampled_from('",\n'), min_size=1, max_size=16),
    width=st.integers(1, 3),
    delimiter=st.sampled_from(",;\t "),
    quote=st.sampled_from("\"'"),
)
def test_where_arrow_finds_all_rows_the_csv_module_reads_the_same(
    text: str, width: int, delimiter: str, quote: str
) -> None:
    """Whatever the quotes, blank lines, marks and newlines are: lines are read alike, or not by Arrow."""
    lines = [*io.StringIO(text, newline="")]
    rows = rows_by_arrow(text, dialect_of(width, delimiter, quote))
    if rows is not None and len(rows) == len(row_starts(lines, quote)):
        by_module = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
        assert rows == [[cell or None for cell in row] for row in by_module]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('1,Asha\n2,"Rao, ""A"" é"\n3,""', [["1", "Asha"], ["2", 'Rao, "A" é'], ["3", None]]),
        ('1,\r\n"2",b\r\n', [["1", None], ["2", "b"]]),
        ("1,2\n3,4,5\n", None),
        ('1,"a "b" c"\n', None),
        ('1,4" nails\n', None),
        ("\ufeff1,2\n", None),
    ],
)
def test_arrow_reads_usual_lines_and_leaves_the_others(text: str, rows: list[list[str | None]] | None) -> None:
    """Another width, quotes that are not doubled and a mark are for the csv module."""
    assert rows_by_arrow(text, dialect_of(2)) == rows


def test_a_row_that_is_not_plain_does_not_change_the_rows_around_it(file: Path) -> None:
    """Rows are read by the batch: a cell of two lines may end in the next one, and a bad row is one row."""
    cells = {BATCH_ROWS - 1: '"two\nlines"', BATCH_ROWS + 3: '"a"b"', 3 * BATCH_ROWS: '4" nails'}
    count = 4 * BATCH_ROWS
    file.write_text("id,note\n" + "".join(f"{at},{cells.get(at, 'x')}\n" for at in range(count)))
    expected: dict[int, str | None] = dict.fromkeys(range(count), "x")
    expected |= {BATCH_ROWS - 1: "two\nlines", BATCH_ROWS + 3: None, 3 * BATCH_ROWS: '4" nails'}
    assert [row["note"] for row in read(file)] == [*expected.values()]
    problem = f"line {BATCH_ROWS + 6} has a quote inside a quoted cell that is not doubled"
    assert [(at, one) for at, one in enumerate(problems(file)) if one is not None] == [(BATCH_ROWS + 3, problem)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    width=st.integers(2, 4),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from("\"'"),
    separator_line=st.booleans(),
    trailing=st.booleans(),
    mark=st.booleans(),
)
def test_a_file_reads_alike_in_whatever_dress(
    file: Path,
    data: st.DataObject,
    width: int,
    delimiter: str,
    quote: str,
    separator_line: bool,
    trailing: bool,
    mark: bool,
) -> None:
    """Quotes of either kind, Excel's line, a delimiter at the end of each line, a mark: the cells are those written."""
    letters = st.characters(codec="utf-8", exclude_characters="\0\"'=\ufeff", exclude_categories=["Cc"])
    rows = data.draw(st.lists(st.lists(st.text(letters, max_size=8), min_size=width, max_size=width), max_size=6))
    names = [f"c{at}" for at in range(width)]
    with file.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as text:
        if separator_line:
            text.write(f"sep={delimiter}\r\n")
        end = f"{delimiter}\r\n" if trailing else "\r\n"
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, delimiter=delimiter, quotechar=quote, lineterminator=end)
        writer.writerows([names, *rows])
    assert read(file) == [dict(zip(names, (cell or None for cell in row), strict=True)) for row in rows]
    assert open_source(file).columns == names


def test_single_quotes_and_delimiters_at_the_end_of_rows_are_read(file: Path) -> None:
    """As the dialect says; a value beyond the header is still a problem of its row."""
    file.write_text("'id';'name'\n'1';'Rao; Asha'\n")
    assert read(file) == [{"id": "1", "name": "Rao; Asha"}]
    rows = "".join(f"{at},Ann,\n" for at in range(200))
    file.write_text(f"id,name\n{rows}200,Bob\n201,Cy,x\n")
    assert len(read(file)) == 202
    assert read(file)[200] == {"id": "200", "name": "Bob"}
    assert problems(file)[200:] == [None, "line 203 has 3 fields where the header has 2"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz"])
def test_a_line_without_end_is_refused_before_it_is_held(ending: str, tmp_path: Path) -> None:
    """Memory stays bounded, also where the line is a few bytes on disk."""
    path = tmp_path / f"t.{ending}"
    opener = gzip.open if ending.endswith("gz") else open
    with opener(path, "wb") as stream:
        stream.write(b'{"id": "' if ending == "jsonl" else b"id\n")
        for _ in range(65):
            stream.write(b"x" * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(
            SourceError, match=r"line [12] has more than 64 million characters; expected one row on each line"
        ):
            open_source(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
