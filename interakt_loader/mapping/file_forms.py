"""The text of a mapping file → plain values: YAML, TOML or JSON, whatever is in it, in bounded time and memory. Pure.

A few lines of YAML can stand for more values than any machine holds, each form can be nested deeper than its parser
goes, and two of them let a key be written twice and keep the second. None of that is a mapping.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
from collections.abc import Callable
from typing import Any

MOST_VALUES = 50_000
"""Values that a file may hold, with what its aliases stand for. Of a long text each `LONG` characters count."""

LONG = 64

DEEPEST = 20
"""Levels of lists and dicts in each other."""

MOST_BITS = 64
"""Of a whole number."""

MOST_DOTS = 100
"""On a line of TOML: a key `a.b.c` takes the square of its parts, in memory too, and 128,000 of them all there is."""


def parsed(ending: str, text: str) -> Any:
    """Return what a text with this file ending says: dicts, lists and plain values. Raises `ValueError` in one line."""
    parse: Callable[[str], Any] = {".json": _json, ".toml": _toml}.get(ending, _yaml)
    try:
        written = parse(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_values(written)
    return written


def check_values(written: Any) -> None:
    """Raise `ValueError` if there is too much of it, if it contains itself, or if a value is of no use in a mapping."""
    waiting, values = [(written, 0)], 1
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (dict, list)):
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} levels deep")
            values += len(value) * (2 if isinstance(value, dict) else 1)
            if values <= MOST_VALUES:
                inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
                waiting += [(one, depth + 1) for one in inner]
        elif isinstance(value, str):
            values += len(value) // LONG
        else:
            _check_plain(value)
        if values > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values, aliases counted each time")


def _check_plain(value: Any) -> None:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError(f"a whole number has more than {MOST_BITS} bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    if value is not None and not isinstance(value, (int, float, dt.date, dt.time)):
        raise ValueError(f"a value is a {type(value).__name__}")


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_number)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"{key!r} is there twice")
        made[key] = value
    return made


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # pragma: no cover - Python 3.10; `make test-lowest` runs it
        import tomli as tomllib
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {MOST_DOTS} dots")
    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    from yaml import YAMLError

    from interakt_loader.mapping.yaml_text import loads

    try:
        return loads(text)
    except (RecursionError, ValueError):
        raise
    except YAMLError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever PyYAML raises for an untrue tag: `!!bool maybe`
        raise ValueError(f"a value is not what its tag says ({type(error).__name__})") from None
