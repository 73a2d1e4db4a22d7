"""The sample data: a made-up shop's export, with the errors of real exports. The demo and the notebooks load it.

`python -m interakt_loader.sandbox.demo_data FOLDER` writes it. A fixed seed gives the same data each time. The phone
numbers are random numbers of valid Indian ranges; the mail addresses are at example.com.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20_26
USERS = 5_000
EVENTS = 20_000

_FIRST = [
    "Aarav",
    "Asha",
    "Bhavna",
    "Chitra",
    "Dev",
    "Esha",
    "Farhan",
    "Gauri",
    "Harsh",
    "Ishaan",
    "Jaya",
    "Kabir",
    "Lakshmi",
    "Meera",
    "Neel",
    "Ojas",
    "Pooja",
    "Ravi",
]
_FIRST += ["Zoë", "José", "आशा", "ரவி", "D'Souza", 'Anil "AJ"', "Ñusta 🌸", "Back\\slash"]
_LAST = [
    "Agarwal",
    "Banerjee",
    "Chopra",
    "Das",
    "Fernandes",
    "Gupta",
    "Iyer",
    "Joshi",
    "Kapoor",
    "Mehta",
    "Nair",
    "Patel",
    "Rao",
    "Shah",
    "Singh",
    "Verma",
]
_CITIES = ["Mumbai", "Delhi", "Bengaluru", "Hyderabad", "Chennai", "Kolkata", "Pune", "Jaipur", "Kochi", "Panaji"]
_ITEMS = ["kurta", "dupatta", "jhumka", "lamp", "mug", "notebook", "scarf", "teapot", "towel", "wallet"]
_EVENTS = ["Order Placed", "Order Placed", "Order Delivered", "Cart Abandoned"]

USERS_MAPPING = """\
# Which column of users.parquet is which field of Interakt's user call.
user_id: customer_id        # leading zeros stay
phone: mobile               # any usual spelling; checked with libphonenumber
country_code: cc            # 91, +91 or IN
tags: tags                  # text such as "vip, diwali" becomes a list
traits:                     # trait name: column, or a column with a type
  First name: first_name
  Last name: last_name
  Email: email
  City: city
  Pin code: pin_code        # text: a pin code is no number
  Orders: orders
  Total spent: total_spent
  Birthday: birthday
  Signed up: {column: signed_up, type: datetime, timezone: Asia/Kolkata}
  Anniversary: {column: anniversary, type: date}
  whatsapp_opted_in: {column: whatsapp_opted_in, type: boolean}
  Note: note
"""

EVENTS_MAPPING = """\
# Which column of events.parquet is which field of Interakt's event call.
user_id: customer_id
event: event                # a column; where there is none: {value: Order Placed}
created_at: ordered_at
traits: "*"                 # every other column, by its own name
"""


def write_sample_data(folder: Path) -> None:
    """Write users.parquet, events.parquet and their mapping files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    users = _users(rng)
    pq.write_table(users, folder / "users.parquet", compression="zstd")
    pq.write_table(_events(rng, users["customer_id"].to_pylist()), folder / "events.parquet", compression="zstd")
    (folder / "users.mapping.yaml").write_text(USERS_MAPPING, encoding="utf-8")
    (folder / "events.mapping.yaml").write_text(EVENTS_MAPPING, encoding="utf-8")


