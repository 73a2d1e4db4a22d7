"""Phones and e-mail addresses made unreadable, alone or within a text. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

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
