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

_OBEYED = (
    "\x00-\x1f\x7f-\x9f"  # control characters, C0 and C1: a terminal's escapes begin with one
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"  # unseen
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # likewise
    "\u2028\u2029"  # ends of lines, for some
    "\ud800-\udfff"  # halves of pairs, which no UTF-8 can hold
)
_ONE = re.compile(f"[{_OBEYED}]")
_ONE_WITHIN_LINES = re.compile(f"(?!\n)[{_OBEYED}]")


def printable(text: str) -> str:
    """Return a text as one line that can be shown as it is."""
    return text if text.isprintable() else _ONE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Likewise of a text that has lines, which it keeps. Only for text of our own, made of parts that are printable."""
    return text if text.isprintable() else _ONE_WITHIN_LINES.sub(_escape, text)


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
