"""The shape of a mapping: all of it, and of the settings, that decides what the calls say. Pure.

An event without an event id is known by all that it says, so with another mapping every old event would be a new one.
The ledger keeps the shape of each load, and a load with another shape is stopped before its first call. Two mappings
that make the same calls have the same shape, however they are written: flags, a dict, YAML, a preset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from interakt_loader.coerce import Target
from interakt_loader.identity import country_code
from interakt_loader.mapping import Field, Mapping
from interakt_loader.settings import Settings
from interakt_loader.wire import Kind

Shape = dict[str, list[str]]
"""What is mapped, by field, trait (`trait NAME`) or setting. A field has its column, or `CONSTANT` and a digest; then
the options that change what is sent."""

CONSTANT = "constant"

_IDENTITY = ("user_id", "phone", "phones", "country_code", "default_country", "event", "event_id")
"""What says who a call is about, and which event it is; all else is what the call says about them."""

_PHONE = ("phone", "phones", "country_code", "default_country")
"""What says which phone a call is about."""

_OWN_TYPE = {"event": "string", "created_at": "datetime", "tags": "list"}
"""What `auto` means for a field."""

_SHOWN = 4
"""Changes that are named; of more, their number."""


def shape_of(
    mapping: Mapping,
    kind: Kind,
    settings: Settings,
    columns: Sequence[str],
    digest: Callable[[str], bytes],
    *,
    open_ended: bool = False,
) -> Shape:
    """Return the shape of a mapping for a table with these columns.

    `digest` hides constants. `open_ended`: rows may have more columns than these, so `"*"` is not spelled out: a column
    that a row does not have changes nothing about that row's call.
    """

    def constant(value: Any) -> list[str]:
        return [CONSTANT, digest(json.dumps(value, sort_keys=True, default=lambda one: f"{type(one)} {one}")).hex()]

    def source(field: Field) -> list[str]:
        return constant(field.value) if field.column is None else [field.column]

    shape: Shape = {}
    if mapping.user_id is not None:
        shape["user_id"] = source(mapping.user_id)
    if mapping.phone:
        shape["phone"] = [text for one in mapping.phone for text in source(one)]
        shape |= _countries(mapping, settings, constant)
        if settings.phones == "as-is":  # the two others differ in what they refuse, not in what they send
            shape["phones"] = ["as-is"]
    event_id = event_id_of(mapping, settings)
    if kind == "event" and event_id is not None:
        shape["event_id"] = source(event_id)
    for name in ("event", "created_at", "tags"):
        field = getattr(mapping, name)
        if field is not None:
            shape[name] = source(field) + _options(field, settings, _OWN_TYPE[name])
    for name, field in mapping.traits if open_ended else mapping.traits_of(columns):
        shape[f"trait {name}"] = source(field) + _options(field, settings, "auto")
    if open_ended and mapping.all_columns:
        shape["traits"] = ["every other column"]
    if settings.nulls != "omit":
        shape["nulls"] = [settings.nulls]
    if settings.null_words:
        shape["null_values"] = sorted(settings.null_words)
    return shape


def event_id_of(mapping: Mapping, settings: Settings) -> Field | None:
    """Return where the event ids are, if events have any."""
    if settings.event_id is not None:
        return Field(settings.event_id)
    field: Field | None = getattr(mapping, "event_id", None)
    return field


def _countries(mapping: Mapping, settings: Settings, constant: Callable[[Any], list[str]]) -> Shape:
    """Return where the countries of phones come from: a constant and the default are the same thing."""
    field = mapping.country_code
    if field is not None and field.column is not None:
        return {"country_code": [field.column], "default_country": [_country(settings.default_country)]}
    return {"country_code": constant(_country(settings.default_country if field is None else field.value))}


def _country(written: Any) -> str:
    return country_code(str(written)) or str(written)


def _options(field: Field, settings: Settings, own_type: str) -> list[str]:
    """Return the options of a field that change what is sent, as a person would name them."""
    target = field.target
    kind = own_type if target.type == "auto" else target.type
    is_name = own_type == "string"  # of an event: no time, whatever the load's zone is
    zone = settings.timezone if target.timezone == Target().timezone else target.timezone
    found = {
        "type": kind if kind != own_type else None,
        "format": target.format,
        "separator": target.separator if target.separator != "," else None,
        "timezone": zone if zone != Target().timezone and not is_name and _may_be_a_time(field, kind) else None,
        "decimal": target.decimal if target.decimal != Target().decimal else None,
        "guard": target.guard,
    }
    return [f"{name} {value}" for name, value in found.items() if value is not None]


def _may_be_a_time(field: Field, kind: str) -> bool:
    if field.column is None and isinstance(field.value, (int, float)):
        return kind in ("datetime", "date")
    if field.column is None and isinstance(field.value, str):
        return kind not in ("auto", "string", "number", "boolean")
    return kind not in ("number", "boolean")


def changes(before: Shape, now: Shape, kind: Kind) -> list[str]:
    """Return the fields whose change would make other calls of the same rows: new events, or of somebody else.

    For users that is who a call is about: what it says may change, and is then sent. Likewise for events that have an
    event id: by that they are known whatever they say. A phone that is mapped beside the same user id, where none was
    before, is only one thing more that is said.
    """
    changed = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    by_content = kind == "event" and "event_id" not in now
    if by_content:
        return changed
    same_user = "user_id" in now and "user_id" not in changed
    added = _PHONE if same_user and "phone" not in before else ()
    return [name for name in changed if name in _IDENTITY and name not in added]


def shown(changed: Sequence[str], before: Shape, now: Shape, constants: Callable[[str], str | None]) -> str:
    """Return the changes for a person. `constants` gives what the mapping of today says, where that is a constant."""

    def said(name: str, shape: Shape, constant: str | None) -> str:
        parts = shape.get(name)
        if parts is None:
            return "none"
        if parts[0] == CONSTANT:
            parts = [constant or "a constant", *parts[2:]]
        return ", ".join(parts)

    texts = []
    for name in changed[:_SHOWN]:
        old, new = said(name, before, None), said(name, now, constants(name))
        texts.append(f"{name}: {old} → {new}" if old != new else f"{name}: another constant")
    more = len(changed) - _SHOWN
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")
