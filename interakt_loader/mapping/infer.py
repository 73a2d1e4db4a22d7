"""A mapping found out from the column names and a sample of the rows, with the reason for each guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from interakt_loader.errors import MappingError
from interakt_loader.mapping.inference.fitting import fitted_preset
from interakt_loader.mapping.inference.identity import Identity, find_identity, repeats
from interakt_loader.mapping.inference.inferred import Inferred, Line, inferred
from interakt_loader.mapping.inference.names import NAMES, called
from interakt_loader.mapping.inference.roles import Role, find_created_at, find_event, find_tags
from interakt_loader.mapping.inference.sample import SAMPLE_ROWS, Look, looks
from interakt_loader.mapping.inference.types import guess
from interakt_loader.mapping.presets import preset as preset_called
from interakt_loader.mapping.presets import recognise
from interakt_loader.wire import Kind

__all__ = ["Inferred", "infer"]

_EVENT = Line("event", {"value": "Order Placed"}, "the name of the events, which no column holds", active=False)


def infer(
    columns: Sequence[str],
    kind: Kind | None = None,
    event: str | None = None,
    sample: Iterable[pa.RecordBatch] | None = None,
    *,
    preset: str | None = None,
    default_country: str = "+91",
) -> Inferred:
    """Find out which column is which, and what each of them holds.

    `kind` says what the rows are, where it is known; `event` is the constant name of the events. `sample` is the first
    rows (see `sample_of`); without it only the names tell. `preset` is the name of a preset, which else is recognised
    by the columns. Raises `MappingError` when no column looks like an identity, or the preset does not fit.
    """
    columns = list(columns)
    found = recognise(columns) if preset is None else preset_called(preset)
    wanted: Kind | None = "event" if event is not None else kind
    if preset is not None and found is not None and wanted not in (None, found.kind):
        raise MappingError(f"preset {found.name}: its rows are {found.kind}s, not {wanted}s")
    looked = {} if sample is None else looks(columns, sample)
    if found is not None and wanted in (None, found.kind):
        return fitted_preset(found, columns, looked, event, default_country)
    if not any(look.rows for look in looked.values()):
        return _by_names(columns, kind, event)
    return _by_values(looked, kind, event, default_country)


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
    return inferred(lines, "event" if is_event else "user")


def _called(field: str, columns: Sequence[str]) -> Line | None:
    names = called(columns, NAMES[field])
    return Line(field, names[0], f"the column is called {names[0]}") if names else None


# ---------------------------------------------------------------------------- by names and values


def _by_values(looked: dict[str, Look], kind: Kind | None, event: str | None, default_country: str) -> Inferred:
    events = Role((Line("event", {"value": event}, "given"),)) if event is not None else find_event(looked, kind)
    known: Kind | None = "event" if events.lines else kind
    rest = {name: look for name, look in looked.items() if name != events.column}
    identity = find_identity(rest, known, default_country)
    if identity.user_id is None and identity.phone is None:
        raise _no_identity(list(looked), identity.looked_for)
    lines, undecided = [*identity.lines, *events.lines], list(identity.undecided)
    rest = _without(rest, lines)
    settled: Kind = known or "user"
    roles = [find_created_at(rest, settled)] + ([find_tags(rest)] if settled == "user" else [])
    if known is None:
        maybe = _maybe_events(looked, identity)
        lines += maybe.lines
        undecided += maybe.undecided
    if known == "event" and not events.lines:
        lines.append(_EVENT)
        undecided.append("event: no column holds the name of the events: give one (--event NAME)")
    for role in roles:
        lines += role.lines
        undecided += role.undecided
    traits, open_ = _traits(_without(rest, lines))
    notes = [_looked_at(looked), f"The rows are {settled}s" + ("." if known else ", as far as the columns tell.")]
    return inferred([*lines, *traits], settled, notes, [*undecided, *open_])


def _without(looked: dict[str, Look], lines: Iterable[Line]) -> dict[str, Look]:
    used = {
        line.written["column"] if isinstance(line.written, dict) and "column" in line.written else str(line.written)
        for line in lines
        if line.active
    }
    return {name: look for name, look in looked.items() if name not in used}


def _traits(looked: dict[str, Look]) -> tuple[list[Line], list[str]]:
    lines: list[Line] = []
    undecided: list[str] = []
    for place, (name, look) in enumerate(looked.items()):
        found = guess(look)
        trait = {"column": name} if name else {"column": name, "name": f"column_{place + 1}"}
        lines.append(Line("traits", trait | found.options, found.reason, active=not found.left_out))
        lines += [Line("traits", trait | one.options, one.reason, active=False) for one in found.instead]
        if found.undecided is not None:
            undecided.append(f"traits: {name}: {found.undecided}")
    return lines, undecided


def _maybe_events(looked: dict[str, Look], identity: Identity) -> Role:
    """Say so where a table of users looks like one of what they did."""
    name = identity.user_id or identity.phone
    if name is None or not repeats(looked[name]):
        return Role()
    times = find_created_at({other: look for other, look in looked.items() if other != name}, "event")
    said = f"kind: {name} comes more than once in {looked[name].filled:,} rows"
    if times.column is not None:
        said += f" and {times.column} is a time"
    said += ": events, and no users? Then give their name (--event NAME); as users, the last row of each stays"
    named = find_event(looked, "event").lines or (_EVENT,)
    return Role(tuple(replace(line, active=False) for line in (*named, *times.lines)), (said,))


def _looked_at(looked: dict[str, Look]) -> str:
    rows = next(iter(looked.values())).rows
    which = f"the first {rows:,} rows" if rows >= SAMPLE_ROWS else f"all {rows:,} rows"
    return f"Found out from the column names and {which}. Look it over: lines that begin with # do nothing."


def _no_identity(columns: Sequence[str], looked_for: str | None = None) -> MappingError:
    said = "" if looked_for is None else f" ({looked_for})"
    return MappingError(
        f"no column looks like a user_id or a phone among {', '.join(columns)}: give a mapping that says which is{said}"
    )
