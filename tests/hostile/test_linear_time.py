"""Work on a text grows with its length and not with the square of it, whatever stands in the text.

Held to this are every regular expression of the package, called as the package calls it, and the functions that
read text. RE2, which Arrow uses, is linear by design.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

import interakt_loader
from interakt_loader import MappingDict, check
from interakt_loader.privacy.text import masked, printable
from interakt_loader.sources.text import guess
from tests.growth import grows_too_fast
from tests.thorough import IS_LONG

OPERATIONS = ("match", "fullmatch", "search", "findall", "finditer", "sub", "split")

LETTERS = [*" 0aZe.,;-+()[]\"'@\\\n\t/:|_%#*=?<>$x", "é", "\u00a0", "\u0966", "\udc80"]
FEW = [" ", "0", "a", "'", ".", "@", "-", '"', "\n", "e", ","]

LOOKED_PAST = ("sandbox", "integrations")
"""The sandbox reads what the client sends; the integrations have no patterns of their own."""


class Use(NamedTuple):
    """One pattern, and how it is called."""

    where: str
    pattern: re.Pattern[Any]
    operation: str


def modules() -> Iterator[tuple[str, ast.Module, dict[str, Any]]]:
    for found in pkgutil.walk_packages(interakt_loader.__path__, "interakt_loader."):
        room = found.name.split(".")[1]
        if room in LOOKED_PAST or found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        yield found.name, ast.parse(source), vars(module)


def uses() -> list[Use]:
    """Return every pattern of the package with each operation that it is called with."""
    every = [*modules()]
    called: dict[tuple[str, str], set[str]] = {}  # by the module and the name that a pattern has where it is called
    found: dict[tuple[str, str], Use] = {}
    named: list[tuple[str, str, re.Pattern[Any]]] = []
    for module, tree, names in every:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            operation, owner = node.func.attr, node.func.value
            if operation not in OPERATIONS:
                continue
            if isinstance(owner, ast.Name) and owner.id == "re":
                pattern = _evaluated(node, names)
                if pattern is not None:
                    where = f"{module}:{node.lineno}:{node.col_offset}"
                    found[where, operation] = Use(where, pattern, operation)
            elif isinstance(owner, ast.Name | ast.Attribute):
                name = owner.id if isinstance(owner, ast.Name) else owner.attr
                called.setdefault((module, name), set()).add(operation)
        named += [(module, name, pattern) for name, value in names.items() for pattern in _patterns(value)]
    for module, name, pattern in named:
        elsewhere = set().union(*(how for (_, called_so), how in called.items() if called_so == name))
        # of those in tables: as tables are used
        for operation in sorted(called.get((module, name)) or elsewhere or {"match", "fullmatch"}):
            found.setdefault((pattern.pattern, operation), Use(f"{module}.{name}", pattern, operation))
    return sorted(found.values(), key=lambda use: (use.where, use.operation, use.pattern.pattern))


def _evaluated(call: ast.Call, names: dict[str, Any]) -> re.Pattern[Any] | None:
    """Return the pattern of such as `re.sub(r"…", …)`; None for one that is made at run time."""
    flags = [one.value for one in call.keywords if one.arg == "flags"]
    at = {"sub": 4, "split": 3}.get(call.func.attr, 2) if isinstance(call.func, ast.Attribute) else 2
    flags += call.args[at : at + 1]
    try:
        made = [eval(compile(ast.Expression(one), "", "eval"), dict(names)) for one in (call.args[0], *flags)]
    except NameError:
        return None
    return re.compile(*made)


def _patterns(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _patterns(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _patterns(one)


USES = uses()


def texts(units: Iterable[str], starts: tuple[str, ...] = ("", "'")) -> Iterator[tuple[str, Callable[[int], str]]]:
    """Yield makers of texts of a length: a unit over and over, between a start and an end that prevent a match."""
    for unit, start, end in itertools.product(units, starts, ("", "\1")):

        def made(size: int, start: str = start, unit: str = unit, end: str = end) -> str:
            return start + unit * (size // len(unit)) + end

        yield f"{start!r} {unit!r}… {end!r}", made


def units() -> Iterator[str]:
    """Yield what is repeated: single characters, pairs, and triples."""
    yield from LETTERS
    yield from map("".join, itertools.product(LETTERS if IS_LONG else FEW, repeat=2))
    yield from map("".join, itertools.product(FEW if IS_LONG else FEW[:6], repeat=3))


@pytest.mark.parametrize("use", USES, ids=[f"{use.where}-{use.operation}" for use in USES])
def test_a_pattern_takes_time_in_proportion(use: Use) -> None:
    """For any character, pair and triple repeated, also where the end prevents the match."""

    def work(make: Callable[[int], str]) -> Callable[[int], Callable[[], object]]:
        call = getattr(use.pattern, use.operation)

        def sized(size: int) -> Callable[[], object]:
            text: Any = make(size)
            if isinstance(use.pattern.pattern, bytes):
                text = text.encode("utf-8", "surrogateescape")
            if use.operation == "sub":
                return lambda: call(text[:0], text)
            return lambda: list(call(text)) if use.operation == "finditer" else call(text)

        return sized

    slow = next((name for name, make in texts(units()) if grows_too_fast(work(make))), None)
    assert slow is None, f"{use.pattern.pattern!r} takes the square of the time"


def test_no_pattern_is_missed() -> None:
    """The walk over the modules finds those that stand for themselves, in tables and in calls."""
    found = {use.where.removeprefix("interakt_loader.").partition(":")[0] for use in USES}
    assert {"privacy.text", "sources.csv._ADDRESS", "identity.countries", "settings.values"} <= found
    assert len(USES) > 60


def one_cell(**columns: str) -> pa.Table:
    return pa.table({"id": ["1"]} | {name: [value] for name, value in columns.items()})


def checked(mapping: MappingDict, make: Callable[[int], str]) -> Callable[[int], Callable[[], object]]:
    def sized(size: int) -> Callable[[], object]:
        table = one_cell(cell=make(4 * size).encode("utf-8", "replace").decode())
        return lambda: check(table, {"user_id": "id"} | mapping, progress=False)

    return sized


FUNCTIONS: dict[str, Callable[[Callable[[int], str]], Callable[[int], Callable[[], object]]]] = {
    "phone": lambda make: checked({"phone": "cell"}, make),
    "country": lambda make: checked({"phone": {"value": "9876543210"}, "country_code": "cell"}, make),
    "user_id": lambda make: checked({"user_id": "cell"}, make),
    "event": lambda make: checked({"event": "cell"}, make),
    "tags": lambda make: checked({"tags": "cell"}, make),
    **{
        kind: lambda make, kind=kind: checked({"traits": [{"column": "cell", "type": kind}]}, make)  # type: ignore[misc]
        for kind in ("auto", "string", "number", "boolean", "datetime", "date", "list")
    },
    "masked": lambda make: lambda size: lambda: masked(make(size)),
    "printable": lambda make: lambda size: lambda: printable(make(size)),
    "guess": lambda make: lambda size: lambda: guess(make(size).encode("utf-8", "surrogateescape")),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_text_takes_time_in_proportion(name: str) -> None:
    """Whatever field it is mapped to. Not so many texts as for the patterns: each is a whole check."""
    few = [*FEW[:7], "0 ", "+0", "9 8", " 'a", "é", "[", "\\"]
    slow = next((unit for unit, make in texts(few, ("", "9")) if grows_too_fast(FUNCTIONS[name](make))), None)
    assert slow is None


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_long_cell_in_a_file_takes_time_in_proportion(tmp_path: Path, ending: str, encoding: str) -> None:
    """Also in a file whose encoding has to be found."""

    def work(make: Callable[[int], str]) -> Callable[[int], Callable[[], object]]:
        def sized(size: int) -> Callable[[], object]:
            cell = make(10 * size).replace("\n", " ").replace('"', "'").replace("\\", "/").replace("\1", "")
            lines = ["id,cell", f'1,"{cell}"', "2,caf\u00e9", ""]
            if ending == "jsonl":
                lines = [f'{{"id": "1", "cell": "{cell}"}}'.replace("\t", " "), '{"id": "2", "cell": "caf\u00e9"}', ""]
            path = tmp_path / f"t.{ending}"
            path.write_bytes("\n".join(lines).encode(encoding, "replace"))
            return lambda: check(path, {"user_id": "id", "traits": "*"}, encoding=encoding, progress=False)

        return sized

    slow = next((unit for unit, make in texts([*FEW, "a "], ("",)) if grows_too_fast(work(make))), None)
    assert slow is None
