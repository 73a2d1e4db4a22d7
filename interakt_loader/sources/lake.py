"""Delta, Iceberg and Hudi tables, whose folders also hold files with deleted and replaced rows.

Only the table's own log says which files and rows count, so such a folder is refused, and so is each data file in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from interakt_loader.errors import SourceError
from interakt_loader.sources.formats import format_by_name

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
