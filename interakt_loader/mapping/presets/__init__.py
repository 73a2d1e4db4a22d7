"""Presets: complete mappings for the exports that merchants have, one YAML file each, known by their headings.

A preset: the mapping of one kind of export, fitted to the columns that a file of it has.

The presets that there are: the YAML files beside this one, read once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import yaml

from interakt_loader.errors import MappingError, by_surface
from interakt_loader.mapping.spec import listed
from interakt_loader.model import Kind
from interakt_loader.settings.values import did_you_mean

__all__ = ["Preset", "preset", "presets", "recognise"]


@dataclass(frozen=True, eq=False)
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
    """Of each of these, the file must have at least one; any other column may be absent."""
    notes: tuple[str, ...]
    """What to know about this export, a line each."""
    guard: str | None
    """What such an export writes before text to keep it text; it is taken off (see `Target.guard`)."""
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
        named = [*self.recognised_by, *self.required, *self._wanted()]
        return len({_heading(name) for names in named for name in names} & _by_heading(columns).keys())

    @property
    def headings(self) -> list[str]:
        """The columns of such an export of today, as far as the preset has a use for them."""
        return list(dict.fromkeys(names[0] for names in self._wanted()))

    def lacking(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that the preset has a use for, and a file with these columns has not."""
        have = _by_heading(columns)
        return [names[0] for names in self._wanted() if not any(_heading(name) in have for name in names)]

    def fitted(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return the mapping in the written form for a file with these columns, spelled as they are.

        What the file does not have is left out. Raises `MappingError` that names what it must have and has not, or
        says why such a file cannot be loaded.
        """
        have = _by_heading(columns)
        self._check(have, columns)
        fitted: dict[str, Any] = {}
        for name, written in self.written.items():
            if name == "traits":
                found = [self._guarded(one) for one in (_trait(trait, have) for trait in written) if one is not None]
                fitted[name] = found
            elif name == "phone":
                found = [one for one in (_field(phone, have) for phone in written) if one is not None]
                fitted[name] = found if len(found) > 1 else next(iter(found), None)
            else:
                fitted[name] = _field(written, have)
        if fitted.get("phone") is None:
            fitted.pop("country_code", None)
        return {name: one for name, one in fitted.items() if one is not None}

    def _guarded(self, trait: Any) -> Any:
        """Return a trait of text without what the export writes before it."""
        of_text = isinstance(trait, dict) and trait.get("type") == "string"
        return trait | {"guard": self.guard} if of_text and self.guard is not None else trait

    def _check(self, have: dict[str, str], columns: Sequence[str]) -> None:
        if self.refused is not None:
            raise MappingError(f"preset {self.name}: {self.refused}")
        missing = [names for names in self.required if not any(_heading(name) in have for name in names)]
        if missing:
            said = [" or ".join(map(repr, names)) + did_you_mean(names[0], list(columns)) for names in missing]
            raise MappingError(f"preset {self.name}: no such column: {'; '.join(said)} (there are {listed(columns)})")

    def _wanted(self) -> Iterator[Sequence[str]]:
        """Yield the columns that each field takes: those of which any would do."""
        for name, written in self.written.items():
            for one in written if name in ("traits", "phone") else [written]:
                column = one.get("column") if isinstance(one, dict) else one
                if column not in (None, "*"):
                    yield [column] if isinstance(column, str) else column


def _heading(name: str) -> str:
    return name.strip().removeprefix("\ufeff").casefold()


def _by_heading(columns: Iterable[str]) -> dict[str, str]:
    return {_heading(name): name for name in reversed(list(columns))}


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


@functools.cache
def presets() -> dict[str, Preset]:
    """Return all presets by name."""
    folder = files(__package__)
    found = sorted(one.name for one in folder.iterdir() if one.name.endswith(".yaml"))
    read = [_read(name, yaml.safe_load((folder / name).read_text(encoding="utf-8"))) for name in found]
    return {one.name: one for one in read}


def preset(name: str) -> Preset:
    """Return the preset of this name; `MappingError` with the names that there are for any other."""
    known = presets()
    found = known.get(name.strip().lower().replace("_", "-"))
    if found is None:
        hint = did_you_mean(name, list(known))
        raise MappingError(f"there is no preset {name!r}{hint} (there are {', '.join(known)})")
    return found


def recognise(columns: Iterable[str], among: Iterable[Preset] | None = None) -> Preset | None:
    """Return the preset (of all, or `among` these) that a file with these columns fits, or None.

    Of several, it is the one that knows more of the columns. `MappingError` where two know as many.
    """
    columns = list(columns)
    fitting = {one: one.known(columns) for one in among or presets().values() if one.recognised(columns)}
    best = [one for one, known in fitting.items() if known == max(fitting.values())]
    if len(best) > 1:
        names = " and ".join(one.name for one in best)
        way = by_surface("preset:NAME as the mapping", "--preset NAME")
        raise MappingError(f"the columns fit the presets {names} alike: say which it is ({way})")
    return best[0] if best else None


def _read(file: str, written: dict[str, Any]) -> Preset:
    return Preset(
        name=file.removesuffix(".yaml").replace("_", "-"),
        description=written["description"],
        kind="user" if written["kind"] == "users" else "event",
        recognised_by=tuple(map(tuple, written["recognised_by"])),
        not_with=tuple(written.get("not_with", ())),
        required=tuple(map(tuple, written.get("required", ()))),
        notes=tuple(written.get("notes", ())),
        guard=written.get("guard"),
        refused=written.get("refused"),
        written=written.get("mapping", {}),
    )
