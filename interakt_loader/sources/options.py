"""What a caller may say about how a file is to be read, where the file alone does not tell for sure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from interakt_loader.errors import SettingsError

_SPELLED = {"\\t": "\t", "tab": "\t", "space": " "}  # what a shell makes hard to type


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file; None leaves the question to the file. An option that a form does not have is not used.

    Raises SettingsError for an unknown encoding, a delimiter that cannot be one, or a sheet number below 1.
    """

    encoding: str | None = None
    """Of text files: a name that Python knows, such as `utf-8`, `cp1252`, `iso-8859-7`."""
    delimiter: str | None = None
    """Of CSV files: one character (`\\t` and `tab` are the tab). A space stands for any run of spaces."""
    header: bool | None = None
    """Of CSV files and workbooks: whether the first row holds the names of the columns."""
    sheet: str | int | None = None
    """Of workbooks: the sheet's name, or its place counted from 1."""

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
                codecs.getincrementaldecoder(self.encoding)
            except (LookupError, ValueError) as error:
                raise SettingsError(f"encoding: no such encoding: {self.encoding!r}") from error
        if self.delimiter is not None:
            character = _SPELLED.get(self.delimiter.lower(), self.delimiter)
            if len(character) != 1 or character in '"\r\n\0':
                raise SettingsError(f"delimiter is {self.delimiter!r}; expected one character, such as ; or tab")
            object.__setattr__(self, "delimiter", character)
        if isinstance(self.sheet, int) and self.sheet < 1:
            raise SettingsError(f"sheet is {self.sheet}; sheets are counted from 1")
