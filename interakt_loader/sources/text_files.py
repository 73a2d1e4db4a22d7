"""What CSV and JSON lines have in common: one look over the bytes before the first row is read."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import NamedTuple

from interakt_loader.errors import SourceError

_CHUNK_BYTES = 256 << 10
_OTHER_MARKS = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


class Scan(NamedTuple):
    """What a text file looks like from outside."""

    lines: int
    """Lines, a last one without its newline included."""
    has_nul: bool
    """Some byte is NUL, which no text should hold."""


def scan_text(path: str) -> Scan:
    """Count the lines and make sure that all of it is UTF-8, in memory that does not grow with the file.

    Done before anything is sent: an encoding error in the last row should not be found after the others
    have gone out. SourceError names the first byte that is not UTF-8, counted from 0, and its line.
    """
    lines = returns = offset = 0
    has_nul = False
    last = b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with Path(path).expanduser().open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if offset == 0:
                _check_mark(path, chunk)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                before = lines + error.object.count(b"\n", 0, error.start)
                raise _not_utf8(path, offset - pending + error.start, before + 1, error) from error
            lines += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            has_nul = has_nul or b"\0" in chunk
            offset += len(chunk)
            last = chunk[-1:]
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, offset - pending, lines + 1, error) from error
    # A file with carriage returns only is of an old Mac.
    return Scan(lines=(lines or returns) + (last not in (b"\n", b"\r", b"")), has_nul=has_nul)


def _check_mark(path: str, head: bytes) -> None:
    for mark, encoding in _OTHER_MARKS:
        if head.startswith(mark):
            raise SourceError(
                f"{path}: expected UTF-8, but byte 0 (line 1) is a mark of {encoding}; save the file as UTF-8"
            )


def _not_utf8(path: str, offset: int, line: int, error: UnicodeDecodeError) -> SourceError:
    value = error.object[error.start]
    return SourceError(
        f"{path}: expected UTF-8, but byte {offset} (line {line}) is 0x{value:02x}; save the file as UTF-8"
    )
