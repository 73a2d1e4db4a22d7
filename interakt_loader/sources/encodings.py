"""Which encoding bytes are in that are no UTF-8: by their mark, by where their zeros are, by how their words look.

A wrong guess would send spoilt names to people. So a guess is made only where one alphabet fits and no other
does; where none does, or several do, the caller has to say. cp1252 stands for latin-1 too, as it does on the web.
"""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from functools import cache
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, with whose mark it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ZEROS = 0.15  # of all bytes, from which on they are halves of UTF-16
_ODD = 0.1  # of the words with letters beyond ASCII that may look odd in the right encoding
_CONSONANTS = re.compile(
    "[^\\W\\d_a-zA-ZаеёиоуыэюяіїєАЕЁИОУЫЭЮЯІЇЄαεηιουωάέήίόύώϊϋΑΕΗΙΟΥΩΆΈΉΊΌΎΏ]{5}"
)  # Greek, Cyrillic
_WORD = re.compile(r"[^\s,;|\"]+")

CANDIDATES = {
    "cp1252": "Western European",
    "cp1250": "Central European",
    "cp1251": "Cyrillic",
    "koi8_r": "Cyrillic",
    "cp1253": "Greek",
    "iso8859_7": "Greek",
    "cp1255": "Hebrew",
    "cp1256": "Arabic",
    "cp874": "Thai",
}
"""What is tried on bytes that are no UTF-8, with its alphabet; of those that fit alike, the first."""


class Guess(NamedTuple):
    """An encoding that fits, or None and those between which the bytes do not decide."""

    encoding: str | None
    candidates: list[str]


def marked_encoding(head: bytes) -> str | None:
    """Return what a file's first bytes say for sure: a byte order mark, or the zeros of UTF-16 without one."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    halves = len(head) // 2
    even, odd = (head[at : 2 * halves : 2].count(0) for at in (0, 1))
    if even + odd < _ZEROS * len(head) or min(even, odd) > max(even, odd) / 10:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    return None if "\0" in head[: 2 * halves].decode(encoding, "replace") else encoding


def without_mark(encoding: str, head: bytes) -> str:
    """Return the name by which Python reads the encoding and leaves out the byte order mark, if there is one."""
    name = codecs.lookup(encoding).name
    if not any(head.startswith(mark) and name == marked for mark, marked in _MARKS):
        return name
    return "utf-8-sig" if name == "utf-8" else name[: -len("-le")]


def guess(sample: bytes) -> Guess:
    """Return the encoding of lines that hold bytes beyond ASCII, none of them UTF-8."""
    fits = [(odd, encoding) for encoding in CANDIDATES if (odd := _odd_words(sample, encoding)) <= _ODD]
    names = [encoding for _, encoding in fits]
    if "cp1252" in names:  # its letters fit others, too; it is by far the most common
        return Guess("cp1252", names)
    if len({CANDIDATES[name] for name in names}) != 1:
        return Guess(None, names)
    return Guess(min(fits, key=lambda one: one[0])[1], names)


def _odd_words(sample: bytes, encoding: str) -> float:
    """Return which part of the words beyond ASCII has a character where no alphabet puts it; 1 if undecodable."""
    try:
        words = [word for word in _WORD.findall(sample.decode(encoding)) if not word.isascii()]
    except UnicodeDecodeError:
        return 1.0
    return sum(map(_is_odd_word, words)) / max(1, len(words))


def _is_odd_word(word: str) -> bool:
    if _alphabet(word[0]) in ("GREEK", "CYRILLIC") and _CONSONANTS.search(word):
        return True
    return any(itertools.starmap(_is_odd, zip(f" {word}", word, f"{word[1:]} ", strict=False)))


def _is_odd(before: str, one: str, after: str) -> bool:
    if one.isascii():
        return False
    if unicodedata.combining(one):
        return not (before.isalpha() or unicodedata.combining(before))
    inside = before.isalpha() and after.isalpha()
    alphabet = _alphabet(one)
    if alphabet is None:  # quotes and dashes may stand in a word, other signs not
        return not one.isprintable() or (inside and one not in "’‘´·–—\xad\xa0") or (one == "¶" and after.isalpha())
    if one in "ºªµ":
        return inside
    if (one.isupper() and before.islower()) or any(
        _alphabet(beside) not in (None, alphabet) for beside in before + after
    ):
        return True
    if alphabet == "LATIN":  # three accented letters in a row
        return inside and not before.isascii() and not after.isascii()
    return (one == "ς" and after.isalpha()) or one in "ΰΐ"  # of Greek: only at the end, and very rare


@cache
def _alphabet(one: str) -> str | None:
    return unicodedata.name(one, "").partition(" ")[0] if one.isalpha() else None
