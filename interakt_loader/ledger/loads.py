"""What a ledger remembers of earlier loads: their mappings, sources, inputs and the names in their calls.

A call is known by its digest. That does not tell whether the same rows would give the same digests again, nor whether
an equal row is the same event. So before its first call a load is compared with earlier ones:

- Its mapping has the same *shape*, or all rows would be sent again as other calls.
- Events come from a source that the ledger knows, or the load has a name of its own.
- Events that have neither `created_at` nor an event id belong to an input that the ledger knows by its first rows. Each
  such input has digests of its own, so equal events of two inputs are never taken for one event.

A load is noted right before its first call. The note is removed if no call of the load was accepted.

The shape of a mapping is everything in it, and in the settings, that decides the content of the calls. An event without
an event id is known by its whole content, so another mapping would make a new event of every old one. Two mappings that
make the same calls have the same shape, whether they are given as flags, a dict, YAML or a preset.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interakt_loader.columns import Target
from interakt_loader.errors import UsageError, command, option
from interakt_loader.identity import country_code
from interakt_loader.ledger.digests import Keys
from interakt_loader.ledger.store import Store
from interakt_loader.mapping import OWN_TYPES, CreatedNames, Field, Mapping
from interakt_loader.mapping.created import Sort, folded
from interakt_loader.model import DIGEST, Kind
from interakt_loader.settings import Settings

Shape = dict[str, list[str]]
"""What is mapped, by field, trait (`trait NAME`) or setting.

A field has its column, or `CONSTANT` and a digest, and then the options that change what is sent.
"""

CONSTANT = "constant"

_IDENTITY = ("user_id", "phone", "phones", "country_code", "default_country", "event", "event_id")
"""The fields that identify the person and the event of a call. All others are content."""

_PHONE = ("phone", "phones", "country_code", "default_country")
"""The fields that identify the phone."""

_SHOWN = 4
"""Changes that a message names; the others are counted."""


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

    `digest` hides constants. `open_ended`: rows may have more columns than these. Then `"*"` is not spelled out: a
    column that a row does not have does not change its call.
    """

    def constant(value: Any) -> list[str]:
        return [CONSTANT, digest(json.dumps(value, sort_keys=True, default=lambda one: f"{type(one)} {one}")).hex()]

    def source(field: Field) -> list[str]:
        return [*field.columns] or constant(field.value)

    def options(field: Field, own_type: str) -> list[str]:
        return [*_options(field, settings, own_type), *_values(field, constant)]

    shape: Shape = {}
    if mapping.user_id is not None:
        shape["user_id"] = source(mapping.user_id) + _values(mapping.user_id, constant)
    if mapping.phone:
        shape["phone"] = [text for one in mapping.phone for text in (*source(one), *_values(one, constant))]
        shape |= _countries(mapping, settings, constant)
        # the two other values differ in what they refuse, not in what they send
        if settings.phones == "as-is":
            shape["phones"] = ["as-is"]
    event_id = event_id_of(mapping, settings)
    if kind == "event" and event_id is not None:
        shape["event_id"] = source(event_id) + _values(event_id, constant)
    for name in ("event", "group_by", "created_at", "add_to_sales_cycle", "tags"):
        field = getattr(mapping, name)
        if field is not None:
            shape[name] = source(field) + options(field, OWN_TYPES.get(name, "auto"))
    for name, field in mapping.traits if open_ended else mapping.traits_of(columns):
        shape[f"trait {name}"] = source(field) + options(field, "auto")
    if open_ended and mapping.all_columns:
        shape["traits"] = ["every other column"]
    if settings.nulls != "omit":
        shape["nulls"] = [settings.nulls]
    if settings.null_values:
        shape["null_values"] = sorted(settings.null_values)
    return shape


def event_id_of(mapping: Mapping, settings: Settings) -> Field | None:
    """Return the field of the event ids, if events have any."""
    if settings.event_id is not None:
        return Field.of(settings.event_id)
    field: Field | None = getattr(mapping, "event_id", None)
    return field


def _countries(mapping: Mapping, settings: Settings, constant: Callable[[Any], list[str]]) -> Shape:
    """Return where the countries of phones come from. A constant and the default are equivalent."""
    field = mapping.country_code
    if field is not None and field.columns:
        columns = [*field.columns, *_values(field, constant)]
        return {"country_code": columns, "default_country": [_country(settings.default_country)]}
    return {"country_code": constant(_country(settings.default_country if field is None else field.value))}


def _country(written: Any) -> str:
    return country_code(str(written)) or str(written)


