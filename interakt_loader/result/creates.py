"""What a dry run says of the names that a load would create: traits, tags and events stay in an account for ever."""

from __future__ import annotations

from typing import Any, NamedTuple

from interakt_loader.mapping.created import OWN_TRAITS, PLAN_CAPS, Sort
from interakt_loader.model import Kind
from interakt_loader.privacy.text import masked, number_of

_SHOWN = 8
"""New names that a line shows."""

_MOST_IN_JSON = 100
"""New names in `as_dict`."""

_ONE: dict[Sort, str] = {"traits": "trait", "tags": "tag", "events": "event name"}
_COUNTED: dict[Sort, str] = {"traits": "custom fields", "tags": "tags", "events": "custom events"}
"""What a plan has room for."""

_CAMPAIGNS: dict[Kind, str] = {
    "event": "events can start ongoing campaigns, which send WhatsApp messages at a price",
    "user": "new contacts can start ongoing campaigns, which send WhatsApp messages at a price",
}


class NamesCreated(NamedTuple):
    """The different names of one sort in the calls of a load."""

    sort: Sort
    names: tuple[str, ...]
    is_cut: bool
    """Whether there are more."""
    new: tuple[str, ...] | None
    """Those that the ledger does not know; None: no ledger was read."""

    @property
    def counted(self) -> int:
        """How many of them count for the plan."""
        return len([name for name in self.names if self.sort != "traits" or name not in OWN_TRAITS])

    def line(self) -> str:
        """Return them in words."""
        count = number_of(len(self.names), _ONE[self.sort])
        text = f"more than {count}" if self.is_cut else count
        if not self.names or self.new is None:
            return text
        if not self.new:
            return f"{text}, known to the ledger"
        how_many = "new" if len(self.new) == len(self.names) else f"{len(self.new):,} of them new"
        return f"{text}, {how_many} to the ledger: {_some(self.new)}"


class Creates(NamedTuple):
    """The names in the calls of a load, and what to know about them. Phones and e-mail addresses are masked."""

    kind: Kind
    names: tuple[NamesCreated, ...]
    alike: tuple[tuple[str, ...], ...]
    """Traits that differ only in case or spaces."""
    known_otherwise: tuple[str, ...]
    """New traits that the ledger knows with another case or other spaces."""
    plan: str | None
    """The plan whose rate limit is declared."""

    def lines(self) -> list[str]:
        """Return what there is to say, a line each."""
        lines = [one.line() for one in self.names if one.names]
        if self.plan is not None and lines:
            caps = PLAN_CAPS[self.plan]
            room = " and ".join(f"{one.counted:,} of {caps[one.sort]} {_COUNTED[one.sort]}" for one in self.names)
            lines.append(f"plan {self.plan}, as far as is known: {room}")
        lines += [
            f"{' and '.join(map(_quoted, group))} differ only in case or spaces, and may be several traits for Interakt"
            for group in self.alike[:_SHOWN]
        ]
        if self.known_otherwise:
            lines.append(f"known to the ledger with another case or other spaces: {_some(self.known_otherwise)}")
        return [*lines, _CAMPAIGNS[self.kind]] if lines else []

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and the new names as values that can be written as JSON."""
        caps = {} if self.plan is None else PLAN_CAPS[self.plan]
        found: dict[str, Any] = {
            one.sort: {
                "count": len(one.names),
                "new": None if one.new is None else [masked(name) for name in one.new[:_MOST_IN_JSON]],
                "plan_has": caps.get(one.sort),
            }
            for one in self.names
        }
        return found | {"alike": [[*map(masked, group)] for group in self.alike]}


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(masked, names[:_SHOWN])) + more


def _quoted(name: str) -> str:
    return f'"{masked(name)}"'
