"""The names that calls create in an account: of traits, tags and events. Interakt deletes none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Sort = Literal["traits", "tags", "events"]
"""What a name is of."""

MOST_NAMES = 1000
"""Names of a sort that are kept. An account has room for far fewer."""

OWN_TRAITS = frozenset(
    {"name", "email", "whatsapp_opted_in", "account_owner_email_crm", "lead_status_crm", "merchant_location"}
)
"""Traits with a meaning of their own, by the API's published examples [doc]. They are no custom fields."""

PLAN_CAPS: Mapping[str, Mapping[Sort, int]] = {
    "growth": {"traits": 25, "tags": 30, "events": 5},
    "advanced": {"traits": 30, "tags": 45, "events": 7},
}
"""Custom fields, tags and custom events that a plan has room for: second-hand figures [seen, two files]."""


class CreatedNames:
    """Collects the names in the calls of a load, each once, at most `MOST_NAMES` of each sort."""

    def __init__(self) -> None:
        self._names: dict[Sort, dict[str, None]] = {"traits": {}, "tags": {}, "events": {}}
        self._cut: set[Sort] = set()

    def add(self, sort: Sort, names: Iterable[str]) -> None:
        """Add names of one sort."""
        known = self._names[sort]
        for name in names:
            if name not in known:
                if len(known) == MOST_NAMES:
                    self._cut.add(sort)
                    return
                known[name] = None

    def of(self, sort: Sort) -> list[str]:
        """Return the names of a sort, in the order in which they came."""
        return [*self._names[sort]]

    def lacks(self, sort: Sort, name: str) -> bool:
        """Tell whether a name would be new here."""
        return name not in self._names[sort]

    def is_cut(self, sort: Sort) -> bool:
        """Tell whether there were more names than are kept."""
        return sort in self._cut


def folded(name: str) -> str:
    """Return a name without what people spell differently: case, white space, `_` and `-`."""
    return "".join(name.casefold().replace("_", "").replace("-", "").split())


_OWN_FOLDED = {folded(name): name for name in OWN_TRAITS}


def own_trait_like(name: str) -> str | None:
    """Return the trait with a meaning of its own for which a name may be meant, such as `email` for `Email`."""
    own = _OWN_FOLDED.get(folded(name))
    return None if own == name else own


def alike(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that differ only in case, white space, `_` or `-`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]
