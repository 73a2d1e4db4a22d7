"""Tables of many trades, each with the mapping that a person would propose by its headings, and what is to be asked.

A column is written `Heading=what it holds`, columns between `|`; `CELLS` says how a cell of each sort is made.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST = ("Asha", "Ravi", "Meera", "Imran", "Divya", "Joseph", "Kiran", "Leela", "Nitin", "Priya", "Sunil", "Tara")
LAST = ("Rao", "Shah", "Nair", "Khan", "Iyer", "Das", "Patel")
CITIES = ("Pune", "Kochi", "Delhi", "Surat")
AREA_CODES = (212, 305, 415, 512, 617, 702, 818, 917, 972, 248)


def _mixed(n: int) -> int:
    """Return a number that looks drawn at random, the same each time."""
    return (n * 2_654_435_761 + 97_531) % 2**32


CELLS: dict[str, Callable[[int], str]] = {
    "n": str,
    "n1": lambda n: str(n + 1),
    "id": lambda n: f"C{n:04}",
    "number": lambda n: str(4000 + n),
    "own": lambda n: f"X-{20_000 + n}",
    "again": lambda n: f"C{_mixed(n) % 9:04}",
    "few": lambda n: f"P{_mixed(n) % 3}",
    "name": lambda n: f"{FIRST[n % 12]} {LAST[n % 7]}",
    "first": lambda n: FIRST[n % 12],
    "last": lambda n: LAST[n % 7],
    "email": lambda n: f"{FIRST[n % 12].lower()}{n}@example.com",
    "phone": lambda n: f"9{8 - n % 2}{_mixed(n) % 10**8:08}",
    "phone2": lambda n: f"97{_mixed(n + 1000) % 10**8:08}",
    "agent": lambda n: f"9800000{_mixed(n) % 3}00",
    "plus": lambda n: f"+91 98{_mixed(n) % 10**8:08}",
    "till": lambda n: "9999999999" if n % 4 else f"98{_mixed(n) % 10**8:08}",
    "sibling": lambda n: f"98{_mixed(n // 2) % 10**8:08}",
    "us": lambda n: f"{AREA_CODES[n % 10]}{200 + _mixed(n) % 700}{_mixed(n + 7) % 10**4:04}",
    "uae": lambda n: f"05{(0, 2, 4, 5, 6, 8)[n % 6]}{_mixed(n) % 10**7:07}",
    "uk": lambda n: f"07{(400, 500, 700, 800, 900)[n % 5] + 11}{_mixed(n) % 10**6:06}",
    "state": lambda n: ("TX", "NV", "OH", "NY")[n % 4],
    "emirate": lambda n: ("Dubai", "Sharjah")[n % 2],
    "postcode": lambda n: ("SW1A 1AA", "M1 1AE")[n % 2],
    "usd": lambda n: "USD",
    "inr": lambda n: "INR",
    "country": lambda n: ("India", "India", "United Arab Emirates")[n % 3],
    "iso": lambda n: "IN",
    "city": lambda n: CITIES[n % 4],
    "indian": lambda n: ("Maharashtra", "Kerala", "Delhi", "Gujarat")[n % 4],
    "pin": lambda n: f"41{1001 + n:04}",
    "date": lambda n: f"2026-0{1 + n % 9}-{1 + n % 28:02}",
    "time": lambda n: f"2026-0{1 + n % 9}-{1 + n % 28:02} 10:{n % 60:02}:00",
    "money": lambda n: f"{_mixed(n) % 9000 + 100}.50",
    "count": lambda n: str(_mixed(n) % 40),
    "words": lambda n: ("gold", "silver", "none yet")[n % 3],
    "event": lambda n: ("Viewed", "Bought", "Returned")[n % 3],
    "yes": lambda n: ("yes", "no")[n % 2],
    "blank": lambda n: "",
}


@dataclass(frozen=True)
class Table:
    """A table, and what is right for it."""

    name: str
    headings: str
    fields: dict[str, str] | None
    """Field by column; None where it is refused."""
    asks: set[str] = field(default_factory=set)
    """Fields that are asked, whatever the number of rows; `kind` is whether the rows are events."""
    asks_later: set[str] = field(default_factory=set)
    """Those that are asked once there are enough rows to show it."""
    kind: str = "user"

    @property
    def columns(self) -> list[str]:
        """The headings."""
        return [one.split("=")[0].strip() for one in self.headings.split("|")]

    def text(self, rows: int) -> str:
        """Return the table as CSV."""
        made = io.StringIO()
        writer = csv.writer(made, lineterminator="\n")
        writer.writerow(self.columns)
        sorts = [one.split("=")[1].strip() for one in self.headings.split("|")]
        writer.writerows([CELLS[sort](n) for sort in sorts] for n in range(rows))
        return made.getvalue()


ID, PHONE = "user_id", "phone"

TABLES = [
    # ------------------------------------------------------------- people, with nothing to ask
    Table("fair leads", "Sr No=n1|Name=name|Mobile No=phone|City=city|Interested In=words", {PHONE: "Mobile No"}),
    Table("fair leads with a date", "S.No.=n1|Date=date|Name=name|Contact No.=phone", {PHONE: "Contact No."}),
    Table("customers", "cust_id=id|phone=phone|city=city", {ID: "cust_id", PHONE: "phone"}),
    Table(
        "customers of an ERP",
        "CUST_CODE=id|CUST_NAME=name|MOBILE_NO=phone|GSTIN=own",
        {ID: "CUST_CODE", PHONE: "MOBILE_NO"},
    ),
    Table(
        "customers, camel case",
        "customerNo.=number|fullName=name|phoneNumber=phone",
        {ID: "customerNo.", PHONE: "phoneNumber"},
    ),
    Table("customers, glued words", "custid=id|custname=name|mobileno=phone", {ID: "custid", PHONE: "mobileno"}),
    Table(
        "customers with tags",
        "Customer ID=id|WhatsApp Number=phone|Tags=words|Created On=date",
        {ID: "Customer ID", PHONE: "WhatsApp Number", "tags": "Tags", "created_at": "Created On"},
    ),
    Table(
        "a Google form",
        "Timestamp=time|Full Name=name|Enter your WhatsApp number (with country code)=plus|City=city",
        {PHONE: "Enter your WhatsApp number (with country code)"},
    ),
    Table("loyalty cards", "Card No=own|Member Name=name|Mobile=phone|Points=count|Tier=words", {PHONE: "Mobile"}),
    Table(
        "loyalty members",
        "Member ID=id|Card No=own|Name=name|Mobile=phone|Points=count",
        {ID: "Member ID", PHONE: "Mobile"},
    ),
    Table(
        "gym",
        "Membership Plan=words|Member No=number|Name=name|Cell=phone|Joining Date=date|Expiry Date=date",
        {ID: "Member No", PHONE: "Cell", "created_at": "Joining Date"},
    ),
    Table(
        "webinar registrations",
        "First Name=first|Last Name=last|Email=email|Phone=phone|Registered At=time|Source=words",
        {PHONE: "Phone", "created_at": "Registered At"},
    ),
    Table(
        "agents call customers",
        "customer_id=id|agent_phone=agent|customer_phone=phone",
        {ID: "customer_id", PHONE: "customer_phone"},
    ),
    Table("customers of stores", "Store Name=few|Store Phone=agent|Customer Name=name|Mobile=phone", {PHONE: "Mobile"}),
    Table(
        "customers of representatives",
        "Client Code=id|Client Name=name|Sales Rep=few|Rep Mobile=agent|Mobile=phone",
        {ID: "Client Code", PHONE: "Mobile"},
    ),
    Table(
        "students with a phone of their own",
        "Student ID=id|Name=name|Student Mobile=phone|Father Mobile=phone2",
        {ID: "Student ID", PHONE: "Student Mobile"},
    ),
    Table(
        "patients",
        "Patient No.=id|Patient Name=name|Phone=phone|Emergency Contact No=phone2|Doctor Phone=agent",
        {ID: "Patient No.", PHONE: "Phone"},
    ),
    Table(
        "two phones",
        "user_id=id|Phone 1=phone|Phone 2=phone2|Alternate Mobile=phone2",
        {ID: "user_id", PHONE: "Phone 1"},
    ),
    Table(
        "phones by country",
        "customer_id=id|phone=phone|country=iso",
        {ID: "customer_id", PHONE: "phone", "country_code": "country"},
    ),
    Table(
        "prospects of a warehouse",
        "ProspectiveBuyerId=id|FirstName=first|Phone=phone",
        {ID: "ProspectiveBuyerId", PHONE: "Phone"},
    ),
    Table(
        "subscribers",
        "Subscriber ID=id|Email=email|Phone Number=plus|Status=words",
        {ID: "Subscriber ID", PHONE: "Phone Number"},
    ),
    Table(
        "a CRM: leads",
        "Lead ID=id|Lead Owner=few|Company=words|Full Name=name|Mobile=phone|Lead Source=words",
        {ID: "Lead ID", PHONE: "Mobile"},
    ),
    Table(
        "a CRM: contacts",
        "Contact ID=id|Contact Owner=few|First Name=first|Last Name=last|Mobile Phone=phone|Work Phone=phone2",
        {ID: "Contact ID", PHONE: "Mobile Phone"},
    ),
    Table(
        "product analytics",
        "$distinct_id=id|$email=email|$phone=plus|$city=city",
        {ID: "$distinct_id", PHONE: "$phone"},
    ),
    Table("no phone at all", "customer_id=id|name=name|city=city", {ID: "customer_id"}),
    Table("telecom", "Customer ID=id|PhoneService=yes|Phone Type=words|MultipleLines=yes", {ID: "Customer ID"}),
    Table(
        "last order of each",
        "customer_id=id|phone=phone|last_order_id=own|last_order_date=date|total_orders=count",
        {ID: "customer_id", PHONE: "phone"},
    ),
    Table("society", "Flat No=own|Resident Name=name|Resident Mobile=phone", {PHONE: "Resident Mobile"}),
    Table("donors", "Donor ID=id|Donor Name=name|Mobile=phone|PAN=own", {PHONE: "Mobile"}),
    Table("an empty phone", "customer_id=id|phone=blank|city=city", {ID: "customer_id", PHONE: "phone"}),
    Table(
        "Indian states and pins",
        "customer_id=id|phone=phone|state=indian|pincode=pin|currency=inr",
        {ID: "customer_id", PHONE: "phone"},
    ),
    # ------------------------------------------------------------- an id that is anybody's
    Table(
        "users of a database",
        "id=number|first_name=first|last_name=last|email=email|mobile=phone",
        {ID: "id", PHONE: "mobile"},
        {ID},
    ),
    Table(
        "documents of MongoDB",
        "_id=own|name=name|phone=phone|createdAt=time",
        {ID: "_id", PHONE: "phone", "created_at": "createdAt"},
        {ID},
    ),
    Table(
        "a CRM: records",
        "Record ID=number|First Name=first|Last Name=last|Phone=phone",
        {ID: "Record ID", PHONE: "Phone"},
        {ID},
    ),
    Table("an id and a phone", "id=own|phone=phone|city=city", {ID: "id", PHONE: "phone"}, {ID}),
    Table(
        "an id of an order and a phone", "id=own|phone=phone|order_date=date|total=money", {PHONE: "phone"}, {"kind"}
    ),
    Table("two people in a row", "client_id=id|lead_id=own|phone=phone", {ID: "client_id", PHONE: "phone"}, {ID}),
    Table("donors without a phone", "Donor ID=id|Name=name|Email=email", {ID: "Donor ID"}, {ID}),
    Table("customer number is a phone", "Customer Number=phone|Name=name", {ID: "Customer Number"}, {ID}),
    Table("an id of another shop", "acme_customer_id=id|name=name", {ID: "acme_customer_id"}, {ID}),
    # ------------------------------------------------------------- events, or users
    Table(
        "orders",
        "id=own|customer_id=again|email=email|amount=money|created_at=time",
        {ID: "customer_id", "created_at": "created_at"},
        {"kind"},
    ),
    Table("invoices", "invoice_no=own|mobile=phone|total=money", {PHONE: "mobile"}, {"kind"}),
    Table(
        "till bills",
        "Bill No=own|Bill Date=date|Customer Name=name|Mobile=till|Amount=money",
        {PHONE: "Mobile"},
        {"kind"},
        {PHONE},
    ),
    Table(
        "till bills without names",
        "Bill No=own|Date=date|Mobile=till|Amount=money",
        {PHONE: "Mobile"},
        {"kind"},
        {PHONE},
    ),
    Table(
        "subscriptions",
        "subscription_id=own|customer_id=again|plan=words|status=words|current_period_end=date",
        {ID: "customer_id"},
        {"kind"},
    ),
    Table(
        "carts",
        "cart_token=own|user_id=again|phone=plus|cart_value=money|updated_at=time",
        {ID: "user_id", PHONE: "phone"},
        {"kind"},
    ),
    Table(
        "clinic",
        "Appointment ID=own|Patient ID=again|Doctor=few|Doctor Mobile=agent|Appointment Date=date|Mobile=phone",
        {ID: "Patient ID", PHONE: "Mobile"},
        {"kind"},
    ),
    Table(
        "deliveries",
        "AWB=own|Rider Name=few|Rider Phone=agent|Customer Phone=phone|Delivered At=time",
        {PHONE: "Customer Phone"},
        {"kind"},
    ),
    Table(
        "salon",
        "Booking ID=own|Client Name=name|Client Mobile=phone|Stylist=few|Booking Date=date",
        {PHONE: "Client Mobile"},
        {"kind"},
    ),
    Table(
        "hotel", "Reservation No=own|Guest Name=name|Guest Phone=phone|Check In=date", {PHONE: "Guest Phone"}, {"kind"}
    ),
    Table(
        "insurance",
        "Policy No=own|Customer ID=again|Mobile=phone|Agent Code=few|Agent Mobile=agent|Premium=money",
        {ID: "Customer ID", PHONE: "Mobile"},
        {"kind"},
    ),
    Table(
        "tickets",
        "Ticket ID=own|Contact ID=again|Subject=words|Created time=time|Agent=few",
        {ID: "Contact ID", "created_at": "Created time"},
        {"kind"},
    ),
    Table(
        "baskets", "customer_id=again|date=date|number_of_cds=count|dollar_value=money", {ID: "customer_id"}, {"kind"}
    ),
    Table("orders by date", "id=n|user_id=again|order_date=date|status=words", {ID: "user_id"}, {"kind"}),
    Table(
        "donations",
        "Receipt No=own|Donor Name=name|Mobile=phone|Amount=money|Donation Date=date",
        {PHONE: "Mobile"},
        {"kind"},
    ),
    Table("payments", "Payment ID=own|Customer ID=again|Amount=money|Paid On=date", {ID: "Customer ID"}, {"kind"}),
    Table("a bank", "Transaction ID=own|Customer ID=again|Account No=own|Amount=money", {ID: "Customer ID"}, {"kind"}),
    Table("reviews", "customer_id=again|product_id=few|rating=count", {ID: "customer_id"}, {"kind"}),
    Table("a CRM: deals", "Deal ID=own|Contact ID=again|Deal Name=words|Amount=money", {ID: "Contact ID"}, {"kind"}),
    Table("sessions", "session_id=own|user_id=again|page=words|started=time", {ID: "user_id"}, {"kind"}),
    Table(
        "hospital",
        "Admission No=own|Patient ID=again|Mobile=phone|Ward=words",
        {ID: "Patient ID", PHONE: "Mobile"},
        {"kind"},
    ),
    Table("repeated ids", "member_id=again|points=count", {ID: "member_id"}, asks_later={"kind"}),
    Table(
        "registrations for an event",
        "Event=event|Name=name|Mobile=phone",
        {PHONE: "Mobile", "event": "Event"},
        {"kind"},
        kind="event",
    ),
    # ------------------------------------------------------------- events
    Table(
        "an events log",
        "user_id=again|event=event|timestamp=time|page=words",
        {ID: "user_id", "event": "event", "created_at": "timestamp"},
        kind="event",
    ),
    Table(
        "an events log by phone",
        "Event Name=event|Event Time=time|Phone Number=plus",
        {PHONE: "Phone Number", "event": "Event Name", "created_at": "Event Time"},
        kind="event",
    ),
    # ------------------------------------------------------------- somebody else's phone
    Table("a school", "Student ID=id|Student Name=name|Class=words|Parent Mobile=sibling", {ID: "Student ID"}, {PHONE}),
    Table("a school without ids", "Admission No=own|Student Name=name|Father's Mobile No=sibling", None),
    Table("an agent's phone and no id", "Agent Phone=agent|Name=name", None),
    Table("dealers", "Dealer Code=own|Dealer Name=name|Dealer Mobile=phone", None),
    Table("dealers, by a plain phone", "Dealer Code=own|Dealer Name=name|Mobile=phone", {PHONE: "Mobile"}, {PHONE}),
    Table("stores", "Store ID=own|Store Name=words|Phone=phone|City=city", {PHONE: "Phone"}, {PHONE}),
    Table("payroll", "Emp Code=own|Name=name|Mobile=phone|Salary=money", {PHONE: "Mobile"}, {PHONE}),
    Table(
        "a recipient", "customer_id=id|Recipient Mobile=phone", {ID: "customer_id", PHONE: "Recipient Mobile"}, {PHONE}
    ),
    Table("a contact in words", "customer_id=id|contact=words", {ID: "customer_id", PHONE: "contact"}, {PHONE}),
    Table(
        "one number for most",
        "customer_id=id|Name=name|Phone=till",
        {ID: "customer_id", PHONE: "Phone"},
        asks_later={PHONE},
    ),
    Table("referrals", "Referrer Name=name|Referrer Mobile=phone2|Name=name|Mobile=phone", {PHONE: "Mobile"}),
    # ------------------------------------------------------------- another country
    Table(
        "the United States, by state",
        "customer_id=id|phone=us|state=state",
        {ID: "customer_id", PHONE: "phone"},
        {"country_code"},
    ),
    Table(
        "the United States, in dollars",
        "customer_id=id|phone=us|currency=usd",
        {ID: "customer_id", PHONE: "phone"},
        {"country_code"},
    ),
    Table(
        "the United States, by their numbers",
        "customer_id=id|phone=us",
        {ID: "customer_id", PHONE: "phone"},
        asks_later={"country_code"},
    ),
    Table(
        "the Emirates",
        "customer_id=id|mobile=uae|emirate=emirate",
        {ID: "customer_id", PHONE: "mobile"},
        {"country_code"},
    ),
    Table(
        "the United Kingdom",
        "customer_id=id|mobile=uk|postcode=postcode",
        {ID: "customer_id", PHONE: "mobile"},
        {"country_code"},
    ),
    # ------------------------------------------------------------- a second look: other words for the same
    Table(
        "a bank's accounts",
        "Account Number=own|Account Holder Name=name|Mobile Number=phone|Balance=money",
        {PHONE: "Mobile Number"},
        {"kind"},
    ),
    Table(
        "loans",
        "Loan Account No=own|Borrower Name=name|Borrower Mobile=phone|Guarantor Mobile=phone2",
        {PHONE: "Borrower Mobile"},
        {"kind"},
    ),
    Table(
        "vendors",
        "Vendor Code=own|Vendor Name=name|Contact Person=name|Contact Number=phone",
        {PHONE: "Contact Number"},
        {PHONE},
    ),
    Table("suppliers", "Supplier=words|Contact No=phone|City=city", {PHONE: "Contact No"}, {PHONE}),
    Table("messages", "Phone=phone|Message=words|Sent At=time|Status=words", {PHONE: "Phone"}, {"kind"}),
    Table(
        "stays", "Guest Name=name|Room No=count|Check In=date|Check Out=date|Mobile=phone", {PHONE: "Mobile"}, {"kind"}
    ),
    Table(
        "donations without a number",
        "S No=n1|Name=name|Mobile=phone|Amount=money|Date=date",
        {PHONE: "Mobile"},
        {"kind"},
    ),
    Table(
        "leads of an advertisement",
        "id=own|full_name=name|phone_number=plus|form_id=few|created_time=time",
        {ID: "id", PHONE: "phone_number", "created_at": "created_time"},
        {ID},
    ),
    Table(
        "rides",
        "ride id=own|user id=again|user phone=plus|driver id=few|driver phone=agent",
        {ID: "user id", PHONE: "user phone"},
        {"kind"},
    ),
    Table(
        "parcels",
        "Tracking ID=own|Sender Name=few|Sender Phone=agent|Recipient Name=name|Recipient Phone=phone",
        {PHONE: "Recipient Phone"},
        {"kind", PHONE},
    ),
    Table(
        "three phones of a person",
        "First Name=first|Phone - Home=phone2|Phone - Mobile=phone|Phone - Work=phone2",
        {PHONE: "Phone - Mobile"},
    ),
    Table(
        "a phone with a code before it",
        "uid=id|displayName=name|phone_number_with_country_code=plus",
        {ID: "uid", PHONE: "phone_number_with_country_code"},
    ),
    Table(
        "events of nested records",
        "_id=own|user._id=again|user.phone=plus|event=event|ts=time",
        {ID: "user._id", PHONE: "user.phone", "event": "event", "created_at": "ts"},
        kind="event",
    ),
    Table(
        "who referred whom", "customer_id=id|referrer_customer_id=few|phone=phone", {ID: "customer_id", PHONE: "phone"}
    ),
    Table("parents by a phrase", "Sr. No.=n1|Name of Student=name|Contact Number of Parent=phone", None),
    Table("vehicles", "Vehicle No=own|Customer Name=name|Mobile=phone", {PHONE: "Mobile"}, {"kind"}),
    Table("visitors of a page", "visitor_id=again|page=words|timestamp=time", {ID: "visitor_id"}, {ID, "kind"}),
    # ------------------------------------------------------------- about no person
    Table("products", "product_id=own|product_name=words|price=money", None),
    Table("products with codes", "SKU=own|Title=words|Stock=count|Updated At=time", None),
    Table("exam results", "Roll No=own|Student Name=name|Maths=count|Physics=count", None),
    Table("names and addresses", "Name=name|Email=email|City=city", None),
    Table("coupons", "Coupon Code=own|Discount=count|Valid Until=date", None),
    Table("companies", "Company ID=own|Company=words|Website=words", None),
    Table("stock by branch", "Branch Code=few|Item Code=own|Qty=count", None),
    Table("no headings", "column_1=id|column_2=phone|column_3=name", None),
    Table("shipments", "AWB No=own|Courier=words|Courier Phone=agent|Status=words", None),
]
