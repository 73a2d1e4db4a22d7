"""The image of the Dockerfile, made without Docker: its steps run in an overlay over this machine's own files."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.external.container.dockerfile import Stage, context, stages
from tests.snippets import ROOT

PYTHON = Path(sys.executable).resolve()
PATH = f"{PYTHON.parent}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CACHE = Path.home() / ".cache"
"""What pip and uv have downloaded before."""
TOOLS = ("unshare", "nsenter", "setpriv", "chroot")

_MOUNT = """
set -eu
mount --bind {data} {root}/data
mount -t tmpfs tmpfs {root}/tmp
mount -t proc proc {root}/proc
{samples}
exec chroot {root} setpriv --reuid={user} --regid={group} --clear-groups \\
    --bounding-set=-all --no-new-privs env --ignore-environment --chdir={work} {environment} {command}
"""


@dataclass(frozen=True)
class Image:
    """The file system of the last stage, read-only, and what a container of it starts with."""

    holder: int
    """The process whose mounts the image is among."""
    root: Path
    stage: Stage
    environment: dict[str, str]

    def start(
        self,
        *arguments: str,
        data: Path,
        entry: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        network: int | None = None,
    ) -> subprocess.Popen[str]:
        """Start a container with this folder as /data; the loader is the first process of its namespace.

        `network` is a process whose network it shares.
        """
        user, _, group = self.stage.only("USER").rest.partition(":")
        entry = self.stage.only("ENTRYPOINT").words if entry is None else entry
        variables = {**self.environment, **(environment or {})}
        script = _MOUNT.format(
            data=shlex.quote(str(data)), root=self.root, user=user, group=group, work=self.stage.only("WORKDIR").rest,
            samples=f"mount --bind -o ro {shlex.quote(str(ROOT / 'sample_data'))} {self.root}/samples",
            environment=shlex.join(f"{name}={value}" for name, value in variables.items()),
            command=shlex.join([*entry, *arguments]),
        )  # fmt: skip
        shared = [] if network is None else ["nsenter", f"--target={network}", "--net"]
        return subprocess.Popen(
            [
                *(*shared, "nsenter", f"--target={self.holder}", "--mount"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", script),
            ],
            stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True,
        )  # fmt: skip

    def run(
        self,
        *arguments: str,
        data: Path,
        entry: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        network: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        process = self.start(*arguments, data=data, entry=entry, environment=environment, network=network)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def first_process(container: subprocess.Popen[str]) -> int:
    """Return the number that the first process of a container has outside."""
    (first,) = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text(encoding="ascii").split()
    return int(first)


def stop(container: subprocess.Popen[str]) -> None:
    """Send SIGTERM to the first process of a container, as `docker stop` does."""
    os.kill(first_process(container), signal.SIGTERM)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Follow the Dockerfile from its first stage to its last."""
    if sys.platform != "linux" or os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        pytest.skip(f"needs Linux, root and {', '.join(TOOLS)}")
    folder = tmp_path_factory.mktemp("image")
    script = f"mount -t tmpfs tmpfs {folder} && echo ready && read -r"
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation=private", "bash", "-c", script], stdin=PIPE, stdout=PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        if holder.stdout.readline() != "ready\n":
            pytest.skip("this machine lets nobody mount")
        before, *built = stages()
        for number, stage in enumerate(built):
            _build(stage, before, folder / str(number), folder / "0/root", holder.pid)
        last = folder / str(len(built) - 1) / "root"
        _inside(holder.pid, f"mkdir {last}/samples && mount -o remount,ro {last}")
        yield Image(holder.pid, last, built[-1], built[-1].environment({"PATH": PATH}))
    finally:
        holder.communicate("\n")


def _build(stage: Stage, before: Stage, folder: Path, first: Path, holder: int) -> None:
    """Make the file system of a stage: this machine's files, and what the stage adds."""
    root = folder / "root"
    _inside(
        holder,
        f"""mkdir -p {folder}/upper {folder}/work {root}
        mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {root}
        mount --bind /dev {root}/dev
        mkdir -p {CACHE} {root}{CACHE}
        mount --bind {CACHE} {root}{CACHE}
        ln -sf {PYTHON} {root}{PYTHON.parent}/python""",
    )
    # The user of the image needs the way to this machine's Python, which may be in root's own folder.
    for parent in PYTHON.parents:
        _inside(holder, f"chmod a+x {root}{parent}")
    variables = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    variables |= {"HOME": str(Path.home()), "PATH": PATH}
    variables |= dict(one.rest.split("=", 1) for one in before.all("ARG"))
    work = "/"
    for one in stage.instructions:
        match one.name:
            case "ARG":
                name, _, value = one.rest.partition("=")
                variables[name] = value.strip('"')
            case "WORKDIR":
                work = one.rest
                _inside(holder, f"mkdir -p {root}{work}")
            case "COPY" if one.rest == ". .":
                files = "\n".join(str(path) for path in context(ROOT))
                _inside(holder, f"cd {ROOT} && xargs cp --parents --target-directory={root}{work}", files)
            case "COPY":
                source, target = one.rest.removeprefix("--from=build ").split()
                _inside(holder, f"cp -a {first}{source} {root}{target}")
            case "RUN":
                environment = shlex.join(f"{name}={value}" for name, value in variables.items())
                command = f"env --ignore-environment --chdir={work} {environment} sh -c {shlex.quote(one.rest)}"
                _inside(holder, f"chroot {root} {command}")


def _inside(holder: int, script: str, given: str = "") -> None:
    """Run a script among the mounts of the image."""
    command = ["nsenter", f"--target={holder}", "--mount", "bash", "-euc", script]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that belongs to the user of the image, as a mounted one has to."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    user = int(stages()[-1].only("USER").rest.partition(":")[0])
    os.chown(folder, user, user)
    return folder
