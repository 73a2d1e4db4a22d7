"""Compressed files: told by their first bytes, whatever the name says, and read as a stream of plain bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow as pa

from interakt_loader.errors import SourceError

_BUFFER_BYTES = 256 << 10
_WORKBOOK_MEMBERS = {"[Content_Types].xml", "mimetype"}  # of .xlsx and .ods, which are zips by themselves


class Compression(NamedTuple):
    """One way to compress a file."""

    mark: re.Pattern[bytes]
    """What such a file begins with."""
    endings: tuple[str, ...]
    """What such files are called."""
    stream: Callable[[Path], BinaryIO]
    """Opens the bytes within."""

    def open(self, location: Path) -> BinaryIO:
        """Return the bytes within, from the start."""
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self.stream(location)), _BUFFER_BYTES))


class _ArrowStream(io.RawIOBase):
    """A stream of Arrow's as Python's io has them; Arrow's own does not tell how far it was read."""

    def __init__(self, location: Path, codec: str) -> None:
        self._stream = pa.input_stream(str(location), compression=codec)
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._at += count
        return count

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._stream.close()
        super().close()


def _by_arrow(codec: str) -> Callable[[Path], BinaryIO]:
    return lambda location: cast(BinaryIO, _ArrowStream(location, codec))


def _by_python(reader: Callable[[Path], object]) -> Callable[[Path], BinaryIO]:
    return lambda location: cast(BinaryIO, reader(location))


def _only_member(location: Path) -> BinaryIO:
    with zipfile.ZipFile(location) as archive:  # the member keeps the file open for as long as it needs it
        return cast(BinaryIO, archive.open(_members(archive)[0]))


COMPRESSIONS = (
    Compression(re.compile(rb"\x1f\x8b"), (".gz", ".gzip"), _by_python(gzip.GzipFile)),
    Compression(re.compile(rb"\x28\xb5\x2f\xfd"), (".zst", ".zstd"), _by_arrow("zstd")),
    Compression(re.compile(rb"BZh[1-9]1AY&SY"), (".bz2",), _by_python(bz2.BZ2File)),
    Compression(re.compile(rb"\xfd7zXZ\0"), (".xz",), _by_python(lzma.LZMAFile)),
    Compression(re.compile(rb"\x04\x22\x4d\x18"), (".lz4",), _by_arrow("lz4")),
    Compression(re.compile(rb"PK\x03\x04"), (".zip",), _only_member),
)


def compression_of(given: str, location: Path) -> Compression | None:
    """Return how the file is compressed; SourceError for a zip of several files, of which none is the one."""
    with location.open("rb") as file:
        head = file.read(16)
    found = next((one for one in COMPRESSIONS if one.mark.match(head)), None)
    if found is None or ".zip" not in found.endings:
        return found
    try:
        with zipfile.ZipFile(location) as archive:
            members = _members(archive)
            if _WORKBOOK_MEMBERS & {member.filename for member in members}:
                return None
    except zipfile.BadZipFile as error:
        raise SourceError(f"{given}: the zip file is damaged or cut short") from error
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:3]) + (", …" if len(members) > 3 else "")
        raise SourceError(f"{given}: the zip file holds {len(members)} files ({names}), not one; unpack it first")
    return found


def inner_name(name: str, location: Path, compression: Compression | None) -> str:
    """Return what the file is called when it is not compressed: `orders.csv` for `orders.csv.gz`."""
    if compression is not None and ".zip" in compression.endings:
        with zipfile.ZipFile(location) as archive:
            return Path(_members(archive)[0].filename).name
    ending = Path(name).suffix.lower()
    return name[: -len(ending)] if any(ending in one.endings for one in COMPRESSIONS) else name


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
