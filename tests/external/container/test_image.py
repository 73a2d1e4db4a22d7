"""The image: what goes into it, and how a load runs in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.container.conftest import Image, first_process, stop
from tests.external.container.dockerfile import Stage, context, stages
from tests.snippets import ROOT

USER = 10001
USERS = "customer,name\n" + "".join(f"C-{number},Name {number}\n" for number in range(400))
LOAD = ("users.csv", "--map", "user_id=customer", "--quiet")


def instructions() -> list[tuple[str, str]]:
    return [(one.name, one.rest) for stage in stages() for one in stage.instructions]


def last() -> Stage:
    return stages()[-1]


def test_a_container_is_not_root() -> None:
    """The user has a number, because Kubernetes' `runAsNonRoot` cannot judge a name."""
    assert last().only("USER").rest == f"{USER}:{USER}"
    assert last().instructions.index(last().only("USER")) > last().instructions.index(last().all("RUN")[-1])


def test_the_loader_gets_the_signals() -> None:
    """The exec form starts no shell, which would keep SIGTERM for itself."""
    assert last().only("ENTRYPOINT").words == ["interakt-loader"]
    assert last().only("CMD").words == ["--help"]


def test_no_layer_can_hold_a_secret() -> None:
    """Arguments and variables of a build are in the history of an image."""
    named = [rest for name, rest in instructions() if name in ("ARG", "ENV")]
    assert len(named) == 3
    assert [rest for rest in named if re.search(r"key|secret|token|passw", rest, re.IGNORECASE)] == []
    assert [rest for name, rest in instructions() if name == "ADD" or "--secret" in rest] == []


def test_the_python_is_one_that_is_tested() -> None:
    """Both stages begin with it, since an environment only works with the Python that made it."""
    version = stages()[0].only("ARG").rest.removeprefix("PYTHON=")
    assert f"Python :: {version}" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [rest for name, rest in instructions() if name == "FROM"] == [
        "python:${PYTHON}-slim AS build",
        "python:${PYTHON}-slim",
    ]


def test_state_is_in_the_volume() -> None:
    """The working folder, where ledgers and reports go, and the state folder."""
    assert last().only("VOLUME").rest == last().only("WORKDIR").rest == "/data"
    assert last().environment({})["INTERAKT_STATE_DIR"].startswith("/data/")


