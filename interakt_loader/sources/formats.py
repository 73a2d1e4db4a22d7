"""Which form a file has: told by its ending, or by its first bytes where the ending does not tell."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from interakt_loader.errors import SourceError
from interakt_loader.sources.compression import COMPRESSIONS
from interakt_loader.sources.file import File

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
"""A file's ending, in lower case, to its form."""

_MARKS: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"PARE", "parquet"),
    (b"ARROW1", "ipc"),
    (b"\xff\xff\xff\xff", "ipc"),  # a stream
    (b"FEA1", "ipc"),
    (b"ORC", "orc"),
    (b"PK\x03\x04", "excel"),  # a zip of something else has been taken for a compressed file by now
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
)
_JSON = re.compile(rb"\s*(\{|\[\s*[\]{])")
_HEAD_BYTES = 4096


def format_of(file: File) -> Format:
    """Return the file's form; SourceError when nothing tells it.

    The ending decides. Where there is none, or one that is not known, or where a text ending stands on a file
    that is plainly binary, the first bytes decide; text without any ending is JSON or else CSV.
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
        letters = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")  # UTF-16 and byte order marks
        return "json" if _JSON.match(letters) else "csv"
    raise SourceError(f"{file.given}: the ending tells the format, and must be one of {', '.join(ENDINGS)}")


def is_marked(file: File, form: Format) -> bool:
    """Tell whether a file begins as one of that form does."""
    head = file.head(_HEAD_BYTES)
    return any(head.startswith(mark) for mark, marked in _MARKS if marked == form)


def format_by_name(name: str) -> Format | None:
    """Return the form that a name's ending stands for, below the ending of a compression; None if it has none."""
    path = PurePosixPath(name)
    if any(path.suffix.lower() in one.endings for one in COMPRESSIONS):
        path = path.with_suffix("")
    return ENDINGS.get(path.suffix.lower())
