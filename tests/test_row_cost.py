"""What a row costs, counted instead of timed."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

import pyarrow as pa

from interakt_loader import load_users
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.settings import Settings
from tests.transport.servers import Server

MOST_CALLS = 69
"""Python functions that a consumer may call to take a row, send it, read its response and settle it."""


def counted(rows: int, workers: int = 4) -> Counter[str]:
    """Load this many rows; return how often each function was called on the consumers' threads."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if threading.current_thread().name.startswith("interakt-consumer"):
            if event == "c_call":
                calls[argument.__name__] += 1
            elif event == "call":
                calls[f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"] += 1

    users = pa.table({"user_id": [str(row) for row in range(rows)], "name": ["Asha"] * rows})
    with Server() as server:
        url = server.url
        threading.setprofile(note)
        try:
            result = load_users(users, api_key="key", base_url=url, workers=workers, rate_limit=None)
        finally:
            threading.setprofile(None)
    assert result.sent == rows
    return calls


def test_a_row_is_one_write_and_one_read() -> None:
    """Each of 200 rows costs one `send` and one `recv`, beyond those of the four connections. No head is built."""
    fewer, more = counted(100), counted(300)
    assert {name: more[name] - fewer[name] for name in ("send", "sendall", "recv")} == {
        "send": 200,
        "sendall": 0,
        "recv": 200,
    }
    head = "interakt_loader.transport.route"
    assert more[f"{head}.before"] - fewer[f"{head}.before"] == 200
    assert more[f"{head}.__init__"] == fewer[f"{head}.__init__"]


def test_a_row_takes_few_steps() -> None:
    """The Python functions that one consumer calls for one more row are limited. One consumer only, because several
    wait for each other in varying ways."""
    fewer, more = (sum(n for name, n in counted(rows, workers=1).items() if "." in name) for rows in (100, 300))
    # Rounded, because the waits for the first rows differ by a few of 14,000 calls.
    assert round((more - fewer) / 200) <= MOST_CALLS


def test_rows_are_prepared_by_the_column() -> None:
    """Mapping, conversion, phones and JSON: eight times the rows take no more Python calls. A few that Python makes to
    free memory are allowed."""
    prepare = Preparation(Mapping.of({"user_id": "id", "phone": "phone", "traits": "*"}), "user", Settings(api_key="k"))

    def calls(rows: int) -> int:
        numbers = range(rows)
        users = pa.record_batch(
            {
                "id": [f"C{number:07d}" for number in numbers],
                "phone": [f"98765{number:05d}" for number in numbers],
                "name": [f"Name {number}" for number in numbers],
                "spent": [number / 7 for number in numbers],
                "vip": [number % 3 == 0 for number in numbers],
                "signed_up": pa.array([1_600_000_000_000 + number for number in numbers], pa.timestamp("ms")),
            }
        )
        # The first call computes what later ones reuse.
        prepare(users, 0)
        count = 0

        def note(*_: Any) -> None:
            nonlocal count
            count += 1

        sys.setprofile(note)
        try:
            prepare(users, 0)
        finally:
            sys.setprofile(None)
        return count

    assert calls(8_000) - calls(1_000) < 10
