"""What CSV and JSON lines have in common: one look over all of the bytes before the first row is read."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO, cast

from interakt_loader.errors import SourceError
from interakt_loader.sources.encodings import CANDIDATES, guess, marked_encoding, without_mark, words_beyond_ascii
from interakt_loader.sources.file import File

LONGEST_LINE = 64 << 20
"""Characters that a line may have: a longer one is held in memory whole, and is no row of a table."""

_CHUNK_BYTES = 256 << 10
_MARK = "\ufeff"
_SAMPLE_BYTES = 64 << 10
_LINE_END = re.compile(rb"[\r\n]+")
_LONGEST_WORD = 100  # bytes
_WORDS_FOR_A_BYTE = 20
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
    has_marks: bool
    """A byte order mark stands within the text: files were joined."""
    notes: list[str]
    """Which encoding was taken, unless it is UTF-8."""

    def open(self) -> TextIO:
        """Return the text from its start, its newlines as they are."""
        return cast(TextIO, io.TextIOWrapper(self.file.open(), self.encoding, newline=""))

    def each_line(self, stream: TextIO) -> Iterable[str]:
        """Return the lines of the opened text, without byte order marks at their beginnings."""
        return (line.removeprefix(_MARK) for line in stream) if self.has_marks else stream


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
    has_nul = has_marks = False
    last = ""
    unended = 0  # characters since the last line ended
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
            has_marks = has_marks or _MARK in (text if offset else text[1:])
            end = max(text.rfind("\n"), text.rfind("\r"))
            unended = unended + len(text) if end < 0 else len(text) - end - 1
            if unended > LONGEST_LINE:
                raise SourceError(
                    f"{file.given}: line {lines + 1} has more than {LONGEST_LINE >> 20} million characters; "
                    "expected one row a line. Is this a table?"
                )
            offset += len(chunk)
            last = text[-1:] or last
    # A file with carriage returns only is of an old Mac.
    count = (lines or returns) + (last not in ("\n", "\r", "\ufeff", ""))
    notes = [f"{file.given}: read as {encoding.upper()}"] if encoding.startswith(("utf-16", "utf-32")) else []
    return Text(file, without_mark(encoding, head), count, has_nul, has_marks, notes)


def _guessed(file: File, complaint: str) -> str:
    """Look over a file that is not UTF-8, and return what it is in; SourceError when that cannot be told."""
    utf8 = others = 0
    words = _Words()
    rest = b""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with file.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = decoder.decode(chunk)
            if not text.isascii():
                utf8 += len(_UTF8.findall(text))
                others += len(_NO_UTF8.findall(text))
            # a word may go on in the next chunk
            *lines, rest = _LINE_END.split(rest + chunk) if len(rest) < _CHUNK_BYTES else (rest, chunk)
            for line in lines:
                words.add(line)
    words.add(rest)
    if utf8 > others:  # by chance, other bytes hardly ever look like UTF-8
        raise SourceError(f"{file.given}: {complaint}; save the file as UTF-8")
    encoding, candidates = guess(words.sample())
    if encoding is None:
        choice = f" (it may be {' or '.join(candidates)})" if candidates else ""
        raise SourceError(
            f"{file.given}: {complaint}, and its letters do not tell the encoding{choice}; give it (--encoding)"
        )
    return encoding


class _Words:
    """Some words for each byte beyond ASCII, so that every byte of a file counts and memory does not grow with it."""

    def __init__(self) -> None:
        self._seen = dict.fromkeys(range(0x80, 0x100), 0)
        self._wanted = set(self._seen)
        self._unwanted = bytes(range(0x80))
        self._words: dict[bytes, None] = {}

    def add(self, line: bytes) -> None:
        if line.isascii() or not line.translate(None, self._unwanted):
            return
        for word in words_beyond_ascii(line):
            if len(word) <= _LONGEST_WORD and word not in self._words and self._wanted.intersection(word):
                self._words[word] = None
                for byte in set(word) & self._wanted:
                    self._seen[byte] += 1
                    if self._seen[byte] == _WORDS_FOR_A_BYTE:
                        self._wanted.remove(byte)
                        self._unwanted += bytes([byte])

    def sample(self) -> bytes:
        return b"\n".join(self._words)
