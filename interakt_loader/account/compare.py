"""Compare what a user call sends with what the account holds of the user. Pure.

The API may give a value back in another form. Each form that counts as the same value is a tolerance with a name, and
is always reported. What is in doubt is a difference. Fractions are compared as floats, because JSON readers make these
of them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import unicodedata
from decimal import Decimal
from typing import Any, Final, NamedTuple

from interakt_loader.account.contacts import Contact
from interakt_loader.codes import DifferenceCode, ToleranceCode
from interakt_loader.privacy.text import printable
from interakt_loader.values import LONGEST_SHOWN, shown

_Tolerances = tuple[ToleranceCode, ...]
"""What makes two values the same; nothing if they are equal."""

_MISSING: Final = object()

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
_MOST_BITS = 1024
"""Of a whole number: more cannot be sent, and Python refuses to write very long ones."""

_WORDS = {True: ("true", "True", "TRUE"), False: ("false", "False", "FALSE")}

# the two forms that a load sends
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_CLOCK = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)
_START = dt.datetime(1, 1, 1)

_LONGEST_WORD = 1000
"""Characters of a word whose Unicode form is compared. Many accents in a row take time by the square."""


class Difference(NamedTuple):
    """A value of a row that the account does not hold."""

    name: str
    """The trait's name, or `tags`, `phone` or `user_id`."""
    text: str
    """What both sides have, in one line. It may be personal data."""
    code: DifferenceCode


class Tolerated(NamedTuple):
    """A value of a row that the account holds in another form."""

    name: str
    """The trait's name, or `tags` or `phone`."""
    code: ToleranceCode
    text: str
    """What both sides have, in one line. It may be personal data."""


class Comparison(NamedTuple):
    """How a row and a contact differ: identity first, then in the order of the row."""

    differences: list[Difference]
    tolerated: list[Tolerated]


def compare(body: bytes | dict[str, Any], contact: Contact) -> Comparison:
    """Compare the body of a user call with a contact. What only the contact has is no difference.

    The API does not give back `createdAt` and `add_to_sales_cycle`: they are not compared.
    """
    if isinstance(body, bytes):
        body = json.loads(body)
        assert isinstance(body, dict)
    found = Comparison([], [])
    user_id = body.get("userId")
    if user_id is not None and user_id != contact.user_id:
        there = _MISSING if contact.user_id is None else contact.user_id
        found.differences.append(Difference("user_id", _both("user_id", user_id, there), "user_id_differs"))
    if body.get("phoneNumber") is not None:
        _compare_phones(body.get("countryCode", ""), body["phoneNumber"], contact, found)
    if body.get("tags"):
        _compare_tags(body["tags"], contact.tags, found)
    for name, here in body.get("traits", {}).items():
        there = contact.traits.get(name, _MISSING)
        codes = _tolerances(here, there)
        if codes is None:
            found.differences.append(Difference(name, _both(name, here, there), "trait_differs"))
        elif codes:
            found.tolerated.extend(Tolerated(name, code, _both(name, here, there)) for code in codes)
    return found


# ------------------------------------------------------------------ identity and tags


def _compare_phones(code: str, digits: str, contact: Contact, found: Comparison) -> None:
    held_code, held = contact.country_code or "", contact.phone or ""
    if (code, digits) == (held_code, held):
        return
    plain, country, phone = code.removeprefix("+"), _unspaced(held_code), _unspaced(held)
    if country in (code, plain):
        same = {digits, plain + digits, code + digits}
    elif country.removeprefix("+").startswith(plain):
        # a code of several countries may be written with the area code: +1 242…, +1242 …
        same = {(plain + digits).removeprefix(country.removeprefix("+"))}
    else:
        # without a country and a plus, the digits may be those of another country
        same = set() if country else {code + digits}
    text = _both("phone", f"{code} {digits}".strip(), f"{held_code} {held}".strip() if held else _MISSING)
    if phone in same:
        found.tolerated.append(Tolerated("phone", "phone_form", text))
    else:
        found.differences.append(Difference("phone", text, "phone_differs"))


