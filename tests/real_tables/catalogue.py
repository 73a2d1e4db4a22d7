"""Real tables, the mapping that a person would write for each, and how many rows end how.

The counts are those that each folder's SOURCE.md implies; `python -m tests.real_tables` prints them as a table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from interakt_loader.model import Kind


@dataclass(frozen=True)
class Case:
    """One table, how it is loaded, and what comes of it."""

    name: str
    path: str
    """Below the folder of real tables."""
    kind: Kind
    mapping: dict[str, Any]
    sent: int
    refused: dict[str, int] = field(default_factory=dict)
    """Rows that are not accepted, by code; `rejected` are those whose phone another user id of the table holds,
    or begins with a 0, which the API's documents forbid."""
    noted: dict[str, int] = field(default_factory=dict)
    """Rows that are sent with something changed, by the code of the first note."""
    options: dict[str, Any] = field(default_factory=dict)
    too_many_to_send: bool = False
    """It is checked and not sent: what could be sent counts as sent."""


_PROSPECT: dict[str, Any] = {
    "user_id": "column_1",
    "traits": {
        "First name": "column_3",
        "Email": "column_9",
        "Born": {"column": "column_6", "type": "date", "format": "%Y-%m-%d %H:%M:%S.%f"},
        "Income": {"column": "column_10", "type": "number"},
        "Owns a house": {"column": "column_15", "type": "boolean"},
    },
}
_CHINOOK: dict[str, Any] = {"user_id": "CustomerId", "phone": "Phone", "country_code": "Country", "traits": "*"}
_NORTHWIND: dict[str, Any] = {"user_id": "CustomerID", "phone": "Phone", "country_code": "Country", "traits": "*"}
_ORDER: dict[str, Any] = {"user_id": "CustomerID", "event": {"value": "Order Placed"}, "traits": "*"}
_US_DATE = "%m/%d/%Y"
_SHOPIFY_TIME = {"column": "created_at", "type": "datetime"}

