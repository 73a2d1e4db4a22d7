"""A preset: the mapping of one kind of export, fitted to the columns that a file of it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from interakt_loader.errors import MappingError
from interakt_loader.mapping.spec import Mapping
from interakt_loader.option_values import did_you_mean
from interakt_loader.wire import Kind


@dataclass(frozen=True)
class Preset:
    """What is known of one kind of export.

    Headings are compared without case and without white space around them.
    """

    name: str
    """What to call it by: `shopify-customers`."""
    description: str
    """Where the export comes from, in one line."""
    kind: Kind
    recognised_by: tuple[tuple[str, ...], ...]
    """Sets of columns; a file that has all columns of one of them is such an export."""
    not_with: tuple[str, ...]
    """Columns that such an export never has: they tell it from its next of kin."""
    required: tuple[tuple[str, ...], ...]
    """Of each of these, the file must have at least one."""
    notes: tuple[str, ...]
    """What to know about this export, a line each."""
    refused: str | None
    """Why such a file cannot be loaded; None for those that can."""
    written: dict[str, Any] = field(repr=False)
    """The mapping in the written form. A `column` that is a list means: whichever of them the file has."""

    def recognised(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return the columns, as this preset writes them, by which these are such an export; () if they are not."""
        have = _by_heading(columns)
        if any(_heading(name) in have for name in self.not_with):
            return ()
        fitting = [names for names in self.recognised_by if all(_heading(name) in have for name in names)]
        return max(fitting, key=len, default=())

    def known(self, columns: Iterable[str]) -> int:
        """Return how many of the columns the preset has a use for."""
        have = _by_heading(columns)
        return len({_heading(name) for name in self._columns()} & have.keys())

    def mapping(self, columns: Iterable[str]) -> Mapping:
        """Return the mapping for a file with these columns, without what it does not have.

        Raises `MappingError` that names what the file must have and has not, or says why it cannot be loaded.
        """
        return Mapping.of(self.fitted(columns))

    def fitted(self, columns: Iterable[str]) -> dict[str, Any]:
        """Return the written form of `mapping`, with the file's own spelling of its columns; raises as it does."""
        columns = list(columns)
        self._check(columns)
        have = _by_heading(columns)
        fitted: dict[str, Any] = {}
        for name, written in self.written.items():
            if name == "traits":
                fitted[name] = [one for one in (_trait(trait, have) for trait in written) if one is not None]
            else:
                fitted[name] = _phone(written, have) if name == "phone" else _field(written, have)
        if fitted.get("phone") is None:
            fitted.pop("country_code", None)
        return {name: one for name, one in fitted.items() if one is not None}

    def _check(self, columns: Sequence[str]) -> None:
        if self.refused is not None:
            raise MappingError(f"preset {self.name}: {self.refused}")
        have = _by_heading(columns)
        missing = [names for names in self.required if not any(_heading(name) in have for name in names)]
        if missing:
            said = [" or ".join(map(repr, names)) + did_you_mean(names[0], list(columns)) for names in missing]
            raise MappingError(
                f"preset {self.name}: no such column: {'; '.join(said)} (there are {', '.join(columns)})"
            )

    def _columns(self) -> list[str]:
        named = [name for names in (*self.recognised_by, *self.required) for name in names]
        for name, written in self.written.items():
            for one in written if name in ("traits", "phone") else [written]:
                column = one.get("column", ()) if isinstance(one, dict) else one
                named += [column] if isinstance(column, str) else column
        return [name for name in named if name != "*"]


def _heading(name: str) -> str:
    return name.strip().removeprefix("\ufeff").casefold()


def _by_heading(columns: Iterable[str]) -> dict[str, str]:
    return {_heading(name): name for name in reversed(list(columns))}


def _phone(written: list[str], have: dict[str, str]) -> str | list[str] | None:
    found = [have[_heading(name)] for name in written if _heading(name) in have]
    if len(found) > 1:
        return found
    return found[0] if found else None


def _field(written: Any, have: dict[str, str]) -> Any:
    """Return a field with the column that the file has, or None if it has none of those that would do."""
    if isinstance(written, str):
        return have.get(_heading(written))
    if "value" in written:
        return written
    wanted = [written["column"]] if isinstance(written["column"], str) else written["column"]
    found = [have[_heading(name)] for name in wanted if _heading(name) in have]
    if not found:
        return None
    return found[0] if len(written) == 1 else written | {"column": found[0]}


def _trait(written: Any, have: dict[str, str]) -> Any:
    if written == "*":
        return written
    fitted = _field(written, have)
    if isinstance(fitted, dict) and "name" not in fitted:
        return {"column": fitted["column"], "name": written["column"]} | fitted  # spelled as the preset does
    return fitted
