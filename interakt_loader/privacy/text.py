r"""Characters that cannot be seen: two texts that differ in them look the same.

Text from outside → text for people: what a terminal or a page would obey is shown, and obeyed by nobody. Pure.

A name in a table, a file's name and a server's message can hold anything: escapes that move the cursor or set the
window's title, marks that turn the direction of writing around so that a line reads as another, characters of no width.
Each becomes its escape, `\x1b` or `\u202e`, as in Python's own `repr`.

The zero-width joiner and non-joiner stay: Hindi, Malayalam, Persian and many an emoji cannot be written without them,
and they move nothing.

Phones and e-mail addresses made unreadable, alone or within a text. Pure.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from typing import Any

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


OBEYED = (
    "\x00-\x1f\x7f-\x9f"  # control characters, C0 and C1: a terminal's escapes begin with one
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"  # unseen
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # likewise
    "\u2028\u2029"  # ends of lines, for some
)
"""What a terminal or a page would obey, or nobody would see: as a class of characters, but for its brackets."""
_HALVES = "\ud800-\udfff"  # of pairs, which no UTF-8 can hold

_ONE = re.compile(f"[{OBEYED}{_HALVES}]")
_ONE_WITHIN_LINES = re.compile(f"(?!\n)[{OBEYED}{_HALVES}]")

_FORM = "x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
_TO_ESCAPE = re.compile(rf"(?<!\\)(\\*)([{OBEYED}])|(?<!\\)(\\+)({_FORM})")
_ESCAPED = re.compile(rf"(?<!\\)(\\+)({_FORM})")


def printable(text: str) -> str:
    """Return a text as one line that can be shown as it is."""
    return text if text.isprintable() else _ONE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Likewise of a text that has lines, which it keeps. Only for text of our own, made of parts that are printable."""
    return text if text.isprintable() else _ONE_WITHIN_LINES.sub(_escape, text)


def escaped(text: str) -> str:
    r"""Return a text with those characters as escapes, such as `\x1b` or `\u202e`, so that `unescaped` undoes it.

    Backslashes directly before such an escape are doubled, whether the escape stood in the text or is a new one. All
    others stay as they are. The text is one that UTF-8 can hold.
    """
    return _TO_ESCAPE.sub(_escaped_run, text)


def unescaped(text: str) -> str:
    """Return what `escaped` made this text of."""
    return _ESCAPED.sub(_unescaped_run, text)


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
    """Return a character's escape without its backslash; unlike Python's own, a line break has none of its own."""
    code = ord(character)
    return f"x{code:02x}" if code <= 0xFF else f"u{code:04x}" if code <= 0xFFFF else f"U{code:08x}"


def _character(form: str) -> str | None:
    """Return the character of an escape, if it is one that `escaped` writes."""
    code = int(form[1:], 16)
    if code > 0x10FFFF or not _ONE.match(chr(code)) or form != _form(chr(code)) or 0xD800 <= code <= 0xDFFF:
        return None
    return chr(code)


def printable_json(line: str) -> str:
    """Return JSON text, without line breaks of its own, in escapes of JSON's: it reads back as the same."""
    return line if line.isprintable() else _ONE.sub(lambda found: json.dumps(found[0])[1:-1], line)