def _options(field: Field, settings: Settings, own_type: str) -> list[str]:
    """Return the options of a field that change what is sent, for messages."""
    target = field.target
    kind = own_type if target.type == "auto" else target.type
    # the name of an event is never a time, so the time zone does not count
    is_name = own_type == "string"
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


def _values(field: Field, constant: Callable[[Any], list[str]]) -> list[str]:
    """Return how a field makes values of its cells, for messages. Values that are sent are hidden."""
    found = [f"join {field.join!r}"] if len(field.columns) > 1 else []
    if field.value_map is not None:
        found.append(f"values {constant(field.value_map)[1]}")
    if field.default is not None:
        found.append(f"default {constant(field.default)[1]}")
    return [*found, "collect"] if field.collect else found


def _may_be_a_time(field: Field, kind: str) -> bool:
    if not field.columns and isinstance(field.value, (int, float)):
        return kind in ("datetime", "date")
    if not field.columns and isinstance(field.value, str):
        return kind not in ("auto", "string", "number", "boolean")
    return kind not in ("number", "boolean")


def changes(before: Shape, now: Shape, kind: Kind) -> list[str]:
    """Return the changed fields that would make other calls of the same rows: new events, or calls about other people.

    For users, only the identity counts: other content is sent as a change. The same is true for events with an event
    id, which are known by it. A phone that is added to the same user id is content too.
    """
    changed = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    by_content = kind == "event" and "event_id" not in now
    if by_content:
        return changed
    same_user = "user_id" in now and "user_id" not in changed
    added = _PHONE if same_user and "phone" not in before else ()
    return [name for name in changed if name in _IDENTITY and name not in added]


def shown(changed: Sequence[str], before: Shape, now: Shape, constants: Callable[[str], str | None]) -> str:
    """Return the changes for a message. `constants` gives the constant that today's mapping has for a field."""

    def shown_field(name: str, shape: Shape, constant: str | None) -> str:
        parts = shape.get(name)
        if parts is None:
            return "none"
        if parts[0] == CONSTANT:
            parts = [constant or "a constant", *parts[2:]]
        return ", ".join(parts)

    texts = []
    for name in changed[:_SHOWN]:
        old, new = shown_field(name, before, None), shown_field(name, now, constants(name))
        texts.append(f"{name}: {old} → {new}" if old != new else f"{name}: another constant")
    more = len(changed) - _SHOWN
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


ROW = 8
"""Bytes by which one of the first rows of an input is known: whether it could be sent, and seven of a digest."""

_OF_FAILURES = "of failures"
"""In a shape: the load was one of failed rows, and no row of their source was accepted."""

_TOPICS: dict[Sort, str] = {"events": "event names", "traits": "trait names", "tags": "tag names"}
_FOLDED = "folded trait names"

_Notes = dict[bytes, bytes]


@dataclass(frozen=True)
class ThisLoad:
    """What of a load is compared with earlier loads."""

    names: tuple[str, ...]
    """Its names: the given one first, then the source's, by which a later load without a name finds its mapping.

    Frames and streams without a name are all `""`. The last one is the name of its failures file.
    """
    is_named: bool
    """Whether it was given a name. Then a source that is new to the ledger is accepted."""
    shape: Shape
    constants: dict[str, str]
    """The constants of the mapping, for messages."""
    sources: tuple[tuple[str, ...], ...] = ()
    """Each source, by the spellings of its folder and name; none for frames and streams."""
    place: str = ""
    """The paths of the input, with dates; empty for frames and streams."""
    failures_name: str = ""
    """The name of a load of its failures file, if it is not the first name."""
    is_failures: bool = False
    """The rows failed in an earlier load of this name."""
    renews: bool = False
    """All rows are to be sent, or recorded, whatever the ledger holds."""
    beginning: bytes | None = None
    """Digests of the first rows, `ROW` bytes each. None for users, and for events with a time or an id of their own."""


class Input(NamedTuple):
    """An input of events that are known only by their content."""

    place: bytes
    name: bytes
    number: int
    """The number of the input in the ledger, from 1."""
    beginning: bytes

    @classmethod
    def read(cls, value: bytes) -> Input:
        """Return the input of a note."""
        place, name, number = value[:DIGEST], value[DIGEST : 2 * DIGEST], value[2 * DIGEST : 2 * DIGEST + 4]
        return cls(place, name, int.from_bytes(number, "big"), value[2 * DIGEST + 4 :])

    def written(self) -> bytes:
        """Return the note."""
        return self.place + self.name + self.number.to_bytes(4, "big") + self.beginning


