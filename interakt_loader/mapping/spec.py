"""The mapping as a person writes it: which column is which field. It is checked here without any data."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from interakt_loader.columns import TYPES, Target, coerce, no_type
from interakt_loader.errors import MappingError, by_surface
from interakt_loader.mapping.written import MappingDict
from interakt_loader.model import Kind
from interakt_loader.settings.values import did_you_mean
from interakt_loader.sources.base import heading
from interakt_loader.sources.memory import text_of, to_arrow
from interakt_loader.values import shown, type_shown

FIELDS = (
    "user_id",
    "phone",
    "country_code",
    "event",
    "event_id",
    "group_by",
    "created_at",
    "add_to_sales_cycle",
    "tags",
    "traits",
)
"""The fields of a mapping."""

OWN_TYPES = {"event": "string", "created_at": "datetime", "add_to_sales_cycle": "boolean", "tags": "list"}
"""The type that `auto` means for a field; for traits it is the column's own."""

_IDENTITY = ("user_id", "phone", "event_id", "group_by")
"""Fields that tell people, events or orders apart. One constant for many rows would make one of all of them."""

_TARGET_KEYS = ("type", "format", "separator", "timezone", "decimal", "guard")
_SOURCE_KEYS = ("column", "columns", "value")
_COLUMN_KEYS = ("join", "values", "otherwise", "default", "collect")
"""What only a field from columns can have."""
_FIELD_KEYS = (*_SOURCE_KEYS, "name", *_COLUMN_KEYS, *_TARGET_KEYS)

MOST_MISTAKES = 30
"""Mistakes that one message names; the others are counted."""

_EXPECTED_VALUE = "text, a number, a boolean, a date or a list"


@dataclass(frozen=True)
class ValueMap:
    """What is sent for each value of a column, whose text is compared with the keys as they are written."""

    values: tuple[tuple[str, Any], ...]
    """Pairs of a cell's text and what is sent for it; None: nothing is sent."""
    otherwise: Any = None
    """What is sent for any other text, if `has_otherwise`. Else such a row is refused."""
    has_otherwise: bool = False


