"""A mapping found out from the column names and a sample of the rows, with the reason for each guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Looked
from dataclasses import replace
from typing import TypeVar

import pyarrow as pa

from interakt_loader.errors import MappingError
from interakt_loader.mapping.inference.fitting import fitted_preset
from interakt_loader.mapping.inference.guess import Guess
from interakt_loader.mapping.inference.identity import Identity, find_identity, repeats
from interakt_loader.mapping.inference.inferred import Inferred, Line, columns_of, inferred
from interakt_loader.mapping.inference.names import NAMES, called
from interakt_loader.mapping.inference.roles import Role, find_created_at, find_event, find_tags
from interakt_loader.mapping.inference.sample import Look, looks
from interakt_loader.mapping.inference.types import guess
from interakt_loader.mapping.presets import Preset, recognise
from interakt_loader.mapping.spec import listed
from interakt_loader.safety.printable import printable
from interakt_loader.settings import Settings
from interakt_loader.sources import PROBLEM_COLUMN
from interakt_loader.wire import Kind

__all__ = ["SAMPLE_ROWS", "Inferred", "infer"]

SAMPLE_ROWS = 10_000
"""Rows that a sample should have, if there are as many."""

_T = TypeVar("_T")

_EVENT = Line("event", {"value": "Order Placed"}, "the name of the events, which no column holds", active=False)


def infer(
    columns: Sequence[str],
    kind: Kind | None = None,
    event: str | None = None,
    sample: Iterable[pa.RecordBatch] = (),
    *,
    preset: Preset | None = None,
    settings: Settings | None = None,
) -> Inferred:
    """Find out which column is which, and what each of them holds.

    `kind` says what the rows are, where it is known; `event` is the constant name of the events. `sample` is the first
    rows; without any, only the names tell. `preset` is the one that the user names; else it is recognised by the
    columns. Of the settings, those on phones and missing values count. Raises `MappingError` when no column looks like
    an identity, or the preset does not fit.
    """
    columns, sample, settings = list(columns), list(sample), settings or Settings()
    wanted: Kind | None = "event" if event is not None else kind
    found = recognise(columns) if preset is None else preset
    if preset is not None and wanted not in (None, preset.kind):
        raise MappingError(f"preset {preset.name}: its rows are {preset.kind}s, not {wanted}s")
    looked = looks(columns, sample, settings.null_words)
    if found is not None and wanted in (None, found.kind):
        return fitted_preset(found, columns, looked, event, settings)
    if not any(look.rows for look in looked.values()):
        return _by_names(columns, kind, event)
    return _by_values(looked, kind, event, settings, _unreadable(sample))


# ---------------------------------------------------------------------------- by names alone


def _by_names(columns: Sequence[str], kind: Kind | None, event: str | None) -> Inferred:
    wanted = ["user_id", "phone", "country_code"]
    if kind != "user" and event is None:
        wanted.append("event")
    found = {name: _called(name, columns) for name in wanted}
    if found["phone"] is None:
        found["country_code"] = None
    if found["user_id"] is None and found["phone"] is None:
        raise _no_identity(columns)
    lines = [line for line in found.values() if line is not None]
    if event is not None:
        lines.append(Line("event", {"value": event}, "given"))
    is_event = kind == "event" or any(line.field == "event" for line in lines)
    last = _called("created_at" if is_event else "tags", columns)
    lines += [last] if last is not None else []
    lines.append(Line("traits", "*", "every other column"))
    return inferred(lines, "event" if is_event else "user", notes=["Found out from the column names alone."])


def _called(field: str, columns: Sequence[str]) -> Line | None:
    names = called(columns, NAMES[field])
    return Line(field, names[0], f"the column is called {names[0]}") if names else None


# ---------------------------------------------------------------------------- by names and values


def _by_values(
    looked: Looked[str, Look], kind: Kind | None, event: str | None, settings: Settings, remarks: Sequence[str]
) -> Inferred:
    events = Role((Line("event", {"value": event}, "given"),)) if event is not None else find_event(looked, kind)
    known: Kind | None = "event" if events.lines else kind
    settled: Kind = known or "user"
    identity = find_identity(_without(looked, events.lines), known, settings)
    if identity.user_id is None and identity.phone is None:
        raise _no_identity(list(looked), identity.looked_for)
    guesses = {name: guess(look) for name, look in _without(looked, (*identity.lines, *events.lines)).items()}
    roles = [events, find_created_at(guesses, settled)]
    if settled == "user":
        roles.append(find_tags({name: looked[name] for name in guesses}))
    if known is None:
        roles.insert(0, _perhaps_events(looked, guesses, identity))
    elif known == "event" and not events.lines:
        roles.insert(0, Role((_EVENT,), ("event: no column holds the name of the events: give one (--event NAME)",)))
    lines = [*identity.lines, *(line for role in roles for line in role.lines)]
    rest = {name: guesses[name] for name in _without(guesses, lines)}
    return inferred(
        [*lines, *_traits(rest, list(looked))],
        settled,
        notes=[_looked_at(looked), f"The rows are {settled}s" + ("." if known else ", as far as the columns tell.")],
        undecided=[*identity.undecided, *(one for role in roles for one in role.undecided)],
        remarks=[
            *remarks,
            *identity.remarks,
            *(one for role in roles for one in role.remarks),
            *(f"traits: {name}: {one.reason}" for name, one in rest.items() if one.undecided is not None),
        ],
    )


def _without(table: Looked[str, _T], lines: Iterable[Line]) -> dict[str, _T]:
    used = {name for line in lines if line.active for name in columns_of(line.written)}
    return {name: one for name, one in table.items() if name not in used}


def _traits(guesses: Looked[str, Guess], columns: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for name, found in guesses.items():
        trait = {"column": name} if name else {"column": name, "name": f"column_{columns.index(name) + 1}"}
        lines.append(Line("traits", trait | found.options, found.reason, active=not found.left_out))
        lines += [Line("traits", trait | one.options, one.reason, active=False) for one in found.instead]
    return lines


def _perhaps_events(looked: Looked[str, Look], guesses: Looked[str, Guess], identity: Identity) -> Role:
    """Ask where a table of users looks like one of what they did."""
    name = identity.user_id or identity.phone
    if name is None or not repeats(looked[name]):
        return Role()
    times = find_created_at(guesses, "event").lines
    said = f"kind: {name} comes more than once in {looked[name].filled:,} rows"
    if times and times[0].active:
        said += f" and {columns_of(times[0].written)[0]} is a time"
    named = find_event(looked, "event").lines
    events = f"--as events, their name in {named[0].written}" if named else "--event with their name"
    said += f": say whether they are events ({events}) or users (--as users; of each the last row stays)"
    named = named or (_EVENT,)
    return Role(tuple(replace(line, active=False) for line in (*named, *times)), (said,))


def _looked_at(looked: Looked[str, Look]) -> str:
    rows = next(iter(looked.values())).rows
    which = f"the first {rows:,} rows" if rows >= SAMPLE_ROWS else f"all {rows:,} rows"
    return f"Found out from the column names and {which}. Look it over: lines that begin with # do nothing."


def _unreadable(sample: Iterable[pa.RecordBatch]) -> list[str]:
    """Say how many rows the reader of the file could make nothing of; here they count as empty."""
    count = sum(len(one) - one[PROBLEM_COLUMN].null_count for one in sample if PROBLEM_COLUMN in one.schema.names)
    return [f"{count:,} of the rows cannot be read: they count as empty here, and are refused"] if count else []


def _no_identity(columns: Sequence[str], looked_for: str | None = None) -> MappingError:
    said = f"no column looks like a user_id or a phone among {listed(columns)}: give a mapping that says which is"
    return MappingError(printable(said if looked_for is None else f"{said} ({looked_for})"))
