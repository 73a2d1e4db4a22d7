"""Each preset against the headings of its export and rows as such exports have them; how a preset is found."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from interakt_loader import load_events
from interakt_loader.errors import MappingError
from interakt_loader.mapping import Mapping, Preparation, read_mapping
from interakt_loader.mapping import presets as catalogue
from interakt_loader.mapping.infer.infer import infer
from interakt_loader.mapping.presets import preset, presets, recognise
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source, peek

HEADINGS = {
    "shopify-customers": [
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
        "Default Address Address1,Default Address Address2,Default Address City,Default Address Province Code,"
        "Default Address Country Code,Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,"
        "Total Spent,Total Orders,Note,Tax Exempt,Tags",
        "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,Province Code,"
        "Country,Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt",
        "First Name,Last Name,Email,Company,Address1,Address2,City,Province,Province Code,Country,Country Code,Zip,"
        "Phone,Accepts Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt",
    ],
    "shopify-orders": [
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,"
        "Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
        "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
        "Lineitem fulfillment status,Billing Name,Billing Street,Billing City,Billing Zip,Billing Province,"
        "Billing Country,Billing Phone,Shipping Name,Shipping City,Shipping Country,Shipping Phone,Notes,Cancelled at,"
        "Payment Method,Refunded Amount,Vendor,Id,Tags,Risk Level,Source,Phone,Receipt Number",
    ],
    "woocommerce-customers": [
        "Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City,Region,Postal Code,"
        "Billing Phone,Shipping Phone,Role",
    ],
    "woocommerce-customers-older": [
        "Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City,Region,Postal Code",
    ],
    "woocommerce-orders": [
        "Order Number,Order Status,Order Date,Customer Note,First Name (Billing),Last Name (Billing),"
        "Company (Billing),Address 1&2 (Billing),City (Billing),State Code (Billing),Postcode (Billing),"
        "Country Code (Billing),Email (Billing),Phone (Billing),Payment Method Title,Cart Discount Amount,"
        "Order Subtotal Amount,Order Total Amount,SKU,Item Name,Quantity,Item Cost,Coupon Code",
        "order_id,order_number,order_date,paid_date,status,shipping_total,tax_total,order_total,order_currency,"
        "payment_method,customer_id,billing_first_name,billing_last_name,billing_email,billing_phone,billing_city,"
        "billing_country,customer_note",
    ],
    "woocommerce-orders-report": [
        "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),N. Revenue",
        "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net Sales,"
        "Attribution",
    ],
    "hubspot-contacts": [
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Create Date",
        "Record ID - Contact,First Name,Last Name,Email,Phone Number,Contact owner,Last Activity Date,Lead Status,"
        "Marketing contact status,Create Date,Record ID - Company,Company name",
    ],
    "zoho-contacts": [
        "Record Id,Lead Source,First Name,Last Name,Email,Phone,Mobile,Created Time",
        "Record Id,Contact Owner.id,Contact Owner,Lead Source,First Name,Last Name,Account Name.id,Account Name,Email,"
        "Title,Phone,Mobile,Created By,Created Time,Modified Time,Mailing City,Mailing Country,Email Opt Out,Tag",
    ],
    "razorpay-payments": [
        "id,amount,currency,status,order_id,invoice_id,international,method,amount_refunded,amount_transferred,"
        "refund_status,captured,description,card_id,card,bank,wallet,vpa,email,contact,notes,fee,tax,error_code,"
        "error_description,created_at,card_type,card_network",
        "Payment ID,Amount,Currency,Status,Order ID,Payment Method,Customer Email,Customer Contact,Created At,Fee,Tax",
    ],
    "interakt-contacts": [
        "Name,Country Code,Phone Number,Email,WhatsApp Opted,User ID,Area,City",
    ],
}
"""Headings as the exports have them, the generations in turn."""

BY_HEADING = [(name, line.split(",")) for name, lines in HEADINGS.items() for line in lines]


def bodies(name: str, rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the calls that rows of an export become, with the problem's code or the carrier in place of a body."""
    cells = {column: pa.array([row.get(column, "") for row in rows], pa.string()) for column in columns}
    found = preset(name)
    prepare = Preparation(Mapping.of(found.fitted(columns)), found.kind, Settings())
    batches = [pa.RecordBatch.from_pydict(cells)]
    if prepare.mapping.group_by is not None:
        batches = [*prepare.whole_groups(iter(batches), None)]
    firsts = itertools.accumulate(map(len, batches), initial=0)
    prepared = [row for batch, first in zip(batches, firsts, strict=False) for row in prepare(batch, first).to_pylist()]
    keys = ("code", "carrier")
    return [
        json.loads(row["body"]) if row["body"] else {key: row[key] for key in keys if row[key] is not None}
        for row in prepared
    ]


