"""The rules of the package's structure: which module may import which, where tests are, where options are defined."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import interakt_loader
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import Options
from tests.coverage import __main__ as coverage
from tests.mutants.direct import DIRECT

PACKAGE = Path(interakt_loader.__file__).parent
ARCHITECTURE = (Path(__file__).resolve().parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")

LAYERS = [set(line.split()) for line in ARCHITECTURE.partition("```text layers\n")[2].partition("```")[0].splitlines()]
"""The names of each line of the list: a line may import from those above it."""


class Import(NamedTuple):
    """One module of the package imports another."""

    importer: str
    imported: str

    @property
    def top_level(self) -> tuple[str, str]:
        return self.importer.split(".")[0], self.imported.split(".")[0]


def module_name(path: Path) -> str:
    """Return a file's name as a module, without the package's own: `sending.retry`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}


def imports() -> Iterator[Import]:
    """Yield every import inside the package, but for those that are for type checkers only."""
    for path in PACKAGE.rglob("*.py"):
        importer = module_name(path)
        if importer == "__init__":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_checkers = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or node in for_checkers or node.module is None:
                continue
            base, _, rest = node.module.partition(".")
            if base != "interakt_loader":
                continue
            for alias in node.names:
                whole = f"{rest}.{alias.name}".lstrip(".")
                yield Import(importer, whole if whole in MODULES else rest)


def test_a_module_imports_only_from_lines_above_its_own() -> None:
    """Imports that are only for type checkers do not count."""
    line_of = {name: number for number, names in enumerate(LAYERS) for name in names}
    found = {one.top_level for one in imports()}
    assert len(found) > 50
    assert [(own, other) for own, other in found if own != other and line_of[other] >= line_of[own]] == []


def test_no_import_goes_round_in_a_circle() -> None:
    """Not within a folder either: each file can be read after those that it needs."""
    needs: dict[str, set[str]] = {}
    for one in imports():
        if (
            one.importer != one.imported and f"{one.importer}." not in f"{one.imported}."
        ):  # a folder's `__init__` imports its files
            needs.setdefault(one.importer, set()).add(one.imported)
    TopologicalSorter(needs).prepare()


def test_every_module_is_in_the_list() -> None:
    """A new folder or file is added to the list."""
    assert {one.split(".")[0] for one in MODULES} == set().union(*LAYERS)


def test_every_module_has_its_tests() -> None:
    """A reader finds the tests of `FOLDER/` in `tests/FOLDER/`, and those of a single module in a `test_MODULE.py`."""
    tests = Path(__file__).parent
    found = {path.name for path in tests.iterdir() if path.is_dir()}
    found |= {path.stem.removeprefix("test_") for path in tests.rglob("test_*.py")}
    modules = {one.split(".")[0] for one in MODULES} - {"__main__", "_version"}
    assert modules - found == set()


def test_the_lists_of_modules_name_files_that_exist() -> None:
    """The lists of `make coverage` and `make mutants` match modules and tests that are there."""
    named = [*coverage.PURE, *coverage.NOT_PURE, *(f"{module}.py" for module in DIRECT)]
    assert [one for one in named if not any(PACKAGE.glob(one))] == []
    chosen = {path for paths in DIRECT.values() for path in paths}
    assert [path for path in sorted(chosen) if not (PACKAGE.parent / path).is_file()] == []


def test_the_walk_names_what_exists() -> None:
    """Each file, folder, module, class and function that `docs/architecture.md` names is there."""
    modules = set().union(*LAYERS)
    files = {part for one in MODULES for part in one.split(".")}
    quoted = re.findall(r"`([^`\s]+)`", ARCHITECTURE)
    paths = [one for one in quoted if re.search(r"/|\.(?:py|md|tsv)$", one) and not one[0].isdigit()]
    assert len(paths) > 40
    assert [one for one in paths if not any((folder / one).exists() for folder in (PACKAGE, PACKAGE.parent))] == []
    names = (one for one in quoted if one not in paths and re.fullmatch(r"\w+(?:\.\w+)*", one))
    named = [one for one in names if one.split(".")[0] in files]
    assert len(named) > 40
    assert [
        one
        for one in named
        if not any(_is_there(f"{module}{one}") for module in ("", *(f"{name}." for name in modules)))
    ] == []


def _is_there(name: str) -> bool:
    try:
        pkgutil.resolve_name(f"interakt_loader.{name}")
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("statement", ["import interakt_loader", "from interakt_loader import track"])
def test_an_import_pulls_in_no_table_library(statement: str) -> None:
    """`track` is for web services too: no pandas, no pyarrow, no NumPy."""
    libraries = {"pandas", "pyarrow", "numpy", "click", "jinja2", "tqdm"}
    code = f"{statement}; import sys; print({libraries} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_the_airflow_callables_pull_in_no_table_library() -> None:
    """A scheduler parses DAG files all the time."""
    code = (
        "from interakt_loader.integrations.airflow import load_users_task, load_events_task; import sys;"
        "print({'pandas', 'pyarrow', 'airflow', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_the_typed_options_are_those_of_settings() -> None:
    """`Options`, which is for type checkers, has the names of `Settings`."""
    assert list(Options.__annotations__) == [one.name for one in fields(Settings)]


def test_every_name_in_all_is_there() -> None:
    """The public names load lazily, and all of them load."""
    for name in interakt_loader.__all__:
        assert getattr(interakt_loader, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        interakt_loader.nothing  # type: ignore[attr-defined]  # noqa: B018 - the access is what is tested
