r"""Text for people: shows characters that terminals and pages would obey, and masks phones and e-mail addresses.

A table, a file's name or a server's message can contain escapes that move the cursor or set the window's title. It can
contain direction marks, which make a line read differently, and characters without width. Each becomes its escape,
`\x1b` or `\u202e`, as in Python's `repr`.

The zero-width joiner and non-joiner stay. Hindi, Malayalam, Persian and many emoji need them, and they move nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0"
"""Invisible characters of other categories. With the ranges below, these are the ones that Unicode says to ignore."""
_RANGES = (("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\ufff0", "\ufff8"), ("\U000e0000", "\U000e0fff"))

_WHITE_CONTROLS = "\t\n\v\f\r\x85"
_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
INVISIBLE = rf"[{_CONTROLS}\p{{Cf}}{_FILLERS}{''.join(f'{first}-{last}' for first, last in _RANGES)}]"
"""Invisible characters, as a class for Arrow's patterns."""
HIDDEN_ENDS = rf"^(?:{INVISIBLE}|[\s\x0b\x85\p{{Z}}])+|(?:{INVISIBLE}|[\s\x0b\x85\p{{Z}}])+$"
"""What `stripped` removes, as a pattern for Arrow."""

DAMAGED = "\ufffd"
"""The character that decoders write for bytes that they cannot read."""

_JOINERS = "\u200c\u200d"
JOINED = rf"([^\x00-\x7f])[{_JOINERS}]+"
"""Joiners after letters that are not ASCII. In some scripts they change the shape of letters, so they are visible."""


def is_invisible(character: str) -> bool:
    """Return True for a character that shows nothing and is not white space: a control, a format, a filler."""
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
    """Return the first invisible character of a text, or the sign of a damaged one; None: there is none.

    Joiners that shape letters are visible.
    """
    text = re.sub(JOINED, r"\1", text)
    return next((one for one in text if one == DAMAGED or is_invisible(one)), None)


def describe_hidden(text: str) -> str:
    """Return the end of a sentence about the invisible character in a text: "holds U+200B ZERO WIDTH SPACE, …"."""
    hidden = hidden_in(text)
    if hidden is None:
        return "shows all that it holds"
    name = f"U+{ord(hidden):04X} {unicodedata.name(hidden, '')}".rstrip()
    why = "which stands for text that was damaged before" if hidden == DAMAGED else "which cannot be seen"
    return f"holds {name}, {why}"


UNSAFE = (
    # Control characters, C0 and C1. A terminal's escapes begin with one.
    "\x00-\x1f\x7f-\x9f"
    # Direction marks.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # Invisible characters.
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    # Some programs end a line at these.
    "\u2028\u2029"
)
"""Characters that a terminal or a page would obey, or that nobody would see: a class without its brackets."""
_SURROGATES = "\ud800-\udfff"
"""Halves of pairs. UTF-8 has no form for them."""

_UNSAFE_CHARACTER = f"[{UNSAFE}{_SURROGATES}]"
_UNSAFE_BUT_LINE_BREAK = f"(?!\n)[{UNSAFE}{_SURROGATES}]"

_FORM = "x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
_TO_ESCAPE = rf"(?<!\\)(\\*)([{UNSAFE}])|(?<!\\)(\\+)({_FORM})"
_ESCAPED = rf"(?<!\\)(\\+)({_FORM})"


def printable(text: str) -> str:
    """Return a text as one line that is safe to show."""
    return text if text.isprintable() else re.sub(_UNSAFE_CHARACTER, _escape, text)


def printable_lines(text: str) -> str:
    """Do the same for a text with lines, and keep these. Only for our own text, made of printable parts."""
    return text if text.isprintable() else re.sub(_UNSAFE_BUT_LINE_BREAK, _escape, text)


def escaped(text: str) -> str:
    r"""Return a text with unsafe characters as escapes, such as `\x1b` or `\u202e`; `unescaped` restores it.

    Backslashes directly before such an escape are doubled, for new escapes and for those that were in the text. All
    others stay. The text has no surrogates.
    """
    return re.sub(_TO_ESCAPE, _escaped_run, text)


def unescaped(text: str) -> str:
    """Return the text before `escaped`."""
    return re.sub(_ESCAPED, _unescaped_run, text)


def _escaped_run(found: re.Match[str]) -> str:
    before, character, run, form = found.groups()
    if character is not None:
        return f"{before}{before}\\{_form(character)}"
    return f"{run}{run}{form}" if _character(form) else found[0]


