"""What a dry run says of the names that a load would create: traits, tags and events stay in an account for ever."""

from __future__ import annotations

from typing import Any, NamedTuple

from interakt_loader.mapping.created import OWN_TRAITS, PLAN_CAPS, Sort, own_trait_like
from interakt_loader.model import Kind
from interakt_loader.privacy.text import masked, number_of

_SHOWN = 8
"""New names that a line shows."""

_LONGEST = 60
"""Characters of a name that a line shows."""

_MOST_IN_JSON = 100
"""Names of a list in `as_dict`."""

_ONE: dict[Sort, str] = {"traits": "trait", "tags": "tag", "events": "event name"}
_COUNTED: dict[Sort, str] = {"traits": "custom fields", "tags": "tags", "events": "custom events"}
"""What a plan has room for."""

_SPELLING = "case, spaces, _ or -"
"""What `alike` does not tell apart."""

_CAMPAIGNS: dict[Kind, str] = {
    "event": "events can start ongoing campaigns, which send WhatsApp messages at a price",
    "user": "new contacts can start ongoing campaigns, which send WhatsApp messages at a price",
}


class NamesCreated(NamedTuple):
    """The different names of one sort in the rows that a load can send."""

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
    """The names in the rows that a load can send, and what to know about them. `lines` and `as_dict` mask them."""

    kind: Kind
    calls: int
    """Calls that the load would make: none if all rows are unchanged."""
    names: tuple[NamesCreated, ...]
    alike: tuple[tuple[str, ...], ...]
    """Traits that differ only in case, spaces, `_` or `-`."""
    known_otherwise: tuple[str, ...]
    """New traits that the ledger knows in another spelling of this kind."""
    plan: str | None
    """The plan whose rate limit is declared."""

    @property
    def like_own(self) -> dict[str, str]:
        """Traits of users that are spelled almost as one with a meaning of its own, which the load lacks."""
        if self.kind == "event":
            return {}
        traits = self.names[0].names
        found = {name: own_trait_like(name) for name in traits}
        return {name: own for name, own in found.items() if own is not None and own not in traits}

    def lines(self) -> list[str]:
        """Return what there is to say, a line each."""
        lines = [one.line() for one in self.names if one.names]
        if self.plan is not None and lines:
            caps = PLAN_CAPS[self.plan]
            room = " and ".join(f"{one.counted:,} of {caps[one.sort]} {_COUNTED[one.sort]}" for one in self.names)
            lines.append(f"plan {self.plan}, as far as is known: {room}")
        lines += [
            f"{' and '.join(map(_quoted, group))} differ only in {_SPELLING}, and may be several traits for Interakt"
            for group in self.alike[:_SHOWN]
        ]
        lines += [
            f'{_quoted(name)} is not Interakt\'s own trait "{own}", and may become a custom field'
            for name, own in self.like_own.items()
        ]
        if self.known_otherwise:
            lines.append(f"the ledger knows these traits with other {_SPELLING}: {_some(self.known_otherwise)}")
        return [*lines, _CAMPAIGNS[self.kind]] if lines and self.calls else lines

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and the new names as values that can be written as JSON."""
        caps = {} if self.plan is None else PLAN_CAPS[self.plan]
        found: dict[str, Any] = {
            one.sort: {
                "count": len(one.names),
                "has_more": one.is_cut,
                "new_count": None if one.new is None else len(one.new),
                "new": None if one.new is None else [*map(masked, one.new[:_MOST_IN_JSON])],
                "plan_has": caps.get(one.sort),
            }
            for one in self.names
        }
        return found | {
            "alike": [[*map(masked, group)] for group in self.alike[:_MOST_IN_JSON]],
            "known_otherwise": [*map(masked, self.known_otherwise[:_MOST_IN_JSON])],
            "like_own": {masked(name): own for name, own in self.like_own.items()},
        }


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(_shown, names[:_SHOWN])) + more


def _quoted(name: str) -> str:
    return f'"{_shown(name)}"'


def _shown(name: str) -> str:
    # masked whole: a part of a phone may not look like one
    text = masked(name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
