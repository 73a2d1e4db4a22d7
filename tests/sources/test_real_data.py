"""Files that others wrote, as they were found."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import ReadOptions, open_source
from tests.sources.reading import DATA, column, problems, read, real, rows_of


@pytest.mark.parametrize(
    ("path", "columns", "rows", "unreadable"),
    [
        ("northwind/customers.csv", 11, 91, 0),
        ("northwind/customers_ragged.csv", 11, 91, 24),
        ("northwind/orders_ragged.csv", 14, 830, 176),
        ("kylo_userdata/userdata1.parquet", 13, 1000, 0),
        ("kylo_userdata/userdata2.csv", 13, 1000, 0),
        ("telco_churn/Telco-Customer-Churn.csv", 21, 7043, 0),
        ("bank_marketing/bank-additional.csv", 21, 4119, 0),
        ("adventureworks_prospects/ProspectiveBuyer.csv", 24, 2059, 0),
        ("cdnow/cdnow.parquet", 4, 69_659, 0),
        ("chinook/customers.csv", 13, 59, 0),
        ("phone_examples/phone_examples.csv", 10, 380, 0),
        ("jaffle_shop/raw_customers.csv", 3, 100, 0),
        ("jaffle_shop/raw_orders.csv", 4, 99, 0),
        ("jaffle_shop/raw_payments.csv", 4, 113, 0),
        ("crm_exports/klaviyo_event.csv", 100, 4, 0),
        ("parquet_oddities/repeated_no_annotation.parquet", 2, 6, 0),
    ],
)
def test_the_tables_have_the_rows_that_their_sources_name(path: str, columns: int, rows: int, unreadable: int) -> None:
    """Rows, columns and rows with a problem are as counted by hand; here the estimate is exact too."""
    source = open_source(real(path))
    assert (len(source.columns), source.rows, len(list(rows_of(source)))) == (columns, rows, rows)
    assert sum(problem is not None for problem in problems(real(path))) == unreadable


def test_a_shifted_address_says_its_widths() -> None:
    """The first ragged customer is the one whose address has a comma."""
    found = [text for text in problems(real("northwind/customers_ragged.csv")) if text]
    assert found[0] == "line 8 has 12 fields where the header has 11"


def test_a_year_of_a_shop_is_streamed() -> None:
    """All 541,909 rows, in order, in bounded batches."""
    source = open_source(real("online_retail/online_retail.parquet"))
    assert (source.rows, source.rows_exact) == (541_909, True)
    assert sum(batch.num_rows for batch in source.batches()) == 541_909


def test_hostile_text_arrives_as_it_is() -> None:
    """The naughty strings of the CSV are what Python's csv module alone reads from it."""
    path = real("kylo_userdata/userdata2.csv")
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        expected = [row["comments"] or None for row in csv.DictReader(file)]
    assert column(path, "comments") == expected
    assert len(expected) == 1000


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    """Shopify's export begins with one."""
    assert open_source(real("crm_exports/shopify_customer_data.csv")).columns[0] == "id"


def test_a_table_is_the_same_in_each_of_its_encodings() -> None:
    """UTF-8 with commas, cp1252 with semicolons, UTF-16 with tabs: the same rows, and a note where it matters."""
    plain = real("northwind/customers.csv")
    western, wide = real("northwind/customers_cp1252_semicolon.csv"), real("northwind/customers_utf16_tab.txt")
    assert read(western) == read(wide) == read(plain)
    assert open_source(plain).notes == []
    assert "read as cp1252" in open_source(western).notes[0]
    assert open_source(wide).notes == [f"{wide}: read as UTF-16-LE"]


def test_prospects_without_a_header_are_read_by_number() -> None:
    """Bars between the cells, no names above them; the first prospect is a row."""
    path = real("adventureworks_prospects/ProspectiveBuyer.csv")
    source = open_source(path)
    assert source.columns == [f"column_{at}" for at in range(1, 25)]
    assert "holds values, not names" in source.notes[0]
    first = next(rows_of(source))
    assert [first[f"column_{at}"] for at in (1, 2, 3, 6, 22)] == [
        "1",
        "21596444800",
        "Adam",
        "1945-12-30 00:00:00.000",
        "516-555-0187",
    ]


def test_aligned_text_is_refused_and_read_when_told_how() -> None:
    """The same purchases as in the Parquet file, ids with their zeros."""
    path = real("cdnow/CDNOW_master.txt")
    with pytest.raises(SourceError, match="the columns are aligned by spaces"):
        open_source(path)
    rows = list(rows_of(open_source(path, ReadOptions(delimiter=" "))))
    expected = read(real("cdnow/cdnow.parquet"))
    assert [row["customer_id"] for row in rows] == [row["customer_id"] for row in expected]
    assert [Decimal(row["dollar_value"]) for row in rows] == [row["dollar_value"] for row in expected]


def test_three_days_of_a_shop_by_pattern_and_folder() -> None:
    """The days come in their order; the folder as such holds files of two forms."""
    folder = Path(real("online_retail/2010-12-22.csv")).parent
    source = open_source(f"{folder}/*.csv")
    assert source.rows == sum(batch.num_rows for batch in source.batches()) == 291 + 1743 + 279
    with pytest.raises(SourceError, match="files of several formats"):
        open_source(folder)