def _unescaped_run(found: re.Match[str]) -> str:
    run, form = found.groups()
    character = _character(form)
    if character is None:
        return found[0]
    return "\\" * (len(run) // 2) + (character if len(run) % 2 else form)


def _form(character: str) -> str:
    """Return a character's escape without its backslash. Unlike Python's, there is no short form such as `n`."""
    code = ord(character)
    return f"x{code:02x}" if code <= 0xFF else f"u{code:04x}" if code <= 0xFFFF else f"U{code:08x}"


def _character(form: str) -> str | None:
    """Return the character of an escape; None if `escaped` does not write it."""
    code = int(form[1:], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    character = chr(code)
    return character if re.match(_UNSAFE_CHARACTER, character) and form == _form(character) else None


def printable_json(value: Any) -> str:
    """Return a value as one line of JSON, with unsafe characters as JSON escapes."""
    # `--help` has no use for it
    import json

    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else re.sub(_UNSAFE_CHARACTER, lambda found: json.dumps(found[0])[1:-1], line)


def printable_log(form: str) -> logging.Formatter:
    """Return a formatter that writes log records with `printable_lines`; a traceback keeps its lines."""
    # `--help` logs nothing
    import logging

    class PrintableLog(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return printable_lines(super().format(record))

    return PrintableLog(form)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


DOT = "•"

_OF_A_MAIL = r"[^\s@<>\"'(),;:\[\]]"
_MAIL = rf"(?<!{_OF_A_MAIL}){_OF_A_MAIL}+@({_OF_A_MAIL}+\.[^\s@<>\"'(),;:\[\].]+)"
"""It matches only at the start of a word. Otherwise a long word would be searched again from each character."""

_DIGITS = r"\d"
_VISIBLE_DIGITS = 3
"""Digits of a phone that stay visible, so that people can tell rows apart."""

_FEWEST_DIGITS = 7
"""Fewest digits of a phone."""

_NUMBER = r"(?<!\w)(?<!\d\.)[+(]?\d(?:(?:[^\S\r\n]|[().\-/\u2010-\u2014]){0,3}\d){6,16}(?!\w)"
"""Seven to seventeen digits, with what people write between the digits of a phone, such as any white space. After a
digit and a point the digits are a fraction; after a word and a point (`Mob.98765 43210`) they are a phone."""

_ALONE, _NOT_ON = r"(?<![\d.])(?<!\d[-/])", r"(?!\d|[-/.]\d)"
"""Digits that continue after a hyphen, a slash or a point are part of something longer, which may be a phone."""

_DATE = (
    r"\d{4}-[01]\d-[0-3]\d|(?:19|20)\d\d[/.][01]?\d[/.][0-3]?\d"
    r"|[0-3]\d[/.-][0-3]\d[/.-]\d{4}|[0-3]?\d[/.-][0-3]?\d[/.-](?:19|20)\d\d"
)
_CLOCK = r"[0-2]?\d:[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?"
_PRIVATE = r"(?:127|10|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){2,3}"
_NO_PHONE = (
    rf"\(?{_ALONE}(?:{_DATE}){_NOT_ON}|\(?{_ALONE}{_CLOCK}"
    rf"|(?<!\w){_ALONE}(?!\d\d(?:\.\d\d){{3}}){_PRIVATE}{_NOT_ON}"
    r"|(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?!\w)"
    rf"|(?<!\w)0x[0-9A-Fa-f]+|(?<!\w){_ALONE}0\.\d+{_NOT_ON}"
)
"""Text with as many digits that is not a phone: a date, a time of day, a private network's address, a UUID, a memory
address, a fraction. Other networks' addresses may be phones: `91.234.56.78` is one. Compiled when it is used."""

_IN_TEXT = f"(?P<kept>{_NO_PHONE})|{_NUMBER}"

_VERSION = r"(?<![\d.])(?<!\d[-() ])\d{1,2}(?:\.\d{1,2}){1,2}(?!\w|\.\d|[-() ]{1,2}\d)"
"""`3.11.7`: too few digits for a phone, with no more digits after them."""

_PATH = r"(?:[A-Za-z]:|~|\.{1,2})?[/\\][^/\\]+[/\\]"
"""The start of a path, such as those in a traceback."""

_QUOTED = r"(['\"])([^'\"\n]*)\1"


def masked(text: str) -> str:
    """Return a text with its phones and e-mail addresses masked: `•••••••210`, `•••@example.com`.

    A long id of digits looks like a phone, and is masked too. Dates, versions, paths and digits within a word are not.
    In quotes, digits within a word are masked too: there a message has the value from the table, which may be wrong.
    """
    return re.sub(_IN_TEXT, _masked_number, re.sub(_QUOTED, _masked_quote, re.sub(_MAIL, rf"{DOT * 3}@\1", text)))


def masked_phone(phone: str) -> str:
    """Return a phone with only its last three digits visible."""
    most = max(len(re.findall(_DIGITS, phone)) - _VISIBLE_DIGITS, 0)
    return re.sub(_DIGITS, DOT, phone, count=most) if most else DOT * len(phone)


def masked_body(body: str) -> str:
    """Return the JSON body of a call with each text masked, and each number that looks like a phone."""
    import json

    return json.dumps(_masked_value(json.loads(body)), ensure_ascii=False, separators=(",", ":"))


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: masked_phone(one) if name == "phoneNumber" else _masked_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked_value(one) for one in value]
    if not isinstance(value, (str, int, float)):
        return value
    shown = masked(str(value))
    return value if shown == str(value) else shown


def _masked_quote(found: re.Match[str]) -> str:
    quote, value = found.groups()
    left = re.sub(_VERSION, "", re.sub(_NO_PHONE, "", value))
    is_no_phone = len(re.findall(_DIGITS, left)) < _FEWEST_DIGITS or re.match(_PATH, value)
    return found[0] if is_no_phone else f"{quote}{masked_phone(value)}{quote}"


def _masked_number(found: re.Match[str]) -> str:
    return found[0] if found["kept"] else masked_phone(found[0])


def number_of(count: int, noun: str) -> str:
    """Return how many there are, such as `1 row` or `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


MOST_NAMED = 3
"""Names that a message shows."""


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return names for a message: all of them, or the first and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def utf8_of(texts: pa.StringArray) -> npt.NDArray[np.uint8]:
    """Return the bytes of all texts of a column, one after another: the quickest way to see what none of them has."""
    import numpy as np

    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.zeros(0, np.uint8)
    begin, end = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    found: npt.NDArray[np.uint8] = np.frombuffer(data, np.uint8)[begin:end]
    return found


def borders_of(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return where each text of a column, which is not empty, begins in `utf8_of`, and where the last one ends."""
    import numpy as np

    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    found: npt.NDArray[np.int32] = offsets - offsets[0]
    return found
