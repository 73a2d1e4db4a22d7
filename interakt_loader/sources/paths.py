"""Find the files that a path, a folder, a pattern or an address means.

`_Local` and `_Remote` list and open files. What is a file, a folder or a pattern is decided once, for both.
"""

from __future__ import annotations

import glob
import io
import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, Protocol, cast
from urllib.parse import unquote, urlsplit

from interakt_loader.errors import SourceError
from interakt_loader.settings.values import is_address
from interakt_loader.sources.addresses import DatabaseAddress, hide_secrets, is_web, refuse_other_databases
from interakt_loader.sources.base import reason
from interakt_loader.sources.delta import DeltaFolder
from interakt_loader.sources.failures import is_failures_head
from interakt_loader.sources.local_file import File, TemporaryCopy, find_file, format_by_name
from interakt_loader.values import full_type

STANDARD_INPUT = "-"

Partitions = tuple[tuple[str, str | None], ...]
"""Columns that the names of folders hold (`country=IN`), and their values."""


class Found(NamedTuple):
    """Files in the order in which they are read, and notes on those left out; or one Delta table."""

    files: Sequence[File | DeltaFolder]
    notes: list[str]


class Place(Protocol):
    """A file system, as far as it is needed to find files. Its paths are text."""

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""

    def exists(self, path: str) -> bool:
        """Tell whether a file or a folder has exactly this path."""

    def names_in(self, folder: str) -> list[str]:
        """Return the names in a folder; none if it is not there or may not be read."""

    def below(self, folder: str) -> Iterable[str]:
        """Return the files below a folder, by their paths from there, with slashes."""

    def matching(self, pattern: str) -> Iterable[str]:
        """Return the files and folders that a pattern means."""

    def head(self, path: str, size: int) -> bytes:
        """Return the first bytes of a file."""

    def positions(self, path: str) -> list[str]:
        """Return the absolute paths of a file or folder, with slashes: where it is, and where a link leads."""

    def delta_address(self, path: str) -> str | None:
        """Return the address of a Delta table as deltalake takes it; None if deltalake cannot read there."""

    def shown(self, path: str) -> str:
        """Return how messages and the report name a file that a pattern means."""

    def shown_below(self, given: str, path: str) -> str:
        """Return how messages and the report name a file below a folder that the user gave."""

    def file(self, path: str, given: str, partitions: Partitions) -> File:
        """Return a file of this machine with the content; SourceError if it is empty or not a regular file."""


class RemotePath(os.PathLike[str]):
    """A path that has its own file system of fsspec, with the credentials: a UPath, an ObjectStoragePath, an OpenFile.

    As text it is an address, without secrets.
    """

    def __init__(self, system: Any, path: str) -> None:
        self.system, self.path = system, path
        self.given = hide_secrets(str(system.unstrip_protocol(path)))

    def __fspath__(self) -> str:
        return self.given


_LOCAL_PROTOCOLS = {"file", "local"}


def is_path(data: object) -> bool:
    """Return whether data is a path, also one of another library."""
    return isinstance(data, (str, os.PathLike)) or _is_of_fsspec(data)


def _is_of_fsspec(data: object) -> bool:
    # UPath has its file system as a property, OpenFile as an attribute; a frame may have a column of that name
    kind = type(data)
    return hasattr(kind, "fs") or (kind.__module__, kind.__name__) == ("fsspec.core", "OpenFile")


def as_path(data: Any) -> str | RemotePath:
    """Return a path (`is_path`) as text, or with its own file system; SourceError if that cannot be reached."""
    if isinstance(data, RemotePath):
        return data
    if _is_of_fsspec(data):
        try:
            system, path = data.fs, str(data.path)
            protocols = {system.protocol} if isinstance(system.protocol, str) else {*system.protocol}
            if _LOCAL_PROTOCOLS.isdisjoint(protocols):
                return RemotePath(system, path)
        except Exception as error:
            raise SourceError(f"{full_type(data)}: its file system cannot be used: {full_type(error)}") from error
        return path
    path = os.fsdecode(os.fspath(data))
    if not path:
        raise SourceError("the path of the source is empty; expected a file, a folder, a pattern or an address")
    if ("\n" in path or path.lstrip().startswith(("{", "[{")) or len(path) > _LONGEST) and not _exists(path):
        # it is not shown: it may be rows
        raise SourceError("a text with a table in it is no path: give io.StringIO(text)")
    return path