@dataclass(frozen=True)
class Field:
    """Where a field's values come from: columns, or one constant for all rows."""

    columns: tuple[str, ...] = ()
    """Several are joined to one text; none: the value is a constant."""
    value: Any = None
    """The constant; used if there are no columns."""
    target: Target = Target()
    join: str = ""
    """The text between the values of several columns. Missing values leave none."""
    value_map: ValueMap | None = None
    default: Any = None
    """What is sent where the value is missing; None: nothing."""
    collect: bool = False
    """Whether the values of all rows of a group become a list. Else the rows have one value in common."""

    @classmethod
    def of(cls, column: str) -> Field:
        """Return the field of one column, as it is."""
        return cls((column,))

    @property
    def label(self) -> str:
        """Its name in a message."""
        return " + ".join(self.columns) if self.columns else f"constant {shown(self.value)}"


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
    group_by: Field | None = None
    """The column that has one value in consecutive rows of one event."""
    created_at: Field | None = None
    add_to_sales_cycle: Field | None = None
    """Whether a user enters the sales pipeline."""
    tags: Field | None = None
    traits: tuple[tuple[str, Field], ...] = ()
    all_columns: bool = False

    @classmethod
    def of(cls, written: Mapping | MappingDict | dict[str, Any]) -> Mapping:
        """Read the written form, a dict (see the README), or return a `Mapping` as it is.

        Raises `MappingError` naming every mistake.
        """
        return written if isinstance(written, Mapping) else cls._read(written)

    @classmethod
    def _read(cls, written: Any) -> Mapping:
        if not isinstance(written, dict):
            given = "is empty" if written is None else f"is {type_shown(written)}"
            raise MappingError(f"the mapping {given}; expected a dict with {', '.join(FIELDS)}")
        mistakes: list[str] = []
        for key in written:
            if key not in FIELDS:
                hint = did_you_mean(str(key), list(FIELDS))
                mistakes.append(f"the mapping has no field {key!r}{hint} (fields: {', '.join(FIELDS)})")
        single = [name for name in FIELDS if name not in ("phone", "traits") and written.get(name) is not None]
        named: dict[str, Any] = {name: _field(name, written[name], mistakes) for name in single}
        named["phone"] = _phones(written.get("phone"), mistakes)
        traits, all_columns = _traits(written.get("traits"), mistakes)
        mapping = cls(**named, traits=traits, all_columns=all_columns)
        mistakes += mapping._contradictions()
        if mistakes:
            raise MappingError(in_one_line(mistakes))
        return mapping

    @property
    def kind(self) -> Kind:
        """Events have a name; without one the rows are users."""
        return "user" if self.event is None else "event"

    @property
    def _fields(self) -> dict[str, tuple[Field, ...]]:
        """Every mapped field but the traits, by name."""
        pairs = ((name, getattr(self, name)) for name in FIELDS if name != "traits")
        return {name: field if isinstance(field, tuple) else (field,) for name, field in pairs if field}

    def _contradictions(self) -> Iterator[str]:
        for name, fields in self._fields.items():
            for field in fields:
                if field.collect:
                    yield f"{name}: 'collect' is for traits; {name} has one value for the whole group"
        collected = [name for name, field in self.traits if field.collect]
        if collected and self.group_by is None:
            yield f"traits.{collected[0]}: 'collect' needs group_by, a column with one value in the rows of an event"

    def event_id_by(self, option: str | None) -> Field | None:
        """Return the field of the events' ids; the option, a column's name, overrides the mapping.

        The option does not change what is sent: with `"*"` its column is a trait like any other.
        """
        return self.event_id if option is None else Field.of(option)

    def columns(self) -> list[str]:
        """Return the named columns, each once, in the order of the fields."""
        named = [field for fields in (*self._fields.values(), [trait for _, trait in self.traits]) for field in fields]
        return list(dict.fromkeys(column for field in named for column in field.columns))

    def traits_of(self, columns: Iterable[str]) -> list[tuple[str, Field]]:
        """Return the traits for a table with these columns: the named ones, then the rest if `all_columns`."""
        if not self.all_columns:
            return list(self.traits)
        used, names = set(self.columns()), {name for name, _ in self.traits}
        rest = [(name, Field.of(name)) for name in columns if name not in used and name not in names]
        return [*self.traits, *rest]

    def check(self, kind: Kind, columns: Sequence[str]) -> None:
        """Raise `MappingError` with every mistake if the mapping does not fit the kind of call or the columns."""
        mistakes = [*self._wrong_for(kind, columns)]
        missing = [name for name in self.columns() if name not in columns]
        if missing:
            unknown = [f"{name!r}{did_you_mean(name, list(columns))}" for name in missing]
            mistakes.append(f"no such column: {', '.join(unknown)} (there are {listed(columns)})")
            if self.event is not None and not set(self.event.columns).isdisjoint(missing):
                given = {"value": self.event.columns[0]}
                mistakes.append(f'one name for all rows is "event": {json.dumps(given, ensure_ascii=False)}')
        if mistakes:
            raise MappingError(in_one_line(mistakes))

    def _wrong_for(self, kind: Kind, columns: Sequence[str]) -> Iterator[str]:
        if self.user_id is None and not self.phone:
            yield f"no identity is mapped: say which column is user_id or phone; there are {listed(columns)}"
        if kind == "event" and self.event is None:
            ways = by_surface(
                "map event to a column, or to {'value': 'Order Placed'}",
                "give --map event=COLUMN, or --event NAME if all have the same",
            )
            yield f"events need a name: {ways}"
        if kind == "user" and self.event is not None:
            yield "the mapping has an event, so its rows are events, not users"
        if kind == "user" and self.event_id is not None:
            yield "event_id is for events: users are identified by user_id or phone"
        if kind == "user" and self.group_by is not None:
            yield "group_by is for events, and these rows are users: map an event, or leave group_by out"
        if kind == "event" and self.tags is not None:
            yield "tags belong to users; the API takes none with an event"
        if kind == "event" and self.add_to_sales_cycle is not None:
            yield "add_to_sales_cycle belongs to users; the API takes none with an event"

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


def in_one_line(mistakes: Sequence[str]) -> str:
    """Return one message about all mistakes."""
    if len(mistakes) == 1:
        return mistakes[0]
    numbered = [f"({number}) {mistake}" for number, mistake in enumerate(mistakes[:MOST_MISTAKES], start=1)]
    more = f"; and {len(mistakes) - MOST_MISTAKES} more" if len(mistakes) > MOST_MISTAKES else ""
    return f"{len(mistakes)} mistakes: {'; '.join(numbered)}{more}"


# ------------------------------------------------------------------ reading the written form

# Each function adds what is wrong to `mistakes`, and returns what it could read: a mapping with mistakes is not used.


def _phones(written: Any, mistakes: list[str]) -> tuple[Field, ...]:
    if written is None:
        return ()
    if not isinstance(written, (list, tuple)):
        return (_field("phone", written, mistakes),)
    if not written:
        mistakes.append("phone: the list of columns is empty")
    return tuple(_field("phone", phone, mistakes) for phone in written)