CASES = [
    Case(
        "prospects, phones as the identity's second half",
        "adventureworks_prospects/ProspectiveBuyer.csv",
        "user",
        {**_PROSPECT, "phone": "column_22"},
        sent=483,
        refused={"phone_invalid": 1570, "rejected": 6},
        options={"default_country": "US"},
    ),
    Case(
        "prospects, by their key alone",
        "adventureworks_prospects/ProspectiveBuyer.csv",
        "user",
        {**_PROSPECT, "traits": {**_PROSPECT["traits"], "Phone": "column_22"}},
        sent=2059,
    ),
    Case(
        "baskets",
        "cdnow/cdnow.parquet",
        "event",
        {"user_id": "customer_id", "event": {"value": "Purchase"}, "created_at": "date", "traits": "*"},
        sent=69_659,
        too_many_to_send=True,
    ),
    Case(
        "baskets in aligned text",
        "cdnow/CDNOW_master.txt",
        "event",
        {
            "user_id": "customer_id",
            "event": {"value": "Purchase"},
            "created_at": {"column": "date", "format": "%Y%m%d"},
            "traits": ["*", *({"column": name, "type": "number"} for name in ("number_of_cds", "dollar_value"))],
        },
        sent=69_659,
        options={"delimiter": " "},
        too_many_to_send=True,
    ),
    Case(
        "customers, countries by name",
        "chinook/customers.csv",
        "user",
        _CHINOOK,
        sent=55,
        refused={"phone_invalid": 3, "rejected": 1},
    ),
    Case(
        "customers, possible phones too",
        "chinook/customers.csv",
        "user",
        _CHINOOK,
        sent=56,
        refused={"phone_invalid": 1, "rejected": 2},
        options={"phones": "possible"},
    ),
    Case(
        "invoices",
        "chinook/invoices.csv",
        "event",
        {
            "user_id": "CustomerId",
            "event": {"value": "Invoice Paid"},
            "created_at": "InvoiceDate",
            "traits": ["*", {"column": "Total", "type": "number"}],
        },
        sent=412,
    ),
    Case(
        "HubSpot contacts of a warehouse",
        "crm_exports/hubspot_contact_data.csv",
        "user",
        {
            "user_id": "id",
            "created_at": "property_createdate",
            "traits": {
                "email": "property_email",
                "merged": {"column": "property_hs_merged_object_ids", "type": "list", "separator": ";"},
            },
        },
        sent=22,
    ),
    Case(
        "Shopify customers of a warehouse",
        "crm_exports/shopify_customer_data.csv",
        "user",
        {
            "user_id": "id",
            "phone": "phone",
            "created_at": _SHOPIFY_TIME,
            "traits": [
                "email",
                {"column": "orders_count", "type": "number"},
                {"column": "total_spent", "type": "number"},
                {"column": "accepts_marketing", "type": "boolean"},
            ],
        },
        sent=4,
    ),
    Case(
        "Shopify customers, newer, with made-up phones",
        "crm_exports/shopify_gql_customer_data.csv",
        "user",
        {"user_id": "id", "phone": "phone", "created_at": _SHOPIFY_TIME, "traits": ["email", "note"]},
        sent=1,
        refused={"phone_invalid": 9},
        options={"default_country": "+1"},
    ),
    Case(
        "Shopify addresses, the country in ISO letters",
        "crm_exports/shopify_gql_customer_address_data.csv",
        "user",
        {"user_id": "customer_id", "phone": "phone", "country_code": "country_code", "traits": ["city", "zip"]},
        sent=1,
        refused={"phone_invalid": 6, "rejected": 3},
    ),
    Case(
        "Shopify tags in long form",
        "crm_exports/shopify_gql_customer_tag_data.csv",
        "user",
        {"user_id": "customer_id", "tags": "value", "traits": []},
        sent=10,
    ),
    Case(
        "Klaviyo people",
        "crm_exports/klaviyo_person.csv",
        "user",
        {
            "user_id": "id",
            "phone": "phone_number",
            "created_at": "created",
            "traits": [
                "city",
                {"column": "latitude", "type": "number"},
                {"column": "custom_accepts_marketing", "type": "boolean"},
            ],
        },
        sent=1,
        refused={"rejected": 1},
    ),
    Case(
        "Klaviyo events",
        "crm_exports/klaviyo_event.csv",
        "event",
        {"user_id": "person_id", "event": "type", "created_at": "datetime", "traits": ["property_attribution"]},
        sent=4,
    ),
    Case(
        "customers of a dbt project",
        "jaffle_shop/raw_customers.csv",
        "user",
        {"user_id": "id", "traits": ["first_name", "last_name"]},
        sent=100,
    ),
    Case(
        "orders of a dbt project",
        "jaffle_shop/raw_orders.csv",
        "event",
        {
            "user_id": "user_id",
            "event": {"value": "Order Placed"},
            "created_at": "order_date",
            "traits": {"orderNumber": "id", "status": "status"},
        },
        sent=99,
    ),
    Case(
        "users with hostile text",
        "kylo_userdata/userdata1.parquet",
        "user",
        {"user_id": "id", "traits": "*"},
        sent=1000,
        noted={"null_word": 6},
    ),
    Case(
        "users with hostile text and dates month first",
        "kylo_userdata/userdata2.csv",
        "user",
        {
            "user_id": "id",
            "created_at": "registration_dttm",
            "traits": [
                "*",
                {"column": "birthdate", "type": "date", "format": _US_DATE},
                {"column": "salary", "type": "number"},
            ],
        },
        sent=1000,
        noted={"null_word": 4},
    ),
    *(
        Case(f"customers {form}", f"northwind/{path}", "user", _NORTHWIND, 45, {"phone_invalid": 43, "rejected": 3})
        for form, path in (
            ("in UTF-8, commas", "customers.csv"),
            ("in cp1252, semicolons", "customers_cp1252_semicolon.csv"),
            ("in UTF-16, tabs", "customers_utf16_tab.txt"),
        )
    ),
    Case(
        "customers, possible phones too",
        "northwind/customers.csv",
        "user",
        _NORTHWIND,
        sent=72,
        refused={"phone_invalid": 15, "rejected": 4},
        options={"phones": "possible"},
    ),
    Case(
        "customers, phones as they stand",
        "northwind/customers.csv",
        "user",
        _NORTHWIND,
        sent=70,
        refused={"rejected": 21},
        options={"phones": "as-is"},
    ),
    Case(
        "customers with unquoted commas",
        "northwind/customers_ragged.csv",
        "user",
        {"user_id": "customerID", "traits": "*"},
        sent=67,
        refused={"row_unreadable": 24},
        options={"null_values": "NULL"},
    ),
    Case(
        "employees",
        "northwind/employees.csv",
        "user",
        {"user_id": "employeeID", "phone": "homePhone", "country_code": "country", "traits": ["firstName", "title"]},
        sent=5,
        refused={"phone_invalid": 4},
    ),
    Case(
        "orders, the format of their dates not said",
        "northwind/orders.csv",
        "event",
        {**_ORDER, "created_at": "OrderDate"},
        sent=0,
        refused={"not_a_datetime": 830},
    ),
    Case(
        "orders, month first",
        "northwind/orders.csv",
        "event",
        {
            **_ORDER,
            "created_at": {"column": "OrderDate", "format": _US_DATE},
            "traits": [
                "*",
                {"column": "ShippedDate", "type": "date", "format": _US_DATE},
                {"column": "Freight", "type": "number"},
            ],
        },
        sent=830,
    ),
    Case(
        "orders with unquoted commas",
        "northwind/orders_ragged.csv",
        "event",
        {"user_id": "customerID", "event": {"value": "Order Placed"}, "created_at": "orderDate", "traits": "*"},
        sent=654,
        refused={"row_unreadable": 176},
        options={"null_values": "NULL"},
    ),
    Case(
        "a year of a shop",
        "online_retail/online_retail.parquet",
        "event",
        {
            "user_id": "CustomerID",
            "event": {"value": "Item Purchased"},
            "created_at": {"column": "InvoiceDate", "timezone": "Europe/London"},
            "traits": "*",
        },
        sent=406_829,
        refused={"identity_missing": 135_080},
        noted={"white_space_tidied": 951},
        too_many_to_send=True,
    ),
    Case(
        "three days of a shop",
        "online_retail/*.csv",
        "event",
        {
            "user_id": "CustomerID",
            "event": {"value": "Item Purchased"},
            "created_at": {"column": "InvoiceDate", "timezone": "Europe/London"},
            "traits": ["*", {"column": "Quantity", "type": "number"}, {"column": "UnitPrice", "type": "number"}],
        },
        sent=1617,
        refused={"identity_missing": 696},
        noted={"white_space_tidied": 1},
    ),
    *(
        Case(
            f"phones of every region, {form}",
            "phone_examples/phone_examples.csv",
            "user",
            {"phone": form, "country_code": "region", "traits": ["type"]},
            sent=371,
            refused={"rejected": 9},  # the zero belongs to the number; the sandbox takes the documents at their word
        )
        for form in ("e164", "international", "national", "rfc3966")
    ),
    Case(
        "customers of a telephone company",
        "telco_churn/Telco-Customer-Churn.csv",
        "user",
        {
            "user_id": "customerID",
            "traits": [
                "*",
                *({"column": name, "type": "boolean"} for name in ("Partner", "Churn", "SeniorCitizen")),
                *({"column": name, "type": "number"} for name in ("tenure", "MonthlyCharges", "TotalCharges")),
            ],
        },
        sent=7043,
    ),
]