def test_only_the_package_gets_into_a_build(tmp_path: Path) -> None:
    """No key, ledger, report, environment or history does, wherever it lies."""
    package = [path.relative_to(ROOT) for path in (ROOT / "interakt_loader").rglob("*")]
    for name in (".dockerignore", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "interakt_loader", tmp_path / "interakt_loader")
    (tmp_path / "interakt_loader" / "__pycache__").mkdir(exist_ok=True)
    for name in (
        ".env", "interakt.key", "users.csv", "users.ledger", "users.report.csv", ".git/config", ".venv/bin/python",
        "sample_data/users.parquet", "interakt_loader/__pycache__/x.pyc", "sub/pyproject.toml",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not for an image", encoding="utf-8")
    expected = {path for path in package if (ROOT / path).is_file() and "__pycache__" not in path.parts}
    assert set(context(tmp_path)) == expected | {
        Path(name) for name in ("LICENSE", "README.md", "constraints.txt", "pyproject.toml")
    }


@pytest.fixture
def sandbox() -> SandboxProcess:
    """A sandbox that is slow enough to be interrupted."""
    return SandboxProcess(SandboxOptions(latency=0.1))


def environment(sandbox: SandboxProcess) -> dict[str, str]:
    return {"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}


@pytest.mark.timeout(600)  # the image is built first
def test_the_image_has_what_is_locked(image: Image, data: Path) -> None:
    """Each package has the version of the lock; there are neither tests nor pip."""
    code = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    done = image.run("-c", code, entry=["/opt/interakt/bin/python"], data=data)
    installed = {_normal(line) for line in done.stdout.split()}
    locked = {_normal(line) for line in re.findall(r"^\S+==[^\s;]+", _lock(), re.MULTILINE)}
    ours = {line for line in installed if line.startswith("interakt-loader==")}
    assert len(ours) == 1
    assert len(installed) > 15
    assert installed - ours <= locked
    assert not {"pip", "pytest", "uv", "hatchling"} & {line.partition("==")[0] for line in installed}


def _lock() -> str:
    return (ROOT / "constraints.txt").read_text(encoding="utf-8")


def _normal(requirement: str) -> str:
    return re.sub(r"[-_.]+(?=.*==)", "-", requirement).lower()


def test_only_the_volume_can_be_written(image: Image, data: Path) -> None:
    """And /tmp, as every read-only container needs."""
    code = (
        "import os; from pathlib import Path\n"
        "print(os.getuid(), os.getgid(), os.getgroups(), os.getpid(), Path.home(), Path.cwd())\n"
        "for place in ('/data', '/tmp', '/opt/interakt', '/', '/etc'):\n"
        "    try: (Path(place) / 'mark').touch(); print(place)\n"
        "    except OSError: pass\n"
    )
    done = image.run("-c", code, entry=["python"], data=data)
    assert done.stdout.splitlines() == [f"{USER} {USER} [] 1 /data /data", "/data", "/tmp"], done.stderr


def test_a_load_keeps_its_state_in_the_volume(image: Image, data: Path, sandbox: SandboxProcess) -> None:
    """The same command in a new container sends nothing; without the volume's files it sends everything."""
    (data / "users.csv").write_text(USERS, encoding="utf-8")
    with sandbox:
        first = image.run(*LOAD, data=data, environment=environment(sandbox))
        assert (first.returncode, sandbox.stats().calls) == (0, 400), first.stderr
        made = [path for path in data.rglob("*") if path.name != "users.csv"]
        assert {"users.ledger", "users.report.csv", ".state", "users.runs"} <= {path.name for path in made}
        assert {path.stat().st_uid for path in made} == {USER}
        assert [path for path in made if path.stat().st_mode & 0o077] == []
        assert image.run(*LOAD, data=data, environment=environment(sandbox)).returncode == 0
        assert sandbox.stats().calls == 400
        (data / "users.ledger").unlink()
        assert image.run(*LOAD, data=data, environment=environment(sandbox)).returncode == 0
        assert sandbox.stats().calls == 800


def test_sigterm_stops_a_load(image: Image, data: Path, sandbox: SandboxProcess) -> None:
    """Calls in flight are recorded, the exit code is 143, and the next container continues."""
    (data / "users.csv").write_text(USERS, encoding="utf-8")
    with sandbox:
        load = image.start(*LOAD, data=data, environment=environment(sandbox))
        until = time.monotonic() + 30
        while sandbox.stats().calls < 50:
            assert time.monotonic() < until, "the load did not begin"
            assert load.poll() is None, load.communicate()
        stop(load)
        _, said = load.communicate(timeout=30)
        assert load.returncode == 143, said
        assert "SIGTERM: finishing the calls in flight" in said
        assert sandbox.stats().calls < 400
        assert image.run(*LOAD, data=data, environment=environment(sandbox)).returncode == 0
        assert sandbox.stats().calls == 400
        assert {user.calls for user in sandbox.users()} == {1}


def test_sigterm_before_a_load_is_not_lost(image: Image, data: Path) -> None:
    """The first process of a container gets no signal that it has no handler for."""
    with image.start("-", *LOAD[1:], data=data, environment={"INTERAKT_API_KEY": "key"}) as load:
        assert load.stdin is not None
        # More than a pipe holds, so the loader has read some.
        load.stdin.write(USERS * 20)
        load.stdin.flush()
        until = time.monotonic() + 30
        while "pipe_read" not in Path(f"/proc/{first_process(load)}/wchan").read_text(encoding="ascii"):
            assert time.monotonic() < until, "it does not wait for the rest"
        stop(load)
        assert load.wait(timeout=30) == 143


def test_compose(image: Image, data: Path) -> None:
    """Both services of compose.yaml run, in one network of their own, and the load reaches the sandbox."""
    services = _compose()["services"]
    sandbox, load = services["sandbox"], services["load"]
    assert load["network_mode"] == "service:sandbox"
    assert "ports" not in sandbox
    network = subprocess.Popen(
        ["unshare", "--net", "python3", "-c", _LOOPBACK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert network.stdout is not None
    assert network.stdout.readline() == "up\n"
    check, *command = sandbox["healthcheck"]["test"]
    assert check == "CMD"
    # Nobody answers yet: in this network, because a sandbox of somebody else may run on the machine.
    assert image.run(data=data, entry=command, network=network.pid).returncode != 0
    server = image.start(*sandbox["command"], data=data, network=network.pid)
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("sandbox at http://127.0.0.1:8077,")
        assert image.run(data=data, entry=command, network=network.pid).returncode == 0
        done = image.run(*load["command"], data=data, environment=load["environment"], network=network.pid)
        assert done.returncode == 1, done.stderr
        assert re.search(r"^  4,\d\d\d sent$", done.stdout, re.MULTILINE)
        stop(server)
        assert server.wait(timeout=30) == 0
    finally:
        if server.poll() is None:
            stop(server)
        server.communicate()
        network.communicate()


_LOOPBACK = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))
print("up", flush=True)
input()
"""
"""SIOCSIFFLAGS with IFF_UP and IFF_RUNNING; then it keeps the network for as long as its input is open."""


def _compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
