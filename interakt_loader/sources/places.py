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
from interakt_loader.sources.file import File, TemporaryCopy, find_file
from interakt_loader.sources.folders import choose, is_partition, is_report, partitions_of, some
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
    reports = [path for path in matches if is_report(path)]
    notes = [f"{pattern}: left out, reports of earlier loads: {some(reports)}"] if reports else []
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
        if path not in set(reports)
    ]
    if not files:
        raise SourceError(f"{pattern}: no file matches")
    return Found(files, notes)
