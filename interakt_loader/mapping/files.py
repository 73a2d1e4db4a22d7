"""Mapping and project files in YAML, TOML or JSON, read in bounded time and memory whatever is in them.

A few lines of YAML can stand for more values than any machine holds. Each format can be nested deeper than its parser
goes. YAML and JSON let a key be written twice, and keep the second. All of that is refused.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import stat
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from interakt_loader.errors import MappingError, UsageError
from interakt_loader.mapping.spec import Mapping
from interakt_loader.privacy.text import printable
from interakt_loader.values import type_shown

if TYPE_CHECKING:
    import yaml

ENDINGS = (".yaml", ".yml", ".toml", ".json")

CONFIRMED = "confirmed"
"""A key that only files have: false in a proposal that nobody has confirmed."""

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "mapping.json"
"""The JSON Schema of these files, made by `tests.schemas`. The first line of a proposal names it for editors."""

LONGEST = 262_144
"""Bytes of a mapping file; one of a thousand traits has a tenth of that."""

LONGEST_REASON = 500
"""Characters of the reason why a file is no mapping."""

LONGEST_MISTAKES = 5_000
"""Characters of the message with all mistakes of a mapping."""


class MappingFile(NamedTuple):
    """The content of a mapping file."""

    mapping: Mapping
    confirmed: bool
    """False only if the file has `confirmed: false`."""


def read_mapping(given: Any) -> Mapping:
    """Return the mapping that is given as a `Mapping`, a dict or a path to a YAML, TOML or JSON file."""
    if isinstance(given, (str, Path)):
        return read_mapping_file(Path(given)).mapping
    return Mapping.of(given)


def read_mapping_file(path: Path) -> MappingFile:
    """Return the mapping in a file, and whether it is confirmed. Raises `MappingError` that names the file."""
    written = read_written(path, "mapping", MappingError)
    confirmed = written.pop(CONFIRMED, True) if isinstance(written, dict) else True
    if not isinstance(confirmed, bool):
        raise MappingError(f"mapping {path}: {CONFIRMED} is {_in_short(repr(confirmed))}; expected true or false")
    try:
        return MappingFile(Mapping.of(written), confirmed)
    except MappingError as error:
        raise MappingError(f"mapping {path}: {_in_short(error, LONGEST_MISTAKES)}") from None


def read_written(path: Path, called: str, error: type[UsageError]) -> Any:
    """Return what a file holds: dicts, lists and scalars. Raises `error`, which names the file as `called`."""
    form = path.suffix.lower()
    if form not in ENDINGS:
        raise error(f"{called} {path}: expected a file ending in {', '.join(ENDINGS)}")
    try:
        return parsed(form, _read(path))
    except OSError as why:
        raise error(f"{called} {path}: {(why.strerror or str(why)).lower()}") from None
    except UnicodeDecodeError:
        raise error(f"{called} {path}: is not UTF-8 text") from None
    except _NoText as why:
        raise error(f"{called} {path}: {why}") from None
    except ValueError as why:
        raise error(f"{called} {path}: is not {form[1:].upper()}: {_in_short(why)}") from None


class _NoText(ValueError):
    """A path that is no file to read as text."""


def _read(path: Path) -> str:
    """Return the text of a regular file; a pipe or a device may never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise _NoText(f"is {'a directory' if stat.S_ISDIR(mode) else 'no regular file'}")
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise _NoText(f"has more than {LONGEST // 1024} KB; is it a table?")
    return data.decode("utf-8-sig")


def _in_short(error: object, longest: int = LONGEST_REASON) -> str:
    """Return an error's message in one line, without its middle if it is long."""
    message = printable(" ".join(str(error).split()))
    half = longest // 2
    return message if len(message) <= longest else f"{message[: half - 1]}…{message[-half:]}"


# ------------------------------------------------------------------ any text

MOST_VALUES = 50_000
"""Values that a file may hold; what an alias stands for counts each time. A text counts once for each `LONG` of it."""

LONG = 64
"""Characters."""

