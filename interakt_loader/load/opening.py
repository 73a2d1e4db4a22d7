"""What comes before a load: the data are opened, and the mapping is chosen.

The mapping is the one that is given, a preset fitted to the table, or a proposal that may be used.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from interakt_loader.columns import Target
from interakt_loader.errors import MappingError, MappingNeeded, SettingsError, option
from interakt_loader.identity import country_code
from interakt_loader.mapping.files import read_mapping
from interakt_loader.mapping.infer.inferred import InferredMapping, Line
from interakt_loader.mapping.spec import Mapping, listed
from interakt_loader.model import Kind
from interakt_loader.privacy.process import usable_stderr
from interakt_loader.settings import Settings
from interakt_loader.settings.values import did_you_mean
from interakt_loader.sources import ReadOptions, Source, open_source, peek
from interakt_loader.sources.base import Lines

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.mapping.presets import Preset
    from interakt_loader.settings.settings import Options

logger = logging.getLogger("interakt_loader")

PRESET = "preset:"
"""What the name of a preset begins with where a mapping is expected."""

_OPEN = "the mapping is not complete: answer the open questions, with infer(data, ...) or in the mapping below"
_UNCONFIRMED = (
    "no mapping is given, and a guess is sent only when it is confirmed. Look it over and give it as the mapping: "
    "as it stands below, or as infer(data)"
)


class Choice(NamedTuple):
    """The mapping of a load, and how it was found."""

    mapping: Mapping
    source: Source
    """The source to read from then on."""
    inferred: InferredMapping | None
    """The proposal, to be shown before anything is sent; None if the mapping was given."""


@usable_stderr()
def opened(data: Any, settings: Settings) -> Source:
    """Open the data, and log how it is read."""
    sheet = settings.sheet
    options = ReadOptions(
        settings.encoding,
        settings.delimiter,
        settings.header,
        int(sheet) if sheet is not None and str(sheet).isdigit() else sheet,
    )
    source = replace(open_source(data, options), data=data)
    for note in source.notes:
        logger.warning("%s", note)
    return source


def choose_mapping(
    given: Any, source: Source, kind: Kind | None, settings: Settings, event: str | None = None
) -> Choice:
    """Return the mapping by which to load a source.

    `given` is None, `preset:NAME`, or what `read_mapping` reads; the rest is as in `infer`. Raises `MappingError` if
    there is no mapping. Raises `MappingNeeded` for open questions, and for a proposal that would be sent to the API
    although nobody has confirmed it. Raises `SettingsError` for an unknown country or time zone.
    """
    check_places(settings)
    if given is None or is_preset(given):
        found, source = propose(source, kind, settings, event, given)
        if not (found.is_recognised or given is not None or settings.sends_nothing_outside):
            raise _needed(found)
    elif isinstance(given, InferredMapping):
        found = given
    else:
        return Choice(read_mapping(given), source, None)
    if found.open_questions:
        raise _needed(found)
    return Choice(found, source, None if found is given else found)


def is_preset(given: Any) -> bool:
    """Tell whether what is given as a mapping is the name of a preset."""
    return isinstance(given, str) and given.startswith(PRESET)


def propose(
    source: Source, kind: Kind | None, settings: Settings, event: str | None = None, preset: str | None = None
) -> tuple[InferredMapping, Source]:
    """Return the mapping that the source suggests, even with open questions, and the source to read from then on.

    `preset` is `preset:NAME`, or None to look for one that fits. Raises `SettingsError` for an unknown country or time
    zone.
    """
    from interakt_loader.mapping.infer.infer import SAMPLE_ROWS

    check_places(settings)
    named = _preset(preset)
    sample, source = peek(source, SAMPLE_ROWS)
    return _proposed(source.columns, kind, settings, event, named, sample, source.lines), source


def _needed(found: InferredMapping) -> MappingNeeded:
    """Return the error that shows a proposal which cannot be sent, or not yet."""
    why = _OPEN if found.open_questions else _UNCONFIRMED
    return MappingNeeded(f"{why}\n\n{found.to_python()}", found)


def _preset(given: str | None) -> Preset | None:
    from interakt_loader.mapping.presets import preset

    return None if given is None else preset(given.removeprefix(PRESET))


def _proposed(
    columns: list[str],
    kind: Kind | None,
    settings: Settings,
    event: str | None,
    preset: Preset | None,
    sample: Any,
    lines: Lines | None = None,
) -> InferredMapping:
    from interakt_loader.mapping.infer.infer import infer

    given = settings.country_given
    found = infer(columns, kind, event, sample, preset=preset, settings=settings, country_given=given, lines=lines)
    if given and not found.open_questions and found.phone and found.country_code is None:
        # the mapping outlives this call, and the next call may not give the country
        country = {"value": settings.default_country}
        return found.with_given([Line("country_code", country, "given as default_country")])
    return found


def check_mapping(mapping: Mapping, kind: Kind, source: Source) -> None:
    """Refuse a mapping that does not fit the source, or one of its files. Raises `MappingError`.

    A file of JSON lines, whose rows need no columns in common, may lack columns that a call does not need.
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
    """Return the mapping that the data suggest, even with open questions.

    With a preset (`preset:NAME`) it is the preset's mapping, fitted to the data. Without data (None) it is the preset's
    mapping for all columns that the export has today.
    """
    if data is not None:
        return propose(opened(data, settings), kind, settings, event, preset)[0]
    check_places(settings)
    named = _preset(preset)
    if named is None:
        raise MappingError("nothing to look at: give a source, or the name of a preset")
    return _proposed(named.headings, kind, settings, event, named, ())


def kind_of(text: str | None) -> Kind | None:
    """Return the kind that is called `users` or `events`; None stays None."""
    if text is None:
        return None
    if text not in ("users", "events"):
        raise SettingsError(f"{option('as')} is {text!r}; expected users or events")
    return "user" if text == "users" else "event"


def check_places(settings: Settings) -> None:
    """Refuse an unknown country or time zone. Raises `SettingsError`."""
    if country_code(settings.default_country) is None:
        raise SettingsError(
            f"{option('default_country')} is {settings.default_country!r}; expected one such as +91, 91 or IN"
        )
    try:
        Target(timezone=settings.timezone)
    except MappingError as error:
        raise SettingsError(f"{option('timezone')}: {error}") from None