class PrintableLog(logging.Formatter):
    """Writes a record's message so; a traceback keeps its lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return printable_lines(super().format(record))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


DOT = "•"

_OF_A_MAIL = r"[^\s@<>\"'(),;:\[\]]"
_MAIL = re.compile(rf"(?<!{_OF_A_MAIL}){_OF_A_MAIL}+@({_OF_A_MAIL}+\.[^\s@<>\"'(),;:\[\].]+)")
"""Begins where a word does: were each of its characters a beginning, a long word would be searched once for each."""

_DIGITS = re.compile(r"\d")
_LEFT = 3
"""Digits of a phone that are left, so that a row can be told from its neighbours."""

_FEWEST = 7
"""Digits of a phone, at least."""

_NUMBER = re.compile(r"(?<!\w)(?<!\d\.)[+(]?\d(?:(?:[^\S\r\n]|[().\-/\u2010-\u2014]){0,3}\d){6,16}(?!\w)")
"""Seven to seventeen digits with what people write between those of a phone, white space of any kind included. What
stands after a digit and a point is a fraction; after a word and a point (`Mob.98765 43210`) it is a phone."""

_ALONE, _NOT_ON = r"(?<![\d.])(?<!\d[-/])", r"(?!\d|[-/.]\d)"
"""Digits that go on behind a hyphen, a slash or a point are a part of something longer: of a phone, perhaps."""

_DATE = (
    r"\d{4}-[01]\d-[0-3]\d|(?:19|20)\d\d[/.][01]?\d[/.][0-3]?\d"
    r"|[0-3]\d[/.-][0-3]\d[/.-]\d{4}|[0-3]?\d[/.-][0-3]?\d[/.-](?:19|20)\d\d"
)
_CLOCK = r"[0-2]?\d:[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?"
_PRIVATE = r"(?:127|10|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){2,3}"
_NO_PHONE = re.compile(
    rf"\(?{_ALONE}(?:{_DATE}){_NOT_ON}|\(?{_ALONE}{_CLOCK}"
    rf"|(?<!\w){_ALONE}(?!\d\d(?:\.\d\d){{3}}){_PRIVATE}{_NOT_ON}"
    r"|(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?!\w)"
    rf"|(?<!\w)0x[0-9A-Fa-f]+|(?<!\w){_ALONE}0\.\d+{_NOT_ON}"
)
"""What has as many digits and is no phone: a date, a time of day, a private network's address, a UUID, an address in
memory, a fraction. Other networks' addresses may be phones: `91.234.56.78` is one."""

_IN_TEXT = re.compile(f"(?P<kept>{_NO_PHONE.pattern})|{_NUMBER.pattern}")

_VERSION = re.compile(r"(?<![\d.])(?<!\d[-() ])\d{1,2}(?:\.\d{1,2}){1,2}(?!\w|\.\d|[-() ]{1,2}\d)")
"""`3.11.7`: too few digits for a phone, and they do not go on."""

_PATH = re.compile(r"(?:[A-Za-z]:|~|\.{1,2})?[/\\][^/\\]+[/\\]")
"""How a path begins, such as those in a traceback."""

_QUOTED = re.compile(r"(['\"])([^'\"\n]*)\1")


def masked(text: str) -> str:
    """Return a text without the phones and e-mail addresses that are in it: `•••••••210`, `•••@example.com`.

    What looks like a phone and is none, such as a long id of digits, is masked as well; dates, versions and paths are
    not, nor are digits that are part of a word, except in quotes: there a message has a value as it came, whatever is
    wrong with it.
    """
    return _IN_TEXT.sub(_masked_number, _QUOTED.sub(_masked_quote, _MAIL.sub(rf"{DOT * 3}@\1", text)))


def masked_phone(phone: str) -> str:
    """Return a phone with its last three digits only."""
    most = max(len(_DIGITS.findall(phone)) - _LEFT, 0)
    return _DIGITS.sub(DOT, phone, count=most) if most else DOT * len(phone)


def masked_body(body: str) -> str:
    """Return the JSON body of a call with each text in it masked, and each number that looks like a phone."""
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
    left = _VERSION.sub("", _NO_PHONE.sub("", value))
    is_none = len(_DIGITS.findall(left)) < _FEWEST or _PATH.match(value)
    return found[0] if is_none else f"{quote}{masked_phone(value)}{quote}"


def _masked_number(found: re.Match[str]) -> str:
    return found[0] if found["kept"] else masked_phone(found[0])


def number_of(count: int, noun: str) -> str:
    """Return how many there are, such as `1 row` or `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