def _unspaced(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _compare_tags(tags: list[str], there: list[str], found: Comparison) -> None:
    held = {*there}
    others = [one for one in dict.fromkeys(tags) if one not in held]
    by_form = {_composed(_trimmed(one)): one for one in there} if others else {}
    for tag in others:
        other = by_form.get(_composed(_trimmed(tag)))
        if other is None:
            text = f"the tag {_shown(tag)} is missing in the account"
            found.differences.append(Difference("tags", text, "tag_missing"))
        else:
            text = f"a tag is {_shown(tag)} here and {_shown(other)} in the account"
            found.tolerated.extend(Tolerated("tags", code, text) for code in _of_texts(tag, other) or ())


# ------------------------------------------------------------------ values


def _tolerances(here: Any, there: Any) -> _Tolerances | None:
    """Return what makes a value the same as one of the account; None if it is another value."""
    if type(here) is list:
        return _of_lists(here, there)
    # for Python, True is 1
    if here == there and (type(here) is bool) is (type(there) is bool):
        return ()
    if _is_empty(here) and _is_empty(there):
        return ("empty_as_missing",)
    if type(there) is str:
        return _of_texts(here, there) if type(here) is str else _of_text_there(here, there)
    return _of_text_here(here, there) if type(here) is str else None


def _is_empty(value: Any) -> bool:
    return value is _MISSING or value is None or (type(value) in (str, list) and not value)


def _of_text_there(here: Any, there: str) -> _Tolerances | None:
    """Compare a number or a boolean with a text."""
    if type(here) is bool:
        return ("boolean_as_text",) if there in _WORDS[here] else None
    if type(here) not in (int, float) or not _NUMBER.fullmatch(there):
        return None
    number = Decimal(there) if type(here) is int else float(there)
    return ("number_as_text",) if number == here else None


def _of_text_here(here: str, there: Any) -> _Tolerances | None:
    """Compare a text with a number or a boolean. A number that lost digits of the text is another value."""
    if type(there) is bool:
        return ("text_as_boolean",) if here in _WORDS[there] else None
    if type(there) is int and there.bit_length() > _MOST_BITS:
        return None
    return ("text_as_number",) if type(there) in (int, float) and repr(there) == here else None


def _of_texts(here: str, there: str) -> _Tolerances | None:
    if _TIME.fullmatch(here):
        instant = _instant(here)
        if instant is not None and instant == _instant(there):
            return ("time_form",)
    elif _DATE.fullmatch(here) and there.startswith(here):
        # midnight of the same date is no other date, even if its zone is missing
        instant = _instant(f"{here}T00:00:00Z")
        if instant is not None and instant in (_instant(there), _instant(f"{there}Z")):
            return ("date_as_time",)
    first, second = _trimmed(here), _trimmed(there)
    if first == second:
        return ("white_space",)
    if _composed(here) == _composed(there):
        return ("unicode_form",)
    return ("white_space", "unicode_form") if _composed(first) == _composed(second) else None


def _instant(text: str) -> int | None:
    """Return a time with a zone as nanoseconds since the year 1; None if it is none."""
    found = _CLOCK.fullmatch(text)
    if found is None or found[8] is None:
        return None
    try:
        moment = dt.datetime(*map(int, found.groups()[:6]))  # type: ignore[arg-type]
    except ValueError:
        return None
    nanoseconds = (moment - _START) // dt.timedelta(seconds=1) * 10**9 + int((found[7] or "").ljust(9, "0"))
    zone = found[8].replace(":", "").replace("Z", "+0000").ljust(5, "0")
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    return nanoseconds - (minutes if zone[0] == "+" else -minutes) * 60 * 10**9


def _trimmed(text: str) -> str:
    """Return a text without white space at its ends, and with each run of spaces as one."""
    return re.sub(" {2,}", " ", text.strip())


def _composed(text: str) -> str:
    """Return a text in Unicode's form NFC, word by word."""
    if text.isascii():
        return text
    return " ".join([one if len(one) > _LONGEST_WORD else unicodedata.normalize("NFC", one) for one in text.split(" ")])


# ------------------------------------------------------------------ lists


def _of_lists(here: list[Any], there: Any) -> _Tolerances | None:
    if type(there) is list:
        return _of_items(here, there)
    if not here and _is_empty(there):
        return ("empty_as_missing",)
    for items in _lists_in(there) if type(there) is str else []:
        codes = _of_items(here, items)
        if codes is not None:
            return ("list_as_text", *codes)
    return None


def _of_items(here: list[Any], there: list[Any]) -> _Tolerances | None:
    """Return each tolerance of the items once; None if one of them is another value."""
    if len(here) != len(there):
        return None
    found: dict[ToleranceCode, None] = {}
    for one, other in zip(here, there, strict=True):
        codes = _tolerances(one, other)
        if codes is None:
            return None
        found |= dict.fromkeys(codes)
    return tuple(found)


def _lists_in(text: str) -> list[list[Any]]:
    """Return the lists that a text may stand for: the items between its commas, and a JSON array.

    So an item with a comma is only found in an array.
    """
    found: list[list[Any]] = [[one.removeprefix(" ") for one in text.split(",")]]
    if text.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(text))
    return found


# ------------------------------------------------------------------ texts


def _both(name: str, here: Any, there: Any) -> str:
    """Return what a row and the account have, in one line."""
    name, own = printable(name), _shown(here)
    if there is _MISSING:
        return f"{name} is {own} here and missing in the account"
    other = _shown(there)
    if own == other:
        return f"{name} differs only after what is shown here: {own}"
    return f"{name} is {own} here and {other} in the account"


def _shown(value: Any) -> str:
    """Return a JSON value as a message shows it."""
    if value is None or type(value) is bool:
        return json.dumps(value)
    if type(value) is dict:
        return "an object"
    if type(value) is not list:
        return shown(value)
    text = f"[{', '.join(['a list' if type(one) is list else _shown(one) for one in value[:LONGEST_SHOWN]])}]"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
