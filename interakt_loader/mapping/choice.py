"""The mapping of a load: the one that is given, a preset fitted to the table, or what the table itself shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from interakt_loader.mapping.files import read_mapping
from interakt_loader.mapping.spec import Mapping
from interakt_loader.settings import Settings
from interakt_loader.sources import Source, peek
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from interakt_loader.mapping.inference.inferred import Inferred

PRESET = "preset:"
"""What the name of a preset begins with where a mapping is expected."""


class Choice(NamedTuple):
    """The mapping to load by, and how it was found."""

    mapping: Mapping
    source: Source
    """The source to read from then on."""
    inferred: Inferred | None
    """What was found out of the rows, to be shown before anything is sent; None where the mapping was given."""


def choose(given: Any, source: Source, kind: Kind | None, settings: Settings, event: str | None = None) -> Choice:
    """Return the mapping by which to load a source.

    `given` is None, `preset:NAME`, or what `read_mapping` reads; the rest is as in `infer`. Raises
    `MappingError` where there is none, or where the rows leave open what only the user can say.
    """
    by_preset = isinstance(given, str) and given.startswith(PRESET)
    if given is not None and not by_preset:
        return Choice(read_mapping(given), source, None)
    from interakt_loader.mapping.infer import SAMPLE_ROWS, infer
    from interakt_loader.mapping.presets import preset

    named = preset(given.removeprefix(PRESET)) if by_preset else None
    sample, source = peek(source, SAMPLE_ROWS)
    found = infer(source.columns, kind, event, sample, preset=named, settings=settings)
    return Choice(found.decided(), source, found)
