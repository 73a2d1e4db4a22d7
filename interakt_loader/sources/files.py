"""Paths: which reader a file's ending asks for, and whether there is a file to be read at all."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, reason
from interakt_loader.sources.csv_files import open_csv
from interakt_loader.sources.ipc_files import open_ipc
from interakt_loader.sources.json_lines import open_json
from interakt_loader.sources.parquet import open_parquet

READERS: dict[str, Callable[[str], Source]] = {
    ".parquet": open_parquet,
    ".pq": open_parquet,
    ".csv": open_csv,
    ".tsv": open_csv,
    ".txt": open_csv,
    ".jsonl": open_json,
    ".ndjson": open_json,
    ".json": open_json,
    ".feather": open_ipc,
    ".arrow": open_ipc,
    ".ipc": open_ipc,
}
"""A file's ending, in lower case, to what opens it."""


def open_file(path: str) -> Source:
    """Return one file as a source; SourceError in one line says what is wrong with it."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", path)
    if scheme:
        raise SourceError(f"{path}: {scheme[1]}:// addresses are not supported yet; copy the file here first")
    try:
        _check_file(path)
        reader = READERS.get(Path(path).suffix.lower())
        if reader is None:
            raise SourceError(f"{path}: the ending tells the format, and must be one of {', '.join(READERS)}")
        return reader(path)
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{path}: cannot be opened: {reason(error)}") from error


def open_files(paths: Sequence[str]) -> Source:
    """Return several files, read in turn, as one source; all are opened now, so that none fails late."""
    if len(paths) == 1:
        return open_file(paths[0])
    files = [open_file(path) for path in paths]
    counts = [file.rows for file in files]

    def read() -> Batches:
        for file in files:
            yield from file.batches()

    return Source(
        name=f"{files[0].name} and {len(files) - 1} more",
        columns=list(dict.fromkeys(name for file in files for name in file.columns)),
        rows=None if None in counts else sum(count for count in counts if count is not None),
        rows_exact=all(file.rows_exact for file in files),
        read=read,
    )


def _check_file(path: str) -> None:
    location = Path(path).expanduser()
    status = location.stat()
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path}: this is a folder; give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path}: this is not a regular file")
    if status.st_size == 0:
        raise SourceError(f"{path}: the file is empty")
    location.open("rb").close()  # fails here, with its own reason, where reading is not permitted
