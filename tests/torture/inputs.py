"""The tables that are loaded: made from a seed, and awkward where a resumed load could go wrong."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from interakt_loader.sandbox.store import EventRecord

EVENT_MAPPING = {"user_id": "customer", "event": "event", "created_at": "at", "traits": ["order", "amount", "page"]}
USER_MAPPING = {
    "user_id": "customer",
    "phone": "mobile",
    "tags": {"column": "tags", "separator": ","},
    "traits": ["city", "visits", "plan", "note", "step"],
}

_BEGIN = dt.datetime(2024, 3, 1, 9, 30)


class Event(NamedTuple):
    """One event, in the input as in the sandbox: all that it says."""

    customer: str
    event: str
    at: str
    order: int
    amount: float
    page: str


def events(rows: int, seed: int) -> list[Event]:
    """Return events, some four a user; one in twenty says the very same as an earlier one."""
    rng = random.Random(seed)
    made: list[Event] = []
    for number in range(rows):
        if made and rng.random() < 0.05:
            made.append(rng.choice(made))
            continue
        made.append(
            Event(
                customer=f"c{rng.randrange(rows // 4)}",
                event=rng.choice(["Visit", "Order Placed", "Order Paid"]),
                at=(_BEGIN + dt.timedelta(seconds=37 * number)).isoformat() + ".000Z",
                order=number,
                amount=rng.randrange(100, 99_999) / 100,
                page=rng.choice(["/", "/cart", "/चाय", "/a?b=c&d"]),
            )
        )
    return made


def as_sent(record: EventRecord) -> Event:
    """Return what the sandbox holds of an event."""
    return Event(record.user_id or "", record.event, record.created_at or "", **record.traits)


def users(rows: int, seed: int) -> list[dict[str, Any]]:
    """Return rows of users, some three a user; each row says other things, so that none may be lost or swapped."""
    rng = random.Random(seed)
    made = []
    for number in range(rows):
        customer = rng.randrange(rows * 3 // 10)
        made.append(
            {
                "customer": f"c{customer}",
                "mobile": f"98{customer:08d}" if rng.random() < 0.7 else None,
                "tags": rng.choice(["vip", "new,diwali", "back", None]),
                "city": rng.choice(["Pune", "Agra", "Goa", None, None]),
                "visits": rng.choice([rng.randrange(1000), None]),
                "plan": rng.choice(["free", "gold", None, None]),
                "note": rng.choice([f"row {number}", None]),
                "step": number,
            }
        )
    return made


class Table(NamedTuple):
    """A Parquet file, and the mapping that says what its columns are."""

    path: Path
    mapping: Path


def write(rows: list[dict[str, Any]], mapping: dict[str, Any], folder: Path) -> Table:
    """Write the rows and their mapping to a folder."""
    table = Table(folder / "rows.parquet", folder / "mapping.json")
    pq.write_table(pa.Table.from_pylist(rows), table.path)
    table.mapping.write_text(json.dumps(mapping), encoding="utf-8")
    return table
