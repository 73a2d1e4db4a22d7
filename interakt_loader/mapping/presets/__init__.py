"""Presets: complete mappings for the exports that merchants have, recognised by their columns.

Each YAML file here is one preset. A preset is fitted to the columns that a file of its kind has.
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
    """One kind of export. Column names are compared without case and without white space around them."""

    name: str
    """Such as `shopify-customers`."""
    description: str
    """The origin of the export, in one line."""
    kind: Kind
    recognised_by: tuple[tuple[str, ...], ...]
    """Sets of columns; a file with all columns of one set is such an export."""
    not_with: tuple[str, ...]
    """Columns that such an export never has, unlike a similar one."""
    required: tuple[tuple[str, ...], ...]
    """Groups of columns; the file must have one of each group. Any other column may be absent."""
    notes: tuple[str, ...]
    """Facts about this export, a line each."""
    guard: str | None
    """What such an export writes before text to keep it text; it is removed (see `Target.guard`)."""
    refused: str | None
    """Why such a file cannot be loaded; None for those that can."""
    written: dict[str, Any] = field(repr=False)
    """The mapping in the written form.

    A `column` may be a list, and each of the `columns` too: the first of them that the file has is used. Where the file
    has only one of the `columns`, it is used as it is. Of several traits of one name the first stays.
    """

    def recognised(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return the columns, as this preset writes them, that identify such an export; () if they do not."""
        have = _by_heading(columns)
        if any(_heading(name) in have for name in self.not_with):
            return ()
        fitting = [names for names in self.recognised_by if all(_heading(name) in have for name in names)]
        return max(fitting, key=len, default=())

    def known(self, columns: Iterable[str]) -> int:
        """Return how many of the columns the preset uses."""
        named = [*self.recognised_by, *self.required, *self._wanted()]
        return len({_heading(name) for names in named for name in names} & _by_heading(columns).keys())

    @property
    def headings(self) -> list[str]:
        """The columns of a present export that the preset uses."""
        return list(dict.fromkeys(names[0] for names in self._wanted()))

    def lacking(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that the preset uses and a file with these columns lacks."""
        have = _by_heading(columns)
        absent = [names[0] for names in self._wanted() if not any(_heading(name) in have for name in names)]
        return list(dict.fromkeys(absent))

    def fitted(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return the mapping in the written form for a file with these columns, spelled as they are.

        What the file does not have is left out. Raises `MappingError` that names a missing required column, or says why
        such a file cannot be loaded.
        """
        have = _by_heading(columns)
        self._check(have, columns)
        fitted: dict[str, Any] = {}
        for name, written in self.written.items():
            if name == "traits":
                fitted[name] = [self._guarded(trait) for trait in _traits(written, have)]
            elif name == "phone":
                found = [phone for phone in (_field(phone, have) for phone in written) if phone is not None]
                fitted[name] = found if len(found) > 1 else next(iter(found), None)
            else:
                fitted[name] = _field(written, have)
        if fitted.get("phone") is None:
            fitted.pop("country_code", None)
        return {name: value for name, value in fitted.items() if value is not None}

    def _guarded(self, trait: Any) -> Any:
        """Return a trait with the export's guard, if it is text."""
        of_text = isinstance(trait, dict) and trait.get("type") == "string"
        return trait | {"guard": self.guard} if of_text and self.guard is not None else trait

    def _check(self, have: dict[str, str], columns: Sequence[str]) -> None:
        if self.refused is not None:
            raise MappingError(f"preset {self.name}: {self.refused}")
        missing = [names for names in self.required if not any(_heading(name) in have for name in names)]
        if missing:
            lacking = [" or ".join(map(repr, names)) + did_you_mean(names[0], list(columns)) for names in missing]
            raise MappingError(
                f"preset {self.name}: no such column: {'; '.join(lacking)} (there are {listed(columns)})"
            )

    def _wanted(self) -> Iterator[Sequence[str]]:
        """Yield the alternative columns of each field."""
        for name, written in self.written.items():
            for each in written if name in ("traits", "phone") else [written]:
                if each != "*":
                    yield from _alternatives(each)


@functools.cache
def presets() -> dict[str, Preset]:
    """Return all presets by name."""
    folder = files(__package__)
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))
    read = [_preset_of(name, yaml.safe_load((folder / name).read_text(encoding="utf-8"))) for name in names]
    return {preset.name: preset for preset in read}


def preset(name: str) -> Preset:
    """Return the preset of this name. Raises `MappingError` with the known names for any other."""
    known = presets()
    found = known.get(name.strip().lower().replace("_", "-"))
    if found is None:
        hint = did_you_mean(name, list(known))
        raise MappingError(f"there is no preset {name!r}{hint} (there are {', '.join(known)})")
    return found


def recognise(columns: Iterable[str], among: Iterable[Preset] | None = None) -> Preset | None:
    """Return the preset (of all, or `among` these) that a file with these columns fits, or None.

    Of several, it is the one that uses the most columns. Raises `MappingError` if two use as many.
    """
    columns = list(columns)
    fitting = {preset: preset.known(columns) for preset in among or presets().values() if preset.recognised(columns)}
    best = [preset for preset, known in fitting.items() if known == max(fitting.values())]
    if len(best) > 1:
        names = " and ".join(preset.name for preset in best)
        way = by_surface("preset:NAME as the mapping", "--preset NAME")
        raise MappingError(f"the columns fit the presets {names} equally: name one ({way})")
    return best[0] if best else None


def _preset_of(file: str, written: dict[str, Any]) -> Preset:
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


def _heading(name: str) -> str:
    return name.strip().removeprefix("\ufeff").casefold()


def _by_heading(columns: Iterable[str]) -> dict[str, str]:
    return {_heading(name): name for name in reversed(list(columns))}


def _alternatives(written: Any) -> list[list[str]]:
    """Return the alternatives for each column of a field."""
    if isinstance(written, str):
        return [[written]]
    columns = written.get("columns", [written["column"]] if "column" in written else [])
    return [[names] if isinstance(names, str) else names for names in columns]


def _field(written: Any, have: dict[str, str]) -> Any:
    """Return a field with the columns that the file has, or None if it has none of the alternatives."""
    if isinstance(written, dict) and "value" in written:
        return written
    names = [
        next((have[_heading(name)] for name in each if _heading(name) in have), None) for each in _alternatives(written)
    ]
    found = list(dict.fromkeys(name for name in names if name is not None))
    if not found:
        return None
    if isinstance(written, str) or written.keys() == {"column"}:
        return found[0]
    if len(found) > 1:
        return {"columns": found} | {key: value for key, value in written.items() if key != "columns"}
    return {"column": found[0]} | {
        key: value for key, value in written.items() if key not in ("column", "columns", "join")
    }


def _traits(written: list[Any], have: dict[str, str]) -> list[Any]:
    """Return the traits that a file with these columns has, each name once."""
    fitted: dict[str, Any] = {}
    for trait in written:
        found = trait if trait == "*" else _field(trait, have)
        if isinstance(found, dict):
            # the name is spelled as in the preset
            name = trait.get("name", trait.get("column"))
            fitted.setdefault(
                name, {"column": found.pop("column"), "name": name} | found if "column" in found else found
            )
        elif found is not None:
            fitted.setdefault(found, found)
    return list(fitted.values())
