"""The written form of a mapping as types, for type checkers and editors. `spec` reads and checks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from interakt_loader.columns import TypeName


class FieldDict(TypedDict, total=False):
    """A field of a mapping: one of `column`, `columns` and `value`, and what else is said of it."""

    column: str
    columns: Sequence[str]
    value: Any
    join: str
    values: Mapping[Any, Any]
    otherwise: Any
    default: Any
    collect: bool
    type: TypeName
    format: str
    separator: str
    timezone: str
    decimal: Literal[".", ","]
    guard: str


class TraitDict(FieldDict, total=False):
    """A trait in a list, which has the name of its column or one of its own."""

    name: str


Written: TypeAlias = str | FieldDict
"""A column's name, or a field with options."""


class MappingDict(TypedDict, total=False):
    """A mapping as a dict: which column is which field."""

    user_id: Written
    phone: Written | Sequence[Written]
    country_code: Written
    event: Written
    event_id: Written
    group_by: Written
    created_at: Written
    add_to_sales_cycle: Written
    tags: Written
    traits: Literal["*"] | Sequence[str | TraitDict] | Mapping[str, Written]