_LONGEST = 4096
"""Characters of a path at most."""


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def with_paths(data: Any) -> Any:
    """Return data with the paths of other libraries as `RemotePath` or text: also those in a list or a dict."""
    if isinstance(data, dict):
        return {name: with_paths(one) for name, one in data.items()}
    if isinstance(data, (list, tuple)):
        return [as_path(one) if _is_of_fsspec(one) else one for one in data] if any(map(_is_of_fsspec, data)) else data
    return as_path(data) if _is_of_fsspec(data) else data


def find(given: str | RemotePath) -> Found:
    """Return the files that a path, pattern or address means; SourceError when there is none.

    A file that is not on this machine is copied to a temporary file first. So the load does not depend on a connection
    for hours, and the file can be read again.
    """
    if given == STANDARD_INPUT:
        return Found([_standard_input()], [])
    if isinstance(given, RemotePath):
        return _found(given)
    refuse_other_databases(given)
    database = DatabaseAddress.of(given)
    if database is not None:
        raise SourceError(f"{database.shown}: a database is not a table: load it by itself, with a query")
    shown = hide_secrets(given) if is_address(given) else given
    try:
        if is_address(given):
            place, path = _remote_place(given, shown)
            return _files_of(place, path, shown)
        return _files_of(_Local(), os.path.expanduser(given), given)  # noqa: PTH111 - a Path drops `./`
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{shown}: no such file") from error
    except Exception as error:
        text = reason(error)
        for part in (given, *given.split("::")):
            text = text.replace(part, hide_secrets(part))
            # a store may quote only the place
            user, at, _ = part.partition("://")[2].partition("/")[0].rpartition("@")
            text = text.replace(user + at, "") if ":" in user else text
        raise SourceError(f"{shown}: cannot be opened: {text}") from error


def _found(given: RemotePath) -> Found:
    try:
        return _files_of(_Remote(given.system, None, is_web=is_web(given.given)), given.path, given.given)
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{given.given}: no such file") from error
    except Exception as error:
        raise SourceError(f"{given.given}: cannot be opened: it raised {full_type(error)}") from error


def _files_of(place: Place, path: str, given: str) -> Found:
    """Return the Delta table or the files of a folder, of a pattern, or the one file.

    An existing name goes before a pattern and before a version.
    """
    table = _delta_folder(place, path, given)
    if table is not None:
        return Found([table], [])
    if place.is_folder(path):
        return _in_folder(place, path, given)
    if glob.has_magic(path) and not place.exists(path):
        return _matching(place, path, given)
    _refuse_files_of_tables(place, [(given, path)])
    return Found([place.file(path, given, ())], [])


def _in_folder(place: Place, folder: str, given: str) -> Found:
    chosen = _choose(place, folder, given)
    files = [
        place.file(_joined(folder, path), place.shown_below(given, path), partitions_of(PurePosixPath(path).parts[:-1]))
        for path in chosen.paths
    ]
    return Found(files, chosen.notes)


def _matching(place: Place, pattern: str, given: str) -> Found:
    """Return the files that match; where only folders match, the files in these."""
    folders: list[str] = []
    matches: list[str] = []
    for path in sorted(set(place.matching(pattern))):
        (folders if place.is_folder(path) else matches).append(path)
    notes = []
    own = [] if is_own_name(given) else [path for path in matches if is_file_of_a_load(path, place)]
    own_names = some([place.shown(path) for path in own])
    if own:
        notes.append(f"{given}: left out, files of earlier loads: {own_names}")
    if not matches:
        for folder in folders:
            chosen = _choose(place, folder, place.shown(folder))
            matches += [_joined(folder, path) for path in chosen.paths]
            notes += chosen.notes
    _refuse_files_of_tables(place, ((place.shown(path), path) for path in matches))
    fixed = sum(1 for _ in itertools.takewhile(lambda part: not glob.has_magic(part), PurePath(pattern).parts))
    files = [
        place.file(path, place.shown(path), partitions_of(PurePath(path).parts[fixed:-1]))
        for path in matches
        if path not in own
    ]
    if not files and own:
        raise SourceError(f"{given}: only files of earlier loads match ({own_names}); to load one of them, name it")
    if not files:
        raise SourceError(f"{given}: no file matches")
    return Found(files, notes)


