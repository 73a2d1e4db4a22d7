"""Traits that mean something to Interakt, and the columns that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from interakt_loader.columns import Target
from interakt_loader.mapping.infer import names
from interakt_loader.mapping.infer.inferred import Line
from interakt_loader.mapping.infer.sample import Guess, Look
from interakt_loader.mapping.infer.types import share_of_addresses

OPTED_IN, OWNER = "whatsapp_opted_in", "account_owner_email_crm"

_ENOUGH = 0.5
"""From this share of e-mail addresses on, a column that is called e-mail is one."""


@dataclass(frozen=True)
class OwnTraits:
    """Which columns are proposed as Interakt's own traits."""

    names: Mapping[str, str] = field(default_factory=dict)
    """The trait of each such column."""
    joined: tuple[str, ...] = ()
    """The columns of the first and the last name, which make the trait `name`."""

    @property
    def name_lines(self) -> list[Line]:
        """The line of the joined name, if there is one."""
        if not self.joined:
            return []
        of = {"columns": [*self.joined], "join": " "} if len(self.joined) > 1 else {"column": self.joined[0]}
        reason = f"Interakt's own trait, from {' and '.join(self.joined)}"
        return [Line("traits", of | {"name": "name", "type": "string"}, reason)]


def own_traits(guesses: Mapping[str, Guess], looks: Mapping[str, Look]) -> OwnTraits:
    """Return Interakt's own traits among the columns of users. A column that has such a name already keeps it."""
    held = {name: looks[name] for name, found in guesses.items() if not found.left_out}
    texts = [name for name in held if guesses[name].options.get("type") == "string"]
    first: dict[str, str] = {}
    for trait, name in _meanings(texts, held):
        if trait not in guesses and name not in first.values():
            first.setdefault(trait, name)
    joined = () if "name" in guesses or "name" in first else _parts_of_names(texts)
    return OwnTraits({name: trait for trait, name in first.items()}, joined)


def _meanings(texts: list[str], looks: Mapping[str, Look]) -> Iterator[tuple[str, str]]:
    """Yield traits and columns that hold them, the clearest first."""
    ranked = [(rank, name) for name in texts if (rank := names.full_name_rank(name)) is not None]
    yield from (("name", name) for _, name in sorted(ranked, key=lambda one: one[0]))
    ranked = [(rank, name) for name in texts if (rank := names.email_rank(name)) is not None]
    yield from (
        ("email", name)
        for _, name in sorted(ranked, key=lambda one: one[0])
        if share_of_addresses(looks[name]) >= _ENOUGH
    )
    yield from ((OPTED_IN, name) for name, look in looks.items() if is_consent(look, "whatsapp"))
    yield from ((OWNER, name) for name in texts if is_owner_email(looks[name]))
    yield from (("lead_status_crm", name) for name in texts if names.names_a_lead_status(name))
    yield from (("merchant_location", name) for name in texts if names.words(name) == ("merchant", "location"))


def _parts_of_names(texts: list[str]) -> tuple[str, ...]:
    """Return the columns of the first and the last name of one person; the first name alone if there is no last."""
    parts = {part: name for name in reversed(texts) if (part := names.name_part(name)) is not None}
    pairs = [(name, parts.get(("last", before))) for (part, before), name in parts.items() if part == "first"]
    if not pairs:
        return ()
    first, last = pairs[-1]
    return (first,) if last is None else (first, last)


def is_consent(look: Look, to: Literal["whatsapp", "other"]) -> bool:
    """Tell whether a column says yes or no to messages, by its name and by all of its values, if there are rows."""
    has_values = look.filled > 0 or look.rows == 0
    return names.consent(look.name) == to and has_values and not look.refused_as(Target("boolean"))


def is_owner_email(look: Look) -> bool:
    """Tell whether a column holds the e-mail addresses of those who are in charge, and nothing else."""
    return names.names_an_owner(look.name) and share_of_addresses(look) == 1


def consent_line(column: str) -> Line:
    """Return a line that a person may add: consent to e-mail or SMS is no consent to WhatsApp."""
    written = {"column": column, "name": OPTED_IN, "type": "boolean"}
    return Line("traits", written, "only if they agreed to WhatsApp messages", active=False)
