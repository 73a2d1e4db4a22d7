"""Real tables, from file to sandbox, with the mapping that a person would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interakt_loader import MappingDict, TraitDict, check, load_events, load_users
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.sandbox import Sandbox, SandboxProcess
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source
from tests.thorough import IS_LONG

RETAIL: MappingDict = {
    "user_id": "CustomerID",
    "event": {"value": "Item Purchased"},
    "created_at": {"column": "InvoiceDate", "timezone": "Europe/London"},
    "traits": "*",
}


def to(sandbox: Sandbox | SandboxProcess, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, **options}


def test_online_retail_is_checked_whole(shared_data: Path) -> None:
    """541,909 lines: 135,080 have no customer, every other one could be sent."""
    result = check(shared_data / "online_retail" / "online_retail.parquet", RETAIL)
    assert (result.rows, result.invalid, result.unsent) == (541_909, 135_080, 406_829)
    assert [reason.code for reason in result.summary.top_reasons()] == ["identity_missing", "white_space_tidied"]


@pytest.mark.timeout(600)
def test_online_retail_arrives(shared_data: Path, sandbox_process: SandboxProcess) -> None:
    """Every row with a customer is sent, and the sandbox's own count agrees; ids read 17850, not 17850.0. All of it is
    loaded where there is time, else the first 30,000 rows."""
    counts = (541_909, 135_080, 406_829) if IS_LONG else (30_000, 10_043, 19_957)
    source = shared_data / "online_retail" / "online_retail.parquet"
    result = load_events(source, RETAIL, limit=counts[0], **to(sandbox_process))
    assert (result.rows, result.invalid, result.sent) == counts
    assert sandbox_process.stats().events == result.sent
    # the events of one user arrive in order, those of several in any
    first = next(one for one in sandbox_process.events(limit=1000) if one.user_id == "17850")
    assert first.created_at == "2010-12-01T08:26:00.000Z"
    assert first.traits == {
        "InvoiceNo": "536365",
        "StockCode": "85123A",
        "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "Quantity": 6,
        "UnitPrice": 2.55,
        "Country": "United Kingdom",
    }


def test_kylo_users_arrive_with_their_hostile_text(shared_data: Path, sandbox: Sandbox) -> None:
    """1,000 users, all sent; comments arrive as they stand, but for line breaks and the like, which are noted."""
    import pyarrow.parquet as pq

    path = shared_data / "kylo_userdata" / "userdata1.parquet"
    result = load_users(path, {"user_id": "id", "traits": "*"}, **to(sandbox))
    assert (result.rows, result.sent) == (1000, 1000)
    held = {user.user_id: user.traits for user in sandbox.users()}
    tidied = set(result.to_pandas().query("code == 'white_space_tidied'")["user_id"])
    assert len(tidied) < 50
    for row in pq.read_table(path, columns=["id", "comments", "cc", "salary"]).to_pylist():
        traits = held[str(row["id"])]
        if str(row["id"]) not in tidied:
            assert traits.get("comments") == (row["comments"] if (row["comments"] or "").strip() else None)
        assert traits.get("cc") == (row["cc"] or None)
        assert traits.get("salary") == row["salary"]


def test_telco_churn_users_with_both_dresses_of_booleans(shared_data: Path, sandbox: Sandbox) -> None:
    """7,043 customers, all sent: Yes/No and 0/1 as booleans, and the 11 blank charges left out."""
    booleans: list[TraitDict] = [
        {"column": name, "name": name, "type": "boolean"} for name in ("Partner", "Churn", "SeniorCitizen")
    ]
    numbers: list[TraitDict] = [{"column": name, "name": name, "type": "number"} for name in ("tenure", "TotalCharges")]
    mapping: MappingDict = {"user_id": "customerID", "traits": ["*", *booleans, *numbers]}
    result = load_users(shared_data / "telco_churn" / "Telco-Customer-Churn.csv", mapping, **to(sandbox))
    assert (result.rows, result.sent) == (7043, 7043)
    users = sandbox.users()
    assert sum("TotalCharges" not in user.traits for user in users) == 11
    first = next(user for user in users if user.user_id == "7590-VHVEG")
    assert first.traits["Partner"] is True
    assert first.traits["SeniorCitizen"] is False
    assert first.traits["TotalCharges"] == 29.85
    assert first.traits["MultipleLines"] == "No phone service"


def test_northwind_customers_by_id(shared_data: Path, sandbox: Sandbox) -> None:
    """91 customers by their five letters, phones as traits: all sent, accents and all."""
    result = load_users(
        shared_data / "northwind" / "customers.csv", {"user_id": "CustomerID", "traits": "*"}, **to(sandbox)
    )
    assert (result.rows, result.sent) == (91, 91)
    found = sandbox.find_user("BERGS")
    assert found is not None
    assert found.traits["ContactName"] == "Christina Berglund"
    assert found.traits["City"] == "Luleå"


def test_northwind_ragged_rows_are_refused_by_line(shared_data: Path) -> None:
    """24 of 91 rows have a field too many: they are refused by their line, and nothing shifts."""
    result = check(
        shared_data / "northwind" / "customers_ragged.csv", {"user_id": "customerID", "traits": "*"}, null_values="NULL"
    )
    assert (result.rows, result.invalid) == (91, 24)
    (reason,) = result.summary.top_reasons()
    assert reason.code == "row_unreadable"
    assert "12 fields" in (reason.example or "")


def test_jaffle_shop_orders_as_events(shared_data: Path, sandbox: Sandbox) -> None:
    """99 orders with a date and no time, as events at midnight UTC."""
    mapping: MappingDict = {
        "user_id": "user_id",
        "event": {"value": "Order Placed"},
        "created_at": "order_date",
        "traits": {"orderNumber": "id", "status": "status"},
    }
    result = load_events(shared_data / "jaffle_shop" / "raw_orders.csv", mapping, **to(sandbox))
    assert (result.rows, result.sent) == (99, 99)
    (event,) = [one for one in sandbox.events() if one.traits["orderNumber"] == "1"]  # they arrive in any order
    assert (event.created_at, event.traits) == ("2018-01-01T00:00:00.000Z", {"orderNumber": "1", "status": "returned"})


def test_chinook_phones_without_a_country_code_column(shared_data: Path) -> None:
    """59 customers in 24 shapes of phone: 55 are valid, 3 are no valid number, one is blank and goes by its id."""
    path = shared_data / "chinook" / "customers.csv"
    result = check(path, {"user_id": "CustomerId", "phone": "Phone", "traits": ["FirstName"]})
    assert (result.rows, result.unsent, result.invalid) == (59, 56, 3)


def test_northwind_makes_the_same_calls_in_each_of_its_encodings(shared_data: Path) -> None:
    """UTF-8 with commas, cp1252 with semicolons and UTF-16 with tabs: every body is the same, byte for byte."""
    mapping = Mapping.of({"user_id": "CustomerID", "phone": "Phone", "country_code": "Country", "traits": "*"})
    prepare = Preparation(mapping, "user", Settings())

    def bodies(name: str) -> list[bytes | None]:
        batches = open_source(shared_data / "northwind" / name).batches()
        return [body for batch in batches for body in prepare(batch, 0)["body"].to_pylist()]

    plain = bodies("customers.csv")
    assert len(plain) == 91
    assert sum(body is not None for body in plain) == 48
    assert bodies("customers_cp1252_semicolon.csv") == bodies("customers_utf16_tab.txt") == plain
