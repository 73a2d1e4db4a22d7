"""The house's own rules: who may import whom, what an import pulls in, and that every option is said once."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import interakt_loader
from interakt_loader.options import Options
from interakt_loader.settings import Settings

PACKAGE = Path(interakt_loader.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")

ARCHITECTURE = (Path(__file__).resolve().parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")

FLOORS = [set(line.split()) for line in ARCHITECTURE.partition("```text floors\n")[2].partition("```")[0].splitlines()]
"""The picture of the house: the modules of each floor, the lowest first."""


def room(module: str) -> str:
    """Return the room of `interakt_loader.room.more`."""
    return module.split(".")[1] if "." in module else ""


def test_a_module_imports_lower_floors_only() -> None:
    """Every import inside the package goes down; what is only for type checkers may look up."""
    floor_of = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
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
            if node.module == "interakt_loader":
                targets = [alias.name for alias in node.names]
            elif node.module.startswith("interakt_loader."):
                targets = [room(node.module)]
            else:
                continue
            wrong += [f"{own} -> {one}" for one in targets if one != own and floor_of[one] >= floor_of[own]]
    assert wrong == []


def test_every_module_has_a_floor() -> None:
    """A new module is put on a floor of the picture."""
    modules = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules - {"__init__", "__pycache__", "py.typed"} == set().union(*FLOORS)


def test_the_walk_through_the_house_names_what_is_there() -> None:
    """Each module, class and function that the description of a row's way names can be imported."""
    modules = set().union(*FLOORS)
    missing = []
    named = [one for one in re.findall(r"`(\w+(?:\.\w+)*)`", ARCHITECTURE) if one.split(".")[0] in modules]
    assert len(named) > 60
    for one in named:
        try:
            pkgutil.resolve_name(f"interakt_loader.{one}")
        except (ImportError, AttributeError):
            missing.append(one)
    assert missing == []


@pytest.mark.parametrize("statement", ["import interakt_loader", "from interakt_loader import track"])
def test_an_import_pulls_in_no_table_library(statement: str) -> None:
    """`track` is for web services too: no pandas, no pyarrow, no NumPy."""
    code = f"{statement}; import sys; print({{'pandas', 'pyarrow', 'numpy', 'click', 'tqdm'}} & set(sys.modules))"
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


def test_the_readme_tells_every_option_with_its_default() -> None:
    """The README's table has a row for each option, with flag, default and meaning as `Settings` says them."""
    table = {cells[0]: cells for cells in _table_rows(README)}
    for one in fields(Settings):
        flag = f"`{one.metadata['flag']}`" if one.metadata["flag"] else ""
        if one.name == "api_key":
            flag = "`--api-key-file`"
        assert table[f"`{one.name}`"] == [f"`{one.name}`", flag, f"`{one.default!r}`", one.metadata["meaning"]]


def _table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_name_in_all_is_there() -> None:
    """The public names load lazily, and all of them load."""
    for name in interakt_loader.__all__:
        assert getattr(interakt_loader, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        interakt_loader.nothing  # type: ignore[attr-defined]  # noqa: B018 - the access is what is tested
