"""Delta, Iceberg and Hudi tables, whose folders also hold files with deleted and replaced rows.

Only the table's own log says which files and rows count, so such a folder is refused, and so is each data file in it.

Which of a folder's files are its table, and what the names of the folders between say. No I/O.

Files at addresses (`s3://`, `gs://`, `https://`, …), by fsspec, which is an extra. They are copied here first.

What the user wrote as a path → the files that it means: a file, a folder, a pattern, an address, `-`.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import reason
from interakt_loader.sources.failures import is_failures_file
from interakt_loader.sources.local_file import File, TemporaryCopy, find_file, format_by_name

Listing = Callable[[str], Iterable[str]]
"""Returns the names in a folder; none if there is no such folder."""

_OF_DATA = ("parquet", "orc", None)
"""The formats of data files. One without a known ending may be anything."""

# The kind of table, the folder of its log, the names of files that only a log has, and the way to its rows.
_TABLES = (
    (
        "a Delta table",
        "_delta_log",
        re.compile(r"\d{20}\.(json|checkpoint\..*)|_last_checkpoint"),
        "DeltaTable(path).to_pyarrow_dataset() of the package deltalake",
    ),
    (
        "an Iceberg table",
        "metadata",
        re.compile(r"v?\d[\da-f-]*(\.gz)?\.metadata\.json(\.gz)?|snap-\d+-\d+-[0-9a-f-]{36}\.avro"),
        "table.scan().to_arrow_batch_reader() of the package pyiceberg",
    ),
    (
        "a Hudi table",
        ".hoodie",
        re.compile(r"hoodie\.properties"),
        "a DataFrame or Arrow table that Spark or another reader of Hudi makes of it",
    ),
)


def refuse_table(given: str, folder: str, names_in: Listing) -> None:
    """Raise SourceError if the folder itself is the top folder of such a table."""
    for kind, log, marks, way in _TABLES:
        if any(map(marks.fullmatch, names_in(f"{folder}/{log}"))):
            raise SourceError(
                f"{given}: the folder {folder or '/'} is {kind}, whose files also hold deleted and replaced rows. "
                f"In Python, load {way}; to load a file as it is, pass what pandas or pyarrow reads of it"
            )


def refuse_files_of_tables(files: Iterable[tuple[str, str]], names_in: Listing) -> None:
    """Raise SourceError if one of the data files lies in such a table, at whatever depth.

    `files` are pairs of what the user wrote and of the file's absolute path, with slashes.
    """
    seen: set[str] = set()
    for given, path in files:
        if format_by_name(path) not in _OF_DATA:
            continue
        for parent in PurePosixPath(path).parents:
            folder = str(parent).rstrip("/")
            if folder in seen or folder == ".":
                break
            seen.add(folder)
            refuse_table(given, folder, names_in)


def refuse_local_files(files: Iterable[tuple[str, Path]]) -> None:
    """As `refuse_files_of_tables`, for files on this machine. A link counts where it stands and where it leads."""
    places = ((given, place) for given, path in files for place in (path.absolute(), path.resolve()))
    refuse_files_of_tables(((given, place.as_posix()) for given, place in places), names_in_local)


def names_in_local(folder: str) -> list[str]:
    """Return the names in a folder of this machine; none if it is not there or may not be read."""
    try:
        return [one.name for one in Path(folder).iterdir()]
    except OSError:
        return []


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


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=://|::)")
_WEB = ("http", "https")  # no folders or patterns there: a `?` begins the query


def is_address(given: str) -> bool:
    """Tell whether a path has a scheme. One letter is a drive of Windows."""
    return _SCHEME.match(given) is not None


def fetch(address: str) -> tuple[list[File], list[str]]:
    """Return copies of the files that an address means, and notes on those left out.

    An address may be a file, a folder or a pattern; on the web, a file. SourceError names what is missing:
    fsspec, its part for this scheme, the file, the right to read it.
    """
    shown = hide_secrets(address)
    scheme = address.partition("://")[0].partition("::")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        needed = "fsspec aiohttp" if scheme in _WEB else "fsspec"
        raise SourceError(f"{shown}: reading {scheme}:// addresses needs fsspec: pip install {needed}") from error
    try:
        system, path = url_to_fs(address)
        if scheme in _WEB:
            name = unquote(PurePosixPath(urlsplit(address).path).name)
            return [_copied(system, path, shown, name, ())], []
        return _found(system, str(path), shown)
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{shown}: no such file") from error
    except ImportError as error:
        raise SourceError(f"{shown}: cannot be opened: {reason(error)}") from error
    except Exception as error:
        told = reason(error)
        for one in (address, *address.split("::")):
            told = told.replace(one, hide_secrets(one))
        raise SourceError(f"{shown}: cannot be opened: {told}") from error


def hide_secrets(address: str) -> str:
    """Return the address as it may be shown, each of a chain (`zip://a.csv::https://…`) without what opens it.

    Of a web address that is its user and its query, which sign it; of any other, a user with a password: a user alone
    may be a place, such as the container of `abfs://container@account/…`.
    """
    return "::".join(_without_secrets(one) for one in address.split("::"))


def _without_secrets(address: str) -> str:
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    if scheme.lower() in _WEB:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    return f"{scheme}://{host if ':' in user else place}{slash}{path}"


def _found(system: Any, path: str, shown: str) -> tuple[list[File], list[str]]:
    names_in = _names_in(system)
    if glob.has_magic(path) and not system.exists(path):
        matches = sorted(match for match in system.glob(path) if not system.isdir(match))
        own = [] if is_own_file(path) else [match for match in matches if is_own_file(match)]
        if len(matches) == len(own):
            raise SourceError(f"{shown}: no file matches")
        notes = [f"{shown}: left out, files of earlier loads: {some(own)}"] if own else []
        fixed = path[: re.search(r"[*?\[]", path).start()].rpartition("/")[0]  # type: ignore[union-attr]  # has magic
        given = {match: system.unstrip_protocol(match) for match in matches if match not in own}
        refuse_files_of_tables(((name, match) for match, name in given.items()), names_in)
        return [
            _copied(system, match, name, PurePosixPath(match).name, partitions_of(match[len(fixed) :]))
            for match, name in given.items()
        ], notes
    if system.isdir(path):
        root = path.rstrip("/")
        refuse_table(shown, root, names_in)
        chosen = choose(shown, [str(one)[len(root) :].lstrip("/") for one in system.find(root)])
        refuse_files_of_tables(((shown, f"{root}/{one}") for one in chosen.paths), names_in)
        return [
            _copied(system, f"{root}/{one}", f"{shown.rstrip('/')}/{one}", PurePosixPath(one).name, partitions_of(one))
            for one in chosen.paths
        ], chosen.notes
    refuse_files_of_tables([(shown, path)], names_in)
    return [_copied(system, path, shown, PurePosixPath(path).name, ())], []


def _names_in(system: Any) -> Listing:
    def names_in(folder: str) -> list[str]:
        try:
            return [PurePosixPath(str(one)).name for one in system.ls(folder, detail=False)]
        except Exception:  # noqa: BLE001 - no such folder, or none that may be listed; each store has errors of its own
            return []

    return names_in


def _copied(system: Any, path: str, shown: str, name: str, partitions: Partitions) -> File:
    with system.open(path, "rb") as stream:
        copy = TemporaryCopy(stream)
    return find_file(shown, copy.location, name=name, partitions=partitions, copy=copy)


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