class _Chosen(NamedTuple):
    """The files of a folder that are read, as paths below it in their order, and notes on the rest."""

    paths: list[str]
    notes: list[str]


def _choose(place: Place, folder: str, given: str) -> _Chosen:
    """Choose among the files below a folder: those in the folder itself and in `key=value` folders, by name.

    Hidden files and those that begin with `_` belong to the writer of the table (`_SUCCESS`). Files whose endings are
    not of tables, and the loader's own files, are left out with a note. SourceError when the files have several
    formats, when none is left, or when the folder is a Delta, Iceberg or Hudi table.
    """
    for position in place.positions(folder):
        _refuse_table(place, given, position)
    visible = [path for path in place.below(folder) if not any(part[0] in "._" for part in PurePosixPath(path).parts)]
    near = sorted(path for path in visible if all(map(is_partition, PurePosixPath(path).parts[:-1])))
    left_out = [path for path in near if is_own_name(path) or format_by_name(path) is None]
    chosen = [path for path in near if path not in set(left_out)]
    if not chosen:
        hint = " (for those in the folders below, give such as 'folder/**/*.csv')" if len(visible) > len(near) else ""
        raise SourceError(f"{given}: there is no table in this folder{hint}")
    examples = {str(format_by_name(path)): path for path in reversed(chosen)}
    if len(examples) > 1:
        names = ", ".join(sorted(examples.values()))
        raise SourceError(
            f"{given}: the folder holds files of several formats ({names}); give a pattern such as 'folder/*.csv'"
        )
    _refuse_files_of_tables(place, ((given, _joined(folder, path)) for path in chosen))
    return _Chosen(chosen, [f"{given}: left out, not tables: {some(left_out)}"] if left_out else [])


def _joined(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}"


def is_partition(folder: str) -> bool:
    """Tell whether a folder's name is `key=value`."""
    key, sign, _ = folder.partition("=")
    return bool(key and sign)


def partitions_of(folders: Iterable[str]) -> Partitions:
    """Return the keys and values that folders name (`country=IN`, `day=3`), as text."""
    found: dict[str, str | None] = {}
    for folder in filter(is_partition, folders):
        key, _, value = folder.partition("=")
        found[unquote(key)] = None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
    return tuple(found.items())


