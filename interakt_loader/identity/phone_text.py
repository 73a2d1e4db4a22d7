"""A phone as people write it → its digits. What is not surely part of a phone makes it none.

`phonenumbers` reads letters as the digits of a keypad, and drops one or two of them. So nothing but digits gets there.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import unicodedata
from typing import NamedTuple

from interakt_loader.safety.visible import is_invisible

LONGEST = 250
"""Characters of a text that may be one phone."""


class PhoneText(NamedTuple):
    """What a text says."""

    digits: str
    has_code: bool = False
    """The digits begin with a country code: there is a plus, or it is a form of WhatsApp's own."""
    problem: str | None = None
    """Why it is no phone, to be said after the text."""


EXTENSION = "has an extension; expected the number alone"
_EDGES = " '\"`‘’“”,;|"

_CHAT_ID = re.compile(r"\+?([0-9]+)(?::[0-9]{1,3})?@(?:c\.us|s\.whatsapp\.net)", re.IGNORECASE)
_CHAT_LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:wa\.me/|(?:(?:api|web|chat)\.)?whatsapp\.com/send/?\?phone=|whatsapp://send/?\?phone=)"
    r"(?:\+|%2b)?([0-9]+)(?:[/?&#].*)?",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"[^0-9+]*")
_NUMBER = re.compile(r"\+*[0-9 ().\[\]/-]+")
_GROUPED = re.compile(r"\+?[0-9]{1,3}(?:,[0-9]{2,3})+(?:\.0{1,3})?")
_FRACTION = re.compile(r"(\+?[0-9]{6,})\.(?:(0{1,3})|[0-9]{1,2})")
_EXPONENT = re.compile(r"[0-9]+(?:[.,][0-9]+)? ?[eE][+-]?[0-9]+")
_EXTENSION = re.compile(r"(?:ext|extn|extension|x|#)[.:=]? ?[0-9]{1,7}", re.IGNORECASE)
_LEFT_OUT = re.compile(r"\.\.|([^0-9 ])\1\1")

_AROUND_WORDS = set(" .:-/()[]#&=|№°")
_SHORT_WORDS = set("mtpcwn")
"""Letters that stand for a word, if something stands between them and the number."""


def phone_text(written: str) -> PhoneText:
    """Return the digits of a phone that is written in any usual way, or why it is none."""
    if len(written) > LONGEST:
        return PhoneText("", problem=f"has {len(written):,} characters")
    is_plain = written.isascii() and written.isprintable()
    text = (written if is_plain else "".join(map(_readable, written))).strip(_EDGES)
    own_form = (_CHAT_ID if "@" in text else _CHAT_LINK).fullmatch(text) if not _NUMBER.fullmatch(text) else None
    if own_form is not None:
        return PhoneText(own_form[1], has_code=True)
    before = _BEFORE.match(text)
    start = before.end() if before is not None else 0
    if not any(map(str.isdecimal, text)):
        return PhoneText("", problem="holds no digits")
    words, number = text[:start], text[start:].rstrip(" ")
    strange = _strange_words(words) if words.strip(" (") else None
    if strange is not None:
        return PhoneText("", problem=f"has {strange!r} before the number")
    if _EXPONENT.fullmatch(number):
        return PhoneText("", problem="lost digits in a spreadsheet: read the column as text")
    if _GROUPED.fullmatch(number):
        number = number.replace(",", "")
    fraction = _FRACTION.fullmatch(number)
    if fraction is not None:
        if fraction[2] is None:
            return PhoneText("", problem="is a number with a fraction")
        number = fraction[1]
    if not _NUMBER.fullmatch(number):
        return PhoneText("", problem=_what_else(number))
    if _LEFT_OUT.search(number):
        return PhoneText("", problem="has digits left out")
    return PhoneText("".join(re.findall("[0-9]+", number)), has_code=number.startswith("+"))


def _what_else(number: str) -> str:
    """Say what stands among or after the digits."""
    found = _NUMBER.match(number)
    rest = number[found.end() if found is not None else 0 :]
    if _EXTENSION.fullmatch(rest.strip("; ")):
        return EXTENSION
    return f"has {rest[0]!r} among or after its digits"


def _strange_words(text: str) -> str | None:
    """Return what stands before a number and is no word for a phone, such as `Mob:` or `Tel.`; None if all is well."""
    letters = "".join(one if unicodedata.category(one)[0] in "LM" else " " for one in text)
    for word in letters.split():
        known = plain_word(word) in _words() or (word.casefold() in _SHORT_WORDS and not text.endswith(word))
        if not known:
            return word
    signs = [one for one in text if unicodedata.category(one)[0] not in "LM"]
    strange = [one for one in signs if one not in _AROUND_WORDS and unicodedata.category(one) != "So"]
    if strange or ("#" in signs and not letters.strip()):
        return strange[0] if strange else "#"
    return None


@functools.lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    text = importlib.resources.files("interakt_loader.identity").joinpath("phone_words.txt").read_text(encoding="utf-8")
    return frozenset(map(plain_word, text.split()))


def plain_word(word: str) -> str:
    """Return a word without case and accents."""
    return "".join(one for one in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(one))


def _readable(character: str) -> str:
    """Return a character as ASCII has it: a digit of any script, a space or dash of any sort; nothing if invisible."""
    if character.isascii() and character.isprintable():
        return character
    if character.isspace():
        return " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if is_invisible(character) or character == "\N{COMBINING ENCLOSING KEYCAP}":
        return ""
    if unicodedata.category(character) == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    narrow = unicodedata.normalize("NFKC", character)
    return narrow if narrow.isascii() and len(narrow) == 1 and not narrow.isalnum() else character
