"""The event's name, the time and the tags."""

from __future__ import annotations

from collections.abc import Mapping as Looked
from dataclasses import dataclass
from typing import Any

from interakt_loader.mapping.inference.guess import Guess
from interakt_loader.mapping.inference.inferred import Line, field_of
from interakt_loader.mapping.inference.lists import separator_of
from interakt_loader.mapping.inference.names import (
    LOOSE_EVENTS,
    NAMES,
    USER_CREATED_AT,
    called,
    names_a_time,
)
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.types import guess
from interakt_loader.wire import Kind

_KINDS_OF_EVENTS = 100
"""Different values that a column of events' names has at the most."""


@dataclass(frozen=True)
class Role:
    """What was found for one field: its lines, and what is left open."""

    lines: tuple[Line, ...] = ()
    undecided: tuple[str, ...] = ()
    column: str | None = None


def find_event(looks: Looked[str, Look], kind: Kind | None) -> Role:
    """Find the column of events' names."""
    if kind == "user":
        return Role()
    names = called(looks, (*NAMES["event"], *(LOOSE_EVENTS if kind == "event" else ())))
    for name in names:
        look = looks[name]
        if look.kind == "text" and look.filled == look.rows and look.distinct <= _KINDS_OF_EVENTS:
            why = f"the column is called {name}; {look.distinct:,} different in {look.counted()}"
            return Role((Line("event", name, why),), column=name)
    return Role()


def find_created_at(looks: Looked[str, Look], kind: Kind) -> Role:
    """Find the time of the event, or the time since when a user is one."""
    names = called(looks, NAMES["created_at"] if kind == "event" else USER_CREATED_AT)
    guesses = {name: guess(looks[name]) for name in looks if name in names or kind == "event"}
    times = [name for name, one in guesses.items() if one.is_time]
    named = [name for name in names if guesses[name].is_time or guesses[name].undecided]
    if named:
        return _role(named[0], guesses[named[0]], f"the column is called {named[0]}; ")
    if kind == "user" or not times:
        return _no_time(looks, kind)
    if len(times) == 1:
        return _role(times[0], guesses[times[0]], "the only column of times; ")
    lines = tuple(Line("created_at", _field(name, guesses[name]), guesses[name].reason, active=False) for name in times)
    return Role(lines, (f"created_at: several columns are times ({', '.join(times)}): say which is the event's",))


def find_tags(looks: Looked[str, Look]) -> Role:
    """Find the tags of users."""
    for name in called(looks, NAMES["tags"]):
        look = looks[name]
        if look.kind in ("text", "list") and look.filled:
            separator = separator_of(look) if look.kind == "text" else None
            options = {} if separator is None else {"type": "list", "separator": separator}
            why = (
                f"the column is called {name}; items between {separator or ','!r}" if look.kind == "text" else look.type
            )
            return Role((Line("tags", field_of(name, options), why),), column=name)
    return Role()


def _role(name: str, found: Guess, named: str) -> Role:
    if found.is_time:
        return Role((Line("created_at", _field(name, found), named + found.reason),), column=name)
    lines = tuple(
        Line("created_at", {"column": name} | one.options | {"type": "datetime"}, one.reason, active=False)
        for one in found.instead
    )
    return Role(lines, (f"created_at: {name}: {found.undecided}; without it the time of arrival counts",), name)


def _no_time(looks: Looked[str, Look], kind: Kind) -> Role:
    if kind == "user":
        return Role()
    near = [name for name in looks if names_a_time(name)]
    said = f"; {', '.join(near)} cannot be read as one" if near else ""
    return Role(undecided=(f"created_at: no column holds the time of the event{said}: the time of arrival counts",))


def _field(name: str, found: Guess) -> Any:
    """Return the field of a time: a date is its midnight there, and ISO 8601 needs no saying."""
    form = found.options.get("format")
    return field_of(name, {"type": "datetime", "format": form} if form else {"type": "datetime"})
