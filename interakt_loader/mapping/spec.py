"""The mapping as a person writes it: which column is which field. It is checked here without any data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interakt_loader.columns import TYPES, Target, no_type
from interakt_loader.errors import MappingError, by_surface
from interakt_loader.model import Kind
from interakt_loader.settings.values import did_you_mean
from interakt_loader.sources.base import heading
from interakt_loader.values import shown, type_shown

FIELDS = ("user_id", "phone", "country_code", "event", "event_id", "created_at", "tags", "traits")
"""The fields of a mapping."""

_TARGET_KEYS = ("type", "format", "separator", "timezone", "decimal", "guard")
_FIELD_KEYS = ("column", "value", "name", *_TARGET_KEYS)


@dataclass(frozen=True)
class Field:
    """Where a field's values come from: a column, or one constant for all rows."""

    column: str | None = None
    value: Any = None
    """The constant; used where `column` is None."""
    target: Target = Target()

    @property
    def label(self) -> str:
        """Its name in a message."""
        return self.column if self.column is not None else f"constant {shown(self.value)}"


@dataclass(frozen=True)
class Mapping:
    """Which column is which field of the API's calls.

    `traits` maps trait names to fields, in order. With `all_columns` (`"*"` in the written form), every column without
    another use is a trait by its own name. `Mapping.of` makes one.
    """

    user_id: Field | None = None
    phone: tuple[Field, ...] = ()
    """Columns of phones, the preferred one first."""
    country_code: Field | None = None
    event: Field | None = None
    event_id: Field | None = None
    """The column whose values, with the event's name, identify events."""
    created_at: Field | None = None
    tags: Field | None = None
    traits: tuple[tuple[str, Field], ...] = ()
    all_columns: bool = False

    @classmethod
    def of(cls, written: Any) -> Mapping:
        """Read the written form, a dict (see the README), or return a `Mapping` as it is.

        Raises `MappingError` naming the field at fault.
        """
        if isinstance(written, Mapping):
            return written
        if not isinstance(written, dict):
            given = "is empty" if written is None else f"is {type_shown(written)}"
            raise MappingError(f"the mapping {given}; expected a dict with {', '.join(FIELDS)}")
        for key in written:
            if key not in FIELDS:
                hint = did_you_mean(str(key), list(FIELDS))
                raise MappingError(f"the mapping has no field {key!r}{hint} (fields: {', '.join(FIELDS)})")
        single = [name for name in FIELDS if name not in ("phone", "traits") and written.get(name) is not None]
        named: dict[str, Any] = {name: _field(name, written[name]) for name in single}
        named["phone"] = _phones(written.get("phone"))
        if named.get("event_id") is not None and named["event_id"].column is None:
            raise MappingError("event_id: a constant would make all rows one event; expected a column")
        traits, all_columns = _traits(written.get("traits"))
        return cls(**named, traits=traits, all_columns=all_columns)

    @property
    def kind(self) -> Kind:
        """Events have a name; without one the rows are users."""
        return "user" if self.event is None else "event"

    @property
    def _fields(self) -> dict[str, tuple[Field, ...]]:
        """Every mapped field but the traits, by name."""
        pairs = ((name, getattr(self, name)) for name in FIELDS if name != "traits")
        return {name: field if isinstance(field, tuple) else (field,) for name, field in pairs if field}

    def event_id_by(self, option: str | None) -> Field | None:
        """Return the field of the events' ids; the option, a column's name, overrides the mapping.

        The option does not change what is sent: with `"*"` its column is a trait like any other.
        """
        return self.event_id if option is None else Field(option)

    def columns(self) -> list[str]:
        """Return the named columns, each once, in the order of the fields."""
        named = [field for fields in (*self._fields.values(), [trait for _, trait in self.traits]) for field in fields]
        return list(dict.fromkeys(field.column for field in named if field.column is not None))

    def traits_of(self, columns: Iterable[str]) -> list[tuple[str, Field]]:
        """Return the traits for a table with these columns: the named ones, then the rest if `all_columns`."""
        if not self.all_columns:
            return list(self.traits)
        used, names = set(self.columns()), {name for name, _ in self.traits}
        rest = [(name, Field(name)) for name in columns if name not in used and name not in names]
        return [*self.traits, *rest]

    def check(self, kind: Kind, columns: Sequence[str]) -> None:
        """Raise `MappingError` if the mapping does not fit the kind of call or the table's columns."""
        if self.user_id is None and not self.phone:
            raise MappingError(
                f"no identity is mapped: say which column is user_id or phone; there are {listed(columns)}"
            )
        if kind == "event" and self.event is None:
            ways = by_surface(
                "map event to a column, or to {'value': 'Order Placed'}",
                "give --map event=COLUMN, or --event NAME if all have the same",
            )
            raise MappingError(f"events need a name: {ways}")
        if kind == "user" and self.event is not None:
            raise MappingError("the mapping has an event, so its rows are events, not users")
        if kind == "user" and self.event_id is not None:
            raise MappingError("event_id is for events: users are identified by user_id or phone")
        if kind == "event" and self.tags is not None:
            raise MappingError("tags belong to users; the API takes none with an event")
        missing = [name for name in self.columns() if name not in columns]
        if missing:
            unknown = [f"{name!r}{did_you_mean(name, list(columns))}" for name in missing]
            raise MappingError(f"no such column: {', '.join(unknown)} (there are {listed(columns)})")

    def as_dict(self) -> dict[str, Any]:
        """Return the written form: what `Mapping.of` reads."""
        written: dict[str, Any] = {
            name: [*map(_written, fields)] if len(fields) > 1 else _written(fields[0])
            for name, fields in self._fields.items()
        }
        named = {name: _written(trait) for name, trait in self.traits}
        if self.all_columns:
            written["traits"] = ["*", *(_as_item(name, trait) for name, trait in named.items())] if named else "*"
        elif named:
            written["traits"] = named
        return written


