"""The wheel alone, in environments that have nothing else: on each Python, and before two type checkers."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.external.packaging.conftest import VERSIONS, Environment, run

HERE = Path(__file__).resolve().parent
SAMPLE = "typed_sample.py"
CHECKED_WITH = f"{sys.version_info[0]}.{sys.version_info[1]}"

pytestmark = pytest.mark.timeout(600)  # what a wheel asks for may have to be fetched


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_by_itself(version: str, environments: Callable[[str], Environment]) -> None:
    """What `smoke.py` claims holds, from outside the tree, with no test's dependency, and without a warning."""
    smoke = environments(version).smoke
    assert smoke.returncode == 0, smoke.stderr
    assert re.search(rf"^8 claims hold on Python {re.escape(version)}\.", smoke.stdout, re.MULTILINE)
    assert smoke.stderr == ""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The folder of a program that uses the package: its one file, and nothing of ours beside it."""
    shutil.copy(HERE / SAMPLE, tmp_path)
    return tmp_path


@pytest.fixture
def python(environments: Callable[[str], Environment]) -> Path:
    """An environment's interpreter; typing_extensions, which the signatures name, is not in it."""
    found = environments(CHECKED_WITH).python
    code = "import importlib.util; print(importlib.util.find_spec('typing_extensions'))"
    assert run(found, "-c", code, cwd=found.parent).stdout.strip() == "None"
    return found


def test_mypy_sees_the_types(program: Path, python: Path) -> None:
    """Strict: what is right is taken, and each marked line is refused with its code."""
    said = run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", python, SAMPLE),
        cwd=program,
        check=False,
    )
    assert said.stdout == "Success: no issues found in 1 source file\n"


def test_pyright_sees_the_types(program: Path, python: Path) -> None:
    """Likewise."""
    rules = {"enableTypeIgnoreComments": False, "reportUnnecessaryTypeIgnoreComment": "error"}
    (program / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard", **rules}))
    said = run(sys.executable, "-m", "pyright", "--pythonpath", python, SAMPLE, cwd=program, check=False)
    assert said.stdout.splitlines()[-1] == "0 errors, 0 warnings, 0 informations", said.stdout
