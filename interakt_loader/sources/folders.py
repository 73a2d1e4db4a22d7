"""Which of a folder's files are its table, and what the names of the folders between say. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from interakt_loader.errors import SourceError
from interakt_loader.sources.formats import format_by_name

_OWN = (".report", ".check", ".failures", ".mapping", ".ledger", ".runs")
"""What stands behind the name of a load in the names of its files."""

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Partitions = tuple[tuple[str, str | None], ...]


class Chosen(NamedTuple):
    """The files of a folder that are read, as paths below it in their order, and what is to be said of the rest."""

    paths: list[str]
    notes: list[str]


def choose(folder: str, paths: Iterable[str]) -> Chosen:
    """Choose among the files below a folder: those in the folder itself and in `key=value` folders, by name.

    Hidden files and those that begin with `_` belong to the writer of the table (`_SUCCESS`). Left out with a
    note: files with endings that are no table's, this loader's own files. SourceError when the files are of
    several forms, or none is left.
    """
    shown = [path for path in paths if not any(part[0] in "._" for part in PurePosixPath(path).parts)]
    near = sorted(path for path in shown if all(map(is_partition, PurePosixPath(path).parts[:-1])))
    left_out = [path for path in near if is_own_file(path) or format_by_name(path) is None]
    chosen = [path for path in near if path not in set(left_out)]
    if not chosen:
        further = " (for those in the folders below, give such as 'folder/**/*.csv')" if len(shown) > len(near) else ""
        raise SourceError(f"{folder}: there is no table in this folder{further}")
    forms = {str(format_by_name(path)): path for path in reversed(chosen)}
    if len(forms) > 1:
        examples = ", ".join(sorted(forms.values()))
        raise SourceError(
            f"{folder}: the folder holds files of several forms ({examples}); give such as 'folder/*.csv'"
        )
    notes = [f"{folder}: left out, no tables: {some(left_out)}"] if left_out else []
    return Chosen(chosen, notes)


def is_own_file(path: str) -> bool:
    """Tell whether a file is called as this loader calls the files of a load, such as `NAME.report.csv`."""
    return any(one in _OWN or one.startswith(".ledger-") for one in PurePosixPath(path).suffixes)


def is_partition(folder: str) -> bool:
    """Tell whether a folder's name is `key=value`."""
    key, sign, _ = folder.partition("=")
    return bool(key and sign)


def partitions_of(path: str) -> Partitions:
    """Return the keys and values that the folders on a path name (`country=IN/day=3/part-0.parquet`), as text."""
    found: dict[str, str | None] = {}
    for folder in PurePosixPath(path).parts[:-1]:
        if is_partition(folder):
            key, _, value = folder.partition("=")
            found[unquote(key)] = None if value == _NO_VALUE else unquote(value)
    return tuple(found.items())


def some(names: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
