"""Files that others wrote, as they were found."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import PROBLEM_COLUMN, open_source
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
    """Damage in the pages is told from damage in the footer: rows may have gone out by then."""
    with pytest.raises(SourceBroken, match=f"cannot be read past row 0: .*{words}"):
        list(open_source(real(path)).batches())


def test_the_small_csvs_name_their_troubles() -> None:
    """Ragged lines, a NUL byte and doubled names are each called by name."""
    assert problems(real("csv_oddities/csvkit/bad.csv")) == [
        "line 2 has 4 fields where the header has 3",
        "line 3 has 2 fields where the header has 3",
        None,
    ]
    assert problems(real("csv_oddities/csvkit/null_byte.csv")) == ["line 2 holds a NUL byte"]
    with pytest.raises(SourceError, match="3 columns are called 'id'"):
        open_source(real("csv_oddities/frictionless/duplicate-headers.csv"))
    assert PROBLEM_COLUMN not in open_source(real("csv_oddities/csvkit/bad.csv")).columns