def _field(name: str, written: Any, mistakes: list[str], *, trait: bool = False) -> Field:
    if isinstance(written, str):
        return Field.of(heading(written))
    if not isinstance(written, dict):
        hint = "; a name such as No or 7 is written in quotes" if isinstance(written, (bool, int)) else ""
        mistakes.append(
            f"{name}: {written!r} is not a field; expected a column's name, {{'column': …}}, {{'columns': […]}} or "
            f"{{'value': …}}{hint}"
        )
        return Field()
    found = len(mistakes)
    unknown = [key for key in written if key not in _FIELD_KEYS or (key == "name" and not trait)]
    mistakes += [f"{name}: there is no {key!r}{did_you_mean(str(key), list(_FIELD_KEYS))}" for key in unknown]
    given = [key for key in _SOURCE_KEYS if key in written]
    if len(given) != 1:
        mistakes.append(f"{name}: expected either 'column', 'columns' or 'value' in {written!r}")
    target = _target(name, written, mistakes)
    if given == ["value"]:
        return _constant(name, written, target, mistakes)
    columns = _columns(name, written, mistakes)
    field = Field(
        columns,
        target=target,
        join=_join(name, written, mistakes),
        value_map=_value_map(name, written, mistakes),
        default=written.get("default"),
        collect=_collect(name, written, mistakes),
    )
    if field.collect and target.type == "list":
        mistakes.append(f"{name}: 'collect' makes a list, and a list cannot hold lists; leave out the type list")
    if name in _IDENTITY and (field.default is not None or (field.value_map and field.value_map.has_otherwise)):
        what = "'default'" if field.default is not None else "'otherwise'"
        mistakes.append(f"{name}: {what} would give many rows the same {name}; leave it out")
    if len(mistakes) == found:
        _check_values(name, field, mistakes)
    return field


def _constant(name: str, written: dict[str, Any], target: Target, mistakes: list[str]) -> Field:
    of_columns = [key for key in _COLUMN_KEYS if key in written]
    mistakes += [f"{name}: {key!r} is for columns, and 'value' is the same in all rows" for key in of_columns]
    if not _can_be_sent(written["value"]):
        mistakes.append(f"{name}: the constant is {shown(written['value'])}; expected {_EXPECTED_VALUE}")
    if name in ("event_id", "group_by"):
        mistakes.append(f"{name}: a constant would make all rows one event; expected a column")
    return Field(value=written["value"], target=target)


def _columns(name: str, written: dict[str, Any], mistakes: list[str]) -> tuple[str, ...]:
    if "columns" not in written:
        column = written.get("column")
        if isinstance(column, str):
            return (heading(column),)
        if "column" in written:
            mistakes.append(f"{name}: 'column' is {column!r}; expected a column's name")
        return ()
    columns = written["columns"]
    if isinstance(columns, (list, tuple)) and columns and all(isinstance(one, str) for one in columns):
        return tuple(map(heading, columns))
    mistakes.append(f"{name}: 'columns' is {columns!r}; expected a list of columns' names")
    return ()


def _join(name: str, written: dict[str, Any], mistakes: list[str]) -> str:
    if "columns" in written and not isinstance(written.get("join"), str):
        given = f"'join' is {written['join']!r}" if "join" in written else "'columns' needs 'join'"
        mistakes.append(f"{name}: {given}; expected the text between the values, such as ' '")
    if "join" in written and "columns" not in written:
        mistakes.append(f"{name}: 'join' is for 'columns', a list of columns' names")
    join = written.get("join")
    return join if isinstance(join, str) else ""


def _value_map(name: str, written: dict[str, Any], mistakes: list[str]) -> ValueMap | None:
    values = written.get("values")
    if values is None:
        if "values" in written or "otherwise" in written:
            mistakes.append(f"{name}: 'values' is missing; expected a dict from a cell's text to what is sent")
        return None
    if not isinstance(values, dict) or not values:
        mistakes.append(f"{name}: 'values' is {values!r}; expected a dict from a cell's text to what is sent")
        return None
    pairs = [(_key(key), value) for key, value in values.items()]
    for text, value in pairs:
        if not text:
            mistakes.append(f"{name}: 'values' has an empty key; 'default' says what is sent for an empty cell")
        if value is not None and not _can_be_sent(value):
            mistakes.append(f"{name}: 'values' has {shown(value)} for {text!r}; expected {_EXPECTED_VALUE}")
    for text, count in Counter(text for text, _ in pairs).items():
        if count > 1:
            mistakes.append(f"{name}: 'values' has {text!r} {count} times")
    return ValueMap(tuple(pairs), written.get("otherwise"), has_otherwise="otherwise" in written)


