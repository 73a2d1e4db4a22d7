"""What a Dockerfile and a .dockerignore say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.snippets import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, such as RUN, and what stands behind it."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form, such as `["interakt-loader"]`. Raises `ValueError` for the shell form."""
        found = json.loads(self.rest)
        assert isinstance(found, list)
        return found


@dataclass
class Stage:
    """The instructions from one FROM to the next."""

    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Return the instructions of one name."""
        return [one for one in self.instructions if one.name == name]

    def only(self, name: str) -> Instruction:
        """Return the one instruction of this name."""
        (one,) = self.all(name)
        return one

    def environment(self, before: dict[str, str]) -> dict[str, str]:
        """Return the variables that ENV sets, where `$NAME` stands for those before."""
        found = dict(before)
        for one in self.all("ENV"):
            for name, value in re.findall(r"(\w+)=(\S+)", one.rest):
                found[name] = re.sub(r"\$(\w+)", lambda match: found.get(match[1], ""), value)
        return found


def stages(path: Path = ROOT / "Dockerfile") -> list[Stage]:
    """Return the stages of a Dockerfile. What stands before the first FROM is the first one."""
    text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    found = [Stage()]
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            if name == "FROM":
                found.append(Stage())
            found[-1].instructions.append(Instruction(name, " ".join(rest.split())))
    return found


def context(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that its .dockerignore lets into the build, relative to it.

    The last pattern that fits decides, as for Docker. A pattern also fits everything below what it names.
    """
    lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not _is_ignored(name, patterns):
            yield name


def _is_ignored(name: Path, patterns: list[str]) -> bool:
    ignored = False
    names = [str(name), *map(str, list(name.parents)[:-1])]
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if any(_fits(one, wanted) for one in names):
            ignored = wanted == pattern
    return ignored


def _fits(name: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(name.rpartition("/")[2], pattern[3:])
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)