def _users(rng: random.Random) -> pa.Table:
    rows: list[dict[str, Any]] = [_user(rng, number) for number in range(USERS)]
    # The same customer again, later in the export.
    for later in rng.sample(range(200, USERS), 60):
        rows[later]["customer_id"] = rows[later - rng.randrange(1, 200)]["customer_id"]
    for change, share in _ERRORS:
        for row in rng.sample(rows, round(USERS * share)):
            change(row, rng)
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("first_name", pa.string()),
            ("last_name", pa.string()),
            ("mobile", pa.string()),
            ("cc", pa.string()),
            ("email", pa.string()),
            ("city", pa.string()),
            ("pin_code", pa.string()),
            ("signed_up", pa.timestamp("us")),
            ("birthday", pa.date32()),
            ("orders", pa.int64()),
            ("total_spent", pa.float64()),
            ("whatsapp_opted_in", pa.string()),
            ("tags", pa.string()),
            ("anniversary", pa.string()),
            ("note", pa.string()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def _user(rng: random.Random, number: int) -> dict[str, Any]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {
        "customer_id": f"{number + 1:06d}",
        "first_name": first,
        "last_name": last,
        "mobile": f"{rng.choice('6789')}{rng.randrange(10**9):09d}",
        "cc": rng.choice(["91", "91", "+91", "IN"]),
        "email": f"{last.lower()}.{number + 1}@example.com",
        "city": rng.choice(_CITIES),
        "pin_code": f"{rng.randrange(110_001, 855_118)}",
        "signed_up": dt.datetime(2021, 1, 1) + dt.timedelta(seconds=rng.randrange(4 * 365 * 86_400)),
        "birthday": dt.date(1960, 1, 1) + dt.timedelta(days=rng.randrange(45 * 365)),
        "orders": rng.randrange(30),
        "total_spent": round(rng.random() * 50_000, 2),
        "whatsapp_opted_in": rng.choice(["yes", "yes", "no", "Yes", "TRUE"]),
        "tags": rng.choice([None, "vip", "vip, diwali", "newsletter"]),
        "anniversary": rng.choice([None, None, f"20{rng.randrange(10, 24)}-0{rng.randrange(1, 10)}-14"]),
        "note": rng.choice([None, None, None, "prefers evenings", "gift wrap 🎁", 'says "call first"']),
    }


def _setting(column: str, *values: Any) -> Callable[[dict[str, Any], random.Random], None]:
    def put(row: dict[str, Any], rng: random.Random) -> None:
        row[column] = rng.choice(values)

    return put


def _respell_phone(row: dict[str, Any], rng: random.Random) -> None:
    digits = row["mobile"]
    spellings = [
        f"{digits[:5]} {digits[5:]}",
        f"0{digits}",
        f"+91-{digits}",
        f"0091{digits}",
        f"'{digits}",
        f"({digits[:4]}) {digits[4:]}",
        f"{digits}.0",
    ]
    row["mobile"] = rng.choice(spellings)


def _move_abroad(row: dict[str, Any], rng: random.Random) -> None:
    prefix, digits = rng.choice([("+44 7911 1", 5), ("+1 650-253-", 4), ("+971 50 ", 7), ("+65 8123 ", 4)])
    row["mobile"] = f"{prefix}{rng.randrange(10**digits):0{digits}d}"


def _lose_identity(row: dict[str, Any], _rng: random.Random) -> None:
    row["customer_id"] = row["mobile"] = None


# The errors of real exports, each with its share of the rows. Rows of the first five kinds are still sent.
_ERRORS: list[tuple[Callable[[dict[str, Any], random.Random], None], float]] = [
    (_respell_phone, 0.20),
    (_move_abroad, 0.02),
    (_setting("total_spent", float("nan"), None), 0.02),
    (_setting("city", "", "   ", None), 0.02),
    (_setting("note", "rang twice\nno answer", "see\tattached"), 0.004),
    (_setting("mobile", "98765", "0000000000", "12345678901234", "call me"), 0.012),
    (_setting("anniversary", "31/02/2021", "2021-02-30", "last spring"), 0.006),
    (_setting("whatsapp_opted_in", "maybe", "unknown"), 0.006),
    (_setting("cc", "999", "Narnia"), 0.004),
    (_lose_identity, 0.008),
]


def _events(rng: random.Random, customers: list[str | None]) -> pa.Table:
    known = [one for one in customers if one is not None]
    began = dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc)
    rows: list[dict[str, Any]] = []
    for number in range(EVENTS):
        began += dt.timedelta(seconds=rng.randrange(1, 3000), milliseconds=rng.randrange(1000))
        rows.append(
            {
                "order_id": f"CUS{number // 2 + 1:06d}",
                "customer_id": rng.choice(known),
                "event": rng.choice(_EVENTS),
                "ordered_at": began,
                "amount": Decimal(rng.randrange(9_900, 999_900)) / 100,
                "items": rng.sample(_ITEMS, rng.randrange(1, 4)),
                "coupon": rng.choice([None, None, "DIWALI10", "FIRST50"]),
                "paid": rng.random() < 0.9,
                "quantity": rng.randrange(1, 6),
            }
        )
    # Guests have no id.
    for row in rng.sample(rows, 300):
        row["customer_id"] = None
    for row in rng.sample(rows, 100):
        row["event"] = rng.choice(["", None])
    schema = pa.schema(
        [
            ("order_id", pa.string()),
            ("customer_id", pa.string()),
            ("event", pa.string()),
            ("ordered_at", pa.timestamp("us", "UTC")),
            ("amount", pa.decimal128(10, 2)),
            ("items", pa.list_(pa.string())),
            ("coupon", pa.string()),
            ("paid", pa.bool_()),
            ("quantity", pa.int64()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


if __name__ == "__main__":
    write_sample_data(Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data"))
