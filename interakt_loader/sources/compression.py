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
_ENCRYPTED = 1  # a member's flag
_XZ_BYTES = 512 << 20  # of memory; the highest usual level, `xz -9`, takes 65 MB
_BOMB_BYTES, _BOMB_FACTOR = 1 << 30, 200
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
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


class _Stream(io.RawIOBase):
    """Bytes that are unpacked as they are read, and that tell how far they were read."""

    _at = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at


class _ArrowStream(_Stream):
    """A stream that Arrow unpacks."""

    def __init__(self, location: Path, codec: str) -> None:
        self._stream = pa.input_stream(str(location), compression=codec)

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._at += count
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _StreamsInTurn(_Stream):
    """What one or more compressed streams hold that stand one after the other, as bzcat and xzcat read them.

    Only zeros may stand after the last one. Python's own readers take a later stream that is damaged for padding, and
    leave it out in silence.
    """

    def __init__(self, location: Path, begin: Callable[[], Any]) -> None:
        self._file = location.open("rb")
        self._begin = begin
        self._stream = begin()

    def readinto(self, buffer: Any) -> int:
        found = b""
        while not found:
            if self._stream.eof:
                rest = self._stream.unused_data.lstrip(b"\0")
                while not rest and (more := self._file.read(_BUFFER_BYTES)):
                    rest = more.lstrip(b"\0")
                if not rest:
                    return 0
                self._stream = self._begin()
            else:
                rest = self._file.read(_BUFFER_BYTES) if self._stream.needs_input else b""
                if not rest and self._stream.needs_input:
                    raise EOFError("the file ends in the middle of a compressed stream")
            found = self._stream.decompress(rest, len(buffer))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def _by_arrow(codec: str) -> Callable[[Path], BinaryIO]:
    return lambda location: cast(BinaryIO, _ArrowStream(location, codec))


def _in_turn(begin: Callable[[], Any]) -> Callable[[Path], BinaryIO]:
    return lambda location: cast(BinaryIO, _StreamsInTurn(location, begin))


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)


def _by_python(reader: Callable[[Path], object]) -> Callable[[Path], BinaryIO]:
    return lambda location: cast(BinaryIO, reader(location))


def _only_member(location: Path) -> BinaryIO:
    with zipfile.ZipFile(location) as archive:  # the member keeps the file open for as long as it needs it
        return cast(BinaryIO, archive.open(_members(archive)[0]))


COMPRESSIONS = (
    Compression(re.compile(rb"\x1f\x8b"), (".gz", ".gzip"), _by_python(gzip.GzipFile)),
    Compression(re.compile(rb"\x28\xb5\x2f\xfd"), (".zst", ".zstd"), _by_arrow("zstd")),
    Compression(re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), (".bz2",), _in_turn(bz2.BZ2Decompressor)),
    Compression(re.compile(rb"\xfd7zXZ\0"), (".xz",), _in_turn(_xz)),
    Compression(re.compile(rb"\x04\x22\x4d\x18"), (".lz4",), _by_arrow("lz4")),
    Compression(re.compile(rb"PK(\x03\x04|\x05\x06)"), (".zip",), _only_member),
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
                _refuse_bomb(given, members)
                return None
    except zipfile.BadZipFile as error:
        raise SourceError(f"{given}: the zip file is damaged or cut short") from error
    if not members:
        raise SourceError(f"{given}: the zip file holds no file")
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:3]) + (", …" if len(members) > 3 else "")
        raise SourceError(f"{given}: the zip file holds {len(members)} files ({names}), not one; unpack it first")
    inner = members[0].filename
    if members[0].flag_bits & _ENCRYPTED:
        raise SourceError(f"{given}: the zip file is encrypted; unpack it first")
    if any(Path(inner).suffix.lower() in one.endings for one in COMPRESSIONS):
        raise SourceError(f"{given}: the zip file holds a compressed file ({inner}); unpack it first")
    return found


def _refuse_bomb(given: str, members: list[zipfile.ZipInfo]) -> None:
    """Raise SourceError for a workbook that would fill the memory; real ones unpack to about ten times their size."""
    packed, size = (sum(getattr(one, name) for one in members) for name in ("compress_size", "file_size"))
    if size > _BOMB_BYTES and size > _BOMB_FACTOR * packed:
        raise SourceError(f"{given}: the workbook would unpack to {size >> 20} MB, from {packed >> 10} kB")


def inner_name(name: str, location: Path, compression: Compression | None) -> str:
    """Return what the file is called when it is not compressed: `orders.csv` for `orders.csv.gz`."""
    if compression is not None and ".zip" in compression.endings:
        with zipfile.ZipFile(location) as archive:
            return Path(_members(archive)[0].filename).name
    ending = Path(name).suffix.lower()
    return name[: -len(ending)] if any(ending in one.endings for one in COMPRESSIONS) else name


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files that a person put in: those of macOS and Windows about a folder are not meant."""
    return [one for one in archive.infolist() if not one.is_dir() and not _is_of_a_system(one.filename)]


def _is_of_a_system(name: str) -> bool:
    *folders, file = name.replace("\\", "/").split("/")
    return "__MACOSX" in folders or file.startswith((".", "~$")) or file.lower() in _SYSTEM_FILES
