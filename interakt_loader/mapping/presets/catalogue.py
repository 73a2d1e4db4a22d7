"""The presets that there are: the YAML files beside this one, read once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import yaml

from interakt_loader.errors import MappingError
from interakt_loader.mapping.presets.preset import Preset
from interakt_loader.option_values import did_you_mean


def presets() -> dict[str, str]:
    """Return the presets' names, each with a line that says where such an export comes from."""
    return {one.name: one.description for one in _all().values()}


def preset(name: str) -> Preset:
    """Return the preset of this name; `MappingError` with the names that there are for any other."""
    found = _all().get(name.strip().lower().replace("_", "-"))
    if found is None:
        raise MappingError(f"there is no preset {name!r}{did_you_mean(name, list(_all()))} ({', '.join(_all())})")
    return found


def recognise(columns: Iterable[str]) -> Preset | None:
    """Return the preset that a file with these columns fits, or None.

    Of several, it is the one that knows more of the columns. `MappingError` where two know as many.
    """
    columns = list(columns)
    fitting = [one for one in _all().values() if one.recognised(columns)]
    fitting.sort(key=lambda one: -one.known(columns))
    if len(fitting) > 1 and fitting[0].known(columns) == fitting[1].known(columns):
        names = " and ".join(one.name for one in fitting if one.known(columns) == fitting[0].known(columns))
        raise MappingError(f"the columns fit the presets {names} alike: say which it is")
    return fitting[0] if fitting else None


@functools.cache
def _all() -> dict[str, Preset]:
    folder = files(__package__)
    found = sorted(one.name for one in folder.iterdir() if one.name.endswith(".yaml"))
    read = [_read(name, yaml.safe_load((folder / name).read_text(encoding="utf-8"))) for name in found]
    return {one.name: one for one in read}


def _read(file: str, written: dict[str, Any]) -> Preset:
    return Preset(
        name=file.removesuffix(".yaml").replace("_", "-"),
        description=written["description"],
        kind="user" if written["kind"] == "users" else "event",
        recognised_by=tuple(map(tuple, written["recognised_by"])),
        not_with=tuple(written.get("not_with", ())),
        required=tuple(map(tuple, written.get("required", ()))),
        notes=tuple(written.get("notes", ())),
        refused=written.get("refused"),
        written=written.get("mapping", {}),
    )