SPECTRUM = DATA / "csv_oddities" / "csv-spectrum"


@pytest.mark.parametrize(
    "path",
    # the answer of location_coordinates is no list of rows
    [path for path in sorted((SPECTRUM / "csvs").glob("*.csv")) if path.stem != "location_coordinates"],
    ids=lambda path: path.stem,
)
def test_the_csv_spectrum_reads_as_its_answers_say(path: Path) -> None:
    """Each small file has its right answer beside it, as JSON."""
    answers = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    # the files lost their Windows newlines on the way here; the answers still have them
    expected = [{k: v.replace("\r\n", "\n") or None for k, v in row.items()} for row in answers]
    assert read(path) == expected


@pytest.mark.parametrize(
    "path",
    sorted(path for path in DATA.rglob("*") if path.is_file() and path.suffix != ".md"),
    ids=lambda path: str(path.relative_to(DATA)),
)
def test_no_file_ends_in_a_foreign_error(path: Path) -> None:
    """Every file gives its rows, is refused in one line, or breaks in one line with its path."""
    message = None
    try:
        source = open_source(path)
        count = sum(batch.num_rows for batch in source.batches())
    except (SourceError, SourceBroken) as error:
        message = str(error)
    if message is None:
        assert count == source.rows or not source.rows_exact
    else:
        assert message.startswith(f"{path}: ")
        assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("parquet_oddities/datapage_v1-corrupt-checksum.parquet", "checksum"),
        ("parquet_oddities/bad/ARROW-GH-47662.parquet", "Unexpected end of stream"),
        ("parquet_oddities/bad/ARROW-RS-GH-6229-DICTHEADER.parquet", "Invalid column metadata"),
    ],
)
def test_damaged_pages_break_the_reading(path: str, words: str) -> None:
    """Damage in the pages differs from damage in the footer: rows may have gone out by then."""
    with pytest.raises(SourceBroken, match=f"cannot be read: .*{words}"):
        list(open_source(real(path)).batches())


RAGGED = "line {} has {} where the header has {}"
CSVS: dict[str, tuple[list[str], list[list[str | None]], list[str | None]]] = {
    # columns, first row, problems
    "csvkit/bad_skip_lines.csv": (
        ["column_a", "column_b", "column_c"],
        [[None] * 3, [None] * 3, ["0", "mixed types.... uh oh", "17"]],
        [RAGGED.format(5, "4 fields", 3), RAGGED.format(6, "2 fields", 3), None],
    ),
    "csvkit/blanks.csv": (list("abcdef"), [[None, "NA", "N/A", "NONE", "NULL", "."]], [None]),
    "csvkit/dummy.csv.gz": (list("abc"), [["1", "2", "3"]], [None]),
    "csvkit/mac_newlines.csv": (list("abc"), [["1", "2", "3"], ["Once upon\ra time", "5", "6"]], [None, None]),
    "csvkit/no_header_row.csv": (["column_1", "column_2", "column_3"], [["1", "2", "3"]], [None]),
    "csvkit/null_byte.csv": (list("abc"), [[None] * 3], ["line 2 holds a NUL byte"]),
    "csvkit/optional_quote_characters.csv": (list("abc"), [["1", "2", "3"]], [None]),
    "csvkit/test_empty_columns.csv": (
        ["a", "b", "c"],  # the delimiters at the end of each line belong to no column
        [["a", None, None], [None, None, "c"], [None] * 3],
        [None] * 3,
    ),
    "csvkit/test_extra_header.csv": (list("abcd"), [[None] * 4], [RAGGED.format(2, "3 fields", 4)]),
    "csvkit/test_latin1.csv": (list("abc"), [["1", "2", "3"], ["4", "5", "©"]], [None, None]),
    "csvkit/test_locale.csv": (list("abc"), [["1,7", "200.000.000", None]], [None]),
    "csvkit/test_no_leading_zeroes.csv": (list("abc"), [["01", "00.11", "0.1"]], [None]),
    "csvkit/test_numeric_date_format.csv": (["a"], [["20140102"], ["20121231"]], [None, None]),
    "csvkit/test_skip_lines.csv": (list("abc"), [["1", "2", "3"]], [None]),
    "csvkit/test_utf16_big.csv": (list("abc"), [["1", "2", "3"], ["4", "5", "ʤ"]], [None, None]),
    "csvkit/test_utf16_little.csv": (list("abc"), [["1", "2", "3"], ["4", "5", "ʤ"]], [None, None]),
    "csvkit/test_utf8_bom.csv": (["foo", "bar", "baz"], [["1", "2", "3"], ["4", "5", "ʤ"]], [None, None]),
    "frictionless/blank-headers.csv": (
        ["id", "column_2", "age"],
        [["1101", "John", "30"], ["1102", "Julie", "26"]],
        [None, None],
    ),
    "frictionless/countries.csv": (
        ["id", "neighbor_id", "name", "population"],
        [
            ["1", "Ireland", "Britain", "67"],
            [None] * 4,
            ["3", "22", "Germany", "83"],
            ["4", None, "Italy", "60"],
            [None] * 4,
        ],
        [None, RAGGED.format(4, "5 fields", 4), None, None, RAGGED.format(7, "1 field", 4)],
    ),
    "frictionless/defective-rows.csv": (
        ["id", "name", "age"],
        [[None] * 3, [None] * 3],
        [RAGGED.format(2, "2 fields", 3), RAGGED.format(3, "4 fields", 3)],
    ),
    "frictionless/delimiter.csv": (["id", "name"], [["1", "english"], ["2", "中国人"]], [None, None]),
    "frictionless/dialect.csv": (
        ["id", "name"],
        [["1", "#english#"], [None, None]],
        [None, RAGGED.format(3, "3 fields", 2)],
    ),
    "frictionless/escaping.csv": (
        ["ID", "Test"],
        [["1", "Test line 1"], ["2", 'Test " line 2'], [None, None]],
        [None, None, "line 4 has a quote inside a quoted cell that is not doubled"],
    ),
    "frictionless/leading-zeros.csv": (["value"], [["01"], ["002"], ["00003"]], [None] * 3),
    "frictionless/skip-rows-before-headers.csv": (["id", "name"], [["1", "english"], ["2", "中国人"]], [None, None]),
    "frictionless/table-infer-iso-8859-7.csv": (
        ["id", "age", "name"],
        [["1", "39", "Λεωνιδας"], ["2", "23", "Αλεξανδρος"], ["3", "36", "Μυρων"], ["4", "28", "Ευστοργιος"]],
        [None] * 4,
    ),
    "frictionless/without-headers.csv": (
        ["column_1", "column_2"],
        [["1", "english"], ["2", "中国人"], ["3", "german"]],
        [None] * 3,
    ),
}


