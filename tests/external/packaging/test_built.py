"""What is built: all that belongs in it, and nothing else."""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.external.packaging.conftest import ROOT, VERSIONS, Built, run


@pytest.fixture(scope="session")
def files() -> set[str]:
    """The files of the tree, without those that git ignores."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this tree is no git clone: nothing says which of its files are the project's")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    return {one for one in listed if (ROOT / one).exists()}


def wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_sdist_holds_the_tree(built: Built, files: set[str]) -> None:
    """Whoever has it can build, test, lint and document as in a clone; nothing that lies about has strayed in."""
    with tarfile.open(built.sdist) as archive:
        held = {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}
    assert held ^ files == {"PKG-INFO"}


def test_the_wheel_holds_the_package(built: Built, files: set[str]) -> None:
    """Modules, presets, pages, examples and the mark of a typed package; no tests."""
    package = {one for one in files if one.startswith("interakt_loader/")}
    assert {"interakt_loader/py.typed", "interakt_loader/mapping/presets/shopify_orders.yaml"} < package
    information = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    held = wheel_files(built.wheel)
    assert {one for one in held if ".dist-info/" not in one} == package
    assert {one.partition(".dist-info/")[2] for one in held if ".dist-info/" in one} == information


def test_a_wheel_of_the_sdist_is_one_of_the_tree(built: Built) -> None:
    """By names and by content: nothing that the wheel needs is left out of the sdist."""
    with zipfile.ZipFile(built.wheel) as by_sdist, zipfile.ZipFile(built.direct) as by_tree:
        assert by_sdist.namelist() == by_tree.namelist()
        assert [one for one in by_tree.namelist() if by_tree.read(one) != by_sdist.read(one)] == []


def test_the_index_would_take_them(built: Built) -> None:
    """`twine check --strict` passes both files."""
    said = run(sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel, cwd=built.sdist.parent)
    assert said.stdout.count("PASSED") == 2


def test_the_metadata_is_right(built: Built) -> None:
    """Licence, Python versions, addresses, and extras for users only."""
    with zipfile.ZipFile(built.wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        facts = message_from_bytes(archive.read(name))
    assert (facts["Name"], facts["License-Expression"], facts["License-File"]) == ("interakt-loader", "MIT", "LICENSE")
    assert facts["Requires-Python"] == f">={VERSIONS[0]}"
    assert "Typing :: Typed" in (facts.get_all("Classifier") or [])
    addresses = dict(line.split(", ") for line in facts.get_all("Project-URL") or [])
    assert addresses.keys() == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert all(address.startswith(addresses["Homepage"]) for address in addresses.values())
    assert set(facts.get_all("Provides-Extra") or []) == {
        "airflow", "databases", "excel", "lake", "plot", "redis", "remote", "spark", "sql",
    }  # fmt: skip
    assert str(facts.get_payload()).startswith("# interakt_loader")


def test_tests_run_in_the_unpacked_sdist(built: Built, tmp_path: Path) -> None:
    """The tests of the structure and of the public API read docs and README next to the package."""
    tree = built.unpacked(tmp_path)
    where = "import interakt_loader; print(interakt_loader.__file__)"
    assert Path(run(sys.executable, "-c", where, cwd=tree).stdout).is_relative_to(tree)
    chosen = ("tests/test_architecture.py", "tests/test_public_api.py", "-k", "not import")
    said = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, cwd=tree)
    assert re.search(r"^\d+ passed, \d+ deselected in", said.stdout, re.MULTILINE)


def test_pip_installs_the_unpacked_sdist(built: Built, tmp_path: Path) -> None:
    """`pip install .`, built in an environment that pip makes for itself."""
    tree, environment = built.unpacked(tmp_path / "tree"), tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / Path(sys.executable).relative_to(sys.prefix)
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", ".", cwd=tree)
    code = "import interakt_loader; print(interakt_loader.__version__)"
    assert run(python, "-I", "-c", code, cwd=tmp_path).stdout.strip() in built.wheel.name
