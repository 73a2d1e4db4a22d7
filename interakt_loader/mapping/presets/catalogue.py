"""The presets that there are: the YAML files beside this one, read once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import yaml

from interakt_loader.errors import MappingError
from interakt_loader.mapping.presets.preset import Preset
from interakt_loader.settings.values import did_you_mean


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
        raise MappingError(f"the columns fit the presets {names} alike: say which it is (--preset NAME)")
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