DEEPEST = 20
"""Levels of lists and dicts in each other."""

MOST_BITS = 64
"""Of a whole number."""


def parsed(ending: str, text: str) -> Any:
    """Return the dicts, lists and scalars of a text with this file ending. Raises `ValueError` in one line."""
    parse: Callable[[str], Any] = {".json": _json, ".toml": _toml}.get(ending, _yaml)
    try:
        written = parse(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_values(written)
    return written


def check_values(written: Any) -> None:
    """Raise `ValueError` if there are too many values, if one contains itself, or if a mapping has no use for one."""
    waiting, values = [(written, 0)], 1
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (dict, list)):
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} levels deep")
            values += len(value) * (2 if isinstance(value, dict) else 1)
            if values <= MOST_VALUES:
                inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
                waiting += [(item, depth + 1) for item in inner]
        elif isinstance(value, str):
            values += len(value) // LONG
        else:
            _check_scalar(value)
        if values > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values, aliases counted each time")


def _check_scalar(value: Any) -> None:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError(f"a whole number has more than {MOST_BITS} bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    if value is not None and not isinstance(value, (int, float, dt.date, dt.time)):
        raise ValueError(f"a value is {type_shown(value)}")


# ------------------------------------------------------------------ JSON and TOML

MOST_DOTS = 100
"""On a line of TOML. A key `a.b.c` takes time and memory by the square of its parts: 128,000 parts take all memory."""


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


# ------------------------------------------------------------------ YAML

MOST_MERGED = 10_000
"""Pairs that `<<` may copy in a file: a dozen lines of merges of merges make billions."""

LONGEST_NUMBER = 100
"""Characters. A number in base 60, such as `1:30`, takes time by the square of its length."""

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, _loader())  # noqa: S506 - a SafeLoader
    except (RecursionError, ValueError):
        raise
    except yaml.MarkedYAMLError as error:
        what, mark = ", ".join(filter(None, (error.context, error.problem))), error.problem_mark
        raise ValueError(what if mark is None else f"{what} (line {mark.line + 1}, column {mark.column + 1})") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace('in "<unicode string>", ', "")) from None
    except Exception as error:  # noqa: BLE001 - PyYAML raises any error for an untrue tag, such as `!!bool maybe`
        raise ValueError(f"a value is not what its tag says ({type(error).__name__})") from None


@cache
def _loader() -> type[yaml.SafeLoader]:
    """Return the class that reads mapping files. PyYAML is imported only where a file is read."""
    import yaml
    from yaml.constructor import ConstructorError

    class Loader(yaml.SafeLoader):
        """PyYAML's safe loader, with each key once, bounded merges and short numbers."""

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            # the ids of nodes whose merges are done, so that a cycle of merges ends
            self._flat: set[int] = set()
            self._merged = 0

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Replace `<<` by the pairs that it names."""
            if id(node) in self._flat:
                return
            self._flat.add(id(node))
            _check_keys(node)
            for key, value in node.value:
                if key.tag == _MERGE:
                    for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                        if isinstance(merged, yaml.MappingNode):
                            self.flatten_mapping(merged)
                            self._merged += len(merged.value)
                            if self._merged > MOST_MERGED:
                                raise ConstructorError(None, None, "merges (<<) that copy too much", node.start_mark)
            super().flatten_mapping(node)

        def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
            """Return a scalar's text, if it is not a number of too many characters."""
            if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
                reason = f"a number of more than {LONGEST_NUMBER} characters"
                raise ConstructorError(None, None, reason, node.start_mark)
            return super().construct_scalar(node)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
            """Return a dict with its keys as they are written: YAML would make true of `Yes`, and 1 of `01`."""
            self.flatten_mapping(node)
            for at, (key, value) in enumerate(node.value):
                if isinstance(key, yaml.ScalarNode) and key.tag != _TEXT:
                    node.value[at] = (yaml.ScalarNode(_TEXT, key.value, key.start_mark, key.end_mark), value)
            return super().construct_mapping(node, deep=deep)

    def _check_keys(node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add(key.value)

    return Loader
