"""The event's name, the time and the tags."""

from __future__ import annotations

from collections.abc import Mapping as Looked
from dataclasses import dataclass
from typing import Any

from interakt_loader.mapping.inference.guess import Guess
from interakt_loader.mapping.inference.inferred import Line, field_of
from interakt_loader.mapping.inference.lists import separator_of
from interakt_loader.mapping.inference.names import LOOSE_EVENTS, NAMES, USER_CREATED_AT, called, names_a_time
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.wire import Kind

_KINDS_OF_EVENTS = 100
"""Different values that a column of events' names has at the most."""


@dataclass(frozen=True)
class Role:
    """What was found for one field: its lines, what is left open, and what to know."""

    lines: tuple[Line, ...] = ()
    undecided: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_event(looks: Looked[str, Look], kind: Kind | None) -> Role:
    """Find the column of events' names."""
    if kind == "user":
        return Role()
    for name in called(looks, (*NAMES["event"], *(LOOSE_EVENTS if kind == "event" else ()))):
        look = looks[name]
        if look.kind == "text" and look.filled == look.rows and look.distinct <= _KINDS_OF_EVENTS:
            why = f"the column is called {name}; {look.distinct:,} different in {look.counted()}"
            return Role((Line("event", name, why),))
    return Role()


def find_created_at(guesses: Looked[str, Guess], kind: Kind) -> Role:
    """Find the time of the event, or the time since when a user is one, by what was guessed of the columns."""
    for name in called(guesses, NAMES["created_at"] if kind == "event" else USER_CREATED_AT):
        found = guesses[name]
        if found.is_time:
            return Role((_line(name, found, f"the column is called {name}; {found.reason}"),))
        if found.undecided is not None:
            return _undecided(name, found, kind)
    if kind == "user":
        return Role()
    times = [name for name, one in guesses.items() if one.is_time]
    if len(times) == 1:
        return Role((_line(times[0], guesses[times[0]], f"the only column of times; {guesses[times[0]].reason}"),))
    if times:
        lines = tuple(_line(name, guesses[name], guesses[name].reason, active=False) for name in times)
        return Role(lines, (f"created_at: several columns are times ({', '.join(times)}): say which is the event's",))
    near = [name for name in guesses if names_a_time(name)]
    said = f"; {', '.join(near)} cannot be read as one" if near else ""
    return Role(remarks=(f"created_at: no column holds the time of the event{said}: the time of arrival counts",))


def find_tags(looks: Looked[str, Look]) -> Role:
    """Find the tags of users."""
    for name in called(looks, NAMES["tags"]):
        look = looks[name]
        if not look.filled or look.kind not in ("text", "list"):
            continue
        if look.kind == "list":
            return Role((Line("tags", name, look.type),))
        separator = separator_of(look)
        options = {} if separator is None else {"type": "list", "separator": separator}
        why = f"the column is called {name}; items between {separator or ','!r}"
        return Role((Line("tags", field_of(name, options), why),))
    return Role()


def _line(name: str, found: Guess, why: str, *, active: bool = True) -> Line:
    """Return the line of a time: a date is its midnight there, and ISO 8601 needs no saying."""
    return Line("created_at", _timed(name, found.options), why, active)


def _undecided(name: str, found: Guess, kind: Kind) -> Role:
    """Offer what it may be. The time of an event can never be mended, so that it must be said."""
    lines = tuple(Line("created_at", _timed(name, one.options), one.reason, active=False) for one in found.instead)
    said = (f"created_at: {name}: {found.undecided}; without it the time of arrival counts",)
    return Role(lines, said) if kind == "event" else Role(lines, remarks=said)


def _timed(name: str, options: dict[str, Any]) -> dict[str, Any]:
    form = options.get("format")
    return {"column": name, "type": "datetime"} | ({"format": form} if form else {})
