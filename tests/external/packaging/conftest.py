"""What is built is built once: sdist and wheel, the wheel made from the tree, and environments that hold a wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

VERSIONS = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
"""The versions of Python that pyproject.toml claims."""

FROM_OUTSIDE = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "INTERAKT", "VIRTUAL"))
}
"""The environment of somebody who has nothing of ours."""


@dataclass(frozen=True)
class Built:
    """What `make dist` makes, and a wheel that has not gone by way of the sdist."""

    sdist: Path
    wheel: Path
    direct: Path

    def unpacked(self, folder: Path) -> Path:
        """Unpack the sdist; return its top folder."""
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder, filter="data")
        return next(folder.iterdir())


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program as from outside; what it said is in the failure."""
    given = [str(one) for one in command]
    done = subprocess.run(given, cwd=cwd, env=FROM_OUTSIDE, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{given}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build, as `make dist` does; `direct` from the tree at once."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    run(*build, folder / "dist", ROOT, cwd=folder)
    run(*build, folder / "direct", "--wheel", ROOT, cwd=folder)
    return Built(
        next((folder / "dist").glob("*.tar.gz")),
        next((folder / "dist").glob("*.whl")),
        next((folder / "direct").glob("*.whl")),
    )


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """The interpreters of this machine, by version: on the path, or where pyenv has them."""
    found = {}
    for version in VERSIONS:
        places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
        works = (one for one in places if one is not None and _is_version(one, version))
        first = next(works, None)
        if first is not None:
            found[version] = Path(first)
    return found


def _is_version(python: str | Path, version: str) -> bool:
    code = "import sys, venv, ssl, sqlite3; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # a shim may lead nowhere
    return done.stdout.strip() == version


@dataclass(frozen=True)
class Environment:
    """An environment that holds the wheel and what that asks for, and nothing else."""

    python: Path
    smoke: subprocess.CompletedProcess[str]
    """How `smoke.py` ended there."""


@pytest.fixture(scope="session", autouse=True)
def environments(
    built: Built, pythons: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Environment]]:
    """Return the environment of a version; one that this machine has not is a skip.

    All are made, and tried out, beside each other and beside the tests that need none.
    """
    folder = tmp_path_factory.mktemp("environments")

    def make(version: str) -> Environment:
        at, empty = folder / version, folder / f"{version}-files"
        uv = Path(sys.executable).with_name("uv")
        run(uv, "venv", "--python", pythons[version], at, cwd=folder)
        python = at / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        run(uv, "pip", "install", "--python", python, built.wheel, cwd=folder)
        empty.mkdir()
        script = shutil.copy(Path(__file__).with_name("smoke.py"), empty)
        return Environment(python, run(python, "-I", script, empty, cwd=empty, check=False))

    with ThreadPoolExecutor(2) as pool:
        made: dict[str, Future[Environment]] = {version: pool.submit(make, version) for version in pythons}

        def environment(version: str) -> Environment:
            if version not in made:
                pytest.skip(f"there is no Python {version} on this machine")
            return made[version].result()

        yield environment