def _key(key: Any) -> str:
    """Return the text of a key: Python's True is the text of a boolean column's value."""
    return (text_of(key) or "").strip() if isinstance(key, (str, bool, int, float, Decimal, dt.date)) else repr(key)


def _collect(name: str, written: dict[str, Any], mistakes: list[str]) -> bool:
    collect = written.get("collect", False)
    if not isinstance(collect, bool):
        mistakes.append(f"{name}: 'collect' is {collect!r}; expected true or false")
    return collect is True


def _can_be_sent(value: Any) -> bool:
    return value is not None and not isinstance(value, (dict, set))


def _check_values(name: str, field: Field, mistakes: list[str]) -> None:
    """Refuse what the mapping itself says should be sent if it is not of the field's type."""
    given = {"'default'": field.default}
    if field.value_map is not None:
        given["'otherwise'"] = field.value_map.otherwise
        given |= {f"'values' for {text!r}": value for text, value in field.value_map.values}
    target = field.target
    if target.type == "auto" and name in OWN_TYPES:
        target = Target(OWN_TYPES[name])
    for what, value in given.items():
        if value is None:
            continue
        if not _can_be_sent(value):
            mistakes.append(f"{name}: {what} is {shown(value)}; expected {_EXPECTED_VALUE}")
            continue
        problems = coerce(to_arrow([value]), target).problems
        mistakes += [f"{name}: {what}: {problem.message}" for problem in problems.values()]


def _target(name: str, written: dict[str, Any], mistakes: list[str]) -> Target:
    options = {key: written[key] for key in _TARGET_KEYS if written.get(key) is not None}
    for key, value in [*options.items()]:
        if not isinstance(value, str) or not value:
            mistakes.append(f"{name}: {key!r} is {value!r}; expected text")
            del options[key]
    if options.get("type", "auto") not in TYPES:
        mistakes.append(f"{name}: {no_type(options.pop('type'))}")
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
        mistakes.append(f"{name}: {error}")
        return Target()


def _traits(written: Any, mistakes: list[str]) -> tuple[tuple[tuple[str, Field], ...], bool]:
    if written is None:
        return (), False
    if written == "*":
        return (), True
    if isinstance(written, dict):
        named = [(str(name), _field(f"traits.{name}", one, mistakes, trait=True)) for name, one in written.items()]
        return tuple(named), False
    if not isinstance(written, (list, tuple)):
        mistakes.append(f"traits is {written!r}; expected a list, a dict from trait name to column, or '*'")
        return (), False
    listed_traits = [_listed_trait(trait, mistakes) for trait in written if trait != "*"]
    for name, count in Counter(name for name, _ in listed_traits).items():
        if count > 1:
            mistakes.append(f"traits: {name!r} is named {count} times")
    return tuple(listed_traits), "*" in written


def _listed_trait(written: Any, mistakes: list[str]) -> tuple[str, Field]:
    name = written.get("name") if isinstance(written, dict) else None
    field = _field("traits" if name is None else f"traits.{name}", written, mistakes, trait=True)
    if name is None and len(field.columns) == 1:
        name = field.columns[0]
    if not isinstance(name, str) or not name:
        if isinstance(written, dict):
            mistakes.append(f"traits: {written!r} has no name; add 'name'")
        return repr(written), field
    return name, field


# ------------------------------------------------------------------ writing it again


def _written(field: Field) -> Any:
    standard = Field(field.columns)
    options: dict[str, Any] = {}
    if len(field.columns) > 1 or field.join:
        options["join"] = field.join
    if field.value_map is not None:
        options["values"] = dict(field.value_map.values)
        if field.value_map.has_otherwise:
            options["otherwise"] = field.value_map.otherwise
    if field.default is not None:
        options["default"] = field.default
    if field.collect:
        options["collect"] = True
    pairs = ((key, getattr(field.target, key)) for key in _TARGET_KEYS)
    options |= {key: value for key, value in pairs if value != getattr(standard.target, key)}
    if not field.columns:
        return {"value": field.value} | options
    if len(field.columns) == 1 and "join" not in options:
        return {"column": field.columns[0]} | options if options else field.columns[0]
    return {"columns": [*field.columns]} | options


def _as_item(name: str, written: Any) -> dict[str, Any]:
    return (written if isinstance(written, dict) else {"column": written}) | {"name": name}


def listed(columns: Sequence[str], most: int = 30) -> str:
    """Return columns for a message: all of them, or the first and how many there are."""
    shown = ", ".join(map(str, columns[:most]))
    return shown + (f", … ({len(columns)} in all)" if len(columns) > most else "")