def _phones(written: Any) -> tuple[Field, ...]:
    if written is None:
        return ()
    if not isinstance(written, (list, tuple)):
        return (_field("phone", written),)
    if not written:
        raise MappingError("phone: the list of columns is empty")
    return tuple(_field("phone", phone) for phone in written)


def _field(name: str, written: Any, *, trait: bool = False) -> Field:
    if isinstance(written, str):
        return Field(column=heading(written))
    if not isinstance(written, dict):
        raise MappingError(
            f"{name}: {written!r} is not a field; expected a column's name, {{'column': …}} or {{'value': …}}"
        )
    for key in written:
        if key not in _FIELD_KEYS or (key == "name" and not trait):
            raise MappingError(f"{name}: there is no {key!r}{did_you_mean(str(key), list(_FIELD_KEYS))}")
    if ("column" in written) == ("value" in written):
        raise MappingError(f"{name}: expected either 'column' or 'value' in {written!r}")
    if "value" in written:
        if isinstance(written["value"], (dict, set)) or written["value"] is None:
            expected = "text, a number, a boolean, a date or a list"
            raise MappingError(f"{name}: the constant is {shown(written['value'])}; expected {expected}")
        return Field(value=written["value"], target=_target(name, written))
    if not isinstance(written["column"], str):
        raise MappingError(f"{name}: 'column' is {written['column']!r}; expected a column's name")
    return Field(column=heading(written["column"]), target=_target(name, written))


def _target(name: str, written: dict[str, Any]) -> Target:
    options = {key: written[key] for key in _TARGET_KEYS if written.get(key) is not None}
    for key, value in options.items():
        if not isinstance(value, str) or not value:
            raise MappingError(f"{name}: {key!r} is {value!r}; expected text")
    if options.get("type", "auto") not in TYPES:
        raise MappingError(f"{name}: {no_type(options['type'])}")
    # a format, a separator or a decimal sign tells the type
    if options.get("type", "auto") == "auto":
        if "format" in options:
            options["type"] = "datetime"
        elif "separator" in options:
            options["type"] = "list"
        elif "decimal" in options:
            options["type"] = "number"
    try:
        return Target(**options)
    except MappingError as error:
        raise MappingError(f"{name}: {error}") from None


def _traits(written: Any) -> tuple[tuple[tuple[str, Field], ...], bool]:
    if written is None:
        return (), False
    if written == "*":
        return (), True
    if isinstance(written, dict):
        items = [(str(name), _field(f"traits.{name}", trait, trait=True)) for name, trait in written.items()]
        return tuple(items), False
    if not isinstance(written, (list, tuple)):
        raise MappingError(f"traits is {written!r}; expected a list, a dict from trait name to column, or '*'")
    named = [_listed_trait(trait) for trait in written if trait != "*"]
    for name, count in Counter(name for name, _ in named).items():
        if count > 1:
            raise MappingError(f"traits: {name!r} is named {count} times")
    return tuple(named), "*" in written


def _listed_trait(written: Any) -> tuple[str, Field]:
    field = _field("traits", written, trait=True)
    name = written.get("name") if isinstance(written, dict) else None
    name = name if name is not None else field.column
    if not isinstance(name, str) or not name:
        raise MappingError(f"traits: {written!r} has no name; add 'name'")
    return name, field


def _written(field: Field) -> Any:
    source = {"column": field.column} if field.column is not None else {"value": field.value}
    standard = Target()
    pairs = ((key, getattr(field.target, key)) for key in _TARGET_KEYS)
    options = {key: value for key, value in pairs if value != getattr(standard, key)}
    return field.column if field.column is not None and not options else source | options


def _as_item(name: str, written: Any) -> dict[str, Any]:
    return (written if isinstance(written, dict) else {"column": written}) | {"name": name}


def listed(columns: Sequence[str], most: int = 30) -> str:
    """Return columns for a message: all of them, or the first and how many there are."""
    shown = ", ".join(map(str, columns[:most]))
    return shown + (f", … ({len(columns)} in all)" if len(columns) > most else "")
