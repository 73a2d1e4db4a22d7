"""Before the first call of a project: its key is read, each source opened, and its mapping chosen.

All mistakes are collected. What they leave open is not used, so that no mistake hides another one.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from interakt_loader.errors import InteraktLoaderError, ProjectError, UsageError
from interakt_loader.load.api import check_options
from interakt_loader.load.kept_mapping import KeptMapping
from interakt_loader.load.opening import (
    OtherFiles,
    check_mapping,
    check_outputs,
    files_of,
    identity_of,
    is_preset,
    opened,
    propose,
)
from interakt_loader.mapping import Mapping as Spec
from interakt_loader.mapping import read_mapping_file
from interakt_loader.mapping.files import read_written
from interakt_loader.privacy.secret_places import SecretPlace, read_secret
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.privacy.text import masked
from interakt_loader.project.written import Mistakes, WrittenLoad, WrittenProject, read
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import STDOUT, VARIABLES, add_default_files, beside, mapping_name
from interakt_loader.settings.values import BadValue, did_you_mean, is_address, parse_query
from interakt_loader.sources import Source, hidden_source
from interakt_loader.sources.addresses import refuse_passwords
from interakt_loader.transport import check_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTPUTS = ("report", "failures", "html", "ledger")


class Choices(NamedTuple):
    """What is chosen for one run of a project, apart from its file."""

    loads: tuple[str, ...] = ()
    """Names of the loads to run; empty: all."""
    dry_run: bool = False
    progress: bool | None = None
    html: str | Path | None = None
    """The page about all loads."""
    sandbox: Mapping[str, Any] | None = None
    """The key and the address of a sandbox, in place of the account's."""


class ReadyLoad(NamedTuple):
    """One load, ready to run."""

    name: str
    source: Source
    sources: tuple[str, ...]
    """As they may be shown."""
    mapping: Spec
    settings: Settings
    after: tuple[str, ...]
    mapping_file: Path | None
    note: str | None
    """A line about the mapping."""

    @property
    def runs(self) -> Path | None:
        """The folder with the records of its runs; None for a dry run."""
        settings = self.settings
        if settings.dry_run:
            return None
        written = next(str(path) for path in (settings.report, settings.ledger, "") if path is not None)
        return Path(beside(written, f"{self.name}.runs"))

    @property
    def other_files(self) -> OtherFiles:
        """The files that its settings do not name."""
        return OtherFiles({"mapping": self.mapping_file}, {"folder of the load's runs": self.runs})


class ReadyProject(NamedTuple):
    """The loads to run, in order."""

    name: str
    loads: tuple[ReadyLoad, ...]


def ready(path: str | Path, choices: Choices) -> ReadyProject:
    """Read a project file and check all of it that can be checked before the first call. Raises `ProjectError`."""
    path = Path(path)
    mistakes = Mistakes()
    written = read(read_written(path, "project", UsageError), mistakes)
    chosen = _chosen(written, choices.loads, mistakes)
    account = _Account(written, path.parent, choices, mistakes)
    loads = [load for one in chosen if (load := _Opening(one, account, path.parent, choices, mistakes).load())]
    _keep_apart(loads, choices.html, mistakes)
    if mistakes:
        raise ProjectError(str(path), tuple(mistakes))
    return ReadyProject(path.stem, tuple(loads))


def _chosen(written: WrittenProject, names: Sequence[str], mistakes: Mistakes) -> list[WrittenLoad]:
    known = [one.name for one in written.loads]
    for name in names:
        if name not in known:
            mistakes.at("loads", f"there is no load {name!r}{did_you_mean(name, known)} (loads: {', '.join(known)})")
    return [one for one in written.loads if not names or one.name in names]