class Loads:
    """What a ledger remembers of the loads of one kind to one destination."""

    def __init__(self, store: Store, keys: Keys, kind: Kind) -> None:
        self._store, self._keys, self._kind = store, keys, kind
        self._load: ThisLoad | None = None
        self._before: list[tuple[bytes, _Notes]] = []
        self.salt: bytes | None = None
        """Added to the digests of this input; None if its events have a time or an id of their own."""

    def check(self, load: ThisLoad, ledger: str) -> None:
        """Accept a load, or raise a `UsageError` that tells what to do."""
        self._load = load
        where = f"ledger {ledger}"
        self._check_source(load, where)
        self._check_shape(load, where)
        # an input without rows is not remembered
        if load.beginning:
            self.salt = self._input_of(load, where)

    @property
    def is_of_failures(self) -> bool:
        """Whether the rows failed in an earlier load."""
        return self._load is not None and self._load.is_failures

    @property
    def is_first(self) -> bool:
        """Whether the ledger remembers no load of this kind to this destination."""
        return not self._notes("shapes")

    def digest(self, text: str) -> bytes:
        """Return the digest of a text, such as a constant of a mapping."""
        return self._keys.name(text)

    def known(self, sort: Sort) -> Callable[[str], bool]:
        """Return what tells whether a name was in the calls of an earlier load. The ledger is read once, now."""
        noted = self._notes(_TOPICS[sort])
        return lambda name: self._keys.name(name) in noted

    def known_alike(self) -> Callable[[str], bool]:
        """Return what tells whether an earlier load had a trait whose name is the same when `folded`."""
        noted = self._notes(_FOLDED)
        return lambda trait: self._keys.name(folded(trait)) in noted

    def begin(self, created: CreatedNames | None = None) -> None:
        """Note the load and the names in its calls, right before the first call."""
        load = self._load
        if load is None:
            return
        own = {**load.shape, _OF_FAILURES: []} if load.is_failures else load.shape
        shape = json.dumps(own, ensure_ascii=False).encode()
        self._note("shapes", dict.fromkeys(self._names(load), shape))
        spellings = [one for several in load.sources for one in several]
        # a failures file may be anywhere
        if not load.is_failures:
            self._note("sources", {self._keys.name(one): b"1" for one in spellings})
        if created is not None:
            self.note_names(created)
        if self.salt is not None and load.beginning:
            inputs = self._inputs()
            number = inputs[self.salt].number if self.salt in inputs else 1 + len(inputs)
            if self.salt not in inputs or not load.is_failures:
                place, name = self._keys.name(load.place), self._keys.name(load.failures_name or load.names[0])
                self._note("inputs", {self.salt: Input(place, name, number, load.beginning).written()})

    def note_names(self, created: CreatedNames) -> None:
        """Note names that the account has, or is about to have."""
        for sort, topic in _TOPICS.items():
            self._note(topic, {self._keys.name(name): b"1" for name in created.of(sort)})
        self._note(_FOLDED, {self._keys.name(folded(name)): b"1" for name in created.of("traits")})

    def _names(self, load: ThisLoad) -> list[bytes]:
        """Return the names that have this load's mapping from now on.

        A second load of a source, with a name of its own, does not change the mapping of the source's name. A load of
        failed rows changes no mapping that is known.
        """
        own, *others = map(self._keys.name, load.names)
        known = self._notes("shapes")
        if load.is_failures:
            return [one for one in (own, *others) if one not in known]
        return [own, *(one for one in others if load.renews or known.get(one) in (None, known.get(own)))]

    def take_back(self) -> None:
        """Remove the note of the load, because none of its calls was accepted."""
        for topic, values in reversed(self._before):
            self._store.note(topic, values)
        self._before.clear()

    def _check_source(self, load: ThisLoad, where: str) -> None:
        if self._kind != "event" or load.is_named or not load.sources or self.is_first:
            return
        known = self._notes("sources")
        # a failures file is known by its name alone, and so is its source if none of that source's rows was good
        if (load.is_failures or not known) and self._keys.name(load.names[0]) in self._notes("shapes"):
            return
        if all(any(self._keys.name(one) in known for one in several) for several in load.sources):
            return
        raise UsageError(
            f"nothing was sent: {where} holds events of other sources, and this source is new to it. If its events "
            f"belong there, name the load: {option('name', load.names[0])}; else give it a ledger of its own: "
            f"{option('ledger', placeholder='PATH')}"
        )

    def _check_shape(self, load: ThisLoad, where: str) -> None:
        notes = self._notes("shapes")
        known = notes.get(self._keys.name(load.names[0]))
        if load.renews:
            return
        if known is None:
            self._check_can_compare(load, where)
            return
        before: Shape = json.loads(known)
        from_failures = before.pop(_OF_FAILURES, None) is not None
        changed = changes(before, load.shape, self._kind)
        if (load.is_failures or from_failures) and ("traits" in before) != ("traits" in load.shape):
            # one of the two loads did not know all columns of the source, and so the traits are spelled differently
            changed = [name for name in changed if name != "traits" and not name.startswith("trait ")]
        if not changed:
            return
        differences = shown(changed, before, load.shape, load.constants.get)
        rows = "users" if self._kind == "user" else "events"
        raise UsageError(
            f"nothing was sent: the mapping is not the one by which {where} knows these {rows} ({differences}), so "
            f"all of them would be sent again. Change it back; or {self._ways(load)}; or, if these are other rows, "
            f"give them a name of their own: {option('name', placeholder='NAME')}"
        )

    def _check_can_compare(self, load: ThisLoad, where: str) -> None:
        """Refuse events that have neither a name nor a source, if the ledger knows only loads of other names.

        Their mapping cannot be compared with the one that made the events on record, and may make others.
        """
        if self._kind != "event" or load.is_named or load.sources or load.is_failures or self.is_first:
            return
        raise UsageError(
            f"nothing was sent: {where} holds events of other loads, and nothing tells which of them these events "
            f"belong to. Give the name of that load: {option('name', placeholder='NAME')}; if these are other rows, "
            f"give a new name, or a ledger of its own: {option('ledger', placeholder='PATH')}"
        )

    def _ways(self, load: ThisLoad) -> str:
        again = option("resend", value=True)
        ways = f"put the rows on record as they are now ({command('baseline')}), or send all of them again ({again})"
        if self._kind == "user" or "event_id" in load.shape:
            return ways
        return f"map event_id, so that later changes do no harm, and {ways}"

    def _input_of(self, load: ThisLoad, where: str) -> bytes:
        """Return the salt of the input, or a new one if the ledger does not know it."""
        assert load.beginning is not None
        known = self._inputs()
        place, name = self._keys.name(load.place), self._keys.name(load.names[0])
        if load.is_failures:
            own = [(one.number, salt) for salt, one in known.items() if one.name == name]
            if own:
                return max(own)[1]
        same = [
            (len(one.beginning), one.number, salt)
            for salt, one in known.items()
            if one.place == place and begins_alike(one.beginning, load.beginning)
        ]
        if same:
            return max(same)[2]
        if not (self.is_first or load.renews):
            raise UsageError(
                f"nothing was sent: {where} holds events of another input, and these events have neither created_at "
                "nor an event id, so nothing tells whether an equal one was sent before. Map created_at or "
                f"event_id; or say that all rows are new events ({option('resend', value=True)}); or give the input a "
                f"ledger of its own ({option('ledger', placeholder='PATH')})"
            )
        return os.urandom(DIGEST)

    def _inputs(self) -> dict[bytes, Input]:
        return {salt: Input.read(value) for salt, value in self._notes("inputs").items()}

    def _topic(self, what: str) -> bytes:
        return self._keys.topic(f"{what} {self._kind}")

    def _notes(self, what: str) -> _Notes:
        return {name: value for name, value in self._store.notes(self._topic(what)).items() if value}

    def _note(self, what: str, values: _Notes) -> None:
        topic = self._topic(what)
        known = self._store.notes(topic)
        new = {name: value for name, value in values.items() if known.get(name) != value}
        if new:
            self._before.append((topic, {name: known.get(name, b"") for name in new}))
            self._store.note(topic, new)


def known_row(digest: bytes, *, sent: bool) -> bytes:
    """Return by what one of the first rows of an input is known; `sent`: it could be sent."""
    return bytes([sent]) + digest[: ROW - 1]


def begins_alike(before: bytes, now: bytes) -> bool:
    """Tell whether an input that began with `before` may begin with `now`, because rows were only added at its end.

    A row that could not be sent may have been corrected since. At least one row has to be the same.
    """
    if len(now) < len(before):
        return False
    same = 0
    for at in range(0, len(before), ROW):
        old, new = before[at : at + ROW], now[at : at + ROW]
        corrected = not old[0] and new[0]
        if old != new and not corrected:
            return False
        same += old == new
    return same > 0
