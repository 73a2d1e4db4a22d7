r"""Text from outside → text for people: what a terminal or a page would obey is shown, and obeyed by nobody. Pure.

A name in a table, a file's name and a server's message can hold anything: escapes that move the cursor or set the
window's title, marks that turn the direction of writing around so that a line reads as another, characters of no width.
Each becomes its escape, `\x1b` or `\u202e`, as in Python's own `repr`.

The zero-width joiner and non-joiner stay: Hindi, Malayalam, Persian and many an emoji cannot be written without them,
and they move nothing.
"""

from __future__ import annotations

import json
import logging
import re

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


def escape(text: str) -> str:
    """Return a text for HTML, in an element or an attribute; its line breaks stay, as they are white space there."""
    import html  # brings a table of all entities, and a client of the API needs none

    return html.escape(printable_lines(text))


class PrintableLog(logging.Formatter):
    """Writes a record's message so; a traceback keeps its lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return printable_lines(super().format(record))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
