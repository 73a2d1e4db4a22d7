"""The text of a mapping file → plain values: YAML, TOML or JSON, whatever is in it, in bounded time and memory. Pure.

A few lines of YAML can stand for more values than any machine holds, each form can be nested deeper than its parser
goes, and two of them let a key be written twice and keep the second. None of that is a mapping.

YAML, safe and bounded: no tags that make objects, each key once, and no merges that grow without end.

Mappings in files: YAML, TOML or JSON, by the ending.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.constructor import ConstructorError

from interakt_loader.errors import MappingError
from interakt_loader.mapping.spec import Mapping
from interakt_loader.privacy.text import printable

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

    try:
        return loads(text)
    except (RecursionError, ValueError):
        raise
    except YAMLError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever PyYAML raises for an untrue tag: `!!bool maybe`
        raise ValueError(f"a value is not what its tag says ({type(error).__name__})") from None


MOST_MERGED = 10_000
"""Pairs that `<<` may copy in a file: a dozen lines of merges of merges make billions."""

LONGEST_NUMBER = 100
"""Characters."""

_MERGE = "tag:yaml.org,2002:merge"


def loads(text: str) -> Any:
    """Return what a YAML text says. Raises `yaml.YAMLError`, and what its constructors raise for untrue tags."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


class _Loader(yaml.SafeLoader):
    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._flat: set[int] = set()  # the ids of nodes that hold no merge any more; a cycle of merges ends here
        self._merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put the pairs that `<<` names in its place."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        self._check_keys(node)
        for key, value in node.value:
            if key.tag == _MERGE:
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(one, yaml.MappingNode):
                        self.flatten_mapping(one)
                        self._merged += len(one.value)
                        if self._merged > MOST_MERGED:
                            raise ConstructorError(None, None, "merges (<<) that copy too much", node.start_mark)
        super().flatten_mapping(node)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Read a whole number; one in base 60, as `1:30` is, takes the square of its length."""
        _check_digits(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Likewise of a fraction."""
        _check_digits(node)
        return super().construct_yaml_float(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add((key.tag, key.value))


def _check_digits(node: yaml.ScalarNode) -> None:
    if len(node.value) > LONGEST_NUMBER:
        raise ConstructorError(None, None, f"a number of more than {LONGEST_NUMBER} characters", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


ENDINGS = (".yaml", ".yml", ".toml", ".json")

LONGEST = 262_144
"""Bytes of a mapping file; one of a thousand traits has a tenth of that."""

LONGEST_REASON = 500
"""Characters that are said about a file that is no mapping."""


CONFIRMED = "confirmed"
"""A key that only files have: false in a proposal that nobody has confirmed."""


class MappingFile(NamedTuple):
    """What a mapping file says."""

    mapping: Mapping
    confirmed: bool
    """False only where the file says so."""


def read_mapping(given: Any) -> Mapping:
    """Return the mapping that is given as a `Mapping`, a dict or a path to a YAML, TOML or JSON file."""
    if isinstance(given, (str, Path)):
        return read_mapping_file(Path(given)).mapping
    return Mapping.of(given)


def read_mapping_file(path: Path) -> MappingFile:
    """Return the mapping in a file, and whether it is confirmed. Raises `MappingError` that names the file."""
    if path.suffix.lower() not in ENDINGS:
        raise MappingError(f"mapping {path}: expected a file ending in {', '.join(ENDINGS)}")
    try:
        written = parsed(path.suffix.lower(), _read(path))
    except OSError as error:
        raise MappingError(f"mapping {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise MappingError(f"mapping {path}: is not UTF-8 text") from None
    except ValueError as error:
        raise MappingError(f"mapping {path}: is not {path.suffix[1:].upper()}: {_in_short(error)}") from None
    confirmed = written.pop(CONFIRMED, True) if isinstance(written, dict) else True
    if not isinstance(confirmed, bool):
        raise MappingError(f"mapping {path}: {CONFIRMED} is {_in_short(repr(confirmed))}; expected true or false")
    try:
        return MappingFile(Mapping.of(written), confirmed)
    except MappingError as error:
        raise MappingError(f"mapping {path}: {_in_short(error)}") from None


def _read(path: Path) -> str:
    """Return the text of a file, if that is what it is: a pipe's end may never come, and a device has none."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise MappingError(f"mapping {path}: is {'a directory' if stat.S_ISDIR(mode) else 'no regular file'}")
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise MappingError(f"mapping {path}: has more than {LONGEST // 1024} KB; is it a table?")
    return data.decode("utf-8-sig")


def _in_short(error: object) -> str:
    """Return an error's words in one line, whatever it quotes of the file: what is wrong is said before or after."""
    said = printable(" ".join(str(error).split()))
    half = LONGEST_REASON // 2
    return said if len(said) <= LONGEST_REASON else f"{said[: half - 1]}…{said[-half:]}"
