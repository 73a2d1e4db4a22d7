"""Characters that cannot be seen: two texts that differ in them look the same."""

from __future__ import annotations

import re
import unicodedata

_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0"
"""Characters of other categories that show nothing; with the ranges below, those that Unicode says to ignore."""
_RANGES = (("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\ufff0", "\ufff8"), ("\U000e0000", "\U000e0fff"))

_WHITE_CONTROLS = "\t\n\v\f\r\x85"
_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
INVISIBLE = rf"[{_CONTROLS}\p{{Cf}}{_FILLERS}{''.join(f'{first}-{last}' for first, last in _RANGES)}]"
"""The same as a class of characters, for Arrow's patterns."""
HIDDEN_ENDS = rf"^(?:{INVISIBLE}|[\s\x0b\x85\p{{Z}}])+|(?:{INVISIBLE}|[\s\x0b\x85\p{{Z}}])+$"
"""What `stripped` takes off."""

DAMAGED = "\ufffd"
"""What decoders put in the place of bytes that they could not read."""

_JOINERS = "\u200c\u200d"
JOINED = rf"([^\x00-\x7f])[{_JOINERS}]+"
"""Joiners behind letters that are not ASCII: they shape the letters of some scripts, and show by that."""


def is_invisible(character: str) -> bool:
    """Tell whether a character shows nothing and is no white space: a control, a format, a filler."""
    if character.isascii() and character.isprintable():
        return False
    if unicodedata.category(character) in ("Cc", "Cf") or character in _FILLERS:
        return character not in _WHITE_CONTROLS
    return any(first <= character <= last for first, last in _RANGES)


def stripped(text: str) -> str:
    """Return a text without white space and invisible characters at its ends."""
    start, end = 0, len(text)
    while start < end and (text[start].isspace() or is_invisible(text[start])):
        start += 1
    while end > start and (text[end - 1].isspace() or is_invisible(text[end - 1])):
        end -= 1
    return text[start:end]


def hidden_in(text: str) -> str | None:
    """Return the first character of a text that cannot be seen or stands for a damaged one; None if all can.

    Joiners that shape letters are part of the writing.
    """
    text = re.sub(JOINED, r"\1", text)
    return next((one for one in text if one == DAMAGED or is_invisible(one)), None)


def hidden_said(text: str) -> str:
    """Say what is hidden in a text, to be read behind it."""
    hidden = hidden_in(text)
    if hidden is None:
        return "shows all that it holds"
    name = f"U+{ord(hidden):04X} {unicodedata.name(hidden, '')}".rstrip()
    why = "which stands for text that was damaged before" if hidden == DAMAGED else "which cannot be seen"
    return f"holds {name}, {why}"