@pytest.mark.parametrize("path", CSVS)
def test_the_small_csvs_are_read_as_people_would(path: str) -> None:
    """Each file's columns, cells and problems, copied out by hand."""
    columns, cells, expected = CSVS[path]
    file = real(f"csv_oddities/{path}")
    assert open_source(file).columns == columns
    assert [list(row.values()) for row in read(file)] == cells
    assert problems(file) == expected


@pytest.mark.parametrize(
    ("path", "count"),
    [("blank-rows-multiple", 13), ("numeric-labels", 3), ("table-infer-missing-values", 7), ("issue-1138", 7)],
)
def test_tables_of_odd_rows_keep_all_of_them(path: str, count: int) -> None:
    """A row of empty cells is a row; labels that are numbers are labels."""
    rows = read(real(f"csv_oddities/frictionless/{path}.csv"))
    assert len(rows) == count
    assert not any(name.startswith("column_1") for name in rows[0])


def test_a_small_csv_that_is_no_table_says_why() -> None:
    """The message is a line about the header."""
    with pytest.raises(SourceError, match="the file has no header, only blank lines"):
        open_source(real("csv_oddities/csvkit/empty.csv"))


def test_columns_of_one_name_are_left_out_of_a_small_csv() -> None:
    """None of the three can be told from the others; the rest is read."""
    file = real("csv_oddities/frictionless/duplicate-headers.csv")
    source = open_source(file)
    assert source.doubled == ("id",)
    assert source.notes == [f"{file}: 3 columns are called 'id'; they are left out unless each gets a name of its own"]
    assert read(file) == [{"name": "John", "age": "30"}, {"name": "Julie", "age": "26"}]


REFUSED = {
    "incorrect_map_schema.parquet": "Map keys must be annotated as required",
    "uniform_encryption.parquet.encrypted": "the Parquet file is encrypted; decrypt it first",
    "bad/PARQUET-1481.parquet": "Invalid physical column type: UNKNOWN",
    "bad/ARROW-GH-47662.parquet": "cannot be read: ",
    "bad/ARROW-RS-GH-6229-DICTHEADER.parquet": "cannot be read: ",
    "datapage_v1-corrupt-checksum.parquet": "CRC checksum verification failed",
}
if int(pa.__version__.split(".")[0]) < 20:  # what older pyarrows cannot read
    REFUSED["unknown-logical-type.parquet"] = "LogicalType that is not recognized"
    REFUSED["datapage_v2_empty_datapage.snappy.parquet"] = "Corrupt snappy compressed data"
PARQUET = DATA / "parquet_oddities"


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PARQUET.rglob("*") if path.is_file() and path.suffix != ".md"),
    ids=lambda path: path.name,
)
def test_parquet_of_other_writers_gives_its_rows_or_a_reason(path: Path) -> None:
    """Those that cannot be trusted are refused by name; every other gives as many rows as its footer says."""
    words = REFUSED.get(path.relative_to(PARQUET).as_posix())
    if words is None:
        source = open_source(path)
        assert sum(batch.num_rows for batch in source.batches()) == source.rows
    else:
        with pytest.raises((SourceError, SourceBroken), match=words):
            list(open_source(path).batches())