def test_every_preset_has_headings_here() -> None:
    """None goes untested, and each has a line that says where the export comes from."""
    assert presets().keys() == HEADINGS.keys()
    assert all(one.description for one in presets().values())


@pytest.mark.parametrize(("name", "columns"), BY_HEADING)
def test_an_export_is_recognised_by_its_headings(name: str, columns: list[str]) -> None:
    """Each generation, in any order of the columns and any case, is this export and no other."""
    for headings in (columns, columns[::-1], [one.upper() for one in columns], [f" {one} " for one in columns]):
        found = recognise(headings)
        assert found is not None
        assert found.name == name


@pytest.mark.parametrize(
    "columns",
    [
        ["customer_id", "mobile", "name"],
        ["id", "first_name", "last_name", "email", "phone", "created_at"],
        ["Name", "Email", "Phone"],
        [],
    ],
)
def test_other_tables_are_no_export(columns: list[str]) -> None:
    """What many tables have makes none of them an export of a shop."""
    assert recognise(columns) is None


@pytest.mark.parametrize(("name", "columns"), BY_HEADING)
def test_a_preset_fits_its_file_as_it_is(name: str, columns: list[str]) -> None:
    """The mapping names only columns that the file has, and is what an inferred file of it reads as."""
    found = preset(name)
    if found.refused is not None:
        with pytest.raises(MappingError, match="neither a phone nor an id"):
            Mapping.of(found.fitted(columns))
        return
    mapping = Mapping.of(found.fitted(columns))
    assert set(mapping.columns()) <= set(columns)
    assert mapping.kind == found.kind
    assert infer(columns).mapping == mapping
    assert infer(columns).preset == name


def test_two_presets_that_fit_alike_are_told() -> None:
    """A tie is never broken in silence."""
    columns = HEADINGS["interakt-contacts"][0].split(",")
    twins = [replace(preset("interakt-contacts"), name=name) for name in ("one", "two")]
    with pytest.raises(MappingError, match="fit the presets one and two equally"):
        recognise(columns, twins)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    """A near name is offered; underscores and capitals do not matter."""
    assert preset("Shopify_Orders").name == "shopify-orders"
    with pytest.raises(
        MappingError, match=r"no preset 'shopify-order'; did you mean 'shopify-orders'\?.*zoho-contacts"
    ):
        preset("shopify-order")


def test_what_a_file_must_have_is_named_all_at_once() -> None:
    """Two columns short: one message with both, and what would do in their place."""
    with pytest.raises(MappingError) as caught:
        preset("razorpay-payments").fitted(["id", "amount", "contacts"])
    assert "no such column: 'contact' or 'Customer Contact'; did you mean 'contacts'?" in str(caught.value)
    assert "'created_at' or 'Created At'" in str(caught.value)


def test_a_preset_by_name_takes_a_file_that_lacks_the_rest() -> None:
    """Only what is required is; the rest is left out."""
    found = preset("shopify-customers")
    assert found.fitted(["Phone", "Email", "Loyalty"]) == {
        "phone": "Phone",
        "traits": [{"column": "Email", "name": "email", "type": "string", "guard": "'"}, "*"],
    }
    inferred = infer(["Phone", "Email", "Loyalty"], preset=found)
    assert any(note.startswith("Not in this table: Customer ID, Default Address Phone") for note in inferred.notes)


def test_a_preset_that_is_asked_for_on_another_table_is_said_at_load() -> None:
    """Most of its columns are missing: their names are among the remarks, which a load shows before it sends."""
    found = preset("shopify-customers")
    (said,) = infer(["Phone", "Email", "Loyalty"], preset=found).remarks
    assert said.startswith("the table has 2 of the 23 columns of preset shopify-customers; missing: Customer ID, ")
    assert "Default Address Zip" in said
    of_today = HEADINGS["shopify-customers"][0].split(",")
    assert infer(of_today, preset=found).remarks == ()


