"""The project file as a person writes it, checked without looking at any other file. Pure.

Each mistake begins with its place, such as `loads.orders.rate_limit`. They are collected, so that one message has all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from interakt_loader.privacy.secret_places import PLACES, SecretPlace, secret_place
from interakt_loader.settings import Settings
from interakt_loader.settings.values import BadValue, did_you_mean, hidden_share, parse_name
from interakt_loader.values import type_shown

OPTIONS = {one.name: one for one in fields(Settings)}

ACCOUNT = (
    "base_url",
    "timeout",
    "max_retries",
    "max_queue_size",
    "workers",
    "rate_limit",
    "share",
    "max_outage",
    "same_account",
)
"""The options of the account. They hold for all loads."""

KEYS = ("key", "old_key")
"""Where the account's keys are."""

_OF_ACCOUNT = {"api_key": "the key is given as account.key, in the form {env: NAME} or {file: PATH}"}

_ELSEWHERE = {
    "api_key": "the key is given as account.key",
    "old_api_key": "the old key is given as account.old_key",
    "base_url": "all loads go to one address: give account.base_url",
    "name": "the load's key in the file is its name",
    "on_error": "it is for Python only",
}
"""Options that no load has, and why."""

LOAD_OPTIONS = tuple(name for name in OPTIONS if name not in _ELSEWHERE)
LOAD = ("source", "mapping", "after", *LOAD_OPTIONS)
"""The keys of a load."""

TOP = ("account", "defaults", "loads")

_KINDS = {
    "bool": ("boolean",),
    "int": ("integer",),
    "float": ("number",),
    "Failures": ("integer", "string"),
    "tuple": ("array", "string"),
}
"""How a file writes the values of an option, by the type of its parsed value. Any other one is text."""

_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list of texts",
    "string": "text",
}


def kinds_of(option: Field[Any]) -> tuple[str, ...]:
    """Return the JSON types that an option's values have in a file."""
    if option.name == "sheet":
        return ("integer", "string")
    found = re.match(r"\w+", str(option.type))
    return _KINDS.get(found[0] if found else "", ("string",))


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, str)


