"""One parser for each kind of option: the text or value that a user gave → the value that the loader works with. Pure.

A parser raises `BadValue`, whose text continues the option's name: "is 0; expected a number above 0". `parsed` makes a
`SettingsError` of it. A parsed value passes unchanged. Text is accepted wherever it has one meaning: environment
variables, flags and templates have nothing else.

What only a check needs is imported when it checks: `--help` reads this module and checks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, MutableMapping
from os import PathLike
from typing import Any, Literal, NamedTuple, TypeVar

from interakt_loader.errors import KEY_PLACE, SettingsError, option
from interakt_loader.privacy.secret_places import PLACES, SecretPlace, read_secret, secret_place
from interakt_loader.privacy.secrets import DOTS, Secret, hidden

T = TypeVar("T")

BASE_URL = "https://api.interakt.ai"
"""The real API [doc]."""


class BadValue(ValueError):
    """A value that an option cannot have; the text continues the option's name."""


def parsed(name: str, parse: Callable[[Any], T], value: object) -> T:
    """Return the parsed value of an option; `name` is what a message calls it. Raises `SettingsError`."""
    try:
        return parse(value)
    except BadValue as error:
        raise SettingsError(f"{name} {error}") from None


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return the parser with None added to what it accepts."""
    return lambda value: None if value is None else parse(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'workers'?"`, or nothing when no known name is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


# ---------------------------------------------------------------------------- numbers, words and texts


class Number:
    """Reads a number from `least` (itself excluded if `above`) to `most`."""

    def __init__(self, least: float, most: float | None = None, *, whole: bool = False, above: bool = False) -> None:
        """Read whole numbers only, or any."""
        self.least, self.most, self.whole, self.above = least, most, whole, above

    def __call__(self, value: Any) -> Any:
        """Return the number that a value is, or a text holds."""
        kind = int if self.whole else float
        number = value
        if isinstance(value, str):
            try:
                number = kind(value)
            except ValueError:
                raise BadValue(f"is {value!r}; expected {self}") from None
        if not isinstance(number, int if self.whole else (int, float)) or isinstance(number, bool):
            raise BadValue(f"is {value!r}; expected {self}")
        is_enough = number > self.least if self.above else number >= self.least
        if not is_enough or (self.most is not None and number > self.most):
            raise BadValue(f"is {value!r}; expected {self}")
        return number

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        most = "" if self.most is None else f" and at most {self.most:g}"
        return f"{kind} {'above' if self.above else 'of at least'} {self.least:g}{most}"


class OneOf:
    """Reads one of a few words."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        """Read one of these."""
        self.choices = choices

    def __call__(self, value: Any) -> str:
        """Return the word; else name all of them, and the one that may be meant."""
        if value not in self.choices:
            near = did_you_mean(value, self.choices) if isinstance(value, str) else ""
            *others, last = self.choices
            raise BadValue(f"is {value!r}; expected {', '.join(others)} or {last}{near}")
        return str(value)


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_truth(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, str):
        return bool(value)
    if value.strip().lower() not in _TRUTHS:
        raise BadValue(f"is {value!r}; expected true or false")
    return _TRUTHS[value.strip().lower()]


class Text:
    """Reads a text."""

    def __init__(self, example: str) -> None:
        """Show this text to whoever gives something else."""
        self.example = example

    def __call__(self, value: Any) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise BadValue(f"is {value!r}; expected text such as {self.example!r}")
        return value


def parse_words(given: Any) -> tuple[str, ...]:
    """Read `"NULL,N/A"` or a list of texts; white space around a word is no part of it."""
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise BadValue(f"is {given!r}; expected texts, such as 'NULL,N/A' or a list of them")
    return tuple(word.strip() for word in words if word.strip())


LONGEST_QUERY = 1 << 20
"""Bytes of a file with a query."""


def parse_query(given: Any) -> str:
    """Read an SQL query, or the file of one: a value that ends in `.sql`."""
    from pathlib import Path

    text = str(given) if isinstance(given, Path) else given
    if not isinstance(text, str) or not text.strip():
        raise BadValue(f"is {given!r}; expected an SQL query, or the path of a file that ends in .sql")
    if not text.lower().endswith(".sql"):
        return text
    try:
        with Path(text).expanduser().open("rb") as file:
            data = file.read(LONGEST_QUERY + 1)
        if len(data) > LONGEST_QUERY:
            raise BadValue(f"{text}: has more than {LONGEST_QUERY >> 20} MB: is it a query?")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise BadValue(f"{text}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise BadValue(f"{text}: is not UTF-8 text") from None


def parse_function(value: Any) -> Any:
    """Read a function."""
    if not callable(value):
        raise BadValue(f"is {value!r}; expected a function")
    return value


# ---------------------------------------------------------------------------- limits and ranges


class Rate(NamedTuple):
    """`calls` in every `seconds`."""

    calls: float
    seconds: float

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "min", 3600.0: "h"}.get(self.seconds, f"{self.seconds:g}s")
        return f"{self.calls:g}/{unit}"


class PlanRate(Rate):
    """The limit of one of Interakt's plans, which was declared by its name."""

    plan: str

    def __new__(cls, plan: str, calls: float, seconds: float) -> PlanRate:
        """Return the limit of a plan."""
        made = super().__new__(cls, calls, seconds)
        made.plan = plan
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what makes a copy."""
        return (self.plan, *self)


PLAN_RATES = {"growth": PlanRate("growth", 300, 60), "advanced": PlanRate("advanced", 600, 60)}
"""Calls that Interakt's plans allow [doc]."""

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


