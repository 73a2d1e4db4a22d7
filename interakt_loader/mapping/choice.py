"""The mapping of a load: the one that is given, a preset fitted to the table, or a proposal that may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from interakt_loader.errors import MappingNeeded
from interakt_loader.mapping.files import read_mapping
from interakt_loader.mapping.inference.inferred import InferredMapping, Line
from interakt_loader.mapping.spec import Mapping
from interakt_loader.settings import Settings
from interakt_loader.sources import Source, peek
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from interakt_loader.mapping.presets import Preset

PRESET = "preset:"
"""What the name of a preset begins with where a mapping is expected."""

_OPEN = "the mapping is not complete: answer the open questions, with infer(data, ...) or in the mapping below"
_UNCONFIRMED = (
    "no mapping is given, and a guess is sent only when it is confirmed. Look it over and give it as the mapping: "
    "as it stands below, or as infer(data)"
)


class Choice(NamedTuple):
    """The mapping to load by, and how it was found."""

    mapping: Mapping
    source: Source
    """The source to read from then on."""
    inferred: InferredMapping | None
    """The proposal, to be shown before anything is sent; None where the mapping was given."""


def choose(given: Any, source: Source, kind: Kind | None, settings: Settings, event: str | None = None) -> Choice:
    """Return the mapping by which to load a source.

    `given` is None, `preset:NAME`, or what `read_mapping` reads; the rest is as in `infer`. Raises `MappingError` where
    there is none, and `MappingNeeded` where questions are open, or where a guess would be sent to the API that nobody
    has confirmed.
    """
    if given is None or is_preset(given):
        found, source = propose(source, kind, settings, event, given)
        if not (found.is_recognised or given is not None or settings.sends_nothing_outside):
            raise needed(found)
    elif isinstance(given, InferredMapping):
        found = given
    else:
        return Choice(read_mapping(given), source, None)
    if found.open_questions:
        raise needed(found)
    return Choice(found, source, None if found is given else found)


def is_preset(given: Any) -> bool:
    """Tell whether what is given as a mapping is the name of a preset."""
    return isinstance(given, str) and given.startswith(PRESET)


def propose(
    source: Source, kind: Kind | None, settings: Settings, event: str | None = None, preset: str | None = None
) -> tuple[InferredMapping, Source]:
    """Return what the source shows of its mapping, whatever it leaves open, and the source to read from then on.

    `preset` is `preset:NAME`, or None to look for one that fits.
    """
    from interakt_loader.mapping.infer import SAMPLE_ROWS

    named = _preset(preset)
    sample, source = peek(source, SAMPLE_ROWS)
    return _proposed(source.columns, kind, settings, event, named, sample), source


def propose_of_preset(preset: str, kind: Kind | None, settings: Settings, event: str | None = None) -> InferredMapping:
    """Return the mapping of `preset:NAME` for the export as it is today."""
    named = _preset(preset)
    assert named is not None
    return _proposed(named.headings, kind, settings, event, named, ())


def needed(found: InferredMapping) -> MappingNeeded:
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
) -> InferredMapping:
    from interakt_loader.mapping.infer import infer

    given = settings.country_given
    found = infer(columns, kind, event, sample, preset=preset, settings=settings, country_given=given)
    if given and not found.open_questions and found.phone and found.country_code is None:
        # the mapping outlives this call, and the next one may not say the country
        country = {"value": settings.default_country}
        return found.with_given([Line("country_code", country, "given as default_country")])
    return found
