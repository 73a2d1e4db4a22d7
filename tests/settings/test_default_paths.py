"""Where the report and the ledger go that nobody gave a path for."""

from __future__ import annotations

import pytest

from interakt_loader.settings.default_paths import ledger_beside, report_beside, report_name


@pytest.mark.parametrize(
    ("source", "name", "beside"),
    [
        ("in/orders.parquet", "orders.report.csv", "in/orders.report.csv"),
        ("in/orders.csv.gz", "orders.csv.report.csv", "in/orders.csv.report.csv"),
        ("in/orders/", "orders.report.csv", "in/orders.report.csv"),
        ("in/orders/*.csv", "orders.report.csv", "in/orders.report.csv"),
        ("in/exports/orders-*.csv", "orders.report.csv", "in/orders.report.csv"),
        ("in/exports/customers_2025*", "customers_2025.report.csv", "in/customers_2025.report.csv"),
        ("*.csv", "load.report.csv", "load.report.csv"),
        ("-", "stdin.report.csv", "stdin.report.csv"),
    ],
)
def test_the_report_is_named_after_the_source(source: str, name: str, beside: str) -> None:
    """Its file, or its folder: then the report is beside that and not in it, where the next load would find it."""
    assert (report_name(source), report_beside(source)) == (name, beside)


def test_the_ledger_is_beside_the_report() -> None:
    """`orders.ledger` beside `orders.report.csv`, whatever the report's form."""
    assert ledger_beside("out/orders.report.csv") == "out/orders.ledger"
    assert ledger_beside("out/orders.parquet") == "out/orders.ledger"