OTHER_EXPORTS = {
    "HubSpot, deals": "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Create Date",
    "HubSpot, companies": "Record ID,Company name,Company owner,Create Date,Phone Number,Last Activity Date,City",
    "HubSpot, tickets with contacts": "Record ID - Ticket,Ticket name,Record ID - Contact,Email,Create Date",
    "a CRM with record ids": "Record ID,First Name,Last Name,Email,Phone Number",
    "Zoho, leads": "Record Id,Lead Owner,First Name,Last Name,Email,Mobile,Lead Source,Created Time,Lead Status",
    "Zoho, deals": "Record Id,Deal Owner,Deal Name,Amount,Stage,Closing Date,Contact Name,Created Time",
    "Salesforce, contacts": "Contact ID,Salutation,First Name,Last Name,Title,Account Name,Phone,Mobile,Email",
    "Salesforce, leads": "Lead ID,First Name,Last Name,Company,Email,Phone,Mobile,Lead Source,Lead Status,Create Date",
    "Mailchimp": "Email Address,First Name,Last Name,Address,Phone Number,MEMBER_RATING,OPTIN_TIME,LEID,EUID,TAGS",
    "Klaviyo": "Email,Klaviyo ID,First Name,Last Name,Phone Number,Address,City,Country,Profile Created On",
    "Pipedrive": "Person - ID,Person - Name,Person - Phone,Person - Email,Person - Owner",
    "Freshsales": "ID,First name,Last name,Emails,Mobile,Work,Owner,Lifecycle stage,Created at",
    "Square": "Reference ID,First Name,Last Name,Email Address,Phone Number,Street Address 1,City,State,Postal Code",
    "BigCommerce": "Customer ID,Customer Name,Company,Email,Phone,Notes,Date Joined,Addresses,Tax Exempt Category",
    "Magento": "ID,Name,Email,Group,Phone,ZIP,Country,State/Province,Customer Since,Web Site",
    "addresses of a courier": "First Name,Last Name,Address1,Address2,City,Province Code,Country Code,Zip,Phone",
    "another shop's orders": "order_id,order_date,billing_email,billing_phone,amount",
    "orders of a marketplace": "Order Number,Order Status,Order Date,Phone,Amount",
    "Razorpay, refunds": "id,amount,currency,payment_id,notes,receipt,status,speed_processed,created_at",
    "Razorpay, orders": "id,amount,amount_paid,currency,receipt,offer_id,status,attempts,notes,created_at",
    "another gateway": "Payment ID,Amount,Status,Customer Contact,Customer Email,Created At",
    "Stripe, customers": "id,Description,Email,Name,Created (UTC),Delinquent,Card ID,Card Last4,Phone",
    "another WhatsApp sender": "Name,Country Code,Phone Number,Tags,Opted In,Created At",
    "Wati": "name,phone,allowBroadcast,allowSMS,created_at",
    "a blog's users": "Name,Username,Email,Role,Posts,Sign Up",
}
"""Headings of exports that share some with one of the presets."""


@pytest.mark.parametrize("name", OTHER_EXPORTS)
def test_an_export_that_only_shares_headings_is_no_preset(name: str) -> None:
    """It is not taken for the one that it resembles."""
    assert recognise(OTHER_EXPORTS[name].split(",")) is None


@pytest.mark.parametrize(("name", "columns"), BY_HEADING)
def test_two_headings_of_an_export_make_no_preset(name: str, columns: list[str]) -> None:
    """Any two of them beside the headings that every table has."""
    for pair in itertools.combinations(columns, 2):
        assert recognise([*pair, "Name of shop", "Remarks"]) is None


