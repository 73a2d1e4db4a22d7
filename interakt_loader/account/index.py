"""The contacts of an account on disk, to be found by user id and by phone. Memory stays flat."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from interakt_loader.account.contacts import Contact

_LOT = 128
"""Contacts that are in memory, and are written together. One may have a megabyte."""

_CACHE = 32_000
"""KiB of pages that SQLite keeps in memory."""

_NOT_DIGITS = re.compile(r"\D+", re.ASCII)


class ContactIndex:
    """Contacts in a file, which nobody else can read if its folder is private. Raises `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # the file is read by this process alone, and made anew after a crash
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE}"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE contacts (number INTEGER PRIMARY KEY, user_id TEXT, contact TEXT)")
        self._db.execute("CREATE TABLE phones (digits TEXT, number INTEGER)")
        self.count = 0
        """How many contacts there are."""

    def add(self, contacts: Iterable[Contact]) -> None:
        """Add contacts, each of which is given once."""
        left = iter(contacts)
        while lot := [*islice(left, _LOT)]:
            numbered = [*enumerate(lot, self.count)]
            self.count += len(lot)
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO contacts VALUES (?, ?, ?)",
                ((number, one.user_id, json.dumps(one, ensure_ascii=False)) for number, one in numbered),
            )
            self._db.executemany(
                "INSERT INTO phones VALUES (?, ?)",
                ((digits, number) for number, one in numbered for digits in _spellings(one)),
            )
            self._db.execute("COMMIT")

    def complete(self) -> None:
        """Have the contacts found fast. Call it once all are added."""
        self._db.execute("CREATE INDEX by_user_id ON contacts (user_id)")
        self._db.execute("CREATE INDEX by_digits ON phones (digits)")

    def by_user_id(self, user_id: str) -> list[Contact]:
        """Return the contacts with a user id."""
        return self._found("SELECT contact FROM contacts WHERE user_id = ?", user_id)

    def by_phone(self, country_code: str, phone: str) -> list[Contact]:
        """Return the contacts with a phone, in whichever form the account gives it."""
        digits = _digits(country_code) + _digits(phone)
        return self._found(
            "SELECT contact FROM contacts WHERE number IN (SELECT number FROM phones WHERE digits = ?)", digits
        )

    def _found(self, query: str, value: str) -> list[Contact]:
        return [Contact(*json.loads(text)) for (text,) in self._db.execute(query, (value,))]

    def close(self) -> None:
        """Close the file, and remove it."""
        self._db.close()
        self._path.unlink(missing_ok=True)


def _spellings(contact: Contact) -> Iterator[str]:
    """Yield the digits of a contact's phone with its country code, in the ways in which they may be meant."""
    code, phone = _digits(contact.country_code or ""), _digits(contact.phone or "")
    if not phone:
        return
    yield code + phone
    # the phone may have the country code, too
    if code and phone.startswith(code):
        yield phone


def _digits(text: str) -> str:
    """Return the digits, without zeros before them."""
    return _NOT_DIGITS.sub("", text).lstrip("0")