class _Account:
    """The options of the account, with its keys."""

    def __init__(self, written: WrittenProject, folder: Path, choices: Choices, mistakes: Mistakes) -> None:
        self.options: dict[str, Any] = {}
        if choices.sandbox is not None:
            self.options |= choices.sandbox
            return
        # what sends nothing may do without the key
        found = Mistakes() if choices.dry_run else mistakes
        for name, place in written.keys.items():
            key = _key(f"account.{name}", place, folder, found)
            self.options["api_key" if name == "key" else "old_api_key"] = key
        if "base_url" in written.account:
            self.options["base_url"] = written.account["base_url"]
        with _collected("account", found):
            is_given = "key" in written.keys or any(one.startswith("account.key:") for one in found)
            if not is_given and not choices.dry_run and Settings.resolve({}).api_key is None:
                found.at("account.key", "is missing; expected {env: NAME} or {file: PATH}, or set INTERAKT_API_KEY")
            # a proxy that makes no sense
            check_environment(Settings.resolve({"base_url": self.options.get("base_url")}).base_url)
        if self.options.get("api_key") is None and found and not choices.dry_run:
            # the loads are checked all the same
            self.options["api_key"] = hidden("none")


def _key(place: str, given: SecretPlace, folder: Path, mistakes: Mistakes) -> Secret | None:
    if given.kind == "file":
        given = given._replace(name=str(_at(folder, given.name)))
    with _collected(place, mistakes):
        return read_secret(given)
    return None


@contextmanager
def _collected(place: str, mistakes: Mistakes) -> Iterator[None]:
    """Make a mistake of an error."""
    try:
        yield
    except (InteraktLoaderError, OSError) as error:
        mistakes.at(place, error)


def _at(folder: Path, given: str) -> Path:
    """Return a path in the project file, which is relative to the file's folder."""
    return folder / Path(given).expanduser()


_DATABASE_FILE = re.compile(r"((?:sqlite|duckdb):///)(?!/)(.+)", re.DOTALL)


def _source_at(folder: Path, given: str) -> str:
    """Return a source as it is opened: a path or a database's file in the folder of the project file."""
    file = _DATABASE_FILE.fullmatch(given)
    if file is not None:
        return f"{file[1]}{_at(folder, file[2]).as_posix()}"
    if is_address(given) or given.startswith("env:"):
        return given
    folder = Path(glob.escape(str(folder))) if glob.has_magic(given) else folder
    return str(_at(folder, given))