@dataclass(frozen=True)
class WrittenLoad:
    """One load, as far as it could be read."""

    name: str
    sources: tuple[str, ...] = ()
    """Paths and addresses; `env:NAME` is what the variable holds."""
    mapping: Any = None
    """A dict, a path or `preset:NAME`; None: there is none."""
    after: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Its own, and those of `defaults` and `account`."""


@dataclass(frozen=True)
class WrittenProject:
    """A project, as far as it could be read."""

    keys: Mapping[str, SecretPlace] = field(default_factory=dict)
    """By `key` and `old_key`."""
    account: Mapping[str, Any] = field(default_factory=dict)
    loads: tuple[WrittenLoad, ...] = ()


class Mistakes(list[str]):
    """Collects mistakes, each a line that begins with its place."""

    def at(self, place: str, text: object) -> None:
        """Add a mistake."""
        self.append(f"{place}: {' '.join(str(text).split())}")


def read(written: Any, mistakes: Mistakes) -> WrittenProject:
    """Return the project in what a file holds, and add its mistakes."""
    if not isinstance(written, dict):
        given = "is empty" if written is None else f"is {type_shown(written)}"
        mistakes.append(f"the file {given}; expected {', '.join(TOP)}")
        return WrittenProject()
    _unknown("", written, TOP, mistakes)
    account = _table("account", written.get("account", {}), mistakes)
    _unknown("account.", account, (*KEYS, *ACCOUNT), mistakes, _OF_ACCOUNT)
    keys = {name: place for name in KEYS if (place := _key(f"account.{name}", account.get(name), mistakes))}
    options = _options("account.", account, ACCOUNT, mistakes)
    defaults = _table("defaults", written.get("defaults", {}), mistakes)
    _unknown("defaults.", defaults, LOAD_OPTIONS, mistakes, _ELSEWHERE)
    shared = options | _options("defaults.", defaults, LOAD_OPTIONS, mistakes)
    loads = _table("loads", written.get("loads"), mistakes)
    if loads == {} and not any(one.startswith("loads:") for one in mistakes):
        mistakes.at("loads", "there is none; expected at least one load")
    found = tuple(_load(name, one, shared, mistakes) for name, one in loads.items())
    _check_order(found, mistakes)
    return WrittenProject(keys, options, found)


def _table(place: str, written: Any, mistakes: Mistakes) -> dict[str, Any]:
    if isinstance(written, dict):
        return written
    mistakes.at(place, "is missing or empty" if written is None else f"is {type_shown(written)}; expected a table")
    return {}


def _unknown(
    place: str, written: Iterable[str], known: Sequence[str], mistakes: Mistakes, why: Mapping[str, str] | None = None
) -> None:
    for key in written:
        if key not in known:
            reason = (why or {}).get(key)
            mistakes.at(f"{place}{key}", f"no such key here{did_you_mean(key, known)}" if reason is None else reason)


def _key(place: str, written: Any, mistakes: Mistakes) -> SecretPlace | None:
    """Return where a key is. What is written is never shown: it may be the key."""
    if written is None:
        return None
    found = secret_place(written)
    if found is not None:
        return found
    text = "a key is not written into the file, because others can read it; " if isinstance(written, str) else ""
    mistakes.at(place, f"{text}expected {PLACES}")
    return None


def _options(place: str, written: Mapping[str, Any], known: Sequence[str], mistakes: Mistakes) -> dict[str, Any]:
    """Return the options with values that can be used, as they are written."""
    good = {}
    for name in known:
        if name in written and name in OPTIONS:
            wrong = _wrong_value(OPTIONS[name], written[name])
            if wrong is None:
                good[name] = written[name]
            else:
                mistakes.at(f"{place}{name}", wrong)
    return good


def _wrong_value(option: Field[Any], value: Any) -> str | None:
    kinds = kinds_of(option)
    if not any(_is(kind, value) for kind in kinds):
        given = "is empty" if value is None else f"is {value!r}"
        quotes = ", in quotes" if kinds == ("string",) and value is not None else ""
        return f"{given}; expected {' or '.join(_WORDS[kind] for kind in kinds)}{quotes}"
    # the parser of a query reads its file
    if option.name != "query" and option.metadata["parse"] is not None:
        try:
            option.metadata["parse"](hidden_share(value) if option.name == "share" else value)
        except BadValue as error:
            return str(error)
    return None


def _load(name: str, written: Any, shared: Mapping[str, Any], mistakes: Mistakes) -> WrittenLoad:
    place = f"loads.{name}"
    try:
        parse_name(name)
    except BadValue as error:
        mistakes.at(place, f"the name {error}")
    table = _table(place, written, mistakes)
    if not isinstance(written, dict):
        return WrittenLoad(name)
    _unknown(f"{place}.", table, LOAD, mistakes, _ELSEWHERE)
    mapping = table.get("mapping")
    if "mapping" in table and not isinstance(mapping, dict) and not (isinstance(mapping, str) and mapping):
        mistakes.at(f"{place}.mapping", f"is {mapping!r}; expected a table, a file or preset:NAME")
        mapping = None
    return WrittenLoad(
        name,
        tuple(_sources(f"{place}.source", table.get("source"), mistakes)),
        mapping,
        tuple(_after(f"{place}.after", table.get("after", []), mistakes)),
        {**shared, **_options(f"{place}.", table, LOAD_OPTIONS, mistakes)},
    )


def _sources(place: str, written: Any, mistakes: Mistakes) -> Iterator[str]:
    listed = written if isinstance(written, list) else [written]
    for one in listed:
        if isinstance(one, dict) and [*one] == ["env"] and isinstance(one["env"], str):
            yield f"env:{one['env']}"
        elif isinstance(one, str) and one not in ("", "-"):
            yield one
        else:
            given = "is missing" if one is None else "is standard input" if one == "-" else f"is {type_shown(one)}"
            mistakes.at(place, f"{given}; expected a path, an address, {{env: NAME}}, or a list of these")
    if not listed:
        mistakes.at(place, "is an empty list")


def _after(place: str, written: Any, mistakes: Mistakes) -> Iterator[str]:
    for one in written if isinstance(written, list) else [written]:
        if isinstance(one, str):
            yield one
        else:
            mistakes.at(place, f"is {one!r}; expected the name of a load, or a list of names")


def _check_order(loads: Sequence[WrittenLoad], mistakes: Mistakes) -> None:
    names = [one.name for one in loads]
    after = {one.name: one.after for one in loads}
    for at, load in enumerate(loads):
        for other in load.after:
            place = f"loads.{load.name}.after"
            if other not in after:
                mistakes.at(place, f"there is no load {other!r}{did_you_mean(other, names)}")
            elif other == load.name:
                mistakes.at(place, "a load cannot be after itself")
            elif names.index(other) > at:
                circle = load.name in _before(other, after)
                why = f"{other!r} is after {load.name!r}, too" if circle else f"{other!r} is further down"
                mistakes.at(place, f"{why}; loads run in the order of the file")


def _before(name: str, after: Mapping[str, Sequence[str]]) -> set[str]:
    """Return all loads that a load is after, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = set(after.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