@pytest.mark.parametrize(
    ("written", "sent"),
    [("'682001", "682001"), ("'+91", "+91"), ("'=1+1", "=1+1"), ("'-5", "-5"), ("'@ann", "@ann"), ("'tis", "'tis"),
     ("O'Brien", "O'Brien"), ("'", "'"), ("''7", "''7"), ("7", "7")],
)  # fmt: skip
def test_shopifys_apostrophe_is_taken_off_text(written: str, sent: str) -> None:
    """Only where a spreadsheet would take the rest for a number or a formula; any other apostrophe is the value's."""
    row = {"Customer ID": "'7", "Default Address Zip": written, "Note": written}
    (body,) = bodies("shopify-customers", [row], HEADINGS["shopify-customers"][0].split(","))
    assert body["traits"] == {"Zip": sent, "Note": sent}


def test_consent_to_whatsapp_comes_only_from_a_column_that_says_so() -> None:
    """E-mail and SMS are other consents."""
    columns = [*HEADINGS["shopify-customers"][0].split(","), "Accepts WhatsApp Marketing"]
    rows = [{"Customer ID": "'7", "Accepts Email Marketing": "yes", "Accepts SMS Marketing": "yes"}]
    assert "whatsapp_opted_in" not in bodies("shopify-customers", rows, columns)[0]["traits"]
    rows[0]["Accepts WhatsApp Marketing"] = "yes"
    assert bodies("shopify-customers", rows, columns)[0]["traits"]["whatsapp_opted_in"] is True


# ------------------------------------------------------------------------------ rows


def test_shopify_customers() -> None:
    """Apostrophes come off ids and phones, the address's phone stands in, yes and no are booleans, tags a list."""
    rows = [
        {
            "Customer ID": "'7210448301122",
            "First Name": "Asha",
            "Last Name": "Rao",
            "Email": "asha@example.com",
            "Accepts Email Marketing": "yes",
            "Default Address City": "Pune",
            "Default Address Country Code": "IN",
            "Default Address Phone": "'+919876543210",
            "Total Spent": "1200.50",
            "Total Orders": "3",
            "Tax Exempt": "no",
            "Tags": "vip, diwali",
        },
        {"Customer ID": "'7210448301123", "Phone": "'+573001112233", "Default Address Country Code": "IN"},
    ]
    asha, other = bodies("shopify-customers", rows, HEADINGS["shopify-customers"][0].split(","))
    assert asha == {
        "userId": "7210448301122",
        "countryCode": "+91",
        "phoneNumber": "9876543210",
        "tags": ["vip", "diwali"],
        "traits": {
            "name": "Asha Rao",
            "First Name": "Asha",
            "Last Name": "Rao",
            "email": "asha@example.com",
            "Accepts Email Marketing": True,
            "City": "Pune",
            "Total Spent": 1200.5,
            "Total Orders": 3,
            "Tax Exempt": False,
        },
    }
    assert (other["countryCode"], other["phoneNumber"]) == ("+57", "3001112233")


@pytest.mark.parametrize(("columns", "consent"), [(one.split(","), None) for one in HEADINGS["shopify-customers"][1:]])
def test_older_shopify_customers(columns: list[str], consent: None) -> None:
    """Without a Customer ID the phone says who it is; the traits have the names of today."""
    marketing = next(one for one in columns if one in ("Accepts Email Marketing", "Accepts Marketing"))
    row = {"First Name": "Asha", "Country Code": "IN", "Country": "India", "Phone": "98765 43210", marketing: "yes"}
    assert bodies("shopify-customers", [row | {"Zip": "011001"}], columns) == [
        {
            "countryCode": "+91",
            "phoneNumber": "9876543210",
            "traits": {
                "name": "Asha",
                "First Name": "Asha",
                "Accepts Email Marketing": True,
                "Country": "India",
                "Zip": "011001",
            },
        }
    ]


