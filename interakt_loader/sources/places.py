"""What the user wrote as a path → the files that it means: a file, a folder, a pattern, an address, `-`."""

from __future__ import annotations

import glob
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from interakt_loader.errors import SourceError
from interakt_loader.sources.failures import is_failures_file
from interakt_loader.sources.file import File, TemporaryCopy, find_file
from interakt_loader.sources.folders import choose, is_own_file, is_partition, partitions_of, some
from interakt_loader.sources.lake import names_in_local, refuse_local_files, refuse_table
from interakt_loader.sources.remote import fetch, is_address

STANDARD_INPUT = "-"


class Found(NamedTuple):
    """Files in the order in which they are read, and what is to be said of those left out."""

    files: list[File]
    notes: list[str]


def find(given: str) -> Found:
    """Return the files that a path, pattern or address means; SourceError when there is none.

    What is not on this machine is copied to a temporary file first: the load does not hang on a connection for
    hours, and can be read again.
    """
    if given == STANDARD_INPUT:
        return Found([_standard_input()], [])
    if is_address(given):
        return Found(*fetch(given))
    location = Path(given).expanduser()
    if location.is_dir():
        return _in_folder(given, location)
    if glob.has_magic(given) and not location.exists():
        return _matching(given)
    refuse_local_files([(given, location)])
    return Found([find_file(given, location)], [])


_REPORT = b"row,source,kind,"


def is_file_of_a_load(path: str) -> bool:
    """Tell whether a path leads to a file of an earlier load: by its name, and by how a file of text begins."""
    location = Path(path).expanduser()
    if not is_own_file(location.name):
        return False
    if location.is_dir():
        return location.suffix == ".runs"
    if location.suffix not in (".csv", ".txt"):
        return not {".check", ".failures"} & set(location.suffixes)
    try:
        with location.open("rb") as file:
            is_report = file.read(len(_REPORT)) == _REPORT
    except OSError:
        return False
    return is_report or is_failures_file(location)


def _standard_input() -> File:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        raise SourceError("-: nothing is piped into standard input")
    copy = TemporaryCopy(stream)
    return find_file(STANDARD_INPUT, copy.location, name="stdin", copy=copy)


def _in_folder(given: str, folder: Path) -> Found:
    refuse_table(given, folder.absolute().as_posix(), names_in_local)
    chosen = choose(given, _below(folder))
    refuse_local_files((given, folder / path) for path in chosen.paths)
    files = [
        find_file(str(PurePath(given, path)), folder / path, partitions=partitions_of(path)) for path in chosen.paths
    ]
    return Found(files, chosen.notes)


def _below(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        # A folder may lie on top of a whole disk. Of one that is no partition, it is enough to know that it is there.
        folders[:] = [name for name in folders if all(map(is_partition, inside.parts))]
        for name in names:
            yield (inside / name).as_posix()


def _matching(pattern: str) -> Found:
    """Return the files that match; where only folders do, the files in these."""
    expanded = os.path.expanduser(pattern)  # noqa: PTH111 - a Path would take the `./` away that a report shows
    paths = sorted(glob.glob(expanded, recursive=True))  # noqa: PTH207 - likewise
    matches = [path for path in paths if not Path(path).is_dir()]
    own = [] if is_own_file(pattern) else [path for path in matches if is_file_of_a_load(path)]
    notes = [f"{pattern}: left out, files of earlier loads: {some(own)}"] if own else []
    if not matches:
        for folder in paths:
            refuse_table(pattern, Path(folder).absolute().as_posix(), names_in_local)
            chosen = choose(folder, _below(Path(folder)))
            matches += [str(PurePath(folder, path)) for path in chosen.paths]
            notes += chosen.notes
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), PurePath(expanded).parts)
    start = Path(*fixed)
    refuse_local_files((path, Path(path)) for path in matches)
    files = [
        find_file(path, Path(path), partitions=partitions_of(Path(path).relative_to(start).as_posix()))
        for path in matches
        if path not in set(own)
    ]
    if not files and own:
        raise SourceError(f"{pattern}: only files of earlier loads match ({some(own)}); to load one of them, name it")
    if not files:
        raise SourceError(f"{pattern}: no file matches")
    return Found(files, notes)
