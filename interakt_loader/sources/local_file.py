"""One file on this machine: how it is compressed, by its first bytes; and its format, by its ending or first bytes.

It is what the user named, or a temporary copy of it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, NamedTuple, cast

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.spool import TemporaryFile

_COPY_BYTES = 1 << 20
_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True)
class File:
    """A file that is not empty, of any format."""

    given: str
    """The name in messages and in the report: the path or address as the user wrote it."""
    name: str
    """Its name without folders and without the ending of a compression. The last ending tells the format."""
    location: Path
    compression: Compression | None = None
    partitions: tuple[tuple[str, str | None], ...] = ()
    """Columns from the names of its folders (`country=IN`)."""
    copy: TemporaryCopy | None = field(default=None, repr=False)
    """Kept as long as the file is read."""

    def open(self) -> BinaryIO:
        """Return its uncompressed bytes from the start."""
        return self.location.open("rb") if self.compression is None else self.compression.open(self.location)

    def head(self, size: int) -> bytes:
        """Return its first uncompressed bytes."""
        with self.open() as stream:
            return stream.read(size)

    def uncompressed(self) -> File:
        """Return the file itself, or an uncompressed copy, for formats that are not read from start to end."""
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
    """Return the file at a location; SourceError when it is empty or not a regular file."""
    status = location.stat()
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{given}: this is not a regular file")
    if status.st_size == 0:
        raise SourceError(f"{given}: the file is empty")
    # This opens the file, so it fails here where reading is not permitted.
    compression = compression_of(given, location)
    name = inner_name(name or location.name, location, compression)
    return File(given, name, location, compression, partitions, copy)


class TemporaryCopy:
    """A copy on disk of bytes that can be read only once or only slowly. It is removed when nothing refers to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = TemporaryFile()
        self.location = self._file.path
        with self.location.open("wb") as file:
            shutil.copyfileobj(stream, file, _COPY_BYTES)


# A flag of a member of a zip.
_ENCRYPTED = 1
# Bytes of memory. The highest usual level, `xz -9`, takes 65 MB.
_XZ_BYTES = 512 << 20
_BOMB_BYTES, _BOMB_FACTOR = 1 << 30, 200
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
# Members of .xlsx and .ods, which are zips themselves.
_WORKBOOK_MEMBERS = {"[Content_Types].xml", "mimetype"}


class Compression(NamedTuple):
    """A way to compress a file."""

    mark: re.Pattern[bytes]
    """The first bytes of such a file."""
    endings: tuple[str, ...]
    """The endings of such files."""
    stream: Callable[[Path], BinaryIO]
    """Opens the uncompressed bytes."""

    def open(self, location: Path) -> BinaryIO:
        """Return the uncompressed bytes from the start."""
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self.stream(location)), _BUFFER_BYTES))


class _Stream(io.RawIOBase):
    """Bytes that are unpacked while they are read. `tell` says how many were read."""

    _at = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at


class _ArrowStream(_Stream):
    """A stream unpacked by Arrow."""

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
    """The content of one or more compressed streams in one file, as bzcat and xzcat read them.

    Only zeros may follow the last one. Python's own readers take a later stream that is damaged for padding, and leave
    it out without an error.
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
    # The member keeps the file open for as long as it needs it.
    with zipfile.ZipFile(location) as archive:
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
    """Return how the file is compressed; SourceError for a zip that does not hold exactly one file."""
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
    """Raise SourceError for a workbook that would fill the memory. Real ones unpack to about ten times their size."""
    packed, size = (sum(getattr(one, name) for one in members) for name in ("compress_size", "file_size"))
    if size > _BOMB_BYTES and size > _BOMB_FACTOR * packed:
        raise SourceError(f"{given}: the workbook would unpack to {size >> 20} MB, from {packed >> 10} kB")


def inner_name(name: str, location: Path, compression: Compression | None) -> str:
    """Return the name of the uncompressed file: `orders.csv` for `orders.csv.gz`."""
    if compression is not None and ".zip" in compression.endings:
        with zipfile.ZipFile(location) as archive:
            return Path(_members(archive)[0].filename).name
    ending = Path(name).suffix.lower()
    return name[: -len(ending)] if any(ending in one.endings for one in COMPRESSIONS) else name


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files that a person put in, without those that macOS and Windows add to a folder."""
    return [one for one in archive.infolist() if not one.is_dir() and not _is_of_a_system(one.filename)]


def _is_of_a_system(name: str) -> bool:
    *folders, file = name.replace("\\", "/").split("/")
    return "__MACOSX" in folders or file.startswith((".", "~$")) or file.lower() in _SYSTEM_FILES


Format = Literal["csv", "json", "parquet", "ipc", "orc", "excel"]
ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".psv": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".feather": "ipc",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".orc": "orc",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
"""The format of each ending, in lower case. `settings.settings` has a list of them too, `_FORMAT`."""
# The first bytes of files, and their format.
_MARKS: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"PARE", "parquet"),
    (b"ARROW1", "ipc"),
    # An Arrow stream.
    (b"\xff\xff\xff\xff", "ipc"),
    (b"FEA1", "ipc"),
    (b"ORC", "orc"),
    # Any other zip counts as a compressed file.
    (b"PK\x03\x04", "excel"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
)
_JSON = re.compile(rb"\s*(\{|\[\s*[\]{])")
_HEAD_BYTES = 4096


def format_of(file: File) -> Format:
    """Return the file's format; SourceError when it is unknown.

    The ending decides. The first bytes decide if there is no ending, if it is unknown, or if a binary file has the
    ending of a text file. Text without an ending is JSON or CSV.
    """
    head = file.head(_HEAD_BYTES)
    ending = PurePosixPath(file.name).suffix.lower()
    by_name = ENDINGS.get(ending)
    by_mark = next((form for mark, form in _MARKS if head.startswith(mark)), None)
    is_binary_text = by_name in ("csv", "json") and b"\0" in head
    if by_mark is not None and (by_name is None or is_binary_text):
        return by_mark
    if by_name is not None:
        return by_name
    if not ending:
        # Without the zeros of UTF-16 and byte order marks.
        letters = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
        return "json" if _JSON.match(letters) else "csv"
    raise SourceError(f"{file.given}: the ending tells the format, and must be one of {', '.join(ENDINGS)}")


def is_marked(file: File, form: Format) -> bool:
    """Return whether a file begins like one of this format."""
    head = file.head(_HEAD_BYTES)
    return any(head.startswith(mark) for mark, marked in _MARKS if marked == form)


def format_by_name(name: str) -> Format | None:
    """Return the format of a name's ending, without the ending of a compression; None if it has none."""
    path = PurePosixPath(name)
    if any(path.suffix.lower() in one.endings for one in COMPRESSIONS):
        path = path.with_suffix("")
    return ENDINGS.get(path.suffix.lower())