def test_shopify_orders() -> None:
    """An order is one event with its items as lists of the same length, whose first row alone has the phone."""
    rows = [
        {
            "Name": "#1001",
            "Id": "5501",
            "Financial Status": "paid",
            "Created at": "2023-05-16 12:33:21 +0530",
            "Total": "499.00",
            "Lineitem name": "Mug",
            "Lineitem quantity": "2",
            "Lineitem price": "199.50",
            "Lineitem sku": "M-1",
            "Billing Name": "Asha Rao",
            "Billing Country": "IN",
            "Billing Phone": "'09876543210",
        },
        {
            "Name": "#1001",
            "Created at": "2023-05-16 12:33:21 +0530",
            "Lineitem name": "Plate",
            "Lineitem quantity": "1",
            "Lineitem price": "100.00",
        },
        {"Name": "#1002", "Created at": "2023-05-17 12:33:21 +0530", "Phone": "9876543211", "Lineitem name": "Mug"},
    ]
    first, second, other = bodies("shopify-orders", rows, HEADINGS["shopify-orders"][0].split(","))
    assert first == {
        "countryCode": "+91",
        "phoneNumber": "9876543210",
        "event": "Order Placed",
        "createdAt": "2023-05-16T07:03:21.000Z",
        "traits": {
            "Order": "#1001",
            "Order ID": "5501",
            "Financial Status": "paid",
            "Total": 499.0,
            "name": "Asha Rao",
            "Items": ["Mug", "Plate"],
            "Item SKUs": ["M-1", "-"],
            "Item quantities": [2, 1],
            "Item prices": [199.5, 100.0],
        },
    }
    assert second == {"carrier": 0}
    assert (other["phoneNumber"], other["traits"]["Items"]) == ("9876543211", ["Mug"])


def test_an_ordinary_export_of_orders_ends_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """Orders of one and of two items: each is one call, every row has its line, and no row fails."""
    columns = HEADINGS["shopify-orders"][0].split(",")
    first = {"Created at": "2023-05-16 12:33:21 +0530", "Total": "499.00", "Phone": "'+919876543210"}
    item = {"Created at": "2023-05-16 12:33:21 +0530", "Lineitem name": "Mug", "Lineitem quantity": "1"}
    path = tmp_path / "orders_export.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows([{"Name": "#1"} | item | first, {"Name": "#1"} | item, {"Name": "#2"} | item | first])
    result = load_events(path, api_key=sandbox.api_key, base_url=sandbox.url)
    assert (result.rows, result.ok, result.sent, result.merged) == (3, True, 2, 1)
    traits = [event.traits for event in sandbox.events()]
    assert [(one["Order"], one["Items"]) for one in traits] == [("#1", ["Mug", "Mug"]), ("#2", ["Mug"])]


def test_woocommerce_customers() -> None:
    """By the billing phone, or else the shipping phone; guests have no username and load all the same."""
    rows = [
        {"Name": "Asha", "Sign Up": "2024-01-31 10:20:30", "Total Spend": "1200.5", "Shipping Phone": "9876543210"},
        {"Name": "Nobody", "Username": "nobody"},
    ]
    asha, nobody = bodies("woocommerce-customers", rows, HEADINGS["woocommerce-customers"][0].split(","))
    assert asha == {
        "countryCode": "+91",
        "phoneNumber": "9876543210",
        "createdAt": "2024-01-31T10:20:30.000Z",
        "traits": {"name": "Asha", "Total Spend": 1200.5},
    }
    assert nobody == {"code": "identity_missing"}


def test_older_woocommerce_customers() -> None:
    """Without any phone the username is the id, and a guest has none."""
    rows = [{"Name": "Asha", "Username": "asha", "AOV": "10", "Postal Code": "011001"}, {"Name": "Guest"}]
    columns = HEADINGS["woocommerce-customers-older"][0].split(",")
    assert bodies("woocommerce-customers-older", rows, columns) == [
        {"userId": "asha", "traits": {"name": "Asha", "Average order value": 10, "Postal Code": "011001"}},
        {"code": "identity_missing"},
    ]


@pytest.mark.parametrize("columns", [one.split(",") for one in HEADINGS["woocommerce-orders"]])
def test_woocommerce_orders(columns: list[str]) -> None:
    """The headings in words and those of field names make the same event; each row of an order may be an item."""
    order = (
        {"Order Number": "17", "Order Date": "2024-01-31 10:20", "Phone (Billing)": "9876543210"}
        | {"Order Total Amount": "1,299.00", "Country Code (Billing)": "IN"}
        | {"order_number": "17", "order_date": "2024-01-31 10:20", "billing_phone": "9876543210"}
        | {"order_total": "1,299.00", "billing_country": "IN"}
        | {"First Name (Billing)": "Asha", "Last Name (Billing)": "Rao"}
        | {"billing_first_name": "Asha", "billing_last_name": "Rao"}
    )
    rows = [order | {"Item Name": "Mug", "Quantity": "2", "SKU": "M-1"}, order | {"Item Name": "Plate"}]
    items: dict[str, Any] = {"First Name": "Asha", "Last Name": "Rao"}
    if "Item Name" in columns:
        items |= {"Items": ["Mug", "Plate"], "Item SKUs": ["M-1", "-"], "Item quantities": [2, 0]}
        items |= {"Item prices": [0, 0]}
    assert bodies("woocommerce-orders", rows, columns) == [
        {
            "countryCode": "+91",
            "phoneNumber": "9876543210",
            "event": "Order Placed",
            "createdAt": "2024-01-31T10:20:00.000Z",
            "traits": {"Order": "17", "Total": 1299.0, "name": "Asha Rao"} | items,
        },
        {"carrier": 0},
    ]


