"""A table of people who do not exist, marked so that they are found wherever they are written."""

from __future__ import annotations

import pandas as pd

from interakt_loader import MappingDict

PHONES = ("9876501234", "9876501235", "9876501236", "9876501237", "9876501238")
MAILS = ("marked.asha@example.com", "marked.ben@example.com", "marked.carl@example.com", "marked.dev@example.com")
NAMES = ("Marked Asha", "Marked Ben", "Marked Carl")

BAD_PHONES = ("987650123456789", "x98765012345678", "+91 98765 01239 ext 5", "९८७६५०१२३४५६७८९")
"""None of them is one: each is refused here, with a message that quotes it."""

MARKS = (
    *PHONES,
    *MAILS,
    *BAD_PHONES,
    "98765 01239",
    "98765012345",
)
"""What must not be found: phones as they came and as they are sent, and addresses."""

MAPPING: MappingDict = {
    "user_id": "id",
    "phone": "phone",
    "traits": ["name", {"column": "mail", "name": "email"}, "born"],
}


def people() -> pd.DataFrame:
    """Return users who are known by an id, by a phone, and by their address, and some who are refused."""
    rows = [
        ("C-1", PHONES[0], NAMES[0], MAILS[0], "1990-01-31"),
        ("", PHONES[1], NAMES[1], MAILS[1], "1990-01-31"),
        (MAILS[2], PHONES[2], NAMES[2], MAILS[2], "1990-01-31"),
        (PHONES[3], PHONES[3], "Dev", MAILS[3], "1990-01-31"),
        (PHONES[3], PHONES[3], "Dev again", MAILS[3], "1990-01-31"),
        *((f"C-{n}", phone, "Eve", MAILS[0], "1990-01-31") for n, phone in enumerate(BAD_PHONES, start=10)),
        ("C-20", PHONES[4], "Fay", MAILS[1], "1990-01-31"),
    ]
    return pd.DataFrame(rows, columns=["id", "phone", "name", "mail", "born"])


def marks_in(written: bytes | str) -> list[str]:
    """Return the marked phones and addresses that are there."""
    text = written if isinstance(written, str) else written.decode("utf-8", "replace")
    return [mark for mark in MARKS if mark in text]