def parse_rate(given: Any) -> Rate | Literal["auto"] | None:
    """Read `"300/min"`, `"10/s"`, `"growth"`, `"advanced"`, `"auto"` or `"none"`; None means no limit."""
    if given is None or isinstance(given, Rate):
        return given
    if not isinstance(given, str):
        raise BadValue(f"is {given!r}; expected text such as '300/min', or None")
    word = given.strip().lower()
    if word in ("none", "auto"):
        return "auto" if word == "auto" else None
    if word in PLAN_RATES:
        return PLAN_RATES[word]
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*([a-z]+)", word)
    if match is None or match[2] not in _SECONDS or float(match[1]) <= 0:
        near = did_you_mean(word, ["auto", "none", *PLAN_RATES])
        raise BadValue(
            f"is {given!r}; expected auto, none, growth, advanced, or calls in a time such as 300/min or 10/s{near}"
        )
    return Rate(float(match[1]), float(_SECONDS[match[2]]))


class Failures(NamedTuple):
    """How many rows may fail: a number of rows, or a part of them from 0 to 1."""

    rows: float = float("inf")
    share: float = 1.0

    def __str__(self) -> str:
        return f"{self.share * 100:g}%" if self.rows == float("inf") else f"{self.rows:g}"


def parse_failures(given: Any) -> Failures:
    """Read `20`, `"20"` or `"5%"`."""
    if isinstance(given, Failures):
        return given
    match = None if isinstance(given, bool) else re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(given))
    if match is not None and match[2] and float(match[1]) <= 100:
        return Failures(share=float(match[1]) / 100)
    if match is not None and match[1].isdigit() and not match[2]:
        return Failures(rows=int(match[1]))
    raise BadValue(f"is {given!r}; expected a whole number of rows, or a share such as 5%")


class RowRange(NamedTuple):
    """The first row to read, counted from 0, and the first one not to read any more; None: to the end."""

    first: int = 0
    end: int | None = None

    def __str__(self) -> str:
        return f"{self.first}:{'' if self.end is None else self.end}"


def parse_rows(given: Any) -> RowRange:
    """Read `"1000:2000"`, `"1000:"` or `":50"`."""
    if isinstance(given, RowRange):
        return given
    first, colon, end = map(str.strip, str(given).partition(":"))
    is_good = colon and (first or end) and all(re.fullmatch(r"\d{0,18}", number) for number in (first, end))
    if not is_good or (end and int(first or 0) >= int(end)):
        raise BadValue(f"is {given!r}; expected the first row and the one after the last, such as 1000:2000")
    return RowRange(int(first or 0), int(end) if end else None)


# ---------------------------------------------------------------------------- names and files

_RESERVED = r"(?is)(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*)?"
"""What Windows keeps for devices, with any ending."""

_NOT_IN_NAMES = r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]'

_LONGEST_NAME = 200
"""Bytes of a load's name: with its endings a file's name may have 255."""


def parse_name(given: Any) -> str:
    """Read a load's name. Its files are called by it, so it must be possible in a file's name on every system."""
    if not isinstance(given, str):
        raise BadValue(f"is {given!r}; expected text, such as 'orders'")
    if not given.strip():
        why = "is blank"
    elif found := re.search(_NOT_IN_NAMES, given):
        why = f"holds {found[0]!r}"
    elif given.endswith("."):
        why = "ends with a dot"
    elif given.strip(" ") != given:
        why = "begins or ends with a space"
    elif re.fullmatch(_RESERVED, given):
        why = "is reserved for a device by Windows"
    elif len(given.encode()) > _LONGEST_NAME:
        why = f"has more than {_LONGEST_NAME} bytes"
    else:
        return given
    raise BadValue(f"{given[:60]!r} {why}; expected a part of a file's name, such as 'orders'")


def parse_path(given: Any) -> Any:
    """Read the path of a file."""
    if not isinstance(given, (str, PathLike)):
        raise BadValue(f"has the type {type(given).__name__}; expected the path of a file")
    if given == "":
        raise BadValue("is empty; expected the path of a file")
    return given


