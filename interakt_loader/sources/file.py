"""One file on this machine, compressed or not, whether the user named it or it is a copy of what they named."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from interakt_loader.errors import SourceError
from interakt_loader.sources.compression import Compression, compression_of, inner_name

_COPY_BYTES = 1 << 20


class TemporaryCopy:
    """A copy on disk of bytes that can be had only once or only slowly. It is gone when nobody holds it any more."""

    def __init__(self, stream: BinaryIO) -> None:
        handle, path = tempfile.mkstemp(prefix="interakt-loader-")
        self.location = Path(path)
        weakref.finalize(self, _remove, path)
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(stream, file, _COPY_BYTES)


@dataclass(frozen=True)
class File:
    """A file with bytes in it, of whatever form."""

    given: str
    """How messages and the report call it: the path or address as the user wrote it."""
    name: str
    """Its bare name without the ending of a compression; the last ending tells the form."""
    location: Path
    compression: Compression | None = None
    partitions: tuple[tuple[str, str | None], ...] = ()
    """Columns that the names of its folders hold (`country=IN`)."""
    copy: TemporaryCopy | None = field(default=None, repr=False)
    """Kept for as long as the file is read."""

    def open(self) -> BinaryIO:
        """Return its bytes from the start, no longer compressed."""
        return self.location.open("rb") if self.compression is None else self.compression.open(self.location)

    def head(self, size: int) -> bytes:
        """Return its first bytes, no longer compressed."""
        with self.open() as stream:
            return stream.read(size)

    def uncompressed(self) -> File:
        """Return the file itself, or an uncompressed copy: for forms that are not read from start to end."""
        if self.compression is None:
            return self
        with self.open() as stream:
            copy = TemporaryCopy(stream)
        return replace(self, location=copy.location, compression=None, copy=copy)


def find_file(
    given: str,
    location: Path,
    name: str | None = None,
    partitions: tuple[tuple[str, str | None], ...] = (),
    copy: TemporaryCopy | None = None,
) -> File:
    """Return the file at a location, looked at from outside; SourceError when it is none, or has nothing in it."""
    status = location.stat()
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{given}: this is not a regular file")
    if status.st_size == 0:
        raise SourceError(f"{given}: the file is empty")
    compression = compression_of(given, location)  # opens it: fails here where reading is not permitted
    name = inner_name(name or location.name, location, compression)
    return File(given, name, location, compression, partitions, copy)


def _remove(path: str) -> None:
    with suppress(OSError):  # on Windows, a file that is still open stays
        Path(path).unlink()