@pytest.mark.parametrize("columns", [one.split(",") for one in HEADINGS["hubspot-contacts"]])
def test_hubspot_contacts(columns: list[str]) -> None:
    """The record's id under both of its labels; the contact's, not the company's."""
    row = {
        "Record ID": "101",
        "Record ID - Contact": "101",
        "Record ID - Company": "9",
        "Phone Number": "+44 7911 123456",
        "Lead Status": "New",
    }
    (body,) = bodies("hubspot-contacts", [row | {"Create Date": "2024-03-12 09:14", "Last Name": "Rao"}], columns)
    assert body["userId"] == "101"
    assert (body["countryCode"], body["phoneNumber"]) == ("+44", "7911123456")
    assert body["createdAt"] == "2024-03-12T09:14:00.000Z"
    assert body["traits"] == {"name": "Rao", "Last Name": "Rao", "lead_status_crm": "New"} | (
        {"Record ID - Company": "9"} if "Record ID - Company" in columns else {}
    )


def test_zoho_contacts() -> None:
    """Mobile before phone, the record's id as text, tags, and the flag that they want no mail."""
    columns = HEADINGS["zoho-contacts"][1].split(",")
    row = {"Record Id": "zcrm_4150868000000624001", "Mobile": "9876543210", "Phone": "020 2612 3456"}
    row |= {
        "Created Time": "2024-03-12 09:14:05",
        "Email Opt Out": "false",
        "Tag": "vip, pune",
        "Email": "a@example.com",
    }
    assert bodies("zoho-contacts", [row], columns) == [
        {
            "userId": "zcrm_4150868000000624001",
            "countryCode": "+91",
            "phoneNumber": "9876543210",
            "createdAt": "2024-03-12T09:14:05.000Z",
            "tags": ["vip", "pune"],
            "traits": {"email": "a@example.com", "Email Opt Out": False},
        }
    ]


def test_razorpay_payments() -> None:
    """As the API writes them: paise as they are, seconds since 1970."""
    row = {"id": "pay_29QQoUBi66xm2f", "amount": "49900", "status": "captured", "contact": "+919876543210"}
    row |= {"created_at": "1400826750", "captured": "true"}
    assert bodies("razorpay-payments", [row], HEADINGS["razorpay-payments"][0].split(",")) == [
        {
            "countryCode": "+91",
            "phoneNumber": "9876543210",
            "event": "Payment",
            "createdAt": "2014-05-23T06:32:30.000Z",
            "traits": {"Payment ID": "pay_29QQoUBi66xm2f", "Amount": 49900, "Status": "captured", "Captured": True},
        }
    ]


def test_interakt_contacts() -> None:
    """The country's digits without a plus, the opt-in as a boolean, and the columns of the merchant's own."""
    row = {
        "Name": "Asha",
        "Country Code": "91",
        "Phone Number": "9876543210",
        "WhatsApp Opted": "TRUE",
        "Area": "Baner",
    }
    assert bodies("interakt-contacts", [row], HEADINGS["interakt-contacts"][0].split(",")) == [
        {
            "countryCode": "+91",
            "phoneNumber": "9876543210",
            "traits": {"name": "Asha", "whatsapp_opted_in": True, "Area": "Baner"},
        }
    ]


# ------------------------------------------------------------------------------ with a look at the rows


