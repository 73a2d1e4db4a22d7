"""Where the files of a load go that nobody gave a path for."""

from __future__ import annotations

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import beside, ledger_beside, load_name, report_beside, report_path


def test_the_files_of_a_load_go_by_its_name() -> None:
    """A dry run has a report of its own, and leaves that of the last load as it is."""
    assert report_path("orders") == "orders.report.csv"
    assert report_path("orders", "check") == "orders.check.csv"
    assert beside("out/today.csv", "orders.ledger") == "out/orders.ledger"


@pytest.mark.parametrize(
    ("source", "report"),
    [
        ("in/orders.parquet", "in/orders.report.csv"),
        ("in/orders-2026-11-28.csv", "in/orders-2026-11-28.report.csv"),
        ("in/orders.csv.gz", "in/orders.csv.report.csv"),
        ("in/orders/", "in/orders.report.csv"),
        ("in/orders/*.csv", "in/orders.report.csv"),
        ("in/exports/orders-*.csv", "in/orders.report.csv"),
        ("in/exports/customers_2025*", "in/customers_2025.report.csv"),
        ("*.csv", "load.report.csv"),
    ],
)
def test_a_report_beside_a_source_is_of_this_source_alone(source: str, report: str) -> None:
    """Beside its file, or beside its folder and not in it, where the next load would find it."""
    assert report_beside(source) == report


def test_a_name_makes_one_load_of_the_sources_of_a_task() -> None:
    """Each day's file has the same report and the same ledger."""
    days = ["in/orders-2026-11-28.csv", "in/orders-2026-11-29.csv"]
    assert {report_beside(day, "orders") for day in days} == {"in/orders.report.csv"}
    assert ledger_beside("in/orders-2026-11-28.report.csv", "orders") == "in/orders.ledger"


def test_the_ledger_is_beside_the_report() -> None:
    """`orders.ledger` beside `orders.report.csv`, whatever the report's form."""
    assert ledger_beside("out/orders.report.csv") == "out/orders.ledger"
    assert ledger_beside("out/orders.parquet") == "out/orders.ledger"


@pytest.mark.parametrize("character", ["a", "ग", "😀"])
def test_a_long_name_leaves_room_for_its_endings(character: str) -> None:
    """A file's name has 255 bytes on most systems."""
    name = load_name([f"{character * 250}.csv"])
    assert 0 < len(f"{name}.failures.csv".encode()) < 255
    Settings(name=name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is blank"),
        (" ", "is blank"),
        ("a/b", "holds '/'"),
        ("..", "ends with a dot"),
        (".", "ends with a dot"),
        ("a\\b", r"holds '\\'"),
        ("a\nb", r"holds '\n'"),
        ("a:b", "holds ':'"),
        ("a?", "holds '?'"),
        ("\ud800", "holds"),
        ("CON", "is reserved for a device"),
        ("com1.orders", "is reserved for a device"),
        ("orders ", "begins or ends with a space"),
        ("x" * 201, "has more than 200 bytes"),
        (7, "expected text"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(name: object, why: str) -> None:
    """On any of the systems, so that a load can move from one to another."""
    with pytest.raises(SettingsError) as caught:
        Settings(name=name)  # type: ignore[arg-type]
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
