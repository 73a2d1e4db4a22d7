"""What comes before a load: the data opened, and the mapping to load it by."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from interakt_loader.coerce import Target
from interakt_loader.errors import MappingError, SettingsError
from interakt_loader.identity import country_code
from interakt_loader.mapping import Choice, choose
from interakt_loader.settings import Settings
from interakt_loader.sources import ReadOptions, Source, open_source, peek
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from interakt_loader.mapping.infer import Inferred

logger = logging.getLogger("interakt_loader")


def opened(data: Any, settings: Settings) -> Source:
    """Open the data, and log what was found out about it."""
    sheet = settings.sheet
    options = ReadOptions(
        settings.encoding,
        settings.delimiter,
        settings.header,
        int(sheet) if sheet is not None and str(sheet).isdigit() else sheet,
    )
    source = open_source(data, options)
    for note in source.notes:
        logger.warning("%s", note)
    return source


def choose_mapping(
    given: Any, source: Source, kind: Kind | None, settings: Settings, event: str | None = None
) -> Choice:
    """Return the mapping by which to load a source, as `mapping.choose` finds it.

    Raises `SettingsError` for a country or a zone that there is not: rows are looked at with them.
    """
    _check_places(settings)
    return choose(given, source, kind, settings, event)


def inferred(
    data: Any, settings: Settings, kind: Kind | None = None, event: str | None = None, preset_name: str | None = None
) -> Inferred:
    """Return what the data shows of its mapping, also where that leaves something open.

    With a preset its mapping fitted to the data; without data (None), the preset's for the export as it is today.
    """
    from interakt_loader.mapping.infer import SAMPLE_ROWS, infer
    from interakt_loader.mapping.presets import preset

    _check_places(settings)
    named = None if preset_name is None else preset(preset_name)
    if data is not None:
        source = opened(data, settings)
        sample, _ = peek(source, SAMPLE_ROWS)
        return infer(source.columns, kind, event, sample, preset=named, settings=settings)
    if named is None:
        raise MappingError("nothing to look at: give a source, or the name of a preset")
    return infer(named.headings, kind, event, preset=named, settings=settings)


def _check_places(settings: Settings) -> None:
    if country_code(settings.default_country) is None:
        raise SettingsError(f"default_country is {settings.default_country!r}; expected such as +91, 91 or IN")
    try:
        Target(timezone=settings.timezone)
    except MappingError as error:
        raise SettingsError(f"timezone: {error}") from None
