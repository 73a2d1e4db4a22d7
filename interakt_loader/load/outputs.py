"""The files that a load writes: none of them is another one, one that is read, or one that the next load would read.

Files are compared by what they are, not by how they are written: through links, in other cases where the file system
has none, relative and absolute. What is no regular file (a pipe, `/dev/null`) may be given more than once.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from interakt_loader.errors import SettingsError
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import is_failures
from interakt_loader.sources import Source, is_failures_file, is_own_name
from interakt_loader.sources.failures import EXTRA_COLUMNS

_OF_A_LEDGER = ("", "-wal", "-shm", "-journal", "-calls")
"""Endings of the files of which a ledger is made."""


class Others(NamedTuple):
    """Files of a load that its settings do not name, by what they are."""

    reads: Mapping[str, str | os.PathLike[str] | None] = {}
    folders: Mapping[str, str | os.PathLike[str] | None] = {}
    """Folders in which files are written and removed."""


def check_outputs(data: Any, source: Source, settings: Settings, others: Others) -> None:
    """Refuse outputs that are not apart, before anything is opened for writing. Raises `SettingsError`."""
    outputs = {name: getattr(settings, name) for name in ("report", "failures", "html", "ledger")}
    outputs = {name: Path(path) for name, path in outputs.items() if path is not None}
    _keep_apart(data, source, outputs, others)
    for name, path in outputs.items():
        _keep_out_of_sources(name, path, data)
        _keep_out_of_folders(name, path, others)
    for name in ("report", "html", "failures"):  # in this order: the others lie beside the report
        file = outputs.get(name)
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise SettingsError(f"{name} {file}: expected a file in a folder that exists")
    ledger = outputs.get("ledger")
    if ledger is not None and ledger.exists() and not ledger.is_file():
        raise SettingsError(f"ledger {ledger}: is no file; choose another path")
    failures = outputs.get("failures")
    if failures is not None and failures.is_file() and failures.stat().st_size and not is_failures_file(failures):
        raise SettingsError(f"failures {failures}: is there already and is something else; choose another path")


def paths_of(data: Any) -> list[str | Path]:
    """Return the paths among the data, as they were given."""
    return [one for one in (data if isinstance(data, (list, tuple)) else [data]) if isinstance(one, (str, Path))]


def files_of(source: Source) -> list[Path]:
    """Return the files on this machine that a source reads."""
    given = [part.path for part in source.parts] or ([source.path] if source.path is not None else [])
    found = (Path(url2pathname(urlsplit(one).path) if one.startswith("file:") else one).expanduser() for one in given)
    return [one for one in found if one.is_file()]


def _keep_apart(data: Any, source: Source, outputs: Mapping[str, Path], others: Others) -> None:
    taken: dict[object, str] = {}
    of_dataset = getattr(data, "files", None)
    for path in [*files_of(source), *(map(Path, of_dataset) if isinstance(of_dataset, list) else ())]:
        taken[_identity(path)] = "source itself"
        _keep_out_of_folders("source", path, others)
    if "-" in paths_of(data) and sys.stdin is not None:
        with suppress(OSError):  # a program may have put something else in its place, which is no file
            taken[_identity(sys.stdin.fileno())] = "source itself"
    for name, read in others.reads.items():
        if read is not None:
            taken.setdefault(_identity(read), name)
    own = _identity(outputs["failures"]) if source.of_failures and "failures" in outputs else None
    taken.pop(own, None)  # rows that are settled leave the file, once all is done
    for name, path in outputs.items():
        for ending in _OF_A_LEDGER if name == "ledger" else ("",):
            identity = _identity(f"{os.path.realpath(path)}{ending}")
            if identity is not None and identity in taken:
                too = "" if taken[identity] == "source itself" else " too"
                other = "choose another path"
                if name == "failures" and is_failures(str(path)) and not source.of_failures:
                    other = f"put its columns {', '.join(EXTRA_COLUMNS)} back, or {other}"
                raise SettingsError(f"{name} {path}{ending}: is the {taken[identity]}{too}; {other}")
            taken[identity] = name


def _identity(path: str | os.PathLike[str] | int) -> object:
    """Return what tells a file from all others, whether it exists or not; None for what is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - it may be a handle
    except (OSError, ValueError):
        if isinstance(path, int):
            return None
        real = Path(os.path.realpath(path))
        folder = _identity(real.parent) if real.parent != real else None
        return (folder or str(real.parent), unicodedata.normalize("NFC", real.name).casefold())
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    if status.st_ino == 0 and not isinstance(path, int):  # a file system without numbers for its files
        return os.path.normcase(os.path.realpath(path))
    return (status.st_dev, status.st_ino)


def _keep_out_of_sources(name: str, path: Path, data: Any) -> None:
    """Refuse a file that the next load of the same folder or pattern would read."""
    if name in ("ledger", "html") or is_own_name(path.name):
        return
    real = Path(os.path.realpath(path))
    for given in map(str, paths_of(data)):
        found = Path(given).expanduser()
        in_folder = found.is_dir() and _is_in(real, Path(os.path.realpath(found)))
        if in_folder or (glob.has_magic(given) and not found.exists() and _matches(real, found)):
            raise SettingsError(
                f"{name} {path}: the next load of {given} would read it as a source; choose another folder, or a name "
                f"such as {path.stem}.report{path.suffix}"
            )


def _is_in(path: Path, folder: Path) -> bool:
    """Tell whether a file lies in a folder, or in one of those that are partitions of its table."""
    if not path.is_relative_to(folder):
        return False
    return all("=" in part for part in path.relative_to(folder).parts[:-1])


def _matches(path: Path, pattern: Path) -> bool:
    fixed = tuple(takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    names = Path(*fixed).resolve().parts + pattern.parts[len(fixed) :]
    if "**" in names:
        return fnmatch.fnmatch(str(path), str(Path(*(one for one in names if one != "**"))))
    return len(names) == len(path.parts) and all(map(fnmatch.fnmatch, path.parts, names))


def _keep_out_of_folders(name: str, path: Path, others: Others) -> None:
    for folder, at in others.folders.items():
        if at is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(at)):
            raise SettingsError(f"{name} {path}: lies in {at}, the {folder}, where files are removed; choose another")
