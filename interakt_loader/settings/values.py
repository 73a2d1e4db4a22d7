"""Values of options as people write them → checked values, or one line that says what was expected. Pure.

What only a check needs is imported when it checks: `--help` reads this module and checks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, NamedTuple

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret, hidden

BASE_URL = "https://api.interakt.ai"
"""The real API [doc]."""

PLAN_RATES = {"growth": "300/min", "advanced": "600/min"}
"""Calls that Interakt's plans allow [doc]."""

_UNITS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
}


class Rate(NamedTuple):
    """`calls` in every `seconds`."""

    calls: float
    seconds: float

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "min", 3600.0: "h"}.get(self.seconds, f"{self.seconds:g}s")
        return f"{self.calls:g}/{unit}"


def parse_rate(text: str | None) -> Rate | Literal["auto"] | None:
    """Read `"300/min"`, `"10/s"`, `"growth"`, `"advanced"`, `"auto"` or `"none"`; None means no limit."""
    if text is None or text.strip().lower() == "none":
        return None
    word = text.strip().lower()
    if word == "auto":
        return "auto"
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*([a-z]+)", PLAN_RATES.get(word, word))
    if match is None or match[2] not in _UNITS or float(match[1]) <= 0:
        raise SettingsError(
            f"rate_limit is {text!r}; expected auto, none, growth, advanced, or calls in a time such as 300/min or 10/s"
        )
    return Rate(float(match[1]), _UNITS[match[2]])


class Failures(NamedTuple):
    """How many rows may fail: a number, or a share."""

    rows: float = float("inf")
    share: float = 1.0


def parse_failures(text: str | int | None) -> Failures:
    """Read `20`, `"20"` or `"5%"`; None: as many as there are rows."""
    if text is None:
        return Failures()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(text))
    if match is not None and not isinstance(text, bool):
        if match[2] and float(match[1]) <= 100:
            return Failures(share=float(match[1]) / 100)
        if match[1].isdigit() and not match[2]:
            return Failures(rows=int(match[1]))
    raise SettingsError(f"max_failures is {text!r}; expected a whole number of rows, or a share such as 5%")


def parse_rows(text: str | None) -> tuple[int, int | None]:
    """Read `"1000:2000"`, `"1000:"` or `":50"`: the first row, and the one after the last (None: to the end)."""
    if text is None:
        return 0, None
    first, colon, end = map(str.strip, str(text).partition(":"))
    is_good = colon and (first or end) and all(re.fullmatch(r"\d{0,18}", one) for one in (first, end))
    if not is_good or (end and int(first or 0) >= int(end)):
        raise SettingsError(f"rows is {text!r}; expected the first row and the one after the last, such as 1000:2000")
    return int(first or 0), int(end) if end else None


def parse_words(name: str, given: object) -> tuple[str, ...]:
    """Read `"NULL,N/A"` or a list of texts; white space around a word is no part of it."""
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not all(isinstance(one, str) for one in words):
        raise SettingsError(f"{name} is {given!r}; expected texts, such as 'NULL,N/A' or a list of them")
    return tuple(one.strip() for one in words if one.strip())


_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
"""What Windows keeps for devices, with any ending."""

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')

_LONGEST_NAME = 200
"""Bytes of a load's name: with its endings a file's name may have 255."""


def check_name(name: object) -> None:
    """Refuse a load's name that cannot be a file's name on every system: the load's files are called by it."""
    if not isinstance(name, str):
        raise SettingsError(f"name is {name!r}; expected text, such as 'orders'")
    why = None
    if not name.strip():
        why = "is blank"
    elif found := _NOT_IN_NAMES.search(name):
        why = f"holds {found[0]!r}"
    elif name.endswith("."):
        why = "ends with a dot"
    elif name.strip(" ") != name:
        why = "begins or ends with a space"
    elif _RESERVED.fullmatch(name):
        why = "is kept for a device by Windows"
    elif len(name.encode()) > _LONGEST_NAME:
        why = f"has more than {_LONGEST_NAME} bytes"
    if why is not None:
        raise SettingsError(f"name {name[:60]!r} {why}; expected a part of a file's name, such as 'orders'")


