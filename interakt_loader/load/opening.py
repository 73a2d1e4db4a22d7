"""Before a load: open the data, choose the mapping, and check the paths of the files to write.

The mapping is the one that is given, a preset fitted to the table, or a proposal that may be used. Each file that is
written differs from the others, from those that are read, and from those that later loads of the source read.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
import stat
import sys
import unicodedata
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from interakt_loader.columns import Target
from interakt_loader.errors import MappingError, MappingNeeded, SettingsError, SourceError, option
from interakt_loader.identity import country_code
from interakt_loader.mapping.files import read_mapping_file
from interakt_loader.mapping.infer.inferred import InferredMapping, Line
from interakt_loader.mapping.spec import Mapping, listed
from interakt_loader.model import Kind
from interakt_loader.privacy.process import usable_stderr
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings import Options, Settings, Unpack, lists_options
from interakt_loader.settings.settings import READING, is_failures
from interakt_loader.settings.values import OneOf, did_you_mean, is_address, parsed
from interakt_loader.sources import (
    Data,
    ReadOptions,
    Source,
    hidden_source,
    is_failures_file,
    is_own_name,
    is_pandas,
    is_table,
    open_source,
    peek,
    with_paths,
)
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.sources.base import Lines
from interakt_loader.sources.failures import EXTRA_COLUMNS

if TYPE_CHECKING:
    from interakt_loader.mapping.presets import Preset

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
    data = hidden_source(data)
    sheet = settings.sheet
    options = ReadOptions(
        settings.encoding,
        settings.delimiter,
        settings.header,
        int(sheet) if sheet is not None and str(sheet).isdigit() else sheet,
    )
    data = data if is_table(data) else with_paths(data)
    source = replace(_read(data, options, settings), data=data)
    for note in source.notes:
        logger.warning("%s", note)
    return source


def _read(data: Any, options: ReadOptions, settings: Settings) -> Source:
    """Open the data, as it is or by SQL."""
    addresses = [one for one in (data if isinstance(data, list) else [data]) if isinstance(one, Secret)]
    if addresses:
        from interakt_loader.sources import database

        if isinstance(data, list) and len(data) > 1:
            raise SourceError(f"{addresses[0]}: a database cannot be loaded together with other sources")
        return database.open_query(addresses[0], settings.query, settings.where)
    if settings.query is None and settings.where is None:
        return open_source(data, options)
    from interakt_loader.sources import sql

    if settings.where is not None:
        return sql.where(open_source(data, options), settings.where)
    tables = {name: open_source(one, options) for name, one in sql.named(data).items()}
    return sql.query(tables, settings.query or "")


def choose_mapping(
    given: Any, source: Source, kind: Kind | None, settings: Settings, event: str | None = None
) -> Choice:
    """Return the mapping by which to load a source.

    `given` is as for `load_users`; the rest is as in `infer`. Raises `MappingError` if there is no mapping, and
    `SettingsError` for an unknown country or time zone. Raises `MappingNeeded` for open questions, and for a proposal
    that would be sent to the API although nobody has confirmed it.
    """
    check_places(settings)
    if given is None or is_preset(given):
        found, source = propose(source, kind, settings, event, given)
        if not (found.is_recognised or given is not None or settings.sends_nothing_outside):
            raise _needed(found)
    elif isinstance(given, InferredMapping):
        found = given
    elif is_mapping_file(given):
        return Choice(read_mapping_file(Path(given)).mapping, source, None)
    else:
        return Choice(Mapping.of(given), source, None)
    if found.open_questions:
        raise _needed(found)
    return Choice(found, source, None if found is given else found)


def is_preset(given: Any) -> bool:
    """Tell whether what is given as a mapping is the name of a preset."""
    return isinstance(given, str) and given.startswith(PRESET)


def is_mapping_file(given: Any) -> bool:
    """Tell whether what is given as a mapping is the path of a file."""
    return isinstance(given, (str, Path)) and not is_preset(given)


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
    try:
        mapping.check(kind, source.columns)
    except MappingError as error:
        index = index_names(source, mapping.columns())
        if index:
            raise MappingError(f"{error}; {index}") from None
        raise
    identity = {name for one in (mapping.user_id, *mapping.phone) if one is not None for name in one.columns}
    for part in source.parts:
        missing = [name for name in mapping.columns() if name not in part.columns]
        if part.open_ended:
            event = set(mapping.event.columns) if mapping.event is not None else set()
            missing = [name for name in missing if name in event or (name in identity and identity <= set(missing))]
        if missing:
            hints = "".join(did_you_mean(name, part.columns) for name in missing)
            raise MappingError(
                f"{part.path}: lacks {', '.join(map(repr, missing))}, which the mapping names{hints}; the columns by "
                f"its first row: {listed(part.columns)}. Every file needs a header with the names that are mapped"
            )


def index_names(source: Source, names: Sequence[str]) -> str:
    """Return a hint if some of these names are levels of the index of a DataFrame, which is not read."""
    if not is_pandas(source.data, "DataFrame"):
        return ""
    levels = [name for name in names if name in map(str, source.data.index.names) and name not in source.columns]
    is_are = "is in" if len(levels) == 1 else "are in"
    return f"{', '.join(map(repr, levels))} {is_are} the index: give frame.reset_index()" if levels else ""


@lists_options()
def infer(
    data: Data,
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
    data = hidden_source(data)
    settings = Settings.resolve(cast("dict[str, Any]", options), variables=READING)
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
    return "user" if parsed(option("as"), OneOf(("users", "events")), text) == "users" else "event"


def check_places(settings: Settings) -> None:
    """Refuse an unknown country or time zone. Raises `SettingsError`."""
    if country_code(settings.default_country) is None:
        raise SettingsError(
            f"{settings.called('default_country')} is {settings.default_country!r}; expected one such as +91, 91 or IN"
        )
    try:
        Target(timezone=settings.timezone)
    except MappingError as error:
        raise SettingsError(f"{settings.called('timezone')}: {error}") from None


# ------------------------------------------------------------------ the files that a load writes

# Files are compared by identity, not by spelling: through links, relative and absolute paths, and upper and lower case
# where the file system ignores it. A pipe or device, such as `/dev/null`, may be given more than once.

_OF_A_LEDGER = ("", "-wal", "-shm", "-journal", "-calls")
"""Endings of the files of which a ledger is made."""

_CALLED = {"failures": "failures file", "html": "HTML page"}
"""What an output is called in a message, if not like its option."""


class OtherFiles(NamedTuple):
    """Files of a load that its settings do not name. Each key says what the file is, for messages."""

    reads: Dict[str, str | os.PathLike[str] | None] = {}
    folders: Dict[str, str | os.PathLike[str] | None] = {}
    """Folders in which files are written and removed."""


def check_outputs(source: Source, settings: Settings, other_files: OtherFiles) -> None:
    """Refuse outputs that are one file, or a file that is read. Raises `SettingsError`; opens nothing for writing."""
    outputs = {name: getattr(settings, name) for name in ("report", "failures", "html", "ledger")}
    outputs = {name: Path(path) for name, path in outputs.items() if path is not None}
    _keep_apart(source, outputs, other_files)
    for name, path in outputs.items():
        _keep_out_of_sources(name, path, source)
        _keep_out_of_folders(option(name), path, other_files)
    # in this order, because the others are in the report's folder
    for name in ("report", "html", "failures"):
        file = outputs.get(name)
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise SettingsError(f"{option(name)} {file}: expected a file in a folder that exists")
    ledger = outputs.get("ledger")
    if ledger is not None and ledger.exists() and not ledger.is_file():
        raise SettingsError(f"{option('ledger')} {ledger}: is no file; choose another path")
    failures = outputs.get("failures")
    if failures is not None and failures.is_file() and failures.stat().st_size and not is_failures_file(failures):
        raise SettingsError(
            f"{option('failures')} {failures}: is there already and is something else; choose another path"
        )


def files_of(source: Source) -> list[Path]:
    """Return the files of this machine that a source reads."""
    given = [part.path for part in source.parts] or ([source.path] if source.path is not None else [])
    given += [one.file for one in _databases(source)]
    found = (Path(_path_of_address(one) if one.startswith("file:") else one).expanduser() for one in given)
    return [one for one in found if one.is_file()]


def _path_of_address(address: str) -> str:
    # imports the client for HTTP, which takes 10 ms
    from urllib.request import url2pathname

    return url2pathname(urlsplit(address).path)


def _databases(source: Source) -> list[DatabaseAddress]:
    return [one for one in map(DatabaseAddress.of, filter(is_address, source.given_paths)) if one is not None]


def _keep_apart(source: Source, outputs: Dict[str, Path], other_files: OtherFiles) -> None:
    taken: dict[object, str] = {}
    of_dataset = getattr(source.data, "files", None)
    for path in [*files_of(source), *(map(Path, of_dataset) if isinstance(of_dataset, list) else ())]:
        taken[identity_of(path)] = "source itself"
        _keep_out_of_folders("source", path, other_files)
    for stream in (sys.stdin if "-" in source.given_paths else None, source.data):
        # it may be an object that is no file, or that is closed by now
        handle = getattr(stream, "fileno", None)
        if callable(handle):
            with suppress(OSError, ValueError):
                taken[identity_of(handle())] = "source itself"
    for name, read in other_files.reads.items():
        if read is not None:
            taken.setdefault(identity_of(read), name)
    own = identity_of(outputs["failures"]) if source.of_failures and "failures" in outputs else None
    # a load of its own failures file rewrites it at the end, without the rows that are settled
    taken.pop(own, None)
    for name, path in outputs.items():
        for ending in _OF_A_LEDGER if name == "ledger" else ("",):
            identity = identity_of(f"{os.path.realpath(path)}{ending}")
            if identity is not None and identity in taken:
                too = "" if taken[identity] == "source itself" else " too"
                other = "choose another path"
                if name == "failures" and is_failures(str(path)) and not source.of_failures:
                    other = f"put its columns {', '.join(EXTRA_COLUMNS)} back, or {other}"
                raise SettingsError(f"{option(name)} {path}{ending}: is the {taken[identity]}{too}; {other}")
            taken[identity] = _CALLED.get(name, name)


def identity_of(path: str | os.PathLike[str] | int) -> object:
    """Return a value that only this file has, whether it exists or not; None for a pipe or a device."""
    try:
        status = os.stat(path)  # noqa: PTH116 - it may be a handle
    except (OSError, ValueError):
        if isinstance(path, int):
            return None
        real = Path(os.path.realpath(path))
        folder = identity_of(real.parent) if real.parent != real else None
        return (folder or str(real.parent), unicodedata.normalize("NFC", real.name).casefold())
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    # a file system without numbers for its files
    if status.st_ino == 0 and not isinstance(path, int):
        return os.path.normcase(os.path.realpath(path))
    return (status.st_dev, status.st_ino)


def _keep_out_of_sources(name: str, path: Path, source: Source) -> None:
    """Refuse a file that the next load of the same folder or pattern would read."""
    if not source.given_paths or name in ("ledger", "html") or is_own_name(path.name):
        return
    real = Path(os.path.realpath(path))
    # the folder of a Delta table, without its version
    for given in [*source.given_paths, *([] if source.path is None else [source.path])]:
        found = Path(given).expanduser()
        in_folder = found.is_dir() and _is_in(real, Path(os.path.realpath(found)))
        if in_folder or (glob.has_magic(given) and not found.exists() and _matches(real, found)):
            raise SettingsError(
                f"{option(name)} {path}: the next load of {given} would read it as a source; choose another folder, "
                f"or a name such as {path.stem}.report{path.suffix}"
            )


def _is_in(path: Path, folder: Path) -> bool:
    """Tell whether a file is in a folder, or in a folder below it that is a partition of its table."""
    if not path.is_relative_to(folder):
        return False
    return all("=" in part for part in path.relative_to(folder).parts[:-1])


def _matches(path: Path, pattern: Path) -> bool:
    fixed = tuple(takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    names = Path(*fixed).resolve().parts + pattern.parts[len(fixed) :]
    if "**" in names:
        return fnmatch.fnmatch(str(path), str(Path(*(one for one in names if one != "**"))))
    return len(names) == len(path.parts) and all(map(fnmatch.fnmatch, path.parts, names))


def _keep_out_of_folders(called: str, path: Path, other_files: OtherFiles) -> None:
    for folder, at in other_files.folders.items():
        if at is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(at)):
            raise SettingsError(f"{called} {path}: lies in {at}, the {folder}, where files are removed; choose another")