def test_a_look_at_the_rows_mends_what_a_preset_cannot_know(tmp_path: Path) -> None:
    """A dashboard's report writes dates where the API counts seconds: the rows tell, and the comment says so."""
    path = tmp_path / "payments.csv"
    path.write_text(
        "id,amount,currency,status,order_id,method,contact,created_at\n"
        "pay_1,499.00,INR,captured,order_1,upi,+919876543210,16/05/2023 12:33:21\n"
        "pay_2,99.00,INR,failed,order_2,card,+919876543211,17/05/2023 01:02:03\n",
        encoding="utf-8",
    )
    source = open_source(path)
    found = infer(source.columns, sample=peek(source, 100)[0])
    assert found.preset == "razorpay-payments"
    assert found.mapping.as_dict()["created_at"] == {
        "column": "created_at",
        "type": "datetime",
        "format": "%d/%m/%Y %H:%M:%S",
    }
    reasons = {line.field: line.reason for line in found.lines}
    assert "the preset's datetime epoch_s does not fit '16/05/2023 12:33:21' in row 0" in reasons["created_at"]
    assert reasons["phone"] == "preset; all of 2 values are phone numbers of +91"


@pytest.mark.parametrize("name", ["razorpay-payments", "hubspot-contacts"])
def test_times_that_are_none_are_left_out_of_a_preset_and_told(name: str) -> None:
    """The time of an event has to be decided by a person; of a user it is good to know that it is not sent."""
    column = {"razorpay-payments": "created_at", "hubspot-contacts": "Create Date"}[name]
    columns = dict.fromkeys(HEADINGS[name][0].split(","), pa.array(["", ""]))
    columns[column] = pa.array(["some day", "never"])
    found = infer(list(columns), sample=[pa.RecordBatch.from_pydict(columns)])
    assert found.preset == name
    assert "created_at" not in found.mapping.as_dict()
    assert "# created_at: {" in found.to_yaml()
    told = found.open_questions if name == "razorpay-payments" else found.remarks
    assert any(one.startswith("created_at: the preset's datetime") and "'some day' in row 0" in one for one in told)


@pytest.mark.parametrize("cell", ["2024-01-31", "[1, 2]", "a lot"])
def test_a_list_of_items_whose_numbers_are_none_is_one_of_texts(cell: str) -> None:
    """Whatever the rows hold, the values of an order are collected."""
    columns = dict.fromkeys(HEADINGS["shopify-orders"][0].split(","), pa.array(["", ""]))
    columns |= {"Name": pa.array(["#1", "#1"]), "Lineitem price": pa.array([cell, cell])}
    found = infer(list(columns), sample=[pa.RecordBatch.from_pydict(columns)])
    price = dict(found.traits)["Item prices"]
    assert (price.collect, price.target.type) == (True, "string")


def test_a_preset_written_down_is_the_same_mapping(tmp_path: Path) -> None:
    """The commented file of each preset reads back as its mapping, with the notes about the export in it."""
    for name, columns in BY_HEADING:
        if preset(name).refused is None:
            found = infer(columns)
            path = tmp_path / "mapping.yaml"
            path.write_text(found.to_yaml(), encoding="utf-8")
            assert read_mapping(path) == found.mapping
            assert all(f"# {note}" in found.to_yaml() for note in preset(name).notes)


def test_a_preset_and_a_kind_that_contradict_are_told() -> None:
    """A preset that is asked for by name gives way to nothing; one that is recognised does to what was said."""
    columns = HEADINGS["interakt-contacts"][0].split(",")
    with pytest.raises(MappingError, match="preset interakt-contacts: its rows are users, not events"):
        infer(columns, "event", preset=preset("interakt-contacts"))
    assert infer(columns, event="Imported").preset is None


def test_an_event_that_is_given_goes_before_the_preset(tmp_path: Path) -> None:
    """`--event` names the events of a preset."""
    columns = HEADINGS["razorpay-payments"][0].split(",")
    assert infer(columns, event="Paid").mapping.as_dict()["event"] == {"value": "Paid"}


def test_the_files_say_nothing_that_is_not_read() -> None:
    """A misspelt key in a preset's file would be lost in silence."""
    folder = Path(catalogue.__file__).parent
    keys = {"description", "kind", "recognised_by", "not_with", "required", "guard", "mapping", "notes", "refused"}
    for path in folder.glob("*.yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")).keys() <= keys, path.name
