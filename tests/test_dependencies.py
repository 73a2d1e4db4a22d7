"""What pyproject.toml asks for, and the lock that pins it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def _requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    lists = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
    ]
    return [Requirement(line) for lines in lists for line in lines if isinstance(line, str)]


def _pinned() -> dict[str, list[str]]:
    """Return the locked versions by name: a package may have one for each Python."""
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        pinned.setdefault(canonicalize_name(name), []).append(version)
    return pinned


def test_the_lock_pins_every_requirement_to_a_version_that_it_allows() -> None:
    """If this fails, run `make lock`."""
    pinned = _pinned()
    wanted = _requirements()
    assert len(wanted) > 40
    for requirement in wanted:
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in constraints.txt"
        assert any(requirement.specifier.contains(version) for version in versions), f"{requirement}: {versions}"


def test_the_lock_has_hashes_and_names_no_package_index() -> None:
    """So a changed file is refused, and the lock works with any index."""
    entries = re.split(r"\n(?=\S)", LOCK.partition("make lock\n")[2])
    assert len(entries) > 200
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


def test_a_package_in_an_extra_and_in_a_group_has_one_lowest_version() -> None:
    """The tests run with what users get."""
    floors: dict[str, set[str]] = {}
    for requirement in _requirements():
        floors.setdefault(canonicalize_name(requirement.name), set()).add(
            f"{requirement.specifier} {requirement.marker}"
        )
    floors.pop("pyarrow")  # its lowest version differs on Windows
    assert {name: found for name, found in floors.items() if len(found) > 1} == {}
