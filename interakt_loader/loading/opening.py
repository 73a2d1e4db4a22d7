"""What comes before a load: the data opened, and the mapping to load it by."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, cast

from interakt_loader.coerce import Target
from interakt_loader.errors import MappingError, SettingsError
from interakt_loader.identity import country_code
from interakt_loader.mapping import PRESET, Choice, InferredMapping, Mapping, choose, propose, propose_of_preset
from interakt_loader.mapping.spec import listed
from interakt_loader.settings import Settings
from interakt_loader.settings.values import did_you_mean
from interakt_loader.sources import ReadOptions, Source, open_source
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.settings.options import Options

logger = logging.getLogger("interakt_loader")


def opened(data: Any, settings: Settings) -> Source:
    """Open the data, and log how it is read."""
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

    Raises `SettingsError` for a country or a zone that there is not.
    """
    check_places(settings)
    return choose(given, source, kind, settings, event)


def check_mapping(mapping: Mapping, kind: Kind, source: Source) -> None:
    """Refuse a mapping that does not fit the source, or one of its files.

    A file whose rows have no columns in common (JSON lines) may lack what a call can do without.
    """
    twice = [name for name in source.doubled if name in mapping.columns() or mapping.all_columns]
    if twice:
        raise MappingError(
            f"{source.path or source.name}: more than one column is called {listed(twice)}, and the mapping does not "
            "say which is meant; give each a name of its own"
        )
    mapping.check(kind, source.columns)
    identity = {one.column for one in (mapping.user_id, *mapping.phone) if one is not None}
    for part in source.parts:
        missing = [name for name in mapping.columns() if name not in part.columns]
        if part.open_ended:
            event = {mapping.event.column} if mapping.event is not None else set()
            missing = [name for name in missing if name in event or (name in identity and identity <= set(missing))]
        if missing:
            hints = "".join(did_you_mean(name, part.columns) for name in missing)
            raise MappingError(
                f"{part.path}: lacks {', '.join(map(repr, missing))}, which the mapping names{hints}; the columns by "
                f"its first row: {listed(part.columns)}. Every file needs a header with the names that are mapped"
            )


def proposed(
    source: Source, kind: Kind | None, settings: Settings, event: str | None = None, preset: str | None = None
) -> tuple[InferredMapping, Source]:
    """Return what a source shows of its mapping (see `mapping.propose`), whatever it leaves open."""
    check_places(settings)
    return propose(source, kind, settings, event, preset)


def infer(
    data: Any,
    *,
    kind: Literal["users", "events"] | None = None,
    event: str | None = None,
    preset: str | None = None,
    **options: Unpack[Options],
) -> InferredMapping:
    """Propose a mapping for a table, with a reason for each line and the questions that it leaves open.

    `data` is what `load_users` takes. `kind` says whether the rows are users or events, and `event` is the name of all
    events where no column holds it; without them the columns tell. `preset` is the name of a well-known export, if the
    table is one that is not recognised as it. The options are those of `Settings`; those on reading, phones and missing
    values count.

    Nothing is sent. `load_users(data, infer(data))` confirms the proposal, unless questions are open.
    """
    settings = Settings.resolve(cast("dict[str, Any]", options))
    return inferred(data, settings, kind_of(kind), event, None if preset is None else PRESET + preset)


def inferred(
    data: Any, settings: Settings, kind: Kind | None = None, event: str | None = None, preset: str | None = None
) -> InferredMapping:
    """Return what the data shows of its mapping, also where that leaves something open.

    With a preset (`preset:NAME`) its mapping fitted to the data; without data (None), the preset's for the export as
    it is today.
    """
    check_places(settings)
    if data is not None:
        return propose(opened(data, settings), kind, settings, event, preset)[0]
    if preset is None:
        raise MappingError("nothing to look at: give a source, or the name of a preset")
    return propose_of_preset(preset, kind, settings, event)


def kind_of(text: str | None) -> Kind | None:
    """Return the kind that is called `users` or `events`; None: nobody has said it."""
    if text is None:
        return None
    if text not in ("users", "events"):
        raise SettingsError(f"kind is {text!r}; expected users or events")
    return "user" if text == "users" else "event"


def check_places(settings: Settings) -> None:
    """Refuse a country or a time zone that there is not: rows are looked at with them."""
    if country_code(settings.default_country) is None:
        raise SettingsError(f"default_country is {settings.default_country!r}; expected such as +91, 91 or IN")
    try:
        Target(timezone=settings.timezone)
    except MappingError as error:
        raise SettingsError(f"timezone: {error}") from None
