"""The real tables: a mapping that a person would accept, or what is left open, or a refusal that says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader.errors import MappingError, SourceError, UsageError
from interakt_loader.mapping import Preparation, read_mapping
from interakt_loader.mapping.infer.infer import SAMPLE_ROWS, InferredMapping, infer
from interakt_loader.mapping.infer.inferred import columns_of
from interakt_loader.model import Kind
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source, peek

Fields = dict[str, Any]


def inferred(path: Path, kind: Kind | None = None, event: str | None = None, **options: Any) -> InferredMapping:
    """Return the proposal for a file."""
    source = open_source(path)
    sample, _ = peek(source, SAMPLE_ROWS)
    return infer(source.columns, kind, event, sample, settings=Settings(**options))


def types(found: InferredMapping) -> dict[str, str]:
    """Return the type of each trait, with its format or separator."""
    written = found.mapping.as_dict().get("traits", {})
    return {
        name: " ".join(one[key] for key in ("type", "format", "separator") if key in one)
        for name, one in written.items()
    }


TIME = {"type": "datetime"}
USERS: list[tuple[str, Fields, set[str]]] = [
    ("chinook/customers.csv", {"user_id": "CustomerId", "phone": "Phone", "country_code": "Country"}, set()),
    ("crm_exports/hubspot_contact_data.csv", {"user_id": "id"}, {"user_id"}),
    ("crm_exports/klaviyo_person.csv",
     {"user_id": "id", "phone": "phone_number", "country_code": "country", "created_at": {"column": "created"} | TIME},
     {"user_id"}),
    ("crm_exports/shopify_customer_data.csv",
     {"user_id": "id", "phone": "phone", "created_at": {"column": "created_at"} | TIME}, {"user_id"}),
    ("crm_exports/shopify_customer_tag_data.csv", {"user_id": "customer_id"}, set()),
    ("crm_exports/shopify_gql_customer_tag_data.csv", {"user_id": "customer_id"}, {"kind"}),
    ("crm_exports/shopify_gql_customer_data.csv",
     {"user_id": "id", "phone": "phone", "created_at": {"column": "created_at"} | TIME}, {"user_id", "country_code"}),
    ("crm_exports/shopify_gql_customer_address_data.csv",
     {"user_id": "customer_id", "phone": "phone", "country_code": "country_code"}, {"kind", "phone"}),
    ("jaffle_shop/raw_customers.csv", {"user_id": "id"}, {"user_id"}),
    ("jaffle_shop/raw_payments.csv", {"user_id": "id"}, {"user_id", "kind"}),
    ("kylo_userdata/userdata1.parquet",
     {"user_id": "id", "created_at": {"column": "registration_dttm"} | TIME}, {"user_id"}),
    ("kylo_userdata/userdata2.csv",
     {"user_id": "id", "created_at": {"column": "registration_dttm"} | TIME}, {"user_id"}),
    ("phone_examples/phone_examples.csv",
     {"user_id": "user_id", "phone": "e164", "country_code": "country_code"}, {"phone"}),
    ("telco_churn/Telco-Customer-Churn.csv", {"user_id": "customerID"}, set()),
    ("northwind/customers.csv", {"user_id": "CustomerID", "phone": "Phone", "country_code": "Country"}, set()),
    ("northwind/employees.csv", {"phone": "homePhone", "country_code": "country"}, {"phone"}),
    ("parquet_oddities/delta_byte_array.parquet", {"user_id": "c_customer_id"}, set()),
    ("parquet_oddities/delta_encoding_optional_column.parquet", {"user_id": "c_customer_id"}, set()),
    ("bank_marketing/bank-additional.csv", {"phone": "contact"}, {"phone"}),
]  # fmt: skip
"""Tables that are proposed as users: their fields but the traits, and what is asked."""


@pytest.mark.parametrize(("file", "fields", "asked"), USERS)
def test_a_table_of_users(shared_data: Path, tmp_path: Path, file: str, fields: Fields, asked: set[str]) -> None:
    """Who, since when, and their phones; what is printed reads back as the same, and no trait refuses a row."""
    found = inferred(shared_data / file)
    assert found.kind == "user"
    assert {one.split(":")[0] for one in found.open_questions} == asked
    assert {name: one for name, one in found.mapping.as_dict().items() if name != "traits"} == fields
    path = tmp_path / "mapping.yaml"
    path.write_text(found.to_yaml(), encoding="utf-8")
    assert read_mapping(path) == found.mapping
    assert refused_by_traits(shared_data / file, found) == set()


def refused_by_traits(path: Path, found: InferredMapping) -> set[str]:
    """Return the columns of traits that make rows invalid."""
    source = open_source(path)
    prepare = Preparation(found.mapping, found.kind, Settings())
    identity = set(found.mapping.columns()) - {name for _, one in found.mapping.traits for name in one.columns}
    rows = [row for batch in source.batches() for row in prepare(batch, 0).to_pylist()]
    return {row["column"] for row in rows if row["body"] is None and row["column"] not in identity}


EVENTS: list[tuple[str, Fields]] = [
    ("cdnow/cdnow.parquet", {"user_id": "customer_id", "created_at": {"column": "date"} | TIME}),
    ("chinook/invoices.csv", {"user_id": "CustomerId", "created_at": {"column": "InvoiceDate"} | TIME}),
    ("jaffle_shop/raw_orders.csv", {"user_id": "user_id", "created_at": {"column": "order_date"} | TIME}),
    ("northwind/orders.csv",
     {"user_id": "CustomerID", "created_at": {"column": "OrderDate", "type": "datetime", "format": "%m/%d/%Y"}}),
    ("northwind/orders_ragged.csv", {"user_id": "customerID", "created_at": {"column": "orderDate"} | TIME}),
    ("online_retail/2010-12-22.csv", {"user_id": "CustomerID", "created_at": {"column": "InvoiceDate"} | TIME}),
    ("online_retail/2011-01-05.csv", {"user_id": "CustomerID", "created_at": {"column": "InvoiceDate"} | TIME}),
    ("online_retail/2011-02-06.csv", {"user_id": "CustomerID", "created_at": {"column": "InvoiceDate"} | TIME}),
    ("online_retail/online_retail.parquet", {"user_id": "CustomerID", "created_at": {"column": "InvoiceDate"} | TIME}),
]  # fmt: skip
"""Tables of what users did, whose name is in no column."""


@pytest.mark.parametrize(("file", "fields"), EVENTS)
def test_a_table_of_events(shared_data: Path, tmp_path: Path, file: str, fields: Fields) -> None:
    """With a name given nothing is open; without one it is asked what the rows are, and nothing would be sent."""
    event = {"event": {"value": "Order Placed"}}
    found = inferred(shared_data / file, event="Order Placed")
    assert found.open_questions == ()
    assert {name: one for name, one in found.mapping.as_dict().items() if name != "traits"} == fields | event
    path = tmp_path / "mapping.yaml"
    path.write_text(found.to_yaml(), encoding="utf-8")
    assert read_mapping(path) == found.mapping
    asked = inferred(shared_data / file)
    assert (asked.kind, [one.split(":")[0] for one in asked.open_questions]) == ("user", ["kind"])
    assert "kind='events', event=NAME if each row is an event, or kind='users'" in asked.open_questions[0]


def test_the_events_of_klaviyo(shared_data: Path) -> None:
    """Known to be events, their name is in `type`, a column that else may be anything."""
    found = inferred(shared_data / "crm_exports" / "klaviyo_event.csv", kind="event")
    assert found.open_questions == ()
    assert {name: one for name, one in found.mapping.as_dict().items() if name != "traits"} == {
        "user_id": "person_id",
        "event": "type",
        "created_at": {"column": "timestamp"} | TIME,
    }


def test_a_table_without_headings_is_refused(shared_data: Path) -> None:
    """Nothing says which of 24 columns is the key."""
    with pytest.raises(MappingError, match="the columns have no names; give a mapping: ") as caught:
        inferred(shared_data / "adventureworks_prospects" / "ProspectiveBuyer.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", [one for one, *_ in (*USERS, *EVENTS)])
def test_the_first_row_and_all_rows_give_the_same_proposal(shared_data: Path, file: str) -> None:
    """Field by column and what the rows are, on 1, 2, 3 and 30 rows and on all."""
    source = open_source(shared_data / file)
    sample, _ = peek(source, SAMPLE_ROWS)

    def proposed(rows: int) -> tuple[str, dict[str, list[str]]]:
        batches = pa.Table.from_batches(sample).slice(0, rows).to_batches()
        found = infer(source.columns, sample=batches)
        lines = [line for line in found.lines if line.active and line.field != "traits"]
        return found.kind, {line.field: columns_of(line.written) for line in lines}

    assert [proposed(rows) for rows in (1, 2, 3, 30)] == [proposed(SAMPLE_ROWS)] * 4


def test_a_file_that_is_no_table(shared_data: Path) -> None:
    """Aligned by spaces: the source refuses it, before a mapping is proposed."""
    with pytest.raises(SourceError, match="aligned by spaces"):
        inferred(shared_data / "cdnow" / "CDNOW_master.txt")


def test_northwind_in_three_encodings(shared_data: Path) -> None:
    """The same rows show the same in each file; a remark names the lines of the ragged file that cannot be read."""
    one, *others = (
        inferred(shared_data / "northwind" / name).mapping
        for name in ("customers.csv", "customers_cp1252_semicolon.csv", "customers_utf16_tab.txt")
    )
    assert others == [one, one]
    ragged = inferred(shared_data / "northwind" / "customers_ragged.csv")
    assert "24 of the rows cannot be read: they count as empty here, and are refused" in ragged.remarks


def test_every_file_gives_a_mapping_or_says_why_not(shared_data: Path, tmp_path: Path) -> None:
    """All of them, odd and broken ones too: what is printed reads back as the same, or a line says what is wrong.

    None has the headings of a preset's export, and none is taken for one.
    """
    refused = []
    for path in sorted(shared_data.rglob("*")):
        if path.is_dir() or path.suffix == ".md":
            continue
        try:
            found = inferred(path)
        except UsageError as error:
            refused.append(str(error))
            continue
        printed = tmp_path / "mapping.yaml"
        printed.write_text(found.to_yaml(), encoding="utf-8")
        assert read_mapping(printed) == found.mapping, path
        assert found.preset is None, path
    assert [one for one in refused if not one or "\n" in one or "Error" in one] == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "telco_churn/Telco-Customer-Churn.csv",
            {"SeniorCitizen": "number", "Partner": "boolean", "MultipleLines": "string", "TotalCharges": "number"},
        ),
        (
            "kylo_userdata/userdata2.csv",
            {"birthdate": "date %m/%d/%Y", "salary": "number", "cc": "string", "comments": "string"},
        ),
        (
            "crm_exports/klaviyo_person.csv",
            {
                "custom_expected_date_of_next_order": "date %m/%d/%Y",
                "custom_first_purchase_date_": "date",
                "last_event_date": "datetime",
                "custom_shopify_tags": "list",
                "custom_accepts_marketing": "boolean",
            },
        ),
        ("crm_exports/hubspot_contact_data.csv", {"property_hs_merged_object_ids": "list ;"}),
        ("chinook/customers.csv", {"PostalCode": "string", "SupportRepId": "string"}),
        ("crm_exports/shopify_customer_data.csv", {"tax_exempt": "boolean", "default_address_id": "string"}),
    ],
)
def test_the_types_of_what_is_odd(shared_data: Path, file: str, expected: dict[str, str]) -> None:
    """What SOURCE.md says of a column, found in its values."""
    found = types(inferred(shared_data / file))
    assert {name: found.get(name) for name in expected} == expected
