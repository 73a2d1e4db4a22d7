"""Columns that hold objects (dicts) as columns of their fields: `address.city`, as of structs.

Each row by itself: where some hold an object and others a value, there is a column for the values as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from interakt_loader.values import IN_PLACE_OF_A_VALUE, LONGEST_LIST, shortened, unicode_text
from interakt_loader.wire import Problem

_LOOKED_THROUGH, _DEEPEST = 6, 32
"""Levels of objects after which one is looked through first, and that there may be at most."""

_TWICE = Problem("unsupported_type", "comes twice: as a name with a dot in it, and as a field of an object")
_TOO_MUCH = Problem("unsupported_type", "holds itself, or more objects within objects than can be sent")
_OF_A_VARIANT = {"metadata", "value", "typed_value"}
_VARIANT = Problem("unsupported_type", "a value of type VARIANT cannot be sent")
_SAME_NAMES = Problem("unsupported_type", "is an object with two fields of one name")


def laid_out(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Return the columns with one for each field of an object in place of the object's."""
    found: dict[str, Sequence[Any]] = {}
    for name, values in columns.items():
        _lay_out(name, values, found, 0)
    return found


def _lay_out(name: str, values: Sequence[Any], found: dict[str, Sequence[Any]], depth: int) -> None:
    kinds = set(map(type, values)) if isinstance(values, list) else ()
    if not any(issubclass(kind, Mapping) for kind in kinds):
        found[name] = values if name not in found else [*map(_either, found[name], values)]
        return
    objects: list[Mapping[Any, Any]] = []
    others: list[Any] = []
    for value in values:
        problem = _problem(value, depth) if isinstance(value, Mapping) else value
        others.append(problem)
        objects.append(value if problem is None and value is not None else {})
    keys = dict.fromkeys(key for one in objects for key in one)
    if not keys or any(one is not None for one in others):
        _lay_out(name, others, found, depth)
    for key in keys:
        _lay_out(f"{name}.{unicode_text(str(key))}", [one.get(key) for one in objects], found, depth + 1)


def _problem(value: Mapping[Any, Any], depth: int) -> Problem | None:
    """Return what is wrong with an object as such."""
    if isinstance(value, pa.MapScalar):  # its keys may be any values, and it has no `get` by them
        return IN_PLACE_OF_A_VALUE
    if type(value.get("metadata")) is bytes and len(value) > 1 and _OF_A_VARIANT.issuperset(value):
        return _VARIANT  # as Arrow gives it to pandas
    if all(type(key) is str and key.isascii() for key in value):
        names: Sequence[str] = ()
    else:
        names = [*map(str, value)]
    for name in names:
        if unicode_text(name) is None:
            return Problem("not_text", f"is an object with a name that is not text: {shortened(name)}")
    if len(set(names)) < len(names):
        return _SAME_NAMES
    too_wide = len(value) > LONGEST_LIST
    return _TOO_MUCH if too_wide or (depth == _LOOKED_THROUGH and _is_too_much(value)) else None


def _is_too_much(value: Mapping[Any, Any]) -> bool:
    """Tell whether an object has more values, or more levels, than a call has room for; also one that holds itself."""
    count, left = 0, [(value, _LOOKED_THROUGH)]
    while left:
        one, depth = left.pop()
        count += len(one)
        if depth > _DEEPEST or count > LONGEST_LIST:
            return True
        left += [(inner, depth + 1) for inner in one.values() if isinstance(inner, Mapping)]
    return False


def _either(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else _TWICE