def some(names: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


# Delta, Iceberg and Hudi tables. Their folders also hold files with deleted and replaced rows, and only the table's own
# log says which files and rows count. So such a folder is refused, and so is each data file in it.

_DATA_FORMATS = ("parquet", "orc", None)
"""The formats of the data files. A file without a known ending may have any format."""

_DELTA_LOG = "_delta_log"
_OF_A_DELTA_LOG = re.compile(r"\d{20}\.(json|checkpoint\..*)|_last_checkpoint")

# The kind of table, the folder of its log, the names of files that only a log has, and the way to its rows.
_TABLES = (
    (
        "a Delta table",
        _DELTA_LOG,
        _OF_A_DELTA_LOG,
        "Give the folder itself",
    ),
    (
        "an Iceberg table",
        "metadata",
        re.compile(r"v?\d[\da-f-]*(\.gz)?\.metadata\.json(\.gz)?|snap-\d+-\d+-[0-9a-f-]{36}\.avro"),
        "In Python, give the table of pyiceberg: load_users(catalog.load_table(...), ...)",
    ),
    (
        "a Hudi table",
        ".hoodie",
        re.compile(r"hoodie\.properties"),
        "In Python, give a DataFrame or Arrow table that Spark or another reader of Hudi makes of it",
    ),
)


def _refuse_table(place: Place, given: str, folder: str) -> None:
    """Raise SourceError if the folder is the top folder of such a table."""
    for kind, log, marks, way in _TABLES:
        if any(map(marks.fullmatch, place.names_in(f"{folder.rstrip('/')}/{log}"))):
            raise SourceError(
                f"{given}: the folder {folder or '/'} is {kind}, whose files also hold deleted and replaced rows. "
                f"{way}; to load a file as it is, pass what pandas or pyarrow reads of it"
            )


_VERSION = re.compile(r"(?P<folder>.+?)/?\?(?P<key>\w+)=(?P<value>[^/\\]*)", re.DOTALL)
"""What follows the folder or address of a Delta table to choose a version: `orders?version=3`."""


def _delta_folder(place: Place, path: str, given: str) -> DeltaFolder | None:
    """Return the Delta table that a folder or an address is, also with a version; None if it is none.

    Raises SourceError for another key than `version`, and for a version that is no whole number.
    """
    named = _VERSION.fullmatch(given)
    found = _VERSION.fullmatch(path)
    # in a path `?` may be part of a name, or any character; some stores drop it from an address
    folder = found["folder"] if found else path
    if named is None or (found and place.exists(path)) or not _is_delta_table(place, folder):
        return _delta_at(place, path, given, None) if _is_delta_table(place, path) else None
    if named["key"] != "version":
        raise SourceError(
            f"{named['folder']}: a version of a Delta table is chosen by ?version=N, not ?{named['key']}="
        )
    if not re.fullmatch(r"[0-9]{1,18}", named["value"]):
        raise SourceError(f"{named['folder']}: the version of a Delta table is a whole number, such as ?version=3")
    return _delta_at(place, folder, named["folder"], int(named["value"]))


def _is_delta_table(place: Place, path: str) -> bool:
    names = place.names_in(f"{path.rstrip('/')}/{_DELTA_LOG}") if place.is_folder(path) else []
    return any(map(_OF_A_DELTA_LOG.fullmatch, names))


def _delta_at(place: Place, path: str, given: str, version: int | None) -> DeltaFolder:
    address = place.delta_address(path)
    if address is None:
        raise SourceError(
            f"{given}: is a Delta table that deltalake cannot reach in this way. Give a DeltaTable in Python, or copy "
            "its folder to this machine"
        )
    return DeltaFolder(given, address, version)


def _refuse_files_of_tables(place: Place, files: Iterable[tuple[str, str]]) -> None:
    """Raise SourceError if one of the data files is in such a table, at any depth.

    `files` are pairs of the name that the user gave and the path.
    """
    seen: set[str] = set()
    for given, path in files:
        for position in place.positions(path):
            if format_by_name(position) not in _DATA_FORMATS:
                continue
            for parent in PurePosixPath(position).parents:
                folder = str(parent).rstrip("/")
                if folder in seen or folder == ".":
                    break
                seen.add(folder)
                _refuse_table(place, given, folder)


_OWN_ENDINGS = (".report", ".check", ".failures", ".mapping", ".ledger", ".runs")
"""What follows the name of a load in the names of its files."""
_REPORT = b"row,source,kind,"
_HEAD_BYTES = 256 << 10


def is_own_name(path: str) -> bool:
    """Tell whether a file is named as the loader names the files of a load, such as `NAME.report.csv`."""
    return any(one in _OWN_ENDINGS or one.startswith(".ledger-") for one in PurePosixPath(path).suffixes)


def is_file_of_a_load(path: str, place: Place | None = None) -> bool:
    """Tell whether a path leads to a file of an earlier load: by its name, and a text file also by its first bytes."""
    place = place or _Local()
    name = PurePosixPath(PurePath(path).name)
    if not is_own_name(name.name):
        return False
    if place.is_folder(path):
        return name.suffix == ".runs"
    if name.suffix not in (".csv", ".txt"):
        return not {".check", ".failures"} & set(name.suffixes)
    try:
        head = place.head(path, _HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(_REPORT) or is_failures_head(head)


class _Local:
    """The files of this machine."""

    def is_folder(self, path: str) -> bool:
        return Path(path).is_dir()

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def names_in(self, folder: str) -> list[str]:
        try:
            return os.listdir(folder or "/")  # noqa: PTH208 - names, not paths
        except OSError:
            return []

    def below(self, folder: str) -> Iterator[str]:
        for position, folders, names in os.walk(folder):
            inside = Path(position).relative_to(folder)
            # A folder may hold a whole disk. Of one that is not a partition, it is enough to know that it has files.
            folders[:] = [name for name in folders if all(map(is_partition, inside.parts))]
            for name in names:
                yield (inside / name).as_posix()

    def matching(self, pattern: str) -> Iterator[str]:
        """Return what a pattern means; `**` enters each real folder once, since links may lead back up."""
        before, found, after = _split_at_recursion(pattern)
        if not found:
            yield from glob.glob(pattern)  # noqa: PTH207 - a Path drops the `./` that the report shows
            return
        for start in glob.glob(before) if before else ["."]:  # noqa: PTH207 - likewise
            for folder in _folders_below(start if before else ""):
                yield from self.matching(os.path.join(glob.escape(folder), after or "*"))  # noqa: PTH118 - likewise

    def head(self, path: str, size: int) -> bytes:
        with Path(path).open("rb") as file:
            return file.read(size)

    def positions(self, path: str) -> list[str]:
        return list(dict.fromkeys(one.as_posix() for one in (Path(path).absolute(), Path(path).resolve())))

    def delta_address(self, path: str) -> str:
        return Path(path).resolve().as_uri()

    def shown(self, path: str) -> str:
        return path

    def shown_below(self, given: str, path: str) -> str:
        return str(PurePath(given, path))

    def file(self, path: str, given: str, partitions: Partitions) -> File:
        return find_file(given, Path(path), partitions=partitions)


def _split_at_recursion(pattern: str) -> tuple[str, bool, str]:
    """Return what a pattern has before its first `**`, whether there is one, and what it has after it."""
    found = re.search(r"(?:^|(?<=[/\\]))\*\*(?:[/\\]+|$)" if os.sep == "\\" else r"(?:^|(?<=/))\*\*(?:/+|$)", pattern)
    return (pattern[: found.start()], True, pattern[found.end() :]) if found else (pattern, False, "")


def _folders_below(start: str) -> Iterator[str]:
    """Yield a folder and the visible folders below it, each real folder once: by a link only if by no other way."""
    seen: set[str] = set()
    folders, links = [start], list[str]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        yield folder
        try:
            with os.scandir(folder or ".") as entries:
                inner = [one for one in entries if not one.name.startswith(".") and one.is_dir()]
        except OSError:
            continue
        for one in inner:
            (links if one.is_symlink() else folders).append(os.path.join(folder, one.name))  # noqa: PTH118 - likewise


class _Remote:
    """A file system of fsspec. Its files are copied to this machine.

    The web has no folders and no patterns: a `?` begins the query.
    """

    def __init__(self, system: Any, address: str | None, *, is_web: bool) -> None:
        self._system = system
        self._address = address
        self._is_web = is_web

    def is_folder(self, path: str) -> bool:
        return not self._is_web and bool(self._system.isdir(path))

    def exists(self, path: str) -> bool:
        return self._is_web or bool(self._system.exists(path))

    def names_in(self, folder: str) -> list[str]:
        if self._is_web:
            return []
        try:
            return [PurePosixPath(str(one)).name for one in self._system.ls(folder, detail=False)]
        except Exception:  # noqa: BLE001 - no such folder, or not allowed; each file system has errors of its own
            return []

    def below(self, folder: str) -> list[str]:
        root = folder.rstrip("/")
        return [str(one)[len(root) :].lstrip("/") for one in self._system.find(root)]

    def matching(self, pattern: str) -> list[str]:
        """Return what a pattern means, without the hidden files that fsspec adds, unless the pattern has them."""
        fixed = pattern[: re.search(r"[*?\[]", pattern).start()].rpartition("/")[0]  # type: ignore[union-attr]  # has magic
        found = [str(one) for one in self._system.glob(pattern)]
        return [one for one in found if "/." in pattern or "/." not in one[len(fixed) :]]

    def head(self, path: str, size: int) -> bytes:
        with self._system.open(path, "rb") as stream:
            return bytes(stream.read(size))

    def positions(self, path: str) -> list[str]:
        return [path.rstrip("/")]

    def delta_address(self, path: str) -> str | None:
        # deltalake does not have the credentials of a file system that the user made
        if self._address is None:
            return None
        scheme = self._address.partition("://")[0].lower()
        if scheme == "file":
            return _Local().delta_address(path)
        found = _VERSION.fullmatch(self._address)
        address = (
            found["folder"] if found and not path.endswith(self._address[found.end("folder") :]) else self._address
        )
        return address if scheme in _SCHEMES_OF_DELTA else None

    def shown(self, path: str) -> str:
        return hide_secrets(str(self._system.unstrip_protocol(path)))

    def shown_below(self, given: str, path: str) -> str:
        return _joined(given, path)

    def file(self, path: str, given: str, partitions: Partitions) -> File:
        with self._system.open(path, "rb") as stream:
            copy = TemporaryCopy(stream)
        name = unquote(PurePosixPath(urlsplit(path).path).name) if self._is_web else PurePosixPath(path).name
        return find_file(given, copy.location, name=name, partitions=partitions, copy=copy)


_NEEDED = {"https": ["aiohttp"], "s3": ["s3fs"], "s3a": ["s3fs"], "gs": ["gcsfs"], "gcs": ["gcsfs"]}
"""What fsspec itself needs to read addresses."""

_SCHEMES_OF_DELTA = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""The stores of deltalake that fsspec knows by the same names."""


def _remote_place(address: str, shown: str) -> tuple[Place, str]:
    """Return the file system of an address, and the path there; SourceError when fsspec is missing."""
    # fsspec takes `dbfs:/x` for a path of this machine
    address = re.sub(r"\A([A-Za-z][A-Za-z0-9+.-]+):/(?!/)", r"\1:///", address)
    scheme = address.partition("://")[0].partition("::")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        needed = " ".join(["fsspec", *_NEEDED.get("https" if is_web(address) else scheme, ())])
        raise SourceError(f"{shown}: reading {scheme}:// addresses needs fsspec: pip install {needed}") from error
    system, path = url_to_fs(address)
    return _Remote(system, address, is_web=is_web(address)), str(path)


def is_open_file(data: object) -> bool:
    """Return whether data is an open file, or can be read like one. The readers of pandas yield frames."""
    return callable(getattr(data, "read", None)) and not type(data).__module__.startswith("pandas.")


class _Bytes:
    """What is left of an open file, as bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_text = False

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        if isinstance(part, str):
            self.is_text = True
            return part.encode()
        return bytes(part)


def copy_open_file(stream: Any) -> tuple[File, bool]:
    """Return a copy of what is left of an open file, and whether it is text, which is copied as UTF-8.

    The file is not closed. Its name, without the folder, helps to detect the format. Raises SourceError in one line.
    """
    own_name = getattr(stream, "name", None)
    name = re.split(r"[/\\]", own_name)[-1] if isinstance(own_name, str) else type(stream).__name__
    if getattr(stream, "closed", False) is True:
        raise SourceError(f"{name}: the file is closed: load it before, or give its path")
    left = _Bytes(stream)
    try:
        copy = TemporaryCopy(cast(BinaryIO, left))
    except UnicodeError as error:
        raise SourceError(f'{name}: cannot be read as text: open it as bytes, open(path, "rb")') from error
    except Exception as error:
        if isinstance(error, io.UnsupportedOperation) or not _is_readable(stream):
            raise SourceError(f'{name}: is not open for reading: open it with open(path, "rb")') from error
        raise SourceError(f"{name}: cannot be read: it raised {full_type(error)}") from error
    if copy.location.stat().st_size == 0:
        raise SourceError(f"{name}: there is nothing to read from its position on: file.seek(0) goes to its start")
    return find_file(name, copy.location, name=name, copy=copy), left.is_text


def _is_readable(stream: Any) -> bool:
    readable = getattr(stream, "readable", None)
    return not callable(readable) or bool(readable())


def _standard_input() -> File:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        raise SourceError("-: nothing is piped into standard input")
    copy = TemporaryCopy(stream)
    return find_file(STANDARD_INPUT, copy.location, name="stdin", copy=copy)