def parse_failures_path(given: Any) -> Any:
    """Read the path of a failures file, which is CSV."""
    if not str(parse_path(given)).lower().endswith(".csv"):
        raise BadValue(f"{given}: expected a name ending in .csv")
    return given


# ---------------------------------------------------------------------------- addresses and keys

_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]+)(?::/|::)"
"""What an address begins with. One letter is a drive of Windows. Hadoop and Spark also write `hdfs:/path`."""

_OF_THIS_MACHINE = r"(?i)file:(?://(?:localhost)?(?=/)|(?=/(?!/)))"


def is_address(given: str) -> bool:
    """Tell whether a path has a scheme, as in `s3://bucket/x`, `dbfs:/x`, `file:///x` or `zip://a.csv::https://…`."""
    return re.match(_SCHEME, given) is not None


def local_path(given: str) -> str | None:
    """Return the path of this machine that a path or `file:` address means; None if it is on another one."""
    if not is_address(given):
        return given
    scheme = re.match(_OF_THIS_MACHINE, given)
    return None if scheme is None else given[scheme.end() :]


def parse_base_url(url: Any) -> str:
    """Read the API's address. Refuse one over which the key would travel unencrypted."""
    from urllib.parse import urlsplit

    if "@" in str(url):
        raise BadValue(f"holds a user name or password, or another @; the key goes into {option('api_key')}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # a blank or a backslash makes other programs read another host out of it
        is_whole = url.isprintable() and not set(url) & set(" \\")
    except (ValueError, AttributeError, TypeError):
        raise BadValue(f"is {url!r}; expected an address such as {BASE_URL}") from None
    if parts.scheme not in ("http", "https") or not host or not is_whole:
        raise BadValue(f"is {url!r}; expected an address such as {BASE_URL}")
    if parts.query or parts.fragment:
        raise BadValue(f"is {re.split('[?#]', url)[0]!r} and more; expected an address without ? or #")
    if parts.scheme == "http" and not is_this_machine(host):
        raise BadValue(
            f"is {url!r}: over http:// the key would travel unencrypted; use https:// "
            "(http:// is for this machine only)"
        )
    return str(url)


def is_this_machine(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_SHARES = "sqlite:///PATH (for this machine) or redis://HOST:PORT/NUMBER (for several)"
"""The forms of a shared limit's address."""


def parse_share(share: Any) -> Secret:
    """Read the address of a shared limit."""
    if not isinstance(share, Secret):
        place = secret_place(share)
        share = share if place is None else hidden_share(_read_from(place).reveal())
    if not isinstance(share, Secret):
        # it may hold a password, as a dict with an address does
        raise BadValue(f"has the type {type(share).__name__}; expected {_SHARES}, or {PLACES}")
    if not _is_a_share(share.reveal()):
        raise BadValue(f"is '{share}'; expected {_SHARES}")
    return share


def _is_a_share(share: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(share)
        is_file = parts.scheme == "sqlite" and not parts.netloc and parts.path.strip("/")
        is_server = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:
        # such as a port that is no number
        return False
    return bool(is_file or is_server) and share.isprintable()


def shown_share(share: str) -> str:
    """Return a share's address without a password that it may hold, before an @ or after a ?."""
    if share.startswith("sqlite:"):
        return share
    scheme, slashes, rest = share.partition("//")
    address, mark, _ = f"{scheme}{slashes}{rest.rpartition('@')[2]}".partition("?")
    return f"{address}?…" if mark else address


def hidden_share(share: Any) -> Any:
    """Return a share's address as a `Secret` that shows all but the password; anything else as it is.

    Nothing is shown of a text that is no address: it may be the key, given by mistake.
    """
    if not isinstance(share, str):
        return share
    return Secret(share, shown_share(share) if "://" in share and share.isprintable() else DOTS)


def hide_secrets(options: MutableMapping[str, Any]) -> None:
    """Put `Secret`s in the place of the options that are or hold one.

    In place, and first of all: a traceback with locals shows the keyword arguments of every function on the way.
    """
    for name, hide in (("api_key", hidden), ("old_api_key", hidden), ("share", hidden_share)):
        if name in options:
            options[name] = hide(options[name])


def parse_key(key: Secret) -> Secret:
    """Refuse a key that cannot be one; the message never holds it."""
    if not isinstance(key.reveal(), str):
        place = secret_place(key)
        key = key if place is None else _read_from(place)
    kind = type(key.reveal())
    if not issubclass(kind, str):
        raise BadValue(f"has the type {kind.__name__}; expected text, {PLACES}")
    if not _can_be_a_key(key.reveal().strip()):
        raise BadValue(f"is blank or holds characters that no key has; copy the key from {KEY_PLACE}")
    return key


def _read_from(place: SecretPlace) -> Secret:
    try:
        return read_secret(place)
    except SettingsError as error:
        raise BadValue(f"cannot be read: {error}") from None


def _can_be_a_key(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()