def did_you_mean(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return `"; did you mean 'workers'?"`, or nothing when no known name is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_base_url(url: str) -> None:
    """Refuse an address that is none, or over which the key would travel in clear."""
    from urllib.parse import urlsplit

    if "@" in str(url):
        raise SettingsError("base_url holds a user name or password, or another @; the key goes into api_key")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        is_plain = url.isprintable() and not set(url) & set(" \\")  # others would read another host out of it
    except (ValueError, AttributeError, TypeError):
        raise SettingsError(f"base_url is {url!r}; expected an address such as {BASE_URL}") from None
    if parts.scheme not in ("http", "https") or not host or not is_plain:
        raise SettingsError(f"base_url is {url!r}; expected an address such as {BASE_URL}")
    if parts.query or parts.fragment:
        raise SettingsError(f"base_url is {re.split('[?#]', url)[0]!r} and more; expected an address without ? or #")
    if parts.scheme == "http" and not is_this_machine(host):
        raise SettingsError(
            f"base_url is {url!r}: over http:// the key would travel in clear; use https:// "
            "(http:// is for this machine only)"
        )


SHARES = "sqlite:///PATH (for this machine) or redis://HOST:PORT/NUMBER (for several)"
"""The forms of a share."""


def check_share(share: Secret | None, rate: Rate | Literal["auto"] | None) -> None:
    """Refuse an address where no shared clock can stand, and a limit that cannot be shared."""
    if share is None:
        return
    if not isinstance(share, Secret):
        raise SettingsError(f"share is {share!r}; expected {SHARES}")
    if not _is_a_share(share.reveal()):
        raise SettingsError(f"share is '{share}'; expected {SHARES}")
    if not isinstance(rate, Rate):
        raise SettingsError("share needs a declared limit: give rate_limit too, such as 300/min or growth")


def _is_a_share(share: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(share)
        is_file = parts.scheme == "sqlite" and not parts.netloc and parts.path.strip("/")
        is_server = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, say
        return False
    return bool(is_file or is_server)


def shown_share(share: str) -> str:
    """Return a share's address without a password that it may hold, before an @ or after a ?."""
    if share.startswith("sqlite:"):
        return share
    scheme, slashes, rest = share.partition("//")
    address, mark, _ = f"{scheme}{slashes}{rest.rpartition('@')[2]}".partition("?")
    return f"{address}?…" if mark else address


def hidden_share(share: Any) -> Any:
    """Return a share's address as a `Secret` that shows all but the password; anything else as it is."""
    return Secret(share, shown_share(share)) if isinstance(share, str) else share


def hide_secrets(options: MutableMapping[str, Any]) -> None:
    """Put `Secret`s in the place of the options that are or hold one.

    In place, and first of all: a traceback with locals shows the keyword arguments of every function on the way.
    """
    for name, hide in (("api_key", hidden), ("old_api_key", hidden), ("share", hidden_share)):
        if name in options:
            options[name] = hide(options[name])


def check_key(name: str, key: Secret) -> None:
    """Refuse a key that cannot be one; the message never holds it."""
    kind = type(key.reveal())
    if not issubclass(kind, str):
        raise SettingsError(f"{name} is a {kind.__name__}; expected text")
    if not _can_be_a_key(key.reveal().strip()):
        raise SettingsError(f"{name} is blank or holds characters that no key has; copy the Secret Key again")


def _can_be_a_key(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def is_this_machine(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_number(
    name: str,
    value: Any,
    *,
    least: float,
    most: float | None = None,
    whole: bool = False,
    exclusive: bool = False,
) -> None:
    """Refuse what is no number, or one outside of `least` (itself excluded if `exclusive`) to `most`."""
    expected = f"a{' whole' if whole else ''} number {'above' if exclusive else 'of at least'} {least:g}"
    if most is not None:
        expected += f" and at most {most:g}"
    good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if good:
        good = value > least if exclusive else value >= least
    if good and most is not None:
        good = value <= most
    if not good:
        raise SettingsError(f"{name} is {value!r}; expected {expected}")
