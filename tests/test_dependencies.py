"""What pyproject.toml asks for, and the locks that pin it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {"constraints.txt": [], "tests/external/orchestrators/constraints.txt": ["test-orchestrators"]}
"""The locks, and the dependency groups of those that are for some only."""


def _requirements(lock: str | None = None) -> list[Requirement]:
    """Return what a lock has to pin; without a lock, everything."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    apart = [name for names in LOCKS.values() for name in names]
    own = LOCKS[lock] if lock else []
    lists = [
        project["dependencies"],
        *([] if own else project["optional-dependencies"].values()),
        *(groups[name] for name in own or groups if own or lock is None or name not in apart),
    ]
    return [Requirement(line) for lines in lists for line in lines if isinstance(line, str)]


def _pinned(lock: str) -> dict[str, list[str]]:
    """Return the locked versions by name: a package may have one for each Python."""
    pinned: dict[str, list[str]] = {}
    text = (ROOT / lock).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE):
        pinned.setdefault(canonicalize_name(name), []).append(version)
    return pinned


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_every_requirement_to_a_version_that_it_allows(lock: str) -> None:
    """If this fails, run `make lock`."""
    pinned = _pinned(lock)
    wanted = _requirements(lock)
    assert len(wanted) > 15
    for requirement in wanted:
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in {lock}"
        assert any(requirement.specifier.contains(version) for version in versions), f"{requirement}: {versions}"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_hashes_and_names_no_package_index(lock: str) -> None:
    """So a changed file is refused, and the lock works with any index."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.partition("make lock\n")[2])
    assert len(entries) > 150
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_a_package_in_an_extra_and_in_a_group_has_one_lowest_version() -> None:
    """The tests run with what users get."""
    floors: dict[str, set[str]] = {}
    for requirement in _requirements():
        floors.setdefault(canonicalize_name(requirement.name), set()).add(
            f"{requirement.specifier} {requirement.marker}"
        )
    floors.pop("pyarrow")  # its lowest version differs on Windows
    assert {name: found for name, found in floors.items() if len(found) > 1} == {}
