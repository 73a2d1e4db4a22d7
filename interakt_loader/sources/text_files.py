"""What CSV and JSON lines have in common: one look over all of the bytes before the first row is read."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import TextIO, cast

from interakt_loader.errors import SourceError
from interakt_loader.sources.encodings import CANDIDATES, guess, marked_encoding, without_mark
from interakt_loader.sources.file import File

_CHUNK_BYTES = 256 << 10
_SAMPLE_BYTES = 64 << 10
_BEYOND_ASCII = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_UTF8 = re.compile("[^\0-\x7f\udc80-\udcff]")


@dataclass(frozen=True)
class Text:
    """A file of text, all of which is known to be in the encoding."""

    file: File
    encoding: str
    lines: int
    """Lines, a last one without its newline included."""
    has_nul: bool
    """Some character is NUL, which no text should hold."""
    notes: list[str]
    """Which encoding was taken, unless it is UTF-8."""

    def open(self) -> TextIO:
        """Return the text from its start, its newlines as they are."""
        return cast(TextIO, io.TextIOWrapper(self.file.open(), self.encoding, newline=""))


def open_text(file: File, encoding: str | None) -> Text:
    """Find the encoding, unless it is given, and make sure that all of the file is in it; count the lines.

    Done before anything is sent, in memory that does not grow with the file: a fault in the last row should
    not be found after the others have gone out. SourceError names the first byte that does not fit, counted
    from 0 in the uncompressed file, and its line; or says that the encoding cannot be told.
    """
    head = file.head(_SAMPLE_BYTES)
    marked = marked_encoding(head)
    said = _with_byte_order(encoding, marked) if encoding else marked
    try:
        return _scanned(file, said or "utf-8", head)
    except _NotInEncoding as error:
        if said is not None:
            advice = "give another encoding" if encoding else "save the file as UTF-8"
            raise SourceError(f"{file.given}: {error}; {advice}") from error
        guessed = _guessed(file, str(error))
    try:
        text = _scanned(file, guessed, head)
    except _NotInEncoding as error:
        raise SourceError(f"{file.given}: this is not UTF-8; {error}; give the encoding") from error
    text.notes.append(
        f"{file.given}: this is not UTF-8, so it is read as {guessed} ({CANDIDATES[guessed]}); "
        "if letters look wrong, give the encoding"
    )
    return text


def _with_byte_order(encoding: str, marked: str | None) -> str:
    """Return the encoding that the caller named; of UTF-16 and UTF-32, the half that the file's mark says."""
    name = codecs.lookup(encoding).name.removesuffix("-sig")
    if name not in ("utf-16", "utf-32"):
        return name
    return marked if marked is not None and marked.startswith(name) else f"{name}-le"


class _NotInEncoding(Exception):
    """Says which byte is not in the encoding."""


def _scanned(file: File, encoding: str, head: bytes) -> Text:
    lines = returns = offset = 0
    has_nul = False
    last = ""
    decoder = codecs.getincrementaldecoder(encoding)()
    with file.open() as stream:
        chunk = None
        while chunk != b"":
            chunk = stream.read(_CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line = lines + error.object.count("\n".encode(encoding), 0, error.start) + 1
                place = f"byte {offset - pending + error.start} (line {line})"
                value = error.object[error.start]
                raise _NotInEncoding(f"expected {encoding.upper()}, but {place} is 0x{value:02x}") from error
            lines += text.count("\n")
            returns += text.count("\r")
            has_nul = has_nul or "\0" in text
            offset += len(chunk)
            last = text[-1:] or last
    # A file with carriage returns only is of an old Mac.
    count = (lines or returns) + (last not in ("\n", "\r", "\ufeff", ""))
    notes = [f"{file.given}: read as {encoding.upper()}"] if encoding.startswith(("utf-16", "utf-32")) else []
    return Text(file, without_mark(encoding, head), count, has_nul, notes)


def _guessed(file: File, complaint: str) -> str:
    """Look over a file that is not UTF-8, and return what it is in; SourceError when that cannot be told."""
    utf8 = others = 0
    sample = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with file.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = decoder.decode(chunk)
            if text.isascii():
                continue
            utf8 += len(_UTF8.findall(text))
            others += len(_NO_UTF8.findall(text))
            if len(sample) < _SAMPLE_BYTES:
                sample += b"\n".join(_BEYOND_ASCII.findall(chunk)) + b"\n"
    if utf8 > others:  # by chance, other bytes hardly ever look like UTF-8
        raise SourceError(f"{file.given}: {complaint}; save the file as UTF-8")
    encoding, candidates = guess(bytes(sample[:_SAMPLE_BYTES]))
    if encoding is None:
        choice = f" (it may be {' or '.join(candidates)})" if candidates else ""
        raise SourceError(f"{file.given}: {complaint}, and its letters do not tell the encoding{choice}; give it")
    return encoding
