"""What `verify` has read of the account, and how it compared that with the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from interakt_loader.privacy.text import number_of


@dataclass
class AccountRead:
    """What was read of the account."""

    contacts: int
    """Contacts that were read."""
    calls: int
    """Calls that were made, with those that were tried again."""
    by_look_ups: bool
    """The users were looked up one by one. Otherwise the whole account was read."""
    seconds: float
    incomplete: list[tuple[str, str | None]] = field(default_factory=list)
    """Spans of `modified_at` of which some contacts may be missing: the account changed whenever it was read."""
    tolerated: dict[str, int] = field(default_factory=dict)
    """Values that count as the same although the account gives them in another form: how many, by the kind of form."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that can be written as JSON."""
        return {
            "contacts": self.contacts,
            "calls": self.calls,
            "by_look_ups": self.by_look_ups,
            "seconds": round(self.seconds, 3),
            "incomplete": [list(one) for one in self.incomplete],
            "tolerated": self.tolerated,
        }

    def tolerances(self) -> str | None:
        """Return in words how many values count as the same in another form; None if there are none."""
        found = ", ".join(f"{count:,} {name}" for name, count in self.tolerated.items())
        return f"the same in another form: {found}" if found else None


def incomplete_lines(incomplete: list[tuple[str, str | None]]) -> list[str]:
    """Return a line for each span of which contacts may be missing."""
    lines = []
    for since, until in incomplete:
        end = "from then on" if until is None else f"until {until}"
        lines.append(f"incomplete: some contacts modified since {since} {end} may be missing")
    return lines


def read_text(account: AccountRead, took: str) -> str:
    """Return how much was read, in how many calls and what time."""
    what = "looked up" if account.by_look_ups else "read"
    return f"{number_of(account.contacts, 'contact')} {what} by {number_of(account.calls, 'call')} in {took}"