@dataclass
class _Opening:
    """Opens one load."""

    written: WrittenLoad
    account: _Account
    folder: Path
    choices: Choices
    mistakes: Mistakes

    @property
    def _place(self) -> str:
        return f"loads.{self.written.name}"

    def load(self) -> ReadyLoad | None:
        """Return the load, or None if its mistakes leave too much open."""
        settings = self._settings()
        given = self.written.mapping
        mapping: Spec | None = None
        if given is not None and not is_preset(given):
            with _collected(f"{self._place}.mapping", self.mistakes):
                mapping = (
                    Spec.of(given) if isinstance(given, dict) else read_mapping_file(_at(self.folder, given)).mapping
                )
        if settings is None or not self.written.sources:
            return None
        sources: list[Any] = []
        source: Source | None = None
        with _collected(f"{self._place}.source", self.mistakes):
            refuse_passwords(self.written.sources)
            sources = hidden_source([_source_at(self.folder, one) for one in self.written.sources])
            source = opened(sources, settings)
        if source is None:
            return None
        note, file = None, None
        if given is None or is_preset(given):
            mapping, source, note, file = self._by_columns(source, settings)
        elif isinstance(given, str):
            file = _at(self.folder, given)
        if mapping is None:
            return None
        name = self.written.name
        load = ReadyLoad(name, source, tuple(map(str, sources)), mapping, settings, self.written.after, file, note)
        self._check(load)
        return load

    def _settings(self) -> Settings | None:
        """Return the settings of the load; None if they make no sense."""
        written, before = self.written, len(self.mistakes)
        options = {**written.options, **self.account.options, "name": written.name}
        if self.choices.progress is not None:
            options["progress"] = self.choices.progress
        if self.choices.dry_run:
            options["dry_run"] = True
        for name in _OUTPUTS:
            if options.get(name, "none").lower() != "none":
                options[name] = str(_at(self.folder, options[name]))
        self._with_files(options)
        query = options.get("query", "")
        if query.lower().endswith(".sql"):
            options["query"] = str(_at(self.folder, query))
            try:
                parse_query(options["query"])
            except BadValue as error:
                self.mistakes.at(f"{self._place}.query", error)
                return None
        with _collected(self._place, self.mistakes):
            # the page of the variable is about all loads
            return Settings.resolve(options, variables=[one for one in VARIABLES if one != "html"])
        if any(one.startswith((f"{self._place}.", "account.", "defaults.")) for one in self.mistakes[:before]):
            # options may be missing because of those mistakes
            del self.mistakes[before:]
        return None

    def _with_files(self, options: dict[str, Any]) -> None:
        folder = self.folder
        if options.get("report") == STDOUT:
            self.mistakes.at(f"{self._place}.report", "is -, which is for a single load; expected a file, or none")
        if self.choices.dry_run:
            # those of the file are of the load itself
            report = options.pop("report", "none")
            folder = folder if report.lower() == "none" else Path(report).parent
            options.pop("failures", None)
            options.pop("html", None)
        add_default_files(options, self.written.name, str(folder), sandbox=self.choices.sandbox is not None)

    def _by_columns(self, source: Source, settings: Settings) -> tuple[Spec | None, Source, str | None, Path | None]:
        """Return the mapping of a preset or a kept file, or a proposal that may be used."""
        place, preset = f"{self._place}.mapping", self.written.mapping
        path = self.folder / mapping_name(self.written.name)
        with _collected(place, self.mistakes):
            kept = None if preset else KeptMapping(path, "Give the load a mapping")
            if kept is not None and kept.found is not None:
                if kept.found.confirmed or settings.sends_nothing_outside:
                    return kept.found.mapping, source, f"using {path}", path
                self.mistakes.at(place, f"{path} is not confirmed. Review it and set confirmed: true in it")
                return None, source, None, None
            found, source = propose(source, None, settings, None, preset)
            if not found.open_questions and (preset or found.is_recognised or settings.sends_nothing_outside):
                return found, source, found.summary().splitlines()[0], None
            if preset:
                self.mistakes.at(place, f"{preset} leaves questions open: {masked('; '.join(found.open_questions))}")
                return None, source, None, None
            unconfirmed = [] if settings.sends_nothing_outside else ["a proposal is sent only when it is confirmed"]
            why = "; ".join(["there is no mapping", *unconfirmed, *map(masked, found.open_questions)])
            if kept is not None and not settings.sends_nothing_outside:
                kept.write(found, confirmed=False)
                why += f". Review {path}, which was written, and set confirmed: true in it"
            self.mistakes.at(place, why)
        return None, source, None, None

    def _check(self, load: ReadyLoad) -> None:
        mapping, source, kind = load.mapping, load.source, load.mapping.kind
        for place, check in (
            (self._place, partial(check_outputs, source, load.settings, load.other_files)),
            (f"{self._place}.mapping", partial(check_mapping, mapping, kind, source)),
            (self._place, partial(check_options, mapping, kind, source, load.settings)),
        ):
            with _collected(place, self.mistakes):
                check()


def _keep_apart(loads: Sequence[ReadyLoad], html: str | Path | None, mistakes: Mistakes) -> None:
    """Refuse an output that is also a file of another load."""
    taken: dict[object, tuple[str, str]] = {}
    for load in loads:
        reads = [*files_of(load.source), *([load.mapping_file] if load.mapping_file is not None else [])]
        taken |= {identity_of(path): (load.name, "input") for path in reads}
    if html is not None:
        if identity_of(html) in taken or Path(html).is_dir() or not Path(html).absolute().parent.is_dir():
            mistakes.at("html", f"{html}: expected a file of its own, in a folder that exists")
        taken[identity_of(html)] = ("", "page of the project")
    for load in loads:
        for output in _OUTPUTS:
            path = getattr(load.settings, output)
            if path is None or (identity := identity_of(path)) is None:
                continue
            other, what = taken.setdefault(identity, (load.name, output))
            if other != load.name:
                of = f" of loads.{other}" if other else ""
                mistakes.at(f"loads.{load.name}.{output}", f"{path} is the {what}{of}, too; choose another path")
