"""What a load is called: the same for each day's file of one kind, and another one for another kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interakt_loader.settings.settings import load_name, mapping_name
from interakt_loader.sources.local_file import ENDINGS
from tests.growth import grows_too_fast


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_of_a_format_is_no_part_of_the_name(ending: str) -> None:
    """The settings have a list of endings of their own, which has to know every format."""
    assert load_name([f"customers{ending}"]) == "customers"


@pytest.mark.parametrize(
    "source",
    [
        "customers.csv",
        "exports/customers.csv",
        "customers.CSV.GZ",
        "customers.jsonl.zst",
        "customers-2026-01-31.csv",
        "customers_20260131.xlsx",
        "customers_2026_01_31.csv",
        "2026-01-31-customers.csv",
        "2026-01-31 customers.csv",
        "customers.2026-01-31.csv",
        "customers20260131.csv",
        "customers-2026-01-31T10-20-30Z.csv",
        "customers-2026-01-31T10:20:30.123456+05:30.csv",
        "customers-20260131T102030.parquet",
        "customers-20260131102030.parquet",
        "customers 2026-01-31 10.20.30.csv",
        "customers_2026-01-31_10-20.csv",
        "customers_2026-01-01_2026-01-31.csv",
        "customers (1).csv",
        "customers(2).csv",
        "customers - Copy.csv",
        "customers - Copy (3).csv",
        "customers copy.csv",
        "customers copy 2.csv",
        "customers-2026-01-31 (1).csv",
        "customers (1)-2026-01-31.csv",
        "customers.failures.csv",
        "customers-2026-01-31.failures.csv",
        "customers.failures (1).csv",
        "exports/customers-*.csv",
        "exports/customers/*.csv",
        "customers/2026-01-31.csv",
        "customers/2026-01-31/",
        "customers/day=2026-01-31/",
        "s3://bucket/exports/customers-2026-01-31.parquet",
        "https://host/exports/customers.csv?token=1&day=2026-01-31",
    ],
)
def test_each_of_these_is_called_customers(source: str) -> None:
    """Folder, endings, dates, timestamps, marks of copies and `.failures` are no part of a name."""
    assert load_name([source]) == "customers"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("orders2.csv", "orders2"),
        ("orders-2026.csv", "orders-2026"),
        ("orders-2026-01.csv", "orders-2026-01"),
        ("orders-20261301.csv", "orders-20261301"),
        ("orders-12345678.csv", "orders-12345678"),
        ("orders-1706659200.csv", "orders-1706659200"),
        ("orders-120260131.csv", "orders-120260131"),
        ("orders-2026-01-31-7.csv", "orders-7"),
        ("sales (2024).csv", "sales (2024)"),
        ("orders.v2.csv", "orders.v2"),
        ("export_2026-01-31_orders.csv", "export_orders"),
        ("copy.csv", "copy"),
        ("ग्राहक-2026-01-31.csv", "ग्राहक"),
        ("https://host/my%20list.csv", "my list"),
        ("https://host/a%2Fb.csv", "a_b"),
        ("-", "stdin"),
        (".", "load"),
        ("*.csv", "load"),
        ("2026-01-31.csv", "load"),
        ("https://host/", "load"),
    ],
)
def test_any_other_number_stays(source: str, name: str) -> None:
    """What is left over is the name; where nothing is, there is a name all the same."""
    assert load_name([source]) == name


@pytest.mark.parametrize(
    ("sources", "mapping", "name"),
    [
        (["-"], "maps/customers.mapping.yaml", "customers"),
        (["-"], "customers.toml", "customers"),
        (["-"], "preset:shopify-orders", "shopify-orders"),
        (["a.csv", "b.csv"], "customers.json", "customers"),
        (["a-2026-01-01.csv", "a-2026-01-02.csv"], None, "a"),
        (["a.csv", "b.csv"], None, "a"),
        (["a.csv"], "customers.yaml", "a"),
    ],
)
def test_standard_input_and_several_files_are_called_like_the_mapping(
    sources: list[str], mapping: str | None, name: str
) -> None:
    """Without one, like the first file."""
    assert load_name(sources, mapping) == name


def test_the_file_of_the_mapping() -> None:
    """It ends like the mapping files of the sample data."""
    assert mapping_name("customers") == "customers.mapping.yaml"


@pytest.mark.parametrize("part", ["2", "2026-01-3", "2026-01-31", " - Copy", "(1)", "-", ".failures", "T10", "%2F"])
def test_no_name_takes_long(part: str) -> None:
    """The same many times, be it in an address: eight times the text takes about eight times as long."""

    def work(times: int) -> Callable[[], object]:
        sources = [f"https://host/{part * times}.csv"]
        return lambda: load_name(sources)

    assert not grows_too_fast(work, 20_000, 160_000)
